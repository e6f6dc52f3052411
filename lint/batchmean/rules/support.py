"""Integrands whose support is in the divisor: what the rules from BMN101 to BMN105, and BMN302, tell of."""

from __future__ import annotations

import ast
from collections.abc import Hashable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Final

from batchmean.engine.domain.accounts import report_node
from batchmean.engine.domain.axes import AxesSpec
from batchmean.engine.domain.counting import counts_masked
from batchmean.engine.domain.paths import excludes
from batchmean.engine.domain.tensors import Place, Reduction, Role, Stack, Step
from batchmean.engine.events import Event
from batchmean.engine.evidence.code import ABOUT_SHAPE, CRITICS
from batchmean.engine.factors import (
    Factor,
    divides_a_mean_by_the_support,
    factor_of,
    is_class_loss,
    is_right,
    learned_on_one_way,
)
from batchmean.engine.ledger import Ledger
from batchmean.engine.syntax import spelled_out
from batchmean.nodes import nodes
from batchmean.operations import has_functions
from batchmean.rules.given_back import GivenBack, places_of

_MANY: Final = 10
"""A number from here on may be one of classes; a smaller one is a weight."""


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
        if self.reduction.assumes_rank or learned_on_one_way(self.reduction):
            return False
        is_of_units = any(power for _, power in self.factor.units) and not self.is_summed_by_choice
        if self.factor.assumes_rank and is_of_units:
            return False
        return self.reduction.integrand.proved and not self.step.may_average and not self._carries_a_number()

    @property
    def is_wrong_axis(self) -> bool:
        """Is a sum over everything divided by the support alone, an axis that the code shows to be it?"""
        units = [power for _, power in self.factor.units]
        is_off = bool(units) and all(power > 0 for power in units)
        return is_off and not self.reduction.integrand.assumed and not self.is_summed_by_choice

    @property
    def is_summed_by_choice(self) -> bool:
        """Is it summed on one of several ways that all divide by the support? Then the sum is what was asked for."""
        division = self.step
        return any(
            step.how == "sum" and step.whole and any(d not in division.path for d in step.path)
            for step in self.reduction.steps
            if step is not division
        )

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
        """Is there a number such as `* 1000`, which may put a class count right that the code does not show?"""
        if self.reduction.integrand.support.size is not None:
            return False
        number = self.reduction.coefficient
        named = (max(atom.numbers, default=0) for atom, power in self.reduction.scale if power > 0)
        return (number is not None and abs(number) >= _MANY) or any(one >= _MANY for one in named)

    @property
    def monomial(self) -> Mapping[str, int] | None:
        if self.factor.is_partial or (self.reduction.integrand.symbol == "D" and self.reduction.assumes_rank):
            return None
        exponents = self.factor.monomial(self.reduction.integrand.symbol)
        if self.is_summed_by_choice:
            exponents = {name: power for name, power in exponents.items() if power < 0}
        if self.sums_the_batch:
            exponents = {"B": 1} | exponents
        mask = self.reduction.mask
        if mask is not None and mask.shown and counts_masked(self.reduction):
            exponents |= {"n_valid": 1, "N": -1}  # two counts too many
        return exponents

    @property
    def known_sizes(self) -> Mapping[str, int] | None:
        integrand = self.reduction.integrand
        return {integrand.symbol: integrand.support.size} if integrand.support.size else None


def support_events(ledger: Ledger, given_back: GivenBack) -> Iterator[SupportEvent]:
    """The integrands whose support is in the divisor."""
    right: list[Reduction] = []
    undecided: list[Reduction] = []
    each: list[Reduction] = []
    wrong: list[SupportEvent] = []
    too_large: list[SupportEvent] = []
    imported = ledger.imported
    if theirs := ledger.imported_elsewhere:  # by the modules that it calls
        own = {name: module for name, module in imported.items() if _is_of_a_framework(module)}
        imported = own or theirs
    of_torch = {name for name, module in imported.items() if module.partition(".")[0] == "torch"}
    for reduction in ledger.final():
        if not reduction.integrand.symbol:
            continue
        if _is_of_each_dimension(reduction):
            each.append(reduction)
        if reduction.support in ("alive", "maybe averaged"):
            undecided.append(reduction)
            continue
        factor = factor_of(reduction)
        # A KL beside the mean log_prob of the same distribution: both are per element, their ratio is right.
        beside = ledger.averaged_events.intersection(reduction.integrand.distributions)
        if factor is None or factor.support >= 0 or beside:
            right.append(reduction)
            if factor is not None and reduction.per_batch and any(power > 0 for _, power in factor.units):
                step = _blamed(reduction)
                spells_dim = _spells_dim(imported, of_torch, step.node)
                too_large.append(SupportEvent(step.node, reduction, factor, step, spells_dim))
        elif is_class_loss(reduction) and divides_a_mean_by_the_support(reduction, factor):
            right.append(reduction)  # not the support's length but the second division is too much
        elif reduction.integrand.kind == "latent KL" and (
            _is_one_of_several(ledger, reduction) or _is_of_a_critic(reduction)
        ):
            continue
        elif not reduction.integrand.event or reduction.integrand.event in ledger.summed_events:
            step = _blamed(reduction)
            if _is_weight_of_a_term(ledger, reduction, step) or _may_be_of_one_class(reduction):
                continue
            spells_dim = _spells_dim(imported, of_torch, step.node)
            node = report_node(reduction, _first_of_two(reduction, step))
            wrong.append(SupportEvent(node, reduction, factor, step, spells_dim))
    silence = _Silence(ledger, right, given_back)
    silence.note_given_back(wrong, [*right, *undecided])
    silence.note_described(wrong, each)
    yield from (event for event in wrong if not silence.covers(event))
    known = {id(event.reduction) for event in too_large}
    other_ranks = {(id(r.steps[0].node), r.steps[0].stack) for r in right if r.steps and id(r) not in known}
    yield from (e for e in too_large if (id(e.step.node), e.step.stack) not in other_ranks)


def _is_of_a_framework(name: str) -> bool:
    return has_functions(name) or has_functions(name.rpartition(".")[0])


def _is_one_of_several(ledger: Ledger, reduction: Reduction) -> bool:
    """Is it a term of a diffusion bound, whose other branch, a likelihood, is averaged in the same place?"""
    step = _blamed(reduction)
    return (step.node, step.stack) in ledger.other_reduced


def _is_of_each_dimension(reduction: Reduction) -> bool:
    """Is it a latent KL that is averaged over the examples alone: one number for each dimension?"""
    if reduction.integrand.kind != "latent KL" or not reduction.steps:
        return False
    return all(step.how == "mean" and step.positions == (0,) for step in reduction.steps)


def _may_be_of_one_class(reduction: Reduction) -> bool:
    """Is it `-p * log(p)` of each item of a list, of which only the name says that there are classes in it?"""
    return reduction.integrand.assumed and reduction.integrand.shape.item_of is not None


def _is_weight_of_a_term(ledger: Ledger, reduction: Reduction, step: Step) -> bool:
    """Is it `1 / classes * loss + ...`, a loss that was right and is weighed by a quotient against another one?"""
    node = step.node
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Mult):
        return False
    if not any(
        isinstance(side, ast.BinOp) and isinstance(side.op, ast.Div) for side in (node.left, node.right)
    ):
        return False
    # What is added to a loss that holds it already goes on with the coefficients of both.
    since = [a for a in reduction.line() if a.steps and a.steps[-1] is step]
    if not since or (before := since[-1].parent) is None or not is_right(before):
        return False
    return any(
        a is r for addition in ledger.additions for side in addition.sides for r in side for a in since
    )


class _Silence:
    """The reductions that show that a wrong-looking one is meant, undecided or put right."""

    def __init__(self, ledger: Ledger, right: Sequence[Reduction], given_back: GivenBack) -> None:
        self._given_back = given_back
        self._ledger = ledger
        self._statistics: set[ast.AST] = set()
        """Means that say something of the values beside another reduction of them, and train nothing."""
        self._by_origin: dict[int, list[Reduction]] = {}
        self._by_place: dict[tuple[int, Stack], list[Reduction]] = {}
        self._by_key: dict[tuple[int, Stack], list[Reduction]] = {}
        for reduction in right:
            values = reduction.integrand.key, reduction.integrand.stack
            self._by_key.setdefault(values, []).append(reduction)
            if reduction.is_reported:
                continue
            self._by_origin.setdefault(id(reduction.origin), []).append(reduction)
            for step in reduction.steps:
                self._by_place.setdefault((id(step.node), step.stack), []).append(reduction)

    def covers(self, event: SupportEvent) -> bool:
        reduction = event.reduction
        for other in self._by_origin.get(id(reduction.origin), ()):
            if not any(excludes(s.path, event.step.path) for s in other.steps):
                return True  # put right later, or the same values go both ways
        place = (id(event.step.node), event.step.stack)
        for other in self._by_place.get(place, ()):
            # Another way leads to the same place: was it chosen by a switch?
            if not _is_chosen(other, event.step):
                return True
        for other in self._by_key.get((reduction.integrand.key, reduction.integrand.stack), ()):
            if other.support != "summed" or any(s.node is event.step.node for s in other.steps):
                continue
            if not set(other.steps[0].path) <= set(event.step.path):
                continue
            if reduction.is_reported and not other.is_reported:
                return True  # the same values are summed beside it: the mean is another statistic
        return event.step.node in self._statistics and not self._given_back.is_added(reduction)

    def note_given_back(self, wrong: Sequence[SupportEvent], others: Sequence[Reduction]) -> None:
        """Note which means stand beside another reduction of the same values that is returned: they are statistics."""
        events: dict[Hashable, list[SupportEvent]] = {}
        for event in wrong:
            if not self._given_back.is_added(event.reduction):
                events.setdefault(_values(event.reduction), []).append(event)
        if not events:
            return
        by_values: dict[Hashable, list[Sequence[ast.AST]]] = {}
        for other in others:
            by_values.setdefault(_values(other), []).append(places_of(other))
        for values, means in events.items():
            found = self._given_back.beside(
                [places_of(e.reduction) for e in means], by_values.get(values, ())
            )
            for event, is_beside in zip(means, found, strict=True):
                if is_beside or self._given_back.is_beside_its_values(event.step):
                    self._statistics.add(event.step.node)

    def note_described(self, events: Sequence[SupportEvent], each: Sequence[Reduction]) -> None:
        """Note which means NumPy takes of all entries where it takes those of each dimension, too: a description."""
        described = {(kept.integrand.key, kept.integrand.stack): kept.steps[0] for kept in each}
        for event in events:
            integrand = event.reduction.integrand
            kept = described.get((integrand.key, integrand.stack))
            if kept is not None and set(kept.path) <= set(event.step.path) and self._is_of_numpy(event):
                self._statistics.add(event.step.node)

    def _is_of_numpy(self, event: SupportEvent) -> bool:
        """Does NumPy compute it, which differentiates nothing?"""
        inside = [place.node for place in event.evidence]
        used = {n.id for node in inside for n in nodes(node) if isinstance(n, ast.Name)}
        modules = {self._ledger.imported[name] for name in used if name in self._ledger.imported}
        return bool(modules) and all(module.partition(".")[0] == "numpy" for module in modules)


def _values(reduction: Reduction) -> Hashable:
    """What is reduced, by what the code says that made it: with another sign or weight it is the same."""
    return frozenset(
        spelled_out(place.node) for place in reduction.integrand.evidence
    ), reduction.integrand.stack


def _is_chosen(other: Reduction, step: Step) -> bool:
    """Was the other way taken under an `if` that asks for an option, not for a shape?"""
    apart = next((s for s in other.steps if s.sums_support), None) if other.support == "summed" else None
    if apart is None or apart.node is step.node:
        apart = next((s for s in other.steps if s.node is step.node and excludes(s.path, step.path)), None)
    if apart is None:
        return False
    inner = [d for d in apart.path if d not in step.path and d.node is not None]
    return bool(inner) and not any(ABOUT_SHAPE.is_in(spelled_out(d.node)) for d in inner[:1] if d.node)


def _spells_dim(imported: Mapping[str, str], of_torch: Set[str], node: ast.AST) -> bool:
    """Does the code here say `dim=`? The modules it calls decide, or else the imports of the file."""
    if not of_torch:
        return False
    used = {n.id for n in nodes(node) if isinstance(n, ast.Name) and n.id in imported}
    return not used or not used.isdisjoint(of_torch)


def _blamed(reduction: Reduction) -> Step:
    """The step that brings the support into the divisor."""
    dividing = [s for s in reduction.steps if s.averages_support or s.may_average]
    if dividing:
        return dividing[0]
    if reduction.per_batch:
        return next(s for s in reduction.steps if s.per_batch)
    scales = [s for s in reduction.steps if s.how == "scale"]
    return scales[-1] if scales else reduction.steps[-1]


def _first_of_two(reduction: Reduction, step: Step) -> Step:
    """Of `mean(dim=1)` and the mean over what is left, the first, which in (B, D) is the one over the support."""
    is_last = step.whole or step.positions == (0,)
    if not is_last or reduction.integrand.symbol != "D":
        return step
    support = reduction.integrand.support
    for earlier in reduction.steps[: reduction.steps.index(step)]:
        if earlier.how == "mean" and len(earlier.positions) == 1 and earlier.shape is not None:
            if earlier.shape.covers(AxesSpec.at(*earlier.positions), support) is not False:
                return earlier
    return step


def _is_of_a_critic(reduction: Reduction) -> bool:
    """Do the names say that it is a Gaussian of one number, where the code does not show its dimensions?"""
    if reduction.integrand.proved:
        return False
    nodes = (
        *(place.node for place in reduction.integrand.evidence),
        *(step.node for step in reduction.steps),
    )
    return any(CRITICS.is_in(spelled_out(node)) for node in nodes)
