"""Negative log-likelihoods per element that are no expectation over a support: of labels, Gaussian, Poisson, binary.

Each is a sum in which one atom tells of another: `logsumexp(x) - x[i, labels]`, `s + (x - y)^2 / exp(s)`,
`exp(p) - y * p`, `softplus(p) - y * p`.
"""

from __future__ import annotations

from typing import Final

from batchmean.engine.domain.tensors import Atom, Role, Tensor, Term, altered, product_of

SOFTPLUS: Final = "softplus"
"""The kind of an atom that is log(1 + exp(x)) of its argument."""


def likelihood_of(tensor: Tensor) -> Tensor | None:
    """The part of a likelihood per element that has its axes for sure; None for everything else."""
    return _of_labels(tensor) or _of_a_rate(tensor) or _gaussian(tensor)


def is_squared_difference(terms: tuple[Term, ...]) -> bool:
    """Is it a^2 - 2ab + b^2?"""
    if len(terms) != 3:
        return False
    squares = [t for t in terms if t.factors and all(power == 2 for _, power in t.factors)]
    mixed = [t for t in terms if t not in squares]
    if len(squares) != 2 or len(mixed) != 1 or squares[0].coefficient is None:
        return False
    first, last = (term.factors[0][0] for term in squares)
    if first.key in _made_of(last) or last.key in _made_of(first):
        return False  # the distance from its own mean is a variance
    both = product_of((atom, 1.0) for term in squares for atom, _ in term.factors)
    scale = squares[0].coefficient
    return mixed[0].factors == both and squares[1].coefficient == scale and mixed[0].coefficient == -2 * scale


def _made_of(mean: Atom) -> set[int]:
    """The keys of what a mean, or a sum, is of."""
    inside = mean.argument.single() if mean.role is Role.SUM and mean.argument is not None else None
    return {mean.source, inside.key} if inside is not None else {mean.source}


def _of_labels(tensor: Tensor) -> Tensor | None:
    """logsumexp(x) - x[label]: the cross-entropy of logits, the label's own one picked by an index."""
    if len(tensor.terms) != 2:
        return None
    for whole, own in (tensor.terms, tensor.terms[::-1]):
        if len(whole.factors) != 1 or len(own.factors) != 1 or whole.coefficient is None:
            continue
        [(total, power)], [(picked, of_picked)] = whole.factors, own.factors
        if total.role is not Role.LOG_SUM_EXP or picked.kind != "picked" or (power, of_picked) != (1, 1):
            continue
        if own.coefficient == -whole.coefficient and total.argument is not None:
            if picked.source == total.argument.key:
                return altered(tensor, terms=(whole, own))
    return None


def _of_a_rate(tensor: Tensor) -> Tensor | None:
    """exp(p) - y * p, of counts; softplus(p) - y * p, of labels that are 0 or 1."""
    if len(tensor.terms) != 2:
        return None
    for whole, product in (tensor.terms, tensor.terms[::-1]):
        if len(whole.factors) != 1 or len(product.factors) != 2 or whole.factors[0][1] != 1:
            continue
        atom = whole.factors[0][0]
        rate = atom.argument.single() if atom.argument is not None else None
        if rate is None or not (atom.role is Role.EXP or atom.kind == SOFTPLUS):
            continue
        if whole.coefficient is None or product.coefficient != -whole.coefficient:
            continue
        if any(factor == rate and power == 1 for factor, power in product.factors):
            return altered(tensor, terms=(product,))
    return None


def _gaussian(tensor: Tensor) -> Tensor | None:
    """s + (x - y)^2 / exp(s), where s is the logarithm of a variance; of a deviation the half of it."""
    if len(tensor.terms) != 4:
        return None
    for plain in tensor.terms:
        s = plain.factors[0][0] if len(plain.factors) == 1 and plain.factors[0][1] == 1 else None
        if s is None or plain.coefficient is None:
            continue
        rest = [_precision_taken_out(term, s) for term in tensor.terms if term is not plain]
        found = [pair for pair in rest if pair is not None]
        squares = tuple(term for _, term in found)
        if not is_squared_difference(squares) or len({power for power, _ in found}) != 1:
            continue
        scale = next(t.coefficient for t in squares if all(power == 2 for _, power in t.factors))
        if scale is not None and plain.coefficient == found[0][0] * scale:
            return altered(tensor, terms=squares)
    return None


def _precision_taken_out(term: Term, s: Atom) -> tuple[float, Term] | None:
    """A term without its factor 1 / exp(s) or 1 / exp(s)^2, and that power."""
    for atom, power in term.factors:
        inside = atom.argument.single() if atom.role is Role.EXP and atom.argument is not None else None
        scale = s.argument.single() if s.role is Role.LOG and s.argument is not None else None
        if power in (-1, -2) and (inside == s or scale == atom):
            return -power, Term(
                term.coefficient, tuple(factor for factor in term.factors if factor[0] != atom)
            )
    return None
