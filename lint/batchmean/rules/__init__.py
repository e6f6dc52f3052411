"""The rules: every module here that is called after a code holds one. They are found, not listed.

The most specific one is asked first, as its `precedence` says; the first one that speaks of an account is the one
that is reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from batchmean.discovery import modules_of
from batchmean.engine.events import Event
from batchmean.engine.ledger import Ledger
from batchmean.rules.base import LossRule, Rule, TotalRule
from batchmean.rules.docket import Docket


def _found() -> Iterator[Rule]:
    for module in modules_of(__name__, __path__):
        if module.__name__.rpartition(".")[2].startswith("bmn"):
            own = vars(module).values()
            yield from (
                kind()
                for kind in own
                if isinstance(kind, type) and issubclass(kind, Rule) and "code" in vars(kind)
            )


EVERY: Final[Mapping[str, Rule]] = {rule.code: rule for rule in sorted(_found(), key=lambda rule: rule.code)}
"""What can be reported, by its code: the rules about losses, and the one about comments."""

RULES: Final[Mapping[str, LossRule[Any]]] = {
    code: rule for code, rule in EVERY.items() if isinstance(rule, LossRule)
}
"""Every rule about losses by its code."""

BY_PRECEDENCE: Final[tuple[LossRule[Any], ...]] = tuple(
    sorted(RULES.values(), key=lambda rule: rule.precedence)
)

UNUSED_NOQA: Final = EVERY["BMN901"]


def judge(ledger: Ledger, loops: bool = True) -> list[tuple[LossRule[Any], Event]]:
    """What each rule finds in a ledger; those about training loops are asked only with `loops`."""
    docket = Docket(ledger)
    found: list[tuple[LossRule[Any], Event]] = []
    for rule in BY_PRECEDENCE:
        if isinstance(rule, TotalRule) and not loops:
            continue
        for event in rule.find(docket):
            docket.enter(event)
            found.append((rule, event))
    return found


__all__ = ["BY_PRECEDENCE", "EVERY", "RULES", "UNUSED_NOQA", "LossRule", "Rule", "judge"]
