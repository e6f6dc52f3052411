"""A browser for the tests of the site and the playground."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.chromium import Missing, Page, chromium, program


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One Chromium for a module's tests."""
    try:
        program()
    except Missing as error:
        if os.environ.get("CI"):
            pytest.fail(f"this needs {error}")
        pytest.skip(f"this needs {error}")
    with chromium(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def page(browser: Page) -> Iterator[Page]:
    """Its tab, empty; the test fails if anything went wrong in it, or if it asked another machine for something."""
    browser.open("about:blank")
    browser.complaints.clear()
    browser.requested.clear()
    yield browser
    assert browser.complaints == []
    assert [a for a in browser.requested if not a.startswith(("http://127.0.0.1:", "data:", "about:"))] == []
