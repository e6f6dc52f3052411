"""Axes and shapes as far as the code shows them.

A shape is known from both ends: `front` lists the axes counted from the left, `back` those counted from the
right, and as long as the rank is unknown the two may overlap. Once the rank is known they are united.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from batchmean.engine.domain.axes import MAX_MOVES, MAX_RANK, AxesSpec, Axis, Ends, is_among, may_meet
from batchmean.engine.domain.paths import Path


class Shape(Ends):
    """The axes of an array, known from the left, from the right, or wholly."""

    __slots__ = (
        "_before",
        "_item_of",
        "_lacking",
        "_may_be_pairs",
        "_moved",
        "_reduced",
        "_root",
        "_turned",
        "_widened",
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
        self._item_of: Shape | None = None
        self._widened: tuple[Shape, int] | None = None
        """The shape that this one is with one axis more, and where that is."""
        self.way: Path = ()
        self._lacking: list[Axis] = []
        """Axes that it has not, of those arrays over which it is laid."""

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

    def of_rank(self, rank: int, *, counted_back: bool = False) -> Shape:
        """The shape as it is if the array has so many axes, which the code does not show.

        The last one is that which is known from the right, if it is `counted_back`, else from the left.
        """
        places = [*range(rank - 1), -1 if counted_back else rank - 1]
        axes = [self.axis(position) for position in places]
        shape = Shape.of([axis for axis in axes if axis is not None])
        shape._turned = self
        return shape

    def on_the_way_of(self, other: Shape) -> Shape:
        """This shape, whose rank is known where that of the other is."""
        self.way = other.root().way
        return self

    def root(self) -> Shape:
        shape, above = self, self._root
        while above is not None:
            shape._root = above._root or above
            shape, above = above, above._root
        return shape

    def is_flat(self, other: Shape) -> bool:
        """Is this the other shape, or the other shape flattened or turned round?"""
        turned = self.root()._turned
        if self.is_same(other) or (turned is not None and turned.is_flat(other)):
            return True
        axes = self.axes
        whole = axes[0].root().whole if axes is not None and len(axes) == 1 else None
        return whole is not None and whole.is_same(other)

    @property
    def item_of(self) -> Shape | None:
        """The shape of the array that a loop takes one item after the other of, if this is an item's."""
        return self._item_of or self.root()._item_of

    def each(self) -> Shape:
        """The shape of what a loop over the array takes."""
        item = self.without(AxesSpec.at(0))
        item._item_of = self
        return item

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
    def may_be_pairs(self) -> bool:
        """May every example be paired with every other in it?"""
        return self.root()._may_be_pairs

    def covers(self, spec: AxesSpec, axis: Axis) -> bool | None:
        """Does an operation over `spec` run over `axis`? None when the code leaves it open."""
        there = self.has(axis)
        if there is False:
            return False
        if spec.kind == "all":
            return there if there is not None else self.original.has(axis)
        if spec.kind == "unknown":
            return None
        for position in self._expand(spec):
            mine = self.axis(position)
            if mine is not None and mine.holds(axis):
                return True
        return None if self.without(spec).has(axis) is None else False

    @property
    def dropped(self) -> tuple[int, ...]:
        """The positions that were dropped from another shape to make this one."""
        return self._reduced[1] if self._reduced is not None and not self._reduced[2] else ()

    @property
    def may_lack_its_last(self) -> bool:
        """Was an axis dropped to make this shape that may have been the last one?"""
        last = self.least_rank + len(self.dropped) - 1  # or one after it
        return any(p == -1 or p >= max(last, 1) for p in self.dropped)

    def may_be_at(self, position: int, axis: Axis) -> bool:
        """Is the axis there, or was it there before others were dropped, which may have been it?"""
        places = [self._axis(position)]
        if self._reduced is not None and all((p < 0) != (position < 0) for p in self._reduced[1]):
            places.append(self._reduced[0]._axis(position))
        return any(there is not None and there.is_same(axis) for there in places)

    def keeps_what_is_dropped(self, other: Shape) -> bool:
        """Are both made of one shape by a reduction over the same axis, here kept and there dropped?"""
        if self._reduced is None or other._reduced is None or other.is_scalar:
            return False
        (mine, positions, kept), (theirs, others, dropped) = self._reduced, other._reduced
        return kept and not dropped and positions == others and mine.is_same(theirs)

    def is_column_of(self, other: Shape) -> bool | None:
        """Is `other` this one without its last axis, of length 1? None where only what it was compared with is."""
        if other.is_scalar:
            return False  # of a vector of length 1
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
        result.way = self.root().way
        if result.rank is None:
            gone = 0 if keepdims else len(spec.positions)
            result._least = max(0, self.root()._least - gone)
        if spec.kind == "listed" and not keepdims and (before := self._before_widening(spec)) is not None:
            before.unite(result)
            before._reduced = self, spec.positions, keepdims
            return before
        if spec.kind == "listed":
            result._reduced = (self, spec.positions, keepdims)
        return result

    def note_laid_over(self, other: Shape) -> None:
        """Record that the axis with which this shape was widened, `mask.unsqueeze(-1)`, is stretched over another's."""
        widened = self._widened or self.root()._widened
        axis = other.axis(widened[1]) if widened is not None else None
        if widened is not None and axis is not None and axis.size != 1:
            widened[0].root()._lacking = [*widened[0].root()._lacking, axis][:MAX_RANK]

    def lacks(self, axis: Axis) -> bool:
        """Is it for sure none of its axes, by what the shape was laid over?"""
        return any(axis.is_same(other) for other in self.root()._lacking)

    def _before_widening(self, spec: AxesSpec) -> Shape | None:
        """The shape to which the axis was added that is dropped again."""
        widened = self._widened or self.root()._widened
        if widened is None or spec.positions != (widened[1],):
            return None
        before = widened[0].root()
        return before if before._reduced is None or before._reduced[0].is_same(self) else None

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
            kept = [a for i, a in enumerate(shape._front) if i not in gone]
            return Shape(kept, rank=len(kept), unsure=shape._unsure)
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
            if may_meet(from_left, [j]) and not is_among(shape._back[j], removed)
        ]
        unsure += [
            shape._front[i]
            for i in left
            if may_meet([i], from_right) and not is_among(shape._front[i], removed)
        ]
        if keepdims:
            front = [Axis(1) if i in from_left else a for i, a in enumerate(shape._front)]
            back = [Axis(1) if i - len(shape._back) in from_right else a for i, a in enumerate(shape._back)]
        else:
            # What is known from both ends goes at both.
            front = [a for i, a in enumerate(shape._front) if i not in from_left and not is_among(a, removed)]
            back = [
                a
                for i, a in enumerate(shape._back)
                if i - len(shape._back) not in from_right and not is_among(a, removed)
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
            return Shape.of(axes).on_the_way_of(shape)
        front, back = list(shape._front), list(shape._back)
        least = max(shape._least, len(front), len(back))
        if position >= 0:
            while len(front) < position:
                front.append(Axis())
            front.insert(position, axis)
            # What is counted from the right stays there where it is to the right of the new axis for sure.
            back = back[max(len(back) - max(least - position, 0), 0) :]
        else:
            while len(back) < -position - 1:
                back.insert(0, Axis())
            back.insert(len(back) + 1 + position, axis)
            front = front[: max(least + 1 + position, 0)]
        result = Shape(front, back, None, shape._unsure)
        result._least = max(shape._least, abs(position) - (position < 0)) + 1
        result._widened = self, position
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
        turned = Shape.of([axes[p] for p in order]).made_of(self).on_the_way_of(self)
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

    def contradicts(self, other: Shape) -> bool:
        """Has one of the two, at another place, an axis of the other?

        Of one shape they cannot be: one is an item of the other, or the other turned round, on a path that excludes
        the one on which they were found to be alike.
        """
        a, b = self.root(), other.root()
        return a is not b and (
            _are_elsewhere(a._front, b._front) or _are_elsewhere(a._back[::-1], b._back[::-1])
        )

    def unite(self, other: Shape) -> None:
        """Record that two arrays combined element by element have the same shape."""
        a, b = self.root(), other.root()
        if a is b or self.contradicts(other):
            return
        way = a.way if b._rank is None else b.way if a._rank is None else min(a.way, b.way, key=len)
        if a._rank is not None and b._rank is None:
            b._take_rank(a._rank)
        elif b._rank is not None and a._rank is None:
            a._take_rank(b._rank)
        a.way = b.way = way
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
        unsure = [axis for axis in a._unsure if not is_among(axis, b.shown)]
        unsure += [axis for axis in b._unsure if not is_among(axis, a.shown)]
        a._unsure = unsure[:MAX_RANK]
        a._least = max(a._least, b._least)
        a._moved = a._moved or b._moved
        a._may_be_pairs = a._may_be_pairs or b._may_be_pairs
        a._reduced = a._reduced or b._reduced
        a._widened = a._widened or b._widened
        a._lacking = [*a._lacking, *b._lacking][:MAX_RANK]
        b._root = a


def _are_elsewhere(mine: Sequence[Axis], theirs: Sequence[Axis]) -> bool:
    """Would two axes of the first be one, were each the axis of the second at its place?"""
    return any(
        axis.size != 1
        and any(
            axis.is_same(other) and not any(axis.is_same(own) for own in mine[place : place + 1])
            for place, other in enumerate(theirs)
        )
        for at, axis in enumerate(mine)
        if at >= len(theirs) or not axis.is_same(theirs[at])
    )
