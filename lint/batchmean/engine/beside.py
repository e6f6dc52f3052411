"""A term that is summed over the batch, added to one that is averaged over it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from batchmean.engine.events import Miscount
from batchmean.engine.factors import factor_of
from batchmean.engine.literals import spelled_out
from batchmean.engine.reductions import Choices, Reduction
from batchmean.engine.values import Place, Role

if TYPE_CHECKING:
    from batchmean.engine.evaluator import Evaluator

_LATENTS: Final = re.compile(r"\bz_|_z\b|latent|(\b|_)(mu|mean|log_?var|log_?sigma|log_?std)(\b|_)", re.I)
"""What people call the posterior of an example."""
_PARAMETERS: Final = re.compile(r"weight|bias|param|prior|alpha|theta|embed", re.I)
"""What has no examples: the posterior of a network's own weights."""


@dataclass(frozen=True, eq=False, slots=True)
class Addition:
    """Two losses that the code adds up, or subtracts."""

    node: ast.AST
    sides: tuple[tuple[Reduction, ...], tuple[Reduction, ...]]


def sums_beside_means(
    interpreter: Evaluator, final: Sequence[Reduction], choices: Choices
) -> Iterator[Miscount]:
    """Every such event of a module; of several additions of one sum the first is told."""
    told: set[int] = set()
    lasting = {id(account): last for last in final for account in last.line()}
    for addition in interpreter.additions:
        for mine, others in (addition.sides, addition.sides[::-1]):
            for summed in filter(_is_whole_sum, mine):  # few are: the others need not be compared with all
                averaged = next((other for other in others if _unbalances(summed, other)), None)
                if averaged is None or id(summed.origin) in told:
                    continue
                if choices.has(summed) or choices.has(averaged):
                    continue  # who chooses the one may choose the other
                last = lasting.get(id(summed), summed)
                if last.is_reported or not _is_whole_sum(last):
                    continue  # what is divided or weighed later may make up for it
                told.add(id(summed.origin))
                yield _event(addition.node, summed, averaged)


def total_for_each(reduction: Reduction) -> Miscount | None:
    """The event of a total that is added to the losses of positions, masked, and averaged with them."""
    mask = reduction.spread
    if mask is None or mask.on_number or reduction.rest != "sum" or not reduction.mixed:
        return None
    after = [step for step in reduction.steps[mask.after_steps :] if step.how != "scale"]
    if not after or any(step.how != "sum" for step in after) or not after[-1].whole:
        return None
    counts = list(reduction.counts())
    valid = [atom for atom, power in counts if atom.role is Role.VALID and power == -1]
    if len(valid) != 1 or valid[0].source != mask.key or any(a.role is Role.COUNT for a, _ in counts):
        return None
    total = next(step for step in reduction.steps if step.how == "sum" and step.whole)
    step = reduction.steps[-1]
    places = (
        *reduction.integrand.evidence,
        Place(total.node, "this is the sum over all positions"),
        *mask.places,
        Place(step.node, "the mean over the positions leaves it as it is"),
    )
    shown = reduction.integrand.proved and mask.shown
    return Miscount(step.node, "sum beside mean", places, shown, None, reduction, "total")


def _event(node: ast.AST, summed: Reduction, averaged: Reduction) -> Miscount:
    places = (
        *summed.integrand.evidence,
        Place(summed.steps[-1].node, "this is a sum over the examples"),
        Place(averaged.steps[-1].node, "this is a mean over the examples"),
        Place(node, "they are added up as they are"),
    )
    shown = summed.integrand.proved and averaged.integrand.proved and _share_examples(summed, averaged)
    shown = shown and not summed.integrand.assumed and _has_examples(summed)
    return Miscount(node, "sum beside mean", places, shown, None, summed)


def _unbalances(summed: Reduction, averaged: Reduction) -> bool:
    """Beside a whole sum, is the second averaged over its own examples, with no weight on it?"""
    if not _is_mean(averaged) or summed.integrand.key == averaged.integrand.key:
        return False
    if _share_examples(summed, averaged) and _has_examples(summed):
        return True
    if summed.integrand.symbol == "V":
        return _has_examples(summed) and _is_over_examples(averaged)
    # Of a latent code the examples are not shown; of a squared error it is a convention to sum the features.
    return summed.integrand.symbol == "D" and _may_have_examples(summed) and _is_over_examples(averaged)


def _is_whole_sum(account: Reduction) -> bool:
    if account.rest != "sum" or account.support != "summed" or account.scale or account.spread is not None:
        return False
    return all(how == "sum" for _, how in account.units) and account.is_plain


def _is_mean(account: Reduction) -> bool:
    """Is it the mean over the examples, with nothing that makes it larger again?"""
    if account.support != "summed" or account.spread is not None or not account.is_plain or not account.steps:
        return False
    if account.rest == "mean":
        return not account.scale
    factor = factor_of(account)
    return factor is not None and dict(factor.units).get("B") == 0 and not factor.support


def _share_examples(one: Reduction, other: Reduction) -> bool:
    """Have both the same first axis, and is it no support?"""
    mine, theirs = one.integrand.shape.leading(1), other.integrand.shape.leading(1)
    if not mine or not theirs or not mine[0].is_same(theirs[0]):
        return False
    return not any(mine[0].is_same(account.integrand.support) for account in (one, other))


def _has_examples(account: Reduction) -> bool:
    """Does the code show an axis before the support?"""
    integrand = account.integrand
    if not integrand.symbol:
        return (integrand.shape.rank or 0) > 1 or bool(integrand.shape.leading(1))
    return integrand.shape.is_left(integrand.support) and not integrand.assumed


def _may_have_examples(account: Reduction) -> bool:
    """Do the names say that a latent code is one of each example?"""
    integrand = account.integrand
    if integrand.shape.rank == 1:
        return False
    nodes = (*(place.node for place in integrand.evidence), account.steps[0].node)
    texts = [spelled_out(node) for node in nodes]
    return any(map(_LATENTS.search, texts)) and not any(map(_PARAMETERS.search, texts))


def _is_over_examples(averaged: Reduction) -> bool:
    """Is there an axis that the mean is over, and that is no feature of one example?"""
    integrand = averaged.integrand
    if integrand.symbol == "D" or (integrand.shape.rank or 0) > 1:
        return True
    return bool(integrand.library or averaged.units or integrand.symbol)
