"""Means whose gradients are added up over several batches and divided by nothing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence, Set
from typing import Final

from batchmean.engine.domain.tensors import Place
from batchmean.engine.epochs.spelling import STEPS, last_name
from batchmean.engine.epochs.syntax import AnyFunction, calls_in, innermost, statements_of, steps_of
from batchmean.engine.epochs.values import Figure
from batchmean.engine.events import Miscount
from batchmean.nodes import nodes

_OPTIMIZER: Final = re.compile(r"opt|scaler|solver", re.I)
_SIZES: Final = re.compile(r"batch_?size|block_size|seq|max_len|tokens", re.I)
_SCALES: Final = re.compile(r"loss|grad(?!ient_acc|_acc)|lr$|rate|scale", re.I)
"""What multiplies a loss, a gradient or a learning rate may make up for the division."""
_HARMLESS: Final = frozenset("range len int print max min ceil Accelerator add_argument format info".split())
"""Calls that are given the steps and do nothing to a loss."""


def never(
    tree: ast.Module, functions: Sequence[AnyFunction], call: ast.Call, figure: Figure
) -> Iterator[Miscount]:
    """A mean whose gradients are added up over batches until the optimizer steps, and divided by nothing."""
    scope = innermost(functions, call) or tree
    statements = list(statements_of(scope.body, ()))
    path = next(
        (where for statement, where in statements if any(c is call for c in calls_in(statement))), None
    )
    if path is None:
        return
    loop = next(
        (node for node, _ in reversed(path) if isinstance(node, ast.For | ast.AsyncFor | ast.While)), None
    )
    if loop is None:
        return
    if (cut := _in_parts(loop, scope)) is not None:
        places = (
            *figure.places,
            Place(cut, "this takes a batch in parts"),
            Place(call, "the gradients of its parts are added up"),
        )
        yield Miscount(call, "accumulation", places, False, None, None, "never of parts")
        return
    inner = _of_a_step(loop, scope)
    tests = (
        statement
        for statement, where in statements
        if isinstance(statement, ast.If)
        and where
        and where[-1][0] is loop
        and (statement, "body") not in path
        and _steps_in(statement, loop)
    )
    found = ((one.test, _every(one.test)) for one in tests)
    for test, steps in (inner, *found) if inner is not None else found:
        if steps is not None and not _is_used_otherwise(scope, test, last_name(steps)):
            places = (
                *figure.places,
                Place(call, "the gradients of several batches are added up"),
                Place(test, "the optimizer steps once for all of them"),
            )
            about = "never of tokens" if figure.per_token else "never"
            yield Miscount(call, "accumulation", places, False, None, None, about)
            return


def _steps_in(every: ast.If, loop: ast.AST) -> bool:
    """Does the optimizer step, and are the gradients set to zero, where this holds and nowhere else in the loop?"""
    steps = _every(every.test)
    if steps is None or not STEPS.search(last_name(steps)):
        return False
    inside = list(_calls_below(every.body))
    zeroed = [c for c in _calls_below([loop]) if last_name(c.func) == "zero_grad"]
    return any(map(_steps_optimizer, inside)) and bool(zeroed) and all(c in inside for c in zeroed)


def _of_a_step(loop: ast.AST, scope: AnyFunction | ast.Module) -> tuple[ast.expr, ast.expr] | None:
    """`for _ in range(steps): ...`, with a step of the optimizer after it, and none in it."""
    steps = steps_of(loop) if isinstance(loop, ast.For) else None
    if steps is None or not isinstance(loop, ast.For):
        return None
    inside = list(_calls_below([loop]))
    if any(_steps_optimizer(c) or last_name(c.func) == "zero_grad" for c in inside):
        return None
    outside = [c for c in _calls_below(scope.body) if c not in inside]
    is_stepped = any(_steps_optimizer(c) and c.lineno > (loop.end_lineno or 0) for c in outside)
    is_zeroed = any(last_name(c.func) == "zero_grad" for c in outside)
    return (loop.iter, steps) if is_stepped and is_zeroed else None


def _in_parts(loop: ast.AST, scope: AnyFunction | ast.Module) -> ast.expr | None:
    """`for i in range(0, len(x), size): ... x[i : i + size]`, with the gradients set to zero before it and not in it.

    Of the optimizer's step, which may stand in another method, no more is asked than that it is not taken in it.
    """
    match loop:
        case ast.For(
            target=ast.Name(id=start),
            iter=ast.Call(args=[ast.Constant(value=0), ast.expr(), size]) as cut,
        ) if last_name(cut.func) == "range" and not isinstance(size, ast.Constant):
            pass
        case _:
            return None
    inside = list(nodes(loop))
    ends: set[str] = set()
    for node in inside:
        if isinstance(node, ast.Assign) and _is_end(node.value, start, size, ends):
            ends.update(map(last_name, node.targets))
    if not any(isinstance(node, ast.Slice) and _is_part(node, start, size, ends) for node in inside):
        return None
    if any(_steps_optimizer(c) or last_name(c.func) == "zero_grad" for c in _calls_below([loop])):
        return None
    before = (c for c in _calls_below(scope.body) if c.lineno < loop.lineno)
    is_scaled = any(isinstance(n, ast.Attribute) and n.attr in ("grad", "main_grad") for n in nodes(scope))
    return cut if not is_scaled and any(last_name(c.func) == "zero_grad" for c in before) else None


def _is_part(cut: ast.Slice, start: str, size: ast.expr, ends: Set[str]) -> bool:
    """`i : i + size`, or `i : end`."""
    begins = isinstance(cut.lower, ast.Name) and cut.lower.id == start
    return begins and cut.upper is not None and _is_end(cut.upper, start, size, ends)


def _is_end(end: ast.expr, start: str, size: ast.expr, ends: Set[str]) -> bool:
    """`i + size`, or the smaller one of that and the number of all; or one of the names of such."""
    match end:
        case ast.Name(id=name):
            return name in ends
        case ast.Call(func=ast.Name(id="min"), args=[_, _]):
            return any(_is_end(one, start, size, ends) for one in end.args)
        case ast.BinOp(left=ast.Name(id=left), op=ast.Add(), right=length):
            return left == start and ast.dump(length) == ast.dump(size)
    return False


def _every(test: ast.expr) -> ast.expr | None:
    """`steps` of `(i + 1) % steps == 0`."""
    found = [
        node.right for node in nodes(test) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod)
    ]
    return found[0] if len(found) == 1 else None


def _calls_below(body: Sequence[ast.AST]) -> Iterator[ast.Call]:
    for statement in body:
        for node in nodes(statement):
            if isinstance(node, ast.Call):
                yield node


def _steps_optimizer(call: ast.Call) -> bool:
    function = call.func
    return (
        isinstance(function, ast.Attribute)
        and function.attr == "step"
        and bool(_OPTIMIZER.search(last_name(function.value)))
    )


def _is_used_otherwise(scope: AnyFunction | ast.Module, test: ast.expr, steps: str) -> bool:
    """Does anything but the test, a count or a message use the steps, or is a gradient scaled?"""
    allowed = {id(node) for node in nodes(test)}
    for node in nodes(scope):
        if isinstance(node, ast.Compare | ast.FormattedValue | ast.arguments):
            allowed.update(id(inner) for inner in nodes(node))
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.FloorDiv | ast.Mod):
            allowed.update(id(inner) for inner in nodes(node))
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult) and _is_size(node):
            allowed.update(id(inner) for inner in nodes(node))
        if isinstance(node, ast.Call) and last_name(node.func) in _HARMLESS:
            allowed.update(id(inner) for inner in nodes(node))
        if isinstance(node, ast.Attribute) and node.attr in ("grad", "main_grad"):
            return True
    return any(
        isinstance(node, ast.Name | ast.Attribute)
        and isinstance(node.ctx, ast.Load)
        and last_name(node) == steps
        and id(node) not in allowed
        for node in nodes(scope)
    )


def _is_size(product: ast.BinOp) -> bool:
    """`batch_size * accumulation_steps`: how many examples, or tokens, the optimizer sees in one step."""
    names = {last_name(node) for node in nodes(product) if isinstance(node, ast.Name | ast.Attribute)}
    return any(map(_SIZES.search, names)) and not any(map(_SCALES.search, names))
