"""What a finding is recognised by from one run to the next, though lines move and messages change."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from batchmean.output import lines_of, portable

if TYPE_CHECKING:
    from batchmean.findings import Finding, Span
    from batchmean.report import Report


_LONGEST = 50  # lines of a finding that count
_WIDEST = 2000  # and characters of each, so that a file of one long line is not read for every finding in it
_DEFINITION = re.compile(r"(?:async\s+)?(?:def|class)\s+(\w+)")


def fingerprints(report: Report) -> Iterator[tuple[Finding, str]]:
    """Each finding with its fingerprint: of the code, the path and the source, counted where those repeat."""
    seen: Counter[tuple[str, str, str]] = Counter()
    lines_in = lines_of(report)
    for finding in report.findings:
        first = finding.span.line - 1
        lines = lines_in(finding.where)[first : min(finding.span.end_line, first + _LONGEST)]
        source = " ".join(line[:_WIDEST] for line in lines)
        key = (finding.code, portable(finding.path), " ".join(source.split()))
        text = "\0".join([*key, str(seen[key])])
        seen[key] += 1
        yield finding, _digest(text)


class Mark(NamedTuple):
    """What a finding is recognised by though its file gets another name. Equal ones are to be counted."""

    code: str
    within: str
    """The classes and functions around it, with dots between them; empty at the top."""
    source: str
    """What it names, its whitespace made one blank."""

    @property
    def fingerprint(self) -> str:
        """The same in a few characters; whitespace, which formatters move, does not count at all."""
        return _digest("\0".join([self.code, self.within, "".join(self.source.split())]))[:32]


def marks(report: Report) -> Iterator[tuple[Finding, Mark]]:
    """Each finding with its mark."""
    lines_in = lines_of(report)
    by_place: dict[str, list[Finding]] = {}
    for finding in report.findings:
        by_place.setdefault(finding.where, []).append(finding)
    for where, findings in by_place.items():
        lines = lines_in(where)
        around = _around(lines, {finding.span.line for finding in findings})
        for finding in findings:
            source = " ".join(" ".join(_named(lines, finding.span)).split())
            yield finding, Mark(finding.code, around[finding.span.line], source)


def _named(lines: list[str], span: Span) -> Iterator[str]:
    last = min(span.end_line, span.line + _LONGEST - 1)
    for number in range(span.line, last + 1):
        start = span.column - 1 if number == span.line else 0
        end = span.end_column - 1 if number == span.end_line else start + _WIDEST
        yield lines[number - 1][start : min(end, start + _WIDEST)]


def _around(lines: list[str], wanted: Iterable[int]) -> dict[int, str]:
    """The names of the classes and functions around some lines, as their indentation shows them."""
    left = sorted(wanted, reverse=True)
    found: dict[int, str] = {}
    open_ones: list[tuple[int, str]] = []
    for number, line in enumerate(lines, start=1):
        if not left:
            break
        text = line.lstrip()
        indentation = len(line) - len(text)
        if text and not text.startswith("#"):
            while open_ones and open_ones[-1][0] >= indentation:
                open_ones.pop()
        if number == left[-1]:
            found[left.pop()] = ".".join(name for _, name in open_ones)
        if definition := _DEFINITION.match(text):
            open_ones.append((indentation, definition[1]))
    return found


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
