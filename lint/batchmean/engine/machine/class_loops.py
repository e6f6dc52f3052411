"""Loops through the classes that add up a mean over the examples of each, read as what they make of the whole array.

    for c in range(C):
        loss += -(y[:, c] * logp[:, c]).mean()

is the sum over the classes of `-(y * logp)`, averaged over all its other axes; in a list, or a comprehension, it is a
number for each class. Read is only what takes the same column of all its arrays, every class once, by its number.
"""

from __future__ import annotations

import ast
from collections.abc import Set
from functools import partial
from typing import Final

from batchmean import operations
from batchmean.engine.domain.axes import ALL_AXES, AxesSpec, Axis
from batchmean.engine.domain.broadcasting import relabelled
from batchmean.engine.domain.shapes import Shape
from batchmean.engine.domain.tensors import How, Integrand, Reduction, Role, Tensor, altered
from batchmean.engine.domain.values import MAX_TOLD_APART, TupleValue, Value
from batchmean.engine.evidence.names import is_class_count_name
from batchmean.engine.machine import binding
from batchmean.engine.machine.base import Machine
from batchmean.engine.machine.items import (
    ELEMENTWISE,
    METHODS,
    Comprehension,
    NotRead,
    is_plain,
    primitive_of,
)
from batchmean.engine.primitives import arithmetic
from batchmean.engine.primitives.reducing import opened, reduce
from batchmean.engine.primitives.registry import Call, integer
from batchmean.engine.primitives.targets import length_of
from batchmean.engine.syntax import added_to
from batchmean.nodes import nodes

_MOST_STATEMENTS: Final = 6
_MOST_PARTS: Final = 64
_SUM: Final = "builtins.sum"


class _Columns:
    """Reads an expression of one class as one of the whole arrays."""

    def __init__(self, context: Machine, index: str | int) -> None:
        self._context = context
        self._index = index
        """The name of the class, or its number."""
        self._names: dict[str, ast.expr] = {}
        self._parts = 0
        self.position: int | None = None
        """Where the classes are: in the arrays whose columns are taken."""
        self.mean: ast.expr | None = None
        """The call that takes the mean over the examples."""

    def store(self, name: str, value: ast.expr) -> None:
        """What a name stands for in each round."""
        self._names[name] = value

    def averaged(self, node: ast.expr) -> ast.expr:
        """The whole array of which this is the mean for one class, with its sign."""
        if isinstance(node, ast.Name) and node.id in self._names:
            return self.averaged(self._names[node.id])
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return ast.copy_location(ast.UnaryOp(node.op, self.averaged(node.operand)), node)
        if not isinstance(node, ast.Call) or node.keywords or self.mean is not None:
            raise NotRead
        function = node.func
        if primitive_of(self._context, node) == "mean" and len(node.args) == 1:
            self.mean = node
            return self.whole(node.args[0])
        if isinstance(function, ast.Attribute) and not node.args:
            if function.attr == "item":
                return self.averaged(function.value)
            if function.attr == "mean" and not is_plain(function.value):
                self.mean = node
                return self.whole(function.value)
        raise NotRead

    def whole(self, node: ast.expr) -> ast.expr:
        """The expression over whole arrays of which this one has the column."""
        self._context.spend()
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise NotRead
        if isinstance(node, ast.Constant):
            return node
        if isinstance(node, ast.Name) and node.id in self._names:
            return self.whole(self._names[node.id])
        if isinstance(node, ast.Subscript):
            return self._column(node)
        if isinstance(node, ast.BinOp) and isinstance(
            node.op, ast.Add | ast.Sub | ast.Mult | ast.Div | ast.Pow
        ):
            return ast.copy_location(ast.BinOp(self.whole(node.left), node.op, self.whole(node.right)), node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return ast.copy_location(ast.UnaryOp(node.op, self.whole(node.operand)), node)
        if isinstance(node, ast.Call) and not node.keywords:
            function = node.func
            if primitive_of(self._context, node) in ELEMENTWISE:
                return ast.copy_location(ast.Call(function, [self.whole(a) for a in node.args], []), node)
            if isinstance(function, ast.Attribute) and function.attr in METHODS:
                of = ast.copy_location(
                    ast.Attribute(self.whole(function.value), function.attr, ast.Load()), node
                )
                return ast.copy_location(ast.Call(of, [self.whole(a) for a in node.args], []), node)
        raise NotRead

    def _column(self, node: ast.Subscript) -> ast.expr:
        """`x[:, c]`, `x[:, c, :, :]`, `x[..., c]`."""
        items = node.slice.elts if isinstance(node.slice, ast.Tuple) else []
        places = [i for i, item in enumerate(items) if self._is_index(item)]
        if len(places) != 1 or not is_plain(node.value) or self._index in _names_in(node.value):
            raise NotRead
        place = places[0]
        before, behind = items[:place], items[place + 1 :]
        if any(map(_is_rest, before)):
            if len(before) != 1 or behind:
                raise NotRead
            position = -1
        else:
            position = place
        if not position or not all(map(_is_all, (*before, *behind))) or self.position not in (None, position):
            raise NotRead
        self.position = position
        return node.value

    def _is_index(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Constant):
            return type(node.value) is int and node.value == self._index
        return isinstance(node, ast.Name) and node.id == self._index


def add_up_classes(context: Machine, node: ast.For, relevant: Set[ast.AST] | None) -> bool:
    """Does a loop add up, or list, the mean of each class, and no more? Then the names have what it leaves."""
    extent = _extent(context, node.target, node.iter)
    if extent is None or node.orelse or len(node.body) > _MOST_STATEMENTS:
        return False
    assert isinstance(node.target, ast.Name)
    columns = _Columns(context, node.target.id)
    *before, last = [
        statement
        for statement in node.body
        if relevant is None or statement in relevant or not isinstance(statement, ast.Expr)
    ] or node.body
    try:
        for statement in before:
            target = statement.targets[0] if isinstance(statement, ast.Assign) else None
            if (
                not isinstance(target, ast.Name)
                or not isinstance(statement, ast.Assign)
                or added_to(statement)
            ):
                return False
            columns.store(target.id, statement.value)
        adding, listed = added_to(last), _appended(last)
        added = adding[2] if adding is not None else listed[1] if listed is not None else None
        if added is None:
            return False
        elements = columns.averaged(added)
    except NotRead:
        return False
    each = _each_class(context, columns, elements, extent)
    if each is None:
        return False
    context.ledger.seen.update(nodes(node))
    if listed is not None:
        if context.scope.find(listed[0]) != TupleValue((), is_list=True):
            return False
        context.scope.names[listed[0]] = each
        return True
    assert adding is not None
    name, operator, _ = adding
    operation = operations.function(_SUM)
    assert operation is not None
    total = reduce(Call(context, added, operation), each, ALL_AXES, False, "sum")
    target = ast.copy_location(ast.Name(name, ast.Load()), last)
    after = partial(_after, context, operator, last)
    binding.bind(context, target, context.lift(after, context.evaluate(target), total))
    return True


def classes_of(context: Machine, node: Comprehension) -> Value | None:
    """The numbers that a comprehension makes, a mean for each class; None for all others."""
    generator = node.generators[0]
    if len(node.generators) != 1 or generator.ifs or generator.is_async:
        return None
    extent = _extent(context, generator.target, generator.iter)
    if extent is None:
        return None
    assert isinstance(generator.target, ast.Name)
    columns = _Columns(context, generator.target.id)
    try:
        elements = columns.averaged(node.elt)
    except NotRead:
        return None
    found = _each_class(context, columns, elements, extent)
    if found is not None:
        context.ledger.seen.update(nodes(node))
    return found


def listed_classes(context: Machine, node: ast.expr) -> Value | None:
    """`[loss[:, 0], loss[:, 1]]` or their means, to be stacked: one array with the classes first."""
    parts = node.elts if isinstance(node, ast.List | ast.Tuple) else []
    if not 2 <= len(parts) <= MAX_TOLD_APART:
        return None
    read: list[_Columns] = []
    found: list[ast.expr] = []
    for number, part in enumerate(parts):
        for is_mean in (True, False):
            columns = _Columns(context, number)
            try:
                found.append(columns.averaged(part) if is_mean else columns.whole(part))
            except NotRead:
                continue
            read.append(columns)
            break
        else:
            return None
    first = read[0]
    alike = {
        (ast.dump(each), columns.position, columns.mean is None)
        for each, columns in zip(found, read, strict=True)
    }
    if len(alike) != 1 or first.position is None:
        return None
    count = ast.copy_location(ast.Constant(len(parts)), node)
    if first.mean is not None:
        return _each_class(context, first, found[0], count)
    return _classes_first(context, first.position, found[0], count)


def _classes_first(context: Machine, position: int, elements: ast.expr, extent: ast.expr) -> Tensor | None:
    """A loss of each class and example, with the classes in front."""
    array = context.evaluate(elements)
    axis = array.shape.axis(position) if isinstance(array, Tensor) else None
    if (
        not isinstance(array, Tensor)
        or axis is None
        or (account := _of_classes(context, array, axis)) is None
    ):
        return None
    tied = _is_length(context, extent, axis)
    if tied is None:
        return None
    axis, integrand = _known_by(context, extent, axis, account.integrand, tied)
    shape = array.shape.without(AxesSpec.at(position)).with_axis(0, axis)
    return altered(array, shape=shape, reductions=(altered(account, integrand=integrand),))


def _known_by(
    context: Machine, extent: ast.expr, axis: Axis, integrand: Integrand, tied: bool
) -> tuple[Axis, Integrand]:
    """The axis of the classes, and the loss; of a list that need not hold all of them the axis is one of its own."""
    if tied:
        return axis, integrand
    if (size := integer(context.evaluate(extent))) is not None:
        axis = Axis(size)
    return axis, altered(integrand, support=axis, proved=False)


def _of_classes(context: Machine, array: Tensor, axis: Axis) -> Reduction | None:
    """The account of a loss of each class, if its classes are on that axis and nothing was reduced yet."""
    accounts = opened(array, context.stack)
    if len(accounts) != 1 or accounts[0].steps:
        return None
    account = accounts[0]
    is_class = account.support == "alive" and account.integrand.symbol == "V" and account.mask is None
    return account if is_class and axis.is_same(account.integrand.support) else None


def _after(
    context: Machine, operator: type[ast.operator], node: ast.AST, before: Value, value: Value
) -> Value:
    return arithmetic.binary(context, operator, before, value, node)


def _extent(context: Machine, target: ast.expr, iterable: ast.expr) -> ast.expr | None:
    """The number of the rounds, of a loop through `range(n)`."""
    if not isinstance(target, ast.Name) or not isinstance(iterable, ast.Call) or len(iterable.args) != 1:
        return None
    return iterable.args[0] if primitive_of(context, iterable) == "range" and not iterable.keywords else None


def _appended(node: ast.stmt) -> tuple[str, ast.expr] | None:
    """`losses.append(x)`: the name of the list, and x."""
    call = node.value if isinstance(node, ast.Expr) else None
    if (
        not isinstance(call, ast.Call)
        or not isinstance(call.func, ast.Attribute)
        or call.func.attr != "append"
    ):
        return None
    holder = call.func.value
    is_one = len(call.args) == 1 and not call.keywords and isinstance(holder, ast.Name)
    return (holder.id, call.args[0]) if is_one and isinstance(holder, ast.Name) else None


def _each_class(context: Machine, columns: _Columns, elements: ast.expr, extent: ast.expr) -> Tensor | None:
    """The mean of each class over all other axes, if it is a loss of which the loop runs through the classes."""
    assert columns.mean is not None and columns.position is not None
    array = context.evaluate(elements)
    if not isinstance(array, Tensor):
        return None
    axis = array.shape.axis(columns.position)
    if axis is None or (account := _of_classes(context, array, axis)) is None:
        return None
    tied = _is_length(context, extent, axis)
    if tied is None:
        return None
    step = altered(context.step(columns.mean, "mean"), shape=array.shape)
    axis, integrand = _known_by(context, extent, axis, account.integrand, tied)
    first = array.shape.axis(0) if columns.position > 0 else None
    others: tuple[tuple[Axis, How], ...] = ((first or Axis(), "mean"),)  # and all behind them, with them
    found = altered(account, integrand=integrand, units=others, steps=(*account.steps, step), parent=account)
    result = relabelled(context.computed(), Shape.of([axis]))
    return altered(result, reductions=(context.record(found),), stack=array.stack)


def _is_length(context: Machine, extent: ast.expr, axis: Axis) -> bool | None:
    """Is a number shown to be the length of an axis? False where only its name says so, None where nothing does."""
    value = context.evaluate(extent)
    if (size := integer(value)) is not None:
        # Of a list the length is not asked for: it may be that of an axis whose length nothing shows.
        return (
            True
            if axis.size == size
            else False
            if axis.size is None and type(extent) is ast.Constant
            else None
        )
    atom = context.as_tensor(value).single()
    if atom is None:
        return None
    if atom.role is Role.COUNT and atom.axis is not None:
        return True if atom.axis.is_same(axis) else None
    if atom.key in axis.symbols:
        return True
    if axis.size is None and not axis.symbols and is_class_count_name(atom.names):
        length_of(context.as_tensor(value), axis)
        return False
    return None


def _is_all(node: ast.expr) -> bool:
    is_slice = isinstance(node, ast.Slice) and node.lower is node.upper is node.step is None
    return is_slice or _is_rest(node)


def _is_rest(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is ...


def _names_in(node: ast.expr) -> set[str]:
    return {part.id for part in nodes(node) if isinstance(part, ast.Name)}
