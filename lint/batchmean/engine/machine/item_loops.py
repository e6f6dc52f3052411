"""Loops through the items of arrays that add up a loss, read as the sum over the whole arrays.

    for i in range(n):
        for k in range(K):
            loss -= y[i][k] * math.log(p[i][k])

is `loss -= sum(y * log(p))` over two axes, and so are `zip`, `enumerate` and comprehensions in each other. Read is only
what is the same for every item: no condition, no item of another round, nothing that the loop itself changes. All
other loops are walked as they stand.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence, Set
from typing import Final

from batchmean.engine.machine.base import Machine
from batchmean.engine.machine.items import (
    MAX_LEVELS,
    Added,
    Comprehension,
    Items,
    Loop,
    NotRead,
    Reading,
    Total,
)
from batchmean.engine.syntax import added_to
from batchmean.nodes import nodes

_MOST_STATEMENTS: Final = 16
"""A loop whose body is longer does more than to add up a loss."""
_ENDS: Final = (ast.Break, ast.Continue, ast.Return, ast.Raise)


class Reader(Items):
    """Reads loops; whatever is not understood raises `NotRead`."""

    def __init__(self, context: Machine, relevant: Set[ast.AST] | None = None) -> None:
        super().__init__(context)
        self._relevant = relevant
        self._is_inner = False
        self.added: list[Added] = []
        """Not a part of the reading, which the sums in it know: no tree is to be left to the collector."""

    def loop(self, node: ast.For) -> None:
        """Read a loop and those in it."""
        if node.orelse or len(node.body) > _MOST_STATEMENTS:
            raise NotRead
        self.run_through(node.target, node.iter)
        for statement in node.body:
            self._context.spend()
            if self._relevant is None or statement in self._relevant:
                self._statement(statement)
            else:
                self._pass_over(statement)
        self.leave()

    def finish(self) -> Reading:
        """The reading, if no name in it means something else from round to round."""
        if not self.reading.arrays or self._loaded & self._stored:
            raise NotRead
        return self.reading

    def run_through(self, target: ast.expr, iterable: ast.expr) -> None:
        """Enter a loop: what its variables stand for."""
        if self._level >= MAX_LEVELS or len(self.reading.loops) > self._level:
            raise NotRead  # another one in its place may run through something else
        loop = Loop()
        self._bind(target, iterable, loop)
        self.reading.loops.append(loop)
        self._level += 1

    def leave(self) -> None:
        """Leave the innermost loop."""
        self._level -= 1

    def _bind(self, target: ast.expr, iterable: ast.expr, loop: Loop) -> None:
        called = self._called(iterable) if isinstance(iterable, ast.Call) else ""
        if isinstance(iterable, ast.Call) and called in ("range", "zip", "enumerate"):
            if iterable.keywords or any(isinstance(a, ast.Starred) for a in iterable.args):
                raise NotRead
            given = iterable.args
            if called == "range" and isinstance(target, ast.Name):
                if len(given) == 2 and isinstance(given[0], ast.Constant) and given[0].value == 0:
                    given = given[1:]
                if len(given) != 1:
                    raise NotRead
                self._store(target.id)
                loop.index = target.id
                loop.extent = self._extent(given[0])
                return
            parts = target.elts if isinstance(target, ast.Tuple | ast.List) else []
            if called == "zip" and len(parts) == len(given) > 0:
                for part, row in zip(parts, given, strict=True):
                    self._item(part, row)
                return
            if called == "enumerate" and len(given) == 1 and len(parts) == 2:
                if not isinstance(parts[0], ast.Name):
                    raise NotRead
                self._store(parts[0].id)
                loop.index = parts[0].id
                self._bind(parts[1], given[0], Loop())
                return
            raise NotRead
        self._item(target, iterable)

    def _item(self, target: ast.expr, iterable: ast.expr) -> None:
        if not isinstance(target, ast.Name):
            raise NotRead
        array = self._array(iterable)
        if array is None or array[1] != self._level:
            raise NotRead
        self._note(array[0], self._level + 1)
        self._store(target.id)
        self._items[target.id] = array[0], self._level + 1

    def _extent(self, node: ast.expr) -> ast.expr | None:
        """The number of rounds; of `len(y[i])` the array says it."""
        if isinstance(node, ast.Call) and self._called(node) == "len" and len(node.args) == 1:
            array = self._array(node.args[0])
            if array is not None and array[1] == self._level:
                self._note(array[0], self._level + 1)
                return None
        return self._same(node)

    def _statement(self, node: ast.stmt) -> None:
        if not isinstance(node, ast.For):
            self.measure(node)
        if isinstance(node, ast.For):
            inner = len(self.added)
            self.loop(node)
            self._end_sums(inner)
            return
        if (adding := added_to(node)) is not None:
            self._add(node, *adding)
            return
        if isinstance(node, ast.If):
            self._guard(node)
            return
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if isinstance(node.value, ast.Constant) and node.value.value == 0:
                self._store(name)
                self._sums[name] = node.value
                return
            array, before = self._array(node.value), self._size
            if array is None and self._varies(node.value):
                array = self.elements(node.value), self._level
            elif array is None:
                raise NotRead
            self._store(name)
            self._items[name], self._sizes[name] = array, self._size - before
            return
        raise NotRead

    def _guard(self, node: ast.If) -> None:
        """`if y[i][k] > 0:` before `y[i][k] * log(...)` is added: what it leaves out is zero."""
        if _refuses(node):
            return
        if node.orelse:
            raise NotRead
        guarded = self._guarded(node.test)
        if guarded is None:
            raise NotRead
        for statement in node.body:
            adding = added_to(statement)
            if adding is None or not self._holds(adding[2], guarded):
                raise NotRead
            self._add(statement, *adding)
        self.reading.is_guarded = True

    def _guarded(self, test: ast.expr) -> str | None:
        """The item that is asked to be above zero, or not zero, as the text of its array."""
        if isinstance(test, ast.Compare) and len(test.ops) == 1:
            limit = test.comparators[0]
            is_zero = isinstance(limit, ast.Constant) and limit.value == 0
            if not (is_zero and isinstance(test.ops[0], ast.Gt | ast.NotEq)):
                return None
            test = test.left
        array = self._array(test)
        return ast.dump(array[0]) if array is not None and array[1] == self._level == MAX_LEVELS else None

    def _holds(self, node: ast.expr, array: str) -> bool:
        """Is an item of this array multiplied with all of the expression, or its logarithm taken?"""
        while isinstance(node, ast.UnaryOp):
            node = node.operand
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            return self._holds(node.left, array) or self._holds(node.right, array)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            return self._holds(node.left, array)
        if isinstance(node, ast.Call) and len(node.args) == 1:
            return self._holds(node.args[0], array)
        found = self._array(node)
        return found is not None and ast.dump(found[0]) == array

    def _pass_over(self, node: ast.stmt) -> None:
        """A statement that has nothing to do with a loss, but may end the round."""
        if _refuses(node):
            return
        for part in nodes(node):
            self._context.spend()
            if isinstance(part, _ENDS):
                raise NotRead
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                self._store(part.id)

    def _add(self, node: ast.stmt, name: str, operator: type[ast.operator], value: ast.expr) -> None:
        self._stored.add(name)
        self._varying.clear()
        if not self._varies(value):
            same = self._same(value)
            if name in self._sums:
                raise NotRead
            self.added.append(Added(node, name, operator, None, same, self._level))
            return
        whole = self.linear(value)
        if name in self._sums and self._level < MAX_LEVELS:
            raise NotRead
        self.added.append(Added(node, name, operator, whole, levels=self._level))

    def _end_sums(self, first: int) -> None:
        """After an inner loop: what it added to a sum that is begun anew in each round is that sum."""
        for added in self.added[first:]:
            if added.name not in self._sums:
                continue
            if not isinstance(self._sums[added.name], ast.Constant) or added.value is None:
                raise NotRead
            value = added.value
            if added.operator is ast.Sub:
                value = ast.copy_location(ast.UnaryOp(ast.USub(), value), value)
            self._sums[added.name] = value
            self.added.remove(added)

    def linear(self, node: ast.expr) -> ast.expr:
        """What is added in all rounds together: the sum of elements, or sums of rows times what is always the same."""
        if (total := self._inner(node)) is not None:
            return total
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            return ast.copy_location(ast.UnaryOp(node.op, self.linear(node.operand)), node)
        if isinstance(node, ast.BinOp) and self._holds_inner(node):
            left, right = node.left, node.right
            if isinstance(node.op, ast.Add | ast.Sub):
                return ast.copy_location(ast.BinOp(self.linear(left), node.op, self.linear(right)), node)
            if isinstance(node.op, ast.Mult) and not self._varies(left):
                return ast.copy_location(ast.BinOp(self._same(left), node.op, self.linear(right)), node)
            if isinstance(node.op, ast.Mult | ast.Div):
                by = self._length_of_a_row(right) or self._same(right)
                return ast.copy_location(ast.BinOp(self.linear(left), node.op, by), node)
            raise NotRead
        if self._level != MAX_LEVELS:
            raise NotRead  # one number for each example: which of its axes it is along is not shown
        return self._total(self.elements(node), node)

    def _total(self, elements: ast.expr, place: ast.expr) -> Total:
        total = Total(elements, self.reading, place)
        total.is_inner = self._is_inner
        return total

    def _holds_inner(self, node: ast.expr) -> bool:
        return any(
            (isinstance(part, ast.Call) and (self._reduces(part) or self._is_method(part, "sum", "dot")))
            or (isinstance(part, ast.BinOp) and isinstance(part.op, ast.MatMult))
            or (isinstance(part, ast.Name) and part.id in self._sums)
            for part in nodes(node)
            if isinstance(part, ast.expr)
        )

    def _inner(self, node: ast.expr) -> Total | ast.expr | None:
        """The sum over the items of one round, in all rounds: `np.sum(y[i] * np.log(p[i]))`, `np.dot`, `sum(...)`."""
        if isinstance(node, ast.Name) and node.id in self._sums:
            found = self._sums[node.id]
            if isinstance(found, ast.Constant):
                raise NotRead
            return found
        if self._level != 1:
            return None
        rows: Sequence[ast.expr] = ()
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
            rows = node.left, node.right
        elif isinstance(node, ast.Call) and not node.keywords:
            given = node.args
            is_one = len(given) == 1
            if is_one and isinstance(given[0], ast.GeneratorExp | ast.ListComp) and self._reduces(node):
                return self._inner_comprehension(given[0], node)
            if is_one and self._reduces(node) == "sum":
                return self._total(self.elements(given[0]), node)
            if not given and isinstance(node.func, ast.Attribute) and node.func.attr == "sum":
                return self._total(self.elements(node.func.value), node)
            if len(given) == 2 and self._reduces(node) in ("matmul", "vdot"):
                rows = given
            elif is_one and isinstance(node.func, ast.Attribute) and node.func.attr == "dot":
                rows = node.func.value, given[0]
        if not rows:
            return None
        self.reading.is_of_rows = True
        both = ast.BinOp(self.elements(rows[0]), ast.Mult(), self.elements(rows[1]))
        return self._total(ast.copy_location(both, node), node)

    def _inner_comprehension(self, node: Comprehension, place: ast.expr) -> Total:
        generator = node.generators[0]
        if len(node.generators) != 1 or generator.is_async:
            raise NotRead
        self.run_through(generator.target, generator.iter)
        for test in generator.ifs:
            guarded = self._guarded(test)
            if guarded is None or not self._holds(node.elt, guarded):
                raise NotRead
            self.reading.is_guarded = True
        elements = self.elements(node.elt)
        self.leave()
        return self._total(elements, place)

    def enter(self, generators: Sequence[ast.comprehension]) -> None:
        """Enter the loops of a comprehension."""
        for generator in generators:
            if generator.ifs or generator.is_async:
                raise NotRead
            self.run_through(generator.target, generator.iter)

    def rows(self, node: ast.expr) -> ast.expr:
        """What a comprehension makes of one round, where that is a sum over a row, for all rounds."""
        self._is_inner = True
        return self.linear(node)


def _refuses(node: ast.stmt) -> bool:
    """Does it raise an error for what is no input?"""
    return (
        isinstance(node, ast.If)
        and not node.orelse
        and all(isinstance(inner, ast.Raise) for inner in node.body)
    )


def read_loop(
    context: Machine, node: ast.For, relevant: Set[ast.AST] | None
) -> tuple[Reading, list[Added]] | None:
    """What a loop adds up, or None where it does something else."""
    reader = Reader(context, relevant)
    try:
        reader.loop(node)
        return reader.finish(), reader.added
    except NotRead:
        return None


def read_comprehension(context: Machine, node: Comprehension) -> tuple[Reading, ast.expr] | None:
    """The array that a comprehension of two loops makes, or None where it does something else.

    `[[... for ...] for ...]` has two axes, `[... for ... for ...]` their elements one after the other, and
    `[sum(... for ...) for ...]` a sum for each row.
    """
    reader = Reader(context)
    inner = node.elt
    try:
        reader.measure(node)
        if len(node.generators) == MAX_LEVELS:
            reader.enter(node.generators)
            elements = reader.elements(inner)
        elif isinstance(inner, ast.GeneratorExp | ast.ListComp):
            reader.enter([*node.generators, *inner.generators])
            elements = reader.elements(inner.elt)
        elif any(isinstance(part, ast.GeneratorExp | ast.ListComp) for part in nodes(inner)):
            reader.enter(node.generators)
            elements = reader.rows(inner)
        else:
            return None
        return reader.finish(), elements
    except NotRead:
        return None
