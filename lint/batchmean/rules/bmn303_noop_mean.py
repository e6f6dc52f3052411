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
        return (
            f"this mean is of one number, a sum over everything, and changes nothing: {size}; "
            "sum over the last axis only, then take the mean"
        )
