"""Sizes, ranges and other plain numbers."""

from __future__ import annotations

import ast
from typing import Final

from batchmean.engine.domain import algebra
from batchmean.engine.domain.axes import MAX_RANK
from batchmean.engine.domain.shapes import Shape
from batchmean.engine.domain.tensors import SCALAR, Role, Tensor, atom_of, from_atom
from batchmean.engine.domain.values import (
    ANY_KEYWORDS,
    MAX_TOLD_APART,
    ClassValue,
    Condition,
    Const,
    DictValue,
    InstanceValue,
    ListValue,
    RangeValue,
    Scope,
    ShapeValue,
    SpreadValue,
    TupleValue,
    Value,
)
from batchmean.engine.primitives.choosing import by_default
from batchmean.engine.primitives.registry import Call, integer, primitive

_NAMESPACE: Final = ast.ClassDef(
    "SimpleNamespace", bases=[], keywords=[], body=[ast.Pass()], decorator_list=[]
)


@primitive
def shape(call: Call, x: Value) -> Value:
    """The shape of an array."""
    return ShapeValue(call.tensor(x).shape)


@primitive
def size_at(call: Call, x: Value, axis: Value | None = None) -> Value:
    """x.size() is the shape, x.size(0) one length of it."""
    tensor = call.tensor(x)
    position = integer(axis)
    if axis is None:
        return ShapeValue(tensor.shape)
    return call.context.axis_length(tensor.shape, position) if position is not None else _some_length(call)


def _some_length(call: Call) -> Value:
    """The length of an axis that the code does not name."""
    return from_atom(atom_of(("some length", len(call.context.ledger.accounts)), Role.COUNT), Shape.of([]))


@primitive
def numel(call: Call, x: Value, axis: Value | None = None) -> Value:
    """The number of all elements, or the length of one axis."""
    if isinstance(x, ShapeValue):
        return call.context.count_of(x)
    tensor = call.tensor(x)
    if axis is not None:
        position = integer(axis)
        return (
            call.context.axis_length(tensor.shape, position) if position is not None else _some_length(call)
        )
    return call.context.count_of(ShapeValue(tensor.shape))


@primitive
def length(call: Call, x: Value) -> Value:
    """len(x)."""
    if isinstance(x, TupleValue):
        return Const(len(x.items))
    if isinstance(x, ShapeValue):
        return _rank(call, x.shape) if x.start == 0 and x.stop is None else call.opaque(Shape.of([]))
    if isinstance(x, Tensor) and x.terms:
        return call.context.axis_length(x.shape, 0)
    return call.context.anything(SCALAR)


@primitive
def rank(call: Call, x: Value) -> Value:
    """x.dim(), np.ndim(x)."""
    return _rank(call, call.tensor(x).shape)


def _rank(call: Call, shape: Shape) -> Value:
    if shape.rank is not None:
        return Const(shape.rank)
    return call.context.opaque(("ndim",), shape=Shape.of([]))


@primitive
def range_(call: Call, start: Value, stop: Value | None = None) -> Value:
    """range(n), range(1, n)."""
    first, last = (0, integer(start)) if stop is None else (integer(start), integer(stop))
    if first is not None and last is not None and last - first <= 8:
        return TupleValue(tuple(Const(i) for i in range(first, last)))
    end = stop if stop is not None else start
    atom = end.single() if isinstance(end, Tensor) else None
    counts_axes = atom is not None and "ndim" in atom.names
    if (counts_axes or stop is not None) and first is not None and 0 <= first <= MAX_RANK:
        # An unknown end: as an `axis=` it means all axes from `first` on.
        return ListValue(ShapeValue(Shape(), first))
    number = call.opaque(Shape.of([]))
    return RangeValue(number, start) if stop is None else ListValue(number)


@primitive
def sequence(call: Call, x: Value | None = None) -> Value:
    """list(x), tuple(x)."""
    if x is None:
        return TupleValue(())
    if isinstance(x, TupleValue | ListValue | ShapeValue) and not isinstance(x, RangeValue):
        return x
    return ListValue(call.context.element_of(x))


@primitive
def dictionary(call: Call, x: Value | None = None, **items: Value) -> Value:
    """dict(x, kl=y), ModuleDict(x)."""
    if ANY_KEYWORDS in items or (x is not None and not isinstance(x, DictValue)):
        return call.opaque()
    before = () if x is None else tuple((key, value) for key, value in x.items if key not in items)
    return DictValue((*before, *items.items()))


@primitive
def namespace(call: Call, x: Value | None = None, **items: Value) -> Value:
    """SimpleNamespace(kl=y): an object of a class that has nothing but these attributes."""
    if ANY_KEYWORDS in items or x is not None:
        return call.opaque()
    made = InstanceValue(ClassValue(_NAMESPACE, Scope()))
    for name, value in items.items():
        call.context.attributes[made, name] = value
    return made


@primitive
def reversed_(call: Call, x: Value) -> Value:
    """reversed(x)."""
    if isinstance(x, TupleValue):
        return TupleValue(x.items[::-1])
    return ListValue(call.context.element_of(x))


@primitive
def zip_(call: Call, *rows: Value) -> Value:
    """zip(a, b)."""
    if any(isinstance(r, SpreadValue) for r in rows):  # `zip(*loss)`: columns
        return ListValue(call.context.unsure(rows))
    if rows and all(isinstance(r, TupleValue) for r in rows):
        columns = zip(*(r.items for r in rows if isinstance(r, TupleValue)), strict=False)
        return TupleValue(tuple(TupleValue(tuple(c)) for c in columns))
    return ListValue(TupleValue(tuple(call.context.element_of(r) for r in rows)))


@primitive
def enumerate_(call: Call, x: Value) -> Value:
    """enumerate(x)."""
    return ListValue(TupleValue((call.opaque(Shape.of([])), call.context.element_of(x))))


@primitive
def map_call(call: Call, function: Value, *rows: Value) -> Value:
    """map(f, x)."""
    if rows and all(isinstance(r, TupleValue) and len(r.items) <= MAX_TOLD_APART for r in rows):
        columns = zip(*(r.items for r in rows if isinstance(r, TupleValue)), strict=False)
        return TupleValue(tuple(call.context.call(function, list(c), {}, call.node) for c in columns))
    items = [call.context.element_of(r) for r in rows]
    return ListValue(call.context.call(function, items, {}, call.node))


@primitive
def fold(call: Call, function: Value, x: Value, initial: Value | None = None) -> Value:
    """functools.reduce(operator.mul, x.shape): a count; or of a few things that are written out."""
    if isinstance(x, ShapeValue):
        result = call.context.count_of(x)
        return algebra.multiply(result, call.tensor(initial)) if initial is not None else result
    if isinstance(x, TupleValue) and x.items:
        first, *others = x.items if initial is None else (initial, *x.items)
        for item in others:
            first = call.context.call(function, [first, item], {}, call.node)
        return first
    return call.opaque()


@primitive
def number(call: Call, x: Value | None = None) -> Value:
    """float(x), int(x)."""
    if isinstance(x, Const) and isinstance(x.value, str):
        return call.context.anything(SCALAR)
    return x if x is not None else Const(0)


@primitive
def truth(call: Call, x: Value) -> Value:
    """bool(x)."""
    if isinstance(x, Const) and x.is_fixed:
        return Const(bool(x.value))
    return x if isinstance(x, Condition) else call.context.unknown_of([x])


@primitive
def at_least(call: Call, x: Value, y: Value | None = None) -> Value:
    """max(n, 1) guards a count; other maxima are something new."""
    if y is not None:
        for value, bound in ((call.tensor(x), call.tensor(y)), (call.tensor(y), call.tensor(x))):
            number = bound.number()
            if number is not None and number <= 1:
                return value
    return call.opaque(SCALAR)


@primitive
def smallest(call: Call, x: Value, y: Value | None = None) -> Value:
    """min(n, 128) is no count any more."""
    return call.opaque(SCALAR)


@primitive
def attribute(call: Call, x: Value, name: Value, default: Value | None = None) -> Value:
    """getattr(x, "name"), or the name that a parameter has by default."""
    usual = call.context.usual(name)
    if usual is not None and isinstance(usual.value, str):
        method = call.context.attribute(x, usual.value, call.node)  # type: ignore[arg-type]
        if (usually := by_default(call.context, method)) is not None:
            return usually
    if isinstance(name, Const) and isinstance(name.value, str):
        found = call.context.attribute(x, name.value, call.node)  # type: ignore[arg-type]
        return call.context.one_of([found, default]) if default is not None else found
    return call.opaque()
