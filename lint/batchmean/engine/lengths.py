"""Lengths of axes, and how many elements an array has, as numbers to divide by."""

from __future__ import annotations

from abc import ABC, abstractmethod

from batchmean.engine.domain import algebra, nonlinear
from batchmean.engine.domain.axes import MAX_RANK
from batchmean.engine.domain.broadcasting import map_atoms
from batchmean.engine.domain.paths import Path
from batchmean.engine.domain.shapes import Shape
from batchmean.engine.domain.tensors import (
    SCALAR,
    Role,
    Tensor,
    altered,
    atom_of,
    constant,
    from_atom,
    is_unknown,
)
from batchmean.engine.domain.values import BuiltinValue, Const, ShapeValue, Value
from batchmean.engine.domain.ways import is_of_another_way


class Lengths(ABC):
    """What makes numbers of shapes."""

    path: Path

    @abstractmethod
    def fresh(self) -> int:
        """A number that nothing else has."""

    @abstractmethod
    def opaque(self, names: tuple[str, ...] = (), *, shape: Shape | None = None) -> Tensor:
        """Something new that nothing is known of."""

    def axis_length(self, shape: Shape, position: int) -> Value:
        """`x.shape[position]`."""
        axis = shape.axis(position)
        if axis is None:
            return self.some_length()
        if axis.size == 1:
            return Const(1)
        return algebra.length_of(axis)

    def some_length(self) -> Tensor:
        """The length of an axis, which is not known."""
        return from_atom(atom_of(("some length", self.fresh()), Role.COUNT), SCALAR)

    def count_of(self, value: ShapeValue) -> Tensor:
        """The product of (a part of) a shape."""
        shape, start, stop = value.shape, value.start, value.stop
        if max(abs(start), abs(stop or 0)) > MAX_RANK:
            return self.opaque(shape=SCALAR)
        axes = shape.axes
        if axes is not None and is_of_another_way(shape, [self.path]) is False:
            result = constant(1.0)
            for axis in axes[start:stop]:
                result = algebra.multiply(result, algebra.length_of(axis))
            return result
        if start == 0 and stop is not None and stop > 0:
            lengths = [algebra.length_of(a) for a in (shape.axis(i) for i in range(stop)) if a is not None]
            result = constant(1.0)
            for length in lengths:
                result = algebra.multiply(result, length)
            return result
        result = from_atom(atom_of(("numel", shape.root()), Role.COUNT, shape=shape), SCALAR)
        cut = [*range(start), *range(stop or 0, 0)]
        for position in cut:
            axis_cut = shape.axis(position)
            if axis_cut is not None:
                result = nonlinear.divide(result, algebra.length_of(axis_cut))
        return result


def part_of(value: Value, part: Tensor) -> Tensor:
    """What something has by a name: of an array or a layer it may be a length, `loss.stride(0)`, `layer.in_features`.

    No object is asked.
    """
    is_array = isinstance(value, Tensor) and (value.reductions or value.shape.shown or not is_unknown(value))
    return of_lengths(part) if is_array or isinstance(value, BuiltinValue) else part


def of_lengths(value: Tensor) -> Tensor:
    """What may be the length of an axis, or made of one."""
    return map_atoms(value, lambda atom: altered(atom, is_of_counts=True))
