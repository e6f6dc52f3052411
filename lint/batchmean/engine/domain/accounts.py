"""The account of a reduction: what was summed, what was averaged, and by which counts it was divided."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from batchmean.engine.domain import masks
from batchmean.engine.domain.axes import ALL_AXES, AxesSpec, Axis
from batchmean.engine.domain.paths import Answer, excludes
from batchmean.engine.domain.shapes import Shape
from batchmean.engine.domain.tensors import (
    MAX_ACCOUNTS,
    MAX_FACTORS,
    MAX_STEPS,
    Atom,
    How,
    Mask,
    Reduction,
    Role,
    Step,
    Tensor,
    Term,
    altered,
    derived,
    product_of,
)
from batchmean.engine.evidence.masks import is_bare_mask_name
from batchmean.engine.evidence.names import is_class_count_name, is_count_name, is_part_name


def follows(accounts: Sequence[Reduction]) -> bool:
    """Are they few and short enough to be followed?"""
    return len(accounts) <= MAX_ACCOUNTS and all(
        len(account.steps) <= MAX_STEPS and len(account.scale) <= MAX_FACTORS for account in accounts
    )


def reduced(account: Reduction, shape: Shape, axes: AxesSpec, how: How, step: Step) -> Reduction:
    """After a sum or a mean over `axes` of an array of `shape`."""
    weighs = how == "sum" and _may_be_weights(account)
    if not shape.is_scalar and (account.spread is not None or weighs):
        whole = axes.kind == "all"
        steps = (*account.steps, altered(step, how=how, shape=shape, whole=whole))
        return altered(account.withdrawn(), steps=steps, weighs=weighs)
    state = account.support
    support = account.integrand.support
    covered = shape.covers(axes, support) if state == "alive" else None
    integrand = account.integrand
    is_all_but_first = how == "mean" and state == "alive" and _is_all_but_the_first(shape, axes)
    if is_all_but_first and covered is not True and integrand.symbol == "D" and not integrand.library:
        covered, integrand = True, altered(integrand, proved=False)
    else:
        is_all_but_first = False
    is_of_two = False
    by_number = covered is None and how == "sum" and state == "alive"
    by_number = by_number and _is_last_by_number(shape, axes, support)
    if by_number:
        covered, integrand = True, altered(integrand, proved=False, assumed=True)
    whole = axes.kind == "all" or (shape.rank == 1 and axes.positions in ((0,), (-1,)))
    if integrand.assumed and integrand.symbol == "V" and covered is False and how == "sum" and axes.positions:
        state = "unsure"  # the axis that is summed may well be the one
    if state == "alive" and covered is True:
        state = "summed" if how == "sum" else "averaged"
    elif state == "alive" and covered is None:
        state = "maybe averaged" if how == "mean" and axes.kind != "unknown" else "unsure"
    elif state == "maybe averaged" and whole:
        state = "averaged" if how == "mean" else "unsure"
    elif state == "maybe averaged" and any(shape.may_be_at(position, support) for position in axes.positions):
        # Now, if not before: were it this one that was averaged, there would be none to sum.
        state = "averaged" if how == "mean" else "summed"
    elif state == "maybe averaged" and how == "sum":
        state = "unsure"
    elif state == "maybe averaged" and axes.positions == (0,) and _is_second_of_two(account):
        state, is_of_two = "averaged", True  # both axes of (B, D), unless there is a third
    elif state == "averaged" and how == "sum" and _assumes_two_axes(account):
        state = "unsure"  # there is one
    units, rest = account.units, account.rest
    if whole or axes.kind == "tail":
        rest = rest or how
    else:
        for position in () if by_number else axes.positions:
            axis = shape.axis(position)
            if axis is None or axis.size == 1:
                continue
            if not axis.holds(support):
                units = (*units, (axis if shape.has(axis) else Axis(), how))
            elif axis.root().parts and covered is True:
                units = (*units, (axis, how))  # what was merged with the support
            elif covered is not True and account.support != "alive":
                units = (*units, (Axis(), how))  # what is there when the support is gone
    sums = state == "summed" and account.support != "summed"
    averages = state == "averaged" and account.support != "averaged"
    may_average = state == "maybe averaged" and account.support == "alive" and account.integrand.symbol == "V"
    of_scalar = shape.is_scalar and account.rest is not None and how != account.rest
    mixed = account.mixed or account.integrand.mixed
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
    steps = (*account.steps, step)
    ran_over = [axis for axis in map(shape.axis, axes.positions) if axis is not None]
    assumes_rank = (
        account.assumes_rank
        or is_all_but_first
        or is_of_two
        or (covered is False and any(shape.is_one_in_a_vector(axis, support) for axis in ran_over))
    )
    return altered(
        account,
        assumes_rank=assumes_rank,
        integrand=integrand,
        support=state,
        units=units,
        rest=rest,
        steps=steps,
        parent=account,
    )


def _means_over(account: Reduction) -> list[tuple[int, ...]]:
    """The axes of the means of a latent KL, one after the other; empty where there is another reduction."""
    reducing = [step for step in account.steps if step.how != "scale"]
    is_of_means = account.integrand.symbol == "D" and all(s.how == "mean" and not s.whole for s in reducing)
    return [step.positions for step in reducing] if is_of_means else []


def _is_second_of_two(account: Reduction) -> bool:
    """Was the mean over the second axis taken, of what may have two?"""
    return _means_over(account) == [(1,)] and account.integrand.shape.least_rank <= 2


def _assumes_two_axes(account: Reduction) -> bool:
    """Was the mean over its second axis, and then over its first, taken for one over all of it?"""
    return account.assumes_rank and _means_over(account) == [(1,), (0,)]


def _may_be_weights(account: Reduction) -> bool:
    """Is it one number times what may be an array: a sum of them is that number times the sum of the weights?"""
    return account.rest is not None and (
        account.weighs
        or any(
            atom.role is Role.OPAQUE and power > 0 and (atom.shape is None or not atom.shape.is_scalar)
            for atom, power in account.scale
        )
    )


def scaled(account: Reduction, by: Tensor, shape: Shape | None = None) -> Reduction:
    """After a multiplication by a number or a count; other arrays leave the account alone.

    `shape` is that of the array that carries the account.
    """
    if by.reductions:
        return account
    if _is_array_beside_a_number(account, by, shape):
        account = altered(account, weighs=True)
    if not by.terms:  # `0.0 * loss`: a term that was turned off
        return altered(account, coefficient=0.0, parent=account)
    if len(by.terms) != 1:  # `(V - 1) * loss`
        may_be = any(
            atom.role is Role.COUNT or (_is_number(atom) and may_be_a_size(atom)) for atom in by.atoms()
        )
        return account.withdrawn() if may_be else account
    term = by.terms[0]
    if (average := _as_mean(account, term)) is not None:
        mean, length = average
        left = Term(term.coefficient, tuple(f for f in term.factors if f[0] is not length))
        return scaled(mean, altered(by, terms=(left,)))
    zeroing = {a for a, power in term.factors if power > 0 and masks.is_valid(a)}
    if zeroing and account.rest is None:
        first = min(zeroing, key=lambda atom: atom.key)
        fact = mask_fact(first, len(account.units), len(account.steps))
        found = altered(account, mask=account.mask or fact, parent=account)
        rest = Term(term.coefficient, tuple(f for f in term.factors if f[0] not in zeroing))
        return scaled(found, altered(by, terms=(rest,)))
    if zeroing:
        first = min(zeroing, key=lambda atom: atom.key)
        rest = Term(term.coefficient, tuple(f for f in term.factors if f[0] not in zeroing))
        spread = mask_fact(first, len(account.units), len(account.steps))
        if shape is not None and shape.is_scalar:
            spread = altered(spread, on_number=True, scale=account.scale)
        return scaled(altered(account, spread=spread, parent=account), altered(by, terms=(rest,)))
    counted = (
        (_valid_of_each(atom) or (_some_number(atom) if power > 0 or account.rest else atom), power)
        for atom, power in term.factors
    )
    factors = tuple(f for f in counted if f[0].role in _NUMBERS)
    if any(atom.role is Role.COUNT and power > 0 for atom, power in factors) and _assumes_two_axes(account):
        return account.withdrawn()  # the length of either may put it right
    if not factors and term.coefficient in (1.0, -1.0):
        return account
    powers: dict[Atom, float] = dict(account.scale)
    for atom, power in factors:
        powers[atom] = powers.get(atom, 0) + power
    both = account.coefficient is not None and term.coefficient is not None
    return altered(
        account,
        scale=product_of((a, p) for a, p in powers.items() if p),
        coefficient=account.coefficient * term.coefficient if both else None,  # type: ignore[operator]
        parent=account,
    )


_NUMBERS: Final = (Role.COUNT, Role.OPAQUE, Role.VALID)


def _is_number(atom: Atom) -> bool:
    return atom.role is Role.OPAQUE and atom.shape_is_scalar


def _is_array_beside_a_number(account: Reduction, by: Tensor, shape: Shape | None) -> bool:
    """Is a mean multiplied by what was made of an array, such as weights that sum to one?"""
    if account.rest is None or shape is None or not shape.is_scalar or by.shape.is_scalar:
        return False
    return any(atom.role not in _NUMBERS for atom in by.atoms())


def _as_mean(account: Reduction, by: Term) -> tuple[Reduction, Atom] | None:
    """The mean that an undecided sum is when the number that it ran over divides it, and that number."""
    last, before = account.steps[-1] if account.steps else None, account.parent
    if account.support != "unsure" or before is None or before.support not in ("alive", "maybe averaged"):
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
        return altered(reduced(before, last.shape, axes, "mean", last), parent=account), atom
    return None


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

    def divides(self, account: Reduction) -> bool:
        """Is the same sum divided by another count, on a way that is taken where this one is not?

        What a helper gives on both ways is one account: then it is divided on one of them.
        """
        counts = list(account.counts())
        return any(
            list(other.counts()) != counts
            and (
                any(excludes(step.path, other.steps[-1].path) for step in account.steps)
                or (bool(other.steps[-1].path) and any(before is account for before in other.line()))
            )
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


def _some_number(atom: Atom) -> Atom:
    """A sum of what is no mask for sure, `sum(sum(chosen))`: a number of which no more is known."""
    return derived(atom, "number", role=Role.OPAQUE, is_anything=True) if atom.role is Role.SUM else atom


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
    """Is it `sum(axis=2)` of an array whose last axis is the support? People number the axes of (B, T, V) so.

    Or the other way round: `sum(axis=-1)` after a softmax over axis 1 or 2.
    """
    if shape.rank is not None or len(axes.positions) != 1:
        return False
    if axes.positions == (-1,):
        return any(_is_at(shape, by_number, support) for by_number in (1, 2))
    return axes.positions[0] >= 2 and _is_at(shape, -1, support)


def mask_fact(atom: Atom, after: int = 0, after_steps: int = 0) -> Mask:
    """What an account keeps of a mask."""
    place = masks.meaning(atom)
    shown = masks.is_shown(atom)
    is_bare = not shown and bool(atom.names) and is_bare_mask_name(atom.names)
    places = (place,) if place else ()
    of_lengths = atom.kind == masks.OF_LENGTHS
    return Mask(shown, atom.key, atom.shape, is_bare, after, after_steps, places, of_lengths=of_lengths)


def may_be_a_size(atom: Atom, power: float = 1) -> bool:
    """Could a number be the length of a support axis, by its name or its default? No root of one, and no square.

    Used to silence only.
    """
    if atom.is_anything or atom.is_of_counts or _is_computed(atom):
        return power > 0
    if is_class_count_name(atom.names):
        return True
    return atom.is_whole and power == 1 and not is_part_name(atom.names)


def _is_computed(atom: Atom) -> bool:
    """Is it one number that was worked out in sight, and is not followed?"""
    return atom.kind == "computed" and atom.shape_is_scalar and not (atom.names or atom.numbers)


_OF_EACH: Final = frozenset((Role.EXP, Role.INTEGRAND, Role.PROBS, Role.LOG_PROBS, Role.SIGMOID))
"""What an operation makes for each element of an array."""


def may_count(atom: Atom, power: float) -> bool:
    """Could a number be a count that puts the mean over all positions right?"""
    if atom.role is not Role.OPAQUE:
        return True
    if atom.argument is not None and any(inner.role in _OF_EACH for inner in atom.argument.atoms()):
        return False  # a power of what is one number for each element
    if is_part_name(atom.names):
        return False
    return power < 0 or not atom.names or is_count_name(atom.names)
