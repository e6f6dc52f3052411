"""A JSON schema of `[tool.batchmean]`, made from what the code accepts: editors complete and check settings by it."""

from __future__ import annotations

from typing import Any

from batchmean.config import CONFIDENCES, KEYS
from batchmean.function_tables import NAME
from batchmean.rules import EVERY

_TITLES = {
    "select": "Report only these codes, or those that begin so",
    "ignore": "Do not report these codes, or those that begin so",
    "exclude": "Leave out these files and folders",
    "extend-include": "More files to find in folders",
    "per-file-ignores": "Codes that are not wanted in some files, by pattern",
    "min-confidence": "Report what rests on names, too (likely), or only what is proved",
    "preview": "Report rules that are still on trial, too",
    "respect-gitignore": "Leave out of folders what git ignores",
    "follow-imports": "Read the modules of the same project that a file imports",
    "baseline": "A file that --write-baseline has written, whose findings are reported no more",
    "python-cell-magics": "Further cell magics whose cells hold Python, without their %%",
    "frameworks": "Installed tables of functions, by the names of their entry points (batchmean.frameworks)",
    "functions": "Your own functions by full name, and which function each behaves like",
}


def schema() -> dict[str, Any]:
    """The schema, in draft 2020-12; a key that it does not name is an error there as in the code."""
    codes = {"type": "array", "items": {"type": "string", "pattern": _codes()}}
    globs = {"type": "array", "items": {"type": "string", "minLength": 1}}
    kinds: dict[str, dict[str, Any]] = {
        "select": codes,
        "ignore": codes,
        "exclude": globs,
        "extend-include": globs,
        "per-file-ignores": {
            "type": "object",
            "propertyNames": {"minLength": 1},
            "additionalProperties": codes,
        },
        "min-confidence": {"enum": list(CONFIDENCES)},
        "preview": {"type": "boolean"},
        "respect-gitignore": {"type": "boolean"},
        "follow-imports": {"type": "boolean"},
        "baseline": {"type": "string", "minLength": 1},
        "python-cell-magics": {"type": "array", "items": {"type": "string", "pattern": r"^[^\W\d]\w*$"}},
        "frameworks": {"type": "array", "items": {"type": "string", "minLength": 1}},
        "functions": {
            "type": "object",
            "propertyNames": {"pattern": f"^{NAME.pattern}$"},
            "additionalProperties": {"type": "string", "minLength": 1},
        },
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "batchmean",
        "description": "The table [tool.batchmean] of a pyproject.toml",
        "type": "object",
        "additionalProperties": False,
        "properties": {key: {"description": _TITLES[key], **kinds[key]} for key in KEYS},
    }


def _codes() -> str:
    """Codes, their beginnings, and several of these with commas or spaces; in either case, as in the code."""
    beginnings = {code[:length] for code in EVERY for length in range(1, len(code) + 1)}
    one = "|".join("".join(_either(char) for char in text) for text in sorted(beginnings))
    return f"^[, ]*(?:(?:{one})(?:[, ]+|$))*$"


def _either(char: str) -> str:
    return f"[{char}{char.lower()}]" if char.isalpha() else char
