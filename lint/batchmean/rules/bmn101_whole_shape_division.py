from __future__ import annotations

from batchmean.rules.base import SupportRule
from batchmean.rules.support import SupportEvent
from batchmean.rules.words import by_how_much, support_words, use


class WholeShapeDivision(SupportRule):
    """
    ## What it finds

    A cross-entropy, a KL divergence or an entropy is summed over everything and then divided by the product of
    the whole shape: `.size`, `.numel()`, `np.prod(x.shape)`, `B * V`, `math.prod(x.shape)`, a loop over the shape.

    ## Why it matters

    These terms are expectations over the class axis: `-sum_v y_v log p_v` is one number per example, and only the
    examples are to be averaged. Dividing by the class count as well makes the loss V times smaller: at
    initialisation it is log(V)/V instead of log(V). It still goes down, so nobody notices, but plain SGD trains V
    times slower, L2 penalties and every other loss term weigh V times more, and exp(loss) is no perplexity.

    ## When to suppress it

    Where a published recipe depends on the smaller scale; say so beside the `# noqa: BMN101`.
    """

    code = "BMN101"
    precedence = 50
    name = "whole-shape-division"
    law = "null class"
    first_contact = (2, 4)
    summary = "a summed cross-entropy, KL or entropy divided by the product of the whole shape"
    wrong = """\
import numpy as np


def cross_entropy(labels, probs):
    one_hot = np.eye(probs.shape[1])[labels]
    return -np.sum(one_hot * np.log(probs)) / probs.size
"""
    right = """\
import numpy as np


def cross_entropy(labels, probs):
    one_hot = np.eye(probs.shape[1])[labels]
    return -np.sum(one_hot * np.log(probs)) / probs.shape[0]
"""

    def holds(self, event: SupportEvent) -> bool:
        return event.reduction.support == "summed" and not any(s.contraction for s in event.reduction.steps)

    def message(self, event: SupportEvent) -> str:
        return (
            f"{event.reduction.integrand.kind} is divided by the size of {support_words(event)} too: "
            f"{by_how_much(event)}; {use(event)}"
        )
