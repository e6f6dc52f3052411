"""The sums that loops over items add up, as values: what `item_loops` reads, evaluated over the whole arrays."""

from __future__ import annotations

import ast
from collections.abc import Set
from functools import partial
from typing import Final

from batchmean import operations
from batchmean.engine.domain import algebra
from batchmean.engine.domain.axes import ALL_AXES, AxesSpec, Axis
from batchmean.engine.domain.broadcasting import relabelled
from batchmean.engine.domain.keys import key_of
from batchmean.engine.domain.shapes import Shape
from batchmean.engine.domain.tensors import Tensor, altered
from batchmean.engine.domain.values import Alternatives, Value
from batchmean.engine.machine import binding
from batchmean.engine.machine.base import Machine
from batchmean.engine.machine.item_loops import read_comprehension, read_loop
from batchmean.engine.machine.items import MAX_LEVELS, Added, Comprehension, Reading, Total
from batchmean.engine.primitives import arithmetic
from batchmean.engine.primitives.reducing import opened, reduce
from batchmean.engine.primitives.registry import PRIMITIVES, Call, integer
from batchmean.engine.primitives.targets import length_of
from batchmean.engine.recognise.integrands import recognise
from batchmean.nodes import nodes

_SUM: Final = "builtins.sum"
_FLATTEN: Final = "numpy.ravel"
_FIRST_ITEM: Final = ("index", "0")


def add_up(context: Machine, node: ast.For, relevant: Set[ast.AST] | None) -> bool:
    """Does a loop through the items of arrays add up a loss, and no more? Then the names have the sums it leaves."""
    read = read_loop(context, node, relevant)
    if read is None:
        return False
    reading, additions = read
    axes = _axes_of(context, reading)
    values: list[Value | None] = []
    for added in additions:
        values.append(context.evaluate(added.value) if added.value is not None else None)
    if not any(_is_loss(value) for value in values):
        return False
    context.ledger.seen.update(nodes(node))
    for added, value in zip(additions, values, strict=True):
        if value is None and added.number is not None:
            total = context.as_tensor(context.evaluate(added.number))
            lengths = Shape.of(axes[: added.levels])
            for position in range(added.levels):
                total = algebra.multiply(total, context.as_tensor(context.axis_length(lengths, position)))
            value = total
        name = ast.copy_location(ast.Name(added.name, ast.Load()), added.statement)
        before = context.evaluate(name)
        binding.bind(
            context, name, context.lift(partial(_after, context, added), before, value or context.opaque())
        )
    return True


def _after(context: Machine, added: Added, before: Value, value: Value) -> Value:
    return arithmetic.binary(context, added.operator, before, value, added.statement)


def _is_loss(value: Value | None) -> bool:
    cases = value.values if isinstance(value, Alternatives) else (value,)
    return any(isinstance(one, Tensor) and one.reductions for one in cases)


def _axes_of(context: Machine, reading: Reading) -> list[Axis]:
    """The axes that the loops run through, one for all arrays."""
    axes = [Axis() for _ in reading.loops]
    shapes: list[Shape] = []
    is_known = True
    for array, depth in reading.arrays:
        value = context.evaluate(array)
        if not isinstance(value, Tensor):
            is_known = False
            continue
        if reading.is_of_numbers and depth == MAX_LEVELS:
            value.shape.set_rank(depth)
        is_known = is_known and value.shape.rank is not None
        for position, axis in enumerate(axes[:depth]):
            if (own := value.shape.axis(position)) is not None:
                axis.unite(own)
        shapes.append(value.shape)
        if (atom := value.single()) is not None:
            # `len(y[0])`, wherever it stands, is the length of any row.
            rows = context.items.setdefault(key_of(_FIRST_ITEM, atom.key), Shape())
            rows.unite(value.shape.without(AxesSpec.at(0)))
    for loop, axis in zip(reading.loops, axes, strict=True):
        extent = context.evaluate(loop.extent) if loop.extent is not None else None
        if (size := integer(extent)) is not None and size > 0:
            axis.unite(Axis(size))
        elif extent is not None:
            length_of(context.as_tensor(extent), axis)
    for shape in shapes:
        shape.learn_rank()
    # Of two loops each item is one number, and a product of rows is one: unless they run through larger arrays.
    has_numbers = len(axes) == MAX_LEVELS or reading.is_of_rows
    is_shown = (is_known or reading.is_of_numbers) and not reading.is_guarded
    reading.assumes_rank = has_numbers and not is_shown
    return axes


def total_of(context: Machine, node: Total) -> Value:
    """The sum over whole arrays."""
    return context.lift(
        lambda one: _summed(context, node, context.as_tensor(one)), context.evaluate(node.elements)
    )


def _summed(context: Machine, node: Total, elements: Tensor) -> Value:
    reading = node.reading
    array = laid_out(reading, elements)
    operation = operations.function(_SUM)
    assert operation is not None
    spec = AxesSpec.at(1) if node.is_inner else ALL_AXES
    result = reduce(Call(context, node, operation), array, spec, False, "sum")
    return context.as_likely(result) if reading.assumes_rank else result


def laid_out(reading: Reading, elements: Tensor) -> Tensor:
    """The elements over the axes of the loops, and no others."""
    if elements.shape.rank is not None or not (len(reading.loops) == MAX_LEVELS or reading.is_of_rows):
        return elements
    last = elements.shape.axis(-1)
    is_support = last is not None and any(
        a.axis is not None and a.axis.is_same(last) for a in elements.atoms()
    )
    return relabelled(elements, elements.shape.of_rank(MAX_LEVELS, counted_back=is_support))


def array_of(context: Machine, node: Comprehension) -> Value | None:
    """The array that a comprehension over the items of arrays makes, if that is a loss of each; None for all others."""
    read = read_comprehension(context, node)
    if read is None:
        return None
    reading, elements = read
    _axes_of(context, reading)
    value = context.evaluate(elements)
    if not isinstance(value, Tensor):
        return None
    if value.reductions:
        context.ledger.seen.update(nodes(node))
        return value
    array = laid_out(reading, value)
    if recognise(array) is None:
        return None
    context.ledger.seen.update(nodes(node))
    if reading.assumes_rank:
        accounts = opened(array, context.stack)
        likely = tuple(altered(r, integrand=altered(r.integrand, proved=False)) for r in accounts)
        array = altered(array, reductions=likely)
    if len(node.generators) == MAX_LEVELS:
        operation = operations.function(_FLATTEN)
        assert operation is not None
        return PRIMITIVES["flatten"](Call(context, node, operation), array)
    return array
