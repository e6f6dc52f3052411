"""What weighs a loss: numbers that have nothing to do with how many examples or positions there are."""

from __future__ import annotations

from batchmean.engine.domain.tensors import altered
from batchmean.engine.epochs.values import Figure, Unknown, Value
from batchmean.engine.evidence.names import is_coefficient_name


def weighed(figure: Value, by: Value) -> Figure | None:
    """A mean with a weight is one."""
    if isinstance(figure, Figure) and figure.how == "mean" and not figure.loops and is_coefficient(by):
        return altered(figure, shown=False, is_class_loss=False)
    return None


def is_coefficient(value: Value) -> bool:
    """Is it called what a weight is called?"""
    return isinstance(value, Unknown) and is_coefficient_name(value.name)
