"""The law of the uniform prediction: where every class is predicted alike, a cross-entropy is log V per unit.

So are a KL divergence from a target that is sure of itself, and an entropy; a Jensen-Shannon divergence has a value
of its own. What the loss is instead, measured at several sizes, is its factor, constants included: a loss that is
divided by 50257 keeps every other law.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from batchmean_reference.arguments import (
    KINDS,
    LABELS,
    MASKS,
    PAD,
    Argument,
    Array,
    Inputs,
    Sizes,
    counted,
    draw_inputs,
)
from batchmean_reference.laws import Loss

SURE = 1e-15
"""The probability of every class but one in a target that is sure of itself: small enough for entropy 0."""

SURE_LOGIT = 30.0
"""The logit of that one class, and with a minus of the others: sure at temperatures up to 5, too."""


def _divergence_of_means(classes: int) -> float:
    """Jensen-Shannon divergence of the uniform distribution and one that is sure of itself."""
    mixed = (1 + 1 / classes) / 2
    from_sure = -math.log(mixed)
    from_uniform = (math.log(1 / classes / mixed) + (classes - 1) * math.log(2)) / classes
    return (from_sure + from_uniform) / 2


EXPECTED: Mapping[str, Callable[[int], float]] = {
    "log V": math.log,
    "the Jensen-Shannon divergence of uniform and sure": _divergence_of_means,
    "the Jensen-Shannon distance of uniform and sure": lambda classes: math.sqrt(
        _divergence_of_means(classes)
    ),
}
"""What a loss per unit is where every class is predicted alike."""

BASES = (1.0, 1 / math.log(2), 1 / math.log(10))
"""Constants that only change the unit: nats, bits, decimal digits."""

TARGETS = (
    r"(?!y_?(pred|hat|score|prob)|.*logits)"
    r"(.*_)?(y|y_true|true|targets?|labels?|truth|gold|one_?hots?|t|gt|teacher)(_.*)?"
)
"""Names of distributions that are targets."""


@dataclass(frozen=True)
class Level:
    """What a loss is at uniform predictions: `constant` times a product of powers of sizes times `expected`."""

    expected: str
    constant: float
    powers: Mapping[str, int]

    @property
    def plain(self) -> bool:
        """Whether there is no constant in it, but that of bits or digits."""
        return any(abs(abs(self.constant) / base - 1) < 1e-3 for base in BASES)

    @property
    def right(self) -> bool:
        """Whether it is what it should be, in nats, bits or digits."""
        return not self.powers and self.plain


def fit(points: Sequence[Sizes], ratios: Sequence[float]) -> tuple[float, dict[str, int]] | None:
    """The constant and the powers of the sizes that give these ratios at these points; None where none do.

    The first point is the one that the others differ from in one axis each. A constant that is a power of a
    size that never varied is told as that power.
    """
    if not ratios or any(not math.isfinite(ratio) or ratio == 0 for ratio in ratios):
        return None
    if any(ratio / ratios[0] < 0 for ratio in ratios):
        return None
    start = points[0]
    powers: dict[str, int] = {}
    for axis in start:
        varied = [
            (math.log(ratio / ratios[0]) / math.log(point[axis] / start[axis]))
            for point, ratio in zip(points, ratios, strict=True)
            if point[axis] != start[axis]
        ]
        if not varied:
            continue
        power = round(varied[0])
        if any(abs(one - power) > 0.01 for one in varied):
            return None
        if power:
            powers[axis] = power
    constant = ratios[0] / math.prod(start[axis] ** power for axis, power in powers.items())
    unvaried = [
        axis for axis in start if all(point[axis] == start[axis] for point in points) and start[axis] > 1
    ]
    for count in (1, 2):
        for axes in combinations(unvaried, count):
            for sign in (-1, 1):
                if abs(constant / math.prod(start[axis] ** sign for axis in axes) - 1) < 1e-3:
                    return 1.0, powers | dict.fromkeys(axes, sign)
    return constant, powers


def with_uniform(loss: Loss, inputs: Inputs, predicted: Sequence[str], sizes: Sizes) -> Inputs:
    """The inputs with the arguments in `predicted` uniform, the other distributions sure of themselves, and
    every position valid."""
    changed = dict(inputs)
    rng = np.random.default_rng(1)
    for argument in loss.arguments:
        name = argument.name
        if argument.support is not None and argument.axes[argument.support] == loss.support:
            values = inputs[name]
            changed[name] = _uniform(argument, values) if name in predicted else _sure(argument, values)
        elif argument.kind in ("ignorable_labels", "padded_labels"):
            changed[name] = rng.integers(PAD + 1, sizes["V"], size=inputs[name].shape)
        elif argument.kind in MASKS:
            changed[name] = np.full_like(inputs[name], argument.kind != "pad_mask")
        elif argument.kind == "lengths":
            changed[name] = np.full_like(inputs[name], sizes["T"])
    return counted(loss.arguments, changed)


def _uniform(argument: Argument, values: Array) -> Array:
    classes = values.shape[argument.support or 0] if argument.support is not None else 1
    level = {"logits": 0.0, "log_probs": -math.log(classes)}.get(argument.kind, 1 / classes)
    return np.full_like(values, level)


def _sure(argument: Argument, values: Array) -> Array:
    axis = argument.support
    highest = values == values.max(axis=axis, keepdims=True)
    if argument.kind == "logits":
        return np.where(highest, SURE_LOGIT, -SURE_LOGIT)
    probabilities = np.where(highest, 1.0 - SURE * (values.shape[axis or 0] - 1), SURE)
    if argument.kind == "log_probs":
        return np.log(probabilities)
    return highest.astype(values.dtype) if argument.kind == "one_hot" else probabilities


def candidates(loss: Loss) -> list[tuple[str, ...]]:
    """Which arguments may be the predictions, most likely first: those that are not named as targets."""
    import re

    over = [
        argument.name
        for argument in loss.arguments
        if argument.support is not None
        and argument.axes[argument.support] == loss.support
        and KINDS[argument.kind].distribution
        and argument.kind != "one_hot"
    ]
    likely = tuple(name for name in over if not re.fullmatch(TARGETS, name, re.IGNORECASE))
    ordered = [likely, *((name,) for name in over), tuple(over)]
    return [names for names in dict.fromkeys(ordered) if names]


def uniform(loss: Loss, points: Sequence[Sizes], seed: int = 0) -> Level | str:
    """What the loss is where every class is predicted alike, at these points of sizes; or why the law says nothing."""
    if loss.support is None:
        return "no argument has a support axis"
    labelled = [argument for argument in loss.arguments if argument.kind in LABELS]
    names = candidates(loss)
    if not names:
        return "no argument is a prediction over the support"
    drawn = [draw_inputs(loss.arguments, sizes, seed) for sizes in points]
    for predicted in names:
        values = []
        try:
            for sizes, inputs in zip(points, drawn, strict=True):
                values.append(loss(with_uniform(loss, inputs, predicted, sizes)))
        except Exception:  # the loss is somebody's code and these are odd inputs: it may not take them
            continue
        for expected, of in EXPECTED.items():
            classes = [sizes[loss.support] for sizes in points]
            ratios = [value / of(count) for value, count in zip(values, classes, strict=True) if count > 1]
            found = fit([sizes for sizes, count in zip(points, classes, strict=True) if count > 1], ratios)
            if found is not None and (expected == "log V" or Level(expected, *found).plain):
                return Level(expected, *found)
    what = "labels" if labelled else "a target that is sure of itself"
    return f"no cross-entropy, KL or entropy: at uniform predictions and {what} it is no multiple of log V"
