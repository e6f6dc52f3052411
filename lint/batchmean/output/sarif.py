"""SARIF 2.1.0, for code scanning services."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from batchmean.output import portable
from batchmean.output.fingerprint import fingerprints
from batchmean.version import __version__

if TYPE_CHECKING:
    from batchmean.findings import Because, Finding, Fix, Span
    from batchmean.report import FileError, Report
    from batchmean.rules import Rule

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_ROOT = "%SRCROOT%"


def render(report: Report) -> str:
    """One run: the rules, the findings with what they rest on, and the files without a verdict."""
    from batchmean.rules import EVERY

    places = {code: index for index, code in enumerate(EVERY)}
    run = {
        "tool": {
            "driver": {
                "name": "batchmean",
                "version": __version__,
                "semanticVersion": __version__,
                "rules": [_rule(rule) for rule in EVERY.values()],
            }
        },
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {_ROOT: {"description": {"text": "where the command ran"}}},
        "invocations": [
            {
                "executionSuccessful": not report.errors,
                "toolExecutionNotifications": [
                    *(_notification(error, "error") for error in report.errors),
                    *(_notification(warning, "warning") for warning in report.warnings),
                ],
            }
        ],
        "results": [_result(finding, mark, places[finding.code]) for finding, mark in fingerprints(report)],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(rule: Rule) -> dict[str, Any]:
    from batchmean.explain import page

    text = page(rule)
    return {
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": rule.summary},
        "fullDescription": {"text": f"{rule.summary[0].upper()}{rule.summary[1:]}."},
        "help": {"text": text, "markdown": text},
        "defaultConfiguration": {"level": "warning", "enabled": not rule.preview},
        "properties": {"tags": ["correctness", "machine-learning"], "precision": "high"},
    }


def _result(finding: Finding, fingerprint: str, rule_index: int) -> dict[str, Any]:
    result = {
        "ruleId": finding.code,
        "ruleIndex": rule_index,
        "level": "error" if finding.confidence == "proved" else "warning",
        "message": {"text": finding.message},
        "locations": [_location(finding.path, _region(finding.region))],
        "relatedLocations": [
            _location(finding.path, _start(because)) | {"message": {"text": because.text}}
            for because in finding.because
        ],
        "partialFingerprints": {"batchmean/v1": fingerprint},
        "properties": {"confidence": finding.confidence},
    }
    if finding.fix is not None and finding.cell is None:  # the edits of a cell are none of the file
        result["fixes"] = [_fix(finding, finding.fix)]
    return result


def _fix(finding: Finding, fix: Fix) -> dict[str, Any]:
    remedy = finding.message.rpartition("; ")[2]
    replacements = [
        {"deletedRegion": _region(edit.span), "insertedContent": {"text": edit.text}} for edit in fix.edits
    ]
    kind = "safe: every step is shown by the code" if fix.safe else "unsafe: needs a second look"
    return {
        "description": {"text": f"{remedy[0].upper()}{remedy[1:]} ({kind})."},
        "artifactChanges": [{"artifactLocation": _artifact(finding.path), "replacements": replacements}],
    }


def _region(span: Span) -> dict[str, int]:
    return {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }


def _start(because: Because) -> dict[str, Any]:
    place = because.in_file
    line, column = (because.line, because.column) if place is None else (place.line, place.column)
    return {"startLine": line, "startColumn": column}


def _notification(what: FileError, level: str) -> dict[str, Any]:
    return {"level": level, "message": {"text": what.message}, "locations": [_location(what.path)]}


def _location(path: str, region: dict[str, int] | None = None) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": _artifact(path)}
    if region is not None:
        physical["region"] = region
    return {"physicalLocation": physical}


def _artifact(path: str) -> dict[str, str]:
    path = portable(path)
    if os.path.isabs(path):
        # The drive of a path on Windows stands behind a slash of its own.
        return {
            "uri": "file://" + quote(path if path[0] == "/" else f"/{path}", "/:", errors="surrogateescape")
        }
    return {"uri": quote(path, errors="surrogateescape"), "uriBaseId": _ROOT}
