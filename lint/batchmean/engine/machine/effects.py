"""What calls change beside what they give: arrays that they are handed, attributes of objects, outer names.

A call may be followed in part only, or not at all: what it changes is unknown then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from batchmean.engine.domain.tensors import Tensor, is_unknown
from batchmean.engine.domain.values import (
    BuiltinValue,
    ClassValue,
    DictValue,
    FunctionValue,
    InstanceValue,
    ListValue,
    ModuleValue,
    Scope,
    TupleValue,
    Value,
)
from batchmean.engine.machine.base import Machine
from batchmean.engine.machine.memory import change, is_anything
from batchmean.engine.selection.changes import (
    Changes,
    attributes_set_inside,
    class_attributes_set,
    names_changed_inside,
)

_Attributes: TypeAlias = Mapping[str, Value | None]
_HOLDERS: Final = (DictValue, ListValue, TupleValue, Tensor)
_NO_ARRAYS: Final = (BuiltinValue, ClassValue, FunctionValue, ModuleValue)


def before_call(machine: Machine, changes: Changes, function: FunctionValue) -> _Attributes:
    """The attributes that a call may change, as they are before it."""
    receiver = function.receiver
    if not isinstance(receiver, InstanceValue):
        return {}
    return {name: machine.attributes.get((receiver, name)) for name in changes.attributes}


def after_call(
    machine: Machine,
    changes: Changes,
    function: FunctionValue,
    given: tuple[Sequence[Value], Mapping[str, Value]],
    before: _Attributes,
) -> None:
    """Take down what a call has changed, whether it was followed or not."""
    for name in changes.outer:
        scope = _scope_of(function.scope, name)
        if scope is None or is_anything(scope.names[name]):
            continue
        if name in changes.rebound or not isinstance(scope.names[name], _NO_ARRAYS):
            change(machine, scope.names[name], contents=True)
            scope.names[name] = machine.anything()
    for name, value in _parameters(function, *given):
        if name in changes.parameters:
            change(machine, value, contents=True)
    receiver = function.receiver
    for name, earlier in before.items():
        assert isinstance(receiver, InstanceValue)
        if machine.attributes.get((receiver, name)) is not earlier:
            continue  # it was followed
        now = earlier if earlier is not None else machine.find_method(receiver.cls, name)
        if now is None:
            continue
        change(machine, now)
        if not (isinstance(now, Tensor) and is_unknown(now)) and not isinstance(now, FunctionValue):
            machine.attributes[receiver, name] = machine.anything()


def forget_changed(machine: Machine) -> None:
    """The names of the module that one of its functions changes, whoever calls it: these are unknown."""
    names = machine.module.names
    rebound, changed = names_changed_inside(machine.module_lines)
    for name in rebound & names.keys():
        names[name] = machine.anything()
    attributes = class_attributes_set(machine.module_lines)
    for cls in machine.classes() if attributes else ():
        for name in attributes & cls.scope.names.keys():
            if not isinstance(cls.scope.names[name], _NO_ARRAYS):
                cls.scope.names[name] = machine.anything()
    for dotted in attributes_set_inside(machine.module_lines):
        first, _, rest = dotted.partition(".")
        if isinstance(imported := names.get(first), ModuleValue):
            machine.set_elsewhere.add(f"{imported.name}.{rest}")
    for name in changed & names.keys():
        if isinstance(names[name], _HOLDERS):
            names[name] = machine.anything()


def _scope_of(scope: Scope | None, name: str) -> Scope | None:
    while scope is not None and name not in scope.names:
        scope = scope.parent
    return scope


def _parameters(
    function: FunctionValue, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Iterator[tuple[str, Value]]:
    spec = function.node.args
    names = [p.arg for p in (*spec.posonlyargs, *spec.args)][function.receiver is not None :]
    more = [spec.vararg.arg if spec.vararg is not None else ""] * max(len(args) - len(names), 0)
    yield from zip((*names, *more), args, strict=False)
    yield from kwargs.items()
