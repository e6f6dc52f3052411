"""The words of a message: by how much a loss is off, and what to write instead."""

from __future__ import annotations

from batchmean.engine.events import fraction
from batchmean.engine.machine.items import Total
from batchmean.rules.axes import ignores_its_mask, lacks_support, shows_axis, summing_step
from batchmean.rules.support import SupportEvent


def by_how_much(event: SupportEvent) -> str:
    """The factor in words: `1/V of the per-example loss`, or a number where the code shows it."""
    integrand = event.reduction.integrand
    monomial = dict(event.monomial or event.factor.monomial(integrand.symbol))
    size = integrand.support.size
    whole = "per-position" if _positions(event) else "per-example"
    if set(monomial) == {integrand.symbol} and monomial[integrand.symbol] == -1 and size:
        return f"{size} times too small"
    return f"{fraction(monomial)} of the {whole} loss"


def _positions(event: SupportEvent) -> bool:
    return len(event.reduction.integrand.shape.axes or ()) > 2


def _is_one_example(event: SupportEvent) -> bool:
    """Is the support the only axis? A row that was flattened holds the examples, too."""
    integrand = event.reduction.integrand
    only = integrand.shape.axis(0) if integrand.shape.rank == 1 else None
    return only is not None and only.is_same(integrand.support)


def use(event: SupportEvent) -> str:
    """What to do instead, as a command: `use .sum(axis=-1).mean()`, `leave out this division`."""
    step = summing_step(event.reduction, event.step)
    if ignores_its_mask(event.reduction, event.step):
        return "use its sum over everything, divided by the sum of the mask"
    if step is not None and step.how == "mean" and event.step.how == "scale":
        return "leave out this division"
    if step is not None and lacks_support(event.reduction, step):
        return 'use reduction="mean"' if step.library else "use .mean() instead of .sum() and this division"
    if step is not None and isinstance(step.node, Total):
        return "divide by the number of examples alone"
    if (step is not None and step.library) or event.step.library:
        if _is_one_example(event):
            return 'use reduction="sum" for one example of shape (V,)'
        return f'use reduction="batchmean" for (B, V), or "none" with {right_form(event)}'
    return f"use {right_form(event)}"


def right_form(event: SupportEvent) -> str:
    """What to write instead: a sum over the support's own axis, then a mean."""
    integrand = event.reduction.integrand
    position = integrand.shape.position_of(integrand.support)
    if _is_one_example(event) and not event.step.stack:
        return ".sum()"  # one example: there is nothing to average
    if position is None or not shows_axis(event.reduction):
        return f"a sum over {support_words(event)}, then .mean()"
    return f".sum({'dim' if event.spells_dim else 'axis'}={position}).mean()"


def support_words(event: SupportEvent) -> str:
    """`the class axis`, `the latent axis`, or the event axis of a distribution."""
    return event.reduction.integrand.support_name
