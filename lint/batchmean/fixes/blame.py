"""Where a miscount is put right: its division, and what that divides."""

from __future__ import annotations

import ast

from batchmean.engine.events import Miscount


def blamed(event: Miscount) -> ast.AST:
    """The mean or the division itself."""
    return event.because[-1].node


def dividend(division: ast.AST) -> ast.expr | None:
    """`loss` of `loss.div(n)`, `torch.div(loss, n)` and `loss / n`."""
    if isinstance(division, ast.BinOp):
        return division.left
    if isinstance(division, ast.Call) and isinstance(division.func, ast.Attribute):
        return division.args[0] if len(division.args) >= 2 else division.func.value
    return None
