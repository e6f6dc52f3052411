from __future__ import annotations

from batchmean.engine.events import Miscount, fraction
from batchmean.rules.base import MiscountRule


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
    name = "noop-mean"
    law = "duplication"
    first_contact = (2, 2)
    preview = True
    kind = "noop mean"
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
