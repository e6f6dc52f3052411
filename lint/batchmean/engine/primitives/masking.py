"""Comparisons and conditions: which positions count, and what is set where they do not."""

from __future__ import annotations

import ast
from typing import Final

from batchmean.engine.context import Context
from batchmean.engine.domain import algebra, masks
from batchmean.engine.domain.axes import MAX_RANK, AxesSpec, Axis
from batchmean.engine.domain.broadcasting import joint_shape, relabelled
from batchmean.engine.domain.shapes import Shape
from batchmean.engine.domain.tensors import (
    Labels,
    Place,
    Role,
    Tensor,
    atom_of,
    constant,
    derived,
    from_atom,
)
from batchmean.engine.domain.values import Const, ModuleValue, Value
from batchmean.engine.evidence.masks import is_id_name, is_length_name, is_padding_name
from batchmean.engine.primitives.registry import Call, primitive


@primitive
def comparison_with(call: Call, x: Value, y: Value) -> Value:
    """x.ne(y), tf.not_equal(x, y): a comparison that is spelled as a function."""
    op = getattr(ast, call.operation.extra)()
    return comparison(call.context, op, x, y, call.node)


@primitive
def logical_not(call: Call, x: Value) -> Value:
    """The other positions, of a mask."""
    tensor = call.tensor(x)
    return masks.complement(tensor) or call.opaque(tensor.shape)


@primitive
def logical_and(call: Call, x: Value, y: Value) -> Value:
    """The positions of both masks; with any other condition it is no validity mask."""
    a, b = call.tensor(x), call.tensor(y)
    return both(call.context, a, b) or call.opaque(joint_shape(a, b))


@primitive
def sequence_mask(call: Call, lengths: Value, length: Value | None = None) -> Value:
    """tf.sequence_mask(lengths, T): 1 up to each length."""
    tensor = call.tensor(lengths)
    place = call.place(f"{call.name} says which positions count")
    inside = relabelled(tensor, tensor.shape.with_axis(-1, Axis()))
    return masks.made(inside, place, "sequence_mask", kind=masks.OF_LENGTHS)


@primitive
def where(call: Call, condition: Value, x: Value | None = None, y: Value | None = None) -> Value:
    """where(mask, x, 0): the elements that are kept; else one or the other."""
    if x is None or y is None:
        return call.opaque()
    a, b = call.tensor(x), call.tensor(y)
    if any(isinstance(one, ModuleValue) and one.name.lower().endswith("nan") for one in (x, y)):
        return call.opaque(a.shape)  # for a mean that leaves these out
    if a.terms != b.terms and {t.factors for t in a.terms} == {t.factors for t in b.terms} and a.atoms():
        return call.context.unsure([a, b])  # weighted here and there
    chosen = call.tensor(condition)
    if _is_zero(b) and _is_one_hot(chosen):
        return call.context.formed(algebra.multiply(chosen, a))
    if _is_zero(b) and (kept := masks.mask_of(chosen)) is not None and masks.is_valid(kept):
        return _masked(call, a, chosen)
    if _is_zero(a) and (others := masks.complement(chosen)) is not None:
        return _masked(call, b, others)
    if _is_zero(a) and _is_one_hot(chosen):
        other = algebra.add(constant(1.0), algebra.negate(chosen))
        return call.context.formed(algebra.multiply(other, b))
    if a.number() is not None and not b.shape.is_scalar:
        return _laid_over(chosen, b)
    if b.number() is not None or b.shape.is_scalar:
        return _laid_over(chosen, a)
    return call.context.one_of([a, b])


def _laid_over(condition: Tensor, x: Tensor) -> Tensor:
    """The elements of an array, each as often as the condition asks for it."""
    return relabelled(x, joint_shape(condition, x)) if x.reductions else x


@primitive
def where_method(call: Call, x: Value, condition: Value, y: Value | None = None) -> Value:
    """x.where(mask, other)."""
    return where(call, condition, x, y)


@primitive
def masked_fill(call: Call, x: Value, mask: Value | None = None, value: Value | None = None) -> Value:
    """The elements that are kept: those of the label, if the mask is the complement of a one-hot target."""
    if mask is not None and _is_one_hot(call.tensor(mask)):
        kept = algebra.add(constant(1.0), algebra.negate(call.tensor(mask)))
        return call.context.formed(algebra.multiply(call.tensor(x), kept))
    if mask is not None and value is not None and _is_zero(call.tensor(value)):
        others = masks.kept_by_filling(call.tensor(mask))
        if others is not None:
            return _masked(call, call.tensor(x), others)
    return x


def _masked(call: Call, x: Tensor, mask: Tensor) -> Tensor:
    """What a mask keeps of an array: an integrand where that was one."""
    kept = call.context.formed(algebra.multiply(x, mask), x)
    return call.context.placed(kept, (x,), call.node)


def _is_zero(tensor: Tensor) -> bool:
    return tensor.number() == 0.0


def _is_one_hot(tensor: Tensor) -> bool:
    return any(atom.role is Role.ONE_HOT for atom in tensor.atoms())


def comparison(context: Context, op: ast.cmpop, x: Value, y: Value, node: ast.AST) -> Value:
    """x == y: labels against the class numbers make a one-hot target; a one-hot against 1 is itself."""
    a = context.as_tensor(x)
    if isinstance(y, Const) and (y.value is None or isinstance(y.value, str)):
        return context.computed(a.shape) if not a.shape.is_scalar else context.opaque()
    b = context.as_tensor(y)
    if isinstance(op, ast.Eq):
        for classes, labels in ((a, b), (b, a)):
            atom = classes.single()
            if atom is not None and atom.kind == "arange" and atom.axis is not None:
                shape = labels.shape.without(AxesSpec.at(-1)).with_axis(-1, atom.axis)
                context.note_labels(labels)
                place = Place(node, "labels compared with the class numbers are a one-hot target")
                return from_atom(
                    atom_of(("one_hot", labels.terms), Role.ONE_HOT, atom.axis, place=place), shape
                )
            if _is_one_hot(classes) and labels.number() == 1:
                return classes
    if _holds_for_probabilities(a, op, b.number()):
        return masks.of_everything(a, Place(node, "this holds for every probability"))
    if isinstance(op, ast.Gt | ast.NotEq) and _is_one_hot(a) and b.number() is not None:
        return a
    for one, other, how in ((a, b, op), (b, a, _SWAPPED.get(type(op), ast.Is)())):
        mask = _validity(context, one, other, how, node)
        if mask is not None:
            return _noted(context, mask, one, op)
    return _noted(context, context.computed(a.shape), a, op) if not a.shape.is_scalar else context.opaque()


def _noted(context: Context, compared: Tensor, x: Tensor, op: ast.cmpop) -> Tensor:
    """The comparison, of which it is taken down what is unequal there."""
    atom, inner = compared.single(), x.single()
    if isinstance(op, ast.NotEq) and atom is not None and inner is not None:
        context.ledger.unequal[atom.key] = inner.key
    return compared


def both(context: Context, a: Tensor, b: Tensor) -> Tensor | None:
    """The positions of both masks, `(y != pad) & (y != end)` among these; None with any other condition."""
    if masks.mask_of(a) is not None and masks.mask_of(b) is not None:
        return algebra.multiply(a, b)
    return without_another(context, a, b)


def without_another(context: Context, a: Tensor, b: Tensor) -> Tensor | None:
    """A mask of labels without those of another number, which it leaves out, too; None where the two are no such."""
    unequal = context.ledger.unequal
    for mask, other in ((a, b), (b, a)) if unequal else ():
        atom, condition = masks.mask_of(mask), other.single()
        if atom is None or condition is None or condition.role is not Role.OPAQUE:
            continue
        labels = unequal.get(condition.key)
        if labels is not None and labels == unequal.get(atom.key):
            fewer = derived(atom, "without", condition.key, shown=False, drops=None, is_complement=False)
            unequal[fewer.key] = labels
            return from_atom(fewer, mask.shape)
    return None


def _holds_for_probabilities(a: Tensor, op: ast.cmpop, number: float | None) -> bool:
    """Is it true of whatever lies between 0 and 1, as `p != 255` is?"""
    atom = a.single()
    if number is None or atom is None or atom.role not in (Role.PROBS, Role.ONE_HOT):
        return False
    if isinstance(op, ast.NotEq):
        return not 0 <= number <= 1
    is_below = isinstance(op, ast.GtE) and number <= 0
    return is_below or (isinstance(op, ast.Lt) and number > 1)


_SWAPPED: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Eq: ast.Eq,
    ast.NotEq: ast.NotEq,
    ast.Lt: ast.Gt,
    ast.LtE: ast.GtE,
    ast.Gt: ast.Lt,
    ast.GtE: ast.LtE,
}


def _validity(context: Context, a: Tensor, b: Tensor, op: ast.cmpop, node: ast.AST) -> Tensor | None:
    """`ids != pad_id`, `labels != -100`, `arange(T) < lengths`: which positions count."""
    inner, bound = a.single(), b.single()
    if inner is None or b.terms == a.terms or inner.key in context.ledger.picked:
        return None
    if inner.kind == "arange" and isinstance(op, ast.Lt | ast.LtE | ast.Gt | ast.GtE):
        per_example = b.shape.is_stretched
        if bound is None or bound.kind == "arange" or not (per_example or is_length_name(bound.names)):
            return None
        place = Place(node, "positions compared with the lengths are a validity mask")
        if per_example and inner.axis is not None:
            b = relabelled(b, _of_lengths(a.shape, b.shape, inner.axis))
        padding = isinstance(op, ast.Gt | ast.GtE)
        return masks.made(b, place, "arange", padding=padding, shown=per_example, kind=masks.OF_LENGTHS)
    number = b.number()
    if masks.mask_of(a) is not None and number in (0.0, 1.0):
        same = isinstance(op, ast.Gt | ast.GtE) or isinstance(op, ast.NotEq) == (number == 0.0)
        return a if same else masks.complement(a)
    ids = inner.role is Role.OPAQUE and is_id_name(inner.names)
    if isinstance(op, ast.Eq | ast.NotEq):
        says_so = bound is not None and is_padding_name(bound.names)
        if not says_so and number != -100.0 and not (ids and number in (-1.0, 0.0, 255.0)):
            return None
        place = Place(node, "what is not the padding is a validity mask")
        is_padding, shown = isinstance(op, ast.Eq), number == -100.0
        if shown:
            context.note_labels(a)
        guards = not says_so and number == 0.0
        mark = bound.key if bound else number
        drops = Labels(number, bound.key if bound else 0)
        return masks.made(a, place, mark, padding=is_padding, shown=shown, guards=guards, drops=drops)
    place = Place(node, "labels that are not negative count")
    is_not_negative = number == (0.0 if isinstance(op, ast.GtE) else -1.0 if isinstance(op, ast.Gt) else None)
    if is_not_negative and inner.key in context.ledger.labels:
        valid = masks.made(a, place, number, drops=Labels(0.0, below=True))
        if inner.key in context.ledger.compared and (mask := masks.mask_of(valid)) is not None:
            context.ledger.applied.add(mask.key)  # by the same comparison, before these were known as labels
        return valid
    if is_not_negative:
        context.ledger.compared.add(inner.key)
    if ids and number in (0.0, -1.0, -100.0) and (isinstance(op, ast.Gt) or is_not_negative):
        left_out = Labels(0.0, below=True) if is_not_negative else None
        return masks.made(a, place, number, shown=False, drops=left_out)
    return None


def _of_lengths(positions: Shape, lengths: Shape, axis: Axis) -> Shape:
    """The shape of `arange(T) < lengths[:, None]`, and with more axes of length 1 around."""
    own, columns = positions.axes or (), lengths.leading(MAX_RANK)
    place = next((i - len(own) for i, mine in enumerate(own) if mine.is_same(axis)), -1)
    if place < -1 and len(columns) > -place and all(column.size == 1 for column in columns[1:]):
        return Shape.of([axis if i - len(columns) == place else c for i, c in enumerate(columns)])
    first = lengths.axis(0) if lengths.rank in (None, 2) else None
    # Lengths are one for each example: `lengths[:, None]` has two axes.
    if first is not None:
        return Shape.of([first, axis])
    return lengths.without(AxesSpec.at(-1)).with_axis(-1, axis)
