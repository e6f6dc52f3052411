from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from batchmean.engine.events import Miscount
from batchmean.rules.base import TotalRule

if TYPE_CHECKING:
    from batchmean.fixes.code import Edits
    from batchmean.fixes.idiom import Idiom


class EpochSumOverBatches(TotalRule):
    """
    ## What it finds

    Sums over the examples of each batch, added up in a loop and divided by the number of batches:
    `total += loss.item() * x.size(0)` and then `total / len(loader)`. The sums may come from `reduction="sum"`, the
    number of batches from `i + 1`, a counter or the mean of a list.

    ## Why it matters

    The loss that is logged is the batch size times too large, and it changes with the batch size and with how full the
    last batch is. Beside the loss of another loop that is divided rightly, as a validation loss beside a training loss,
    it makes a gap that is not there.

    ## When to suppress it

    Where the sum over one batch is what is meant, as in the bound of a VAE that is told per batch; say so beside the
    `# noqa: BMN502`. Not reported: what is printed or stored as the figure of a batch, `average batch loss` or
    `loss_per_batch`; the sum of an item of a list, which may be one example; loops that end early;
    totals that are set back in between, added to under a condition, or told in the middle of an epoch.
    """

    code = "BMN502"
    precedence = 170
    name = "epoch-sum-over-batches"
    law = "split"
    first_contact = (12, 20)
    preview = True
    kind = "epoch sum over batches"
    summary = "sums over the examples of each batch divided by the number of batches"
    wrong = """\
import torch.nn.functional as F


def validate(model, loader):
    total = 0.0
    for inputs, labels in loader:
        total += F.cross_entropy(model(inputs), labels).item() * labels.size(0)
    return total / len(loader)
"""
    right = """\
import torch.nn.functional as F


def validate(model, loader):
    total = 0.0
    for inputs, labels in loader:
        total += F.cross_entropy(model(inputs), labels, reduction="sum").item()
    return total / len(loader.dataset)
"""

    def rewrites(self, idiom: Idiom, event: Miscount) -> Iterator[Edits]:
        """The sum is divided by the number of examples."""
        from batchmean.fixes.weighed_means import over_the_dataset

        return over_the_dataset(idiom.code, event)

    def message(self, event: Miscount) -> str:
        return (
            "sums over the examples of each batch are added up and divided by the number of batches: batch size times "
            "too large; divide by the number of examples"
        )
