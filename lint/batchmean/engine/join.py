"""The join: one value for what is one of several, each under the decisions that lead to it.

It is commutative up to the order of the cases, idempotent, and adds nothing: every case is a value that was there, or
an unknown that stands for several of a kind and has the names of all. More cases than are kept are no value any more
(`TOO_MANY`): whoever asked makes something unknown of them and withdraws their accounts.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from typing import Final, Literal, TypeAlias

from batchmean.engine.paths import Path, common, excludes, extended
from batchmean.engine.shapes import Shape
from batchmean.engine.values import (
    Alternatives,
    Atom,
    Case,
    Condition,
    Const,
    ModuleValue,
    Place,
    Tensor,
    TupleValue,
    Value,
    from_atom,
    intern,
    is_unknown,
)

MAX_ALTERNATIVES: Final = 16
"""How many values are kept apart where branches join."""
MAX_NAMES: Final = 8


class Overflow(enum.Enum):
    """More cases than are kept."""

    TOO_MANY = "too many"


TOO_MANY: Final = Overflow.TOO_MANY
Joined: TypeAlias = Value | Literal[Overflow.TOO_MANY]


def join(cases: Iterable[Case]) -> Joined:
    """The value that is one of these; `TOO_MANY` where they cannot be told apart any more."""
    kept: list[Case] = []
    for case in _flat(cases):
        _enter(kept, case)
    if len(kept) > MAX_ALTERNATIVES:
        kept = _each_once(kept)
    if len(kept) > MAX_ALTERNATIVES:
        return TOO_MANY
    if all(case.value is kept[0].value for case in kept):
        return kept[0].value
    return Alternatives(tuple(kept))


def restricted(value: Value, path: Path) -> Value:
    """The value on a path: cases that are reached on other ways only are gone."""
    if not isinstance(value, Alternatives) or not path:
        return value
    kept = [case for case in value.cases if not excludes(case.path, path)]
    if not kept or len(kept) == len(value.cases):
        return value
    return kept[0].value if all(case.value is kept[0].value for case in kept) else Alternatives(tuple(kept))


def something(value: Value) -> Value:
    """The value without the case None: what is computed with is not None."""
    if not isinstance(value, Alternatives):
        return value
    kept = [case for case in value.cases if not (isinstance(case.value, Const) and case.value.value is None)]
    if not kept or len(kept) == len(value.cases):
        return value
    return kept[0].value if len(kept) == 1 else Alternatives(tuple(kept))


def is_same(a: Value, b: Value) -> bool:
    """Are these one value, not only alike?"""
    if a is b:
        return True
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.terms == b.terms and a.shape.is_same(b.shape) and a.reductions == b.reductions
    if isinstance(a, Const) and isinstance(b, Const):
        return type(a.value) is type(b.value) and a == b
    if isinstance(a, TupleValue) and isinstance(b, TupleValue):
        return len(a.items) == len(b.items) and all(map(is_same, a.items, b.items))
    return type(a) is type(b) and isinstance(a, ModuleValue | Condition) and a == b


def _flat(cases: Iterable[Case]) -> Iterable[Case]:
    for path, value in cases:
        if not isinstance(value, Alternatives):
            yield Case(path, value)
            continue
        for inner in value.cases:
            if not excludes(path, inner.path):
                yield Case(extended(path, inner.path), inner.value)


def _enter(kept: list[Case], case: Case) -> None:
    for index, other in enumerate(kept):
        if is_same(other.value, case.value):
            both = _either(other.path, case.path)
            if both is None:
                continue
            del kept[index]
            return _enter(kept, Case(both, other.value))
    for index, other in enumerate(kept):
        unknown = _one_unknown(other.value, case.value)
        if unknown is not None:
            del kept[index]
            return _enter(kept, Case(common([other.path, case.path]), unknown))
    kept.append(case)
    return None


def _either(one: Path, other: Path) -> Path | None:
    """The one path that both are, if that says exactly as much."""
    mine, theirs = ([d for d in a if d not in b] for a, b in ((one, other), (other, one)))
    if not mine or not theirs:
        return other if not theirs else one
    if len(mine) == len(theirs) == 1 and mine[0] == theirs[0].negated():
        return common([one, other])
    return None


def _each_once(cases: Sequence[Case]) -> list[Case]:
    """Every value once, and one unknown of a kind whatever its shape, under what their paths have in common."""
    kept: list[Case] = []
    for case in cases:
        for index, other in enumerate(kept):
            value = other.value if is_same(other.value, case.value) else None
            value = value or _one_unknown(other.value, case.value, of_one_shape=False)
            if value is not None:
                kept[index] = Case(common([other.path, case.path]), value)
                break
        else:
            kept.append(case)
    return kept


def _one_unknown(a: Value, b: Value, of_one_shape: bool = True) -> Value | None:
    """One unknown that stands for two, of which nothing is known but names."""
    if not (isinstance(a, Tensor) and isinstance(b, Tensor) and is_unknown(a) and is_unknown(b)):
        return None
    mine, theirs = a.single(), b.single()
    if mine is None or theirs is None or mine.kind != theirs.kind or mine.hint != theirs.hint:
        return None
    same_shape = a.shape.is_same(b.shape)
    if of_one_shape and not same_shape and (a.shape.shown or b.shape.shown or a.shape.rank != b.shape.rank):
        return None
    if mine.key == theirs.key and same_shape:
        return a
    names = tuple(dict.fromkeys((*mine.names, *theirs.names)))[:MAX_NAMES]
    first, last = sorted((mine.key, theirs.key))
    place: Place | None = mine.place or theirs.place
    shape = a.shape if same_shape else Shape(rank=a.shape.rank) if a.shape.rank == 0 else Shape()
    atom = Atom(
        intern("one of", first, last), names=names, kind=mine.kind, place=place, hint=mine.hint, shape=shape
    )
    return from_atom(atom, shape)
