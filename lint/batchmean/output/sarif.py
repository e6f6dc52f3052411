"""SARIF 2.1.0, for code scanning services."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from batchmean import __version__
from batchmean.output.fingerprint import fingerprints

if TYPE_CHECKING:
    from batchmean.check import FileError, Report
    from batchmean.findings import Because, Finding
    from batchmean.rules import Rule

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_ROOT = "%SRCROOT%"


def render(report: Report) -> str:
    """One run: the rules, the findings with what they rest on, and the files without a verdict."""
    from batchmean.rules import RULES

    places = {code: index for index, code in enumerate(RULES)}
    run = {
        "tool": {
            "driver": {
                "name": "batchmean",
                "version": __version__,
                "semanticVersion": __version__,
                "rules": [_rule(rule) for rule in RULES.values()],
            }
        },
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {_ROOT: {"description": {"text": "where the command ran"}}},
        "invocations": [
            {
                "executionSuccessful": not report.errors,
                "toolExecutionNotifications": [_notification(error) for error in report.errors],
            }
        ],
        "results": [_result(finding, mark, places[finding.code]) for finding, mark in fingerprints(report)],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(rule: Rule[Any]) -> dict[str, Any]:
    return {
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": rule.summary},
        "fullDescription": {"text": rule.documentation, "markdown": rule.documentation},
        "defaultConfiguration": {"level": "warning", "enabled": not rule.preview},
    }


def _result(finding: Finding, fingerprint: str, rule_index: int) -> dict[str, Any]:
    span = finding.region
    region = {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }
    return {
        "ruleId": finding.code,
        "ruleIndex": rule_index,
        "level": "warning" if finding.confidence == "proved" else "note",
        "message": {"text": finding.message},
        "locations": [_location(finding.path, region)],
        "relatedLocations": [
            _location(finding.path, _start(because)) | {"message": {"text": because.text}}
            for because in finding.because
        ],
        "partialFingerprints": {"batchmean/v1": fingerprint},
    }


def _start(because: Because) -> dict[str, Any]:
    place = because.in_file
    line, column = (because.line, because.column) if place is None else (place.line, place.column)
    return {"startLine": line, "startColumn": column}


def _notification(error: FileError) -> dict[str, Any]:
    return {"level": "error", "message": {"text": error.message}, "locations": [_location(error.path)]}


def _location(path: str, region: dict[str, int] | None = None) -> dict[str, Any]:
    artifact: dict[str, Any] = {"uri": quote(path.replace(os.sep, "/"), errors="surrogateescape")}
    if not os.path.isabs(path):
        artifact["uriBaseId"] = _ROOT
    physical: dict[str, Any] = {"artifactLocation": artifact}
    if region is not None:
        physical["region"] = region
    return {"physicalLocation": physical}
