"""Measured factors: a loss as written over the same integrand rightly reduced, as a monomial in the sizes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from batchmean_reference.arguments import COUNTS, Sizes, counts, draw_inputs
from batchmean_reference.laws import Loss


@dataclass(frozen=True)
class Monomial:
    """A product of powers of named sizes: `{"V": -1}` is 1/V, `{}` is 1. Exponents of 0 are left out."""

    exponents: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        kept = {axis: power for axis, power in sorted(self.exponents.items()) if power}
        object.__setattr__(self, "exponents", kept)

    @classmethod
    def parse(cls, text: str) -> Monomial:
        """Read `V^-1`, `B V^-1`, `T` or `1`. Raises `ValueError` for anything else."""
        if text.strip() == "1":
            return cls()
        exponents: dict[str, int] = {}
        for part in text.split():
            match = re.fullmatch(r"([A-Za-z]\w*)(?:\^(-?\d+))?", part)
            if match is None or match[1] in exponents:
                raise ValueError(f"expected a factor such as 'B V^-1', got {text!r}")
            exponents[match[1]] = int(match[2] or 1)
        if not exponents:
            raise ValueError("expected a factor such as 'B V^-1', got nothing")
        return cls(exponents)

    def __str__(self) -> str:
        parts = [axis if power == 1 else f"{axis}^{power}" for axis, power in self.exponents.items()]
        return " ".join(parts) or "1"

    def __hash__(self) -> int:
        return hash(tuple(self.exponents.items()))

    def at(self, sizes: Mapping[str, float]) -> float:
        """Its value. Raises `KeyError` for a size that is not given."""
        return math.prod(float(sizes[axis]) ** power for axis, power in self.exponents.items())


@dataclass(frozen=True, slots=True)
class Measured:
    """A loss as written and as it should be, of the same inputs at the same sizes.

    Where an argument is a mask, the sizes have its counts too, see `arguments.COUNTS`.
    """

    sizes: Mapping[str, float]
    written: float
    right: float

    @property
    def ratio(self) -> float:
        """`written / right`; NaN where the right loss is 0."""
        return self.written / self.right if self.right else math.nan


def measure(written: Loss, right: Loss, sizes: Sizes, seed: int = 0) -> Measured:
    """Both losses of the same inputs, which are drawn by the arguments of the loss as written.

    The right loss may do without some of them (a `reduction` switch). Raises `ValueError` where it needs
    others, or where a loss is not a finite number.
    """
    if not set(right.arguments) <= set(written.arguments):
        raise ValueError("the reference needs arguments that the loss does not take")
    inputs = draw_inputs(written.arguments, sizes, seed)
    needed = {argument.name: inputs[argument.name] for argument in right.arguments}
    counted = counts(written.arguments, inputs, sizes)
    return Measured({**sizes, **counted}, written(inputs), right(needed))


def measure_all(written: Loss, right: Loss, points: Sequence[Sizes] | None = None) -> list[Measured]:
    """`measure` at every point; by default at those of the loss as written."""
    return [measure(written, right, sizes) for sizes in (written.points if points is None else points)]


def deviation(measured: Sequence[Measured], factor: Monomial) -> float:
    """Largest relative distance of a measured ratio from the factor.

    Raises `ValueError` without measurements: nothing measured is nothing shown.
    """
    if not measured:
        raise ValueError("nothing was measured")
    return max(abs(point.ratio / factor.at(point.sizes) - 1) for point in measured)


def fit(measured: Sequence[Measured], tolerance: float = 1e-9) -> Monomial:
    """The monomial in the sizes that the measured ratios are.

    The first point is the one that the others vary, one axis each, see `arguments.size_points`; what a mask
    lets through varies with the draw. An axis that was never varied has exponent 0: what it contributes is
    taken for a constant, and a constant other than 1 is refused. Raises `ValueError` where the ratios are no
    monomial with constant 1, within the relative tolerance.
    """
    if not measured:
        raise ValueError("nothing was measured")
    start = measured[0]
    axes = [axis for axis in start.sizes if axis not in COUNTS]
    for point in measured[1:]:
        if sum(point.sizes[axis] != start.sizes[axis] for axis in axes) != 1:
            raise ValueError(f"one axis at a time: {dict(start.sizes)} and {dict(point.sizes)}")
        if not point.ratio / start.ratio > 0:
            raise ValueError(f"the ratio goes from {start.ratio} to {point.ratio}: no power of a size does")
    fitted = Monomial(_powers(measured, [*axes, *COUNTS[:1]], [point.ratio for point in measured]))
    if fitted.exponents.get("n_valid"):
        positions = _powers(measured, axes, [point.sizes["N"] for point in measured])
        fitted = _over_all_positions(fitted, {axis for axis, power in positions.items() if power})
    if not (off := deviation(measured, fitted)) <= tolerance:
        raise ValueError(f"the measured ratios are not {fitted}: off by {off:.3g} of it")
    return fitted


def _powers(measured: Sequence[Measured], names: Sequence[str], values: Sequence[float]) -> dict[str, int]:
    """The whole powers of the named sizes that best explain how the values change from the first point."""
    start = measured[0].sizes
    names = [name for name in names if name in start]
    rows = [[math.log(point.sizes[name] / start[name]) for name in names] for point in measured[1:]]
    if not rows:
        return dict.fromkeys(names, 0)
    changes = [math.log(value / values[0]) for value in values[1:]]
    solved = np.linalg.lstsq(np.array(rows), np.array(changes), rcond=None)[0]
    return {name: round(float(power)) for name, power in zip(names, solved, strict=True)}


def _over_all_positions(factor: Monomial, axes: set[str]) -> Monomial:
    """The factor with `N` for the axes of the mask, where it has all of them to the same power."""
    powers = {factor.exponents.get(axis, 0) for axis in axes}
    if len(powers) != 1:
        return factor
    others = {axis: power for axis, power in factor.exponents.items() if axis not in axes}
    return Monomial(others | {"N": powers.pop()})
