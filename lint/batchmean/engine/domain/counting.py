"""Which positions a divisor counts: all of an array, or those that a mask lets through."""

from __future__ import annotations

from batchmean.engine.domain.accounts import may_count
from batchmean.engine.domain.axes import Axis
from batchmean.engine.domain.shapes import Shape
from batchmean.engine.domain.tensors import Atom, How, Mask, Reduction, Role


def over_everything(account: Reduction) -> tuple[How | None, list[tuple[Atom, int]]]:
    """What happened to the rest, and the counts that are left: a sum over the number that it ran over is a mean."""
    counts = list(account.counts())
    total = next((step for step in reversed(account.steps) if step.how != "scale"), None)
    if total is None or total.shape is None or not total.whole or total.how != "sum":
        return account.rest, counts
    left = _without(counts, total.shape)
    return (account.rest, counts) if left is None else ("mean", left)


def counts_masked(account: Reduction) -> bool | None:
    """Does the divisor count the positions that the mask zeroed, too? None while the code leaves it open."""
    if account.mask is None or not (account.rest or account.units) or account.coefficient is None:
        return None
    if account.support == "unsure":
        return None
    if _is_mask_of_classes(account, account.mask):
        return None
    everything, counts = over_everything(account)
    later: list[How] = []
    for axis, how in account.units[account.mask.after :]:
        length = next(
            (c for c in counts if c[1] == -1 and c[0].axis is not None and c[0].axis.is_same(axis)), None
        )
        if how == "sum" and length is not None:
            counts.remove(length)  # summed and divided by its length
            how = "mean"
        if not _is_feature(account, axis):
            later.append(how)
    rest = everything or (later[0] if later else None)
    if rest is None or any(how != rest for how in later):
        return None  # a sum over the positions of each sequence, or a mean that is added up
    counts, all_but_the_classes = _without_the_support(account, counts, is_mean=everything == "mean")
    positions = all_but_the_classes - (rest == "mean" and not account.mask.is_selected)
    valid = -1 if rest == "mean" and account.mask.is_selected else 0
    divisors: list[Axis] = []
    for atom, power in counts:
        if atom.role is Role.VALID:
            valid += power
        elif atom.role is Role.OPAQUE:
            if may_count(atom, power):
                return None
        elif (
            atom.shape is not None and account.mask.is_selected and _is_what_was_selected(account, atom.shape)
        ):
            valid += power
        elif atom.shape is not None and _is_over_positions(account, atom.shape):
            positions += power
        elif atom.axis is not None and power == -1:
            divisors.append(atom.axis)
        elif not (atom.axis is not None and _is_batch(account, atom.axis)):
            return None  # a length that may put the mean right
    if divisors and _are_all_positions(account, divisors):
        positions -= 1
    if valid:
        return None if positions else False
    return True if positions == -1 else None


def _without_the_support(
    account: Reduction, counts: list[tuple[Atom, int]], *, is_mean: bool
) -> tuple[list[tuple[Atom, int]], int]:
    """The counts without `logits.numel() / logits.size(-1)`, and the power of the positions that this counts.

    With `is_mean` the number of all elements was taken out of them already.
    """
    integrand = account.integrand
    whole = next(
        (c for c in counts if c[1] == -1 and c[0].shape and integrand.shape.is_flat(c[0].shape)), None
    )
    length = next(
        (c for c in counts if c[1] == 1 and c[0].axis is not None and c[0].axis.is_same(integrand.support)),
        None,
    )
    if not integrand.symbol or length is None or (whole is None) is not is_mean:
        return counts, 0
    return [c for c in counts if c is not whole and c is not length], 0 if is_mean else -1


def _is_mask_of_classes(account: Reduction, mask: Mask) -> bool:
    """Does it say which classes an example has, so that no position is padded?"""
    shape = mask.shape
    if shape is None or not account.integrand.symbol or shape.has(account.integrand.support) is not True:
        return False
    return shape.axes is None or len(shape.axes) < 3


def _is_feature(account: Reduction, axis: Axis) -> bool:
    """Is it for sure no axis of the mask?"""
    shape = account.mask.shape if account.mask is not None else None
    if shape is not None and shape.lacks(axis):
        return True
    if shape is None or shape.axes is None or shape.has(axis) is not False:
        return False
    own = [
        *account.integrand.shape.shown,
        *(a for step in account.steps if step.shape is not None for a in step.shape.shown),
    ]
    if not any(axis.is_same(other) for other in account.integrand.shape.shown):
        return False  # nobody knows which one it is
    if not all(any(mine.is_same(other) for other in own) for mine in shape.axes):
        return False  # it may be one that is not known to be the mask's
    shapes = [account.integrand.shape, *(step.shape for step in account.steps if step.shape is not None)]
    if any(whole.may_be_one(axis, mine) for whole in shapes for mine in shape.axes):
        return False
    # What was flattened may hold it.
    return not any(mine.root().whole is not None and not mine.root().parts for mine in shape.axes)


def _is_what_was_selected(account: Reduction, shape: Shape) -> bool:
    steps = account.steps[account.mask.after_steps :] if account.mask is not None else ()
    return any(step.shape is not None and step.shape.is_same(shape) for step in steps)


def _is_over_positions(account: Reduction, shape: Shape) -> bool:
    """Does the count of all elements of `shape` count every position that the mask is over?"""
    whole = [account.integrand.shape]
    for step in account.steps:
        if step.shape is not None:
            whole.append(step.shape)
            axes = [axis for axis in map(step.shape.axis, step.positions) if axis is not None]
            if not all(axis.holds(account.integrand.support) for axis in axes):
                break  # what is left has fewer positions
    mask = account.mask.shape if account.mask is not None else None
    return any(own.is_flat(shape) or shape.is_flat(own) for own in (*whole, *((mask,) if mask else ())))


def _are_all_positions(account: Reduction, divisors: list[Axis]) -> bool:
    """Are these the lengths of all axes of the mask, or of the first two where the rank is not shown?"""
    mask = account.mask.shape if account.mask is not None else None
    if mask is not None and mask.axes:
        if all(any(d.is_same(axis) for d in divisors) for axis in mask.axes):
            return True
        parts = [part for axis in mask.axes for part in axis.root().parts or (axis,)]
        if len(parts) > len(mask.axes) and all(any(d.is_same(part) for d in divisors) for part in parts):
            return True
        if all(axis.root().whole is None for axis in mask.axes):
            return False
    flattened = [axis.root().whole for axis in mask.axes] if mask is not None and mask.axes else []
    shapes = (mask, account.integrand.shape, *flattened, *(step.shape for step in account.steps))
    return any(
        len(axes := shape.leading(2)) == 2 and all(any(d.is_same(axis) for d in divisors) for axis in axes)
        for shape in shapes
        if shape is not None
    )


def _is_batch(account: Reduction, axis: Axis) -> bool:
    first = account.integrand.shape.axis(0)
    return first is not None and first.is_same(axis)


def _without(counts: list[tuple[Atom, int]], shape: Shape) -> list[tuple[Atom, int]] | None:
    """The counts without the number of elements of an array, or None where that does not divide."""
    for index, (atom, power) in enumerate(counts):
        flattened = atom.axis.root().whole if atom.axis is not None else None
        counted = flattened if isinstance(flattened, Shape) else atom.shape
        if atom.role is Role.COUNT and power == -1 and counted is not None and shape.is_flat(counted):
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
