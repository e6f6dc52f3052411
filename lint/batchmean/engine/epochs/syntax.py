"""What can be read off the syntax of loops, classes and decorators alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from batchmean.engine.epochs.spelling import REDUCTIONS, STEPS, last_name, path_of
from batchmean.nodes import FUNCTIONS, children, nodes

_MAPS: Final = frozenset("vmap pmap filter_vmap filter_pmap shard_map".split())
_RANGES: Final = frozenset("range trange".split())

AnyFunction: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


def is_mapped(decorator: ast.expr) -> bool:
    return any(
        isinstance(node, ast.Name | ast.Attribute) and last_name(node) in _MAPS for node in nodes(decorator)
    )


def is_automatic(line: Sequence[ast.ClassDef]) -> bool:
    """Is a class, here with those that it inherits from, a module of Lightning whose trainer takes the gradients?"""
    if not any(last_name(base) == "LightningModule" for cls in line for base in cls.bases):
        return False
    return not any(
        isinstance(node, ast.Attribute) and node.attr == "automatic_optimization"
        for cls in line
        for node in nodes(cls)
    )


def is_trainer(cls: ast.ClassDef) -> bool:
    """Does it inherit from what is called a trainer?"""
    return any(last_name(base).endswith("Trainer") for base in cls.bases)


def functions_of(tree: ast.Module) -> list[AnyFunction]:
    """The functions of a module, those inside others among them."""
    return [node for node in nodes(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def innermost(functions: Sequence[AnyFunction], node: ast.Call) -> AnyFunction | None:
    """The innermost of the functions that is around a call."""
    around = [f for f in functions if f.lineno <= node.lineno <= (f.end_lineno or 0)]
    return max(around, key=lambda function: function.lineno, default=None)


def own_statements(body: Sequence[ast.stmt]) -> Iterator[ast.AST]:
    """The statements of a loop, those of loops and functions in it left out."""
    todo: list[ast.AST] = list(body)
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(
            node, ast.For | ast.AsyncFor | ast.While | ast.ClassDef | ast.expr | ast.FunctionDef
        ):
            todo += children(node)


def steps_of(loop: ast.For) -> ast.expr | None:
    """`steps` of `for _ in range(steps)`, where they are called the accumulation steps."""
    match loop.iter:
        case ast.Call(func=function, args=[steps]) if last_name(function) in _RANGES:
            return steps if STEPS.search(last_name(steps)) else None
    return None


def reset_names(body: Sequence[ast.stmt]) -> Iterator[str]:
    """What a loop sets back under a condition."""
    for node in own_statements(body):
        if isinstance(node, ast.If):
            yield from _reset_in([inner for inner in nodes(node) if isinstance(inner, ast.stmt)])


def reset_together(body: Sequence[ast.stmt]) -> Iterator[frozenset[str]]:
    """The names that one block under a condition sets back, if nothing else in the loop does."""
    blocks = [
        block
        for node in own_statements(body)
        if isinstance(node, ast.If)
        for block in (node.body, node.orelse)
    ]
    groups = [frozenset(_reset_in(block)) for block in blocks]
    for group in groups:
        yield frozenset(name for name in group if sum(name in other for other in groups) == 1)


def _reset_in(block: Sequence[ast.stmt]) -> Iterator[str]:
    for node in block:
        if isinstance(node, ast.Assign) and not isinstance(node.value, ast.BinOp | ast.Call):
            for target in node.targets:
                targets = target.elts if isinstance(target, ast.Tuple) else [target]
                yield from filter(None, map(path_of, targets))


def attributes(cls: ast.ClassDef) -> Mapping[str, list[ast.expr]]:
    """What is stored under the attributes of `self`, but for None."""
    found: dict[str, list[ast.expr]] = {}
    for node in nodes(cls):
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            if (
                isinstance(target, ast.Attribute)
                and isinstance(target.value, ast.Name)
                and target.value.id == "self"
            ):
                if not (isinstance(node.value, ast.Constant) and node.value.value is None):
                    found.setdefault(target.attr, []).append(node.value)
            if isinstance(target, ast.Attribute) and target.attr in REDUCTIONS:
                found.setdefault(last_name(target.value), []).append(ast.Constant(Ellipsis))
        for target in node.targets:
            if isinstance(target, ast.Tuple):
                for element in target.elts:
                    if isinstance(element, ast.Attribute):
                        found.setdefault(element.attr, []).append(ast.Constant(Ellipsis))
    return found


def kept_parameters(cls: ast.ClassDef) -> Mapping[str, str]:
    """The attribute in which `__init__` keeps a parameter as it is, for each that it does not change."""
    init = next((m for m in cls.body if isinstance(m, FUNCTIONS) and m.name == "__init__"), None)
    if init is None:
        return {}
    given = {parameter.arg for parameter in (*init.args.args[1:], *init.args.kwonlyargs)}
    kept: dict[str, str] = {}
    for node in nodes(init):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            given.discard(node.id)
        match node:
            case ast.Assign(
                targets=[ast.Attribute(value=ast.Name(id="self"), attr=attribute)], value=ast.Name(id=name)
            ):
                kept.setdefault(name, attribute)
    return {name: attribute for name, attribute in kept.items() if name in given}


Path: TypeAlias = tuple[tuple[ast.AST, str], ...]
"""The blocks that a statement stands in, from the outside."""


def statements_of(body: Sequence[ast.stmt], path: Path) -> Iterator[tuple[ast.stmt, Path]]:
    """The statements of a function in their order, each with the blocks that it stands in."""
    for statement in body:
        yield statement, path
        if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for name in ("body", "orelse", "finalbody"):
            yield from statements_of(getattr(statement, name, ()), (*path, (statement, name)))
        for handler in getattr(statement, "handlers", ()):
            yield from statements_of(handler.body, (*path, (handler, "body")))


def calls_in(statement: ast.stmt) -> Iterator[ast.Call]:
    """The calls in a statement without its blocks."""
    todo = [node for node in children(statement) if not isinstance(node, ast.stmt)]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Call):
            yield node
        todo += [child for child in children(node) if not isinstance(child, ast.stmt)]


def is_of_some_rounds(test: ast.expr) -> bool:
    """`(step + 1) % steps == 0`: does it hold every so many rounds?"""
    return any(isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) for node in nodes(test))


def given_back(value: ast.expr | None) -> Iterator[ast.expr]:
    """The expressions of the loss in what a step returns: it stands first in a tuple, or under its name."""
    todo = [value]
    while todo:
        node = todo.pop()
        match node:
            case ast.IfExp(body=body, orelse=orelse):
                todo += [body, orelse]
            case ast.Tuple(elts=[first, *_]):
                todo.append(first)
            case ast.Dict(keys=keys, values=values):
                pairs = zip(keys, values, strict=True)
                todo += [v for k, v in pairs if isinstance(k, ast.Constant) and k.value == "loss"]
            case ast.expr():
                yield node


def stored_around(node: ast.AST) -> Iterator[str]:
    """The names that a function stores in the one around it."""
    for statement in getattr(node, "body", ()) if isinstance(node, FUNCTIONS) else ():
        if isinstance(statement, ast.Nonlocal):
            yield from statement.names
