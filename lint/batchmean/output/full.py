"""Each finding with its place in the source, and under it what it rests on and what to write instead."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from batchmean.output import lines_of, printable
from batchmean.output.concise import summary
from batchmean.output.style import PLAIN, Style
from batchmean.source import legible

if TYPE_CHECKING:
    from batchmean.findings import Finding, Span
    from batchmean.report import Report

_CONTEXT = 2  # lines of code shown above and below
_LONGEST = 8  # marked lines shown of a finding that spans more
_WIDEST = 400  # characters shown of a line that has more; on a terminal as many as it has columns
_NARROWEST = 20  # however narrow the terminal is
_GAP = "..."
_TAB = 4


def render(report: Report, style: Style = PLAIN) -> str:
    """Blocks as ruff prints them, a line that counts them, and one that says what can be fixed."""
    lines = lines_of(report)
    blocks = ["\n".join(_block(finding, lines(finding.where), style)) + "\n" for finding in report.findings]
    end = summary(report, style) + _fixable(report.findings) if style.counts else ""
    return "\n".join([*blocks, end] if end else blocks)


def _fixable(findings: Sequence[Finding]) -> str:
    """`[*] 5 fixable with --fix, 5 more with --unsafe-fixes`; nothing where there is no fix."""
    fixes = [finding.fix for finding in findings if finding.fix is not None]
    safe = sum(fix.safe for fix in fixes)
    unsafe = len(fixes) - safe
    if not fixes:
        return ""
    if not safe:
        return f"{unsafe} fixable with --fix --unsafe-fixes\n"
    return (
        f"[*] {safe} fixable with --fix" + (f", {unsafe} more with --unsafe-fixes" if unsafe else "") + "\n"
    )


def _block(finding: Finding, lines: list[str], style: Style) -> Iterator[str]:
    # A message says what is wrong and then, after a semicolon, what to write: here each has its own line.
    diagnosis, _, remedy = finding.message.rpartition("; ")
    span = finding.span
    last = min(span.end_line + _CONTEXT, len(lines))
    gutter = " " * len(str(last))
    mark = style.paint("[*] ", "help") if finding.fix is not None and finding.fix.safe else ""
    message = style.paint(printable(diagnosis or finding.message), "name")
    yield f"{style.paint(finding.code, 'code')} {mark}{message}"
    place = printable(f"{legible(finding.where)}:{span.line}:{span.column}")
    yield f"{gutter}{style.paint('-->', 'gutter')} {style.paint(place, 'place')}"
    bar = style.paint("|", "gutter")
    yield f"{gutter} {bar}"
    widest = _WIDEST if style.width is None else max(min(style.width - len(gutter) - 3, _WIDEST), _NARROWEST)
    for number, text in _excerpt(lines, span, last, widest):
        shown = text if number or text == _GAP else style.paint(text, "mark")
        yield f"{style.paint(f'{number:>{len(gutter)}}', 'gutter')} {bar} {shown}".rstrip()
    yield f"{gutter} {bar}"
    for because in finding.because:
        cell = "" if because.cell == finding.cell else f"cell {because.cell}, "
        yield printable(f"{gutter} = because: {cell}line {because.line}: {because.text}")
    if finding.confidence == "likely":
        yield f"{gutter} = {style.paint('note: likely, not proved: this rests on names', 'note')}"
    if finding.no_fix is not None:
        yield f"{gutter} = {style.paint(printable(f'note: no fix: {finding.no_fix}'), 'note')}"
    if diagnosis:
        yield f"{gutter} = {style.paint('help', 'help')}: {printable(remedy)}"


def _excerpt(lines: list[str], span: Span, last: int, widest: int) -> Iterator[tuple[int | str, str]]:
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
                yield "", _GAP
            continue
        start = span.column - 1 if number == span.line else 0
        line, cut = _window(line, start, widest)
        yield number, "".join(_cells(line))
        if is_marked:
            start = start - cut if number == span.line else len(line) - len(line.lstrip())
            end = min(span.end_column - 1 - cut, len(line)) if number == span.end_line else len(line.rstrip())
            yield "", " " * _width(line[:start]) + "^" * max(_width(line[start:end]), 1)


def _is_blank(line: str) -> bool:
    return not line or line.isspace()


def _window(line: str, column: int, widest: int) -> tuple[str, int]:
    """What is shown of a line around a column, and by how much that moves to the left."""
    if len(line) + (_TAB - 1) * line.count("\t", 0, widest) <= widest:
        return line, 0
    widest = max(widest - (_TAB - 1) * line.count("\t", 0, widest), _NARROWEST)
    first = max(min(column - widest // 4, len(line) - widest), 0)
    shown = line[first : first + widest]
    if first:
        shown = f"...{shown[3:]}"
    if first + widest < len(line):
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
