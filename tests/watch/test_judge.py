"""The judge on losses in NumPy, with their gradients by hand: what it reads from them, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from batchmean_reference.watch.judge import Array, NotJudged, Verdict, judge

B, T, V = 5, 6, 7
RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(B, V)).astype(np.float32)
TOKENS = RNG.normal(size=(B, T, V)).astype(np.float32)
LABELS = RNG.integers(0, V, B)
PADDED = np.where(np.arange(T) < RNG.integers(2, T, (B, 1)), RNG.integers(0, V, (B, T)), -100)

Weights = Callable[[Array, Array], Any]


def softmax(z: Array) -> Array:
    p = np.exp(z - z.max(-1, keepdims=True))
    normalised: Array = p / p.sum(-1, keepdims=True)
    return normalised


def brier(p: Array, y: Array) -> Array:
    slope: Array = 2 * p * ((p - y) - (p * (p - y)).sum(-1, keepdims=True))
    return slope


def hot(labels: Array, classes: int) -> Array:
    rows: Array = np.eye(classes)[np.where(labels < 0, 0, labels)] * (labels >= 0)[..., None]
    return rows


def cross_entropy(weights: Weights) -> Callable[[Sequence[Any], int], tuple[float, Array]]:
    """A cross-entropy whose units weigh what `weights(valid, z)` says."""

    def gradient(leaves: Sequence[Any], index: int) -> tuple[float, Array]:
        z, labels = leaves[0], leaves[1]
        y, p = hot(labels, z.shape[-1]), softmax(z.astype(np.float64))
        w = np.broadcast_to(weights(labels >= 0, z), labels.shape) * (labels >= 0)
        value = -(w[..., None] * y * np.log(p)).sum()
        return float(value), w[..., None] * (p * (labels >= 0)[..., None] - y)

    return gradient


def judged(weights: Weights, *leaves: Any) -> Verdict:
    return judge(cross_entropy(weights), leaves, [0])


RIGHT: dict[str, tuple[Weights, Array, Array]] = {
    "mean": (lambda valid, z: 1 / valid.sum(), LOGITS, LABELS),
    "sum": (lambda valid, z: 1.0, LOGITS, LABELS),
    "a tenth": (lambda valid, z: 0.1 / valid.sum(), LOGITS, LABELS),
    "token mean": (lambda valid, z: 1 / valid.sum(), TOKENS, PADDED),
    "mean of sequences": (
        lambda valid, z: 1 / (len(valid) * valid.sum(-1, keepdims=True).clip(1)),
        TOKENS,
        PADDED,
    ),
    "sum over tokens": (lambda valid, z: 1 / len(valid), TOKENS, PADDED),
}

WRONG: dict[str, tuple[Weights, Array, Array, str]] = {
    "classes": (lambda valid, z: 1 / z.size, LOGITS, LABELS, "1/V"),
    "classes, weighted": (lambda valid, z: 3 / z.size, LOGITS, LABELS, "1/V"),
    "batch again": (lambda valid, z: 1 / valid.size**2, LOGITS, LABELS, "1/B"),
    "sum over classes": (lambda valid, z: 1 / z.shape[-1], LOGITS, LABELS, "n/V"),
    "padding": (lambda valid, z: 1 / valid.size, TOKENS, PADDED, "n_valid/N"),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_averages_break_nothing(name: str) -> None:
    weights, z, labels = RIGHT[name]
    verdict = judged(weights, z, labels)
    assert verdict.breaks == ()
    assert "null class" in verdict.tried


@pytest.mark.parametrize("name", WRONG)
def test_wrong_averages_have_their_factor(name: str) -> None:
    weights, z, labels, factor = WRONG[name]
    verdict = judged(weights, z, labels)
    assert [each.factor for each in verdict.breaks] == [factor]


@pytest.mark.parametrize("name", ["classes", "sum over classes", "padding"])
def test_the_value_is_the_total_of_the_weights(name: str) -> None:
    weights, z, labels, _ = WRONG[name]
    verdict = judged(weights, z, labels)
    assert verdict.total == pytest.approx(verdict.breaks[0].value, rel=1e-4)


def test_units_are_counted_as_the_loss_counts_them() -> None:
    tokens, sequences = (judged(*RIGHT[name]).count for name in ("token mean", "mean of sequences"))
    assert tokens is not None and sequences is not None
    assert tokens((TOKENS, PADDED)) == (PADDED >= 0).sum()
    assert sequences((TOKENS, PADDED)) == B


def test_a_given_count_is_known_as_the_divisor() -> None:
    def gradient(leaves: Sequence[Any], index: int) -> tuple[float, Array]:
        return cross_entropy(lambda valid, z: 1 / leaves[2])(leaves[:2], index)

    verdict = judge(gradient, (TOKENS, PADDED, 40), [0])
    assert (verdict.breaks, verdict.grows, verdict.divisor) == ((), 1, 2)


def test_a_count_that_happens_to_be_the_number_of_classes_is_no_class_count() -> None:
    def gradient(leaves: Sequence[Any], index: int) -> tuple[float, Array]:
        return cross_entropy(lambda valid, z: 1 / leaves[2])(leaves[:2], index)

    assert judge(gradient, (LOGITS, LABELS, V), [0]).breaks == ()


def test_a_mean_of_the_classes_means_is_one_on_purpose() -> None:
    def macro(valid: Array, z: Array) -> Array:
        labels = np.tile(LABELS, len(valid) // len(LABELS) + 1)[: len(valid)]
        each: Array = 1 / (z.shape[-1] * np.bincount(labels)[labels])
        return each

    assert judged(macro, LOGITS, LABELS).breaks == ()


@pytest.mark.parametrize(
    "slope",
    [
        lambda z, y: (z - y) / z.size,
        lambda z, y: (1 / (1 + np.exp(-z)) - y) / z.size,
        lambda z, y: brier(softmax(z), y) / z.size,
    ],
    ids=["mean squared error", "binary cross-entropy", "Brier score"],
)
def test_elementwise_losses_are_not_judged(slope: Callable[[Array, Array], Array]) -> None:
    def gradient(leaves: Sequence[Any], index: int) -> tuple[float, Array]:
        z = leaves[0].astype(np.float64)
        return 1.0, slope(z, hot(leaves[1], z.shape[-1]))

    with pytest.raises(NotJudged, match="not that of a cross-entropy"):
        judge(gradient, (LOGITS, LABELS), [0])


def test_a_random_loss_is_told_as_such() -> None:
    rng = np.random.default_rng(0)

    def gradient(leaves: Sequence[Any], index: int) -> tuple[float, Array]:
        value, slope = cross_entropy(lambda valid, z: 1 / valid.size)(leaves, index)
        return value, slope * rng.random()

    with pytest.raises(NotJudged, match="random"):
        judge(gradient, (LOGITS, LABELS), [0])


def test_what_the_loss_raises_is_the_reason() -> None:
    def gradient(leaves: Sequence[Any], index: int) -> tuple[float, Array]:
        raise KeyError("step")

    with pytest.raises(NotJudged, match="KeyError: 'step'"):
        judge(gradient, (LOGITS, LABELS), [0])


def test_large_batches_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchmean_reference.watch.judge.LIMIT", 2**12)
    sizes = []

    def gradient(leaves: Sequence[Any], index: int) -> tuple[float, Array]:
        sizes.append(leaves[0].size)
        return cross_entropy(lambda valid, z: 1 / z.size)(leaves, index)

    z = np.broadcast_to(np.float32(0), (64, 512, 300))
    labels = np.arange(64 * 512).reshape(64, 512) % 7
    verdict = judge(gradient, (z, labels), [0])
    assert [each.factor for each in verdict.breaks] == ["1/V"]
    assert max(sizes) <= 4 * 2**12
