"""Calling values: local functions and classes, known operations, methods of arrays."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from batchmean import operations
from batchmean.engine.domain.broadcasting import map_atoms
from batchmean.engine.domain.join import something
from batchmean.engine.domain.masks import mask_of, moved
from batchmean.engine.domain.tensors import Place, Tensor, altered, from_atom, is_unknown
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
    SpreadValue,
    TupleValue,
    Value,
    hinted,
    named,
)
from batchmean.engine.evidence import comments
from batchmean.engine.evidence.masks import is_bare_mask_name, makes_masks, moves_pixels
from batchmean.engine.machine.base import Machine
from batchmean.engine.machine.binding import stored_at
from batchmean.engine.machine.class_loops import listed_classes
from batchmean.engine.machine.items import primitive_of
from batchmean.engine.primitives import PRIMITIVES, Call
from batchmean.engine.primitives.choosing import chosen_by_default
from batchmean.engine.uses import note_handed_over, note_uses
from batchmean.nodes import nodes
from batchmean.operations.table import Operation

_OBJECTS: Final = (InstanceValue, ClassValue)
_SEQUENCES: Final = (TupleValue, ListValue)
_DECIDING: Final = frozenset("axis reduction size_average reduce weights where".split())
"""Arguments without which nobody knows what is reduced, and how."""
_STACKING: Final = frozenset("stack mean sum array".split())
"""The primitives that make one array of a list."""
TAKING: Final = frozenset("pop popitem clear update setdefault".split())
"""Methods after which a dictionary holds something else."""


def evaluate_call(context: Machine, node: ast.Call) -> Value:
    """The value of a call expression."""
    function = node.func
    if isinstance(function, ast.Attribute):
        if (stored := stored_at(context, node)) is not None:
            return stored
        receiver = something(context.evaluate(function.value))
        args, kwargs = _arguments(context, node)
        if _is_super(function.value):
            result = _call_super(context, function.attr, args, kwargs, node)
        else:
            result = context.lift(
                lambda base: call_method(context, base, function.attr, args, kwargs, node), receiver
            )
    else:
        callee = context.evaluate(function)
        args, kwargs = _arguments(context, node)
        result = call(context, callee, args, kwargs, node)
    if not (isinstance(result, Tensor) and result.reductions):  # a loss whose making was followed
        note_uses(context.ledger, (*args, *kwargs.values()), result)
    return result


def _classes_in(context: Machine, call: ast.Call, argument: ast.expr) -> Value | None:
    """The columns that a call stacks, or takes the mean or the sum of, where they are all the classes of a loss."""
    if not isinstance(argument, ast.List | ast.Tuple) or argument is not call.args[0]:
        return None
    primitive = primitive_of(context, call)
    has_axis = len(call.args) > 1 or bool(call.keywords)
    is_first = primitive in _STACKING and not (primitive == "stack" and has_axis)  # the classes come first
    return listed_classes(context, argument) if is_first else None


def _arguments(context: Machine, node: ast.Call) -> tuple[list[Value], dict[str, Value]]:
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
    if isinstance(function, FunctionValue):
        return context.call_function(function, args, kwargs, node)
    if isinstance(function, BuiltinValue):
        return function.call(args, kwargs, node)
    if isinstance(function, ClassValue):
        return instantiate(context, function, args, kwargs, node)
    if isinstance(function, InstanceValue):
        for name in ("forward", "__call__", "call"):
            method = context.find_method(function.cls, name)
            if isinstance(method, FunctionValue):
                bound = altered(method, receiver=function)
                return context.call_function(bound, args, kwargs, node)
        note_handed_over(context.ledger, (*args, *kwargs.values()))
        return context.unknown_of(args)
    if isinstance(function, ModuleValue):
        operation = operations.function(function.name)
        if operation is None:
            operation = _compatibility(context, function.name)
        if operation is not None:
            return apply(context, operation, args, kwargs, node)
        own = context.imported(function.name)
        if own is not None and not isinstance(own, ModuleValue | Tensor):
            return call(context, own, args, kwargs, node)
    return _unknown_result(context, args, kwargs, node)


def _compatibility(context: Machine, name: str) -> Operation | None:
    """A package's own `reduce_mean` for both versions of TensorFlow, beside an import of it."""
    last = name.rpartition(".")[2]
    if last not in ("reduce_mean", "reduce_sum") or not name.startswith("."):
        return None
    has_it = any(package.startswith("tensorflow") for package in context.packages)
    return operations.function(f"tensorflow.{last}") if has_it else None


def _unknown_result(context: Machine, args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
    """What an unknown function gives: nothing is known of it, unless its name or an argument says something.

    Asked for `reduction="none"` it gives a loss; `make_pad_mask` gives a mask, and `expand_as_right(mask, x)` the mask.
    """
    note_handed_over(context.ledger, (*args, *kwargs.values()))
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
    return context.unknown_of(args, (name,) if makes_masks(name) else ())


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
    if isinstance(receiver, _OBJECTS):
        method = context.attribute(receiver, name, node.func)
        if not isinstance(method, Tensor):
            return call(context, method, args, kwargs, node)
        note_handed_over(context.ledger, (*args, *kwargs.values()))
        return context.unknown_of(args, (name,))
    if isinstance(receiver, BuiltinValue) and name == "apply":
        return receiver.call(args, kwargs, node)
    if isinstance(receiver, DictValue) and name == "get" and args and isinstance(args[0], Const):
        return receiver.get(args[0].value) or context.opaque()
    if isinstance(receiver, DictValue) and name == "get" and args:
        return chosen_by_default(context, receiver, args[0]) or context.opaque()
    if isinstance(receiver, DictValue) and name in ("values", "items"):
        if name == "values":
            return TupleValue(tuple(value for _, value in receiver.items))
        return TupleValue(tuple(TupleValue((Const(k), v)) for k, v in receiver.items))
    if isinstance(receiver, DictValue) and name in TAKING:
        if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
            context.scope.names[node.func.value.id] = context.opaque()
        return (
            receiver.get(args[0].value) if args and isinstance(args[0], Const) else None
        ) or context.opaque()
    if name == "append" and args and isinstance(receiver, _SEQUENCES):
        return _append(context, receiver, args[0], node)
    if isinstance(receiver, DistributionValue):
        operation = operations.method(f"distribution.{name}")
        return apply(context, operation, [receiver, *args], kwargs, node) if operation else context.opaque()
    in_place = name.endswith("_") and not name.endswith("__")
    operation = operations.method(name) or (operations.method(name[:-1]) if in_place else None)
    if operation is None:
        context.as_tensor(receiver)
        note_handed_over(context.ledger, (*args, *kwargs.values()))
        return context.unknown_of(args)
    result = apply(context, operation, [receiver, *args], kwargs, node)
    if in_place and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
        context.scope.names[node.func.value.id] = named(result, node.func.value.id)
    return result


def _append(context: Machine, receiver: TupleValue | ListValue, item: Value, node: ast.Call) -> Value:
    """`items.append(x)`: from now on the list holds things like x."""
    holder = node.func.value if isinstance(node.func, ast.Attribute) else None
    if isinstance(holder, ast.Name):
        elements = [receiver.element] if isinstance(receiver, ListValue) else list(receiver.items)
        context.scope.names[holder.id] = ListValue(context.one_of([*elements, item]))
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
    note_uses(context.ledger, (*values, *rest), result)
    return result


def _fits(primitive: Callable[..., Value], args: list[object], kwargs: dict[str, Value]) -> bool:
    """Were the arguments those that the primitive takes? If not, the call in the linted code is off."""
    try:
        inspect.signature(primitive).bind(*args, **kwargs)
    except TypeError:
        return False
    return True


def instantiate(
    context: Machine, cls: ClassValue, args: list[Value], kwargs: dict[str, Value], node: ast.AST
) -> Value:
    """An object of a local class, its attributes set by its `__init__`."""
    instance = InstanceValue(cls)
    init = context.find_method(cls, "__init__")
    if isinstance(init, FunctionValue):
        context.call_function(altered(init, receiver=instance), args, kwargs, node)
    return instance


def blank_instance(context: Machine, cls: ClassValue) -> InstanceValue:
    """An object of a local class built with unknown arguments."""
    instance = InstanceValue(cls)
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


def bind_parameters(
    context: Machine,
    function: FunctionValue,
    args: list[Value],
    kwargs: dict[str, Value],
    scope: Scope,
) -> None:
    """Bind the parameters of a local function; what is not given is unknown or its default."""
    spec = function.node.args
    positional = [*spec.posonlyargs, *spec.args]
    given = list(args)
    if function.receiver is not None and positional:
        given.insert(0, function.receiver)
    is_open = ANY_KEYWORDS in kwargs
    called = bool(args or kwargs) and not is_open
    defaults: dict[str, ast.expr] = {}
    for parameter, default in zip(reversed(positional), reversed(spec.defaults), strict=False):
        defaults[parameter.arg] = default
    for parameter, maybe in zip(spec.kwonlyargs, spec.kw_defaults, strict=True):
        if maybe is not None:
            defaults[parameter.arg] = maybe
    for index, parameter in enumerate([*positional, *spec.kwonlyargs]):
        name = parameter.arg
        value: Value
        if index < len(given) and index < len(positional):
            value = given[index]
            if isinstance(value, SpreadValue):
                value = value.element
        elif name in kwargs:
            value = kwargs[name]
        elif name in defaults and called:
            value = context.evaluate_in(function.scope, defaults[name])
        elif name in defaults:
            value = default_or_unknown(context, function, name, defaults[name])
        else:
            value = context.opaque()
        hint = comments.from_annotation(parameter.annotation)
        if not hint and len(context.lines) and parameter.lineno != function.node.lineno:
            hint = comments.from_comment(context.lines, parameter.lineno)
        if hint:
            scope.annotated[name] = hint
        if name in defaults and _is_whole(defaults[name]):
            value = _as_whole(value)
        scope.names[name] = hinted(named(value, name, parameter), hint)
    if spec.vararg is not None:
        scope.names[spec.vararg.arg] = (
            context.sequence(given[len(positional) :]) if called else ListValue(context.opaque())
        )
    if spec.kwarg is not None:
        own = {parameter.arg for parameter in (*spec.args, *spec.kwonlyargs)}
        more = tuple((name, value) for name, value in kwargs.items() if name not in own)
        scope.names[spec.kwarg.arg] = DictValue(more) if called else context.opaque()


def _is_whole(default: ast.expr) -> bool:
    """Is a default a whole number above 1?"""
    return isinstance(default, ast.Constant) and type(default.value) is int and default.value > 1


def _as_whole(value: Value) -> Value:
    """What a parameter with such a default is given, if nothing else is known of it."""
    atom = value.single() if isinstance(value, Tensor) and is_unknown(value) else None
    if atom is None or not isinstance(value, Tensor):
        return value
    return from_atom(altered(atom, is_whole=True), value.shape, value.stack)


def default_or_unknown(context: Machine, function: FunctionValue, name: str, default: ast.expr) -> Value:
    """A parameter that a caller may leave out: a switch is open, a callable is the default itself."""
    value = context.evaluate_in(function.scope, default)
    if isinstance(value, Const):
        unknown = context.opaque()
        atom = unknown.single()
        if atom is not None:
            context.ledger.defaults[atom.key] = value
        return unknown
    if isinstance(value, BuiltinValue):
        return BuiltinValue(
            value.name, lambda args, kwargs, node: context.as_likely(value.call(args, kwargs, node))
        )
    return value
