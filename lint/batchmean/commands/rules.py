"""`batchmean explain` and `batchmean rules`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from batchmean.commands.messages import UsageError
from batchmean.config import rule_names
from batchmean.exits import CLEAN
from batchmean.suggestions import hint

if TYPE_CHECKING:
    from batchmean.rules import Rule


def explain_rule(asked: str, *, as_json: bool) -> int:
    from batchmean.explain import facts, page
    from batchmean.rules import EVERY

    names = rule_names()
    code = names.get(asked.upper()) or names.get(asked.lower())
    family = [rule for rule in EVERY.values() if rule.code.startswith(asked.upper())] if asked else []
    if code is None and not family:
        raise UsageError(f"no rule {asked!r}{hint(asked, names)}; `batchmean rules` lists them")
    if as_json:
        import json

        chosen = family if code is None else [EVERY[code]]
        print(json.dumps([facts(rule) | {"page": page(rule)} for rule in chosen], indent=2))
    elif code is not None:
        sys.stdout.write(page(EVERY[code]))
    else:
        _list(family)
    return CLEAN


def list_rules(*, as_json: bool) -> int:
    from batchmean.explain import facts
    from batchmean.rules import EVERY

    if as_json:
        import json

        print(json.dumps([facts(rule) for rule in EVERY.values()], indent=2))
    else:
        _list(EVERY.values())
    return CLEAN


def _list(rules: Iterable[Rule]) -> None:
    rules = list(rules)
    width = max(len(rule.name) for rule in rules)
    for rule in rules:
        print(f"{rule.code}  {rule.name:{width}}  {rule.summary}{' (preview)' if rule.preview else ''}")
