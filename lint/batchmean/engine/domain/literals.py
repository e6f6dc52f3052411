"""Arithmetic and comparisons of literals, and what methods of words give."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Final

from batchmean.engine.domain.values import Const, TupleValue, Value

SPELLERS: Final = frozenset("lower upper casefold strip".split())
"""Methods that only write a word in another way."""
_TOLD_OF: Final = frozenset("startswith endswith".split())


def of_word(word: Const, method: str, args: Sequence[Value]) -> Const | None:
    """`"sum".upper()`, `"sum".startswith("s")`: what a method of a word gives; None when the code leaves it open."""
    if not word.is_fixed or not isinstance(word.value, str):
        return None
    if method in SPELLERS and not args:
        return Const(getattr(word.value, method)())
    other = args[0] if len(args) == 1 else None
    if method in _TOLD_OF and isinstance(other, Const) and other.is_fixed and isinstance(other.value, str):
        return Const(getattr(word.value, method)(other.value))
    return None


def fold(op: type[ast.operator], a: object, b: object) -> Const | None:
    """Arithmetic on literals; sizes are bounded so that nothing large is ever computed."""
    if not isinstance(a, int | float) or not isinstance(b, int | float):
        return None
    try:
        if op is ast.Add:
            return Const(a + b)
        if op is ast.Sub:
            return Const(a - b)
        if op is ast.Mult:
            return Const(a * b) if abs(a) < 1e12 and abs(b) < 1e12 else None
        if op is ast.Div:
            return Const(a / b)
        if op is ast.FloorDiv:
            return Const(a // b)
        if op is ast.Pow and abs(a) < 1e6 and abs(b) < 20:
            result = a**b
            return Const(result) if isinstance(result, int | float) else None
    except (ArithmeticError, ValueError):
        return None
    return None


def compare(op: ast.cmpop, left: Const, right: Value) -> bool | None:
    """The truth of a comparison with a literal; None when the code leaves it open."""
    if not left.is_fixed:
        return None
    if isinstance(op, ast.In | ast.NotIn) and isinstance(right, TupleValue):
        if not all(isinstance(item, Const) for item in right.items):
            return None
        inside = any(isinstance(i, Const) and i.value == left.value for i in right.items)
        return inside if isinstance(op, ast.In) else not inside
    if not isinstance(right, Const) or not right.is_fixed:
        return None
    a, b = left.value, right.value
    if isinstance(op, ast.Eq):
        return bool(a == b)
    if isinstance(op, ast.NotEq):
        return bool(a != b)
    if isinstance(op, ast.Is | ast.IsNot) and (a is None or b is None or isinstance(a, bool | str)):
        is_same = a == b if isinstance(a, str) else a is b  # words are members of an Enum, or interned
        return is_same if isinstance(op, ast.Is) else not is_same
    if isinstance(a, int | float) and isinstance(b, int | float):
        if isinstance(op, ast.Lt):
            return a < b
        if isinstance(op, ast.LtE):
            return a <= b
        if isinstance(op, ast.Gt):
            return a > b
        if isinstance(op, ast.GtE):
            return a >= b
    return None
