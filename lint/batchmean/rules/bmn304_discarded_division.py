from __future__ import annotations

from batchmean.engine.events import Miscount
from batchmean.rules.base import MiscountRule


class DiscardedDivision(MiscountRule):
    """
    ## What it finds

    A division of a loss whose result is thrown away: `loss.div(n)` or `torch.div(loss, n)` as a statement. It leaves
    the loss as it was; `loss.div_(n)` and `loss = loss / n` change it.

    ## Why it matters

    The loss stays a sum: it grows with the batch, though the code reads as if it were averaged.

    ## When to suppress it

    Never, as far as we know: use the result, or leave the line out.
    """

    code = "BMN304"
    name = "discarded-division"
    law = "duplication"
    kind = "discarded division"
    summary = "a division of a loss whose result is thrown away"
    wrong = """\
import torch.nn.functional as F


def classification_loss(logits, labels):
    loss = F.cross_entropy(logits, labels, reduction="sum")
    loss.div(logits.size(0))
    return loss
"""
    right = """\
import torch.nn.functional as F


def classification_loss(logits, labels):
    loss = F.cross_entropy(logits, labels, reduction="sum")
    loss = loss.div(logits.size(0))
    return loss
"""

    def message(self, event: Miscount) -> str:
        return (
            "the result of this division is thrown away, the loss stays a sum; assign it, or divide in place"
        )
