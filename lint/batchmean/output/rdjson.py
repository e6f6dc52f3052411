"""Reviewdog's diagnostic format, for bots that comment on a review and offer the fix as a suggestion.

https://github.com/reviewdog/reviewdog/tree/master/proto/rdf: lines and columns count from 1, columns in bytes of UTF-8.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from batchmean.findings import Edit, Span
from batchmean.output import lines_of, portable
from batchmean.source import apply

if TYPE_CHECKING:
    from batchmean.findings import Because, Finding
    from batchmean.report import FileError, Report

_LONGEST = 20
"""Lines of a suggestion. One that reaches further cannot be looked at in a comment."""


def render(report: Report) -> str:
    """One object: the findings, and the files without a verdict."""
    lines = lines_of(report)
    found = [_finding(finding, lines(finding.where)) for finding in report.findings]
    failed = [_failure(error) for error in report.errors]
    unread = [_about(warning, warning.message, "INFO") for warning in report.warnings]
    return (
        json.dumps({"source": {"name": "batchmean"}, "diagnostics": found + failed + unread}, indent=2) + "\n"
    )


def _finding(finding: Finding, lines: list[str]) -> dict[str, Any]:
    message = [finding.message, *(_shown(because, finding) for because in finding.because)]
    if finding.fix is not None and not finding.fix.safe:
        message.append("The fix is unsafe: look at the result.")
    location: dict[str, Any] = {"path": portable(finding.path)}
    diagnostic: dict[str, Any] = {
        "message": "\n".join(message),
        "location": location,
        "severity": "ERROR" if finding.confidence == "proved" else "WARNING",
        "code": {"value": finding.code},
    }
    if finding.cell is not None:  # bots know no cells: of the JSON the line has to do
        span = finding.region
        location["range"] = {"start": {"line": span.line}, "end": {"line": span.end_line}}
        return diagnostic
    location["range"] = _range(finding.span, lines)
    if finding.fix is not None and (edit := _together(finding.fix.edits, lines)) is not None:
        diagnostic["suggestions"] = [{"range": _range(edit.span, lines), "text": edit.text}]
    return diagnostic


def _shown(because: Because, finding: Finding) -> str:
    cell = "" if because.cell == finding.cell else f"cell {because.cell}, "
    return f"{cell}line {because.line}: {because.text}"


def _together(edits: tuple[Edit, ...], lines: list[str]) -> Edit | None:
    """Edits as one, since each suggestion can be taken by itself; None where it would be too long."""
    first = min((edit.span.line, edit.span.column) for edit in edits)
    last = max((edit.span.end_line, edit.span.end_column) for edit in edits)
    if last[0] - first[0] >= _LONGEST:
        return None
    around = lines[first[0] - 1 : last[0]]
    after = apply("\n".join(around), [_moved(edit, first[0] - 1) for edit in edits])
    rest = len(around[-1]) - (last[1] - 1)
    return Edit(Span(*first, *last), after[first[1] - 1 : len(after) - rest])


def _moved(edit: Edit, by: int) -> Edit:
    span = edit.span
    return Edit(Span(span.line - by, span.column, span.end_line - by, span.end_column), edit.text)


def _range(span: Span, lines: list[str]) -> dict[str, dict[str, int]]:
    return {
        "start": {"line": span.line, "column": _column(span.line, span.column, lines)},
        "end": {"line": span.end_line, "column": _column(span.end_line, span.end_column, lines)},
    }


def _column(line: int, column: int, lines: list[str]) -> int:
    """A column that counts code points as one that counts bytes."""
    return len(lines[line - 1][: column - 1].encode("utf-8", "surrogatepass")) + 1


def _failure(error: FileError) -> dict[str, Any]:
    return _about(error, f"batchmean could not check this file: {error.message}", "ERROR")


def _about(what: FileError, message: str, severity: str) -> dict[str, Any]:
    return {"message": message, "location": {"path": portable(what.path)}, "severity": severity}
