"""Repeats along an axis of length 1: the same values, as broadcasting would have them."""

from __future__ import annotations

from collections.abc import Sequence

from batchmean.engine.domain.axes import AxesSpec
from batchmean.engine.domain.broadcasting import relabelled
from batchmean.engine.domain.shapes import Shape
from batchmean.engine.domain.tensors import Tensor
from batchmean.engine.domain.values import TupleValue, Value
from batchmean.engine.primitives.layout import axis_of_length
from batchmean.engine.primitives.registry import Call, integer, literal, primitive


@primitive
def tile(call: Call, x: Value, *times: Value) -> Value:
    """x.repeat(1, 1, n), tile(x, (1, 1, n)): how often along each axis, counted from the right."""
    tensor = call.tensor(x)
    counts = times[0].items if len(times) == 1 and isinstance(times[0], TupleValue) else times
    shape = _stretched(call, tensor, counts)
    return relabelled(tensor, shape) if shape is not None else call.opaque()


@primitive
def repeat_method(call: Call, x: Value, *times: Value) -> Value:
    """x.repeat(1, 1, n) of PyTorch; what NumPy's x.repeat(n, axis) gives is something new."""
    counts = times[0].items if len(times) == 1 and isinstance(times[0], TupleValue) else times
    if len(counts) < 3:
        return call.opaque()
    shape = call.tensor(x).shape
    if len(shape.leading(len(counts))) == len(counts):
        shape.set_rank(len(counts))  # no fewer counts than axes
    return tile(call, x, *counts)


@primitive
def repeat(call: Call, x: Value, repeats: Value | None = None, axis: Value | None = None) -> Value:
    """repeat(x, n, axis)."""
    tensor, position = call.tensor(x), integer(axis)
    old = tensor.shape.axis(position) if position is not None else None
    if repeats is None or position is None or old is None or old.size != 1:
        return call.opaque()
    new = axis_of_length(call, repeats)
    shape = tensor.shape.without(AxesSpec.at(position)).with_axis(position, new)
    return relabelled(tensor, shape)


def _stretched(call: Call, tensor: Tensor, counts: Sequence[Value]) -> Shape | None:
    """The shape where only axes of length 1 are repeated; None where another one is."""
    shape = tensor.shape
    for place, count in enumerate(reversed(counts), start=1):
        if literal(count) == 1:
            continue
        old = shape.axis(-place)
        if old is None or old.size != 1:
            return None
        shape = shape.without(AxesSpec.at(-place)).with_axis(-place, axis_of_length(call, count))
    return shape
