from __future__ import annotations

import ast
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from batchmean.engine.domain.accounts import report_node
from batchmean.engine.domain.axes import Axis
from batchmean.engine.domain.counting import counts_masked
from batchmean.engine.domain.paths import Path, excludes
from batchmean.engine.domain.shapes import Shape
from batchmean.engine.domain.tensors import Place, Reduction, Step
from batchmean.engine.events import Miscount
from batchmean.engine.evidence.code import CHOICES
from batchmean.engine.evidence.comments import says_one_loss_each
from batchmean.engine.ledger import Ledger
from batchmean.engine.syntax import spelled_out
from batchmean.rules.base import MiscountRule
from batchmean.rules.docket import Docket

if TYPE_CHECKING:
    from batchmean.fixes.code import Edits
    from batchmean.fixes.idiom import Idiom


_MOST_WAYS: Final = 8
"""How many of them are compared with each."""


class MaskedMean(MiscountRule):
    """
    ## What it finds

    A loss that a validity mask makes zero at some positions (padding, `ignore_index`, lengths, `masked_fill`,
    `loss[~mask] = 0`) and whose divisor still counts these positions: `(loss * mask).mean()`, or its sum over
    `loss.numel()`.

    ## Why it matters

    The loss depends on how much padding a batch happens to hold: it is n_valid/N of the loss per valid position.
    A batch with one long and many short sequences counts for little, the scale moves with the batch size and the
    sampler, and two runs with different padding cannot be compared.

    A mask is known by where it comes from, `ids != pad_id` or `arange(T) < lengths`, or by its name, and then the
    finding is likely. Thresholds, dropout, sampling, importance weights and gates are no validity masks. A sum over
    each sequence, or one that is divided by a count from elsewhere, is not reported.

    ## When to suppress it

    Where every position is meant to count, the masked ones with a loss of zero; say so beside the `# noqa: BMN201`.
    """

    code = "BMN201"
    precedence = 90
    name = "masked-mean"
    law = "padding"
    first_contact = (70, 98)
    preview = True
    kind = "masked mean"
    summary = "a masked loss averaged over the masked positions too"
    wrong = """\
import torch.nn.functional as F


def frame_loss(prediction, target, attention_mask):
    loss = F.mse_loss(prediction, target, reduction="none")
    return (loss * attention_mask).mean()
"""
    right = """\
import torch.nn.functional as F


def frame_loss(prediction, target, attention_mask):
    loss = F.mse_loss(prediction, target, reduction="none")
    return (loss * attention_mask).sum() / attention_mask.sum().clamp(min=1)
"""

    def find(self, docket: Docket) -> Iterator[Miscount]:
        counted = [(account, counts_masked(account)) for account in docket.accounts]
        right = [account for account, counts in counted if counts is False and not account.is_reported]
        origins = {id(account.origin) for account in right}
        sums: dict[Hashable, list[Path]] = {}
        for account in right:
            sums.setdefault(_summed(account), []).append(account.steps[0].path)
        # Of a mask that is shown the finding about the classes tells, too, in its factor.
        beside = [a for a in docket.divided_by_support if a.mask is not None and not a.mask.shown]
        for account in (*docket.open(), *beside):
            if counts_masked(account) and not (
                id(account.origin) in origins or _has_another_way(account, sums)
            ):
                docket.settle(account)
                is_loss = not _is_only_compared(account) and not docket.is_beside_the_loss(account)
                if is_loss and not _is_another_kind(docket.ledger, account):
                    yield _masked_mean(account)

    def rewrites(self, idiom: Idiom, event: Miscount) -> Iterator[Edits]:
        """The sum is divided by the sum of the mask."""
        from batchmean.fixes.masked_mean import rewrites

        return rewrites(idiom.code, event)

    def message(self, event: Miscount) -> str:
        return (
            "the masked loss is averaged over the masked positions too: n_valid/N of the loss per valid position; "
            "use its sum divided by the sum of the mask"
        )


def _summed(reduction: Reduction) -> Hashable:
    """The same for the same values that are summed over the same axes first."""
    first = reduction.steps[0]
    return reduction.integrand.key, first.how, first.positions, first.whole


def _has_another_way(reduction: Reduction, sums: Mapping[Hashable, Sequence[Path]]) -> bool:
    """Is the same masked sum, made where this one is not, divided rightly there? An option says by what then."""
    first = reduction.steps[0]
    ways = sums.get(_summed(reduction), ())[:_MOST_WAYS] if first.how == "sum" else ()
    return any(excludes(first.path, way) for way in ways)


def _is_only_compared(reduction: Reduction) -> bool:
    """Is it a difference that is printed, of results that a name alone says are masked? Nobody trains on that."""
    is_plain = not reduction.integrand.library and not reduction.integrand.symbol
    return reduction.is_reported and is_plain and reduction.mask is not None and not reduction.mask.shown


def _is_another_kind(ledger: Ledger, reduction: Reduction) -> bool:
    """Is it made of what speaks of another kind of mask: of confident, hidden or dropped elements?"""
    if reduction.mask is None or reduction.mask.shown:
        return False
    places = [place.node for place in reduction.mask.places]
    of = [place.node for place in reduction.integrand.evidence]
    made = [ledger.origins[node] for node in places if node in ledger.origins]
    if any(map(CHOICES.is_in, map(spelled_out, made))):
        return True
    if not reduction.mask.is_bare:
        return False
    functions = list(_functions_given(ledger, places))
    texts = [*map(spelled_out, of), *(function.name for function in functions)]
    if any(map(CHOICES.is_in, texts)) and not _shows_positions(reduction):
        return True
    if any(says_one_loss_each(ast.get_docstring(function) or "") for function in functions):
        return True
    before = reduction.steps[: reduction.mask.after_steps]
    axes = reduction.integrand.shape.axes if not reduction.integrand.symbol and not before else None
    is_vector = axes is not None and len(axes) == 1 and not axes[0].root().parts
    # Of a loss per example: its mask chooses examples, and why is not shown.
    return is_vector or any(_leaves_examples(step) for step in before) or _may_have_no_positions(reduction)


def _functions_given(ledger: Ledger, nodes: Sequence[ast.AST]) -> Iterator[ast.FunctionDef]:
    """The functions whose parameters these are."""
    for node in (function.node for function in ledger.defined):
        if isinstance(node, ast.FunctionDef) and any(arg in nodes for arg in node.args.args):
            yield node


def _leaves_examples(step: Step) -> bool:
    """Did it run over all axes after the first one, as far as they are listed?"""
    return (
        bool(step.positions)
        and not step.library
        and step.positions == tuple(range(1, len(step.positions) + 1))
    )


def _may_have_no_positions(reduction: Reduction) -> bool:
    """Does a loss whose second axis is the classes show no axis beside the examples, and nothing flattened?"""
    integrand = reduction.integrand
    if not integrand.symbol or integrand.shape.position_of(integrand.support) != 1:
        return False
    return not _shows_positions(reduction)


def _shows_positions(reduction: Reduction) -> bool:
    """Is an axis beside the examples and the classes shown, or anything flattened?"""
    integrand = reduction.integrand
    mask = reduction.mask.shape if reduction.mask is not None else None
    shapes = [integrand.shape, *(step.shape for step in reduction.steps), mask]
    return any(shape is not None and _has_positions(shape, integrand.support) for shape in shapes)


def _has_positions(shape: Shape, support: Axis) -> bool:
    if shape.least_rank > 1 + any(axis.is_same(support) for axis in shape.shown):
        return True
    return any(axis.root().parts or axis.root().whole is not None for axis in shape.shown)


def _masked_mean(reduction: Reduction) -> Miscount:
    assert reduction.mask is not None
    after = reduction.steps[reduction.mask.after_steps :]
    step = next((s for s in after if s.how == "mean"), reduction.steps[-1])
    how = "this count holds" if step.how == "scale" else "this mean runs over"
    places = (
        *reduction.integrand.evidence,
        *reduction.mask.places,
        Place(step.node, f"{how} the masked positions"),
    )
    return Miscount(
        report_node(reduction, step),
        "masked mean",
        places,
        reduction.integrand.proved and reduction.mask.shown,
        {"n_valid": 1, "N": -1},
        reduction,
    )
