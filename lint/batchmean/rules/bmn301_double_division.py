from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from batchmean.engine.domain.accounts import report_node
from batchmean.engine.domain.counting import over_everything
from batchmean.engine.domain.paths import Decision, excludes
from batchmean.engine.domain.shapes import Shape
from batchmean.engine.domain.tensors import Atom, Integrand, Place, Reduction, Role, Step, altered
from batchmean.engine.epochs.spelling import ITEMS, STEPS, divisor_name
from batchmean.engine.events import Miscount, fraction
from batchmean.engine.factors import (
    divides_a_mean_by_the_support,
    divides_by_its_own_length,
    factor_of,
    is_class_loss,
    is_right,
)
from batchmean.engine.syntax import divisor
from batchmean.rules.axes import counted_words
from batchmean.rules.base import MiscountRule
from batchmean.rules.docket import Docket, is_added_up

if TYPE_CHECKING:
    from batchmean.fixes.code import Edits
    from batchmean.fixes.idiom import Idiom

_CHUNK: Final = 32
"""A number from here on that multiplies a mean may be the length of a chunk; a smaller one is a weight."""


_BY_THE_FIRST_OF_ITS_LABELS: Final = ({"B": -1}, "the batch")
"""Of labels of which no more is known: they may be laid over the examples."""


class DoubleDivision(MiscountRule):
    """
    ## What it finds

    A loss that is a mean already, by a library's default or by `.mean()`, and is divided by the examples of the same
    batch once more: `F.cross_entropy(logits, labels) / logits.size(0)`.

    ## Why it matters

    The loss and its gradient shrink as the batch grows: at a batch size of 256 the loss is 256 times too small, and a
    learning rate that works for one batch size is wrong for every other.

    Only a count that the code shows to be that of the same examples is reported. Accumulation steps, numbers of
    terms, heads, crops and processes are other counts, and a criterion whose reduction is not shown may be a sum.

    ## When to suppress it

    Where the second division is meant; say so beside the `# noqa: BMN301`.
    """

    code = "BMN301"
    precedence = 100
    name = "double-division"
    law = "duplication"
    first_contact = (38, 49)
    preview = True
    kind = "double division"
    summary = "a mean-reduced loss divided by the batch again"
    wrong = """\
import torch.nn.functional as F


def classification_loss(logits, labels):
    loss = F.cross_entropy(logits, labels)
    return loss / logits.size(0)
"""
    right = """\
import torch.nn.functional as F


def classification_loss(logits, labels):
    return F.cross_entropy(logits, labels)
"""

    def find(self, docket: Docket) -> Iterator[Miscount]:
        for account in docket.open():
            if (again := _divided_again(account)) is not None:
                docket.settle(account)
                if not (
                    _divides_a_sum(again, docket.accounts)
                    or _is_by_steps(again)
                    or _is_of_many(again, docket)
                ):
                    yield _as_the_option_says(again, docket.accounts)

    def rewrites(self, idiom: Idiom, event: Miscount) -> Iterator[Edits]:
        """The second division is taken away."""
        from batchmean.fixes.second_division import rewrites

        return rewrites(idiom.code, event)

    def message(self, event: Miscount) -> str:
        count = event.about
        if event.reduction is not None:
            _, left = over_everything(event.reduction)
            known = [(atom, power) for atom, power in left if atom.role is Role.COUNT] or [
                (atom, power) for atom, power in left if atom.role is not Role.OPAQUE
            ]
            count = counted_words(event.reduction, known or left) or count
        again = " again" if count in ("the batch", "the number of valid positions") else ", too"
        size = fraction(event.factor) if event.factor else "a part"
        return (
            f"a loss that is a mean already is divided by {count}{again}: {size} of the mean loss; "
            "leave out the second division"
        )


def _divided_again(reduction: Reduction) -> Miscount | None:
    """A mean that is divided by the examples, or by the valid positions, once more."""
    if reduction.spread is not None:
        return None  # a number that was laid over a mask is an array again, of which the sum may be right
    if reduction.weighs and reduction.support == "unsure":
        return None  # a number times the sum of weights, which may be divided by their number
    if not reduction.integrand.symbol and reduction.support == "unsure":
        return None  # withdrawn: its root was taken, say
    if reduction.integrand.symbol == "D":
        return None  # a latent KL over the number of nodes again is how graph autoencoders are weighted
    if reduction.coefficient is not None and abs(reduction.coefficient) >= _CHUNK:
        return None  # it makes a sum of the mean: `loss * 2048`
    divided = _second_division(reduction)
    if divided is None:
        return None
    scale = divided.steps[-1]
    average = _first_average(reduction, scale)
    if average is None or excludes(average.path, scale.path) or is_added_up(divided, average, scale):
        return None
    account = reduction
    again = _counted_again(account)
    if again is None and _is_only_divided_after(divided, reduction):
        account, again = divided, _counted_again(divided)  # by the number of batches, say
    if again is None:
        return None
    powers, about = again
    places = (
        *reduction.integrand.evidence,
        Place(average.node, "this is a mean already"),
        Place(scale.node, f"it is divided by {about} again"),
    )
    node = report_node(reduction, scale)
    factor = factor_of(account)
    assumed = factor is not None and factor.assumes_rank
    shown = reduction.integrand.proved and (bool(powers) or factor is None or factor.is_twice) and not assumed
    shown = shown and again is not _BY_THE_FIRST_OF_ITS_LABELS
    shown = shown and not (
        (_is_divided_by_the_inputs(account) and _counted_by_its_own_axes(account) is None)
        or _is_divided_by_its_labels(account)
    )
    return Miscount(node, "double division", places, shown, powers or None, reduction, about)


def _divides_a_sum(again: Miscount, final: Sequence[Reduction]) -> bool:
    """Is the same division that of another loss, a sum, on another way, which it is meant for?"""
    mine = again.reduction
    return mine is not None and any(
        r.steps[-1].node is again.node and _counted_again(r) is None
        for r in final
        if r.steps
        and _is_another_functions(r.integrand, mine.integrand)
        and any(excludes(s.path, t.path) for s, t in zip(r.steps, mine.steps, strict=False))
    )


def _as_the_option_says(again: Miscount, final: Sequence[Reduction]) -> Miscount:
    """No more than likely, where an option whose value is not shown makes the same loss a sum, rightly divided here."""
    mine = again.reduction
    divided = _second_division(mine) if again.is_shown and mine is not None else None
    if mine is None or divided is None:
        return again
    average = _first_average(mine, divided.steps[-1])
    chosen = [d for d in average.path if not _is_usual(d)] if average is not None else []
    is_open = chosen and any(
        r.steps[-1].node is divided.steps[-1].node
        and r.integrand.key == mine.integrand.key
        and r.rest == "sum"
        and is_right(r)
        and any(excludes((d,), step.path) for d in chosen for step in r.steps)
        for r in final
        if r.steps
    )
    return altered(again, is_shown=False) if is_open else again


def _is_usual(decision: Decision) -> bool:
    """Is it what a default decides, if nobody says anything?"""
    default = decision.default
    return default is not None and not decision.excludes(Decision(decision.subject, default, True))


def _is_another_functions(one: Integrand, other: Integrand) -> bool:
    """Are they made in two functions that are called, one or the other?"""
    if not (one.stack and other.stack and one.evidence and other.evidence):
        return False
    return one.key != other.key and one.evidence[0].node is not other.evidence[0].node


def _is_divided_by_the_inputs(reduction: Reduction) -> bool:
    """Is a library's mean divided by the number of examples that the model was given?"""
    return _is_divided_by_a_first_axis(reduction, reduction.integrand.inputs)


def _is_divided_by_a_first_axis(reduction: Reduction, shapes: Iterable[Shape]) -> bool:
    counts = _counts_beside_a_mean(reduction)
    if counts is None or len(counts) != 1 or reduction.coefficient is None:
        return False
    atom, power = counts[0]
    axis = atom.axis if atom.role is Role.COUNT and power == -1 else None
    firsts = [first for shape in shapes if (first := shape.axis(0)) is not None]
    return axis is not None and any(axis.is_same(first) for first in firsts)


def _counts_beside_a_mean(reduction: Reduction) -> list[tuple[Atom, int]] | None:
    """What divides a mean, a sum over everything and over its examples among these; None where it is none."""
    if _is_a_mean_alone(reduction):
        return list(reduction.counts())
    sums = (step for step in reduction.steps if step.how == "sum" and not step.library)
    own = [step for step in sums if not step.sums_support]
    if reduction.rest != "sum" or len(own) != 1 or not own[0].whole or own[0].shape is None:
        return None
    how, counts = over_everything(reduction)
    if how == "mean":
        return counts
    first = own[0].shape.axis(0)
    over = [c for c in counts if c[1] == -1 and first is not None and c[0].axis and c[0].axis.is_same(first)]
    return [c for c in counts if c is not over[0]] if over else None


def _is_a_mean_alone(reduction: Reduction) -> bool:
    """Is it a mean, and of no sum: that may be one over the examples, whatever the mean is taken of then?"""
    return reduction.rest == "mean" and all(
        step.how != "sum" or step.library or step.sums_support or min(step.positions, default=0) > 0
        for step in reduction.steps
    )


def _is_divided_by_its_labels(reduction: Reduction) -> bool:
    """Is a library's mean divided by the number of elements of its labels?"""
    labels, counts = reduction.integrand.labels, list(reduction.counts())
    if labels is None or not _is_a_mean_alone(reduction) or len(counts) != 1 or labels.is_scalar:
        return False
    atom, power = counts[0]
    if atom.role is not Role.COUNT or atom.shape is None:
        return False
    return power == -1 and (atom.shape.is_flat(labels) or labels.is_flat(atom.shape))


def _counts_the_flattened_examples(reduction: Reduction) -> bool:
    """Is what divides the first of the axes that were merged into one?"""
    counts, first = list(reduction.counts()), reduction.integrand.shape.axis(0)
    parts = first.root().parts if first is not None else ()
    axis = counts[0][0].axis if len(counts) == 1 else None
    return axis is not None and bool(parts) and parts[0].is_same(axis)


def _beside_the_valid(reduction: Reduction) -> tuple[Mapping[str, int], str] | None:
    """What divides a sum over the valid positions of all examples, beside their number."""
    counts = list(reduction.counts())
    valid = next((atom for atom, power in counts if atom.role is Role.VALID and power == -1), None)
    others = [(atom, power) for atom, power in counts if atom is not valid]
    mask = reduction.mask
    if mask is None or not mask.shown or valid is None or valid.source != mask.key:
        return None  # what is only named a mask may be one for all examples
    if valid.shape is None or reduction.rest != "sum" or len(others) != 1:
        return None
    atom, power = others[0]
    if atom.role is not Role.COUNT or power != -1 or reduction.support not in ("summed", "averaged"):
        return None
    if atom.axis is not None and valid.shape.has(atom.axis) is True:
        first = valid.shape.axis(0)
        is_batch = first is not None and first.is_same(atom.axis)
        return ({"B": -1}, "the batch") if is_batch else ({}, "the length of one of its own axes")
    is_whole = atom.shape is not None and (atom.shape.is_flat(valid.shape) or valid.shape.is_flat(atom.shape))
    return ({}, "the number of all positions") if is_whole else None


def _is_only_divided_after(account: Reduction, later: Reduction) -> bool:
    """Is nothing in the later account that could make up for a division too many in the earlier one?"""
    before = dict(account.scale)
    grown = [power > before.get(atom, 0) for atom, power in later.scale]
    return not any(grown) and before.keys() <= dict(later.scale).keys()


def _second_division(reduction: Reduction) -> Reduction | None:
    """The account just after the first division that is one too many."""
    found: Reduction | None = None
    for account in reduction.line():
        is_reduced = account.rest is not None or reduction.rest is None
        is_scaled = bool(account.steps) and account.steps[-1].how == "scale"
        if is_reduced and is_scaled and _counted_again(account) is not None:
            found = account
    return found


def _first_average(reduction: Reduction, scale: Step) -> Step | None:
    """The step that made a mean, before the last division."""
    if reduction.rest == "mean":
        return next((s for s in reduction.steps if s.how == "mean" and s.whole), None)
    # A library's batchmean, or a sum that was divided before, or of what was divided before.
    at = next((i for i, s in enumerate(reduction.steps) if s is scale), 0)
    before = next((s for s in reduction.steps[:at] if s.library or _divides(reduction, s)), None)
    if before is None and reduction.origin.scale:
        return next((s for s in reduction.steps if s.how == "sum" and s.whole), None)
    return before


def _divides(reduction: Reduction, step: Step) -> bool:
    """Is it a division, and no product with weights?"""
    if step.how != "scale":
        return False
    after = next(
        (account for account in reduction.line() if account.steps and account.steps[-1] is step), None
    )
    return after is None or after.coefficient != 1.0 or any(power < 0 for _, power in after.scale)


def _counted_again(reduction: Reduction) -> tuple[Mapping[str, int], str] | None:
    """What a mean was divided by, as powers where these are known, and in words."""
    labels = reduction.integrand.labels
    is_of_labels = labels is not None and _is_divided_by_a_first_axis(reduction, [labels])
    return _counted_as_shown(reduction) or (_BY_THE_FIRST_OF_ITS_LABELS if is_of_labels else None)


def _counted_as_shown(reduction: Reduction) -> tuple[Mapping[str, int], str] | None:
    if _is_divided_by_the_inputs(reduction):
        return {"B": -1}, "the batch"
    if _is_divided_by_its_labels(reduction):
        return {"B": -1}, "the number of its labels"
    return _counted_by_its_own_axes(reduction)


def _counted_by_its_own_axes(reduction: Reduction) -> tuple[Mapping[str, int], str] | None:
    if (beside := _beside_the_valid(reduction)) is not None:
        return beside
    factor = factor_of(reduction)
    if factor is None:
        is_one_number = is_class_loss(reduction) or not reduction.integrand.symbol
        again = is_one_number and divides_by_its_own_length(reduction)
        return ({}, "the length of one of its own axes") if again else None
    counts = list(reduction.counts())
    if divides_a_mean_by_the_support(reduction, factor):
        if not reduction.integrand.assumed and is_class_loss(reduction):
            return {"V": -1}, "the class count"
    if factor.support:
        return None
    powers = {name: power for name, power in factor.units if power < 0}
    if powers:
        return powers, "the batch"
    if factor.is_twice and _counts_the_flattened_examples(reduction):
        return {"B": -1}, "the batch"
    if factor.is_twice:
        return {}, "the length of one of its own axes"
    if reduction.rest != "mean":
        return None
    if not counts or not (
        all(power < 0 for _, power in counts) or divisor(reduction.steps[-1].node) is not None
    ):
        return None
    known = [atom for atom, _ in counts if atom.role is not Role.OPAQUE]  # steps of an accumulation, say
    if (
        len(known) == 1
        and known[0].role is Role.VALID
        and all(power < 0 for _, power in counts)
        and not any(how == "sum" for _, how in reduction.units)
    ):
        return {"n_valid": -1}, "the number of valid positions"
    if any(s.of_scalar and s.how == "sum" for s in reduction.steps):
        return {}, "a count"  # the sum of this one number shows that it was taken for a sum
    return None


def _is_by_steps(again: Miscount) -> bool:
    """Is it divided by a number of steps, or of the items of several batches, whose gradients are added up?"""
    name = divisor_name(again.node)
    return STEPS.search(name) is not None or name == ITEMS


def _is_of_many(again: Miscount, docket: Docket) -> bool:
    """Does it divide a total over many batches, not one batch again?"""
    return any(total.node is again.node for total in docket.ledger.totals)
