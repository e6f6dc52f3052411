"""A sum over examples and positions that is divided by the positions alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from batchmean.engine.events import Miscount
from batchmean.engine.reductions import Reduction, report_node
from batchmean.engine.shapes import Axis, Shape
from batchmean.engine.values import Place, Role

if TYPE_CHECKING:
    from batchmean.engine.evaluator import Evaluator

_POSITIONS: Final = re.compile(
    r"^((n|num|max)_)?(t|l|s|h|w|hw|steps?|time|time_?steps?|seq|seq_?len(gth)?|sequence_length|len(gth)?|height|width"
    r"|frames|pixels|tokens)$",
    re.I,
)
_EXAMPLES: Final = re.compile(r"^(b|bs|bsz|n|batch(_?size)?|(n|num)_?(samples|examples)|examples)$", re.I)


def undivided(interpreter: Evaluator, reduction: Reduction) -> Miscount | None:
    """The event of a loss that is summed over everything, and divided by its positions but never by its examples."""
    counted = _counted(reduction)
    if not counted:
        return None
    layout = next((found for found in _layouts(reduction) if found.leaves_the_first(counted)), None)
    if layout is None:
        return None
    is_shown = layout.has_its_classes_between(counted) or layout.has_a_mask_of_lengths(counted)
    if not is_shown and not (
        layout.sums_the_masked_positions_first(counted) or _are_named(interpreter, reduction)
    ):
        return None
    step = reduction.steps[-1]
    places = (
        *reduction.integrand.evidence,
        *(reduction.mask.places if reduction.mask is not None else ()),
        Place(step.node, "the positions divide here, the examples nowhere"),
    )
    factor = layout.factor(counted)
    shown = is_shown and reduction.integrand.proved and layout.is_known
    shown = shown and (reduction.mask is None or reduction.mask.shown)
    node = report_node(reduction, step)
    return Miscount(node, "missing batch division", places, shown, factor, reduction)


def _counted(reduction: Reduction) -> list[Axis]:
    """The axes whose lengths divide a sum over everything; none where anything else may make up for the batch."""
    integrand = reduction.integrand
    if (
        reduction.rest != "sum"
        or reduction.support != "summed"
        or integrand.symbol == "D"
        or integrand.assumed
    ):
        return []
    if reduction.spread is not None or reduction.mixed or integrand.mixed or integrand.square:
        return []
    if any(how == "mean" for _, how in reduction.units) or reduction.per_batch:
        return []
    if not reduction.is_plain:
        return []
    found: list[Axis] = []
    for atom, power in reduction.counts():
        if atom.role is not Role.COUNT or power != -1 or atom.axis is None or atom.shape is not None:
            return []
        found += atom.axis.root().parts or (atom.axis,)
    return found


def _layouts(reduction: Reduction) -> Iterator[_Layout]:
    """The axes of a loss as the code shows them: where it was made, and before these were moved or merged."""
    shape, library = reduction.integrand.shape, reduction.integrand.library
    if library:  # what it takes has its examples first, wherever they were before
        yield _Layout(reduction, shape)
    yield _Layout(reduction, shape.original)
    for axis in shape.shown:
        for merger in axis.mergers:
            if merger.merged_in is not None:
                yield _Layout(reduction, merger.merged_in.original)


class _Layout:
    """The axes of a loss in their order."""

    def __init__(self, reduction: Reduction, shape: Shape) -> None:
        integrand = reduction.integrand
        self._reduction = reduction
        self._shapes = (shape, integrand.shape)
        self.is_known = shape.axes is not None
        self._axes = list(_parts(shape.shown if shape.axes is None else shape.axes))
        self._support = integrand.support if integrand.symbol else None

    def leaves_the_first(self, counted: Sequence[Axis]) -> bool:
        """Is the first axis a unit that does not divide, and is each one that does another unit?"""
        if len(self._axes) < 2 or self._axes[0].size == 1 or self._is_support(self._axes[0]):
            return False
        if not all(any(axis.is_same(mine) for mine in self._units()[1:]) for axis in counted):
            return False
        others = (self._axes[0], *((self._support,) if self._support is not None else ()))
        return not any(
            shape.may_be_one(axis, other) for shape in self._shapes for axis in counted for other in others
        )

    def has_its_classes_between(self, counted: Sequence[Axis]) -> bool:
        """(B, V, H, W): do the classes stand behind the first axis and before all that divide?"""
        place = next((i for i, axis in enumerate(self._axes) if self._is_support(axis)), 0)
        return place > 0 and all(
            any(axis.is_same(mine) for mine in self._axes[place + 1 :]) for axis in counted
        )

    def has_a_mask_of_lengths(self, counted: Sequence[Axis]) -> bool:
        """Is the loss masked by lengths, one for each example, and divided by what these are at most?"""
        mask = self._reduction.mask
        axes = mask.shape.axes if mask is not None and mask.of_lengths and mask.shape is not None else None
        return axes is not None and len(counted) == 1 and len(axes) == 2 and axes[1].is_same(counted[0])

    def sums_the_masked_positions_first(self, counted: Sequence[Axis]) -> bool:
        """Is a masked loss summed over its last axis by itself, whose length then divides the sum of these sums?"""
        reduction = self._reduction
        if reduction.mask is None or len(reduction.units) != 1 or len(counted) != 1:
            return False
        first = next((step for step in reduction.steps if step.how == "sum" and step.positions), None)
        return (
            first is not None
            and first.positions in ((-1,), (1,))
            and reduction.units[0][0].is_same(counted[0])
        )

    def factor(self, counted: Sequence[Axis]) -> dict[str, int] | None:
        """By what it is off, where every other unit divides it, as far as the code shows any.

        A masked loss that is summed is one of valid positions.
        """
        others = [axis for axis in self._units()[1:] if axis.size != 1]
        if self.is_known and not all(any(axis.is_same(mine) for mine in counted) for axis in others):
            return None
        if self._reduction.mask is None:
            return {"B": 1}
        return {"n_valid": 1, "T": -1} if len(counted) == 1 else None

    def _units(self) -> list[Axis]:
        return [axis for axis in self._axes if not self._is_support(axis)]

    def _is_support(self, axis: Axis) -> bool:
        return self._support is not None and axis.is_same(self._support)


def _parts(axes: Sequence[Axis]) -> Iterator[Axis]:
    for axis in axes:
        yield from axis.root().parts or (axis,)


def _are_named(interpreter: Evaluator, reduction: Reduction) -> bool:
    """`b, t = x.shape`, and only `t` divides: is the divisor called a number of positions, and what is left a batch?"""
    names = [name for step in reduction.steps if step.how == "scale" for name in _divisors(step.node)]
    if not names or not all(_POSITIONS.search(name.id) for name in names):
        return False
    return all(_is_beside_the_batch(interpreter, name) for name in names)


def _divisors(node: ast.AST) -> Iterator[ast.Name]:
    """The names in what a division divides by."""
    by: ast.AST | None = None
    if isinstance(node, ast.BinOp):
        by = node.right
    elif isinstance(node, ast.AugAssign):
        by = node.value
    elif isinstance(node, ast.Call) and node.args:
        by = node.args[-1]
    for inner in ast.walk(by) if by is not None else ():
        if isinstance(inner, ast.Name):
            yield inner


def _is_beside_the_batch(interpreter: Evaluator, name: ast.Name) -> bool:
    """Was it unpacked from a shape behind a name for the number of examples, in the same function?"""
    function = _function_around(interpreter, name)
    for target, value in interpreter.origins.items():
        if not isinstance(target, ast.Name) or target.id != name.id:
            continue
        if _function_around(interpreter, target) is not function:
            continue
        first = next(other for other, made in interpreter.origins.items() if made is value)
        return isinstance(first, ast.Name) and first is not target and bool(_EXAMPLES.search(first.id))
    return False


def _function_around(interpreter: Evaluator, node: ast.expr) -> ast.AST | None:
    around = [
        f.node
        for f in interpreter.defined
        if f.node.lineno <= node.lineno <= (f.node.end_lineno or node.lineno)
    ]
    return max(around, key=lambda function: function.lineno, default=None)
