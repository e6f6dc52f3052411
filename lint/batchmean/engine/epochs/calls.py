"""What calls give in training code: losses, their means and sums, lengths, loaders."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from batchmean import operations
from batchmean.engine.domain.tensors import Place, altered
from batchmean.engine.epochs.arithmetic import VALID, counts_valid
from batchmean.engine.epochs.expressions import IGNORED, Expressions, kept, loop_of
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
    Meter,
    Method,
    Module,
    Number,
    Run,
    Several,
    ShapeOf,
    Text,
    Unknown,
    Value,
    key_of,
)
from batchmean.operations.table import Operation

_UNSEEN: Final = re.compile(
    r"^(\w+_)?(crit|criterion|criteria|loss_?(fn|func|function|criterion)|objective)s?(_\w+|\d+)?$", re.I
)
"""What people call a criterion."""
_CLASS_LOSS: Final = re.compile(r"cross_?entropy|nll", re.I)
"""The losses whose exponential is a perplexity."""
_THROUGH: Final = frozenset(
    "tqdm track progress_bar iter reversed list trange_wrapper progressbar auto_tqdm notebook_tqdm".split()
)
"""What gives what it is given, item by item."""
_SAME: Final = frozenset(
    "item detach cpu numpy float double half to tolist clone astype squeeze data cuda asnumpy block_until_ready"
    " as_in_context asscalar reshape view contiguous cast".split()
)
"""Methods that leave a number what it is."""
_LIKE: Final = frozenset(
    "to cuda cpu float double half long int bool type contiguous detach clone astype numpy".split()
)
"""Methods that leave an array's axes what they are."""
_RESHAPING: Final = frozenset(
    "view reshape flatten permute transpose squeeze unsqueeze t ravel expand repeat gather masked_select nonzero"
    " rearrange".split()
)
_HELD: Final = frozenset("stack cat tensor array asarray as_tensor FloatTensor Tensor concatenate".split())
_LOADERS: Final = frozenset("DataLoader GeometricDataLoader PyGDataLoader".split())
_DATASET: Final = frozenset("from_tensor_slices".split())
_GRADIENTS: Final = frozenset("grad value_and_grad filter_grad filter_value_and_grad".split())
_BACKWARD: Final = frozenset("backward manual_backward".split())
_OVER_TREES: Final = frozenset("tree_map map tree_multimap".split())
_BOUNDS: Final = frozenset("clamp clip clamp_min maximum max".split())
"""What keeps a count from being 0."""
_COMPARES: Final = frozenset("eq ne gt lt ge le not_equal equal".split())
_TRANSPARENT: Final = frozenset("jit filter_jit function compile checkpoint".split())
_FUNCTIONAL: Final = frozenset("class_loss elementwise_loss kl_div".split())
_CRITERIA: Final = frozenset("class_loss_module elementwise_loss_module kl_div_module loss_module".split())


class Calls(Expressions):
    """Evaluates calls; functions and methods of the module are followed by `Walk`."""

    def __init__(self) -> None:
        super().__init__()
        self.backward: dict[ast.Call, Figure] = {}
        """The calls of `loss.backward()`, with what is known of the loss."""
        self.handed: dict[ast.Call, Figure] = {}
        """The losses that are handed to an object whose `backward` may divide them."""
        self.differentiated: dict[ast.Call, Figure] = {}
        """The losses whose gradients are taken by a call."""
        self.given: dict[ast.AST, list[tuple[ast.expr, Figure]]] = {}
        """What the steps of trainers return."""
        self._meters: dict[str, tuple[Figure, Count, ast.AST] | None] = {}
        """What averages' objects were given, by key; None where it was not one thing."""

    @property
    def trained(self) -> frozenset[str]:
        """The names of the callables, and of the attributes, whose result has its `.backward()` called."""
        raise NotImplementedError

    def follow(self, function: Function, args: Sequence[Value], kwargs: Mapping[str, Value]) -> Value:
        """Call a function of the module."""
        raise NotImplementedError

    def imported(self, module: Module) -> Value:
        """The function or class of the project that an imported name stands for, or the name itself."""
        raise NotImplementedError

    def method_of(self, instance: Instance, name: str) -> Function | None:
        """A method of an object of the module."""
        raise NotImplementedError

    @property
    def ignored(self) -> frozenset[float]:
        """The negative numbers that labels may hold."""
        raise NotImplementedError

    @property
    def gives_token_means(self) -> bool:
        """Are the models of this module language models of `transformers`, some of whose labels are ignored?"""
        raise NotImplementedError

    def given_loss(self, base: Batch, name: str) -> Value:
        if name not in self.trained:
            return Batch(base.loop, "reshaped")
        found = self._mean_of(base, ast.Pass(), "", shown=False, places=())
        return altered(found, per_token=self.gives_token_means) if isinstance(found, Figure) else found

    def _call(self, node: ast.Call) -> Value:
        function = node.func
        name = last_name(function)
        if isinstance(function, ast.Attribute):
            base = self._receiver(function)
            if not isinstance(base, Module | Instance):
                return self._method(node, base, name)
        callee = self.evaluate(function)
        args = self._arguments(node)
        kwargs = {keyword.arg: self.evaluate(keyword.value) for keyword in node.keywords if keyword.arg}
        for keyword in node.keywords:
            if keyword.arg is None:
                args.append(self.evaluate(keyword.value))  # model(**batch)
        return self._called(callee, name, args, kwargs, node)

    def _arguments(self, node: ast.Call) -> list[Value]:
        args: list[Value] = []
        for argument in node.args:
            value = self.evaluate(argument)
            if isinstance(argument, ast.Starred) and isinstance(value, Several):
                args += value.items
            else:
                args.append(value)
        return args

    def _receiver(self, function: ast.Attribute) -> Value:
        stored = self.names.find(path_of(function)) if path_of(function) else None
        return self.evaluate(function.value) if stored is None else Module("")

    def _called(
        self, callee: Value, name: str, args: list[Value], kwargs: dict[str, Value], node: ast.Call
    ) -> Value:
        if name in _BACKWARD:
            self._hand(node, args)
        if isinstance(callee, Module) and callee.name:
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
            return Instance(callee)
        if isinstance(callee, Criterion):
            return self._reduced(callee, args, node)
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
        if _UNSEEN.search(name) and not isinstance(callee, Instance):
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

    def _hand(self, node: ast.Call, args: Sequence[Value]) -> None:
        """`accelerator.backward(loss)`."""
        if args and isinstance(args[0], Figure):
            before = self.handed.setdefault(node, args[0])
            if before != args[0]:
                self.handed[node] = self._unlike(args[0])

    def _first(self, value: Value) -> Value:
        return value.items[0] if isinstance(value, Several) and value.items else value

    def _unknown_result(self, args: Sequence[Value], kwargs: Mapping[str, Value], name: str = "") -> Value:
        given = [*args, *kwargs.values()]
        for value in given:
            if isinstance(value, Batch):
                return Batch(value.loop, "made" if value.form != "reshaped" else "reshaped")
        return self.unknown(of=[key for value in given if (key := key_of(value))], by=name)

    def _known(
        self, callee: Module | Unknown, name: str, args: list[Value], kwargs: dict[str, Value], node: ast.Call
    ) -> Value | None:
        """The result of what the libraries and the language have."""
        first = args[0] if args else self.unknown()
        if isinstance(first, Module) and name in (_GRADIENTS | _TRANSPARENT | _OVER_TREES):
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
        if name == "pmean":
            return self.averaged_over_ranks(first, node)
        if name in _BOUNDS and (bounded := self._bounded(args)) is not None:
            return bounded
        if name in _COMPARES and isinstance(compared := self.batch_of(args), Batch):
            return altered(compared, about="mask")
        if name == "where" and any(getattr(a, "value", None) == IGNORED for a in args):
            chosen = self.batch_of(args[1:])
            return altered(chosen, about="ignored") if isinstance(chosen, Batch) else chosen
        if name in _TRANSPARENT and isinstance(first, Function | Criterion):
            return first
        if name in _DATASET:
            return Loader(self.unknown().key, frozenset(_keys(args)), may_count=False)
        if name in _HELD and isinstance(first, Figures):
            return first
        if name == "shape" and isinstance(first, Batch | Unknown):
            return ShapeOf(first)
        operation = operations.function(full) or (
            operations.function(f"math.{name}") if full.startswith("math.") else None
        )
        if full == "math.exp":
            return self._exponential(first, node)
        return self._operation(operation, args, kwargs, node) if operation is not None else None

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

    def _sum_of(self, figures: Figures) -> Value:
        return figures.item if figures.item is not None else self.unknown()

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

    def _operation(
        self, operation: Operation, args: list[Value], kwargs: dict[str, Value], node: ast.Call
    ) -> Value | None:
        bound, _ = operation.bind(args, kwargs)
        x = bound.get("x", args[0] if args else self.unknown())
        match operation.primitive:
            case "mean" | "sum" | "average":
                if isinstance(x, Figures) and "axis" not in bound:
                    return self.averaged(x, node) if operation.primitive != "sum" else self._sum_of(x)
                return self._reduction(operation.primitive, x, bound.get("axis"), node)
            case "exp":
                return self._exponential(x, node)
            case "divide" | "multiply" | "add" if isinstance(x, Figure | Batch) and "y" in bound:
                y = bound["y"]
                result = (
                    self.over(x, y, node)
                    if operation.primitive == "divide"
                    else self.times(x, y)
                    if operation.primitive == "multiply"
                    else self.plus(x, y)
                )
                into = next((path_of(k.value) for k in node.keywords if k.arg == "out"), "")
                if into:
                    self.names[into] = result
                return result
            case "identity" | "array":
                return x
            case "numel" if isinstance(x, Batch | Figures):
                return self.attribute(x, "size")
            case "per_example_loss":
                values = [*args, *kwargs.values()]
                if operation.name[:1].islower() and _is_of_torch(operation):
                    how = _asked_for(node)
                    return self._reduced(Criterion(how, operation.name), values, node) if how else None
                criterion = Criterion("none", operation.name, True, bool(_CLASS_LOSS.search(operation.name)))
                return self._reduced(criterion, values, node)
            case primitive if primitive in _FUNCTIONAL:
                how = _how(operation, node)
                return (
                    self._reduced(
                        self._criterion(how, operation, node),
                        [*args, *kwargs.values()],
                        node,
                    )
                    if how
                    else self._unknown_result(args, kwargs)
                )
            case primitive if primitive in _CRITERIA:
                how = _how(operation, node)
                return self._criterion(how, operation, node) if how else None
            case "size_at" | "shape":
                return ShapeOf(x) if isinstance(x, Batch | Unknown) else None
        return None

    def _criterion(
        self, how: Literal["mean", "sum", "none"], operation: Operation, node: ast.Call
    ) -> Criterion:
        is_class_loss = bool(_CLASS_LOSS.search(operation.name))
        return Criterion(how, operation.name, True, is_class_loss, self._ignores(node))

    def _ignores(self, node: ast.Call) -> bool:
        """Is a label named that is ignored, and may labels be that?"""
        for keyword in node.keywords:
            if keyword.arg in ("ignore_index", "ignore_class"):
                label = self.evaluate(keyword.value)
                is_none = isinstance(keyword.value, ast.Constant) and keyword.value.value is None
                if isinstance(label, Number) and label.value < 0:
                    return (
                        label.value in self.ignored
                    )  # the defaults are often written, and nothing has that label
                return not is_none
        return False

    def _reduction(self, how: str, x: Value, axis: Value | None, node: ast.AST) -> Value | None:
        if isinstance(x, Figure):
            return x if how != "sum" or not x.loops else self.withdraw(x)
        if not isinstance(x, Batch):
            return None
        if axis is not None:
            keeps = isinstance(axis, Number) and axis.value != 0
            return Batch(x.loop, x.form if keeps and x.form != "item" else "reduced")
        if x.about == "shares" and how == "sum":
            return Figure("mean", (Place(node, VALID),), False, x.loop, per_token=True)
        if x.form == "item" or (how == "sum" and x.form in ("reduced", "made")):
            return Batch(
                x.loop, "reduced", about="valid" if x.about == "mask" else "total" if how == "sum" else ""
            )
        text = "this is a mean over a batch" if how != "sum" else "this is a sum over a batch"
        found = self._mean_of(
            x,
            node,
            "",
            shown=x.form != "made",
            places=(Place(node, text),),
            how="sum" if how == "sum" else "mean",
            is_class_loss=x.is_class_loss,
        )
        if not isinstance(found, Figure):
            return found
        return altered(
            found,
            is_valid_count=how == "sum" and x.about == "mask",
            per_token=how != "sum" and x.about == "selected",
        )

    def _mean_of(
        self,
        x: Batch,
        node: ast.AST,
        name: str,
        shown: bool,
        places: tuple[Place, ...],
        how: Literal["mean", "sum"] = "mean",
        is_class_loss: bool = True,
    ) -> Value:
        return Figure(how, places, shown, x.loop, is_class_loss=is_class_loss)

    def _reduced(self, criterion: Criterion, args: Sequence[Value], node: ast.Call) -> Value:
        """What a criterion gives for a batch."""
        batch = next((arg for arg in args if isinstance(arg, Batch)), None)
        if batch is None:
            return self.unknown()
        if criterion.how == "none":
            return Batch(batch.loop, "array", criterion.is_class_loss)
        left_out = criterion.ignores or any(
            isinstance(arg, Batch) and arg.about in ("ignored", "selected") for arg in args
        )
        of = " the positions that count in" if left_out and criterion.how == "mean" else ""
        text = f"{criterion.name} gives the {criterion.how} over{of} a batch"
        found = self._mean_of(
            batch,
            node,
            criterion.name,
            criterion.shown,
            (Place(node, text),),
            criterion.how,
            criterion.is_class_loss,
        )
        if isinstance(found, Figure) and left_out and criterion.how == "mean":
            return altered(found, per_token=True)
        return found

    def _unseen(self, name: str, args: Sequence[Value], node: ast.Call) -> Value:
        """A criterion that is made elsewhere: what a model is trained with is a mean, most likely."""
        batch = next((arg for arg in args if isinstance(arg, Batch)), None)
        if batch is None or name not in self.trained:
            return self._unknown_result(args, {})
        place = Place(node, "a criterion gives the mean over a batch, unless it is asked for something else")
        return self._mean_of(batch, node, name, shown=False, places=(place,))

    def _exponential(self, x: Value, node: ast.AST) -> Value:
        if isinstance(x, Figure) and x.how == "mean" and not x.loops and x.is_whole and x.is_class_loss:
            return altered(
                x, how="perplexity", places=(*x.places, Place(node, "its exponential is taken of each batch"))
            )
        if isinstance(x, Figure):
            return self.unknown()
        return self.batch_of((x,))

    def _method(self, node: ast.Call, base: Value, name: str) -> Value:
        """`base.name(...)`."""
        function = node.func
        assert isinstance(function, ast.Attribute)
        args = self._arguments(node)
        kwargs = {keyword.arg: self.evaluate(keyword.value) for keyword in node.keywords if keyword.arg}
        return self._of_object(base, name, args, kwargs, node, path_of(function.value))

    def _of_object(
        self,
        base: Value,
        name: str,
        args: list[Value],
        kwargs: dict[str, Value],
        node: ast.Call,
        holder: str,
    ) -> Value:
        has_axis = bool(args) or not kwargs.keys().isdisjoint(("dim", "axis"))
        if isinstance(base, Figures):
            if name == "append" and args:
                if holder:
                    self.names[holder] = self.listed(base, args[0], node)
                return self.unknown()
            if name in ("mean", "sum") and not has_axis:
                return self.averaged(base, node) if name == "mean" else self._sum_of(base)
            if name in _SAME:
                return base
            if name in ("numel", "nelement", "size", "__len__"):
                return self.length(base)
            if name in ("extend", "clear", "pop", "insert") and holder:
                self.names[holder] = self.unknown()
            return self.unknown()
        if isinstance(base, Several) and name == "append" and args and holder:
            self.names[holder] = Several((*base.items, args[0]))
            return self.unknown()
        if isinstance(base, Figure | Batch) and name.endswith("_") and not name.endswith("__"):
            return self._in_place(base, name, args, node)
        if isinstance(base, Figure):
            if name in ("item", "detach"):
                event = base.event if base.how == "epoch" else None
                return altered(
                    base, per_token=False, event=event
                )  # for the eye: what it is scaled by moves nothing
            if name in _SAME or name == "mean" or (name == "sum" and not base.loops):
                return base
            if name == "exp":
                return self._exponential(base, node)
            if name in ("div", "true_divide") and args:
                return self.over(base, args[0], node)
            if name in ("mul", "multiply") and args:
                return self.times(base, args[0])
            if name in _BOUNDS and counts_valid(base):
                return base
            if name == "backward":
                self.backward[node] = base if self.backward.get(node, base) == base else self._unlike(base)
                return self.unknown()
            return self.withdraw(base)
        if name == "gradient" and isinstance(base, Unknown) and args and isinstance(args[0], Figure):
            self.differentiated.setdefault(node, args[0])  # tape.gradient(loss, weights)
            return Gradient(args[0])
        if isinstance(base, Unknown) and name in _BACKWARD:
            self._hand(node, args)
        if isinstance(base, Unknown) and name == "scale" and len(args) == 1 and isinstance(args[0], Figure):
            return args[0]  # scaler.scale(loss), which scaler.step undoes
        if isinstance(base, Meter):
            return self._updated(base, name, args, node)
        if isinstance(base, Batch):
            return self._of_batch(base, name, args, kwargs, has_axis, node)
        if isinstance(base, Loader) and name in (
            "shuffle",
            "repeat",
            "prefetch",
            "map",
            "cache",
            "batch",
            "with_options",
        ):
            if name == "batch":
                is_one = bool(args) and isinstance(args[0], Number) and args[0].value <= 1
                drops = any(k.arg in ("drop_remainder",) for k in node.keywords) or len(args) > 1
                return Loader(self.unknown().key, base.data, not is_one and not drops)
            return base if name != "repeat" else altered(base, may_count=False)
        if isinstance(base, Unknown):
            if name == "size":
                return self.length_at(ShapeOf(base), args[0]) if args else ShapeOf(base)
            if name in ("train_on_batch", "test_on_batch") and any(isinstance(arg, Batch) for arg in args):
                batch = next(arg for arg in args if isinstance(arg, Batch))
                text = f"{name} gives the mean over a batch"
                return self._mean_of(batch, node, name, shown=False, places=(Place(node, text),))
            if _UNSEEN.search(name):
                return self._unseen(name, args, node)
        if isinstance(base, Class):
            found = self.method_of(Instance(base), name)
            if found is not None:
                return self.follow(altered(found, receiver=None), args, kwargs)
        stored = self.attribute(base, name)
        if not isinstance(stored, Unknown | Batch):
            return self._called(stored, name, args, kwargs, node)
        for keyword in node.keywords:
            if keyword.arg is None:
                args.append(self.evaluate(keyword.value))
        return self._unknown_result(args, kwargs, name)

    def _unlike(self, figure: Figure) -> Figure:
        """Of a call that was reached with other losses nothing is known."""
        return altered(figure, how="epoch")

    def _in_place(self, base: Figure | Batch, name: str, args: list[Value], node: ast.Call) -> Value:
        """`loss.div_(n)`."""
        assert isinstance(node.func, ast.Attribute)
        result: Value = base
        if name in ("div_", "true_divide_") and args:
            result = self.over(base, args[0], node)
        elif name in ("mul_", "multiply_") and args:
            result = self.times(base, args[0])
        elif name in ("add_", "sub_"):
            result = self.plus(base, args[0]) if args else self.unknown()
        elif isinstance(base, Figure) and name not in ("requires_grad_", "detach_"):
            result = self.withdraw(base)
        if path := path_of(node.func.value):
            self.names[path] = result
        return result

    def _of_batch(
        self,
        base: Batch,
        name: str,
        args: list[Value],
        kwargs: dict[str, Value],
        has_axis: bool,
        node: ast.Call,
    ) -> Value:
        if name == "size":
            return self.length_at(ShapeOf(base), args[0]) if args else ShapeOf(base)
        if name in ("numel", "nelement"):
            return Count("elements", loops=(base.loop,))
        if name in ("mean", "sum"):
            axis = (args[0] if args else kwargs.get("dim", kwargs.get("axis"))) if has_axis else None
            found = self._reduction(name, base, axis, node)
            return found if found is not None else self.unknown()
        if name in _LIKE:
            return base
        if name in _RESHAPING:
            return Batch(base.loop, "reshaped", about="selected" if name == "masked_select" else kept(base))
        if name in _BOUNDS and base.about == "valid":
            return base
        if name in _COMPARES:
            return Batch(base.loop, base.form, about="mask")
        if name in ("masked_fill", "where") and any(getattr(a, "value", None) == IGNORED for a in args):
            return altered(base, about="ignored")
        if name in ("items", "keys", "values", "get"):
            return Batch(base.loop, "array" if name == "get" else "reshaped")
        return Batch(base.loop, "array" if base.form == "item" else base.form)

    def _updated(self, meter: Meter, name: str, args: list[Value], node: ast.Call) -> Value:
        """`meter.update(value, n)`."""
        if name == "update" and args:
            self._met(meter, args[0], args[1] if len(args) > 1 else Number(1.0), node)
        return self.unknown()

    def _met(self, meter: Meter, value: Value, count: Value, node: ast.Call) -> None:
        """An average's object is given a value and how much that counts."""
        over = self.loops[len(meter.loops) :]
        is_first = meter.key not in self._meters
        self._meters[meter.key] = None
        if not is_first or not over:
            return
        if isinstance(count, Number) and count.value == 1:
            total, counted = self._over(value, over, node), Count("rounds", loops=over)
        elif isinstance(count, Count) and count.of == "batch":
            total = self._over(self.times(value, count), over, node)
            counted = Count("examples", loops=over, shown=count.shown)
        else:
            return
        if total is not None:
            self._meters[meter.key] = total, counted, node

    def of_meter(self, meter: Meter, name: str) -> Value:
        given = self._meters.get(meter.key)
        if given is None:
            return Unknown(f"{meter.key}.{name}", name)
        total, count, node = given
        if name in ("avg", "average"):
            return self.divided(total, count, node)
        return total if name == "sum" else count if name == "count" else self.unknown()


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


def _is_of_torch(operation: Operation) -> bool:
    return operation.parameters == (("x", "input"),)


def _asked_for(node: ast.Call) -> Literal["mean", "sum", "none"] | None:
    """The reduction that a call asks for; PyTorch's losses take the mean if none is."""
    for keyword in node.keywords:
        value = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
        if keyword.arg == "reduction":
            name = "mean" if value in ("elementwise_mean", "batchmean", "sum_over_batch_size") else value
            return name if name in ("mean", "sum", "none") else None  # type: ignore[return-value]
        if keyword.arg == "size_average":
            return {True: "mean", False: "sum"}.get(value) if isinstance(value, bool) else None  # type: ignore[return-value]
        if keyword.arg == "reduce":
            return None
        if keyword.arg is None:
            return None
    return "mean"


def _how(operation: Operation, node: ast.Call) -> Literal["mean", "sum", "none"] | None:
    if operation.extra == "none":
        return "none"
    if len(node.args) > 3:
        return None  # which may be the reduction
    return _asked_for(node)
