"""Sums, means and averages: where an account is opened and kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from batchmean.engine.domain import algebra, masks, nonlinear
from batchmean.engine.domain.accounts import follows, mask_fact, may_be_a_size, reduced
from batchmean.engine.domain.axes import ALL_AXES, AxesSpec
from batchmean.engine.domain.broadcasting import map_atoms, relabelled
from batchmean.engine.domain.distributions import log_sum_exp_atom
from batchmean.engine.domain.masks import common_masks, mask_of
from batchmean.engine.domain.shapes import Shape
from batchmean.engine.domain.tensors import (
    SCALAR,
    Atom,
    Factors,
    How,
    Reduction,
    Role,
    Stack,
    Tensor,
    Term,
    altered,
    atom_of,
    derived,
    from_atom,
    is_unknown,
)
from batchmean.engine.domain.values import Alternatives, Const, ListValue, ShapeValue, TupleValue, Value
from batchmean.engine.primitives.registry import Call, axes_spec, literal, primitive
from batchmean.engine.recognise.integrands import loss_per_position, recognise
from batchmean.engine.uses import given_to_models

_DISTRIBUTIONS: Final = (Role.PROBS, Role.ONE_HOT)


def opened(tensor: Tensor, stack: Stack = ()) -> tuple[Reduction, ...]:
    """The accounts of an array: those it carries, or a new one if it is an integrand or a loss per position."""
    if tensor.reductions:
        return tensor.reductions
    integrand = recognise(tensor)
    is_summed = integrand is None
    integrand = integrand or loss_per_position(tensor, stack)
    if integrand is None:
        return ()
    scale = _common_counts(tensor.terms)
    if scale is None:
        return ()
    zeroing = common_masks(tensor)
    return (
        Reduction(
            integrand,
            support="summed" if is_summed else "alive",
            scale=scale,
            coefficient=_common_number(tensor.terms) if integrand.symbol == "V" else 1.0,
            mask=mask_fact(zeroing[0]) if zeroing else None,
        ),
    )


def _common_counts(terms: tuple[Term, ...]) -> Factors | None:
    """Counts that every term was divided by before the reduction, or multiplied by; None where only some were.

    Beside terms with a distribution those without are its even part, `eps / V`, or something else: the counts in
    them are not asked.
    """
    weighted = [t for t in terms if any(atom.role in _DISTRIBUTIONS for atom, _ in t.factors)]
    common: Factors | None = None
    several: list[Factors] = []
    for term in weighted or terms:
        counts = tuple(f for f in term.factors if f[0].role in algebra.NUMBERS or _is_a_size(*f))
        several.append(counts)
        common = counts if common is None else tuple(f for f in common if f in counts)
    common = common or ()
    apart = [factor for counts in several for factor in counts if factor not in common]
    return None if weighted and any(power > 0 for _, power in apart) else common


def _common_number(terms: tuple[Term, ...]) -> float:
    """The number that every term was multiplied by, if it may stand for a count; else 1."""
    numbers = {abs(term.coefficient) if term.coefficient is not None else 1.0 for term in terms}
    number = numbers.pop()
    return number if not numbers and number > 2 else 1.0


def _is_a_size(atom: Atom, power: float) -> bool:
    if atom.role is not Role.OPAQUE or (atom.shape is None and not atom.is_anything):
        return False
    return may_be_a_size(atom, power) or (bool(atom.numbers) and power > 0)


def reduce(call: Call, x: Tensor, axes: AxesSpec, keepdims: bool, how: How) -> Tensor:
    """A sum or a mean over `axes`."""
    if (flattened := _flattened(x, axes)) is not None and not keepdims:
        x, axes = altered(x, shape=flattened), ALL_AXES
    shape = x.shape.without(axes, keepdims)
    accounts = opened(x, call.context.stack)
    if not x.reductions and (inputs := given_to_models(call.context.ledger, x) if accounts else ()):
        accounts = tuple(altered(r, integrand=altered(r.integrand, inputs=inputs)) for r in accounts)
    has_support = any(r.integrand.symbol for r in accounts)
    result = call.context.computed(shape) if has_support else _reduced(call, x, axes, shape, how)
    if how == "sum" and not accounts and result.shape.is_scalar and is_unknown(result):
        result = map_atoms(result, lambda atom: altered(atom, is_anything=True))  # of ones it is a count
    if not accounts:
        return result
    if not follows(accounts) or (how == "sum" and any(_is_broadcast(r, x.shape) for r in x.reductions)):
        return call.context.unsure([altered(x, reductions=accounts)])
    step = call.context.step(call.node, how)
    updated = tuple(
        r if call.context.is_elsewhere(r) else call.context.record(reduced(r, x.shape, axes, how, step))
        for r in accounts
    )
    return altered(result, reductions=updated, stack=x.stack)


def _is_broadcast(account: Reduction, shape: Shape) -> bool:
    """Was what is left after the support was reduced repeated along an axis of its length?"""
    is_gone = account.support in ("summed", "averaged") and account.integrand.symbol
    return bool(is_gone) and shape.has(account.integrand.support) is True


def _flattened(x: Tensor, axes: AxesSpec) -> Shape | None:
    """The shape that was flattened into the one axis of an array, if all of it is reduced."""
    own = x.shape.axes
    if own is None or len(own) != 1 or not (axes.kind == "all" or axes.positions in ((0,), (-1,))):
        return None
    whole = own[0].root().whole
    return whole if isinstance(whole, Shape) else None


def _reduced(call: Call, x: Tensor, axes: AxesSpec, shape: Shape, how: How) -> Tensor:
    """What a sum or a mean makes of an array that is no integrand."""
    context = call.context
    mask = mask_of(x)
    if mask is not None and axes.kind == "all":
        return _valid_positions(call, x, mask, how)
    if x.terms and not x.shape.is_scalar:
        context.ledger.other_reduced.add((call.node, context.stack))
    if how == "mean" and axes.kind == "all":
        context.ledger.averaged_events.update(a.source for a in x.atoms() if a.kind == "log_prob")
    if how == "sum" and axes.kind != "all":
        context.ledger.summed_events.update(a.source for a in x.atoms() if a.kind == "log_prob")
    if how == "mean" and x.terms and algebra.is_same_everywhere(x):
        return altered(x, shape=shape)
    mixture = x.single()
    if how == "mean" and mixture is not None and mixture.role in (Role.PROBS, Role.ONE_HOT):
        if mixture.axis is not None and x.shape.covers(axes, mixture.axis) is False:
            # The mean of distributions is a distribution.
            return from_atom(derived(mixture, "mixture", call.node), shape)
    summed = any(atom.role is Role.SUM for atom in x.atoms())
    source = mixture.key if mixture is not None else 0
    if how == "mean" and axes.kind == "all" and not summed and not algebra.is_elementwise(x):
        average = context.computed(shape)
        return map_atoms(average, lambda atom: altered(atom, kind="element mean", source=source))
    if algebra.is_elementwise(x):
        half = context.computed(shape)
        return map_atoms(half, lambda atom: altered(atom, kind="elementwise"))
    if how == "sum" and axes.kind == "listed" and len(axes.positions) == 1 and x.terms:
        axis = x.shape.axis(axes.positions[0])
        if axis is not None and algebra.is_same_everywhere(x):
            return altered(algebra.multiply(x, algebra.length_of(axis)), shape=shape)  # of ones it is a count
        return from_atom(
            atom_of(
                ("sum", x.terms, axis.root() if axis is not None else None),
                Role.SUM,
                axis,
                argument=x,
                place=call.place("a sum"),
            ),
            shape,
        )
    return map_atoms(context.computed(shape), lambda atom: altered(atom, source=source))


def _valid_positions(call: Call, x: Tensor, mask: Atom, how: How) -> Tensor:
    """The sum of a mask is the number of positions that count, its mean their share."""
    count = from_atom(
        atom_of(
            ("valid", mask.key, x.shape.root()),
            Role.VALID,
            source=mask.key,
            place=mask.place,
            shape=x.shape,
            argument=x,
        ),
        SCALAR,
    )
    if how == "sum":
        return count
    return nonlinear.divide(count, call.context.count_of(ShapeValue(x.shape)))


def _array(call: Call, x: Value) -> Tensor:
    """An array, or a list of arrays stacked along a new leading axis."""
    if isinstance(x, ListValue | TupleValue):
        from batchmean.engine.primitives.layout import stacked

        return stacked(call, x)
    return call.tensor(x)


@primitive
def sum_(
    call: Call,
    x: Value,
    axis: Value | None = None,
    keepdims: Value | None = None,
    where: Value | None = None,
) -> Value:
    """Sum over the axes; with `where=` of the positions of a mask only, other conditions are not followed."""
    if where is not None:
        mask = mask_of(where) if isinstance(where, Tensor) else None
        if mask is None or not masks.is_valid(mask):
            return call.opaque(call.tensor(x).shape.without(axes_spec(axis), bool(literal(keepdims))))
        elements = call.tensor(x)
        kept = algebra.multiply(elements, from_atom(mask, call.tensor(where).shape))
        x = call.context.placed(call.context.formed(kept, elements), (elements,), call.node)
    return reduce(call, _array(call, x), axes_spec(axis), bool(literal(keepdims)), "sum")


@primitive
def builtin_sum(call: Call, x: Value) -> Value:
    """Python's sum: over the items of a list, or the leading axis of an array."""
    if isinstance(x, TupleValue) and x.items:
        return call.context.lift(lambda *items: _sum_of(call, items), *x.items)
    if isinstance(x, ListValue):
        return _added_up(call, x.element)
    tensor = call.tensor(x)
    if tensor.shape.item_of is not None and tensor.shape.rank is None:
        return call.context.unsure([altered(tensor, reductions=opened(tensor, call.context.stack))])
    return reduce(call, tensor, AxesSpec.at(0), False, "sum")


def _sum_of(call: Call, items: Sequence[Value]) -> Tensor:
    total = call.tensor(items[0])
    known = {id(r) for item in items for r in call.tensor(item).reductions}
    for item in items[1:]:
        total = algebra.add(total, call.tensor(item))
        for account in total.reductions:
            if id(account) not in known:
                known.add(id(call.context.record(account)))
    return total


def _added_up(call: Call, element: Value) -> Value:
    if isinstance(element, Alternatives):
        return call.context.lift(lambda one: _added_up(call, one), element)
    inner = call.tensor(element)
    if inner.reductions:
        return altered(call.opaque(inner.shape), reductions=inner.reductions, stack=inner.stack)
    if is_an_item(inner):
        return call.opaque()
    if not inner.atoms():
        return call.context.anything(SCALAR)  # as often as there are rounds
    return relabelled(inner, inner.shape, "added up")


def is_an_item(x: Tensor) -> bool:
    """Is it one of those that a loop takes of an array, and may that be a number? Then their sum has no class axis."""
    return not x.reductions and x.shape.item_of is not None and not x.shape.rank and bool(x.terms)


def is_of_items(value: Value) -> bool:
    """Is it made of one of those?"""
    return isinstance(value, Tensor) and value.shape.item_of is not None


@primitive
def mean(
    call: Call,
    x: Value,
    axis: Value | None = None,
    keepdims: Value | None = None,
    where: Value | None = None,
) -> Value:
    """Mean over the axes, with `where` of the positions that count: then no mask in the array matters."""
    array = _array(call, x)
    if where is not None and not isinstance(where, Const):
        if masks.tells_classes_apart(array, call.tensor(where)):
            return call.opaque(array.shape.without(axes_spec(axis), bool(literal(keepdims))))
        array = masks.unmasked(array)
        if array.reductions:
            array = altered(
                array, reductions=tuple(altered(r, mask=None, parent=r) for r in array.reductions)
            )
    return reduce(call, array, axes_spec(axis), bool(literal(keepdims)), "mean")


@primitive
def average(
    call: Call,
    x: Value,
    axis: Value | None = None,
    weights: Value | None = None,
    keepdims: Value | None = None,
) -> Value:
    """numpy.average: a mean without weights, an expectation with the distribution as weights."""
    if weights is not None and not (isinstance(weights, Const) and weights.value is None):
        return call.opaque(call.tensor(x).shape.without(axes_spec(axis)))
    return reduce(call, _array(call, x), axes_spec(axis), bool(literal(keepdims)), "mean")


@primitive
def logsumexp(call: Call, x: Value, axis: Value | None = None, keepdims: Value | None = None) -> Value:
    """log(sum(exp(x)))."""
    tensor, spec = _array(call, x), axes_spec(axis)
    shape = tensor.shape.without(spec, bool(literal(keepdims)))
    positions = (-1,) if spec.kind == "all" else spec.positions  # without an axis: of one example's classes
    if spec.kind == "listed" and len(positions) == 1 and algebra.is_same_everywhere(tensor):
        if (same := tensor.shape.axis(positions[0])) is not None:
            return altered(algebra.add(tensor, algebra.logarithm(algebra.length_of(same))), shape=shape)
    if len(positions) != 1 or not tensor.terms:
        return call.opaque(shape)
    over = tensor.shape.axis(positions[0])
    return from_atom(
        log_sum_exp_atom(tensor, over, call.place(f"less this {call.name}: log-probabilities over its axis")),
        shape,
    )


@primitive
def reduce_other(call: Call, x: Value, axis: Value | None = None, keepdims: Value | None = None) -> Value:
    """A reduction that is no sum: a maximum, a median, a norm, a standard deviation."""
    return call.opaque(call.tensor(x).shape.without(axes_spec(axis), bool(literal(keepdims))))


@primitive
def prod(call: Call, x: Value, axis: Value | None = None) -> Value:
    """A product: of a shape it is a count."""
    if isinstance(x, ShapeValue):
        return call.context.count_of(x)
    if isinstance(x, TupleValue):
        total = call.tensor(Const(1))
        for item in x.items:
            total = algebra.multiply(total, call.tensor(item))
        return total
    return call.opaque(call.tensor(x).shape.without(axes_spec(axis)))
