"""What a loss's own answers say about it, without its code: where its support is, and whether its examples interact.

A softmax does not see a constant that is added to all of its inputs. So a loss that a constant along an axis does
not change has its support there: a cross-entropy is told from MSE, Huber and binary cross-entropy, and an NCHW tensor
from one with its classes last. A loss of log-probabilities goes down by that constant times its factor, one of
probabilities by the logarithm of what they are multiplied with.
"""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np

from batchmean_reference.arguments import (
    LABELS,
    MASKS,
    Argument,
    Array,
    Inputs,
    Sizes,
    counted,
    draw_inputs,
    valid_positions,
)
from batchmean_reference.laws import Loss
from batchmean_reference.uniform import candidates, with_uniform

CLOSE, CLOSE_IN_FLOAT32 = 1e-10, 1e-5
"""Relative differences that are rounding."""

SHIFTS = (3.0, -3.0, 6.0)
SCALES = (0.5, 0.25)


def same(first: float, second: float, scale: float | None = None, close: float = 1e-5) -> bool:
    """Whether two losses differ by rounding only, beside the size of `scale`."""
    return abs(first - second) <= close * max(abs(first), abs(second), abs(scale or 0.0), 1e-9)


def _along(values: Array, axis: int, seed: int = 5) -> Array:
    """Random constants along one axis: one for every place of the others."""
    shape = tuple(1 if index == axis else size for index, size in enumerate(values.shape))
    # Large: a loss that sees the order of its inputs only would not notice little ones.
    return 7.0 * np.random.default_rng(seed).normal(size=shape)


def _changed(inputs: Inputs, name: str, values: Array) -> Inputs:
    return {**inputs, name: values}


def matters(loss: Loss, inputs: Inputs, name: str) -> bool:
    """Whether the loss depends on this array: a random change changes it."""
    values = inputs[name]
    noise = np.random.default_rng(6).normal(size=values.shape)
    try:
        return not same(loss(inputs), loss(_changed(inputs, name, values * np.exp(0.3 * noise) + 0.0)))
    except Exception:
        return True


def invariant_axis(loss: Loss, inputs: Inputs, argument: Argument) -> int | None:
    """The axis along which a constant changes nothing, None where there is none or nothing matters at all."""
    values = inputs[argument.name]
    if values.dtype.kind != "f":
        return None
    start = loss(inputs)
    noise = np.random.default_rng(6).normal(size=values.shape)
    moved = loss(_changed(inputs, argument.name, values + noise))
    if same(start, moved):
        return None
    order = sorted(range(values.ndim), key=lambda axis: axis != argument.support)
    for axis in order:
        if values.shape[axis] == 1:
            continue
        shifted = loss(_changed(inputs, argument.name, values + _along(values, axis)))
        if same(start, shifted, moved):
            return axis
    return None


def scale_invariant_axis(loss: Loss, inputs: Inputs, argument: Argument) -> int | None:
    """The axis that a positive array is normalised along: multiplying it by a constant there changes nothing."""
    values = inputs[argument.name]
    if values.dtype.kind != "f" or (values < 0).any():
        return None
    start = loss(inputs)
    noise = np.random.default_rng(6).normal(size=values.shape)
    moved = loss(_changed(inputs, argument.name, values * np.exp(noise)))
    if same(start, moved):
        return None
    order = sorted(range(values.ndim), key=lambda axis: axis != argument.support)
    for axis in order:
        if values.shape[axis] == 1:
            continue
        scaled = loss(_changed(inputs, argument.name, values * np.exp(0.05 * _along(values, axis))))
        if same(start, scaled, moved):
            return axis
    return None


def affine(loss: Loss, inputs: Inputs, argument: Argument) -> float | None:
    """By how much the loss goes down for each unit that log-probabilities go up, where it does so evenly."""
    values = inputs[argument.name]
    start = loss(inputs)
    up, down, twice = (loss(_changed(inputs, argument.name, values + shift)) - start for shift in SHIFTS)
    scale = max(abs(start), abs(up))
    if same(start, start + up, scale) or not same(up, -down, scale) or not same(twice, 2 * up, scale):
        return None
    return -up / SHIFTS[0]


def logarithmic(loss: Loss, inputs: Inputs, argument: Argument) -> float | None:
    """By how much the loss goes down for each unit that the logarithms of probabilities go up; for an entropy,
    by what it is more than its share. None where it is neither."""
    values = inputs[argument.name]
    if values.dtype.kind != "f" or (values < 0).any():
        return None
    start = loss(inputs)
    once, twice = (loss(_changed(inputs, argument.name, values * scale)) for scale in SCALES)
    close = {"scale": max(abs(start), abs(twice)), "close": 1e-4}
    if not same(start, once, close=1e-4) and same(twice - start, 2 * (once - start), **close):
        return (once - start) / -math.log(SCALES[0])
    first, second = (
        (value - scale * start) / (-scale * math.log(scale))
        for value, scale in zip((once, twice), SCALES, strict=True)
    )
    if abs(first) > 1e-9 and same(first, second, close=1e-4):
        return first
    return None


def push(loss: Loss, sizes: Sizes, seed: int = 0) -> float | None:
    """How fast the loss grows, at last, with every target's logit going down: 1 for a cross-entropy, focal or
    not, that is rightly averaged. None where it does not grow, as a score that is bounded, or cannot be tried."""
    drawn = draw_inputs(loss.arguments, sizes, seed)
    for predicted in candidates(loss):
        inputs = with_uniform(loss, drawn, predicted, sizes)
        first = next(one for one in loss.arguments if one.name == predicted[0])
        if first.kind not in ("logits", "log_probs"):
            continue
        hot = _targets(loss, inputs, predicted, first, sizes)
        if hot is None:
            continue
        try:
            near, far = (
                loss(
                    inputs
                    | {
                        name: inputs[name] - distance * np.reshape(hot, inputs[name].shape)
                        for name in predicted
                    }
                )
                for distance in (30.0, 50.0)
            )
        except Exception:
            continue
        slope = (far - near) / 20.0
        if abs(slope) > 1e-9:
            return slope
    return None


def _targets(
    loss: Loss, inputs: Inputs, predicted: tuple[str, ...], first: Argument, sizes: Sizes
) -> Array | None:
    """The targets, one-hot in the axes of the predictions; None where there are none to see."""
    axis = first.support
    if axis is None:
        return None
    for argument in loss.arguments:
        if argument.name in predicted:
            continue
        values = inputs[argument.name] if argument.is_array else None
        if argument.kind in LABELS and values is not None:
            if argument.axes != tuple(one for one in first.axes if one != first.axes[axis]):
                continue
            hot = np.eye(sizes[first.axes[axis]])[values]
            moved: Array = np.moveaxis(hot, -1, axis)
            return moved
        if argument.support is not None and values is not None and argument.axes == first.axes:
            highest: Array = (values == values.max(axis=axis, keepdims=True)).astype(float)
            return highest
    return None


def _exchanged(loss: Loss, inputs: Inputs, other: Inputs, numbers: tuple[int, ...]) -> Inputs:
    """The inputs with these examples' arrays, masks and ignored labels aside, from other inputs."""
    changed = dict(inputs)
    for argument in loss.arguments:
        if (
            not argument.is_array
            or "B" not in argument.axes
            or argument.kind in (*MASKS, "lengths", "size_list")
        ):
            continue
        values = np.moveaxis(inputs[argument.name].copy(), argument.axes.index("B"), 0)
        values[list(numbers)] = np.moveaxis(other[argument.name], argument.axes.index("B"), 0)[list(numbers)]
        changed[argument.name] = np.moveaxis(values, 0, argument.axes.index("B"))
    return counted(loss.arguments, changed)


def interacts(loss: Loss, sizes: Sizes, close: float = CLOSE) -> bool:
    """Whether what one example adds to the loss depends on another example: in-batch negatives, a ratio of sums."""
    for seed in range(3):
        inputs, other = (draw_inputs(loss.arguments, sizes, one) for one in (seed, seed + 7))
        for pair in combinations(range(min(sizes["B"], 3)), 2):
            neither, first, second, both = (
                loss(_exchanged(loss, inputs, other, numbers)) for numbers in ((), pair[:1], pair[1:], pair)
            )
            if not same(both + neither, first + second, max(abs(neither), abs(first), abs(second)), close):
                return True
    return False


def idle_examples(loss: Loss, sizes: Sizes, seed: int = 0) -> bool:
    """Whether an example can be exchanged without a trace, though it has valid positions: then what is called B is
    no axis of examples."""
    inputs, other = (draw_inputs(loss.arguments, sizes, one) for one in (seed, seed + 7))
    start = loss(inputs)
    mask = loss.mask
    counting = list(range(sizes["B"]))
    if mask is not None and "B" in mask.axes and mask.kind != "lengths":
        by_example = np.moveaxis(inputs[mask.name], mask.axes.index("B"), 0)
        counting = [number for number in counting if valid_positions(mask, by_example[number])]
    return any(
        same(start, loss(_exchanged(loss, inputs, other, (number,))), close=1e-9) for number in counting
    )


def distance_of_sets(loss: Loss, sizes: Sizes, seed: int = 0) -> bool:
    """Whether the loss is 0 where all arrays are the same: then they are two sets whose order means nothing."""
    inputs = draw_inputs(loss.arguments, sizes, seed)
    arrays = [one for one in loss.arguments if one.is_array and "B" in one.axes]
    equal = {**inputs, **{one.name: inputs[arrays[0].name] for one in arrays}}
    return len({one.axes for one in arrays}) == 1 and abs(loss(equal)) < 1e-9 * max(abs(loss(inputs)), 1e-9)


def pairs_everything(loss: Loss, sizes: Sizes, seed: int = 0) -> str | None:
    """The argument whose examples may change places without changing the loss, though they belong to examples
    of others: every example is paired with every other (an outer product). None where there is none."""
    arrays = [one for one in loss.arguments if one.is_array and "B" in one.axes]
    if len(arrays) < 2 or sizes.get("B", 1) < 2:
        return None
    inputs = draw_inputs(loss.arguments, sizes, seed)
    start = loss(inputs)
    for argument in arrays:
        rolled = np.roll(inputs[argument.name], 1, argument.axes.index("B"))
        if np.array_equal(rolled, inputs[argument.name]):
            continue
        if same(start, loss(_changed(inputs, argument.name, rolled)), close=1e-9) and matters(
            loss, inputs, argument.name
        ):
            return argument.name
    return None


def predicts_the_next(loss: Loss, sizes: Sizes, seed: int = 0) -> bool:
    """Whether position t is compared with the label of t + 1: the first label does not matter, nor the last logits."""
    labels = next((one for one in loss.arguments if one.kind in LABELS and "T" in one.axes), None)
    if labels is None or sizes.get("T", 1) < 3:
        return False
    inputs = draw_inputs(loss.arguments, sizes, seed)
    start = loss(inputs)

    def without(position: int) -> float:
        values = np.moveaxis(inputs[labels.name].copy(), labels.axes.index("T"), 0)
        values[position] = np.where(
            values[position] >= 0, (values[position] + 1) % sizes["V"], values[position]
        )
        return loss(_changed(inputs, labels.name, np.moveaxis(values, 0, labels.axes.index("T"))))

    return same(start, without(0), close=1e-9) and not same(start, without(2), close=1e-9)
