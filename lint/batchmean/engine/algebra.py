"""Arithmetic on tensors: sums of products, and the identities between softmax, log and exp."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence, Set
from typing import Final

from batchmean.engine import masks
from batchmean.engine.names import is_class_count_name, is_log_name, is_small_name, is_target_name
from batchmean.engine.reductions import Reduction
from batchmean.engine.shapes import MAX_RANK, Axis, Shape
from batchmean.engine.values import (
    MAX_FACTORS,
    MAX_TERMS,
    SCALAR,
    Atom,
    Factors,
    GivenUp,
    Place,
    Role,
    Tensor,
    Term,
    altered,
    constant,
    from_atom,
    intern,
    product_of,
    shown_number,
)

_DISTRIBUTIONS = (Role.PROBS, Role.ONE_HOT)
_MAX_POWER = 1000.0
_HALVES = (Role.PROBS, Role.ONE_HOT, Role.LOG_PROBS, Role.LOG, Role.INTEGRAND)
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
    return from_atom(Atom(intern(operation, *parts), given_up=given_up), shape)


NUMBERS: Final = (Role.COUNT, Role.VALID)


def may_hold_a_count(*tensors: Tensor) -> bool:
    """Is the length of an axis in it, or what may be the number of classes?"""
    return any(
        atom.role in NUMBERS or atom.given_up == 2 or is_class_count_name(atom.names)
        for tensor in tensors
        for atom in tensor.atoms()
    )


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


def plays_a_role(tensor: Tensor) -> bool:
    """Does the tensor look like one half of an integrand: a distribution or a log-probability?"""
    for term in tensor.terms:
        for atom, _ in term.factors:
            if atom.role is Role.OPAQUE:
                if atom.names and (is_target_name(atom.names) or is_log_name(atom.names)):
                    return True
            elif atom.role in _HALVES:
                return True
    return False


def joint_shape(a: Tensor, b: Tensor) -> Shape:
    """The shape of `a` combined with `b` element by element."""
    if a.shape.is_same(b.shape) or b.shape.is_scalar:
        return a.shape
    if a.shape.is_scalar:
        return b.shape
    a_broadcast, b_broadcast = a.shape.is_stretched, b.shape.is_stretched
    if a_broadcast != b_broadcast and (_may_pair_up(a, b) or _may_pair_up(b, a)):
        return Shape.of_pairs_or_not()
    if (a_broadcast or b_broadcast) and (all_pairs := _broadcast(a.shape, b.shape)) is not None:
        return all_pairs
    if a_broadcast != b_broadcast:
        return b.shape if a_broadcast else a.shape
    ranks = (a.shape.rank, b.shape.rank)
    if None not in ranks and ranks[0] != ranks[1]:
        return a.shape if ranks[0] > ranks[1] else b.shape  # type: ignore[operator]
    if plays_a_role(a) and plays_a_role(b):
        a.shape.unite(b.shape)
        return a.shape
    return (
        max(a.shape, b.shape, key=lambda s: (len(s.shown), s.rank or 0)) if not plays_a_role(a) else a.shape
    )


def _may_pair_up(column: Tensor, other: Tensor) -> bool:
    """Is one (B, 1) and the other of unknown rank? Of a vector it makes all pairs; what has classes is none."""
    axes = column.shape.leading(2)
    if column.shape.rank not in (None, 2) or len(axes) < 2 or axes[1].size != 1 or axes[0].size is not None:
        return False
    if other.shape.rank is not None or other.shape.least_rank > 1 or masks.mask_of(column) is not None:
        return False
    return not any(x.axis is not None and other.shape.has(x.axis) for x in other.atoms())


def _broadcast(a: Shape, b: Shape) -> Shape | None:
    """(B, 1) and (C,) are (B, C): None where one of both has all axes of the result, or an axis is not known."""
    if a.axes is None or b.axes is None:
        return None
    rank = max(len(a.axes), len(b.axes))
    padded = [(None,) * (rank - len(axes)) + tuple(axes) for axes in (a.axes, b.axes)]
    long = [[axis is not None and axis.size != 1 for axis in axes] for axes in padded]
    if any(all(mine or not other for mine, other in zip(*both, strict=True)) for both in (long, long[::-1])):
        return None
    return Shape.of(
        [x if y is None or is_long else y for x, y, is_long in zip(*padded, long[0], strict=True)]
    )


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
            _beside(_mixed(r, among_its_kind), binary, "element mean" in kinds or binary) for r in reductions
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
    return altered(a, terms=terms)


def multiply(a: Tensor, b: Tensor) -> Tensor:
    """a * b."""
    _unite_positions(a, b)
    shape = joint_shape(a, b)
    _unite_supports(a, b)
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
        scaled = [r.scaled(b, a.shape) for r in a.reductions] + [r.scaled(a, b.shape) for r in b.reductions]
        product = altered(product, reductions=tuple(scaled))
    return product


def _longest(tensor: Tensor) -> int:
    terms = tensor.terms
    return len(terms[0].factors) if len(terms) == 1 else max((len(t.factors) for t in terms), default=0)


def unite_sides(tensor: Tensor) -> None:
    """The two sides of an error, or of a binary entropy, have its axes: it is a loss, no outer difference."""
    sides = [
        *tensor.atoms(),
        *(inner for a in tensor.atoms() if a.argument is not None for inner in a.argument.atoms()),
    ]
    own = (Role.OPAQUE, Role.LOG_COMPLEMENT, Role.LOG_SIGMOID)
    shapes = [a.shape for a in sides if a.role in own and a.shape is not None]
    if not any(shape.is_same(tensor.shape) for shape in shapes):
        return  # it was reshaped since
    if any(shape.is_stretched or shape.is_scalar for shape in (tensor.shape, *shapes)):
        return
    for shape in shapes:
        tensor.shape.unite(shape)


def without_counts(tensor: Tensor) -> Tensor:
    """The array as it was before it was divided by counts, element by element."""
    terms = tuple(
        Term(t.coefficient, tuple(f for f in t.factors if f[0].role not in NUMBERS)) for t in tensor.terms
    )
    return altered(tensor, terms=terms)


def _unite_positions(a: Tensor, b: Tensor) -> None:
    """A mask lies over the positions of what it is multiplied with, unless one of the two is stretched."""
    if (masks.mask_of(a) is None) == (masks.mask_of(b) is None):
        return
    mask, other = (a, b) if masks.mask_of(a) is not None else (b, a)
    if other.shape.is_stretched or mask.shape.is_scalar or other.shape.is_scalar:
        return
    if not mask.shape.is_stretched:
        a.shape.unite(b.shape)
        return
    for position, axis in enumerate(mask.shape.leading(MAX_RANK)):
        theirs = other.shape.axis(position)
        if axis.size == 1 or theirs is None:
            break  # behind the axis of length 1 the two may be counted otherwise
        axis.unite(theirs)


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
        a = altered(a, terms=tuple(t for t in a.terms if not _is_small(t)) or a.terms)
    is_complement = len(a.terms) == 2 and _is_complement(a.terms)
    if exponent == -1 and len(a.terms) > 1:
        # Of a sum the reciprocal is not taken apart: it cancels with the same sum alone.
        kind = "complement" if is_complement else "computed"
        whole = Atom(intern("sum", a.terms), kind=kind, shape=a.shape, argument=altered(a, reductions=()))
        return Tensor((Term(1.0, ((whole, -1.0),)),), a.shape, a.reductions, a.stack)
    powers = [abs(p * exponent) for term in a.terms for _, p in term.factors] if exponent is not None else []
    out_of_bounds = not all(p <= _MAX_POWER for p in powers)
    if exponent is None or out_of_bounds or len(a.terms) != 1 or a.terms[0].coefficient is None:
        collapsed = _collapsed("power", (a.terms, exponent), a.shape)
        if is_complement:
            collapsed = map_atoms(collapsed, lambda atom: altered(atom, kind="complement"))
        return altered(collapsed, reductions=a.reductions)
    term = a.terms[0]
    try:
        coefficient = term.coefficient**exponent  # type: ignore[operator]
    except (ArithmeticError, ValueError):
        coefficient = None
    coefficient = shown_number(coefficient) if isinstance(coefficient, (int, float)) else None
    factors = product_of((atom, p * exponent) for atom, p in term.factors)
    return altered(a, terms=(Term(coefficient, factors),))


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
    return from_atom(altered(one, key=intern("mixture", one.key, total.axis.root())), a.shape)


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
            base = Atom(intern("exp", term), Role.EXP, argument=Tensor((term,), a.shape), place=place)
            factors = ((base, 1.0),)
        result = multiply(result, Tensor((Term(1.0, factors),), a.shape))
    return altered(result, shape=a.shape)


def term_atom(term: Term) -> Atom | None:
    """The atom of a term that is a number times one atom."""
    if len(term.factors) != 1:
        return None
    ((atom, p),) = term.factors
    return atom if p == 1 else None


def _exponential_atom(atom: Atom, place: Place | None) -> Atom:
    if atom.role is Role.LOG_PROBS:
        place = place and Place(place.node, "the exponential of log-probabilities: probabilities")
        return Atom(atom.source, Role.PROBS, atom.axis, place=place or atom.place, shown=atom.shown)
    if atom.role is Role.LOG and atom.argument is not None and (inner := atom.argument.single()) is not None:
        return inner
    argument = from_atom(atom, SCALAR)
    return Atom(intern("exp", argument.terms[0]), Role.EXP, names=atom.names, argument=argument, place=place)


def logarithm(a: Tensor, place: Place | None = None) -> Tensor:
    """log(a): of a probability a log-probability, of a product a sum; a small constant inside is left out."""
    terms = tuple(t for t in a.terms if not _is_small(t)) if len(a.terms) > 1 else a.terms
    if any(atom.kind == "complement" for t in terms for atom, _ in t.factors):
        key = intern("log", terms)
        return from_atom(
            Atom(key, Role.LOG_COMPLEMENT, argument=altered(a, reductions=()), place=place, shape=a.shape),
            a.shape,
        )
    if len(terms) == 1 and terms[0].coefficient is not None and terms[0].coefficient > 0:
        return _log_of_term(terms[0], a.shape, place)
    if len(terms) == 1 and terms[0].coefficient is None:
        return add(constant(None), _log_of_term(altered(terms[0], coefficient=1.0), a.shape, place))
    inner = altered(a, terms=terms, reductions=())
    if len(terms) == 2 and _is_complement(terms):
        return from_atom(
            Atom(intern("log", terms), Role.LOG_COMPLEMENT, argument=inner, place=place, shape=a.shape),
            a.shape,
        )
    mixture = _mixture_axis(terms)
    if mixture is not None:
        atom = Atom(
            intern("log", terms), Role.LOG_PROBS, mixture, argument=inner, source=intern(terms), place=place
        )
        return from_atom(atom, a.shape)
    if any(atom.role is Role.SIGMOID for atom in inner.atoms()):
        return from_atom(
            Atom(intern("log", terms), Role.LOG_SIGMOID, argument=inner, place=place, shape=a.shape), a.shape
        )
    return from_atom(Atom(intern("log", terms), Role.LOG, argument=inner, place=place), a.shape)


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
        return from_atom(Atom(intern("log", atom.key), Role.LOG_SIGMOID, place=place, shape=shape), shape)
    if atom.role is Role.MASK and atom.is_complement:
        # 1 - x was taken for the other positions of a mask: with a logarithm of it, x is a probability.
        return from_atom(Atom(intern("log", atom.key), Role.LOG_COMPLEMENT, place=place, shape=shape), shape)
    if atom.role is Role.SUM and atom.argument is not None:
        inner = logarithm(altered(atom.argument, terms=atom.argument.terms))
        return from_atom(log_sum_exp_atom(inner, atom.axis, place), shape)
    key = intern("log", atom.key)
    argument = from_atom(atom, shape)
    return from_atom(Atom(key, Role.LOG, atom.axis, argument=argument, source=atom.key, place=place), shape)


def softmax_key(terms: tuple[Term, ...], axis: Axis | None) -> int:
    """The key of softmax(terms) over `axis`."""
    return intern("softmax", terms, axis.root() if axis is not None else None)


def log_probs_atom(probs: int, axis: Axis | None, place: Place | None, shown: bool = True) -> Atom:
    """The logarithm of the probabilities with the key `probs`."""
    return Atom(intern("log", probs), Role.LOG_PROBS, axis, source=probs, place=place, shown=shown)


def log_sum_exp_atom(argument: Tensor, axis: Axis | None, place: Place | None) -> Atom:
    """logsumexp(argument) over `axis`."""
    key = intern("logsumexp", argument.terms, axis.root() if axis is not None else None)
    return Atom(key, Role.LOG_SUM_EXP, axis, argument=argument, place=place)


def _is_small(term: Term) -> bool:
    """Is it an epsilon, there to keep a logarithm finite?"""
    if term.coefficient is not None and 0 < term.coefficient <= (1e-4 if term.factors else 1e-2):
        return True
    return any(power == 1 and is_small_name(atom.names) for atom, power in term.factors)


def _is_complement(terms: tuple[Term, ...]) -> bool:
    """Is it 1 - x?"""
    number = [t for t in terms if not t.factors]
    other = [t for t in terms if t.factors]
    return (
        len(number) == 1
        and number[0].coefficient is not None
        and abs(number[0].coefficient - 1) < 1e-2
        and len(other) == 1
        and (other[0].coefficient is None or other[0].coefficient < 0)
    )


def _mixture_axis(terms: tuple[Term, ...]) -> Axis | None:
    """The support axis of a mixture of distributions, as in the middle of a Jensen-Shannon divergence."""
    axis: Axis | None = None
    for term in terms:
        inside = [atom for atom, p in term.factors if atom.role in _DISTRIBUTIONS and p == 1]
        if len(inside) != 1 or (term.coefficient is not None and term.coefficient < 0):
            return None
        axis = axis or inside[0].axis
    return axis


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


def _unite_supports(a: Tensor, b: Tensor) -> None:
    """Two halves of an integrand lie over the same support axis."""
    if not a.terms or not b.terms:
        return
    mine = [x.axis for x in a.atoms() if x.axis is not None and x.role in _SUPPORTED]
    theirs = [x.axis for x in b.atoms() if x.axis is not None and x.role in _SUPPORTED]
    if mine and theirs and a.shape.has(mine[0]) and b.shape.has(theirs[0]):
        for axis in (*mine[1:], *theirs):
            if a.shape.has(axis) or b.shape.has(axis):
                mine[0].unite(axis)
        for side in (a, b):
            side.shape.learn_rank()


_SUPPORTED = (Role.PROBS, Role.ONE_HOT, Role.LOG_PROBS, Role.INTEGRAND)


def relabelled(a: Tensor, shape: Shape, tag: Hashable = None) -> Tensor:
    """The same terms in another shape; with a `tag`, other elements of them (a slice, a shift)."""
    if tag is None:
        return altered(a, shape=shape)
    alone = a.single()
    own = shape if alone is not None and alone.role is Role.OPAQUE else None
    return altered(map_atoms(a, lambda atom: altered(_tagged(atom, tag), shape=own)), shape=shape)


def _tagged(atom: Atom, tag: Hashable) -> Atom:
    return altered(
        atom, key=intern(tag, atom.key), shape=None, source=intern(tag, atom.source) if atom.source else 0
    )


def map_atoms(a: Tensor, change: Callable[[Atom], Atom]) -> Tensor:
    """The tensor with every array atom changed."""

    def mapped(atom: Atom) -> Atom:
        return atom if atom.role is Role.COUNT else change(atom)

    terms = tuple(Term(t.coefficient, product_of((mapped(x), p) for x, p in t.factors)) for t in a.terms)
    return altered(a, terms=terms)
