"""The losses that batchmean speaks about, written out: what is summed, and what is averaged.

A cross-entropy, a KL divergence or an entropy is an *expectation over a distribution*. The axis of that
distribution is its **support** (V classes, words of a vocabulary, actions; D latent dimensions) and is
summed. What remains are the **units** (B examples, or B x T tokens) and they are averaged:

    loss = mean over units ( sum over the support ( integrand ) )

Everything here takes the support as the *last* axis, so `(B, V)` and `(B, T, V)` both work and every axis
before the last counts units. All losses are in nats (natural logarithm) and return one `float`.
Floating-point inputs keep their dtype: float32 stays float32.

`whole_shape_cce` is here on purpose and on purpose wrong. It is the loss of the program this project grew
from.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating[Any]]
Integers = npt.NDArray[np.integer[Any]]
Mask = npt.NDArray[np.bool_]


def one_hot(labels: npt.ArrayLike, classes: int, dtype: npt.DTypeLike = np.float64) -> Array:
    """Labels as distributions: all mass on one class.

    `labels` (...), integers in `[0, classes)`; returns (..., V) with `V = classes`.

    Raises `ValueError` for labels that are not integers or not in range (a negative label would otherwise
    wrap around silently), or for fewer than one class.

    >>> one_hot([2, 0], classes=3)
    array([[0., 0., 1.],
           [1., 0., 0.]])
    """
    indices = np.asarray(labels)
    if classes < 1:
        raise ValueError(f"one_hot needs at least one class, got {classes}")
    if not np.issubdtype(indices.dtype, np.integer):
        raise ValueError(f"one_hot needs integer labels, got {indices.dtype}")
    if indices.size and (indices.min() < 0 or indices.max() >= classes):
        raise ValueError(f"labels must lie in [0, {classes}), got {indices.min()} to {indices.max()}")
    encoded: Array = np.zeros((*indices.shape, classes), dtype)  # (..., V)
    np.put_along_axis(encoded, indices[..., None], 1, axis=-1)
    return encoded


def log_softmax(logits: Array) -> Array:
    """Logarithm of `softmax`, (..., V) -> (..., V), without forming the softmax first.

    `x - max - log(sum(exp(x - max)))`: exact also where the probability itself underflows to 0 (Blanchard,
    Higham and Higham 2021, "Accurately computing the log-sum-exp and softmax functions").
    """
    shifted = logits - logits.max(axis=-1, keepdims=True)  # (..., V), at most 0
    normalised: Array = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return normalised


def softmax(logits: Array) -> Array:
    """Probabilities over the last axis, (..., V) -> (..., V): `exp(x) / sum(exp(x))`, safe for large `x`.

    >>> softmax(np.array([1000.0, 1000.0]))
    array([0.5, 0.5])
    """
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))  # (..., V), at most 1
    probabilities: Array = weights / weights.sum(axis=-1, keepdims=True)
    return probabilities


def mean_over_units(per_unit: Array, mask: Mask | None = None) -> float:
    """The average of one number per unit, over all units or over the valid ones.

    `per_unit` (...), one loss per example or token; `mask` (...), true where the unit is valid. The divisor
    is the number of valid units, not the size of the array: padding must not make a loss smaller.

    Raises `ValueError` where there is no unit to average over, or where the mask has another shape.
    """
    if mask is not None:
        if mask.shape != per_unit.shape:
            raise ValueError(f"a mask of shape {mask.shape} does not fit units of shape {per_unit.shape}")
        per_unit = per_unit[mask]
    if per_unit.size == 0:
        raise ValueError("there is no unit to average over")
    return float(per_unit.mean())


def cross_entropy(targets: Array, logits: Array, mask: Mask | None = None) -> float:
    """`mean over units ( -sum_v y_v log softmax(x)_v )`, in nats per unit.

    `targets` (..., V), distributions (one-hot or soft); `logits` (..., V), any real numbers; `mask` (...),
    true where the unit is valid. Where the target has no mass the term is 0 whatever the prediction, so a
    class that nobody predicts (logit `-inf`) and nobody targets changes nothing: that is the *null class*
    law.

    With one-hot targets this is `-log p[label]`, averaged: Goodfellow, Bengio and Courville, *Deep Learning*,
    eq. 6.12.

    >>> round(cross_entropy(one_hot([3], 100), np.zeros((1, 100))), 6)  # knowing nothing costs log(100)
    4.60517
    """
    return mean_over_units(_expected(targets, -log_softmax(logits)), mask)


def clipped_cross_entropy(targets: Array, probabilities: Array, epsilon: float = 1e-12) -> float:
    """`mean over units ( -sum_v y_v log clip(p_v) )`: the right reduction of the integrand of
    `whole_shape_cce`.

    `targets` and `probabilities` (..., V); probabilities are clipped to `[epsilon, 1]`, so this differs from
    `cross_entropy` by what the clipping changes and by nothing else.
    """
    return mean_over_units(_expected(targets, -_clipped_log(probabilities, epsilon)))


def whole_shape_cce(targets: Array, probabilities: Array, epsilon: float = 1e-12) -> float:
    """WRONG on purpose: `sum(-y log clip(p)) / (product of the whole shape)`, `V` times too small.

    The categorical cross-entropy of the Rust program that this project grew from, step for step: clip to
    `[1e-12, 1]`, logarithm, multiply by the targets, the product of `get_shape()`, scale by -1, sum, scale by
    one over that product. It counts the classes as if they were examples: for (B, V) it is `B * V` instead of
    `B`. `fixtures/on_numpy/whole_shape_tensor.py` has the same steps as methods of a tensor.

    `targets` and `probabilities` (..., V). Compare `clipped_cross_entropy`, the same integrand rightly
    reduced.

    >>> uniform = np.full((32, 100), 1 / 100)  # (B, V)
    >>> round(whole_shape_cce(one_hot([0] * 32, 100), uniform), 6)  # log(100) / 100, not log(100)
    0.046052
    """
    product = targets * _clipped_log(probabilities, epsilon)  # (..., V)
    length = math.prod(probabilities.shape)  # B * V: the mistake
    return float(np.sum(product * -1.0) * (1.0 / length))  # noqa: BMN101 - the very bug, kept to be looked at


def entropy(probabilities: Array) -> float:
    """Shannon entropy `mean over units ( -sum_v p_v log p_v )`, in nats per unit, with `0 log 0 = 0`.

    `probabilities` (..., V). Between 0 (certain) and `log V` (uniform). Shannon 1948, section 6.

    >>> round(entropy(np.full((5, 8), 1 / 8)) / math.log(2), 12)  # eight equal outcomes are three bits
    3.0
    """
    with np.errstate(divide="ignore"):
        return mean_over_units(_expected(probabilities, -np.log(probabilities)))


def kl_divergence(targets: Array, predictions: Array) -> float:
    """Kullback-Leibler divergence `mean over units ( sum_v p_v log(p_v / q_v) )`, in nats per unit.

    `targets` p and `predictions` q (..., V), both distributions. It is 0 where they are equal, never
    negative, and infinite where q misses mass that p has. Kullback and Leibler 1951, eq. 2.4. The integrand
    is `scipy.special.rel_entr`; not `scipy.special.kl_div`, whose extra `- p + q` makes it an elementwise
    loss that needs no support.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        log_ratio = np.log(targets) - np.log(predictions)  # (..., V)
    return mean_over_units(_expected(targets, log_ratio))


def gaussian_kl(mean: Array, log_variance: Array) -> float:
    """KL of a diagonal Gaussian against N(0, I): `mean over units ( -1/2 sum_d (1 + log s2 - m^2 - s2) )`, in
    nats.

    `mean` m and `log_variance` log s2 (..., D), D latent dimensions. The dimensions are *summed*: independent
    factors of a joint distribution add their divergences (Kingma and Welling 2013, appendix B). Averaging
    them makes the term D times too small beside a reconstruction error that is summed.

    >>> gaussian_kl(np.array([[1.0, 0.0, 0.0]]), np.zeros((1, 3)))  # dimensions equal to the prior are free
    0.5
    """
    per_dimension: Array = -0.5 * (1 + log_variance - mean**2 - np.exp(log_variance))  # (..., D)
    return mean_over_units(per_dimension.sum(axis=-1))


def perplexity(loss: float) -> float:
    """`exp(loss)` of a cross-entropy in nats per token: the size of the uniform vocabulary that is as hard to
    guess.

    Between 1 and, for a model no worse than guessing, V. Only the *summed* cross-entropy has this meaning: of
    a loss that is V times too small, `exp` gives something near 1 for every model. Jelinek, Mercer, Bahl and
    Baker 1977.

    >>> round(perplexity(cross_entropy(one_hot([3], 100), np.zeros((1, 100)))), 9)
    100.0
    """
    return math.exp(loss) if loss < math.log(np.finfo(np.float64).max) else math.inf


def _expected(weights: Array, values: Array) -> Array:
    """Expectation over the support: (..., V), (..., V) -> (...), with `0 * inf = 0`."""
    if weights.shape != values.shape:
        raise ValueError(f"targets of shape {weights.shape} do not fit predictions of shape {values.shape}")
    terms = np.multiply(weights, values, out=np.zeros_like(values), where=weights != 0)  # (..., V)
    expected: Array = terms.sum(axis=-1)
    return expected


def _clipped_log(probabilities: Array, epsilon: float) -> Array:
    """Logarithm of the probabilities, clipped to `[epsilon, 1]` first, (..., V) -> (..., V)."""
    if not 0 < epsilon < 1:
        raise ValueError(f"epsilon must lie between 0 and 1, got {epsilon}")
    clipped: Array = np.log(np.clip(probabilities, epsilon, 1.0))
    return clipped
