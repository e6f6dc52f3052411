from __future__ import annotations

from batchmean.engine.events import Miscount, fraction
from batchmean.rules.base import MiscountRule


class MaskMismatch(MiscountRule):
    """
    ## What it finds

    A loss divided by the sum of a mask that counts other positions than the loss is summed over:

    - the dropped are counted instead of the kept: `loss.masked_fill(pad, 0).sum() / pad.sum()`;
    - everything is summed and only the valid positions are counted: `loss.sum() / mask.sum()`;
    - the mask was expanded over the classes before it was summed, so every position is counted V times, or it says
      which classes an example has, so the classes are counted and not the examples;
    - the loss is one number already: `(F.cross_entropy(x, y) * mask).sum() / mask.sum()` is the mean over all
      positions, and the mask does nothing.

    ## Why it matters

    The loss looks masked and is not: padding is trained on, or the loss moves with the amount of padding in a batch.
    The last form is the usual one: a library loss takes its mean by default, and `reduction="none"` was forgotten.

    A mask is known by where it comes from, `ids != pad_id` or `arange(T) < lengths`, or by its name, and then the
    finding is likely.

    ## When to suppress it

    A sum over everything is right over `mask.sum()` where what is not valid gives no loss already: the prediction and
    the target were zeroed by the caller, or the labels hold what the library ignores. If the function uses the mask
    for anything else than its sum, nothing is said; otherwise say so beside the `# noqa: BMN202`. A latent KL over the
    number of tokens, two masks of two kinds (the tokens of an answer over those of the batch), class weights and
    masks that choose examples are not reported.
    """

    code = "BMN202"
    name = "mask-mismatch"
    law = "padding"
    first_contact = (0, 2)
    preview = True
    kind = "mask mismatch"
    summary = "a masked loss whose divisor counts other positions than its sum"
    wrong = """\
import torch.nn.functional as F


def frame_loss(prediction, target, attention_mask):
    loss = F.mse_loss(prediction, target)
    return (loss * attention_mask).sum() / attention_mask.sum()
"""
    right = """\
import torch.nn.functional as F


def frame_loss(prediction, target, attention_mask):
    loss = F.mse_loss(prediction, target, reduction="none")
    return (loss * attention_mask).sum() / attention_mask.sum()
"""

    def message(self, event: Miscount) -> str:
        if event.about == "dropped":
            return (
                "the positions that the mask drops are counted, not those that are summed; "
                "divide by the sum of the mask that was laid on the loss"
            )
        if event.about == "all":
            return (
                "the sum is over all positions, the divisor counts the valid ones only; "
                "multiply the loss by the mask before it is summed"
            )
        if event.about == "classes":
            return _classes(event)
        so = "does nothing" if event.about == "number" else "only scales it"
        return (
            f"this loss is one number already, so the mask {so}; "
            'take it with reduction="none", or mask it before its mean'
        )


def _classes(event: Miscount) -> str:
    factor = event.factor or {}
    support = event.reduction.integrand.support_name if event.reduction is not None else "the class axis"
    if "n_valid" in factor or not factor:
        how = f": {fraction(factor)} of the per-example loss" if factor else ""
        return (
            f"the mask lies over {support}, so its sum counts the classes of each example{how}; "
            "divide by the number of examples"
        )
    return (
        f"the sum of the mask counts {support} too: {fraction(factor)} of the loss per valid position; "
        "divide by the sum of the mask before it is broadcast"
    )
