"""What the rules see: one event per reduction that divides by the wrong count."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from batchmean.engine.domain.tensors import Place, Reduction


@dataclass(frozen=True, slots=True)
class Event:
    """Something wrong at a place of the code."""

    node: ast.AST
    """Where to report it."""

    @property
    def evidence(self) -> tuple[Place, ...]:
        """The places that show it, in the order of the reasoning."""
        raise NotImplementedError

    @property
    def proved(self) -> bool:
        """Does the code show it, so that no name was needed?"""
        raise NotImplementedError

    @property
    def monomial(self) -> Mapping[str, int] | None:
        """The loss over the right one as exponents of the named sizes; None where it is no such product."""
        raise NotImplementedError

    @property
    def known_sizes(self) -> Mapping[str, int] | None:
        """The sizes that the code itself shows."""
        return None


def fraction(monomial: Mapping[str, int]) -> str:
    """A factor in words: `1/V`, `B/V`, `n_valid/N`."""
    above = [_power(name, p) for name, p in monomial.items() if p > 0]
    below = [_power(name, -p) for name, p in monomial.items() if p < 0]
    over = "*".join(above) or "1"
    if below:
        over += "/" + (below[0] if len(below) == 1 else f"({'*'.join(below)})")
    return over


def _power(name: str, power: int) -> str:
    return name if power == 1 else f"{name}^{power}"


Kind = Literal[
    "masked mean",
    "mask mismatch",
    "double division",
    "missing batch division",
    "sum beside mean",
    "noop mean",
    "discarded division",
    "outer product",
    "perplexity",
    "epoch mean over examples",
    "epoch sum over batches",
    "mean of perplexities",
    "other loader",
    "micro-batch token mean",
    "accumulation",
]


@dataclass(frozen=True, slots=True)
class Miscount(Event):
    """A count that is wrong whatever the support: of masked positions, of examples, of pairs."""

    kind: Kind
    because: tuple[Place, ...]
    is_shown: bool
    factor: Mapping[str, int] | None = None
    reduction: Reduction | None = None
    about: str = ""
    """What the message has to name: a divisor, the code of the finding that it follows from, which mismatch it is."""
    count: str = ""
    """For a total of batches: what counts the examples, as the code would say it, or whose batches they are; empty
    where that is not shown."""

    @property
    def evidence(self) -> tuple[Place, ...]:
        return self.because

    @property
    def proved(self) -> bool:
        return self.is_shown

    @property
    def monomial(self) -> Mapping[str, int] | None:
        return self.factor
