"""Counts that are wrong whatever the support: masked positions in the divisor, a batch divided by twice or never.

Everything here is read off the accounts in the ledger, once the module has been walked.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from batchmean.engine.beside import sums_beside_means, total_for_each
from batchmean.engine.events import Miscount, SupportEvent, fraction
from batchmean.engine.factors import (
    divides_a_mean_by_the_support,
    divides_by_its_own_length,
    factor_of,
)
from batchmean.engine.integrands import PAIRS
from batchmean.engine.interpreter import Interpreter
from batchmean.engine.literals import divisor, spelled_out
from batchmean.engine.mismatches import mismatched
from batchmean.engine.paths import excludes
from batchmean.engine.reductions import Choices, Integrand, Reduction, Step, may_count, report_node
from batchmean.engine.undivided import undivided
from batchmean.engine.values import Atom, Place, Role, altered

_LOOPS = (ast.For, ast.AsyncFor, ast.While, ast.comprehension, ast.ListComp, ast.GeneratorExp)


def miscounts(
    interpreter: Interpreter, final: Sequence[Reduction], support: Sequence[SupportEvent]
) -> Iterator[Miscount]:
    """Every such event of a module; a reduction that a `support` event tells of is left to it."""
    told = {event.step.node for event in support}
    padded: list[Miscount] = []
    choices = Choices(interpreter.ledger)
    final = [_of_one_round(interpreter, reduction) for reduction in final]
    counted = [r.counts_masked() for r in final]
    right = {
        id(r.origin)
        for r, counts in zip(final, counted, strict=True)
        if counts is False and not r.is_reported
    }
    for reduction, counts_masked in zip(final, counted, strict=True):
        if any(step.node in told for step in reduction.steps):
            continue
        if reduction.integrand.kind == PAIRS:
            if (paired := _paired(reduction)) is not None:
                yield paired
        elif (mismatch := mismatched(interpreter, reduction, choices)) is not None:
            yield mismatch
        elif counts_masked and id(reduction.origin) not in right:
            if not _is_another_kind(interpreter, reduction):
                yield (masked := _masked_mean(reduction))
                padded.append(masked)
        elif (again := _divided_again(reduction)) is not None:
            if not _divides_a_sum(again, final):
                yield again
        elif (missing := undivided(interpreter, reduction) or total_for_each(reduction)) is not None:
            if not choices.has(reduction):
                yield missing
        elif (noop := _noop_mean(interpreter, reduction)) is not None:
            yield noop
    yield from sums_beside_means(interpreter, final, choices)
    yield from interpreter.miscounts
    yield from _perplexities(interpreter, [*support, *padded])


def _masked_mean(reduction: Reduction) -> Miscount:
    assert reduction.mask is not None
    after = reduction.steps[reduction.mask.after_steps :]
    step = next((s for s in after if s.how == "mean"), reduction.steps[-1])
    how = "this count holds" if step.how == "scale" else "this mean runs over"
    places = (
        *reduction.integrand.evidence,
        *reduction.mask.places,
        Place(step.node, f"{how} the masked positions"),
    )
    return Miscount(
        report_node(reduction, step),
        "masked mean",
        places,
        reduction.integrand.proved and reduction.mask.shown,
        {"n_valid": 1, "N": -1},
        reduction,
    )


_CHOICES: Final = re.compile(
    r"threshold|cut_?off|confiden|pseudo|unlabell?ed|consistency|inpaint|hole|reconstruct|patch|drop_?out|mask_ratio",
    re.I,
)


def _is_another_kind(interpreter: Interpreter, reduction: Reduction) -> bool:
    """Is it made of what speaks of another kind of mask: of confident, hidden or dropped elements?"""
    if reduction.mask is None or not reduction.mask.is_bare:
        return False
    before = reduction.steps[: reduction.mask.after_steps]
    axes = reduction.integrand.shape.axes if not reduction.integrand.symbol and not before else None
    is_vector = axes is not None and len(axes) == 1 and not axes[0].root().parts
    if is_vector or any(step.positions == (1,) and not step.library for step in before):
        return True  # a loss per example: its mask chooses examples, and why is not shown
    made = [interpreter.origins.get(place.node) for place in reduction.mask.places]
    return any(node is not None and _CHOICES.search(spelled_out(node)) for node in made)


def _paired(reduction: Reduction) -> Miscount | None:
    """The mean over all pairs of (B,) and (B, 1)."""
    average, _ = reduction.over_everything()
    how = "sum" if average != reduction.rest else "mean"
    step = next((s for s in reduction.steps if s.whole and s.how == how), None)
    if step is None:
        return None
    places = (*reduction.integrand.evidence, Place(step.node, "this mean runs over the pairs"))
    node = report_node(reduction, step)
    return Miscount(node, "outer product", places, reduction.integrand.proved, None, reduction)


def _divided_again(reduction: Reduction) -> Miscount | None:
    """A mean that is divided by the examples, or by the valid positions, once more."""
    if reduction.integrand.symbol == "D":
        return None  # a latent KL over the number of nodes again is how graph autoencoders are weighted
    divided = _second_division(reduction)
    if divided is None:
        return None
    scale = divided.steps[-1]
    average = _first_average(reduction, scale)
    if average is None or excludes(average.path, scale.path) or _is_added_up(divided, average, scale):
        return None
    account = reduction
    again = _counted_again(account)
    if again is None and _is_only_divided_after(divided, reduction):
        account, again = divided, _counted_again(divided)  # by the number of batches, say
    if again is None:
        return None
    powers, about = again
    places = (
        *reduction.integrand.evidence,
        Place(average.node, "this is a mean already"),
        Place(scale.node, f"it is divided by {about} again"),
    )
    node = report_node(reduction, scale)
    factor = factor_of(account)
    assumed = factor is not None and factor.assumes_rank
    shown = reduction.integrand.proved and (bool(powers) or factor is None or factor.is_twice) and not assumed
    shown = shown and not _is_divided_by_the_inputs(account)
    return Miscount(node, "double division", places, shown, powers or None, reduction, about)


def _divides_a_sum(again: Miscount, final: Sequence[Reduction]) -> bool:
    """Is the same division that of another loss, a sum, on another way, which it is meant for?"""
    mine = again.reduction
    return mine is not None and any(
        r.steps[-1].node is again.node and _counted_again(r) is None
        for r in final
        if r.steps
        and _is_another_functions(r.integrand, mine.integrand)
        and any(excludes(s.path, t.path) for s, t in zip(r.steps, mine.steps, strict=False))
    )


def _is_another_functions(one: Integrand, other: Integrand) -> bool:
    """Are they made in two functions that are called, one or the other?"""
    if not (one.stack and other.stack and one.evidence and other.evidence):
        return False
    return one.key != other.key and one.evidence[0].node is not other.evidence[0].node


def _is_divided_by_the_inputs(reduction: Reduction) -> bool:
    """Is a library's mean divided by the number of examples that the model was given?"""
    counts, inputs = list(reduction.counts()), reduction.integrand.inputs
    if reduction.rest != "mean" or len(counts) != 1 or reduction.coefficient is None:
        return False
    atom, power = counts[0]
    axis = atom.axis if atom.role is Role.COUNT and power == -1 else None
    firsts = [first for shape in inputs if (first := shape.axis(0)) is not None]
    return axis is not None and any(axis.is_same(first) for first in firsts)


def _is_only_divided_after(account: Reduction, later: Reduction) -> bool:
    """Is nothing in the later account that could make up for a division too many in the earlier one?"""
    before = dict(account.scale)
    grown = [power > before.get(atom, 0) for atom, power in later.scale]
    return not any(grown) and before.keys() <= dict(later.scale).keys()


def _second_division(reduction: Reduction) -> Reduction | None:
    """The account just after the first division that is one too many."""
    found: Reduction | None = None
    for account in reduction.line():
        is_reduced = account.rest is not None or reduction.rest is None
        is_scaled = bool(account.steps) and account.steps[-1].how == "scale"
        if is_reduced and is_scaled and _counted_again(account) is not None:
            found = account
    return found


def _first_average(reduction: Reduction, scale: Step) -> Step | None:
    """The step that made a mean, before the last division."""
    if reduction.rest == "mean":
        return next((s for s in reduction.steps if s.how == "mean" and s.whole), None)
    # A library's batchmean, or a sum that was divided before, or of what was divided before.
    before = next((s for s in reduction.steps if (s.library or s.how == "scale") and s is not scale), None)
    if before is None and reduction.origin.scale:
        return next((s for s in reduction.steps if s.how == "sum" and s.whole), None)
    return before


def _counted_again(reduction: Reduction) -> tuple[Mapping[str, int], str] | None:
    """What a mean was divided by, as powers where these are known, and in words."""
    if _is_divided_by_the_inputs(reduction):
        return {"B": -1}, "the batch"
    factor = factor_of(reduction)
    if factor is None:
        is_one_number = is_class_loss(reduction) or not reduction.integrand.symbol
        again = is_one_number and divides_by_its_own_length(reduction)
        return ({}, "the length of one of its own axes") if again else None
    counts = list(reduction.counts())
    if divides_a_mean_by_the_support(reduction, factor):
        if not reduction.integrand.assumed and is_class_loss(reduction):
            return {"V": -1}, "the class count"
    if factor.support:
        return None
    powers = {name: power for name, power in factor.units if power < 0}
    if powers:
        return powers, "the batch"
    if factor.is_twice:
        return {}, "the length of one of its own axes"
    if reduction.rest != "mean":
        return None
    if not counts or not (
        all(power < 0 for _, power in counts) or divisor(reduction.steps[-1].node) is not None
    ):
        return None
    known = [atom for atom, _ in counts if atom.role is not Role.OPAQUE]  # steps of an accumulation, say
    if (
        len(known) == 1
        and known[0].role is Role.VALID
        and all(power < 0 for _, power in counts)
        and not any(how == "sum" for _, how in reduction.units)
    ):
        return {"n_valid": -1}, "the number of valid positions"
    if any(s.of_scalar and s.how == "sum" for s in reduction.steps):
        return {}, "a count"  # the sum of this one number shows that it was taken for a sum
    return None


def _is_added_up(reduction: Reduction, first: Step, later: Step) -> bool:
    """Does a loop add up what the first step gives, before the later one divides it?

    A comprehension over heads or terms does, too; the length of an axis of the loss itself is no number of rounds.
    """
    rounds = _rounds_between(first, later)
    if not rounds:
        return False
    own = all(atom.axis is not None for atom, _ in reduction.over_everything()[1])
    return not (own and all(isinstance(node, ast.ListComp | ast.GeneratorExp) for node in rounds))


def _rounds_between(first: Step, later: Step) -> list[ast.AST]:
    """The loops in which the first step is taken, and the later one is not."""
    return [d.node for d in first.path if d.holds and d not in later.path and isinstance(d.node, _LOOPS)]


def is_class_loss(reduction: Reduction) -> bool:
    """Is it a library's loss that sums over the classes itself?"""
    return bool(reduction.integrand.library) and reduction.integrand.kind == "cross-entropy"


def _is_of_rounds(interpreter: Interpreter, count: Atom) -> bool:
    """Is it the number of rounds of a loop, not of what is in one of them?"""
    return count.axis is not None and any(count.axis.is_same(axis) for axis in interpreter.rounds)


def _of_one_round(interpreter: Interpreter, account: Reduction) -> Reduction:
    """An account as it is in one round of a loop that adds it up, where the number of rounds divides the total."""
    while account.parent is not None and account.steps and account.steps[-1].how == "scale":
        step, before = account.steps[-1], dict(account.parent.scale)
        new = [(atom, power) for atom, power in account.scale if before.get(atom) != power]
        if len(new) != 1 or new[0][1] != -1.0 or not _is_of_rounds(interpreter, new[0][0]):
            break
        made = next((s for s in account.steps if s.how != "scale"), None)
        if made is None or not _rounds_between(made, step):
            break
        account = account.parent
    return account


def _noop_mean(interpreter: Interpreter, reduction: Reduction) -> Miscount | None:
    """`.sum().mean()`: the mean of one number, where the mean over the examples was meant."""
    step = next((s for s in reduction.steps if s.of_scalar and s.how == "mean"), None)
    counts = [(atom, power) for atom, power in reduction.scale if not _is_of_rounds(interpreter, atom)]
    if step is None or any(may_count(*each) for each in counts):
        return None
    factor = factor_of(altered(reduction, scale=tuple(counts)))
    if factor is None or factor.support:
        return None
    powers = {name: power for name, power in factor.units if power > 0}
    if not powers:
        return None
    summed = next((s for s in reduction.steps if s.how == "sum" and s.whole), None)
    if summed is None or _is_added_up(reduction, summed, step) or excludes(summed.path, step.path):
        return None
    places = (
        *reduction.integrand.evidence,
        Place(summed.node, "this sums everything"),
        Place(step.node, "the mean of one number changes nothing"),
    )
    integrand = reduction.integrand
    is_known = integrand.shape.axes is not None and reduction.mask is None
    # Of a vector, the classes of one example, the sum is right.
    shown = integrand.proved and (not integrand.symbol or integrand.shape.is_left(integrand.support))
    node = report_node(reduction, step)
    return Miscount(node, "noop mean", places, shown, powers if is_known else None, reduction)


def _perplexities(interpreter: Interpreter, wrong: Sequence[SupportEvent | Miscount]) -> Iterator[Miscount]:
    """The exponentials of losses that are off by a factor."""
    for node, reductions in interpreter.exponentials:
        for event in wrong:
            found = event.reduction
            if found is None or found.integrand.symbol == "D":
                continue
            if any(account is found for mine in reductions for account in mine.line()):
                places = (*event.evidence, Place(node, "the exponential of that loss is no perplexity"))
                yield Miscount(
                    node, "perplexity", places, event.proved, None, found, fraction(event.monomial or {})
                )
                break
