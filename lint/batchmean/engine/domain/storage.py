"""The memory of arrays: what else changes when one is changed in place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias


class Row(NamedTuple):
    """The memory of a row of an array, which shares nothing with its other rows."""

    of: Storage
    number: int


Storage: TypeAlias = int | Row
"""The memory of an array: a number, or a row of another's."""


def around(storage: Storage) -> Iterator[Storage]:
    """The arrays that it is a row of, the nearest first."""
    while isinstance(storage, Row):
        storage = storage.of
        yield storage
