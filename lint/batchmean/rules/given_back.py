"""What a function gives back side by side: a caller takes of it what it needs."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from batchmean.engine.ledger import Ledger
from batchmean.nodes import nodes


def are_given_back_together(ledger: Ledger, one: ast.AST, other: ast.AST) -> bool:
    """Does a function return both, each under its own name, as in `return total_kl, mean_kl`?"""
    return any(_returns_both(function.node, one, other) for function in ledger.defined)


def _returns_both(function: ast.AST, one: ast.AST, other: ast.AST) -> bool:
    names = [_name_of(function, node) for node in (one, other)]
    if None in names or names[0] == names[1]:
        return False
    return any(set(names) <= given for given in _returned(function))


def _name_of(function: ast.AST, node: ast.AST) -> str | None:
    """The name that a statement of the function gives to what the node is a part of."""
    for statement in nodes(function):
        if isinstance(statement, ast.Assign) and any(part is node for part in nodes(statement.value)):
            target = statement.targets[0]
            return target.id if isinstance(target, ast.Name) else None
    return None


def _returned(function: ast.AST) -> Iterator[set[str | None]]:
    for node in nodes(function):
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
            yield {item.id for item in node.value.elts if isinstance(item, ast.Name)}
