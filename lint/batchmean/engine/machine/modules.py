"""Imports: the names of frameworks, and what the project's own modules define, which are read and never executed."""

from __future__ import annotations

import ast
import re
from abc import abstractmethod
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Final

from batchmean import operations
from batchmean.engine import bounds
from batchmean.engine.domain.tensors import altered
from batchmean.engine.domain.values import (
    ClassValue,
    Const,
    DictValue,
    FunctionValue,
    ModuleValue,
    Scope,
    TupleValue,
    Value,
)
from batchmean.engine.evidence.given import Given
from batchmean.engine.machine.attributes import class_attribute, starred
from batchmean.engine.machine.dictionaries import TAKING
from batchmean.engine.machine.evaluator import Evaluator
from batchmean.engine.selection.imports import is_followed, relevance_of
from batchmean.engine.selection.relevance import Relevance
from batchmean.functions import absolute
from batchmean.project import MAX_MODULES, Module, Project, full_name, texts_of

_DEFINING: Final = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign,
    ast.If, ast.Try,
)  # fmt: skip


class Importing(Evaluator):
    """Evaluates the code of one module, and of those of its project that it calls into."""

    def __init__(self, lines: Sequence[str] = (), project: Project | None = None) -> None:
        super().__init__(lines)
        self._project = project
        if project is not None:
            self.given = Given(lines, partial(texts_of, project, lines))
        self._files = [project.path] if project is not None else []
        """The modules that are read, by the number that names imported in them carry."""
        self._imported: dict[tuple[str, bool], Value | None] = {}
        self._foreign: dict[str, Scope] = {}
        self._relevances: dict[int, Relevance] = {}
        """Of the modules of the project that are read, by their numbers."""

    @abstractmethod
    def run_apart(self, scope: Scope, body: Sequence[ast.stmt]) -> None:
        """Run the definitions of another module, in a scope of their own."""

    def forget_modules(self) -> None:
        """Break the cycles between scopes and what is defined in them."""
        for scope in self._foreign.values():
            scope.names.clear()
        self._imported.clear()

    @property
    def follows_imports(self) -> bool:
        """Are other modules of the project read?"""
        return self._project is not None

    def imported(self, name: str, *, always: bool = False) -> Value | None:
        """What a dotted name stands for in another module of the project; None where that is not known.

        `always` follows what gives no loss, too.
        """
        if self._project is None:
            return None
        if (name, always) not in self._imported:
            self._imported[name, always] = None  # modules that import each other
            self._imported[name, always] = self._found(name, always)
        return self._imported[name, always]

    def _found(self, name: str, always: bool) -> Value | None:
        number, dotted = _numbered(name)
        found = self._project.find(dotted, self._files[number]) if self._project is not None else None
        if found is None or not found[1]:
            return None
        if len(self._files) > MAX_MODULES and found[0].path not in self._foreign:
            self.ledger.reached.add(bounds.MODULES)
            return None
        module, (first, *rest) = found
        scope = self._foreign_scope(module)
        value = scope.names.get(first)
        if isinstance(value, FunctionValue | ClassValue) and not (always or is_followed(module, first)):
            return None
        if value is None:
            value = starred(self, scope, first)
        for attribute in rest:
            if isinstance(value, ModuleValue):
                value = ModuleValue(f"{value.name}.{attribute}")
            else:
                value = class_attribute(self, value, attribute) if isinstance(value, ClassValue) else None
        if isinstance(value, ModuleValue) and operations.function(value.name) is None:
            return self.imported(value.name, always=always)
        return value

    def word_of(self, value: Value) -> Value:
        if isinstance(value, TupleValue):
            return altered(value, items=tuple(map(self.word_of, value.items)))
        found = self.imported(value.name, always=True) if isinstance(value, ModuleValue) else None
        return found if isinstance(found, Const) and isinstance(found.value, str) else value

    def forget_changed(self, scope: Scope, text: str) -> None:
        """Forget the tables of a module that its functions change: `TABLE[name] = criterion`."""
        for name, value in list(scope.names.items()):
            if isinstance(value, DictValue) and _is_changed(name, text):
                scope.names[name] = self.opaque((name,))

    def changes(self, name: str) -> bool:
        """Does a function of the module that is linted change a table of this name?"""
        return _is_changed(name, "\n".join(self.lines))

    def _imported_elsewhere(self) -> dict[str, str]:
        """The names of frameworks in the modules that were read."""
        names = (item for scope in self._foreign.values() for item in scope.names.items())
        return {name: value.name for name, value in names if isinstance(value, ModuleValue)}

    def _foreign_scope(self, module: Module) -> Scope:
        """The names of another module, whose definitions, imports and assignments are read."""
        if module.path in self._foreign:
            return self._foreign[module.path]
        scope = self._foreign[module.path] = Scope(number=len(self._files))
        self._relevances[scope.number] = relevance_of(module)
        self._files.append(module.path)
        self.allow(len(module.text))
        defined, recorded = len(self.ledger.defined), len(self.ledger.accounts)
        try:
            self.run_apart(scope, [s for s in module.tree.body if isinstance(s, _DEFINING)])
            self.forget_changed(scope, module.text)
        finally:
            del self.ledger.defined[defined:]  # they are judged where they stand
            del self.ledger.accounts[recorded:]
        return scope

    def _import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.asname:
                self.scope.names[alias.asname] = ModuleValue(alias.name)
            else:
                first = alias.name.partition(".")[0]
                self.scope.names[first] = ModuleValue(first)

    def _import_from(self, node: ast.ImportFrom) -> None:
        module = "." * node.level + (node.module or "")
        number = self.scope.file_number
        if node.level:
            module = absolute(module, self._files[number] if number else None)
        if number and module.startswith("."):
            module = f".@{number}{module}"
        for alias in node.names:
            if alias.name == "*":
                self.scope.add_star(module, is_known=operations.has_functions(module))
            else:
                full = full_name(module, alias.name)
                value = Const(None) if operations.is_new_axis(full) else ModuleValue(full)
                self.scope.names[alias.asname or alias.name] = value


@lru_cache(maxsize=64)
def _is_changed(name: str, text: str) -> bool:
    """Is something stored in a table below the top of a module, or does a method change it?"""
    if f"{name}[" not in text and f"{name}." not in text:
        return False
    item, method = rf"^[ \t]+{name}\[[^\]\n]*\]\s*=(?!=)", rf"^[ \t]*{name}\.(?:{'|'.join(sorted(TAKING))})\("
    return re.search(f"{item}|{method}", text, re.M) is not None


def _numbered(name: str) -> tuple[int, str]:
    """The number of the module in which a name was imported, and the name as that says it."""
    if not name.startswith(".@"):
        return 0, name
    digits = name[2:].partition(".")[0]
    return int(digits), name[2 + len(digits) :]
