"""What the expressions of training code come to, in figures and counts."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Final

from batchmean.engine.domain.tensors import altered
from batchmean.engine.epochs.joining import callees, joined, on_one_way, one_of, scaled_alike
from batchmean.engine.epochs.rounds import Rounds, about_named
from batchmean.engine.epochs.spelling import BATCH_SIZE, last_name, path_of, paths_in
from batchmean.engine.epochs.values import (
    About,
    Batch,
    Count,
    Each,
    Figure,
    Figures,
    Form,
    Function,
    Instance,
    Loader,
    Loop,
    Meter,
    Method,
    Module,
    Number,
    OneOf,
    Run,
    Several,
    ShapeOf,
    Table,
    Text,
    Unknown,
    Value,
    are_lengths,
    key_of,
)
from batchmean.engine.epochs.weights import is_coefficient, weighed
from batchmean.engine.evidence.names import is_coefficient_name
from batchmean.nodes import nodes
from batchmean.project import full_name

_SIZES: Final = re.compile(r"^(data|dataset|data_?set)_?(size|len|length)s?$", re.I)
_CHOICES: Final = (ast.If, ast.IfExp, ast.BoolOp, ast.Compare, ast.Match, ast.Try, ast.Continue, ast.Break)
_MOST_ITEMS: Final = 8
"""A dictionary with more totals is not gone through one by one."""
_KEPT: Final = frozenset("data real detach".split())


class Expressions(Rounds):
    """Evaluates expressions among the names of the function that is being walked."""

    def evaluate(self, node: ast.expr | None) -> Value:
        """The value of an expression; what stands in it is read, too."""
        if node is None:
            return self.unknown()
        self.spend()
        method = _EXPRESSIONS.get(type(node))
        if method is not None:
            return method(self, node)
        inner = [self.evaluate(child) for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
        return self.batch_of(inner)

    def _constant(self, node: ast.Constant) -> Value:
        if isinstance(node.value, str):
            return Text(node.value)
        is_number = isinstance(node.value, int | float) and not isinstance(node.value, bool)
        return Number(float(node.value)) if is_number else self.unknown()  # type: ignore[arg-type]

    def _name(self, node: ast.Name) -> Value:
        value = self.names.find(node.id)
        return value if value is not None else Unknown(node.id, node.id)

    def _attribute(self, node: ast.Attribute) -> Value:
        path = path_of(node)
        stored = self.names.find(path) if path else None
        if stored is not None:
            return stored
        return self.attribute(self.evaluate(node.value), node.attr)

    def attribute(self, base: Value, name: str) -> Value:
        """`base.name`, not stored in this function."""
        if isinstance(base, Module):
            return Module(full_name(base.name, name), base.importer)
        if isinstance(base, Instance):
            return self.of_instance(base, name)
        if isinstance(base, OneOf):
            each = [self.attribute(item, name) for item in base.items]
            return reduce(lambda a, b: joined(a, b, self.unknown), each)
        if isinstance(base, Loader):
            if name == "dataset":
                return Unknown(min(base.data), name) if base.data else Unknown(f"{base.key}.dataset", name)
            return (
                Count("batch", shown=False) if name == "batch_size" else Unknown(f"{base.key}.{name}", name)
            )
        if isinstance(base, Batch | Figures) and name in ("mean", "sum"):
            return Method(base, name)
        if isinstance(base, Figures) and name == "size":
            return self.length(base)
        if isinstance(base, Batch):
            if name == "shape":
                return ShapeOf(base)
            if name == "size":
                return Count("elements", loops=(base.loop,))
            if name in ("num_graphs", "batch_size"):
                return Count("batch", loops=(base.loop,))
            if name == "loss":
                return self.given_loss(base, name)
            form: Form = "array" if base.form == "item" else "made" if name not in ("T", "mT") else "reshaped"
            return Batch(base.loop, form, about=about_named(name) or kept(base))
        if isinstance(base, Figure) and name in _KEPT:
            return base
        if isinstance(base, Meter):
            return self.of_meter(base, name)
        if name == "shape" and isinstance(base, Unknown):
            return ShapeOf(base)
        if isinstance(base, Unknown):
            if name == "batch_size":
                return (
                    Count("batch", shown=False)
                    if "load" in base.name
                    else Unknown(f"{base.key}.{name}", name)
                )
            return Unknown(f"{base.key}.{name}", name)
        return self.unknown(name)

    def of_instance(self, base: Instance, name: str) -> Value:
        """`self.name`."""
        raise NotImplementedError

    def imported(self, value: Value) -> Value:
        """What the project defines under an imported name; anything else is given back."""
        raise NotImplementedError

    def given_loss(self, base: Batch, name: str) -> Value:
        """`outputs.loss`."""
        raise NotImplementedError

    def of_meter(self, meter: Meter, name: str) -> Value:
        """`meter.avg`."""
        raise NotImplementedError

    def _subscript(self, node: ast.Subscript) -> Value:
        path = self.path(node)
        stored = self.names.find(path) if path else None
        if stored is not None:
            return stored
        base = self.imported(self.evaluate(node.value))
        index = self.evaluate(node.slice)
        loop = loop_of(index)
        if isinstance(base, Several) and isinstance(index, Number) and 0 <= index.value < len(base.items):
            return base.items[int(index.value)]
        if isinstance(base, ShapeOf):
            return self.length_at(base, index)
        if isinstance(base, Each):
            return base.at(_text(node.slice))
        if isinstance(base, Table):
            if (
                _SIZES.search(last_name(node.value))
                and isinstance(node.slice, ast.Name)
                and are_lengths(base)
            ):
                return Count("length", f"{last_name(node.value)}[{_text(node.slice)}]", "sizes", shown=False)
            if isinstance(node.slice, ast.Constant):
                missing = self.unknown() if base.zeros is None else Number(0.0, base.zeros)
                return next((value for key, value in base.items if key == node.slice.value), missing)
            found = self.chosen(base)
            return Unknown(path, last_name(node.value)) if path and isinstance(found, Unknown) else found
        if isinstance(base, Batch):
            if loop is not None and loop is not base.loop and base.key and loop in self.loops:
                loop.examples.setdefault(base.key, True)
                return Batch(loop, "array", about=kept(base))
            if base.form == "item":
                key = node.slice.value if isinstance(node.slice, ast.Constant) else ""
                return Batch(base.loop, "array", about=about_named(str(key)))
            is_selected = isinstance(index, Batch) and index.about == "mask"
            return Batch(base.loop, "reshaped", about="selected" if is_selected else kept(base))
        if isinstance(base, Figure):
            return base  # loss.data[0]
        if loop is not None and isinstance(base, Unknown):
            is_one = isinstance(index, Batch) and index.form == "item" and loop.has_batches is False
            if isinstance(index, Count) and not index.key and not isinstance(node.slice, ast.Slice):
                loop.rounds.add(base.key)  # `x[i]`: one for each round
            elif not is_one:  # of a permutation, say, which is gone through by its examples
                loop.examples.setdefault(base.key, True)
            return Batch(loop, "array", about=about_named(base.name))
        if loop is not None and isinstance(base, Run):
            return Batch(loop, "array")  # of the numbers of the examples, `list(range(n))`
        if isinstance(base, Unknown) and _SIZES.search(base.name):
            by_name = isinstance(node.slice, ast.Name | ast.Constant)
            return (
                Count("length", f"{base.key}[{_text(node.slice)}]", "sizes", shown=False) if by_name else base
            )
        if isinstance(base, Unknown | Loader):
            return Unknown(f"{key_of(base)}[{_text(node.slice)}]", base.name)
        return self.batch_of((base, index))

    def chosen(self, table: Table) -> Value:
        """What a name that is not shown chooses among criteria or functions."""
        found = [callees(value) for _, value in table.items]
        chosen = one_of(callee for each in found for callee in each) if found and all(found) else None
        return chosen or self.unknown()

    def _slice(self, node: ast.Slice) -> Value:
        """A slice that begins with the number of the round, or a multiple of it, cuts a batch out."""
        values = [self.evaluate(part) for part in (node.lower, node.upper) if part is not None]
        for value in values:
            if loop_of(value) is not None:
                return value
        return self.unknown()

    def length_at(self, shape: ShapeOf, index: Value) -> Value:
        """`x.shape[0]`."""
        if not (isinstance(index, Number) and index.value == 0):
            return self.unknown()
        return self.length(shape.value, of_axis=True)

    def length(self, value: Value, of_axis: bool = False) -> Value:
        """`len(value)`; `of_axis` says that it is the length of an array."""
        if isinstance(value, Unknown):
            return Count("length", value.key, value.name)
        if isinstance(value, Loader):
            return Count("length", value.key, value.name)
        if isinstance(value, Figures):
            return Count("rounds", loops=value.loops)
        if isinstance(value, Several):
            return Number(float(len(value.items)))
        if isinstance(value, Batch):
            if value.form == "array" or (of_axis and value.form in ("item", "made")):
                return Count("batch", value.key, loops=(value.loop,), shown=value.form != "made")
            return Count("length", value.key) if value.key else self.unknown()
        if isinstance(value, ShapeOf):
            return self.unknown()
        if isinstance(value, Run) and value.kind != "range" and value.items:
            return self.length(value.items[0])
        return self.unknown()

    def _tuple(self, node: ast.Tuple | ast.List) -> Value:
        if isinstance(node, ast.List) and not node.elts:
            return Figures(None, self.loops)
        return Several(tuple(self.evaluate(element) for element in node.elts))

    def _binary(self, node: ast.BinOp) -> Value:
        a, b = self._operand(node.left, node), self._operand(node.right, node)
        if isinstance(node.op, ast.Add):
            return self.plus(a, b)
        if isinstance(node.op, ast.Mult):
            return weighed(a, b) or weighed(b, a) or self.times(a, b)
        if isinstance(node.op, ast.Sub) and isinstance(a, Number) and is_coefficient(b):
            return b  # 1 - alpha
        if isinstance(node.op, ast.Div):
            return self.over(a, b, node)
        if isinstance(node.op, ast.FloorDiv) and isinstance(a, Count):
            return self.unknown()
        if isinstance(node.op, ast.Pow) and is_coefficient_name(last_name(node.left)):
            return self.unknown(last_name(node.left))  # temperature ** 2
        if not isinstance(node.op, ast.Mod):  # a number in a text stays what it is
            self.withdraw(a, b)
        return self.batch_of((a, b))

    def _dictionary(self, node: ast.Dict) -> Value:
        items: list[tuple[object, Value]] = []
        for key, item in zip(node.keys, node.values, strict=True):
            value = self.evaluate(item)
            if isinstance(key, ast.Constant):
                items.append((key.value, value))
        return Table(tuple(items))

    def _operand(self, node: ast.expr, of: ast.BinOp) -> Value:
        """One side of an operation; a batch size that is known by its name alone counts as one that multiplies."""
        value = self.evaluate(node)
        if isinstance(of.op, ast.Mult) and isinstance(value, Unknown | Number):
            name = last_name(node)
            if BATCH_SIZE.search(name):
                return Count("batch", shown=False)
            if isinstance(value, Number) and value.value > 1 and is_coefficient_name(name):
                return self.unknown(name)
        return value

    def _unary(self, node: ast.UnaryOp) -> Value:
        value = self.evaluate(node.operand)
        if isinstance(value, Number) and isinstance(node.op, ast.USub):
            return Number(-value.value)
        if isinstance(value, Figure) and isinstance(node.op, ast.USub):
            return self.negative(value)
        return self.batch_of((value,))

    def _compare(self, node: ast.Compare) -> Value:
        """A comparison of positions says which of them count."""
        found = self.batch_of([self.evaluate(part) for part in (node.left, *node.comparators)])
        return altered(found, about="mask") if isinstance(found, Batch) else found

    def _if_expression(self, node: ast.IfExp) -> Value:
        self.evaluate(node.test)
        asked = self.asked
        self.asked |= paths_in(node.test)
        a, b = self.evaluate(node.body), self.evaluate(node.orelse)
        self.asked = asked
        if isinstance(b, Number) and isinstance(a, Figure):
            return a  # `total / n if n else 0`
        return joined(*on_one_way(node.test, *scaled_alike(node.test, a, b)), self.unknown)

    def _named_expression(self, node: ast.NamedExpr) -> Value:
        value = self.evaluate(node.value)
        self.names[node.target.id] = value
        return value

    def _passes_through(self, node: ast.Await | ast.Starred) -> Value:
        return self.evaluate(node.value)

    def _yield(self, node: ast.Yield) -> Value:
        self.yielded.append(self.loops)
        self.evaluate(node.value)
        return self.unknown()

    def _comprehension(self, node: ast.ListComp | ast.GeneratorExp) -> Value:
        if len(node.generators) != 1 or node.generators[0].ifs:
            return self.unknown()
        generator = node.generators[0]
        outer = self.names
        self.names = self.names_within(outer)
        iterable = self.evaluate(generator.iter)
        loop = self.enter(generator, generator.target, iterable)
        try:
            item = self.evaluate(node.elt)
        finally:
            self.loops = self.loops[:-1]
            self.names = outer
        over = (*self.loops, loop)[len(self.loops) :]
        if isinstance(item, Count) and item.of == "batch":
            return Figures(Count("examples", loops=over, shown=item.shown), over)
        added = self._over(item, over, node.elt)
        return Figures(added, over) if added is not None else self._of_each(iterable)

    def _of_each(self, iterable: Value) -> Value:
        """A list with something made of each part of a batch, or of each of its examples."""
        if not isinstance(iterable, Batch) or iterable.loop not in self.loops:
            return self.unknown()
        return Batch(iterable.loop, "item" if iterable.form == "item" else "made")

    def _dictionary_of_each(self, node: ast.DictComp) -> Value:
        """`{key: value.to(device) for key, value in batch.items()}` is the batch."""
        generator = node.generators[0]
        if len(node.generators) != 1:
            return self.unknown()
        if not generator.ifs and isinstance(generator.target, ast.Name) and isinstance(node.key, ast.Name):
            if node.key.id == generator.target.id:
                return self._one_for_each(node, generator.target.id)
        over = generator.iter
        is_items = (
            isinstance(over, ast.Call) and isinstance(over.func, ast.Attribute) and over.func.attr == "items"
        )
        if not is_items:
            return self.unknown()
        if rounds := self.rounds_of(over, [node.value, *generator.ifs]):
            outer, items = self.names, list[tuple[object, Value]]()
            self.names = self.names_within(outer)
            for key, item in rounds:
                self.bind(generator.target, item)
                items.append((key, self.evaluate(node.value)))
            self.names = outer
            return Table(tuple(items))
        batch = self.evaluate(over.func.value)  # type: ignore[attr-defined]
        return self._of_each(batch) if isinstance(batch, Batch) and batch.form == "item" else self.unknown()

    def _one_for_each(self, node: ast.DictComp, name: str) -> Value:
        """`{x: len(sets[x]) for x in phases}`."""
        outer = self.names
        self.names = self.names_within(outer)
        self.names[name] = self.unknown(name)
        item = self.evaluate(node.value)
        self.names = outer
        if isinstance(item, Loader) or (isinstance(item, Count) and item.of == "length"):
            return Each(item, name)
        return self.unknown()

    def rounds_of(self, over: ast.expr, body: Sequence[ast.AST]) -> list[tuple[object, Value]]:
        """The rounds of a loop through a dictionary of totals: its keys, and what each gives the loop's target.

        Nothing, where the loop does not do the same with all of them.
        """
        method = ""
        if isinstance(over, ast.Call) and isinstance(over.func, ast.Attribute) and not over.args:
            method, over = over.func.attr, over.func.value
        path = path_of(over)
        table = self.names.find(path) if path and method in ("", "items", "keys") else None
        if not isinstance(table, Table) or any(
            isinstance(part, _CHOICES) for each in body for part in nodes(each)
        ):
            return []
        items = dict(table.items) | self.names.stored_in(path)
        if len(items) > _MOST_ITEMS or not any(isinstance(value, Figure) for value in items.values()):
            return []
        if not all(isinstance(key, str) for key in items):
            return []
        if method == "items":
            return [(key, Several((Text(str(key)), value))) for key, value in items.items()]
        return [(key, Text(str(key))) for key in items]

    def _lambda(self, node: ast.Lambda) -> Value:
        return Function(node, self.names)

    def _call(self, node: ast.Call) -> Value:
        raise NotImplementedError


def kept(base: Batch) -> About:
    """What a part of an array, or its elements in another shape, still say."""
    return base.about if base.about in ("mask", "ignored", "selected") else ""


def loop_of(value: Value) -> Loop | None:
    """The loop whose number of the round this is, or what was made of it."""
    if isinstance(value, Count) and value.of in ("index", "nearly", "rounds") and value.loops:
        return value.loops[-1]
    return value.loop if isinstance(value, Batch) else None


def _text(node: ast.expr) -> str:
    return path_of(node) or (repr(node.value) if isinstance(node, ast.Constant) else ast.dump(node))


_EXPRESSIONS: Final[dict[type[ast.expr], Callable[..., Value]]] = {
    ast.Constant: Expressions._constant,
    ast.Name: Expressions._name,
    ast.Attribute: Expressions._attribute,
    ast.Subscript: Expressions._subscript,
    ast.Slice: Expressions._slice,
    ast.Tuple: Expressions._tuple,
    ast.List: Expressions._tuple,
    ast.Dict: Expressions._dictionary,
    ast.BinOp: Expressions._binary,
    ast.UnaryOp: Expressions._unary,
    ast.Compare: Expressions._compare,
    ast.IfExp: Expressions._if_expression,
    ast.NamedExpr: Expressions._named_expression,
    ast.ListComp: Expressions._comprehension,
    ast.GeneratorExp: Expressions._comprehension,
    ast.DictComp: Expressions._dictionary_of_each,
    ast.Lambda: Expressions._lambda,
    ast.Await: Expressions._passes_through,
    ast.Yield: Expressions._yield,
    ast.Starred: Expressions._passes_through,
    ast.Call: lambda self, node: self._call(node),
}
