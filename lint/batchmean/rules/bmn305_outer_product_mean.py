from __future__ import annotations

from collections.abc import Iterator

from batchmean.engine.domain.accounts import report_node
from batchmean.engine.domain.counting import over_everything
from batchmean.engine.domain.tensors import Place, Reduction
from batchmean.engine.events import Miscount
from batchmean.engine.recognise.pairs import PAIRS
from batchmean.rules.base import MiscountRule
from batchmean.rules.docket import Docket


class OuterProductMean(MiscountRule):
    """
    ## What it finds

    An array of shape (B,) times one of shape (B, 1), under a mean: broadcasting makes (B, B) of them, where every
    example is paired with every other one. So does a difference: in Q-learning `q.gather(1, actions.unsqueeze(1))`
    keeps the axis of the actions, and `q_next.max(1)[0]` has lost it.

    ## Why it matters

    The mean over B x B products is the product of two means: the weight of an example no longer meets its own loss,
    and what the weights should teach is lost. The shapes fit, so nothing crashes.

    ## When to suppress it

    Where all pairs are meant; say so beside the `# noqa: BMN305`.
    """

    code = "BMN305"
    precedence = 70
    name = "outer-product-mean"
    law = "pointwise"
    first_contact = (4, 12)
    preview = True
    kind = "outer product"
    no_fix = "the code does not show which of the two shapes is meant: give both the same shape"
    summary = "(B,) times (B, 1): every example is paired with every other before the mean"
    wrong = """\
import torch


def policy_gradient(logits, actions, advantages):
    distribution = torch.distributions.Categorical(logits=logits)
    log_prob = distribution.log_prob(actions.reshape(-1))
    return -(log_prob * advantages.reshape(-1).unsqueeze(1)).mean()
"""
    right = """\
import torch


def policy_gradient(logits, actions, advantages):
    distribution = torch.distributions.Categorical(logits=logits)
    log_prob = distribution.log_prob(actions.reshape(-1))
    return -(log_prob * advantages.reshape(-1)).mean()
"""

    def find(self, docket: Docket) -> Iterator[Miscount]:
        for account in docket.open():
            if account.integrand.kind == PAIRS:
                docket.settle(account)
                if (paired := _paired(account)) is not None:
                    yield paired

    def message(self, event: Miscount) -> str:
        return (
            "(B,) times (B, 1) is (B, B): every example is paired with every other before this mean; "
            "give both the same shape"
        )


def _paired(reduction: Reduction) -> Miscount | None:
    """The mean over all pairs of (B,) and (B, 1)."""
    average, _ = over_everything(reduction)
    how = "sum" if average != reduction.rest else "mean"
    step = next((s for s in reduction.steps if s.whole and s.how == how), None)
    if step is None:
        return None
    places = (*reduction.integrand.evidence, Place(step.node, "this mean runs over the pairs"))
    node = report_node(reduction, step)
    return Miscount(node, "outer product", places, reduction.integrand.proved, None, reduction)
