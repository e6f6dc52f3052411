"""Memory: how much there is, and the cyclic garbage collector, held off for as long as one file is read."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

NO_MEMORY: Final = "not enough memory"


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


def suffices(size: int) -> bool:
    """Are there so many bytes to be had?"""
    try:
        bytearray(size)
    except MemoryError:
        return False
    return True
