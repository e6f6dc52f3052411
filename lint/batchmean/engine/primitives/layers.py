"""Layers of a model, as far as they say something of its outputs: how many there are, a softmax at the end."""

from __future__ import annotations

import ast

from batchmean.engine.domain.axes import AxesSpec, Axis
from batchmean.engine.domain.shapes import Shape
from batchmean.engine.domain.tensors import altered
from batchmean.engine.domain.values import BuiltinValue, TupleValue, Value
from batchmean.engine.primitives.layout import axis_of_length
from batchmean.engine.primitives.registry import PRIMITIVES, Call, primitive


@primitive
def dense(call: Call, x: Value, units: Value | None = None) -> Value:
    """A linear layer: something new whose last axis has `units` elements."""
    shape = call.tensor(x).shape.without(AxesSpec.at(-1))
    axis = axis_of_length(call, units) if units is not None else Axis()
    return call.context.opaque(shape=shape.with_axis(-1, axis))


@primitive
def dense_layer(call: Call, units: Value | None = None) -> Value:
    """nn.Linear(in, out), Dense(units): the layer as an object."""

    def forward(args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        if not args:
            return call.context.opaque()
        return call.context.lift(lambda x: dense(call, x, units), args[0])

    return BuiltinValue("dense", forward)


@primitive
def rows_layer(call: Call, keepdims: Value | None = None) -> Value:
    """Flatten(), GlobalAveragePooling2D(): whatever an example was, it is one row of features."""

    def forward(args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        if not args or keepdims is not None:
            return call.context.opaque()
        return call.context.lift(rows, args[0])

    def rows(x: Value) -> Value:
        examples = call.tensor(x).shape.axis(0) or Axis()
        return call.context.opaque(shape=Shape.of([examples, Axis()]))

    return BuiltinValue("rows", forward)


@primitive
def layer(call: Call, axis: Value | None = None) -> Value:
    """nn.Softmax(dim), nn.LogSoftmax(dim), nn.Sigmoid(): a layer that is one elementwise function."""
    inner_name = call.operation.extra

    def forward(args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        inner = altered(call, node=node)
        if not args:
            return call.context.opaque()
        if inner_name in ("softmax", "log_softmax"):
            return call.context.lift(lambda x: PRIMITIVES[inner_name](inner, x, axis), args[0])
        return call.context.lift(lambda x: PRIMITIVES[inner_name](inner, x), args[0])

    return BuiltinValue(inner_name, forward)


@primitive
def sequential(call: Call, *layers: Value) -> Value:
    """nn.Sequential(...): what the last layer makes of something unknown."""
    if len(layers) == 1 and isinstance(layers[0], TupleValue):
        layers = layers[0].items

    def forward(args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        value: Value = args[0] if args else call.context.opaque()
        for item in layers:
            value = call.context.call(item, [value], {}, node)
        return value

    return BuiltinValue("sequential", forward)
