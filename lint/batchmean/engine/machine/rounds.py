"""How often a loop goes round: what it adds up in each round it adds up so many times, and counters count that."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from typing import Final

from batchmean.engine.context import Context
from batchmean.engine.domain.tensors import SCALAR, Tensor, atom_of, from_atom
from batchmean.engine.domain.values import Alternatives, Const, Value
from batchmean.nodes import nodes

_SMALL: Final = 2


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
