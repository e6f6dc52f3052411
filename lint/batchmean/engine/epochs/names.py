"""The names in scope while training code is walked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from batchmean.engine.epochs.values import Batch, Value

Changes: TypeAlias = Mapping[str, Value | None]
"""What a branch changed: None for what it took out."""


class Names(dict[str, Value]):
    """The names of a module, a class or a call; `self.x` is a name, too.

    What a branch changes can be taken back, at the cost of the changes alone.
    """

    def __init__(self, outer: Names | None = None) -> None:
        super().__init__()
        self.outer = outer
        self._before: list[dict[str, Value | None]] = []
        self._below: dict[str, dict[str, None]] = {}
        """The names that begin with another one: `self.total` and `totals[0]`."""
        self._batches: dict[str, None] = {}
        """Those that may hold something of a batch."""

    def find(self, name: str) -> Value | None:
        """What is stored under a name here or around."""
        names: Names | None = self
        while names is not None:
            if name in names:
                return names[name]
            names = names.outer
        return None

    def __setitem__(self, name: str, value: Value) -> None:
        self._change(name, value)

    def drop_below(self, path: str) -> None:
        """Take out what is stored in the attributes and the items of a name."""
        for name in [*self._below.get(path, ())]:
            self._change(name, None)

    def batches(self) -> list[tuple[str, Batch]]:
        """What is there of batches, in the order in which it came."""
        held = ((name, self.get(name)) for name in self._batches)
        found = [(name, value) for name, value in held if isinstance(value, Batch)]
        self._batches = dict.fromkeys(name for name, _ in found)
        return found

    def begin(self) -> None:
        """Begin a branch."""
        self._before.append({})

    def take_back(self) -> Changes:
        """End the branch; the names are as they were at its beginning."""
        before = self._before.pop()
        changes = {name: self.get(name) for name in before}
        for name, value in before.items():
            self._put(name, value)
        return changes

    def apply(self, changes: Changes) -> None:
        """Make the changes of a branch."""
        for name, value in changes.items():
            self._change(name, value)

    def _change(self, name: str, value: Value | None) -> None:
        if self._before:
            self._before[-1].setdefault(name, self.get(name))
        self._put(name, value)

    def _put(self, name: str, value: Value | None) -> None:
        if value is None:
            if self.pop(name, None) is not None:
                for stem in _stems(name):
                    del self._below[stem][name]
            return
        if name not in self:
            for stem in _stems(name):
                self._below.setdefault(stem, {})[name] = None
        super().__setitem__(name, value)
        if isinstance(value, Batch):
            self._batches[name] = None


def _stems(name: str) -> Iterator[str]:
    return (name[:at] for at, char in enumerate(name) if char in ".[")
