"""The divergence of two Gaussians at a sample of one of them: log q(z) - log p(z), a number per dimension."""

from __future__ import annotations

from batchmean.engine.domain.tensors import Atom, Integrand, Place, Tensor, Term

SAMPLE = "sample"
"""The kind of an atom that is drawn from the distribution that is its source."""


def sampled_kl(tensor: Tensor) -> Integrand | None:
    """The difference of two log-densities of the same sample, its dimensions not summed."""
    if len(tensor.terms) != 2:
        return None
    one, other = map(_log_density, tensor.terms)
    if one is None or other is None or one.source == other.source:
        return None
    first, second = tensor.terms
    if first.coefficient is None or second.coefficient is None or first.coefficient != -second.coefficient:
        return None
    if _rest(first, one) != _rest(second, other):
        return None
    sample = one.argument.single() if one.argument is not None else None
    if sample is None or other.argument is None or other.argument.single() != sample:
        return None
    if sample.kind != SAMPLE or sample.source not in (one.source, other.source):
        return None
    shape = tensor.shape
    axis = shape.axis(-1)
    if (
        axis is None
        or axis.size == 1
        or shape.may_lack_its_last
        or axis.root().parts
        or axis.root().whole is not None
    ):
        return None
    evidence: tuple[Place, ...] = tuple(atom.place for atom in (one, other) if atom.place is not None)
    return Integrand(
        "latent KL",
        axis,
        "D",
        True,
        evidence,
        shape,
        tensor.stack or (),
        library="log_prob",
        key=tensor.key,
        distributions=(one.source, other.source),
        assumed=True,
    )


def _log_density(term: Term) -> Atom | None:
    found = [atom for atom, power in term.factors if atom.kind == "log_prob" and power == 1]
    return found[0] if len(found) == 1 and found[0].source else None


def _rest(term: Term, without: Atom) -> list[tuple[Atom, float]]:
    return [factor for factor in term.factors if factor[0] != without]
