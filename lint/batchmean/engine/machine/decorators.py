"""Decorators: what they make of a function; of one that is not followed nothing is expected but the function."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache

from batchmean.engine.domain.values import (
    BuiltinValue,
    ClassValue,
    FunctionValue,
    InstanceValue,
    ModuleValue,
    Scope,
    TupleValue,
    Value,
)
from batchmean.engine.machine import calls
from batchmean.engine.machine.base import Machine
from batchmean.nodes import DEFINITIONS, children, nodes


def decorated(machine: Machine, value: Value, node: ast.expr) -> Value:
    """What a decorator makes of a function, or of what other decorators made of it."""
    applied = _decorator(machine, node)
    if not isinstance(applied, FunctionValue | BuiltinValue | ModuleValue | ClassValue | InstanceValue):
        return value
    if isinstance(applied, FunctionValue) and _gives_it_back(applied.node, applied.receiver is not None):
        machine.note_changes(applied, [value], {})
        return value
    if isinstance(value, FunctionValue):
        machine.ledger.handed.add(value.node)
    result = machine.call(applied, [value], {}, node)
    if isinstance(result, FunctionValue | BuiltinValue | InstanceValue):
        return result
    is_shown = isinstance(applied, FunctionValue | ClassValue | InstanceValue)
    return machine.opaque() if is_shown else value


def _decorator(machine: Machine, node: ast.expr) -> Value:
    """A decorator; one of another module of the project is followed, whatever else it does."""
    name = machine.evaluate(node.func if isinstance(node, ast.Call) else node)
    own = machine.imported(name.name, always=True) if isinstance(name, ModuleValue) else None
    if not isinstance(own, FunctionValue | ClassValue):
        return machine.evaluate(node)
    if not isinstance(node, ast.Call):
        return own
    return machine.call(own, *calls.arguments(machine, node), node)


@lru_cache(maxsize=64)
def _gives_it_back(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, is_method: bool) -> bool:
    """Does a decorator give back the very function that it is given, and make no other of it, as a registry does?"""
    given = [*node.args.posonlyargs, *node.args.args][is_method:]
    if isinstance(node, ast.Lambda) or not given:
        return False
    is_given_back = False
    inner: list[ast.AST] = list(node.body)
    while inner:
        part = inner.pop()
        if isinstance(part, ast.Return):
            if not (isinstance(part.value, ast.Name) and part.value.id == given[0].arg):
                return False
            is_given_back = True
        elif isinstance(part, ast.Name) and part.id == given[0].arg and not isinstance(part.ctx, ast.Load):
            return False
        elif not isinstance(part, (*DEFINITIONS, ast.Lambda)):
            inner += children(part)
        elif any(given[0].arg in (getattr(one, "id", ""), *getattr(one, "names", ())) for one in nodes(part)):
            return False  # it keeps another function, which calls this one
    return is_given_back


def scope_around(function: FunctionValue) -> Scope | None:
    """The scope that a closure has in sight, as a wrapper has that of what it wraps."""
    return function.scope if function.scope.parent is not None and function.owner is None else None


def functions_in(scope: Scope) -> Iterator[FunctionValue]:
    """The functions among the names of a scope, such as what a wrapper wraps."""
    for value in scope.names.values():
        for one in value.items if isinstance(value, TupleValue) else (value,):
            if isinstance(one, FunctionValue):
                yield one
