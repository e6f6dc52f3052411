"""Objects of the module's own classes: how they are made, and which attributes they have then."""

from __future__ import annotations

import ast
from functools import lru_cache
from typing import Final

from batchmean.engine.domain.tensors import altered
from batchmean.engine.domain.values import (
    BuiltinValue,
    ClassValue,
    Const,
    DictValue,
    FunctionValue,
    InstanceValue,
    ListValue,
    TupleValue,
    Value,
    named,
)
from batchmean.engine.machine.base import Machine
from batchmean.nodes import nodes

_ARITHMETIC: Final = ("__mul__", "__rmul__", "__truediv__", "__add__", "__radd__", "__float__")


def instantiate(
    context: Machine, cls: ClassValue, args: list[Value], kwargs: dict[str, Value], node: ast.AST
) -> Value:
    """An object of a local class, its attributes set by its `__init__`."""
    instance = InstanceValue(cls)
    if any(context.find_method(cls, name) is not None for name in _ARITHMETIC):
        # What it makes of a loss that it is given is not followed.
        context.unsure((*args, *kwargs.values()))
    init = context.find_method(cls, "__init__")
    if isinstance(init, FunctionValue):
        context.call_function(altered(init, receiver=instance), args, kwargs, node)
    else:
        given = dict(zip(fields_of(context, cls), args, strict=False)) | kwargs
        for name, value in given.items():
            context.attributes[instance, name] = named(value, name)
        after = context.find_method(cls, "__post_init__")
        if isinstance(after, FunctionValue):
            context.call_function(altered(after, receiver=instance), [], {}, node)
    return instance


def fields_of(context: Machine, cls: ClassValue) -> list[str]:
    """The fields of a data class or a named tuple, in the order in which its constructor takes them."""
    bases = (context.evaluate_in(cls.scope, base) for base in cls.node.bases)
    inherited = [name for base in bases if isinstance(base, ClassValue) for name in fields_of(context, base)]
    own = [
        n.target.id for n in cls.node.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)
    ]
    return list(dict.fromkeys((*inherited, *own)))


def blank_instance(context: Machine, cls: ClassValue) -> InstanceValue:
    """An object of a local class built with unknown arguments."""
    instance = InstanceValue(cls, is_any=True)
    init = context.find_method(cls, "__init__")
    if isinstance(init, FunctionValue):
        context.call_function(altered(init, receiver=instance), [], {}, init.node, standalone=True)
    classes = [each.node for each in (cls, *context.bases_of(cls))]
    begun = {name for each in classes for name in stored_by(each)[0]}
    for name in sorted({name for each in classes for name in stored_by(each)[1]}):
        # What starts as None and is set by another method later is not None where it is used; and of two criteria
        # nobody knows which it is.
        value = context.attributes.get((instance, name))
        is_one_of_two = isinstance(value, BuiltinValue | DictValue) and name in begun
        if is_one_of_two or (isinstance(value, Const) and value.value is None):
            context.attributes[instance, name] = context.opaque((name,))
    for name in sorted(begun):
        value = context.attributes.get((instance, name))
        if isinstance(value, TupleValue) and not value.items:  # a list that is there to be filled
            context.attributes[instance, name] = ListValue(context.opaque())
    return instance


@lru_cache(maxsize=64)
def stored_by(cls: ast.ClassDef) -> tuple[frozenset[str], frozenset[str]]:
    """The attributes of `self` that a class stores, or stores something in: by its `__init__`, and by other methods."""
    found: tuple[set[str], set[str]] = set(), set()
    for method in cls.body:
        if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in nodes(method):
                stored = _changed(node)
                if isinstance(stored, ast.Attribute):
                    found[method.name != "__init__"].add(stored.attr)
    return frozenset(found[0]), frozenset(found[1])


def _changed(node: ast.AST) -> ast.AST | None:
    """What is stored, or something is stored in: `self.criterion`, `self.criteria["kl"]`."""
    if not isinstance(getattr(node, "ctx", None), ast.Store):
        return None
    return node.value if isinstance(node, ast.Subscript) else node
