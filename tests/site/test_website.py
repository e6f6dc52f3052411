"""The site: built without a warning, every link leads somewhere, and it can be read on a phone."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from docs.generate import DOCS, INDEX, rules
from docs.website import Html, broken, build
from tests.chromium import Page, served

WIDTHS = (390, 1280)  # a phone, a desk


def test_the_list_of_rules_is_the_one_in_the_code() -> None:
    """Otherwise: `make docs`."""
    assert (DOCS / INDEX).read_text(encoding="utf-8") == rules()


def test_every_page_has_its_place_in_the_contents() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    trees = re.findall(r"^```\{toctree\}\n(.*?)^```$", index, re.MULTILINE | re.DOTALL)
    listed = [line for tree in trees for line in tree.splitlines() if line and not line.startswith(":")]
    assert sorted(listed) == sorted({path.stem for path in DOCS.glob("*.md")} - {"index"})


@pytest.mark.parametrize(
    ("link", "complaint"),
    [
        ('<a href="b.html#there">', None),
        ('<a href="sub/">', None),
        ('<a href="https://example.org/">', None),
        ('<a href="c.html">', "no file for c.html"),
        ('<a href="b.html#gone">', "no place for b.html#gone"),
        ('<a href="#gone">', "no place for #gone"),
        ('<img src="c.png">', "no file for c.png"),
        ('<script src="https://example.org/x.js"></script>', "loads https://example.org/x.js"),
        ('<link rel="stylesheet" href="//example.org/x.css">', "loads //example.org/x.css"),
    ],
)
def test_a_link_that_leads_nowhere_is_seen(tmp_path: Path, link: str, complaint: str | None) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "index.html").touch()
    (tmp_path / "b.html").write_text('<p id="there">', encoding="utf-8")
    (tmp_path / "a.html").write_text(link, encoding="utf-8")
    assert broken(tmp_path) == ([] if complaint is None else [f"a.html: {complaint}"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built."""
    if find_spec("furo") is None and not os.environ.get("CI"):
        pytest.skip("the extra `docs` is not installed")
    folder = tmp_path_factory.mktemp("site") / "html"
    assert build(folder) == ""
    return folder


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """Where the site is served."""
    with served(site) as address:
        yield address


@pytest.mark.heavy
def test_every_link_leads_somewhere(site: Path) -> None:
    assert broken(site) == []
    links = Html((site / "index.html").read_text(encoding="utf-8")).links
    assert {"first-steps.html", "rules.html", "usage.html#output-formats"} <= set(links)
    assert not any("playground/" in link for link in links)  # which is not beside it


@pytest.mark.heavy
def test_a_warning_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("furo")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "conf.py").write_text((DOCS / "conf.py").read_text("utf-8"), encoding="utf-8")
    (tmp_path / "docs" / "index.md").write_text("# Title\n\n[nothing](nowhere.md)\n", encoding="utf-8")
    monkeypatch.setattr("docs.website.DOCS", tmp_path / "docs")
    assert "nowhere.md" in build(tmp_path / "site")


@pytest.mark.heavy
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_it_can_be_read(
    site: Path, address: str, page: Page, tmp_path: Path, width: int, scheme: str
) -> None:
    """The pictures stay in pytest's temporary folder, to be looked at."""
    for path in sorted(site.rglob("*.html")):
        name = path.relative_to(site).as_posix()
        page.open(address + name, width=width, height=1200, scheme=scheme)
        assert page.run("document.documentElement.scrollWidth") == width, name
        assert page.run("document.querySelector('article') !== null"), name
    page.open(address, width=width, height=1200, scheme=scheme)
    page.picture(tmp_path / f"{width}-{scheme}.png")
    pixels = matplotlib.image.imread(tmp_path / f"{width}-{scheme}.png")[..., :3]
    paper = np.median(pixels.reshape(-1, 3), axis=0).mean()
    assert paper > 0.9 if scheme == "light" else paper < 0.2


@pytest.mark.heavy
def test_it_can_be_searched(address: str, page: Page) -> None:
    page.open(f"{address}search.html?q=perplexity")
    page.wait("document.querySelector('#search-results').innerText.includes('BMN401')")
