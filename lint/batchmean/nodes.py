"""Every node of a syntax tree, faster than `ast.walk`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

_LEAVES: Final = frozenset(("ctx", "op", "ops", "type_comment", "kind"))
"""Fields that hold no node of interest: a `Load`, an operator."""
_FIELDS: Final = {
    kind: tuple(name for name in kind._fields if name not in _LEAVES)
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST)
}
FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
DEFINITIONS: Final = (*FUNCTIONS, ast.ClassDef)
BLOCKS: Final = ("body", "orelse", "finalbody", "handlers", "cases")
"""The fields in which a statement has others, or handlers and cases that have them."""


def nodes(root: ast.AST) -> Iterator[ast.AST]:
    """The node and all below it, as `ast.walk` gives them, but for contexts and operators."""
    found: list[ast.AST] = [root]
    for node in found:
        yield node
        for name in _FIELDS[type(node)]:
            child = getattr(node, name, None)
            if child.__class__ is list:
                found += [one for one in child if isinstance(one, ast.AST)]
            elif isinstance(child, ast.AST):
                found.append(child)


def statements(root: ast.AST) -> Iterator[ast.AST]:
    """The statements below a node, at any depth, in no order that is promised; expressions are not entered."""
    found: list[ast.AST] = [root]
    for node in found:
        for name in BLOCKS:
            for child in getattr(node, name, ()):
                yield child
                found.append(child)
