"""Laws that a rightly averaged loss keeps: tests of the denominator that need no reference to compare with.

A term that is an expectation over a distribution is summed over its support and averaged over its units. Then

- **null class**: a class with no target mass and next to no predicted mass (a latent dimension equal to the
  prior) changes nothing; averaging over V classes shrinks the loss by V/(V+1) instead;
- **padding**: masked-out positions change nothing; averaging over all positions shrinks the loss;
- **duplication**: repeating every example changes nothing; a missing or second batch division does;
- **pointwise**: the loss of a batch is the mean of its examples' losses;
- **uniform**: where every class is predicted alike, a cross-entropy is log V per unit: the one law that sees a constant
  in the divisor. It needs several sizes at once and stands in `uniform.py`;
- **split**: the figure of an epoch is that of all its examples at once, however they are cut into batches; a mean of
  batches that is divided by the examples changes with the cut.

Right code breaks a law where the law makes no sense. Those places are a closed list, `EXEMPTIONS`; where a
loss claims one, the law is *not applicable*, never *broken*. Nothing here looks at code: a law calls the loss
on two inputs and compares.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from batchmean_reference.arguments import (
    KINDS,
    MASKS,
    Argument,
    Inputs,
    Sizes,
    axes_of,
    counted,
    counts,
    draw_inputs,
    mask_of,
    masked_axis,
    size_points,
    support_axis,
    valid_positions,
)

Verdict = Literal["holds", "broken", "not applicable"]

TOLERANCE = 1e-6
"""Relative change up to which a law holds: room for the epsilon inside a logarithm, far below any 1/(V+1)."""


@dataclass(frozen=True, slots=True)
class Exemption:
    """Why right code may break some of the laws."""

    laws: tuple[str, ...]
    because: str


EXEMPTIONS: Mapping[str, Exemption] = {
    "elementwise loss": Exemption(
        ("null class",),
        "no support: every element is a unit of its own (MSE, L1, Huber, binary cross-entropy, Poisson and "
        "Tweedie likelihoods, unnormalised KL, Gaussian NLL; Brier scores by convention)",
    ),
    "macro average": Exemption(
        ("null class",),
        "a score per class is averaged over the classes on purpose, each class counting the same (dice)",
    ),
    "label smoothing": Exemption(
        ("null class",),
        "the smoothed target spreads mass over all V classes, so a further class takes part of it",
    ),
    "in-batch negatives": Exemption(
        ("duplication", "pointwise"),
        "the other examples of the batch are the classes, so an example has no loss of its own (InfoNCE)",
    ),
    "normal entropy": Exemption(
        ("null class",),
        "no dimension of a normal distribution has entropy 0 by being equal to a prior",
    ),
    "perplexity": Exemption(
        ("pointwise",),
        "the exponential of a mean is not the mean of the exponentials",
    ),
    "weighted mean": Exemption(
        ("pointwise",),
        "the sum is divided by the weights of the examples, so they do not count alike (class weights)",
    ),
    "figure of the set": Exemption(
        ("pointwise",),
        "one figure of all examples, no mean of theirs (a ratio of sums, a root or a logarithm of a mean, "
        "a correlation)",
    ),
    "weighted term": Exemption(
        ("uniform",),
        "a constant multiplies the term on purpose (its weight beside others, the squared temperature of a "
        "distillation)",
    ),
}
"""The closed list: reason -> the laws that it excuses and why."""


def _unchanged(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Loss:
    """A loss function and what the laws need to know about it.

    `function` takes the arguments by name. Its result is a number, or an array of losses (one per example,
    say), which is averaged; `output` picks an item of a tuple or dict. `unit` names the axes that are
    averaged, or is `("n_valid",)` where a mask says which positions count. With `term`, the loss is what the
    scalar argument of that name adds when it goes from 0 to 1. `exempt` maps laws to reasons in `EXEMPTIONS`;
    `fixed` holds sizes that the code fixes. `convert` makes the framework's tensors out of NumPy arrays.
    `shifted` says that each position predicts the next one's label, so that the first label is not counted.
    """

    function: Callable[..., Any]
    arguments: tuple[Argument, ...]
    unit: tuple[str, ...] = ("B",)
    exempt: Mapping[str, str] = field(default_factory=dict)
    fixed: Sizes = field(default_factory=dict)
    output: int | str | None = None
    term: str | None = None
    convert: Callable[[Any], Any] = _unchanged
    shifted: bool = False

    def __post_init__(self) -> None:
        """Raises `ValueError` for an exemption that the closed list does not have."""
        for law, reason in self.exempt.items():
            if reason not in EXEMPTIONS or law not in EXEMPTIONS[reason].laws:
                raise ValueError(f"no exemption from {law!r} because of {reason!r} in the closed list")

    def __call__(self, inputs: Inputs) -> float:
        """The loss of these inputs. Raises `ValueError` where it is not a finite number."""
        if self.term is None:
            return self._once(inputs)
        return self._once(inputs | {self.term: 1.0}) - self._once(inputs | {self.term: 0.0})

    def _once(self, inputs: Inputs) -> float:
        result = self.function(**{name: self.convert(value) for name, value in inputs.items()})
        if self.output is not None:
            result = result[self.output]
        if hasattr(result, "detach"):
            result = result.detach()
        value = float(np.mean(np.asarray(result, dtype=np.float64)))
        if not math.isfinite(value):
            raise ValueError(f"the loss is {value}")
        return value

    def without_exemptions(self) -> Loss:
        """The same loss with every law applied to it."""
        return replace(self, exempt={})

    @property
    def axes(self) -> tuple[str, ...]:
        """All axes of the arguments."""
        return axes_of(self.arguments)

    @property
    def mask(self) -> Argument | None:
        """The argument that says which positions count, if there is one."""
        return mask_of(self.arguments)

    @property
    def support(self) -> str | None:
        """The axis of the distributions, see `support_axis`."""
        return support_axis(self.arguments)

    @property
    def points(self) -> list[dict[str, int]]:
        """The sizes to measure at, see `size_points`."""
        return size_points(self.axes, self.fixed)


@dataclass(frozen=True, slots=True)
class LawResult:
    """What one law says about one loss: `change` is the relative change that the law measured, at `sizes`."""

    law: str
    verdict: Verdict
    change: float | None
    reason: str
    sizes: Sizes | None = None


def with_null_class(loss: Loss, inputs: Inputs) -> Inputs:
    """The inputs with one more class that nobody targets and next to nobody predicts (or one more latent
    dimension that equals the prior)."""
    support = loss.support
    grown = dict(inputs)
    for argument in loss.arguments:
        if argument.kind == "size" and argument.axes[0] == support:
            grown[argument.name] = inputs[argument.name] + 1
        elif argument.is_array and support in argument.axes:
            null = KINDS[argument.kind].null
            if null is None:
                raise ValueError(f"{argument.name}: a {argument.kind} has no null class along {support}")
            values, axis = inputs[argument.name], argument.axes.index(support)
            shape = tuple(1 if index == axis else size for index, size in enumerate(values.shape))
            grown[argument.name] = np.concatenate([values, np.full(shape, null, values.dtype)], axis)
    return grown


PADDING = 4
"""How many masked-out positions the padding law appends."""


def with_padding(loss: Loss, inputs: Inputs, sizes: Sizes, length: int = PADDING) -> Inputs:
    """The inputs with `length` masked-out positions appended, whose other values are arbitrary."""
    if loss.mask is None:
        raise ValueError("the loss has no mask")
    axis = masked_axis(loss.mask)
    padding = draw_inputs(loss.arguments, {**sizes, axis: length}, seed=1)
    for argument in loss.arguments:
        if argument.kind in MASKS:
            padding[argument.name] = np.full_like(padding[argument.name], MASKS[argument.kind])
    return _joined(loss, inputs, padding, axis)


def with_duplicates(loss: Loss, inputs: Inputs, axis: str = "B") -> Inputs:
    """The inputs with everything along the axis (every example, every position) twice."""
    return _joined(loss, inputs, inputs, axis)


def single_examples(loss: Loss, inputs: Inputs, sizes: Sizes) -> list[Inputs]:
    """The inputs as B batches of one example each."""
    singles = [
        {argument.name: _single(argument, inputs[argument.name], number) for argument in loss.arguments}
        for number in range(sizes["B"])
    ]
    return [counted(loss.arguments, single) for single in singles]


def null_class(loss: Loss, sizes: Sizes, seed: int = 0) -> float | str:
    """Relative change of the loss when a null class is appended, or why the law does not apply."""
    if loss.support is None:
        return "no argument has a support axis"
    if loss.support in loss.fixed:
        return f"the code fixes {loss.support} = {loss.fixed[loss.support]}"
    inputs = draw_inputs(loss.arguments, sizes, seed)
    return _relative_change(loss(inputs), loss(with_null_class(loss, inputs)))


def padding(loss: Loss, sizes: Sizes, seed: int = 0) -> float | str:
    """Relative change of the loss when masked-out positions are appended, or why the law does not apply."""
    if loss.mask is None:
        return "no argument is a mask"
    axis = masked_axis(loss.mask)
    if axis in loss.fixed:
        return f"the code fixes {axis} = {loss.fixed[axis]}"
    inputs = draw_inputs(loss.arguments, sizes, seed)
    return _relative_change(loss(inputs), loss(with_padding(loss, inputs, sizes)))


def duplication(loss: Loss, sizes: Sizes, seed: int = 0) -> float | str:
    """Relative change of the loss when every example comes twice, or why the law does not apply."""
    if reason := _no_examples(loss):
        return reason
    inputs = draw_inputs(loss.arguments, sizes, seed)
    return _relative_change(loss(inputs), loss(with_duplicates(loss, inputs)))


def pointwise(loss: Loss, sizes: Sizes, seed: int = 0) -> float | str:
    """Relative distance of a batch's loss from the mean of its examples' losses, each weighted by its number
    of units; or why the law does not apply."""
    if reason := _no_examples(loss):
        return reason
    inputs = draw_inputs(loss.arguments, sizes, seed)
    singles = single_examples(loss, inputs, sizes)
    weights = [_units(loss, single) for single in singles]
    losses = [(weight, loss(single)) for weight, single in zip(weights, singles, strict=True) if weight]
    mean = sum(weight * value for weight, value in losses) / sum(weights)
    return _relative_change(mean, loss(inputs))


def split(loss: Loss, sizes: Sizes, seed: int = 0) -> float | str:
    """Relative distance of an epoch in batches, the last of which is smaller, from one batch of all examples; or
    why the law does not apply."""
    cut = next((argument for argument in loss.arguments if argument.kind == "batch"), None)
    if cut is None:
        return "no argument says how the examples are cut into batches"
    inputs = draw_inputs(loss.arguments, sizes, seed)
    return _relative_change(loss(inputs | {cut.name: sizes[cut.axes[0]]}), loss(inputs))


LAWS: Mapping[str, Callable[[Loss, Sizes, int], float | str]] = {
    "null class": null_class,
    "padding": padding,
    "duplication": duplication,
    "pointwise": pointwise,
    "split": split,
}


def check_law(
    law: str, loss: Loss, points: Sequence[Sizes] | None = None, tolerance: float = TOLERANCE
) -> LawResult:
    """Try one law at every point of sizes; the result is that of the point with the largest change.

    Raises `KeyError` for an unknown law, `ValueError` where the loss is not a finite number.
    """
    measure = LAWS[law]
    if law in loss.exempt:
        reason = loss.exempt[law]
        return LawResult(law, "not applicable", None, f"{reason}: {EXEMPTIONS[reason].because}")
    worst: tuple[float, Sizes] | None = None
    for sizes in loss.points if points is None else points:
        change = measure(loss, sizes, 0)
        if isinstance(change, str):
            return LawResult(law, "not applicable", None, change)
        if worst is None or change > worst[0]:
            worst = change, sizes
    if worst is None:
        raise ValueError("there are no sizes to try the law at")
    change, sizes = worst
    verdict: Verdict = "holds" if change <= tolerance else "broken"
    return LawResult(law, verdict, change, f"the loss changes by {change:.3g} of itself", sizes)


def check_laws(
    loss: Loss, points: Sequence[Sizes] | None = None, tolerance: float = TOLERANCE
) -> dict[str, LawResult]:
    """Every law's result, by its name."""
    return {law: check_law(law, loss, points, tolerance) for law in LAWS}


def exponents(loss: Loss, sizes: Sizes, seed: int = 0) -> dict[str, float]:
    """How the loss scales against the right reduction, from the laws alone: `{"V": -1.0, "B": 0.0}` is 1/V.

    The support's exponent comes from a null class, those of the units' axes from repeating everything along
    the axis: for the right reduction both change nothing. Where the units are the valid positions, those of
    `N` and `n_valid` come from padding, and from repeating every example. An axis is left out where its law
    does not apply (exempt, fixed by the code), and its exponent is NaN where the loss changes sign.
    """
    inputs = draw_inputs(loss.arguments, sizes, seed)
    start = loss(inputs)
    found: dict[str, float] = {}
    support = loss.support
    if support is not None and support not in loss.fixed and "null class" not in loss.exempt:
        grown = loss(with_null_class(loss, inputs))
        found[support] = _logarithm(grown, start) / math.log1p(1 / sizes[support])
    if "duplication" not in loss.exempt:
        for axis in set(loss.unit) & set(loss.axes) - {support, *loss.fixed}:
            found[axis] = _logarithm(loss(with_duplicates(loss, inputs, axis)), start) / math.log(2)
    if loss.mask is not None and "n_valid" in loss.unit and masked_axis(loss.mask) not in loss.fixed:
        axis = masked_axis(loss.mask)
        longer = {**sizes, axis: sizes[axis] + PADDING}
        padded = with_padding(loss, inputs, sizes)
        all_positions = [
            counts(loss.arguments, drawn, at)["N"] for drawn, at in ((padded, longer), (inputs, sizes))
        ]
        found["N"] = _logarithm(loss(padded), start) / _logarithm(*all_positions)
        twice = loss(with_duplicates(loss, inputs, loss.mask.axes[0]))
        found["n_valid"] = _logarithm(twice, start) / math.log(2) - found["N"]
    return found


def _logarithm(after: float, before: float) -> float:
    return math.log(after / before) if before and after / before > 0 else math.nan


def _relative_change(before: float, after: float) -> float:
    if before == after:
        return 0.0
    return abs(after - before) / abs(before) if before else math.inf


def _no_examples(loss: Loss) -> str | None:
    if not any(argument.is_array and "B" in argument.axes for argument in loss.arguments):
        return "no argument has an axis of examples"
    return f"the code fixes B = {loss.fixed['B']}" if "B" in loss.fixed else None


def _units(loss: Loss, inputs: Inputs) -> float:
    """How many units these inputs have, up to a constant factor."""
    if "n_valid" not in loss.unit:
        return 1.0
    if loss.mask is None:
        raise ValueError("the unit is n_valid and no argument is a mask")
    values = inputs[loss.mask.name]
    if loss.shifted and "T" in loss.mask.axes:
        values = np.delete(values, 0, loss.mask.axes.index("T"))
    return valid_positions(loss.mask, values)


def _joined(loss: Loss, first: Inputs, second: Inputs, axis: str) -> Inputs:
    """Both inputs, one after the other along the axis."""
    joined = dict(first)
    for argument in loss.arguments:
        name = argument.name
        if argument.kind == "size" and argument.axes[0] == axis:
            joined[name] = first[name] + second[name]
        elif argument.is_array and axis in argument.axes:
            joined[name] = np.concatenate([first[name], second[name]], argument.axes.index(axis))
        elif argument.kind == "size_list" and argument.value == axis:
            joined[name] = first[name] + second[name]
    return counted(loss.arguments, joined)


def _single(argument: Argument, value: Any, number: int) -> Any:
    if argument.kind == "size" and argument.axes[0] == "B":
        return 1
    if argument.is_array and "B" in argument.axes:
        return np.take(value, [number], argument.axes.index("B"))
    return value


def assert_normalised(
    function: Callable[..., Any],
    *,
    args: Mapping[str, str] | None = None,
    axes: Sequence[str] | None = None,
    unit: Sequence[str] | None = None,
    exempt: Mapping[str, str] | None = None,
    framework: str | None = None,
    **options: Any,
) -> None:
    """For a test: fails unless the loss keeps every law that applies, and is off by no power of a size.

    Parameters and errors as for `examine.examine`, whose `sizes`, `output`, `term`, `dtype` and `init` are the
    `options`. Raises `AssertionError` with the broken laws, the factor and what was run, and `ValueError` where
    no law applies.

    >>> def loss(y, logits):
    ...     log_p = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    ...     return -(y * log_p).sum(axis=-1).mean()
    >>> assert_normalised(loss)
    >>> assert_normalised(lambda y, p: -(y * np.log(p)).mean(), args={"p": "probs"})
    Traceback (most recent call last):
      ...
    AssertionError: the loss is 1/V of the rightly averaged one
      null class  broken: the loss changes by 0.333 of itself at B = 3, V = 2
      uniform  broken: it is 1/V of log V
      run with y: one_hot (B, V) [guessed], p: probs (B, V)
    """
    from batchmean_reference.examine import examine, headline, run_with, told  # which builds on this module

    found = examine(function, args=args, axes=axes, unit=unit, exempt=exempt, framework=framework, **options)
    if found.outcome == "no law":
        raise ValueError(f"{headline(found)}; run with {run_with(found)}")
    if not found.normalised:
        lines = [f"  {law}  broken: {told(found.laws[law])}" for law in found.broken]
        raise AssertionError("\n".join([headline(found), *lines, f"  run with {run_with(found)}"]))
