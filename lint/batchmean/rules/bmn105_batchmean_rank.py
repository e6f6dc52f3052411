from __future__ import annotations

from batchmean.rules.base import SupportRule
from batchmean.rules.support import SupportEvent
from batchmean.rules.words import by_how_much, right_form, use


class BatchmeanRank(SupportRule):
    """
    ## What it finds

    `F.kl_div` or `nn.KLDivLoss` with `reduction="batchmean"`, PyTorch's or Paddle's, where the code shows that the
    input has another rank than 2.

    ## Why it matters

    `"batchmean"` sums everything and divides by the first axis, whatever it holds. That is the divergence per
    example for a (B, V) input only. A vector of V classes is divided by V, which breaks the law above. A (B, T, V)
    input gives the sum over the T positions, T times the per-position loss, and (B, V, H, W) gives H*W times it:
    that breaks no law, but the weight beside a per-token cross-entropy then depends on the length.

    ## When to suppress it

    Where the sum over a sequence is what is meant, as in a sequence-level divergence.
    """

    code = "BMN105"
    precedence = 10
    name = "batchmean-rank"
    law = "null class"
    summary = 'a library KL with "batchmean" whose input is not (B, V)'
    first_contact = (0, 3)
    preview = True
    wrong = """\
import torch.nn.functional as F


def distillation(student_logits, teacher_logits):
    student = F.log_softmax(student_logits, dim=0)
    teacher = F.softmax(teacher_logits, dim=0)
    return F.kl_div(student, teacher, reduction="batchmean")
"""
    right = """\
import torch.nn.functional as F


def distillation(student_logits, teacher_logits):
    student = F.log_softmax(student_logits, dim=0)
    teacher = F.softmax(teacher_logits, dim=0)
    return F.kl_div(student, teacher, reduction="sum")
"""

    def holds(self, event: SupportEvent) -> bool:
        return event.step.per_batch

    def message(self, event: SupportEvent) -> str:
        integrand = event.reduction.integrand
        first = integrand.shape.axis(0)
        if first is not None and first.is_same(integrand.support):
            what = f"divides by the first axis, which holds the classes: {by_how_much(event)}"
        else:
            times = "*".join(name for name, power in event.factor.units if power > 0)
            what = f"divides by the first axis alone: {times} times the per-position loss"
        is_vector = integrand.shape.rank == 1
        instead = use(event) if is_vector else f'use reduction="none" with {right_form(event)}'
        return f'"batchmean" {what}; {instead}'
