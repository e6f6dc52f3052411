"""The names of a function that is walked, and what a round of a loop gives them."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import Final

from batchmean.engine.domain.tensors import altered
from batchmean.engine.epochs.arithmetic import Arithmetic
from batchmean.engine.epochs.names import Names
from batchmean.engine.epochs.spelling import BATCHES, REDUCTIONS, last_name, path_of
from batchmean.engine.epochs.syntax import steps_of
from batchmean.engine.epochs.values import (
    About,
    Batch,
    Count,
    Loader,
    Loop,
    Loops,
    Number,
    Run,
    Several,
    Table,
    Text,
    Unknown,
    Value,
    key_of,
)
from batchmean.engine.evidence.names import is_plain_loss_name

MAX_WORK: Final = 50_000
"""How many expressions and statements of a module are read before the walk stops."""
MAX_DEPTH: Final = 10
"""How deep calls are followed."""
_PARTS: Final = frozenset("split array_split chunk".split())
"""What cuts an array into parts."""
_READS: Final = frozenset("load loads safe_load".split())
"""What reads a file, whatever is in it: `pickle.load(f)`."""
_DRAWS: Final = re.compile(r"^((get|sample|load|fetch|draw)_\w*batch|next(_batch)?|__next__)$", re.I)
"""What gives one batch, another one at every call."""
_ONE: Final = re.compile(r"batch$|^(data|inputs?|samples?|examples?)$", re.I)
"""What people call one batch."""
IGNORED: Final = -100.0
"""The label that the losses of PyTorch ignore."""
_MODELS: Final = re.compile(r"(^|_)(model|net|network)\d?$", re.I)
"""What people call a model."""
_LABELS: Final = re.compile(r"label|target|^y")
"""What has one item for each example in most code."""
NAMES_PER_NODE: Final = 32
"""How many names are looked through in the time in which one node is read."""


class OutOfWork(Exception):
    """The module is larger, or calls deeper, than the walk goes."""


class Rounds(Arithmetic):
    """Names, and the loops that set them."""

    def __init__(self) -> None:
        super().__init__()
        self._all_names: list[Names] = []
        self.names = self.names_within(None)
        self.yielded: list[Loops] = []
        """The loops of each `yield` of the generator that is being walked."""
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

    def spend(self, cost: int = 1) -> None:
        self._work += cost
        if self._work > MAX_WORK:
            raise OutOfWork

    def evaluate(self, node: ast.expr | None) -> Value:
        """The value of an expression; what stands in it is read, too."""
        raise NotImplementedError

    def enter(self, node: ast.AST, target: ast.expr, iterable: Value) -> Loop:
        """Begin a round of a loop: its targets are what it gives."""
        loop = Loop(node)
        self.loops = (*self.loops, loop)
        self.bind(target, self._item(loop, iterable))
        return loop

    def _item(self, loop: Loop, iterable: Value) -> Value:
        """What a loop gives in each round, and what is known of the loop by what it runs through."""
        if isinstance(iterable, Run) and iterable.items:  # without any the call is wrong
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
            keys = (*iterable.data, f"{iterable.key}.dataset", f"{iterable.key}.sampler")
            loop.examples.update(dict.fromkeys(keys, iterable.shown))
            loop.name = iterable.name or "loader"
            loop.has_batches = iterable.may_count
            loop.may_count &= iterable.may_count
            loop.has_dataset = iterable.has_dataset
            return Batch(loop, "item")
        if isinstance(iterable, Unknown):
            loop.rounds.add(iterable.key)
            loop.name = iterable.name
            is_named = (
                iterable.cuts
                or BATCHES.search(iterable.name)
                or iterable.by in _PARTS
                or (iterable.by not in _READS and BATCHES.search(iterable.by))
            )
            loop.has_batches = None if is_named else False
            if iterable.of and (iterable.cuts or "batch" in iterable.by.lower()):
                loop.examples.update(dict.fromkeys(iterable.of, False))
            loop.examples.update(
                {f"{iterable.key}.{name}": False for name in ("dataset", "sampler", "dataset.data")}
            )
            return Batch(loop, "item")
        return self.unknown()

    def cut_by_generator(self) -> frozenset[str]:
        """The keys of what the generator that is being walked cuts into batches, in one loop, and gives all of."""
        over = {loops[len(self.loops) :] for loops in self.yielded}
        if len(over) != 1 or len(loops := over.pop()) != 1:
            return frozenset()
        return frozenset(loops[0].examples) if loops[0].has_batches else frozenset()

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
        return Count("index", key="start", loops=(loop,)) if len(bounds) == 2 else self.unknown()

    def drawn(self, value: Value, target: ast.expr, by: ast.expr) -> Value:
        """What a round draws itself: `x, y = get_batch("train")`, `batch = next(batches)`."""
        if not self.loops or not isinstance(by, ast.Call) or not _DRAWS.search(last_name(by.func)):
            return value
        is_one = isinstance(target, ast.Tuple) or bool(_ONE.search(last_name(target)))
        parts = value.items if isinstance(value, Several) else (value,)
        if not is_one or not all(isinstance(part, Unknown) for part in parts):
            return value
        loop = self.loops[-1]
        loop.has_batches = loop.has_batches or None
        return Batch(loop, "item")

    def given_by_model(self, value: Value, target: ast.expr, by: ast.expr) -> Value:
        """`loss = model(x, y)`, `logits, loss = model(x, y)`: the loss of this round, which the model takes itself."""
        if not self.loops or not isinstance(by, ast.Call) or not _MODELS.search(last_name(by.func)):
            return value
        is_step = isinstance(self.loops[-1].node, ast.For) and steps_of(self.loops[-1].node) is not None
        if not isinstance(value, Batch) and not (is_step and isinstance(value, Unknown)):
            return value
        names = target.elts if isinstance(target, ast.Tuple) else [target]
        found = [is_plain_loss_name(last_name(name)) for name in names]
        given = Batch(self.loops[-1], about="loss")
        if found.count(True) != 1:
            return value
        if not isinstance(target, ast.Tuple):
            return given
        return Several(tuple(given if is_loss else self.batch_of((value,)) for is_loss in found))

    def length_in(self, loop: Loop) -> str:
        batches = self.names.batches()
        self.spend(len(batches) // NAMES_PER_NODE)
        held = [
            name
            for name, value in batches
            if value.loop is loop and value.form == "array" and name.isidentifier() and not value.about
        ]
        labels = [name for name in held if _LABELS.search(name)]
        return f"len({(labels or held)[-1]})" if held else ""

    def path(self, node: ast.expr) -> str:
        """The name that something is stored under, where an index that is known stands for itself: `totals[key]`."""
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Name):
            index = self.names.find(node.slice.id)
            if isinstance(index, Text) and (base := path_of(node.value)):
                return f"{base}[{index.value!r}]"
        return path_of(node)

    def _begun(self, item: Value) -> Value:
        """What stands in a list or a dictionary: a number begins in the loops in which that is made."""
        return Number(item.value, self.loops) if isinstance(item, Number) else item

    def bind(self, target: ast.expr, value: Value) -> None:
        """Store a value under a name, or its items under several."""
        if isinstance(target, ast.Tuple | ast.List):
            items = self._items(value, len(target.elts))
            for element, item in zip(target.elts, items, strict=True):
                self.bind(element.value if isinstance(element, ast.Starred) else element, item)
            return
        path = self.path(target)
        if isinstance(target, ast.Subscript) and getattr(value, "value", None) == IGNORED:
            base = self.names.find(path_of(target.value))
            if isinstance(base, Batch):
                self.names[path_of(target.value)] = altered(base, about="ignored")
        if not path:
            return
        if isinstance(target, ast.Attribute) and target.attr in REDUCTIONS:
            self.names[path_of(target.value)] = self.unknown()  # a criterion that is told otherwise later
        self.names.drop_below(path)
        if isinstance(value, Number):
            value = Number(value.value, self.loops)
        elif isinstance(value, Several):
            value = Several(tuple(map(self._begun, value.items)))
        elif isinstance(value, Table):
            value = altered(value, items=tuple((key, self._begun(item)) for key, item in value.items))
        elif isinstance(value, Unknown) and not value.name:
            value = altered(value, name=path.rpartition(".")[2])
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
