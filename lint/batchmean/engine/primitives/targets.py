"""Arrays that are made: one-hot targets in all their spellings, zeros and ones."""

from __future__ import annotations

import ast

from batchmean.engine.domain import algebra
from batchmean.engine.domain.axes import Axis
from batchmean.engine.domain.shapes import Shape
from batchmean.engine.domain.tensors import PLAIN, SCALAR, Role, Tensor, altered, atom_of, constant, from_atom
from batchmean.engine.domain.values import Const, Value
from batchmean.engine.primitives.registry import Call, integer, literal, primitive


@primitive
def one_hot(
    call: Call,
    labels: Value,
    classes: Value | None = None,
    axis: Value | None = None,
    value: Value | None = None,
) -> Value:
    """A one-hot target: a new class axis behind those of the labels."""
    tensor = call.tensor(labels)
    call.context.note_labels(tensor, each=True)
    size = integer(classes)
    support = Axis(size)
    if classes is not None and size is None:
        length_of(call.tensor(classes), support)
    position = integer(axis)
    shape = tensor.shape.with_axis(-1 if position is None else position, support)
    place = call.place(f"{call.name} gives a one-hot target")
    target = from_atom(
        atom_of(
            ("one_hot", tensor.terms, call.tensor(classes).terms if classes is not None else ()),
            Role.ONE_HOT,
            support,
            place=place,
        ),
        shape,
    )
    return _times(call, target, value)


def length_of(count: Tensor, axis: Axis) -> None:
    """Record that `count` is the length of `axis`."""
    atom = count.single()
    if atom is None:
        return
    if atom.role is Role.COUNT and atom.axis is not None:
        atom.axis.unite(axis)
    else:
        axis.symbols.add(atom.key)


def numbered(length: Tensor) -> Tensor:
    """0, 1, ..., n - 1 along a new axis."""
    axis = Axis()
    length_of(length, axis)
    return from_atom(atom_of(("arange", axis), axis=axis, kind="arange"), Shape.of([axis]))


@primitive
def eye(call: Call, n: Value, m: Value | None = None) -> Value:
    """The identity matrix, whose rows are one-hot vectors."""
    classes = m if m is not None and literal(m) is not None else n
    size = integer(classes)
    support = Axis(size)
    if size is None:
        length_of(call.tensor(classes), support)
    place = call.place("rows of the identity are one-hot targets")
    shape = Shape.of([Axis(), support])
    return from_atom(
        atom_of(
            ("eye", call.tensor(classes).terms),
            Role.ONE_HOT,
            support,
            place=place,
            shape=shape if m is None else None,
        ),
        shape,
    )


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
    return _filled(call, call.tensor(x).shape, value)


@primitive
def full(call: Call, shape: Value, value: Value | None = None) -> Value:
    """An array of a shape that is given, filled with one number."""
    from batchmean.engine.primitives.layout import shape_from

    filled = _filled(call, shape_from(call, (shape,)), value)
    number = filled.number()
    # No count, then it stands for any array, as ones do: people try their losses with such.
    return call.context.opaque() if number is not None and 0 < abs(number) <= max(PLAIN) else filled


def _filled(call: Call, shape: Shape, value: Value | None) -> Tensor:
    number = constant(1.0) if value is None else call.tensor(value)
    return Tensor(number.terms, shape)


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
    target = from_atom(
        atom_of(("scatter", labels, support.root() if support else None), Role.ONE_HOT, support, place=place),
        tensor.shape,
    )
    return _times(call, target, value)


def _times(call: Call, target: Tensor, value: Value | None) -> Tensor:
    """A target in which another number than 1 stands for the label: a count, or what smoothing leaves of 1."""
    number = call.tensor(value) if value is not None else constant(1.0)
    shown = number.number()
    if (shown is None or abs(shown) <= 1) and not any(
        a.role is Role.COUNT or a.numbers for a in number.atoms()
    ):
        return target
    atom = target.single()
    if shown is not None and (atom is None or atom.axis is None or atom.axis.size is None):
        number = call.context.anything()  # it may well be how many there are
    return altered(algebra.multiply(target, altered(number, shape=SCALAR)), shape=target.shape)


@primitive
def put_along_axis(
    call: Call, x: Value, index: Value | None = None, value: Value | None = None, axis: Value | None = None
) -> Value:
    """numpy.put_along_axis(zeros, labels, 1, axis) writes a one-hot target into its first argument."""
    holder = call.node.args[0] if isinstance(call.node, ast.Call) and call.node.args else None
    if isinstance(holder, ast.Name):
        call.context.scope.names[holder.id] = scatter(call, x, axis, index, value)
    return Const(None)


def _is_array(term: object) -> bool:
    return any(
        atom.role not in (Role.COUNT, Role.OPAQUE)
        for atom, _ in term.factors  # type: ignore[attr-defined]
    )
