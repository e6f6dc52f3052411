"""What the claims share: a claim and its verdict, how long to train, and how numbers are said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal

import numpy as np

from batchmean_reference.laboratory import Run, first_batch
from batchmean_reference.losses import cross_entropy, softmax, whole_shape_cce
from batchmean_reference.transformer import Transformer

Verdict = Literal["holds", "holds when", "does not hold"]

SAME = 1e-9
"""Two float64 runs that end closer than this, relative to how far they moved, differ by rounding only."""

VISIBLE = 0.01
"""A difference of more than a hundredth of what a run learned can be seen."""


@dataclass(frozen=True)
class Claim:
    """A statement, what was measured, and what follows. `when` completes the verdict "holds when"."""

    topic: str
    statement: str
    measured: str
    verdict: Verdict
    when: str = ""
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Settings:
    """How long the audit trains. `study` is the vocabulary of the small model that the comparisons use."""

    study_steps: int = 80
    main_steps: int = 220
    descent_steps: int = 5
    epsilons: tuple[float, ...] = tuple(10.0**power for power in range(-10, -1))
    study: int = 100
    shown: int = 500  # the vocabulary whose text and trajectories are shown

    def main(self, vocabulary: int, optimizer: str, denominator: str) -> Run:
        """A run of the main model, at the rate that suits the optimizer."""
        rate, momentum = (0.003, 0.0) if optimizer == "Adam" else (0.3, 0.9)
        return Run(vocabulary, denominator, optimizer, rate, momentum, steps=self.main_steps, model="main")

    def sgd(self, **fields: Any) -> Run:
        """A right run of the study model under plain SGD."""
        return Run(self.study, steps=self.study_steps, **fields)

    def adam(self, **fields: Any) -> Run:
        """A right run of the study model under Adam."""
        return Run(self.study, optimizer="Adam", rate=0.003, steps=self.study_steps, **fields)


FULL = Settings()
QUICK = Settings(study_steps=20, main_steps=16, descent_steps=2, epsilons=(1e-10, 1e-8, 1e-6, 1e-4, 1e-2))


def wrong(run: Run, **fields: Any) -> Run:
    """The same run with the whole-shape denominator, and whatever else is said."""
    return replace(run, denominator="whole shape", **fields)


def wrong_times_v(run: Run, **fields: Any) -> Run:
    """The wrong run with its rate multiplied by V, which makes up for the loss, and whatever else is said."""
    return wrong(run, rate=run.rate * run.vocabulary, **fields)


def short(number: float) -> str:
    """A number in three significant digits, with an exponent only where it needs one.

    >>> short(0.046051), short(1234.5), short(1.2e-15), short(0.000144), short(999.9999)
    ('0.0461', '1234', '1.2e-15', '0.000144', '1000')
    """
    size = abs(float(f"{number:.3g}"))  # rounded first: 1000 less a rounding error is a thousand
    if size != 0 and not 1e-4 <= size < 1e5:
        return f"{number:.2g}"
    return f"{number:.0f}" if size >= 1000 else f"{number:.3g}"


def within(distance: float) -> str:
    """A distance between float64 results, `short`; how large mere rounding is depends on the machine.

    >>> within(4.4e-16), within(0.046051)
    ('less than 1e-12', '0.0461')
    """
    return "less than 1e-12" if distance < 1e-12 else short(distance)


def listed(numbers: Sequence[float]) -> str:
    """Several numbers, each `short`, with commas."""
    return ", ".join(short(number) for number in numbers)


def losses_on(model: Transformer, vocabulary: int, batch: int, time: int) -> tuple[float, float]:
    """The whole-shape loss and the right one of a model, on a batch of the book."""
    inputs, targets = first_batch(vocabulary, batch, time)
    logits = model.forward(inputs).astype(np.float64)  # (B, T, V)
    return whole_shape_cce(targets, softmax(logits)), cross_entropy(targets, logits)


@cache
def fresh_losses(vocabulary: int, batch: int = 32, time: int = 32) -> tuple[float, float]:
    """`losses_on` of the untrained main model."""
    return losses_on(Run(vocabulary, model="main").fresh_model(), vocabulary, batch, time)
