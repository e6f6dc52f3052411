from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from batchmean.engine.domain.tensors import Place, Reduction, Tensor
from batchmean.engine.domain.values import Value
from batchmean.engine.events import Miscount
from batchmean.engine.evidence.names import is_loss_name
from batchmean.engine.factors import divided_by, factor_of
from batchmean.engine.recognise.pairs import PAIRS
from batchmean.engine.shown_only import ABOUT
from batchmean.engine.syntax import discarded_dividend
from batchmean.rules.base import MiscountRule
from batchmean.rules.docket import Docket

if TYPE_CHECKING:
    from batchmean.fixes.code import Edits
    from batchmean.fixes.idiom import Idiom


class DiscardedDivision(MiscountRule):
    """
    ## What it finds

    A division of a loss whose result is thrown away: `loss.div(n)` or `torch.div(loss, n)` as a statement. It leaves
    the loss as it was; `loss.div_(n)` and `loss = loss / n` change it.

    `loss.data /= n` before `loss.backward()` is one, too: it divides the number that is printed, and not what the
    gradient is taken of. Not reported where the gradients are named in the same function: they may be divided there.

    ## Why it matters

    The loss stays a sum: it grows with the batch, though the code reads as if it were averaged.

    ## When to suppress it

    Never, as far as we know: use the result, or leave the line out.
    """

    code = "BMN304"
    precedence = 140
    name = "discarded-division"
    law = "duplication"
    kind = "discarded division"
    summary = "a division of a loss whose result is thrown away"
    wrong = """\
import torch.nn.functional as F


def classification_loss(logits, labels):
    loss = F.cross_entropy(logits, labels, reduction="sum")
    loss.div(logits.size(0))
    return loss
"""
    right = """\
import torch.nn.functional as F


def classification_loss(logits, labels):
    loss = F.cross_entropy(logits, labels, reduction="sum")
    loss = loss.div(logits.size(0))
    return loss
"""

    def find(self, docket: Docket) -> Iterator[Miscount]:
        for node, value in docket.ledger.discarded:
            discarded = _discarded_division(node, value)
            if discarded is not None:
                yield discarded
        yield from docket.ledger.divided_for_show

    def rewrites(self, idiom: Idiom, event: Miscount) -> Iterator[Edits]:
        """The quotient is assigned."""
        from batchmean.fixes.code import Unfixable
        from batchmean.fixes.discarded_division import rewrites

        if event.about == ABOUT:
            raise Unfixable("it changes how the model trains: divide the loss itself, or leave the line out")
        return rewrites(idiom.code, event)

    def message(self, event: Miscount) -> str:
        if event.about == ABOUT:
            return (
                "this divides the number that is shown of the loss, and not its gradient, which is as large as before; "
                "divide the loss itself, `loss = loss / n`"
            )
        return (
            "the result of this division is thrown away, the loss stays a sum; assign it, or divide in place"
        )


def _discarded_division(node: ast.expr, value: Value) -> Miscount | None:
    """The event of an expression statement, if it divides a loss and is no more than that."""
    dividend = discarded_dividend(node)
    if dividend is None or not isinstance(value, Tensor):
        return None
    if value.reductions:
        reduction = value.reductions[0]
        if reduction.rest != "sum":
            return None  # a mean, or not a number yet: what was meant is not shown
        because = (
            *reduction.integrand.evidence,
            Place(node, "this division gives a new value, which nothing takes"),
        )
        is_shown = reduction.integrand.proved
        # Of pairs of examples there are more than is divided by.
        is_of_pairs = any(account.integrand.kind == PAIRS for account in value.reductions)
        factor = _undone(reduction) if not is_of_pairs else None
        return Miscount(node, "discarded division", because, is_shown, factor, reduction)
    names = (dividend.id,) if isinstance(dividend, ast.Name) else ()
    if not names or not is_loss_name(names) or not isinstance(node, ast.Call):
        return None
    because = (
        Place(dividend, f"`{names[0]}` is a loss by its name"),
        Place(node, "this division gives a new value, which nothing takes"),
    )
    return Miscount(node, "discarded division", because, False)


def _undone(reduction: Reduction) -> dict[str, int] | None:
    """What the loss is too large by without this division; None where the divisor is no count in sight."""
    if reduction.parent is None or factor_of(reduction.parent) is None or factor_of(reduction) is None:
        return None
    return divided_by(reduction) or None
