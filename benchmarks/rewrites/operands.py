"""Rewrites of arguments and operands: axes, keywords, products and differences."""

from __future__ import annotations

import ast
from collections.abc import Callable

from benchmarks.rewrites.programs import Program, loaded_by
from benchmarks.rewrites.registry import rewrite
from benchmarks.rewrites.syntax import (
    Function,
    dotted,
    expr,
    function_of,
    is_simple,
    meanings,
    number,
    parameters,
    reduction,
    replace,
)


def _ranks(function: Function, program: Program) -> dict[str, int]:
    """The ranks of names of the case: its arguments', and those of names that only elementwise steps lead to."""
    known = dict(program.ranks)
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            rank = _rank(node.value, known)
            name = node.targets[0].id
            if rank is None or known.get(name, rank) != rank:
                known.pop(name, None)
            else:
                known[name] = rank
    return known


_ELEMENTWISE = ("log_softmax", "softmax", "log", "exp", "clip", "square", "log1p", "reduce_logsumexp", "abs")


def _rank(node: ast.expr, known: dict[str, int]) -> int | None:
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.UnaryOp):
        return _rank(node.operand, known)
    if isinstance(node, ast.BinOp) and not isinstance(node.op, ast.MatMult):
        sides = [_rank(side, known) for side in (node.left, node.right) if number(side) is None]
        floats = [isinstance(s, ast.Constant) for s in (node.left, node.right)]
        if any(floats):
            return next((r for r in sides if r is not None), None)
        return sides[0] if sides and None not in sides and len(set(sides)) == 1 else None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
        if name in _ELEMENTWISE[:-2]:
            inner = node.args[0] if node.args and _rank(node.args[0], known) is not None else None
            if inner is None and isinstance(node.func, ast.Attribute):
                inner = node.func.value
            return None if inner is None else _rank(inner, known)
    return None


_AXIS_BY_POSITION = frozenset(
    "size mean sum reduce_mean reduce_sum softmax log_softmax logsumexp gather unsqueeze squeeze expand_dims transpose"
    " permute max min argmax unbind split stack cat concatenate".split()
)


def _axes(tree: ast.Module, program: Program, turned: Callable[[int, int], int]) -> ast.Module | None:
    entry = program.entry(tree)
    known = _ranks(entry, program)
    turned_calls: set[ast.Call] = set()
    for node in ast.walk(entry):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute | ast.Name):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
        if name.removeprefix("reduce_") not in ("mean", "sum", "log_softmax", "softmax", "logsumexp"):
            continue
        arrays = [node.args[0]] if node.args and number(node.args[0]) is None else []
        arrays += [node.func.value] if isinstance(node.func, ast.Attribute) else []
        rank = next((r for a in arrays if (r := _rank(a, known)) is not None), None)
        if rank is None:
            continue
        for keyword in node.keywords:
            if keyword.arg in ("axis", "dim") and (axis := number(keyword.value)) is not None:
                keyword.value = ast.parse(str(turned(axis, rank)), mode="eval").body
                turned_calls.add(node)
        for i, argument in enumerate(node.args[:2]):
            if (axis := number(argument)) is not None and abs(axis) <= rank:
                node.args[i] = ast.parse(str(turned(axis, rank)), mode="eval").body
                turned_calls.add(node)
    # An axis that is still counted from the other side is not shown to be another one, or the same, any more.
    keep = any(k.arg in ("keepdims", "keepdim") for call in turned_calls for k in call.keywords)
    others = (n for n in ast.walk(entry) if n not in turned_calls)
    return tree if turned_calls and not keep and not any(map(_names_an_axis, others)) else None


def _names_an_axis(node: ast.AST) -> bool:
    """Does a call, a shape or an index say which axis by its number?"""
    if isinstance(node, ast.Subscript):
        is_shape = isinstance(node.value, ast.Attribute) and node.value.attr == "shape"
        return is_shape or isinstance(node.slice, ast.Tuple)
    if not isinstance(node, ast.Call):
        return False
    if any(k.arg in ("axis", "dim", "axes", "keepdims", "keepdim") for k in node.keywords):
        return True
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    if name in ("softmax", "log_softmax", "cross_entropy", "nll_loss"):
        return True  # the last or the second one, where none is named
    return name in _AXIS_BY_POSITION and any(
        isinstance(a, ast.List | ast.Tuple) or number(a) is not None for a in node.args
    )


@rewrite("axes-positive", "Negative axes as positive ones, where the declared rank gives them.")
def _axes_positive(tree: ast.Module, program: Program) -> ast.Module | None:
    return _axes(tree, program, lambda axis, rank: axis % rank)


@rewrite(
    "axes-negative",
    "Positive axes as negative ones, where the declared rank gives them: the code shows the rank no more.",
    tells_less=True,
)
def _axes_negative(tree: ast.Module, program: Program) -> ast.Module | None:
    return _axes(tree, program, lambda axis, rank: axis % rank - rank)


_SIGNATURES: dict[str, tuple[str, ...]] = {
    "numpy.mean": ("a", "axis"),
    "numpy.sum": ("a", "axis"),
    "scipy.special.log_softmax": ("x", "axis"),
    "scipy.special.softmax": ("x", "axis"),
    "jax.numpy.mean": ("a", "axis"),
    "jax.numpy.sum": ("a", "axis"),
    "jax.nn.log_softmax": ("x", "axis"),
    "jax.nn.softmax": ("x", "axis"),
    "torch.mean": ("input", "dim"),
    "torch.sum": ("input", "dim"),
    "torch.log_softmax": ("input", "dim"),
    "torch.softmax": ("input", "dim"),
    "torch.nn.functional.log_softmax": ("input", "dim"),
    "torch.nn.functional.softmax": ("input", "dim"),
    "torch.nn.functional.kl_div": ("input", "target"),
    "torch.nn.functional.cross_entropy": ("input", "target"),
    "torch.nn.functional.one_hot": ("input", "num_classes"),
    "tensorflow.reduce_mean": ("input_tensor", "axis"),
    "tensorflow.reduce_sum": ("input_tensor", "axis"),
    "tensorflow.nn.log_softmax": ("logits", "axis"),
    "tensorflow.nn.softmax": ("logits", "axis"),
    "keras.ops.mean": ("x", "axis"),
    "keras.ops.sum": ("x", "axis"),
    "keras.ops.log_softmax": ("x", "axis"),
    "keras.ops.softmax": ("x", "axis"),
    "mlx.core.mean": ("a", "axis"),
    "mlx.core.sum": ("a", "axis"),
    "paddle.mean": ("x", "axis"),
    "paddle.sum": ("x", "axis"),
    "paddle.nn.functional.log_softmax": ("x", "axis"),
    "paddle.nn.functional.softmax": ("x", "axis"),
    "paddle.nn.functional.kl_div": ("input", "label"),
}
"""The first parameters, whose order the libraries promise."""

_KEYWORD_ONLY = ("torch.nn.functional.one_hot", "mlx.core.mean", "mlx.core.sum")
"""Functions that take their first arguments by position only."""


def _own_signatures(tree: ast.Module) -> dict[str, tuple[str, ...]]:
    return {
        s.name: tuple(parameters(s))
        for s in tree.body
        if isinstance(s, ast.FunctionDef) and is_simple(s) and not s.decorator_list
    }


def _signature(node: ast.Call, tree: ast.Module, imported: dict[str, str]) -> tuple[str, ...]:
    name = dotted(node.func, imported)
    if name is not None:
        return _SIGNATURES.get(name, ()) if name not in _KEYWORD_ONLY else ()
    return _own_signatures(tree).get(node.func.id, ()) if isinstance(node.func, ast.Name) else ()


@rewrite("arguments-by-keyword", "Positional arguments of functions as keyword arguments.")
def _by_keyword(tree: ast.Module, program: Program) -> ast.Module | None:
    imported = meanings(tree)
    changed = False
    for node in ast.walk(tree) if program.arrays else ():
        if not isinstance(node, ast.Call) or any(isinstance(a, ast.Starred) for a in node.args):
            continue
        signature = _signature(node, tree, imported)
        if signature and len(node.args) <= len(signature) and node.args:
            named = [ast.keyword(n, v) for n, v in zip(signature, node.args, strict=False)]
            node.args, node.keywords = [], [*named, *node.keywords]
            changed = True
    return tree if changed else None


@rewrite("arguments-by-position", "Keyword arguments of functions as positional ones, axes of methods too.")
def _by_position(tree: ast.Module, program: Program) -> ast.Module | None:
    imported = meanings(tree)
    changed = False
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or any(isinstance(a, ast.Starred) for a in node.args):
            continue
        signature = _signature(node, tree, imported)
        found = reduction(node, imported, program.arrays)
        if found is not None and found.is_method:
            signature = ("dim" if program.framework == "torch" else "axis",)
        while len(node.args) < len(signature):
            wanted = signature[len(node.args)]
            given = next(
                (k for k in node.keywords if k.arg in (wanted, "axis" if wanted == "dim" else wanted)), None
            )
            if given is None:
                break
            node.args.append(given.value)
            node.keywords.remove(given)
            changed = True
    return tree if changed else None


@rewrite("keywords-reversed", "Keyword arguments in the opposite order.")
def _keywords_reversed(tree: ast.Module, program: Program) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and all(k.arg for k in node.keywords):
            node.keywords.reverse()
    return tree


@rewrite("factors-swapped", "`b * a` for `a * b`.")
def _factors_swapped(tree: ast.Module, program: Program) -> ast.Module:
    return _sides_swapped(tree, ast.Mult)


@rewrite("terms-swapped", "`b + a` for `a + b`.")
def _terms_swapped(tree: ast.Module, program: Program) -> ast.Module:
    return _sides_swapped(tree, ast.Add)


def _sides_swapped(tree: ast.Module, operator: type[ast.operator]) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, operator) and not _holds_listing(node):
            node.left, node.right = node.right, node.left
    return tree


def _holds_listing(node: ast.BinOp) -> bool:
    listing = (ast.List, ast.Tuple, ast.Starred, ast.JoinedStr)
    return any(isinstance(n, listing) or isinstance(getattr(n, "value", None), str) for n in ast.walk(node))


@rewrite("difference-as-sum", "`a + -b` for `a - b`.")
def _difference_as_sum(tree: ast.Module, program: Program) -> ast.Module:
    booleans = {a.name for a in program.case.arguments if a.kind in ("bool_mask", "pad_mask")}
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and number(node.left) is None:
            if number(node.right) is None and not booleans & loaded_by(node.right):
                node.op, node.right = ast.Add(), ast.UnaryOp(ast.USub(), node.right)
    return tree


@rewrite("minus-as-factor", "`-1 * a` for `-a`.")
def _minus_as_factor(tree: ast.Module, program: Program) -> ast.Module | None:
    def make(node: ast.expr) -> ast.expr | None:
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and number(node) is None:
            if not isinstance(node.operand, ast.Constant):
                return ast.BinOp(expr("-1"), ast.Mult(), node.operand)
        return None

    return tree if replace(tree, make) else None


@rewrite(
    "operators-as-functions", "`np.multiply(a, b)` for `a * b`, and what the other frameworks have for it."
)
def _operators_as_functions(tree: ast.Module, program: Program) -> ast.Module | None:
    known = _ranks(program.entry(tree), program)

    def make(node: ast.expr) -> ast.expr | None:
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Mult):
            return None
        if _rank(node.left, known) is None or _rank(node.right, known) is None:
            return None
        if isinstance(node.left, ast.Constant) or isinstance(node.right, ast.Constant):
            return None
        function = function_of(program, tree, "multiply")
        return None if function is None else ast.Call(function, [node.left, node.right], [])

    return tree if replace(tree, make) else None
