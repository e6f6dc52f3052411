"""What a rule is: its page, its examples, how it is found in a ledger, and what it says."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from batchmean.engine.events import Event, Miscount
from batchmean.rules.docket import Docket
from batchmean.rules.support import SupportEvent

if TYPE_CHECKING:
    from batchmean.fixes.code import Edits
    from batchmean.fixes.idiom import Idiom

E = TypeVar("E", bound=Event)


class Rule:
    """Something that can be reported. `__doc__` is its page; `wrong` and `right` are the examples on it."""

    code: ClassVar[str]
    name: ClassVar[str]
    law: ClassVar[str]
    summary: ClassVar[str]
    wrong: ClassVar[str]
    right: ClassVar[str]
    preview: ClassVar[bool] = False
    first_contact: ClassVar[tuple[int, int] | None] = None
    """How many of its findings were right, and of how many, in repositories that it was never tuned on."""

    @property
    def documentation(self) -> str:
        """The rule's page, in Markdown."""
        import inspect

        return inspect.cleandoc(self.__doc__ or "")


class LossRule(Rule, ABC, Generic[E]):
    """A rule about losses: it reads the ledger of a module."""

    precedence: ClassVar[int]
    """The lower, the earlier it is asked: the more specific rule comes first, and has the last word."""

    @abstractmethod
    def find(self, docket: Docket) -> Iterator[E]:
        """What it finds among the accounts that no rule before it has spoken of."""

    @abstractmethod
    def message(self, event: E) -> str:
        """What is divided by what, by how much that is off, and what to write instead; without the code."""

    no_fix: ClassVar[str] = ""
    """Why no rewrite can put right what it finds; empty where one may."""

    def rewrites(self, idiom: Idiom, event: E) -> Iterator[Edits]:
        """Edits that may put an event right, the best first: they are tried, and `fixes.proof` decides.

        A rewrite is imported when it is asked for, not with the rule. Raises `Unfixable` with the reason where there
        is none.
        """
        from batchmean.fixes.code import Unfixable

        raise Unfixable(self.no_fix)


class SupportRule(LossRule[SupportEvent]):
    """A rule about an integrand whose support is in the divisor."""

    @abstractmethod
    def holds(self, event: SupportEvent) -> bool:
        """Is it this rule that tells of it, if no rule before has?"""

    def find(self, docket: Docket) -> Iterator[SupportEvent]:
        """Those of the integrands whose support is in the divisor that are its own."""
        for event in docket.support:
            if not docket.has(event) and self.holds(event):
                yield event

    def rewrites(self, idiom: Idiom, event: SupportEvent) -> Iterator[Edits]:
        """The support is summed first, or left out of the count."""
        from batchmean.fixes.plans import rewrites

        if event.step.how == "scale" and event.reduction.integrand.shape.item_of is not None:
            return iter(())  # what becomes of the other items stands outside of what is rewritten
        return rewrites(idiom, event)


class MiscountRule(LossRule[Miscount]):
    """A rule about a count that is wrong whatever the support."""

    kind: ClassVar[str]


class TotalRule(MiscountRule):
    """A rule about what a training loop adds up over many batches."""

    def find(self, docket: Docket) -> Iterator[Miscount]:
        """The totals of its kind."""
        return (total for total in docket.ledger.totals if total.kind == self.kind)
