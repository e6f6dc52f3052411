"""Memory: how much there is, and the cyclic garbage collector, held off for as long as one file is read."""

from __future__ import annotations

import gc
import sys
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Final, Generic, TypeVar

NO_MEMORY: Final = "not enough memory"
_MUCH: Final = 100_000
"""So many characters make a tree that takes as long to walk as everything else that flake8 keeps."""

_COMMAND: Final = "flake8.main.cli"


@contextmanager
def without_collection() -> Iterator[None]:
    """Collect nothing meanwhile: the collector would walk a growing tree, which has no cycles, again and again.

    What is done meanwhile must be bounded.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class Kept:
    """What stays in memory for the files to come: the trees of modules, which have no cycles."""

    def __init__(self) -> None:
        self._characters = 0

    def add(self, characters: int) -> None:
        """Note that so much was read."""
        self._characters += characters

    def set_aside(self) -> None:
        """Let no collection walk what is kept: flake8 makes so many that they would cost more than the analysis.

        In the process of its command alone, which ends with the run: in others what is frozen would stay for good.
        """
        if self._characters >= _MUCH and _COMMAND in sys.modules:
            self._characters = 0
            gc.collect()  # what is garbage now would stay
            gc.freeze()


KEPT: Final = Kept()

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """What was made of texts, the latest asked for, as long as these are no longer than `most` characters together.

    `functools.lru_cache` counts results: of texts that are a thousand times as long as others it would keep as many.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self._characters = 0

    def get(self, key: Key, make: Callable[[], tuple[Value, int]]) -> Value:
        """What is kept under the key, else what `make` gives, with the length of its text."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key][0]
        value, length = self._kept[key] = make()
        self._characters += length
        while self._characters > self._most and len(self._kept) > 1:
            self._characters -= self._kept.popitem(last=False)[1][1]
        return value

    def __len__(self) -> int:
        return len(self._kept)


def suffices(size: int) -> bool:
    """Are there so many bytes to be had?"""
    try:
        bytearray(size)
    except MemoryError:
        return False
    return True
