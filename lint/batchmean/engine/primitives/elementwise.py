"""Operations that work element by element."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from batchmean.engine import algebra, masks
from batchmean.engine.likelihoods import SOFTPLUS
from batchmean.engine.primitives import Call, integer, literal, primitive
from batchmean.engine.shapes import MAX_RANK, AxesSpec, Axis, Shape
from batchmean.engine.values import (
    Atom,
    Const,
    Place,
    Role,
    Tensor,
    TupleValue,
    Value,
    altered,
    constant,
    from_atom,
    intern,
)

if TYPE_CHECKING:
    from batchmean.engine.evaluator import Evaluator


@primitive
def identity(call: Call, x: Value) -> Value:
    """Casts, copies, detach: the same numbers."""
    return x


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
        return algebra.map_atoms(cut, lambda atom: altered(atom, role=Role.EXP)) if is_ratio else cut
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
    result = call.opaque(algebra.joint_shape(a, b))
    if not all(any(atom.role is Role.EXP for atom in side.atoms()) for side in (a, b)):
        return result
    place = call.place("the smaller of two objectives, a ratio of probabilities in each")
    return algebra.map_atoms(result, lambda atom: altered(atom, kind="error", place=place))


@primitive
def maximum_method(call: Call, x: Value, axis: Value | None = None, keepdims: Value | None = None) -> Value:
    """x.max(): a reduction, or with an array an elementwise maximum."""
    if isinstance(axis, Tensor) and not axis.shape.is_scalar:
        return extremum(call, x, axis)  # torch.min(a, b)
    tensor = call.tensor(x)
    position = integer(axis)
    if position is None:
        return call.opaque(Shape.of([]) if axis is None else tensor.shape)
    return call.opaque(tensor.shape.without(AxesSpec.at(position), bool(literal(keepdims))))


@primitive
def flip(call: Call, x: Value) -> Value:
    """The same values in another order."""
    tensor = call.tensor(x)
    return algebra.relabelled(tensor, tensor.shape, "flipped")


@primitive
def log(call: Call, x: Value) -> Value:
    """The natural logarithm; other bases differ by a constant that no verdict depends on."""
    return algebra.logarithm(call.tensor(x), call.place(f"{call.name} gives log-probabilities"))


@primitive
def log1p(call: Call, x: Value) -> Value:
    """log(1 + x)."""
    return algebra.logarithm(algebra.add(constant(1.0), call.tensor(x)), call.place("a logarithm"))


@primitive
def exp(call: Call, x: Value) -> Value:
    """The exponential; of a reduced loss it is meant to be a perplexity."""
    tensor = call.tensor(x)
    if tensor.reductions:
        call.interpreter.exponentials.append((call.node, tensor.reductions))
    return algebra.exponential(tensor, call.place("an exponential"))


@primitive
def expm1(call: Call, x: Value) -> Value:
    """exp(x) - 1, which is zero where a mask is."""
    tensor = call.tensor(x)
    if masks.common_masks(tensor):
        return map_(call, x)
    return algebra.add(algebra.exponential(tensor, call.place("an exponential")), constant(-1.0))


@primitive
def negative(call: Call, x: Value) -> Value:
    return algebra.negate(call.tensor(x))


@primitive
def add(call: Call, x: Value, y: Value, alpha: Value | None = None) -> Value:
    b = call.tensor(y)
    return call.interpreter.added(
        call.tensor(x), algebra.multiply(call.tensor(alpha), b) if alpha is not None else b, call.node
    )


@primitive
def subtract(call: Call, x: Value, y: Value) -> Value:
    return call.interpreter.subtracted(call.tensor(x), call.tensor(y), call.node)


@primitive
def multiply(call: Call, x: Value, y: Value) -> Value:
    return call.interpreter.multiplied(call.tensor(x), call.tensor(y), call.node)


@primitive
def divide(call: Call, x: Value, y: Value) -> Value:
    a, b = call.tensor(x), call.tensor(y)
    quotient = call.interpreter.formed(algebra.divide(a, b), a, b)
    return call.interpreter.placed(quotient, (a, b), call.node)


@primitive
def reciprocal(call: Call, x: Value) -> Value:
    return algebra.reciprocal(call.tensor(x))


@primitive
def power(call: Call, x: Value, y: Value) -> Value:
    return call.interpreter.bent(algebra.power(call.tensor(x), call.tensor(y).number()), call.tensor(x))


@primitive
def square(call: Call, x: Value) -> Value:
    return call.interpreter.bent(algebra.power(call.tensor(x), 2.0), call.tensor(x))


@primitive
def squared_difference(call: Call, x: Value, y: Value) -> Value:
    """(x - y)**2."""
    return square(call, subtract(call, x, y))


@primitive
def sqrt(call: Call, x: Value) -> Value:
    return algebra.power(call.tensor(x), 0.5)


@primitive
def xlogy(call: Call, x: Value, y: Value) -> Value:
    """x * log(y)."""
    a = call.tensor(x)
    log_y = algebra.logarithm(call.tensor(y), call.place(f"{call.name} takes the logarithm"))
    return call.interpreter.formed(algebra.multiply(a, log_y))


@primitive
def xlog1py(call: Call, x: Value, y: Value) -> Value:
    """x * log(1 + y)."""
    log_y = algebra.logarithm(
        algebra.add(constant(1.0), call.tensor(y)), call.place(f"{call.name} takes the logarithm")
    )
    return call.interpreter.formed(algebra.multiply(call.tensor(x), log_y))


@primitive
def entropy_terms(call: Call, x: Value) -> Value:
    """-x * log(x), elementwise."""
    a = call.tensor(x)
    log_a = algebra.logarithm(a, call.place(f"{call.name} takes the logarithm"))
    return call.interpreter.formed(algebra.negate(algebra.multiply(a, log_a)))


@primitive
def relative_entropy_terms(call: Call, x: Value, y: Value) -> Value:
    """x * log(x / y), elementwise."""
    a, b = call.tensor(x), call.tensor(y)
    place = call.place("x * log(x / y), elementwise")
    ratio = algebra.add(algebra.logarithm(a, place), algebra.negate(algebra.logarithm(b, place)))
    return call.interpreter.formed(algebra.multiply(a, ratio))


@primitive
def sigmoid(call: Call, x: Value) -> Value:
    """An independent probability per element: no support axis."""
    tensor = call.tensor(x)
    return from_atom(Atom(intern("sigmoid", tensor.terms), Role.SIGMOID), tensor.shape)


@primitive
def log_sigmoid(call: Call, x: Value) -> Value:
    tensor = call.tensor(x)
    key = intern("log", intern("sigmoid", tensor.terms))
    return from_atom(Atom(key, Role.LOG_SIGMOID, shape=tensor.shape), tensor.shape)


@primitive
def map_(call: Call, x: Value) -> Value:
    """Any other elementwise function: something new of the same shape, zero where |x| or expm1(x) of a mask is."""
    tensor = call.tensor(x)
    result = call.interpreter.shown_opaque(call.name, tensor.terms, shape=tensor.shape)
    if call.name == SOFTPLUS:
        return _softplus(result, tensor)
    if call.name.rstrip("_") not in _ZERO_AT_ZERO:
        return result
    if call.name.startswith(("abs", "fabs")) and _is_difference(tensor):
        algebra.unite_sides(tensor)
        place = call.place("the absolute value of a difference")
        result = algebra.map_atoms(result, lambda atom: altered(atom, kind="error", place=place))
    for mask in masks.common_masks(tensor):
        result = algebra.multiply(result, from_atom(mask, tensor.shape))
    return call.interpreter.bent(result, tensor)


def _softplus(result: Tensor, x: Tensor) -> Tensor:
    return algebra.map_atoms(result, lambda atom: altered(atom, kind=SOFTPLUS, argument=x))


@primitive
def logaddexp(call: Call, x: Value, y: Value) -> Value:
    """log(exp(x) + exp(y)): with 0 it is a softplus."""
    a, b = call.tensor(x), call.tensor(y)
    for zero, other in ((a, b), (b, a)):
        if zero.number() == 0:
            result = call.interpreter.shown_opaque(SOFTPLUS, other.terms, shape=other.shape)
            return _softplus(result, other)
    return call.opaque(algebra.joint_shape(a, b))


_ZERO_AT_ZERO: Final = frozenset("abs absolute fabs expm1 tanh sin".split())


def _is_difference(tensor: Tensor) -> bool:
    signs = {t.coefficient > 0 for t in tensor.terms if t.coefficient is not None}
    return len(tensor.terms) == 2 and len(signs) == 2


@primitive
def compare(call: Call, x: Value, y: Value | None = None) -> Value:
    """A comparison."""
    return call.opaque(call.tensor(x).shape)


@primitive
def comparison_with(call: Call, x: Value, y: Value) -> Value:
    """x.ne(y), tf.not_equal(x, y): a comparison that is spelled as a function."""
    op = getattr(ast, call.operation.extra)()
    return comparison(call.interpreter, op, x, y, call.node)


@primitive
def logical_not(call: Call, x: Value) -> Value:
    """The other positions, of a mask."""
    tensor = call.tensor(x)
    return masks.complement(tensor) or call.opaque(tensor.shape)


@primitive
def logical_and(call: Call, x: Value, y: Value) -> Value:
    """The positions of both masks; with any other condition it is no validity mask."""
    a, b = call.tensor(x), call.tensor(y)
    if masks.mask_of(a) is None or masks.mask_of(b) is None:
        return call.opaque(algebra.joint_shape(a, b))
    return algebra.multiply(a, b)


@primitive
def sequence_mask(call: Call, lengths: Value, length: Value | None = None) -> Value:
    """tf.sequence_mask(lengths, T): 1 up to each length."""
    tensor = call.tensor(lengths)
    place = call.place(f"{call.name} says which positions count")
    inside = algebra.relabelled(tensor, tensor.shape.with_axis(-1, Axis()))
    return masks.made(inside, place, "sequence_mask", kind=masks.OF_LENGTHS)


@primitive
def where(call: Call, condition: Value, x: Value | None = None, y: Value | None = None) -> Value:
    """where(mask, x, 0): the elements that are kept; else one or the other."""
    if x is None or y is None:
        return call.opaque()
    a, b = call.tensor(x), call.tensor(y)
    chosen = call.tensor(condition)
    if _is_zero(b) and _is_one_hot(chosen):
        return call.interpreter.formed(algebra.multiply(chosen, a))
    if _is_zero(b) and (kept := masks.mask_of(chosen)) is not None and masks.is_valid(kept):
        return call.interpreter.placed(algebra.multiply(chosen, a), (a,), call.node)
    if _is_zero(a) and (others := masks.complement(chosen)) is not None:
        return call.interpreter.placed(algebra.multiply(others, b), (b,), call.node)
    if _is_zero(a) and _is_one_hot(chosen):
        other = algebra.add(constant(1.0), algebra.negate(chosen))
        return call.interpreter.formed(algebra.multiply(other, b))
    if a.number() is not None and not b.shape.is_scalar:
        return b
    if b.number() is not None or b.shape.is_scalar:
        return a
    return call.interpreter.one_of([a, b])


@primitive
def where_method(call: Call, x: Value, condition: Value, y: Value | None = None) -> Value:
    """x.where(mask, other)."""
    return where(call, condition, x, y)


@primitive
def masked_fill(call: Call, x: Value, mask: Value | None = None, value: Value | None = None) -> Value:
    """The elements that are kept: those of the label, if the mask is the complement of a one-hot target."""
    if mask is not None and _is_one_hot(call.tensor(mask)):
        kept = algebra.add(constant(1.0), algebra.negate(call.tensor(mask)))
        return call.interpreter.formed(algebra.multiply(call.tensor(x), kept))
    if mask is not None and value is not None and _is_zero(call.tensor(value)):
        others = masks.kept_by_filling(call.tensor(mask))
        if others is not None:
            a = call.tensor(x)
            return call.interpreter.placed(algebra.multiply(a, others), (a,), call.node)
    return x


def _is_zero(tensor: Tensor) -> bool:
    return tensor.number() == 0.0


def _is_one_hot(tensor: Tensor) -> bool:
    return any(atom.role is Role.ONE_HOT for atom in tensor.atoms())


def comparison(interpreter: Evaluator, op: ast.cmpop, x: Value, y: Value, node: ast.AST) -> Value:
    """x == y: labels against the class numbers make a one-hot target; a one-hot against 1 is itself."""
    a = interpreter.as_tensor(x)
    if isinstance(y, Const) and (y.value is None or isinstance(y.value, str)):
        return interpreter.computed(a.shape) if not a.shape.is_scalar else interpreter.opaque()
    b = interpreter.as_tensor(y)
    if isinstance(op, ast.Eq):
        for classes, labels in ((a, b), (b, a)):
            atom = classes.single()
            if atom is not None and atom.kind == "arange" and atom.axis is not None:
                shape = labels.shape.without(AxesSpec.at(-1)).with_axis(-1, atom.axis)
                interpreter.note_labels(labels)
                place = Place(node, "labels compared with the class numbers are a one-hot target")
                key = intern("one_hot", labels.terms)
                return from_atom(Atom(key, Role.ONE_HOT, atom.axis, place=place), shape)
            if _is_one_hot(classes) and labels.number() == 1:
                return classes
    if _holds_for_probabilities(a, op, b.number()):
        return masks.of_everything(a, Place(node, "this holds for every probability"))
    if isinstance(op, ast.Gt | ast.NotEq) and _is_one_hot(a) and b.number() is not None:
        return a
    for one, other, how in ((a, b, op), (b, a, _SWAPPED.get(type(op), ast.Is)())):
        mask = _validity(interpreter, one, other, how, node)
        if mask is not None:
            return mask
    return interpreter.computed(a.shape) if not a.shape.is_scalar else interpreter.opaque()


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


def _validity(interpreter: Evaluator, a: Tensor, b: Tensor, op: ast.cmpop, node: ast.AST) -> Tensor | None:
    """`ids != pad_id`, `labels != -100`, `arange(T) < lengths`: which positions count."""
    inner, bound = a.single(), b.single()
    if inner is None or b.terms == a.terms or inner.key in interpreter.picked:
        return None
    if inner.kind == "arange" and isinstance(op, ast.Lt | ast.LtE | ast.Gt | ast.GtE):
        per_example = b.shape.is_stretched
        if bound is None or bound.kind == "arange" or not (per_example or masks.is_length_name(bound.names)):
            return None
        place = Place(node, "positions compared with the lengths are a validity mask")
        if per_example and inner.axis is not None:
            b = algebra.relabelled(b, _of_lengths(a.shape, b.shape, inner.axis))
        padding = isinstance(op, ast.Gt | ast.GtE)
        return masks.made(b, place, "arange", padding=padding, shown=per_example, kind=masks.OF_LENGTHS)
    number = b.number()
    if masks.mask_of(a) is not None and number in (0.0, 1.0):
        same = isinstance(op, ast.Gt | ast.GtE) or isinstance(op, ast.NotEq) == (number == 0.0)
        return a if same else masks.complement(a)
    ids = inner.role is Role.OPAQUE and masks.is_id_name(inner.names)
    if isinstance(op, ast.Eq | ast.NotEq):
        says_so = bound is not None and masks.is_padding_name(bound.names)
        if not says_so and number != -100.0 and not (ids and number in (-1.0, 0.0, 255.0)):
            return None
        place = Place(node, "what is not the padding is a validity mask")
        is_padding, shown = isinstance(op, ast.Eq), number == -100.0
        if shown:
            interpreter.note_labels(a)
        return masks.made(a, place, bound.key if bound else number, padding=is_padding, shown=shown)
    place = Place(node, "labels that are not negative count")
    is_not_negative = number == (0.0 if isinstance(op, ast.GtE) else -1.0 if isinstance(op, ast.Gt) else None)
    if is_not_negative and inner.key in interpreter.labels:
        return masks.made(a, place, number)
    if ids and number in (0.0, -1.0, -100.0) and (isinstance(op, ast.Gt) or is_not_negative):
        return masks.made(a, place, number, shown=False)
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


@primitive
def arange(call: Call, start: Value, stop: Value | None = None) -> Value:
    """0, 1, ..., n - 1 along a new axis."""
    axis = Axis(integer(start) if stop is None else None)
    if stop is None and integer(start) is None:
        _length_of(call.tensor(start), axis)
    key = intern("arange", axis)
    return from_atom(Atom(key, axis=axis, kind="arange"), Shape.of([axis]))


@primitive
def softmax(call: Call, x: Value, axis: Value | None = None) -> Value:
    """A distribution over `axis`."""
    tensor = call.tensor(x)
    over, shown = _support(call, tensor, axis)
    place = call.place(f"{call.name} over {_axis_text(axis, call)} gives probabilities")
    key = algebra.softmax_key(tensor.terms, over)
    return from_atom(Atom(key, Role.PROBS, over, place=place, shown=shown), tensor.shape)


@primitive
def log_softmax(call: Call, x: Value, axis: Value | None = None) -> Value:
    """The logarithm of a distribution over `axis`."""
    tensor = call.tensor(x)
    over, shown = _support(call, tensor, axis)
    place = call.place(f"{call.name} over {_axis_text(axis, call)} gives log-probabilities")
    atom = algebra.log_probs_atom(algebra.softmax_key(tensor.terms, over), over, place, shown)
    return from_atom(atom, tensor.shape)


def _support(call: Call, tensor: Tensor, axis: Value | None) -> tuple[Axis | None, bool]:
    position = integer(axis)
    if position is None and (axis is None or literal(axis) is None):
        position = call.operation.default_axis
        if position is None and tensor.shape.rank != 1:
            return None, False  # everything, or an axis that depends on the rank
        return tensor.shape.axis(-1 if position is None else position), True
    if position is None:
        return None, False
    return tensor.shape.axis(position), True


def _axis_text(axis: Value | None, call: Call) -> str:
    position = integer(axis)
    if position is None:
        position = call.operation.default_axis
    return "the last axis" if position in (None, -1) else f"axis {position}"


@primitive
def one_hot(call: Call, labels: Value, classes: Value | None = None, axis: Value | None = None) -> Value:
    """A one-hot target: a new class axis behind those of the labels."""
    tensor = call.tensor(labels)
    call.interpreter.note_labels(tensor, each=True)
    size = integer(classes)
    support = Axis(size)
    if classes is not None and size is None:
        _length_of(call.tensor(classes), support)
    position = integer(axis)
    shape = tensor.shape.with_axis(-1 if position is None else position, support)
    place = call.place(f"{call.name} gives a one-hot target")
    key = intern("one_hot", tensor.terms, call.tensor(classes).terms if classes is not None else ())
    return from_atom(Atom(key, Role.ONE_HOT, support, place=place), shape)


def _length_of(count: Tensor, axis: Axis) -> None:
    """Record that `count` is the length of `axis`."""
    atom = count.single()
    if atom is None:
        return
    if atom.role is Role.COUNT and atom.axis is not None:
        atom.axis.unite(axis)
    else:
        axis.symbols.add(atom.key)


@primitive
def eye(call: Call, n: Value, m: Value | None = None) -> Value:
    """The identity matrix, whose rows are one-hot vectors."""
    classes = m if m is not None and literal(m) is not None else n
    size = integer(classes)
    support = Axis(size)
    if size is None:
        _length_of(call.tensor(classes), support)
    place = call.place("rows of the identity are one-hot targets")
    key = intern("eye", call.tensor(classes).terms)
    shape = Shape.of([Axis(), support])
    return from_atom(Atom(key, Role.ONE_HOT, support, place=place, shape=shape if m is None else None), shape)


@primitive
def to_categorical(call: Call, labels: Value, classes: Value | None = None) -> Value:
    return one_hot(call, labels, classes)


@primitive
def zeros(call: Call, *shape: Value) -> Value:
    """Zeros of a shape that is given."""
    from batchmean.engine.primitives.layout import shape_from

    return Tensor((), shape_from(call, shape))


@primitive
def ones(call: Call, *shape: Value) -> Value:
    """Ones, or random numbers, of a shape that is given."""
    from batchmean.engine.primitives.layout import shape_from

    return call.opaque(shape_from(call, shape))


@primitive
def zeros_like(call: Call, x: Value) -> Value:
    """Zeros of the shape of x."""
    return Tensor((), call.tensor(x).shape)


@primitive
def filled_like(call: Call, x: Value, value: Value | None = None) -> Value:
    """An array filled with one number."""
    number = literal(value)
    filled = constant(float(number) if isinstance(number, int | float) else 1.0)
    return altered(filled, shape=call.tensor(x).shape)


@primitive
def scatter(
    call: Call, x: Value, axis: Value | None = None, index: Value | None = None, value: Value | None = None
) -> Value:
    """zeros.scatter(axis, labels, 1) writes a one-hot target; on a constant it is label smoothing."""
    tensor = call.tensor(x)
    position = integer(axis)
    if position is None or any(term.factors and _is_array(term) for term in tensor.terms):
        return call.opaque(tensor.shape)
    support = tensor.shape.axis(position)
    place = call.place(f"{call.name} writes a one-hot target along axis {position}")
    labels = call.tensor(index).terms if index is not None else ()
    key = intern("scatter", labels, support.root() if support else None)
    return from_atom(Atom(key, Role.ONE_HOT, support, place=place), tensor.shape)


@primitive
def put_along_axis(
    call: Call, x: Value, index: Value | None = None, value: Value | None = None, axis: Value | None = None
) -> Value:
    """numpy.put_along_axis(zeros, labels, 1, axis) writes a one-hot target into its first argument."""
    holder = call.node.args[0] if isinstance(call.node, ast.Call) and call.node.args else None
    if isinstance(holder, ast.Name):
        call.interpreter.scope.names[holder.id] = scatter(call, x, axis, index, value)
    return Const(None)


def _is_array(term: object) -> bool:
    return any(
        atom.role not in (Role.COUNT, Role.OPAQUE)
        for atom, _ in term.factors  # type: ignore[attr-defined]
    )


@primitive
def constant_number(call: Call) -> Value:
    """A number such as an epsilon."""
    return Const(1e-8)
