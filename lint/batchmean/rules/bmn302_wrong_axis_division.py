from __future__ import annotations

from batchmean.rules.base import SupportRule
from batchmean.rules.support import SupportEvent
from batchmean.rules.words import by_how_much, support_words, use


class WrongAxisDivision(SupportRule):
    """
    ## What it finds

    A cross-entropy, a KL divergence or an entropy that is summed over everything and divided by the number of classes
    instead of the number of examples: `-(y * logp).sum() / logits.shape[1]`, where the code shows that axis 1 is
    the axis of the softmax.

    ## Why it matters

    The loss is B/V of the mean over the examples: it grows with the batch, and it shrinks with the classes. With
    a batch size near the number of classes nobody sees it.

    ## When to suppress it

    Where the classes are the examples, as in a matching; say so beside the `# noqa: BMN302`.
    """

    code = "BMN302"
    precedence = 20
    name = "wrong-axis-division"
    law = "null class and duplication"
    first_contact = (1, 1)
    preview = True
    summary = "a sum divided by the class count instead of the batch"
    wrong = """\
import torch
import torch.nn.functional as F


def cross_entropy(logits, labels):
    target = F.one_hot(labels, logits.shape[1])
    return -torch.sum(target * F.log_softmax(logits, dim=1)) / logits.shape[1]
"""
    right = """\
import torch
import torch.nn.functional as F


def cross_entropy(logits, labels):
    target = F.one_hot(labels, logits.shape[1])
    return -torch.sum(target * F.log_softmax(logits, dim=1)) / logits.shape[0]
"""

    def holds(self, event: SupportEvent) -> bool:
        return event.is_wrong_axis

    def message(self, event: SupportEvent) -> str:
        kind, support = event.reduction.integrand.kind, support_words(event)
        how = f"divided by the size of {support} instead of the number of examples"
        if event.sums_the_batch:
            how = f"summed over the batch axis and averaged over {support}"
        return f"{kind} is {how}: {by_how_much(event)}; {use(event)}"
