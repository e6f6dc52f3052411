"""(B,) beside (B, 1): every example is paired with every other."""

from __future__ import annotations

import ast
from typing import Final, Literal

from batchmean.engine.domain.axes import Axis
from batchmean.engine.domain.keys import key_of
from batchmean.engine.domain.shapes import Shape
from batchmean.engine.domain.tensors import Atom, Integrand, Place, Role, Tensor

PAIRS: Final = "pairs"
"""The kind of a product in which every example meets every other one."""


def pairing(
    a: Tensor, b: Tensor, node: ast.AST, stack: tuple[ast.AST, ...], broadcast: Shape | None = None
) -> Integrand | None:
    """(B,) times (B, 1), where the code shows both shapes, or one of them and that the other is a column.

    `broadcast` is the shape of the result, as far as it is known.
    """
    for column, row in ((a, b), (b, a)):
        how = _pairs_up(column, row)
        if how is None:
            continue
        mine, others = column.atoms(), row.atoms()
        if not mine or {atom.key for atom in mine} & {atom.key for atom in others}:
            continue  # all pairs of one array are meant
        if any(atom.kind == "arange" or atom.role is Role.MASK for atom in (*mine, *others)):
            continue
        place = Place(node, "(B,) times (B, 1) pairs every example with every other")
        axes = broadcast.axes if broadcast is not None else None
        shape = Shape.of(axes if axes is not None and len(axes) == 2 else [Axis(), Axis()])
        key = key_of(a.terms, b.terms)
        return Integrand(PAIRS, Axis(1), "", how == "shown", (place,), shape, stack, key=key)
    return None


_OF_ACTIONS: Final = ((1,), (-1,))
"""Where the axis of the actions is: second or last."""


def _pairs_up(column: Tensor, row: Tensor) -> Literal["shown", "by a column"] | None:
    """Is the first (B, 1) and the second (B,)?"""
    if column.shape.keeps_what_is_dropped(row.shape):
        return "shown"
    if (is_column := column.shape.is_column_of(row.shape)) is not False:
        return "shown" if is_column else "by a column"
    if row.shape.dropped in _OF_ACTIONS and _are_of_actions(column, row):
        return "by a column"
    if column.shape.least_rank < 2:
        return None  # its second axis may be one of those that were dropped from the right
    axes = column.shape.leading(2)
    if column.shape.rank not in (None, 2) or len(axes) != 2 or axes[1].size != 1 or axes[0].size is not None:
        return None
    if row.shape.rank == 1:
        return "shown" if row.shape.shown[0].size is None else None
    is_column = row.shape.rank is None and row.shape.dropped == (1,) and any(map(_is_chosen, row.atoms()))
    return "by a column" if is_column else None


def _are_of_actions(column: Tensor, row: Tensor) -> bool:
    """The value of the action that was taken, which kept the axis of the actions, and of the best one, without it?"""
    if row.shape.rank not in (None, 1):
        return False
    if not any(a.kind == "picked" for a in column.atoms()) or not any(a.extreme for a in row.atoms()):
        return False
    if any(axis.size == 1 for axis in row.shape.leading(1)):
        return False  # one example
    kept = column.shape.axis(row.shape.dropped[0])
    return kept is not None and kept.size == 1 and column.shape.least_rank > 1


def _is_chosen(atom: Atom) -> bool:
    """Was it made of one column of an array, `x[:, 0]`?"""
    inside = atom.argument.atoms() if atom.argument is not None else []
    return atom.is_chosen or any(inner.is_chosen for inner in inside)
