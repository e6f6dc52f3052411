from __future__ import annotations

from batchmean.engine.events import Miscount, fraction
from batchmean.engine.values import Role
from batchmean.rules.axes import counted_words
from batchmean.rules.base import MiscountRule


class DoubleDivision(MiscountRule):
    """
    ## What it finds

    A loss that is a mean already, by a library's default or by `.mean()`, and is divided by the examples of the same
    batch once more: `F.cross_entropy(logits, labels) / logits.size(0)`.

    ## Why it matters

    The loss and its gradient shrink as the batch grows: at a batch size of 256 the loss is 256 times too small, and a
    learning rate that works for one batch size is wrong for every other.

    Only a count that the code shows to be that of the same examples is reported. Accumulation steps, numbers of
    terms, heads, crops and processes are other counts, and a criterion whose reduction is not shown may be a sum.

    ## When to suppress it

    Where the second division is meant; say so beside the `# noqa: BMN301`.
    """

    code = "BMN301"
    name = "double-division"
    law = "duplication"
    first_contact = (3, 4)
    preview = True
    kind = "double division"
    summary = "a mean-reduced loss divided by the batch again"
    wrong = """\
import torch.nn.functional as F


def classification_loss(logits, labels):
    loss = F.cross_entropy(logits, labels)
    return loss / logits.size(0)
"""
    right = """\
import torch.nn.functional as F


def classification_loss(logits, labels):
    return F.cross_entropy(logits, labels)
"""

    def message(self, event: Miscount) -> str:
        count = event.about
        if event.reduction is not None:
            _, left = event.reduction.over_everything()
            known = [(atom, power) for atom, power in left if atom.role is not Role.OPAQUE]
            count = counted_words(event.reduction, known or left) or count
        again = " again" if count in ("the batch", "the number of valid positions") else ", too"
        size = fraction(event.factor) if event.factor else "a part"
        return (
            f"a loss that is a mean already is divided by {count}{again}: {size} of the mean loss; "
            "leave out the second division"
        )
