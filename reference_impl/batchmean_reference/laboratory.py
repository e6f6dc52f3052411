"""The runs that the audit compares: each described by a frozen record, made once, and kept.

Two sizes of model. The `study` model is small and in float64, so that "the same trajectory" can be told from
"nearly the same"; the `main` model is the one whose text and curves are shown, in float32. Both read the same
book.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from batchmean_reference.losses import Array, Integers, one_hot
from batchmean_reference.optimizers import SGD, Adam, Optimizer
from batchmean_reference.tokenizer import alice, alice_tokenizer
from batchmean_reference.training import (
    Denominator,
    History,
    Text,
    batches,
    first_axis,
    train,
    units,
    whole_shape,
)
from batchmean_reference.transformer import Shape, Transformer

VOCABULARIES = (100, 500, 1000)

DENOMINATORS: dict[str, Denominator] = {
    "units": units,
    "whole shape": whole_shape,
    "first axis": first_axis,
}


DIVISORS = {"units": "B T", "whole shape": "B T V", "first axis": "B"}
"""What each denominator is for logits (B, T, V)."""


@dataclass(frozen=True)
class Run:
    """Everything that determines a training run. Two runs with equal fields are the same run.

    `optimizer` is "SGD" or "Adam"; `momentum` is for the first, `epsilon` for the second. `l2` is a penalty
    in the gradient, `decay` is decoupled from it, `largest_norm` clips,
    `penalty` weighs a second loss term. `model` is "study" or "main".
    """

    vocabulary: int
    denominator: str = "units"
    optimizer: str = "SGD"
    rate: float = 0.3
    momentum: float = 0.0
    epsilon: float = 1e-8
    l2: float = 0.0
    decay: float = 0.0
    largest_norm: float | None = None
    penalty: float = 0.0
    steps: int = 100
    model: str = "study"

    @property
    def label(self) -> str:
        """What a plot or a progress bar calls it."""
        return f"{self.optimizer}, V = {self.vocabulary}, divided by {DIVISORS[self.denominator]}"

    def fresh_model(self) -> Transformer:
        """The untrained model. Its parameters depend on the vocabulary and the kind of model alone."""
        if self.model == "main":
            return Transformer(Shape(self.vocabulary))
        return Transformer(Shape(self.vocabulary, 16, width=32, heads=2, blocks=1, dtype="float64"))

    def fresh_optimizer(self) -> Optimizer:
        """The optimizer before its first step."""
        if self.optimizer == "Adam":
            return Adam(self.rate, epsilon=self.epsilon, l2=self.l2, decay=self.decay)
        return SGD(self.rate, self.momentum, l2=self.l2, decay=self.decay)


@dataclass(frozen=True)
class Trained:
    """A run after its last step."""

    run: Run
    model: Transformer
    history: History

    @property
    def drop(self) -> float:
        """By how much the loss fell, in nats per token: the first step against the mean of the last ten."""
        return self.history.nats[0] - float(np.mean(self.history.nats[-10:]))


class Laboratory:
    """Makes runs on demand and keeps them. `progress` is told a run and the number of the step just taken."""

    def __init__(self, progress: Callable[[Run, int], None] = lambda run, step: None) -> None:
        self.progress = progress
        self.kept: dict[Run, Trained] = {}

    def trained(self, run: Run) -> Trained:
        """The run, from the shelf or made now."""
        if run not in self.kept:
            model = run.fresh_model()
            history = train(
                model,
                text(run.vocabulary),
                run.fresh_optimizer(),
                DENOMINATORS[run.denominator],
                steps=run.steps,
                batch=16 if run.model == "main" else 8,
                largest_norm=run.largest_norm,
                penalty=run.penalty,
                each_step=lambda step: self.progress(run, step),
            )
            self.kept[run] = Trained(run, model, history)
        return self.kept[run]

    def apart(self, one: Run, other: Run) -> float:
        """How far apart two runs from the same start end, over how far the first one moved."""
        start = flat(one.fresh_model().all_parameters())
        first = flat(self.trained(one).model.all_parameters())
        second = flat(self.trained(other).model.all_parameters())
        return float(np.linalg.norm(second - first) / np.linalg.norm(first - start))


def flat(arrays: dict[str, Array]) -> Array:
    """All arrays as one vector in float64, ordered by name."""
    return np.concatenate([arrays[name].ravel() for name in sorted(arrays)]).astype(np.float64)


@cache
def text(vocabulary: int) -> Text:
    """The book in tokens. The last tenth of its characters is held out, the same for every vocabulary."""
    tokenizer, cut = alice_tokenizer(vocabulary), len(alice()) * 9 // 10
    held_out = alice()[cut:]
    return Text(
        tokenizer.encode(alice()[:cut]),
        tokenizer.encode(held_out),
        vocabulary,
        held_out_characters=len(held_out),
    )


def first_batch(vocabulary: int, batch: int, time: int) -> tuple[Integers, Array]:
    """Inputs (B, T) and one-hot targets (B, T, V) from the training text."""
    inputs, labels = next(batches(text(vocabulary).training, batch, time, seed=1))
    return inputs, one_hot(labels, vocabulary)


def bits_per_character(run: Trained) -> float:
    """The held-out loss per character instead of per token: what runs with different vocabularies share."""
    held_out = text(run.run.vocabulary)
    tokens = len(held_out.held_out)
    return run.history.held_out * tokens / held_out.held_out_characters / math.log(2)


@cache
def guessing_by_frequency(vocabulary: int) -> float:
    """What the held-out text costs, in nats per token, by how often each token occurs in the training text.

    Each count is one higher than it is, so that no token is impossible.
    """
    book = text(vocabulary)
    counts = np.bincount(book.training, minlength=vocabulary) + 1.0  # (V,)
    return -float(np.mean(np.log(counts / counts.sum())[book.held_out]))
