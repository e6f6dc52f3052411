"""Attributes of arrays, objects, classes and modules; what a name is by `from losses import *`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final, TypeGuard

from batchmean import operations
from batchmean.effects import Effect, effect_of
from batchmean.engine.context import MAX_DEPTH
from batchmean.engine.domain.broadcasting import relabelled
from batchmean.engine.domain.keys import key_of
from batchmean.engine.domain.shapes import Shape
from batchmean.engine.domain.tensors import altered
from batchmean.engine.domain.values import (
    BuiltinValue,
    ClassValue,
    Const,
    DistributionValue,
    FunctionValue,
    InstanceValue,
    ModuleValue,
    Scope,
    ShapeValue,
    Value,
)
from batchmean.engine.lengths import of_lengths, part_of
from batchmean.engine.machine import calls
from batchmean.engine.machine.base import Machine
from batchmean.engine.machine.heirs import gives_another, sets_any
from batchmean.engine.machine.memory import is_anything
from batchmean.engine.primitives.distributions import parameter
from batchmean.engine.syntax import is_decorated

_BOUND: Final = (
    Effect.AVERAGES
    | Effect.SUMS
    | Effect.TAKES_LOGARITHM
    | Effect.EXPONENTIATES
    | Effect.GIVES_TARGET
    | Effect.DIVIDES
    | Effect.SCALES
)
"""Methods that people take without calling them at once."""


def attribute_of(machine: Machine, base: Value, name: str, node: ast.expr) -> Value:
    """`base.name`, not called."""
    if isinstance(base, ModuleValue):
        full = f"{base.name}.{name}"
        if full in machine.set_elsewhere:
            return machine.anything()
        return Const(None) if operations.is_new_axis(full) else ModuleValue(full)
    if isinstance(base, InstanceValue):
        return instance_attribute(machine, base, name, node)
    if isinstance(base, ClassValue):
        found = class_attribute(machine, base, name)
        return found if found is not None else machine.opaque((name,))
    if isinstance(base, DistributionValue):
        return parameter(machine, base, name, node)
    if isinstance(base, Const) and name == "value":
        return base  # of a member of an Enum, which is taken for its value
    tensor = machine.as_tensor(base)
    if is_anything(tensor) and name not in ("shape", "size", "ndim"):
        return machine.anything()
    if name == "shape":
        return ShapeValue(tensor.shape)
    if name == "size":
        return machine.count_of(ShapeValue(tensor.shape))
    if name == "ndim":
        return Const(tensor.shape.rank) if tensor.shape.rank is not None else machine.opaque((name,))
    if name in ("T", "mT"):
        turned = tensor.shape.swapped(-1, -2) if name == "mT" else tensor.shape.reversed()
        return relabelled(tensor, turned)
    if name in ("data", "values", "real"):
        return tensor
    operation = operations.method(name)
    if operation is not None and effect_of(operation.primitive) & _BOUND:
        # `reduce = x.mean`, `getattr(x, "mean")`: the method, to be called later.
        return BuiltinValue(
            name, lambda args, kwargs, at: calls.apply(machine, operation, [base, *args], kwargs, at)
        )
    atom = tensor.single()
    if atom is None:
        return part_of(base, machine.opaque((name,)))
    if (stored := machine.attributes.get((atom.key, name))) is not None:
        return stored
    shape = machine.items.setdefault(key_of("attribute", atom.key, name), Shape())
    part = machine.shown_opaque("attribute", atom.key, name, names=(name,), shape=shape, is_setting=True)
    return of_lengths(part) if atom.is_of_counts else part_of(base, part)


def instance_attribute(machine: Machine, base: InstanceValue, name: str, node: ast.expr) -> Value:
    value = machine.attributes.get((base, name))
    if base.is_any and gives_another(machine, base.cls, name):
        return machine.anything()  # an heir may have set it, or have a method of its own
    if value is not None:
        if isinstance(value, Const) and sets_any(base.cls.node):
            return machine.anything()
        return machine.lift(lambda one: _as_set(base, name, one), value)
    found = find_method(machine, base.cls, name)
    if isinstance(found, Const) and sets_any(base.cls.node):
        return machine.anything()
    if isinstance(found, FunctionValue):
        bound = altered(found, receiver=base)
        if is_decorated(found.node, "property", "cached_property"):
            return machine.call_function(bound, [], {}, node)
        if _is_of_class(found):  # which of its heirs' it is, is not known of what may be any object
            return altered(found, receiver=machine.opaque() if base.is_any else base.cls)
        return found if is_decorated(found.node, "staticmethod") else bound
    if found is not None:
        return found
    if name == "__class__":
        return base.cls
    value = machine.opaque((name,))
    classes = (base.cls, *bases_of(machine, base.cls))
    if any(sets_any(cls.node) or "__getattr__" in cls.scope.names for cls in classes):
        value = machine.anything()
    machine.attributes.remember((base, name), value)
    return value


def _as_set(base: InstanceValue, name: str, value: Value) -> Value:
    """An attribute with what a test of it asks about: switches are strings (`reduction`), and a flag or a number may
    be set from outside.
    """
    if isinstance(value, Const) and not isinstance(value.value, str):
        return Const(value.value, ("attribute", base, name, repr(value.value)))
    return value


def class_attribute(machine: Machine, cls: ClassValue, name: str) -> Value | None:
    """What a class has under a name; a class method is bound to it."""
    found = find_method(machine, cls, name)
    return altered(found, receiver=cls) if _is_of_class(found) else found


def find_method(machine: Machine, cls: ClassValue, name: str, skip_own: bool = False) -> Value | None:
    """A class attribute, looked up through the local base classes."""
    if name in cls.scope.names and not skip_own:
        own: Value = cls.scope.names[name]
        return own
    return next((base.scope.names[name] for base in bases_of(machine, cls) if name in base.scope.names), None)


def bases_of(machine: Machine, cls: ClassValue) -> Iterator[ClassValue]:
    """The classes of the code that a class is derived from, the nearest first."""
    todo, seen = [(cls, 0)], {cls}
    while todo:
        current, depth = todo.pop()
        if current is not cls:
            yield current
        for base in reversed(current.node.bases if depth < MAX_DEPTH else ()):
            machine.spend()
            value = _base(machine, current.scope, base)
            if isinstance(value, ClassValue) and value not in seen:
                seen.add(value)
                todo.append((value, depth + 1))


def _base(machine: Machine, scope: Scope, node: ast.expr) -> Value | None:
    """What a class is derived from: `Base`, `module.Base`."""
    dotted: list[str] = []
    while isinstance(node, ast.Attribute):
        dotted.insert(0, node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    value = scope.find(node.id)
    if value is None and not dotted:
        value = starred(machine, scope, node.id)
    if isinstance(value, ModuleValue):
        return machine.imported(".".join((value.name, *dotted)))
    return None if dotted else value


def starred(machine: Machine, scope: Scope, name: str) -> Value | None:
    """What a name is by `from losses import *`, of a module of the project."""
    if not machine.follows_imports:
        return None
    found = (machine.imported(f"{module}.{name}") for module in scope.all_project_stars())
    return next((value for value in found if value is not None), None)


def _is_of_class(value: Value | None) -> TypeGuard[FunctionValue]:
    """Is it a method whose first argument is the class?"""
    return isinstance(value, FunctionValue) and is_decorated(value.node, "classmethod")
