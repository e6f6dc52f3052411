"""Quotients, powers, exponentials and logarithms of sums of products."""

from __future__ import annotations

import math

from batchmean.engine.domain import masks
from batchmean.engine.domain.algebra import _MAX_POWER, _collapsed, _normalised, add, multiply, scale
from batchmean.engine.domain.broadcasting import map_atoms
from batchmean.engine.domain.distributions import (
    is_complement,
    is_small,
    term_atom,
)
from batchmean.engine.domain.tensors import (
    SCALAR,
    Atom,
    Place,
    Role,
    Tensor,
    Term,
    altered,
    atom_of,
    constant,
    derived,
    from_atom,
    product_of,
    shown_number,
)


def reciprocal(a: Tensor) -> Tensor:
    """1 / a."""
    return power(a, -1.0)


def power(a: Tensor, exponent: float | None) -> Tensor:
    """a ** exponent."""
    a = altered(a, reductions=tuple(r for r in a.reductions if r.integrand.symbol))
    number = a.number()
    if number is not None:
        try:
            result = number**exponent if exponent is not None else None
        except (ArithmeticError, ValueError):
            result = None
        return constant(result if isinstance(result, (int, float)) else None)
    if exponent == 2 and 1 < len(a.terms) <= 4:
        return multiply(a, a)
    if exponent == -1 and len(a.terms) > 1:
        # An epsilon in a denominator is there to keep it from zero.
        a = altered(a, terms=tuple(t for t in a.terms if not is_small(t)) or a.terms)
    is_rest = len(a.terms) == 2 and is_complement(a.terms)
    if exponent == -1 and len(a.terms) > 1:
        # Of a sum the reciprocal is not taken apart: it cancels with the same sum alone.
        kind = "complement" if is_rest else "computed"
        whole = atom_of(("sum", a.terms), kind=kind, shape=a.shape, argument=altered(a, reductions=()))
        return Tensor((Term(1.0, ((whole, -1.0),)),), a.shape, a.reductions, a.stack)
    powers = [abs(p * exponent) for term in a.terms for _, p in term.factors] if exponent is not None else []
    out_of_bounds = not all(p <= _MAX_POWER for p in powers)
    if exponent is None or out_of_bounds or len(a.terms) != 1 or a.terms[0].coefficient is None:
        collapsed = _collapsed("power", (a.terms, exponent), a.shape)
        # Made in sight of something else: its name says no more what it is, a weight and no mask, say.
        kind = "complement" if is_rest else "computed"
        base = altered(a, reductions=())
        collapsed = map_atoms(collapsed, lambda atom: altered(atom, kind=kind, argument=base))
        return altered(collapsed, reductions=a.reductions)
    term = a.terms[0]
    try:
        coefficient = term.coefficient**exponent  # type: ignore[operator]
    except (ArithmeticError, ValueError):
        coefficient = None
    coefficient = shown_number(coefficient) if isinstance(coefficient, (int, float)) else None
    factors = product_of((atom, p * exponent) for atom, p in term.factors)
    return Tensor((Term(coefficient, factors),), a.shape, a.reductions, a.stack, a.pairs)


def divide(a: Tensor, b: Tensor) -> Tensor:
    """a / b."""
    total = b.single()
    if total is not None and total.role is Role.SUM and total.argument is not None and len(a.terms) > 1:
        if total.argument.terms == a.terms:
            return from_atom(_normalised(total), a.shape)
    if (mixture := _mean_of_distributions(a, total)) is not None:
        return mixture
    return multiply(a, reciprocal(b))


def _mean_of_distributions(a: Tensor, length: Atom | None) -> Tensor | None:
    """A sum of distributions over how many they are is one, too."""
    total = a.single()
    if total is None or total.role is not Role.SUM or total.argument is None or total.axis is None:
        return None
    one = total.argument.single()
    if one is None or one.role not in (Role.PROBS, Role.ONE_HOT) or one.axis is None:
        return None
    if length is None or length.role is not Role.COUNT or length.axis is None:
        return None
    if not length.axis.is_same(total.axis) or total.argument.shape.may_be_one(one.axis, total.axis):
        return None
    return from_atom(derived(one, "mixture", total.axis.root()), a.shape)


def exponential(a: Tensor, place: Place | None = None) -> Tensor:
    """exp(a): of a log-probability a probability, of a sum a product."""
    zeroing = masks.common_masks(a)
    if zeroing and len(zeroing) == 1:
        # Where a mask is 0 the exponential is 1: exp(m * x) - 1 is m * (exp(x) - 1).
        mask = from_atom(zeroing[0], a.shape)
        inner = exponential(masks.unmasked(a), place)
        return altered(add(constant(1.0), multiply(mask, add(inner, constant(-1.0)))), shape=a.shape)
    result = constant(1.0)
    for term in a.terms:
        if not term.factors:
            number = term.coefficient
            result = scale(result, math.exp(number) if number is not None and abs(number) < 700 else None)
            continue
        atom = term_atom(term)
        if atom is not None and term.coefficient is not None:
            base = _exponential_atom(atom, place)
            factors = ((base, term.coefficient),)
        else:
            base = atom_of(("exp", term), Role.EXP, argument=Tensor((term,), a.shape), place=place)
            factors = ((base, 1.0),)
        result = multiply(result, Tensor((Term(1.0, factors),), a.shape))
    return altered(result, shape=a.shape)


def _exponential_atom(atom: Atom, place: Place | None) -> Atom:
    if atom.role is Role.LOG_PROBS:
        place = place and Place(place.node, "the exponential of log-probabilities: probabilities")
        return Atom(atom.source, Role.PROBS, atom.axis, place=place or atom.place, shown=atom.shown)
    if atom.role is Role.LOG and atom.argument is not None and (inner := atom.argument.single()) is not None:
        return inner
    argument = from_atom(atom, SCALAR)
    return atom_of(("exp", argument.terms[0]), Role.EXP, names=atom.names, argument=argument, place=place)
