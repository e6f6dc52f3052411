"""What a function is called for, and what stands beside it: a caller takes of what it is given what it needs."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence, Set
from functools import cached_property
from typing import Final, TypeAlias

from batchmean.engine.ledger import Ledger
from batchmean.nodes import nodes

MAX_ENTRIES: Final = 16
"""Entries of a returned dict that are told apart."""


Places: TypeAlias = Sequence[ast.AST]
"""Where something is made, and the calls that led there."""


class GivenBack:
    """What the functions of a module return, and what is made of what on the way there."""

    def __init__(self, ledger: Ledger) -> None:
        self._holding: dict[ast.AST, list[_Returned]] = {}
        for node in dict.fromkeys(one.node for one in ledger.defined):
            function = _Returned(node)
            for inner in function.inside:
                self._holding.setdefault(inner, []).append(function)

    def beside(self, ones: Sequence[Places], others: Sequence[Places]) -> Sequence[bool]:
        """Of each: is any of the others a part of what a function returns, or trains with, and it, in there, is not?

        What is first is what the function is called for, unless it is a number for a log: nothing is trained with that.
        """
        wanted = {place for places in others for place in places}
        parts: dict[_Returned, Sequence[Set[ast.AST]]] = {}
        found = []
        for one in ones:
            functions = dict.fromkeys(f for place in one for f in self._holding.get(place, ()))
            for function in functions:
                if function not in parts:
                    parts[function] = [part for part in function.parts if not part.isdisjoint(wanted)]
            found.append(any(part.isdisjoint(one) for function in functions for part in parts[function]))
        return found


class _Returned:
    def __init__(self, function: ast.AST) -> None:
        self._function = function

    @cached_property
    def inside(self) -> Set[ast.AST]:
        """All that stands in the function."""
        return set(nodes(self._function))

    @cached_property
    def parts(self) -> Sequence[Set[ast.AST]]:
        """What goes into the first thing that is returned, and into each entry of a dict that is."""
        made = _made_in(self.inside - {self._function})
        first: list[ast.expr] = []
        entries: list[ast.expr] = []
        for node in self.inside:
            value = node.value if isinstance(node, ast.Return) else _trained_with(node)
            if isinstance(value, ast.Tuple) and value.elts:
                value = value.elts[0]
            if isinstance(value, ast.Dict):
                entries += value.values
            elif value is not None:
                first.append(value)
        separate = [[entry] for entry in entries] if len(entries) <= MAX_ENTRIES else [entries]
        return [frozenset(_closure(roots, made)) for roots in ([first] if first else []) + separate]


def _trained_with(node: ast.AST) -> ast.expr | None:
    """The loss of `loss.backward()`."""
    function = node.func if isinstance(node, ast.Call) else None
    return function.value if isinstance(function, ast.Attribute) and function.attr == "backward" else None


def _closure(roots: Sequence[ast.expr], made: Mapping[str, Sequence[ast.AST]]) -> Iterator[ast.AST]:
    """All that these are made of in the function."""
    todo: list[ast.AST] = [root for root in roots if not _is_for_a_log(root)]
    seen: set[str] = set()
    while todo:
        for node in nodes(todo.pop()):
            yield node
            if (name := _name(node)) and name not in seen:
                seen.add(name)
                todo += made.get(name, ())


def _made_in(inside: Set[ast.AST]) -> Mapping[str, Sequence[ast.AST]]:
    """What each name is made of, or given, but for numbers for a log."""
    made: dict[str, list[ast.AST]] = {}

    def note(target: ast.AST, value: ast.AST | None) -> None:
        if value is not None and not _is_for_a_log(value):
            for name in _names(target):
                made.setdefault(name, []).append(value)

    for node in inside:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                note(target, node.value)
        elif isinstance(node, ast.AugAssign | ast.AnnAssign | ast.NamedExpr):
            note(node.target, node.value)
        elif isinstance(node, ast.For | ast.comprehension):
            note(node.target, node.iter)
        elif isinstance(node, ast.withitem) and node.optional_vars is not None:
            note(node.optional_vars, node.context_expr)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            made.setdefault(node.name, []).append(node)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            for argument in (*node.args, *node.keywords):  # `losses.append(loss)`
                note(node.func.value, argument)
    return made


def _names(target: ast.AST) -> Iterator[str]:
    """The names that are stored in: those of a tuple, what an item is of, and an attribute of `self` as one."""
    while isinstance(target, ast.Attribute | ast.Subscript | ast.Starred) and not _of_self(target):
        target = target.value
    if isinstance(target, ast.Tuple | ast.List):
        for item in target.elts:
            yield from _names(item)
    elif name := _name(target):
        yield name


def _name(node: ast.AST) -> str:
    """A name, or `self.total`; an object itself is not all that its attributes hold."""
    if isinstance(node, ast.Name):
        return node.id if node.id != "self" else ""
    return _of_self(node)


def _of_self(node: ast.AST) -> str:
    is_own = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
    return f"self.{node.attr}" if is_own and isinstance(node, ast.Attribute) else ""


def _is_for_a_log(value: ast.AST) -> bool:
    """Is it `float(x)` or `x.item()`?"""
    function = value.func if isinstance(value, ast.Call) else None
    return getattr(function, "id", "") == "float" or getattr(function, "attr", "") == "item"
