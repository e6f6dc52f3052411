"""Operations that move, merge, cut or select axes; the support axis is followed through them."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING

from batchmean.engine import algebra
from batchmean.engine.integrands import recognise
from batchmean.engine.literals import spelled_out
from batchmean.engine.masks import is_loss_name, is_shown, mask_of, unmasked
from batchmean.engine.names import is_log_name
from batchmean.engine.primitives import Call, axes_spec, integer, literal, primitive
from batchmean.engine.reductions import Integrand, Reduction, mask_fact
from batchmean.engine.shapes import MAX_RANK, AxesSpec, Axis, Shape
from batchmean.engine.values import (
    Alternatives,
    Atom,
    BuiltinValue,
    Const,
    DictValue,
    ListValue,
    ModuleValue,
    Place,
    Role,
    ShapeValue,
    Tensor,
    TupleValue,
    Value,
    altered,
    from_atom,
    intern,
    is_unknown,
)

if TYPE_CHECKING:
    from batchmean.engine.evaluator import Evaluator


def shape_from(call: Call, sizes: tuple[Value, ...]) -> Shape:
    """The shape that `zeros(B, V)`, `zeros((B, V))` or `zeros(x.shape)` says; a type may follow it."""
    sizes = tuple(size for size in sizes if not isinstance(size, ModuleValue))
    if len(sizes) == 1 and isinstance(sizes[0], ShapeValue):
        given = sizes[0]
        if given.start == 0 and given.stop is None:
            return given.shape
        return Shape()
    items = sizes[0].items if len(sizes) == 1 and isinstance(sizes[0], TupleValue) else sizes
    if any(isinstance(item, ShapeValue) for item in items):
        return _of_spread_sizes(call, items)
    if len(items) == 1 and not isinstance(sizes[0], TupleValue) and not isinstance(items[0], Const):
        length = call.tensor(items[0]).single()
        if length is None or length.role is not Role.COUNT:
            return Shape()  # a number, or a tuple of them
    return Shape.of([axis_of_length(call, item) for item in items])


def _of_spread_sizes(call: Call, sizes: Sequence[Value], old: Sequence[Axis] = ()) -> Shape:
    """The shape that `zeros(*x.shape, V)` says: all axes of x, then one more."""
    first, *rest = sizes
    if not isinstance(first, ShapeValue) or any(isinstance(size, ShapeValue) for size in rest):
        return Shape()
    shape = first.shape
    if first.start or first.stop not in (None, -1) or (first.stop and shape.axes is None):
        return Shape()
    if first.stop and shape.axes is not None:
        shape = Shape.of(shape.axes[:-1])
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
        return algebra.relabelled(tensor, given.shape if whole and not given.shape.is_scalar else Shape())
    items = shape[0].items if len(shape) == 1 and isinstance(shape[0], TupleValue) else shape
    result = _reshaped(call, tensor.shape, items).made_of(tensor.shape)
    for axis in result.shown:
        if axis.parts and axis.merged_in is None:
            axis.merged_in = tensor.shape
    return algebra.relabelled(tensor, result)


def _one_hot_again(tensor: Tensor, shape: Shape) -> Tensor | None:
    """`hot.reshape(preds.shape)`: the classes stay last, unless the code shows that the last axis is another one."""
    atom, last = tensor.single(), shape.axis(-1)
    if atom is None or atom.role is not Role.ONE_HOT or last is None or shape.is_scalar:
        return None
    if atom.axis is None or shape.has(atom.axis) or atom.axis.size not in (None, last.size):
        return None
    key = intern("reshaped", atom.key, last.root())
    return from_atom(altered(atom, key=key, axis=last, shown=False), shape)


def _reshaped(call: Call, shape: Shape, sizes: tuple[Value, ...]) -> Shape:
    if any(isinstance(size, ShapeValue) for size in sizes):
        return _of_spread_sizes(call, sizes, _distinct(shape.shown))
    free = [i for i, size in enumerate(sizes) if integer(size) == -1]
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
        new[position] = Axis(parts=tuple(gone))
    elif gone:
        unknown = [i for i, a in enumerate(new) if a is not None and not any(a.is_same(o) for o in old)]
        if len(unknown) != 1:
            return Shape(unsure=old)
        new[unknown[0]] = Axis(parts=tuple(gone))
    return Shape.of([a if a is not None else Axis() for a in new])


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
        return algebra.relabelled(tensor, Shape(unsure=shape.shown))
    axes = shape.axes
    if axes is not None:
        stop = last % len(axes) + 1 if axes else 0
        merged = Axis(parts=axes[first:stop], whole=shape if first == 0 and stop == len(axes) else None)
        return algebra.relabelled(tensor, Shape.of([*axes[:first], merged, *axes[stop:]]))
    if first >= 0 and last == -1:
        head = [a for a in (shape.axis(i) for i in range(first)) if a is not None]
        rest = [a for a in _distinct(shape.shown) if not any(a.is_same(h) for h in head)]
        merged = Axis(parts=tuple(rest), whole=None if head else shape)
        return algebra.relabelled(tensor, Shape.of([*head, merged]))
    if first == 0 and last < -1:
        tail = [a for a in (shape.axis(i) for i in range(last + 1, 0)) if a is not None]
        rest = [a for a in _distinct(shape.shown) if not any(a.is_same(t) for t in tail)]
        return algebra.relabelled(tensor, Shape.of([Axis(parts=tuple(rest)), *tail]))
    return algebra.relabelled(tensor, Shape(unsure=shape.shown))


@primitive
def transpose(call: Call, x: Value, *axes: Value) -> Value:
    """torch's transpose(a, b), numpy's transpose(), transpose(order)."""
    tensor = call.tensor(x)
    numbers = _numbers(axes)
    if not axes:
        return algebra.relabelled(tensor, tensor.shape.reversed())
    if numbers is None:
        return algebra.relabelled(tensor, Shape(unsure=tensor.shape.shown))
    if len(numbers) == 2 and len(axes) == 2 and _swaps_two(call):
        return algebra.relabelled(tensor, tensor.shape.swapped(*numbers))
    return algebra.relabelled(tensor, tensor.shape.permuted(numbers))


def _swaps_two(call: Call) -> bool:
    """Is `transpose(0, 1)` here PyTorch's, which swaps two axes, and not NumPy's, which lists them all?"""
    imported = call.interpreter.packages
    return not imported or not imported.isdisjoint(("torch", "tinygrad"))


def _numbers(values: tuple[Value, ...]) -> list[int] | None:
    items = values[0].items if len(values) == 1 and isinstance(values[0], TupleValue) else values
    numbers = [integer(item) for item in items]
    return None if any(n is None for n in numbers) else [n for n in numbers if n is not None]


@primitive
def permute(call: Call, x: Value, *axes: Value) -> Value:
    """permute(order)."""
    tensor = call.tensor(x)
    numbers = _numbers(axes)
    shape = tensor.shape.permuted(numbers) if numbers else Shape(unsure=tensor.shape.shown)
    return algebra.relabelled(tensor, shape)


@primitive
def moveaxis(call: Call, x: Value, source: Value | None = None, destination: Value | None = None) -> Value:
    """moveaxis(source, destination)."""
    tensor = call.tensor(x)
    a, b = integer(source), integer(destination)
    moved = tensor.shape.axis(a) if a is not None else None
    if a is None or b is None or moved is None:
        return algebra.relabelled(tensor, Shape(unsure=tensor.shape.shown))
    return algebra.relabelled(tensor, tensor.shape.without(AxesSpec.at(a)).with_axis(b, moved))


@primitive
def dense(call: Call, x: Value, units: Value | None = None) -> Value:
    """A linear layer: something new whose last axis has `units` elements."""
    shape = call.tensor(x).shape.without(AxesSpec.at(-1))
    axis = axis_of_length(call, units) if units is not None else Axis()
    return call.interpreter.opaque(shape=shape.with_axis(-1, axis))


@primitive
def dense_layer(call: Call, units: Value | None = None) -> Value:
    """nn.Linear(in, out), Dense(units): the layer as an object."""

    def forward(args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        if not args:
            return call.interpreter.opaque()
        return call.interpreter.lift(lambda x: dense(call, x, units), args[0])

    return BuiltinValue("dense", forward)


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
        return algebra.relabelled(tensor, Shape(unsure=tensor.shape.shown))
    return algebra.relabelled(tensor, tensor.shape.with_axis(position, Axis(1)))


@primitive
def squeeze(call: Call, x: Value, axis: Value | None = None) -> Value:
    """Axes of length 1 are dropped."""
    tensor = call.tensor(x)
    axes = tensor.shape.axes
    if axis is None:
        if axes is not None:
            return algebra.relabelled(tensor, Shape.of([a for a in axes if a.size != 1]))
        return algebra.relabelled(tensor, Shape(unsure=tensor.shape.shown))
    return algebra.relabelled(tensor, tensor.shape.without(axes_spec(axis)))


@primitive
def expand(call: Call, x: Value, *shape: Value) -> Value:
    """Broadcasting to a larger shape."""
    tensor = call.tensor(x)
    other = (
        call.tensor(shape[0]).shape
        if len(shape) == 1 and isinstance(shape[0], Tensor)
        else shape_from(call, shape)
    )
    return algebra.relabelled(tensor, other)


@primitive
def select(call: Call, x: Value, axis: Value | None = None, index: Value | None = None) -> Value:
    """gather, take_along_axis: one element of the axis is chosen by an index array."""
    tensor = call.tensor(x)
    position = integer(axis)
    if index is not None:
        call.interpreter.note_labels(index, each=True)
    if index is not None and position is not None and position != 0:
        _same_examples(tensor, call.tensor(index), position)
    shape = tensor.shape.without(AxesSpec.at(position), keepdims=True) if position is not None else Shape()
    if index is not None and position is not None:
        if not call.tensor(index).shape.is_stretched:  # how many is not shown
            shape = tensor.shape.without(AxesSpec.at(position)).with_axis(position, Axis())
        if call.tensor(index).shape.rank is not None:
            shape = call.tensor(index).shape
    return selected(call.interpreter, tensor, shape, call.node)


def _same_examples(tensor: Tensor, index: Tensor, position: int) -> None:
    """An index for each example; of log-probabilities it takes a class, which also shows the rank."""
    first, theirs = tensor.shape.axis(0), index.shape.axis(0)
    if first is not None and theirs is not None:
        first.unite(theirs)
    atom, last = tensor.single(), tensor.shape.axis(-1)
    if position == 1 and atom is not None and atom.role is Role.LOG_PROBS and atom.axis is not None:
        if last is not None and last.is_same(atom.axis):
            tensor.shape.set_rank(2)


def selected(interpreter: Evaluator, tensor: Tensor, shape: Shape | None, node: ast.AST) -> Tensor:
    """One element for each example: of log-probabilities that is a loss, up to its sign."""
    chosen = interpreter.computed(shape)
    if not any(a.role in (Role.LOG_PROBS, Role.LOG) or is_log_name(a.names) for a in tensor.atoms()):
        return algebra.map_atoms(chosen, lambda atom: altered(atom, kind="picked"))
    place = Place(node, "the log-probability of the label is selected")
    return algebra.map_atoms(chosen, lambda atom: altered(atom, kind="selected", place=place))


@primitive
def diagonal(call: Call, x: Value) -> Value:
    """The matched pairs of a similarity matrix."""
    return call.opaque(Shape.of([Axis()]))


@primitive
def take(call: Call, x: Value, axis: Value | None = None, index: Value | None = None) -> Value:
    """index_select, take, masked_select: some elements of an axis."""
    tensor = chosen(call.interpreter, call.tensor(x))
    return algebra.relabelled(tensor, tensor.shape, "taken")


def chosen(interpreter: Evaluator, tensor: Tensor) -> Tensor:
    """What is chosen by an index or a condition: the masked positions may be gone."""
    tensor = unmasked(tensor)
    if not any(r.mask for r in tensor.reductions):
        return tensor
    free = tuple(
        interpreter.record(altered(r, mask=None, parent=r)) if r.mask else r for r in tensor.reductions
    )
    return altered(tensor, reductions=free)


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
            return algebra.relabelled(first, shape, ("stack", *(a.key for a in atoms if a is not None)))
        return call.opaque(shape)
    return call.tensor(x)


@primitive
def concatenate(call: Call, x: Value, axis: Value | None = None) -> Value:
    """Arrays one after the other along an axis."""
    if isinstance(x, ListValue):
        return algebra.relabelled(call.tensor(x.element), call.tensor(x.element).shape, "joined")
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
    return TupleValue(tuple(algebra.relabelled(tensor, shape, ("piece", i)) for i in range(count)))


def subscript(interpreter: Evaluator, base: Value, index: Value, node: ast.Subscript) -> Value:
    """`base[index]`."""
    if isinstance(base, ModuleValue | BuiltinValue):
        return interpreter.opaque()
    if isinstance(base, DictValue):
        found = base.get(literal(index)) if isinstance(index, Const) else None
        return found if found is not None else interpreter.opaque(_hint(index))
    if isinstance(base, ShapeValue):
        return _shape_item(interpreter, base, index)
    if isinstance(base, TupleValue):
        position = integer(index)
        if position is not None and -len(base.items) <= position < len(base.items):
            return base.items[position]
        cut = literal(index)
        if isinstance(cut, slice) and all(isinstance(end, int | None) for end in (cut.start, cut.stop)):
            return TupleValue(base.items[cut])
        return interpreter.one_of(base.items) if base.items else interpreter.opaque()
    if isinstance(base, ListValue):
        return base if isinstance(literal(index), slice) else base.element
    if isinstance(base, Const):
        return interpreter.opaque()
    if isinstance(index, TupleValue) and index.is_list:
        index = interpreter.as_tensor(index)
    tensor = interpreter.as_tensor(base)
    key = literal(index)
    atom = tensor.single()
    if isinstance(key, str):
        return (
            interpreter.shown_opaque("item", atom.key, key, names=(key,))
            if atom is not None
            else interpreter.opaque((key,))
        )
    return _indexed(interpreter, tensor, index, node)


def _hint(index: Value) -> tuple[str, ...]:
    key = literal(index)
    return (key,) if isinstance(key, str) else ()


def _shape_item(interpreter: Evaluator, base: ShapeValue, index: Value) -> Value:
    position = integer(index)
    if position is not None:
        if position >= 0:
            return interpreter.axis_length(base.shape, base.start + position)
        if base.stop is None:
            return interpreter.axis_length(base.shape, position)
        return interpreter.axis_length(base.shape, base.stop + position)
    if isinstance(index, Tensor):
        return from_atom(Atom(intern("some length", *index.terms), Role.COUNT), Shape.of([]))
    cut = literal(index)
    if isinstance(cut, slice) and base.start == 0 and base.stop is None:
        start, stop = cut.start or 0, cut.stop
        if not isinstance(start, int) or abs(start) > MAX_RANK:
            return interpreter.computed()
        if start >= 0 and (stop is None or (isinstance(stop, int) and abs(stop) <= MAX_RANK)):
            return ShapeValue(base.shape, start, stop)
        if stop is None:
            axes = [base.shape.axis(i) for i in range(start, 0)]
            return TupleValue(tuple(interpreter.axis_length(base.shape, i) for i in range(start, 0) if axes))
    return interpreter.computed()


def _indexed(interpreter: Evaluator, tensor: Tensor, index: Value, node: ast.Subscript) -> Value:
    items = index.items if isinstance(index, TupleValue) else (index,)
    many = [i for i in items if isinstance(i, ListValue) or (isinstance(i, Tensor) and i.single() is None)]
    if many and len(items) > 1:
        # x[rows, labels] selects one element per row; beside slices, which axes remain is not shown.
        rows = len(items) == 2 and not any(_is_whole_slice(i) for i in items)
        return selected(interpreter, tensor, Shape.of([Axis()]) if rows else None, node)
    arrays = [i for i in items if isinstance(i, Tensor)]
    atom = tensor.single()
    if len(items) == 2 and _is_whole_slice(items[0]) and atom is not None and atom.role is Role.ONE_HOT:
        # The columns of the identity: classes down, examples across.
        if isinstance(items[1], Tensor) and atom.axis is not None:
            columns = items[1].shape.with_axis(0, atom.axis)
            return algebra.relabelled(tensor, columns, ("columns", *items[1].terms))
    if len(items) > 1 and arrays:
        # x[range(n), labels] selects one element per row; x[:, k] with a variable k drops the axis.
        return _dropped(interpreter, tensor, items, node)
    if len(items) == 1 and isinstance(items[0], Tensor):
        kept = _selected_rows(interpreter, chosen(interpreter, tensor), items[0], node)
        return _with_account(interpreter, kept, tensor, items[0], node)
    shape = tensor.shape
    changed = False
    ellipsis = next((i for i, item in enumerate(items) if literal(item) is ...), len(items))
    drop: list[int] = []
    new_axes: list[int] = []
    position = 0
    for item in items[:ellipsis]:
        if isinstance(item, Const) and item.value is None:
            new_axes.append(position + len(new_axes) - len(drop))
            continue
        if integer(item) is not None:
            drop.append(position)
            changed = True
        elif not _is_whole_slice(item):
            changed = True
        position += 1
    position = -1
    new_right: list[int] = []
    for item in reversed(items[ellipsis + 1 :]):
        if isinstance(item, Const) and item.value is None:
            new_right.append(position)
            continue
        if integer(item) is not None:
            drop.append(position)
            changed = True
        elif not _is_whole_slice(item):
            changed = True
        position -= 1
    if drop and tensor.reductions:
        if drop == [0] and all(r.support == "averaged" for r in tensor.reductions):
            return altered(tensor, shape=shape.without(AxesSpec.at(0)))  # one example's mean over its support
        return interpreter.unsure([tensor])  # one of them: the rest is not counted any more
    if drop == [0] and len(items) == 1 and is_unknown(tensor):
        shape = Shape()  # an item of a tuple, as likely as a row: it shares no shape with the others
    elif drop:
        shape = shape.without(AxesSpec.at(*drop))
    for at in new_axes:
        shape = shape.with_axis(at, Axis(1))
    for at in new_right:
        shape = shape.with_axis(at, Axis(1))
    tag = ("index", spelled_out(node.slice)) if changed else None
    result = algebra.relabelled(tensor, shape, tag)
    # `x[:, 0]`: one class was chosen, whatever the name says.
    one_of_many = any(p != 0 for p in drop) or any(_is_one_wide(item) for item in items[1:])
    if one_of_many and result.single() is not None:
        return algebra.map_atoms(result, lambda atom: altered(atom, is_chosen=True))
    return result


def _with_account(
    interpreter: Evaluator, rows: Tensor, tensor: Tensor, index: Tensor, node: ast.AST
) -> Tensor:
    """`loss[mask]`: a loss of the valid positions alone, whose mean may be divided by their number again."""
    atom = algebra.term_atom(tensor.terms[0]) if len(tensor.terms) == 1 else None
    index_mask = mask_of(index)
    if index_mask is not None and rows.reductions:
        selected_mask = altered(mask_fact(index_mask), is_selected=True)
        accounts = [
            altered(r, mask=altered(selected_mask, after=len(r.units), after_steps=len(r.steps)), parent=r)
            for r in rows.reductions
        ]
        return altered(rows, reductions=tuple(map(interpreter.record, accounts)))
    if rows.reductions:
        return interpreter.unsure([tensor])  # some rows, or one: the rest is not counted any more
    if index_mask is None or atom is None:
        return rows
    if atom.kind not in ("error", "selected") and not (not atom.kind and is_loss_name(atom.names)):
        return rows
    place = Place(node, "the valid positions are selected")
    key = intern("selected", *rows.terms)
    shown = bool(atom.kind) and is_shown(index_mask)
    integrand = Integrand("loss", Axis(1), "", shown, (place,), rows.shape, interpreter.stack, key=key)
    mask = altered(mask_fact(index_mask), is_selected=True)
    return altered(rows, reductions=(interpreter.record(Reduction(integrand, support="summed", mask=mask)),))


def _is_one_wide(item: Value) -> bool:
    """Is it a slice such as `0:1`?"""
    cut = literal(item)
    if not isinstance(cut, slice) or not isinstance(cut.stop, int):
        return False
    return isinstance(cut.start, int) and cut.stop - cut.start == 1


def _is_whole_slice(item: Value) -> bool:
    cut = literal(item)
    return isinstance(cut, slice) and cut == slice(None, None)


def _selected_rows(interpreter: Evaluator, tensor: Tensor, index: Tensor, node: ast.Subscript) -> Tensor:
    """`eye[labels]`, `x[mask]`, `x[indices]`: rows, with the last axis still there."""
    atom = tensor.single()
    if atom is not None and atom.role is Role.ONE_HOT and atom.axis is not None:
        interpreter.note_labels(index, each=True)
        leading = index.shape
        key = ("rows", *(t for t in index.terms))
        return algebra.relabelled(tensor, leading.with_axis(-1, atom.axis), key)
    rows = _rows_of(tensor, index)
    if (picked := rows.single()) is not None:
        interpreter.picked.add(picked.key)
    return rows


def _rows_of(tensor: Tensor, index: Tensor) -> Tensor:
    shape = tensor.shape
    back = shape.axis(-1) if shape.rank is None or shape.rank >= 2 else None
    tag = ("rows", *(t for t in index.terms))
    if shape.rank == 1 or back is None:
        return algebra.relabelled(tensor, Shape.of([Axis()]), tag)
    root = shape.root()
    if root._rank is not None:
        return algebra.relabelled(tensor, Shape(back=root._front[1:], unsure=()), tag)
    # Of an array of indices all other axes are left; one index takes the first axis away, which may be any of these.
    unsure = [*root._unsure, *root._front[1:], *root._back[:-1]]
    return algebra.relabelled(tensor, Shape(back=root._back, unsure=unsure), tag)


def _dropped(interpreter: Evaluator, tensor: Tensor, items: tuple[Value, ...], node: ast.Subscript) -> Tensor:
    """An index with arrays or unknown numbers in it: which axes remain is not shown, the values are selected."""
    if any(literal(i) is ... for i in items):
        return selected(interpreter, tensor, None, node)
    whole = [p for p, item in enumerate(items) if _is_whole_slice(item)]
    kept = [a for a in (tensor.shape.axis(p) for p in whole) if a is not None]
    support = [a.axis for a in tensor.atoms() if a.axis is not None and a.role is not Role.COUNT]
    if support and any(k.holds(s) for k in kept for s in support):
        return algebra.relabelled(tensor, Shape(unsure=tensor.shape.shown), "selected")
    return selected(interpreter, tensor, _one_per_row(tensor, items), node)


def _one_per_row(tensor: Tensor, items: tuple[Value, ...]) -> Shape | None:
    """The shape of `x[arange(n), labels]`: the leading axis of x."""
    arrays = [item for item in items if isinstance(item, Tensor)]
    counting = [a for a in arrays if (atom := a.single()) is not None and atom.kind == "arange"]
    first, rows = tensor.shape.axis(0), counting[0].shape.axis(0) if counting else None
    if len(items) != 2 or len(arrays) != 2 or len(counting) != 1 or first is None or rows is None:
        return None
    first.unite(rows)
    return Shape.of([first])
