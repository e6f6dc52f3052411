"""What the tables say of the libraries' own losses, measured: which "mean" divides by the classes, and which does not.

A null class (no target mass, next to no predicted mass) changes nothing where the class axis is summed, and
shrinks the loss by V / (V + 1) where it is averaged.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from batchmean_reference.arguments import Argument
from batchmean_reference.audit import Monomial, deviation, measure_all
from batchmean_reference.frameworks import FRAMEWORKS
from batchmean_reference.laws import Loss, check_law

from tests.frameworks.libraries import require

pytestmark = [pytest.mark.heavy, pytest.mark.filterwarnings("ignore")]  # the libraries' own warnings

Array = Any
P, LOG_P, Q, LOG_Q = "p", "log_p", "q", "log_q"


def summed(p: Array, log_p: Array, q: Array, log_q: Array) -> Any:
    """KL(p, q), summed over the classes and averaged over the examples, by NumPy."""
    return np.sum(p * (log_p - log_q), axis=-1).mean()


def cross_entropy(p: Array, log_p: Array, q: Array, log_q: Array) -> Any:
    """The cross-entropy of q under p, in the same way."""
    return -np.sum(p * log_q, axis=-1).mean()


# folder, function of the library, its arguments and keywords, what it should be, the factor between the two
CASES: list[tuple[str, str, tuple[str, ...], dict[str, Any], Callable[..., Any], str]] = [
    ("on_torch", "torch.nn.functional.kl_div", (LOG_Q, P), {}, summed, "V^-1"),
    ("on_torch", "torch.nn.functional.kl_div", (LOG_Q, P), {"reduction": "batchmean"}, summed, "1"),
    ("on_torch", "torch.nn.functional.cross_entropy", (LOG_Q, P), {}, cross_entropy, "1"),
    ("on_paddle", "paddle.nn.functional.kl_div", (LOG_Q, P), {}, summed, "V^-1"),
    ("on_paddle", "paddle.nn.functional.kl_div", (LOG_Q, P), {"reduction": "batchmean"}, summed, "1"),
    ("on_paddle", "paddle.nn.functional.cross_entropy", (LOG_Q, P), {"soft_label": True}, cross_entropy, "1"),
    ("on_mlx", "mlx.nn.losses.kl_div_loss", (LOG_Q, LOG_P), {"reduction": "mean"}, summed, "1"),
    ("on_mlx", "mlx.nn.losses.cross_entropy", (LOG_Q, P), {"reduction": "mean"}, cross_entropy, "1"),
    ("on_jax", "optax.kl_divergence", (LOG_Q, P), {}, summed, "1"),
    ("on_jax", "optax.convex_kl_divergence", (LOG_Q, P), {}, summed, "1"),
    ("on_jax", "optax.losses.kl_divergence_with_log_targets", (LOG_Q, LOG_P), {}, summed, "1"),
    ("on_jax", "optax.softmax_cross_entropy", (LOG_Q, P), {}, cross_entropy, "1"),
    ("on_jax", "optax.safe_softmax_cross_entropy", (LOG_Q, P), {}, cross_entropy, "1"),
    ("on_tensorflow", "tensorflow.nn.softmax_cross_entropy_with_logits", (P, LOG_Q), {}, cross_entropy, "1"),
    (
        "on_tensorflow",
        "tensorflow.compat.v1.losses.softmax_cross_entropy",
        (P, LOG_Q),
        {},
        cross_entropy,
        "1",
    ),
    ("on_keras", "keras.losses.kl_divergence", (P, Q), {}, summed, "1"),
    ("on_keras", "keras.losses.categorical_crossentropy", (P, Q), {}, cross_entropy, "1"),
    ("on_keras", "keras.ops.categorical_crossentropy", (P, Q), {}, cross_entropy, "1"),
]


@pytest.mark.parametrize(
    ("folder", "name", "taken", "keywords", "right", "factor"),
    CASES,
    ids=[f"{case[1]}-{case[5]}" for case in CASES],
)
def test_the_mean_of_a_library_is_what_the_table_says(
    folder: str,
    name: str,
    taken: tuple[str, ...],
    keywords: dict[str, Any],
    right: Callable[..., Any],
    factor: str,
) -> None:
    framework = FRAMEWORKS[folder]
    for library in framework.libraries:
        require(library)
    framework.prepare()
    module, _, last = name.rpartition(".")
    function: Any = getattr(importlib.import_module(module), last)

    def written(p: Array, q: Array) -> Any:
        # Where the table says that a loss is per example, its mean is the one to compare.
        values = {P: p, LOG_P: np.log(p), Q: q, LOG_Q: np.log(q)}
        given = [framework.convert(values[key]) for key in taken]
        if folder == "on_tensorflow" and "v1" not in name:
            return function(labels=given[0], logits=given[1], **keywords)
        return function(*given, **keywords)

    def reference(p: Array, q: Array) -> Any:
        return right(p, np.log(p), q, np.log(q))

    arguments = (Argument.parse("p", "probs (B, V)"), Argument.parse("q", "probs (B, V)"))
    # Keras clips probabilities at 1e-7; MLX and TensorFlow 1's losses compute in float32.
    tolerance = 1e-5 if folder in ("on_keras", "on_mlx") or "v1" in name else 1e-9
    measured = measure_all(Loss(written, arguments), Loss(reference, arguments))
    assert deviation(measured, Monomial.parse(factor)) < tolerance
    verdict = check_law("null class", Loss(written, arguments), tolerance=1e-5).verdict
    assert verdict == ("holds" if factor == "1" else "broken")
