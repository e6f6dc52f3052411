"""What a loss is called with: arguments declared by kind and by named axes, and inputs made from them.

A declaration is `KIND (AXES)`, such as `logits (B, T, V)`. The kind says what the numbers mean, and so how to
draw them and what a class that nobody predicts looks like in them; the axes give their order. Names of axes:
B examples, T positions, H and W pixels, V classes, D latent dimensions; others may be used freely.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Sizes = Mapping[str, int]
Inputs = dict[str, Any]

# What the null-class law appends: next to no predicted mass, small enough to vanish from a float64 sum.
NULL_LOGIT = -70.0
NULL_PROBABILITY = 1e-30


@dataclass(frozen=True, slots=True)
class Kind:
    """How to draw one kind of array, and what an appended null class holds in it.

    `draw(rng, shape, support, sizes)` returns an array of that shape; `support` is the index of the axis that
    is a distribution, or None. `null` is None where the array does not change with the number of classes.
    `distribution` says that the array is one over its support; `latent`, that it parametrises Gaussians.
    """

    draw: Callable[[np.random.Generator, tuple[int, ...], int | None, Sizes], Array]
    null: float | None
    distribution: bool = False
    latent: bool = False


def _softmax(values: Array, axis: int) -> Array:
    weights = np.exp(values - values.max(axis=axis, keepdims=True))
    normalised: Array = weights / weights.sum(axis=axis, keepdims=True)
    return normalised


def _probabilities(rng: np.random.Generator, shape: tuple[int, ...], support: int | None, _: Sizes) -> Array:
    drawn = rng.normal(size=shape)
    return 1 / (1 + np.exp(-drawn)) if support is None else _softmax(drawn, support)


def _log_probabilities(
    rng: np.random.Generator, shape: tuple[int, ...], support: int | None, sizes: Sizes
) -> Array:
    logarithms: Array = np.log(_probabilities(rng, shape, support, sizes))
    return logarithms


def _one_hot(rng: np.random.Generator, shape: tuple[int, ...], support: int | None, sizes: Sizes) -> Array:
    if support is None:
        raise ValueError("one_hot needs an axis V or D")
    scores = rng.normal(size=shape)
    hot: Array = (scores == scores.max(axis=support, keepdims=True)).astype(np.float64)
    return hot


def _labels(rng: np.random.Generator, shape: tuple[int, ...], _: int | None, sizes: Sizes) -> Array:
    if "V" not in sizes:
        raise ValueError("labels need a size for V")
    return rng.integers(0, sizes["V"], size=shape)


def _ignorable_labels(rng: np.random.Generator, shape: tuple[int, ...], _: int | None, sizes: Sizes) -> Array:
    drawn = _labels(rng, shape, None, sizes)
    ignored: Array = np.where(_mask(rng, shape, None, sizes) > 0, drawn, IGNORED)
    return ignored


def _mask(rng: np.random.Generator, shape: tuple[int, ...], _: int | None, __: Sizes) -> Array:
    mask = (rng.random(shape) < 0.6).astype(np.float64)
    mask[..., 0] = 1.0  # no example without a valid position: its mean would not exist
    return mask


def _pad_mask(rng: np.random.Generator, shape: tuple[int, ...], _: int | None, sizes: Sizes) -> Array:
    padded: Array = _mask(rng, shape, None, sizes) == 0
    return padded


def _padded_labels(rng: np.random.Generator, shape: tuple[int, ...], _: int | None, sizes: Sizes) -> Array:
    if "V" not in sizes:
        raise ValueError("labels need a size for V")
    drawn = rng.integers(PAD + 1, sizes["V"], size=shape)
    padded: Array = np.where(_mask(rng, shape, None, sizes) > 0, drawn, PAD)
    return padded


def _lengths(rng: np.random.Generator, shape: tuple[int, ...], _: int | None, sizes: Sizes) -> Array:
    if "T" not in sizes:
        raise ValueError("lengths need a size for T")
    drawn: Array = rng.integers(1, sizes["T"] + 1, size=shape)
    return drawn


def _bool_mask(rng: np.random.Generator, shape: tuple[int, ...], _: int | None, sizes: Sizes) -> Array:
    return _mask(rng, shape, None, sizes) > 0


def _normal(scale: float) -> Callable[[np.random.Generator, tuple[int, ...], int | None, Sizes], Array]:
    return lambda rng, shape, _, __: rng.normal(scale=scale, size=shape)


def _positive(rng: np.random.Generator, shape: tuple[int, ...], _: int | None, __: Sizes) -> Array:
    drawn: Array = np.exp(rng.normal(scale=0.5, size=shape))
    return drawn


def _binary(rng: np.random.Generator, shape: tuple[int, ...], _: int | None, __: Sizes) -> Array:
    return rng.integers(0, 2, size=shape).astype(np.float64)


def _sign(rng: np.random.Generator, shape: tuple[int, ...], _: int | None, __: Sizes) -> Array:
    return rng.integers(0, 2, size=shape) * 2.0 - 1.0


def _binary_labels(rng: np.random.Generator, shape: tuple[int, ...], _: int | None, __: Sizes) -> Array:
    drawn: Array = rng.integers(0, 2, size=shape)
    return drawn


def _no_blank(rng: np.random.Generator, shape: tuple[int, ...], _: int | None, sizes: Sizes) -> Array:
    if "V" not in sizes:
        raise ValueError("labels need a size for V")
    drawn: Array = rng.integers(PAD + 1, sizes["V"], size=shape)
    return drawn


def _zeros(_: np.random.Generator, shape: tuple[int, ...], __: int | None, ___: Sizes) -> Array:
    return np.zeros(shape)


def _counts(rng: np.random.Generator, shape: tuple[int, ...], _: int | None, __: Sizes) -> Array:
    return rng.poisson(2.0, size=shape).astype(np.float64)


def _unit_interval(rng: np.random.Generator, shape: tuple[int, ...], _: int | None, sizes: Sizes) -> Array:
    return _probabilities(rng, shape, None, sizes)


IGNORED = -100
"""The label that PyTorch's losses ignore by default."""

PAD = 0
"""The label, or token, that fills up the short sequences of a batch."""

KINDS: Mapping[str, Kind] = {
    "logits": Kind(_normal(2.0), NULL_LOGIT, distribution=True),
    "probs": Kind(_probabilities, NULL_PROBABILITY, distribution=True),
    "log_probs": Kind(_log_probabilities, math.log(NULL_PROBABILITY), distribution=True),
    "one_hot": Kind(_one_hot, 0.0, distribution=True),
    "labels": Kind(_labels, None),
    "ignorable_labels": Kind(_ignorable_labels, None),
    "padded_labels": Kind(_padded_labels, None),
    "lengths": Kind(_lengths, None),
    "mask": Kind(_mask, None),
    "bool_mask": Kind(_bool_mask, None),
    "pad_mask": Kind(_pad_mask, None),
    "weights": Kind(_positive, None),
    "mu": Kind(_normal(1.0), 0.0, latent=True),
    "logvar": Kind(_normal(0.5), 0.0, latent=True),
    "log_sigma": Kind(_normal(0.5), 0.0, latent=True),
    "sigma": Kind(_positive, 1.0, latent=True),
    "normal": Kind(_normal(1.0), 0.0),
    "positive": Kind(_positive, 1.0),
    "unit_interval": Kind(_unit_interval, 0.5),
    "binary": Kind(_binary, 0.0),
    "counts": Kind(_counts, 0.0),
    "sign": Kind(_sign, None),
    "binary_labels": Kind(_binary_labels, None),
    "nonblank": Kind(_no_blank, None),
    "zeros": Kind(_zeros, 0.0),
    "size_list": Kind(_zeros, None),
}
"""Kinds of arrays. `probs` and `log_probs` without an axis V or D are those of a chosen class or action.

A `pad_mask` is true where a position is padding, `padded_labels` are `PAD` there, `lengths` are how many of the
T positions of each example are not. `nonblank` labels are never the class 0 (CTC's blank), `size_list (B, T)` is the
size of T once for each of the B examples.
"""

MASKS: Mapping[str, float] = {
    "mask": 0,
    "bool_mask": 0,
    "pad_mask": 1,
    "weights": 0,
    "ignorable_labels": IGNORED,
    "padded_labels": PAD,
}
"""Kinds that say how much a position counts, and what they hold where it does not count at all."""

LABELS = ("labels", "ignorable_labels", "padded_labels", "nonblank")
"""Kinds that are numbers of classes."""

COUNTS = ("n_valid", "N")
"""How many positions the mask lets through, and how many it has: counted in the drawn inputs, not chosen."""

BATCH = 2
"""How many examples of an epoch are in one of its batches: where their number is odd the last batch is smaller."""

_ARRAY = re.compile(r"(?P<kind>\w+)\s*\(\s*(?P<axes>[A-Z]\w*(?:\s*,\s*[A-Z]\w*)*)\s*\)")


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a loss: an array of a kind over named axes, the size of an axis, or a fixed value.

    `kind` is a key of `KINDS`, or "size" (then `axes` names the one axis), "batch" (how many along that axis are
    taken at a time), "count" (how many units the mask lets through, all where there is none), "scalar" or "text"
    (then `value` holds what to pass), "config" (an object with attributes: sizes of axes, numbers or texts).
    """

    name: str
    kind: str
    axes: tuple[str, ...] = ()
    value: float | str | None = None

    @classmethod
    def parse(cls, name: str, declaration: str) -> Argument:
        """Read `logits (B, V)`, `size V`, `batch B`, `count n_valid`, `scalar 0.1`, `text mean` or
        `config num_labels=V`.

        Raises `ValueError` for anything else.
        """
        if match := _ARRAY.fullmatch(declaration.strip()):
            kind, axes = match["kind"], tuple(re.split(r"\s*,\s*", match["axes"]))
            if kind not in KINDS:
                raise ValueError(f"{name}: unknown kind {kind!r}, expected one of {', '.join(KINDS)}")
            if len(set(axes)) < len(axes):
                raise ValueError(f"{name}: an axis is named twice in {declaration!r}")
            if kind == "size_list":
                if len(axes) < 2:
                    raise ValueError(f"{name}: size_list needs two axes, such as size_list(B,T)")
                return cls(name, kind, axes[:-1], axes[-1])
            return cls(name, kind, axes)
        kind, _, rest = declaration.strip().partition(" ")
        if kind in ("size", "batch") and rest.isidentifier():
            return cls(name, kind, (rest,))
        if kind == "scalar":
            return cls(name, kind, value=ast.literal_eval(rest))
        if (kind in ("text", "config") and rest) or (kind == "count" and rest == "n_valid"):
            return cls(name, kind, value=rest)
        raise ValueError(
            f"{name}: expected a kind and its axes, such as 'logits (B, V)', got {declaration!r}"
        )

    @property
    def is_array(self) -> bool:
        return self.kind in KINDS

    @property
    def support(self) -> int | None:
        """Index of the axis that is a distribution's (V, or D where there is no V), found by its name."""
        if not (self.is_array and KINDS[self.kind].distribution):
            return None
        return next((self.axes.index(axis) for axis in ("V", "D") if axis in self.axes), None)

    def draw(self, rng: np.random.Generator, sizes: Sizes) -> Any:
        """An input of this kind at these sizes: a float64 (or integer, or boolean) array, a number or a text.

        Raises `ValueError` where an axis has no size.
        """
        missing = [axis for axis in self.axes if axis not in sizes]
        if missing:
            raise ValueError(f"{self.name}: no size for axis {', '.join(missing)}")
        if self.kind == "size":
            return sizes[self.axes[0]]
        if self.kind == "batch":
            return min(BATCH, sizes[self.axes[0]])
        if self.kind == "config":
            return _configuration(str(self.value), sizes)
        if not self.is_array:
            return self.value
        shape = tuple(sizes[axis] for axis in self.axes)
        if self.kind == "size_list":
            return np.full(shape, sizes[str(self.value)])
        return KINDS[self.kind].draw(rng, shape, self.support, sizes)


def _configuration(text: str, sizes: Sizes) -> SimpleNamespace:
    """`num_labels=V problem_type=None` as an object with these attributes. Raises `ValueError` for other texts."""
    found = SimpleNamespace()
    for part in text.split():
        name, equals, value = part.partition("=")
        if not (equals and name.isidentifier()):
            raise ValueError(f"expected config NAME=VALUE ..., got {text!r}")
        try:
            setattr(found, name, sizes[value] if value in sizes else ast.literal_eval(value))
        except (ValueError, SyntaxError):
            setattr(found, name, value)
    return found


def draw_inputs(arguments: Iterable[Argument], sizes: Sizes, seed: int = 0) -> Inputs:
    """Inputs for every argument, each from a stream of its own; equal sizes and seeds give equal inputs."""
    inputs: Inputs = {}
    arguments = tuple(arguments)
    for number, argument in enumerate(arguments):
        entropy = [seed, number, *(size for _, size in sorted(sizes.items()))]
        inputs[argument.name] = argument.draw(np.random.default_rng(entropy), sizes)
    return counted(arguments, inputs)


def counted(arguments: Iterable[Argument], inputs: Inputs) -> Inputs:
    """The inputs with each argument of kind "count" set to how many units there are in them."""
    arguments = tuple(arguments)
    for argument in arguments:
        if argument.kind == "count":
            mask = mask_of(arguments)
            labels = next((one for one in arguments if one.kind in LABELS), None)
            if mask is not None:
                inputs[argument.name] = valid_positions(mask, inputs[mask.name])
            elif labels is not None:
                inputs[argument.name] = float(inputs[labels.name].size)
            else:
                raise ValueError(f"{argument.name}: nothing says what its units are: no mask and no labels")
    return inputs


def axes_of(arguments: Iterable[Argument]) -> tuple[str, ...]:
    """Names of all axes of the arguments, each once, in order of appearance.

    Labels are numbers of classes, so they bring the axis V with them; lengths are numbers of positions.
    """
    names: dict[str, None] = {}
    for argument in arguments:
        names.update(dict.fromkeys(argument.axes))
        if argument.kind in LABELS:
            names["V"] = None
        if argument.kind == "lengths":
            names["T"] = None
        if argument.kind == "size_list":
            names[str(argument.value)] = None
    return tuple(names)


def mask_of(arguments: Iterable[Argument]) -> Argument | None:
    """The argument that says which positions count, if there is one."""
    return next(
        (argument for argument in arguments if argument.kind in MASKS or argument.kind == "lengths"), None
    )


def masked_axis(mask: Argument) -> str:
    """The axis along which a mask may be padded."""
    return "T" if mask.kind == "lengths" else mask.axes[-1]


def valid_positions(mask: Argument, values: Array) -> float:
    """How many positions a mask lets through, the weights added up."""
    if mask.kind in ("weights", "lengths"):
        return float(np.sum(values))
    return float(np.sum(values != MASKS[mask.kind]))


def counts(arguments: Iterable[Argument], inputs: Inputs, sizes: Sizes) -> dict[str, float]:
    """`n_valid` and `N` of these inputs, see `COUNTS`; nothing where no argument is a mask."""
    mask = mask_of(arguments)
    if mask is None:
        return {}
    positions = inputs[mask.name].size * (sizes["T"] if mask.kind == "lengths" else 1)
    return {"n_valid": valid_positions(mask, inputs[mask.name]), "N": float(positions)}


def support_axis(arguments: Iterable[Argument]) -> str | None:
    """The support: V of a distribution (or its D), or D of Gaussian parameters; None if there is neither."""
    arguments = tuple(arguments)
    for argument in arguments:
        if argument.support is not None:
            return argument.axes[argument.support]
    latent = any(argument.is_array and KINDS[argument.kind].latent for argument in arguments)
    return "D" if latent and "D" in axes_of(arguments) else None


SIZES: Mapping[str, int] = {"B": 3, "T": 7, "V": 5, "D": 11, "H": 13, "W": 17, "S": 2, "I": 1, "P": 2}
"""The sizes that measurements start from: primes, so that no product of sizes is another size. S labels of a
sequence, I one channel, P the two coordinates of a field."""

VARIED: Mapping[str, Sequence[int]] = {"B": (1, 19), "T": (2, 23), "V": (2, 29), "D": (2, 31)}
"""Sizes that one axis takes while the others stay: a single example and two classes are among them."""


def size_points(
    axes: Iterable[str], fixed: Sizes | None = None, chosen: Mapping[str, Sequence[int]] | None = None
) -> list[dict[str, int]]:
    """Sizes to measure at: the starting point, then each axis varied alone, all pairwise coprime.

    `fixed` holds the sizes that the code itself fixes; `chosen` sizes that the caller wants, the first to start
    from, coprime or not. Raises `ValueError` for an axis that has no size.
    """
    chosen = {axis: list(sizes) for axis, sizes in (chosen or {}).items()}
    chosen |= {axis: [size] for axis, size in (fixed or {}).items()}
    names = tuple(dict.fromkeys(axes))
    unknown = [axis for axis in names if axis not in SIZES and axis not in chosen]
    if unknown:
        raise ValueError(f"no size is known for axis {', '.join(unknown)}; known: {', '.join(SIZES)}")
    known = {axis: chosen.get(axis) or [SIZES[axis], *VARIED.get(axis, ())] for axis in names}
    start = {axis: sizes[0] for axis, sizes in known.items()}
    points = [start]
    for axis in names:
        points += [start | {axis: size} for size in known[axis][1:]]
    ours = [axis for axis in names if axis not in chosen and axis not in ("I", "P")]
    return [point for point in points if pairwise_coprime(point[axis] for axis in ours)]


def pairwise_coprime(numbers: Iterable[int]) -> bool:
    """Whether no two of the numbers share a factor, so that every product of them tells its factors apart."""
    return math.lcm(*(numbers := tuple(numbers))) == math.prod(numbers)
