"""The rewrites of BMN501 and BMN502: every mean counts as often as it has examples, or the examples divide.

What is proposed is read again, and has to end in a sum over all examples that is divided by their number.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from batchmean.engine.epochs.arithmetic import ADDED_UP
from batchmean.engine.events import Kind, Miscount
from batchmean.fixes.code import Code, Edits, Unfixable, after, before

OF_BATCHES: Final[frozenset[Kind]] = frozenset(("epoch mean over examples", "epoch sum over batches"))
"""What is put right here: totals that a training loop makes, which have no account."""
_UNCOUNTED: Final = "the code does not show what counts the examples of a batch: multiply each mean by it"
_UNHELD: Final = "the code does not show what holds all examples: divide by their number"


def weighed(code: Code, event: Miscount) -> Iterator[Edits]:
    """`total += loss.item()` as `total += loss.item() * len(y)`."""
    yield _weighed(code, event)


def over_the_dataset(code: Code, event: Miscount) -> Iterator[Edits]:
    """`total / len(loader)` as `total / len(loader.dataset)`."""
    match event.node:
        case ast.BinOp(right=by) | ast.AugAssign(value=by):
            if (
                event.count
                and isinstance(by, ast.Call)
                and len(by.args) == 1
                and isinstance(by.args[0], ast.Name | ast.Attribute)
            ):
                yield (after(code.inner(by.args[0]), f".{event.count}"),)
                return
    raise Unfixable(_UNHELD)


def _weighed(code: Code, event: Miscount) -> Edits:
    if not event.count:
        raise Unfixable(_UNCOUNTED)
    added = _added(event)
    name = _total(code, event)
    if name and _is_told_elsewhere(code, event, name):
        raise Unfixable(
            "the total is read in other places, too: multiply each mean by the number of its examples"
        )
    if event.about == "each":
        added = _dividend(event.node)
    place = code.outer(added)
    weight = f" * {event.count}"
    if isinstance(added, ast.Name | ast.Attribute | ast.Call | ast.Subscript) or place != code.inner(added):
        return (after(place, weight),)
    return (before(place, "("), after(place, f"){weight}"))


def _place(event: Miscount) -> ast.AST:
    return next(place.node for place in event.because if place.text == ADDED_UP)


def _added(event: Miscount) -> ast.expr:
    """What is added up in each round."""
    match _place(event):
        case ast.AugAssign(value=added):
            return added
        case ast.Call(args=[added]):
            return added
        case ast.BinOp(right=added, op=ast.Add()):  # total = total + loss
            return added
    raise Unfixable(_UNCOUNTED)


def _dividend(node: ast.AST) -> ast.expr:
    if isinstance(node, ast.BinOp):
        return node.left
    raise Unfixable("the division is written in a way that is not understood")


def _total(code: Code, event: Miscount) -> str:
    """The name of what is added to; empty where it is none of the function's own."""
    match _place(event):
        case ast.AugAssign(target=ast.Name(id=name)) | ast.Call(func=ast.Attribute(value=ast.Name(id=name))):
            return name
        case ast.BinOp(left=ast.Name(id=name)):
            return name
    raise Unfixable(
        "what is added to is no variable of this function: multiply each mean by its number of examples"
    )


def _is_told_elsewhere(code: Code, event: Miscount, name: str) -> bool:
    """Is the total read where it is neither added to nor divided, or divided by what is no count of examples?"""
    scope = code.function(event.node) or code.tree
    own = {id(node) for place in (_place(event), event.node) for node in ast.walk(place)}
    quotient = code.statement(event.node)
    is_renamed = isinstance(quotient, ast.AugAssign) or (
        isinstance(quotient, ast.Assign)
        and any(isinstance(t, ast.Name) and t.id == name for t in quotient.targets)
    )
    end = (quotient.end_lineno or quotient.lineno, quotient.end_col_offset or 0)
    uses = [n for n in code.names(scope).loads_and_stores.get(name, []) if isinstance(n.ctx, ast.Load)]
    return any(
        id(node) not in own and not (is_renamed and (node.lineno, node.col_offset) > end) for node in uses
    )
