"""Library losses: kl_div, whose "mean" takes in the support, and those that reduce the class axis themselves."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Final

from batchmean.engine.domain import algebra, masks, nonlinear
from batchmean.engine.domain.accounts import mask_fact, reduced, scaled
from batchmean.engine.domain.axes import ALL_AXES, AxesSpec, Axis
from batchmean.engine.domain.broadcasting import joint_shape, map_atoms
from batchmean.engine.domain.keys import key_of
from batchmean.engine.domain.shapes import Shape
from batchmean.engine.domain.tensors import (
    Atom,
    Integrand,
    Labels,
    Mask,
    Reduction,
    Role,
    Tensor,
    altered,
    atom_of,
    from_atom,
)
from batchmean.engine.domain.values import BuiltinValue, Const, Value
from batchmean.engine.evidence.names import is_of_actions
from batchmean.engine.primitives.registry import Call, integer, literal, primitive
from batchmean.engine.recognise.integrands import recognise
from batchmean.engine.recognise.pairs import pairing
from batchmean.engine.uses import given_to_models

_DEFAULT: Final = -100
"""The label that the losses of PyTorch, and of those who follow it, leave out unasked."""
OF_ONE_SHAPE: Final = (
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "BCELoss",
    "BCEWithLogitsLoss",
)
"""They refuse arrays of two shapes, so that nothing is broadcast to pairs."""


def _reduction_name(
    call: Call, reduction: Value | None, size_average: Value | None, reduce: Value | None
) -> str | None:
    """The reduction in force, a default of the library or of a parameter's too; None where the code leaves it open."""
    reduction, size_average, reduce = (_default(call, v) for v in (reduction, size_average, reduce))
    legacy = [v for v in (size_average, reduce) if v is not None and literal(v) is not None]
    if legacy:
        average = True if size_average is None or literal(size_average) is None else literal(size_average)
        reduces = True if reduce is None or literal(reduce) is None else literal(reduce)
        if not isinstance(average, bool) or not isinstance(reduces, bool):
            return None
        return "none" if not reduces else "mean" if average else "sum"
    if any(v is not None and not isinstance(v, Const) for v in (size_average, reduce)):
        return None
    if reduction is None:
        return call.operation.extra or "mean"
    name = literal(reduction)
    if isinstance(reduction, Const) and name is None:
        return "none"
    if name == "elementwise_mean":  # the mean before PyTorch 1.0, and an alias since
        return "mean"
    return name if isinstance(name, str) else None


def _default(call: Call, value: Value | None) -> Value | None:
    """The default of an unknown parameter."""
    atom = value.single() if isinstance(value, Tensor) else None
    return call.context.ledger.defaults.get(atom.key, value) if atom is not None else value


@primitive
def kl_div(
    call: Call,
    x: Value,
    target: Value | None = None,
    size_average: Value | None = None,
    reduce: Value | None = None,
    reduction: Value | None = None,
    log_target: Value | None = None,
) -> Value:
    """The pointwise KL divergence, with the reduction that is asked for."""
    a, b = call.tensor(x), call.tensor(target)
    both = algebra.add(a, b)
    support, shown = None, False
    for atom in both.atoms():
        if atom.axis is not None and atom.role in (Role.PROBS, Role.LOG_PROBS, Role.ONE_HOT):
            support, shown = atom.axis, atom.shown
            break
    shape = a.shape if a.shape.shown or a.shape.rank is not None else b.shape
    if support is None and not any(map(_is_of_actions, both.atoms())):
        support = shape.axis(-1)
    if support is None or support.size == 1:
        return call.opaque()
    shown = shown and not isinstance(reduction, Tensor)
    place = call.place(f"{call.name} is elementwise: its support is not summed")
    atom = atom_of(
        ("kl_div", both.terms, a.terms, call.node),
        Role.INTEGRAND,
        support,
        names=("kl_div",),
        argument=both,
        place=place,
        kind="KL divergence",
        shown=shown,
    )
    elements = call.context.formed(from_atom(atom, shape), a, b)
    name = _reduction_name(call, reduction, size_average, reduce)
    if name == "none":
        return elements
    if name not in ("mean", "sum", "batchmean"):
        return call.opaque()
    return _reduced(call, elements, name)


def _is_of_actions(atom: Atom) -> bool:
    inside = atom.argument.atoms() if atom.argument is not None else ()
    return any(is_of_actions(one.names) for one in (atom, *inside))


def _reduced(call: Call, elements: Tensor, name: str) -> Tensor:
    integrand = recognise(elements)
    if integrand is None:
        return call.opaque(Shape.of([]))
    context = call.context
    per_batch = name == "batchmean" and not _is_one_example(elements)
    if per_batch:
        integrand = _of_the_rank_that_its_axis_shows(integrand)
    account = Reduction(integrand)
    step = altered(context.step(call.node, "sum"), library=True, per_batch=per_batch)
    account = reduced(account, integrand.shape, ALL_AXES, "mean" if name == "mean" else "sum", step)
    if name == "batchmean":
        account = scaled(account, nonlinear.reciprocal(call.tensor(_batch(call, elements))))
    result = call.opaque(Shape.of([]))
    return altered(result, reductions=(context.record(account),), stack=elements.stack)


def _of_the_rank_that_its_axis_shows(integrand: Integrand) -> Integrand:
    """A softmax over `dim=0` is one of a vector, one over `dim=2` of (B, T, V): likely, where the rank is not shown."""
    shape = integrand.shape
    position = shape.position_of(integrand.support) if shape.rank is None else None
    if position is None or position < 0 or position == 1:
        return integrand
    axes = [axis for axis in map(shape.axis, range(position + 1)) if axis is not None]
    return altered(integrand, shape=Shape.of(axes), proved=False)


def _is_one_example(elements: Tensor) -> bool:
    first = elements.shape.axis(0)
    return first is not None and first.size == 1


def _batch(call: Call, elements: Tensor) -> Value:
    return call.context.axis_length(elements.shape, 0)


@primitive
def class_loss(
    call: Call,
    x: Value,
    target: Value | None = None,
    weight: Value | None = None,
    size_average: Value | None = None,
    ignore_index: Value | None = None,
    reduce: Value | None = None,
    reduction: Value | None = None,
    axis: Value | None = None,
    where: Value | None = None,
) -> Value:
    """cross_entropy, nll_loss: the class axis, the second one in PyTorch, is summed by the library itself."""
    name = _reduction_name(call, reduction, size_average, reduce)
    is_shown = not any(isinstance(v, Tensor) for v in (reduction, size_average, reduce))
    loss = _class_loss(call, "cross-entropy", x, target, name, is_shown, axis, ignore_index, weight=weight)
    mask = masks.mask_of(where) if isinstance(where, Tensor) else None
    if mask is None or not isinstance(loss, Tensor) or _is_of_classes(call, x, axis, mask):
        return loss
    return algebra.multiply(loss, from_atom(mask, loss.shape))


def _is_of_classes(call: Call, x: Value, axis: Value | None, mask: Atom) -> bool:
    """Does a mask say which classes there are, and not which positions count?"""
    position = integer(axis) if axis is not None else call.operation.default_axis
    support = call.tensor(x).shape.axis(position) if position is not None else None
    return support is None or (mask.shape is not None and mask.shape.has(support) is not False)


@primitive
def class_divergence(
    call: Call,
    x: Value,
    target: Value | None = None,
    axis: Value | None = None,
    reduction: Value | None = None,
) -> Value:
    """A library's KL divergence that sums over the class axis itself, as all but PyTorch's and Paddle's do."""
    name = _reduction_name(call, reduction, None, None)
    return _class_loss(call, "KL divergence", x, target, name, not isinstance(reduction, Tensor), axis)


def _class_loss(
    call: Call,
    kind: str,
    x: Value,
    target: Value | None,
    name: str | None,
    is_shown: bool,
    axis: Value | None,
    ignore_index: Value | None = None,
    is_on_purpose: bool | None = None,
    weight: Value | None = None,
) -> Value:
    logits = call.tensor(x)
    default = call.operation.default_axis
    position = integer(axis) if axis is not None else 1 if default is None else default
    support = logits.shape.axis(position) if position is not None else None
    if support is None or position is None or name not in ("none", "mean", "sum"):
        return call.opaque()
    place = call.place(f"{call.name} sums over the class axis itself")
    stack = call.context.stack
    key = key_of("class_loss", logits.terms, call.tensor(target).terms)
    can_ignore = any("ignore_index" in names for names in call.operation.parameters)
    if is_on_purpose is None:
        is_on_purpose = _is_on_purpose(call, ignore_index)
    integrand = Integrand(
        kind,
        support,
        "V",
        is_shown,
        (place,),
        logits.shape,
        stack,
        call.name,
        key,
        ignores=_left_out(call, ignore_index, weight) if can_ignore else None,
        inputs=_inputs(call, logits),
        labels=call.tensor(target).shape if target is not None else None,
    )
    step = altered(call.context.step(call.node, "sum"), library=True)
    # The library's own mean leaves the ignored positions out.
    is_masked = name != "mean" and is_on_purpose
    account = Reduction(integrand, mask=_ignored(call, target, ignore_index) if is_masked else None)
    account = reduced(account, logits.shape, AxesSpec.at(position), "sum", step)
    shape = logits.shape.without(AxesSpec.at(position))
    if target is not None:
        _share_positions(shape, call.tensor(target).shape, logits.shape)
    if name != "none":
        account = reduced(account, shape, ALL_AXES, "mean" if name == "mean" else "sum", step)
        shape = Shape.of([])
    return altered(call.opaque(shape), reductions=(call.context.record(account),), stack=stack)


def _inputs(call: Call, prediction: Tensor) -> tuple[Shape, ...]:
    """The arrays of which an unknown function, such as a model, made the prediction."""
    return given_to_models(call.context.ledger, prediction)


def _ignored(call: Call, target: Value | None, ignore_index: Value | None) -> Mask | None:
    """What `ignore_index=` makes of a loss: one that is zero at some positions."""
    if ignore_index is None or target is None:
        return None
    labels, ignored = call.tensor(target).single(), integer(ignore_index)
    if (
        labels is not None
        and labels.key in call.context.ledger.all_valid
        and (ignored is None or ignored < 0)
    ):
        return None
    if labels is not None and labels.key in call.context.ledger.picked:
        return None
    key = key_of("ignored", call.tensor(target).terms)
    place = call.place("ignore_index makes the loss zero at the positions that do not count")
    # A negative number is written out by habit, whether or not a label is ever that.
    may_be_any = ignored is None or ignored >= 0
    return Mask(may_be_any, key, call.tensor(target).shape, after_steps=1, places=(place,))


def _left_out(call: Call, ignore_index: Value | None, weight: Value | None) -> Labels:
    """The labels that the loss leaves out: any, where the classes have weights, which may be 0 at the padding."""
    if weight is not None and not (isinstance(weight, Const) and weight.value is None):
        return Labels()
    if ignore_index is None:
        return Labels(_DEFAULT)
    tensor = call.tensor(ignore_index)
    atom = tensor.single()
    return Labels(tensor.number(), atom.key if atom is not None else 0)


def _is_on_purpose(call: Call, ignore_index: Value | None) -> bool:
    """Is it another than the library's own -100, or written here, not handed on?"""
    written = [k.value for k in getattr(call.node, "keywords", ()) if k.arg == "ignore_index"]
    return literal(ignore_index) != _DEFAULT or any(
        isinstance(n, ast.UnaryOp | ast.Constant) for n in written
    )


def _share_positions(positions: Shape, labels: Shape, logits: Shape) -> None:
    """Class labels have the axes of the loss: above all, the same examples."""
    first, batch = labels.axis(0), logits.axis(0)
    if labels.axes is not None and positions.axes is not None and len(labels.axes) == len(positions.axes):
        for mine, theirs in zip(positions.axes, labels.axes, strict=True):
            mine.unite(theirs)
    elif labels.rank is None and positions.rank is None and first is not None and batch is not None:
        batch.unite(first)


@primitive
def class_loss_module(
    call: Call,
    weight: Value | None = None,
    size_average: Value | None = None,
    ignore_index: Value | None = None,
    reduce: Value | None = None,
    reduction: Value | None = None,
) -> Value:
    """nn.CrossEntropyLoss(...): a callable that keeps its reduction."""
    name = _reduction_name(call, reduction, size_average, reduce)
    is_shown = not any(isinstance(v, Tensor) for v in (reduction, size_average, reduce))
    is_on_purpose = _is_on_purpose(call, ignore_index)
    return _module(
        call,
        lambda inner, x, target: _class_loss(
            inner, "cross-entropy", x, target, name, is_shown, None, ignore_index, is_on_purpose, weight
        ),
    )


def _module(call: Call, loss: Callable[[Call, Value, Value], Value]) -> BuiltinValue:
    """A loss object that is called with an input and a target."""

    def forward(args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        inner = altered(call, node=node)
        given = dict(zip(("input", "target"), args, strict=False)) | kwargs
        if "input" not in given:
            return call.context.opaque()
        target = given.get("target", call.context.opaque())
        return call.context.lift(lambda x, y: loss(inner, x, y), given["input"], target)

    return BuiltinValue(call.name, forward)


@primitive
def kl_div_module(
    call: Call,
    size_average: Value | None = None,
    reduce: Value | None = None,
    reduction: Value | None = None,
    log_target: Value | None = None,
) -> Value:
    """nn.KLDivLoss(...): a callable that keeps its reduction."""
    return _module(call, lambda inner, x, target: kl_div(inner, x, target, size_average, reduce, reduction))


@primitive
def per_example_loss(call: Call, x: Value | None = None, target: Value | None = None) -> Value:
    """A library loss that sums or selects over the class axis itself, or has no support."""
    place = call.place(f"{call.name} gives a loss per example")
    shape = None
    if x is not None and call.operation.default_axis is not None:
        shape = call.tensor(x).shape.without(AxesSpec.at(call.operation.default_axis))
        first, theirs = call.tensor(x).shape.axis(0), call.tensor(target).shape.axis(0)
        if first is not None and theirs is not None:
            first.unite(theirs)
    return map_atoms(call.opaque(shape), lambda atom: altered(atom, kind="error", place=place))


@primitive
def elementwise_loss(
    call: Call,
    x: Value | None = None,
    target: Value | None = None,
    size_average: Value | None = None,
    reduce: Value | None = None,
    reduction: Value | None = None,
    weight: Value | None = None,
) -> Value:
    """mse_loss, binary_cross_entropy: without a support; their mean is over all their elements, whatever the weight."""
    name = _reduction_name(call, reduction, size_average, reduce)
    is_shown = not any(isinstance(v, Tensor) for v in (reduction, size_average, reduce))
    if name not in ("none", "mean", "sum") or x is None:
        return call.opaque()
    elements = call.tensor(x)
    other = call.tensor(target) if target is not None else None
    place = call.place(f"{call.name} gives a loss per element")
    may_pair = call.name not in OF_ONE_SHAPE
    pairs = (
        pairing(elements, other, call.node, call.context.stack) if may_pair and other is not None else None
    )
    zeroing = masks.common_masks(elements)
    zeroing = [mask for mask in zeroing if other is not None and mask in masks.common_masks(other)]
    if isinstance(weight, Tensor):
        zeroing += masks.common_masks(weight)
    if other is not None and not (
        (may_pair and (elements.shape.is_stretched or other.shape.is_stretched)) or elements.shape.is_scalar
    ):
        if not other.shape.is_scalar:
            elements.shape.unite(other.shape)
    shape = elements.shape if other is None else joint_shape(elements, other)
    if name == "none":
        result = call.context.opaque(shape=shape)
        result = map_atoms(result, lambda atom: altered(atom, kind="error", place=place))
        for mask in zeroing:
            result = algebra.multiply(result, from_atom(mask, shape))
        if pairs is None:
            return result
        account = call.context.record(Reduction(pairs, support="summed"))
        return altered(result, shape=pairs.shape, reductions=(account,))
    stack = call.context.stack
    key = key_of("elementwise", elements.terms, call.node)
    inputs = _inputs(call, elements)
    integrand = Integrand(
        "loss", Axis(1), "", is_shown, (place,), shape, stack, call.name, key, inputs=inputs
    )
    step = altered(call.context.step(call.node, "sum"), library=True)
    account = Reduction(integrand, support="summed", mask=mask_fact(zeroing[0]) if zeroing else None)
    if pairs is not None:
        account = Reduction(pairs, support="summed")
    elif may_pair and shape.may_be_pairs:
        account = account.withdrawn()
    account = reduced(account, shape, ALL_AXES, "mean" if name == "mean" else "sum", step)
    result = call.opaque(Shape.of([]))
    if name == "mean":
        result = map_atoms(result, lambda atom: altered(atom, kind="element mean"))
    return altered(result, reductions=(call.context.record(account),), stack=stack)


@primitive
def elementwise_loss_module(
    call: Call,
    size_average: Value | None = None,
    reduce: Value | None = None,
    reduction: Value | None = None,
) -> Value:
    """nn.MSELoss(...): a callable that keeps its reduction."""
    module = _module(
        call, lambda inner, x, target: elementwise_loss(inner, x, target, size_average, reduce, reduction)
    )
    name = _reduction_name(call, reduction, size_average, reduce)
    return altered(module, alike=f"elementwise {name} {call.name in OF_ONE_SHAPE}" if name else "")


@primitive
def loss_module(call: Call) -> Value:
    """A loss object that sums or selects over the class axis itself."""
    return BuiltinValue("loss", lambda args, kwargs, node: call.context.opaque())
