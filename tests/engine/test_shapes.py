"""Axes and shapes: what is known from the left, from the right, and once the rank is known."""

from __future__ import annotations

import pytest
from batchmean.engine.domain.axes import ALL_AXES, UNKNOWN_AXES, AxesSpec, Axis
from batchmean.engine.domain.shapes import Shape
from hypothesis import given
from hypothesis import strategies as st


def test_the_two_ends_meet_once_the_rank_is_known() -> None:
    shape = Shape()
    first, second, last = shape.axis(0), shape.axis(1), shape.axis(-1)
    assert first is not None and second is not None and last is not None
    assert not second.is_same(last)
    shape.set_rank(2)
    assert second.is_same(last)
    assert shape.axes == (first, second)


def test_a_contradicting_rank_is_ignored() -> None:
    shape = Shape()
    shape.axis(2)
    shape.set_rank(2)
    assert shape.rank is None


def test_an_axis_counted_from_the_left_may_be_the_last_one() -> None:
    shape = Shape()
    last = shape.axis(-1)
    assert last is not None
    assert shape.covers(AxesSpec.at(-1), last) is True
    assert shape.covers(AxesSpec.at(1), last) is None
    assert shape.covers(AxesSpec.at(0), last) is False
    assert shape.covers(ALL_AXES, last) is True
    assert shape.covers(UNKNOWN_AXES, last) is None
    assert shape.without(AxesSpec.at(1)).has(last) is None
    assert shape.without(AxesSpec.at(0)).has(last) is True
    assert shape.without(AxesSpec.at(-1)).has(last) is False


def test_a_tail_leaves_the_axes_before_it() -> None:
    shape = Shape()
    first, second = shape.axis(0), shape.axis(1)
    assert first is not None and second is not None
    rest = shape.without(AxesSpec.tail(1))
    assert rest.axes == (first,)
    assert rest.has(second) is False


def test_merged_axes_hold_their_parts() -> None:
    batch, classes = Axis(), Axis(10)
    merged = Axis(parts=(batch, classes))
    assert Shape.of([merged]).has(classes) is True
    assert Shape.of([merged]).has(Axis()) is False


def test_axes_of_different_lengths_are_not_united() -> None:
    three, four, one = Axis(3), Axis(4), Axis(1)
    three.unite(four)
    three.unite(one)
    assert not three.is_same(four) and not three.is_same(one)


@given(st.integers(1, 5), st.data())
def test_removing_axes_agrees_with_lists(rank: int, data: st.DataObject) -> None:
    axes = [Axis() for _ in range(rank)]
    gone = data.draw(st.sets(st.integers(-rank, rank - 1), min_size=1))
    positions = {p % rank for p in gone}
    expected = [axis for i, axis in enumerate(axes) if i not in positions]
    rest = Shape.of(axes).without(AxesSpec.at(*gone))
    assert rest.axes is not None and list(rest.axes) == expected
    kept = Shape.of(axes).without(AxesSpec.at(*gone), keepdims=True)
    assert [a.size == 1 for a in kept.axes or ()] == [i in positions for i in range(rank)]


@given(st.permutations(range(4)))
def test_a_permutation_and_its_inverse_cancel(order: list[int]) -> None:
    axes = tuple(Axis() for _ in range(4))
    inverse = [order.index(i) for i in range(4)]
    assert Shape.of(axes).permuted(order).permuted(inverse).axes == axes


@pytest.mark.parametrize("order", [(1, 2, 3), (0, 0, 1), (-4, 0, 1)])
def test_what_is_no_permutation_shows_nothing(order: tuple[int, ...]) -> None:
    assert Shape.of([Axis(), Axis(), Axis()]).permuted(order).axes is None


def test_a_part_is_never_the_whole() -> None:
    """Or else an axis would hold itself, and whoever looks into it would not come back."""
    batch, time = Axis(), Axis()
    whole = Axis(parts=(batch, time))
    whole.unite(batch)
    assert not whole.is_same(batch)
    batch.unite(whole)
    assert not whole.is_same(batch)
    assert whole.holds(batch)
    assert not whole.holds(Axis())
    time.parts = (whole,)  # a circle, however it came about
    assert not whole.holds(Axis())
