from __future__ import annotations

from batchmean.rules.base import SupportRule
from batchmean.rules.support import SupportEvent
from batchmean.rules.words import by_how_much, support_words, use


class ClassAxisMean(SupportRule):
    """
    ## What it finds

    A cross-entropy, a KL divergence or an entropy under a mean that takes in the class axis: `.mean()`,
    `np.mean`, `tf.reduce_mean`, `K.mean`, `.mean(-1)`, `np.average` without weights.

    ## Why it matters

    The class axis is the support of an expectation and has to be summed; only the examples are averaged. The mean
    over both divides by V too: the loss is V times too small, its gradient as well, and everything that is added
    to it or compared with it is off by V.

    ## When to suppress it

    Where a published recipe depends on the smaller scale; say so beside the `# noqa: BMN102`.
    """

    code = "BMN102"
    precedence = 60
    name = "class-axis-mean"
    law = "null class"
    first_contact = (43, 48)
    summary = "a cross-entropy, KL or entropy under a mean that covers the class axis"
    wrong = """\
import numpy as np
from scipy.special import log_softmax


def cross_entropy(labels, logits):
    one_hot = np.eye(logits.shape[-1])[labels]
    return -np.mean(one_hot * log_softmax(logits, axis=-1))
"""
    right = """\
import numpy as np
from scipy.special import log_softmax


def cross_entropy(labels, logits):
    one_hot = np.eye(logits.shape[-1])[labels]
    return -np.mean(np.sum(one_hot * log_softmax(logits, axis=-1), axis=-1))
"""

    def holds(self, event: SupportEvent) -> bool:
        return event.reduction.support == "averaged" or any(s.contraction for s in event.reduction.steps)

    def message(self, event: SupportEvent) -> str:
        kind, support = event.reduction.integrand.kind, support_words(event)
        how = f"averaged over {support} too"
        if event.sums_the_batch:
            how = f"summed over the batch axis and averaged over {support}"
        return f"{kind} is {how}: {by_how_much(event)}; {use(event)}"
