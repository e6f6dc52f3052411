"""Losses in training code, and what reduces them: criteria, means and sums over a batch."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from batchmean.effects import is_loss, makes_criterion
from batchmean.engine.domain.tensors import Place, altered
from batchmean.engine.epochs.arithmetic import VALID
from batchmean.engine.epochs.expressions import Expressions
from batchmean.engine.epochs.spelling import BATCH_SIZE, divisor_name, path_of
from batchmean.engine.epochs.values import (
    Batch,
    Count,
    Criterion,
    Figure,
    Figures,
    Gradient,
    Number,
    Several,
    ShapeOf,
    Unknown,
    Value,
    key_of,
)
from batchmean.engine.evidence.names import is_spread_name
from batchmean.operations.table import Operation

UNSEEN: Final = re.compile(
    r"^_*(\w+_)?(crit|criterion|criteria|loss_?(fn|func|function|criterion)|objective)s?(_\w+|\d+)?$", re.I
)
"""What people call a criterion."""
RUNNING: Final = re.compile(r"^(log)?cum(sum|prod|max|min|sumexp)$")
"""What makes of each example something of those before it, too."""
_CLASS_LOSS: Final = re.compile(r"cross_?entropy|nll", re.I)
"""The losses whose exponential is a perplexity."""


class Losses(Expressions):
    """What a loss, a mean or a sum gives for a batch."""

    @property
    def ignored(self) -> frozenset[float]:
        """The negative numbers that labels may hold."""
        raise NotImplementedError

    @property
    def gives_token_means(self) -> bool:
        """Are the models of this module language models of `transformers`, some of whose labels are ignored?"""
        raise NotImplementedError

    @property
    def trained(self) -> frozenset[str]:
        """The names of the callables, and of the attributes, whose result has its `.backward()` called."""
        raise NotImplementedError

    @property
    def leaving_out(self) -> frozenset[str]:
        """The names of criteria that leave out labels, and of which no more is shown."""
        raise NotImplementedError

    def over(self, a: Value, b: Value, node: ast.AST) -> Value:
        return self._over_size(a, b, node) or super().over(a, b, node)

    def _over_size(self, a: Value, b: Value, node: ast.AST) -> Figure | None:
        """A sum over a batch over what is called the size of a batch: the mean, unless the last batch is smaller."""
        is_one = isinstance(b, Number) and b.value <= 1
        if not isinstance(b, Unknown | Number) or is_one or not BATCH_SIZE.search(divisor_name(node)):
            return None
        place = Place(node, "this divides a sum by the size of a batch")
        if isinstance(a, Batch) and a.about == "total":
            return Figure("mean", (place,), False, a.loop, is_class_loss=False, over_size=True)
        if not isinstance(a, Figure) or a.how != "sum" or a.loops or a.loop is None or not a.is_whole:
            return None
        return altered(a, how="mean", shown=False, over_size=True, places=(*a.places, place))

    def times(self, a: Value, b: Value) -> Value:
        product = super().times(a, b)
        for one, other in ((a, b), (b, a)):
            if isinstance(product, Unknown) and isinstance(other, Unknown | Number):
                if isinstance(one, Figure) and one.how == "mean" and one.is_whole and not one.loops:
                    return Batch(one.loop, about="scaled") if one.loop is not None else product
        return product

    def divided(self, total: Figure, by: Value, node: ast.AST, in_each: bool = False) -> Figure:
        if total.under & self.asked:
            # Which way was taken is asked here, too: this may be the other one.
            return altered(total, how="epoch", loops=(), divided=(), event=None)
        return super().divided(total, by, node, in_each)

    def given_loss(self, base: Batch, name: str) -> Value:
        if name not in self.trained:
            return Batch(base.loop, "reshaped")
        found = self._mean_of(base, ast.Pass(), "", shown=False, places=())
        return altered(found, per_token=self.gives_token_means) if isinstance(found, Figure) else found

    def _first(self, value: Value) -> Value:
        return value.items[0] if isinstance(value, Several) and value.items else value

    def _unknown_result(self, args: Sequence[Value], kwargs: Mapping[str, Value], name: str = "") -> Value:
        given = [*args, *kwargs.values()]
        for value in given:
            if isinstance(value, Batch):
                if RUNNING.search(name) and may_be_along_the_first(args[1:], kwargs):
                    return Batch(value.loop, "reduced")
                return Batch(value.loop, "made" if value.form != "reshaped" else "reshaped")
        for value in given:
            for size in value.items if isinstance(value, Several) else (value,):
                if isinstance(size, Count) and size.of == "batch" and size.loops:
                    return Batch(size.loops[-1])  # torch.randn(len(x), 100)
        return self.unknown(of=[key for value in given if (key := key_of(value))], by=name)

    def _sum_of(self, figures: Figures) -> Value:
        return figures.item if figures.item is not None else self.unknown()

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
            case "divide" | "multiply" | "add" if _is_followed(x, bound):
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
            case "identity" | "copied" | "array":
                return x
            case "log" if isinstance(x, Batch) and x.form == "reduced":
                return x
            case "zeros" if args and all(isinstance(arg, Number) and arg.value == 1 for arg in args):
                return Number(0.0)
            case "numel" if isinstance(x, Batch | Figures):
                return self.attribute(x, "size")
            case "per_example_loss":
                values = [*args, *kwargs.values()]
                if operation.name[:1].islower() and _is_of_torch(operation):
                    how = _asked_for(node)
                    return self._reduced(Criterion(how, operation.name), values, node) if how else None
                criterion = Criterion("none", operation.name, True, bool(_CLASS_LOSS.search(operation.name)))
                return self._reduced(criterion, values, node)
            case primitive if is_loss(primitive):
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
            case primitive if makes_criterion(primitive):
                how = _how(operation, node)
                return self._criterion(how, operation, node) if how else None
            case "distribution_log_prob":
                return self._unknown_result(
                    args, kwargs
                )  # of what, and of how many, a density is asked is not shown
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
        if isinstance(x, Figure) and x.ranks is not None and how == "mean" and axis is None:
            return self.mean_of_ranks(x, node)
        if isinstance(x, Figure):
            # What is summed once more is no number yet: a criterion out of sight gives one for each example, say.
            is_number = x.shown or x.how != "mean"
            return x if how != "sum" or (not x.loops and is_number) else self.withdraw(x)
        if not isinstance(x, Batch):
            return None
        if x.about == "scaled":
            return x
        if axis is not None:
            if how == "mean" and x.about == "each" and isinstance(axis, Number) and axis.value == 0:
                place = Place(node, "this is a mean over the examples of a batch")
                return self._mean_of(x, node, "", shown=False, places=(place,))
            keeps = _leaves_the_first(axis) and x.form != "item"
            return Batch(x.loop, x.form if keeps else "reduced", about="each" if keeps else "")
        if x.about == "total" and how == "mean":
            return x  # of one number
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
        given = (argument.value if isinstance(argument, ast.Starred) else argument for argument in node.args)
        if batch is None or name not in self.trained or any(is_spread_name(path_of(arg)) for arg in given):
            return self._unknown_result(
                args, {}
            )  # what is given a log-variance is a bound, which most people sum
        place = Place(node, "a criterion gives the mean over a batch, unless it is asked for something else")
        found = self._mean_of(batch, node, name, shown=False, places=(place,))
        per_token = name in self.leaving_out
        return altered(found, per_token=per_token) if isinstance(found, Figure) else found

    def _asked(self, name: str, args: Sequence[Value], node: ast.Call) -> Value | None:
        """What a criterion, or a class of them, that is made elsewhere gives where the call says how it reduces."""
        if not any(keyword.arg in ("reduction", "size_average") for keyword in node.keywords):
            return None
        how = _asked_for(node) or "none"
        if not UNSEEN.search(name):  # whatever it is, it makes no mean
            return Criterion("none", name, False) if how != "mean" and not args else None
        criterion = Criterion(how, name, False)
        return self._reduced(criterion, args, node) if any(isinstance(a, Batch) for a in args) else criterion

    def _exponential(self, x: Value, node: ast.AST) -> Value:
        if isinstance(x, Figure) and x.how == "mean" and not x.loops and x.is_whole and x.is_class_loss:
            return altered(
                x, how="perplexity", places=(*x.places, Place(node, "its exponential is taken of each batch"))
            )
        if (
            isinstance(x, Figure)
            and x.how == "epoch"
            and x.is_class_loss
            and x.event is None
            and not x.scaled
        ):
            return altered(x, how="perplexity", loop=None)  # of all batches: right, where there is one rank
        if isinstance(x, Figure):
            return self.unknown()
        return self.batch_of((x,))


def _is_followed(x: Value, bound: Mapping[str, Value]) -> bool:
    """Is it arithmetic with something of a batch, or with a gradient that is added to others?"""
    y = bound.get("y")
    return y is not None and (isinstance(x, Figure | Batch | Gradient) or isinstance(y, Gradient))


def _leaves_the_first(axis: Value) -> bool:
    """Are other axes reduced than the first? The second from the right is the first of two."""
    axes = axis.items if isinstance(axis, Several) else (axis,)
    return bool(axes) and all(isinstance(one, Number) and (one.value > 0 or one.value == -1) for one in axes)


def may_be_along_the_first(args: Sequence[Value], kwargs: Mapping[str, Value]) -> bool:
    """Does an operation along one axis run over the examples, for all that is shown?"""
    axis = args[0] if args else kwargs.get("dim", kwargs.get("axis"))
    return axis is None or not _leaves_the_first(axis)


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
