from __future__ import annotations

from batchmean.rules.base import SupportRule
from batchmean.rules.support import SupportEvent
from batchmean.rules.words import by_how_much, use


class LibraryMeanReduction(SupportRule):
    """
    ## What it finds

    `F.kl_div` and `nn.KLDivLoss` whose reduction is the default or `"mean"`, and `reduction="none"` followed by a
    mean over the class axis.

    ## Why it matters

    For these losses `"mean"` averages over every element, batch x classes; PyTorch's own documentation says that
    it "doesn't return the true KL divergence value". The divergence is the sum over the classes, averaged over the
    examples: `"batchmean"` for a (B, V) input, and `"none"` with `.sum(-1).mean()` for any rank.

    ## When to suppress it

    Where a published recipe and its weights depend on the smaller scale; say so beside the `# noqa: BMN103`.
    """

    code = "BMN103"
    precedence = 40
    name = "library-mean-reduction"
    law = "null class"
    first_contact = (90, 95)
    summary = 'a library KL whose "mean" divides by the class count'
    wrong = """\
import torch.nn.functional as F


def distillation(student_logits, teacher_logits):
    student = F.log_softmax(student_logits, dim=-1)
    teacher = F.softmax(teacher_logits, dim=-1)
    return F.kl_div(student, teacher)
"""
    right = """\
import torch.nn.functional as F


def distillation(student_logits, teacher_logits):
    student = F.log_softmax(student_logits, dim=-1)
    teacher = F.softmax(teacher_logits, dim=-1)
    return F.kl_div(student, teacher, reduction="none").sum(dim=-1).mean()
"""

    def holds(self, event: SupportEvent) -> bool:
        return event.reduction.integrand.library == "kl_div" and event.reduction.support == "averaged"

    def message(self, event: SupportEvent) -> str:
        if event.step.library:
            return f'the "mean" of kl_div is over the class axis too: {by_how_much(event)}; {use(event)}'
        how = "averaged over the class axis too"
        if event.sums_the_batch:
            how = "summed over the batch axis and averaged over the class axis"
        return f"the elements of kl_div are {how}: {by_how_much(event)}; {use(event)}"
