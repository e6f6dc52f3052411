"""SGD with momentum, Adam, AdamW, and clipping: what turns a gradient into a step.

They differ in what happens when a loss is V times too small. SGD's step shrinks with the gradient. Adam's
does not, as long as its epsilon is small beside the gradient: it divides the gradient by a running measure of
the gradient's own size.

`parameters` and `gradients` are dictionaries of arrays with the same names; parameters change in place.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

import numpy as np

from batchmean_reference.losses import Array

Arrays = Mapping[str, Array]


class Optimizer(Protocol):
    """Anything that can make one step."""

    def step(self, parameters: Arrays, gradients: Arrays) -> None:
        """Changes the parameters in place, against their gradients."""


class SGD:
    """`v <- momentum v + g`, then `w <- w - rate v` (Sutskever et al. 2013, in the form PyTorch uses).

    `l2` adds `l2 * w` to the gradient, the gradient of the penalty `l2/2 |w|^2`. `decay` shrinks the weights
    by `rate * decay` instead, apart from the gradient. Without momentum the two are the same thing.
    """

    def __init__(self, rate: float, momentum: float = 0.0, l2: float = 0.0, decay: float = 0.0) -> None:
        self.rate, self.momentum, self.l2, self.decay = rate, momentum, l2, decay
        self.velocity: dict[str, Array] = {}

    def step(self, parameters: Arrays, gradients: Arrays) -> None:
        """One step for every parameter, in place."""
        for name, weight in parameters.items():
            gradient = gradients[name] + self.l2 * weight if self.l2 else gradients[name]
            if self.momentum:
                velocity = self.velocity.setdefault(name, np.zeros_like(weight))
                velocity *= self.momentum
                velocity += gradient
                gradient = velocity
            if self.decay:
                weight *= 1 - self.rate * self.decay
            weight -= self.rate * gradient


class Adam:
    """`w <- w - rate m / (sqrt(v) + epsilon)`, m and v running means of g and g^2, corrected for their start
    at 0.

    Kingma and Ba 2015, algorithm 1. Multiply g by any c: m grows by c, sqrt(v) by c, and the step is the
    same; only epsilon, which does not grow, can tell. `l2` adds `l2 * w` to g, and then g as a whole is
    normalised; `decay` shrinks the weights apart from g by `rate * decay`: with it this is AdamW (Loshchilov
    and Hutter 2019, algorithm 2).
    """

    def __init__(
        self,
        rate: float,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        l2: float = 0.0,
        decay: float = 0.0,
    ) -> None:
        self.rate, self.betas, self.epsilon, self.l2, self.decay = rate, betas, epsilon, l2, decay
        self.steps = 0
        self.first: dict[str, Array] = {}
        self.second: dict[str, Array] = {}

    def step(self, parameters: Arrays, gradients: Arrays) -> None:
        """One step for every parameter, in place."""
        self.steps += 1
        beta1, beta2 = self.betas
        for name, weight in parameters.items():
            gradient = gradients[name] + self.l2 * weight if self.l2 else gradients[name]
            first = self.first.setdefault(name, np.zeros_like(weight))
            second = self.second.setdefault(name, np.zeros_like(weight))
            first += (1 - beta1) * (gradient - first)
            second += (1 - beta2) * (gradient * gradient - second)
            if self.decay:
                weight *= 1 - self.rate * self.decay
            size = np.sqrt(second / (1 - beta2**self.steps))  # the gradient's root mean square
            weight -= self.rate / (1 - beta1**self.steps) * first / (size + self.epsilon)


def global_norm(gradients: Arrays) -> float:
    """The Euclidean length of all gradients taken as one vector."""
    return math.sqrt(sum(float(np.vdot(gradient, gradient)) for gradient in gradients.values()))


def clip(gradients: Arrays, largest: float) -> dict[str, Array]:
    """Gradients scaled down together, to a norm of at most `largest` (Pascanu, Mikolov and Bengio 2013)."""
    factor = min(1.0, largest / max(global_norm(gradients), float(np.finfo(np.float64).tiny)))
    return {name: gradient * factor for name, gradient in gradients.items()}
