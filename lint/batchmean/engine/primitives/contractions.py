"""einsum, dot, vdot, inner, matmul: a product and a sum in one."""

from __future__ import annotations

import ast

from batchmean.engine.context import Context
from batchmean.engine.domain import algebra
from batchmean.engine.domain.accounts import follows, reduced
from batchmean.engine.domain.axes import ALL_AXES, AxesSpec
from batchmean.engine.domain.tensors import Tensor, altered
from batchmean.engine.domain.values import TupleValue, Value
from batchmean.engine.primitives.reducing import opened
from batchmean.engine.primitives.registry import Call, axes_spec, integer, literal, primitive
from batchmean.engine.uses import note_made_of


def contracted(context: Context, a: Tensor, b: Tensor, axes: AxesSpec, node: ast.AST) -> Tensor:
    """The product of two arrays of one shape, summed over `axes`."""
    product = context.formed(algebra.multiply(a, b), a, b)
    shape = product.shape.without(axes)
    accounts = opened(product)
    if not follows(accounts):
        return context.unsure([altered(product, reductions=accounts)])
    step = altered(context.step(node, "sum"), contraction=True)
    updated = tuple(context.record(reduced(r, product.shape, axes, "sum", step)) for r in accounts)
    return altered(context.computed(shape), reductions=updated, stack=product.stack)


def matmul(context: Context, a: Tensor, b: Tensor, node: ast.AST) -> Tensor:
    """a @ b: a contraction over one axis, whose result is something new."""
    if a.shape.is_scalar or b.shape.is_scalar:  # np.dot(loss, weight)
        return context.placed(context.formed(algebra.multiply(a, b), a, b), (a, b), node)
    rank = a.shape.rank
    if rank == 1 and b.shape.rank == 1:
        return contracted(context, a, b, ALL_AXES, node)
    result = context.computed()
    note_made_of(context.ledger, result, [a])
    return result


@primitive
def matmul_(call: Call, x: Value, y: Value) -> Value:
    return matmul(call.context, call.tensor(x), call.tensor(y), call.node)


@primitive
def vdot(call: Call, x: Value, y: Value) -> Value:
    """The sum over all elements of the product."""
    return contracted(call.context, call.tensor(x), call.tensor(y), ALL_AXES, call.node)


@primitive
def tensordot(call: Call, x: Value, y: Value, axes: Value | None = None) -> Value:
    """tensordot over the same axes of both, in the same order, and over all of them, is a vdot."""
    a, b = call.tensor(x), call.tensor(y)
    if isinstance(axes, TupleValue) and len(axes.items) == 2:
        first, second = axes_spec(axes.items[0]), axes_spec(axes.items[1])
        listed = first.kind == second.kind == "listed" and first.positions == second.positions
        if listed and len(first.positions) in (a.shape.rank, b.shape.rank):
            return contracted(call.context, a, b, ALL_AXES, call.node)
    count = integer(axes)
    if count is not None and count in (a.shape.rank, b.shape.rank):
        return contracted(call.context, a, b, ALL_AXES, call.node)
    return call.opaque()


@primitive
def einsum(call: Call, equation: Value, *operands: Value) -> Value:
    """einsum of two (or three) arrays that share their letters: a product summed over the letters left out."""
    text = literal(equation)
    tensors = [call.tensor(o) for o in operands]
    if not isinstance(text, str) or "->" not in text or "." in text or len(tensors) < 2:
        return call.opaque()
    left, _, right = text.replace(" ", "").partition("->")
    inputs = left.split(",")
    if len(inputs) != len(tensors) or len(set(right)) != len(right):
        return call.opaque()
    letters = max(inputs, key=len)
    full = [t for t, letters_of in zip(tensors, inputs, strict=True) if letters_of == letters]
    if len(full) < 2 or any(not set(i) <= set(letters) for i in inputs) or len(set(letters)) != len(letters):
        return call.opaque()
    for tensor in full:
        tensor.shape.set_rank(len(letters))
    for tensor in full[1:]:
        full[0].shape.unite(tensor.shape)
    product = full[0]
    numbers = [t for t, letters_of in zip(tensors, inputs, strict=True) if not letters_of and letters]
    for tensor in (*full[1:], *numbers):
        product = algebra.multiply(product, tensor)
    gone = [i for i, letter in enumerate(letters) if letter not in right]
    product = call.context.placed(call.context.formed(product), tensors, call.node)
    accounts = opened(product)
    if not follows(accounts):
        return call.context.unsure([altered(product, reductions=accounts)])
    spec = ALL_AXES if len(gone) == len(letters) else AxesSpec.at(*gone)
    step = altered(call.context.step(call.node, "sum"), contraction=True)
    updated = tuple(
        call.context.record(reduced(r, product.shape, spec, "sum", step)) for r in accounts if gone
    )
    shape = product.shape.without(spec) if gone else product.shape
    return altered(call.opaque(shape), reductions=updated, stack=product.stack) if gone else product
