"""What the rules are asked about: each account of the ledger is left to the first rule that speaks of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from batchmean.engine.domain.accounts import Choices
from batchmean.engine.domain.counting import over_everything
from batchmean.engine.domain.tensors import Atom, Reduction, Step
from batchmean.engine.events import Event
from batchmean.engine.ledger import Ledger
from batchmean.rules.given_back import GivenBack
from batchmean.rules.support import support_events

_STATEMENTS: Final = (ast.For, ast.AsyncFor, ast.While)
_LOOPS: Final = (*_STATEMENTS, ast.comprehension, ast.ListComp, ast.GeneratorExp)


class Docket:
    """A ledger, and what is left of it to be judged."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._given_back = GivenBack(ledger)
        self.support = list(support_events(ledger, self._given_back))
        """The integrands whose support is in the divisor."""
        self.accounts = [of_one_round(ledger, account) for account in ledger.final()]
        """Every loss as it ends: in one round of a loop that adds it up."""
        self.choices = Choices(ledger.accounts)
        self.found: list[Event] = []
        """What the rules before have found."""
        # What only a rule on trial reports makes no other finding.
        told = {event.step.node for event in self.support if not event.step.per_batch}
        self.divided_by_support: list[Reduction] = []
        """Those that are divided by their support: what else they are divided by may be wrong, too."""
        self._open: list[Reduction] = []
        for account in self.accounts:
            is_told = any(step.node in told for step in account.steps)
            (self.divided_by_support if is_told else self._open).append(account)
        self._settled: set[int] = set()
        self._entered: set[int] = set()

    def is_beside_the_loss(self, account: Reduction) -> bool:
        """Is it a statistic: what is returned first is made of the same values, and nothing is added to it?"""
        means = [step for step in account.steps if step.how == "mean"]
        return not self._given_back.is_added(account) and any(
            map(self._given_back.is_beside_its_values, means)
        )

    def enter(self, event: Event) -> None:
        """Note what a rule has found."""
        self.found.append(event)
        self._entered.add(id(event))

    def has(self, event: Event) -> bool:
        """Has a rule before found this event?"""
        return id(event) in self._entered

    def open(self) -> Iterator[Reduction]:
        """The accounts that no rule has spoken of yet."""
        return (account for account in self._open if id(account) not in self._settled)

    def settle(self, account: Reduction) -> None:
        """Leave an account to the rule that asks: no later one is to speak of it."""
        self._settled.add(id(account))


def of_one_round(ledger: Ledger, account: Reduction) -> Reduction:
    """An account as it is in one round of a loop that adds it up, where the number of rounds divides the total."""
    while account.parent is not None and account.steps and account.steps[-1].how == "scale":
        step, before = account.steps[-1], dict(account.parent.scale)
        new = [(atom, power) for atom, power in account.scale if before.get(atom) != power]
        if len(new) != 1 or new[0][1] != -1.0 or not is_of_rounds(ledger, new[0][0]):
            break
        made = next((s for s in account.steps if s.how != "scale"), None)
        if made is None or not (_rounds_between(made, step) or is_after_a_loop(made, step)):
            break
        account = account.parent
    return account


def is_of_rounds(ledger: Ledger, count: Atom) -> bool:
    """Is it the number of rounds of a loop, not of what is in one of them?"""
    return count.axis is not None and ledger.is_of_rounds(count.axis)


def is_added_up(reduction: Reduction, first: Step, later: Step) -> bool:
    """Does a loop add up what the first step gives, before the later one divides it?

    A comprehension over heads or terms does, too; the length of an axis of the loss itself is no number of rounds,
    unless the rounds are those of its items: a sum of their means is no mean.
    """
    rounds = _rounds_between(first, later)
    if not rounds:
        return False
    if reduction.integrand.shape.item_of is not None:
        return True
    own = all(atom.axis is not None for atom, _ in over_everything(reduction)[1])
    return not (own and all(isinstance(node, ast.ListComp | ast.GeneratorExp) for node in rounds))


def _rounds_between(first: Step, later: Step) -> list[ast.AST]:
    """The loops in which the first step is taken, and the later one is not."""
    return [d.node for d in first.path if d.holds and d not in later.path and isinstance(d.node, _LOOPS)]


def is_after_a_loop(first: Step, later: Step) -> bool:
    """Is the later step done with what a loop left, in the case that it had rounds at all?"""
    for loop in (d.node for d in first.path if d.holds and isinstance(d.node, _STATEMENTS)):
        inside = {id(node) for node in ast.walk(loop)}
        if not any(id(node) in inside for node in (later.node, *later.stack)):
            return True
    return False
