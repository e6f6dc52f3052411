"""How often a loop goes round: what it adds up in each round it adds up so many times, and counters count that."""

from __future__ import annotations

import ast
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

from batchmean.engine.context import Context
from batchmean.engine.domain.names import Branched
from batchmean.engine.domain.tensors import SCALAR, Role, Tensor, altered, atom_of, from_atom
from batchmean.engine.domain.values import Alternatives, Const, DictValue, TupleValue, Value, held_in
from batchmean.nodes import nodes

_SMALL: Final = 2
_WRAPPERS: Final = frozenset("enumerate list reversed sorted tqdm trange tuple".split())


class Rounds(NamedTuple):
    """How often a loop goes round."""

    node: ast.AST
    """The loop, or the comprehension."""
    numbers: frozenset[int]
    """The whole numbers above 2 that it may be."""
    number: Tensor
    """The same as a value."""
    first: int
    """How many accounts there were before it."""


def of_loop(context: Context, node: ast.AST, iterated: ast.expr, items: Value | None = None) -> Rounds:
    """The rounds of `for ... in iterated`; `items` is what that gives."""
    count = _count(context, iterated, items)
    return Rounds(node, numbers_in(context, [iterated]), count, len(context.ledger.accounts))


def of_while(context: Context, node: ast.While) -> Rounds:
    """The rounds of `while test`."""
    count = context.anything(SCALAR)
    return Rounds(node, numbers_in(context, [node.test]), count, len(context.ledger.accounts))


def _count(context: Context, iterated: ast.expr, items: Value | None) -> Tensor:
    while isinstance(iterated, ast.Call) and isinstance(iterated.func, ast.Name) and iterated.args:
        if iterated.func.id == "range" and len(iterated.args) == 1:
            return context.as_tensor(context.evaluate(iterated.args[0]))
        if iterated.func.id not in _WRAPPERS:
            break
        iterated, items = iterated.args[0], None
    if isinstance(items, Tensor) and items.terms:
        return context.as_tensor(context.axis_length(items.shape, 0))
    return context.anything(SCALAR)


def factors(context: Context, value: Value, added: ast.expr, rounds: Iterable[Rounds]) -> Iterator[Tensor]:
    """What a loss is multiplied by when it is added up in each round of loops.

    That is how often they go round where it is the same one each time, or where it is as often as there are classes.
    """
    for loop in rounds:
        if not isinstance(value, Tensor) or not value.reductions:
            return
        atom = loop.number.single()
        axis = atom.axis if atom is not None and atom.role is Role.COUNT else None
        is_of_classes = axis is not None and any(axis.is_same(r.integrand.support) for r in value.reductions)
        if is_of_classes or _is_the_same(context, value, added, loop):
            yield loop.number
        elif loop.numbers:
            yield times(context, loop.numbers)


def _is_the_same(context: Context, value: Tensor, added: ast.expr, loop: Rounds) -> bool:
    """Is it the same loss in each round?"""
    inside = list(nodes(added))
    if not _bound_in(loop.node).isdisjoint(node.id for node in inside if isinstance(node, ast.Name)):
        return False
    made_in_it = {id(account) for account in context.ledger.accounts[loop.first :]}
    is_made = any(isinstance(node, ast.Call) for node in inside)
    return not is_made or all(id(account) not in made_in_it for account in value.reductions)


@lru_cache(maxsize=64)
def _bound_in(loop: ast.AST) -> frozenset[str]:
    """The names that a loop binds."""
    return frozenset(
        node.id for node in nodes(loop) if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
    )


def numbers_in(context: Context, expressions: Iterable[ast.expr]) -> frozenset[int]:
    """The whole numbers above 2 that say how often it goes round: `range(10)`, `while i < n`."""
    found: set[int] = set()
    for expression in expressions:
        for node in nodes(expression):
            value: object = None
            if isinstance(node, ast.Constant):
                value = node.value
            elif isinstance(node, ast.Name) and isinstance(const := context.scope.find(node.id), Const):
                value = const.value
            if type(value) is int and value > _SMALL:
                found.add(value)
    return frozenset(found)


def times(context: Context, numbers: frozenset[int]) -> Tensor:
    """A number that may be one of these."""
    return from_atom(
        atom_of(("rounds", context.fresh()), kind="computed", shape=SCALAR, numbers=numbers), SCALAR
    )


Counters: TypeAlias = Sequence[tuple[Branched[Any, Value], Mapping[Hashable, Value]]]


def counters(context: Context) -> Counters:
    """The names and attributes that are plain numbers, or hold some, before a loop."""
    kept: list[Branched[Any, Value]] = [context.scope.names, context.attributes]
    return [(held, {name: value for name, value in held.items() if _counts(value)}) for held in kept]


def forget_counters(context: Context, before: Counters) -> None:
    """Those that a round has changed have changed as often as the loop goes round."""
    for held, values in before:
        for name, value in values.items():
            now = held.get(name, value)
            cases = now.values if isinstance(now, Alternatives) else (now,)
            changed = [_changed(context, value, case) for case in cases]
            if any(case is not None for case in changed) and all(_counts(case) for case in cases):
                held[name] = next(case for case in changed if case is not None)


def _counts(value: Value) -> bool:
    if isinstance(value, Const):
        return type(value.value) in (int, float)
    return isinstance(value, TupleValue | DictValue) and any(
        isinstance(item, Const) and _counts(item) for item in held_in(value)
    )


def _changed(context: Context, before: Value, now: Value) -> Value | None:
    """What a value is whose numbers were changed by each round; None where none was."""
    if isinstance(before, Const) and isinstance(now, Const):
        return context.anything(SCALAR) if now != before else None
    if isinstance(before, TupleValue) and isinstance(now, TupleValue) and len(before.items) == len(now.items):
        items = [_changed(context, *pair) for pair in zip(before.items, now.items, strict=True)]
        new = tuple(one or old for one, old in zip(items, now.items, strict=True))
        return altered(now, items=new) if any(items) else None
    if isinstance(before, DictValue) and isinstance(now, DictValue):
        found = {key: _changed(context, old, now.get(key) or old) for key, old in before.items}
        new_items = tuple((key, found.get(key) or item) for key, item in now.items)
        return DictValue(new_items) if any(found.values()) else None
    return None
