"""What the methods of losses, lists of them, batches, loaders and meters give."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Final

from batchmean import operations
from batchmean.engine.domain.tensors import Place, altered
from batchmean.engine.epochs.collectives import Collectives
from batchmean.engine.epochs.expressions import kept
from batchmean.engine.epochs.losses import RUNNING, UNSEEN, may_be_along_the_first
from batchmean.engine.epochs.rounds import IGNORED
from batchmean.engine.epochs.spelling import path_of
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
    Number,
    Several,
    ShapeOf,
    Table,
    Unknown,
    Value,
    counts_valid,
)

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
PLACED: Final = frozenset("to cuda cpu xpu float double half bfloat16 eval train requires_grad_".split())
"""Methods that leave a criterion or a model what it is, and give it back."""
RUNS: Final = frozenset("run experimental_run_v2".split())
"""What calls a step of TensorFlow on every replica."""
BACKWARD: Final = frozenset("backward manual_backward".split())
BOUNDS: Final = frozenset("clamp clip clamp_min maximum max".split())
"""What keeps a count from being 0."""
COMPARES: Final = frozenset("eq ne gt lt ge le not_equal equal".split())


class Methods(Collectives):
    """Evaluates calls of methods; what an attribute holds is called by `Calls`."""

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
        self.made_here: dict[Class, ast.Call] = {}
        """The classes of other modules of the project of which an object is made, with the calls that do it."""
        self.fitted: set[Class] = set()
        """The classes of the objects that a trainer is given to fit."""
        self.elsewhere: dict[ast.AST, ast.Call] = {}
        """The steps of trainers that other modules define, with the calls that make an object of their class."""
        self._meters: dict[str, tuple[Figure, Count, ast.AST] | None] = {}
        """What averages' objects were given, by key; None where it was not one thing."""

    def method_of(self, instance: Instance, name: str) -> Function | None:
        """A method of an object of the module."""
        raise NotImplementedError

    def _called(
        self, callee: Value, name: str, args: list[Value], kwargs: dict[str, Value], node: ast.Call
    ) -> Value:
        """What a call gives; `name` is what the code calls it by."""
        raise NotImplementedError

    def _arguments(self, node: ast.Call) -> list[Value]:
        args: list[Value] = []
        for argument in node.args:
            value = self.evaluate(argument)
            if isinstance(argument, ast.Starred) and isinstance(value, Several):
                args += value.items
            else:
                args.append(value)
        return args

    def _hand(self, node: ast.Call, args: Sequence[Value]) -> None:
        """`accelerator.backward(loss)`."""
        if args and isinstance(args[0], Figure):
            before = self.handed.setdefault(node, args[0])
            if before != args[0]:
                self.handed[node] = self._unlike(args[0])

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
                return altered(base, is_told=True, event=event)
            if name == "sum" and base.how == "mean" and not base.shown:
                return self.withdraw(base)  # what is summed was no mean, for all that is shown of it
            if name == "mean" and base.ranks is not None and not has_axis:
                return self.mean_of_ranks(base, node)
            if name in _SAME or name == "mean" or (name == "sum" and not base.loops):
                return base
            if name == "exp":
                return self._exponential(base, node)
            if name in ("div", "true_divide") and args:
                return self.over(base, args[0], node)
            if name in ("mul", "multiply") and args:
                return self.times(base, args[0])
            if name in BOUNDS and counts_valid(base):
                return base
            if name == "backward":
                self.backward[node] = base if self.backward.get(node, base) == base else self._unlike(base)
                return self.unknown()
            return self.withdraw(base)
        if name == "gradient" and isinstance(base, Unknown) and args and isinstance(args[0], Figure):
            self.differentiated.setdefault(node, args[0])  # tape.gradient(loss, weights)
            return Gradient(args[0])
        if isinstance(base, Unknown) and name in BACKWARD:
            self._hand(node, args)
        if isinstance(base, Unknown) and name == "step" and len(args) == 1 and isinstance(args[0], Function):
            return self._called(args[0], name, [], {}, node)  # optimizer.step(closure) gives the loss
        if isinstance(base, Unknown) and name in RUNS and (found := self.run_on_replicas(args, kwargs)):
            return found
        if isinstance(base, Unknown) and (found := self.collected(name, args, node)) is not None:
            return found
        if isinstance(base, Unknown) and name == "scale" and len(args) == 1 and _is_loss(args[0]):
            return args[0]  # scaler.scale(loss), which scaler.step undoes
        if isinstance(base, Meter):
            return self._updated(base, name, args, node)
        if isinstance(base, Batch):
            return self._of_batch(base, name, args, kwargs, has_axis, node)
        if isinstance(base, Criterion):
            return self._reduced(base, args, node) if name == "forward" else self.unknown()
        if isinstance(base, Table) and name == "get" and args:
            return self.chosen(base)
        if isinstance(base, Loader) and name == "cardinality":
            return Count("length", base.key)
        if isinstance(base, Count) and name == "numpy":
            return base
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
                each = base.data if base.may_count else base.data | {base.key}
                return Loader(self.unknown().key, each, not is_one and not drops)
            return base if name != "repeat" else altered(base, may_count=False)
        if name == "fit" and args and isinstance(args[0], Instance):
            self.fitted.add(args[0].cls)
        if isinstance(base, Unknown):
            if name == "size":
                return self.length_at(ShapeOf(base), args[0]) if args else ShapeOf(base)
            if name in ("train_on_batch", "test_on_batch") and any(isinstance(arg, Batch) for arg in args):
                batch = next(arg for arg in args if isinstance(arg, Batch))
                text = f"{name} gives the mean over a batch"
                return self._mean_of(batch, node, name, shown=False, places=(Place(node, text),))
            if (asked := self._asked(name, args, node)) is not None:
                return asked
            if UNSEEN.search(name):
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
        if name in BOUNDS and base.about == "valid":
            return base
        if name == "backward" and base.about == "loss":
            place = Place(node, "a model gives the mean over a batch, unless it is asked for something else")
            self.backward.setdefault(node, Figure("mean", (place,), False, base.loop))
        if name in COMPARES:
            return Batch(base.loop, base.form, about="mask")
        if name in ("masked_fill", "where") and any(getattr(a, "value", None) == IGNORED for a in args):
            return altered(base, about="ignored")
        if name in ("items", "keys", "values", "get"):
            return Batch(base.loop, "array" if name == "get" else "reshaped")
        operation = operations.method(name)
        if RUNNING.search(name) and may_be_along_the_first(args, kwargs):
            return Batch(base.loop, "reduced")
        if operation is not None and operation.primitive == "distribution_log_prob":
            return Batch(base.loop)  # of what, and of how many, a density is asked is not shown
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


def _is_loss(value: Value) -> bool:
    return isinstance(value, Figure) or (isinstance(value, Batch) and value.about == "loss")
