from __future__ import annotations

from batchmean.engine.events import Miscount
from batchmean.rules.base import MiscountRule


class SumBesideMean(MiscountRule):
    """
    ## What it finds

    A term that is summed over the examples, added as it is to one that is averaged over them:
    `F.cross_entropy(logits, labels) - 0.5 * torch.sum(1 + logvar - mu**2 - logvar.exp())`. Also a total over all
    tokens that is added to the loss of each token before these are averaged.

    ## Why it matters

    The two terms trade places as the batch grows: at a batch size of 256 the first one weighs 256 times what it weighs
    for one example. A weight that was tuned for one batch size is wrong for every other, and a last, smaller batch is
    trained for something else. In a VAE the divergence wins, and the posterior collapses.

    ## When to suppress it

    Where the balance is meant; say so beside the `# noqa: BMN306`. Nothing is said where something may make up for it:
    a weight on either term (`beta`, a coefficient of the configuration, a number such as `0.001`), a division by any
    count, as a graph autoencoder's 1/N. Nor is it said of a squared error that is summed over its features beside a
    mean, unless the code shows that both have the same examples; of the divergence of a network's own weights, which
    have no examples; and of a mean of which it is not shown that it is over examples at all.
    """

    code = "BMN306"
    name = "sum-beside-mean"
    law = "duplication"
    preview = True
    kind = "sum beside mean"
    summary = "a term summed over the batch added to a term averaged over it"
    wrong = """\
import torch.nn.functional as F


def distillation(logits, labels, teacher_logits):
    log_probs = F.log_softmax(logits, dim=1)
    soft = F.kl_div(log_probs, F.softmax(teacher_logits, dim=1), reduction="sum")
    return F.cross_entropy(logits, labels) + soft
"""
    right = """\
import torch.nn.functional as F


def distillation(logits, labels, teacher_logits):
    log_probs = F.log_softmax(logits, dim=1)
    soft = F.kl_div(log_probs, F.softmax(teacher_logits, dim=1), reduction="batchmean")
    return F.cross_entropy(logits, labels) + soft
"""

    def message(self, event: Miscount) -> str:
        if event.about == "total":
            return (
                "a total over all positions was added to the loss of each, so this mean leaves it a total: it grows "
                "with the batch and the other term does not; sum it once, together with the others"
            )
        return (
            "a term that is summed over the examples is added to one that is averaged over them: their balance "
            "changes with the batch size; average both"
        )
