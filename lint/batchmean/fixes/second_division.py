"""The rewrite of BMN301: the division that is too much is taken away."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from batchmean.engine.events import Miscount
from batchmean.engine.syntax import DIVISIONS
from batchmean.findings import Edit, Span
from batchmean.fixes.blame import dividend
from batchmean.fixes.code import Code, Edits, Unfixable, end_of, is_reciprocal
from batchmean.fixes.counts import unused_count, without_statement
from batchmean.fixes.names import last_name
from batchmean.rules.axes import keeps_the_first, shows_its_units, sums_a_counted_axis

_ATOMS = (ast.Name, ast.Attribute, ast.Call, ast.Subscript)


def rewrites(code: Code, event: Miscount) -> Iterator[Edits]:
    """`mean / n` as `mean`."""
    yield from _SecondDivision(code, event).edits()


class _SecondDivision:
    """`mean / n`: the division is taken away, with its line where nothing else is on it."""

    def __init__(self, code: Code, event: Miscount) -> None:
        self._code = code
        self._node = event.node
        reduction = event.reduction
        is_shown = reduction is not None and (
            not sums_a_counted_axis(reduction) and (reduction.rest == "mean" or shows_its_units(reduction))
        )
        if not event.factor or not is_shown or reduction is None or not keeps_the_first(reduction):
            raise Unfixable(
                "the code does not show what this count is: leave out the division that is too much"
            )

    def edits(self) -> Iterator[Edits]:
        node = self._node
        if isinstance(node, ast.AugAssign):
            if not self._is_a_count_alone(node.value):
                raise Unfixable("the divisor may hold more than the count")
            yield (*self._without_line(node), *unused_count(self._code, node.value))
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            yield from self._without_operand(node, node.left, node.right)
        elif isinstance(node, ast.BinOp) and is_reciprocal(node.left) != is_reciprocal(node.right):
            kept, gone = (node.right, node.left) if is_reciprocal(node.left) else (node.left, node.right)
            yield from self._without_operand(node, kept, gone)
        elif isinstance(node, ast.Call) and last_name(node.func) in DIVISIONS:
            divided = dividend(node)
            if divided is not None and node.args and not node.keywords:
                yield from self._without_operand(node, divided, node.args[-1])
        elif isinstance(node, ast.Call) and isinstance(holder := self._code.parent(node), ast.Expr):
            yield self._without_line(holder)
        else:
            raise Unfixable("the division is written in a way that is not understood")

    def _without_line(self, statement: ast.stmt) -> Edits:
        edits = without_statement(self._code, statement, keep_comment=True)
        if edits is None:
            raise Unfixable("the line holds more than the division, or its block nothing else")
        return edits

    def _without_operand(self, node: ast.expr, kept: ast.expr, gone: ast.expr) -> Iterator[Edits]:
        if not self._is_a_count_alone(gone):
            raise Unfixable("the divisor may hold more than the count")
        statement = self._code.parent(node)
        counted = unused_count(self._code, gone)
        if isinstance(statement, ast.Assign) and [ast.unparse(t) for t in statement.targets] == [
            ast.unparse(kept)
        ]:
            yield (*self._without_line(statement), *counted)  # `loss = loss / n`
            return
        inner, left = self._code.inner(node), self._code.outer(kept)
        outer = self._code.outer(node)
        if isinstance(node, ast.BinOp):
            inner = Span(
                *min(_start(left), _start(self._code.outer(gone))),
                *max(end_of(left), end_of(self._code.outer(gone))),
            )
        first = Span(inner.line, inner.column, left.line, left.column)
        last = Span(*end_of(left), *end_of(inner))
        plain = isinstance(kept, _ATOMS) or left != self._code.inner(kept)
        if plain and outer != inner and outer.line == outer.end_line and not self._touches_a_word(outer):
            first, last = Span(outer.line, outer.column, *_start(left)), Span(*end_of(left), *end_of(outer))
        opening, closing = ("", "") if plain or isinstance(node, ast.BinOp) else ("(", ")")
        edits = (Edit(first, opening), Edit(last, closing))
        yield (*(e for e in edits if e.text or _start(e.span) != end_of(e.span)), *counted)

    def _is_a_count_alone(self, gone: ast.expr) -> bool:
        """Is nothing multiplied or added in the divisor, or in what its name stands for? Accounts keep numbers only."""
        count = gone.right if isinstance(gone, ast.BinOp) and is_reciprocal(gone) else gone
        places: list[ast.AST] = [count]
        if isinstance(count, ast.Name):
            scope = self._code.function(count) or self._code.tree
            uses = self._code.names(scope).loads_and_stores.get(count.id, [])
            places += [self._code.statement(n) for n in uses if isinstance(n.ctx, ast.Store)]
        return not any(isinstance(n, ast.BinOp | ast.AugAssign) for place in places for n in ast.walk(place))

    def _touches_a_word(self, span: Span) -> bool:
        """Would `return(x)` become `returnx`?"""
        line = self._code.lines[span.line - 1]
        return (
            line[span.column - 2 : span.column - 1].isalnum()
            or line[span.end_column - 1 : span.end_column].isalnum()
        )


def _start(span: Span) -> tuple[int, int]:
    return (span.line, span.column)
