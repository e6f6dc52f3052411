from __future__ import annotations

from batchmean.engine.events import Miscount, fraction
from batchmean.rules.axes import counted_words
from batchmean.rules.base import MiscountRule


class MissingBatchDivision(MiscountRule):
    """
    ## What it finds

    A loss that is summed over everything and divided by its positions, never by its examples: `.sum() / h / w` of a
    (B, V, H, W) loss, or a masked loss that is summed for each sequence, added up, and divided by the length T.

    ## Why it matters

    The loss and its gradient grow with the batch: at a batch size of 256 they are 256 times those of the mean. The
    learning rate is tied to the batch size, and a last, smaller batch counts for less. It reads as if it were averaged,
    since there is a division; in the runs with one image per batch, where such code comes from, it is.

    The code must show which axis holds the examples: the classes stand between it and the positions, as in
    (B, V, H, W), or a mask of lengths, one for each example, lies over it. Where only names tell
    (`b, t = loss.shape` and then `/ t`) the finding is likely.

    ## When to suppress it

    Where the sum over the examples is meant, or the caller divides by them; say so beside the `# noqa: BMN307`. Not
    reported: a sum that nothing divides; one that a weight, a coefficient or any other number multiplies, since that
    may make up for the batch; a (T, B) loss over B, the likelihood of a sequence; channels or features that are summed
    for one image.
    """

    code = "BMN307"
    name = "missing-batch-division"
    law = "duplication"
    preview = True
    kind = "missing batch division"
    summary = "a sum divided by positions and never by the examples"
    wrong = """\
import torch.nn.functional as F


def distillation(student_logits, teacher_logits):
    n, c, h, w = student_logits.shape
    target = F.softmax(teacher_logits, dim=1)
    loss = -(target * F.log_softmax(student_logits, dim=1)).sum()
    return loss / h / w
"""
    right = """\
import torch.nn.functional as F


def distillation(student_logits, teacher_logits):
    n, c, h, w = student_logits.shape
    target = F.softmax(teacher_logits, dim=1)
    loss = -(target * F.log_softmax(student_logits, dim=1)).sum()
    return loss / n / h / w
"""

    def message(self, event: Miscount) -> str:
        words = counted_words(event.reduction) if event.reduction is not None else ""
        size = (
            f"{fraction(event.factor)} times the mean loss"
            if event.factor and "n_valid" not in event.factor
            else "it grows with the batch"
        )
        instead = "divide by the number of examples, too"
        if event.factor and "n_valid" in event.factor:
            size = f"{fraction(event.factor)} of the loss per valid position"
            instead = "divide by the sum of the mask"
        return f"the sum over all examples is divided by {words or 'positions'} alone: {size}; {instead}"
