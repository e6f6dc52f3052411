"""One finding, one line: `path:line:column: CODE message`, as flake8 and most editors have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchmean.output import printable
from batchmean.source import legible

if TYPE_CHECKING:
    from batchmean.check import Report
    from batchmean.findings import Finding


def render(report: Report) -> str:
    """Nothing for a clean run."""
    return "".join(_line(finding) for finding in report.findings)


def _line(finding: Finding) -> str:
    place = f"{legible(finding.where)}:{finding.span.line}:{finding.span.column}"
    return printable(f"{place}: {finding.code} {finding.message}") + "\n"
