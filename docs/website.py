"""Builds the site of these pages, and checks its links: `make site`. A warning is an error.

It needs `pip install '.[docs,reference]'`, and no network: links to other hosts are not followed, and nothing may be
loaded from one.
"""

from __future__ import annotations

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

DOCS = Path(__file__).parent

LINKS = {("a", "href"), ("area", "href")}
LOADS = {
    ("link", "href"),
    ("img", "src"),
    ("script", "src"),
    ("iframe", "src"),
    ("source", "src"),
    ("form", "action"),
}


class Html(HTMLParser):
    """What a page leads to, what it loads, and the places in it that can be led to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of it."""
        for name, value in attrs:
            if value is None:
                continue
            if name == "id" or (tag, name) == ("a", "name"):
                self.places.add(value)
            elif (tag, name) in LINKS:
                self.links.append(value)
            elif (tag, name) in LOADS:
                self.loads.append(value)


def build(to: Path) -> str:
    """Build the site; what Sphinx complained about, which is nothing if all is well."""
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "--fresh-env", "--quiet", "-b", "html"]
    doctrees = to.parent / f"{to.name}-doctrees"
    done = subprocess.run(
        [*command, "-d", doctrees, DOCS, to],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    return done.stdout + done.stderr if done.returncode else ""


def broken(site: Path) -> list[str]:
    """The links that lead nowhere within the site, and what is loaded from other hosts; one line each."""
    pages = {path.resolve(): Html(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    found = []
    for path, page in pages.items():
        name = path.relative_to(site.resolve()).as_posix()
        for target in page.loads:
            if urlsplit(target).netloc:
                found.append(f"{name}: loads {target}")
        for target in [*page.links, *page.loads]:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if there.is_dir():
                there /= "index.html"
            if not there.is_file():
                found.append(f"{name}: no file for {target}")
            elif parts.fragment and there in pages and unquote(parts.fragment) not in pages[there].places:
                found.append(f"{name}: no place for {target}")
    return sorted(found)


def main(folder: str) -> int:
    """Build and check; 1 if anything is wrong."""
    site = Path(folder)
    complaints = build(site) or "\n".join(broken(site))
    print(complaints or f"{site / 'index.html'}: no warnings, every link leads somewhere")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
