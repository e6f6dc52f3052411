"""Probability distributions as objects: which of their quantities are per element and which per example."""

from __future__ import annotations

import ast

from batchmean.engine.context import Context
from batchmean.engine.domain.axes import AxesSpec
from batchmean.engine.domain.broadcasting import map_atoms
from batchmean.engine.domain.distributions import log_probs_atom
from batchmean.engine.domain.shapes import Shape
from batchmean.engine.domain.tensors import Atom, Place, Role, altered, atom_of, from_atom
from batchmean.engine.domain.values import DistributionValue, Value
from batchmean.engine.primitives.registry import Call, integer, primitive
from batchmean.engine.recognise.sampled import SAMPLE


@primitive
def elementwise_distribution(call: Call, x: Value, scale: Value | None = None) -> Value:
    """Normal, Laplace, Beta ...: one independent variable per element, the event axis not summed."""
    place = call.place(f"{call.name} is one independent variable per element")
    family = call.operation.extra or call.name
    shape = call.tensor(x).shape
    if scale is not None and shape.dropped == call.tensor(scale).shape.dropped == (0,):
        family = (
            f"{family} of a sample"  # fitted to all examples: what is told of it is told of its dimensions
        )
    return DistributionValue(family, False, shape, place, _fresh_key(call))


def _fresh_key(call: Call) -> int:
    atom = call.opaque().single()
    return atom.key if atom is not None else 0


@primitive
def event_distribution(call: Call, x: Value | None = None, y: Value | None = None) -> Value:
    """Categorical, MultivariateNormal ...: entropy, KL and log_prob are per example."""
    given = x if x is not None else y
    shape = call.tensor(given).shape if given is not None else Shape()
    return DistributionValue(call.operation.extra or call.name, True, shape, key=_fresh_key(call))


def parameter(context: Context, x: DistributionValue, name: str, node: ast.AST) -> Value:
    """`Categorical(...).probs` and `.logits`, which PyTorch normalises."""
    axis = x.shape.axis(-1) if x.family.endswith("Categorical") and x.key else None
    if axis is None or name not in ("probs", "logits"):
        return context.opaque((name,))
    place = Place(node, f"the {name} of a categorical distribution, over the last axis")
    if name == "probs":
        return from_atom(Atom(x.key, Role.PROBS, axis, place=place), x.shape)
    return from_atom(log_probs_atom(x.key, axis, place), x.shape)


@primitive
def independent(call: Call, x: Value, n: Value | None = None) -> Value:
    """Independent(base, n) sums the last n axes of the base's quantities."""
    if not isinstance(x, DistributionValue):
        return call.opaque()
    return altered(x, event_summed=x.event_summed or integer(n) != 0)


@primitive
def kl_divergence(call: Call, p: Value, q: Value | None = None) -> Value:
    """KL between two distribution objects: per element for two Normals, else per example."""
    # torch defines KL to a plain Normal for distributions per element only, so one side decides.
    sides = [d for d in (p, q) if isinstance(d, DistributionValue)]
    if sides and all(d.family.endswith("Categorical") and d.event_summed for d in sides):
        one, other = sides[0].shape, sides[-1].shape
        if not (one.is_stretched or other.is_stretched):
            one.unite(other)
        place = call.place("the divergence of two categorical distributions is one number per example")
        divergences = call.opaque(sides[0].shape.without(AxesSpec.at(-1)))
        return map_atoms(divergences, lambda atom: altered(atom, kind="error", place=place))
    if not sides or any(d.event_summed or d.family != "Normal" for d in sides):
        return call.opaque()
    shape = max((d.shape for d in sides), key=lambda s: len(s.shown))
    if shape.rank == 0:
        shape = Shape()  # Normal(0, 1) beside something of another shape
    support = shape.axis(-1)
    if support is None or support.size == 1 or any(d.shape.may_lack_its_last for d in sides):
        return call.opaque(shape)
    place = call.place("KL between two Normals is elementwise: the latent axis is not summed")
    atom = atom_of(
        ("kl_divergence", *(d.key for d in sides)),
        Role.INTEGRAND,
        support,
        names=("kl_divergence",),
        place=place,
        kind="latent KL",
        shown=len(sides) == 2,
        distributions=(_key(call, p), _key(call, q)),
    )
    return call.context.formed(from_atom(atom, shape))


@primitive
def distribution_entropy(call: Call, x: Value) -> Value:
    """entropy: per example; of a Normal per element, and then its event axis may be one that other code sums."""
    if isinstance(x, DistributionValue) and x.family == "Categorical" and x.event_summed:
        place = call.place("the entropy of a categorical distribution is one number per example")
        entropies = call.opaque(x.shape.without(AxesSpec.at(-1)))
        return map_atoms(entropies, lambda atom: altered(atom, kind="error", place=place))
    if not isinstance(x, DistributionValue) or x.event_summed or x.family != "Normal":
        return call.opaque()
    shape = x.shape if x.shape.rank != 0 else Shape()
    support = shape.axis(-1)
    if support is None or support.size == 1 or shape.may_lack_its_last:
        return call.opaque(shape)
    place = call.place("the entropy of a Normal is elementwise: its event axis is not summed")
    atom = atom_of(
        ("entropy", x.key),
        Role.INTEGRAND,
        support,
        names=("entropy",),
        source=x.key,
        place=place,
        kind="entropy",
        shown=False,
    )
    return call.context.formed(from_atom(atom, shape))


@primitive
def distribution_log_prob(call: Call, x: Value, value: Value | None = None) -> Value:
    """log_prob: per example; of a Normal per element, without a support of its own."""
    shape = x.shape if isinstance(x, DistributionValue) and not x.event_summed else None
    if shape is not None and shape.rank == 0 and value is not None:
        shape = call.tensor(value).shape
    if isinstance(x, DistributionValue) and x.family == "Categorical" and value is not None:
        given = call.tensor(value).shape
        shape = given if given.rank is not None else None
    result = call.opaque(shape)
    key = _key(call, x)
    if isinstance(x, DistributionValue) and x.event_summed:
        return result
    # Where a quantity is zero its density may be meant to be left out: a mask made of it is no padding.
    of = call.tensor(value) if value is not None and not _is_categorical(x) else None
    place = None
    if isinstance(x, DistributionValue) and x.family == "Normal":
        place = call.place("the log-density of a Normal is elementwise: its dimensions are not summed")
    return map_atoms(
        result, lambda atom: altered(atom, kind="log_prob", source=key, argument=of, place=place)
    )


def _is_categorical(x: Value) -> bool:
    return not isinstance(x, DistributionValue) or x.family.endswith("Categorical")


def _key(call: Call, x: Value | None) -> int:
    """What identifies a distribution, known or not."""
    if isinstance(x, DistributionValue):
        return x.key
    atom = call.tensor(x).single()
    return atom.key if atom is not None else 0


@primitive
def sample(call: Call, x: Value) -> Value:
    """A sample, of a Normal one number for each of its elements."""
    if not isinstance(x, DistributionValue):
        return call.opaque()
    drawn = call.opaque(x.shape)
    if x.family != "Normal" or x.event_summed:
        return drawn
    return map_atoms(drawn, lambda atom: altered(atom, kind=SAMPLE, source=x.key))
