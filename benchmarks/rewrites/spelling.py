"""Rewrites of a reduction: other spellings of the same call, and calls that are put together at run time."""

from __future__ import annotations

import ast

from benchmarks.rewrites.programs import Program, Scope
from benchmarks.rewrites.registry import EPOCHS, rewrite
from benchmarks.rewrites.syntax import (
    SIZE,
    Made,
    Names,
    Reduction,
    add_parameter,
    after_imports,
    block,
    each_reduction,
    expr,
    function_of,
    functions,
    hoist,
    meanings,
    recalled,
    reduction,
    replace,
)

COUNTED = {"BMN102": "BMN101", "BMN103": "BMN101"}
"""A mean that is written as a division is reported as one."""
OPTIONAL = frozenset(("BMN306", "BMN307")) | EPOCHS
"""Where a sum stands that was meant to be a mean, unless an option asks for it."""
NO_MEAN = frozenset(("BMN303",))
"""What tells of the mean of one number: written as a division by 1, there is none."""


@rewrite("method-as-function", "`np.mean(a)` for `a.mean()`, and what the other frameworks have for it.")
def _method_as_function(tree: ast.Module, program: Program) -> ast.Module | None:
    def make(found: Reduction) -> ast.expr | None:
        function = function_of(program, tree, found.kind) if found.is_method else None
        return recalled(function, found, found.array) if function else None

    return each_reduction(tree, program, make)


@rewrite("function-as-method", "`a.mean()` for `np.mean(a)`, where arrays have that method.")
def _function_as_method(tree: ast.Module, program: Program) -> ast.Module | None:
    from benchmarks.rewrites.syntax import METHODS

    def make(found: Reduction) -> ast.expr | None:
        if found.is_method or program.framework not in METHODS or found.of_list:
            return None
        return recalled(ast.Attribute(found.array, found.kind), found)

    return each_reduction(tree, program, make)


@rewrite("getattr", '`getattr(a, "mean")()` for `a.mean()`.')
def _getattr(tree: ast.Module, program: Program) -> ast.Module | None:
    def make(found: Reduction) -> ast.expr | None:
        function = found.call.func
        if not isinstance(function, ast.Attribute):
            return None
        fetched = expr(f"getattr(OWNER, {function.attr!r})", OWNER=function.value)
        return ast.Call(fetched, found.call.args, found.call.keywords)

    return each_reduction(tree, program, make)


@rewrite("getattr-by-variable", 'The name of the reduction in a variable: `how = "mean"; getattr(a, how)()`.')
def _getattr_by_variable(tree: ast.Module, program: Program) -> ast.Module | None:
    fresh = Names(tree)
    imported = meanings(tree)

    def make(node: ast.expr, statement: ast.stmt) -> Made | None:
        found = reduction(node, imported, program.arrays)
        if found is None or not isinstance(found.call.func, ast.Attribute):
            return None
        how = fresh.new("how")
        fetched = expr(f"getattr(OWNER, {how})", OWNER=found.call.func.value)
        call = ast.Call(fetched, found.call.args, found.call.keywords)
        return block(f"{how} = {found.call.func.attr!r}"), call

    return tree if hoist(tree, make) else None


@rewrite("function-in-variable", "`reduce = np.mean; reduce(a)`, or `reduce = a.mean; reduce()`.")
def _function_in_variable(tree: ast.Module, program: Program) -> ast.Module | None:
    fresh = Names(tree)
    imported = meanings(tree)

    def make(node: ast.expr, statement: ast.stmt) -> Made | None:
        found = reduction(node, imported, program.arrays)
        if found is None:
            return None
        name = fresh.new("reduce")
        return block(f"{name} = VALUE", VALUE=found.call.func), ast.Call(
            expr(name), found.call.args, found.call.keywords
        )

    return tree if hoist(tree, make) else None


@rewrite(
    "function-in-module-variable",
    "`reduce = np.mean` at the top of the module, `reduce(a)` in the functions.",
)
def _function_in_module_variable(tree: ast.Module, program: Program) -> ast.Module | None:
    fresh = Names(tree)
    names: dict[str, str] = {}

    def make(found: Reduction) -> ast.expr | None:
        function = function_of(program, tree, found.kind)
        if function is None:
            return None
        name = names.setdefault(found.kind, fresh.new(f"reduce_by_{found.kind}"))
        return recalled(expr(name), found, found.array)

    changed = each_reduction(tree, program, make)
    for kind, name in names.items():
        function = function_of(program, tree, kind)
        assert function is not None
        after_imports(tree, block(f"{name} = VALUE", VALUE=function))
    return changed


@rewrite("function-from-table", '`{"mean": np.mean, "sum": np.sum}["mean"](a)`.')
def _function_from_table(tree: ast.Module, program: Program) -> ast.Module | None:
    def make(found: Reduction) -> ast.expr | None:
        mean, total = function_of(program, tree, "mean"), function_of(program, tree, "sum")
        if mean is None or total is None:
            return None
        table = expr(f"{{'mean': MEAN, 'sum': SUM}}[{found.kind!r}]", MEAN=mean, SUM=total)
        return recalled(table, found, found.array)

    return each_reduction(tree, program, make)


def _switched(tree: ast.Module, program: Program, template: str) -> ast.Module | None:
    """Every mean over all as a template with its array as A and `FLAG` for a parameter that is true by default."""
    flag = Names(tree).new("size_average")
    imported = meanings(tree)
    parts: dict[str, ast.expr] = {}
    if "MEAN" in template:
        mean, total = function_of(program, tree, "mean"), function_of(program, tree, "sum")
        if mean is None or total is None:
            return None
        parts = {"MEAN": mean, "SUM": total}

    def one(node: ast.expr) -> ast.expr | None:
        found = reduction(node, imported, program.arrays)
        if found is None or found.kind != "mean" or not found.over_all or found.of_list:
            return None
        return expr(template, A=found.array, FLAG=flag, **parts)

    changed = False
    for function in functions(tree):
        if function.args.vararg or function.args.kwarg:
            continue
        statements = [s for s in function.body if not isinstance(s, Scope)]
        if sum(replace(statement, one) for statement in statements):  # all of them, not the first only
            add_parameter(function, flag, "True")
            changed = True
    return tree if changed else None


@rewrite(
    "conditional-methods",
    "`a.mean() if size_average else a.sum()` for `a.mean()`, by a new parameter.",
    mends=OPTIONAL,
)
def _conditional_methods(tree: ast.Module, program: Program) -> ast.Module | None:
    if program.framework in ("tensorflow", "keras"):
        return _switched(tree, program, "MEAN(A) if FLAG else SUM(A)")
    return _switched(tree, program, "A.mean() if FLAG else A.sum()")


@rewrite(
    "conditional-function",
    "`(np.mean if size_average else np.sum)(a)` for a mean, by a new parameter.",
    mends=OPTIONAL,
)
def _conditional_function(tree: ast.Module, program: Program) -> ast.Module | None:
    return _switched(tree, program, "(MEAN if FLAG else SUM)(A)")


@rewrite(
    "conditional-name",
    '`getattr(a, "mean" if size_average else "sum")()` for a mean, by a new parameter.',
    mends=OPTIONAL,
)
def _conditional_name(tree: ast.Module, program: Program) -> ast.Module | None:
    if program.framework in ("tensorflow", "keras"):
        return None
    return _switched(tree, program, "getattr(A, 'mean' if FLAG else 'sum')()")


@rewrite(
    "conditional-statement",
    "`if size_average: loss = a.mean()` and `else: loss = a.sum()`, by a new parameter.",
    mends=OPTIONAL,
)
def _conditional_statement(tree: ast.Module, program: Program) -> ast.Module | None:
    flag = Names(tree).new("size_average")
    fresh = Names(tree)
    fresh.taken.add(flag)
    imported = meanings(tree)
    mean, total = function_of(program, tree, "mean"), function_of(program, tree, "sum")

    def make(node: ast.expr, statement: ast.stmt) -> Made | None:
        found = reduction(node, imported, program.arrays)
        if found is None or found.kind != "mean" or not found.over_all or found.of_list:
            return None
        values, name = fresh.new("values"), fresh.new("reduced")
        either = expr(f"{values}.mean()"), expr(f"{values}.sum()")
        if not found.is_method:
            if mean is None or total is None:
                return None
            either = ast.Call(mean, [expr(values)], []), ast.Call(total, [expr(values)], [])
        text = f"{values} = A\nif {flag}:\n    {name} = MEAN\nelse:\n    {name} = SUM"
        return block(text, A=found.array, MEAN=either[0], SUM=either[1]), expr(name)

    changed = False
    for function in functions(tree):
        inner = [n for n in ast.walk(function) if isinstance(n, ast.FunctionDef) and n is not function]
        if not inner and not function.args.vararg and not function.args.kwarg and hoist(function, make):
            add_parameter(function, flag, "True")
            changed = True
    return tree if changed else None


def _counted(tree: ast.Module, program: Program, template: str, **names: str) -> ast.Module | None:
    """Every mean over all as a sum over a count: its array as A, the count of `values` as COUNT."""
    if program.framework in ("tensorflow", "keras"):
        return None
    fresh = Names(tree)
    imported = meanings(tree)

    def make(node: ast.expr, statement: ast.stmt) -> Made | None:
        found = reduction(node, imported, program.arrays)
        if found is None or found.kind != "mean" or not found.over_all or found.of_list:
            return None
        parts = {key: fresh.new(name) for key, name in names.items()}
        count = expr(f"{parts['VALUES']}.{SIZE.get(program.framework, 'size')}")
        *before, last = block(template, A=found.array, COUNT=count, **parts)
        assert isinstance(last, ast.Expr)
        return before, last.value

    return tree if hoist(tree, make) else None


@rewrite("mean-as-sum-over-count", "`a.sum() / a.size` for `a.mean()`.", codes=COUNTED, mends=NO_MEAN)
def _mean_as_sum(tree: ast.Module, program: Program) -> ast.Module | None:
    return _counted(tree, program, "VALUES = A\nVALUES.sum() / COUNT", VALUES="values")


@rewrite(
    "mean-as-sum-over-named-count",
    "`count = a.size; a.sum() / count` for `a.mean()`.",
    codes=COUNTED,
    mends=NO_MEAN,
)
def _mean_as_sum_named(tree: ast.Module, program: Program) -> ast.Module | None:
    return _counted(tree, program, "VALUES = A\nN = COUNT\nVALUES.sum() / N", VALUES="values", N="count")


@rewrite(
    "mean-as-sum-over-walrus", "`a.sum() / (count := a.size)` for `a.mean()`.", codes=COUNTED, mends=NO_MEAN
)
def _mean_as_sum_walrus(tree: ast.Module, program: Program) -> ast.Module | None:
    fresh = Names(tree).new("count")
    return _counted(tree, program, f"VALUES = A\nVALUES.sum() / ({fresh} := COUNT)", VALUES="values")


@rewrite(
    "mean-of-walrus", "`(values := a).sum() / values.size` for `a.mean()`.", codes=COUNTED, mends=NO_MEAN
)
def _mean_of_walrus(tree: ast.Module, program: Program) -> ast.Module | None:
    fresh = Names(tree).new("held")
    count = f"{fresh}.{SIZE.get(program.framework, 'size')}"
    return _counted(tree, program, f"VALUES = A\n({fresh} := VALUES).sum() / {count}", VALUES="values")


@rewrite(
    "mean-as-named-sum-over-count",
    "`total = a.sum(); count = a.size; total / count` for `a.mean()`.",
    codes=COUNTED,
    mends=NO_MEAN,
)
def _mean_as_named_sum(tree: ast.Module, program: Program) -> ast.Module | None:
    template = "VALUES = A\nTOTAL = VALUES.sum()\nN = COUNT\nMEAN = TOTAL / N\nMEAN"
    return _counted(tree, program, template, VALUES="values", N="count", TOTAL="total", MEAN="average")


@rewrite(
    "axis-mean-as-sum", "`a.sum(axis=k) / a.shape[k]` for `a.mean(axis=k)`.", codes=COUNTED, mends=NO_MEAN
)
def _axis_mean_as_sum(tree: ast.Module, program: Program) -> ast.Module | None:
    fresh = Names(tree)
    imported = meanings(tree)

    def make(node: ast.expr, statement: ast.stmt) -> Made | None:
        found = reduction(node, imported, program.arrays)
        if found is None or found.kind != "mean" or found.axis is None or not found.is_method:
            return None
        name = fresh.new("values")
        total = recalled(expr(f"{name}.sum"), found)
        return block(f"{name} = A", A=found.array), expr(f"TOTAL / {name}.shape[{found.axis}]", TOTAL=total)

    return tree if hoist(tree, make) else None


@rewrite("mean-as-product", "`a.sum() * (1 / a.size)` for `a.mean()`.", codes=COUNTED, mends=NO_MEAN)
def _mean_as_product(tree: ast.Module, program: Program) -> ast.Module | None:
    return _counted(tree, program, "VALUES = A\nVALUES.sum() * (1 / COUNT)", VALUES="values")
