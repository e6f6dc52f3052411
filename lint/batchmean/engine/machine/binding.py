"""Assignment: names, tuples of them, attributes of objects and items of arrays."""

from __future__ import annotations

import ast
from typing import Final

from batchmean.engine.context import Context
from batchmean.engine.domain import algebra, masks
from batchmean.engine.domain.axes import AxesSpec
from batchmean.engine.domain.broadcasting import map_atoms, relabelled
from batchmean.engine.domain.shapes import Shape
from batchmean.engine.domain.tensors import (
    PLAIN,
    Place,
    Role,
    Tensor,
    altered,
    atom_of,
    from_atom,
    is_unknown,
)
from batchmean.engine.domain.values import (
    MAX_ITEMS,
    Alternatives,
    BuiltinValue,
    Case,
    ClassValue,
    Const,
    DictValue,
    InstanceValue,
    ListValue,
    ModuleValue,
    ShapeValue,
    TupleValue,
    Value,
    hinted,
    named,
)
from batchmean.engine.evidence.names import is_class_count_name, is_plain_loss_name
from batchmean.engine.machine.memory import change
from batchmean.engine.primitives.indexing import parts_of_extreme
from batchmean.engine.uses import note_uses
from batchmean.nodes import nodes

_SCALINGS: Final = ("multiply", "mul")


def bind(context: Context, target: ast.expr, value: Value) -> None:
    if isinstance(target, ast.Name):
        stored = _named(context, value, target.id, target)
        if context.scope.annotated and isinstance(stored, Tensor) and is_unknown(stored):
            stored = hinted(stored, context.scope.annotated.get(target.id, ()))
        context.scope.names[target.id] = stored
    elif isinstance(target, ast.Tuple | ast.List):
        _unpack(context, target.elts, value)
    elif isinstance(target, ast.Starred):
        bind(context, target.value, ListValue(context.opaque()))
    elif isinstance(target, ast.Attribute):
        base = context.evaluate(target.value)
        if isinstance(base, InstanceValue):
            context.attributes[base, target.attr] = _kept(value, target.attr)
        elif isinstance(base, ClassValue):
            base.scope.names[target.attr] = value if context.scope is context.module else context.anything()
        elif any(isinstance(one, BuiltinValue) for one in _cases(base)):
            bind(context, target.value, context.opaque())  # criterion.reduction = "none"
        elif isinstance(base, Tensor) and not base.reductions and (atom := base.single()) is not None:
            context.attributes[atom.key, target.attr] = named(value, target.attr)
    elif isinstance(target, ast.Subscript):
        _store_item(context, target, value)


def _kept(value: Value, name: str) -> Value:
    """What an attribute holds: by its name a class count, `self.classes_per_task = int(outputs / tasks)`."""
    if isinstance(value, Tensor) and not value.reductions and value.single() is None:
        if is_class_count_name((name,)) and all(atom.role is Role.OPAQUE for atom in value.atoms()):
            return map_atoms(value, lambda atom: altered(atom, is_of_counts=True))
    return named(value, name)


def _cases(value: Value) -> list[Value]:
    return [case.value for case in value.cases] if isinstance(value, Alternatives) else [value]


def elements(context: Context, value: Value, count: int, starred: bool = False) -> list[Value]:
    """The `count` items that unpacking `value` gives."""
    if isinstance(value, Alternatives):
        rows = [(c.path, elements(context, c.value, count, starred)) for c in value.cases]
        return [context.joined([Case(path, row[i]) for path, row in rows]) for i in range(count)]
    if isinstance(value, TupleValue) and len(value.items) == count and not starred:
        return list(value.items)
    if isinstance(value, ListValue):
        if isinstance(value.element, Alternatives):  # which of them each item is, is not known
            return [context.unsure([value.element]) for _ in range(count)]
        return [_another(context, value.element) for _ in range(count)]
    if isinstance(value, ShapeValue) and not starred:
        if value.start == 0 and value.stop is None:
            value.shape.set_rank(count)
        return [context.axis_length(value.shape, value.start + i) for i in range(count)]
    if isinstance(value, Tensor) and not starred and not value.reductions:
        if count == 2 and (parts := parts_of_extreme(context, value)) is not None:
            return list(parts)
        if is_unknown(value):  # a tuple, as likely as an array: its items need not have one shape
            return [_item_of(context, value, i) for i in range(count)]
        inner = value.shape.without(AxesSpec.at(0))
        return [relabelled(value, inner, i) for i in range(count)]
    return [context.opaque() for _ in range(count)]


def _unpack(context: Context, targets: list[ast.expr], value: Value) -> None:
    star = next((i for i, target in enumerate(targets) if isinstance(target, ast.Starred)), None)
    if star is not None and isinstance(value, ShapeValue) and value.start == 0 and value.stop is None:
        for i, target in enumerate(targets):  # `*_, v = x.shape`
            place = i if i < star else i - len(targets)
            length = (
                context.axis_length(value.shape, place) if i != star else ListValue(context.some_length())
            )
            bind(context, target, length)
        return
    items = elements(context, value, len(targets), any(isinstance(t, ast.Starred) for t in targets))
    for target, item in zip(targets, items, strict=False):
        bind(context, target, item)


def _named(context: Context, value: Value, name: str, node: ast.AST) -> Value:
    """The value under a name: what is computed of masks, and a loss, may be known by it."""
    if isinstance(value, Tensor) and not value.reductions:
        mask = masks.named_mask(value, name, node)
        if mask is not None:
            return mask
        atom = value.single()
        if atom is not None and atom.kind == "computed" and not atom.names and is_plain_loss_name(name):
            return map_atoms(value, lambda a: altered(a, names=(name,), place=Place(node, name)))
    return named(value, name, node)


def _another(context: Context, value: Value) -> Value:
    """Another item of a list whose items are all like `value`."""
    if not isinstance(value, Tensor) or value.reductions:
        return value
    number = context.fresh()
    if is_unknown(value):
        return _item_of(context, value, number)
    return relabelled(value, value.shape, ("item", number))


def _item_of(context: Context, value: Tensor, index: int) -> Tensor:
    """An item of something unknown: what that is called says nothing about it."""
    shape = Shape()
    item = relabelled(value, shape, ("item", index))
    item = map_atoms(item, lambda atom: altered(atom, names=(), hint=(), kind="", shape=shape))
    return Tensor(item.terms, shape, stack=item.stack)  # of a tuple, as likely: no part of one array


def _store_item(context: Context, target: ast.Subscript, value: Value) -> None:
    base = context.evaluate(target.value)
    index = context.evaluate(target.slice)
    note_uses(context.ledger, (index,), base)
    change(context, base)
    if isinstance(target.value, ast.Name):
        name = target.value.id
        stored = context.lift(lambda one, at: _with_item(context, name, target, one, at, value), base, index)
        context.scope.names[name] = stored
    elif isinstance(base, DictValue) and isinstance(target.value, ast.Attribute):
        owner = context.evaluate(target.value.value)
        if isinstance(owner, InstanceValue):  # self.criteria["kl"] = ...
            name = target.value.attr
            context.attributes[owner, name] = _with_item(context, name, target, base, index, value)


def stored_at(context: Context, call: ast.Call) -> Value | None:
    """`x.at[index].set(value)`, JAX's way to store: the array after it; None for every other call."""
    function = call.func
    target = function.value if isinstance(function, ast.Attribute) else None
    if not isinstance(target, ast.Subscript) or not isinstance(target.value, ast.Attribute):
        return None
    method = function.attr if isinstance(function, ast.Attribute) else ""
    if target.value.attr != "at" or method not in ("set", *_SCALINGS) or not call.args:
        return None
    array = target.value.value
    base, index = context.evaluate(array), context.evaluate(target.slice)
    value = context.evaluate(call.args[0])
    note_uses(context.ledger, (index,), base)
    if method in _SCALINGS and not (isinstance(value, Const) and value.value == 0):
        return context.opaque()
    name = array.id if isinstance(array, ast.Name) else "at"
    return context.lift(lambda one, at: _with_item(context, name, target, one, at, value), base, index)


def _with_item(
    context: Context, name: str, target: ast.expr, base: Value, index: Value, value: Value
) -> Value:
    """What an array or a dictionary is after something was stored in it."""
    if isinstance(base, ModuleValue) or (isinstance(base, DictValue) and not isinstance(index, Const)):
        return context.opaque((name,))
    if isinstance(base, DictValue) and isinstance(index, Const):
        items = tuple((k, v) for k, v in base.items if k != index.value)
        return context.opaque() if len(items) >= MAX_ITEMS else DictValue((*items, (index.value, value)))
    if isinstance(base, DictValue | ListValue | TupleValue):
        number = index.value if isinstance(index, Const) else None
        if (
            isinstance(base, TupleValue)
            and type(number) is int
            and -len(base.items) <= number < len(base.items)
        ):
            row = list(base.items)
            row[number] = value
            return TupleValue(tuple(row), base.is_list)
        return context.anything()  # any of its items
    if not isinstance(base, Tensor):
        return base
    number = value.value if isinstance(value, Const) else None
    if isinstance(index, TupleValue) and number == 1 and not base.terms and not _holds_a_range(index):
        axis = base.shape.axis(-1)
        place = Place(target, "a one-hot target is written here")
        return from_atom(atom_of(("one_hot", id(target)), Role.ONE_HOT, axis, place=place), base.shape)
    if number == 0 and type(number) in (int, float):
        kept = masks.complement(context.as_tensor(index)) if isinstance(index, Tensor) else None
        if kept is None or not base.terms:
            return base
        # A condition as an index lies over the first axes, whatever follows them.
        kept = relabelled(kept, base.shape)
        masked = context.formed(algebra.multiply(base, kept), base)
        return context.placed(masked, (base, kept), target)
    is_all = isinstance(index, Const) and (index.value is ... or index.value == slice(None, None))
    if is_all and type(number) in (int, float):
        return altered(context.as_tensor(Const(number)), shape=base.shape)
    if isinstance(number, int | float) and type(number) is not bool and number != 1:
        # Weights that sum to something else, whatever they are called.
        numbers = (
            frozenset((int(number),)) if number == abs(number) // 1 and number > max(PLAIN) else frozenset()
        )
        return map_atoms(context.computed(base.shape), lambda atom: altered(atom, numbers=numbers))
    if is_all and isinstance(value, Tensor) and algebra.may_hold_a_count(value):
        return context.anything(base.shape)
    return context.opaque((name,), shape=base.shape)


def _holds_a_range(index: TupleValue) -> bool:
    """`mask[:length, i] = 1`: ones are stored at more than one class of a row, or not in every row."""
    slices = [i.value if isinstance(i, Const) and isinstance(i.value, slice) else None for i in index.items]
    return slices[-1:] != [None] or any(one not in (None, slice(None, None)) for one in slices)


def bind_pattern(context: Context, pattern: ast.pattern, subject: Value) -> None:
    """Bind what the pattern of a case captures: all of the subject, or something of it."""
    if isinstance(pattern, ast.MatchAs) and pattern.pattern is None and pattern.name:
        context.scope.names[pattern.name] = subject
        return
    for part in nodes(pattern):
        name = getattr(part, "name", None)
        if isinstance(name, str):
            context.scope.names[name] = context.unknown_of((subject,), (name,))
    parts = pattern.patterns if isinstance(pattern, ast.MatchSequence) else []
    if (
        isinstance(subject, ShapeValue)
        and not any(isinstance(part, ast.MatchStar) for part in parts)
        and parts
    ):
        for part, length in zip(parts, elements(context, subject, len(parts)), strict=True):
            if isinstance(part, ast.MatchAs) and part.name:
                context.scope.names[part.name] = length
