"""The names in scope while training code is walked."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

from batchmean.engine.domain.names import Branched
from batchmean.engine.epochs.values import Batch, Value

_CONSTANT: Final = re.compile(r"""\[('[^'"\\]*'|\d+)\]""")


class Names(Branched[str, Value]):
    """The names of a module, a class or a call; `self.x` is a name, too."""

    def __init__(self, outer: Names | None = None) -> None:
        super().__init__()
        self.outer = outer
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

    def drop_below(self, path: str) -> None:
        """Take out what is stored in the attributes and the items of a name."""
        for name in [*self._below.get(path, ())]:
            self._change(name, None)

    def stored_in(self, path: str) -> dict[object, Value]:
        """What is stored under constant keys of a name, here or around: `totals["loss"]`, `totals[0]`."""
        found: dict[object, Value] = {}
        names: Names | None = self
        while names is not None:
            for name in names._below.get(path, ()):
                rest = name[len(path) :]
                if _CONSTANT.fullmatch(rest) and (value := names.get(name)) is not None:
                    found.setdefault(ast.literal_eval(rest[1:-1]), value)
            names = names.outer
        return found

    def below(self, path: str) -> list[tuple[str, Value]]:
        """What is stored here, and not around, in the attributes and the items of a name."""
        return [(name, self[name]) for name in self._below.get(path, ())]

    def batches(self) -> list[tuple[str, Batch]]:
        """What is there of batches, in the order in which it came."""
        held = ((name, self.get(name)) for name in self._batches)
        found = [(name, value) for name, value in held if isinstance(value, Batch)]
        self._batches = dict.fromkeys(name for name, _ in found)
        return found

    def _put(self, name: str, value: Value | None) -> None:
        if (value is None) != (name not in self):
            for stem in _stems(name):
                below = self._below.setdefault(stem, {})
                if value is None:
                    del below[name]
                else:
                    below[name] = None
        super()._put(name, value)
        if isinstance(value, Batch):
            self._batches[name] = None


def _stems(name: str) -> Iterator[str]:
    return (name[:at] for at, char in enumerate(name) if char in ".[")
