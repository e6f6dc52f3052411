"""What the rules see: one event per reduction that divides by the wrong count."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from batchmean.engine.factors import Factor
from batchmean.engine.reductions import Reduction, Step
from batchmean.engine.values import Place, Role


@dataclass(frozen=True, slots=True)
class Event:
    """Something wrong at a place of the code."""

    node: ast.AST
    """Where to report it."""

    @property
    def evidence(self) -> tuple[Place, ...]:
        """The places that show it, in the order of the reasoning."""
        raise NotImplementedError

    @property
    def proved(self) -> bool:
        """Does the code show it, so that no name was needed?"""
        raise NotImplementedError

    @property
    def monomial(self) -> Mapping[str, int] | None:
        """The loss over the right one as exponents of the named sizes; None where it is no such product."""
        raise NotImplementedError

    @property
    def known_sizes(self) -> Mapping[str, int] | None:
        """The sizes that the code itself shows."""
        return None


@dataclass(frozen=True, slots=True)
class SupportEvent(Event):
    """An integrand whose support is in the divisor.

    `node` is the dividing step, or the call that hands the integrand to a reducing helper.
    """

    reduction: Reduction
    factor: Factor
    step: Step
    """The step that divides by the support."""
    spells_dim: bool
    """Does the code here say `dim=`, as PyTorch does?"""

    @property
    def evidence(self) -> tuple[Place, ...]:
        integrand = self.reduction.integrand
        how = "this count holds" if self.step.how == "scale" else "this mean runs over"
        text = f"{how} {integrand.support_name}"
        if self.step.per_batch:
            text = 'this "batchmean" divides by the first axis alone'
        return (*integrand.evidence, Place(self.step.node, text))

    @property
    def proved(self) -> bool:
        if self.reduction.assumes_rank:
            return False
        if self.factor.assumes_rank and any(power for _, power in self.factor.units):
            return False
        return self.reduction.integrand.proved and not self.step.may_average and not self._carries_a_number()

    @property
    def is_wrong_axis(self) -> bool:
        """Is a sum over everything divided by the support alone, an axis that the code shows to be it?"""
        units = [power for _, power in self.factor.units]
        return bool(units) and all(power > 0 for power in units) and not self.reduction.integrand.assumed

    @property
    def sums_the_batch(self) -> bool:
        """Is it summed over the first axis, and the mean then taken over the classes: `.sum(0).mean()`?"""
        mean, first = self.step, self.reduction.steps[0]
        own = self.reduction.integrand.shape.shown
        is_divided = any(
            step.how == "scale" for step in self.reduction.steps[: self.reduction.steps.index(mean)]
        )
        is_divided |= any(
            atom.shape is not None or any(axis.is_same(atom.axis) for axis in own if atom.axis is not None)
            for atom, _ in self.reduction.counts()
            if atom.role is Role.COUNT
        )
        is_alone = len(self.reduction.units) == 1 and not is_divided
        is_summed = first.how == "sum" and first.positions == (0,) and is_alone
        return is_summed and mean.how == "mean" and mean.whole

    @property
    def is_summed_at_last(self) -> bool:
        """Is what is wrong here added up, as the last of all?"""
        last = self.reduction.steps[-1]
        return last.how == "sum" and last is not self.step

    def _carries_a_number(self) -> bool:
        """Is there a literal such as `* 1000`, which may put a class count right that the code does not show?"""
        number = self.reduction.coefficient
        return self.reduction.integrand.support.size is None and number is not None and abs(number) >= 10

    @property
    def monomial(self) -> Mapping[str, int] | None:
        if self.factor.is_partial or (self.reduction.integrand.symbol == "D" and self.reduction.assumes_rank):
            return None
        exponents = self.factor.monomial(self.reduction.integrand.symbol)
        if self.sums_the_batch:
            exponents = {"B": 1} | exponents
        mask = self.reduction.mask
        if mask is not None and mask.shown and self.reduction.counts_masked():
            exponents |= {"n_valid": 1, "N": -1}  # two counts too many
        return exponents

    @property
    def known_sizes(self) -> Mapping[str, int] | None:
        integrand = self.reduction.integrand
        return {integrand.symbol: integrand.support.size} if integrand.support.size else None


def fraction(monomial: Mapping[str, int]) -> str:
    """A factor in words: `1/V`, `B/V`, `n_valid/N`."""
    above = [_power(name, p) for name, p in monomial.items() if p > 0]
    below = [_power(name, -p) for name, p in monomial.items() if p < 0]
    over = "*".join(above) or "1"
    if below:
        over += "/" + (below[0] if len(below) == 1 else f"({'*'.join(below)})")
    return over


def _power(name: str, power: int) -> str:
    return name if power == 1 else f"{name}^{power}"


Kind = Literal[
    "masked mean",
    "mask mismatch",
    "double division",
    "missing batch division",
    "sum beside mean",
    "noop mean",
    "discarded division",
    "outer product",
    "perplexity",
    "epoch mean over examples",
    "epoch sum over batches",
    "mean of perplexities",
    "micro-batch token mean",
    "accumulation",
]


@dataclass(frozen=True, slots=True)
class Miscount(Event):
    """A count that is wrong whatever the support: of masked positions, of examples, of pairs."""

    kind: Kind
    because: tuple[Place, ...]
    is_shown: bool
    factor: Mapping[str, int] | None = None
    reduction: Reduction | None = None
    about: str = ""
    """What the message has to name: a divisor, the code of the finding that it follows from, which mismatch it is."""
    count: str = ""
    """For a total of batches: what counts the examples, as the code would say it; empty where that is not shown."""

    @property
    def evidence(self) -> tuple[Place, ...]:
        return self.because

    @property
    def proved(self) -> bool:
        return self.is_shown

    @property
    def monomial(self) -> Mapping[str, int] | None:
        return self.factor
