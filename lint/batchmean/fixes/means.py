"""The ways to put a mean right: a sum over the support in front of it, or in its place."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from batchmean.findings import Edit, Span
from batchmean.fixes.code import Edits, Unfixable, after, before, end_of
from batchmean.fixes.functions import SUM_OF
from batchmean.fixes.idiom import framework_of
from batchmean.fixes.plan import ATOMS, AXIS, Plan, is_one_axis

_ARRAY = ("a", "x", "input", "input_tensor", "tensor")
_KEEP = ("keepdims", "keepdim", "keep_dims")
_UNDERSTOOD = frozenset({*_ARRAY, *AXIS, *_KEEP, "dtype", "name"})


class Means(Plan):
    """Edits of a mean."""

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
        axis = positional[0] if positional else self._keyword(node, *AXIS)
        if self._event.sums_the_batch:
            yield from self._other_sum()
            raise Unfixable("the sum over the batch axis is written in a way that is not understood")
        if axis is not None and is_one_axis(axis):
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
                given = [*step.node.args, *(k.value for k in step.node.keywords if k.arg in AXIS)]
                axes = [argument for argument in given if is_one_axis(argument)]
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
        if isinstance(array, ATOMS) or outer != self._code.inner(array):
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
        plain = isinstance(array, ATOMS) or span != self._code.inner(array)
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
