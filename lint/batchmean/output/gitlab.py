"""GitLab's code-quality report: the part of Code Climate's format that it reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from batchmean.output import portable
from batchmean.output.fingerprint import fingerprints

if TYPE_CHECKING:
    from batchmean.findings import Finding
    from batchmean.report import Report


def render(report: Report) -> str:
    """A list of issues; paths are relative to where the command ran, as GitLab wants them."""
    return json.dumps([_issue(finding, mark) for finding, mark in fingerprints(report)], indent=2) + "\n"


def _issue(finding: Finding, fingerprint: str) -> dict[str, Any]:
    span = finding.region
    return {
        "type": "issue",
        "check_name": finding.code,
        "description": f"{finding.code} {finding.message}",
        "categories": ["Bug Risk"],
        "severity": "major" if finding.confidence == "proved" else "minor",
        "fingerprint": fingerprint,
        "location": {
            "path": portable(finding.path),
            "positions": {
                "begin": {"line": span.line, "column": span.column},
                "end": {"line": span.end_line, "column": span.end_column},
            },
        },
    }
