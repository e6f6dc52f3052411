"""Axes, which of them an operation runs over, and where they stand, from the left and from the right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from batchmean.engine.domain.paths import Path
from batchmean.engine.domain.ways import note_learned

MAX_RANK: Final = 64
"""More axes than any framework allows: what has more, or asks for one further off, has an unknown shape."""
MAX_MOVES: Final = 8
"""How often an array may be permuted and reshaped before it is not asked any more what it was."""


_NO_POSITIONS: Final[frozenset[int]] = frozenset()


class Axis:
    """One axis of an array. Axes found to be the same are united, so compare with `is_same`."""

    __slots__ = ("_root", "_size", "_spelled", "_symbols", "_twins", "merged_in", "parts", "whole")

    def __init__(
        self, size: int | None = None, parts: tuple[Axis, ...] = (), whole: Ends | None = None
    ) -> None:
        self._root: Axis | None = None  # itself would be a cycle, which only the collector frees
        self._size = size
        self._symbols: set[object] = set()
        self.parts = parts
        """The axes that a reshape merged into this one."""
        self.whole = whole
        """The shape that was flattened into this one axis."""
        self.merged_in: Ends | None = None
        """The shape that the parts are axes of."""
        self._twins: tuple[Axis, ...] = ()
        self._spelled: frozenset[int] = _NO_POSITIONS

    def root(self) -> Axis:
        """The representative of all axes united with this one."""
        axis, above = self, self._root
        while above is not None:
            axis._root = above._root or above
            axis, above = above, above._root
        return axis

    @property
    def size(self) -> int | None:
        """The length, where the code says it."""
        return self.root()._size

    @property
    def symbols(self) -> set[object]:
        """Keys of the quantities (`num_classes`) that are this axis's length."""
        return self.root()._symbols

    def note_spelled(self, position: int) -> None:
        """Record what the code calls it: `softmax(x, 1)`."""
        root = self.root()
        root._spelled |= {position}

    def is_same(self, other: Axis) -> bool:
        return self.root() is other.root()

    def holds(self, other: Axis) -> bool:
        """Is `other` this axis, or was it merged into it?"""
        mine, wanted = self.root(), other.root()
        if mine is wanted or not mine.parts:
            return mine is wanted
        todo, seen = list(mine.parts), {id(mine)}
        while todo:
            part = todo.pop().root()
            if part is wanted:
                return True
            if id(part) not in seen:
                seen.add(id(part))
                todo += part.parts
        return False

    @property
    def mergers(self) -> tuple[Axis, ...]:
        """This axis as other reshapes made it, each of its own parts: their products are equal, if not the parts."""
        root = self.root()
        return (root, *root._twins) if root.parts else ()

    def unite(self, other: Axis) -> None:
        """Record that both are one axis; a contradiction in their sizes means broadcasting and is left alone."""
        a, b = self.root(), other.root()
        if a is b or (a._size is not None and b._size is not None and a._size != b._size):
            return
        if a._size == 1 or b._size == 1:
            return
        if a.holds(b) or b.holds(a):
            return  # a part is not the whole
        b._root = a
        a._size = a._size if a._size is not None else b._size
        a._symbols |= b._symbols
        a._spelled |= b._spelled
        if a.parts and b.parts:
            a._twins = (*a._twins, b, *b._twins)[:MAX_MOVES]
        a.parts, a.merged_in = a.parts or b.parts, a.merged_in if a.parts else b.merged_in
        a.whole = a.whole or b.whole


class AxesSpec:
    """Which axes an operation runs over: all, listed positions, all from a position on, or unknown."""

    __slots__ = ("from_position", "kind", "positions")

    def __init__(self, kind: str, positions: tuple[int, ...] = (), from_position: int = 0) -> None:
        self.kind = kind
        self.positions = positions
        self.from_position = from_position

    @staticmethod
    def at(*positions: int) -> AxesSpec:
        return AxesSpec("listed", positions)

    @staticmethod
    def tail(start: int) -> AxesSpec:
        """All axes from position `start` on, as in `tuple(range(1, x.ndim))`."""
        if start > MAX_RANK:
            return AxesSpec("unknown")
        return AxesSpec("all") if start == 0 else AxesSpec("tail", from_position=start)


ALL_AXES: Final = AxesSpec("all")
UNKNOWN_AXES: Final = AxesSpec("unknown")


class Ends:
    """The axes of an array, known from the left, from the right, or wholly."""

    __slots__ = ("_back", "_front", "_least", "_rank", "_unsure", "way")

    _front: list[Axis]
    _back: list[Axis]
    _rank: int | None
    _unsure: list[Axis]
    _least: int
    way: Path
    """What had been decided where the rank was learned; empty where it was known from the start."""

    def root(self) -> Ends:
        """The representative of all shapes united with this one."""
        raise NotImplementedError

    @property
    def original(self) -> Ends:
        """The shape before its axes were moved or merged, as far as that is known."""
        raise NotImplementedError

    def is_same(self, other: Ends) -> bool:
        return self.root() is other.root()

    @property
    def rank(self) -> int | None:
        return self.root()._rank

    @property
    def is_scalar(self) -> bool:
        return self.rank == 0

    @property
    def axes(self) -> tuple[Axis, ...] | None:
        """All axes from left to right, or None while the rank is unknown."""
        shape = self.root()
        return tuple(shape._front) if shape._rank is not None else None

    @property
    def shown(self) -> tuple[Axis, ...]:
        """Every axis the code has shown so far, certain or not."""
        shape = self.root()
        return (*shape._front, *shape._back)

    @property
    def is_stretched(self) -> bool:
        """Has it an axis of length 1, which broadcasting stretches?"""
        return any(axis.size == 1 for axis in self.shown)

    def set_rank(self, rank: int) -> None:
        """Record that the array has `rank` axes, here. A contradiction is ignored: then nothing more is known."""
        if self._take_rank(rank):
            note_learned(self)

    def _take_rank(self, rank: int) -> bool:
        """Record that it has so many, if it may, and nothing was known."""
        shape = self.root()
        if shape._rank is not None or not shape._least <= rank <= MAX_RANK:
            return False
        del shape._front[rank:], shape._back[: max(0, len(shape._back) - rank)]
        axes = shape._front + [Axis() for _ in range(rank - len(shape._front))]
        for offset, axis in enumerate(reversed(shape._back), start=1):
            if rank - offset >= len(shape._front):
                axes[rank - offset] = axis
            else:
                axes[rank - offset].unite(axis)
        shape._front, shape._back, shape._rank, shape._unsure = axes, [], rank, []
        return True

    def learn_rank(self) -> None:
        """Record the rank where one axis is known from the left and from the right."""
        shape = self.root()
        for i, mine in enumerate(shape._front):
            for j, theirs in enumerate(shape._back):
                if shape._rank is None and mine.is_same(theirs):
                    self.set_rank(i + len(shape._back) - j)

    def axis(self, position: int) -> Axis | None:
        """The axis at `position` (negative from the right), or None where there is no such axis."""
        axis, shape = self._axis(position), self.root()
        if axis is not None:
            shape._least = max(shape._least, position + 1, -position)
        return axis

    def _axis(self, position: int) -> Axis | None:
        """The same, where the code does not show that there is one."""
        shape = self.root()
        if shape._rank is not None:
            return shape._front[position] if -shape._rank <= position < shape._rank else None
        if abs(position) > 32:
            return None
        if position >= 0:
            while len(shape._front) <= position:
                shape._front.append(Axis())
            return shape._front[position]
        while len(shape._back) < -position:
            shape._back.insert(0, Axis())
        return shape._back[position]

    def has(self, axis: Axis) -> bool | None:
        """Is the axis still there? None when the code leaves it open."""
        shape = self.root()
        if any(axis.is_same(other) for other in shape._unsure):
            return None
        return any(mine.holds(axis) for mine in (*shape._front, *shape._back))

    def position_of(self, axis: Axis) -> int | None:
        """Where the axis stands, as the code would write it: from the right where only that is known.

        The last axis is -1 unless the code calls it by its other number alone: the rank may be that of one way through
        the code, and what the code says holds on all of them.
        """
        shape = self.root()
        if shape._rank is not None:
            last = shape._rank - 1
            for i, mine in enumerate(shape._front):
                if mine.is_same(axis):
                    return -1 if i == last and axis.root()._spelled != {i} else i
            return None
        for i, mine in enumerate(shape._back):
            if mine.is_same(axis):
                return i - len(shape._back)
        for i, mine in enumerate(shape._front):
            if mine.is_same(axis):
                return i
        return None

    def _places(self, axis: Axis) -> tuple[list[int], list[int]]:
        """Where the axis stands, counted from the left and from the right."""
        shape = self.root()
        left = [i for i, mine in enumerate(shape._front) if mine.is_same(axis)]
        right = [i - len(shape._back) for i, mine in enumerate(shape._back) if mine.is_same(axis)]
        return left, right

    @property
    def least_rank(self) -> int:
        """How many axes there are for sure."""
        return self.root()._least

    def left_place(self, axis: Axis) -> int | None:
        """Which axis it is, counted from the left; None where it is known from the right alone."""
        left, _ = self._places(axis)
        return min(left) if left else None

    def is_left(self, axis: Axis) -> bool:
        """Does its place show that there is another axis before it?"""
        return bool(self.left_place(axis)) or (self.rank or 0) > 1

    def may_be_one(self, one: Axis, other: Axis) -> bool:
        """Could two axes that the code does not show to be the same be one, in an array of unknown rank?

        The first axis is taken to be another one than what is counted from the right: see `is_one_in_a_vector`.
        """
        if self.rank is not None or one.is_same(other):
            return False
        (left, right), (others_left, others_right) = self._places(one), self._places(other)
        return may_meet(left, others_right) or may_meet(others_left, right)

    def is_one_in_a_vector(self, one: Axis, other: Axis) -> bool:
        """Are the two one axis if the array has no more than one?"""
        if self.rank is not None:
            return False
        (left, right), (others_left, others_right) = self._places(one), self._places(other)
        return bool((left and others_right and not others_left) or (right and others_left and not left))

    def _expand(self, spec: AxesSpec) -> tuple[int, ...]:
        if spec.kind == "listed":
            return spec.positions
        rank = self.rank
        if rank is not None:
            return tuple(range(rank)) if spec.kind == "all" else tuple(range(spec.from_position, rank))
        shape = self.root()
        if spec.kind == "tail":
            ahead = range(spec.from_position, max(len(shape._front), spec.from_position))
            return (*ahead, *range(-len(shape._back), 0))
        return ()

    def leading(self, count: int) -> tuple[Axis, ...]:
        """The first `count` axes, as far as the code has shown them."""
        return tuple(self.root()._front[:count])


def may_meet(left: Sequence[int], right: Sequence[int]) -> bool:
    """Could a place counted from the left be one counted from the right, in an array of two axes or more?"""
    return any(i > 0 or j < -1 for i in left for j in right)


def is_among(axis: Axis, axes: Sequence[Axis]) -> bool:
    return any(axis.is_same(other) for other in axes)
