"""Operations that work element by element."""

from __future__ import annotations

import ast
from typing import Final

from batchmean.engine.domain import algebra, masks, nonlinear
from batchmean.engine.domain.axes import AxesSpec, Axis
from batchmean.engine.domain.broadcasting import joint_shape, map_atoms, relabelled, unite_sides
from batchmean.engine.domain.distributions import log_probs_atom, softmax_key
from batchmean.engine.domain.keys import key_of
from batchmean.engine.domain.shapes import Shape
from batchmean.engine.domain.tensors import Atom, Extreme, Role, Tensor, altered, atom_of, constant, from_atom
from batchmean.engine.domain.values import Const, TupleValue, Value
from batchmean.engine.primitives import arithmetic
from batchmean.engine.primitives.registry import Call, integer, literal, primitive
from batchmean.engine.primitives.targets import numbered
from batchmean.engine.recognise.likelihoods import SOFTPLUS, is_squared_difference
from batchmean.engine.uses import hand_on_inputs, note_made_of


@primitive
def identity(call: Call, x: Value) -> Value:
    """Casts, copies, detach: the same numbers."""
    return x


@primitive
def copied(call: Call, x: Value) -> Value:
    """The same numbers in a memory of their own: what is done to a copy in place is done to nothing else."""
    return altered(x, storage=call.opaque().storage) if isinstance(x, Tensor) else x


@primitive
def array(call: Call, x: Value) -> Value:
    """An array of what is given: of a list that is written out, its numbers."""
    return call.tensor(x) if isinstance(x, TupleValue) and x.is_list and _is_written_out(x) else x


def _is_written_out(value: TupleValue) -> bool:
    first = value.items[0] if value.items else None
    while isinstance(first, TupleValue):
        first = first.items[0] if first.items else None
    return isinstance(first, Const)


@primitive
def clip(call: Call, x: Value, high: Value | None = None) -> Value:
    """Clipping keeps logarithms finite; it does not change what the array means, if it is no ratio that is cut off."""
    tensor = call.tensor(x)
    bounded = high is not None and not (isinstance(high, Const) and high.value is None)
    if bounded and any(power < 0 for term in tensor.terms for _, power in term.factors):
        is_ratio = any(atom.role is Role.EXP for atom in tensor.atoms())
        cut = call.opaque(tensor.shape)
        return map_atoms(cut, lambda atom: altered(atom, role=Role.EXP)) if is_ratio else cut
    return x


@primitive
def extremum(call: Call, x: Value, y: Value | None = None, axis: Value | None = None) -> Value:
    """maximum(x, 1e-8) clips; of two arrays it is something new."""
    if y is None:
        return call.opaque(call.tensor(x).shape)
    a, b = call.tensor(x), call.tensor(y)
    if b.number() is not None or b.shape.is_scalar:
        return a
    if a.number() is not None:
        return b
    result = call.opaque(joint_shape(a, b))
    if a.terms == b.terms and _is_of_arrays(a):
        if is_squared_difference(a.terms):
            return a
        place = call.place("the smaller of two objectives, one of which is clipped")
        return map_atoms(result, lambda atom: altered(atom, kind="error", place=place))
    if not all(any(atom.role is Role.EXP for atom in side.atoms()) for side in (a, b)):
        return result
    place = call.place("the smaller of two objectives, a ratio of probabilities in each")
    return map_atoms(result, lambda atom: altered(atom, kind="error", place=place))


def _is_of_arrays(x: Tensor) -> bool:
    """Is every term of it a product of two arrays at least, or the square of one?"""
    return bool(x.terms) and all(
        sum(power for atom, power in term.factors if not atom.shape_is_scalar and power > 0) >= 2
        for term in x.terms
    )


@primitive
def extremum_along(call: Call, x: Value, axis: Value | None = None, keepdims: Value | None = None) -> Value:
    """x.max(): a reduction, or with an array an elementwise maximum."""
    if isinstance(axis, Tensor) and not axis.shape.is_scalar:
        return extremum(call, x, axis)  # torch.min(a, b)
    tensor = call.tensor(x)
    position = integer(axis)
    if axis is None and tensor.terms and algebra.is_same_everywhere(tensor):
        return altered(tensor, shape=Shape.of([]))
    if position is None:
        return call.context.anything(Shape.of([])) if axis is None else call.opaque(tensor.shape)
    keeps = bool(literal(keepdims))
    values = call.opaque(tensor.shape.without(AxesSpec.at(position), keeps))
    if keeps:
        return values
    # PyTorch gives the places, too, and alone does not call it an axis.
    words = {keyword.arg for keyword in call.node.keywords} if isinstance(call.node, ast.Call) else set()
    extreme: Extreme = "array" if "axis" in words else "pair"
    return map_atoms(values, lambda atom: altered(atom, extreme=extreme))


@primitive
def flip(call: Call, x: Value) -> Value:
    """The same values in another order."""
    tensor = call.tensor(x)
    return relabelled(tensor, tensor.shape, "flipped")


@primitive
def log(call: Call, x: Value) -> Value:
    """The natural logarithm; other bases differ by a constant that no verdict depends on."""
    tensor = call.tensor(x)
    made = algebra.logarithm(tensor, call.place(f"{call.name} gives log-probabilities"))
    return hand_on_inputs(call.context.ledger, made, tensor)


@primitive
def log1p(call: Call, x: Value) -> Value:
    """log(1 + x)."""
    return algebra.logarithm(algebra.add(constant(1.0), call.tensor(x)), call.place("a logarithm"))


@primitive
def exp(call: Call, x: Value) -> Value:
    """The exponential; of a reduced loss it is meant to be a perplexity."""
    tensor = call.tensor(x)
    if tensor.reductions:
        call.context.ledger.exponentials.append((call.node, tensor.reductions))
    return nonlinear.exponential(tensor, call.place("an exponential"))


@primitive
def expm1(call: Call, x: Value) -> Value:
    """exp(x) - 1, which is zero where a mask is."""
    tensor = call.tensor(x)
    if masks.common_masks(tensor):
        return map_(call, x)
    return algebra.add(nonlinear.exponential(tensor, call.place("an exponential")), constant(-1.0))


@primitive
def negative(call: Call, x: Value) -> Value:
    return algebra.negate(call.tensor(x))


@primitive
def add(call: Call, x: Value, y: Value, alpha: Value | None = None) -> Value:
    b = call.tensor(y)
    return arithmetic.added(
        call.context,
        call.tensor(x),
        arithmetic.multiplied(call.context, call.tensor(alpha), b, call.node) if alpha is not None else b,
        call.node,
    )


@primitive
def subtract(call: Call, x: Value, y: Value) -> Value:
    return arithmetic.subtracted(call.context, call.tensor(x), call.tensor(y), call.node)


@primitive
def multiply(call: Call, x: Value, y: Value) -> Value:
    return arithmetic.multiplied(call.context, call.tensor(x), call.tensor(y), call.node)


@primitive
def divide(call: Call, x: Value, y: Value) -> Value:
    a, b = call.tensor(x), call.tensor(y)
    quotient = call.context.formed(nonlinear.divide(a, b), a, b)
    return call.context.placed(quotient, (a, b), call.node)


@primitive
def reciprocal(call: Call, x: Value) -> Value:
    return nonlinear.reciprocal(call.tensor(x))


@primitive
def power(call: Call, x: Value, y: Value) -> Value:
    return arithmetic.raised(call.context, call.tensor(x), call.tensor(y).number())


@primitive
def square(call: Call, x: Value) -> Value:
    return arithmetic.bent(call.context, nonlinear.power(call.tensor(x), 2.0), call.tensor(x))


@primitive
def squared_difference(call: Call, x: Value, y: Value) -> Value:
    """(x - y)**2."""
    return square(call, subtract(call, x, y))


@primitive
def sqrt(call: Call, x: Value) -> Value:
    return arithmetic.raised(call.context, call.tensor(x), 0.5)


@primitive
def xlogy(call: Call, x: Value, y: Value) -> Value:
    """x * log(y)."""
    a = call.tensor(x)
    log_y = algebra.logarithm(call.tensor(y), call.place(f"{call.name} takes the logarithm"))
    return call.context.formed(algebra.multiply(a, log_y))


@primitive
def xlog1py(call: Call, x: Value, y: Value) -> Value:
    """x * log(1 + y)."""
    log_y = algebra.logarithm(
        algebra.add(constant(1.0), call.tensor(y)), call.place(f"{call.name} takes the logarithm")
    )
    return call.context.formed(algebra.multiply(call.tensor(x), log_y))


@primitive
def entropy_terms(call: Call, x: Value) -> Value:
    """-x * log(x), elementwise."""
    a = call.tensor(x)
    log_a = algebra.logarithm(a, call.place(f"{call.name} takes the logarithm"))
    return call.context.formed(algebra.negate(algebra.multiply(a, log_a)))


@primitive
def relative_entropy_terms(call: Call, x: Value, y: Value) -> Value:
    """x * log(x / y), elementwise."""
    a, b = call.tensor(x), call.tensor(y)
    place = call.place("x * log(x / y), elementwise")
    ratio = algebra.add(algebra.logarithm(a, place), algebra.negate(algebra.logarithm(b, place)))
    return call.context.formed(algebra.multiply(a, ratio))


@primitive
def sigmoid(call: Call, x: Value) -> Value:
    """An independent probability per element: no support axis."""
    tensor = call.tensor(x)
    return from_atom(atom_of(("sigmoid", tensor.terms), Role.SIGMOID), tensor.shape)


@primitive
def log_sigmoid(call: Call, x: Value) -> Value:
    tensor = call.tensor(x)
    return from_atom(
        atom_of(("log", key_of("sigmoid", tensor.terms)), Role.LOG_SIGMOID, shape=tensor.shape), tensor.shape
    )


@primitive
def map_(call: Call, x: Value) -> Value:
    """Any other elementwise function: something new of the same shape, zero where |x| or expm1(x) of a mask is."""
    tensor = call.tensor(x)
    result = call.context.shown_opaque(call.name, tensor.terms, shape=tensor.shape)
    note_made_of(call.context.ledger, result, [tensor])
    if call.name == SOFTPLUS:
        return _softplus(result, tensor)
    if call.name.rstrip("_") not in _ZERO_AT_ZERO:
        return result
    if call.name.startswith(("abs", "fabs")) and _is_difference(tensor):
        unite_sides(tensor)
        place = call.place("the absolute value of a difference")
        result = map_atoms(result, lambda atom: altered(atom, kind="error", place=place))
    for mask in masks.common_masks(tensor):
        result = algebra.multiply(result, from_atom(mask, tensor.shape))
    return arithmetic.bent(call.context, result, tensor)


def _softplus(result: Tensor, x: Tensor) -> Tensor:
    return map_atoms(result, lambda atom: altered(atom, kind=SOFTPLUS, argument=x))


@primitive
def logaddexp(call: Call, x: Value, y: Value) -> Value:
    """log(exp(x) + exp(y)): with 0 it is a softplus."""
    a, b = call.tensor(x), call.tensor(y)
    for zero, other in ((a, b), (b, a)):
        if zero.number() == 0:
            result = call.context.shown_opaque(SOFTPLUS, other.terms, shape=other.shape)
            return _softplus(result, other)
    return call.opaque(joint_shape(a, b))


_ZERO_AT_ZERO: Final = frozenset("abs absolute fabs expm1 tanh sin".split())


def _is_difference(tensor: Tensor) -> bool:
    signs = {t.coefficient > 0 for t in tensor.terms if t.coefficient is not None}
    return len(tensor.terms) == 2 and len(signs) == 2


@primitive
def arange(call: Call, start: Value, stop: Value | None = None) -> Value:
    """0, 1, ..., n - 1 along a new axis."""
    if stop is None and integer(start) is None:
        return numbered(call.tensor(start))
    axis = Axis(integer(start) if stop is None else None)
    return from_atom(atom_of(("arange", axis), axis=axis, kind="arange"), Shape.of([axis]))


@primitive
def softmax(call: Call, x: Value, axis: Value | None = None) -> Value:
    """A distribution over `axis`."""
    tensor = call.tensor(x)
    over, shown = _support(call, tensor, axis)
    if over is not None and algebra.is_same_everywhere(tensor):
        return altered(nonlinear.reciprocal(algebra.length_of(over)), shape=tensor.shape)  # 1/V
    place = call.place(f"{call.name} over {_axis_text(axis, call)} gives probabilities")
    key = softmax_key(tensor.terms, over)
    probs = from_atom(Atom(key, Role.PROBS, over, place=place, shown=shown), tensor.shape)
    return hand_on_inputs(call.context.ledger, probs, tensor)


@primitive
def log_softmax(call: Call, x: Value, axis: Value | None = None) -> Value:
    """The logarithm of a distribution over `axis`."""
    tensor = call.tensor(x)
    over, shown = _support(call, tensor, axis)
    place = call.place(f"{call.name} over {_axis_text(axis, call)} gives log-probabilities")
    log_probs = from_atom(log_probs_atom(softmax_key(tensor.terms, over), over, place, shown), tensor.shape)
    return hand_on_inputs(call.context.ledger, log_probs, tensor)


def _support(call: Call, tensor: Tensor, axis: Value | None) -> tuple[Axis | None, bool]:
    position = integer(axis)
    if position is None and (axis is None or literal(axis) is None):
        position = call.operation.default_axis
        if position is None and tensor.shape.rank != 1:
            return None, False  # everything, or an axis that depends on the rank
        return tensor.shape.axis(-1 if position is None else position), True
    if position is None:
        return None, False
    support = tensor.shape.axis(position)
    if support is not None:
        support.note_spelled(position)
    return support, True


def _axis_text(axis: Value | None, call: Call) -> str:
    position = integer(axis)
    if position is None:
        position = call.operation.default_axis
    return "the last axis" if position in (None, -1) else f"axis {position}"


@primitive
def constant_number(call: Call) -> Value:
    """A number such as an epsilon."""
    return Const(1e-8)
