"""The sums that loops over items add up, as values: what `item_loops` reads, evaluated over the whole arrays."""

from __future__ import annotations

import ast
from typing import Final

from batchmean import operations
from batchmean.engine.domain import algebra
from batchmean.engine.domain.axes import ALL_AXES, AxesSpec, Axis
from batchmean.engine.domain.broadcasting import relabelled
from batchmean.engine.domain.keys import key_of
from batchmean.engine.domain.shapes import Shape
from batchmean.engine.domain.tensors import Tensor
from batchmean.engine.domain.values import Alternatives, Value
from batchmean.engine.machine import binding
from batchmean.engine.machine.base import Machine
from batchmean.engine.machine.item_loops import MAX_LEVELS, Reading, Total
from batchmean.engine.primitives.reducing import reduce
from batchmean.engine.primitives.registry import Call
from batchmean.engine.primitives.targets import length_of

_SUM: Final = "builtins.sum"
_FIRST_ITEM: Final = ("index", "0")


def add_up(context: Machine, reading: Reading) -> bool:
    """Give the names what the loops leave them with; False, and nothing is changed, where there is no loss in it."""
    axes = _axes_of(context, reading)
    values: list[Value | None] = []
    for added in reading.added:
        values.append(context.evaluate(added.value) if added.value is not None else None)
    if not any(_is_loss(value) for value in values):
        return False
    for added, value in zip(reading.added, values, strict=True):
        if value is None and added.number is not None:
            total = context.as_tensor(context.evaluate(added.number))
            lengths = Shape.of(axes[: added.levels])
            for position in range(added.levels):
                total = algebra.multiply(total, context.as_tensor(context.axis_length(lengths, position)))
            value = total
        name = ast.copy_location(ast.Name(added.name, ast.Load()), added.statement)
        before = context.evaluate(name)
        after = context.binary_values(added.operator, before, value or context.opaque(), added.statement)
        binding.bind(context, name, after)
    return True


def _is_loss(value: Value | None) -> bool:
    cases = value.values if isinstance(value, Alternatives) else (value,)
    return any(isinstance(one, Tensor) and one.reductions for one in cases)


def _axes_of(context: Machine, reading: Reading) -> list[Axis]:
    """The axes that the loops run through, one for all arrays."""
    axes = [Axis() for _ in reading.loops]
    shapes: list[tuple[Shape, int]] = []
    for array, depth in reading.arrays:
        value = context.evaluate(array)
        if not isinstance(value, Tensor):
            continue
        if reading.is_of_numbers and depth == MAX_LEVELS:
            value.shape.set_rank(depth)
        for position, axis in enumerate(axes[:depth]):
            if (own := value.shape.axis(position)) is not None:
                axis.unite(own)
        shapes.append((value.shape, depth))
        if (atom := value.single()) is not None and len(axes) == MAX_LEVELS:
            # `len(y[0])`, wherever it stands, is the length of any row.
            rows = context.items.setdefault(key_of(_FIRST_ITEM, atom.key), Shape())
            rows.unite(value.shape.without(AxesSpec.at(0)))
    for loop, axis in zip(reading.loops, axes, strict=True):
        if loop.extent is not None:
            length_of(context.as_tensor(context.evaluate(loop.extent)), axis)
    for shape, _ in shapes:
        shape.learn_rank()
    return axes


def total_of(context: Machine, node: Total) -> Value:
    """The sum over whole arrays."""
    return context.lift(
        lambda one: _summed(context, node, context.as_tensor(one)), context.evaluate(node.elements)
    )


def _summed(context: Machine, node: Total, elements: Tensor) -> Value:
    reading = node.reading
    array, is_assumed = laid_out(context, reading, elements)
    operation = operations.function(_SUM)
    assert operation is not None
    spec = AxesSpec.at(1) if node.is_inner else ALL_AXES
    result = reduce(Call(context, node.place, operation), array, spec, False, "sum")
    return context.as_likely(result) if is_assumed else result


def laid_out(context: Machine, reading: Reading, elements: Tensor) -> tuple[Tensor, bool]:
    """The elements over the axes of the loops, and whether it is an assumption that there are no others."""
    is_whole = len(reading.loops) == MAX_LEVELS or reading.is_of_rows
    if elements.shape.rank is not None or not is_whole:
        return elements, False
    axes = [elements.shape.axis(position) for position in range(MAX_LEVELS)]
    return relabelled(elements, Shape.of([axis for axis in axes if axis is not None])), True
