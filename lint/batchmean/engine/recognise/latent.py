"""The divergence of a Gaussian posterior from the standard normal, in any spelling."""

from __future__ import annotations

from batchmean.engine.domain.tensors import Atom, Integrand, Place, Role, Tensor, Term
from batchmean.engine.recognise.places import last_axis


def latent_kl(tensor: Tensor) -> Integrand | None:
    """A closed-form Gaussian KL: a negative log-variance, that variance, a squared mean and a constant."""
    constants = [t for t in tensor.terms if not t.factors]
    if len(constants) != 1 or len(tensor.terms) < 4:
        return None
    number = constants[0].coefficient
    if number is None:
        return None
    sign = -1.0 if number > 0 else 1.0
    for term in tensor.terms:
        log = _bare_atom(term)
        if log is None or term.coefficient is None or term.coefficient * sign >= 0:
            continue
        variance = _variance_of(log, tensor, sign)
        if variance is None:
            continue
        squares = [
            atom
            for other in tensor.terms
            if other is not variance and (other.coefficient is None or other.coefficient * sign > 0)
            for atom, power in other.factors
            if power == 2 and atom.role is Role.OPAQUE
        ]
        end = tensor.shape.axis(-1)
        if end is not None and (end.root().parts or end.root().whole is not None):
            return None  # flattened: where the latent axis is, nothing shows
        if any(a.shape is not None and a.shape.may_lack_its_last for a in (log, *squares)):
            continue  # a mean or a choice took the latent axis before: what is left need not be it
        axis = last_axis(log, tensor)
        if squares and axis is not None and axis.size != 1:
            sides = [a.shape for a in (*squares, log) if a.role is Role.OPAQUE and a.shape is not None]
            for shape in sides if any(shape.is_same(tensor.shape) for shape in sides) else ():
                tensor.shape.unite(shape)
            shown = [log.place, *(a.place for a, _ in variance.factors if a.role is not Role.OPAQUE)]
            first = next((place for place in shown if place is not None), None)
            evidence = (Place(first.node, "the variance and log-variance of a Gaussian KL"),) if first else ()
            stack = tensor.stack or ()
            key = tensor.key
            rest = [other for other in tensor.terms if other is not term and other is not variance]
            alone = not any(map(_is_another_spread, rest))
            return Integrand("latent KL", axis, "D", alone, evidence, tensor.shape, stack, key=key)
    return None


def _bare_atom(term: Term) -> Atom | None:
    atoms = [(a, p) for a, p in term.factors if a.role is not Role.COUNT]
    if len(atoms) == 1 and atoms[0][1] == 1 and atoms[0][0].role in (Role.LOG, Role.OPAQUE):
        return atoms[0][0]
    return None


def _is_another_spread(term: Term) -> bool:
    """Is it the log-variance of a prior that was learned? What has two of these need be no code: a Gaussian each."""
    atom = _bare_atom(term)
    return atom is not None and not atom.shape_is_scalar


def _variance_of(log: Atom, tensor: Tensor, sign: float) -> Term | None:
    """The term that holds exp(log), or the square of what `log` is the logarithm of."""
    wanted = None
    if log.role is Role.LOG and log.argument is not None:
        wanted = log.argument.single()
    for term in tensor.terms:
        if term.coefficient is not None and term.coefficient * sign <= 0:
            continue
        for atom, power in term.factors:
            if power <= 0:
                continue
            if wanted is not None and atom == wanted and power in (1, 2):
                return term
            if atom.role is Role.EXP and atom.argument is not None and log in atom.argument.atoms():
                return term
    return None
