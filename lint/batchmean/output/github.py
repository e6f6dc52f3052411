"""Annotations for the log of a GitHub workflow: `::error` for a proved finding, `::warning` for a likely one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchmean.output import portable, printable

if TYPE_CHECKING:
    from batchmean.findings import Finding
    from batchmean.report import Report


_NOTICES = 3  # a page of a pull request shows ten in all


def render(report: Report) -> str:
    """Workflow commands, for findings, for files without a verdict and for those that were not read to their end."""
    errors = [
        _command("error", error.message, file=portable(error.path), title="batchmean could not check a file")
        for error in report.errors
    ]
    unread = [
        _command(
            "notice", warning.message, file=portable(warning.path), title="batchmean did not read all of it"
        )
        for warning in report.warnings[:_NOTICES]
    ]
    if more := len(report.warnings[_NOTICES:]):
        unread.append(_command("notice", f"{more} more", title="batchmean did not read all of these files"))
    return "".join([*map(_finding, report.findings), *errors, *unread])


def _finding(finding: Finding) -> str:
    span = finding.region
    place: dict[str, str | int] = {
        "file": portable(finding.path),
        "line": span.line,
        "endLine": span.end_line,
    }
    if span.line == span.end_line:  # columns of a range over several lines are refused
        place |= {"col": span.column, "endColumn": span.end_column}
    level = "error" if finding.confidence == "proved" else "warning"
    return _command(
        level, f"{finding.code} {finding.message}", **place, title=f"{finding.code} {finding.name}"
    )


def _command(level: str, message: str, **properties: str | int) -> str:
    """One line; whatever could end it or the properties early is escaped, in the order that GitHub undoes."""
    shown = ",".join(
        f"{name}={_escaped(str(value)).replace(':', '%3A').replace(',', '%2C')}"
        for name, value in properties.items()
    )
    return f"::{level} {shown}::{_escaped(message)}\n"


def _escaped(text: str) -> str:
    return printable(text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A"))
