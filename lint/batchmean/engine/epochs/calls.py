"""What calls give in training code: losses, their means and sums, lengths, loaders."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Final, Literal

from batchmean import operations
from batchmean.engine.domain.tensors import altered
from batchmean.engine.epochs.collectives import MEANS
from batchmean.engine.epochs.expressions import loop_of
from batchmean.engine.epochs.joining import joined
from batchmean.engine.epochs.losses import UNSEEN
from batchmean.engine.epochs.methods import BACKWARD, BOUNDS, COMPARES, PLACED, Methods
from batchmean.engine.epochs.rounds import IGNORED
from batchmean.engine.epochs.spelling import last_name, path_of
from batchmean.engine.epochs.values import (
    Batch,
    Class,
    Count,
    Criterion,
    Figure,
    Figures,
    Function,
    Gradient,
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
    counts_valid,
    key_of,
)
from batchmean.project import is_foreign

_THROUGH: Final = frozenset(
    "tqdm track progress_bar iter reversed list trange_wrapper progressbar auto_tqdm notebook_tqdm".split()
)
"""What gives what it is given, item by item."""
_HELD: Final = frozenset("stack cat tensor array asarray as_tensor FloatTensor Tensor concatenate".split())
_LOADERS: Final = frozenset("DataLoader GeometricDataLoader PyGDataLoader".split())
_DATASET: Final = frozenset("from_tensor_slices".split())
_GRADIENTS: Final = frozenset("grad value_and_grad filter_grad filter_value_and_grad".split())
_OVER_TREES: Final = frozenset("tree_map map tree_multimap".split())
_TRANSPARENT: Final = frozenset("jit filter_jit function compile checkpoint".split())
_GIVEN_FUNCTIONS: Final = _GRADIENTS | _TRANSPARENT | _OVER_TREES | {"scan"}


class Calls(Methods):
    """Evaluates calls; functions and methods of the module are followed by `Walk`."""

    def _call(self, node: ast.Call) -> Value:
        function = node.func
        name = last_name(function)
        if isinstance(function, ast.Attribute):
            base = self._receiver(function)
            base = self.imported(base) if name == "get" else base
            if name in PLACED and self._is_given_back(base, name):
                return base
            if not isinstance(base, Module | Instance | OneOf):
                return self._method(node, base, name)
        callee = self.evaluate(function)
        args = self._arguments(node)
        kwargs = {keyword.arg: self.evaluate(keyword.value) for keyword in node.keywords if keyword.arg}
        for keyword in node.keywords:
            if keyword.arg is None:
                args.append(self.evaluate(keyword.value))  # model(**batch)
        outer = self.call
        self.call = outer if is_foreign(node) else node
        try:
            return self._called(callee, name, args, kwargs, node)
        finally:
            self.call = outer

    def _is_given_back(self, base: Value, name: str) -> bool:
        """Is `base.name()` the criterion or the model itself, moved?"""
        if isinstance(base, OneOf):
            return all(self._is_given_back(item, name) for item in base.items)
        return isinstance(base, Criterion) or (
            isinstance(base, Instance) and self.method_of(base, name) is None
        )

    def _receiver(self, function: ast.Attribute) -> Value:
        stored = self.names.find(path_of(function)) if path_of(function) else None
        return self.evaluate(function.value) if stored is None else Module("")

    def _called(
        self, callee: Value, name: str, args: list[Value], kwargs: dict[str, Value], node: ast.Call
    ) -> Value:
        if name in BACKWARD:
            self._hand(node, args)
        if name == "log":
            self.told_of_ranks(args, kwargs, node)
        if isinstance(callee, OneOf):
            results = [self._called(item, name, args, kwargs, node) for item in callee.items]
            return reduce(lambda a, b: joined(a, b, self.unknown), results)
        callee = self.imported(callee)
        if isinstance(callee, Function):
            if callee.gives != "value":
                return self._differentiated(callee, args, kwargs, node)
            return self.follow(callee, args, kwargs)
        if isinstance(callee, Class):
            if last_name(node.func) == "AverageMeter":
                return self._meter()
            if callee.node.name in _LOADERS:
                return self._loader(args, kwargs, node)
            if is_foreign(callee.node) and not is_foreign(node):
                self.made_here.setdefault(callee, node)
            return Instance(callee)
        if isinstance(callee, Criterion):
            return self._reduced(callee, args, node)
        if isinstance(callee, Batch):
            if callee.form == "item":
                return self._unknown_result(args, kwargs)  # a layer: `for layer in self.layers: x = layer(x)`
            return Batch(callee.loop)  # of `partial(losses, x)`
        if isinstance(callee, Method):
            return self._of_object(callee.base, callee.name, args, kwargs, node, "")
        if isinstance(callee, Module):
            name = callee.name.rpartition(".")[2] or name
        if isinstance(callee, Instance):
            for method in ("forward", "__call__", "call"):
                found = self.method_of(callee, method)
                if found is not None:
                    return self.follow(found, args, kwargs)
        if isinstance(callee, Module | Unknown):
            known = self._known(callee, name, args, kwargs, node)
            if known is not None:
                return known
        if not isinstance(callee, Instance):
            if (asked := self._asked(name, args, node)) is not None:
                return asked
            if UNSEEN.search(name):
                return self._unseen(name, args, node)
        return self._unknown_result(args, kwargs, name)

    def _differentiated(
        self, callee: Function, args: Sequence[Value], kwargs: Mapping[str, Value], node: ast.Call
    ) -> Value:
        """`value_and_grad(f)(x)` and `grad(f)(x)`."""
        value = self.follow(altered(callee, gives="value", has_aux=False), args, kwargs)
        loss = self._first(value)
        gradient: Value = Gradient(loss) if isinstance(loss, Figure) else self.unknown()
        if isinstance(loss, Figure):
            self.differentiated.setdefault(node, loss)
        if callee.gives == "gradient":
            return gradient if not callee.has_aux else Several((gradient, self.unknown()))
        return Several((value if callee.has_aux else loss, gradient))

    def _known(
        self, callee: Module | Unknown, name: str, args: list[Value], kwargs: dict[str, Value], node: ast.Call
    ) -> Value | None:
        """The result of what the libraries and the language have."""
        first = args[0] if args else self.unknown()
        if name in _GIVEN_FUNCTIONS:
            first = self.imported(first)
        full = callee.name if isinstance(callee, Module) else callee.key
        if full in (
            "len",
            "sum",
            "max",
            "float",
            "round",
            "int",
            "enumerate",
            "zip",
            "range",
            "list",
            "abs",
            "slice",
            "getattr",
        ):
            return self._builtin(full, args, node)
        if name in _THROUGH and args:
            return first
        if name == "trange" and args:
            return self._builtin("range", args, node)
        if name == "defaultdict" and len(args) == 1 and last_name(node.args[0]) in ("float", "int"):
            return Table((), self.loops)
        if name in _LOADERS:
            return self._loader(args, kwargs, node)
        if name == "AverageMeter":
            return self._meter()
        if name in _GRADIENTS and isinstance(first, Function):
            asked = [k for k in node.keywords if k.arg == "has_aux"]
            has_aux = any(not isinstance(k.value, ast.Constant) or bool(k.value.value) for k in asked)
            gives: Literal["gradient", "value and gradient"] = (
                "value and gradient" if "value" in name else "gradient"
            )
            return altered(first, gives=gives, has_aux=has_aux)
        if name in _OVER_TREES and isinstance(first, Function) and any(isinstance(a, Gradient) for a in args):
            return self.follow(first, args[1:], kwargs)
        if name in _OVER_TREES and isinstance(first, Module) and any(isinstance(a, Gradient) for a in args):
            return self._called(first, first.name.rpartition(".")[2], args[1:], kwargs, node)
        if name == "scan" and isinstance(first, Function) and len(args) > 2:
            return self._scanned(first, args[1], args[2], node)
        if name == "allreduce" and full.startswith("horovod.") and isinstance(first, Figure):
            return self.averaged_by_default(first, node)
        if name == "pmean":
            return self.averaged_over_ranks(first, node)
        if name in BOUNDS and (bounded := self._bounded(args)) is not None:
            return bounded
        if name in COMPARES and isinstance(compared := self.batch_of(args), Batch):
            return altered(compared, about="mask")
        if name == "where" and any(getattr(a, "value", None) == IGNORED for a in args):
            chosen = self.batch_of(args[1:])
            return altered(chosen, about="ignored") if isinstance(chosen, Batch) else chosen
        if name in _TRANSPARENT and isinstance(first, Function | Criterion):
            return first
        if name in _DATASET or full.endswith("Dataset.zip"):
            return Loader(self.unknown().key, frozenset(_keys(args)), may_count=False)
        if name in _HELD and isinstance(first, Figures):
            return first
        if name == "shape" and isinstance(first, Batch | Unknown):
            return ShapeOf(first)
        if name in MEANS and isinstance(first, Figure) and operations.function(full) is None:
            if not first.loops and first.how != "epoch":
                return self.mean_of_ranks(altered(first, ranks=node), node)
        operation = operations.function(full) or (
            operations.function(f"math.{name}") if full.startswith("math.") else None
        )
        if full == "math.exp":
            return self._exponential(first, node)
        return self._operation(operation, args, kwargs, node) if operation is not None else None

    def _scanned(self, body: Function, carried: Value, over: Value, node: ast.Call) -> Value:
        """`lax.scan(body, carried, over)`: a loop whose rounds hand on what they carry, and give something."""
        items = over.items if isinstance(over, Several) else (over,)
        loop = Loop(node, rounds={key for item in items if (key := key_of(item))}, has_batches=None)
        self.loops = (*self.loops, loop)
        try:
            return self.follow(body, [carried, Batch(loop, "item")], {})
        finally:
            self.loops = self.loops[:-1]

    def _builtin(self, name: str, args: list[Value], node: ast.Call) -> Value:
        first = args[0] if args else self.unknown()
        if name == "len":
            return self.length(first)
        if name in ("enumerate", "zip", "range"):
            return Run(name, tuple(args[:1] if name == "enumerate" else args))  # type: ignore[arg-type]
        if name == "max" and (bounded := self._bounded(args)) is not None:
            return bounded
        if name == "max":
            counts = [a for a in args if isinstance(a, Count)]
            others = [a for a in args if not isinstance(a, Count | Number)]
            return counts[0] if len(counts) == 1 and not others else self.batch_of(args)
        if name == "getattr" and len(node.args) > 1:
            if not isinstance(args[1], Text):
                return self.batch_of(args)
            attribute = args[1].value
            is_object = isinstance(first, Figure | Figures | Batch)
            return Method(first, attribute) if is_object else self.attribute(first, attribute)
        if name == "slice":
            return next((value for value in args if loop_of(value) is not None), self.unknown())
        if name == "sum":
            if isinstance(first, Figures):
                return self._sum_of(first)
            return self.batch_of(args)
        if name in ("float", "round", "int", "list"):
            return first
        return self.batch_of(args)

    def _bounded(self, args: Sequence[Value]) -> Value | None:
        """The number of the positions that count in `max(mask.sum(), 1)`."""
        counts = [value for value in args if counts_valid(value)]
        return (
            counts[0]
            if len(counts) == 1 and all(isinstance(a, Number) or a in counts for a in args)
            else None
        )

    def _loader(self, args: Sequence[Value], kwargs: Mapping[str, Value], node: ast.Call) -> Loader:
        """`DataLoader(data, batch_size=...)`: one example at a time by default, and all of them."""
        data = args[0] if args else kwargs.get("dataset")
        size = args[1] if len(args) > 1 else kwargs.get("batch_size")
        is_batched = size is not None or "batch_sampler" in kwargs
        is_one = isinstance(size, Number) and size.value <= 1
        drops = next((k.value for k in node.keywords if k.arg == "drop_last"), None)
        drops_none = drops is None or (isinstance(drops, ast.Constant) and not drops.value)
        samples = "sampler" in kwargs
        keys = frozenset(_keys([data])) if data is not None and not samples else frozenset[str]()
        has_more = any(keyword.arg is None for keyword in node.keywords) or len(args) < len(node.args)
        may_count = (is_batched or has_more) and not is_one and drops_none
        is_plain = bool(keys) and size is not None and not has_more and "batch_sampler" not in kwargs
        return Loader(self.unknown().key, keys, may_count, has_dataset=is_plain and may_count)

    def _meter(self) -> Meter:
        return Meter(self.unknown().key, self.loops)


def _keys(values: Sequence[Value | None]) -> list[str]:
    found: list[str] = []
    for value in values:
        if isinstance(value, Several):
            found += _keys(value.items)
        elif value is not None and (key := key_of(value)):
            found.append(key)
            if isinstance(value, Unknown):
                found += value.of  # TensorDataset(x, y)
    return found
