"""The rewrite of BMN201: a sum over masked positions is divided by the sum of the mask."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from batchmean.engine.events import Miscount
from batchmean.engine.syntax import DIVISIONS
from batchmean.findings import Edit, Span
from batchmean.fixes.blame import dividend
from batchmean.fixes.code import Code, Edits, Unfixable, after, before, end_of
from batchmean.fixes.functions import PRODUCTS, SUM_OF
from batchmean.fixes.idiom import Idiom, framework_of
from batchmean.fixes.names import last_name

_SUM_OF = {mean: total for mean, total in SUM_OF.items() if not mean.startswith("nan")}
"""A mean that leaves out NaNs does not count them, either."""
_SUMS = frozenset(_SUM_OF.values())
_FLATTEN = frozenset({"reshape", "view", "flatten", "ravel"})
_MODULES = {
    "numpy": ("numpy", "autograd.numpy", "cupy"),
    "jax": ("jax.numpy",),
    "tensorflow": ("tensorflow", "tensorflow.compat.v1", "tensorflow.compat.v2"),
}


def rewrites(code: Code, event: Miscount) -> Iterator[Edits]:
    """`(loss * mask).mean()` as `(loss * mask).sum() / mask.expand_as(loss).sum().clamp(min=1)`."""
    yield from _MaskedMean(code, event).edits()


class _MaskedMean:
    """`(loss * mask).mean()`: the sum, divided by the mask as it is broadcast to the loss, or 1 if that is all zero."""

    def __init__(self, code: Code, event: Miscount) -> None:
        self._code = code
        self._node = event.node
        self._event = event
        if event.about:
            raise Unfixable("divide by the sum of the mask before it is broadcast")

    def edits(self) -> Iterator[Edits]:
        node = self._node
        total: ast.expr | None = node if isinstance(node, ast.Call) else None
        divisor: ast.expr | None = None
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            total, divisor = _operand(node.left), node.right
        elif isinstance(node, ast.Call) and last_name(node.func) in DIVISIONS and len(node.args) == 1:
            total, divisor = dividend(node), node.args[0]
        product = self._reduced(total, _SUM_OF if divisor is None else _SUMS)
        factors = list(_factors(product, is_function=self._full_name(product) is not None)) if product else []
        if not isinstance(total, ast.Call) or not factors:
            raise Unfixable(
                "the mask is applied elsewhere: divide by the sum of the mask, broadcast to the loss"
            )
        named = [(loss, mask) for loss, mask in factors if _is_view(loss) and _is_view(mask)]
        if not named:
            raise Unfixable(
                "loss and mask have no names of their own here: divide by the sum of the mask, broadcast to the loss"
            )
        for loss, mask in named:
            if self._is_the_mask(mask, loss):
                framework = self._framework(total, mask)
                yield self._divided_by(total, divisor, self._text(loss), self._text(mask), framework)

    def _reduced(self, call: ast.expr | None, names: frozenset[str] | dict[str, str]) -> ast.expr | None:
        """The array of a whole mean or sum, `x.mean()` or `np.mean(x)`."""
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute) or call.keywords:
            return None
        if call.func.attr not in names:
            return None
        if self._full_name(call) is None:
            return None if call.args else call.func.value
        return call.args[0] if len(call.args) == 1 else None

    def _full_name(self, node: ast.expr) -> str | None:
        return self._code.full_name(node.func) if isinstance(node, ast.Call) else None

    def _is_the_mask(self, mask: ast.expr, loss: ast.expr) -> bool:
        """Is it the one that the account tells of, not another one that comes on top?"""
        scope = self._code.names(self._code.function(mask) or self._code.tree)
        names, known = [ast.unparse(_base(mask))], {ast.unparse(_base(loss))}
        places: list[ast.AST] = [mask]
        while names:
            known.add(name := names.pop())
            places += scope.parameters.get(name, ())
            for node in scope.assigned.get(name, ()):
                places.append(node)
                made_of = {inner.id for inner in ast.walk(node.value) if isinstance(inner, ast.Name)}
                names += made_of - known
        inside = {id(inner) for place in places for inner in ast.walk(place)}
        assert self._event.reduction is not None and self._event.reduction.mask is not None
        shown = self._event.reduction.mask.places
        return not shown or any(id(place.node) in inside for place in shown)

    def _framework(self, total: ast.Call, mask: ast.expr) -> str:
        found = framework_of(self._full_name(total))
        assert self._event.reduction is not None
        places = [place.node for place in self._event.reduction.integrand.evidence]
        found = found or Idiom(self._code).framework([*places, self._node])
        if found not in ("torch", *_MODULES):
            raise Unfixable("the code does not show how to count what the mask lets through")
        return found

    def _divided_by(
        self, total: ast.Call, divisor: ast.expr | None, loss: str, mask: str, framework: str
    ) -> Edits:
        renamed: Edits = ()
        assert isinstance(total.func, ast.Attribute)
        if divisor is None:
            renamed = (Edit(self._code.name(total.func), _SUM_OF[total.func.attr]),)
        if framework == "tensorflow":
            return self._without_nan(total, divisor, loss, mask, renamed)
        if framework == "torch":
            count = f"{mask}.expand_as({loss}).sum().clamp(min=1)"
        else:
            np = self._module(framework)
            count = f"{np}.maximum({np}.broadcast_to({mask}, {loss}.shape).sum(), 1)"
        if divisor is not None:
            return (Edit(self._code.outer(divisor), count),)
        whole = self._code.inner(total)
        if not self._needs_parentheses(total):
            return (*renamed, after(whole, f" / {count}"))
        return (before(whole, "("), *renamed, after(whole, f" / {count})"))

    def _without_nan(
        self, total: ast.Call, divisor: ast.expr | None, loss: str, mask: str, renamed: Edits
    ) -> Edits:
        """In TensorFlow a product has one dtype, so the mask's sum has that of the loss."""
        if self._full_name(total) is None or not isinstance(total.func, ast.Attribute):
            raise Unfixable("TensorFlow's arrays have no sum method")
        tf = self._module("tensorflow")
        called = self._code.source(self._code.inner(total.func.value))
        count = f"{called}.reduce_sum({tf}.broadcast_to({mask}, {tf}.shape({loss})))"
        whole = self._code.inner(total)
        if divisor is None:
            return (before(whole, f"{tf}.math.divide_no_nan("), *renamed, after(whole, f", {count})"))
        node = self._node
        if not isinstance(node, ast.BinOp):
            raise Unfixable("the division is written in a way that is not understood")
        left = self._code.outer(node.left)
        rest = Span(*end_of(left), *end_of(self._code.outer(divisor)))
        return (before(left, f"{tf}.math.divide_no_nan("), Edit(rest, f", {count})"))

    def _module(self, framework: str) -> str:
        for name, full_name in self._code.imports.items():
            if full_name in _MODULES[framework]:
                return name
        raise Unfixable(f"{_MODULES[framework][0]} is not imported by a name of its own")

    def _text(self, node: ast.expr) -> str:
        text = self._code.source(self._code.inner(node))
        if "\n" in text:
            raise Unfixable("the mask is spread over several lines")
        return text

    def _needs_parentheses(self, node: ast.expr) -> bool:
        """Does something around the expression bind stronger than a division, or as strong from the left?"""
        if self._code.outer(node) != self._code.inner(node):
            return False
        holder = self._code.parent(node)
        if isinstance(holder, ast.UnaryOp):
            return self._needs_parentheses(holder)
        if isinstance(holder, ast.BinOp):
            loose = isinstance(holder.op, ast.Add | ast.Sub)
            return not (loose or (isinstance(holder.op, ast.Mult | ast.Div) and node is holder.left))
        if isinstance(holder, ast.Call):
            return node is holder.func
        if isinstance(holder, ast.Subscript):
            return node is holder.value
        return isinstance(holder, ast.Attribute | ast.Await | ast.Starred)


def _factors(product: ast.expr, *, is_function: bool) -> Iterator[tuple[ast.expr, ast.expr]]:
    """The two factors of `a * b`, `a.mul(b)` and `torch.mul(a, b)`, both ways round."""
    pair: list[ast.expr] = []
    if isinstance(product, ast.BinOp) and isinstance(product.op, ast.Mult):
        pair = [product.left, product.right]
    elif isinstance(product, ast.Call) and last_name(product.func) in PRODUCTS and not product.keywords:
        own = [] if is_function or not isinstance(product.func, ast.Attribute) else [product.func.value]
        pair = [*own, *product.args]
    if len(pair) == 2:
        yield pair[0], pair[1]
        yield pair[1], pair[0]


def _operand(node: ast.expr) -> ast.expr:
    """Without its sign."""
    return node.operand if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) else node


def _is_name(node: ast.expr) -> bool:
    """`x`, `self.x`, `batch["x"]`."""
    if isinstance(node, ast.Subscript):
        return (
            isinstance(node.slice, ast.Constant)
            and isinstance(node.slice.value, str)
            and _is_name(node.value)
        )
    return isinstance(node, ast.Name) or (isinstance(node, ast.Attribute) and _is_name(node.value))


def _is_view(node: ast.expr) -> bool:
    """A name, or the same elements in another shape: `mask[..., None]`, `mask.unsqueeze(-1)`, `loss.reshape(-1)`."""
    return _is_name(_base(node))


def _base(node: ast.expr) -> ast.expr:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and not node.keywords:
        given = [ast.unparse(argument) for argument in node.args]
        if node.func.attr == "unsqueeze" or (node.func.attr in _FLATTEN and given in ([], ["-1"])):
            return _base(node.func.value)
    if isinstance(node, ast.Subscript) and not _is_name(node):
        items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if all(_keeps_all(item) for item in items):
            return _base(node.value)
    return node


def _keeps_all(item: ast.expr) -> bool:
    """`None`, `...` and `:` leave every element where it is."""
    if isinstance(item, ast.Slice):
        return item.lower is item.upper is item.step is None
    return (isinstance(item, ast.Constant) and item.value in (None, ...)) or ast.unparse(item).endswith(
        ".newaxis"
    )
