"""What the other tests here rely on: a page that complains is heard."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chromium import Page, served

pytestmark = pytest.mark.heavy


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ("console.error('a complaint')", "a complaint"),
        ("setTimeout(() => { throw new Error('thrown') })", "thrown"),
        ("fetch('nowhere.json')", "404"),
        ("new Worker(URL.createObjectURL(new Blob(['console.error(`from below`)'])))", "from below"),
        ("fetch('http://example.org/').catch(() => {})", "not loaded"),
    ],
)
def test_a_complaint_is_heard(browser: Page, tmp_path: Path, script: str, complaint: str) -> None:
    browser.open("about:blank")
    browser.complaints.clear()
    (tmp_path / "index.html").write_text(f"<!doctype html><script>{script}</script>", encoding="utf-8")
    with served(tmp_path) as address:
        browser.open(address)
        browser.wait_for_complaint(complaint)
