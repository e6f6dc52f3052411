"""Divisions of a loss whose result is thrown away: `loss.div(n)` as a statement."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from batchmean.engine.events import Miscount
from batchmean.engine.factors import divided_by, factor_of
from batchmean.engine.masks import is_loss_name
from batchmean.engine.values import Place, Tensor, Value

if TYPE_CHECKING:
    from batchmean.engine.reductions import Reduction

DIVISIONS: Final = frozenset(("div", "divide", "true_divide"))


def discarded_division(node: ast.expr, value: Value) -> Miscount | None:
    """The event of an expression statement, if it divides a loss and is no more than that."""
    dividend = _dividend(node)
    if dividend is None or not isinstance(value, Tensor):
        return None
    if value.reductions:
        reduction = value.reductions[0]
        if reduction.rest != "sum":
            return None  # a mean, or not a number yet: what was meant is not shown
        because = (
            *reduction.integrand.evidence,
            Place(node, "this division gives a new value, which nothing takes"),
        )
        is_shown = reduction.integrand.proved
        return Miscount(node, "discarded division", because, is_shown, _undone(reduction), reduction)
    names = (dividend.id,) if isinstance(dividend, ast.Name) else ()
    if not names or not is_loss_name(names) or not isinstance(node, ast.Call):
        return None
    because = (
        Place(dividend, f"`{names[0]}` is a loss by its name"),
        Place(node, "this division gives a new value, which nothing takes"),
    )
    return Miscount(node, "discarded division", because, False)


def is_division(node: ast.expr) -> bool:
    """Does the expression divide and no more, so that its value is new?"""
    return _dividend(node) is not None


def _undone(reduction: Reduction) -> dict[str, int] | None:
    """What the loss is too large by without this division; None where the divisor is no count in sight."""
    if reduction.parent is None or factor_of(reduction.parent) is None or factor_of(reduction) is None:
        return None
    return divided_by(reduction) or None


def _dividend(node: ast.expr) -> ast.expr | None:
    """What a statement divides without keeping the result."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return node.left
    if not isinstance(node, ast.Call) or any(keyword.arg == "out" for keyword in node.keywords):
        return None
    function = node.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if name not in DIVISIONS:
        return None
    if len(node.args) >= 2:
        return node.args[0]
    return function.value if isinstance(function, ast.Attribute) else None
