"""Every node of a syntax tree, faster than `ast.walk`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import chain
from typing import Final

_LEAVES: Final = frozenset(
    "ctx op ops type_comment kind id attr arg module level asname conversion simple is_async kwd_attrs rest tag".split()
)
"""Fields that hold no node of interest: a `Load`, an operator, a name."""
_FIELDS: Final = {
    kind: tuple(name for name in kind._fields if name not in _LEAVES)
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST)
}
_FIELDS[ast.Constant] = ()
FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
DEFINITIONS: Final = (*FUNCTIONS, ast.ClassDef)
_ASKED_OFTEN: Final = frozenset((ast.Module, *DEFINITIONS))
BLOCKS: Final = ("body", "orelse", "finalbody", "handlers", "cases")
"""The fields in which a statement has others, or handlers and cases that have them."""


def nodes(root: ast.AST) -> Iterator[ast.AST]:
    """The node and all below it, as `ast.walk` gives them, but for contexts and operators.

    Those below a module, a class or a function are asked for again and again: they stay with it. No tree is changed.
    """
    if type(root) not in _ASKED_OFTEN:
        return _walk(root)
    below: list[ast.AST] | None = getattr(root, "_below", None)
    if below is None:
        below = root._below = list(_walk(root))[1:]  # type: ignore[attr-defined]  # without itself: no cycle
    return chain((root,), below)


def _walk(root: ast.AST) -> Iterator[ast.AST]:
    found: list[ast.AST] = [root]
    for node in found:
        yield node
        found += children(node)


def children(node: ast.AST) -> list[ast.AST]:
    """The nodes right below one, as `ast.iter_child_nodes` gives them, but for contexts and operators."""
    found: list[ast.AST] = []
    for name in _FIELDS[type(node)]:
        child = getattr(node, name, None)
        if child.__class__ is list:
            found += [one for one in child if isinstance(one, ast.AST)]
        elif isinstance(child, ast.AST):
            found.append(child)
    return found


def statements(root: ast.AST) -> Iterator[ast.AST]:
    """The statements below a node, at any depth, in no order that is promised; expressions are not entered."""
    found: list[ast.AST] = [root]
    for node in found:
        for name in BLOCKS:
            for child in getattr(node, name, ()):
                yield child
                found.append(child)
