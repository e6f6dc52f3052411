"""Calling values: local functions and classes, known operations, methods of arrays."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Sequence
from typing import Final

from batchmean import operations
from batchmean.engine.domain.algebra import may_hold_a_count
from batchmean.engine.domain.broadcasting import map_atoms
from batchmean.engine.domain.join import something
from batchmean.engine.domain.literals import of_word
from batchmean.engine.domain.masks import mask_of, moved
from batchmean.engine.domain.tensors import Place, Tensor, altered, is_unknown
from batchmean.engine.domain.values import (
    ANY_KEYWORDS,
    Alternatives,
    BuiltinValue,
    ClassValue,
    Const,
    DictValue,
    DistributionValue,
    FunctionValue,
    InstanceValue,
    ListValue,
    ModuleValue,
    Scope,
    ShapeValue,
    SizesValue,
    SpreadValue,
    TupleValue,
    Value,
    named,
    tensors_in,
)
from batchmean.engine.evidence.masks import is_bare_mask_name, makes_masks, moves_pixels
from batchmean.engine.lengths import part_of
from batchmean.engine.machine import dictionaries
from batchmean.engine.machine.base import Machine
from batchmean.engine.machine.binding import bind, stored_at
from batchmean.engine.machine.class_loops import listed_classes
from batchmean.engine.machine.heirs import gives_another
from batchmean.engine.machine.items import primitive_of
from batchmean.engine.machine.memory import change, is_anything
from batchmean.engine.machine.objects import instantiate
from batchmean.engine.machine.out_of_sight import hand_over
from batchmean.engine.primitives import PRIMITIVES, Call
from batchmean.engine.selection.changes import MUTATORS, REGISTERING, changes_first, changes_in_place
from batchmean.engine.syntax import written_to
from batchmean.engine.uses import note_made_of, note_uses
from batchmean.operations.table import Operation

_OBJECTS: Final = (InstanceValue, ClassValue)
_SEQUENCES: Final = (TupleValue, ListValue)
_DECIDING: Final = frozenset("axis reduction size_average reduce weights where".split())
"""Arguments without which nobody knows what is reduced, and how."""
_FILLING: Final = frozenset("fill put partition".split())
"""Methods of NumPy's arrays that change them."""
_STACKING: Final = frozenset("stack mean sum array".split())
"""The primitives that make one array of a list."""


def evaluate_call(context: Machine, node: ast.Call) -> Value:
    """The value of a call expression."""
    function = node.func
    if isinstance(function, ast.Attribute):
        if (stored := stored_at(context, node)) is not None:
            return stored
        receiver = something(context.evaluate(function.value))
        args, kwargs = arguments(context, node)
        if _is_super(function.value):
            result = _call_super(context, function.attr, args, kwargs, node)
        else:
            result = context.lift(
                lambda base: call_method(context, base, function.attr, args, kwargs, node), receiver
            )
    else:
        callee = context.evaluate(function)
        args, kwargs = arguments(context, node)
        result = call(context, callee, args, kwargs, node)
    _change_arguments(context, node, args, result)
    if not (isinstance(result, Tensor) and result.reductions):  # a loss whose making was followed
        note_uses(context.ledger, (*args, *kwargs.values()), result)
    return result


def _change_arguments(context: Machine, node: ast.Call, args: Sequence[Value], result: Value) -> None:
    """`np.multiply(x, y, out=x)`, `F.relu_(x)`, `np.copyto(x, y)`: what a function writes to."""
    if (out := written_to(node)) is not None:
        written = context.evaluate(out)
        if not isinstance(written, Const):  # `Namespace(out=How.MEAN)` writes to no array
            change(context, written)
            bind(context, out, result)
    elif changes_first(node) and args:
        change(context, args[0])
        if isinstance(args[0], InstanceValue) and len(args) == 3 and isinstance(args[1], Const):
            context.attributes[args[0], str(args[1].value)] = args[2]  # setattr(x, "name", value)


def _classes_in(context: Machine, call: ast.Call, argument: ast.expr) -> Value | None:
    """The columns that a call stacks, or takes the mean or the sum of, where they are all the classes of a loss."""
    if not isinstance(argument, ast.List | ast.Tuple) or argument is not call.args[0]:
        return None
    primitive = primitive_of(context, call)
    has_axis = len(call.args) > 1 or bool(call.keywords)
    is_first = primitive in _STACKING and not (primitive == "stack" and has_axis)  # the classes come first
    return listed_classes(context, argument) if is_first else None


def arguments(context: Machine, node: ast.Call) -> tuple[list[Value], dict[str, Value]]:
    """The arguments of a call, those by position and those by keyword."""
    args: list[Value] = []
    for argument in node.args:
        value = _classes_in(context, node, argument) or context.evaluate(argument)
        if isinstance(argument, ast.Starred):
            if isinstance(value, TupleValue):
                args.extend(value.items)
            elif isinstance(value, ShapeValue):
                args.append(value)
            else:
                # What follows it may be any argument, and so may what it holds.
                args.append(SpreadValue(context.element_of(value)))
                break
        else:
            args.append(value)
    kwargs: dict[str, Value] = {}
    if args and isinstance(args[-1], SpreadValue):
        kwargs[ANY_KEYWORDS] = args[-1].element
    for keyword in node.keywords:
        value = context.evaluate(keyword.value)
        if keyword.arg is not None:
            kwargs[keyword.arg] = value
        elif isinstance(value, DictValue):
            kwargs.update({key: item for key, item in value.items if isinstance(key, str)})
        else:
            kwargs[ANY_KEYWORDS] = value
    return args, kwargs


def call(
    context: Machine, function: Value, args: list[Value], kwargs: dict[str, Value], node: ast.AST
) -> Value:
    """Call any value."""
    if isinstance(function, Alternatives):
        return context.lift(lambda f: call(context, f, args, kwargs, node), function)
    if is_anything(function):
        return context.anything()
    if isinstance(function, FunctionValue):
        return context.call_function(function, args, kwargs, node)
    if isinstance(function, BuiltinValue):
        return function.call(args, kwargs, node)
    if isinstance(function, ClassValue):
        return instantiate(context, function, args, kwargs, node)
    if isinstance(function, InstanceValue):
        for name in ("forward", "__call__", "call"):
            method = context.find_method(function.cls, name)
            if method is not None and function.is_any and gives_another(context, function.cls, name):
                break
            if isinstance(method, FunctionValue):
                bound = altered(method, receiver=function)
                return note_made_of(context.ledger, context.call_function(bound, args, kwargs, node), args)
        hand_over(context, (*args, *kwargs.values()))
        return context.unknown_of(args)
    if isinstance(function, ModuleValue):
        operation = operations.function(function.name)
        if operation is None:
            operation = _compatibility(context, function.name)
        if operation is not None:
            result = apply(context, operation, args, kwargs, node)
            if len(args) > len(operation.parameters) and function.name.startswith("numpy."):
                _write_last(context, node, args[len(operation.parameters) :], result)
            return result
        own = context.imported(function.name)
        if own is not None and not isinstance(own, ModuleValue | Tensor):
            return call(context, own, args, kwargs, node)
    return _unknown_result(context, args, kwargs, node, function)


def _write_last(context: Machine, node: ast.AST, rest: Sequence[Value], result: Value) -> None:
    """`np.multiply(x, y, x)`: NumPy's functions take the array that they write to last, too."""
    if isinstance(rest[0], Tensor) and isinstance(node, ast.Call) and len(rest) == 1:
        change(context, rest[0])
        bind(context, node.args[-1], result)


def _compatibility(context: Machine, name: str) -> Operation | None:
    """A package's own `reduce_mean` for both versions of TensorFlow, beside an import of it."""
    last = name.rpartition(".")[2]
    if last not in ("reduce_mean", "reduce_sum") or not name.startswith("."):
        return None
    has_it = any(package.startswith("tensorflow") for package in context.packages)
    return operations.function(f"tensorflow.{last}") if has_it else None


def _unknown_result(
    context: Machine, args: list[Value], kwargs: dict[str, Value], node: ast.AST, *by: Value
) -> Value:
    """What an unknown function gives: nothing is known of it, unless its name or an argument says something.

    Asked for `reduction="none"` it gives a loss; `make_pad_mask` gives a mask, and `expand_as_right(mask, x)` the mask.
    """
    hand_over(context, (*args, *kwargs.values()), by)
    function = getattr(node, "func", None)
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    first = something(args[0]) if args else None
    if isinstance(first, Tensor) and name.startswith(("expand", "broadcast")) and mask_of(first) is not None:
        return first
    mask = mask_of(first) if isinstance(first, Tensor) and moves_pixels(name) else None
    if mask is not None and not is_bare_mask_name(
        mask.names
    ):  # else the name that the result is given says more
        return moved(mask, Place(node, f"{name} of a mask is a mask"), context.fresh())
    if any(key.startswith("reduction") and _is_none(value) for key, value in kwargs.items()):
        place = Place(node, "asked for no reduction, this gives a loss per element")
        loss = context.computed()
        return map_atoms(loss, lambda atom: altered(atom, kind="error", place=place))
    return context.unknown_of(args, (name,) if makes_masks(name) else (), kwargs.values(), method=name)


def _is_none(value: Value) -> bool:
    return isinstance(value, Const) and value.value == "none"


def call_method(
    context: Machine,
    receiver: Value,
    name: str,
    args: list[Value],
    kwargs: dict[str, Value],
    node: ast.Call,
) -> Value:
    """Call `receiver.name(...)`."""
    if isinstance(receiver, ModuleValue):
        return call(context, ModuleValue(f"{receiver.name}.{name}"), args, kwargs, node)
    if isinstance(receiver, Const) and (word := of_word(receiver, name, args)) is not None:
        return word
    if (
        isinstance(receiver, InstanceValue)
        and name in REGISTERING
        and len(args) > 1
        and isinstance(args[0], Const)
    ):
        context.attributes[receiver, str(args[0].value)] = named(args[1], str(args[0].value))
        return Const(None)
    if isinstance(receiver, _OBJECTS):
        method = context.attribute(receiver, name, node.func)
        if not isinstance(method, Tensor):
            return call(context, method, args, kwargs, node)
        hand_over(context, (*args, *kwargs.values()), (method,))
        return (
            context.anything() if is_anything(method) else context.unknown_of(args, (name,), kwargs.values())
        )
    if isinstance(receiver, BuiltinValue) and name == "apply":
        return receiver.call(args, kwargs, node)
    if isinstance(receiver, DictValue) and (
        taken := dictionaries.call(context, receiver, name, args, kwargs, node)
    ):
        return taken
    if name == "append" and args and isinstance(receiver, _SEQUENCES):
        return _append(context, receiver, args[0], node)
    if isinstance(receiver, DistributionValue):
        operation = operations.method(f"distribution.{name}")
        return apply(context, operation, [receiver, *args], kwargs, node) if operation else context.opaque()
    in_place = changes_in_place(name)
    if in_place or (
        name in MUTATORS and (name in _FILLING or isinstance(receiver, DictValue | ListValue | TupleValue))
    ):
        change(context, receiver)
    operation = operations.method(name) or (operations.method(name[:-1]) if in_place else None)
    if operation is None:
        context.as_tensor(receiver)
        hand_over(context, (*args, *kwargs.values()), (receiver,))
        return part_of(receiver, context.unknown_of(args, beside=(receiver, *kwargs.values()), method=name))
    result = apply(context, operation, [receiver, *args], kwargs, node)
    if name == "copy_" and args:
        result = context.as_tensor(args[0])  # it is written to, not copied
    if in_place and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
        context.scope.names[node.func.value.id] = named(result, node.func.value.id)
    elif in_place and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Attribute):
        bind(context, node.func.value, result)
    return result


def _append(context: Machine, receiver: TupleValue | ListValue, item: Value, node: ast.Call) -> Value:
    """`items.append(x)`: from now on the list holds things like x."""
    item = context.in_each_round(item, node.args[0], node)
    holder = node.func.value if isinstance(node.func, ast.Attribute) else None
    elements = [receiver.element] if isinstance(receiver, ListValue) else list(receiver.items)
    longer = ListValue(context.one_of([*elements, item]))
    change(context, receiver)  # by its other names
    if isinstance(holder, ast.Name):
        context.scope.names[holder.id] = longer
    elif isinstance(holder, ast.Attribute):
        bind(context, holder, longer)
    return Const(None)


def apply(
    context: Machine, operation: Operation, args: list[Value], kwargs: dict[str, Value], node: ast.AST
) -> Value:
    """Run a known operation on the arguments as the framework spells them."""
    primitive = PRIMITIVES.get(operation.primitive)
    if primitive is None:
        return context.opaque()
    bound, rest = operation.bind(args, kwargs)
    if ANY_KEYWORDS in kwargs and any(
        parameter and parameter[0] in _DECIDING and parameter[0] not in bound
        for parameter in operation.parameters
    ):
        return _unknown_result(context, args, kwargs, node)
    names = list(bound)
    site = Call(context, node, operation)

    def run(*values: Value) -> Value:
        given = dict(zip(names, values, strict=False))
        first: list[Value] = []
        if operation.rest:
            canonical = {parameter[0] for parameter in operation.parameters if parameter}
            first = [given.pop(n) for n in names if n in canonical]
        try:
            return primitive(site, *first, *values[len(names) :], **given)
        except TypeError:
            if _fits(primitive, [site, *first, *values[len(names) :]], given):
                raise
            return context.opaque()

    values = list(bound.values())
    result = context.lift(run, *(something(v) for v in values[:1]), *values[1:], *rest)
    if isinstance(result, Tensor) and not result.reductions:
        _give_up_what_may_be_scaled(context, (*values, *rest))
        if is_unknown(result) and _are_counts((*values, *rest)):
            result = map_atoms(result, lambda atom: altered(atom, is_of_counts=True))
    note_uses(context.ledger, (*values, *rest), result)
    return result


def _give_up_what_may_be_scaled(context: Machine, given: Sequence[Value]) -> None:
    """A loss beside a count, of which an operation makes what is not followed: it may be their product."""
    if not any((isinstance(v, Tensor) and v.reductions) or isinstance(v, _SEQUENCES) for v in given):
        return
    arrays = list(tensors_in(given, 2))
    losses = [array for array in arrays if array.reductions]
    if losses and any(may_hold_a_count(array) for array in arrays if not array.reductions):
        context.unsure(losses)


def _are_counts(given: Sequence[Value]) -> bool:
    """Are they lengths, and numbers beside them? What is not followed of these may be one of them."""
    numbers = [v for v in given if not isinstance(v, Const)]
    return bool(numbers) and all(
        isinstance(v, ShapeValue | SizesValue)
        or (isinstance(v, Tensor) and v.shape.is_scalar and may_hold_a_count(v))
        for v in numbers
    )


def _fits(primitive: Callable[..., Value], args: list[object], kwargs: dict[str, Value]) -> bool:
    """Were the arguments those that the primitive takes? If not, the call in the linted code is off."""
    try:
        inspect.signature(primitive).bind(*args, **kwargs)
    except TypeError:
        return False
    return True


def _is_super(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"


def _call_super(
    context: Machine, name: str, args: list[Value], kwargs: dict[str, Value], node: ast.Call
) -> Value:
    receiver = context.scope.find("self")
    scope: Scope | None = context.scope
    while scope is not None and scope.owner is None:
        scope = scope.parent
    owner = scope.owner if scope is not None else None
    if isinstance(receiver, InstanceValue) and owner is not None:
        method = context.find_method(owner, name, skip_own=True)
        if isinstance(method, FunctionValue):
            return context.call_function(altered(method, receiver=receiver), args, kwargs, node)
    return context.opaque()
