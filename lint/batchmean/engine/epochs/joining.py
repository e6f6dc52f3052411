"""One value for what is one of two: after a branch, or where a name is not shown which."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import Final

from batchmean.engine.domain.tensors import altered
from batchmean.engine.epochs.spelling import STEPS, last_name, paths_in
from batchmean.engine.epochs.values import (
    CALLEES,
    FORMS,
    Batch,
    Callee,
    Figure,
    Gradient,
    OneOf,
    Several,
    Unknown,
    Value,
    beside_others,
)
from batchmean.nodes import nodes

MOST_CALLEES: Final = 8
"""What may be one of more functions or criteria is unknown."""


def callees(value: Value) -> tuple[Callee, ...]:
    """What may be called here; nothing, where that is not known."""
    return value.items if isinstance(value, OneOf) else (value,) if isinstance(value, CALLEES) else ()


def one_of(found: Iterable[Callee]) -> OneOf | Callee | None:
    """What is one of these; None if they are too many."""
    different = tuple(dict.fromkeys(found))
    if len(different) == 1:
        return different[0]
    return OneOf(different) if 0 < len(different) <= MOST_CALLEES else None


def joined(a: Value | None, b: Value | None, unknown: Callable[[], Unknown]) -> Value:
    """One value for what is one of two."""
    if a is None or b is None:
        return a if a is not None else b if b is not None else unknown()
    if a is b or a == b:
        return a
    if isinstance(a, Figure) and isinstance(b, Figure):
        if a.loops and (a.ranks is None) != (b.ranks is None):
            # A total that ranks add up where there are several: what is wrong for one rank is wrong.
            one, other = (a, b) if a.ranks is None else (b, a)
            return one if altered(other, ranks=None) == one else unknown()
        same = (a.how, a.loops, a.loop, a.divided, a.ranks) == (b.how, b.loops, b.loop, b.divided, b.ranks)
        if same and a.scaled == b.scaled and a.event is b.event:
            return altered(
                a,
                shown=a.shown and b.shown,
                is_class_loss=a.is_class_loss and b.is_class_loss,
                per_token=a.per_token and b.per_token,
                is_valid_count=a.is_valid_count and b.is_valid_count,
                is_told=a.is_told or b.is_told,
                over_size=a.over_size or b.over_size,
                under=a.under | b.under,
            )
    if isinstance(a, Gradient) and isinstance(b, Gradient):
        # `grads = g if grads is None else tree_map(add, grads, g)`
        added, first = (a, b) if a.of.loops else (b, a)
        return added if altered(added.of, loops=first.of.loops) == first.of else unknown()
    if isinstance(a, Several) and isinstance(b, Several) and len(a.items) == len(b.items):
        return Several(tuple(joined(x, y, unknown) for x, y in zip(a.items, b.items, strict=True)))
    if callees(a) and callees(b):
        return one_of((*callees(a), *callees(b))) or unknown()
    if isinstance(a, Batch) and isinstance(b, Batch) and a.loop is b.loop:
        for form in FORMS:
            if form in (a.form, b.form):
                return Batch(a.loop, form, about=a.about if a.about == b.about else "")
        return a
    return unknown()


def on_one_way(test: ast.expr, a: Value | None, b: Value | None) -> tuple[Value | None, Value | None]:
    """A mean where the test holds, say, and where it does not what something unknown made of the same batch.

    Whatever that is, what is wrong for the mean is wrong on its way.
    """
    for one, other in ((a, b), (b, a)):
        mean = beside_others(one) if one is not None else None
        is_unknown = isinstance(other, Batch) and other.form == "made" and other.about in ("", "scaled")
        if mean is not None and is_unknown and mean.loop is getattr(other, "loop", None):
            kept = altered(mean, per_token=False, under=mean.under | paths_in(test))
            return kept, kept
    return a, b


def scaled_alike(test: ast.expr, a: Value | None, b: Value | None) -> tuple[Value | None, Value | None]:
    """`if steps > 1: loss = loss / steps`: a single step divides by 1, whether it is written or not."""
    if not isinstance(a, Figure) or not isinstance(b, Figure) or bool(a.scaled) == bool(b.scaled):
        return a, b
    names = (last_name(node) for node in nodes(test) if isinstance(node, ast.Name | ast.Attribute))
    if not any(map(STEPS.search, names)):
        return a, b
    scaled, plain = (a, b) if a.scaled else (b, a)
    both = altered(plain, scaled=scaled.scaled, event=scaled.event, places=scaled.places)
    return (a, both) if a.scaled else (both, b)
