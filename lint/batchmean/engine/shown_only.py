"""Divisions of what is shown of a loss, of which its gradient knows nothing: `loss.data /= n` before `loss.backward()`.

PyTorch's `data` shares the number with the tensor and not its history: what is divided there is what is printed, and
`backward` goes on from the loss as it was made.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Final

from batchmean.engine.domain.tensors import Place
from batchmean.engine.epochs.spelling import path_of
from batchmean.engine.events import Miscount
from batchmean.nodes import BLOCKS, FUNCTIONS, children, nodes

ABOUT: Final = "gradient"
"""What such an event is about."""
_DIVIDES: Final = frozenset("div_ divide_ true_divide_".split())
_GRADIENTS: Final = frozenset("grad main_grad grads gradients".split())
"""Where these are named the gradients may be divided by hand."""


def divided_for_show(tree: ast.Module) -> Iterator[Miscount]:
    """Each division of the number in a tensor whose gradient is taken next."""
    todo: list[ast.AST] = [tree]
    while todo:
        scope = todo.pop()
        own = list(_own(scope))
        todo += [node for node in own if isinstance(node, FUNCTIONS)]
        if not any(_GRADIENTS & {getattr(node, "attr", ""), getattr(node, "id", "")} for node in own):
            blocks = (
                (node, name)
                for node in (scope, *own)
                for name in BLOCKS
                if node is scope or not isinstance(node, FUNCTIONS)
            )
            for node, name in blocks:
                block = getattr(node, name, ())
                if isinstance(block, list):  # that of a lambda is an expression
                    yield from _in_block(block)


def _own(scope: ast.AST) -> Iterator[ast.AST]:
    """What stands in a function or a module, without what stands in functions inside it."""
    found = children(scope)
    for node in found:
        yield node
        if not isinstance(node, FUNCTIONS):
            found += children(node)


def _in_block(body: Sequence[ast.AST]) -> Iterator[Miscount]:
    """The divisions in one block, each before the gradient is taken and nothing else is stored in its place."""
    divided: dict[str, ast.AST] = {}
    for statement in body:
        inside = list(nodes(statement)) if divided else []
        for node in inside:  # what is stored under a condition may be there, too
            if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
                divided.pop(path_of(node), None)
        for node in inside:
            for path in _taken_of(node):
                if (division := divided.pop(path, None)) is not None:
                    text = "this divides the number in the tensor, and not what its gradient is taken of"
                    because = (
                        Place(division, text),
                        Place(node, f"the gradient of `{path}` is that from before"),
                    )
                    yield Miscount(division, "discarded division", because, False, about=ABOUT)
        if path := _divided(statement):
            divided[path] = statement


def _divided(statement: ast.AST) -> str:
    """`loss` of `loss.data /= n`, `loss.data = loss.data / n` and `loss.data.div_(n)`; empty for all else."""
    match statement:
        case ast.AugAssign(target=ast.Attribute(value=tensor, attr="data"), op=ast.Div()):
            return path_of(tensor)
        case ast.Assign(
            targets=[ast.Attribute(value=tensor, attr="data") as target],
            value=ast.BinOp(left=left, op=ast.Div()),
        ):
            return path_of(tensor) if path_of(left) in (path_of(target), path_of(tensor)) else ""
        case ast.Expr(
            value=ast.Call(func=ast.Attribute(value=ast.Attribute(value=tensor, attr="data"), attr=name))
        ) if name in _DIVIDES:
            return path_of(tensor)
    return ""


def _taken_of(node: ast.AST) -> list[str]:
    """`x` of `x.backward()`, `scaler.scale(x).backward()` and `accelerator.backward(x)`."""
    if (
        not isinstance(node, ast.Call)
        or not isinstance(node.func, ast.Attribute)
        or node.func.attr != "backward"
    ):
        return []
    base = node.func.value
    is_scaled = isinstance(base, ast.Call) and getattr(base.func, "attr", "") == "scale"
    given = base.args if is_scaled and isinstance(base, ast.Call) else [base, *node.args[:1]]
    return list(filter(None, map(path_of, given)))
