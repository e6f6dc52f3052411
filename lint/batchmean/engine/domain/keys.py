"""Which values are the same: those that were made in the same way of the same parts.

The key of a value is a small number that stands for how it was made, given where it is made. Equal structure, equal
key: so nested values are cheap to compare, and no two are taken for one as they may be by a hash. Keys belong to one
analysis and say nothing outside it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_KEYS: Final[ContextVar[dict[Hashable, int]]] = ContextVar("_KEYS")


@contextmanager
def own_keys() -> Iterator[None]:
    """Meanwhile keys are given anew. Analyses in other threads give their own."""
    token = _KEYS.set({})
    try:
        yield
    finally:
        _KEYS.reset(token)


def key_of(*structure: Hashable) -> int:
    """The key of what is made like this."""
    try:
        keys = _KEYS.get()
    except LookupError:  # values that are made outside an analysis, by a test or by hand
        _KEYS.set(keys := {})
    return keys.setdefault(structure, len(keys) + 1)
