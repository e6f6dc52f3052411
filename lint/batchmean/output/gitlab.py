"""GitLab's code-quality report: the part of Code Climate's format that it reads."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from batchmean.output import portable
from batchmean.output.fingerprint import fingerprints

if TYPE_CHECKING:
    from batchmean.findings import Finding
    from batchmean.report import FileError, Report


def render(report: Report) -> str:
    """A list of issues; paths are relative to where the command ran, as GitLab wants them."""
    issues = [_issue(finding, mark) for finding, mark in fingerprints(report)]
    return json.dumps(issues + [_unread(warning) for warning in report.warnings], indent=2) + "\n"


def _unread(warning: FileError) -> dict[str, Any]:
    path = portable(warning.path)
    mark = sha256(f"{path}\0{warning.message}".encode("utf-8", "surrogateescape")).hexdigest()
    return {
        "type": "issue",
        "check_name": "bound",
        "description": f"batchmean did not read all of it: it {warning.message}",
        "categories": ["Bug Risk"],
        "severity": "info",
        "fingerprint": mark,
        "location": {
            "path": path,
            "positions": {"begin": {"line": 1, "column": 1}, "end": {"line": 1, "column": 1}},
        },
    }


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
