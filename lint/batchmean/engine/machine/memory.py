"""What is changed in place: an array has many names, and all of them mean something else then."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Final, NamedTuple, TypeVar

from batchmean.engine.context import MAX_DEPTH, Context
from batchmean.engine.domain.tensors import Role, Storage, Tensor
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
_WITH_MEMORY: Final = frozenset((Tensor, *_NESTED))
Key = TypeVar("Key")


class _Changed(NamedTuple):
    storages: Set[Storage]
    """The memory of arrays."""
    around: Set[Storage]
    """That of the arrays of which these are rows."""
    containers: Set[int]
    """The identities of lists and dictionaries."""


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
    around = {outer for storage in storages for outer in _around(storage)}
    changed = _Changed(storages, around, containers)
    for scope in _scopes(context):
        context.spend(len(scope.names) // _NAMES_PER_NODE)
        for name, now in _changed(context, scope.names, changed).items():
            scope.names[name] = now
    for key, value in _changed(context, context.attributes, changed).items():
        context.attributes[key] = value


def _around(storage: Storage) -> Iterator[Storage]:
    while isinstance(storage, tuple):
        storage = storage[0]
        yield storage


def _is_in(storage: Storage, changed: _Changed) -> bool:
    """Was it changed, or a row of it, or what it is a row of?"""
    if storage in changed.storages or storage in changed.around:
        return True
    return isinstance(storage, tuple) and not changed.storages.isdisjoint(_around(storage))


def _changed(context: Context, names: Mapping[Key, Value], changed: _Changed) -> dict[Key, Value]:
    """What means something else after the change."""
    return {
        name: _now(context, held, changed, 0)
        for name, held in names.items()
        if (
            held.storage in changed.storages  # type: ignore[union-attr]
            if (kind := type(held)) is Tensor
            else kind in _WITH_MEMORY and _is_touched(held, changed, 0)
        )
    }


def _is_touched(value: Value, changed: _Changed, depth: int) -> bool:
    """Does it hold something that was changed? Asked of every name at each change, so without any copy."""
    kind = type(value)
    if kind is Tensor:
        return _is_in(value.storage, changed)  # type: ignore[union-attr]
    if depth > MAX_DEPTH or kind not in _WITH_MEMORY:
        return False
    if id(value) in changed.containers:
        return True
    if isinstance(value, TupleValue):
        items: Iterable[Value] = value.items
    elif isinstance(value, Alternatives):
        items = [case.value for case in value.cases]
    elif isinstance(value, DictValue):
        items = [item for _, item in value.items]
    else:
        items = (value.element,) if isinstance(value, ListValue) else ()
    return any(_is_touched(item, changed, depth + 1) for item in items)


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
