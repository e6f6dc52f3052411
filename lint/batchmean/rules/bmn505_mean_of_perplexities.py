from __future__ import annotations

from batchmean.engine.events import Miscount
from batchmean.rules.base import TotalRule


class MeanOfPerplexities(TotalRule):
    """
    ## What it finds

    The exponential of the loss of each batch, averaged over the batches: `total += math.exp(loss.item())` and then
    `total / len(loader)`, or `np.mean` of a list of them. The exponential that every rank takes of its own loss,
    averaged over the ranks.

    ## Why it matters

    The perplexity of a text is the exponential of its mean loss. The mean of exponentials is never smaller, and larger
    the more the batches differ: one hard batch outweighs all others. It depends on the batch size and on the order of
    the texts, so no two such numbers can be compared.

    ## When to suppress it

    Where the mean of the batches' perplexities is meant; say so beside the `# noqa: BMN505`. Not reported: the
    exponential of an average, of a squared error, and of a loss with a sign or a weight.
    """

    code = "BMN505"
    precedence = 180
    name = "mean-of-perplexities"
    law = "split"
    preview = True
    first_contact = (2, 3)
    kind = "mean of perplexities"
    no_fix = "average the losses, then take the exponential"
    summary = "the exponential of each batch's loss averaged over the batches"
    wrong = """\
import math

import torch.nn.functional as F


def perplexity(model, loader):
    total = 0.0
    for inputs, labels in loader:
        total += math.exp(F.cross_entropy(model(inputs), labels).item())
    return total / len(loader)
"""
    right = """\
import math

import torch.nn.functional as F


def perplexity(model, loader):
    total = 0.0
    for inputs, labels in loader:
        total += F.cross_entropy(model(inputs), labels, reduction="sum").item()
    return math.exp(total / len(loader.dataset))
"""

    def message(self, event: Miscount) -> str:
        if event.about == "ranks":
            return (
                "the perplexities of the ranks are averaged: never less than the perplexity of all, and more if "
                "they differ; average the losses over the ranks, then take the exponential"
            )
        return (
            "the perplexities of the batches are averaged: never less than the perplexity of all, and more the more "
            "the batches differ; average the losses over the examples, then take the exponential"
        )
