"""What terms make of a distribution: its logarithm, its complement, its mixture with another."""

from __future__ import annotations

from batchmean.engine.domain.axes import Axis
from batchmean.engine.domain.keys import key_of
from batchmean.engine.domain.tensors import Atom, Place, Role, Tensor, Term, atom_of
from batchmean.engine.evidence.names import is_small_name

_DISTRIBUTIONS = (Role.PROBS, Role.ONE_HOT)


def softmax_key(terms: tuple[Term, ...], axis: Axis | None) -> int:
    """The key of softmax(terms) over `axis`."""
    return key_of("softmax", terms, axis.root() if axis is not None else None)


def log_probs_atom(probs: int, axis: Axis | None, place: Place | None, shown: bool = True) -> Atom:
    """The logarithm of the probabilities with the key `probs`."""
    return atom_of(("log", probs), Role.LOG_PROBS, axis, source=probs, place=place, shown=shown)


def log_sum_exp_atom(argument: Tensor, axis: Axis | None, place: Place | None) -> Atom:
    """logsumexp(argument) over `axis`."""
    return atom_of(
        ("logsumexp", argument.terms, axis.root() if axis is not None else None),
        Role.LOG_SUM_EXP,
        axis,
        argument=argument,
        place=place,
    )


def term_atom(term: Term) -> Atom | None:
    """The atom of a term that is a number times one atom."""
    if len(term.factors) != 1:
        return None
    ((atom, p),) = term.factors
    return atom if p == 1 else None


def is_small(term: Term) -> bool:
    """Is it an epsilon, there to keep a logarithm finite?"""
    if term.coefficient is not None and 0 < term.coefficient <= (1e-4 if term.factors else 1e-2):
        return True
    return any(power == 1 and is_small_name(atom.names) for atom, power in term.factors)


def is_complement(terms: tuple[Term, ...]) -> bool:
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


def mixture_axis(terms: tuple[Term, ...]) -> Axis | None:
    """The support axis of a mixture of distributions, as in the middle of a Jensen-Shannon divergence."""
    axis: Axis | None = None
    for term in terms:
        inside = [atom for atom, p in term.factors if atom.role in _DISTRIBUTIONS and p == 1]
        if len(inside) != 1 or (term.coefficient is not None and term.coefficient < 0):
            return None
        axis = axis or inside[0].axis
    return axis
