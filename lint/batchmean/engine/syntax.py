"""What can be read off the syntax tree alone."""

from __future__ import annotations

import ast
from typing import Any, Final

from batchmean.effects import Effect, names

DIVISIONS: Final = names(Effect.DIVIDES)


def divisor(node: ast.AST) -> ast.expr | None:
    """What `a / b` or `a /= b` divides by; None for everything else."""
    if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
        return node.right if isinstance(node, ast.BinOp) else node.value
    return None


def discarded_dividend(node: ast.expr) -> ast.expr | None:
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


def is_decorated(node: ast.AST, *names: str) -> bool:
    """Has a function one of these decorators, `@property` or `@functools.cached_property`, say?"""
    decorators = getattr(node, "decorator_list", ())
    return any(getattr(d, "attr", getattr(d, "id", "")) in names for d in decorators)


def spelled_out(node: ast.AST) -> str:
    """The code of a node: equal code, equal text. What Python cannot write (an integer of thousands of digits, a
    nest that is too deep) is called by its place."""
    try:
        return ast.unparse(node)
    except (ValueError, RecursionError):
        return f"{getattr(node, 'lineno', 0)}:{getattr(node, 'col_offset', 0)}"


def written_to(node: ast.Call) -> ast.expr | None:
    """The array that `np.multiply(x, m, out=x)` writes to."""
    return next(
        (k.value for k in node.keywords if k.arg == "out" and not isinstance(k.value, ast.Constant)), None
    )


def root_of(node: ast.AST) -> str:
    """The name that an expression takes its array from, `x` of `x.view(-1)[0]`; of `self` the attribute, `self.x`."""
    inner: Any = node  # asked of every node that binds or changes something
    attribute = ""
    while True:
        kind = type(inner)
        if kind is ast.Name:
            return f"self.{attribute}" if attribute and inner.id == "self" else inner.id
        if kind is ast.Attribute:
            attribute = inner.attr
            inner = inner.value
        elif kind is ast.Subscript or kind is ast.Starred:
            attribute, inner = "", inner.value
        elif kind is ast.Call and type(inner.func) is ast.Attribute:
            attribute, inner = "", inner.func.value
        else:
            return ""


def added_to(node: ast.stmt) -> tuple[str, type[ast.operator], ast.expr] | None:
    """`x += y`, `x -= y`, `x = x + y`: the name, how, and what is added; None for all else."""
    if isinstance(node, ast.AugAssign):
        if isinstance(node.target, ast.Name) and isinstance(node.op, ast.Add | ast.Sub):
            return node.target.id, type(node.op), node.value
        return None
    target = node.targets[0] if isinstance(node, ast.Assign) and len(node.targets) == 1 else None
    value = node.value if isinstance(node, ast.Assign) else None
    if not isinstance(target, ast.Name) or not isinstance(value, ast.BinOp):
        return None
    if isinstance(value.op, ast.Add | ast.Sub) and _is_name(value.left, target.id):
        return target.id, type(value.op), value.right
    if isinstance(value.op, ast.Add) and _is_name(value.right, target.id):
        return target.id, ast.Add, value.left
    return None


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def catches_import_errors(handler: ast.ExceptHandler) -> bool:
    """Does it stand for a package that is not installed?"""
    names = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return all(isinstance(n, ast.Name) and n.id in ("ImportError", "ModuleNotFoundError") for n in names)
