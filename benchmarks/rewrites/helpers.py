"""Rewrites that move a reduction, or what is reduced, into helpers."""

from __future__ import annotations

import ast

from benchmarks.rewrites.names import hoisted_reductions, returns_value
from benchmarks.rewrites.programs import Program, Scope, loaded_by
from benchmarks.rewrites.registry import rewrite
from benchmarks.rewrites.syntax import (
    Made,
    Names,
    Reduction,
    after_imports,
    block,
    each_reduction,
    expr,
    functions,
    hoist,
    meanings,
    parameters,
    plain_functions,
    recalled,
    reduction,
)


def _through_helpers(tree: ast.Module, program: Program, count: int) -> ast.Module | None:
    """Every reduction with only constants beside its array, through so many helpers."""
    fresh = Names(tree)
    made: dict[str, str] = {}
    added: list[ast.stmt] = []

    def make(found: Reduction) -> ast.expr | None:
        options = [*found.args, *(k.value for k in found.keywords)]
        if any(loaded_by(o) for o in options) or found.of_list:
            return None
        inner = (
            recalled(ast.Attribute(expr("values"), found.kind), found)
            if found.is_method
            else recalled(found.call.func, found, expr("values"))
        )
        key = ast.dump(inner)
        if key not in made:
            names = [fresh.new(f"reduced_{chr(97 + i)}") for i in range(count)]
            made[key] = names[-1]
            added.extend(block(f"def {names[0]}(values):\n    return VALUE", VALUE=inner))
            for name, below in zip(names[1:], names, strict=False):
                added.extend(block(f"def {name}(values):\n    return {below}(values)"))
        return ast.Call(expr(made[key]), [found.array], [])

    changed = each_reduction(tree, program, make)
    after_imports(tree, added)
    return changed


@rewrite("reduction-in-helper", "Every reduction in a helper of its own.", moves=True)
def _in_helper(tree: ast.Module, program: Program) -> ast.Module | None:
    return _through_helpers(tree, program, 1)


@rewrite("reduction-through-helpers", "Every reduction through four helpers.", moves=True)
def _through_four(tree: ast.Module, program: Program) -> ast.Module | None:
    return _through_helpers(tree, program, 4)


@rewrite("integrand-in-helper", "What is reduced is computed by a helper.", moves=True)
def _integrand_in_helper(tree: ast.Module, program: Program) -> ast.Module | None:
    fresh = Names(tree)
    imported = meanings(tree)
    added: list[ast.stmt] = []
    local: dict[int, set[str]] = {}
    for function in functions(tree):
        bound = set(parameters(function)) | {
            n.id for n in ast.walk(function) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)
        }
        bound |= {s.name for s in ast.walk(function) if isinstance(s, Scope) and s is not function}
        for node in ast.walk(function):
            local[id(node)] = local.get(id(node), set()) | bound

    def make(node: ast.expr, statement: ast.stmt) -> Made | None:
        found = reduction(node, imported, program.arrays)
        if found is None or isinstance(found.array, ast.Name) or found.of_list:
            return None
        inner = [
            n for n in ast.walk(found.array) if isinstance(n, ast.NamedExpr | ast.Lambda | ast.comprehension)
        ]
        if inner or id(statement) not in local:
            return None
        given = [n for n in sorted(loaded_by(found.array)) if n in local[id(statement)]]
        name = fresh.new("computed")
        added.extend(block(f"def {name}({', '.join(given)}):\n    return VALUE", VALUE=found.array))
        call = expr(f"{name}({', '.join(given)})")
        if found.is_method:
            return [], recalled(ast.Attribute(call, found.kind), found)
        return [], recalled(found.call.func, found, call)

    changed = hoist(tree, make)
    after_imports(tree, added)
    return tree if changed else None


@rewrite(
    "result-through-helpers", "The result handed through four helpers that return what they get.", moves=True
)
def _result_through(tree: ast.Module, program: Program) -> ast.Module | None:
    fresh = Names(tree)
    names = [fresh.new(f"passed_{chr(97 + i)}") for i in range(4)]
    changed = False
    for node in ast.walk(program.entry(tree)):
        if isinstance(node, ast.Return) and returns_value(node) and node.value is not None:
            node.value = ast.Call(expr(names[-1]), [node.value], [])
            changed = True
    added = block(f"def {names[0]}(values):\n    return values")
    for name, below in zip(names[1:], names, strict=False):
        added += block(f"def {name}(values):\n    return {below}(values)")
    after_imports(tree, added)
    return tree if changed else None


@rewrite("reduction-in-inner-function", "Every reduction in a function inside the function.", moves=True)
def _reduction_inner(tree: ast.Module, program: Program) -> ast.Module | None:
    template = "def INNER():\n    return REDUCTION\nINNER()"
    for function in plain_functions(tree):
        if function.decorator_list:
            return None
    return hoisted_reductions(tree, program, template, INNER="reduced")


@rewrite("reduction-in-lambda", "Every reduction in a lambda without parameters.", moves=True)
def _reduction_lambda(tree: ast.Module, program: Program) -> ast.Module | None:
    return hoisted_reductions(tree, program, "INNER = lambda: REDUCTION\nINNER()", INNER="reduced")


@rewrite("reduction-in-list", "Every reduction in a list and taken from it.")
def _reduction_list(tree: ast.Module, program: Program) -> ast.Module | None:
    return hoisted_reductions(tree, program, "HELD = [REDUCTION]\nHELD[0]", HELD="held")


@rewrite("reduction-in-walrus", "Every reduction bound by a walrus where it stands.")
def _reduction_walrus(tree: ast.Module, program: Program) -> ast.Module | None:
    return hoisted_reductions(tree, program, "(HELD := REDUCTION)", HELD="held")
