"""What a primitive does, as far as that has to be known before anything is interpreted.

The text gate looks for the names of what takes a logarithm or reduces, the slices follow what scales or calls, and
the fixes replace a mean by a sum. All of them derive their names from the tables, through the effects that stand
here and nowhere else; so a framework whose mean is called `avg` needs a line in its table and no more. They stand
beside the tables, not beside the primitives, because most files are passed over without loading the engine.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

from batchmean.operations import FRAMEWORKS
from batchmean.operations.table import parse


class Effect(enum.Flag):
    """What a primitive does to what it is given."""

    NONE = 0
    AVERAGES = enum.auto()
    """Takes the mean, unless it is told otherwise."""
    SUMS = enum.auto()
    CONTRACTS = enum.auto()
    """Multiplies and sums in one, or reduces as a word in the call says."""
    TAKES_LOGARITHM = enum.auto()
    """Gives a logarithm, or a divergence that holds one."""
    EXPONENTIATES = enum.auto()
    GIVES_LOSS = enum.auto()
    """Is a loss, which takes its own mean if nothing else is asked for."""
    MAKES_CRITERION = enum.auto()
    """Makes something to be called later, which does what the effects beside this one say."""
    MAKES_LAYER = enum.auto()
    DIVIDES = enum.auto()
    SCALES = enum.auto()
    """May put a reduction right, or make a perplexity of it."""
    ADDS = enum.auto()
    CALLS = enum.auto()
    """Calls the function that it is given, or makes one that does."""
    SQUARES = enum.auto()
    GIVES_TARGET = enum.auto()
    """Gives what a cross-entropy multiplies the log-probabilities by."""
    GIVES_COLUMN = enum.auto()
    """Makes (B, 1) of (B,)."""
    GIVES_SHAPE = enum.auto()
    """May make (B, 1) of (B,), too."""
    COUNTS = enum.auto()
    """Gives a length or a number of elements."""


_E = Effect
_OF: Final[Mapping[str, Effect]] = {
    "mean": _E.AVERAGES,
    "average": _E.AVERAGES,
    "sum": _E.SUMS,
    "builtin_sum": _E.SUMS | _E.ADDS,
    "einsum": _E.SUMS | _E.CONTRACTS,
    "vdot": _E.SUMS | _E.CONTRACTS,
    "tensordot": _E.SUMS | _E.CONTRACTS,
    "matmul": _E.CONTRACTS | _E.SCALES,
    "einops_reduce": _E.CONTRACTS,
    "fold": _E.CONTRACTS | _E.COUNTS,
    "log": _E.TAKES_LOGARITHM,
    "log1p": _E.TAKES_LOGARITHM,
    "log_softmax": _E.TAKES_LOGARITHM,
    "log_sigmoid": _E.TAKES_LOGARITHM,
    "logsumexp": _E.TAKES_LOGARITHM,
    "logaddexp": _E.TAKES_LOGARITHM,
    "xlogy": _E.TAKES_LOGARITHM,
    "xlog1py": _E.TAKES_LOGARITHM,
    "entropy_terms": _E.TAKES_LOGARITHM,
    "relative_entropy_terms": _E.TAKES_LOGARITHM,
    "class_divergence": _E.TAKES_LOGARITHM,
    "kl_divergence": _E.TAKES_LOGARITHM,
    "kl_div": _E.TAKES_LOGARITHM | _E.AVERAGES | _E.GIVES_LOSS,
    "kl_div_module": _E.TAKES_LOGARITHM | _E.AVERAGES | _E.GIVES_LOSS | _E.MAKES_CRITERION,
    "class_loss": _E.GIVES_LOSS,
    "class_loss_module": _E.GIVES_LOSS | _E.MAKES_CRITERION,
    "elementwise_loss": _E.GIVES_LOSS,
    "keras_loss": _E.GIVES_LOSS | _E.MAKES_CRITERION,
    "elementwise_loss_module": _E.GIVES_LOSS | _E.MAKES_CRITERION,
    "loss_module": _E.MAKES_CRITERION,
    "exp": _E.EXPONENTIATES | _E.SCALES,
    "expm1": _E.EXPONENTIATES | _E.SCALES,
    "divide": _E.DIVIDES | _E.SCALES,
    "reciprocal": _E.SCALES,
    "multiply": _E.SCALES,
    "power": _E.SCALES | _E.SQUARES,
    "square": _E.SCALES | _E.SQUARES,
    "sqrt": _E.SCALES,
    "squared_difference": _E.SQUARES,
    "add": _E.ADDS,
    "subtract": _E.ADDS,
    "partial": _E.CALLS | _E.MAKES_CRITERION,
    "vmap": _E.CALLS,
    "map_call": _E.CALLS,
    "value_and_grad": _E.CALLS,
    "same_function": _E.CALLS,
    "layer": _E.MAKES_LAYER,
    "dense": _E.MAKES_LAYER,
    "dense_layer": _E.MAKES_LAYER,
    "sequential": _E.MAKES_LAYER,
    "stax_serial": _E.MAKES_LAYER,
    "one_hot": _E.GIVES_TARGET,
    "eye": _E.GIVES_TARGET,
    "softmax": _E.GIVES_TARGET,
    "to_categorical": _E.GIVES_TARGET,
    "unsqueeze": _E.GIVES_COLUMN,
    "reshape": _E.GIVES_SHAPE,
    "rearrange": _E.GIVES_SHAPE,
    "length": _E.COUNTS,
    "numel": _E.COUNTS,
    "prod": _E.COUNTS,
    "shape": _E.COUNTS,
    "size_at": _E.COUNTS,
}


def primitives() -> frozenset[str]:
    """The primitives that have an effect."""
    return frozenset(_OF)


@cache
def effect_of(line: str) -> Effect:
    """The effect of a line of a table. What makes a layer of a function has the effect of that, too."""
    effect = _OF.get(line.partition("(")[0], Effect.NONE)
    if "extra=" in line and Effect.MAKES_LAYER in effect:
        effect |= _OF.get(parse(line).extra, Effect.NONE)
    return effect


def makes_criterion(primitive: str) -> bool:
    """Does it make an object that is called with outputs and targets, and gives their loss?"""
    effect = _OF.get(primitive, Effect.NONE)
    return Effect.MAKES_CRITERION in effect and Effect.CALLS not in effect


def is_loss(primitive: str) -> bool:
    """Is it called with outputs and targets, and gives their loss?"""
    effect = _OF.get(primitive, Effect.NONE)
    return Effect.GIVES_LOSS in effect and Effect.MAKES_CRITERION not in effect


@cache
def names(effect: Effect) -> frozenset[str]:
    """The functions and methods of all tables that have one of these effects, without their modules."""
    return frozenset(name for _, name, line in _lines() if effect_of(line) & effect)


@cache
def spellings(*primitives: str) -> frozenset[str]:
    """The functions and methods of all tables that are one of these primitives, without their modules."""
    return frozenset(name for _, name, line in _lines() if line.partition("(")[0] in primitives)


@cache
def beside(primitive: str, other: str) -> Mapping[str, str]:
    """For each function that is `primitive` the one of its module that is `other`: `{"reduce_mean": "reduce_sum"}`.

    Of several it is the one whose name differs least: `nansum` stands beside `nanmean`.
    """
    found: dict[str, str] = {}
    groups: dict[str, dict[str, list[str]]] = {}
    for module, name, line in _lines():
        groups.setdefault(module, {}).setdefault(line.partition("(")[0], []).append(name)
    for group in groups.values():
        for name in group.get(primitive, ()):
            others = sorted(group.get(other, ()), key=lambda one: (_differs(name, one), len(one), one))
            if others:
                found.setdefault(name, others[0])
    return found


def _differs(name: str, other: str) -> int:
    """How many of the letters at the front are not those of the other name."""
    return next((len(name) - at for at, (a, b) in enumerate(zip(name, other, strict=False)) if a != b), 0)


def _lines() -> Iterator[tuple[str, str, str]]:
    """All lines of all tables: module, name and what the line says; the methods of arrays have no module."""
    for table in FRAMEWORKS:
        for full_name, line in (*table.functions.items(), *table.methods.items()):
            module, _, name = full_name.rpartition(".")
            yield module, name, line
