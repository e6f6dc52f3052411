"""The fixtures as programs: each case with what it needs of its module, as a small module of its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from batchmean_reference.cases import Case, find_modules, read_cases

FIXTURES = Path(__file__).parents[2] / "fixtures"

OTHER_ARRAYS = {
    "masked_array": "masked arrays count their valid elements",
    "loss_always_below_a_hundredth": "a class of arrays of its own",
    "loss_of_the_right_size": "a class of arrays of its own",
    "imported_and_hidden": "its `mean` is another",
    "shadowed_by_the_library": "its `mean` is another",
    "mean_of_listed_sums": "its `mean` is of a list of numbers",
}
"""Cases in which not every `mean` and `sum` is the framework's own."""

Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Program:
    """A case, and the module that a rewrite starts from: `source` has no comments and no docstrings."""

    case: Case
    source: str

    @property
    def id(self) -> str:
        return self.case.id

    @property
    def is_wrong(self) -> bool:
        return self.case.is_wrong

    @property
    def framework(self) -> str:
        """The framework's name, as in `on_torch`."""
        return self.case.path.parent.name.removeprefix("on_")

    @property
    def arrays(self) -> str:
        """The framework whose functions and methods the program's arrays have; empty where that is not so."""
        return "" if self.case.name in OTHER_ARRAYS else self.framework

    @property
    def returns_tensor(self) -> bool:
        """Is its result the loss, and no tuple or dictionary of more?"""
        return self.case.output is None

    @cached_property
    def ranks(self) -> dict[str, int]:
        """How many axes each array argument is declared with."""
        return {a.name: len(a.axes) for a in self.case.arguments if a.is_array}

    def tree(self) -> ast.Module:
        """The module, for the caller to change."""
        return ast.parse(self.source)

    def entry(self, tree: ast.Module) -> ast.FunctionDef:
        """The case itself in a tree of this program."""
        return next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == self.case.name)


@cache
def programs(pattern: str = "") -> tuple[Program, ...]:
    """The programs whose id (`on_numpy/entropies.py::name`) contains the pattern."""
    found: list[Program] = []
    for path in find_modules(FIXTURES):
        module = without_docstrings(ast.parse(path.read_text(encoding="utf-8")))
        for case in read_cases(path):
            if pattern in case.id:
                found.append(Program(case, ast.unparse(_needed(module, case.name))))
    return tuple(found)


def whole_module(program: Program) -> ast.Module:
    """The module that the case stands in, comments and docstrings left out."""
    return without_docstrings(ast.parse(program.case.path.read_text(encoding="utf-8")))


def without_docstrings(tree: ast.Module) -> ast.Module:
    """The tree, with neither its docstrings nor those of its functions and classes."""
    for node in ast.walk(tree):
        if isinstance(node, Scope | ast.Module) and node.body and is_text(node.body[0]):
            node.body = node.body[1:] or ([] if isinstance(node, ast.Module) else [ast.Pass()])
    return tree


def is_text(statement: ast.stmt) -> bool:
    """Is it a docstring, or stands there like one?"""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def bound_by(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement of a module binds there."""
    if isinstance(statement, Scope):
        yield statement.name
        return
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).partition(".")[0]
        elif isinstance(node, Scope):
            yield node.name


def loaded_by(node: ast.AST) -> set[str]:
    """The names that are read anywhere in a node."""
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


def texts_in(node: ast.AST) -> set[str]:
    """The strings that stand in a node: some programs look a class up by its name."""
    constants = (n.value for n in ast.walk(node) if isinstance(n, ast.Constant))
    return {value for value in constants if isinstance(value, str)}


def _needed(module: ast.Module, name: str) -> ast.Module:
    """What a definition of a module needs of it, in the module's order."""
    binders: dict[str, list[ast.stmt]] = {}
    for statement in module.body:
        for bound in bound_by(statement):
            binders.setdefault(bound, []).append(statement)
    kept: set[int] = set()
    wanted, seen = [name], {name}
    while wanted:
        for statement in binders.get(wanted.pop(), ()):
            if id(statement) not in kept:
                kept.add(id(statement))
                new = (loaded_by(statement) | (texts_in(statement) & set(binders))) - seen
                seen |= new
                wanted += sorted(new)
    stars = {id(s) for s in module.body if isinstance(s, ast.ImportFrom) and s.names[0].name == "*"}
    return ast.Module([s for s in module.body if id(s) in kept | stars], [])
