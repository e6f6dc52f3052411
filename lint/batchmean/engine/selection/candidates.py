"""Which functions of a module are worth interpreting, by their text alone."""

from __future__ import annotations

import ast
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from itertools import count
from typing import Final, TypeAlias

from batchmean.engine.selection.facts import CALLING
from batchmean.gate import losses, makes_means, means_what_it_is_given, reduces, sums
from batchmean.nodes import BLOCKS, FUNCTIONS

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

_LONG: Final = 200
"""No name is longer."""
_START: Final = re.compile(r"\w+")
_WORD: Final = re.compile(r"[A-Za-z_]\w*")
_TRANSFORM: Final = re.compile(r"map\(|partial\(|jit\(|grad\(|checkpoint\(")
_HANDED_ON: Final = re.compile(r"\(\s*([A-Za-z_]\w*)\s*[,)]")
"""The first argument, if it is a name."""
_GIVEN: Final = re.compile(r"[(,=:\[]\s*([A-Za-z_]\w*)(?=\s*[,)\]}])")
"""A name that is an argument, or an item of a list or a dictionary."""
_RENAMED: Final = re.compile(r"= self\.(\w+)$", re.M)
"""An attribute that is called under another name."""
_MANY: Final = 200
"""More names than these are not looked for one by one."""
_TURNS: Final = 6
"""After so many links of a chain, the calls of all functions are taken down."""
_IMPORTS: Final = (ast.Import, ast.ImportFrom)
_NOTABLE: Final = frozenset((*FUNCTIONS, *_IMPORTS, ast.ClassDef, ast.Assign))
_KINDS: Final[list[type[ast.AST]]] = [*ast.stmt.__subclasses__(), ast.ExceptHandler, ast.match_case]
_BLOCKS_OF: Final = {kind: tuple(name for name in BLOCKS if name in kind._fields) for kind in _KINDS}


class Candidates:
    """The functions that reduce a logarithm or a divergence, their own or one that they call, and their callers."""

    def __init__(
        self,
        tree: ast.Module,
        lines: Sequence[str],
        thorough: bool = False,
        imported: Callable[[ast.stmt], tuple[Set[str], Set[str]]] | None = None,
    ) -> None:
        """Read a module.

        Args:
            tree: the module.
            lines: its text.
            thorough: take in functions that only sum, such as those a fix has put right.
            imported: of an import, which of its names take a logarithm or a divergence in a module of the project,
                and which reduce.
        """
        self._lines = lines
        text = "\n".join(lines)
        self._marks = _line_numbers(text, losses(text))
        functions: list[Function] = []
        by_name: dict[str, list[Function]] = {}
        inert: list[ast.stmt] = []
        takers: set[str] = set()
        reducers: set[str] = set()
        owners: dict[str, list[str]] = {}
        called: dict[str, list[Function]] = {}
        own = list(_own_statements(tree))
        lasting = {id(node) for node in own}
        place: tuple[int, int | None] | None = None
        does = False
        kept: list[tuple[str, set[str]]] = []
        for node in _notable(tree):
            if isinstance(node, ast.Assign) and (source := _taken_from(node.value)):
                # `self.criterion = make_criterion(how)`, `CRITERIA[how]()`
                names = {n for target in node.targets for n in _target_names(target, id(node) in lasting)}
                if names:
                    kept.append((source, names))
            if isinstance(node, FUNCTIONS):
                functions.append(node)
                by_name.setdefault(node.name, []).append(node)
                inert.append(node)
            elif isinstance(node, _IMPORTS):
                if ";" not in lines[node.lineno - 1] + lines[(node.end_lineno or node.lineno) - 1]:
                    inert.append(node)
                if imported is not None:
                    theirs = imported(node)
                    takers |= theirs[0]
                    reducers |= theirs[1]
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    if alias.asname and losses(f" {alias.name}("):
                        takers.add(alias.asname)
                    if alias.asname and reduces(alias.name):
                        reducers.add(alias.asname)
            elif isinstance(node, ast.ClassDef):
                lasting.update(id(inner) for inner in node.body)
                for inner in node.body:
                    if isinstance(inner, FUNCTIONS):
                        owners.setdefault(inner.name, []).append(node.name)
                        if inner.name in CALLING:
                            called.setdefault(node.name, []).append(inner)
                if self.takes_logarithm(node):
                    takers.add(node.name)
            elif isinstance(node, ast.Assign) and self.takes_logarithm(node):
                # `self.criterion = nn.KLDivLoss()`: whoever calls it takes a divergence.
                names = {
                    name for target in node.targets for name in _target_names(target, id(node) in lasting)
                }
                takers |= names
                if place != (place := (node.lineno, node.end_lineno)):  # a line of many is read once
                    does = _makes_a_reducer(self._text(node))
                if does:
                    reducers |= names
            elif isinstance(node, ast.Assign) and _is_of_a_table(node.value):
                # `self.reduce = {"mean": torch.mean}[reduction]`
                names = {n for target in node.targets for n in _target_names(target, id(node) in lasting)}
                if names and _makes_a_reducer(self._text(node)):
                    reducers |= names
        for function in functions:
            if any(isinstance(node, ast.FunctionDef) for node in function.body):
                # What a nested function captures.
                for node in function.body:
                    if isinstance(node, ast.Assign) and self.takes_logarithm(node):
                        takers.update(n for target in node.targets for n in _target_names(target, True))
        takes_it = {f for f in functions if self.takes_logarithm(f)}
        takers.update(f.name for f in takes_it)
        texts = {f: self._text(f) for f in functions} if takers else {}
        reduces_it = {f for f, text in texts.items() if reduces(text) or means_what_it_is_given(text)}
        self.calls: dict[Function, set[str]] = {}
        """The names that each function calls; functions that call none of those below are left out."""
        self._callers: dict[str, list[str]] = {}
        giving = {f: text for f, text in texts.items() if _gives(text)}
        self._close(giving, takers, owners)  # a criterion may have a `forward` that calls a helper
        place = None
        takes = False
        for node in own if takers else ():
            # `batched = vmap(predict)`, `average = partial(np.mean)`: other names of what matters.
            if isinstance(node, ast.Assign):
                if place != (place := (node.lineno, node.end_lineno)):
                    text = self._text(node)
                    takes = _mentions(takers, text)
                    does = _makes_a_reducer(text) or (takes and _mentions(reducers, text))
                names = {name for target in node.targets for name in _target_names(target, True)}
                if takes:
                    takers |= names
                if does:
                    reducers |= names
        reducers.update(
            f.name for f, text in texts.items() if f in reduces_it or sums(text) or makes_means(text)
        )
        self.idle: Final = {
            name
            for name, runs in called.items()
            if name in takers
            and not any(f in takes_it or not takers.isdisjoint(_called(texts[f]) - {f.name}) for f in runs)
        }
        """Classes among them that do so in other methods than in what runs when one of their objects is called."""
        for source, names in kept:
            if source in takers and source not in self.idle:
                takers |= names
                reducers |= names if source in reducers else set()
        self._nodes: set[ast.AST] = set()
        found: set[str] = set()
        self._read_calls(texts, takers | reducers)
        self._close(giving, takers)
        self._close(texts, reducers)
        for function, calls in self.calls.items():
            takes = function in takes_it or not calls.isdisjoint(takers)
            if takes and (thorough or function in reduces_it or not calls.isdisjoint(reducers)):
                self._nodes.add(function)
                found.add(function.name)
        self._read_calls(texts, found)
        self._nodes.update(f for f, calls in self.calls.items() if not calls.isdisjoint(found))
        self.takers = takers
        """Names of what takes a logarithm or a divergence: functions, classes, criteria."""
        self.reducers = reducers
        """Names of what reduces."""
        self.names = found
        """Names of the functions that reduce a logarithm."""
        self._read_calls(texts, {f.name for f in texts if f in self._nodes})
        self.called: set[str] = set().union(*self.calls.values())
        """Every name that some function calls, as far as it is the name of a function here that is in."""
        self.called |= found & _handed_on(text)

        self.functions: Final[Mapping[str, Sequence[Function]]] = by_name
        """The functions by their names."""

        self.is_empty = not self._nodes and not self._module_takes(inert)
        """Is there nothing to look at, in functions and outside them?"""

    def __contains__(self, node: ast.AST) -> bool:
        return node in self._nodes

    def takes_logarithm(self, node: ast.stmt | ast.expr) -> bool:
        """Does a logarithm or a divergence stand in the lines of this statement or expression?"""
        index = bisect_left(self._marks, node.lineno)
        return index < len(self._marks) and self._marks[index] <= (node.end_lineno or node.lineno)

    def _module_takes(self, inert: Sequence[ast.stmt]) -> bool:
        """Does a logarithm or a divergence, or what takes one, stand outside functions and imports?"""
        line = 1
        for start, end in [*((n.lineno, n.end_lineno or n.lineno) for n in inert), (len(self._lines) + 1, 0)]:
            if line < start:
                index = bisect_left(self._marks, line)
                if index < len(self._marks) and self._marks[index] < start:
                    return True
                if _mentions(self.takers, "\n".join(self._lines[line - 1 : start - 1])):
                    return True
            line = max(line, end + 1)
        return False

    def _read_calls(self, texts: Mapping[Function, str], names: set[str] | None) -> None:
        """Take down what the functions call that may call one of `names`, or what all of them do."""
        for function, text in texts.items():
            if function in self.calls:
                continue
            if names is None or len(names) > _MANY or any(name in text for name in names):
                calls = _called(text)
                if names:
                    calls |= names & _handed_on(text)
                if function.name == "__init__" or f"super().{function.name}(" not in text:
                    calls.discard(function.name)
                self.calls[function] = calls
                for name in calls:
                    self._callers.setdefault(name, []).append(function.name)

    def _close(
        self,
        texts: Mapping[Function, str],
        names: set[str],
        owners: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Add the functions that hand on what one of these gives, or hand it what they are given.

        With `owners`, the classes that have a method among them are added too.
        """
        new = set(names)
        for turn in count():
            if not new:
                return
            # Few chains are longer; one of many functions is not looked for in all texts, link by link.
            if turn <= _TURNS:
                self._read_calls(texts, new if turn < _TURNS else None)
            new = {caller for name in new for caller in self._callers.get(name, ())} | {
                owner for name in new for owner in (owners or {}).get(name, ())
            }
            new -= names
            names |= new

    def _text(self, node: ast.stmt) -> str:
        return "\n".join(self._lines[node.lineno - 1 : node.end_lineno])


def _handed_on(text: str) -> set[str]:
    """The names that are an argument of a call, or an item of a list or a dictionary."""
    return set(_GIVEN.findall(text))


def _is_of_a_table(node: ast.expr) -> bool:
    """Is it a dictionary, or one of its items?"""
    return isinstance(node.value if isinstance(node, ast.Subscript) else node, ast.Dict)


def _taken_from(node: ast.expr) -> str:
    """The name of the function that is called, or of the table that an item is taken from."""
    while isinstance(node, ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _makes_a_reducer(text: str) -> bool:
    """Does an assignment give another name to what reduces?"""
    return reduces(text) or makes_means(text) or sums(text)


def _gives(text: str) -> bool:
    """Does a function hand something back?"""
    return "return" in text or "yield" in text


def _mentions(names: Set[str], text: str) -> bool:
    """Is one of the names a word of the text?"""
    if 2 * len(names) < len(text) and not any(name in text for name in names):  # far cheaper than its words
        return False
    return not names.isdisjoint(_WORD.findall(text))


def _called(text: str) -> set[str]:
    """The names before a bracket or a dot, those that a transform calls, `vmap(f)(x)`, and those that get others.

    Looking backwards from these takes a third of what matching `name(` does.
    """
    ends = {part[-_LONG:].rstrip()[::-1] for part in text.replace(".", "(").replace("[", "(").split("(")[:-1]}
    handed_on = set(_HANDED_ON.findall(text)) if _TRANSFORM.search(text) else set()
    handed_on.update(_RENAMED.findall(text))
    return {match[0][::-1] for end in ends if (match := _START.match(end))} | handed_on


def _line_numbers(text: str, offsets: Sequence[int]) -> list[int]:
    """The lines of ascending offsets, each once."""
    lines: list[int] = []
    line, done = 1, 0
    for offset in offsets:
        line += text.count("\n", done, offset)
        done = offset
        if not lines or lines[-1] != line:
            lines.append(line)
    return lines


def _notable(tree: ast.Module) -> Iterator[ast.stmt]:
    """Definitions, imports and assignments at any depth, in the order of the text; expressions are not entered."""
    todo: list[ast.AST] = [*reversed(tree.body)]
    while todo:
        node = todo.pop()
        kind = type(node)
        if kind in _NOTABLE:
            yield node  # type: ignore[misc]
        for block in _BLOCKS_OF[kind]:
            todo += getattr(node, block)[::-1]


def _own_statements(tree: ast.Module) -> Iterator[ast.stmt]:
    """The statements of the module itself, those under an `if` or in a `try` too."""
    todo: list[ast.AST] = list(reversed(tree.body))
    while todo:
        node = todo.pop()
        if isinstance(node, ast.stmt):
            yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for block in BLOCKS:
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
