"""`for d in x.shape: n *= d` is a count."""

from __future__ import annotations

import ast

from batchmean.engine.context import Context
from batchmean.engine.domain import algebra
from batchmean.engine.domain.values import Const, ShapeValue, Value


def is_product_over_shape(context: Context, node: ast.For | ast.AsyncFor, iterable: Value) -> bool:
    """`for d in x.shape: n *= d` is a count."""
    body = node.body[0] if len(node.body) == 1 else None
    if not isinstance(node.target, ast.Name) or not isinstance(body, ast.AugAssign | ast.Assign):
        return False
    target: ast.expr | None = None
    operator: ast.operator | None = None
    operand: ast.expr | None = None
    if isinstance(body, ast.AugAssign):
        target, operator, operand = body.target, body.op, body.value
    elif isinstance(body, ast.Assign) and isinstance(body.value, ast.BinOp) and len(body.targets) == 1:
        target, operator = body.targets[0], body.value.op
        sides = [body.value.left, body.value.right]
        name = target.id if isinstance(target, ast.Name) else ""
        rest = [s for s in sides if not (isinstance(s, ast.Name) and s.id == name)]
        operand = rest[0] if len(rest) == 1 else None
    if not (isinstance(target, ast.Name) and isinstance(operator, ast.Mult)) or operand is None:
        return False
    whole = _shape_looped_over(context, operand, node, iterable)
    if whole is None:
        return False
    before = context.as_tensor(context.scope.find(target.id) or Const(1))
    context.scope.names[target.id] = algebra.multiply(before, context.count_of(whole))
    return True


def _shape_looped_over(
    context: Context, operand: ast.expr, node: ast.For | ast.AsyncFor, iterable: Value
) -> ShapeValue | None:
    """The shape whose sizes `operand` runs through: the loop's variable, `x.shape[i]` or `x.size(i)`."""
    variable = node.target.id if isinstance(node.target, ast.Name) else ""
    while isinstance(operand, ast.Call) and isinstance(operand.func, ast.Name) and len(operand.args) == 1:
        operand = operand.args[0]
    if isinstance(operand, ast.Name) and operand.id == variable:
        return iterable if isinstance(iterable, ShapeValue) else None
    base: ast.expr | None = None
    if isinstance(operand, ast.Subscript) and isinstance(operand.slice, ast.Name):
        base = operand.value if operand.slice.id == variable else None
    elif isinstance(operand, ast.Call) and isinstance(operand.func, ast.Attribute) and len(operand.args) == 1:
        index = operand.args[0]
        if operand.func.attr == "size" and isinstance(index, ast.Name) and index.id == variable:
            return ShapeValue(context.as_tensor(context.evaluate(operand.func.value)).shape)
    shape = context.evaluate(base) if base is not None else None
    is_range = isinstance(node.iter, ast.Call) and getattr(node.iter.func, "id", "") == "range"
    return shape if isinstance(shape, ShapeValue) and is_range else None
