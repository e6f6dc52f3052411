"""The rewrites of BMN101 to BMN105 and BMN302, smallest edit first: `proof` decides which one holds.

A mean over everything gets a sum over the support in front of it, a mean over the support alone becomes the sum; of
a sum divided by a count, the count loses the support, or both become a sum over the support and a mean.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from batchmean.fixes.code import Edits, Unfixable, after
from batchmean.fixes.divisions import Divisions
from batchmean.fixes.functions import MEANS
from batchmean.fixes.idiom import Idiom
from batchmean.fixes.means import Means
from batchmean.fixes.names import last_name
from batchmean.functions import told
from batchmean.rules.axes import ignores_its_mask
from batchmean.rules.support import SupportEvent


def rewrites(idiom: Idiom, event: SupportEvent) -> Iterator[Edits]:
    """Edits that may put the event right, the best first. Raises `Unfixable` where nothing can be proposed."""
    code = idiom.code
    plan = _Plan(code, idiom, event)
    node = event.step.node
    if ignores_its_mask(event.reduction, event.step):
        raise Unfixable("the divisor has to be the sum of the mask, and which axes that has is not shown")
    in_place = isinstance(node, ast.Call) and last_name(node.func).endswith("_")
    if event.step.how == "scale" and isinstance(code.parent(node), ast.Expr) and not in_place:
        raise Unfixable("the result of the division is thrown away")
    if event.node is not node or (event.step.how == "mean" and _is_helper(node, event)):
        yield from plan.of_argument()
    elif event.step.library:
        yield from plan.of_library_loss()
    elif isinstance(node, ast.Call) and last_name(node.func) in MEANS:
        yield from plan.of_mean(node)
    else:
        yield from plan.of_division()


class _Plan(Means, Divisions):
    """Edits of a mean, of a division, and of a library's own mean."""

    def of_library_loss(self) -> Iterator[Edits]:
        """`F.kl_div(p, q)`, `nn.KLDivLoss()(p, q)`, and a criterion that is made for this one call."""
        self._require_shown_axis()
        call = self._event.step.node
        if not isinstance(call, ast.Call):
            raise Unfixable("the loss is not called here")
        maker = self._maker(call)
        own = told().by_name.get(self._code.full_name(maker.func) or "")
        if own is not None and not own.takes("reduction"):
            raise Unfixable("what is told of the function names no reduction")
        if len(maker.args) > (2 if maker is call else 0) or any(
            k.arg in (None, "size_average", "reduce") for k in maker.keywords
        ):
            raise Unfixable("its reduction is given in the old way")
        was = "batchmean" if self._event.step.per_batch else "mean"
        if self._rank == 1:
            yield (self._reduction(maker, "sum", was),)
            return
        if self._rank == 2 and self._position in (1, -1) and was == "mean":
            yield (self._reduction(maker, "batchmean", was),)
        ending = after(self._code.inner(call), f".sum({self._axis()}).mean()")
        yield (self._reduction(maker, "none", was), ending)


def _is_helper(node: ast.AST, event: SupportEvent) -> bool:
    return isinstance(node, ast.Call) and not event.step.library and last_name(node.func) not in MEANS
