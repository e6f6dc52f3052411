"""Evaluates expressions over abstract values.

Everything unknown is an opaque tensor, and an opaque tensor never becomes a finding.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from batchmean import operations
from batchmean.engine import bounds
from batchmean.engine.context import OutOfWork, TooDeep
from batchmean.engine.domain import algebra, masks
from batchmean.engine.domain.join import restricted, something
from batchmean.engine.domain.literals import compare
from batchmean.engine.domain.paths import (
    TRUTHY,
    Decision,
)
from batchmean.engine.domain.tensors import (
    PLAIN,
    SCALAR,
    Tensor,
    altered,
    atom_of,
    constant,
    from_atom,
    is_unknown,
)
from batchmean.engine.domain.values import (
    ANY_KEYWORDS,
    MAX_ITEMS,
    MAX_TOLD_APART,
    UNKNOWN_END,
    Alternatives,
    Case,
    ClassValue,
    Condition,
    Const,
    DictValue,
    FunctionValue,
    ListValue,
    ModuleValue,
    Scope,
    ShapeValue,
    SizesValue,
    TupleValue,
    Value,
    tensors_in,
)
from batchmean.engine.evidence.names import is_class_count_name
from batchmean.engine.machine import binding, calls, conditions, questions, rounds, whole_sums
from batchmean.engine.machine.attributes import attribute_of, bases_of, find_method, starred
from batchmean.engine.machine.base import Machine
from batchmean.engine.machine.class_loops import classes_of
from batchmean.engine.machine.items import Total
from batchmean.engine.machine.memory import is_anything
from batchmean.engine.primitives import arithmetic
from batchmean.engine.primitives.indexing import subscript
from batchmean.engine.primitives.masking import comparison
from batchmean.engine.uses import note_handed_over, note_uses

MAX_NESTING: Final = 150
"""How deep an expression or a statement may be nested."""


class Evaluator(Machine):
    """Values of expressions, over the names in scope."""

    def __init__(self, lines: Sequence[str] = ()) -> None:
        super().__init__(lines)
        self._nesting = 0

    def evaluate(self, node: ast.expr) -> Value:
        """The value of an expression."""
        self.work += 1
        if self.work > self.most:
            raise OutOfWork
        method = _EXPRESSIONS.get(type(node))
        if method is None:
            return self.opaque()
        if self._nesting > MAX_NESTING:
            raise TooDeep(bounds.NESTING)
        self._nesting += 1
        try:
            value = method(self, node)
        finally:
            self._nesting -= 1
        return restricted(value, self.path) if type(value) is Alternatives else value

    def evaluate_in(self, scope: Scope, node: ast.expr) -> Value:
        """The value of an expression in another scope (a default argument)."""
        outer, self.scope = self.scope, scope
        try:
            return self.evaluate(node)
        finally:
            self.scope = outer

    def _constant(self, node: ast.Constant) -> Value:
        return Const(node.value)

    def _name(self, node: ast.Name) -> Value:
        value = self.scope.find(node.id)
        if value is not None:
            return value
        for module in self.scope.all_stars():
            self.spend()
            if operations.function(f"{module}.{node.id}") is not None:
                return ModuleValue(f"{module}.{node.id}")
        if operations.function(f"builtins.{node.id}") is not None:
            return ModuleValue(f"builtins.{node.id}")
        if (own := starred(self, self.scope, node.id)) is not None:
            return own
        return self.shown_opaque("name", node.id, names=(node.id,))

    def attribute(self, base: Value, name: str, node: ast.expr) -> Value:
        return attribute_of(self, base, name, node)

    def find_method(self, cls: ClassValue, name: str, skip_own: bool = False) -> Value | None:
        return find_method(self, cls, name, skip_own)

    def bases_of(self, cls: ClassValue) -> Iterator[ClassValue]:
        return bases_of(self, cls)

    def _attribute(self, node: ast.Attribute) -> Value:
        base = something(self.evaluate(node.value))
        return self.lift(lambda one: self.attribute(one, node.attr, node), base)

    def _subscript(self, node: ast.Subscript) -> Value:
        if (plain := questions.plainly(node)) is not node:
            return self.evaluate(plain)
        base = self.evaluate(node.value)
        if isinstance(base, ModuleValue) and (table := self.imported(base.name)) is not None:
            # Of another module of the project.
            base = table if not self.changes(base.name.rpartition(".")[2]) else self.opaque()
        index = self.evaluate(node.slice)
        result = self.lift(lambda b, i: self._item(b, i, node), base, index)
        note_uses(self.ledger, (base, index), result)
        if isinstance(base, Tensor) and not any(tensor.atoms() for tensor in tensors_in((result,), 1)):
            # A part of a mask may be laid on something that is not seen.
            note_handed_over(self.ledger, (base,))
        return result

    def _item(self, base: Value, index: Value, node: ast.Subscript) -> Value:
        return self.anything() if is_anything(base) else subscript(self, base, index, node)

    def _slice(self, node: ast.Slice) -> Value:
        parts = [self.evaluate(p) if p is not None else Const(None) for p in (node.lower, node.upper)]
        numbers = [p.value if isinstance(p, Const) else UNKNOWN_END for p in parts]
        if node.step is not None:
            numbers = [UNKNOWN_END, UNKNOWN_END]
        return Const(slice(*numbers))

    def _tuple(self, node: ast.Tuple | ast.List) -> Value:
        items: list[Value] = []
        spread: ShapeValue | None = None
        for element in node.elts[: MAX_ITEMS + 1]:
            if isinstance(element, ast.Starred):
                inner = self.evaluate(element.value)
                if isinstance(inner, ShapeValue):
                    spread = inner
                    items.append(inner)
                elif isinstance(inner, TupleValue):
                    items.extend(inner.items)
                else:
                    return ListValue(self.element_of(inner))
            else:
                items.append(self.evaluate(element))
        if spread is not None:
            return spread if len(items) == 1 else SizesValue(self.element_of(spread), tuple(items))
        found = self.sequence(items)
        return (
            altered(found, is_list=True)
            if isinstance(found, TupleValue) and type(node) is ast.List
            else found
        )

    def _set(self, node: ast.Set) -> Value:
        for element in node.elts[:MAX_ITEMS]:
            self.evaluate(element)
        return self.opaque()

    def _dict(self, node: ast.Dict) -> Value:
        items: list[tuple[object, Value]] = []
        if len(node.keys) > MAX_ITEMS:
            some = [self.evaluate(value) for value in node.values[: MAX_ITEMS + 1]]
            self.reach(bounds.VALUES, some)
            return self.unsure(some)
        for key, value in zip(node.keys, node.values, strict=True):
            shown = self.evaluate(key) if key is not None else None
            item = self.evaluate(value)
            if isinstance(shown, Const):
                items = [each for each in items if each[0] != shown.value]
                items.append((shown.value, item))
            elif key is None and isinstance(item, DictValue):
                items = [each for each in items if item.get(each[0]) is None]
                items += item.items
            elif key is None:  # it may hold any key
                items = [(name, self.opaque()) for name, _ in items]
                items.append((ANY_KEYWORDS, item))
        return DictValue(tuple(items))

    def _binary(self, node: ast.BinOp) -> Value:
        self.ledger.seen.add(node)
        left, right = self.evaluate(node.left), self.evaluate(node.right)
        if isinstance(node.op, ast.Mult):
            left, right = (
                self._as_the_caller_sets(left, node.left),
                self._as_the_caller_sets(right, node.right),
            )
        return self.binary_values(type(node.op), left, right, node)

    def _as_the_caller_sets(self, value: Value, node: ast.expr) -> Value:
        """A class count that is an attribute is what the caller sets; its default says nothing about this product."""
        number = value.value if isinstance(node, ast.Attribute) and isinstance(value, Const) else None
        if not isinstance(node, ast.Attribute) or type(number) not in (int, float):
            return value
        assert isinstance(number, int | float) and isinstance(value, Const)
        given = self.given.numbers((node.attr,))
        own = frozenset((int(number),)) if number > max(PLAIN) and number % 1 == 0 else frozenset[int]()
        is_whole = type(number) is int and number > 1
        is_count = not value.is_fixed and is_class_count_name((node.attr,))
        if not (is_whole or is_count or given - own):
            return value
        return from_atom(
            atom_of(
                ("attribute", node.attr, repr(number)),
                names=(node.attr,),
                shape=SCALAR,
                is_whole=is_whole,
                numbers=given | own,
            ),
            SCALAR,
        )

    def binary_values(self, op: type[ast.operator], left: Value, right: Value, node: ast.AST) -> Value:
        result = self.lift(
            lambda a, b: arithmetic.binary(self, op, a, b, node), something(left), something(right)
        )
        note_uses(self.ledger, (left, right), result)
        return result

    def _unary(self, node: ast.UnaryOp) -> Value:
        def apply(value: Value) -> Value:
            if isinstance(node.op, ast.USub):
                if isinstance(value, Const) and isinstance(value.value, int | float):
                    return Const(-value.value)
                return algebra.negate(self.as_tensor(value))
            if isinstance(node.op, ast.Not):
                if isinstance(value, Condition):
                    return value.negated()
                decided = conditions.truth(self, value)
                return (
                    Const(not decided)
                    if decided is not None
                    else conditions.condition_of(self, value, node.operand).negated()
                )
            if isinstance(node.op, ast.Invert):
                others = masks.complement(self.as_tensor(value))
                if others is not None:
                    return others
                return algebra.add(constant(1.0), algebra.negate(self.as_tensor(value)))
            return value

        return self.lift(apply, something(self.evaluate(node.operand)))

    def _compare(self, node: ast.Compare) -> Value:
        node = questions.asked_first(node)
        left, *rights = (questions.read(self, each) for each in (node.left, *node.comparators))
        if len(rights) != 1 or (isinstance(node.left, ast.Name) and node.left.id == "__name__"):
            return self.opaque()  # how the file is run is no option of a loss
        return self.lift(lambda a, b: self._compared(node, a, b), left, self.word_of(rights[0]))

    def _compared(self, node: ast.Compare, left: Value, right: Value) -> Value:
        result = self._comparison(node, left, right)
        conditions.note_asked(self, node, result)
        note_uses(self.ledger, (left, right), result)
        return result

    def _comparison(self, node: ast.Compare, left: Value, right: Value) -> Value:
        op = node.ops[0]
        if (
            isinstance(op, ast.Gt)
            and isinstance(right, Const)
            and right.value == 0
            and conditions.is_a_length(left)
        ):
            return Const(True)  # what is divided by it is there
        if isinstance(left, Const):
            decided = compare(op, left, right)
            if decided is not None:
                return Const(decided)
        for one, other, at in ((left, right, node.left), (right, left, node.comparators[0])):
            condition = conditions.answer_of(self, op, one, other, at)
            if condition is not None:
                return condition
        return comparison(self, op, left, right, node)

    def _if_expression(self, node: ast.IfExp) -> Value:
        path = self.path
        cases: list[Case] = []
        for way, branch in zip(
            conditions.ways_of(self, node, [node.body]), (node.body, node.orelse), strict=True
        ):
            if way is not None:
                self.path = self.decided(path, way)
                cases.append(Case(self.path[len(path) :], self.evaluate(branch)))
        self.path = path
        return self.joined(cases)

    def _lambda(self, node: ast.Lambda) -> Value:
        function = FunctionValue(node, self.scope)
        self.ledger.defined.append(function)
        return function

    def _named_expression(self, node: ast.NamedExpr) -> Value:
        value = self.evaluate(node.value)
        binding.bind(self, node.target, value)
        return self.scope.names.get(node.target.id, value)

    def _comprehension(self, node: ast.ListComp | ast.GeneratorExp | ast.SetComp) -> Value:
        if not isinstance(node, ast.SetComp) and (whole := whole_sums.array_of(self, node)) is not None:
            return whole
        if not isinstance(node, ast.SetComp) and (each := classes_of(self, node)) is not None:
            return each
        outer = self.scope
        path = self.path
        first = node.generators[0]
        items = self.evaluate(first.iter) if len(node.generators) == 1 and not first.ifs else None
        # Through the rows of what was computed it runs as a loop does; through heads or terms, as if each had a name.
        runs = first if isinstance(items, Tensor) and not is_unknown(items) else node
        self.path = self.decided(path, (Decision((node, self.stack), TRUTHY, True, runs),))
        self.scope = Scope(outer)
        try:
            if isinstance(items, TupleValue) and 0 < len(items.items) <= MAX_TOLD_APART:
                return TupleValue(tuple(self._element_for(node.elt, first.target, i) for i in items.items))
            self._generators(node.generators, items)
            loops = [rounds.of_loop(self, node, generator.iter, items) for generator in node.generators]
            return ListValue(self.in_each_round(self.evaluate(node.elt), node.elt, node, loops))
        finally:
            self.scope, self.path = outer, path

    def _element_for(self, element: ast.expr, target: ast.expr, item: Value) -> Value:
        binding.bind(self, target, item)
        return self.evaluate(element)

    def _dict_comprehension(self, node: ast.DictComp) -> Value:
        outer = self.scope
        self.scope = Scope(outer)
        try:
            self._generators(node.generators)
            self.evaluate(node.value)
            return self.opaque()
        finally:
            self.scope = outer

    def _generators(self, generators: list[ast.comprehension], first: Value | None = None) -> None:
        """Bind the variables of a comprehension; `first` is what the first one runs through, where that is known."""
        for generator in generators:
            iterable = first if first is not None else self.evaluate(generator.iter)
            first = None
            binding.bind(self, generator.target, self.element_of(iterable))
            for condition in generator.ifs:
                self.evaluate(condition)

    def _passes_through(self, node: ast.Await | ast.Starred) -> Value:
        return self.evaluate(node.value)

    def _formatted(self, node: ast.JoinedStr) -> Value:
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                self.evaluate(part.value)
        return self.opaque()

    def _yield(self, node: ast.Yield) -> Value:
        if node.value is not None:
            self.evaluate(node.value)
        return self.opaque()

    def _call(self, node: ast.Call) -> Value:
        self.ledger.seen.add(node)
        value = questions.setting(self, node, calls.evaluate_call(self, node))
        conditions.note_asked(self, node, value)
        return value

    def call(self, function: Value, args: list[Value], kwargs: dict[str, Value], node: ast.AST) -> Value:
        """Call a value."""
        return calls.call(self, function, args, kwargs, node)


_EXPRESSIONS: Final[dict[type[ast.expr], Callable[..., Value]]] = {
    ast.Constant: Evaluator._constant,
    ast.Name: Evaluator._name,
    ast.Attribute: Evaluator._attribute,
    ast.Subscript: Evaluator._subscript,
    ast.Slice: Evaluator._slice,
    ast.Tuple: Evaluator._tuple,
    ast.List: Evaluator._tuple,
    ast.Set: Evaluator._set,
    ast.Dict: Evaluator._dict,
    ast.BinOp: Evaluator._binary,
    ast.UnaryOp: Evaluator._unary,
    ast.Compare: Evaluator._compare,
    ast.BoolOp: conditions.all_or_any,
    ast.IfExp: Evaluator._if_expression,
    ast.Lambda: Evaluator._lambda,
    ast.NamedExpr: Evaluator._named_expression,
    ast.ListComp: Evaluator._comprehension,
    ast.GeneratorExp: Evaluator._comprehension,
    ast.SetComp: Evaluator._comprehension,
    ast.DictComp: Evaluator._dict_comprehension,
    ast.Await: Evaluator._passes_through,
    ast.Starred: Evaluator._passes_through,
    ast.Yield: Evaluator._yield,
    ast.JoinedStr: Evaluator._formatted,
    ast.Call: Evaluator._call,
    Total: whole_sums.total_of,
}
