"""The rewrite of BMN304: a division that is thrown away is assigned."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from batchmean.engine.domain.tensors import Reduction
from batchmean.engine.events import Miscount
from batchmean.engine.factors import factor_of
from batchmean.fixes.blame import dividend
from batchmean.fixes.code import Code, Edits, Unfixable, before
from batchmean.rules.axes import counted_axes, shows_its_units


def rewrites(code: Code, event: Miscount) -> Iterator[Edits]:
    """`loss.div(n)` as `loss = loss.div(n)`."""
    division = event.node
    if event.reduction is not None and not _divides_by_the_examples(event.reduction):
        raise Unfixable("the divisor is not shown to be the number of examples")
    if event.reduction is not None and event.reduction.integrand.shape.is_moved:
        raise Unfixable("the axes were moved: which of them holds the examples is not shown")
    name = dividend(division)
    if not isinstance(name, ast.Name) or not isinstance(division, ast.expr):
        raise Unfixable("what is divided is no plain name: assign the quotient to the loss")
    scope = code.function(division) or code.tree
    names = code.names(scope)
    uses = names.loads_and_stores.get(name.id, [])
    if name.id in names.shared or not (
        name.id in names.parameters or any(isinstance(n.ctx, ast.Store) for n in uses)
    ):
        raise Unfixable("the loss is a variable of another function or module")
    here = (name.lineno, name.col_offset)
    if not any(isinstance(n.ctx, ast.Load) and (n.lineno, n.col_offset) > here for n in uses):
        raise Unfixable("nothing reads the loss after this line")
    yield (before(code.outer(division), f"{name.id} = "),)


def _divides_by_the_examples(quotient: Reduction) -> bool:
    """Is the quotient a mean, of all positions or of each example's sum, as far as the divisor is shown?"""
    factor, shape = factor_of(quotient), quotient.integrand.shape
    counted, first = counted_axes(quotient), shape.axis(0)
    if factor is None or not (factor.support or factor.units):  # a count that is not known to be of the loss
        whole = any(atom.shape is not None for atom, _ in quotient.counts())
        return not whole and all(shape.position_of(axis) in (0, None) for axis in counted)
    by_example = first is not None and len(counted) == 1 and counted[0].is_same(first)
    is_mean = not any(power for _, power in factor.units) and shows_its_units(quotient)
    return not factor.support and (by_example or is_mean)
