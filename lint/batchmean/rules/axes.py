"""What the code shows of the axes of a loss: the support, those that were summed, those whose lengths were counted."""

from __future__ import annotations

from collections.abc import Iterable

from batchmean.engine.domain.axes import Axis
from batchmean.engine.domain.shapes import Shape
from batchmean.engine.domain.tensors import Atom, Reduction, Role, Step


def shows_axis(reduction: Reduction) -> bool:
    """Is there anything, a name at least, to say which axes the support is? Of a latent code it may be several."""
    integrand = reduction.integrand
    if integrand.symbol == "D":
        axes = integrand.shape.axes
        return axes is not None and len(axes) == 2 and axes[-1].is_same(integrand.support)
    return not (integrand.library and (integrand.assumed or not integrand.proved))


def summing_step(reduction: Reduction, division: Step) -> Step | None:
    """The step that made one number of everything, before a division."""
    steps = reduction.steps
    before = steps[: steps.index(division)] if division in steps else steps
    return next((s for s in reversed(before) if s.whole and s.how != "scale" and not s.of_scalar), None)


def ignores_its_mask(reduction: Reduction, step: Step) -> bool:
    """Is a masked loss averaged over all positions by this step, so that its divisor has to be the sum of the mask?"""
    if reduction.mask is None or any(atom.role is Role.VALID for atom, _ in reduction.counts()):
        return False
    total = summing_step(reduction, step)
    if total is not None and total.library and lacks_support(reduction, total):
        return False  # a library's own mean leaves out what it ignores
    return step.how == "scale" or step.whole


def lacks_support(reduction: Reduction, step: Step) -> bool:
    """Was the support summed before this step, as a library's cross-entropy does?"""
    return step.shape is not None and step.shape.has(reduction.integrand.support) is False


def shows_its_units(reduction: Reduction) -> bool:
    """Is no axis summed, and none counted, that may be another one than the account takes it for?

    With an unknown number of axes the last one may be the first, and the second the last: only the length of the
    first one is the number of examples for sure.
    """
    shape = reduction.integrand.shape
    averages = reduction.rest == "mean" or any(how == "mean" for _, how in reduction.units)
    if averages and any(
        how == "sum" and not _is_behind_the_first(shape, axis) for axis, how in reduction.units
    ):
        return False
    return shape.axes is not None or all(
        shape.position_of(axis) == 0 or axis.root().parts for axis in counted_axes(reduction)
    )


def keeps_the_first(reduction: Reduction) -> bool:
    """Is no axis summed by itself that may be the first one, of the examples, or that is counted with all others?"""
    shape = reduction.integrand.shape
    summed = [axis for axis, how in reduction.units if how == "sum"]
    counts_all = any(atom.shape is not None for atom, _ in reduction.counts())
    return not (summed and counts_all) and all(_is_behind_the_first(shape, axis) for axis in summed)


def counted_axes(reduction: Reduction) -> list[Axis]:
    """The axes, one by one, whose lengths it was divided by, without the support."""
    support = reduction.integrand.support
    return [
        atom.axis
        for atom, _ in reduction.counts()
        if atom.role is Role.COUNT and atom.shape is None and atom.axis is not None
        if not atom.axis.is_same(support)
    ]


def sums_a_counted_axis(reduction: Reduction) -> bool:
    """Is it divided by the length of an axis that was summed by itself? That is the mean over it."""
    counted = counted_axes(reduction)
    summed = [
        step.shape.axis(position)
        for step in reduction.steps
        if step.how == "sum" and step.shape is not None
        for position in step.positions
    ]
    return any(axis is not None and axis.holds(each) for axis in summed for each in counted)


def counted_words(reduction: Reduction, counts: Iterable[tuple[Atom, int]] | None = None) -> str:
    """What it is divided by, in words (`the batch`, `the class count`); empty where nothing shows it.

    With `counts`, by these of its counts.
    """
    counts = reduction.counts() if counts is None else counts
    words = [_count_words(reduction, atom) for atom, power in counts if power < 0]
    return " and ".join(dict.fromkeys(filter(None, words)))


_UNITS = {1: ("the batch",), 2: ("the batch", "the time axis"), 3: ("the batch", "the height", "the width")}


def _count_words(reduction: Reduction, atom: Atom) -> str:
    integrand = reduction.integrand
    if atom.role is Role.VALID:
        return "the number of valid positions"
    if atom.role is not Role.COUNT:
        return f"`{atom.names[0]}`" if atom.names else ""
    if atom.shape is not None:
        return "the number of all elements"
    if atom.axis is None:
        return ""
    if atom.axis.is_same(integrand.support):
        return "the size of the latent axis" if integrand.symbol == "D" else "the class count"
    axes = integrand.shape.axes
    if axes is not None:
        units = [axis for axis in axes if not axis.is_same(integrand.support)]
        place = next((i for i, axis in enumerate(units) if axis.is_same(atom.axis)), None)
        names = _UNITS.get(len(units), ("the batch",))
        if not integrand.symbol and len(units) > 2:
            names = names[:1]  # pixels, or the features of positions
        return "" if place is None else names[place] if place < len(names) else f"the length of axis {place}"
    position = integrand.shape.position_of(atom.axis)
    if position == 0:
        return "the batch"
    if position == -1 and integrand.symbol:
        return "the last axis, the class count of a (B, V) input"
    support = integrand.shape.position_of(integrand.support)
    if position is not None and integrand.library and support is not None and 0 <= support < position:
        position -= 1  # the axes of the losses that are left
    return "" if position is None else f"the length of axis {position}"


def _is_behind_the_first(shape: Shape, axis: Axis) -> bool:
    position = shape.position_of(axis)
    return position is not None and (position > 0 or (position < 0 and shape.axes is not None))
