from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from batchmean.engine.domain.accounts import Choices
from batchmean.engine.domain.tensors import Place, Reduction, Role
from batchmean.engine.events import Miscount
from batchmean.engine.evidence.code import LATENTS, PARAMETERS
from batchmean.engine.factors import factor_of, is_over_the_examples
from batchmean.engine.ledger import Ledger
from batchmean.engine.syntax import spelled_out
from batchmean.rules.base import MiscountRule
from batchmean.rules.docket import Docket


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
    precedence = 120
    name = "sum-beside-mean"
    law = "duplication"
    first_contact = (19, 24)
    preview = True
    kind = "sum beside mean"
    no_fix = "what the balance of the two terms should be is not shown: average both"
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

    def find(self, docket: Docket) -> Iterator[Miscount]:
        for account in docket.open():
            if (total := _total_for_each(account)) is not None:
                docket.settle(account)
                if not docket.choices.has(account):
                    yield total
        yield from _sums_beside_means(docket.ledger, docket.accounts, docket.choices)

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


def _sums_beside_means(ledger: Ledger, final: Sequence[Reduction], choices: Choices) -> Iterator[Miscount]:
    """Every such event of a module; of several additions of one sum the first is told."""
    told: set[int] = set()
    lasting = {id(account): last for last in final for account in last.line()}
    for addition in ledger.additions:
        for mine, others in (addition.sides, addition.sides[::-1]):
            for summed in filter(_is_whole_sum, mine):  # few are: the others need not be compared with all
                averaged = next((other for other in others if _unbalances(summed, other)), None)
                if averaged is None or id(summed.origin) in told:
                    continue
                if choices.has(summed) or choices.has(averaged) or choices.divides(summed):
                    continue  # who chooses the one may choose the other
                last = lasting.get(id(summed), summed)
                if last.is_reported or not _is_whole_sum(last):
                    continue  # what is divided or weighed later may make up for it
                told.add(id(summed.origin))
                yield _event(addition.node, summed, averaged)


def _total_for_each(reduction: Reduction) -> Miscount | None:
    """The event of a total that is added to the losses of positions, masked, and averaged with them."""
    mask = reduction.spread
    if mask is None or mask.on_number or reduction.rest != "sum" or not reduction.mixed:
        return None
    after = [step for step in reduction.steps[mask.after_steps :] if step.how != "scale"]
    if not after or any(step.how != "sum" for step in after) or not after[-1].whole:
        return None
    counts = list(reduction.counts())
    valid = [atom for atom, power in counts if atom.role is Role.VALID and power == -1]
    if len(valid) != 1 or valid[0].source != mask.key or any(a.role is Role.COUNT for a, _ in counts):
        return None
    total = next(step for step in reduction.steps if step.how == "sum" and step.whole)
    step = reduction.steps[-1]
    places = (
        *reduction.integrand.evidence,
        Place(total.node, "this is the sum over all positions"),
        *mask.places,
        Place(step.node, "the mean over the positions leaves it as it is"),
    )
    shown = reduction.integrand.proved and mask.shown
    return Miscount(step.node, "sum beside mean", places, shown, None, reduction, "total")


def _event(node: ast.AST, summed: Reduction, averaged: Reduction) -> Miscount:
    places = (
        *summed.integrand.evidence,
        Place(summed.steps[-1].node, "this is a sum over the examples"),
        Place(averaged.steps[-1].node, "this is a mean over the examples"),
        Place(node, "they are added up as they are"),
    )
    shown = summed.integrand.proved and averaged.integrand.proved and _share_examples(summed, averaged)
    shown = shown and not summed.integrand.assumed and _has_examples(summed)
    return Miscount(node, "sum beside mean", places, shown, None, summed)


def _unbalances(summed: Reduction, averaged: Reduction) -> bool:
    """Beside a whole sum, is the second averaged over its own examples, with no weight on it?"""
    if not _is_mean(averaged) or summed.integrand.key == averaged.integrand.key:
        return False
    if _share_examples(summed, averaged) and _has_examples(summed):
        return True
    if summed.integrand.symbol == "V":
        return _has_examples(summed) and _is_over_examples(averaged)
    # Of a latent code the examples are not shown; of a squared error it is a convention to sum the features.
    return summed.integrand.symbol == "D" and _may_have_examples(summed) and _is_over_examples(averaged)


def _is_whole_sum(account: Reduction) -> bool:
    if account.rest != "sum" or account.support != "summed" or account.scale or account.spread is not None:
        return False
    if any(isinstance(d.node, ast.comprehension) for step in account.steps for d in step.path):
        return False  # of one row of it, and what becomes of the rows is not counted
    return all(how == "sum" for _, how in account.units) and account.is_plain


def _is_mean(account: Reduction) -> bool:
    """Is it the mean over the examples, with nothing that makes it larger again?"""
    if account.support != "summed" or account.spread is not None or not account.is_plain or not account.steps:
        return False
    if account.rest == "mean":
        return not account.scale
    factor = factor_of(account)
    if factor is None or dict(factor.units).get("B") != 0 or factor.support:
        return False
    return is_over_the_examples(account)  # not over the height and the width of images alone


def _share_examples(one: Reduction, other: Reduction) -> bool:
    """Have both the same first axis, and is it no support?"""
    mine, theirs = one.integrand.shape.leading(1), other.integrand.shape.leading(1)
    if not mine or not theirs or not mine[0].is_same(theirs[0]):
        return False
    return not any(mine[0].is_same(account.integrand.support) for account in (one, other))


def _has_examples(account: Reduction) -> bool:
    """Does the code show an axis before the support?"""
    integrand = account.integrand
    if not integrand.symbol:
        return (integrand.shape.rank or 0) > 1 or bool(integrand.shape.leading(1))
    return integrand.shape.is_left(integrand.support) and not integrand.assumed


def _may_have_examples(account: Reduction) -> bool:
    """Do the names say that a latent code is one of each example?"""
    integrand = account.integrand
    if integrand.shape.rank == 1:
        return False
    nodes = (*(place.node for place in integrand.evidence), account.steps[0].node)
    texts = [spelled_out(node) for node in nodes]
    return any(map(LATENTS.is_in, texts)) and not any(map(PARAMETERS.is_in, texts))


def _is_over_examples(averaged: Reduction) -> bool:
    """Is there an axis that the mean is over, and that is no feature of one example?"""
    integrand = averaged.integrand
    if integrand.symbol == "D" or (integrand.shape.rank or 0) > 1:
        return True
    return bool(integrand.library or averaged.units or integrand.symbol)
