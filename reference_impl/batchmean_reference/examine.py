"""Anybody's loss against the laws: what `batchmean laws MODULE:FUNCTION` and `laws.assert_normalised` do.

This runs the loss. What its arguments mean is declared, or guessed from their names; a guess is tried, and
said to be one. The factor comes from the laws alone, without a right version to compare with: how much a null
class or a second copy of every example changes a loss tells the power of V or B that is wrong in it.
"""

from __future__ import annotations

import inspect
import math
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from batchmean_reference.arguments import COUNTS, KINDS, Argument, draw_inputs, mask_of
from batchmean_reference.audit import Monomial
from batchmean_reference.laws import LawResult, Loss, check_laws, exponents

TOLERANCE = 1e-4
"""Relative change up to which a law holds: room for float32, far below what a wrong count changes."""

GUESSES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"(.*_)?(log_?p(robs?)?|log_?q|log_?prob(abilitie)?s?|lp)(_.*)?", ("log_probs",)),
    (r"(.*_)?(logits?|scores?|student|teacher|inputs?|x|out(puts?)?)(_.*)?", ("logits", "log_probs")),
    (r"(.*_)?(labels?|classes|index|indices|ids)", ("labels", "one_hot")),
    (r"(.*_)?(y|y_true|targets?|truth|gold|one_?hots?|t|gt)", ("one_hot", "labels", "log_probs")),
    (r"(.*_)?(p|q|probs?|probabilit(y|ies)|y_pred|y_hat|preds?|predictions?)", ("probs", "log_probs")),
    (r"(is_|key_)?pad(ding)?(_mask)?", ("pad_mask",)),
    (r"(.*_)?(masks?|valid)", ("mask", "bool_mask")),
    (r"(.*_)?(lengths?|lens?)", ("lengths",)),
    (r"(.*_)?(mu|mean|means|loc)", ("mu",)),
    (r"(.*_)?(log_?var|log_?variance)", ("logvar",)),
    (r"(.*_)?(log_?sigma|log_?std|log_?scale)", ("log_sigma",)),
    (r"(.*_)?(sigma|std|stddev|scale)", ("sigma",)),
    (r"(num|n)_(classes|labels|tokens|actions)|classes|vocab(ulary)?(_size)?|V|C|K", ("size V",)),
    (r"batch(_size)?|B|N", ("size B",)),
)
"""What a parameter's name suggests, most likely first."""


@dataclass(frozen=True)
class Examination:
    """What the laws say about a loss.

    `declared` maps each argument to its declaration, `guessed` names those that were not declared by the
    caller. `factor` is the loss over the rightly averaged one, as far as the laws tell: None where it is no
    power of the sizes. `shape` is the shape of what the function returned: `()` for a number.
    """

    declared: Mapping[str, str]
    guessed: frozenset[str]
    laws: Mapping[str, LawResult]
    factor: Monomial | None
    axes: tuple[str, ...]
    points: Sequence[Mapping[str, int]]
    shape: tuple[int, ...]

    @property
    def broken(self) -> list[str]:
        """Names of the laws that the loss breaks."""
        return [law for law, result in self.laws.items() if result.verdict == "broken"]

    @property
    def normalised(self) -> bool:
        """Whether every law that applies holds, and no power of a size is left over."""
        return not self.broken and self.factor == Monomial()


def examine(
    function: Callable[..., Any],
    *,
    args: Mapping[str, str] | None = None,
    axes: Sequence[str] = ("B",),
    unit: Sequence[str] | None = None,
    exempt: Mapping[str, str] | None = None,
    framework: str | None = None,
) -> Examination:
    """Runs a loss and says which laws it keeps.

    `function` is a callable, or a class without required arguments whose instances are (such as an
    `nn.Module`). `args` declares arguments as in a fixture, `{"y": "one_hot (B, V)"}`; without the axes,
    `{"y": "one_hot"}`, an array has `axes` and then V (D for the parameters of a latent). The rest is
    guessed, parameters with a default are left alone. `unit` are the axes that are averaged, by default
    `axes`, or the valid positions where there is a mask. `exempt` maps laws to reasons in `laws.EXEMPTIONS`.
    `framework` is "numpy", "torch" or "jax", by default the one that the function's module has imported.

    Raises `ValueError` where an argument cannot be guessed, or the function cannot be run on what was
    declared.
    """
    made: Any = function() if inspect.isclass(function) else function
    called: Callable[..., Any] = made
    required, names = _parameters(called)
    declared = dict(args or {})
    if unknown := sorted(set(declared) - set(names)):
        raise ValueError(f"there is no argument {', '.join(unknown)}; there are: {', '.join(names)}")
    convert = _converter(framework or _framework_of(called))
    choices = [
        (name, [declared[name]] if name in declared else _guesses(name))
        for name in names
        if name in declared or name in required
    ]
    failure = ""
    for kinds in product(*(kinds for _, kinds in choices)):
        chosen = dict(zip((name for name, _ in choices), kinds, strict=True))
        arguments = tuple(Argument.parse(name, _with_axes(kind, axes)) for name, kind in chosen.items())
        loss = Loss(
            called,
            arguments,
            unit=_unit(arguments, axes, unit),
            exempt=dict(exempt or {}),
            convert=convert,
        )
        try:
            for sizes in loss.points:
                loss(draw_inputs(arguments, sizes))
        except Exception as error:  # the user's code may raise anything; the next guess may suit it
            failure = failure or f"{type(error).__name__}: {error}"
            continue
        shown = {argument.name: _with_axes(chosen[argument.name], axes) for argument in arguments}
        return _examination(loss, shown, frozenset(shown) - set(declared))
    tried = ", ".join(f"{name} as {' or '.join(kinds)}" for name, kinds in choices)
    raise ValueError(
        f"the function could not be run with {tried}. The first attempt ended with {failure}. "
        "(Sizes must not be fixed in the code, as in one_hot(labels, 10): what never varies cannot be measured.)"
    )


def fraction(factor: Monomial | None) -> str:
    """A factor as people write it: `1/V`, `T`, `B/V`; "?" where there is none.

    >>> fraction(Monomial({"B": 1, "V": -1})), fraction(Monomial())
    ('B/V', '1')
    """
    if factor is None:
        return "?"

    def powers(sign: int) -> str:
        chosen = [(axis, sign * power) for axis, power in factor.exponents.items() if sign * power > 0]
        return " ".join(axis if power == 1 else f"{axis}^{power}" for axis, power in chosen)

    above, below = powers(1) or "1", powers(-1)
    if " " in below:
        below = f"({below})"
    return f"{above}/{below}" if below else above


def headline(found: Examination) -> str:
    """The result in one line."""
    if found.factor is None:
        return "the loss depends on the sizes, and not as a power of them"
    if found.factor.exponents:
        return f"the loss is {fraction(found.factor)} of the rightly averaged one"
    return "the loss breaks a law" if found.broken else "the loss is rightly averaged"


def told(result: LawResult) -> str:
    """What a law found, with the sizes where it found the most."""
    if result.verdict == "holds":
        return "the loss stays the same"
    at = ", ".join(f"{axis} = {size}" for axis, size in (result.sizes or {}).items())
    return f"{result.reason} at {at}" if at else result.reason


def run_with(found: Examination) -> str:
    """The declarations that were used, and which of them were guesses."""
    return ", ".join(
        f"{name}: {kind}{' [guessed]' if name in found.guessed else ''}"
        for name, kind in found.declared.items()
    )


def _parameters(function: Callable[..., Any]) -> tuple[set[str], list[str]]:
    """The names of the parameters without a default, and of all."""
    try:
        signature = inspect.signature(getattr(function, "forward", function))
    except (TypeError, ValueError) as error:
        raise ValueError(f"the parameters of {function!r} cannot be seen: {error}") from error
    named = {
        name: parameter
        for name, parameter in signature.parameters.items()
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    }
    if any(parameter.kind == parameter.POSITIONAL_ONLY for parameter in named.values()):
        raise ValueError("the function has parameters without names: wrap it in one that names them")
    return {name for name, parameter in named.items() if parameter.default is parameter.empty}, list(named)


def _guesses(name: str) -> list[str]:
    for pattern, kinds in GUESSES:
        if re.fullmatch(pattern, name, re.IGNORECASE):
            return list(kinds)
    raise ValueError(f"cannot guess what {name!r} is: declare it, one of {', '.join(KINDS)}")


def _with_axes(declaration: str, axes: Sequence[str]) -> str:
    """`one_hot` as `one_hot (B, V)`; declarations that are complete stay as they are."""
    kind = declaration.strip()
    if kind not in KINDS:
        return kind
    named = list(axes[:1] if kind == "lengths" else axes)
    if KINDS[kind].distribution or KINDS[kind].latent:
        named.append("D" if KINDS[kind].latent else "V")
    return f"{kind} ({', '.join(named)})"


def _unit(arguments: Sequence[Argument], axes: Sequence[str], unit: Sequence[str] | None) -> tuple[str, ...]:
    if unit is not None:
        return tuple(unit)
    return ("n_valid",) if mask_of(arguments) is not None else tuple(axes)


def _framework_of(function: Callable[..., Any]) -> str:
    """The framework that the function's module has imported: numpy where it is neither torch nor jax."""
    module = sys.modules.get(getattr(function, "__module__", "") or type(function).__module__)
    known = (
        {getattr(value, "__name__", "").split(".")[0] for value in vars(module).values()} if module else set()
    )
    roots = known | {
        str(getattr(value, "__module__", "")).split(".")[0] for value in vars(module or inspect).values()
    }
    return next((name for name in ("torch", "jax") if name in roots), "numpy")


def _converter(framework: str) -> Callable[[Any], Any]:
    """What makes the framework's arrays out of NumPy's. Raises `ValueError` for an unknown framework."""

    def to_numpy(value: Any) -> Any:
        return value.copy() if isinstance(value, np.ndarray) else value

    def to_torch(value: Any) -> Any:
        import torch

        return torch.from_numpy(value.copy()) if isinstance(value, np.ndarray) else value

    def to_jax(value: Any) -> Any:
        import jax.numpy

        return jax.numpy.asarray(value) if isinstance(value, np.ndarray) else value

    converters = {"numpy": to_numpy, "torch": to_torch, "jax": to_jax}
    if framework not in converters:
        raise ValueError(f"unknown framework {framework!r}, expected one of {', '.join(converters)}")
    return converters[framework]


def _examination(loss: Loss, declared: Mapping[str, str], guessed: frozenset[str]) -> Examination:
    points = loss.points
    measured = [exponents(loss, sizes) for sizes in points]
    axes = [axis for axis in (*loss.axes, *COUNTS) if axis in measured[0]]
    powers = {axis: _power([each[axis] for each in measured]) for axis in axes}
    whole = {axis: power for axis, power in powers.items() if power is not None}
    result = loss.function(
        **{name: loss.convert(value) for name, value in draw_inputs(loss.arguments, points[0]).items()}
    )
    return Examination(
        declared,
        guessed,
        check_laws(loss, points, TOLERANCE),
        Monomial(whole) if len(whole) == len(powers) else None,
        tuple(axes),
        points,
        tuple(getattr(result, "shape", ())),
    )


def _power(found: Sequence[float]) -> int | None:
    """The whole number that all exponents are, to a hundredth; None where there is none."""
    if any(not math.isfinite(exponent) for exponent in found):
        return None
    power = round(found[0])
    return power if all(abs(exponent - power) < 0.01 for exponent in found) else None
