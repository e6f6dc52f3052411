"""The ways to put a sum that is divided by a count right: the count loses the support, or a mean takes its place."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from batchmean.engine.domain.tensors import Step
from batchmean.findings import Edit, Span
from batchmean.fixes.code import Edits, Unfixable, after, before, end_of, is_reciprocal
from batchmean.fixes.counts import count_definition, only_value, unused_count, without_statement
from batchmean.fixes.functions import MEAN_OF, SCALES
from batchmean.fixes.idiom import framework_of
from batchmean.fixes.names import last_name
from batchmean.fixes.plan import ATOMS, LOSS_WORDS, Plan, holds, is_one_axis
from batchmean.rules.axes import lacks_support, summing_step

_WHOLE_SIZE = frozenset({"size", "numel", "nelement", "prod"})


class Divisions(Plan):
    """Edits of a division."""

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
        is_plain = len(arguments) <= 2 + any(k.arg in LOSS_WORDS for k in maker.keywords) and all(
            k.arg in LOSS_WORDS for k in (*maker.keywords, *total.node.keywords)
        )
        if not is_plain or len(total.node.args) > 2 or (maker is not total.node and maker.args):
            raise Unfixable("its weights or its ignore_index change what its mean divides by")
        yield (self._reduction(maker, "mean", was="sum"), *dropped)

    def _carries(self, node: ast.AST, total: ast.AST) -> bool:
        """Does an expression hold the sum, or a name that is set to it, if by way of other names?"""
        todo, seen = [node], {node}
        while todo:
            if holds(part := todo.pop(), total):
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
                if isinstance(gone, ast.BinOp) or holds(gone, self._sum()):
                    continue
                if isinstance(kept, ATOMS) and not isinstance(self._code.parent(node), ast.Attribute):
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
        drop = self._drop(node, divisor) if not holds(divisor, first.node) else None
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
            elif isinstance(node, ast.Call) and last_name(node.func) == "size":
                given = [*node.args, *(keyword.value for keyword in node.keywords)]
                number = given[0] if len(given) == 1 else None
            if number is not None and is_one_axis(number):
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
        if given is None and isinstance(node.func, ast.Attribute) and not (node.args or node.keywords):
            given = node.func.value
        if isinstance(given, ast.Attribute) and given.attr == "shape":
            return given.value
        return given if isinstance(given, ast.Name) and last_name(node.func) != "prod" else None


def _joined(insertion: Edit, deletion: Edit) -> tuple[Edit, ...]:
    """Two edits, as one where the first stands at the start of the second."""
    if end_of(insertion.span) == (deletion.span.line, deletion.span.column):
        return (Edit(deletion.span, insertion.text + deletion.text),)
    return (insertion, deletion)
