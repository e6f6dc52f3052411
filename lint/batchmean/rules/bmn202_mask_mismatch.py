from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from batchmean.engine.domain.accounts import Choices, may_count, report_node
from batchmean.engine.domain.counting import over_everything
from batchmean.engine.domain.masks import EVERYTHING, are_opposite, is_shown, meaning
from batchmean.engine.domain.tensors import Atom, Factors, Labels, Mask, Place, Reduction, Role, Step
from batchmean.engine.events import Miscount, fraction
from batchmean.engine.evidence.code import IGNORED_LABELS
from batchmean.engine.ledger import Ledger
from batchmean.engine.syntax import spelled_out
from batchmean.engine.uses import is_only_counted
from batchmean.rules.base import MiscountRule
from batchmean.rules.docket import Docket


class MaskMismatch(MiscountRule):
    """
    ## What it finds

    A loss divided by the sum of a mask that counts other positions than the loss is summed over:

    - the dropped are counted instead of the kept: `loss.masked_fill(pad, 0).sum() / pad.sum()`, also in each sequence
      by itself;
    - everything is summed and only the valid positions are counted: `loss.sum() / mask.sum()`;
    - the mask was expanded over the classes before it was summed, so every position is counted V times, or it says
      which classes an example has, so the classes are counted and not the examples;
    - the loss is one number already: `(F.cross_entropy(x, y) * mask).sum() / mask.sum()` is the mean over all
      positions, and the mask does nothing.

    ## Why it matters

    The loss looks masked and is not: padding is trained on, or the loss moves with the amount of padding in a batch.
    The last form is the usual one: a library loss takes its mean by default, and `reduction="none"` was forgotten.

    A mask is known by where it comes from, `ids != pad_id` or `arange(T) < lengths`, or by its name, and then the
    finding is likely.

    ## When to suppress it

    A sum over everything is right over `mask.sum()` where what is not valid gives no loss already: the prediction and
    the target were zeroed by the caller, or the labels hold what the library ignores. If the function uses the mask
    for anything else than its sum, nothing is said; otherwise say so beside the `# noqa: BMN202`. A latent KL over the
    number of tokens, two masks of two kinds (the tokens of an answer over those of the batch), class weights and
    masks that choose examples are not reported.
    """

    code = "BMN202"
    precedence = 80
    name = "mask-mismatch"
    law = "padding"
    first_contact = (7, 16)
    preview = True
    kind = "mask mismatch"
    no_fix = "the code does not show which positions are meant: sum and count the same ones"
    summary = "a masked loss whose divisor counts other positions than its sum"
    wrong = """\
import torch.nn.functional as F


def frame_loss(prediction, target, attention_mask):
    loss = F.mse_loss(prediction, target)
    return (loss * attention_mask).sum() / attention_mask.sum()
"""
    right = """\
import torch.nn.functional as F


def frame_loss(prediction, target, attention_mask):
    loss = F.mse_loss(prediction, target, reduction="none")
    return (loss * attention_mask).sum() / attention_mask.sum()
"""

    def find(self, docket: Docket) -> Iterator[Miscount]:
        for account in docket.open():
            if (mismatch := _mismatched(docket.ledger, account, docket.choices)) is not None:
                docket.settle(account)
                yield mismatch

    def message(self, event: Miscount) -> str:
        if event.about == "dropped":
            return (
                "the positions that the mask drops are counted, not those that are summed; "
                "divide by the sum of the mask that was laid on the loss"
            )
        if event.about == "all":
            return (
                "the sum is over all positions, the divisor counts the valid ones only; "
                "multiply the loss by the mask before it is summed"
            )
        if event.about == "classes":
            return _counts_classes(event)
        so = "does nothing" if event.about == "number" else "only scales it"
        return (
            f"this loss is one number already, so the mask {so}; "
            'take it with reduction="none", or mask it before its mean'
        )


def _counts_classes(event: Miscount) -> str:
    factor = event.factor or {}
    support = event.reduction.integrand.support_name if event.reduction is not None else "the class axis"
    if "n_valid" in factor or not factor:
        how = f": {fraction(factor)} of the per-example loss" if factor else ""
        return (
            f"the mask lies over {support}, so its sum counts the classes of each example{how}; "
            "divide by the number of examples"
        )
    return (
        f"the sum of the mask counts {support} too: {fraction(factor)} of the loss per valid position; "
        "divide by the sum of the mask before it is broadcast"
    )


def _mismatched(ledger: Ledger, reduction: Reduction, choices: Choices) -> Miscount | None:
    """The event of an account whose divisor is the sum of a mask, and of other positions than its sum is over."""
    if reduction.spread is not None:
        if choices.has(reduction, lambda other: not _is_masked_as_a_number(other, reduction.steps[-1])):
            return None
        return _on_a_number(reduction, reduction.spread)
    rest, counts = over_everything(reduction)
    is_by_rows = rest == "mean" and bool(reduction.units)
    valid = _divisor(counts if is_by_rows else reduction.counts())
    if valid is None or any(how == "mean" for _, how in reduction.units):
        return None
    if is_by_rows and reduction.mask is not None and are_opposite(reduction.mask.key, valid.source):
        return _dropped(reduction, reduction.mask, valid)
    if reduction.rest != "sum":
        return None
    if reduction.mask is None:
        if choices.has(reduction) or choices.lays_a_mask(reduction):
            return None
        return _all_over_valid(ledger, reduction, valid)
    if are_opposite(reduction.mask.key, valid.source):
        return _dropped(reduction, reduction.mask, valid)
    return _classes(reduction, reduction.mask, valid)


def _is_masked_as_a_number(reduction: Reduction, last: Step) -> bool:
    """Does another way lead past this step, too, with one number that is masked, were it a sum or a mean before?"""
    return reduction.steps[-1].node is not last.node or (
        reduction.spread is not None and reduction.spread.on_number
    )


def _divisor(counts: Iterable[tuple[Atom, int]], before: Factors = ()) -> Atom | None:
    """The sum of a mask, where that is the only count in sight, but for those that were there `before`."""
    valid: Atom | None = None
    for atom, power in counts:
        if (atom, float(power)) in before:
            continue
        if atom.role is Role.VALID and power == -1 and valid is None:
            valid = atom
        elif may_count(atom, power):
            return None
    return valid


def _dropped(reduction: Reduction, mask: Mask, valid: Atom) -> Miscount:
    """What one mask lets through is summed, what it drops is counted."""
    text = "this counts the positions that were dropped"
    return _miscount("dropped", reduction, valid, text, mask.places, mask.shown and _says(valid))


def _all_over_valid(ledger: Ledger, reduction: Reduction, valid: Atom) -> Miscount | None:
    """Everything is summed, the positions of a mask counted, and nothing in sight lays that mask on anything."""
    mask = valid.argument.single() if valid.argument is not None else None
    if mask is None or reduction.mixed or reduction.integrand.symbol == "D":
        return None  # a divergence per sequence is told per token, too
    if not is_only_counted(ledger, mask):
        return None
    integrand = reduction.integrand
    if integrand.ignores is not None and _may_be_left_out(integrand.ignores, mask):
        return None  # the library leaves these labels out itself
    text = "this counts the positions of a mask, the sum is over all"
    # Of an error whose two sides are zero there, or of a target that is, the sum is right.
    is_certain = _says(valid) and bool(integrand.library and integrand.symbol) and integrand.ignores is None
    return _miscount("all", reduction, valid, text, (), is_certain)


def _may_be_left_out(ignored: Labels, mask: Atom) -> bool:
    """Could the labels that a mask drops be those that a library leaves out?

    Values decide. Of a number that nothing shows, its name may say that it is that of the padding, and not what the
    library calls ignored: then it is another than the -100 of the library.
    """
    dropped = mask.drops
    if dropped is None:
        return mask.place is not None and IGNORED_LABELS.is_in(spelled_out(mask.place.node))
    if dropped.below:
        return ignored.number is None or ignored.number < 0
    if dropped.number is not None and ignored.number is not None:
        return dropped.number == ignored.number
    if ignored.number is None:
        return True
    return mask.place is not None and IGNORED_LABELS.is_in(spelled_out(mask.place.node))


def _classes(reduction: Reduction, mask: Mask, valid: Atom) -> Miscount | None:
    """The sum of a mask that has the support axis counts every position once for each class."""
    integrand, shape, own = reduction.integrand, valid.shape, mask.shape
    if not integrand.symbol or integrand.assumed or reduction.support != "summed" or reduction.units:
        return None
    if any(step.library for step in reduction.steps):
        return None  # a library's loss, whose classes are gone before any mask
    if shape is None or shape.has(integrand.support) is not True:
        return None
    counted = valid.argument.single() if valid.argument is not None else None
    factor: Mapping[str, int] | None = {integrand.symbol: -1}
    if own is not None and own.is_same(shape) and not (counted is not None and counted.kind == EVERYTHING):
        # It says which classes an example has, if it was not made as wide as they are elsewhere.
        if not mask.shown or shape.rank is None:
            return None
        factor = {"B": 1, "n_valid": -1} if shape.rank == 2 else None
    text = f"this sum of the mask counts {integrand.support_name} too"
    return _miscount("classes", reduction, valid, text, mask.places, mask.shown, factor)


def _on_a_number(reduction: Reduction, mask: Mask) -> Miscount | None:
    """A mean, or a sum, that is masked when it is one number already: the mask cancels against its own sum."""
    first = next((s for s in reduction.steps[: mask.after_steps] if s.whole), None)
    after = [s for s in reduction.steps[mask.after_steps :] if s.how != "scale"]
    if reduction.integrand.library and not reduction.integrand.proved:
        return None  # a caller may ask for no reduction
    if first is None or not mask.on_number or not after or not after[-1].whole:
        return None
    hows = {step.how for step in after}
    valid = _divisor(reduction.counts(), mask.scale)
    cancels = hows == {"sum"} and valid is not None and valid.source == mask.key
    is_share = hows == {"mean"} and reduction.scale == mask.scale
    if not (cancels or is_share):
        return None
    places = (
        *reduction.integrand.evidence,
        Place(first.node, "this is one number"),
        *mask.places,
        Place(reduction.steps[-1].node, "the mask has nothing to leave out of it"),
    )
    shown = reduction.integrand.proved and mask.shown
    node = report_node(reduction, reduction.steps[-1])
    return Miscount(node, "mask mismatch", places, shown, None, reduction, "number" if cancels else "share")


def _miscount(
    which: str,
    reduction: Reduction,
    valid: Atom,
    text: str,
    places: tuple[Place, ...],
    shown: bool,
    factor: Mapping[str, int] | None = None,
) -> Miscount:
    step = _step_that_divides(reduction, valid)
    counted = meaning(valid.argument.atoms()[0]) if not places and valid.argument is not None else None
    because = (
        *reduction.integrand.evidence,
        *(places or ((counted,) if counted is not None else ())),
        Place(step.node, text),
    )
    shown = shown and reduction.integrand.proved
    return Miscount(report_node(reduction, step), "mask mismatch", because, shown, factor, reduction, which)


def _says(valid: Atom) -> bool:
    """Does the code show that what is counted is a validity mask?"""
    mask = valid.argument.single() if valid.argument is not None else None
    return mask is not None and is_shown(mask)


def _step_that_divides(reduction: Reduction, count: Atom) -> Step:
    """The step that brought a count into the divisor, or the first reduction of what was divided by it before."""
    step = reduction.steps[-1]
    for account in reduction.line():
        if not account.steps or not any(atom == count for atom, _ in account.scale):
            break
        step = account.steps[-1]
    return step
