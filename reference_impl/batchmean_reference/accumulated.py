"""Training on texts of unequal length, in one batch, in micro-batches, or on several simulated ranks.

The same texts in the same order for everyone, and the same model at the start. What differs is how a batch is cut and
how its parts are added up: see `parts`. A rank is a model of its own, with an optimizer of its own, that sees its share
of the texts; the ranks average their gradients before each step, as `DistributedDataParallel` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from batchmean_reference.laboratory import Run, flat, text
from batchmean_reference.losses import Array, Integers, Mask, log_softmax, one_hot
from batchmean_reference.optimizers import SGD
from batchmean_reference.parts import MODES, Mode, cut
from batchmean_reference.training import batches
from batchmean_reference.transformer import Transformer

TEXTS = 16
"""Texts in a batch."""
CONTEXT = Run(100).fresh_model().shape.context
"""The most tokens of a text: what the study model has room for."""


@dataclass(frozen=True)
class Cut:
    """How a batch of texts is trained on: `accumulate` micro-batches on each of `ranks`, added up as `mode` says."""

    mode: str = "global token-mean"
    accumulate: int = 1
    ranks: int = 1


@dataclass
class Course:
    """What a run showed: a list has one entry per step."""

    nats: list[float] = field(default_factory=list)  # per valid token of the batch, before the step
    cosines: list[float] = field(default_factory=list)  # of the gradient with that of the whole batch
    lengths: list[float] = field(default_factory=list)  # of the gradient over that of the whole batch
    end: Array = field(default_factory=lambda: np.zeros(0))  # all parameters after the last step
    ranks_apart: float = 0.0  # the largest distance of a parameter of another rank from that of the first


def texts(vocabulary: int, time: int, seed: int) -> Iterator[tuple[Integers, Integers, Mask]]:
    """Endless batches: inputs and labels (B, T), and which positions are valid (B, T): as many as the text is long.

    Lengths are drawn evenly on a logarithmic scale from 1 to T: most texts are short, a few long.
    """
    rng = np.random.default_rng(seed)
    for inputs, labels in batches(text(vocabulary).training, TEXTS, time, seed):
        lengths = np.exp(rng.uniform(0, np.log(time + 1), TEXTS)).astype(int)  # (B,)
        yield inputs, labels, np.arange(time) < lengths[:, None]


def gradient(
    model: Transformer, inputs: Integers, labels: Integers, weights: Array, part: Integers
) -> tuple[float, dict[str, Array]]:
    """The weighted loss of one part and its gradient: what `loss.backward()` leaves."""
    logits = model.forward(inputs[part])  # (b, T, V)
    log_p = log_softmax(logits)  # (b, T, V)
    targets = one_hot(labels[part], logits.shape[-1], logits.dtype)  # (b, T, V)
    model.backward((np.exp(log_p) - targets) * weights[part][..., None])
    loss = -float((targets * log_p).sum(axis=-1)[weights[part] > 0] @ weights[part][weights[part] > 0])
    return loss, {name: array.copy() for name, array in model.all_gradients().items()}


def added(gradients: list[dict[str, Array]]) -> dict[str, Array]:
    """The sum of gradients, parameter by parameter."""
    return {name: sum((each[name] for each in gradients[1:]), gradients[0][name]) for name in gradients[0]}


@cache
def trained(cut_as: Cut, vocabulary: int, steps: int, rate: float = 0.3) -> Course:
    """A run of the study model under plain SGD. Runs with equal arguments are one run."""
    mode, course = MODES[cut_as.mode], Course()
    models = [Run(vocabulary).fresh_model() for _ in range(cut_as.ranks)]
    optimizers = [SGD(rate) for _ in models]
    drawn = texts(vocabulary, CONTEXT, seed=0)
    for _ in range(steps):
        inputs, labels, valid = next(drawn)
        loss, right = gradient(models[0], inputs, labels, valid / valid.sum(), np.arange(TEXTS))
        own = _on_ranks(models, mode, cut_as, (inputs, labels, valid))
        course.nats.append(loss)
        one, other = flat(own), flat(right)
        course.cosines.append(float(one @ other / np.linalg.norm(one) / np.linalg.norm(other)))
        course.lengths.append(float(np.linalg.norm(one) / np.linalg.norm(other)))
        for model, optimizer in zip(models, optimizers, strict=True):
            optimizer.step(model.all_parameters(), own)
    course.end = flat(models[0].all_parameters())
    others = [np.abs(flat(model.all_parameters()) - course.end).max() for model in models[1:]]
    course.ranks_apart = float(max(others, default=0.0))
    return course


def _on_ranks(
    models: list[Transformer], mode: Mode, cut_as: Cut, batch: tuple[Integers, Integers, Mask]
) -> dict[str, Array]:
    """The gradient that every rank steps with: each adds up its micro-batches, then the ranks are averaged."""
    inputs, labels, valid = batch
    parts = cut(TEXTS, cut_as.accumulate, cut_as.ranks)
    weights = mode.weights(valid, parts) * cut_as.ranks  # the average over the ranks divides by them
    of_ranks = []
    for rank, model in enumerate(models):
        own = parts[rank * cut_as.accumulate : (rank + 1) * cut_as.accumulate]
        of_ranks.append(added([gradient(model, inputs, labels, weights, part)[1] for part in own]))
    return {name: array / len(models) for name, array in added(of_ranks).items()}


def apart(one: Cut, other: Cut, vocabulary: int, steps: int) -> float:
    """How far apart two runs from the same start end, over how far the first one moved."""
    start = flat(Run(vocabulary).fresh_model().all_parameters())
    first, second = (trained(each, vocabulary, steps).end for each in (one, other))
    return float(np.linalg.norm(second - first) / np.linalg.norm(first - start))
