"""What a helper shows by itself, and what its callers make of it: a call that knows less changes no verdict."""

from __future__ import annotations

import textwrap

import pytest
from batchmean.linter import lint

_HEAD = "import torch.nn.functional as F\n"
_OVER_BATCHES = """
def epoch(loader):
    return sum([loss({names}) for {names} in loader]) / len(loader)
"""


def _found(text: str, names: str = "") -> list[tuple[str, str]]:
    caller = _OVER_BATCHES.format(names=names) if names else ""
    text = _HEAD + textwrap.dedent(text) + caller
    return [(f.code, f.confidence) for f in lint(text, "any.py")]


_SUMS_OF_TOKENS = """
def loss(student, teacher):
    batch, length, vocabulary = student.shape
    return F.kl_div(student.log_softmax(-1), teacher.softmax(-1), reduction="batchmean")
"""
_BY_DEFAULT = """
def loss(logits, teacher, how="mean"):
    terms = -teacher.softmax(-1) * logits.log_softmax(-1)
    return getattr(terms, how)()
"""
_SUM_OR_MEAN = """
def loss(mu, logvar, values, targets, per_example=True):
    divergence = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp())
    total = divergence.sum() / mu.shape[0] if per_example else divergence.sum()
    return total + F.mse_loss(values, targets)
"""


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (_SUMS_OF_TOKENS, "student, teacher"),
        (_BY_DEFAULT, "logits, teacher, how"),
        (_SUM_OR_MEAN, "mu, logvar, values, targets, per_example"),
    ],
)
def test_a_mean_over_the_batches_of_a_loader_changes_no_verdict(text: str, names: str) -> None:
    assert _found(text) == _found(text, names)


def test_a_default_is_likely_and_a_call_that_says_more_decides() -> None:
    assert _found(_BY_DEFAULT) == [("BMN102", "likely")]
    summed = "\ndef other(logits, teacher, beta):\n    return beta * loss(logits, teacher, 'sum').sum()\n"
    assert not _found(_BY_DEFAULT + summed)


def test_what_a_caller_puts_right_is_right() -> None:
    times = "\ndef other(x, y, n):\n    return loss(x, y) * x.shape[-1] / n\n"
    loss = "\ndef loss(x, y):\n    return F.kl_div(x.log_softmax(-1), y.softmax(-1))\n"
    assert _found(loss) == [("BMN103", "proved")]
    assert not _found(loss + times)


def test_a_mean_that_is_asked_for_may_stand_in_a_helper() -> None:
    text = """
    def summed_up(values):
        return values.sum()

    def averaged(values):
        return values.mean()

    def loss(labels, logits, summed=True, average=True):
        losses = F.cross_entropy(logits, labels, reduction="none")
        if summed:
            losses = summed_up(losses)
        {test}
            losses = averaged(losses)
        return losses
    """
    assert _found(text.format(test="if average:")) == [("BMN303", "proved")]
    assert not _found(text.format(test="for _ in range(1):"))


def test_a_masked_loss_is_told_where_it_is_divided() -> None:
    text = """
    import numpy as np

    def computed(probs, target, lengths):
        legal = np.arange(probs.shape[1])[None, :] < lengths[:, None]
        probs = probs * legal / (probs * legal).sum(axis=1, keepdims=True)
        target = target * legal / (target * legal).sum(axis=1, keepdims=True)
        terms = np.where(legal, -target * np.log(np.where(legal, probs, 1.0)), 0.0)
        return terms.sum() / legal.sum()

    def called(probs, target, lengths):
        return computed(probs, target, lengths)
    """
    assert _found(text) == [("BMN202", "proved")]
