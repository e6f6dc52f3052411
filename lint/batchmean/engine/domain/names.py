"""Names in scope, whose changes in a branch can be taken back."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Branched(dict[K, V]):
    """Names and their values. What a branch changes can be taken back, at the cost of the changes alone."""

    def __init__(self) -> None:
        super().__init__()
        self._before: list[dict[K, V | None]] = []

    def __setitem__(self, name: K, value: V) -> None:
        self._change(name, value)

    def drop(self, name: K) -> None:
        """Take a name out, if it is there."""
        self._change(name, None)

    def begin(self) -> None:
        """Begin a branch."""
        self._before.append({})

    def take_back(self) -> dict[K, V | None]:
        """End the branch; the names are as they were at its beginning. What it changed: None for what it took out."""
        before = self._before.pop()
        changes = {name: self.get(name) for name in before}
        for name, value in before.items():
            self._put(name, value)
        return changes

    def apply(self, changes: Mapping[K, V | None]) -> None:
        """Make the changes of a branch."""
        for name, value in changes.items():
            self._change(name, value)

    def remember(self, name: K, value: V) -> None:
        """Note what a name was all along; no branch takes it back."""
        self._put(name, value)

    def end_all(self) -> None:
        """End the branches that were left in the middle."""
        while self._before:
            self.take_back()

    def _change(self, name: K, value: V | None) -> None:
        if self._before:
            self._before[-1].setdefault(name, self.get(name))
        self._put(name, value)

    def _put(self, name: K, value: V | None) -> None:
        if value is None:
            self.pop(name, None)
        else:
            super().__setitem__(name, value)
