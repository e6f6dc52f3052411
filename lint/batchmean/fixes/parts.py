"""What of a file has to do with what: the parts in which fixes are proved beside each other.

A part is made of statements of the module that name each other, or that one loss goes through. What happens in one
part is no matter to another, so a fix in each of them can be tried at once.
"""

from __future__ import annotations

import ast
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from batchmean.nodes import DEFINITIONS


class Parts:
    """The parts of a module, by the statement that each begins with."""

    def __init__(self, tree: ast.Module, connected: Iterable[Iterable[int]]) -> None:
        """`connected` are the lines that one loss goes through; a statement with any of them may matter to others."""
        body = tree.body
        self.starts: Final[list[int]] = [_first_line(statement) for statement in body]
        self._first = list(range(len(body)))
        for index in range(1, len(body)):
            if self.starts[index] <= (body[index - 1].end_lineno or 0):
                self._unite(index - 1, index)  # they share a line
        telling = {index for index, node in enumerate(body) if _defines(node)}
        for lines in connected:
            touched = sorted({_statement(self.starts, line) for line in lines})
            telling.update(touched)
            for index in touched[1:]:
                self._unite(touched[0], index)
        self._connect(body, telling)

    def of(self, line: int, shifted: Sequence[int] | None = None) -> int:
        """The part that a line belongs to; `shifted` are the first lines of the statements, where they are others."""
        return self._root(_statement(shifted or self.starts, line))

    def _root(self, index: int) -> int:
        while self._first[index] != index:
            self._first[index] = self._first[self._first[index]]
            index = self._first[index]
        return index

    def _unite(self, one: int, other: int) -> None:
        first, last = sorted((self._root(one), self._root(other)))
        self._first[last] = first

    def _connect(self, body: list[ast.stmt], telling: set[int]) -> None:
        """Unite each statement with those whose names it mentions, as far as they tell more than a constant does."""
        mentioning: dict[str, list[int]] = {}
        for index, statement in enumerate(body):
            for name in set(_mentions(statement)):
                mentioning.setdefault(name, []).append(index)
        waiting = sorted(telling)
        while waiting:
            index = waiting.pop()
            for name in set(_names(body[index])):
                for user in mentioning.pop(name, ()):  # once united, they need not be asked again
                    self._unite(index, user)
                    if user not in telling:
                        telling.add(user)
                        waiting.append(user)
                mentioning[name] = [index]


def _statement(starts: Sequence[int], line: int) -> int:
    """The statement that holds a line, or comes last before it."""
    return max(bisect_right(starts, line) - 1, 0)


def _first_line(statement: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(node.lineno for node in decorators)])


def _defines(statement: ast.stmt) -> bool:
    """Does it define a function or a class?"""
    return any(isinstance(node, DEFINITIONS) for node in _outside_functions(statement))


def _names(statement: ast.stmt) -> Iterator[str]:
    """The names of the module that it binds."""
    for node in _outside_functions(statement):
        if isinstance(node, DEFINITIONS):
            yield node.name
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
    for node in ast.walk(statement):
        if isinstance(node, ast.Global):
            yield from node.names


def _mentions(statement: ast.stmt) -> Iterator[str]:
    for node in ast.walk(statement):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr


def _outside_functions(statement: ast.stmt) -> Iterator[ast.AST]:
    todo: list[ast.AST] = [statement]
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(node, DEFINITIONS):
            todo.extend(ast.iter_child_nodes(node))
