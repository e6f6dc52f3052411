"""Choosing elements: by an index, a slice, a mask, or labels."""

from __future__ import annotations

import ast

from batchmean.engine.context import Context
from batchmean.engine.domain.accounts import mask_fact
from batchmean.engine.domain.axes import MAX_RANK, AxesSpec, Axis
from batchmean.engine.domain.broadcasting import map_atoms, relabelled
from batchmean.engine.domain.distributions import term_atom
from batchmean.engine.domain.keys import key_of
from batchmean.engine.domain.masks import has_classes, is_shown, mask_of, tells_classes_apart, unmasked
from batchmean.engine.domain.shapes import Shape
from batchmean.engine.domain.storage import Row
from batchmean.engine.domain.tensors import (
    Atom,
    Integrand,
    Place,
    Reduction,
    Role,
    Tensor,
    altered,
    atom_of,
    from_atom,
    is_unknown,
)
from batchmean.engine.domain.values import (
    BuiltinValue,
    Const,
    DictValue,
    ListValue,
    ModuleValue,
    RangeValue,
    ShapeValue,
    TupleValue,
    Value,
)
from batchmean.engine.evidence.names import is_log_name, is_loss_name
from batchmean.engine.primitives.choosing import one_of_table
from batchmean.engine.primitives.registry import Call, integer, literal, primitive
from batchmean.engine.primitives.slices import cut_at, is_cut_short, is_one_wide, is_only, is_whole_slice
from batchmean.engine.primitives.targets import numbered
from batchmean.engine.recognise.integrands import recognise
from batchmean.engine.syntax import spelled_out


@primitive
def select(call: Call, x: Value, axis: Value | None = None, index: Value | None = None) -> Value:
    """gather, take_along_axis: one element of the axis is chosen by an index array."""
    tensor = call.tensor(x)
    position = integer(axis)
    if index is not None:
        call.context.note_labels(index, each=True)
    if index is not None and position is not None and position != 0:
        _same_examples(tensor, call.tensor(index), position)
    shape = tensor.shape.without(AxesSpec.at(position), keepdims=True) if position is not None else Shape()
    if index is not None and position is not None:
        indices = call.tensor(index).shape
        if not indices.without(AxesSpec.at(position)).is_stretched:
            chosen_of = tensor.shape.without(AxesSpec.at(position)).with_axis(position, Axis())
            indices.unite(chosen_of)
            shape = indices
        if call.tensor(index).shape.rank is not None:
            shape = call.tensor(index).shape
    return selected(call.context, tensor, shape, call.node)


def _same_examples(tensor: Tensor, index: Tensor, position: int) -> None:
    """An index for each example; of log-probabilities it takes a class, which also shows the rank."""
    first, theirs = tensor.shape.axis(0), index.shape.axis(0)
    if first is not None and theirs is not None:
        first.unite(theirs)
    atom, last = tensor.single(), tensor.shape.axis(-1)
    if position == 1 and atom is not None and atom.role is Role.LOG_PROBS and atom.axis is not None:
        if last is not None and last.is_same(atom.axis):
            tensor.shape.set_rank(2)


def selected(context: Context, tensor: Tensor, shape: Shape | None, node: ast.AST) -> Tensor:
    """One element for each example: of log-probabilities that is a loss, up to its sign."""
    chosen = context.computed(shape)
    if not any(a.role in (Role.LOG_PROBS, Role.LOG) or is_log_name(a.names) for a in tensor.atoms()):
        return map_atoms(chosen, lambda atom: altered(atom, kind="picked", source=tensor.key))
    place = Place(node, "the log-probability of the label is selected")
    return map_atoms(chosen, lambda atom: altered(atom, kind="selected", place=place))


@primitive
def diagonal(call: Call, x: Value) -> Value:
    """The matched pairs of a similarity matrix."""
    return call.opaque(Shape.of([Axis()]))


@primitive
def rows(
    call: Call, x: Value, index: Value | None = None, axis: Value | None = None, grouped: Value | None = None
) -> Value:
    """gather, boolean_mask: `x[index]`, along `axis`; `grouped` counts the leading axes that both have."""
    if grouped is not None and integer(grouped) != 0:
        return select(call, x, index=index)
    if axis is not None and integer(axis) != 0:
        return take(call, x, axis, index)
    tensor = call.tensor(x)
    if index is None:
        return relabelled(chosen(call.context, tensor), Shape(unsure=tensor.shape.shown), "taken")
    return by_array(call.context, tensor, call.tensor(index), call.node)


@primitive
def take(call: Call, x: Value, axis: Value | None = None, index: Value | None = None) -> Value:
    """take: an index may have any number of axes, and without an axis all elements are one row."""
    if integer(axis) == 0 and index is not None:
        return rows(call, x, index)
    if axis is not None and index is not None and call.tensor(index).shape.rank == 1:
        return index_select(call, x, axis, index)
    tensor = chosen(call.context, call.tensor(x))
    return relabelled(tensor, Shape(unsure=tensor.shape.shown), "taken")


@primitive
def index_select(call: Call, x: Value, axis: Value | None = None, index: Value | None = None) -> Value:
    """index_select: some elements of an axis."""
    tensor = chosen(call.context, call.tensor(x))
    return relabelled(tensor, tensor.shape, "taken")


@primitive
def take_where(call: Call, x: Value, mask: Value | None = None) -> Value:
    """masked_select: the elements at which a condition holds, in a row."""
    tensor = call.tensor(x)
    kept = chosen(call.context, tensor)
    last = call.tensor(mask).shape.axis(-1) if mask is not None else None
    if has_classes(tensor) and (last is None or last.size != 1):
        return relabelled(kept, Shape.of([Axis()]), "elements")  # the mask may say it of each class
    taken = relabelled(kept, kept.shape, "taken")
    if not tensor.reductions or mask is None or all(r.support == "averaged" for r in tensor.reductions):
        return taken
    return _with_account(call.context, taken, tensor, call.tensor(mask), call.node)


def chosen(context: Context, tensor: Tensor) -> Tensor:
    """What is chosen by an index or a condition: the masked positions may be gone."""
    tensor = unmasked(tensor)
    if not any(r.mask for r in tensor.reductions):
        return tensor
    free = tuple(context.record(altered(r, mask=None, parent=r)) if r.mask else r for r in tensor.reductions)
    return altered(tensor, reductions=free)


def subscript(context: Context, base: Value, index: Value, node: ast.Subscript) -> Value:
    """`base[index]`."""
    if isinstance(base, ModuleValue) and isinstance(key := literal(index), str):
        shape = context.items.setdefault(key_of("item", base.name, key), Shape())
        return context.shown_opaque("item", base.name, key, names=(key,), shape=shape)
    if isinstance(base, ModuleValue | BuiltinValue):
        return context.opaque()
    if isinstance(base, DictValue):
        if not isinstance(index, Const):
            return one_of_table(context, base, index) or context.opaque(_hint(index))
        found = base.get(literal(index))
        return found if found is not None else context.opaque(_hint(index))
    if isinstance(base, ShapeValue):
        return _shape_item(context, base, index)
    if isinstance(base, TupleValue):
        position = integer(index)
        if position is not None and -len(base.items) <= position < len(base.items):
            return base.items[position]
        cut = literal(index)
        if isinstance(cut, slice) and all(isinstance(end, int | None) for end in (cut.start, cut.stop)):
            return TupleValue(base.items[cut])
        return context.one_of(base.items) if base.items else context.opaque()
    if isinstance(base, ListValue):
        part = ListValue(base.element) if isinstance(base, RangeValue) else base
        return part if isinstance(literal(index), slice) else base.element
    if isinstance(base, Const):
        return context.opaque()
    if isinstance(index, TupleValue) and index.is_list:
        index = context.as_tensor(index)
    tensor = context.as_tensor(base)
    key = literal(index)
    atom = tensor.single()
    if type(key) is int and key in (0, 1) and (parts := parts_of_extreme(context, tensor)) is not None:
        return parts[key]
    if isinstance(key, str):
        if atom is None:
            return context.opaque((key,))
        shape = context.items.setdefault(key_of("item", atom.key, key), Shape())
        item = context.shown_opaque("item", atom.key, key, names=(key,), shape=shape)
        return map_atoms(item, lambda of: altered(of, is_of_counts=of.is_of_counts or atom.is_of_counts))
    return _row_of(tensor, _indexed(context, tensor, index, node), key)


def parts_of_extreme(context: Context, pair: Tensor) -> tuple[Tensor, Tensor] | None:
    """The values and the places of `x.max(1)`, as PyTorch gives them; None of every other array."""
    atom = pair.single()
    if atom is None or atom.extreme != "pair":
        return None
    values = map_atoms(pair, lambda atom: altered(atom, extreme="array"))
    return values, context.computed(pair.shape)


def _row_of(tensor: Tensor, item: Value, index: object) -> Value:
    """`x[0]` shares no memory with `x[1]`, nor with the other items of a tuple."""
    if type(index) is not int or index < 0 or not isinstance(item, Tensor) or item is tensor:
        return item
    return altered(item, storage=Row(tensor.storage, index)) if item.storage == tensor.storage else item


def by_array(context: Context, tensor: Tensor, index: Tensor, node: ast.AST) -> Tensor:
    """`x[index]` with an array: of labels, of positions, or a mask."""
    if tells_classes_apart(tensor, index):
        return relabelled(chosen(context, tensor), Shape.of([Axis()]), ("elements", *index.terms))
    kept = _selected_rows(context, chosen(context, tensor), index)
    first, own = index.shape.axis(0), tensor.shape.axis(0)
    if index.shape.rank is None and not (first is not None and own is not None and first.is_same(own)):
        # It may be a mask with all axes of the array; labels take rows of one-hot vectors.
        single = kept.single()
        if single is None or single.role is not Role.ONE_HOT:
            kept = map_atoms(kept, lambda atom: altered(atom, shown=False))
    return _with_account(context, kept, tensor, index, node)


def _hint(index: Value) -> tuple[str, ...]:
    key = literal(index)
    return (key,) if isinstance(key, str) else ()


def _shape_item(context: Context, base: ShapeValue, index: Value) -> Value:
    position = integer(index)
    if position is not None:
        if position >= 0:
            return context.axis_length(base.shape, base.start + position)
        if base.stop is None:
            return context.axis_length(base.shape, position)
        return context.axis_length(base.shape, base.stop + position)
    if isinstance(index, Tensor):
        return from_atom(atom_of(("some length", *index.terms), Role.COUNT), Shape.of([]))
    cut = literal(index)
    if isinstance(cut, slice) and base.start == 0 and base.stop is None:
        start, stop = cut.start or 0, cut.stop
        if not isinstance(start, int) or abs(start) > MAX_RANK:
            return context.computed()
        if start >= 0 and (stop is None or (isinstance(stop, int) and abs(stop) <= MAX_RANK)):
            return ShapeValue(base.shape, start, stop)
        if stop is None:
            axes = [base.shape.axis(i) for i in range(start, 0)]
            return TupleValue(tuple(context.axis_length(base.shape, i) for i in range(start, 0) if axes))
    return context.computed()


def _indexed(context: Context, tensor: Tensor, index: Value, node: ast.Subscript) -> Value:
    items = index.items if isinstance(index, TupleValue) else (index,)
    items = tuple(numbered(context.as_tensor(i.stop)) if isinstance(i, RangeValue) else i for i in items)
    if tensor.shape.rank == 0 and integer(index) == 0:
        return tensor  # `loss.data[0]`, the number in the PyTorch of old
    many = [i for i in items if isinstance(i, ListValue) or (isinstance(i, Tensor) and i.single() is None)]
    if many and len(items) > 1:
        # x[rows, labels] selects one element per row; beside slices, which axes remain is not shown.
        rows = len(items) == 2 and not any(is_whole_slice(i) for i in items)
        return selected(context, tensor, Shape.of([Axis()]) if rows else None, node)
    arrays = [i for i in items if isinstance(i, Tensor)]
    atom = tensor.single()
    if len(items) == 2 and is_whole_slice(items[0]) and atom is not None and atom.role is Role.ONE_HOT:
        # The columns of the identity: classes down, examples across.
        if isinstance(items[1], Tensor) and _is_identity(tensor, atom) and atom.axis is not None:
            columns = items[1].shape.with_axis(0, atom.axis)
            return relabelled(tensor, columns, ("columns", *items[1].terms))
    if len(items) > 1 and arrays:
        # x[range(n), labels] selects one element per row; x[:, k] with a variable k drops the axis.
        return _dropped(context, tensor, items, node)
    if len(items) == 1 and isinstance(items[0], Tensor):
        return by_array(context, tensor, items[0], node)
    if is_cut_short(items, is_regrouped=tensor.shape.original is not tensor.shape):
        tensor = chosen(context, tensor)
    shape = tensor.shape
    changed = False
    ellipsis = next((i for i, item in enumerate(items) if literal(item) is ...), len(items))
    drop: list[int] = []
    cuts: list[int] = []
    new_axes: list[int] = []
    position = 0
    for item in items[:ellipsis]:
        if isinstance(item, Const) and item.value is None:
            new_axes.append(position + len(new_axes) - len(drop))
            continue
        if integer(item) is not None:
            drop.append(position)
            changed |= not is_only(tensor.shape, position, item)
        elif not is_whole_slice(item):
            changed = True
            cuts.append(position)
            shape = cut_at(shape, position)
        position += 1
    if drop and ellipsis == len(items) and is_whole_slice(items[-1]):
        shape.axis(position - 1)  # there is one behind those that are dropped
    position = -1
    new_right: list[int] = []
    for item in reversed(items[ellipsis + 1 :]):
        if isinstance(item, Const) and item.value is None:
            new_right.append(position)
            continue
        if integer(item) is not None:
            drop.append(position)
            changed |= not is_only(tensor.shape, position, item)
        elif not is_whole_slice(item):
            changed = True
            cuts.append(position)
            shape = cut_at(shape, position)
        position -= 1
    if any(_may_cut_the_support(tensor, at) for at in cuts) and recognise(tensor) is not None:
        return context.computed(shape)  # the rest of the expectation is elsewhere
    if drop and tensor.reductions:
        if drop == [0] and all(r.support == "averaged" for r in tensor.reductions):
            return altered(tensor, shape=shape.without(AxesSpec.at(0)))  # one example's mean over its support
        return context.unsure([tensor])  # one of them: the rest is not counted any more
    tag = ("index", spelled_out(node.slice)) if changed else None
    if drop == [0] and len(items) == 1 and atom is not None and is_unknown(tensor):
        # An item of a tuple, as likely as a row: it shares no shape with the others.
        shape = context.items.setdefault(key_of(tag, atom.key), Shape())
    elif drop:
        shape = shape.without(AxesSpec.at(*drop))
    for at in new_axes:
        shape = shape.with_axis(at, Axis(1))
    for at in new_right:
        shape = shape.with_axis(at, Axis(1))
    result = relabelled(tensor, shape, tag)
    # `x[:, 0]`: one class was chosen, whatever the name says.
    one_of_many = any(p != 0 for p in drop) or any(is_one_wide(item) for item in items[1:])
    if changed and one_of_many and result.single() is not None:
        return map_atoms(result, lambda atom: altered(atom, is_chosen=True))
    return result


def _may_cut_the_support(tensor: Tensor, position: int) -> bool:
    """Is it the axis that an expectation is over? The first one has the examples."""
    supports = [a.axis for a in tensor.atoms() if a.axis is not None and a.role is not Role.COUNT]
    there = tensor.shape.axis(position)
    if position == 0 or there is None:
        return False
    return any(there.is_same(axis) or tensor.shape.may_be_one(there, axis) for axis in supports)


def _is_identity(tensor: Tensor, atom: Atom) -> bool:
    """Is it a whole identity matrix? Of other one-hot arrays a column is one class."""
    rows = atom.shape.axis(0) if atom.shape is not None else None
    own = tensor.shape.axis(0)
    return rows is not None and own is not None and rows.is_same(own)


def _with_account(context: Context, rows: Tensor, tensor: Tensor, index: Tensor, node: ast.AST) -> Tensor:
    """`loss[mask]`: a loss of the valid positions alone, whose mean may be divided by their number again."""
    atom = term_atom(tensor.terms[0]) if len(tensor.terms) == 1 else None
    index_mask = mask_of(index)
    if index_mask is not None and rows.reductions:
        selected_mask = altered(mask_fact(index_mask), is_selected=True)
        accounts = [
            altered(r, mask=altered(selected_mask, after=len(r.units), after_steps=len(r.steps)), parent=r)
            for r in rows.reductions
        ]
        return altered(rows, reductions=tuple(map(context.record, accounts)))
    is_averaged = all(r.support in ("averaged", "maybe averaged") for r in rows.reductions)
    if rows.reductions and is_averaged and not has_classes(tensor):
        return rows  # some of the examples: each has its own loss, with the mean over the classes in it
    if rows.reductions:
        return context.unsure([tensor])  # some rows, or one: the rest is not counted any more
    if index_mask is None or atom is None:
        return rows
    if atom.kind not in ("error", "selected") and not (not atom.kind and is_loss_name(atom.names)):
        return rows
    place = Place(node, "the valid positions are selected")
    key = key_of("selected", *rows.terms)
    shown = bool(atom.kind) and is_shown(index_mask)
    integrand = Integrand("loss", Axis(1), "", shown, (place,), rows.shape, context.stack, key=key)
    mask = altered(mask_fact(index_mask), is_selected=True)
    return altered(rows, reductions=(context.record(Reduction(integrand, support="summed", mask=mask)),))


def _selected_rows(context: Context, tensor: Tensor, index: Tensor) -> Tensor:
    """`eye[labels]`, `x[mask]`, `x[indices]`: rows, with the last axis still there."""
    atom = tensor.single()
    if atom is not None and atom.role is Role.ONE_HOT and atom.axis is not None:
        context.note_labels(index, each=True)
        leading = index.shape
        key = ("rows", *(t for t in index.terms))
        return relabelled(tensor, leading.with_axis(-1, atom.axis), key)
    rows = _rows_of(tensor, index)
    if (picked := rows.single()) is not None:
        context.ledger.picked.add(picked.key)
    return rows


def _rows_of(tensor: Tensor, index: Tensor) -> Tensor:
    shape = tensor.shape
    back = shape.axis(-1) if shape.rank is None or shape.rank >= 2 else None
    tag = ("rows", *(t for t in index.terms))
    if shape.rank == 1 or back is None:
        return relabelled(tensor, Shape.of([Axis()]), tag)
    root = shape.root()
    if root._rank is not None:
        return relabelled(tensor, Shape(back=root._front[1:], unsure=()), tag)
    # Of an array of indices all other axes are left; one index takes the first axis away, which may be any of these.
    unsure = [*root._unsure, *root._front[1:], *root._back[:-1]]
    return relabelled(tensor, Shape(back=root._back, unsure=unsure), tag)


def _dropped(context: Context, tensor: Tensor, items: tuple[Value, ...], node: ast.Subscript) -> Tensor:
    """An index with arrays or unknown numbers in it: which axes remain is not shown, the values are selected."""
    if any(literal(i) is ... for i in items):
        return selected(context, tensor, None, node)
    whole = [p for p, item in enumerate(items) if is_whole_slice(item)]
    kept = [a for a in (tensor.shape.axis(p) for p in whole) if a is not None]
    support = [a.axis for a in tensor.atoms() if a.axis is not None and a.role is not Role.COUNT]
    if support and any(k.holds(s) for k in kept for s in support):
        return relabelled(tensor, Shape(unsure=tensor.shape.shown), "selected")
    return selected(context, tensor, _one_per_row(tensor, items) or _without_those(tensor, items), node)


def _without_those(tensor: Tensor, items: tuple[Value, ...]) -> Shape | None:
    """The shape of `x[:, k]` with a number, though not a known one, as the counter of a loop is."""
    numbers = [at for at, item in enumerate(items) if isinstance(item, Tensor) and item.shape.is_scalar]
    if len(numbers) + sum(map(is_whole_slice, items)) < len(items):
        return None
    return tensor.shape.without(AxesSpec.at(*numbers))


def _one_per_row(tensor: Tensor, items: tuple[Value, ...]) -> Shape | None:
    """The shape of `x[arange(n), labels]`: the leading axis of x."""
    arrays = [item for item in items if isinstance(item, Tensor)]
    counting = [a for a in arrays if (atom := a.single()) is not None and atom.kind == "arange"]
    first, rows = tensor.shape.axis(0), counting[0].shape.axis(0) if counting else None
    if len(items) != 2 or len(arrays) != 2 or len(counting) != 1 or first is None or rows is None:
        return None
    first.unite(rows)
    return Shape.of([first])
