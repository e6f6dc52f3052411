"""How a report is written. A format is one module with `render(report) -> str` and a line in `FORMATS`."""

from __future__ import annotations

import os
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchmean.check import Report

# By module name, so that only the one in use is imported.
FORMATS = {
    "concise": "batchmean.output.concise",
    "full": "batchmean.output.full",
    "json": "batchmean.output.json",
    "github": "batchmean.output.github",
    "gitlab": "batchmean.output.gitlab",
    "junit": "batchmean.output.junit",
    "sarif": "batchmean.output.sarif",
}

WITH_FIXES = frozenset({"json", "sarif"})
"""Those that say how to fix a finding, which takes work."""


def render(report: Report, output_format: str) -> str:
    """The report in one of `FORMATS`, each line ended."""
    renderer: Callable[[Report], str] = import_module(FORMATS[output_format]).render
    return renderer(report)


def lines_of(report: Report) -> Callable[[str], list[str]]:
    """The lines of what findings count in, by `Finding.where`; findings come sorted by it, so few are kept."""
    return lru_cache(maxsize=4)(lambda where: report.texts[where].split("\n"))


def portable(path: str) -> str:
    """A path for other programs: relative to where the command runs if it lies below that, with `/`."""
    if os.path.isabs(path):
        here = os.path.join(os.getcwd(), "")
        path = path.removeprefix(here) if path.startswith(here) else path
    return path.replace(os.sep, "/")


def printable(text: str) -> str:
    """`text` for a terminal: control, invisible and direction-changing characters are spelled out."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")
