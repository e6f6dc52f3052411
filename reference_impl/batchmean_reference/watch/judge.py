"""What divides a loss, read from its gradient on a batch as it comes: the judge behind every kind of watch.

The gradient of a cross-entropy (or a KL divergence from a fixed target) with respect to the logits of a unit u is

    g_u = w_u (softmax(z_u) - y_u)

whatever the target y_u is: a label, a smoothed label, a teacher. So the *weight* w_u of each unit can be read off:
between two points z the unknown target cancels. Rightly averaged weights add up to 1 over the valid units. The
judge takes the targets, masks and counts of a real call, puts known logits in the place of the predictions, and sees
how the weights change when null classes are appended, when every example comes twice, and when more is masked out:
the laws *null class*, *duplication* and *padding* of `batchmean_reference.laws`.

What has not this gradient (mean squared error, binary cross-entropy, Brier scores, dice, contrastive losses) is not
judged: there a mean over all elements may be right. Nothing here knows a framework: a loss comes as `Gradient`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Gradient = Callable[[Sequence[Any], int], tuple[float, Array]]
"""(leaves, index) -> the loss of these leaves and its gradient with respect to the leaf of that index."""

Form = Literal["logits", "log_probs", "probs"]

LIMIT = 1 << 18
"""At most so many predictions are looked at: of a larger batch, some examples and positions."""

RUNS = 60
"""So often the loss is called at most; 11 to 25 calls are usual."""

POSITIONS = 4
"""At least so many positions of a sequence are looked at, however many classes there are."""

EXAMPLES = 32
"""At most so many examples are looked at."""

RESIDUAL = 3e-3
"""How far the gradient may be from that of a cross-entropy, relative to itself: room for float32 and clipping."""

CHANGE = 2e-3
"""Relative change of the weights from which a law is broken."""

POWER = 0.02
"""How far an exponent may be from a whole number."""

TEMPERATURES = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 20.0, 0.5, 0.1)
"""Temperatures of distillation that are tried for a term beside others; numbers among the arguments are, too."""

NULL_LOGIT, NULL_PROBABILITY = -70.0, 1e-30


class NotJudged(Exception):
    """Why nothing is said about a loss."""


@dataclass(frozen=True, slots=True)
class Break:
    """A law that the loss breaks: by what factor it is off, in sizes and as a number, and what to do."""

    law: str
    factor: str
    value: float
    told: str
    advice: str


@dataclass(frozen=True)
class Count:
    """How many units a call has: those whose label (or mask) says that they count.

    `leaf` is the index of the labels or of the mask; None where all positions of the predictions count. `out` is the
    value of a position that does not. `shift` is 1 where the loss compares position t with the label of t + 1.
    `rows` says that an example is a unit, whatever its length.
    """

    prediction: int
    axis: int
    leaf: int | None
    out: float
    shift: int
    rows: bool

    def __call__(self, leaves: Sequence[Any]) -> int:
        """The number of units of a call with these leaves."""
        if self.leaf is None:
            shape = list(np.shape(leaves[self.prediction]))
            del shape[self.axis]
            return int(np.prod(shape[:1] if self.rows else shape))
        counted = np.asarray(leaves[self.leaf]) != self.out
        if self.shift and counted.ndim > 1:
            counted = counted[:, self.shift :]
        if self.rows and counted.ndim > 1:
            counted = counted.reshape(len(counted), -1).any(axis=1)
        return int(counted.sum())


@dataclass(frozen=True)
class Verdict:
    """What the judge says of one call.

    `breaks` is empty for a loss that keeps the laws that could be tried. `tried` names those laws. `total` is the sum
    of the units' weights: 1 for a mean, n for a sum; None where the loss has other terms on the same predictions.
    `grows` says how the total follows the number of units: 0 for a mean, 1 for a sum or a division by a count that
    is handed over, `divisor` being the leaf of that count. `runs` is how often the loss was called.
    """

    breaks: tuple[Break, ...]
    tried: tuple[str, ...]
    classes: int
    total: float | None
    grows: int | None
    divisor: int | None
    count: Count | None
    runs: int
    notes: tuple[str, ...] = field(default=())


def judge(
    gradient: Gradient,
    leaves: Sequence[Any],
    predictions: Sequence[int],
    *,
    ignore_index: float = -100,
    agreed: Callable[[], bool] = lambda: False,
    fetch: Callable[[Any], Any] = lambda leaf: leaf,
) -> Verdict:
    """Judge one call of a loss.

    `leaves` are its arguments: arrays, numbers and whatever else it takes; `predictions` the indices of those that may
    be predictions, floating-point arrays. `fetch` makes NumPy's arrays out of others, once they are cut. `ignore_index`
    is the label of positions that do not count, where the batch itself does not show it. `agreed` is asked where a
    factor of 1/V may as well be a weight that was chosen: whether the code shows that it is none.

    Raises `NotJudged` with the reason where the loss has not the gradient of a cross-entropy, is random, or cannot be
    run on what it was handed with other numbers in it.
    """
    run = _Counted(gradient)
    reasons: list[str] = []
    for index in predictions:
        for axis in _axes(leaves[index].shape):
            try:
                batch = _batch(leaves, index, axis, fetch)
                verdict = _judged(run, batch, ignore_index, agreed)
                return replace(verdict, breaks=_in_full(verdict, leaves, batch, fetch))
            except NotJudged as reason:
                reasons.append(str(reason))
    latent = _latent(run, leaves, predictions, fetch)
    if latent is not None:
        return latent
    raise NotJudged(reasons[0] if reasons else "no argument is a prediction with classes")


def _in_full(
    verdict: Verdict, leaves: Sequence[Any], batch: _Batch, fetch: Callable[[Any], Any]
) -> tuple[Break, ...]:
    """What is broken, with the sizes of the whole batch: the judge has looked at a part of it."""
    shape, count = _shape(leaves[batch.index]), verdict.count
    units = shape[: batch.axis] + shape[batch.axis + 1 :]
    found = []
    for each in verdict.breaks:
        if each.factor == "1/B":
            each = replace(each, value=1 / shape[0])
        elif each.factor == "n/V":
            each = replace(each, value=each.value * math.prod(units) / math.prod(batch.units))
        elif each.law == "padding" and count is not None and count.leaf is not None:
            valid = count(_put(leaves, count.leaf, fetch(leaves[count.leaf])))
            positions = _positions(units, count.shift)
            masked = (
                f"the {positions - valid} of {positions} positions that are masked out are divided by, too"
            )
            each = replace(each, value=valid / positions, told=masked)
        found.append(each)
    return tuple(found)


# --- a batch, and what can be done to it


@dataclass(frozen=True)
class _Batch:
    """The arguments of a call, one of them predictions with the classes on `axis`, and what the others are."""

    leaves: tuple[Any, ...]
    index: int
    axis: int
    form: Form
    roles: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.leaves[self.index].shape)

    @property
    def units(self) -> tuple[int, ...]:
        return self.shape[: self.axis] + self.shape[self.axis + 1 :]

    @property
    def classes(self) -> int:
        return self.shape[self.axis]

    def with_logits(self, z: Array) -> tuple[Any, ...]:
        """The arguments with predictions made from these logits, in the form that the loss takes."""
        if self.form == "log_probs":
            z = _log_softmax(z, self.axis)
        elif self.form == "probs":
            z = _softmax(z, self.axis)
        return _put(self.leaves, self.index, z.astype(np.float32))

    def chain(self, z: Array, slope: Array) -> Array:
        """The gradient with respect to the logits, from that with respect to the predictions."""
        if self.form == "logits":
            return slope
        p = _softmax(z, self.axis)
        inner: Array
        if self.form == "log_probs":
            inner = slope - p * slope.sum(axis=self.axis, keepdims=True)
            return inner
        inner = p * (slope - (p * slope).sum(axis=self.axis, keepdims=True))
        return inner

    def sized(self, size: int) -> list[int | None]:
        """Which number may have to grow with an axis of this size: none, or one that says the size."""
        return [None, *(n for n, r in enumerate(self.roles) if r == "number" and self.leaves[n] == size)]

    def widened(self, times: int, number: int | None = None) -> _Batch:
        """With null classes: `times` as many classes in all, also in the number that says how many."""
        changed = list(self.leaves)
        if number is not None:
            changed[number] = changed[number] * times
        for place, role in enumerate(self.roles):
            if role in ("like", "prediction", "classes"):
                leaf = np.asarray(changed[place])
                axis = 0 if role == "classes" else self.axis
                shape = list(leaf.shape)
                shape[axis] *= times - 1
                null = np.full(shape, _null(leaf, axis, role), leaf.dtype)
                changed[place] = np.concatenate([leaf, null], axis)
        return replace(self, leaves=tuple(changed))

    def repeated(self, number: int | None = None) -> _Batch:
        """With every example twice, also in the number that says how many."""
        carried = ("prediction", "like", "unit", "flat", "unflat", "example")
        changed = [
            np.concatenate([leaf, leaf]) if role in carried else leaf
            for leaf, role in zip(self.leaves, self.roles, strict=True)
        ]
        if number is not None:
            changed[number] = changed[number] * 2
        return replace(self, leaves=tuple(changed))


def _axes(shape: tuple[int, ...]) -> list[int]:
    """Where the classes may be: on the last axis, or on the second."""
    axes = dict.fromkeys(axis for axis in (len(shape) - 1, 1) if 0 < axis < len(shape))
    return [axis for axis in axes if shape[axis] > 1 and 0 not in shape]


def _batch(leaves: Sequence[Any], index: int, axis: int, fetch: Callable[[Any], Any]) -> _Batch:
    """The arguments with one of them as predictions over classes on an axis, cut to `LIMIT`."""
    batch = _cut(_Batch(tuple(leaves), index, axis, "logits", _roles(leaves, index, axis)))
    batch = replace(batch, leaves=tuple(fetch(leaf) for leaf in batch.leaves))
    batch = batch.repeated() if batch.shape[0] == 1 else batch
    values = batch.leaves[index].astype(np.float64)
    if np.isnan(values).any():
        raise NotJudged("the predictions are not numbers")
    form: Form = "logits"
    with np.errstate(over="ignore"):
        if values.min() >= 0 and np.allclose(values.sum(axis=axis), 1, atol=1e-3):
            form = "probs"
        elif values.max() <= 1e-4 and np.allclose(np.exp(values).sum(axis=axis), 1, atol=1e-3):
            form = "log_probs"
    return replace(batch, form=form)


def _roles(leaves: Sequence[Any], index: int, axis: int) -> tuple[str, ...]:
    shape = _shape(leaves[index])
    units = shape[:axis] + shape[axis + 1 :]
    rows = math.prod(units)
    roles = []
    for number, leaf in enumerate(leaves):
        own = _shape(leaf)
        if number == index:
            roles.append("prediction")
        elif not own:
            roles.append("number" if _is_number(leaf) else "other")
        elif own == shape:
            roles.append("like")
        elif own == (shape[axis],) and own != shape[:1]:
            roles.append("classes")
        elif own[: len(units)] == units:
            roles.append("unit")
        elif len(shape) == 2 and len(own) > 1 and math.prod(own) == rows:
            roles.append("flat")
        elif len(own) == 1 and own[0] == rows:
            roles.append("unflat")
        elif own[0] == shape[0]:
            roles.append("example")
        else:
            roles.append("other")
    return tuple(roles)


def _cut(batch: _Batch) -> _Batch:
    """Some of the examples and, of long sequences and large images, some of the positions.

    Positions are taken evenly over the whole length: the padding is at its end.
    """
    flat = next(
        (_shape(leaf) for leaf, role in zip(batch.leaves, batch.roles, strict=True) if role == "flat"), None
    )
    units = flat or batch.units
    examples = min(units[0], EXAMPLES)
    room = max(LIMIT // batch.classes, 2 * POSITIONS)
    positions = math.prod(units[1:])
    while examples > 2 and examples * positions > room:
        examples -= 1
    taken = [np.arange(examples)]
    for size in units[1:]:
        keep = size
        if examples * positions > room and size > POSITIONS:
            keep = max(POSITIONS, size * room // (examples * positions))
        positions = positions // size * keep
        taken.append(np.unique(np.linspace(0, size - 1, keep).astype(int)))
    changed = []
    for leaf, role in zip(batch.leaves, batch.roles, strict=True):
        if role in ("prediction", "like") and flat is None:
            grid = list(taken)
            grid.insert(batch.axis, np.arange(batch.classes))
            leaf = leaf[np.ix_(*grid)]
        elif role in ("prediction", "like"):
            leaf = leaf.reshape(*units, batch.classes)[np.ix_(*taken)].reshape(-1, batch.classes)
        elif role == "unit" and flat is None:
            leaf = leaf[np.ix_(*taken)]
        elif role in ("unit", "unflat"):
            cut = leaf.reshape(*units, *leaf.shape[1:])[np.ix_(*taken)]
            leaf = cut.reshape(-1, *leaf.shape[1:])
        elif role == "flat":
            leaf = leaf.reshape(units)[np.ix_(*taken)]
        elif role == "example":
            leaf = leaf[:examples] if flat is None else leaf
        changed.append(leaf)
    if any(math.prod(_shape(leaf)) > 16 * LIMIT for leaf in changed):
        raise NotJudged("the batch is too large")
    return replace(batch, leaves=tuple(changed))


def _null(leaf: Array, axis: int, role: str) -> float:
    if leaf.dtype.kind != "f" or role == "classes":
        return 1 if role == "classes" else 0
    if role == "prediction":
        return NULL_LOGIT
    if leaf.min() >= 0 and np.allclose(leaf.sum(axis=axis), 1, atol=1e-3):
        return NULL_PROBABILITY
    if leaf.min() >= 0 and np.isin(leaf, (0, 1)).all():
        return 0
    return min(NULL_LOGIT, float(leaf[np.isfinite(leaf)].min(initial=0.0)) + NULL_LOGIT)


# --- weights


class _Counted:
    """A loss whose calls are counted; what it raises is a reason not to judge it."""

    def __init__(self, gradient: Gradient) -> None:
        self.gradient, self.runs = gradient, 0

    def __call__(self, leaves: Sequence[Any], index: int) -> tuple[float, Array]:
        if self.runs == RUNS:
            raise NotJudged(f"{RUNS} calls of the loss were not enough")
        self.runs += 1
        try:
            value, slope = self.gradient(leaves, index)
        except NotJudged:
            raise
        except Exception as error:  # the user's code, on numbers that it was not written for
            lines = str(error).strip().splitlines() or [""]
            raise NotJudged(
                f"it cannot be run on other numbers: {type(error).__name__}: {lines[0]}"
            ) from error
        if not math.isfinite(value) or not np.isfinite(slope).all():
            raise NotJudged("the loss or its gradient is not finite")
        return value, np.asarray(slope, np.float64)


@dataclass(frozen=True)
class _Points:
    """Logits to measure at: three of them, so that each weight is measured twice."""

    z: tuple[Array, ...]

    @classmethod
    def drawn(cls, batch: _Batch) -> _Points:
        """Each unit has half of the mass on one class, another one at each point: where all masses are small, what
        is elementwise on the probabilities looks like a cross-entropy."""
        rng = np.random.default_rng(0)
        axis, drawn = batch.axis, []
        for _ in range(3):
            z = rng.normal(scale=1.5, size=batch.shape)
            chosen = np.expand_dims(rng.integers(0, batch.classes, batch.units), axis)
            np.put_along_axis(z, chosen, _logsumexp(z, axis), axis)
            drawn.append(z)
        return cls(tuple(drawn))

    def far_from(self, labels: Array, axis: int) -> _Points:
        """The same with next to no mass on the labels: there a focal loss weighs as a cross-entropy does, and what
        is bounded (an absolute error of probabilities) ever less."""
        hot = np.expand_dims(labels, axis)
        moved = []
        for z, depth in zip(self.z, (12.0, 13.5, 15.0), strict=True):
            others = z.copy()
            np.put_along_axis(others, hot, -np.inf, axis)
            there = _logsumexp(others, axis) - depth
            at = z.copy()
            np.put_along_axis(at, hot, there, axis)
            moved.append(at)
        return _Points(tuple(moved))

    def widened(self, times: int, axis: int) -> _Points:
        pads = []
        for z in self.z:
            shape = list(z.shape)
            shape[axis] *= times - 1
            pads.append(np.concatenate([z, np.full(shape, NULL_LOGIT)], axis))
        return _Points(tuple(pads))

    def repeated(self) -> _Points:
        return _Points(tuple(np.concatenate([z, z]) for z in self.z))


def _slopes(run: _Counted, batch: _Batch, points: _Points, number: int = 3) -> list[Array]:
    """Gradients with respect to the logits at the first points."""
    return [batch.chain(z, run(batch.with_logits(z), batch.index)[1]) for z in points.z[:number]]


def _weights(
    slopes: Sequence[Array], points: _Points, axis: int, temperature: float = 1.0
) -> tuple[Array, Array] | None:
    """The weight and the target of each unit; None where the gradient is not that of a cross-entropy."""
    p = [_softmax(z / temperature, axis) for z in points.z]
    pairs = [(0, 1), (1, 2)]
    d = np.stack([slopes[a] - slopes[b] for a, b in pairs])
    q = np.stack([p[a] - p[b] for a, b in pairs])
    over = (0, axis + 1)
    w = (d * q).sum(axis=over) / (q * q).sum(axis=over)
    largest = float(np.abs(w).max())
    if largest == 0 or not math.isfinite(largest):
        return None
    rest = np.sqrt(((d - np.expand_dims(w, (0, axis + 1)) * q) ** 2).sum(axis=over))
    size = np.sqrt((d * d).sum(axis=over))
    if w.min() < -RESIDUAL * largest or (rest > RESIDUAL * np.maximum(size, 1e-2 * size.max())).any():
        return None
    w = np.where(np.abs(w) < 1e-5 * largest, 0.0, w)
    with np.errstate(divide="ignore", invalid="ignore"):
        y = np.where(np.expand_dims(w, axis) > 0, p[0] - slopes[0] / np.expand_dims(w, axis), 0.0)
    counted = w > 0
    if (y.min(axis=axis) < -0.02)[counted].any() or (np.abs(y.sum(axis=axis) - 1) > 0.02)[counted].any():
        return None
    return w, y


def _hard_labels(slope: Array, axis: int) -> Array | None:
    """The label of each unit, where the gradient pulls one class up and pushes all others down."""
    size = np.abs(slope).max(axis=axis)
    counted = size > 1e-6 * size.max()
    pulled = (slope < 0).sum(axis=axis)
    if not counted.any() or (pulled[counted] != 1).any():
        return None
    labels: Array = slope.argmin(axis=axis)
    return labels


# --- the laws


def _judged(run: _Counted, batch: _Batch, ignore_index: float, agreed: Callable[[], bool]) -> Verdict:
    points = _Points.drawn(batch)
    slopes = _slopes(run, batch, points)
    again = batch.chain(points.z[0], run(batch.with_logits(points.z[0]), batch.index)[1])
    if not np.allclose(again, slopes[0], rtol=1e-3, atol=1e-5 * np.abs(slopes[0]).max()):
        raise NotJudged("the loss is random: two equal calls differ")
    if not np.abs(slopes[0]).max():
        raise NotJudged("the loss does not depend on the predictions")
    found = _weights(slopes, points, batch.axis)
    labels = None if found is not None else _hard_labels(slopes[0], batch.axis)
    if labels is not None:
        far = points.far_from(labels, batch.axis)
        far_slopes = _slopes(run, batch, far)
        found = _weights(far_slopes, far, batch.axis)
        if found is not None:
            points, slopes = far, far_slopes
    breaks: list[Break] = []
    tried: list[str] = []
    notes: list[str] = []
    averaged = _null_class(run, batch, points, slopes, found, agreed, tried, notes)
    if found is None:
        if averaged is None:
            raise NotJudged(
                "its gradient is not that of a cross-entropy: an elementwise loss, several terms, or one that looks at "
                "the whole batch"
            )
        return Verdict(
            (averaged,), tuple(tried), batch.classes, None, None, None, None, run.runs, tuple(notes)
        )
    w = found[0]
    total = float(w.sum())
    grows = _grown(run, batch, points, total)
    divisor = None
    if grows is not None:
        tried.append("duplication")
    if averaged is not None and grows == 1:
        averaged = replace(
            averaged,
            law="null class and duplication",
            factor="n/V",
            value=total,
            told=f"its sum is divided by the {batch.classes} classes, and not by its units",
            advice="divide by the number of examples (or valid positions), not by the classes",
        )
    if averaged is not None:
        breaks.append(averaged)
    if grows == -1:
        size = len(batch.leaves[batch.index])
        breaks.append(
            Break(
                "duplication",
                "1/B",
                1 / size,
                "its mean is divided by the number of examples again",
                "leave out the second division by the batch",
            )
        )
    if grows == 1:
        divisor = _divisor(run, batch, points, total)
    count, masked = _masks(run, batch, points, w, grows, ignore_index, tried)
    if masked is not None:
        breaks.append(masked)
    return Verdict(
        tuple(breaks), tuple(tried), batch.classes, total, grows, divisor, count, run.runs, tuple(notes)
    )


def _null_class(
    run: _Counted,
    batch: _Batch,
    points: _Points,
    slopes: Sequence[Array],
    found: tuple[Array, Array] | None,
    agreed: Callable[[], bool],
    tried: list[str],
    notes: list[str],
) -> Break | None:
    """Whether a term of the loss is averaged over the classes: the part of its gradient that shrinks as 1/V with
    null classes, and that is a cross-entropy's."""
    axis, classes = batch.axis, batch.classes
    own = np.arange(classes)
    said = Break(
        "null class",
        "1/V",
        1 / classes,
        f"it is averaged over the {classes} classes, too",
        "sum over the classes, then average: .sum(axis).mean(), or reduction='batchmean'",
    )
    try:
        number, wide = _first_that_runs(
            batch.sized(classes), lambda size: _slopes(run, batch.widened(2, size), points.widened(2, axis))
        )
        wider = _slopes(run, batch.widened(4, number), points.widened(4, axis), 1)[0]
    except NotJudged as reason:
        notes.append(f"no class can be appended: {reason}")
        if found is None or not _constant(found[0]):
            return None
        return _uniform(found, said, classes, agreed, tried)
    inner = [slope.take(own, axis) for slope in wide]
    lost = [a - b for a, b in zip(slopes, inner, strict=True)]
    size = max(float(np.abs(each).max()) for each in slopes)
    if max(float(np.abs(each).max()) for each in lost) < CHANGE * size:
        tried.append("null class")
        if found is not None and _constant(found[0]) and not _may_be_chosen(classes):
            return _uniform(found, said, classes, agreed, tried)
        return None
    next_lost = inner[0] - wider.take(own, axis)
    if np.abs(lost[0] - 2 * next_lost).max() > 0.02 * np.abs(lost[0]).max():
        return None  # not 1/V
    given = [float(leaf) for leaf, role in zip(batch.leaves, batch.roles, strict=True) if role == "number"]
    for temperature in dict.fromkeys([*TEMPERATURES, *(each for each in given if 0.01 <= each <= 100)]):
        term = _weights(lost, points, axis, temperature)
        if term is not None:
            break
    else:
        return None  # an elementwise term, which may be averaged over all
    tried.append("null class")
    if _may_be_macro(*term, classes, axis):
        notes.append("it may be averaged over classes on purpose")
        return None
    if found is None:
        return replace(said, told=f"one of its terms is averaged over the {classes} classes, too")
    return said


def _uniform(
    found: tuple[Array, Array], said: Break, classes: int, agreed: Callable[[], bool], tried: list[str]
) -> Break | None:
    """Whether the weights add up to 1/V, so that uniform predictions have a loss of log(V)/V."""
    if abs(float(found[0].sum()) * classes - 1) > CHANGE or (_may_be_chosen(classes) and not agreed()):
        return None
    tried.append("uniform")
    return replace(said, law="uniform", told=f"it is divided by {classes}, the number of classes, too")


def _may_be_macro(w: Array, y: Array, classes: int, axis: int) -> bool:
    """Whether the weights are those of a mean of the classes' means, each class counting the same.

    `w` is half of what a mean over all classes weighs: what is lost when there are twice as many.
    """
    counted = w > 0
    if (y.max(axis=axis)[counted] < 0.99).any():
        return False  # no single class for each unit
    labels = y.argmax(axis=axis)[counted]
    present, numbers = np.unique(labels, return_counts=True)
    if _constant(w) and len(set(numbers.tolist())) > 1:
        return False
    return len(present) < 2 or bool(2 * w.sum() * classes > 0.6 * len(present))


def _grown(run: _Counted, batch: _Batch, points: _Points, total: float) -> int | None:
    """The power of the number of examples that the sum of the weights has; None where it has none."""
    try:
        twice = points.repeated()
        _, slopes = _first_that_runs(
            batch.sized(batch.shape[0]), lambda size: _slopes(run, batch.repeated(size), twice)
        )
        found = _weights(slopes, twice, batch.axis)
    except NotJudged:
        return None
    if found is None:
        return None
    power = math.log2(float(found[0].sum()) / total)
    return round(power) if abs(power - round(power)) < POWER else None


def _first_that_runs(
    sizes: Sequence[int | None], slopes: Callable[[int | None], list[Array]]
) -> tuple[int | None, list[Array]]:
    """The first of the numbers with which the loss can be run. A count that only happens to be as large is not
    changed where it need not be."""
    first: NotJudged | None = None
    for size in sizes:
        try:
            return size, slopes(size)
        except NotJudged as reason:
            first = first or reason
    raise first or NotJudged("nothing to run")


def _divisor(run: _Counted, batch: _Batch, points: _Points, total: float) -> int | None:
    """The leaf that holds the count by which a sum is divided."""
    for number, role in enumerate(batch.roles):
        if role != "number" or not float(batch.leaves[number]) > 0 or isinstance(batch.leaves[number], bool):
            continue
        doubled = replace(batch, leaves=_put(batch.leaves, number, batch.leaves[number] * 2))
        try:
            found = _weights(_slopes(run, doubled, points), points, batch.axis)
        except NotJudged:
            continue
        if found is not None and abs(float(found[0].sum()) / total - 0.5) < CHANGE:
            return number
    return None


def _masks(
    run: _Counted,
    batch: _Batch,
    points: _Points,
    w: Array,
    grows: int | None,
    ignore_index: float,
    tried: list[str],
) -> tuple[Count | None, Break | None]:
    """How the units of a call are counted, and whether those that are masked out are divided by, too."""
    units = batch.units
    counted = w > 0
    for number, role in enumerate(batch.roles):
        leaf = batch.leaves[number]
        if role not in ("unit", "flat", "unflat") or leaf.size != counted.size:
            continue
        values = leaf.reshape(-1)
        is_labels = leaf.dtype.kind in "iu" and not np.isin(values, (0, 1)).all()
        for shift in (0, 1) if len(units) > 1 and role == "unit" else (0,):
            out = _out_value(leaf.reshape(units), counted, shift, ignore_index if is_labels else 0)
            if out is None:
                continue
            is_mask = not is_labels and not counted.all()
            if not is_labels and not is_mask:
                continue
            count = Count(batch.index, batch.axis, number, out, shift, False)
            shown = count(batch.leaves) < _positions(units, shift)
            more = _masked_more(leaf.reshape(units), counted, shift, out)
            if more is None or (is_mask and not _is_padding(leaf.reshape(units), out)):
                return (count if not is_mask or _constant(w) else None), None
            changed = replace(batch, leaves=_put(batch.leaves, number, more.reshape(leaf.shape)))
            try:
                found = _weights(_slopes(run, changed, points), points, batch.axis)
            except NotJudged:
                return (count if len(units) == 1 else None), None
            if found is None:
                return None, None
            less = found[0]
            before, after = count(batch.leaves), count(changed.leaves)
            if (less > 0).sum() != after or not _constant(w[counted]):
                return _by_rows(count, w, less, units), None
            if not _constant(less):
                return _by_rows(count, w, less, units), None
            if grows == 0:
                tried.append("padding")
            weight = float(w[counted].mean())
            by_all = abs(weight * _positions(units, shift) - 1) < CHANGE
            kept = abs(float(less[less > 0].mean()) / weight - 1) < CHANGE
            if grows == 0 and shown and by_all and kept and after < before:
                return count, Break(
                    "padding",
                    "n_valid/N",
                    before / _positions(units, shift),
                    "the positions that are masked out are divided by, too",
                    "divide by the number of valid positions: loss.sum() / mask.sum()",
                )
            return count, None
    return (
        Count(batch.index, batch.axis, None, 0, 0, False) if counted.all() and len(units) == 1 else None
    ), None


def _by_rows(count: Count, w: Array, less: Array, units: tuple[int, ...]) -> Count | None:
    """The same count in examples, where each example weighs the same whatever its length."""
    if len(units) < 2:
        return None
    sums = [each.reshape(units[0], -1).sum(axis=1) for each in (w, less)]
    return replace(count, rows=True) if all(_constant(each) for each in sums) else None


def _positions(units: tuple[int, ...], shift: int) -> int:
    return math.prod((units[0], units[1] - shift, *units[2:])) if shift else math.prod(units)


def _out_value(leaf: Array, counted: Array, shift: int, usual: float) -> float | None:
    """The value that exactly the units without weight have; the usual one where all have weight."""
    if shift:
        if counted[:, -shift:].any():
            return None
        leaf, counted = leaf[:, shift:], counted[:, :-shift]
    out = np.unique(leaf[~counted])
    if len(out) > 1:
        return None
    value = float(out[0]) if len(out) else usual
    return None if (leaf[counted] == value).any() else value


def _masked_more(leaf: Array, counted: Array, shift: int, out: float) -> Array | None:
    """More positions of one example masked out, from its end; None where all have too few."""
    more = np.ascontiguousarray(leaf).copy()
    if leaf.ndim == 1:
        valid = np.flatnonzero(counted)
        chosen = valid[len(valid) // 2 :]
        if len(valid) < 2 or not len(chosen):
            return None
        more[chosen] = out
        return more
    for row in more.reshape(len(more), -1):
        valid = np.flatnonzero(row != out)
        valid = valid[valid >= shift]
        if len(valid) > 1:
            row[valid[len(valid) // 2 :]] = out
            return more
    return None


def _is_padding(mask: Array, out: float) -> bool:
    """Whether a mask looks like that of sequences in one batch: one run of valid positions in each.

    Masks by confidence or by source are averaged over all on purpose.
    """
    if mask.ndim != 2 or mask.shape[1] < 4:
        return False
    edges = np.abs(np.diff(np.pad((mask != out).astype(int), ((0, 0), (1, 1))), axis=1)).sum(axis=1)
    return bool((edges <= 2).all())


# --- the KL term of a variational autoencoder


def _latent(
    run: _Counted, whole: Sequence[Any], predictions: Sequence[int], fetch: Callable[[Any], Any]
) -> Verdict | None:
    """The verdict on KL(N(mu, exp(logvar)) || N(0, 1)), where two of the predictions are its parameters."""
    rng = np.random.default_rng(0)
    if len(predictions) < 2:
        return None
    sizes = {_shape(whole[index])[:1] for index in predictions}
    cut = [leaf[:EXAMPLES] if _shape(leaf)[:1] in sizes and _shape(leaf) else leaf for leaf in whole]
    if any(math.prod(_shape(leaf)) > 16 * LIMIT for leaf in cut):
        return None
    leaves = tuple(map(fetch, cut))
    for mu in predictions:
        for logvar in predictions:
            shape = np.shape(leaves[mu])
            if mu == logvar or len(shape) < 2 or shape != np.shape(leaves[logvar]):
                continue
            at = rng.normal(size=shape), rng.normal(scale=0.5, size=shape)

            def weights(times: int, mu: int = mu, logvar: int = logvar, at: Any = at) -> Array:
                wide = [
                    np.concatenate([each, np.zeros((*each.shape[:-1], each.shape[-1] * (times - 1)))], -1)
                    for each in at
                ]
                put = _put(_put(leaves, mu, wide[0].astype(np.float32)), logvar, wide[1].astype(np.float32))
                slopes = [run(put, index)[1][..., : at[0].shape[-1]] for index in (mu, logvar)]
                right = (at[0], 0.5 * np.expm1(at[1]))
                w = sum((s * r).sum() for s, r in zip(slopes, right, strict=True)) / sum(
                    (r * r).sum() for r in right
                )
                off = max(float(np.abs(s - w * r).max()) for s, r in zip(slopes, right, strict=True))
                if not w > 0 or off > RESIDUAL * w:
                    raise NotJudged("not the KL of a Gaussian")
                return np.asarray(w)

            try:
                w, twice, four = (float(weights(times)) for times in (1, 2, 4))
            except NotJudged:
                continue
            size = shape[-1]
            breaks: tuple[Break, ...] = ()
            if abs(twice / w - 0.5) < CHANGE and abs(four / w - 0.25) < CHANGE:
                said = f"its KL term is averaged over the {size} latent dimensions, too"
                breaks = (
                    Break(
                        "null class", "1/D", 1 / size, said, "sum over the latent dimensions, then average"
                    ),
                )
            return Verdict(breaks, ("null class",), size, None, None, None, None, run.runs)
    return None


# --- small things


def _constant(w: Array) -> bool:
    """Whether all weights that are not 0 are the same."""
    some = w[w > 0]
    return bool(some.size) and float(some.max()) <= float(some.min()) * (1 + 5e-3)


def _may_be_chosen(classes: int) -> bool:
    """Whether 1/V is a number that people choose as a weight: that of a few heads or layers, a power of two, one with
    one or two digits."""
    digits = f"{1 / classes:.6e}".split("e")[0].rstrip("0").replace(".", "")
    return classes <= 100 or len(digits) <= 2 or classes & (classes - 1) == 0


def _shape(leaf: Any) -> tuple[int, ...]:
    """The shape of an array of any library; () for all else."""
    return tuple(getattr(leaf, "shape", ()))


def _is_number(leaf: Any) -> bool:
    return (isinstance(leaf, (int, float)) or hasattr(leaf, "dtype")) and not isinstance(
        leaf, (bool, np.bool_)
    )


def _put(leaves: Sequence[Any], index: int, value: Any) -> tuple[Any, ...]:
    return (*leaves[:index], value, *leaves[index + 1 :])


def _logsumexp(z: Array, axis: int) -> Array:
    top = z.max(axis=axis, keepdims=True)
    found: Array = top + np.log(np.exp(z - top).sum(axis=axis, keepdims=True))
    return found


def _log_softmax(z: Array, axis: int) -> Array:
    found: Array = z - _logsumexp(z, axis)
    return found


def _softmax(z: Array, axis: int) -> Array:
    found: Array = np.exp(_log_softmax(z, axis))
    return found
