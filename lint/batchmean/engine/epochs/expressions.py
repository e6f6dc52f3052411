"""What the expressions of training code come to, in figures and counts."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from typing import Final

from batchmean.engine.domain.tensors import altered
from batchmean.engine.epochs.arithmetic import Arithmetic, joined
from batchmean.engine.epochs.names import Names
from batchmean.engine.epochs.spelling import last_name, path_of
from batchmean.engine.epochs.values import (
    About,
    Batch,
    Class,
    Count,
    Criterion,
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
    Run,
    Several,
    ShapeOf,
    Table,
    Text,
    Unknown,
    Value,
    key_of,
)
from batchmean.project import full_name

MAX_WORK: Final = 50_000
"""How many expressions and statements of a module are read before the walk stops."""
MAX_DEPTH: Final = 10
"""How deep calls are followed."""
_BATCH_SIZE: Final = re.compile(r"^(train_|val_|test_|eval_|mini_?)?(batch_?size|bs|bsz)$", re.I)
_BATCHES: Final = re.compile(r"load|batch|(^|_)(dl|iter|iterator|generator|gen)$", re.I)
"""What people call that which gives batches."""
IGNORED: Final = -100.0
"""The label that the losses of PyTorch ignore."""
_LABELS: Final = re.compile(r"label|target|^y")
"""What has one item for each example in most code."""
_SIZES: Final = re.compile(r"^(data|dataset|data_?set)_?(size|len|length)s?$", re.I)
_KEPT: Final = frozenset("data real detach".split())
_NAMES_PER_NODE: Final = 32
"""How many names are looked through in the time in which one node is read."""


class OutOfWork(Exception):
    """The module is larger, or calls deeper, than the walk goes."""


class Expressions(Arithmetic):
    """Evaluates expressions among the names of the function that is being walked."""

    def __init__(self) -> None:
        super().__init__()
        self._all_names: list[Names] = []
        self.names = self.names_within(None)
        self._work = 0

    def names_within(self, outer: Names | None) -> Names:
        """New names, with those around them."""
        self._all_names.append(Names(outer))
        return self._all_names[-1]

    def let_go(self) -> None:
        """Break the cycles between names and the functions defined among them, so that all of it is freed at once."""
        for names in self._all_names:
            names.clear()
            names.outer = None

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

    def spend(self, cost: int = 1) -> None:
        self._work += cost
        if self._work > MAX_WORK:
            raise OutOfWork

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

    def given_loss(self, base: Batch, name: str) -> Value:
        """`outputs.loss`."""
        raise NotImplementedError

    def of_meter(self, meter: Meter, name: str) -> Value:
        """`meter.avg`."""
        raise NotImplementedError

    def _subscript(self, node: ast.Subscript) -> Value:
        path = path_of(node)
        stored = self.names.find(path) if path else None
        if stored is not None:
            return stored
        base = self.evaluate(node.value)
        index = self.evaluate(node.slice)
        loop = loop_of(index)
        if isinstance(base, Several) and isinstance(index, Number) and 0 <= index.value < len(base.items):
            return base.items[int(index.value)]
        if isinstance(base, ShapeOf):
            return self.length_at(base, index)
        if isinstance(base, Table) and isinstance(node.slice, ast.Constant):
            return next((value for key, value in base.items if key == node.slice.value), self.unknown())
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
            loop.examples.setdefault(base.key, True)
            return Batch(loop, "array", about=about_named(base.name))
        if isinstance(base, Unknown) and _SIZES.search(base.name):
            by_name = isinstance(node.slice, ast.Name | ast.Constant)
            return (
                Count("length", f"{base.key}[{_text(node.slice)}]", "sizes", shown=False) if by_name else base
            )
        if isinstance(base, Unknown | Loader):
            return Unknown(f"{key_of(base)}[{_text(node.slice)}]", base.name)
        return self.batch_of((base, index))

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
            return self.times(a, b)
        if isinstance(node.op, ast.Div):
            return self.over(a, b, node)
        if isinstance(node.op, ast.FloorDiv) and isinstance(a, Count):
            return self.unknown()
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
            if _BATCH_SIZE.search(last_name(node)):
                return Count("batch", shown=False)
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
        a, b = self.evaluate(node.body), self.evaluate(node.orelse)
        if isinstance(b, Number) and isinstance(a, Figure):
            return a  # `total / n if n else 0`
        return joined(a, b, self.unknown)

    def _named_expression(self, node: ast.NamedExpr) -> Value:
        value = self.evaluate(node.value)
        self.names[node.target.id] = value
        return value

    def _passes_through(self, node: ast.Await | ast.Starred) -> Value:
        return self.evaluate(node.value)

    def _comprehension(self, node: ast.ListComp | ast.GeneratorExp) -> Value:
        if len(node.generators) != 1 or node.generators[0].ifs:
            return self.unknown()
        generator = node.generators[0]
        outer = self.names
        self.names = self.names_within(outer)
        loop = self.enter(generator, generator.target, generator.iter)
        try:
            item = self.evaluate(node.elt)
        finally:
            self.loops = self.loops[:-1]
            self.names = outer
        over = (*self.loops, loop)[len(self.loops) :]
        if isinstance(item, Count) and item.of == "batch":
            return Figures(Count("examples", loops=over, shown=item.shown), over)
        added = self._over(item, over, node.elt)
        return Figures(added, over) if added is not None else self.unknown()

    def _lambda(self, node: ast.Lambda) -> Value:
        return Function(node, self.names)

    def _call(self, node: ast.Call) -> Value:
        raise NotImplementedError

    def enter(self, node: ast.AST, target: ast.expr, over: ast.expr) -> Loop:
        """Begin a round of a loop: its targets are what it gives."""
        iterable = self.evaluate(over)
        loop = Loop(node)
        self.loops = (*self.loops, loop)
        self.bind(target, self._item(loop, iterable))
        return loop

    def _item(self, loop: Loop, iterable: Value) -> Value:
        """What a loop gives in each round, and what is known of the loop by what it runs through."""
        if isinstance(iterable, Run):
            if iterable.kind == "enumerate":
                item = self._item(loop, iterable.items[0])
                return Several((Count("index", loops=(loop,)), item))
            if iterable.kind == "zip":
                items = tuple(self._item(loop, each) for each in iterable.items)
                if not any(isinstance(each, Loader) for each in iterable.items):
                    loop.has_batches = False  # arrays side by side are gone through by their examples
                return Several(items)
            return self._number_of_the_round(loop, iterable.items)
        if isinstance(iterable, Several) and len(iterable.items) == 1:
            return iterable.items[0]
        if isinstance(iterable, Loader):
            loop.rounds.add(iterable.key)
            loop.examples.update(dict.fromkeys((*iterable.data, f"{iterable.key}.dataset"), True))
            loop.examples[f"{iterable.key}.sampler"] = True
            loop.name = iterable.name or "loader"
            loop.has_batches = iterable.may_count
            loop.may_count &= iterable.may_count
            loop.has_dataset = iterable.has_dataset
            return Batch(loop, "item")
        if isinstance(iterable, Unknown):
            loop.rounds.add(iterable.key)
            loop.name = iterable.name
            is_named = _BATCHES.search(iterable.name) or _BATCHES.search(iterable.by)
            loop.has_batches = None if is_named else False
            if iterable.of and "batch" in iterable.by.lower():
                loop.examples.update(dict.fromkeys(iterable.of, False))
            loop.examples.update(
                {f"{iterable.key}.{name}": False for name in ("dataset", "sampler", "dataset.data")}
            )
            return Batch(loop, "item")
        return self.unknown()

    def _number_of_the_round(self, loop: Loop, bounds: Sequence[Value]) -> Value:
        """`range(n)`, and `range(0, n, size)`, which cuts n examples into batches."""
        if len(bounds) == 1 or (
            len(bounds) == 2 and bounds[0] == Number(0.0, getattr(bounds[0], "loops", ()))
        ):
            stop = bounds[-1]
            if key := key_of(stop):
                loop.rounds.add(key)
            if isinstance(stop, Count) and stop.of == "length":
                loop.rounds.add(stop.key)
            return Count("index", loops=(loop,))
        if len(bounds) == 3:
            if isinstance(bounds[2], Number) and bounds[2].value == 1:
                loop.may_count = False
            stop = bounds[1]
            loop.has_batches = loop.may_count
            if key := key_of(stop):
                loop.examples[key] = True
            if isinstance(stop, Count) and stop.of in ("length", "batch") and stop.key:
                loop.examples[stop.key] = True
            return Count("index", key="start", loops=(loop,))
        return self.unknown()

    def length_in(self, loop: Loop) -> str:
        batches = self.names.batches()
        self.spend(len(batches) // _NAMES_PER_NODE)
        held = [
            name
            for name, value in batches
            if value.loop is loop and value.form == "array" and name.isidentifier() and not value.about
        ]
        labels = [name for name in held if _LABELS.search(name)]
        return f"len({(labels or held)[-1]})" if held else ""

    def bind(self, target: ast.expr, value: Value) -> None:
        """Store a value under a name, or its items under several."""
        if isinstance(target, ast.Tuple | ast.List):
            items = self._items(value, len(target.elts))
            for element, item in zip(target.elts, items, strict=True):
                self.bind(element.value if isinstance(element, ast.Starred) else element, item)
            return
        path = path_of(target)
        if isinstance(target, ast.Subscript) and getattr(value, "value", None) == IGNORED:
            base = self.names.find(path_of(target.value))
            if isinstance(base, Batch):
                self.names[path_of(target.value)] = altered(base, about="ignored")
        if not path:
            return
        self.names.drop_below(path)
        if isinstance(value, Number):
            value = Number(value.value, self.loops)
        elif isinstance(value, Unknown) and not value.name:
            value = Unknown(value.key, path.rpartition(".")[2], value.of, value.by)
        elif isinstance(value, Batch):
            about = value.about or about_named(path.rpartition(".")[2])
            value = altered(value, key=self.unknown().key, about=about)
        elif isinstance(value, Loader) and not value.name:
            value = altered(value, name=path.rpartition(".")[2])
        self.names[path] = value

    def _items(self, value: Value, count: int) -> Sequence[Value]:
        if isinstance(value, Several) and len(value.items) == count:
            return value.items
        if isinstance(value, Batch):
            form = "array" if value.form == "item" else value.form
            return [Batch(value.loop, form)] * count
        return [self.unknown() for _ in range(count)]


def about_named(name: str) -> About:
    """What the name of an array says about it."""
    return "mask" if "mask" in name.lower() else ""


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
    ast.Lambda: Expressions._lambda,
    ast.Await: Expressions._passes_through,
    ast.Starred: Expressions._passes_through,
    ast.Call: lambda self, node: self._call(node),
}

__all__ = ["Class", "Criterion", "Expressions", "Names", "OutOfWork"]
