"""Operations that move, merge, cut or select axes; the support axis is followed through them."""

from __future__ import annotations

from collections.abc import Sequence

from batchmean.engine.domain.axes import MAX_RANK, AxesSpec, Axis
from batchmean.engine.domain.broadcasting import relabelled
from batchmean.engine.domain.shapes import Shape
from batchmean.engine.domain.tensors import (
    Role,
    Tensor,
    altered,
    derived,
    from_atom,
    is_unknown,
)
from batchmean.engine.domain.values import (
    Alternatives,
    Const,
    ListValue,
    ModuleValue,
    ShapeValue,
    SizesValue,
    TupleValue,
    Value,
)
from batchmean.engine.primitives.registry import Call, axes_spec, integer, literal, primitive
from batchmean.engine.recognise.integrands import recognise
from batchmean.operations import has_functions


def shape_from(call: Call, sizes: tuple[Value, ...]) -> Shape:
    """The shape that `zeros(B, V)`, `zeros((B, V))` or `zeros(x.shape)` says; a type may follow it."""
    imported = [size.name for size in sizes if isinstance(size, ModuleValue)]
    if not all(has_functions(name.rpartition(".")[0]) for name in imported):
        return Shape()  # a number of the project's own, or a type that it gives a name
    sizes = tuple(size for size in sizes if not isinstance(size, ModuleValue))
    if len(sizes) == 1 and isinstance(sizes[0], ShapeValue):
        given = sizes[0]
        if given.start == 0 and given.stop is None:
            return given.shape
        return Shape()
    items = _one_for_each_axis(call, sizes)
    if items is None:
        return Shape()
    if any(isinstance(item, ShapeValue) for item in items):
        return _of_spread_sizes(call, items)
    return Shape.of([axis_of_length(call, item) for item in items])


def _one_for_each_axis(call: Call, sizes: tuple[Value, ...]) -> tuple[Value, ...] | None:
    """The lengths that `view(B, V)` and `view((B, V))` give; None where nothing shows how many there are."""
    if len(sizes) == 1 and isinstance(sizes[0], SizesValue):
        return sizes[0].sizes
    items = sizes[0].items if len(sizes) == 1 and isinstance(sizes[0], TupleValue) else sizes
    if any(isinstance(item, ListValue) for item in items):
        return None
    if len(items) == 1 and items is sizes and not isinstance(items[0], Const | ShapeValue):
        if is_unknown(call.tensor(items[0])):
            return None  # a number, or a tuple of them
    return items


def _of_spread_sizes(call: Call, sizes: Sequence[Value], old: Sequence[Axis] = ()) -> Shape:
    """The shape that `zeros(*x.shape, V)` says: all axes of x, then one more."""
    first, *rest = sizes
    if not isinstance(first, ShapeValue) or any(isinstance(size, ShapeValue) for size in rest):
        return Shape()
    shape = first.shape
    if first.start or first.stop not in (None, -1):
        return Shape()
    if first.stop:
        shape = shape.without(AxesSpec.at(-1))
    for size in rest:
        shape = shape.with_axis(-1, _known_again(axis_of_length(call, size), old))
    return shape


def axis_of_length(call: Call, size: Value) -> Axis:
    """The axis whose length a value is; a new one where it is none of the code's."""
    number = integer(size)
    if number is not None:
        return Axis(number if number >= 0 else None)
    atom = call.tensor(size).single()
    if atom is not None and atom.role is Role.COUNT and atom.axis is not None:
        return atom.axis
    axis = Axis()
    if atom is not None:
        axis.symbols.add(atom.key)
    return axis


@primitive
def reshape(call: Call, x: Value, *shape: Value) -> Value:
    """A reshape: axes that keep their length stay themselves, the others are merged or cut."""
    tensor = call.tensor(x)
    if len(shape) == 1 and isinstance(shape[0], ShapeValue):
        given = shape[0]
        whole = given.start == 0 and given.stop is None
        if whole and (target := _one_hot_again(tensor, given.shape)) is not None:
            return target
        return relabelled(tensor, given.shape if whole and not given.shape.is_scalar else Shape())
    items = _one_for_each_axis(call, shape)
    if items is None:
        return relabelled(tensor, Shape(unsure=tensor.shape.shown))
    result = _reshaped(call, tensor.shape, items).made_of(tensor.shape)
    for axis in result.shown:
        if axis.parts and axis.merged_in is None:
            axis.merged_in = tensor.shape
    return relabelled(tensor, result)


def _one_hot_again(tensor: Tensor, shape: Shape) -> Tensor | None:
    """`hot.reshape(preds.shape)`: the classes stay last, unless the code shows that the last axis is another one."""
    atom, last = tensor.single(), shape.axis(-1)
    if atom is None or atom.role is not Role.ONE_HOT or last is None or shape.is_scalar:
        return None
    if atom.axis is None or shape.has(atom.axis) or atom.axis.size not in (None, last.size):
        return None
    return from_atom(derived(atom, "reshaped", last.root(), axis=last, shown=False), shape)


def _reshaped(call: Call, shape: Shape, sizes: tuple[Value, ...]) -> Shape:
    if any(isinstance(size, ShapeValue) for size in sizes):
        return _of_spread_sizes(call, sizes, _distinct(shape.shown))
    free = [i for i, size in enumerate(sizes) if integer(size) == -1]
    shape.axis(0)  # named now, so that it is known to be merged
    old = _distinct(shape.shown)
    if len(sizes) == 1 and free:
        return Shape.of([Axis(parts=tuple(old), whole=shape)])
    new = [None if integer(size) == -1 else _known_again(axis_of_length(call, size), old) for size in sizes]
    if shape.rank is not None:
        return _regrouped(old, new)
    kept_axes = [a for a in new if a is not None]
    gone = [a for a in old if not any(a.is_same(k) for k in kept_axes)]
    if len(free) == 1:
        position = free[0]
        last = new[1 - position] if len(sizes) == 2 else None
        if last is not None and not any(last.is_same(o) for o in old):
            # view(-1, V) or view(B, -1): the other end keeps its axis, everything else is merged.
            end = shape.axis(-1 if position == 0 else 0)
            if end is not None and last.size != 1 and (last.size is None or end.size in (None, last.size)):
                gone = [a for a in gone if not a.is_same(end)]
                new[1 - position] = end
        if any(a is not None and a.size != 1 and not any(o.holds(a) for o in old) for a in new):
            # view(n, -1, d): lengths that are nobody's do not tell which of the axes hold those of before.
            return Shape([a or Axis() for a in new], rank=len(new), unsure=gone)
        new[position] = Axis(parts=tuple(gone))
    elif gone:
        unknown = [i for i, a in enumerate(new) if a is not None and not any(a.is_same(o) for o in old)]
        if len(unknown) != 1:
            return Shape(unsure=old)
        new[unknown[0]] = Axis(parts=tuple(gone))
    return Shape.of([a if a is not None else Axis() for a in new])


def _is_among(axis: Axis, old: Sequence[Axis]) -> bool:
    return any(axis.is_same(one) for one in old)


def _known_again(axis: Axis, old: Sequence[Axis]) -> Axis:
    """The axis of the array that has this length; the new one where none has."""
    inside = [part for mine in old for part in (mine, *mine.root().parts)]
    kept = next((a for a in inside if a.is_same(axis) or a.symbols & axis.symbols), None)
    if kept is None and axis.size is not None and axis.size > 1:
        kept = next((a for a in inside if a.size == axis.size), None)
    return kept or axis


def _regrouped(old: Sequence[Axis], new: list[Axis | None]) -> Shape:
    """A reshape of an array whose axes are all known: those that stay, in their order, and one group of others.

    That group may be several axes that become one, or one that is cut into several.
    """
    places = [next((i for i, mine in enumerate(old) if a is not None and mine.is_same(a)), None) for a in new]
    kept = [place for place in places if place is not None]
    gone = [axis for i, axis in enumerate(old) if i not in kept]
    others = [
        i
        for i, place in enumerate(places)
        if place is None and not ((a := new[i]) is not None and a.size == 1)
    ]
    if kept != sorted(set(kept)) or (gone and not others):
        return Shape(unsure=old)  # lengths alone do not tell which axis is which
    axes = [axis if axis is not None else Axis() for axis in new]
    if len(others) == 1 and gone:
        axes[others[0]] = gone[0] if len(gone) == 1 else Axis(parts=tuple(gone))
    elif len(gone) == 1:
        whole = gone[0].root()
        cut = [axes[i] for i in others]
        missing = [part for part in whole.parts if not any(part.is_same(a) for a in cut)]
        unknown = [i for i in others if not any(part.is_same(axes[i]) for part in whole.parts)]
        if len(missing) == len(unknown) == 1:
            axes[unknown[0]] = missing[0]
        elif not whole.parts:
            whole.parts = tuple(cut)
    elif gone:
        return Shape(unsure=old)
    return Shape.of(axes)


def _distinct(axes: tuple[Axis, ...]) -> list[Axis]:
    found: list[Axis] = []
    for axis in axes:
        if not any(axis.is_same(f) for f in found):
            found.append(axis)
    return found


@primitive
def flatten(call: Call, x: Value, start: Value | None = None, end: Value | None = None) -> Value:
    """flatten(start, end): the axes from start to end become one."""
    tensor = call.tensor(x)
    first = integer(start) if start is not None else 0
    last = integer(end) if end is not None else -1
    shape = tensor.shape
    if first is None or last is None or max(abs(first), abs(last)) > MAX_RANK:
        return relabelled(tensor, Shape(unsure=shape.shown))
    axes = shape.axes
    if axes is not None:
        stop = last % len(axes) + 1 if axes else 0
        merged = Axis(parts=axes[first:stop], whole=shape if first == 0 and stop == len(axes) else None)
        return relabelled(tensor, Shape.of([*axes[:first], merged, *axes[stop:]]))
    if first >= 0 and last == -1:
        head = [a for a in (shape.axis(i) for i in range(first)) if a is not None]
        rest = [a for a in _distinct(shape.shown) if not any(a.is_same(h) for h in head)]
        merged = Axis(parts=tuple(rest), whole=None if head else shape)
        return relabelled(tensor, Shape.of([*head, merged]))
    if first == 0 and last < -1:
        tail = [a for a in (shape.axis(i) for i in range(last + 1, 0)) if a is not None]
        rest = [a for a in _distinct(shape.shown) if not any(a.is_same(t) for t in tail)]
        return relabelled(tensor, Shape.of([Axis(parts=tuple(rest)), *tail]))
    return relabelled(tensor, Shape(unsure=shape.shown))


@primitive
def transpose(call: Call, x: Value, *axes: Value) -> Value:
    """torch's transpose(a, b), numpy's transpose(), transpose(order)."""
    tensor = call.tensor(x)
    numbers = _numbers(axes)
    if not axes:
        return relabelled(tensor, tensor.shape.reversed())
    if numbers is None:
        return relabelled(tensor, Shape(unsure=tensor.shape.shown))
    if len(numbers) == 2 and len(axes) == 2 and _swaps_two(call):
        return relabelled(tensor, tensor.shape.swapped(*numbers))
    return relabelled(tensor, tensor.shape.permuted(numbers))


def _swaps_two(call: Call) -> bool:
    """Is `transpose(0, 1)` here PyTorch's, which swaps two axes, and not NumPy's, which lists them all?"""
    imported = call.context.packages
    return not imported or not imported.isdisjoint(("torch", "tinygrad"))


def _numbers(values: tuple[Value, ...]) -> list[int] | None:
    items = values[0].items if len(values) == 1 and isinstance(values[0], TupleValue) else values
    numbers = [integer(item) for item in items]
    return None if any(n is None for n in numbers) else [n for n in numbers if n is not None]


@primitive
def permute(call: Call, x: Value, *axes: Value) -> Value:
    """permute(order); without an order the axes are turned round."""
    tensor = call.tensor(x)
    if all(isinstance(each, Const) and each.value is None for each in axes):
        return relabelled(tensor, tensor.shape.reversed())
    numbers = _numbers(axes)
    shape = tensor.shape.permuted(numbers) if numbers else Shape(unsure=tensor.shape.shown)
    return relabelled(tensor, shape)


@primitive
def moveaxis(call: Call, x: Value, source: Value | None = None, destination: Value | None = None) -> Value:
    """moveaxis(source, destination)."""
    tensor = call.tensor(x)
    a, b = integer(source), integer(destination)
    moved = tensor.shape.axis(a) if a is not None else None
    if a is None or b is None or moved is None:
        return relabelled(tensor, Shape(unsure=tensor.shape.shown))
    return relabelled(tensor, tensor.shape.without(AxesSpec.at(a)).with_axis(b, moved))


@primitive
def input_of(call: Call, shape: Value | None = None) -> Value:
    """Input(shape=(64,)): an array of examples, each of that shape."""
    if not isinstance(shape, TupleValue):
        return call.opaque()
    sizes = [Axis() if literal(item) is None else axis_of_length(call, item) for item in shape.items]
    return call.opaque(Shape.of([Axis(), *sizes]))


@primitive
def unsqueeze(call: Call, x: Value, axis: Value | None = None) -> Value:
    """A new axis of length 1."""
    tensor = call.tensor(x)
    position = integer(axis)
    if position is None:
        return relabelled(tensor, Shape(unsure=tensor.shape.shown))
    return relabelled(tensor, tensor.shape.with_axis(position, Axis(1)))


@primitive
def squeeze(call: Call, x: Value, axis: Value | None = None) -> Value:
    """Axes of length 1 are dropped."""
    tensor = call.tensor(x)
    axes = tensor.shape.axes
    if axis is None:
        if axes is not None:
            return relabelled(tensor, Shape.of([a for a in axes if a.size != 1]))
        return relabelled(tensor, Shape(unsure=tensor.shape.shown))
    return relabelled(tensor, tensor.shape.without(axes_spec(axis)))


@primitive
def expand(call: Call, x: Value, *shape: Value) -> Value:
    """Broadcasting to a larger shape."""
    tensor = call.tensor(x)
    if tensor.reductions and tensor.shape.is_scalar:
        return call.context.unsure([tensor])  # many times the same loss
    other = (
        call.tensor(shape[0]).shape
        if len(shape) == 1 and isinstance(shape[0], Tensor)
        else shape_from(call, shape)
    )
    return relabelled(tensor, other)


@primitive
def stack(call: Call, x: Value, axis: Value | None = None) -> Value:
    """A list of arrays along a new axis."""
    position = integer(axis) if axis is not None else 0
    return stacked(call, x, position if position is not None else 0)


def stacked(call: Call, x: Value, position: int = 0) -> Tensor:
    """A list of arrays as one array with a new axis at `position`."""
    if isinstance(x, ListValue):
        item = x.element
        if isinstance(item, Alternatives):
            item = next((v for v in item.values if isinstance(v, Tensor) and v.reductions), item.values[0])
        tensor = call.tensor(item)
        return altered(tensor, shape=tensor.shape.with_axis(position, Axis()))
    if isinstance(x, TupleValue) and x.items:
        first = call.tensor(x.items[0])
        shape = first.shape.with_axis(position, Axis(len(x.items)))
        accounts = tuple(r for item in x.items for r in call.tensor(item).reductions)
        if accounts:
            return altered(call.opaque(shape), reductions=accounts, stack=first.stack)
        if len(x.items) > 1 and all(recognise(call.tensor(item)) is not None for item in x.items):
            return altered(first, shape=shape)  # expectations all: one stands for the others
        atoms = [call.tensor(item).single() for item in x.items]
        if len(x.items) == 1 or all(a is not None and a.role is Role.PROBS for a in atoms):
            return relabelled(first, shape, ("stack", *(a.key for a in atoms if a is not None)))
        return call.opaque(shape)
    return call.tensor(x)


@primitive
def concatenate(call: Call, x: Value, axis: Value | None = None) -> Value:
    """Arrays one after the other along an axis."""
    if isinstance(x, ListValue):
        return relabelled(call.tensor(x.element), call.tensor(x.element).shape, "joined")
    if isinstance(x, TupleValue) and x.items:
        tensors = [call.tensor(item) for item in x.items]
        accounts = tuple(r for t in tensors for r in t.reductions)
        position = integer(axis) if axis is not None else 0
        shape = tensors[0].shape
        if position is None:
            return altered(call.opaque(Shape(unsure=shape.shown)), reductions=accounts)
        if len(tensors) > 1 and not any(t.terms for t in tensors[1:]):
            return tensors[0]  # padded with zeros
        joined = shape.without(AxesSpec.at(position)).with_axis(position, Axis())
        return altered(call.opaque(joined), reductions=accounts)
    return call.opaque()


@primitive
def vstack(call: Call, x: Value) -> Value:
    """Arrays one below the other; a vector is a row."""
    first = x.element if isinstance(x, ListValue) else next(iter(getattr(x, "items", ())), None)
    if first is not None and call.tensor(first).shape.rank == 1:
        return stacked(call, x)
    return concatenate(call, x)


@primitive
def split(call: Call, x: Value, sections: Value | None = None, axis: Value | None = None) -> Value:
    """chunk, split: several arrays, each other elements of x."""
    tensor = call.tensor(x)
    count = integer(sections)
    position = integer(axis)
    length = Axis()
    shape = tensor.shape
    if position is not None:
        shape = shape.without(AxesSpec.at(position)).with_axis(position, length)
    if count is None or not 1 < count <= 4:
        return ListValue(call.opaque(shape))
    return TupleValue(tuple(relabelled(tensor, shape, ("piece", i)) for i in range(count)))
