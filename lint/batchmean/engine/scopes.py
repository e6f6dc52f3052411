"""The names that are in scope, and how branches leave them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from batchmean import operations
from batchmean.engine.values import ClassValue, ModuleValue, Value

Changes: TypeAlias = dict[str, Value | None]


MAX_STARS: Final = 8
"""So many modules that may be the project's own give all of their names."""


class Names(dict[str, Value]):
    """The names of a scope. What a branch changes can be taken back, at the cost of the changes alone."""

    def __init__(self) -> None:
        super().__init__()
        self.imports = 0
        """How often something imported came or went."""
        self._before: list[Changes] = []

    def __setitem__(self, name: str, value: Value) -> None:
        self._change(name, value)

    def drop(self, name: str) -> None:
        """Take a name out, if it is there."""
        self._change(name, None)

    def begin(self) -> None:
        """Begin a branch."""
        self._before.append({})

    def take_back(self) -> Changes:
        """End the branch; the names are as they were at its beginning. What it changed: None for what it took out."""
        before = self._before.pop()
        changes = {name: self.get(name) for name in before}
        for name, value in before.items():
            self._put(name, value)
        return changes

    def apply(self, changes: Mapping[str, Value | None]) -> None:
        """Make the changes of a branch."""
        for name, value in changes.items():
            self._change(name, value)

    def _change(self, name: str, value: Value | None) -> None:
        if self._before:
            self._before[-1].setdefault(name, self.get(name))
        self._put(name, value)

    def _put(self, name: str, value: Value | None) -> None:
        if isinstance(value, ModuleValue) or isinstance(self.get(name), ModuleValue):
            self.imports += 1
        if value is None:
            self.pop(name, None)
        else:
            super().__setitem__(name, value)


@dataclass(eq=False, slots=True)
class Scope:
    """The names of a module, a class body or a function call."""

    parent: Scope | None = None
    names: Names = field(default_factory=Names)
    stars: list[str] = field(default_factory=list)
    project_stars: list[str] = field(default_factory=list)
    """Modules that may be the project's own, all of whose names are imported."""
    owner: ClassValue | None = None
    annotated: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """What annotations say of the axes of names, whatever is stored under them."""
    number: int = 0
    """Of the scope of a module: 0 for the one that is linted, else which of those that it imports."""

    @property
    def file_number(self) -> int:
        """The number of the module that the scope belongs to."""
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        return scope.number

    def find(self, name: str) -> Value | None:
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.parent
        return None

    def add_star(self, module: str) -> None:
        """`from module import *`: of a module that nothing is known of no name is found."""
        if module in self.stars:
            self.stars.remove(module)
        if operations.has_functions(module):
            self.stars.append(module)
        elif module not in self.project_stars and len(self.project_stars) < MAX_STARS:
            self.project_stars.append(module)

    def all_project_stars(self) -> Iterable[str]:
        scope: Scope | None = self
        while scope is not None:
            yield from reversed(scope.project_stars)
            scope = scope.parent

    def all_stars(self) -> Iterable[str]:
        scope: Scope | None = self
        while scope is not None:
            yield from reversed(scope.stars)
            scope = scope.parent
