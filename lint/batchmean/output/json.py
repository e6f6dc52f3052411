"""The report for programs. The keys are a contract: they are added to, never renamed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from batchmean.source import legible
from batchmean.version import __version__

if TYPE_CHECKING:
    from batchmean.findings import Finding, Fix, Span
    from batchmean.report import FileError, Report


def render(report: Report) -> str:
    """One object, ASCII only; columns count code points from 1 and ends are exclusive."""
    return json.dumps(document(report), indent=2) + "\n"


def with_patch(report: Report, fixed: list[Finding], patch: str) -> str:
    """The report on what a patch leaves, with the findings that it mends and the patch itself, as `--diff` shows it."""
    mended = [_finding(finding) for finding in fixed]
    return json.dumps(document(report) | {"fixed": mended, "patch": patch}, indent=2) + "\n"


def document(report: Report) -> dict[str, Any]:
    """The report as what `json` writes; `warnings` are there only where a file has some."""
    warnings = [_about_file(warning) for warning in report.warnings]
    return {
        "version": __version__,
        "tool": "batchmean",
        "findings": [_finding(finding) for finding in report.findings],
        "errors": [_about_file(error) for error in report.errors],
        **({"warnings": warnings} if warnings else {}),
    }


def _about_file(what: FileError) -> dict[str, str]:
    return {"path": legible(what.path), "message": what.message}


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "name": finding.name,
        "message": finding.message,
        "path": legible(finding.path),
        "cell": finding.cell,
        **_span(finding.span),
        "confidence": finding.confidence,
        "factor": None if finding.factor is None else dict(finding.factor),
        "because": [
            {"cell": b.cell, "line": b.line, "column": b.column, "text": b.text} for b in finding.because
        ],
        "fix": None if finding.fix is None else _fix(finding.fix),
        "no_fix": finding.no_fix,
    }


def _span(span: Span) -> dict[str, int]:
    return {
        "line": span.line,
        "column": span.column,
        "end_line": span.end_line,
        "end_column": span.end_column,
    }


def _fix(fix: Fix) -> dict[str, Any]:
    return {
        "safe": fix.safe,
        "edits": [{"cell": edit.cell, **_span(edit.span), "text": edit.text} for edit in fix.edits],
    }
