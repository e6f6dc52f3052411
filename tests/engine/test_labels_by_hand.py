"""Cross-entropies whose label is picked by hand: by Python's range, or off the logarithm of all odds."""

from __future__ import annotations

import textwrap

import batchmean
import pytest


def _told(source: str) -> list[tuple[str, str]]:
    result = batchmean.check_source(
        textwrap.dedent(source), select=["BMN201", "BMN202", "BMN301", "BMN302", "BMN303"]
    )
    assert not result.errors
    return [(finding.code, finding.confidence) for finding in result.findings]


PARTITION = """
import numpy as np
import torch
from scipy.special import logsumexp

def loss(logits, other, labels, mask):
    each = {}
    return {}
"""
AGAIN = "each.mean() / logits.shape[0]"


@pytest.mark.parametrize(
    "each",
    [
        "logsumexp(logits, axis=-1) - logits[np.arange(len(labels)), labels]",
        "logsumexp(logits, axis=-1) - logits[range(len(labels)), labels]",
        "-logits[np.arange(len(labels)), labels] + np.log(np.sum(np.exp(logits), axis=1))",
        "torch.logsumexp(logits, dim=-1) - logits.gather(-1, labels.unsqueeze(-1)).squeeze(-1)",
        "logits.gather(1, labels[:, None])[:, 0] - torch.logsumexp(logits, dim=1)",
        "logsumexp(logits, axis=1) - np.take_along_axis(logits, labels[:, None], axis=1)[:, 0]",
        "logsumexp(logits, axis=1) - np.take_along_axis(logits, labels[..., None], axis=-1)[..., 0]",
    ],
)
def test_the_label_less_the_logarithm_of_all_odds_is_a_loss_per_example(each: str) -> None:
    assert _told(PARTITION.format(each, AGAIN)) == [("BMN301", "proved")]
    assert _told(PARTITION.format(each, "each.sum().mean()")) == [("BMN303", "proved")]
    for right in ("each.mean()", "each.sum() / logits.shape[0]", "(each * mask).sum() / mask.sum()"):
        assert _told(PARTITION.format(each, right)) == []


@pytest.mark.parametrize(
    "each",
    [
        "logsumexp(other, axis=-1) - logits[np.arange(len(labels)), labels]",
        "logsumexp(logits, axis=-1) + logits[np.arange(len(labels)), labels]",
        "logsumexp(logits, axis=-1) - 2 * logits[np.arange(len(labels)), labels]",
        "logsumexp(logits, axis=-1) - logits[:, 0]",
    ],
)
def test_another_difference_is_none(each: str) -> None:
    assert _told(PARTITION.format(each, AGAIN)) == []


PICKED = """
import numpy as np

def loss(scores, labels, k):
    n = scores.shape[0]
    odds = np.exp(scores)
    probs = odds / odds.sum(axis=1, keepdims=True)
    rows = {}
    return {}
"""


@pytest.mark.parametrize("rows", ["range(n)", "range(scores.shape[0])", "range(len(scores))"])
def test_a_range_picks_one_of_each_row(rows: str) -> None:
    again = "-np.log(probs[rows, labels]).mean() / n"
    assert _told(PICKED.format(rows, again)) == [("BMN301", "proved")]
    assert _told(PICKED.format(rows, "-np.log(probs[rows, labels]).sum() / n")) == []
    assert _told(PICKED.format(rows, "-np.log(probs[rows, labels]).mean() / k")) == []


def test_a_range_that_was_cut_picks_nobody_knows_how_many() -> None:
    again = "-np.log(probs[rows, labels]).mean() / n"
    assert _told(PICKED.format("range(n)[::2]", again)) == _told(PICKED.format("list(range(n))", again)) == []
