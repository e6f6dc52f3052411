"""Which functions of a module are worth interpreting, by their text alone."""

from __future__ import annotations

import ast
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final, TypeAlias

from batchmean.gate import losses, reduces

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

_CALLED: Final = re.compile(r"\b([A-Za-z_]\w*)\s*[(.]")
_WORD: Final = re.compile(r"[A-Za-z_]\w*")
_BLOCKS: Final = ("body", "orelse", "finalbody", "handlers", "cases")


class Candidates:
    """The functions that reduce a logarithm or a divergence, their own or one that they call, and their callers."""

    def __init__(self, tree: ast.Module, lines: Sequence[str], thorough: bool = False) -> None:
        """Read a module; `thorough` takes in functions that only sum, such as those a fix has put right."""
        self._lines = lines
        text = "\n".join(lines)
        starts = list(accumulate((len(line) + 1 for line in lines), initial=0))
        self._marks = sorted({bisect_right(starts, offset) for offset in losses(text)})
        functions: list[Function] = []
        takers: set[str] = set()
        reducers: set[str] = set()
        lasting = {id(node) for node in tree.body}
        for node in _statements(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                functions.append(node)
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    if alias.asname and losses(f" {alias.name}("):
                        takers.add(alias.asname)
                    if alias.asname and reduces(alias.name):
                        reducers.add(alias.asname)
            elif isinstance(node, ast.ClassDef):
                lasting.update(id(inner) for inner in node.body)
                if self.takes_logarithm(node):
                    takers.add(node.name)
            elif isinstance(node, ast.Assign) and self.takes_logarithm(node):
                # `self.criterion = nn.KLDivLoss()`: whoever calls it takes a divergence.
                names = {
                    name for target in node.targets for name in _target_names(target, id(node) in lasting)
                }
                takers |= names
                if reduces(self._text(node)):
                    reducers |= names
        for function in functions:
            if any(isinstance(node, ast.FunctionDef) for node in function.body):
                # What a nested function captures.
                for node in function.body:
                    if isinstance(node, ast.Assign) and self.takes_logarithm(node):
                        takers.update(n for target in node.targets for n in _target_names(target, True))
        texts = [self._text(f) for f in functions]
        called = [set(_CALLED.findall(text)) - {f.name} for f, text in zip(functions, texts, strict=True)]
        takes_log = [self.takes_logarithm(f) for f in functions]
        reduces_it = [reduces(text) for text in texts]
        takers.update(f.name for f, takes in zip(functions, takes_log, strict=True) if takes)
        for node in tree.body:
            # `batched = vmap(predict)`, `average = partial(np.mean)`: other names of what matters.
            if isinstance(node, ast.Assign):
                names = {name for target in node.targets for name in _target_names(target, True)}
                if takers & set(_WORD.findall(self._text(node))):
                    takers |= names
                if reduces(self._text(node)):
                    reducers |= names
        reducers.update(f.name for f, does in zip(functions, reduces_it, strict=True) if does)
        self._nodes: set[ast.AST] = set()
        found: set[str] = set()
        for function, calls, takes, does in zip(functions, called, takes_log, reduces_it, strict=True):
            if (thorough or does or calls & reducers) and (takes or calls & takers):
                self._nodes.add(function)
                found.add(function.name)
        self.takers = takers
        """Names of what takes a logarithm or a divergence: functions, classes, criteria."""
        self.reducers = reducers
        """Names of what reduces."""
        self.names = found
        """Names of the functions that reduce a logarithm."""
        self.calls = dict(zip(functions, called, strict=True))
        """The names that each function calls."""
        self.called: set[str] = set().union(*called) if called else set()
        """Every name that some function calls."""
        self._nodes.update(f for f, calls in zip(functions, called, strict=True) if calls & found)

    def __contains__(self, node: ast.AST) -> bool:
        return node in self._nodes

    def takes_logarithm(self, node: ast.stmt | ast.expr) -> bool:
        """Does a logarithm or a divergence stand in the lines of this statement or expression?"""
        index = bisect_left(self._marks, node.lineno)
        return index < len(self._marks) and self._marks[index] <= (node.end_lineno or node.lineno)

    def _text(self, node: ast.stmt) -> str:
        return "\n".join(self._lines[node.lineno - 1 : node.end_lineno])


def _statements(tree: ast.Module) -> Iterator[ast.stmt]:
    """Every statement, at any depth; expressions are not entered."""
    todo: list[ast.AST] = list(reversed(tree.body))
    while todo:
        node = todo.pop()
        if isinstance(node, ast.stmt):
            yield node
        for block in _BLOCKS:
            todo.extend(reversed(getattr(node, block, ())))


def _target_names(target: ast.expr, lasting: bool) -> Iterator[str]:
    """Names that outlive the block: attributes, and variables of a module or a class."""
    if isinstance(target, ast.Name) and lasting:
        yield target.id
    elif isinstance(target, ast.Attribute):
        yield target.attr
    elif isinstance(target, ast.Tuple):
        for element in target.elts:
            yield from _target_names(element, lasting)
