from __future__ import annotations

from batchmean.engine.events import Miscount
from batchmean.rules.base import MiscountRule


class MaskedMean(MiscountRule):
    """
    ## What it finds

    A loss that a validity mask makes zero at some positions (padding, `ignore_index`, lengths, `masked_fill`,
    `loss[~mask] = 0`) and whose divisor still counts these positions: `(loss * mask).mean()`, or its sum over
    `loss.numel()`.

    ## Why it matters

    The loss depends on how much padding a batch happens to hold: it is n_valid/N of the loss per valid position.
    A batch with one long and many short sequences counts for little, the scale moves with the batch size and the
    sampler, and two runs with different padding cannot be compared.

    A mask is known by where it comes from, `ids != pad_id` or `arange(T) < lengths`, or by its name, and then the
    finding is likely. Thresholds, dropout, sampling, importance weights and gates are no validity masks. A sum over
    each sequence, or one that is divided by a count from elsewhere, is not reported.

    ## When to suppress it

    Where every position is meant to count, the masked ones with a loss of zero; say so beside the `# noqa: BMN201`.
    """

    code = "BMN201"
    name = "masked-mean"
    law = "padding"
    first_contact = (11, 19)
    preview = True
    kind = "masked mean"
    summary = "a masked loss averaged over the masked positions too"
    wrong = """\
import torch.nn.functional as F


def frame_loss(prediction, target, attention_mask):
    loss = F.mse_loss(prediction, target, reduction="none")
    return (loss * attention_mask).mean()
"""
    right = """\
import torch.nn.functional as F


def frame_loss(prediction, target, attention_mask):
    loss = F.mse_loss(prediction, target, reduction="none")
    return (loss * attention_mask).sum() / attention_mask.sum().clamp(min=1)
"""

    def message(self, event: Miscount) -> str:
        return (
            "the masked loss is averaged over the masked positions too: n_valid/N of the loss per valid position; "
            "use its sum divided by the sum of the mask"
        )
