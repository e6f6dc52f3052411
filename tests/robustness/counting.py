"""What work is counted by: the same on every machine, whatever else it does."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any, SupportsIndex

import pytest


def calls(run: Callable[[], object]) -> int:
    """How many functions are called while `run` runs."""
    count = 0

    def on_event(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(on_event)
    try:
        run()
    finally:
        sys.setprofile(before)
    return count


class Watched(str):
    """A text that counts how many of its characters are searched or copied, and how often it is cut into lines."""

    def __new__(cls, text: str) -> Watched:
        made = super().__new__(cls, text)
        made.read = 0
        made.splits = 0
        return made

    read: int
    splits: int

    def find(self, sub: str, start: Any = 0, end: Any = None, /) -> int:
        stop = len(self) if end is None else min(end, len(self))
        at = super().find(sub, start, stop)
        self.read += (at if at >= 0 else stop) - start
        return at

    def rfind(self, sub: str, start: Any = 0, end: Any = None, /) -> int:
        stop = len(self) if end is None else min(end, len(self))
        at = super().rfind(sub, start, stop)
        self.read += stop - (at if at >= 0 else start)
        return at

    def __getitem__(self, index: SupportsIndex | slice) -> str:
        piece = super().__getitem__(index)
        self.read += len(piece)
        return piece

    def split(self, sep: str | None = None, maxsplit: SupportsIndex = -1) -> list[str]:
        self.splits += 1
        return super().split(sep, maxsplit)


def a_sample_of(names: Iterable[object], every: int = 4) -> list[object]:
    """The names as parameters of a test: one in so many by default, all with the heavy tests."""
    return [
        pytest.param(name, marks=[pytest.mark.heavy] if index % every else [])
        for index, name in enumerate(names)
    ]
