"""What docs/fixes.md says about training after a fix, step by step in NumPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Update = Callable[[Array, Array], Array]

B, F, V = 6, 4, 5
RATE, PENALTY, STEPS = 0.3, 0.02, 25


def _gradient(weights: Array, per_element: bool) -> Array:
    """Of the cross-entropy of a linear classifier, averaged over every element or over the examples."""
    rng = np.random.default_rng(0)
    inputs, labels = rng.normal(size=(B, F)), rng.integers(0, V, size=B)
    logits = inputs @ weights
    probs = np.exp(logits - logits.max(axis=1, keepdims=True))
    probs /= probs.sum(axis=1, keepdims=True)
    gradient: Array = inputs.T @ (probs - np.eye(V)[labels]) / B
    return gradient / V if per_element else gradient


def _trained(per_element: bool, update: Update) -> Array:
    weights: Array = np.zeros((F, V))
    for _ in range(STEPS):
        weights = weights + update(_gradient(weights, per_element), weights)
    return weights


def _momentum(rate: float, penalty: float, limit: float = np.inf) -> Update:
    velocity = np.zeros((F, V))

    def update(gradient: Array, weights: Array) -> Array:
        gradient = gradient + penalty * weights
        gradient = gradient * min(1.0, limit / float(np.linalg.norm(gradient)))
        velocity[:] = 0.9 * velocity + gradient
        return -rate * velocity

    return update


def _adamw(rate: float, decay: float) -> Update:
    first, second, step = np.zeros((F, V)), np.zeros((F, V)), [0]

    def update(gradient: Array, weights: Array) -> Array:
        step[0] += 1
        first[:] = 0.9 * first + 0.1 * gradient
        second[:] = 0.999 * second + 0.001 * gradient**2
        scaled = first / (1 - 0.9 ** step[0]) / (np.sqrt(second / (1 - 0.999 ** step[0])) + 1e-12)
        return -rate * (scaled + decay * weights)

    return update


def test_sgd_trains_as_before_with_the_rate_divided_and_the_penalty_multiplied() -> None:
    before = _trained(True, _momentum(RATE, PENALTY))
    after = _trained(False, _momentum(RATE / V, PENALTY * V))
    np.testing.assert_allclose(after, before, rtol=1e-10, atol=1e-14)
    assert not np.allclose(_trained(False, _momentum(RATE / V, PENALTY)), before)


def test_a_clipping_threshold_is_multiplied() -> None:
    before = _trained(True, _momentum(RATE, 0.0, limit=0.01))
    after = _trained(False, _momentum(RATE / V, 0.0, limit=0.01 * V))
    np.testing.assert_allclose(after, before, rtol=1e-10, atol=1e-14)


def test_adam_with_decoupled_decay_hardly_notices() -> None:
    np.testing.assert_allclose(
        _trained(False, _adamw(RATE, PENALTY)), _trained(True, _adamw(RATE, PENALTY)), rtol=1e-6
    )
