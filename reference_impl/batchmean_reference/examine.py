"""Anybody's loss against the laws: what `batchmean laws MODULE:FUNCTION` and `laws.assert_normalised` do.

This runs the loss. What its arguments mean is declared, or guessed (`guess.py`) and said to be a guess. The factor
comes from the laws alone, without a right version to compare with: how much a null class or a second copy of every
example changes a loss tells the power of V or B that is wrong in it, and what it is where every class is predicted
alike tells constants, too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, Literal

import numpy as np

from batchmean_reference import evidence
from batchmean_reference.arguments import COUNTS, KINDS, draw_inputs, size_points
from batchmean_reference.audit import Monomial
from batchmean_reference.calling import Callee, Unjudged, short
from batchmean_reference.guess import Found, Search
from batchmean_reference.laws import EXEMPTIONS, LawResult, Loss, check_law, exponents
from batchmean_reference.uniform import Level, fit, uniform

TOLERANCE = 1e-4
"""Relative change up to which a law holds: room for float32, far below what a wrong count changes."""

Outcome = Literal["right", "wrong", "no law"]


@dataclass(frozen=True)
class Examination:
    """What the laws say about a loss.

    `declared` maps each argument to its declaration, `guessed` names those that were not declared by the
    caller. `factor` is the loss over the rightly averaged one, as far as the laws tell: None where it is no
    power of the sizes; `constant` is what is left of it beside them. `shape` is the shape of what the function
    returned, `()` for a number; `notes` say what else was seen; `compared`, that the examples are compared with each
    other, so that no law tells whether they are rightly averaged.
    """

    declared: Mapping[str, str]
    guessed: frozenset[str]
    laws: Mapping[str, LawResult]
    factor: Monomial | None
    axes: tuple[str, ...]
    points: Sequence[Mapping[str, int]]
    shape: tuple[int, ...]
    constant: float = 1.0
    notes: tuple[str, ...] = field(default=())
    compared: bool = False

    @property
    def broken(self) -> list[str]:
        """Names of the laws that the loss breaks."""
        return [law for law, result in self.laws.items() if result.verdict == "broken"]

    @property
    def outcome(self) -> Outcome:
        """Wrong where a law is broken or a factor left over, right where one holds, no law where none applies."""
        if self.broken or self.factor != Monomial() or self.constant != 1.0:
            return "wrong"
        return (
            "right"
            if not self.compared and any(result.verdict == "holds" for result in self.laws.values())
            else "no law"
        )

    @property
    def normalised(self) -> bool:
        """Whether a law applies, every one that does holds, and no power of a size or constant is left over."""
        return self.outcome == "right"


def examine(
    function: Callable[..., Any],
    *,
    args: Mapping[str, str] | None = None,
    axes: Sequence[str] | None = None,
    unit: Sequence[str] | None = None,
    exempt: Mapping[str, str] | None = None,
    framework: str | None = None,
    sizes: Mapping[str, Sequence[int]] | None = None,
    output: int | str | None = None,
    term: str | None = None,
    dtype: str = "float64",
    init: Mapping[str, Any] | None = None,
) -> Examination:
    """Runs a loss and says which laws it keeps.

    `function` is a callable, or a class whose instances are (such as an `nn.Module`); `init` are arguments of
    its constructor, where `"V"` stands for the size of that axis. `args` declares arguments as in a fixture,
    `{"y": "one_hot (B, V)"}`; without the axes, `{"y": "one_hot"}`, an array has `axes` (B, if there is nothing
    else to go by) and then V, or D for the parameters of a latent. The rest is guessed, parameters with a
    default are left alone. `unit` are the axes that are averaged, by default all that are no support, or the
    valid positions where there is a mask. `exempt` maps laws to reasons in `laws.EXEMPTIONS`. `framework` is one
    of `calling.FRAMEWORK_NAMES`, by default that of the function. `sizes` are what axes take, `{"V": [10], "B":
    [4, 8]}`; with one size an axis is fixed. `output` picks an item of a tuple or dict, `term` names a scalar
    argument: the loss is then what it adds when it goes from 0 to 1. `dtype` is one of `calling.DTYPES`.

    Raises `ValueError` where an argument cannot be guessed, the function cannot be run on what was declared, or
    (`calling.Unjudged`) what it returns cannot be judged.
    """
    Loss(function, (), exempt=dict(exempt or {}))  # an exemption that the list does not have is refused first
    declared = dict(args or {})
    if term is not None:
        declared.setdefault(term, "scalar 0.5")
    tried: dict[str, None] = dict.fromkeys(_frameworks(function, framework))
    refused: ValueError | None = None
    for name in tried:
        search: Search | None = None
        try:
            callee = Callee(function, framework=name, init=init, output=output, dtype=dtype)
            search = Search(callee, declared, axes, unit, exempt or {}, sizes or {})
            found = search.find()
        except Unjudged:
            raise
        except (ValueError, ImportError) as error:
            if dtype == "float64" and search is not None and search.wants_float32:
                again = {
                    "args": args,
                    "axes": axes,
                    "unit": unit,
                    "exempt": exempt,
                    "framework": name,
                    "sizes": sizes,
                }
                return examine(function, **again, output=output, term=term, dtype="float32", init=init)  # type: ignore[arg-type]
            refused = refused or (error if isinstance(error, ValueError) else ValueError(short(error)))
            continue
        return _judged(found, search, term)
    raise refused or ValueError("there is no framework to call it with")


def _frameworks(function: Callable[..., Any], framework: str | None) -> list[str]:
    """The framework to call it with, then the others that are loaded anyway."""
    import sys

    from batchmean_reference.calling import FRAMEWORK_NAMES, framework_of

    if framework is not None:
        return [framework]
    first = framework_of(function)
    if first != "numpy":
        return [first]
    return [first, *(name for name in ("torch", "jax") if name in sys.modules and name in FRAMEWORK_NAMES)]


def _judged(found: Found, search: Search, term: str | None) -> Examination:
    loss = replace(found.loss, unit=found.units, term=term)
    points = size_points(loss.axes, loss.fixed, found.chosen)
    if search.callee.framework == "jax":  # every size is compiled anew
        points = _fewer(points)
    start = points[0]
    inputs = draw_inputs(loss.arguments, start)
    results = [np.asarray(loss.function(**inputs)) for _ in range(2)]
    if not np.array_equal(results[0], results[1], equal_nan=True):
        raise Unjudged(
            f"two calls with the same input gave {_told(results[0])} and {_told(results[1])}: the loss is random; "
            "fix its seed, or leave its noise out, to measure it"
        )
    judge = Judge(loss, found, _runnable(loss, points), results[0].shape)
    return judge.examination()


def _told(result: Any) -> str:
    return f"{float(np.mean(result)):.6g}"


def _fewer(points: Sequence[dict[str, int]]) -> list[dict[str, int]]:
    """The start, and one other size of each axis."""
    start, kept = points[0], {}
    for point in points[1:]:
        axis = next((one for one in point if point[one] != start[one]), None)
        kept[axis] = point  # the last, and largest
    return [start, *kept.values()]


def _runnable(loss: Loss, points: Sequence[dict[str, int]]) -> list[dict[str, int]]:
    """Those sizes at which the loss is a finite number that is not 0, the start first. Raises `ValueError` where
    there are none."""
    kept: list[dict[str, int]] = []
    failure = ""
    for point in points:
        try:
            value = loss(draw_inputs(loss.arguments, point))
        except Exception as error:
            failure = failure or f"at {_at(point)}: {short(error)}"
            continue
        if value:
            kept.append(point)
        else:
            failure = failure or f"at {_at(point)} the loss is 0"
    if not kept:
        raise ValueError(f"the loss cannot be measured: {failure}")
    if points[0] in kept and len(kept) < 2 and len(points) > 2 and "the loss is 0" not in failure:
        raise ValueError(
            f"the loss runs at one set of sizes only ({failure}): sizes that are fixed in the code are said "
            "with --sizes, as in --sizes V=10"
        )
    return kept


def _at(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{axis} = {size}" for axis, size in sizes.items())


class Judge:
    """Puts together what the laws say about one loss; `points` are sizes at which it is known to run."""

    def __init__(
        self, loss: Loss, found: Found, points: Sequence[dict[str, int]], shape: tuple[int, ...]
    ) -> None:
        self.loss, self.found, self.points = loss, found, list(points)
        self.start = self.points[0]
        self.shape = shape if math.prod(shape) != 1 else ()
        # An array without the axis of the examples is averaged over them: one figure per output.
        self.reduced = not self.shape or self.start.get("B", 0) not in self.shape
        self.notes: list[str] = []
        if self._tried(lambda: evidence.predicts_the_next(loss, self.start), False):
            self.loss = replace(loss, shifted=True)
            self.notes.append("Each position is compared with the label of the next one.")

    @cached_property
    def interacting(self) -> bool:
        """Whether the examples' losses depend on each other, at few examples or at many."""
        values = [self.loss(draw_inputs(self.loss.arguments, point)) for point in self.points]
        close = (
            evidence.CLOSE_IN_FLOAT32
            if all(float(np.float32(one)) == one for one in values)
            else evidence.CLOSE
        )
        return any(
            self._tried(partial(evidence.interacts, self.loss, sizes, close), False)
            for sizes in (self.start, self._several)
        )

    @property
    def _several(self) -> dict[str, int]:
        """The sizes with the most examples: with few, figures of ranks have few values."""
        return max(self.points, key=lambda point: point.get("B", 0))

    @staticmethod
    def _tried(measure: Callable[[], Any], otherwise: Any) -> Any:
        try:
            return measure()
        except Exception:  # somebody's code at odd inputs
            return otherwise

    def examination(self) -> Examination:
        """All laws, and the factor. Raises `Unjudged` where the result is not reduced over the support."""
        if self.shape and self._has_support_axis():
            axes = ", ".join(map(str, self.shape))
            raise Unjudged(
                f"it returns an array of shape ({axes}) with the axis of the classes: nothing is summed yet, so there "
                "is nothing to judge; reduce it, or name another item with --output"
            )
        level = self._level()
        powers = self._powers()
        laws = {
            "null class": self._null_class(level, powers),
            "uniform": self._uniform(level),
            "padding": self._law("padding") if self.reduced else self._not_reduced("padding"),
            "duplication": self._duplication(powers),
            "pointwise": self._pointwise(),
            "split": self._law("split"),
        }
        factor, constant = self._factor(level, powers, laws)
        return Examination(
            self.found.declared,
            self.found.guessed,
            laws,
            factor,
            tuple(axis for axis in (*self.loss.axes, *COUNTS) if axis in powers),
            self.points,
            self.shape,
            constant,
            tuple(self.notes),
            self.reduced and self.interacting and laws["duplication"].verdict == "not applicable",
        )

    def _has_support_axis(self) -> bool:
        support = self.loss.support
        if support is None or not self.found.support:
            return False
        return self.start[support] in self.shape and self.start[support] > 1

    def _not_reduced(self, law: str) -> LawResult:
        return LawResult(
            law, "not applicable", None, f"the result is not reduced: an array of shape {self.shape}"
        )

    def _law(self, law: str, loss: Loss | None = None) -> LawResult:
        """One law, or why it could not be tried."""
        points = self.points
        if law == "pointwise" or (
            law == "duplication" and self.interacting
        ):  # one example by itself says nothing
            points = [point for point in points if point.get("B", 0) != 1]
        worst: LawResult | None = None
        failure = ""
        for point in points or self.points:
            try:
                result = check_law(law, loss or self.loss, [point], TOLERANCE)
            except Exception as error:
                failure = failure or short(error)
                continue
            if result.verdict == "not applicable":
                return result
            if worst is None or (result.change or 0) > (worst.change or 0):
                worst = result
        return worst or LawResult(law, "not applicable", None, f"it cannot be tried: {failure}")

    def _powers(self) -> dict[str, list[float]]:
        """The exponents of each axis at every point where they can be measured."""
        found: dict[str, list[float]] = {}
        strict = (self.loss if self.reduced else replace(self.loss, unit=())).without_exemptions()
        for point in self.points:
            for unit in ((), *((axis,) for axis in strict.unit)):
                one = replace(strict, unit=unit)
                measured = self._tried(partial(exponents, one, point), {})
                for axis, power in measured.items():
                    if axis == self.loss.support and unit:
                        continue
                    found.setdefault(axis, []).append(power)
        return found

    def _level(self) -> Level | str:
        """The uniform law, where something shows that there is a support or the caller says so."""
        loss = self.loss
        if loss.support is None:
            return "no argument has a support axis"
        if not self.found.support and (self.found.guessed or not self._is_declared_distribution()):
            return self._elementwise
        found = uniform(loss, self.points)
        if isinstance(found, Level):
            units = (
                {axis for axis in loss.axes if axis not in (loss.support, *loss.unit)}
                if "n_valid" not in loss.unit
                else set()
            )
            return replace(
                found, powers={axis: power for axis, power in found.powers.items() if axis not in units}
            )
        return found

    def _is_declared_distribution(self) -> bool:
        return any(argument.kind in ("probs", "log_probs", "logits") for argument in self.loss.arguments)

    @property
    def _elementwise(self) -> str:
        return (
            "elementwise loss: a constant added to its predictions changes it, so there is no softmax over "
            f"{self.loss.support} and every element counts by itself"
        )

    def _null_class(self, level: Level | str, powers: Mapping[str, list[float]]) -> LawResult:
        result = self._law("null class")
        support = self.loss.support
        if result.verdict == "not applicable" and "null class" not in self.loss.exempt:
            return result
        latent = any(argument.is_array and KINDS[argument.kind].latent for argument in self.loss.arguments)
        measured = powers.get(support or "", [])
        power = _power(measured)
        if result.verdict == "not applicable":  # exempt: it must not hide a plain power of V
            reason = self.loss.exempt["null class"]
            if power and reason in ("elementwise loss", "label smoothing") and self._confirmed(power, level):
                return LawResult(
                    "null class",
                    "broken",
                    None,
                    f"{reason} does not explain it: the loss goes with {support}^{power}",
                )
            return result
        if result.verdict == "holds":
            shown = self.found.support or latent or not self.found.guessed or isinstance(level, Level)
            return (
                result
                if shown
                else replace(result, verdict="not applicable", change=None, reason=self._elementwise)
            )
        if latent:
            return result
        if isinstance(level, Level) and level.right and not power:
            return replace(
                result,
                verdict="not applicable",
                reason=f"at uniform predictions it is {level.expected} all the same, so a further class takes part of "
                "its targets (label smoothing)",
            )
        if not self.found.support and not isinstance(level, Level):
            return replace(result, verdict="not applicable", change=None, reason=self._elementwise)
        if power and self._confirmed(power, level):
            return result
        growth = self._growth()
        if growth is not None and growth > 2:
            return result  # a likelihood, and its weight changes with the number of classes
        if growth is not None:
            return replace(
                result,
                verdict="not applicable",
                change=None,
                reason="its weight of -log p is the same for any number of classes, so a further class takes part of "
                "its targets (label smoothing)",
            )
        return replace(
            result,
            verdict="not applicable",
            change=None,
            reason="a score per class, no likelihood: it neither grows with -log p nor is log V at uniform "
            "predictions, so averaging over the classes is a choice (macro average)",
        )

    def _growth(self) -> float | None:
        """How much more the loss grows with -log p at one number of classes than at another; None where it does not."""
        slopes: list[Any] = [
            self._tried(partial(evidence.push, self.loss, point), None) for point in self._along_support
        ]
        if len(slopes) < 2 or None in slopes:
            return None
        return float(max(map(abs, slopes)) / min(map(abs, slopes)))

    @property
    def _along_support(self) -> list[dict[str, int]]:
        """Points that differ in the number of classes only."""
        support, start = self.loss.support, self.start
        return [
            point
            for point in self.points
            if all(point[axis] == start[axis] for axis in point if axis != support)
        ]

    def _confirmed(self, power: int, level: Level | str) -> bool:
        """Whether something else than the null class shows this power of V: the level at uniform predictions, how
        the loss grows with -log p, or how it answers to a factor on the probabilities."""
        support = self.loss.support or ""
        if isinstance(level, Level):
            return level.powers.get(support, 0) == power
        points = self._along_support
        for measure in (evidence.push, self._answer):
            ratios = [self._tried(partial(measure, self.loss, point), None) for point in points]
            found = None if None in ratios else fit(points, ratios)
            if found is not None:
                return found[1].get(support, 0) == power
        return False

    @staticmethod
    def _answer(loss: Loss, sizes: Mapping[str, int]) -> float | None:
        inputs = draw_inputs(loss.arguments, sizes)
        found: float | None = None
        for argument in loss.arguments:
            if argument.kind == "probs":
                found = evidence.logarithmic(loss, inputs, argument)
            elif argument.kind == "log_probs":
                found = evidence.affine(loss, inputs, argument)
            else:
                continue
            if found is not None:
                return found
        return None

    def _uniform(self, level: Level | str) -> LawResult:
        if isinstance(level, str):
            return LawResult("uniform", "not applicable", None, level)
        if "uniform" in self.loss.exempt and not level.powers:
            reason = self.loss.exempt["uniform"]
            return LawResult("uniform", "not applicable", None, f"{reason}: {EXEMPTIONS[reason].because}")
        if not level.powers and not level.plain and abs(level.constant) > 1:
            times = f"{abs(level.constant):.4g} times {level.expected}"
            why = f"it is {times}: a weight, such as a distillation's squared temperature"
            return LawResult("uniform", "not applicable", None, why)
        factor = fraction(Monomial(level.powers), min(abs(level.constant), 1.0))
        if level.right:
            return LawResult("uniform", "holds", 0.0, f"it is {level.expected}")
        return LawResult(
            "uniform",
            "broken",
            None,
            f"it is {factor} of {level.expected}" if factor != "1" else level.expected,
        )

    def _duplication(self, powers: Mapping[str, list[float]]) -> LawResult:
        if not self.reduced:
            return self._not_reduced("duplication")
        result = self._law("duplication")
        if result.verdict != "broken" or not self.interacting:
            return result
        if _power(powers.get("B", [])) is not None:
            return result
        return replace(
            result,
            verdict="not applicable",
            change=None,
            reason="the examples are compared with each other, and a copy is one more to compare with "
            "(in-batch negatives)",
        )

    def _pointwise(self) -> LawResult:
        if not self.reduced:
            return self._not_reduced("pointwise")
        result = self._law("pointwise")
        if result.verdict == "broken" and "n_valid" in self.loss.unit and not self.scored_by_likelihood:
            by_example = self._law("pointwise", replace(self.loss, unit=("B",)))
            if by_example.verdict == "holds":
                self.notes.append("Each example has one score, however many of its positions are valid.")
                return by_example
        if result.verdict != "broken" or not self.interacting:
            return result
        paired = self._tried(lambda: evidence.pairs_everything(self.loss, self._several), None)
        if paired and not self._tried(lambda: evidence.distance_of_sets(self.loss, self._several), False):
            return replace(
                result,
                reason=f"{result.reason}; exchanging the examples of {paired} changes nothing: every example is paired "
                "with every other",
            )
        return replace(
            result,
            verdict="not applicable",
            change=None,
            reason="an example has no loss of its own: what it adds depends on the others (in-batch negatives, "
            "a figure of the set)",
        )

    @property
    def scored_by_likelihood(self) -> bool:
        """Whether the loss grows with -log p."""
        return (
            isinstance(self._level(), Level)
            or self._tried(lambda: evidence.push(self.loss, self.start), None) is not None
        )

    def _factor(
        self, level: Level | str, powers: Mapping[str, list[float]], laws: Mapping[str, LawResult]
    ) -> tuple[Monomial | None, float]:
        """The power of each size that is left over and the constant; None for what is no power of the sizes."""
        support = self.loss.support
        whole: dict[str, int] = {}
        unclear = False
        for axis, measured in powers.items():
            power = _power(measured)
            if axis == support:
                if laws["null class"].verdict == "broken":
                    whole[axis] = power or 0
                    unclear = unclear or power is None
                continue
            if axis == "B" and laws["duplication"].verdict != "broken":
                power = 0
            if power is None:
                unclear = unclear or (axis == "B" or axis in COUNTS)
            else:
                whole[axis] = power
        constant = 1.0
        if isinstance(level, Level):
            # At uniform predictions everything is valid: it tells B and T apart where copies tell their product.
            units = {axis: power for axis, power in level.powers.items() if axis != support}
            if whole.get("N"):
                units = {}
            elif units and self.loss.mask is not None and set(units) != set(self.loss.mask.axes):
                whole.pop("n_valid", None)
            elif whole.get("n_valid"):
                units = {}
            whole |= units
            if support is not None:
                whole[support] = level.powers.get(support, 0)
            if not level.plain and "uniform" not in self.loss.exempt:
                constant = min(abs(level.constant), 1.0)  # more than 1 is a weight: no count divides by less
            if not any(result.verdict == "broken" for law, result in laws.items() if law != "uniform"):
                unclear = False
        if unclear and not any(result.verdict == "broken" for result in laws.values()):
            unclear = False  # no law that applies speaks against it
        return (None if unclear else Monomial(whole)), constant


def fraction(factor: Monomial | None, constant: float = 1.0) -> str:
    """A factor as people write it: `1/V`, `T`, `B/V`, `1/50257`; "?" where there is none.

    >>> fraction(Monomial({"B": 1, "V": -1})), fraction(Monomial()), fraction(Monomial(), 1 / 32)
    ('B/V', '1', '1/32')
    """
    if factor is None:
        return "?"

    def powers(sign: int) -> list[str]:
        chosen = [(axis, sign * power) for axis, power in factor.exponents.items() if sign * power > 0]
        return [axis if power == 1 else f"{axis}^{power}" for axis, power in chosen]

    above, below = powers(1), powers(-1)
    size = abs(constant)
    if abs(size - 1) > 1e-3:
        inverse = 1 / size
        if abs(inverse - round(inverse)) < 1e-3 * inverse and round(inverse) > 1:
            below = [str(round(inverse)), *below]
        else:
            above = [f"{size:.4g}", *above]
    over = " ".join(below)
    if len(below) > 1:
        over = f"({over})"
    return f"{' '.join(above) or '1'}/{over}" if over else " ".join(above) or "1"


def headline(found: Examination) -> str:
    """The result in one line."""
    if found.outcome == "no law":
        if found.compared:
            why = "the examples are compared with each other, so none has a loss of its own to be averaged"
        else:
            why = "nothing is reduced that had to be" if found.shape else "see what each of them says"
        return f"no law applies: {why}"
    if found.factor is None:
        return "the loss depends on the sizes, and not as a power of them"
    factor = fraction(found.factor, found.constant)
    if factor != "1":
        return f"the loss is {factor} of the rightly averaged one"
    if found.broken:
        return "the loss breaks a law"
    return (
        "each loss is right for its unit; none of them is averaged"
        if found.shape
        else "the loss is rightly averaged"
    )


def told(result: LawResult) -> str:
    """What a law found, with the sizes where it found the most."""
    if result.verdict == "holds":
        return result.reason if result.law == "uniform" else "the loss stays the same"
    at = ", ".join(f"{axis} = {size}" for axis, size in (result.sizes or {}).items())
    return f"{result.reason} at {at}" if at and result.verdict == "broken" else result.reason


def run_with(found: Examination) -> str:
    """The declarations that were used, and which of them were guesses."""
    return ", ".join(
        f"{name}: {kind}{' [guessed]' if name in found.guessed else ''}"
        for name, kind in found.declared.items()
    )


def _power(found: Sequence[float]) -> int | None:
    """The whole number that all exponents are, to a hundredth; None where there is none."""
    if not found or any(not math.isfinite(exponent) for exponent in found):
        return None
    power = round(found[0])
    return power if all(abs(exponent - power) < 0.01 for exponent in found) else None
