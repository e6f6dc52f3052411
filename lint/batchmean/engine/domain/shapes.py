"""Axes and shapes as far as the code shows them.

A shape is known from both ends: `front` lists the axes counted from the left, `back` those counted from the
right, and as long as the rank is unknown the two may overlap. Once the rank is known they are united.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

MAX_RANK: Final = 64
"""More axes than any framework allows: what has more, or asks for one further off, has an unknown shape."""
MAX_MOVES: Final = 8
"""How often an array may be permuted and reshaped before it is not asked any more what it was."""


class Axis:
    """One axis of an array. Axes found to be the same are united, so compare with `is_same`."""

    __slots__ = ("_root", "_size", "_symbols", "_twins", "merged_in", "parts", "whole")

    def __init__(
        self, size: int | None = None, parts: tuple[Axis, ...] = (), whole: Shape | None = None
    ) -> None:
        self._root: Axis | None = None  # itself would be a cycle, which only the collector frees
        self._size = size
        self._symbols: set[object] = set()
        self.parts = parts
        """The axes that a reshape merged into this one."""
        self.whole = whole
        """The shape that was flattened into this one axis."""
        self.merged_in: Shape | None = None
        """The shape that the parts are axes of."""
        self._twins: tuple[Axis, ...] = ()

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


class Shape:
    """The axes of an array, known from the left, from the right, or wholly."""

    __slots__ = (
        "_back",
        "_before",
        "_front",
        "_least",
        "_may_be_pairs",
        "_moved",
        "_rank",
        "_reduced",
        "_root",
        "_turned",
        "_unsure",
    )

    def __init__(
        self,
        front: Iterable[Axis] = (),
        back: Iterable[Axis] = (),
        rank: int | None = None,
        unsure: Iterable[Axis] = (),
    ) -> None:
        self._root: Shape | None = None
        self._front = list(front)
        self._back = list(back)
        self._rank = rank
        self._unsure = list(unsure)[:MAX_RANK]
        self._least = rank if rank is not None else max(len(self._front), len(self._back))
        """How many axes there are for sure; more may have been named, to stand for those that take others' places."""
        self._moved = False
        self._may_be_pairs = False
        self._turned: Shape | None = None
        """The shape that has the same axes in another order."""
        self._before: Shape | None = None
        """The shape that this one is a permutation or a reshape of."""
        self._reduced: tuple[Shape, tuple[int, ...], bool] | None = None
        """The shape that a reduction made this of, over which positions, and whether it kept them."""

    @staticmethod
    def of(axes: Sequence[Axis]) -> Shape:
        """A shape whose axes are all known."""
        return Shape(front=axes, rank=len(axes)) if len(axes) <= MAX_RANK else Shape()

    @staticmethod
    def of_pairs_or_not() -> Shape:
        """What (B, 1) beside an array of unknown rank gives: (B, B) if that is a vector."""
        shape = Shape()
        shape._may_be_pairs = True
        return shape

    def root(self) -> Shape:
        shape, above = self, self._root
        while above is not None:
            shape._root = above._root or above
            shape, above = above, above._root
        return shape

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

    def is_same(self, other: Shape) -> bool:
        return self.root() is other.root()

    def is_flat(self, other: Shape) -> bool:
        """Is this the other shape, or the other shape flattened or turned round?"""
        turned = self.root()._turned
        if self.is_same(other) or (turned is not None and turned.is_flat(other)):
            return True
        axes = self.axes
        whole = axes[0].root().whole if axes is not None and len(axes) == 1 else None
        return whole is not None and whole.is_same(other)

    def set_rank(self, rank: int) -> None:
        """Record that the array has `rank` axes. A contradiction is ignored: then nothing more is known."""
        shape = self.root()
        if shape._rank is not None or not shape._least <= rank <= MAX_RANK:
            return
        del shape._front[rank:], shape._back[: max(0, len(shape._back) - rank)]
        axes = shape._front + [Axis() for _ in range(rank - len(shape._front))]
        for offset, axis in enumerate(reversed(shape._back), start=1):
            if rank - offset >= len(shape._front):
                axes[rank - offset] = axis
            else:
                axes[rank - offset].unite(axis)
        shape._front, shape._back, shape._rank, shape._unsure = axes, [], rank, []

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
        """Where the axis stands, as the code would write it: from the right where only that is known."""
        shape = self.root()
        if shape._rank is not None:
            for i, mine in enumerate(shape._front):
                if mine.is_same(axis):
                    return i - shape._rank if i == shape._rank - 1 else i
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

    def made_of(self, other: Shape) -> Shape:
        """This shape, of which it is known now that it is `other` in another order or in other groups."""
        if other.root() is not self.root() and other._before is not self:
            self._before = other
        return self

    @property
    def original(self) -> Shape:
        """The shape before its axes were moved or merged, as far as that is known."""
        shape = self
        for _ in range(MAX_MOVES):
            before = shape._before or shape.root()._before
            if before is None:
                break
            shape = before
        return shape

    @property
    def is_moved(self) -> bool:
        """May its first axis have been another one before?"""
        return self.root()._moved

    @property
    def least_rank(self) -> int:
        """How many axes there are for sure."""
        return self.root()._least

    @property
    def may_be_pairs(self) -> bool:
        """May every example be paired with every other in it?"""
        return self.root()._may_be_pairs

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
        return _may_meet(left, others_right) or _may_meet(others_left, right)

    def is_one_in_a_vector(self, one: Axis, other: Axis) -> bool:
        """Are the two one axis if the array has no more than one?"""
        if self.rank is not None:
            return False
        (left, right), (others_left, others_right) = self._places(one), self._places(other)
        return bool((left and others_right and not others_left) or (right and others_left and not left))

    def covers(self, spec: AxesSpec, axis: Axis) -> bool | None:
        """Does an operation over `spec` run over `axis`? None when the code leaves it open."""
        there = self.has(axis)
        if there is False:
            return False
        if spec.kind == "all":
            return there
        if spec.kind == "unknown":
            return None
        for position in self._expand(spec):
            mine = self.axis(position)
            if mine is not None and mine.holds(axis):
                return True
        return None if self.without(spec).has(axis) is None else False

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

    @property
    def dropped(self) -> tuple[int, ...]:
        """The positions that were dropped from another shape to make this one."""
        return self._reduced[1] if self._reduced is not None and not self._reduced[2] else ()

    def may_be_at(self, position: int, axis: Axis) -> bool:
        """Is the axis there, or was it there before others were dropped, which may have been it?"""
        places = [self._axis(position)]
        if self._reduced is not None and all((p < 0) != (position < 0) for p in self._reduced[1]):
            places.append(self._reduced[0]._axis(position))
        return any(there is not None and there.is_same(axis) for there in places)

    def keeps_what_is_dropped(self, other: Shape) -> bool:
        """Are both made of one shape by a reduction over the same axis, here kept and there dropped?"""
        if self._reduced is None or other._reduced is None:
            return False
        (mine, positions, kept), (theirs, others, dropped) = self._reduced, other._reduced
        return kept and not dropped and positions == others and mine.is_same(theirs)

    def is_column_of(self, other: Shape) -> bool | None:
        """Is `other` this one without its last axis, of length 1? None where only what it was compared with is."""
        for reduced, known in ((other._reduced, True), (other.root()._reduced, None)):
            if reduced is None or reduced[2] or not reduced[0].is_same(self):
                continue
            last = self.axis(-1)
            is_last = reduced[1] == (-1,) or (self.rank is not None and reduced[1] == (self.rank - 1,))
            if is_last and last is not None and last.size == 1:
                return known
        return False

    def without(self, spec: AxesSpec, keepdims: bool = False) -> Shape:
        """The shape after a reduction over `spec`."""
        result = self._without(spec, keepdims)
        if result.rank is None:
            gone = 0 if keepdims else len(spec.positions)
            result._least = max(0, self.root()._least - gone)
        if spec.kind == "listed":
            result._reduced = (self, spec.positions, keepdims)
        return result

    def _without(self, spec: AxesSpec, keepdims: bool) -> Shape:
        self._axis(0)  # named now, so that both shapes share it
        shape = self.root()
        if spec.kind == "all" and not keepdims:
            return Shape.of([])
        if spec.kind == "unknown":
            return Shape(unsure=self.shown)
        if shape._rank is not None:
            rank = shape._rank
            gone = {p % rank for p in self._expand(spec) if -rank <= p < rank} if rank else set()
            if keepdims:
                return Shape.of([Axis(1) if i in gone else a for i, a in enumerate(shape._front)])
            return Shape.of([a for i, a in enumerate(shape._front) if i not in gone])
        if spec.kind == "all":
            return Shape(front=[Axis(1)], back=[Axis(1)])
        if spec.kind == "tail" and not keepdims:
            for position in range(spec.from_position):
                self.axis(position)
            return Shape.of(self.root()._front[: spec.from_position])
        positions = self._expand(spec)
        for position in positions:
            self._axis(position + 1 if position >= 0 else position - 1)  # what takes its place
        removed = [a for a in (self.axis(p) for p in positions) if a is not None]
        from_left = [p for p in positions if p >= 0]
        from_right = [p for p in positions if p < 0]
        unsure = list(shape._unsure)
        keeps_left = sorted(from_right) == list(range(-len(from_right), 0))
        keeps_right = sorted(from_left) == list(range(len(from_left)))
        # Counted from the left, an axis may be any of those known from the right, and the other way round.
        left, right = range(len(shape._front)), range(-len(shape._back), 0)
        unsure += [
            shape._back[j]
            for j in right
            if _may_meet(from_left, [j]) and not _is_among(shape._back[j], removed)
        ]
        unsure += [
            shape._front[i]
            for i in left
            if _may_meet([i], from_right) and not _is_among(shape._front[i], removed)
        ]
        if keepdims:
            front = [Axis(1) if i in from_left else a for i, a in enumerate(shape._front)]
            back = [Axis(1) if i - len(shape._back) in from_right else a for i, a in enumerate(shape._back)]
        else:
            # What is known from both ends goes at both.
            front = [
                a for i, a in enumerate(shape._front) if i not in from_left and not _is_among(a, removed)
            ]
            back = [
                a
                for i, a in enumerate(shape._back)
                if i - len(shape._back) not in from_right and not _is_among(a, removed)
            ]
            # Where one in the middle went, those on its other side may have another place now.
            front, back = front if keeps_left else front[:1], back if keeps_right else back[:0]
        return Shape(front, back, None, unsure)

    def with_axis(self, position: int, axis: Axis) -> Shape:
        """The shape with `axis` inserted so that it ends up at `position`."""
        self._axis(0)  # named now, so that both shapes share it
        shape = self.root()
        if max(abs(position), len(shape._front), len(shape._back)) >= MAX_RANK:
            return Shape(unsure=shape.shown[:MAX_RANK])
        if shape._rank is not None:
            axes = list(shape._front)
            axes.insert(position if position >= 0 else shape._rank + 1 + position, axis)
            return Shape.of(axes)
        front, back = list(shape._front), list(shape._back)
        if position >= 0:
            while len(front) < position:
                front.append(Axis())
            front.insert(position, axis)
        else:
            while len(back) < -position - 1:
                back.insert(0, Axis())
            back.insert(len(back) + 1 + position, axis)
        result = Shape(front, back, None, shape._unsure)
        result._least = max(shape._least, abs(position) - (position < 0)) + 1
        return result

    def permuted(self, order: Sequence[int]) -> Shape:
        """The shape after `permute(*order)`, which also shows the rank."""
        self.set_rank(len(order))
        axes = self.axes
        if axes is None or len(axes) != len(order):
            return Shape()
        rank = len(axes)
        if sorted(p + rank if p < 0 else p for p in order) != list(range(rank)):
            return Shape()
        turned = Shape.of([axes[p] for p in order]).made_of(self)
        turned._turned = self
        turned._moved = self.is_moved or (rank > 0 and not axes[order[0]].is_same(axes[0]))
        return turned

    def reversed(self) -> Shape:
        """The shape after `x.T`."""
        shape = self.root()
        if shape._rank is not None:
            return self.permuted(range(shape._rank)[::-1])
        turned = Shape(shape._back[::-1], shape._front[::-1], None, shape._unsure).made_of(self)
        turned._turned, turned._least, turned._moved = self, shape._least, True
        return turned

    def swapped(self, first: int, second: int) -> Shape:
        """The shape after `transpose(first, second)`."""
        a, b = self.axis(first), self.axis(second)
        if a is None or b is None:
            return Shape()
        shape = self.root()
        exchange = {id(a.root()): b, id(b.root()): a}
        swap = [exchange.get(id(x.root()), x) for x in shape._front]
        swap_back = [exchange.get(id(x.root()), x) for x in shape._back]
        if shape._rank is not None:
            exchanged = Shape(swap, (), shape._rank)
            exchanged._moved = self.is_moved or not swap[0].is_same(shape._front[0])
            return exchanged
        # What is known from the other end may have been moved, too.
        if first >= 0 and second >= 0:
            return Shape(swap, (), None, (*shape._unsure, *shape._back))
        if first < 0 and second < 0:
            moved = Shape((), swap_back, None, (*shape._unsure, *shape._front))
            moved._moved = True
            return moved
        return Shape(unsure=self.shown)

    def unite(self, other: Shape) -> None:
        """Record that two arrays combined element by element have the same shape."""
        a, b = self.root(), other.root()
        if a is b:
            return
        if a._rank is not None and b._rank is None:
            b.set_rank(a._rank)
        elif b._rank is not None and a._rank is None:
            a.set_rank(b._rank)
        if a._rank != b._rank:
            return
        for mine, theirs in zip(a._front, b._front, strict=False):
            mine.unite(theirs)
        for mine, theirs in zip(reversed(a._back), reversed(b._back), strict=False):
            mine.unite(theirs)
        if len(b._front) > len(a._front):
            a._front = b._front
        if len(b._back) > len(a._back):
            a._back = b._back
        # What one of them shows is there.
        unsure = [axis for axis in a._unsure if not _is_among(axis, b.shown)]
        unsure += [axis for axis in b._unsure if not _is_among(axis, a.shown)]
        a._unsure = unsure[:MAX_RANK]
        a._least = max(a._least, b._least)
        a._moved = a._moved or b._moved
        a._may_be_pairs = a._may_be_pairs or b._may_be_pairs
        a._reduced = a._reduced or b._reduced
        b._root = a


def _may_meet(left: Sequence[int], right: Sequence[int]) -> bool:
    """Could a place counted from the left be one counted from the right, in an array of two axes or more?"""
    return any(i > 0 or j < -1 for i in left for j in right)


def _is_among(axis: Axis, axes: Sequence[Axis]) -> bool:
    return any(axis.is_same(other) for other in axes)
