"""Gradients that are accumulated over several batches: the loss of each is divided by their number, once.

Read off the statements of a function: which divisions by the accumulation steps lie on the way to `backward`, and
whether the optimizer steps every so many batches.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from batchmean.engine.domain.tensors import Place
from batchmean.engine.epochs.expressions import last_name, path_of
from batchmean.engine.epochs.values import Figure
from batchmean.engine.events import Miscount

_STEPS: Final = re.compile(r"accum|(^|_)acc_(steps?|iters?)", re.I)
"""What people call the number of batches whose gradients are added up."""
_OPTIMIZER: Final = re.compile(r"opt|scaler|solver", re.I)
_MOST: Final = 50
"""So many calls of `backward` are looked at in one module."""
_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
_HARMLESS: Final = frozenset("range len int print max min ceil Accelerator add_argument format info".split())
"""Calls that are given the steps and do nothing to a loss."""


def accumulations(tree: ast.Module, backward: Mapping[ast.Call, Figure]) -> Iterator[Miscount]:
    """Every loss that is divided by the accumulation steps twice, or never.

    `backward` are the calls of `loss.backward()` with what is known of the loss.
    """
    dividing = dict(_accelerators(tree))
    left = _MOST
    for scope in [node for node in ast.walk(tree) if isinstance(node, _FUNCTIONS)]:
        statements = list(_statements(scope.body, ()))
        for statement, path in statements:
            for call in _calls(statement):
                if not isinstance(call.func, ast.Attribute) or call.func.attr != "backward" or left <= 0:
                    continue
                left -= 1
                yield from _twice(call, path, statements, dividing)
    for call, figure in list(backward.items())[:_MOST]:
        if figure.how == "mean" and not figure.divided:
            yield from _never(tree, call, figure)


_Path = tuple[tuple[ast.AST, str], ...]


def _statements(body: Sequence[ast.stmt], path: _Path) -> Iterator[tuple[ast.stmt, _Path]]:
    """The statements of a function in their order, each with the blocks that it stands in."""
    for statement in body:
        yield statement, path
        if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for name in ("body", "orelse", "finalbody"):
            yield from _statements(getattr(statement, name, ()), (*path, (statement, name)))
        for handler in getattr(statement, "handlers", ()):
            yield from _statements(handler.body, (*path, (handler, "body")))


def _calls(statement: ast.stmt) -> Iterator[ast.Call]:
    """The calls in a statement without its blocks."""
    todo: list[ast.AST] = [node for node in ast.iter_child_nodes(statement) if not isinstance(node, ast.stmt)]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Call):
            yield node
        todo += [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.stmt)]


def _accelerators(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The names of what divides by the accumulation steps itself, with the name of their number."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
            continue
        if last_name(node.value.func) != "Accelerator":
            continue
        for keyword in node.value.keywords:
            if keyword.arg != "gradient_accumulation_steps":
                continue
            if isinstance(keyword.value, ast.Constant) and keyword.value.value == 1:
                continue
            for target in node.targets:
                yield last_name(target), last_name(keyword.value)


def _twice(
    call: ast.Call, path: _Path, statements: Sequence[tuple[ast.stmt, _Path]], dividing: Mapping[str, str]
) -> Iterator[Miscount]:
    """A loss that is divided by the steps, and by them again, or by an accelerator that does it itself."""
    assert isinstance(call.func, ast.Attribute)
    receiver = last_name(call.func.value)
    by_itself = bool(call.args) and receiver in dividing
    loss = call.args[0] if by_itself else call.func.value
    if call.args and not by_itself:
        return
    found = list(_divisions(loss, call, path, statements, dividing.get(receiver, "")))
    if len(found) + by_itself < 2:
        return
    places = [Place(node, "this divides by the accumulation steps") for node in found]
    if by_itself:
        places.append(Place(call, "an accelerator that is told the steps divides by them itself"))
    kinds = {_divisor_name(node) for node in found}
    if len(kinds) > 1:
        return
    yield Miscount(
        found[-1], "accumulation", tuple(places), False, None, None, "accelerator" if by_itself else "twice"
    )


def _divisions(
    loss: ast.expr, call: ast.Call, path: _Path, statements: Sequence[tuple[ast.stmt, _Path]], steps: str
) -> Iterator[ast.AST]:
    """The divisions by the steps on the way to a `backward`, in their order."""
    while isinstance(loss, ast.Call) and last_name(loss.func) == "scale" and loss.args:
        loss = loss.args[0]  # scaler.scale(loss).backward()
    own = list(_in_expression(loss, steps))
    while isinstance(loss, ast.BinOp):
        loss = loss.left
    name = path_of(loss)
    before: list[tuple[ast.AST, _Path]] = []
    for statement, where in statements:
        if statement.lineno >= call.lineno or not name:
            continue
        if any(node is other and block != mine for node, block in where for other, mine in path):
            continue  # the other branch of a test that leads to the call
        if isinstance(statement, ast.Assign) and any(path_of(target) == name for target in statement.targets):
            divided = list(_in_expression(statement.value, steps))
            if not any(
                path_of(node) == name for node in ast.walk(statement.value) if isinstance(node, ast.expr)
            ):
                before = [entry for entry in before if len(where) > len(path)]
            before += [(node, where) for node in divided]
        elif isinstance(statement, ast.AugAssign) and path_of(statement.target) == name:
            if isinstance(statement.op, ast.Div) and _is_steps(statement.value, steps):
                before.append((statement, where))
    kept: list[tuple[ast.AST, _Path]] = []
    for node, where in before:
        others = [w for _, w in kept]
        if not any(n is m and b != c for w in others for n, b in w for m, c in where):
            kept.append((node, where))
    yield from (node for node, _ in kept)
    yield from own


def _in_expression(value: ast.expr, steps: str) -> Iterator[ast.AST]:
    while isinstance(value, ast.BinOp) and isinstance(value.op, ast.Div | ast.Mult):
        if isinstance(value.op, ast.Mult):
            return
        if _is_steps(value.right, steps):
            yield value
        value = value.left


def _is_steps(node: ast.expr, steps: str) -> bool:
    name = last_name(node)
    return bool(name) and (name == steps or bool(_STEPS.search(name)))


def _divisor_name(node: ast.AST) -> str:
    by = (
        node.right if isinstance(node, ast.BinOp) else node.value if isinstance(node, ast.AugAssign) else None
    )
    return last_name(by) if by is not None else ""


def _never(tree: ast.Module, call: ast.Call, figure: Figure) -> Iterator[Miscount]:
    """A mean whose gradients are added up over batches until the optimizer steps, and divided by nothing."""
    scope = _innermost(tree, call)
    if scope is None:
        return
    statements = list(_statements(scope.body, ()))
    path = next((where for statement, where in statements if any(c is call for c in _calls(statement))), None)
    if path is None:
        return
    loop = next(
        (node for node, _ in reversed(path) if isinstance(node, ast.For | ast.AsyncFor | ast.While)), None
    )
    if loop is None:
        return
    for statement, where in statements:
        if (
            not isinstance(statement, ast.If)
            or not where
            or where[-1][0] is not loop
            or (statement, "body") in path
        ):
            continue
        steps = _every(statement.test)
        if steps is None or not _STEPS.search(last_name(steps)):
            continue
        inside = list(_calls_below(statement.body))
        zeroed = [c for c in _calls_below([loop]) if last_name(c.func) == "zero_grad"]
        if not any(_steps_optimizer(c) for c in inside) or not zeroed or any(c not in inside for c in zeroed):
            continue
        if not _is_used_otherwise(scope, statement, last_name(steps)):
            places = (
                *figure.places,
                Place(call, "the gradients of several batches are added up"),
                Place(statement.test, "the optimizer steps once for all of them"),
            )
            yield Miscount(call, "accumulation", places, False, None, None, "never")
            return


def _innermost(tree: ast.Module, node: ast.Call) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    around = [
        function
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        and function.lineno <= node.lineno <= (function.end_lineno or 0)
    ]
    return max(around, key=lambda function: function.lineno, default=None)


def _every(test: ast.expr) -> ast.expr | None:
    """`steps` of `(i + 1) % steps == 0`."""
    found = [
        node.right for node in ast.walk(test) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod)
    ]
    return found[0] if len(found) == 1 else None


def _calls_below(body: Sequence[ast.stmt]) -> Iterator[ast.Call]:
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Call):
                yield node


def _steps_optimizer(call: ast.Call) -> bool:
    function = call.func
    return (
        isinstance(function, ast.Attribute)
        and function.attr == "step"
        and bool(_OPTIMIZER.search(last_name(function.value)))
    )


def _is_used_otherwise(scope: ast.FunctionDef | ast.AsyncFunctionDef, every: ast.If, steps: str) -> bool:
    """Does anything but the test, a count or a message use the steps, or is a gradient scaled?"""
    allowed = {id(node) for node in ast.walk(every.test)}
    for node in ast.walk(scope):
        if isinstance(node, ast.Compare | ast.FormattedValue | ast.arguments):
            allowed.update(id(inner) for inner in ast.walk(node))
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.FloorDiv | ast.Mod):
            allowed.update(id(inner) for inner in ast.walk(node))
        if isinstance(node, ast.Call) and last_name(node.func) in _HARMLESS:
            allowed.update(id(inner) for inner in ast.walk(node))
        if isinstance(node, ast.Attribute) and node.attr in ("grad", "main_grad"):
            return True
    return any(
        isinstance(node, ast.Name | ast.Attribute)
        and isinstance(node.ctx, ast.Load)
        and last_name(node) == steps
        and id(node) not in allowed
        for node in ast.walk(scope)
    )
