"""Names in scope, whose changes in a branch can be taken back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

V = TypeVar("V")


class BranchedNames(dict[str, V]):
    """Names and their values. What a branch changes can be taken back, at the cost of the changes alone."""

    def __init__(self) -> None:
        super().__init__()
        self._before: list[dict[str, V | None]] = []

    def __setitem__(self, name: str, value: V) -> None:
        self._change(name, value)

    def drop(self, name: str) -> None:
        """Take a name out, if it is there."""
        self._change(name, None)

    def begin(self) -> None:
        """Begin a branch."""
        self._before.append({})

    def take_back(self) -> dict[str, V | None]:
        """End the branch; the names are as they were at its beginning. What it changed: None for what it took out."""
        before = self._before.pop()
        changes = {name: self.get(name) for name in before}
        for name, value in before.items():
            self._put(name, value)
        return changes

    def apply(self, changes: Mapping[str, V | None]) -> None:
        """Make the changes of a branch."""
        for name, value in changes.items():
            self._change(name, value)

    def _change(self, name: str, value: V | None) -> None:
        if self._before:
            self._before[-1].setdefault(name, self.get(name))
        self._put(name, value)

    def _put(self, name: str, value: V | None) -> None:
        if value is None:
            self.pop(name, None)
        else:
            super().__setitem__(name, value)
