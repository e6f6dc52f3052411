from __future__ import annotations

import ast
from collections.abc import Iterator

from batchmean.engine.domain.accounts import may_count, report_node
from batchmean.engine.domain.paths import excludes
from batchmean.engine.domain.tensors import Place, Reduction, Step, altered
from batchmean.engine.events import Miscount, fraction
from batchmean.engine.factors import factor_of
from batchmean.engine.ledger import Ledger
from batchmean.nodes import nodes
from batchmean.rules.base import MiscountRule
from batchmean.rules.docket import Docket, is_added_up, is_after_a_loop, is_of_rounds


class NoopMean(MiscountRule):
    """
    ## What it finds

    The mean of one number: `.sum().mean()`, or a mean of a library loss with `reduction="sum"`. It changes nothing,
    so the division that was meant is missing.

    ## Why it matters

    The loss and its gradient grow with the batch: at a batch size of 256 they are 256 times those of the mean. The
    learning rate is tied to the batch size, and a last, smaller batch counts for less.

    ## When to suppress it

    Where a sum is meant: then leave out the mean instead.
    """

    code = "BMN303"
    precedence = 130
    name = "noop-mean"
    law = "duplication"
    first_contact = (21, 29)
    preview = True
    kind = "noop mean"
    no_fix = "the code does not show which axes were to be averaged: sum over the others, then take the mean"
    summary = "a mean of a scalar that is already a full sum"
    wrong = """\
import torch


def squared_error(prediction, target):
    return ((prediction - target) ** 2).sum().mean()
"""
    right = """\
import torch


def squared_error(prediction, target):
    return ((prediction - target) ** 2).sum(dim=-1).mean()
"""

    def find(self, docket: Docket) -> Iterator[Miscount]:
        for account in docket.open():
            if (noop := _noop_mean(docket.ledger, account)) is not None:
                docket.settle(account)
                yield noop

    def message(self, event: Miscount) -> str:
        size = (
            f"{fraction(event.factor)} times the mean loss"
            if event.factor
            else "the loss grows with the batch"
        )
        return f"this mean is of one number, a sum over everything, and changes nothing: {size}; {_instead(event)}"


def _instead(event: Miscount) -> str:
    reduction = event.reduction
    shape = reduction.integrand.shape if reduction is not None else None
    if reduction is not None and reduction.steps[0].library:
        return 'use reduction="mean"'
    if reduction is not None and reduction.integrand.symbol == "V":
        return "sum over the class axis only, then take the mean"
    if shape is not None and shape.rank == 1:
        return "take the mean without the sum"
    if shape is not None and shape.rank == 2:
        return "sum over the last axis only, then take the mean"
    return "sum over all but the first axis, then take the mean"


def _noop_mean(ledger: Ledger, reduction: Reduction) -> Miscount | None:
    """`.sum().mean()`: the mean of one number, where the mean over the examples was meant."""
    step = next((s for s in reduction.steps if s.of_scalar and s.how == "mean"), None)
    counts = [(atom, power) for atom, power in reduction.scale if not is_of_rounds(ledger, atom)]
    if step is None or any(may_count(*each) for each in counts):
        return None
    factor = factor_of(altered(reduction, scale=tuple(counts)))
    if factor is None or factor.support:
        return None
    powers = {name: power for name, power in factor.units if power > 0}
    if not powers:
        return None
    if reduction.beside_quotient:
        return None  # a bound: what is the same for all examples was divided for the sum over a batch
    summed = next((s for s in reduction.steps if s.how == "sum" and s.whole), None)
    if summed is None or is_added_up(reduction, summed, step) or excludes(summed.path, step.path):
        return None
    if is_after_a_loop(summed, step):
        return None  # a total over its rounds, beside which others may stand
    if _averages_an_array(ledger, step) and not _is_asked_for(ledger, step, summed):
        return None  # taken whichever way was
    places = (
        *reduction.integrand.evidence,
        Place(summed.node, "this sums everything"),
        Place(step.node, "the mean of one number changes nothing"),
    )
    integrand = reduction.integrand
    if integrand.symbol and integrand.shape.position_of(integrand.support) == 0:
        return None  # one distribution, over the first axis: no examples stand before it
    is_known = integrand.shape.axes is not None and reduction.mask is None
    # Of a vector, the classes of one example, the sum is right.
    shown = integrand.proved and (not integrand.symbol or integrand.shape.is_left(integrand.support))
    node = report_node(reduction, step)
    return Miscount(node, "noop mean", places, shown, powers if is_known else None, reduction)


def _averages_an_array(ledger: Ledger, step: Step) -> bool:
    """Is what is averaged here an array on another way to this line? Then the mean is there for that one."""
    if (step.node, step.stack) in ledger.other_reduced:
        return True
    steps = (other for account in ledger.accounts for other in account.steps if other.node is step.node)
    return any(s.how == "mean" and not s.of_scalar and s.stack == step.stack for s in steps)


def _is_asked_for(ledger: Ledger, step: Step, summed: Step) -> bool:
    """Does the mean stand under a test of its own, as under `if average:`, or a call that leads to it?"""
    mean, total = {step.node, *step.stack}, {summed.node, *summed.stack}
    return any(
        isinstance(test, ast.If | ast.IfExp)
        and not mean.isdisjoint(inside := list(nodes(test)))
        and total.isdisjoint(inside)
        for function in ledger.defined
        for test in nodes(function.node)
    )
