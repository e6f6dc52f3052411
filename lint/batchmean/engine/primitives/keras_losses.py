"""Keras's loss objects: a loss per position, and the mean over all of them, whatever `sample_weight` leaves out."""

from __future__ import annotations

import ast

from batchmean.engine.domain import algebra, masks
from batchmean.engine.domain.axes import ALL_AXES, AxesSpec
from batchmean.engine.domain.broadcasting import map_atoms
from batchmean.engine.domain.tensors import Tensor, altered, from_atom
from batchmean.engine.domain.values import BuiltinValue, Const, ModuleValue, Value
from batchmean.engine.primitives.losses import class_divergence, class_loss
from batchmean.engine.primitives.reducing import reduce
from batchmean.engine.primitives.registry import Call, literal, primitive

_REDUCTIONS = {"none": "none", "sum": "sum", "sum_over_batch_size": "mean", "auto": "mean", "mean": "mean"}


@primitive
def keras_loss(
    call: Call, reduction: Value | None = None, ignore_index: Value | None = None, axis: Value | None = None
) -> Value:
    """losses.SparseCategoricalCrossentropy(...): called with targets, predictions and the weights of the positions."""
    how = _reduction(call, reduction)
    if how is None or (ignore_index is not None and not _is_none(ignore_index)):
        # What is ignored is a mask of the predictions, and Keras counts by that itself.
        return BuiltinValue(call.name, lambda args, kwargs, node: call.context.opaque())

    def forward(args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        inner = altered(call, node=node)
        given = dict(zip(("y_true", "y_pred", "sample_weight"), args, strict=False)) | kwargs
        if "y_true" not in given or "y_pred" not in given:
            return call.context.opaque()
        weight = given.get("sample_weight", Const(None))

        def loss(target: Value, x: Value, weight: Value) -> Value:
            return _weighed(inner, _per_position(inner, target, x, axis), weight, how)

        return call.context.lift(loss, given["y_true"], given["y_pred"], weight)

    return BuiltinValue(call.name, forward)


def _reduction(call: Call, reduction: Value | None) -> str | None:
    if reduction is None:
        return "mean"
    name = literal(reduction)
    if isinstance(reduction, ModuleValue):  # losses.Reduction.NONE
        name = reduction.name.rpartition(".")[2].lower()
    if _is_none(reduction):
        name = "none"
    return _REDUCTIONS.get(name) if isinstance(name, str) else None


def _is_none(value: Value) -> bool:
    return isinstance(value, Const) and value.value is None


def _per_position(call: Call, target: Value, x: Value, axis: Value | None) -> Tensor:
    none = Const("none")
    at = axis if axis is not None else Const(-1)
    if call.operation.extra == "classes":
        return call.tensor(class_loss(call, x, target, reduction=none, axis=at))
    if call.operation.extra == "divergence":
        return call.tensor(class_divergence(call, x, target, axis=at, reduction=none))
    place = call.place(f"{call.name} is a mean over the last axis")
    shape = call.tensor(x).shape.without(AxesSpec.at(-1))
    return map_atoms(call.opaque(shape), lambda atom: altered(atom, kind="error", place=place))


def _weighed(call: Call, elements: Tensor, weight: Value, how: str) -> Tensor:
    mask = masks.mask_of(weight) if isinstance(weight, Tensor) else None
    if mask is not None:
        elements = algebra.multiply(elements, from_atom(mask, elements.shape))
    if how == "none" or elements.shape.is_scalar:
        return elements
    return reduce(call, elements, ALL_AXES, False, "sum" if how == "sum" else "mean")
