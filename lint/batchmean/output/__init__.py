"""How a report is written. A format is one module with `render(report) -> str` and a line in `FORMATS`."""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING

from batchmean.source import legible

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchmean.output.style import Style
    from batchmean.report import Report

# By module name, so that only the one in use is imported.
FORMATS = {
    "concise": "batchmean.output.concise",
    "full": "batchmean.output.full",
    "json": "batchmean.output.json",
    "jsonl": "batchmean.output.jsonl",
    "github": "batchmean.output.github",
    "gitlab": "batchmean.output.gitlab",
    "junit": "batchmean.output.junit",
    "rdjson": "batchmean.output.rdjson",
    "sarif": "batchmean.output.sarif",
}

TO_BE_READ = ("concise", "full")
"""Those for people; the others are for programs."""

WITH_FIXES = frozenset({"full", "json", "jsonl", "rdjson", "sarif"})
"""Those that say how to fix a finding, which takes work."""


def render(report: Report, output_format: str, style: Style | None = None) -> str:
    """The report in one of `FORMATS`, each line ended; `style` is for those that are `TO_BE_READ`."""
    module = import_module(FORMATS[output_format])
    text: str = (
        module.render(report, style)
        if style is not None and output_format in TO_BE_READ
        else module.render(report)
    )
    return text


def lines_of(report: Report) -> Callable[[str], list[str]]:
    """The lines of what findings count in, by `Finding.where`; findings come sorted by it, so few are kept."""
    return lru_cache(maxsize=4)(lambda where: report.texts[where].split("\n"))


def portable(path: str) -> str:
    """A path for other programs: relative to where the command runs if it lies below that, with `/`."""
    if os.path.isabs(path):
        here = os.path.join(os.getcwd(), "")
        path = path.removeprefix(here) if path.startswith(here) else path
    return legible(path).replace(os.sep, "/")


def printable(text: str) -> str:
    """`text` for a terminal: control, invisible and direction-changing characters are spelled out.

    So are those that the encoding of standard output has no place for.
    """
    if text.isprintable() and (text.isascii() or _is_encodable(text)):
        return text
    return "".join(char if is_shown(char) else _escaped(char) for char in text)


def is_shown(char: str) -> bool:
    """Whether a character can be seen on standard output as it is."""
    return char.isprintable() and (char.isascii() or _is_encodable(char))


def _is_encodable(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeError:
        return False
    return True


def _escaped(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")
