"""The ways to put a reduction right, smallest edit first. Each is a proposal: `proof` decides which one holds.

A mean over everything gets a sum over the support in front of it, a mean over the support alone becomes the sum; of
a sum divided by a count, the count loses the support, or both become a sum over the support and a mean.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from batchmean.engine.domain.tensors import Step
from batchmean.findings import Edit, Span
from batchmean.fixes.code import Code, Edits, Unfixable, after, before, end_of, is_reciprocal
from batchmean.fixes.counts import count_definition, only_value, unused_count, without_statement
from batchmean.fixes.functions import MEAN_OF, MEANS, SCALES, SUM_OF
from batchmean.fixes.idiom import Idiom, framework_of
from batchmean.fixes.names import last_name
from batchmean.functions import told
from batchmean.rules.axes import ignores_its_mask, lacks_support, shows_axis, summing_step
from batchmean.rules.support import SupportEvent

_ARRAY = ("a", "x", "input", "input_tensor", "tensor")
_AXIS = ("axis", "dim", "reduction_indices")
_KEEP = ("keepdims", "keepdim", "keep_dims")
_UNDERSTOOD = frozenset({*_ARRAY, *_AXIS, *_KEEP, "dtype", "name"})
_ATOMS = (ast.Name, ast.Attribute, ast.Call, ast.Subscript)
_LOSS_WORDS = frozenset({"input", "target", "label", "reduction", "label_smoothing"})
"""What a library loss may be given, so that its "mean" is the mean over all positions."""
_WHOLE_SIZE = frozenset({"size", "numel", "nelement", "prod"})


class Planner:
    """Proposes edits for the events of one file."""

    def __init__(self, code: Code) -> None:
        self._code = code
        self._idiom = Idiom(code)

    def proposals(self, event: SupportEvent) -> Iterator[Edits]:
        """Edits that may put the event right, the best first. Raises `Unfixable` where nothing can be proposed."""
        plan = _Plan(self._code, self._idiom, event)
        node = event.step.node
        if ignores_its_mask(event.reduction, event.step):
            raise Unfixable("the divisor has to be the sum of the mask, and which axes that has is not shown")
        in_place = isinstance(node, ast.Call) and last_name(node.func).endswith("_")
        if event.step.how == "scale" and isinstance(self._code.parent(node), ast.Expr) and not in_place:
            raise Unfixable("the result of the division is thrown away")
        if event.node is not node or (event.step.how == "mean" and _is_helper(node, event)):
            yield from plan.of_argument()
        elif event.step.library:
            yield from plan.of_library_loss()
        elif isinstance(node, ast.Call) and last_name(node.func) in MEANS:
            yield from plan.of_mean(node)
        else:
            yield from plan.of_division()


class _Plan:
    def __init__(self, code: Code, idiom: Idiom, event: SupportEvent) -> None:
        self._code = code
        self._idiom = idiom
        self._event = event
        places = [place.node for place in event.reduction.integrand.evidence]
        self._framework = idiom.framework([*places, event.step.node])
        integrand = event.reduction.integrand
        shape = integrand.shape if event.step.how == "scale" else event.step.shape or integrand.shape
        position = shape.position_of(integrand.support)
        if position is None:
            raise Unfixable("the support has no axis of its own where it is averaged")
        self._position = position
        self._rank = shape.rank

    def _require_shown_axis(self) -> None:
        """The axis must be in the code: a latent code may have channels and pixels, or a sequence of positions."""
        if not shows_axis(self._event.reduction):
            is_latent = self._event.reduction.integrand.symbol == "D"
            which = "which axes are to be summed" if is_latent else "which axis holds the classes"
            raise Unfixable(f"nothing in the code shows {which}")

    # -- a mean --------------------------------------------------------------------------------------------------

    def of_mean(self, node: ast.Call) -> Iterator[Edits]:
        """`x.mean()`, `x.mean(-1)`, `np.mean(x)`, `tf.reduce_mean(x, axis=-1)`."""
        if any(k.arg not in _UNDERSTOOD for k in node.keywords):
            raise Unfixable("the mean has arguments that may change its count")
        full_name = self._code.full_name(node.func)
        positional = list(node.args)
        array = None
        if full_name is None and not isinstance(node.func, ast.Attribute):
            raise Unfixable("the mean is a function of this file, or imported with a star")
        if full_name is not None:
            array = positional.pop(0) if positional else self._keyword(node, *_ARRAY)
            if array is None or isinstance(array, ast.Starred):
                raise Unfixable("the array is not in sight")
        axis = positional[0] if positional else self._keyword(node, *_AXIS)
        if self._event.sums_the_batch:
            yield from self._other_sum()
            raise Unfixable("the sum over the batch axis is written in a way that is not understood")
        if axis is not None and _is_one_axis(axis):
            yield self._become_sum(node, array, axis)
            return
        self._require_shown_axis()
        if self._rank == 1 and axis is None:
            yield self._become_sum(node, array, None)
            return
        if axis is None or (isinstance(axis, ast.Constant) and axis.value is None):
            yield self._summed_before(node, array, keep=False)
        else:
            if not self._keyword(node, *_KEEP) and isinstance(axis, ast.Tuple):
                if len(axis.elts) == self._rank and positional[:1] != [axis]:
                    yield (*self._summed_before(node, array, keep=False), self._without(node, axis))
            yield self._summed_before(node, array, keep=True)

    def _other_sum(self) -> Iterator[Edits]:
        """`x.sum(0).mean()` as `x.sum(-1).mean()`: the classes are summed instead of the examples."""
        self._require_shown_axis()
        integrand = self._event.reduction.integrand
        position = integrand.shape.position_of(integrand.support)
        for step in self._event.reduction.steps:
            if step.how == "sum" and step.positions == (0,) and isinstance(step.node, ast.Call):
                given = [*step.node.args, *(k.value for k in step.node.keywords if k.arg in _AXIS)]
                axes = [argument for argument in given if _is_one_axis(argument)]
                if len(axes) == 1 and position is not None:
                    yield (Edit(self._code.inner(axes[0]), str(position)),)

    def of_argument(self) -> Iterator[Edits]:
        """`mean_of_all(x)`: the mean is a helper's; its argument is summed."""
        self._require_shown_axis()
        node = self._event.node
        if isinstance(node, ast.Call):
            for argument in [*node.args, *(k.value for k in node.keywords)]:
                if not isinstance(argument, ast.Starred | ast.Constant):
                    yield self._method_sum(argument)
        raise Unfixable("the reduction is a helper's")

    def _summed_before(self, node: ast.Call, array: ast.expr | None, *, keep: bool) -> Edits:
        """A sum over the support under the mean."""
        function = node.func
        if array is None:
            assert isinstance(function, ast.Attribute)
            dot = self._code.dot(function)
            indent = self._code.indentation(dot)
            text = f".{self._sum_name(function.attr)}({self._axis(keep=keep)})"
            return (before(dot, text if indent is None else f"{text}\n{indent}"),)
        if isinstance(function, ast.Attribute):
            span = self._code.outer(array)
            module = self._code.source(self._code.inner(function.value))
            name = self._sum_name(function.attr)
            framework = framework_of(self._code.full_name(function))
            axis = self._idiom.axis(self._position, framework, keep=keep)
            return self._wrapped(array, span, f"{module}.{name}(", axis)
        if isinstance(function, ast.Name) and self._framework == "tensorflow":
            sibling, imported = self._sibling(function)
            span = self._code.outer(array)
            axis_text = self._idiom.axis(self._position, "tensorflow", keep=keep)
            return (*imported, *self._wrapped(array, span, f"{sibling}(", axis_text))
        return self._method_sum(array, keep=keep)

    def _sibling(self, function: ast.Name) -> tuple[str, Edits]:
        """The sum beside a mean that was imported by its bare name, and the edit that imports it where it is not."""
        full_name = self._code.full_name(function) or ""
        module, _, mean = full_name.rpartition(".")
        wanted = self._sum_name(mean)
        for name, full in self._code.imports.items():
            if full == f"{module}.{wanted}":
                return name, ()
        place = self._code.imported_at(function.id)
        if place is None or wanted in ("sum", *self._code.imports) or self._code.uses(wanted):
            raise Unfixable("the sum of the same module is not imported, and its name is taken")
        return wanted, (after(place, f", {wanted}"),)

    def _wrapped(self, array: ast.expr, span: Span, opening: str, axis: str) -> Edits:
        """A call around an expression; one that has lines of its own keeps them, further in."""
        indent = self._code.indentation(span)
        texts = (n for n in ast.walk(array) if isinstance(n, ast.Constant | ast.JoinedStr))
        if indent is None or span.line == span.end_line or any(n.lineno != n.end_lineno for n in texts):
            return (before(span, opening), after(span, f", {axis})"))
        deeper = f"{indent}    "
        lines = range(span.line + 1, span.end_line + 1)
        return (
            before(span, f"{opening}\n{deeper}"),
            *(Edit(Span(n, 1, n, 1), "    ") for n in lines if self._code.lines[n - 1].strip()),
            after(span, f",\n{deeper}{axis},\n{indent})"),
        )

    def _method_sum(self, array: ast.expr, *, keep: bool = False) -> Edits:
        if self._framework == "tensorflow":
            raise Unfixable("TensorFlow's arrays have no sum method")
        outer = self._code.outer(array)
        text = f".sum({self._axis(keep=keep)})"
        if isinstance(array, _ATOMS) or outer != self._code.inner(array):
            return (after(outer, text),)
        return (before(outer, "("), after(outer, f"){text}"))

    def _become_sum(self, node: ast.Call, array: ast.expr | None, axis: ast.expr | None) -> Edits:
        """`mean` turned into `sum`; by a bare name, which would hide Python's own sum, into the method."""
        function = node.func
        if isinstance(function, ast.Attribute):
            return (Edit(self._code.name(function), self._sum_name(function.attr)),)
        assert isinstance(function, ast.Name)
        if self._framework == "tensorflow" or array is None:
            sibling, imported = self._sibling(function)
            return (*imported, Edit(self._code.inner(function), sibling))
        start, end = self._code.outer(node), self._code.inner(node)
        span = self._code.outer(array)
        if axis is None or start != end or len(node.args) != 2 or node.args[1] is not axis or node.keywords:
            raise Unfixable("the mean is written in a way that its method is not")
        plain = isinstance(array, _ATOMS) or span != self._code.inner(array)
        opening, closing = ("", ".sum(") if plain else ("(", ").sum(")
        axis_span = self._code.outer(axis)
        return (
            Edit(Span(start.line, start.column, span.line, span.column), opening),
            Edit(Span(span.end_line, span.end_column, axis_span.line, axis_span.column), closing),
        )

    def _without(self, node: ast.Call, argument: ast.expr) -> Edit:
        """Take the last argument out of a call."""
        word = next(k for k in node.keywords if k.value is argument)
        if word is not node.keywords[-1]:
            raise Unfixable("the axes are not the last argument")
        span = self._code.outer(argument)
        others = [*node.args, *(k.value for k in node.keywords[:-1])]
        if others:
            return Edit(Span(*end_of(self._code.outer(others[-1])), *end_of(span)), "")
        start = self._code.inner(node.func)
        return Edit(Span(start.end_line, start.end_column + 1, *end_of(span)), "")

    def _sum_name(self, mean: str) -> str:
        return SUM_OF[mean]

    def _axis(self, *, keep: bool = False) -> str:
        return self._idiom.axis(self._position, self._framework, keep=keep)

    # -- a library's own mean ------------------------------------------------------------------------------------

    def of_library_loss(self) -> Iterator[Edits]:
        """`F.kl_div(p, q)`, `nn.KLDivLoss()(p, q)`, and a criterion that is made for this one call."""
        self._require_shown_axis()
        call = self._event.step.node
        if not isinstance(call, ast.Call):
            raise Unfixable("the loss is not called here")
        maker = self._maker(call)
        own = told().by_name.get(self._code.full_name(maker.func) or "")
        if own is not None and not own.takes("reduction"):
            raise Unfixable("what is told of the function names no reduction")
        if len(maker.args) > (2 if maker is call else 0) or any(
            k.arg in (None, "size_average", "reduce") for k in maker.keywords
        ):
            raise Unfixable("its reduction is given in the old way")
        was = "batchmean" if self._event.step.per_batch else "mean"
        if self._rank == 1:
            yield (self._reduction(maker, "sum", was),)
            return
        if self._rank == 2 and self._position in (1, -1) and was == "mean":
            yield (self._reduction(maker, "batchmean", was),)
        ending = after(self._code.inner(call), f".sum({self._axis()}).mean()")
        yield (self._reduction(maker, "none", was), ending)

    def _maker(self, call: ast.Call) -> ast.Call:
        """The call that is given the reduction."""
        if isinstance(call.func, ast.Call):
            return call.func
        if self._code.full_name(call.func) is not None:
            return call
        if isinstance(call.func, ast.Name):
            made = only_value(self._code, call.func)
            if isinstance(made, ast.Call):
                return made
        raise Unfixable("its criterion is made elsewhere, and may be used elsewhere")

    def _reduction(self, maker: ast.Call, value: str, was: str = "mean") -> Edit:
        given = self._keyword(maker, "reduction")
        quote = self._idiom.quote
        if given is not None:
            if not isinstance(given, ast.Constant):
                raise Unfixable("its reduction is given by a variable")
            if given.value != was:
                raise Unfixable(f"its reduction is {given.value!r}")
            span = self._code.inner(given)
            quote = self._code.source(span)[:1]
            return Edit(span, f"{quote}{value}{quote}")
        text = f"reduction={quote}{value}{quote}"
        arguments = [*maker.args, *(k.value for k in maker.keywords)]
        if not arguments:
            span = self._code.inner(maker)
            return before(Span(span.end_line, span.end_column - 1, span.end_line, span.end_column), text)
        words = {k.value: k for k in maker.keywords}
        last = arguments[-1]
        first_line = words[last].lineno if last in words else last.lineno
        column = words[last].col_offset if last in words else last.col_offset
        indent = self._code.lines[first_line - 1][:column]
        separator = f",\n{indent}" if not indent.strip() and len(arguments) > 1 else ", "
        return after(self._code.outer(last), separator + text)

    # -- a division ----------------------------------------------------------------------------------------------

    def of_division(self) -> Iterator[Edits]:
        """A sum divided by a count that holds the support."""
        total = summing_step(self._event.reduction, self._event.step)
        divisor = self._divisor()
        if total is not None and lacks_support(self._event.reduction, total):
            yield from self._without_summed_classes(divisor, total)
            raise Unfixable("what is summed and what it is divided by are too far apart")
        self._require_shown_axis()
        for place in (divisor, count_definition(self._code, divisor)):
            if place is None:
                continue
            if place is divisor and self._is_divided_otherwise() and not self._is_product(divisor):
                yield from self._without_factor(place)
            yield from self._smaller_products(place)
            if self._event.is_wrong_axis:
                yield from self._other_size(place)
            if place is divisor:
                yield from self._mean_of_sum()
            if self._framework != "tensorflow":  # its shapes may be known to the graph only
                yield from self._smaller_sizes(place)
        if self._event.is_wrong_axis and self._rank is None:
            raise Unfixable("the code does not show how many axes are to be averaged")
        raise Unfixable("what is summed and what it is divided by are too far apart")

    def _divisor(self) -> ast.expr:
        node = self._event.step.node
        if isinstance(node, ast.BinOp):
            total = self._total()
            if isinstance(node.op, ast.Mult) and total is not None and self._carries(node.right, total):
                return node.left
            if isinstance(node.op, ast.Mult) and is_reciprocal(node.left) and not is_reciprocal(node.right):
                return node.left
            if total is not None and self._carries(node.right, total):
                raise Unfixable("the reduction is written in a way that is not understood")
            return node.right
        if isinstance(node, ast.AugAssign):
            return node.value
        if isinstance(node, ast.Call) and last_name(node.func) in SCALES and node.args:
            return node.args[-1]
        raise Unfixable("the reduction is written in a way that is not understood")

    def _is_divided_otherwise(self) -> bool:
        """Is there a mean or another count besides this one?"""
        reduction = self._event.reduction
        is_mean = reduction.rest == "mean" or any(how == "mean" for _, how in reduction.units)
        return is_mean or len(list(reduction.counts())) > 1

    def _is_product(self, divisor: ast.expr) -> bool:
        """Does it hold other counts as well, which have to stay?"""
        places = (divisor, count_definition(self._code, divisor))
        nodes = [node for place in places if place is not None for node in ast.walk(place)]
        return any(isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult) for node in nodes)

    def _total(self) -> ast.AST | None:
        """What makes one number of everything, by the library or not."""
        step = summing_step(self._event.reduction, self._event.step)
        return step.node if step is not None else None

    def _sum(self) -> ast.Call | None:
        """The call that sums everything."""
        for step in self._event.reduction.steps:
            if step.how == "sum" and isinstance(step.node, ast.Call) and not step.library:
                return step.node
        return None

    def _without_summed_classes(self, divisor: ast.expr, total: Step) -> Iterator[Edits]:
        """The classes are summed already, so the mean over the rest is right: `.mean()`, or `reduction="mean"`."""
        node = self._event.step.node
        if total.how == "sum" and any(how == "sum" for _, how in self._event.reduction.units):
            raise Unfixable(
                "some of the other axes are summed before: which ones are to be averaged is not shown"
            )
        if total.how == "mean":
            yield from self._without_factor(divisor)
            yield from self._smaller_products(divisor)
            return
        drop = self._drop(node, divisor)
        if drop is None or not isinstance(total.node, ast.Call) or not self._carries(node, total.node):
            return
        dropped = (drop, *unused_count(self._code, divisor))
        if not total.library:
            name = last_name(total.node.func)
            if name in MEAN_OF and isinstance(total.node.func, ast.Attribute):
                yield (Edit(self._code.name(total.node.func), MEAN_OF[name]), *dropped)
            return
        maker = self._maker(total.node)
        arguments = [*maker.args, *maker.keywords, *(total.node.args if maker is not total.node else ())]
        is_plain = len(arguments) <= 2 + any(k.arg in _LOSS_WORDS for k in maker.keywords) and all(
            k.arg in _LOSS_WORDS for k in (*maker.keywords, *total.node.keywords)
        )
        if not is_plain or len(total.node.args) > 2 or (maker is not total.node and maker.args):
            raise Unfixable("its weights or its ignore_index change what its mean divides by")
        yield (self._reduction(maker, "mean", was="sum"), *dropped)

    def _carries(self, node: ast.AST, total: ast.AST) -> bool:
        """Does an expression hold the sum, or a name that is set to it, if by way of other names?"""
        todo, seen = [node], {node}
        while todo:
            if _holds(part := todo.pop(), total):
                return True
            names = [n for n in ast.walk(part) if isinstance(n, ast.Name)]
            values = [value for n in names if (value := only_value(self._code, n)) is not None]
            todo += [value for value in values if value not in seen]
            seen.update(values)
        return False

    def _without_factor(self, divisor: ast.expr) -> Iterator[Edits]:
        """`/ x.shape[-1]`, taken away, or the line `loss /= x.shape[-1]`."""
        node = self._event.step.node
        if isinstance(node, ast.AugAssign):
            line = without_statement(self._code, node, keep_comment=True)
            if line is not None:
                yield (*line, *unused_count(self._code, divisor))
            return
        edit = self._drop(node, divisor)
        if edit is not None:
            yield (edit, *unused_count(self._code, divisor))

    def _drop(self, node: ast.AST, operand: ast.expr) -> Edit | None:
        if not isinstance(node, ast.BinOp):
            return None
        if any(
            self._carries(operand, step.node) for step in self._event.reduction.steps if step.how != "scale"
        ):
            return None  # the loss itself
        left, right = self._code.outer(node.left), self._code.outer(node.right)
        if operand is node.right:
            return Edit(Span(*end_of(left), *end_of(right)), "")
        if isinstance(node.op, ast.Mult) and operand is node.left:
            return Edit(Span(left.line, left.column, right.line, right.column), "")
        return None

    def _smaller_products(self, place: ast.expr) -> Iterator[Edits]:
        """`B * V` without one of its factors."""
        for node in ast.walk(place):
            if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult)):
                continue
            for gone in (node.right, node.left):
                kept = node.left if gone is node.right else node.right
                if isinstance(gone, ast.BinOp) or _holds(gone, self._sum()):
                    continue
                if isinstance(kept, _ATOMS) and not isinstance(self._code.parent(node), ast.Attribute):
                    # Nothing is left that needs parentheses.
                    yield (Edit(self._code.outer(node), self._code.source(self._code.outer(kept))),)
                else:
                    edit = self._drop(node, gone)
                    if edit is not None:
                        yield (edit,)

    def _mean_of_sum(self) -> Iterator[Edits]:
        """`np.sum(x) / x.size` as `np.sum(x, axis=-1).mean()`."""
        if any(how == "sum" for _, how in self._event.reduction.units):
            return
        yield from self._mean_of_library_sum()
        total, node = self._sum(), self._event.step.node
        if total is None or not self._carries(node, total) or not isinstance(node, ast.BinOp):
            return
        name = last_name(total.func)
        divisor = node.left if self._carries(node.right, total) else self._divisor()
        drop = self._drop(node, divisor)
        if drop is None or name not in MEAN_OF:
            return
        unused = unused_count(self._code, divisor)
        full_name = self._code.full_name(total.func)
        if full_name is None:
            if total.args or total.keywords or not isinstance(total.func, ast.Attribute):
                return
            edit = Edit(self._code.name(total.func), f"{name}({self._axis()}).{MEAN_OF[name]}")
            yield (edit, drop, *unused)
            return
        if len(total.args) != 1 or total.keywords or isinstance(total.args[0], ast.Starred):
            return
        framework = framework_of(full_name)
        axis = after(self._code.outer(total.args[0]), f", {self._idiom.axis(self._position, framework)}")
        whole = self._code.inner(total)
        if framework == "tensorflow":
            if isinstance(total.func, ast.Attribute):
                module = self._code.source(self._code.inner(total.func.value))
                yield (
                    before(whole, f"{module}.{MEAN_OF[name]}("),
                    axis,
                    *_joined(after(whole, ")"), drop),
                    *unused,
                )
        else:
            # The end of the sum and the start of what is dropped may be the same place.
            yield (axis, *_joined(after(whole, f".{MEAN_OF[name]}()"), drop), *unused)

    def _mean_of_library_sum(self) -> Iterator[Edits]:
        """`F.kl_div(p, q, reduction="sum") / p.numel()`."""
        first, node = self._event.reduction.steps[0], self._event.step.node
        if not (first.library and isinstance(first.node, ast.Call) and self._carries(node, first.node)):
            return
        divisor = self._divisor()
        drop = self._drop(node, divisor) if not _holds(divisor, first.node) else None
        if drop is None:
            return
        maker = self._maker(first.node)
        dropped = (drop, *unused_count(self._code, divisor))
        if self._rank == 2 and self._position in (1, -1):
            yield (self._reduction(maker, "batchmean", was="sum"), *dropped)
        ending = after(self._code.inner(first.node), f".sum({self._axis()}).mean()")
        yield (self._reduction(maker, "none", was="sum"), *_joined(ending, drop), *dropped[1:])

    def _other_size(self, place: ast.expr) -> Iterator[Edits]:
        """`x.shape[1]` as `x.shape[0]`, `x.size(-1)` as `x.size(0)`: the other axis of two."""
        if self._rank != 2:
            return
        for node in ast.walk(place):
            number: ast.expr | None = None
            if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute):
                number = node.slice if node.value.attr == "shape" else None
            elif isinstance(node, ast.Call) and last_name(node.func) == "size" and len(node.args) == 1:
                number = node.args[0]
            if number is not None and _is_one_axis(number):
                yield (Edit(self._code.inner(number), "1" if self._position in (0, -2) else "0"),)

    def _smaller_sizes(self, place: ast.expr) -> Iterator[Edits]:
        """`x.size` or `math.prod(x.shape)` as the length of the other axis, or without the support."""
        for node in ast.walk(place):
            counted = self._counted(node)
            if counted is None or not isinstance(node, ast.expr):
                continue
            span, array = self._code.outer(node), self._code.source(self._code.outer(counted))
            if self._rank == 2:
                yield (Edit(span, f"{array}.shape[{1 if self._position in (0, -2) else 0}]"),)
                continue
            smaller = f"{self._code.source(span)} // {array}.shape[{self._position}]"
            inside = isinstance(self._code.parent(node), ast.BinOp) and span == self._code.inner(node)
            yield (Edit(span, f"({smaller})" if inside else smaller),)

    def _counted(self, node: ast.AST) -> ast.expr | None:
        """The array whose elements are all counted here."""
        if isinstance(node, ast.Attribute) and node.attr == "size":
            called = self._code.parent(node)
            return node.value if not (isinstance(called, ast.Call) and called.func is node) else None
        if not isinstance(node, ast.Call) or last_name(node.func) not in _WHOLE_SIZE:
            return None
        given: ast.expr | None = node.args[0] if len(node.args) == 1 and not node.keywords else None
        if given is None and isinstance(node.func, ast.Attribute) and not node.args:
            given = node.func.value
        if isinstance(given, ast.Attribute) and given.attr == "shape":
            return given.value
        return given if isinstance(given, ast.Name) and last_name(node.func) != "prod" else None

    def _keyword(self, node: ast.Call, *names: str) -> ast.expr | None:
        return next((k.value for k in node.keywords if k.arg in names), None)


def _is_helper(node: ast.AST, event: SupportEvent) -> bool:
    return isinstance(node, ast.Call) and not event.step.library and last_name(node.func) not in MEANS


def _holds(node: ast.AST, other: ast.AST | None) -> bool:
    return other is not None and any(inner is other for inner in ast.walk(node))


def _is_one_axis(node: ast.expr) -> bool:
    """Is it the number of one axis? The mean is over the support, so it is the support's."""
    if isinstance(node, ast.Tuple | ast.List) and len(node.elts) == 1:
        node = node.elts[0]
    inner = node.operand if isinstance(node, ast.UnaryOp) else node
    return isinstance(inner, ast.Constant) and type(inner.value) is int


def _joined(insertion: Edit, deletion: Edit) -> tuple[Edit, ...]:
    """Two edits, as one where the first stands at the start of the second."""
    if end_of(insertion.span) == (deletion.span.line, deletion.span.column):
        return (Edit(deletion.span, insertion.text + deletion.text),)
    return (insertion, deletion)
