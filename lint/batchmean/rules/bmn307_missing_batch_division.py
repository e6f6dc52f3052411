from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from batchmean.engine.domain.accounts import report_node
from batchmean.engine.domain.axes import Axis, Ends
from batchmean.engine.domain.tensors import Place, Reduction, Role
from batchmean.engine.events import Miscount, fraction
from batchmean.engine.evidence.code import EXAMPLES, POSITIONS
from batchmean.engine.ledger import Ledger
from batchmean.rules.axes import counted_words
from batchmean.rules.base import MiscountRule
from batchmean.rules.docket import Docket


class MissingBatchDivision(MiscountRule):
    """
    ## What it finds

    A loss that is summed over everything and divided by its positions, never by its examples: `.sum() / h / w` of a
    (B, V, H, W) loss, or a masked loss that is summed for each sequence, added up, and divided by the length T.

    ## Why it matters

    The loss and its gradient grow with the batch: at a batch size of 256 they are 256 times those of the mean. The
    learning rate is tied to the batch size, and a last, smaller batch counts for less. It reads as if it were averaged,
    since there is a division; in the runs with one image per batch, where such code comes from, it is.

    The code must show which axis holds the examples: the classes stand between it and the positions, as in
    (B, V, H, W), or a mask of lengths, one for each example, lies over it. Where only names tell
    (`b, t = loss.shape` and then `/ t`) the finding is likely.

    ## When to suppress it

    Where the sum over the examples is meant, or the caller divides by them; say so beside the `# noqa: BMN307`. Not
    reported: a sum that nothing divides; one that a weight, a coefficient or any other number multiplies, since that
    may make up for the batch; a (T, B) loss over B, the likelihood of a sequence; channels or features that are summed
    for one image.
    """

    code = "BMN307"
    precedence = 110
    name = "missing-batch-division"
    law = "duplication"
    preview = True
    kind = "missing batch division"
    no_fix = "the caller may divide by the examples: divide here, or there"
    summary = "a sum divided by positions and never by the examples"
    wrong = """\
import torch.nn.functional as F


def distillation(student_logits, teacher_logits):
    n, c, h, w = student_logits.shape
    target = F.softmax(teacher_logits, dim=1)
    loss = -(target * F.log_softmax(student_logits, dim=1)).sum()
    return loss / h / w
"""
    right = """\
import torch.nn.functional as F


def distillation(student_logits, teacher_logits):
    n, c, h, w = student_logits.shape
    target = F.softmax(teacher_logits, dim=1)
    loss = -(target * F.log_softmax(student_logits, dim=1)).sum()
    return loss / n / h / w
"""

    def find(self, docket: Docket) -> Iterator[Miscount]:
        for account in docket.open():
            if (missing := _undivided(docket.ledger, account)) is not None:
                docket.settle(account)
                if not docket.choices.has(account):
                    yield missing

    def message(self, event: Miscount) -> str:
        words = counted_words(event.reduction) if event.reduction is not None else ""
        size = (
            f"{fraction(event.factor)} times the mean loss"
            if event.factor and "n_valid" not in event.factor
            else "it grows with the batch"
        )
        instead = "divide by the number of examples, too"
        if event.factor and "n_valid" in event.factor:
            size = f"{fraction(event.factor)} of the loss per valid position"
            instead = "divide by the sum of the mask"
        return f"the sum over all examples is divided by {words or 'positions'} alone: {size}; {instead}"


def _undivided(ledger: Ledger, reduction: Reduction) -> Miscount | None:
    """The event of a loss that is summed over everything, and divided by its positions but never by its examples."""
    counted = _counted(reduction)
    if not counted:
        return None
    layout = next((found for found in _layouts(reduction) if found.leaves_the_first(counted)), None)
    if layout is None:
        return None
    is_shown = layout.has_its_classes_between(counted) or layout.has_a_mask_of_lengths(counted)
    if not is_shown and not (
        layout.sums_the_masked_positions_first(counted) or _are_named(ledger, reduction)
    ):
        return None
    step = reduction.steps[-1]
    places = (
        *reduction.integrand.evidence,
        *(reduction.mask.places if reduction.mask is not None else ()),
        Place(step.node, "the positions divide here, the examples nowhere"),
    )
    factor = layout.factor(counted)
    shown = is_shown and reduction.integrand.proved and layout.is_known
    shown = shown and (reduction.mask is None or reduction.mask.shown)
    node = report_node(reduction, step)
    return Miscount(node, "missing batch division", places, shown, factor, reduction)


def _counted(reduction: Reduction) -> list[Axis]:
    """The axes whose lengths divide a sum over everything; none where anything else may make up for the batch."""
    integrand = reduction.integrand
    if (
        reduction.rest != "sum"
        or reduction.support != "summed"
        or integrand.symbol == "D"
        or integrand.assumed
    ):
        return []
    if reduction.spread is not None or reduction.mixed or integrand.mixed or integrand.square:
        return []
    if any(how == "mean" for _, how in reduction.units) or reduction.per_batch:
        return []
    if not reduction.is_plain:
        return []
    found: list[Axis] = []
    for atom, power in reduction.counts():
        if atom.role is not Role.COUNT or power != -1 or atom.axis is None or atom.shape is not None:
            return []
        found += atom.axis.root().parts or (atom.axis,)
    return found


def _layouts(reduction: Reduction) -> Iterator[_Layout]:
    """The axes of a loss as the code shows them: where it was made, and before these were moved or merged."""
    shape, library = reduction.integrand.shape, reduction.integrand.library
    if library:  # what it takes has its examples first, wherever they were before
        yield _Layout(reduction, shape)
    yield _Layout(reduction, shape.original)
    for axis in shape.shown:
        for merger in axis.mergers:
            if merger.merged_in is not None:
                yield _Layout(reduction, merger.merged_in.original)


class _Layout:
    """The axes of a loss in their order."""

    def __init__(self, reduction: Reduction, shape: Ends) -> None:
        integrand = reduction.integrand
        self._reduction = reduction
        # Of what was flattened the parts are as sure as the shape that it had.
        flattened = [whole for axis in shape.shown if (whole := axis.root().whole) is not None]
        self._shapes = (shape, integrand.shape, *flattened)
        self.is_known = shape.axes is not None and all(whole.axes is not None for whole in flattened)
        self._axes = list(_parts(shape.shown if shape.axes is None else shape.axes))
        self._support = integrand.support if integrand.symbol else None

    def leaves_the_first(self, counted: Sequence[Axis]) -> bool:
        """Is the first axis a unit that does not divide, and is each one that does another unit?"""
        if len(self._axes) < 2 or self._axes[0].size == 1 or self._is_support(self._axes[0]):
            return False
        if not all(any(axis.is_same(mine) for mine in self._units()[1:]) for axis in counted):
            return False
        if self._support is not None and any(
            shape.may_be_one(self._axes[0], self._support) for shape in self._shapes
        ):
            return False  # the classes may stand first: softmax(axis=-2) of (V, B)
        others = (self._axes[0], *((self._support,) if self._support is not None else ()))
        return not any(
            shape.may_be_one(axis, other) for shape in self._shapes for axis in counted for other in others
        )

    def has_its_classes_between(self, counted: Sequence[Axis]) -> bool:
        """(B, V, H, W): do the classes stand behind the first axis and before all that divide?"""
        place = next((i for i, axis in enumerate(self._axes) if self._is_support(axis)), 0)
        return place > 0 and all(
            any(axis.is_same(mine) for mine in self._axes[place + 1 :]) for axis in counted
        )

    def has_a_mask_of_lengths(self, counted: Sequence[Axis]) -> bool:
        """Is the loss masked by lengths, one for each example, and divided by what these are at most?"""
        mask = self._reduction.mask
        axes = mask.shape.axes if mask is not None and mask.of_lengths and mask.shape is not None else None
        return axes is not None and len(counted) == 1 and len(axes) == 2 and axes[1].is_same(counted[0])

    def sums_the_masked_positions_first(self, counted: Sequence[Axis]) -> bool:
        """Is a masked loss summed over its last axis by itself, whose length then divides the sum of these sums?"""
        reduction = self._reduction
        if reduction.mask is None or len(reduction.units) != 1 or len(counted) != 1:
            return False
        first = next((step for step in reduction.steps if step.how == "sum" and step.positions), None)
        return (
            first is not None
            and first.positions in ((-1,), (1,))
            and reduction.units[0][0].is_same(counted[0])
        )

    def factor(self, counted: Sequence[Axis]) -> dict[str, int] | None:
        """By what it is off, where every other unit divides it, as far as the code shows any.

        A masked loss that is summed is one of valid positions.
        """
        others = [axis for axis in self._units()[1:] if axis.size != 1]
        if self.is_known and not all(any(axis.is_same(mine) for mine in counted) for axis in others):
            return None
        summed = [axis for axis, how in self._reduction.units if how == "sum" and not self._is_support(axis)]
        if not all(any(axis.is_same(mine) for mine in (self._axes[0], *counted)) for axis in summed):
            return None  # and an axis that is summed by itself, of which nothing divides
        if self._reduction.mask is None:
            return {"B": 1}
        return {"n_valid": 1, "T": -1} if len(counted) == 1 else None

    def _units(self) -> list[Axis]:
        return [axis for axis in self._axes if not self._is_support(axis)]

    def _is_support(self, axis: Axis) -> bool:
        return self._support is not None and axis.is_same(self._support)


def _parts(axes: Sequence[Axis]) -> Iterator[Axis]:
    for axis in axes:
        yield from axis.root().parts or (axis,)


def _are_named(ledger: Ledger, reduction: Reduction) -> bool:
    """`b, t = x.shape`, and only `t` divides: is the divisor called a number of positions, and what is left a batch?"""
    names = [name for step in reduction.steps if step.how == "scale" for name in _divisors(step.node)]
    if not names or not all(POSITIONS.is_in(name.id) for name in names):
        return False
    return all(_is_beside_the_batch(ledger, name) for name in names)


def _divisors(node: ast.AST) -> Iterator[ast.Name]:
    """The names in what a division divides by."""
    by: ast.AST | None = None
    if isinstance(node, ast.BinOp):
        by = node.right
    elif isinstance(node, ast.AugAssign):
        by = node.value
    elif isinstance(node, ast.Call) and node.args:
        by = node.args[-1]
    for inner in ast.walk(by) if by is not None else ():
        if isinstance(inner, ast.Name):
            yield inner


def _is_beside_the_batch(ledger: Ledger, name: ast.Name) -> bool:
    """Was it unpacked from a shape behind a name for the number of examples, in the same function?"""
    function = _function_around(ledger, name)
    for target, value in ledger.origins.items():
        if not isinstance(target, ast.Name) or target.id != name.id:
            continue
        if _function_around(ledger, target) is not function:
            continue
        first = next(other for other, made in ledger.origins.items() if made is value)
        return isinstance(first, ast.Name) and first is not target and EXAMPLES.is_in(first.id)
    return False


def _function_around(ledger: Ledger, node: ast.expr) -> ast.AST | None:
    around = [
        f.node for f in ledger.defined if f.node.lineno <= node.lineno <= (f.node.end_lineno or node.lineno)
    ]
    return max(around, key=lambda function: function.lineno, default=None)
