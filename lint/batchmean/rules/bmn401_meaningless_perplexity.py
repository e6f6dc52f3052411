from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter

from batchmean.engine.domain.tensors import Place
from batchmean.engine.events import Miscount, fraction
from batchmean.rules.base import MiscountRule
from batchmean.rules.docket import Docket
from batchmean.rules.support import SupportEvent


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
    precedence = 150
    name = "meaningless-perplexity"
    law = "null class"
    kind = "perplexity"
    no_fix = "mend the loss first"
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

    def find(self, docket: Docket) -> Iterator[Miscount]:
        wrong: dict[int, tuple[int, SupportEvent | Miscount]] = {}
        for index, event in enumerate(docket.found):
            if isinstance(event, SupportEvent | Miscount) and _is_off_by_a_factor(event):
                if event.reduction is not None and event.reduction.integrand.symbol != "D":
                    wrong.setdefault(id(event.reduction), (index, event))
        for node, reductions in docket.ledger.exponentials:
            lines = (id(account) for mine in reductions for account in mine.line())
            first = min((wrong[each] for each in lines if each in wrong), key=itemgetter(0), default=None)
            if first is not None:
                event = first[1]
                places = (*event.evidence, Place(node, "the exponential of that loss is no perplexity"))
                about = fraction(event.monomial or {})
                yield Miscount(node, "perplexity", places, event.proved, None, event.reduction, about)

    def message(self, event: Miscount) -> str:
        return f"this is the exponential of {event.about} of the loss, which is no perplexity; mend the loss first"


def _is_off_by_a_factor(event: SupportEvent | Miscount) -> bool:
    return not event.step.per_batch if isinstance(event, SupportEvent) else event.kind == "masked mean"
