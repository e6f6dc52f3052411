"""Arithmetic on tensors: sums of products, and the identities between softmax, log and exp."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator, Sequence, Set
from typing import Final

from batchmean.engine.domain import masks
from batchmean.engine.domain.accounts import scaled
from batchmean.engine.domain.axes import Axis
from batchmean.engine.domain.broadcasting import joint_shape, unite_positions, unite_supports
from batchmean.engine.domain.distributions import (
    is_complement,
    is_small,
    log_probs_atom,
    log_sum_exp_atom,
    mixture_axis,
    softmax_key,
    term_atom,
)
from batchmean.engine.domain.keys import key_of
from batchmean.engine.domain.shapes import Shape
from batchmean.engine.domain.tensors import (
    MAX_FACTORS,
    MAX_TERMS,
    SCALAR,
    Atom,
    Factors,
    GivenUp,
    Place,
    Reduction,
    Role,
    Tensor,
    Term,
    altered,
    atom_of,
    constant,
    from_atom,
    product_of,
    shown_number,
)
from batchmean.engine.evidence.names import is_class_count_name

_MAX_POWER = 1000.0


BINARY_ROLES = (Role.LOG_COMPLEMENT, Role.LOG_SIGMOID, Role.SIGMOID)
"""What only a loss per element holds: `log(1 - p)`, a sigmoid."""


def combine(terms: Sequence[Term]) -> tuple[Term, ...]:
    """Like terms added up, in order of first appearance."""
    if len(terms) == 1:
        return tuple(terms) if terms[0].coefficient != 0 else ()
    sums: dict[Factors, float | None] = {}
    for term in terms:
        if term.factors in sums:
            before = sums[term.factors]
            both = before is not None and term.coefficient is not None
            total = before + term.coefficient if both else None  # type: ignore[operator]
            sums[term.factors] = shown_number(total)
        else:
            sums[term.factors] = term.coefficient
    return tuple(Term(c, f) for f, c in sums.items() if c != 0)


def _collapsed(operation: str, parts: tuple[Hashable, ...], shape: Shape, given_up: GivenUp = 0) -> Tensor:
    return from_atom(atom_of((operation, *parts), given_up=given_up), shape)


NUMBERS: Final = (Role.COUNT, Role.VALID)


def may_hold_a_count(*tensors: Tensor) -> bool:
    """Is the length of an axis in it, or what may be the number of classes?"""
    return any(
        atom.role in NUMBERS or atom.given_up == 2 or atom.is_of_counts or is_class_count_name(atom.names)
        for tensor in tensors
        for atom in tensor.atoms()
    )


def is_same_everywhere(tensor: Tensor) -> bool:
    """Is it an array of one number, whichever that is?"""
    return all(atom.role in NUMBERS or atom.shape_is_scalar for atom in tensor.atoms())


def length_of(axis: Axis) -> Tensor:
    """The length of an axis, as a number to divide by."""
    return constant(1.0) if axis.size == 1 else from_atom(atom_of(("length", axis), Role.COUNT, axis), SCALAR)


def _multiply_factors(a: Factors, b: Factors) -> Factors:
    if not a or not b:
        return a or b
    powers: dict[Atom, float] = dict(a)
    for atom, power in b:
        powers[atom] = powers.get(atom, 0.0) + power
    return product_of((atom, _bounded(power)) for atom, power in powers.items() if power != 0)


def _bounded(power: float) -> float:
    return max(-_MAX_POWER, min(_MAX_POWER, power))


def _times(a: float | None, b: float | None) -> float | None:
    return shown_number(a * b) if a is not None and b is not None else None


def add(a: Tensor, b: Tensor) -> Tensor:
    """a + b."""
    known = set(map(id, a.reductions))
    reductions = a.reductions + tuple(r for r in b.reductions if id(r) not in known)
    if reductions:
        kinds = {atom.kind for side in (a, b) for atom in side.atoms()}
        binary = any(is_elementwise(side) for side in (a, b))
        mine, theirs = ({r.integrand.symbol for r in side.reductions} for side in (a, b))
        # After a term without one of its kind what is done to the sum is done to both.
        among_its_kind = None if is_negligible(a) or is_negligible(b) else mine & theirs
        reductions = tuple(
            _beside(_mixed(r, among_its_kind), binary, "element mean" in kinds or binary)
            for r in _with_themselves(reductions, a, b)
        )
    if (others := _other_positions(a, b) or _other_positions(b, a)) is not None:
        return others
    if (others := _less_the_valid(a, b) or _less_the_valid(b, a)) is not None:
        return others
    terms = _as_log_softmax(combine((*a.terms, *b.terms)))
    shape = joint_shape(a, b)
    if len(terms) > MAX_TERMS:
        return altered(
            _collapsed("sum", terms, shape, 2 if may_hold_a_count(a, b) else 1), reductions=reductions
        )
    return Tensor(terms, shape, reductions)


def _other_positions(one: Tensor, minus_mask: Tensor) -> Tensor | None:
    """1 - mask is a mask."""
    if one.number() != 1.0 or len(minus_mask.terms) != 1 or minus_mask.terms[0].coefficient != -1.0:
        return None
    return masks.complement(negate(minus_mask))


def _less_the_valid(all_of_them: Tensor, minus_valid: Tensor) -> Tensor | None:
    """mask.numel() - mask.sum() is the number of the other positions."""
    whole = all_of_them.single()
    if whole is None or whole.role is not Role.COUNT:
        return None
    valid = negate(minus_valid).single()
    if valid is None or valid.role is not Role.VALID or valid.shape is None:
        return None
    is_all = whole.shape is not None and whole.shape.is_flat(valid.shape)
    return masks.count_of_others(valid) if is_all else None


def _with_themselves(reductions: Iterable[Reduction], a: Tensor, b: Tensor) -> Iterator[Reduction]:
    """`loss + 9 * loss`: the accounts of a loss that is added to itself have the sum of its coefficients."""
    mine, theirs = ({r.integrand.key: r.coefficient for r in reversed(side.reductions)} for side in (a, b))
    both = mine.keys() & theirs.keys()
    for reduction in reductions:
        key = reduction.integrand.key
        if key not in both or not reduction.integrand.symbol:
            yield reduction
            continue
        one, other = mine[key], theirs[key]
        coefficient = one + other if one is not None and other is not None else None
        yield altered(reduction, coefficient=coefficient, parent=reduction)


def _mixed(reduction: Reduction, symbols: Set[str] | None) -> Reduction:
    """An account after an addition, unless both sides have one of its symbol; None stands for all symbols."""
    if reduction.mixed or symbols is None or reduction.integrand.symbol in symbols:
        return reduction
    return altered(reduction, mixed=True, parent=reduction)


def is_negligible(a: Tensor) -> bool:
    """Is it 0, or an epsilon?"""
    number = a.number()
    return number is not None and abs(number) <= 1e-3


def _beside(reduction: Reduction, binary: bool, averaged: bool) -> Reduction:
    """An account after something elementwise was added: a half is withdrawn, a latent KL stands beside it."""
    if reduction.integrand.symbol == "V":
        return reduction.withdrawn() if binary else reduction
    if not reduction.integrand.symbol:
        return reduction
    if averaged and not reduction.beside_average:
        return altered(reduction, beside_average=True, parent=reduction)
    return reduction


def is_elementwise(a: Tensor) -> bool:
    """Does it hold the half of a binary cross-entropy, reduced or not?"""
    return any(atom.kind == "elementwise" or atom.role in BINARY_ROLES for atom in a.atoms())


def negate(a: Tensor) -> Tensor:
    """-a."""
    return scale(a, -1.0)


def scale(a: Tensor, factor: float | None) -> Tensor:
    """A number times a; None is a number that is not shown."""
    terms = tuple(Term(_times(t.coefficient, factor), t.factors) for t in a.terms) if factor != 0 else ()
    return Tensor(terms, a.shape, a.reductions, a.stack, a.pairs)


def multiply(a: Tensor, b: Tensor) -> Tensor:
    """a * b."""
    unite_positions(a, b)
    shape = joint_shape(a, b)
    unite_supports(a, b)
    if len(a.terms) * len(b.terms) > MAX_TERMS or _longest(a) + _longest(b) > MAX_FACTORS:
        product = _collapsed("product", (a.terms, b.terms), shape, 2 if may_hold_a_count(a, b) else 1)
    else:
        terms = combine(
            [
                Term(_times(x.coefficient, y.coefficient), _multiply_factors(x.factors, y.factors))
                for x in a.terms
                for y in b.terms
            ]
        )
        product = Tensor(tuple(_as_softmax(t) for t in terms), shape)
    if a.reductions or b.reductions:
        rescaled = [scaled(r, b, a.shape) for r in a.reductions] + [
            scaled(r, a, b.shape) for r in b.reductions
        ]
        product = altered(product, reductions=tuple(rescaled))
    return product


def _longest(tensor: Tensor) -> int:
    terms = tensor.terms
    return len(terms[0].factors) if len(terms) == 1 else max((len(t.factors) for t in terms), default=0)


def without_counts(tensor: Tensor) -> Tensor:
    """The array as it was before it was divided by counts, element by element."""
    terms = tuple(
        Term(t.coefficient, tuple(f for f in t.factors if f[0].role not in NUMBERS)) for t in tensor.terms
    )
    return altered(tensor, terms=terms)


def _as_log_softmax(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    """x - logsumexp(x) is a log-softmax, whatever else is added to it."""
    for term in terms:
        atom = term_atom(term)
        if atom is None or atom.role is not Role.LOG_SUM_EXP or term.coefficient is None:
            continue
        assert atom.argument is not None
        wanted = combine(
            [Term(_times(t.coefficient, -term.coefficient), t.factors) for t in atom.argument.terms]
        )
        if wanted and all(t in terms for t in wanted):
            rest = tuple(t for t in terms if t is not term and t not in wanted)
            log = log_probs_atom(softmax_key(atom.argument.terms, atom.axis), atom.axis, atom.place)
            if any(_lies_over_another(inner, atom.axis) for inner in atom.argument.atoms()):
                # Normalised over both axes (Sinkhorn): a matching, whose rows are no plain distributions.
                log = Atom(log.key, kind="computed", place=atom.place)
            return combine((*rest, Term(-term.coefficient, ((log, 1.0),))))
    return terms


def _as_softmax(term: Term) -> Term:
    """x / x.sum(axis) is a distribution over that axis."""
    for atom, p in term.factors:
        if atom.role is not Role.SUM or p != -1 or atom.argument is None or len(atom.argument.terms) != 1:
            continue
        inside = atom.argument.terms[0]
        if inside.coefficient != 1 or not set(inside.factors) <= set(term.factors):
            continue
        rest = tuple(f for f in term.factors if f not in inside.factors and f != (atom, p))
        return Term(term.coefficient, _multiply_factors(rest, ((_normalised(atom), 1.0),)))
    return term


def _lies_over_another(atom: Atom, axis: Axis | None) -> bool:
    if atom.role is not Role.LOG_PROBS or atom.axis is None or axis is None:
        return False
    return not atom.axis.is_same(axis)


def _normalised(total: Atom) -> Atom:
    """x / x.sum(axis): a distribution over that axis, whatever x is."""
    assert total.argument is not None
    key = softmax_key(logarithm(total.argument).terms, total.axis)
    place = total.place and Place(total.place.node, "divided by this sum: probabilities over its axis")
    return Atom(key, Role.PROBS, total.axis, place=place)


def logarithm(a: Tensor, place: Place | None = None) -> Tensor:
    """log(a): of a probability a log-probability, of a product a sum; a small constant inside is left out."""
    terms = tuple(t for t in a.terms if not is_small(t)) if len(a.terms) > 1 else a.terms
    if any(atom.kind == "complement" for t in terms for atom, _ in t.factors):
        return from_atom(
            atom_of(
                ("log", terms),
                Role.LOG_COMPLEMENT,
                argument=altered(a, reductions=()),
                place=place,
                shape=a.shape,
            ),
            a.shape,
        )
    if len(terms) == 1 and terms[0].coefficient is not None and terms[0].coefficient > 0:
        return _log_of_term(terms[0], a.shape, place)
    if len(terms) == 1 and terms[0].coefficient is None:
        return add(constant(None), _log_of_term(altered(terms[0], coefficient=1.0), a.shape, place))
    inner = altered(a, terms=terms, reductions=())
    if len(terms) == 2 and is_complement(terms):
        return from_atom(
            atom_of(("log", terms), Role.LOG_COMPLEMENT, argument=inner, place=place, shape=a.shape),
            a.shape,
        )
    mixture = mixture_axis(terms)
    if mixture is not None:
        atom = atom_of(
            ("log", terms), Role.LOG_PROBS, mixture, argument=inner, source=key_of(terms), place=place
        )
        return from_atom(atom, a.shape)
    if any(atom.role is Role.SIGMOID for atom in inner.atoms()):
        return from_atom(
            atom_of(("log", terms), Role.LOG_SIGMOID, argument=inner, place=place, shape=a.shape), a.shape
        )
    return from_atom(atom_of(("log", terms), Role.LOG, argument=inner, place=place), a.shape)


def _log_of_term(term: Term, shape: Shape, place: Place | None) -> Tensor:
    coefficient = term.coefficient or 1.0
    result = constant(math.log(coefficient) if math.isfinite(coefficient) else None)
    for atom, p in term.factors:
        result = add(result, scale(_log_of_atom(atom, shape, place), p))
    return altered(result, shape=shape)


def _log_of_atom(atom: Atom, shape: Shape, place: Place | None) -> Tensor:
    if atom.role is Role.PROBS:
        log = log_probs_atom(atom.key, atom.axis, place or atom.place, atom.shown)
        return from_atom(altered(log, hint=atom.hint, argument=from_atom(atom, SCALAR)), shape)
    if atom.role is Role.EXP and atom.argument is not None:
        return altered(atom.argument, shape=shape)
    if atom.role is Role.SIGMOID:
        return from_atom(atom_of(("log", atom.key), Role.LOG_SIGMOID, place=place, shape=shape), shape)
    if atom.role is Role.MASK and atom.is_complement:
        # 1 - x was taken for the other positions of a mask: with a logarithm of it, x is a probability.
        return from_atom(atom_of(("log", atom.key), Role.LOG_COMPLEMENT, place=place, shape=shape), shape)
    if atom.role is Role.SUM and atom.argument is not None:
        inner = logarithm(altered(atom.argument, terms=atom.argument.terms))
        return from_atom(log_sum_exp_atom(inner, atom.axis, place), shape)
    argument = from_atom(atom, shape)
    return from_atom(
        atom_of(("log", atom.key), Role.LOG, atom.axis, argument=argument, source=atom.key, place=place),
        shape,
    )
