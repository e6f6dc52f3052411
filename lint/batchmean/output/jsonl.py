"""One short object a line, for agents and scripts: where, what, why, and whether it can be fixed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from batchmean.source import legible

if TYPE_CHECKING:
    from batchmean.findings import Finding
    from batchmean.report import FileError, Report


def render(report: Report) -> str:
    """A line for each finding, then one for each file without a verdict or not read to its end; ASCII only."""
    unread = [{"at": legible(each.path), "warning": each.message} for each in report.warnings]
    objects = [*map(brief, report.findings), *map(failure, report.errors), *unread]
    return "".join(f"{json.dumps(each)}\n" for each in objects)


def brief(finding: Finding) -> dict[str, Any]:
    """What matters of a finding. `fix` is safe, unsafe, or the reason why there is none."""
    found: dict[str, Any] = {
        "at": f"{legible(finding.where)}:{finding.span.line}:{finding.span.column}",
        "code": finding.code,
        "message": finding.message,
        "confidence": finding.confidence,
    }
    if finding.because:
        found["because"] = [f"line {because.line}: {because.text}" for because in finding.because]
    if finding.fix is not None:
        found["fix"] = "safe" if finding.fix.safe else "unsafe"
    elif finding.no_fix is not None:
        found["fix"] = f"none: {finding.no_fix}"
    return found


def failure(error: FileError) -> dict[str, str]:
    """A file that could not be read, parsed or analysed."""
    return {"at": legible(error.path), "error": error.message}
