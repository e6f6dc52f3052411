"""What all ways to put one reduction right share: the event, where its support stands, and its library's words."""

from __future__ import annotations

import ast

from batchmean.findings import Edit, Span
from batchmean.fixes.code import Code, Unfixable, after, before
from batchmean.fixes.counts import only_value
from batchmean.fixes.idiom import Idiom
from batchmean.rules.axes import shows_axis
from batchmean.rules.support import SupportEvent

LOSS_WORDS = frozenset({"input", "target", "label", "reduction", "label_smoothing"})
"""What a library loss may be given, so that its "mean" is the mean over all positions."""


class Plan:
    """Proposes edits for one event."""

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

    def _axis(self, *, keep: bool = False) -> str:
        return self._idiom.axis(self._position, self._framework, keep=keep)

    def _keyword(self, node: ast.Call, *names: str) -> ast.expr | None:
        return next((k.value for k in node.keywords if k.arg in names), None)

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


ATOMS = (ast.Name, ast.Attribute, ast.Call, ast.Subscript)
AXIS = ("axis", "dim", "reduction_indices")


def holds(node: ast.AST, other: ast.AST | None) -> bool:
    return other is not None and any(inner is other for inner in ast.walk(node))


def is_one_axis(node: ast.expr) -> bool:
    """Is it the number of one axis? The mean is over the support, so it is the support's."""
    if isinstance(node, ast.Tuple | ast.List) and len(node.elts) == 1:
        node = node.elts[0]
    inner = node.operand if isinstance(node, ast.UnaryOp) else node
    return isinstance(inner, ast.Constant) and type(inner.value) is int
