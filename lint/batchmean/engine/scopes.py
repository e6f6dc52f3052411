"""The names that are in scope, and how branches leave them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from batchmean.engine.values import ClassValue, Value


@dataclass(eq=False, slots=True)
class Scope:
    """The names of a module, a class body or a function call."""

    parent: Scope | None = None
    names: dict[str, Value] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    owner: ClassValue | None = None

    def find(self, name: str) -> Value | None:
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.parent
        return None

    def all_stars(self) -> Iterable[str]:
        scope: Scope | None = self
        while scope is not None:
            yield from reversed(scope.stars)
            scope = scope.parent
