"""The account of a reduction: what was summed, what was averaged, and by which counts it was divided."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from batchmean.engine import masks
from batchmean.engine.names import is_class_count_name
from batchmean.engine.paths import Answer, Path, excludes
from batchmean.engine.shapes import ALL_AXES, AxesSpec, Axis, Shape
from batchmean.engine.values import MAX_FACTORS, Atom, Factors, Place, Role, Tensor, Term, altered, product_of

MAX_ACCOUNTS: Final = 64
"""How many losses in one sum are told apart."""
MAX_STEPS: Final = 64
"""How many reductions and divisions of one loss are followed."""

PLAIN: Final = (0.5, 1.0, 2.0)
"""Factors that stand for no count and for no weight: of a square, of a sum of two."""

How: TypeAlias = Literal["sum", "mean"]
Stack: TypeAlias = tuple[ast.AST, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Integrand:
    """What is summed: an expectation over a support axis, before any reduction."""

    kind: str
    """`cross-entropy`, `KL divergence`, `entropy` or `latent KL`."""
    support: Axis
    symbol: Literal["V", "D", ""]
    """The name of the support's length: V classes, or D dimensions of a latent or an action; empty for a loss
    without a support, a number per position such as a squared error."""
    proved: bool
    evidence: tuple[Place, ...]
    shape: Shape
    stack: Stack
    library: str = ""
    """The library loss it comes from, such as `kl_div`."""
    key: int = 0
    """Equal for equal integrands: the same values reduced in two ways."""
    assumed: bool = False
    """Is the support axis taken to be the last one, for want of anything that shows it?"""
    distributions: tuple[int, ...] = ()
    """For a KL between distribution objects: which."""
    square: bool = False
    """Is the target a whole identity matrix, so that there are as many examples as classes?"""
    event: int = 0
    """For the entropy of a Normal: the distribution, whose event axis other code may sum."""
    mixed: bool = False
    """Is something added to it, element by element, that is no part of the expectation?"""
    ignores: bool = False
    """Does the library leave out some labels unasked, such as -100?"""
    inputs: tuple[Shape, ...] = ()
    """Of a library loss: the arrays that the model in sight was given, whose examples are most likely the loss's."""

    @property
    def support_name(self) -> str:
        """What the support is called in messages."""
        if self.event:
            return "the event axis"
        if self.library == "kl_divergence":
            return "the dimensions of the Gaussian"
        return "the latent axis" if self.symbol == "D" else "the class axis"


@dataclass(unsafe_hash=True, slots=True)
class Step:
    """One reduction or division in the source."""

    node: ast.AST
    stack: Stack
    path: Path
    """The decisions made to get there."""
    how: Literal["sum", "mean", "scale"]
    sums_support: bool = False
    """Did it sum the support?"""
    averages_support: bool = False
    """Did it bring the support into the divisor?"""
    may_average: bool = False
    """Is it a mean over an axis that is the support in an array of two axes, but may be another one?"""
    whole: bool = False
    """Did it run over all axes?"""
    library: bool = False
    """Was it the library's own reduction (`reduction="mean"`)?"""
    per_batch: bool = False
    """Was it the library's `"batchmean"`, which sums everything and divides by the first axis?"""
    shape: Shape | None = None
    """The shape of the array that it reduced."""
    is_reported: bool = False
    """Does its statement only print, log or show what it gives?"""
    contraction: bool = False
    """Was it the sum inside an einsum, a dot or a tensordot?"""
    positions: tuple[int, ...] = ()
    """The axes that it ran over, where they are listed."""
    of_scalar: bool = False
    """Was it of one number already: the mean of a sum over everything, the sum of a mean?"""
    mixed: bool = False
    """Was something else in the same array, so that another reduction would change that, too?"""


@dataclass(frozen=True, eq=False, slots=True)
class Mask:
    """A validity mask that zeroed a loss."""

    shown: bool
    """False where only a name says that it is one."""
    key: int
    shape: Shape | None = None
    is_bare: bool = False
    """Is it called just `mask`, and nothing else known of it?"""
    after: int = 0
    """How many reductions over single axes came before it: they did not touch the masked positions."""
    after_steps: int = 0
    """How many steps of the account came before it."""
    places: tuple[Place, ...] = ()
    is_selected: bool = False
    """Were its positions selected, so that no others are left?"""
    of_lengths: bool = False
    """Is it made of lengths, with the examples on its first axis?"""
    on_number: bool = False
    """Was it laid on one number, with no array beside it?"""
    scale: Factors = ()
    """What that number had been multiplied by, and divided by, before."""


@dataclass(eq=False, slots=True)
class Reduction:
    """An integrand and everything that was done to its axes since."""

    integrand: Integrand
    support: Literal["alive", "summed", "averaged", "maybe averaged", "unsure"] = "alive"
    units: tuple[tuple[Axis, How], ...] = ()
    rest: How | None = None
    """What happened to all axes that are not listed in `units`."""
    scale: Factors = ()
    """The counts and unknown numbers it was multiplied by."""
    coefficient: float | None = 1.0
    steps: tuple[Step, ...] = ()
    beside_average: bool = False
    """Is it added to a loss that is averaged over its own elements, such as a reconstruction?"""
    mask: Mask | None = None
    """The validity mask that it was zeroed by before anything was reduced."""
    mixed: bool = False
    """Was something else added to it since?"""
    assumes_rank: bool = False
    """Was the first axis reduced by its number, and the support by its own, as if they were two?"""
    spread: Mask | None = None
    """The mask that was laid on it when it was one number already."""
    parent: Reduction | None = None

    def line(self) -> Iterator[Reduction]:
        """This account and those that it goes on from, the latest first."""
        found: Reduction | None = self
        while found is not None:
            yield found
            found = found.parent

    @property
    def origin(self) -> Reduction:
        """The first entry of this account."""
        *_, first = self.line()
        return first

    @property
    def is_plain(self) -> bool:
        """Is it multiplied by no number that may stand for a count or a weight?"""
        return self.coefficient is not None and abs(self.coefficient) in PLAIN

    @property
    def is_reported(self) -> bool:
        """Is it only printed, logged or shown?"""
        return bool(self.steps) and self.steps[-1].is_reported

    @property
    def per_batch(self) -> bool:
        """Was it reduced by a library's `"batchmean"`?"""
        return any(step.per_batch for step in self.steps)

    def reduced(self, shape: Shape, axes: AxesSpec, how: How, step: Step) -> Reduction:
        """After a sum or a mean over `axes` of an array of `shape`."""
        if self.spread is not None and not shape.is_scalar:
            whole = axes.kind == "all"
            return altered(
                self.withdrawn(), steps=(*self.steps, altered(step, how=how, shape=shape, whole=whole))
            )
        state = self.support
        support = self.integrand.support
        covered = shape.covers(axes, support) if state == "alive" else None
        integrand = self.integrand
        is_all_but_first = how == "mean" and state == "alive" and _is_all_but_the_first(shape, axes)
        if is_all_but_first and covered is not True and integrand.symbol == "D" and not integrand.library:
            covered, integrand = True, altered(integrand, proved=False)
        else:
            is_all_but_first = False
        by_number = covered is None and how == "sum" and state == "alive"
        by_number = by_number and _is_last_by_number(shape, axes, support)
        if by_number:
            covered, integrand = True, altered(integrand, proved=False, assumed=True)
        whole = axes.kind == "all" or (shape.rank == 1 and axes.positions in ((0,), (-1,)))
        if (
            integrand.assumed
            and integrand.symbol == "V"
            and covered is False
            and how == "sum"
            and axes.positions
        ):
            state = "unsure"  # the axis that is summed may well be the one
        if state == "alive" and covered is True:
            state = "summed" if how == "sum" else "averaged"
        elif state == "alive" and covered is None:
            state = "maybe averaged" if how == "mean" and axes.kind != "unknown" else "unsure"
        elif state == "maybe averaged" and whole:
            state = "averaged" if how == "mean" else "unsure"
        elif state == "maybe averaged" and any(
            shape.may_be_at(position, support) for position in axes.positions
        ):
            # Now, if not before: were it this one that was averaged, there would be none to sum.
            state = "averaged" if how == "mean" else "summed"
        elif state == "maybe averaged" and how == "sum":
            state = "unsure"
        units, rest = self.units, self.rest
        if whole or axes.kind == "tail":
            rest = rest or how
        else:
            for position in () if by_number else axes.positions:
                axis = shape.axis(position)
                if axis is None or axis.size == 1:
                    continue
                if not axis.holds(support):
                    units = (*units, (axis if shape.has(axis) else Axis(), how))
                elif covered is not True and self.support != "alive":
                    units = (*units, (Axis(), how))  # what is there when the support is gone
        sums = state == "summed" and self.support != "summed"
        averages = state == "averaged" and self.support != "averaged"
        may_average = state == "maybe averaged" and self.support == "alive" and self.integrand.symbol == "V"
        of_scalar = shape.is_scalar and self.rest is not None and how != self.rest
        mixed = self.mixed or self.integrand.mixed
        step = altered(
            step,
            how=how,
            sums_support=sums,
            averages_support=averages,
            may_average=may_average,
            whole=whole,
            shape=shape,
            positions=axes.positions,
            of_scalar=of_scalar,
            mixed=mixed,
        )
        steps = (*self.steps, step)
        reduced = [axis for axis in map(shape.axis, axes.positions) if axis is not None]
        assumes_rank = (
            self.assumes_rank
            or is_all_but_first
            or (covered is False and any(shape.is_one_in_a_vector(axis, support) for axis in reduced))
        )
        return altered(
            self,
            assumes_rank=assumes_rank,
            integrand=integrand,
            support=state,
            units=units,
            rest=rest,
            steps=steps,
            parent=self,
        )

    def scaled(self, by: Tensor, shape: Shape | None = None) -> Reduction:
        """After a multiplication by a number or a count; other arrays leave the account alone.

        `shape` is that of the array that carries the account.
        """
        if len(by.terms) != 1 or by.reductions:
            return self
        term = by.terms[0]
        if (average := self._as_mean(term)) is not None:
            mean, length = average
            left = Term(term.coefficient, tuple(f for f in term.factors if f[0] is not length))
            return mean.scaled(altered(by, terms=(left,)))
        zeroing = {a for a, power in term.factors if power > 0 and masks.is_valid(a)}
        if zeroing and self.rest is None:
            first = min(zeroing, key=lambda atom: atom.key)
            fact = mask_fact(first, len(self.units), len(self.steps))
            found = altered(self, mask=self.mask or fact, parent=self)
            rest = Term(term.coefficient, tuple(f for f in term.factors if f[0] not in zeroing))
            return found.scaled(altered(by, terms=(rest,)))
        if zeroing:
            first = min(zeroing, key=lambda atom: atom.key)
            rest = Term(term.coefficient, tuple(f for f in term.factors if f[0] not in zeroing))
            spread = mask_fact(first, len(self.units), len(self.steps))
            if shape is not None and shape.is_scalar:
                spread = altered(spread, on_number=True, scale=self.scale)
            return altered(self, spread=spread, parent=self).scaled(altered(by, terms=(rest,)))
        scalars = (Role.COUNT, Role.OPAQUE, Role.VALID)
        counted = ((_valid_of_each(atom) or atom, power) for atom, power in term.factors)
        factors = tuple(f for f in counted if f[0].role in scalars)
        if not factors and term.coefficient in (1.0, -1.0):
            return self
        powers: dict[Atom, float] = dict(self.scale)
        for atom, power in factors:
            powers[atom] = powers.get(atom, 0) + power
        both = self.coefficient is not None and term.coefficient is not None
        return altered(
            self,
            scale=product_of((a, p) for a, p in powers.items() if p),
            coefficient=self.coefficient * term.coefficient if both else None,  # type: ignore[operator]
            parent=self,
        )

    def _as_mean(self, by: Term) -> tuple[Reduction, Atom] | None:
        """The mean that an undecided sum is when the number that it ran over divides it, and that number."""
        last, before = self.steps[-1] if self.steps else None, self.parent
        if self.support != "unsure" or before is None or before.support not in ("alive", "maybe averaged"):
            return None
        if last is None or last.how != "sum" or last.shape is None or last in before.steps:
            return None
        for atom, power in by.factors:
            if atom.role is not Role.COUNT or power != -1:
                continue
            if last.whole and atom.shape is not None and last.shape.is_flat(atom.shape):
                axes = ALL_AXES
            elif len(last.positions) == 1 and atom.axis and _is_at(last.shape, last.positions[0], atom.axis):
                axes = AxesSpec.at(*last.positions)
            else:
                continue
            return altered(before.reduced(last.shape, axes, "mean", last), parent=self), atom
        return None

    def withdrawn(self) -> Reduction:
        """After it turned out to be a part of an elementwise loss."""
        return altered(self, support="unsure", parent=self)

    def counts(self) -> Iterator[tuple[Atom, int]]:
        """The counts in the scale, in an order that does not depend on the hash seed."""
        for atom, power in self.scale:
            yield atom, round(power)

    def over_everything(self) -> tuple[How | None, list[tuple[Atom, int]]]:
        """What happened to the rest, and the counts that are left: a sum over the number that it ran over is a mean."""
        counts = list(self.counts())
        total = next((step for step in reversed(self.steps) if step.how != "scale"), None)
        if total is None or total.shape is None or not total.whole or total.how != "sum":
            return self.rest, counts
        left = _without(counts, total.shape)
        return (self.rest, counts) if left is None else ("mean", left)

    def counts_masked(self) -> bool | None:
        """Does the divisor count the positions that the mask zeroed, too? None while the code leaves it open."""
        if self.mask is None or not (self.rest or self.units) or self.coefficient is None:
            return None
        if self.support == "unsure":
            return None
        if self._is_mask_of_classes(self.mask):
            return None
        everything, counts = self.over_everything()
        later: list[How] = []
        for axis, how in self.units[self.mask.after :]:
            length = next(
                (c for c in counts if c[1] == -1 and c[0].axis is not None and c[0].axis.is_same(axis)), None
            )
            if how == "sum" and length is not None:
                counts.remove(length)  # summed and divided by its length
                how = "mean"
            if not self._is_feature(axis):
                later.append(how)
        rest = everything or (later[0] if later else None)
        if rest is None or any(how != rest for how in later):
            return None  # a sum over the positions of each sequence, or a mean that is added up
        positions = -1 if rest == "mean" and not self.mask.is_selected else 0
        valid = -1 if rest == "mean" and self.mask.is_selected else 0
        divisors: list[Axis] = []
        for atom, power in counts:
            if atom.role is Role.VALID:
                valid += power
            elif atom.role is Role.OPAQUE:
                if may_count(atom, power):
                    return None
            elif atom.shape is not None and self.mask.is_selected and self._is_what_was_selected(atom.shape):
                valid += power
            elif atom.shape is not None and self._is_over_positions(atom.shape):
                positions += power
            elif atom.axis is not None and power == -1:
                divisors.append(atom.axis)
            elif not (atom.axis is not None and self._is_batch(atom.axis)):
                return None  # a length that may put the mean right
        if divisors and self._are_all_positions(divisors):
            positions -= 1
        if valid:
            return None if positions else False
        return True if positions == -1 else None

    def _is_mask_of_classes(self, mask: Mask) -> bool:
        """Does it say which classes an example has, so that no position is padded?"""
        shape = mask.shape
        if shape is None or not self.integrand.symbol or shape.has(self.integrand.support) is not True:
            return False
        return shape.axes is None or len(shape.axes) < 3

    def _is_feature(self, axis: Axis) -> bool:
        """Is it for sure no axis of the mask?"""
        shape = self.mask.shape if self.mask is not None else None
        if shape is None or shape.axes is None or shape.has(axis) is not False:
            return False
        own = [
            *self.integrand.shape.shown,
            *(a for step in self.steps if step.shape is not None for a in step.shape.shown),
        ]
        if not any(axis.is_same(other) for other in self.integrand.shape.shown):
            return False  # nobody knows which one it is
        if not all(any(mine.is_same(other) for other in own) for mine in shape.axes):
            return False  # it may be one that is not known to be the mask's
        shapes = [self.integrand.shape, *(step.shape for step in self.steps if step.shape is not None)]
        if any(whole.may_be_one(axis, mine) for whole in shapes for mine in shape.axes):
            return False
        # What was flattened may hold it.
        return not any(mine.root().whole is not None and not mine.root().parts for mine in shape.axes)

    def _is_what_was_selected(self, shape: Shape) -> bool:
        steps = self.steps[self.mask.after_steps :] if self.mask is not None else ()
        return any(step.shape is not None and step.shape.is_same(shape) for step in steps)

    def _is_over_positions(self, shape: Shape) -> bool:
        """Does the count of all elements of `shape` count every position that the mask is over?"""
        whole = [self.integrand.shape]
        for step in self.steps:
            if step.shape is not None:
                whole.append(step.shape)
                axes = [axis for axis in map(step.shape.axis, step.positions) if axis is not None]
                if not all(axis.holds(self.integrand.support) for axis in axes):
                    break  # what is left has fewer positions
        mask = self.mask.shape if self.mask is not None else None
        return any(own.is_flat(shape) or shape.is_flat(own) for own in (*whole, *((mask,) if mask else ())))

    def _are_all_positions(self, divisors: list[Axis]) -> bool:
        """Are these the lengths of all axes of the mask, or of the first two where the rank is not shown?"""
        mask = self.mask.shape if self.mask is not None else None
        if mask is not None and mask.axes:
            if all(any(d.is_same(axis) for d in divisors) for axis in mask.axes):
                return True
            if all(axis.root().whole is None for axis in mask.axes):
                return False
        flattened = [axis.root().whole for axis in mask.axes] if mask is not None and mask.axes else []
        shapes = (mask, self.integrand.shape, *flattened, *(step.shape for step in self.steps))
        return any(
            len(axes := shape.leading(2)) == 2
            and all(any(d.is_same(axis) for d in divisors) for axis in axes)
            for shape in shapes
            if shape is not None
        )

    def _is_batch(self, axis: Axis) -> bool:
        first = self.integrand.shape.axis(0)
        return first is not None and first.is_same(axis)


def _without(counts: list[tuple[Atom, int]], shape: Shape) -> list[tuple[Atom, int]] | None:
    """The counts without the number of elements of an array, or None where that does not divide."""
    for index, (atom, power) in enumerate(counts):
        if atom.role is Role.COUNT and power == -1 and atom.shape is not None and shape.is_flat(atom.shape):
            return [*counts[:index], *counts[index + 1 :]]
    left = counts
    for axis in shape.axes or ():
        if axis.size == 1:
            continue
        length = next(
            (c for c in left if c[0].role is Role.COUNT and c[0].axis and c[0].axis.is_same(axis)), None
        )
        if length is None or length[1] > -1:
            return None
        left = [c for c in left if c is not length] + ([(length[0], length[1] + 1)] if length[1] < -1 else [])
    return left if shape.axes else None


def follows(accounts: Sequence[Reduction]) -> bool:
    """Are they few and short enough to be followed?"""
    return len(accounts) <= MAX_ACCOUNTS and all(
        len(account.steps) <= MAX_STEPS and len(account.scale) <= MAX_FACTORS for account in accounts
    )


class Choices:
    """Which losses the code reduces in one way or another, as an option says."""

    def __init__(self, accounts: Iterable[Reduction]) -> None:
        self._ways: dict[int, list[Reduction]] = {}
        for account in accounts:
            if account.steps:
                self._ways.setdefault(_made_at(account), []).append(account)

    def has(self, account: Reduction, differs: Callable[[Reduction], bool] = lambda other: True) -> bool:
        """Is there another way, taken where this one is not, in which the same values are not reduced alike?

        `differs` says of such a way whether it matters.
        """
        paths = [step.path for step in account.steps]
        if any(
            isinstance(d.answer, Answer) and isinstance(d.answer.value, str) for path in paths for d in path
        ):
            return True  # `how == "sum"`: what else there is may not be followed
        return any(
            other.rest != account.rest
            and differs(other)
            and any(excludes(path, other.steps[-1].path) for path in paths)
            for other in self._ways.get(_made_at(account), ())
        )

    def lays_a_mask(self, account: Reduction) -> bool:
        """Is the same loss masked on another way?"""
        return any(other.mask is not None for other in self._ways.get(_made_at(account), ()))


def _made_at(account: Reduction) -> int:
    """Where a loss is made, masked or not, as a number to compare; its key, where nothing shows it."""
    evidence = account.integrand.evidence
    return id(evidence[0].node) if evidence else account.integrand.key


def report_node(reduction: Reduction, step: Step) -> ast.AST:
    """The step, or the call that hands the integrand to the helper in which the step stands."""
    common = 0
    for mine, theirs in zip(step.stack, reduction.integrand.stack, strict=False):
        if mine is not theirs:
            break
        common += 1
    return step.stack[common] if len(step.stack) > common else step.node


def _valid_of_each(atom: Atom) -> Atom | None:
    """The number of valid positions of each sequence, if a sum is that of a mask over one axis."""
    mask = masks.mask_of(atom.argument) if atom.role is Role.SUM and atom.argument is not None else None
    return altered(atom, role=Role.VALID, source=mask.key, axis=None) if mask is not None else None


def _is_all_but_the_first(shape: Shape, axes: AxesSpec) -> bool:
    """Is it `mean(dim=[1, 2, 3])`, as of the latent code of an image?"""
    count = len(axes.positions)
    return shape.rank is None and count > 1 and axes.positions == tuple(range(1, count + 1))


def _is_at(shape: Shape, position: int, axis: Axis) -> bool:
    there = shape.axis(position)
    return there is not None and there.is_same(axis)


def _is_last_by_number(shape: Shape, axes: AxesSpec, support: Axis) -> bool:
    """Is it `sum(axis=2)` of an array whose last axis is the support? People number the axes of (B, T, V) so."""
    if shape.rank is not None or len(axes.positions) != 1 or axes.positions[0] < 2:
        return False
    return _is_at(shape, -1, support)


def mask_fact(atom: Atom, after: int = 0, after_steps: int = 0) -> Mask:
    """What an account keeps of a mask."""
    place = masks.meaning(atom)
    shown = masks.is_shown(atom)
    is_bare = not shown and bool(atom.names) and masks.is_bare_mask_name(atom.names)
    places = (place,) if place else ()
    of_lengths = atom.kind == masks.OF_LENGTHS
    return Mask(shown, atom.key, atom.shape, is_bare, after, after_steps, places, of_lengths=of_lengths)


_COUNTS: Final = re.compile(
    r"(^|_)(num|n|nb|count|counts|len|length|lengths|lens?|size|total|numel|denom\w*|denominator|norm\w*|ratio"
    r"|frac\w*|tokens|valid|seq|max|b|t|l|bs|bsz|batch)(_|\d|$)|count|token|length|valid|norm|ratio|denom"
)
_PARTS: Final = re.compile(
    r"sample_size|batch_size|^bsz?$|accum|world|gpus?|devices|heads|layers|temp|tau|lambda|alpha|beta|gamma|coef|weight|scale|loss|lr$|eps"
)


def is_count_name(names: tuple[str, ...]) -> bool:
    """Could a number of this name be a count?"""
    return any(_COUNTS.search(name.lower()) for name in names)


def is_part_name(names: tuple[str, ...]) -> bool:
    """Is a number of this name a weight, a temperature or a number of parts?"""
    return any(_PARTS.search(name.lower()) for name in names)


def may_be_a_size(atom: Atom, power: float = 1) -> bool:
    """Could a number be the length of a support axis, by its name or its default? No root of one, and no square.

    Used to silence only.
    """
    if is_class_count_name(atom.names):
        return True
    return atom.is_whole and power == 1 and not is_part_name(atom.names)


def may_count(atom: Atom, power: float) -> bool:
    """Could a number be a count that puts the mean over all positions right?"""
    if atom.role is not Role.OPAQUE:
        return True
    if is_part_name(atom.names):
        return False
    return power < 0 or not atom.names or is_count_name(atom.names)
