"""Training, with the denominator as the only difference between a right run and a wrong one.

The loss is `-sum(y * log p) / denominator(shape)`, where `shape` is that of the logits, (B, T, V) or (B, V).
The sum is the same for everyone. What it is divided by is one of three functions, and everything the demo
shows follows from which of them is passed in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from batchmean_reference.losses import Array, Integers, cross_entropy, log_softmax, one_hot
from batchmean_reference.optimizers import Optimizer, clip, global_norm
from batchmean_reference.transformer import Transformer

Denominator = Callable[[tuple[int, ...]], int]


def units(shape: tuple[int, ...]) -> int:
    """RIGHT: the units, all axes but the classes. B for (B, V), B * T for (B, T, V)."""
    return math.prod(shape[:-1])


def whole_shape(shape: tuple[int, ...]) -> int:
    """WRONG: the product of the whole shape, as in `losses.whole_shape_cce`. V times too large."""
    return math.prod(shape)


def first_axis(shape: tuple[int, ...]) -> int:
    """The repair that first comes to mind, `shape[0]`. Right for (B, V); T times too small for (B, T, V)."""
    return shape[0]


def loss_and_gradient(targets: Array, logits: Array, denominator: Denominator) -> tuple[float, Array]:
    """The loss, and its gradient with respect to the logits.

    `targets` one-hot and `logits`, both (..., V); returns the loss and (..., V). The derivative of `-sum(y *
    log softmax(x))` is `softmax(x) * sum(y) - y`, with `sum(y) = 1` (Bishop 2006, eq. 4.109): the denominator
    scales the loss and its gradient alike and does nothing else.
    """
    log_p = log_softmax(logits)  # (..., V)
    count = denominator(logits.shape)
    loss = -float((targets * log_p).sum()) / count  # which count is right is the whole question here
    return loss, (np.exp(log_p) - targets) / count


def penalty_and_gradient(logits: Array) -> tuple[float, Array]:
    """A second loss term to weigh against the first: the mean over units of `log(sum(exp(x)))^2`, and its
    gradient.

    `logits` (..., V); returns the penalty and (..., V). It keeps softmax's normaliser near 1 and is in common
    use beside a cross-entropy, with a small weight (Chowdhery et al. 2022, "PaLM", section 5).
    """
    log_p = log_softmax(logits)  # (..., V)
    log_z = logits[..., :1] - log_p[..., :1]  # (..., 1)
    count = units(logits.shape)
    return float((log_z**2).sum()) / count, 2 * log_z * np.exp(log_p) / count


@dataclass
class History:
    """What one run showed. A list has one entry per step."""

    losses: list[float] = field(default_factory=list)  # as the run saw them, with its own denominator
    nats: list[float] = field(default_factory=list)  # the same, in nats per token whatever the denominator
    norms: list[float] = field(default_factory=list)  # of the whole gradient, before clipping
    held_out: float = math.nan  # nats per token on text the model has not seen, after the last step


@dataclass(frozen=True)
class Text:
    """Token ids of the training text and of the text held out, and the number of characters of the latter."""

    training: Integers
    held_out: Integers
    vocabulary: int
    held_out_characters: int


def batches(ids: Integers, batch: int, time: int, seed: int) -> Iterator[tuple[Integers, Integers]]:
    """Endless windows of a text: inputs (B, T) and, one token later, what they should predict (B, T)."""
    rng = np.random.default_rng(seed)
    while True:
        starts = rng.integers(0, len(ids) - time, batch)  # (B,)
        window = ids[starts[:, None] + np.arange(time + 1)]  # (B, T + 1)
        yield window[:, :-1], window[:, 1:]


def train(
    model: Transformer,
    text: Text,
    optimizer: Optimizer,
    denominator: Denominator,
    *,
    steps: int,
    batch: int = 16,
    largest_norm: float | None = None,
    penalty: float = 0.0,
    seed: int = 0,
    each_step: Callable[[int], None] = lambda step: None,
) -> History:
    """Trains the model in place for `steps` steps of `batch` windows, and says how it went.

    Runs with equal seeds see equal batches. `largest_norm` clips the gradient; `each_step` is told every
    step's number.
    """
    history = History()
    parameters = model.all_parameters()
    windows = batches(text.training, batch, model.shape.context, seed)
    for step in range(steps):
        inputs, labels = next(windows)  # (B, T) each
        logits = model.forward(inputs)  # (B, T, V)
        targets = one_hot(labels, text.vocabulary, logits.dtype)  # (B, T, V)
        loss, d_logits = loss_and_gradient(targets, logits, denominator)
        if penalty:
            d_logits += penalty * penalty_and_gradient(logits)[1]
        model.backward(d_logits)
        gradients = model.all_gradients()
        history.losses.append(loss)
        history.nats.append(loss * denominator(logits.shape) / units(logits.shape))
        history.norms.append(global_norm(gradients))
        optimizer.step(parameters, clip(gradients, largest_norm) if largest_norm else gradients)
        each_step(step)
    history.held_out = evaluate(model, text.held_out)
    return history


def evaluate(model: Transformer, ids: Integers) -> float:
    """Cross-entropy in nats per token of a text (N,), cut into windows of the context's length."""
    time = model.shape.context
    count = (len(ids) - 1) // time
    inputs, labels = (ids[i : i + count * time].reshape(count, time) for i in (0, 1))  # (count, T) each
    logits = model.forward(inputs)  # (count, T, V)
    return cross_entropy(one_hot(labels, model.shape.vocabulary, logits.dtype), logits)
