"""How often a loop goes round: what it adds up in each round it adds up so many times, and counters count that."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from batchmean.engine.context import Context
from batchmean.engine.domain.tensors import SCALAR, Role, Tensor, atom_of, from_atom
from batchmean.engine.domain.values import Alternatives, Const, Value
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


def counters(context: Context) -> Mapping[str, Value]:
    """The names that are plain numbers, before a loop."""
    return {
        name: value
        for name, value in context.scope.names.items()
        if isinstance(value, Const) and type(value.value) in (int, float)
    }


def forget_counters(context: Context, before: Mapping[str, Value]) -> None:
    """Those that a round has changed have changed as often as the loop goes round."""
    for name, value in before.items():
        now = context.scope.names.get(name, value)
        cases = now.values if isinstance(now, Alternatives) else (now,)
        if all(isinstance(case, Const) for case in cases) and any(case != value for case in cases):
            context.scope.names[name] = context.anything(SCALAR)
