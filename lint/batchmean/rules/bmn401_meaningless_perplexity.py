from __future__ import annotations

from batchmean.engine.events import Miscount
from batchmean.rules.base import MiscountRule


class MeaninglessPerplexity(MiscountRule):
    """
    ## What it finds

    The exponential of a cross-entropy that another rule reports: exp(loss), as a perplexity.

    ## Why it matters

    A perplexity is the exponential of the loss per token. Of a loss that is V times too small it is near 1 for every
    model, the untrained one too: exp(log(V)/V) instead of V.

    ## When to suppress it

    It goes away with the finding that it follows from.
    """

    code = "BMN401"
    name = "meaningless-perplexity"
    law = "null class"
    kind = "perplexity"
    summary = "exp of a loss that another rule reports"
    wrong = """\
import numpy as np
from scipy.special import log_softmax


def perplexity(labels, logits):
    one_hot = np.eye(logits.shape[-1])[labels]
    loss = -np.mean(one_hot * log_softmax(logits, axis=-1))
    return np.exp(loss)
"""
    right = """\
import numpy as np
from scipy.special import log_softmax


def perplexity(labels, logits):
    one_hot = np.eye(logits.shape[-1])[labels]
    loss = -np.mean(np.sum(one_hot * log_softmax(logits, axis=-1), axis=-1))
    return np.exp(loss)
"""

    def message(self, event: Miscount) -> str:
        return f"this is the exponential of {event.about} of the loss, which is no perplexity; mend the loss first"
