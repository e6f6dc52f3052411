"""What the playground's page asks of batchmean. It runs in the browser; all that comes and goes is text and JSON."""

from __future__ import annotations

import json
from importlib.util import find_spec
from typing import Any

from batchmean import gate
from batchmean.check import Check
from batchmean.config import Settings
from batchmean.explain import page
from batchmean.output.json import render
from batchmean.report import FileError, Report
from batchmean.rules import RULES
from batchmean.source import unify_line_ends

PATH = "losses.py"


def check(text: str, preview: bool, fixes: bool = False) -> str:
    """The report on a text as `--output-format json` has it, each finding with the sizes that the code shows.

    `fixes`, which need LibCST, take longer than the findings.
    """
    text = unify_line_ends(text)
    settings = Settings({"preview": preview, "follow_imports": False}, isolated=True)
    try:
        checked = Check(settings, fixes=fixes, warn=lambda line: None)
        found = checked.again(text, PATH)
        unread = [FileError(PATH, checked.unread)] if checked.unread else []
        report = Report(found, [], {}, warnings=unread)
    except ValueError as error:
        report = Report([], [FileError(PATH, str(error))], {})
    told: dict[str, Any] = json.loads(render(report))
    for shown, finding in zip(told["findings"], report.findings, strict=True):
        shown["sizes"] = dict(finding.known_sizes or {})
        shown["preview"] = RULES[finding.code].preview
    return json.dumps(told | {"nothing_to_read": not gate.worth_parsing(text)})


def rule(code: str) -> str:
    """The page of a rule, in Markdown."""
    return page(RULES[code])


def has_fixes() -> bool:
    """Whether LibCST is there, which fixes need."""
    return find_spec("libcst") is not None


def examples() -> list[dict[str, str]]:
    """What the page offers to begin with: each rule's wrong and right loss."""
    return [
        {"name": f"{code} {rule.name}, {which}", "text": text.strip() + "\n"}
        for code, rule in RULES.items()
        for which, text in (("wrong", rule.wrong), ("right", rule.right))
    ]
