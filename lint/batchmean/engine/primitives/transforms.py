"""Functions that make functions: partial, vmap, jit, and decorators that leave a function as it is."""

from __future__ import annotations

import ast

from batchmean.engine.domain.axes import AxesSpec, Axis
from batchmean.engine.domain.tensors import Reduction, Role, Tensor, altered, atom_of, product_of
from batchmean.engine.domain.values import (
    Alternatives,
    BuiltinValue,
    Case,
    Const,
    FunctionValue,
    InstanceValue,
    ModuleValue,
    TupleValue,
    Value,
)
from batchmean.engine.primitives.registry import Call, primitive

_CALLABLE = (FunctionValue, BuiltinValue, ModuleValue, InstanceValue)


@primitive
def same_function(call: Call, x: Value | None = None) -> Value:
    """jit, tf.function, no_grad, staticmethod: the same values come out."""
    if x is None or not isinstance(x, _CALLABLE):
        return BuiltinValue("decorator", lambda args, kwargs, node: args[0] if args else call.opaque())
    return x


@primitive
def partial(call: Call, function: Value, *args: Value, **kwargs: Value) -> Value:
    """functools.partial(f, ...)."""

    def later(more: list[Value], more_kwargs: dict[str, Value], node: ast.AST) -> Value:
        return call.context.call(function, [*args, *more], {**kwargs, **more_kwargs}, node)

    return BuiltinValue("partial", later)


@primitive
def vmap(call: Call, function: Value, in_axes: Value | None = None, out_axes: Value | None = None) -> Value:
    """vmap(f): f per example, the results stacked along a leading axis, or along `out_axes`.

    `in_axes=(None, 0)` hands on the first as it is, and `in_axes=1` maps over the second axis.
    """

    def mapped(args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        batch = Axis()
        inner: list[Value] = []
        places, stacked = _places_of(in_axes, len(args)), _places_of(out_axes, 1)
        if places is None or stacked is None or stacked[0] is None:
            return call.context.unsure([*args, *kwargs.values()])  # which axis is left in which is not known
        for place, value in zip(places, args, strict=True):
            if isinstance(value, Tensor) and place is not None:
                batch = value.shape.axis(place) or batch
                inner.append(altered(value, shape=value.shape.without(AxesSpec.at(place))))
            else:
                inner.append(value)
        result = call.context.call(function, inner, kwargs, node)
        return _with_batch(call, result, batch, stacked[0])

    return BuiltinValue("vmap", mapped)


def _places_of(given: Value | None, count: int) -> list[int | None] | None:
    """Over which axis each of so many is mapped; None where that is not known, or is one for each item of a tree."""
    each = given.items if isinstance(given, TupleValue) else (given or Const(0),) * count
    places = [one.value if isinstance(one, Const) else "unknown" for one in each]
    if len(places) < count or not all(one is None or type(one) is int for one in places[:count]):
        return None
    return [one if isinstance(one, int) else None for one in places[:count]]


def _with_batch(call: Call, value: Value, batch: Axis, place: int) -> Value:
    if isinstance(value, Alternatives):
        return Alternatives(tuple(Case(path, _with_batch(call, v, batch, place)) for path, v in value.cases))
    if not isinstance(value, Tensor):
        return value
    accounts = []
    for account in value.reductions:
        own = _by_the_support(account)
        # Per example there was no batch axis to reduce: it is still to come.
        call.context.ledger.mapped.update(step.node for step in account.steps)
        integrand = altered(account.integrand, shape=account.integrand.shape.with_axis(0, batch))
        steps = tuple(altered(step, of_scalar=False) for step in account.steps)
        outer = altered(own or account, integrand=integrand, rest=None, steps=steps, parent=account)
        # One example may well have one axis: the first may be the last.
        accounts.append(outer.withdrawn() if account.assumes_rank or own is None else outer)
    return altered(value, shape=value.shape.with_axis(place, batch), reductions=tuple(accounts))


def _by_the_support(account: Reduction) -> Reduction | None:
    """The account of one example without the number of its elements; None where it cannot do without.

    A sum over all elements, over their number, is the mean over what is no support, over the length of the support:
    the batch axis is none of these elements.
    """
    powers = dict(account.scale)
    sizes = [atom for atom in powers if atom.role is Role.COUNT and atom.axis is None]
    if not sizes:
        return account
    integrand = account.integrand
    is_whole = account.rest == "sum" and account.support == "summed" and not account.units
    counted = sizes[0].shape if len(sizes) == 1 and powers[sizes[0]] == -1 else None
    if not (is_whole and integrand.symbol and counted is not None and integrand.shape.is_flat(counted)):
        return None
    length = atom_of(("length", integrand.support), Role.COUNT, integrand.support)
    powers[length] = powers.get(length, 0) - 1
    return altered(
        account, scale=product_of((atom, p) for atom, p in powers.items() if p and atom not in sizes)
    )


@primitive
def stax_serial(call: Call, *layers: Value) -> Value:
    """stax.serial(...): a pair of functions, the second of which ends with the last layer."""

    def apply(args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        return call.context.call(layers[-1], [call.opaque()], {}, node) if layers else call.opaque()

    return TupleValue((call.opaque(), BuiltinValue("stax.serial", apply)))


@primitive
def haiku_transform(call: Call, function: Value) -> Value:
    """hk.transform(f): its `apply(params, rng, ...)` is f of what follows."""
    if isinstance(function, BuiltinValue):
        return function

    def apply(args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        spec = function.node.args if isinstance(function, FunctionValue) else None
        count = len([*spec.posonlyargs, *spec.args]) if spec is not None else max(len(args) - 1, 0)
        given = args[-count:] if 0 < count < len(args) else args[1:]
        return call.context.call(function, given, kwargs, node)

    return BuiltinValue("haiku.transform", apply)


@primitive
def value_and_grad(call: Call, x: Value | None = None) -> Value:
    """grad(f): f is followed where it is defined; what comes out is a gradient."""
    return call.opaque()
