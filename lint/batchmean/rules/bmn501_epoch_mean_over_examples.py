from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from batchmean.engine.events import Miscount
from batchmean.rules.base import TotalRule

if TYPE_CHECKING:
    from batchmean.fixes.code import Edits
    from batchmean.fixes.idiom import Idiom


class EpochMeanOverExamples(TotalRule):
    """
    ## What it finds

    The means of the batches, added up in a loop and divided by the number of examples: `total += loss.item()` and then
    `total / len(loader.dataset)`. The number may also be that of the data that the loader was made of, or one that was
    counted by hand (`n += x.size(0)`); the means may stand in a list, and each may be divided before it is added up.

    ## Why it matters

    The loss that is logged is the batch size times too small. The same model seems better the larger its batches are,
    a threshold means another thing with every batch size, and the number cannot be compared with that of anybody else.
    Where the code trains on what it logs, or stops by it, that goes wrong, too.

    Two forms are right. `total += loss.item() * x.size(0)` over the number of examples is the mean over all examples.
    `total += loss.item()` over `len(loader)` is the mean of the batches' means: the same where all batches are equal,
    and off whenever the last batch is smaller. That convention is not reported.

    The criterion is followed through names, attributes and functions of the project. One that is made elsewhere, and
    that something is trained with, is taken for a mean, as those of the libraries are; the finding is likely then, as
    it is where a sum is divided by what is called the batch size, and where the loss is a mean on one of two ways and
    comes from a function out of sight on the other.

    ## When to suppress it

    Where a batch is one example, or the criterion gives a sum and its name does not say so; say so beside the
    `# noqa: BMN501`. Not reported: loaders with a batch size of 1 or with `drop_last`; totals that are set back in
    between, added to under a condition, or told in the middle of an epoch; a quotient that is multiplied again.
    """

    code = "BMN501"
    precedence = 160
    name = "epoch-mean-over-examples"
    law = "split"
    first_contact = (86, 92)
    preview = True
    kind = "epoch mean over examples"
    summary = "batch means added up and divided by the number of examples"
    wrong = """\
import torch.nn.functional as F


def validate(model, loader):
    total = 0.0
    for inputs, labels in loader:
        total += F.cross_entropy(model(inputs), labels).item()
    return total / len(loader.dataset)
"""
    right = """\
import torch.nn.functional as F


def validate(model, loader):
    total = 0.0
    for inputs, labels in loader:
        total += F.cross_entropy(model(inputs), labels).item() * labels.size(0)
    return total / len(loader.dataset)
"""

    def rewrites(self, idiom: Idiom, event: Miscount) -> Iterator[Edits]:
        """Each mean counts as often as it has examples."""
        from batchmean.fixes.weighed_means import weighed

        return weighed(idiom.code, event)

    def message(self, event: Miscount) -> str:
        each = "each divided" if event.about == "each" else "divided"
        return (
            f"batch means are added up, {each} by the number of examples: batch size times too small; add up the mean "
            "times the number of its examples, or divide by the number of batches if all are equal"
        )
