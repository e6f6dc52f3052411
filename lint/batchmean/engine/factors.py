"""From an account to a factor: the reduction as it stands over the right one, as a monomial in the lengths of axes.

An axis is 0 where it was summed, -1 where it was averaged or not touched, and every count in the scale adds its
power to the axes that it counts. Axes have identity: a count belongs to an axis of this loss only where the code
shows that it is the same one. What may be another axis, or any axis, leaves the units open; what may put the support
right leaves everything open (None).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import log
from typing import Final

from batchmean.engine.domain.accounts import may_be_a_size, may_count
from batchmean.engine.domain.axes import Axis
from batchmean.engine.domain.counting import counts_masked, over_everything
from batchmean.engine.domain.shapes import Shape
from batchmean.engine.domain.tensors import Atom, Reduction, Role, Step, altered
from batchmean.engine.domain.ways import is_of_another_way
from batchmean.engine.evidence.code import ABOUT_SHAPE
from batchmean.engine.syntax import spelled_out


@dataclass(unsafe_hash=True, slots=True)
class Factor:
    """The reduction over the right one, as exponents of the support's length and of the units' counts."""

    support: int
    units: tuple[tuple[str, int], ...]
    assumes_rank: bool = field(default=False, compare=False)
    """Is it so only where the array has two axes at least, as a loss over a batch has?"""
    is_partial: bool = field(default=False, compare=False)
    """Is there the length of one more axis in it, of which it is not known which that is?"""
    is_twice: bool = field(default=False, compare=False)
    """Was that axis averaged, and divided by again?"""

    def monomial(self, symbol: str) -> dict[str, int]:
        """As a finding shows it: no zero exponents, the support last."""
        exponents = {name: power for name, power in self.units if power}
        if self.support:
            exponents[symbol] = self.support
        return exponents


def factor_of(account: Reduction) -> Factor | None:
    """The factor of an account, or None while the code leaves it open."""
    if account.support not in ("summed", "averaged") or may_have_another_rank(account):
        return None
    integrand = account.integrand
    exponents = _Exponents(account)
    if not exponents.take_counts() or not _is_plain(account, exponents):
        return None
    support, units = exponents.support, exponents.units()
    is_mean = account.support == "averaged" or exponents.counted_whole
    if support == -2 and is_mean and integrand.proved and not integrand.assumed:
        support, exponents.is_partial = -1, True  # averaged, and divided by its length too
    if support < -1 or any(power > 0 for power in units.values()):
        return None  # divided by the support twice, or a sum times a length: more likely something is misread
    if integrand.assumed and exponents.counted_whole and _is_times_a_count(account):
        return None  # all elements, less those of an axis that may be the support
    if integrand.assumed and account.support == "summed" and support < 0 and not exponents.counted_whole:
        # Nothing but its place at the end shows the support: what was left out of the divisor may be it.
        are_all_seen = exponents.is_known or account.rest == "mean"
        if not are_all_seen or any(power != -1 for power in units.values()):
            return None
    if exponents.is_over_something:
        # Whatever it is, it makes up for no division too many.
        twice = tuple((name, power + 1) for name, power in units.items() if power < -1)
        known = () if exponents.is_open else twice
        return Factor(support, known, exponents.assumes_rank, is_twice=exponents.is_twice)
    if exponents.is_open:
        return Factor(support, (), is_partial=exponents.is_partial)
    if any(exponent < 0 for exponent in units.values()) and not account.per_batch:
        # Some unit axes are averaged, so those that are summed are summed on purpose (a sequence's tokens).
        units = {name: min(exponent, -1) for name, exponent in units.items()}
    found = tuple((name, exponent + 1) for name, exponent in units.items())
    return Factor(support, found, exponents.assumes_rank, exponents.is_partial, exponents.is_twice)


def may_have_another_rank(account: Reduction) -> bool:
    """Is the rank that it depends on that of another way? Whoever tests an array's rank expects more than one."""
    shape = account.integrand.shape.root()
    is_elsewhere = _is_of_another_way(account)
    tests = (decision.node for decision in shape.way if decision.node is not None)
    return is_elsewhere is True or (
        is_elsewhere is None and any(ABOUT_SHAPE.is_in(spelled_out(node)) for node in tests)
    )


def learned_on_one_way(account: Reduction) -> bool:
    """Was the rank that it depends on learned on one of the ways to it alone?"""
    return _is_of_another_way(account) is not False


def _is_of_another_way(account: Reduction) -> bool | None:
    shape = account.integrand.shape
    if not shape.root().way or not (account.units or any(atom.axis for atom, _ in account.scale)):
        return False
    return is_of_another_way(shape, [step.path for step in account.steps])


def _is_times_a_count(account: Reduction) -> bool:
    """Is it multiplied by what may be the length of an axis? A weight by its name is none."""
    return any(power > 0 and may_count(atom, power) for atom, power in account.scale)


def is_over_the_examples(account: Reduction) -> bool:
    """Did something divide by the examples themselves, not by their positions alone?"""
    exponents = _Exponents(account)
    return exponents.take_counts() and exponents.units().get("B") == -1


def divided_by(account: Reduction) -> dict[str, int]:
    """What the latest step divided an account by, as powers of the lengths of its units."""
    assert account.parent is not None
    before, after = _Exponents(account.parent), _Exponents(account)
    if not (before.take_counts() and after.take_counts()):
        return {}
    then, now = before.units(), after.units()
    return {name: power - now[name] for name, power in then.items() if name in now and power != now[name]}


def divides_by_its_own_length(account: Reduction) -> bool:
    """Is a mean over everything divided by the length of an axis of the same array, whichever that is?"""
    shape, scale = account.integrand.shape, account.scale
    if account.rest != "mean" or account.units or account.support != "summed" or not scale:
        return False
    return all(
        power == -1 and atom.axis is not None and any(atom.axis.is_same(own) for own in shape.shown)
        for atom, power in scale
    )


def divides_a_mean_by_the_support(account: Reduction, factor: Factor) -> bool:
    """Is it the mean of a loss whose classes are summed, divided by the class count once more?"""
    averaged = account.rest == "mean" and all(power == 0 for _, power in factor.units)
    summed = account.support == "summed" and account.integrand.symbol == "V"
    return factor.support == -1 and summed and averaged


def placed(account: Reduction, step: Step) -> Reduction:
    """An account with the place of its latest step, the scaling by a number or a count."""
    before = factor_of(account.parent) if account.parent is not None else None
    after = factor_of(account)
    divides = before is not None and after is not None and after.support < before.support
    mixed = account.mixed or account.integrand.mixed
    return altered(account, steps=(*account.steps, altered(step, averages_support=divides, mixed=mixed)))


def _is_plain(account: Reduction, exponents: _Exponents) -> bool:
    """Is the factor made of counts alone, with no number that may stand for one?"""
    integrand = account.integrand
    averaged = account.support == "averaged"
    if integrand.square and exponents.support != (-1 if averaged else 0):
        return False  # the count of the classes is that of the examples
    if integrand.symbol == "D" and _is_bits(account.coefficient):
        return False  # bits per dimension: the unit is declared
    size = integrand.support.size
    if size and size >= 2 and account.coefficient is not None and abs(account.coefficient) >= size:
        times = abs(account.coefficient) / size
        if abs(times - round(times)) < 1e-9:
            if round(times) != 1:
                return False  # the class count and something else, in one number
            exponents.support += 1
    return not (averaged and account.rest == "mean" and exponents.multiplies_a_unit())


class _Exponents:
    """The powers of the lengths of a loss's axes, as far as they are known."""

    def __init__(self, account: Reduction) -> None:
        self._account = account
        self._shape = account.integrand.shape
        self._axis = account.integrand.support
        self.support = -1 if account.support == "averaged" else 0
        axes = self._shape.axes
        self.is_known = axes is not None
        """Are all axes known?"""
        self._units: list[tuple[Axis, int]] = []
        """The axes that are told apart: all of a known shape, else those that were reduced by themselves."""
        self._rest = _exponent(account, None)
        """The power of all axes that are not told apart."""
        self.is_open = False
        """May any unit have another power?"""
        self.assumes_rank = False
        self.is_partial = False
        """Has an axis another power whose name is not known?"""
        self.is_twice = False
        self._has_unnamed_mean = False
        self.is_over_something = False
        self.counted_whole = False
        """Did the number of all elements divide it?"""
        if axes is not None:
            self._units = [(a, _exponent(account, a)) for a in axes if not a.is_same(self._axis)]
            if not all(any(reduced.holds(axis) for axis in axes) for reduced, _ in account.units):
                self.is_open = self.is_partial = True  # one of them was reduced, and which is not known
        else:
            for axis, how in account.units:
                if axis.size != 1 and not any(axis.is_same(mine) for mine, _ in self._units):
                    self._units.append((axis, 0 if how == "sum" else -1))

    def take_counts(self) -> bool:
        """Add the powers of every count in the scale; False where one of them leaves the support open."""
        account = self._account
        roots = {atom for atom, power in account.scale if power % 1}
        if any(atom.role is not Role.OPAQUE for atom in roots):
            return False  # a root of a count
        # A sum of means over how many there are is a mean of them.
        counts = over_everything(account)[1] if account.rest == "mean" else account.counts()
        for atom, exponent in counts:
            if atom in roots:
                continue
            if atom.role is Role.VALID:
                self.is_open = True
            elif atom.role is Role.OPAQUE:
                if atom.key in self._axis.symbols:
                    self.support += exponent
                elif (axis := self._measured_by(atom)) is not None:
                    if not self._count_axis(axis, exponent):
                        return False
                elif exponent > 0 and (may_be_a_size(atom, exponent) or may_be_length(atom, account)):
                    return False
                elif exponent < 0:
                    self.is_over_something = True  # which may be any count
            elif atom.shape is not None:
                if not self._count_elements(atom.shape, exponent):
                    return False
            elif atom.axis is None or not self._count_axis(atom.axis, exponent):
                return False  # `x.size(dim)`: some axis, the code does not say which
        return True

    def _measured_by(self, number: Atom) -> Axis | None:
        """The axis whose length a number is shown to be."""
        return next((axis for axis in self._shape.axes or () if number.key in axis.symbols), None)

    def units(self) -> dict[str, int]:
        """The powers of the units by name; an axis that was moved, or is counted from the right, may be any of them."""
        named = self._named()
        if self._shape.item_of is not None and any(power < -1 for power in named.values()):
            self.is_partial = True  # the first axis of a loop's items is not the first one of all
            return {}
        return named

    def _named(self) -> dict[str, int]:
        if self.is_known and not (self._shape.is_moved and len(self._units) > 1):
            return dict(zip(unit_names(len(self._units)), (power for _, power in self._units), strict=False))
        named: dict[str, int] = {}
        for axis, power in self._units:
            name = self._name(axis)
            if name:
                named[name] = power
            else:
                self.is_partial = self.is_partial or power != -1
                self.is_twice = self.is_twice or power < -1
                self._has_unnamed_mean = self._has_unnamed_mean or power == -1
        if self._account.rest is not None and "B" not in named and not self.is_partial:
            named["B"] = min(self._rest, 0)
            if self._account.integrand.symbol and named["B"] == 0 and not self._shape.is_left(self._axis):
                self.assumes_rank = True  # of one example there is nothing to average
        if self._has_unnamed_mean:
            named = {name: min(power, -1) for name, power in named.items()}
        return named

    def multiplies_a_unit(self) -> bool:
        """Was an average multiplied by the length of a unit again? What that means is a matter of the sizes."""
        if not any(
            power > 0 and atom.role is Role.COUNT and not (atom.axis and atom.axis.is_same(self._axis))
            for atom, power in self._account.scale
        ):
            return False
        return any(power > -1 for _, power in self._units) if self.is_known else True

    def _name(self, axis: Axis) -> str:
        place = self._shape.left_place(axis) if not self._shape.is_moved else None
        if place and self._shape.left_place(self._axis) == 0:
            place -= 1  # classes first
        return {0: "B", 1: "T"}.get(place, "") if place is not None else ""

    def _count_elements(self, shape: Shape, power: int) -> bool:
        """The number of all elements of an array."""
        if self._shape.is_flat(shape) or shape.is_flat(self._shape):
            self.support += power if self._account.integrand.symbol else 0
            self._shift(power, self._shape)
            self.counted_whole = True
            return True
        reduced = next(
            (s.shape for s in self._account.steps if s.shape is not None and s.shape.is_flat(shape)), None
        )
        if reduced is not None:  # what was left after a sum over the support, say
            there = reduced.has(self._axis) if self._account.integrand.symbol else False
            if there is None:
                return False
            self.support += power if there else 0
            self._shift(power, reduced)
            return True
        if power > 0:
            return False
        looped = self._shape.item_of
        if looped is not None and (looped.is_flat(shape) or shape.is_flat(looped)):
            self.support += power if self._account.integrand.symbol else 0
            self._shift(power, self._shape)  # and by the number of items, which makes a mean of their sum
            return True
        if shape.axes is None:
            self.is_open = self.is_partial = True
            return True
        return all(self._count_axis(axis, power) for axis in shape.axes)

    def _shift(self, power: int, shape: Shape) -> None:
        self._rest += power
        self._units = [
            (axis, exponent + power if shape is self._shape or shape.has(axis) else exponent)
            for axis, exponent in self._units
        ]

    def _count_axis(self, axis: Axis, power: int) -> bool:
        """The length of one axis, or of those merged in it."""
        flattened = axis.root().whole
        if isinstance(flattened, Shape) and (self._shape.is_flat(flattened) or self._is_the_only(axis)):
            return self._count_elements(self._shape, power)  # the length of what was flattened
        whole = axis.is_same(self._axis) or self._place(axis) is not None
        for part in (axis,) if whole else axis.root().parts or (axis,):
            if part.is_same(self._axis):
                integrand = self._account.integrand
                if (
                    self._account.support == "summed"
                    and integrand.assumed
                    and not (integrand.proved or self.is_known)
                ):
                    return False  # it may be what was left behind it
                self.support += power
            elif (place := self._place(part)) is not None:
                self._units[place] = part, self._units[place][1] + power
            elif power < 0 and any(mine.holds(part) and past == -1 for mine, past in self._units):
                self.is_twice = self.is_partial = True  # a part of what was averaged
            elif self.is_known or not self._shape.has(part):
                if power > 0:
                    return False
                self.is_open = self.is_partial = True  # an axis of something else
            elif not self._count_apart(part, power):
                return False
        return True

    def _is_the_only(self, axis: Axis) -> bool:
        axes = self._shape.axes
        return axes is not None and len(axes) == 1 and axes[0].is_same(axis)

    def _count_apart(self, axis: Axis, power: int) -> bool:
        """An axis of this array that was reduced together with others."""
        if self._shape.may_be_one(axis, self._axis):
            return False
        for other, exponent in self._units:
            if self._shape.may_be_one(axis, other) or not self._shape.has(other):
                self.is_open = True  # the axis of what it was broadcast to may be this one
                return True
            if not exponent and self._shape.is_one_in_a_vector(axis, other):
                self.assumes_rank = True
        if power > 0 and self._shape.is_one_in_a_vector(axis, self._axis):
            return False  # of one example it is the class count, and may put the loss right
        self._units.append((axis, self._rest + power))
        return True

    def _place(self, axis: Axis) -> int | None:
        return next((i for i, (mine, _) in enumerate(self._units) if mine.is_same(axis)), None)


def _exponent(account: Reduction, axis: Axis | None) -> int:
    """-1 for an averaged (or untouched) unit axis, 0 for a summed one."""
    if axis is not None:
        for mine, how in account.units:
            if mine.holds(axis):
                return -1 if how == "mean" else 0
    elif account.rest is None and account.units:
        return -1 if all(how == "mean" for _, how in account.units) else 0
    return 0 if account.rest == "sum" else -1


def unit_names(count: int) -> Iterator[str]:
    """Names for the axes that are not the support: B first, then T, or H and W behind a class axis."""
    return iter({1: "B", 2: "BT", 3: "BHW", 4: "BCHW"}.get(count, "BCSHWUXYZ"))


_HALVES: Final = (0.5, 1.0, 2.0)


def _is_bits(coefficient: float | None) -> bool:
    """Was it divided by log(2), up to a half?"""
    if coefficient is None:
        return False
    return any(abs(abs(coefficient) * log(2) * times - 1) < 1e-6 for times in _HALVES)


def is_class_loss(reduction: Reduction) -> bool:
    """Is it a library's loss that sums over the classes itself?"""
    return bool(reduction.integrand.library) and reduction.integrand.kind == "cross-entropy"


def may_be_right(reduction: Reduction) -> bool:
    """Is it right, or multiplied by what may be the class count? Of two wrong counts one may have been put right."""
    if is_right(reduction) or _is_put_right(reduction):
        return True
    factors = [atom for atom, power in reduction.scale if power > 0]
    if any(_may_be_support(atom, reduction) for atom in factors if atom.role is Role.COUNT):
        return True
    numbers = [atom for atom in factors if atom.role is Role.OPAQUE]
    return any(may_be_a_size(atom) or may_be_length(atom, reduction) for atom in numbers)


def _may_be_support(count: Atom, reduction: Reduction) -> bool:
    """Is it the length of an axis that may be the support, in an array of unknown rank?"""
    integrand = reduction.integrand
    return count.axis is not None and integrand.shape.may_be_one(count.axis, integrand.support)


def _is_put_right(reduction: Reduction) -> bool:
    """Was it divided by its support, and is it no longer?"""
    factor = factor_of(reduction)
    if factor is None or factor.support != 0 or not reduction.scale:
        return False
    before = (factor_of(earlier) for earlier in reduction.line() if earlier.support != "alive")
    return any(earlier is None or earlier.support != 0 for earlier in before)


def may_be_length(number: Atom, reduction: Reduction) -> bool:
    """Does the code give a number that is the class count, or a multiple of it, to something of this name?"""
    size = reduction.integrand.support.size
    return size is not None and size > 1 and any(n % size == 0 for n in number.numbers)


def is_right(reduction: Reduction) -> bool:
    """Is it a sum over the support and a mean over the units, in the end?"""
    factor = factor_of(reduction)
    if factor is None or factor.support or factor.is_partial or not factor.units:
        return False
    if any(power for _, power in factor.units):
        return False
    return reduction.mask is None or counts_masked(reduction) is False
