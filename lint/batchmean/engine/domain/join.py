"""The join: one value for what is one of several, each under the decisions that lead to it.

It is commutative up to the order of the cases, idempotent, and adds nothing: every case is a value that was there, or
an unknown that stands for several of a kind and has the names of all. More cases than are kept are no value any more
(`TOO_MANY`): whoever asked makes something unknown of them and withdraws their accounts.
"""

from __future__ import annotations

import enum
from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from batchmean.engine.domain.paths import Decision, Path, are_apart, common, excludes, extended
from batchmean.engine.domain.shapes import Shape
from batchmean.engine.domain.tensors import (
    SCALAR,
    Atom,
    GivenUp,
    Place,
    Tensor,
    altered,
    atom_of,
    from_atom,
    is_unknown,
)
from batchmean.engine.domain.values import (
    Alternatives,
    Case,
    Condition,
    Const,
    DictValue,
    ModuleValue,
    TupleValue,
    Value,
)

if TYPE_CHECKING:
    from batchmean.engine.domain.tensors import Reduction

MAX_ALTERNATIVES: Final = 16
"""How many values are kept apart where branches join."""
MAX_CASES: Final = 4 * MAX_ALTERNATIVES
"""How many are looked at together before they are found too many."""
MAX_CONDITIONS: Final = 32
"""Under how many decisions a value is kept apart."""
MAX_NAMES: Final = 8
MAX_DICTIONARIES: Final = 4
"""How many dictionaries are kept apart: they grow item by item, under one branch after the other."""


class Overflow(enum.Enum):
    """More cases than are kept."""

    TOO_MANY = "too many"


TOO_MANY: Final = Overflow.TOO_MANY
Joined: TypeAlias = Value | Literal[Overflow.TOO_MANY]


def join(cases: Iterable[Case]) -> Joined:
    """The value that is one of these; `TOO_MANY` where they cannot be told apart any more."""
    apart = [*_flat(cases)]
    if sum(isinstance(case.value, DictValue) for case in apart) > MAX_DICTIONARIES:
        together = _one_dictionary([case for case in apart if isinstance(case.value, DictValue)])
        if together is None:
            return TOO_MANY
        apart = [*(case for case in apart if not isinstance(case.value, DictValue)), together]
    kept = _Kept()
    for case in apart:
        kept.enter(case)
        if len(kept.cases) > MAX_CASES and len(_each_once(kept.cases.values())) > MAX_ALTERNATIVES:
            return _one_number(apart) or TOO_MANY
    found = [*kept.cases.values()]
    if len(found) > MAX_ALTERNATIVES:
        found = _each_once(found)
    if len(found) > MAX_ALTERNATIVES or any(len(case.path) > MAX_CONDITIONS for case in found):
        return _one_number(found) or TOO_MANY
    if all(case.value is found[0].value for case in found):
        return found[0].value
    return Alternatives(tuple(found))


def _one_dictionary(cases: Sequence[Case]) -> Case | None:
    """Several dictionaries as one whose items are what they are in each, so that items do not multiply."""
    items: dict[tuple[type, object], list[Case]] = {}
    for path, value in cases:
        assert isinstance(value, DictValue)
        for key, item in value.items:
            items.setdefault((type(key), key), []).append(Case(path, item))
    joined: list[tuple[object, Value]] = []
    for (_, key), values in items.items():
        one = join(values)
        if isinstance(one, Overflow):
            return None
        joined.append((key, one))
    return Case(common([case.path for case in cases]), DictValue(tuple(joined)))


def _one_number(cases: Sequence[Case]) -> Value | None:
    """One unknown number for many, with the accounts of all: whatever is done to it is done to the one that it is.

    None where they are not all numbers, or have more accounts than are followed.
    """
    accounts: dict[int, Reduction] = {}
    for case in cases:
        if isinstance(case.value, Const) and isinstance(case.value.value, bool | int | float):
            continue
        if not isinstance(case.value, Tensor) or any(r.rest is None for r in case.value.reductions):
            return None
        accounts.update((id(account), account) for account in case.value.reductions)
    if not accounts or len(accounts) > MAX_CASES:
        return None
    number = from_atom(
        atom_of(
            ("one number of", *sorted(r.integrand.key for r in accounts.values()), len(cases)),
            kind="computed",
            shape=SCALAR,
        ),
        SCALAR,
    )
    return altered(number, reductions=tuple(accounts.values()))


def restricted(value: Value, path: Path) -> Value:
    """The value on a path: cases that are reached on other ways only are gone."""
    if not isinstance(value, Alternatives) or not path:
        return value
    kept = [case for case in value.cases if not are_apart(case.path, path)]
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


class _Kept:
    """Cases that are told apart, in their order."""

    def __init__(self) -> None:
        self.cases: dict[int, Case] = {}
        self._alike: dict[Hashable, list[int]] = {}
        """Which of them may be the same value, by what such values have in common."""
        self._unknown: list[int] = []
        self._next = 0

    def enter(self, case: Case) -> None:
        """Add a case, or make one of it and another where they say the same or nothing."""
        alike = self._alike.setdefault(_kind(case.value), [])
        for index in alike:
            other = self.cases[index]
            if is_same(other.value, case.value):
                both = _either(other.path, case.path)
                if both is not None:
                    self._leave(index)
                    return self.enter(Case(both, other.value))
        is_open = isinstance(case.value, Tensor) and is_unknown(case.value)
        for index in self._unknown if is_open else ():
            other = self.cases[index]
            unknown = _one_unknown(other.value, case.value)
            if unknown is not None:
                self._leave(index)
                return self.enter(Case(common([other.path, case.path]), unknown))
        self.cases[self._next] = case
        alike.append(self._next)
        if is_open:
            self._unknown.append(self._next)
        self._next += 1
        return None

    def _leave(self, index: int) -> None:
        value = self.cases.pop(index).value
        self._alike[_kind(value)].remove(index)
        if index in self._unknown:
            self._unknown.remove(index)


def _kind(value: Value, depth: int = 2) -> Hashable:
    """The same for values that are the same."""
    if isinstance(value, Tensor):
        return value.terms
    if isinstance(value, TupleValue):
        first = value.items[:2] if depth else ()
        return TupleValue, len(value.items), *(_kind(item, depth - 1) for item in first)
    return type(value).__name__ if isinstance(value, Const | ModuleValue | Condition) else id(value)


def _either(one: Path, other: Path) -> Path | None:
    """The one path that both are, if that says exactly as much."""
    ours, yours = set(map(id, one)), set(map(id, other))  # most of what is equal is the same: that is fast
    mine = [d for d in one if id(d) not in yours]
    theirs = [d for d in other if id(d) not in ours]
    if mine and theirs:
        mine, theirs = _without(mine, theirs), _without(theirs, mine)
    if not mine or not theirs:
        return other if not theirs else one
    if len(mine) == len(theirs) == 1 and mine[0] == theirs[0].negated():
        return common([one, other])
    return None


def _without(some: Sequence[Decision], others: Sequence[Decision]) -> list[Decision]:
    """Those that none of the others equals."""
    keys = {d.key for d in others}  # most of what is not equal has another
    return [d for d in some if d.key not in keys or d not in others]


def _each_once(cases: Iterable[Case]) -> list[Case]:
    """Every value once, and one unknown of a kind whatever its shape, under what their paths have in common."""
    kept: list[Case] = []
    alike: dict[Hashable, list[int]] = {}
    unknown: list[int] = []
    for case in cases:
        is_open = isinstance(case.value, Tensor) and is_unknown(case.value)
        for index in sorted({*alike.get(_kind(case.value), ()), *(unknown if is_open else ())}):
            other = kept[index]
            value = other.value if is_same(other.value, case.value) else None
            value = value or _one_unknown(other.value, case.value, of_one_shape=False)
            if value is not None:
                kept[index] = Case(common([other.path, case.path]), value)
                break
        else:
            index, value = len(kept), case.value
            kept.append(case)
            if is_open:
                unknown.append(index)
        alike.setdefault(_kind(value), []).append(index)
    return kept


def _one_unknown(a: Value, b: Value, of_one_shape: bool = True) -> Value | None:
    """One unknown that stands for two, of which nothing is known but names."""
    if not (isinstance(a, Tensor) and isinstance(b, Tensor) and is_unknown(a) and is_unknown(b)):
        return None
    mine, theirs = a.single(), b.single()
    if mine is None or theirs is None or mine.kind != theirs.kind or mine.hint != theirs.hint:
        return None
    same_shape = a.shape.is_same(b.shape)
    of_one_shape = of_one_shape and not (mine.given_up and theirs.given_up)
    if of_one_shape and not same_shape and (a.shape.shown or b.shape.shown or a.shape.rank != b.shape.rank):
        return None
    if mine.key == theirs.key and same_shape:
        return a
    names = tuple(dict.fromkeys((*mine.names, *theirs.names)))[:MAX_NAMES]
    first, last = sorted((mine.key, theirs.key))
    place: Place | None = mine.place or theirs.place
    shape = a.shape if same_shape else Shape(rank=a.shape.rank) if a.shape.rank == 0 else Shape()
    atom = atom_of(
        ("one of", first, last),
        names=names,
        kind=mine.kind,
        place=place,
        hint=mine.hint,
        shape=shape,
        given_up=_given_up(mine, theirs),
    )
    return from_atom(atom, shape)


def _given_up(one: Atom, other: Atom) -> GivenUp:
    """What has swallowed counts stays so; what stands for too many cases does if there is nothing else."""
    most = max(one.given_up, other.given_up)
    return most if most == 2 or (one.given_up and other.given_up) else 0
