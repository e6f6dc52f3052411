"""On which way through the code the rank of an array was learned: on another one it may have another.

What is learned of a rank holds for the whole function, but for what is decided against the way on which it was:
`if x.ndim == 2: b, v = x.shape`, and in the other branch x has three axes. The machine says what was decided
(`taken`) behind each statement; what is on its way through a statement is in the journal until then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from batchmean.engine.domain.paths import Path, excludes, extended, implies

if TYPE_CHECKING:
    from batchmean.engine.domain.axes import Ends

_JOURNAL: Final[ContextVar[list[Ends]]] = ContextVar("_JOURNAL")


@contextmanager
def own_journal() -> Iterator[None]:
    """Meanwhile another journal is kept: each analysis has its own."""
    token = _JOURNAL.set([])
    try:
        yield
    finally:
        _JOURNAL.reset(token)


def journal() -> list[Ends]:
    """The shapes whose rank was learned since the last statement ended."""
    try:
        return _JOURNAL.get()
    except LookupError:  # shapes that are made outside an analysis, by a test or by hand
        kept: list[Ends] = []
        _JOURNAL.set(kept)
        return kept


def note_learned(shape: Ends) -> None:
    """Note that a rank is known now that was not before."""
    journal().append(shape)


def taken(noted: list[Ends], way: Path) -> None:
    """The ranks in the journal were learned on this way."""
    if not noted:
        return
    for shape in noted:
        root = shape.root()
        root.way = extended(root.way, way)
    noted.clear()


def is_of_another_way(shape: Ends, ways: Sequence[Path]) -> bool | None:
    """Was its rank learned where none goes who goes all of these? None where he may have been there, or not."""
    learned = shape.root().way
    if any(excludes(learned, way) for way in ways):
        return True
    return False if all(any(implies(way, one) for way in ways) for one in learned) else None
