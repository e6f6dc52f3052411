"""What is changed in place: an array has many names, and all of them mean something else then."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Final, NamedTuple, TypeVar

from batchmean.engine.context import MAX_DEPTH, Context
from batchmean.engine.domain.storage import Row, Storage, around
from batchmean.engine.domain.tensors import Role, Tensor
from batchmean.engine.domain.values import (
    Alternatives,
    Case,
    DictValue,
    ListValue,
    Scope,
    TupleValue,
    Value,
    tensors_in,
)

_NAMES_PER_NODE: Final = 256
"""How many names are looked at in the time in which one node is read."""
_CONTAINERS: Final = (DictValue, ListValue, TupleValue)
_NESTED: Final = (Alternatives, *_CONTAINERS)
_NESTING: Final = frozenset(_NESTED)
_MOST_HELD: Final = 2048
"""What so many values hold is kept."""
Key = TypeVar("Key")


class _Changed(NamedTuple):
    storages: Set[Storage]
    """The memory of arrays."""
    meeting: Set[Storage]
    """The same, and that of the arrays of which these are rows."""
    containers: Set[int]
    """The identities of lists and dictionaries."""


class _Held(NamedTuple):
    """What a value holds, however deep."""

    storages: set[Storage]
    around: set[Storage]
    """The memory of the arrays of which some are rows."""
    containers: set[int]

    def is_touched(self, changed: _Changed) -> bool:
        return not (
            self.storages.isdisjoint(changed.meeting)
            and self.around.isdisjoint(changed.storages)
            and self.containers.isdisjoint(changed.containers)
        )


def change(context: Context, value: Value, *, contents: bool = False) -> None:
    """All that has the memory of an array, or is the same list, is unknown from here on.

    With `contents` so is what a list or a dictionary holds: who is handed one may change all of it.
    """
    cases = [case.value for case in value.cases] if isinstance(value, Alternatives) else [value]
    arrays = tensors_in(cases, MAX_DEPTH) if contents else (one for one in cases if isinstance(one, Tensor))
    storages = {array.storage for array in arrays if not _is_a_number(array)}
    containers = {id(one) for one in cases if isinstance(one, _CONTAINERS)}
    if not storages and not containers:
        return
    changed = _Changed(storages, {*storages, *(o for one in storages for o in around(one))}, containers)
    for scope in _scopes(context):
        context.spend(len(scope.names) // _NAMES_PER_NODE)
        for name, now in _changed(context, scope.names, changed).items():
            scope.names[name] = now
    for key, value in _changed(context, context.attributes, changed).items():
        context.attributes[key] = value


def _changed(context: Context, names: Mapping[Key, Value], changed: _Changed) -> dict[Key, Value]:
    """What means something else after the change; every name is asked at each change, so most of it costs little."""
    return {
        name: _now(context, held, changed, 0)
        for name, held in names.items()
        if (
            _is_in(held.storage, changed)  # type: ignore[union-attr]
            if (kind := type(held)) is Tensor
            else kind in _NESTING and _held(context, held).is_touched(changed)
        )
    }


def _is_in(storage: Storage, changed: _Changed) -> bool:
    """Was it changed, or a row of it, or what it is a row of?"""
    if storage in changed.meeting:
        return True
    return isinstance(storage, Row) and not changed.storages.isdisjoint(around(storage))


def _held(context: Context, value: Value) -> _Held:
    """What a tuple, a list, a dictionary or one of several values holds; none of these is ever changed itself."""
    kept: tuple[Value, _Held] | None = context.held.get(id(value))
    if kept is not None and kept[0] is value:
        return kept[1]
    if len(context.held) > _MOST_HELD:
        context.held.clear()
    held = _Held(set(), set(), set())
    _collect(value, held, 0)
    context.held[id(value)] = value, held
    return held


def _collect(value: Value, held: _Held, depth: int) -> None:
    if isinstance(value, Tensor):
        held.storages.add(value.storage)
        held.around.update(around(value.storage))
    if depth > MAX_DEPTH or not isinstance(value, _NESTED):
        return
    if isinstance(value, Alternatives):
        items: Iterable[Value] = value.values
    else:
        held.containers.add(id(value))
        if isinstance(value, TupleValue):
            items = value.items
        else:
            items = (value.element,) if isinstance(value, ListValue) else (item for _, item in value.items)
    for item in items:
        _collect(item, held, depth + 1)


def _is_a_number(array: Tensor) -> bool:
    """Is it a number of Python's, such as a length? Those are never changed."""
    if array.number() is not None and array.shape.is_scalar:
        return True
    atoms = array.atoms()
    return not array.reductions and bool(atoms) and all(a.role in (Role.COUNT, Role.VALID) for a in atoms)


def _scopes(context: Context) -> Iterator[Scope]:
    """The scopes of the calls that are being followed, and those around them."""
    seen: set[int] = set()
    for inner in (context.scope, *context.callers):
        scope: Scope | None = inner
        while scope is not None and id(scope) not in seen:
            seen.add(id(scope))
            yield scope
            scope = scope.parent


def _now(context: Context, value: Value, changed: _Changed, depth: int) -> Value:
    """What a name means after the change; the value itself if it has nothing to do with it."""
    if isinstance(value, Tensor):
        return context.anything(value.shape) if _is_in(value.storage, changed) else value
    if depth > MAX_DEPTH or not isinstance(value, _NESTED):
        return value
    if id(value) in changed.containers:
        return context.anything()
    if isinstance(value, Alternatives):
        cases = tuple(Case(c.path, _now(context, c.value, changed, depth + 1)) for c in value.cases)
        same = all(new.value is old.value for new, old in zip(cases, value.cases, strict=True))
        return value if same else Alternatives(cases)
    if isinstance(value, ListValue):
        element = _now(context, value.element, changed, depth + 1)
        return value if element is value.element else ListValue(element)
    if isinstance(value, TupleValue):
        items = tuple(_now(context, item, changed, depth + 1) for item in value.items)
        same = all(new is old for new, old in zip(items, value.items, strict=True))
        return value if same else TupleValue(items, value.is_list)
    pairs = tuple((key, _now(context, item, changed, depth + 1)) for key, item in value.items)
    same = all(new is old for (_, new), (_, old) in zip(pairs, value.items, strict=True))
    return value if same else DictValue(pairs)


def is_anything(value: Value) -> bool:
    """Was it changed where that is not followed? Then so were its items and its attributes."""
    atom = value.single() if isinstance(value, Tensor) else None
    return atom is not None and atom.is_anything
