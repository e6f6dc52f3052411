"""A count that has a name: where it is set, and the line that is of no use without the division."""

from __future__ import annotations

import ast

from batchmean.findings import Edit, Span, span_of
from batchmean.fixes.code import Code, Edits
from batchmean.fixes.names import last_name

_HARMLESS = frozenset({"size", "numel", "nelement", "prod", "len", "float", "int"})


def only_value(code: Code, name: ast.Name) -> ast.expr | None:
    """What a local name is set to, if it is set once and read only here."""
    function = code.function(name)
    if function is None:
        return None
    uses = code.names(function).loads_and_stores.get(name.id, ())
    stored = [n for n in uses if isinstance(n.ctx, ast.Store)]
    if len(uses) != 2 or len(stored) != 1:
        return None
    statement = code.parent(stored[0])
    return statement.value if isinstance(statement, ast.Assign) and len(statement.targets) == 1 else None


def count_definition(code: Code, divisor: ast.expr) -> ast.expr | None:
    """What a divisor is set to, if it is a name that nothing else reads."""
    name = divisor.operand if isinstance(divisor, ast.UnaryOp) else divisor
    return only_value(code, name) if isinstance(name, ast.Name) else None


def unused_count(code: Code, divisor: ast.expr) -> Edits:
    """The line that counts, taken away where nothing else reads it."""
    counted = count_definition(code, divisor)
    if counted is None or any(
        last_name(c.func) not in _HARMLESS for c in ast.walk(counted) if isinstance(c, ast.Call)
    ):
        return ()
    return without_statement(code, code.statement(counted)) or ()


def without_statement(code: Code, statement: ast.stmt, *, keep_comment: bool = False) -> Edits | None:
    """The line of a statement, taken away; None where it holds more than that, or its block holds no other."""
    line, lines = statement.lineno, code.lines
    if line == len(lines) or statement.end_lineno != line or not _is_one_of_several(code, statement):
        return None
    span = span_of(statement, lines)
    before, rest = lines[line - 1][: span.column - 1], lines[line - 1][span.end_column - 1 :]
    if not before.strip() and not rest.strip():
        return (Edit(Span(line, 1, line + 1, 1), ""),)
    if not before.strip() and rest.lstrip().startswith("#") and keep_comment:
        return (Edit(Span(line, span.column, line, len(lines[line - 1]) - len(rest.lstrip()) + 1), ""),)
    return None


def _is_one_of_several(code: Code, statement: ast.stmt) -> bool:
    """Does its block hold another statement?"""
    blocks = (getattr(code.parent(statement), name, None) for name in ("body", "orelse", "finalbody"))
    return any(isinstance(block, list) and statement in block and len(block) >= 2 for block in blocks)
