"""Recognising the terms that are expectations over a support, and those that only look like them.

An integrand is a target distribution times a log-probability with the support axis still there; or a closed-form
Gaussian KL; or a library's elementwise divergence. The `(1 - y) * log(1 - p)` half of a binary cross-entropy, a
term that is linear in the rate (Poisson, unnormalised KL) and a sigmoid make the whole sum an elementwise loss,
which is rightly averaged over every element.
"""

from __future__ import annotations

from batchmean.engine.domain.algebra import BINARY_ROLES, is_negligible, without_counts
from batchmean.engine.domain.axes import Axis
from batchmean.engine.domain.broadcasting import unite_sides
from batchmean.engine.domain.masks import common_masks, unmasked
from batchmean.engine.domain.shapes import Shape
from batchmean.engine.domain.tensors import Atom, Integrand, Place, Role, Stack, Tensor, Term, altered
from batchmean.engine.evidence.comments import says_classes, says_per_example
from batchmean.engine.evidence.names import (
    are_of_a_course,
    is_log_name,
    is_loss_name,
    is_probability_name,
    is_target_name,
)
from batchmean.engine.recognise.latent import latent_kl
from batchmean.engine.recognise.likelihoods import is_squared_difference, likelihood_of
from batchmean.engine.recognise.pairs import _is_chosen
from batchmean.engine.recognise.places import last_axis
from batchmean.engine.recognise.sampled import sampled_kl

_SHOWN = (Role.PROBS, Role.ONE_HOT)
_LOGS = (Role.LOG, Role.LOG_PROBS)


def recognise(tensor: Tensor) -> Integrand | None:
    """The integrand that this array is, with its support axis alive; None for everything else."""
    if not tensor.terms or tensor.shape.is_scalar:
        return None
    alone = tensor.single()
    if alone is not None and alone.role is Role.OPAQUE:
        return None
    atoms = tensor.atoms()
    if (sampled := sampled_kl(tensor)) is not None:
        return sampled
    roles = {atom.role for atom in atoms}
    if Role.MASK in roles:
        tensor = unmasked(tensor)
        atoms = tensor.atoms()
    if not roles.isdisjoint(BINARY_ROLES):
        return None
    if Role.INTEGRAND in roles:
        return _library_integrand(tensor)
    if roles.isdisjoint(_LOGS) and not any(a.names and is_log_name(a.names) for a in atoms):
        return latent_kl(tensor) if Role.EXP in roles else None
    return _expectation(tensor) or latent_kl(tensor)


def loss_per_position(tensor: Tensor, stack: Stack = ()) -> Integrand | None:
    """A loss without a support: a number per position, such as a squared error or what a library loss gives.

    Of an array that only its name makes a loss, an account is kept where a mask zeroes it.
    """
    if not tensor.terms or tensor.shape.is_scalar:
        return None
    shown = [a for a in tensor.atoms() if _is_a_loss(a, tensor.shape)]
    places: list[Place | None] = [a.place for a in shown]
    is_shown = bool(places)
    if any(a.role is Role.LOG_COMPLEMENT for a in shown):
        unite_sides(tensor)
    shape = tensor.shape
    masks = common_masks(tensor)
    if tensor.shape.may_be_pairs and not masks:
        return None
    bare = without_counts(unmasked(tensor) if masks else tensor)
    if not is_shown and is_squared_difference(bare.terms):
        sides = [a for a in tensor.atoms() if a.role is not Role.MASK]
        places, is_shown = [a.place for a in sides][:1], True
        unite_sides(tensor)
    elif not is_shown and (likelihood := likelihood_of(bare)) is not None:
        places, is_shown = [a.place for a in likelihood.atoms()][:1], True
        own = [a.shape for a in likelihood.atoms() if a.role is Role.OPAQUE and a.shape is not None]
        shape = own[0] if own and shape.rank is None else shape  # the log-variance may be one of all elements
        unite_sides(altered(likelihood, shape=shape))
    if not is_shown and masks:
        bases = [a for a in unmasked(tensor).atoms() if a.role is Role.OPAQUE]  # a `loss_mask` is no loss
        named = [a for a in bases if a.kind in ("", "computed") and is_loss_name(a.names)]
        roles = (*_LOGS, *BINARY_ROLES, Role.LOG_SUM_EXP)
        logs = [a for a in tensor.atoms() if a.kind == "log_prob" or a.role in roles]
        is_shown = bool(logs)
        places = [a.place and Place(a.place.node, f"`{a.names[0]}` is a loss by its name") for a in named]
        places += [a.place for a in logs]
        if not named and not logs:
            return None
    elif not is_shown:
        return None
    return Integrand(
        "loss",
        Axis(1),
        "",
        is_shown and not tensor.shape.may_be_pairs,
        _unique(places),
        shape,
        tensor.stack or stack,
        key=tensor.key,
    )


def _is_a_loss(atom: Atom, shape: Shape) -> bool:
    """Does the code show it to be a loss, or one with a weight or a sign?"""
    if atom.kind in ("error", "selected") or atom.role in (Role.LOG_COMPLEMENT, Role.LOG_SIGMOID):
        return True
    if atom.role is Role.LOG_PROBS:  # of all classes they are no loss yet
        return atom.axis is not None and shape.has(atom.axis) is False
    inside = atom.argument.single() if atom.role is Role.LOG and atom.argument is not None else None
    return inside is not None and inside.kind == "picked"


def _library_integrand(tensor: Tensor) -> Integrand | None:
    for term in tensor.terms:
        for atom, power in term.factors:
            if atom.role is Role.INTEGRAND and power == 1 and atom.axis is not None:
                if tensor.shape.has(atom.axis) is False:
                    continue
                evidence = (atom.place,) if atom.place else ()
                latent = atom.kind == "latent KL" or atom.source != 0
                return Integrand(
                    atom.kind,
                    atom.axis,
                    "D" if latent else "V",
                    atom.shown,
                    (*_argument_evidence(atom), *evidence),
                    tensor.shape,
                    tensor.stack or (),
                    library=atom.names[0] if atom.names else "",
                    key=tensor.key,
                    event=atom.source,
                    distributions=atom.distributions,
                    assumed=not atom.shown or latent,
                    mixed=any(
                        all(a.role is not Role.INTEGRAND for a, _ in t.factors)
                        and not is_negligible(Tensor((t,), tensor.shape))
                        for t in tensor.terms
                    ),
                )
    return None


def _argument_evidence(atom: Atom) -> tuple[Place, ...]:
    if atom.argument is None:
        return ()
    return _unique([a.place for a in atom.argument.atoms() if a.role is not Role.OPAQUE and a.place])


def _unique(places: list[Place | None]) -> tuple[Place, ...]:
    seen: list[Place] = []
    for place in places:
        if place is not None and all(place.node is not other.node for other in seen):
            seen.append(place)
    return tuple(seen)


def _expectation(tensor: Tensor) -> Integrand | None:
    best: tuple[tuple[bool, bool], Axis, list[Place | None]] | None = None
    weights: list[Atom] = []
    logs: list[Atom] = []
    others: list[Term] = []
    for term in tensor.terms:
        found = _weight_and_log(term, tensor)
        if found is None:
            others.append(term)
            continue
        weight, log, axis, proved = found
        if weight.role is Role.OPAQUE and _is_part_of_a_difference(term, weight, log, tensor):
            others.append(term)
            continue
        weights.append(weight)
        logs.append(log)
        places = [
            _shown_by(weight, "a target distribution"),
            _normalised_at(log),
            _shown_by(log, "log-probabilities"),
        ]
        # An axis that one of the distributions shows is that of all: of a bare name the last one is only assumed.
        rank = proved, weight.axis is not None or log.axis is not None
        if best is None or rank > best[0]:
            best = (rank, axis, places)
        else:
            best[2].extend(places)
    if best is None or _is_linear_in_the_rate(tensor, weights, logs):
        return None
    (proved, _), axis, places = best
    # `probs * (alpha * log_probs - q)`: the expectation of values under a distribution.
    plain = [t for t in others if not any(a.role in _LOGS for a, _ in t.factors)]
    values = any(weight in {a for a, _ in term.factors} for term in plain for weight in weights)
    # `y * log(y / p)` holds y * log(y), whatever y is.
    sources = {weight.key for weight in weights}
    ratio = any(atom.source in sources for term in others for atom, _ in term.factors)
    if tensor.shape.has(axis) is False:
        return None
    parts = {*weights, *logs}
    return Integrand(
        _kind(weights, logs, values, ratio),
        axis,
        "V",
        proved,
        _unique(places),
        tensor.shape,
        tensor.stack or (),
        key=tensor.key,
        assumed=all(a.axis is None for a in (*weights, *logs)),
        mixed=any(
            parts.isdisjoint(a for a, _ in t.factors) and not is_negligible(Tensor((t,), tensor.shape))
            for t in others
        ),
        square=any(_is_whole_identity(weight, tensor) for weight in weights),
    )


def _is_whole_identity(weight: Atom, tensor: Tensor) -> bool:
    """Is it `eye(n)` itself, not the rows that labels pick of it?"""
    rows = weight.shape.axis(0) if weight.role is Role.ONE_HOT and weight.shape is not None else None
    return rows is not None and any(rows.is_same(axis) for axis in tensor.shape.shown)


def _stands_alone(log: Atom, tensor: Tensor) -> bool:
    """Is the logarithm there without a weight too, as in the focal loss of a chosen probability?"""
    return any([atom for atom, _ in t.factors if not atom.shape_is_scalar] == [log] for t in tensor.terms)


def _is_part_of_a_difference(term: Term, weight: Atom, log: Atom, tensor: Tensor) -> bool:
    """Is the log-probability weighed by `a - b`, such as an advantage? That is none, whatever `a` is called."""
    for other in tensor.terms:
        if other is term:
            continue
        atoms = [atom for atom, _ in other.factors]
        rest = [a for a in atoms if a != log and a.role is Role.OPAQUE and not a.shape_is_scalar]
        if log in atoms and weight not in atoms and rest and not any(is_target_name(a.names) for a in rest):
            return True
    return False


def _shown_by(atom: Atom, meaning: str) -> Place | None:
    """The line that shows what an atom is; for an unknown, the line that names it."""
    if atom.role is Role.LOG and atom.argument is not None:
        inner = atom.argument.single()
        if inner is not None and inner.names and atom.place is not None:
            return Place(atom.place.node, f"the logarithm of `{inner.names[0]}`, probabilities by the name")
    if atom.role is not Role.OPAQUE or atom.place is None:
        return atom.place
    how = "by the axes it is said to have" if says_classes(atom.hint) else "by its name"
    return Place(atom.place.node, f"`{atom.place.text}` is taken for {meaning} {how}")


def _normalised_at(log: Atom) -> Place | None:
    """The softmax, or the division by a sum, that shows over which axis the logarithm's argument is a distribution."""
    inner = log.argument.single() if log.role is Role.LOG_PROBS and log.argument is not None else None
    return inner.place if inner is not None and inner.role is Role.PROBS else None


def _weight_and_log(term: Term, tensor: Tensor) -> tuple[Atom, Atom, Axis, bool] | None:
    """The distribution and the log-probability of a term, the support axis, and whether no name was needed."""
    factors = [(atom, power) for atom, power in term.factors if power > 0]
    logs = [
        a
        for a, p in factors
        if p == 1
        and (a.role in (Role.LOG_PROBS, Role.LOG) or (a.role is Role.OPAQUE and is_log_name(a.names)))
    ]
    if len(logs) != 1:
        return None
    log = logs[0]
    others = [a for a, p in factors if a is not log and p == 1 and a.role is not Role.COUNT]
    shown = [a for a in others if a.role in _SHOWN and a.axis is not None and tensor.shape.has(a.axis)]
    if shown and shown[0].axis is not None:
        weight = shown[0]
        if log.axis is not None and _are_of_two_axes(shown[0].axis, log.axis, tensor.shape):
            return None
        if log.role is Role.OPAQUE:
            return weight, log, shown[0].axis, False
        if log.role is Role.LOG and _is_width_one(log):
            return None
        return weight, log, shown[0].axis, weight.shown
    if log.axis is not None and not tensor.shape.has(log.axis):
        return None
    inside = log.argument.single() if log.argument is not None else None
    log_hint = log.hint or (inside.hint if inside is not None else ())
    if log.axis is None and (says_per_example(log_hint) or any(says_per_example(w.hint) for w in others)):
        return None
    if log.axis is None and any(map(_is_chosen, (log, *others))):
        return None
    for weight in others:
        if weight.role is Role.OPAQUE and log.role is Role.LOG and log.source == weight.key:
            axis = last_axis(weight, tensor)
            # x * log(x) is an entropy only by its sign or its name: Theil's index has neither.
            negative = term.coefficient is not None and term.coefficient < 0
            negative = negative and not _is_taken_from_another(weight, log, tensor)
            meant = negative or is_probability_name(weight.names) or says_classes(weight.hint)
            selected = weight.kind == "computed" or _stands_alone(log, tensor)
            if axis is None or axis.size == 1 or selected or not meant:
                return None
            return weight, log, axis, False
    for weight in others:
        both = says_classes(weight.hint) and says_classes(log_hint) and log.role is Role.LOG
        if weight.role is not Role.OPAQUE or not (both or is_target_name(weight.names)):
            continue
        if log.role is Role.LOG_PROBS and log.axis is not None:
            return weight, log, log.axis, False
        axis = last_axis(weight, tensor)
        if axis is None or axis.size == 1:
            continue
        if log.role is Role.LOG and log.argument is not None:
            by_names = inside is not None and (
                is_probability_name(inside.names) or are_of_a_course(weight.names, inside.names)
            )
            if both or by_names:
                return weight, log, axis, False
        if log.role is Role.OPAQUE and is_probability_name(weight.names):
            return weight, log, axis, False
    return None


def _are_of_two_axes(one: Axis, other: Axis, shape: Shape) -> bool:
    """Do the weights sum to one over one axis, and the probabilities over another? Nobody knows which one is meant."""
    return bool(shape.has(other)) and not one.is_same(other) and not shape.may_be_one(one, other)


def _is_taken_from_another(weight: Atom, log: Atom, tensor: Tensor) -> bool:
    """Does the sign say no more than that it is subtracted from something that has nothing to do with it?"""
    own = {weight, log}
    return any(
        own.isdisjoint(arrays)
        for term in tensor.terms
        if (arrays := [atom for atom, _ in term.factors if not atom.shape_is_scalar])
    )


def _is_width_one(log: Atom) -> bool:
    return log.axis is not None and log.axis.size == 1


def _is_linear_in_the_rate(tensor: Tensor, weights: list[Atom], logs: list[Atom]) -> bool:
    """Is there a bare `- x + y` beside it, as in a Poisson likelihood or an unnormalised KL?"""
    rates = {atom.key for atom in weights}
    for log in logs:
        if log.argument is not None:
            rates.update(atom.key for atom in log.argument.atoms())
        elif log.source:
            rates.add(log.source)
    for term in tensor.terms:
        arrays = [a for a, _ in term.factors if a.role is not Role.COUNT and not a.shape_is_scalar]
        if len(arrays) == 1 and arrays[0].key in rates and arrays[0].role is not Role.LOG_PROBS:
            return True
    return False


def _kind(weights: list[Atom], logs: list[Atom], values: bool, ratio: bool) -> str:
    own = [log.source == weight.key for weight, log in zip(weights, logs, strict=True)]
    if values:
        return "expectation"
    if all(own):
        return "entropy"
    if ratio or any(_is_quotient(log, weight) for weight, log in zip(weights, logs, strict=True)):
        return "KL divergence"
    # `(1 - p)**2 * y * log(p)` has terms of p log(p), too, beside that of y alone.
    with_entropy = {weight.key for weight, is_own in zip(weights, own, strict=True) if is_own}
    return "KL divergence" if with_entropy.issuperset(w.key for w in weights) else "cross-entropy"


def _is_quotient(log: Atom, weight: Atom) -> bool:
    """Is it the logarithm of the weight over something else, an epsilon added to each or not?"""
    factors = [factor for term in log.argument.terms for factor in term.factors] if log.argument else []
    return any(atom == weight and power > 0 for atom, power in factors) and any(p < 0 for _, p in factors)
