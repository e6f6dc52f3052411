"""Each finding with its place in the source, and under it what it rests on and what to write instead."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING

from batchmean.output import lines_of, printable
from batchmean.source import legible

if TYPE_CHECKING:
    from batchmean.check import Report
    from batchmean.findings import Finding, Span

_CONTEXT = 2  # lines of code shown above and below
_LONGEST = 8  # marked lines shown of a finding that spans more
_WIDEST = 400  # characters shown of a line that has more
_TAB = 4


def render(report: Report) -> str:
    """Blocks as ruff prints them, and a line that counts them; nothing for a clean run."""
    if not report.findings:
        return ""
    lines = lines_of(report)
    blocks = ["\n".join(_block(finding, lines(finding.where))) + "\n" for finding in report.findings]
    files = len({finding.path for finding in report.findings})
    return "\n".join([*blocks, f"Found {_count(len(blocks), 'finding')} in {_count(files, 'file')}.\n"])


def _block(finding: Finding, lines: list[str]) -> Iterator[str]:
    # A message says what is wrong and then, after a semicolon, what to write: here each has its own line.
    diagnosis, _, remedy = finding.message.rpartition("; ")
    span = finding.span
    last = min(span.end_line + _CONTEXT, len(lines))
    gutter = " " * len(str(last))
    yield printable(f"{finding.code} {diagnosis or finding.message}")
    yield printable(f"{gutter}--> {legible(finding.where)}:{span.line}:{span.column}")
    yield f"{gutter} |"
    for number, text in _excerpt(lines, span, last):
        yield f"{number:>{len(gutter)}} | {text}".rstrip()
    yield f"{gutter} |"
    for because in finding.because:
        cell = "" if because.cell == finding.cell else f"cell {because.cell}, "
        yield printable(f"{gutter} = because: {cell}line {because.line}: {because.text}")
    if finding.confidence == "likely":
        yield f"{gutter} = note: likely, not proved: this rests on names"
    if finding.no_fix is not None:
        yield printable(f"{gutter} = note: no fix: {finding.no_fix}")
    if diagnosis:
        yield printable(f"{gutter} = help: {remedy}")


def _excerpt(lines: list[str], span: Span, last: int) -> Iterator[tuple[int | str, str]]:
    first = max(span.line - _CONTEXT, 1)
    while first < span.line and _is_blank(lines[first - 1]):
        first += 1
    while last > span.end_line and _is_blank(lines[last - 1]):
        last -= 1
    for number in range(first, last + 1):
        line = lines[number - 1]
        is_marked = span.line <= number <= span.end_line
        if is_marked and span.line + _LONGEST // 2 <= number <= span.end_line - _LONGEST // 2:
            if number == span.line + _LONGEST // 2:
                yield "", "..."
            continue
        start = span.column - 1 if number == span.line else 0
        line, cut = _window(line, start)
        yield number, "".join(_cells(line))
        if is_marked:
            start = start - cut if number == span.line else len(line) - len(line.lstrip())
            end = min(span.end_column - 1 - cut, len(line)) if number == span.end_line else len(line.rstrip())
            yield "", " " * _width(line[:start]) + "^" * max(_width(line[start:end]), 1)


def _is_blank(line: str) -> bool:
    return not line or line.isspace()


def _window(line: str, column: int) -> tuple[str, int]:
    """What is shown of a line around a column, and by how much that moves to the left."""
    if len(line) <= _WIDEST:
        return line, 0
    first = max(min(column - _WIDEST // 4, len(line) - _WIDEST), 0)
    shown = line[first : first + _WIDEST]
    if first:
        shown = f"...{shown[3:]}"
    if first + _WIDEST < len(line):
        shown = f"{shown[:-3]}..."
    return shown, first


def _cells(text: str) -> Iterator[str]:
    for char in text:
        yield " " * _TAB if char == "\t" else printable(char)


def _width(text: str) -> int:
    """Columns of a terminal: two for a wide character, none for a combining one, escaped ones as spelled."""
    return sum(
        len(cell) if len(cell) > 1 else 0 if unicodedata.combining(cell) else 1 + _is_wide(cell)
        for cell in _cells(text)
    )


def _is_wide(char: str) -> bool:
    return unicodedata.east_asian_width(char) in "WF"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
