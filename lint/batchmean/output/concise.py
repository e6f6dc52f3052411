"""One finding, one line: `path:line:column: CODE message`, as flake8 and most editors have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchmean.output import printable
from batchmean.output.style import PLAIN, Style
from batchmean.source import legible

if TYPE_CHECKING:
    from batchmean.findings import Finding
    from batchmean.report import Report


def render(report: Report, style: Style = PLAIN) -> str:
    """A line for each finding. Only a terminal is told how many there are, or that there is none."""
    lines = "".join(_line(finding, style) for finding in report.findings)
    return lines + (summary(report, style) if style.is_terminal else "")


def summary(report: Report, style: Style) -> str:
    """The line that counts; nothing where there was nothing to count, or where it is not wanted."""
    if not style.counts:
        return ""
    if report.findings:
        files = len({finding.path for finding in report.findings})
        return f"Found {count(len(report.findings), 'finding')} in {count(files, 'file')}.\n"
    if report.checked and not report.errors:
        return style.paint(f"All clean: {count(report.checked, 'file')}", "good") + "\n"
    return ""


def count(number: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _line(finding: Finding, style: Style) -> str:
    place = f"{legible(finding.where)}:{finding.span.line}:{finding.span.column}"
    shown = (
        style.paint(printable(place), "place"),
        style.paint(finding.code, "code"),
        printable(finding.message),
    )
    return "{}: {} {}\n".format(*shown)
