"""Rewrites that put something between an integrand and its reduction: a cast, a copy, a log line."""

from __future__ import annotations

import ast
import re

from benchmarks.rewrites.programs import Program
from benchmarks.rewrites.registry import Apply, rewrite
from benchmarks.rewrites.syntax import (
    Made,
    Names,
    Reduction,
    block,
    each_reduction,
    expr,
    hoist,
    imports,
    meanings,
    position_after_future,
    recalled,
    reduction,
)

_CASTS: dict[str, tuple[str, ...]] = {
    "numpy": ("np.asarray(A)", "A.astype(np.float64)", "np.ascontiguousarray(A)", "A.copy()"),
    "jax": ("jnp.asarray(A)", "A.astype(float)", "jax.lax.stop_gradient(A)", "A"),
    "torch": ("torch.as_tensor(A)", "A.double()", "A.contiguous()", "A.to('cpu')"),
    "tensorflow": (
        "tf.convert_to_tensor(A)",
        "tf.cast(A, tf.float64)",
        "tf.stop_gradient(A)",
        "tf.identity(A)",
    ),
    "keras": ("ops.convert_to_tensor(A)", "ops.cast(A, 'float64')", "ops.stop_gradient(A)", "ops.copy(A)"),
    "mlx": ("mx.array(A)", "A.astype(mx.float32)", "mx.stop_gradient(A)", "A"),
    "paddle": ("paddle.to_tensor(A)", "A.astype('float64')", "A.detach()", "A.clone()"),
    "tinygrad": ("A.contiguous()", "A.float()", "A.detach()", "A.realize()"),
}
"""Per framework: converted, cast, made contiguous or detached, and moved or copied."""

_DIFFERENTIATES = re.compile(r"\bgrad\(|value_and_grad|GradientTape")
"""What takes a gradient."""

_WHAT = ("converted to an array", "cast", "made contiguous or detached", "moved or copied")
_MODULES = {"np": "numpy", "jnp": "jax.numpy", "jax": "jax", "torch": "torch", "tf": "tensorflow", "mx": "mlx.core",
            "paddle": "paddle", "ops": "keras.ops"}  # fmt: skip


def _cast(tree: ast.Module, program: Program, number_: int) -> str | None:
    """The template, with its imports in place."""
    template = _CASTS[program.framework][number_]
    if template == "A":
        return None
    if ("stop_gradient" in template or "detach" in template) and _DIFFERENTIATES.search(program.source):
        return None  # there it changes the maths
    for name, module in _MODULES.items():
        if re.search(rf"\b{name}\.", template):
            imported = imports(tree)
            alias = next((a for a, full in imported.items() if full == module), None)
            if alias is None:
                alias = Names(tree).new(name)
                tree.body[position_after_future(tree) : position_after_future(tree)] = block(
                    f"import {module} as {alias}"
                )
            template = re.sub(rf"\b{name}\.", f"{alias}.", template)
            break
    return template


def _integrand_cast(number_: int) -> Apply:
    def apply(tree: ast.Module, program: Program) -> ast.Module | None:
        template = _cast(tree, program, number_)

        def make(found: Reduction) -> ast.expr | None:
            if template is None or found.of_list:
                return None
            new = expr(template, A=found.array)
            if found.is_method:
                return recalled(ast.Attribute(new, found.kind), found)
            return recalled(found.call.func, found, new)

        return each_reduction(tree, program, make)

    return apply


def _named_cast(number_: int) -> Apply:
    def apply(tree: ast.Module, program: Program) -> ast.Module | None:
        template = _cast(tree, program, number_)
        fresh = Names(tree)
        imported = meanings(tree)

        def make(node: ast.expr, statement: ast.stmt) -> Made | None:
            found = reduction(node, imported, program.arrays)
            if found is None or template is None or found.of_list:
                return None
            name = fresh.new("values")
            before = block(f"{name} = A\n{name} = {template.replace('A', name, 1)}", A=found.array)
            if found.is_method:
                return before, recalled(expr(f"{name}.{found.kind}"), found)
            return before, recalled(found.call.func, found, expr(name))

        return tree if hoist(tree, make) else None

    return apply


def _argument_cast(number_: int) -> Apply:
    def apply(tree: ast.Module, program: Program) -> ast.Module | None:
        if program.framework == "keras" and number_ == 3:
            return None
        template = _cast(tree, program, number_)
        floats = [
            a.name
            for a in program.case.arguments
            if a.is_array and a.kind not in ("labels", "ignorable_labels", "padded_labels", "lengths")
            and "mask" not in a.kind
        ]  # fmt: skip
        if template is None or not floats:
            return None
        before = [s for name in floats for s in block(f"NAME = {template}", A=expr(name), NAME=name)]
        program.entry(tree).body[:0] = before
        return tree

    return apply


for _number, _what in enumerate(_WHAT):
    _short = ("converted", "cast", "contiguous", "moved")[_number]
    rewrite(f"integrand-{_short}", f"What is reduced is {_what} first.")(_integrand_cast(_number))
    rewrite(f"integrand-{_short}-apart", f"What is reduced is {_what} in a statement before.")(
        _named_cast(_number)
    )
    rewrite(f"arguments-{_short}", f"The arguments are {_what} at the beginning.")(_argument_cast(_number))


@rewrite("integrand-logged", "A log line and an assert about what is reduced before it is.")
def _integrand_logged(tree: ast.Module, program: Program) -> ast.Module | None:
    fresh = Names(tree)
    imported = meanings(tree)

    def make(node: ast.expr, statement: ast.stmt) -> Made | None:
        found = reduction(node, imported, program.arrays)
        if found is None or found.of_list:
            return None
        name = fresh.new("values")
        text = f"{name} = A\nprint(f'patch losses (mask): {{{name}}}')\nassert {name} is not None"
        before = block(text, A=found.array)
        if found.is_method:
            return before, recalled(expr(f"{name}.{found.kind}"), found)
        return before, recalled(found.call.func, found, expr(name))

    return tree if hoist(tree, make) else None
