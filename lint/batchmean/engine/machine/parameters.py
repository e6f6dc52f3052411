"""The parameters of a function that is entered: what it is given, defaults, and what nobody knows."""

from __future__ import annotations

import ast

from batchmean.engine.domain.broadcasting import map_atoms
from batchmean.engine.domain.tensors import Tensor, altered, from_atom, is_unknown
from batchmean.engine.domain.values import (
    ANY_KEYWORDS,
    BuiltinValue,
    Const,
    DictValue,
    FunctionValue,
    ListValue,
    Scope,
    SpreadValue,
    Value,
    hinted,
    named,
)
from batchmean.engine.evidence import comments
from batchmean.engine.machine.base import Machine


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
            _note_default(context, value, defaults.get(name))
        elif name in kwargs:
            value = kwargs[name]
            _note_default(context, value, defaults.get(name))
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
        if isinstance(value, Tensor) and is_unknown(value):
            value = _as_given(context, value, name)
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


def _note_default(context: Machine, value: Value, default: ast.expr | None) -> None:
    """A call that gives a parameter what nobody knows says no more of it than its default does."""
    atom = value.single() if isinstance(value, Tensor) and is_unknown(value) else None
    if atom is not None and isinstance(default, ast.Constant):
        context.defaults[-1][atom.key] = Const(default.value)


def _as_given(context: Machine, value: Tensor, name: str) -> Tensor:
    """A parameter of a name that the code gives a number or a count somewhere."""
    numbers, is_of_counts = context.given.numbers((name,)), context.given.is_of_counts((name,))
    if not numbers and not is_of_counts:
        return value
    return map_atoms(
        value,
        lambda atom: altered(
            atom, numbers=atom.numbers | numbers, is_of_counts=atom.is_of_counts or is_of_counts
        ),
    )


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
