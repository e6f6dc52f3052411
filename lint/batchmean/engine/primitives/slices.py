"""What the items of an index cut out of an axis, or leave of it."""

from __future__ import annotations

from batchmean.engine.domain.axes import AxesSpec, Axis
from batchmean.engine.domain.shapes import Shape
from batchmean.engine.domain.values import UNKNOWN_END, Value
from batchmean.engine.primitives.registry import integer, literal


def cut_at(shape: Shape, position: int) -> Shape:
    """A part of an axis has another length; one whose length nothing shows may be any."""
    axis = shape.axis(position)
    if axis is None or axis.size is None:
        return shape
    return shape.without(AxesSpec.at(position)).with_axis(position, Axis())


def is_cut_short(items: tuple[Value, ...], *, is_regrouped: bool) -> bool:
    """`row[start:end]`: one sequence is cut where a number says that it ends, which may be where its padding begins.

    Cut along another axis, all rows of an array lose the same positions, and the padding of the shorter ones stays;
    but where one sequence was cut into rows, all that is masked may lie in the same place of each.
    """
    cuts = [(place, cut) for place, item in enumerate(items) if isinstance(cut := literal(item), slice)]
    is_row = any(integer(item) is not None for item in items)
    is_row = is_row or is_regrouped
    return any(cut.stop == UNKNOWN_END and (place == 0 or is_row) for place, cut in cuts)


def is_one_wide(item: Value) -> bool:
    """Is it a slice such as `0:1`?"""
    cut = literal(item)
    if not isinstance(cut, slice) or not isinstance(cut.stop, int):
        return False
    return isinstance(cut.start, int) and cut.stop - cut.start == 1


def is_whole_slice(item: Value) -> bool:
    cut = literal(item)
    return isinstance(cut, slice) and cut == slice(None, None)


def is_only(shape: Shape, position: int, item: Value) -> bool:
    """Is it the only item of an axis of length 1: `x.gather(1, labels[:, None])[:, 0]`?"""
    axis = shape.axis(position)
    return axis is not None and axis.size == 1 and integer(item) in (0, -1)
