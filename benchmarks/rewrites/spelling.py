"""Rewrites of a reduction and its operands: other spellings of the same call, what may stand in between, factors."""

from __future__ import annotations

import ast
from collections.abc import Callable

from benchmarks.rewrites.names import hoisted_reductions, returns_value
from benchmarks.rewrites.programs import Program, Scope, loaded_by
from benchmarks.rewrites.registry import Apply, rewrite
from benchmarks.rewrites.syntax import (
    SIZE,
    Function,
    Made,
    Names,
    Reduction,
    add_parameter,
    after_imports,
    block,
    dotted,
    expr,
    function_of,
    functions,
    hoist,
    imports,
    is_simple,
    meanings,
    number,
    parameters,
    plain_functions,
    position_after_future,
    reduction,
    replace,
)

COUNTED = {"BMN102": "BMN101", "BMN103": "BMN101"}
"""A mean that is written as a division is reported as one."""


def each_reduction(
    tree: ast.Module, program: Program, make: Callable[[Reduction], ast.expr | None]
) -> ast.Module | None:
    """Every reduction replaced, wherever it stands."""
    imported = meanings(tree)

    def one(node: ast.expr) -> ast.expr | None:
        found = reduction(node, imported, program.arrays)
        return make(found) if found else None

    return tree if replace(tree, one) else None


def _call(function: ast.expr, found: Reduction, *first: ast.expr) -> ast.Call:
    return ast.Call(function, [*first, *found.args], found.keywords)


@rewrite("method-as-function", "`np.mean(a)` for `a.mean()`, and what the other frameworks have for it.")
def _method_as_function(tree: ast.Module, program: Program) -> ast.Module | None:
    def make(found: Reduction) -> ast.expr | None:
        function = function_of(program, tree, found.kind) if found.is_method else None
        return _call(function, found, found.array) if function else None

    return each_reduction(tree, program, make)


@rewrite("function-as-method", "`a.mean()` for `np.mean(a)`, where arrays have that method.")
def _function_as_method(tree: ast.Module, program: Program) -> ast.Module | None:
    from benchmarks.rewrites.syntax import METHODS

    def make(found: Reduction) -> ast.expr | None:
        if found.is_method or program.framework not in METHODS or found.of_list:
            return None
        return _call(ast.Attribute(found.array, found.kind), found)

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
        return _call(expr(name), found, found.array)

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
        return _call(table, found, found.array)

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


@rewrite("conditional-methods", "`a.mean() if size_average else a.sum()` for `a.mean()`, by a new parameter.")
def _conditional_methods(tree: ast.Module, program: Program) -> ast.Module | None:
    if program.framework in ("tensorflow", "keras"):
        return _switched(tree, program, "MEAN(A) if FLAG else SUM(A)")
    return _switched(tree, program, "A.mean() if FLAG else A.sum()")


@rewrite("conditional-function", "`(np.mean if size_average else np.sum)(a)` for a mean, by a new parameter.")
def _conditional_function(tree: ast.Module, program: Program) -> ast.Module | None:
    return _switched(tree, program, "(MEAN if FLAG else SUM)(A)")


@rewrite(
    "conditional-name", '`getattr(a, "mean" if size_average else "sum")()` for a mean, by a new parameter.'
)
def _conditional_name(tree: ast.Module, program: Program) -> ast.Module | None:
    if program.framework in ("tensorflow", "keras"):
        return None
    return _switched(tree, program, "getattr(A, 'mean' if FLAG else 'sum')()")


@rewrite(
    "conditional-statement",
    "`if size_average: loss = a.mean()` and `else: loss = a.sum()`, by a new parameter.",
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


@rewrite("mean-as-sum-over-count", "`a.sum() / a.size` for `a.mean()`.", codes=COUNTED)
def _mean_as_sum(tree: ast.Module, program: Program) -> ast.Module | None:
    return _counted(tree, program, "VALUES = A\nVALUES.sum() / COUNT", VALUES="values")


@rewrite("mean-as-sum-over-named-count", "`count = a.size; a.sum() / count` for `a.mean()`.", codes=COUNTED)
def _mean_as_sum_named(tree: ast.Module, program: Program) -> ast.Module | None:
    return _counted(tree, program, "VALUES = A\nN = COUNT\nVALUES.sum() / N", VALUES="values", N="count")


@rewrite("mean-as-sum-over-walrus", "`a.sum() / (count := a.size)` for `a.mean()`.", codes=COUNTED)
def _mean_as_sum_walrus(tree: ast.Module, program: Program) -> ast.Module | None:
    fresh = Names(tree).new("count")
    return _counted(tree, program, f"VALUES = A\nVALUES.sum() / ({fresh} := COUNT)", VALUES="values")


@rewrite("mean-of-walrus", "`(values := a).sum() / values.size` for `a.mean()`.", codes=COUNTED)
def _mean_of_walrus(tree: ast.Module, program: Program) -> ast.Module | None:
    fresh = Names(tree).new("held")
    count = f"{fresh}.{SIZE.get(program.framework, 'size')}"
    return _counted(tree, program, f"VALUES = A\n({fresh} := VALUES).sum() / {count}", VALUES="values")


@rewrite(
    "mean-as-named-sum-over-count",
    "`total = a.sum(); count = a.size; total / count` for `a.mean()`.",
    codes=COUNTED,
)
def _mean_as_named_sum(tree: ast.Module, program: Program) -> ast.Module | None:
    template = "VALUES = A\nTOTAL = VALUES.sum()\nN = COUNT\nMEAN = TOTAL / N\nMEAN"
    return _counted(tree, program, template, VALUES="values", N="count", TOTAL="total", MEAN="average")


@rewrite("axis-mean-as-sum", "`a.sum(axis=k) / a.shape[k]` for `a.mean(axis=k)`.", codes=COUNTED)
def _axis_mean_as_sum(tree: ast.Module, program: Program) -> ast.Module | None:
    fresh = Names(tree)
    imported = meanings(tree)

    def make(node: ast.expr, statement: ast.stmt) -> Made | None:
        found = reduction(node, imported, program.arrays)
        if found is None or found.kind != "mean" or found.axis is None or not found.is_method:
            return None
        name = fresh.new("values")
        total = _call(expr(f"{name}.sum"), found)
        return block(f"{name} = A", A=found.array), expr(f"TOTAL / {name}.shape[{found.axis}]", TOTAL=total)

    return tree if hoist(tree, make) else None


@rewrite("mean-as-product", "`a.sum() * (1 / a.size)` for `a.mean()`.", codes=COUNTED)
def _mean_as_product(tree: ast.Module, program: Program) -> ast.Module | None:
    return _counted(tree, program, "VALUES = A\nVALUES.sum() * (1 / COUNT)", VALUES="values")


# What may stand between an integrand and its reduction.

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

_WHAT = ("converted to an array", "cast", "made contiguous or detached", "moved or copied")
_MODULES = {"np": "numpy", "jnp": "jax.numpy", "jax": "jax", "torch": "torch", "tf": "tensorflow", "mx": "mlx.core",
            "paddle": "paddle", "ops": "keras.ops"}  # fmt: skip


def _cast(tree: ast.Module, program: Program, number_: int) -> str | None:
    """The template, with its imports in place."""
    template = _CASTS[program.framework][number_]
    if template == "A":
        return None
    for name, module in _MODULES.items():
        if f"{name}." in template.replace("A.", ""):
            imported = imports(tree)
            alias = next((a for a, full in imported.items() if full == module), None)
            if alias is None:
                alias = Names(tree).new(name)
                tree.body[position_after_future(tree) : position_after_future(tree)] = block(
                    f"import {module} as {alias}"
                )
            template = template.replace(f"{name}.", f"{alias}.")
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
                return _call(ast.Attribute(new, found.kind), found)
            return _call(found.call.func, found, new)

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
                return before, _call(expr(f"{name}.{found.kind}"), found)
            return before, _call(found.call.func, found, expr(name))

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
            return before, _call(expr(f"{name}.{found.kind}"), found)
        return before, _call(found.call.func, found, expr(name))

    return tree if hoist(tree, make) else None


# The batch and the caller.


@rewrite("batch-as-tuple", "The arguments packed into a tuple and unpacked again.")
def _batch_as_tuple(tree: ast.Module, program: Program) -> ast.Module | None:
    return _unpacked(tree, program, "({names})")


@rewrite("batch-by-comprehension", "The arguments unpacked from a list comprehension over them.")
def _batch_by_comprehension(tree: ast.Module, program: Program) -> ast.Module | None:
    return _unpacked(tree, program, "[item for item in ({names})]")


@rewrite("batch-by-map", "The arguments unpacked from a `map` over them.")
def _batch_by_map(tree: ast.Module, program: Program) -> ast.Module | None:
    changed = _unpacked(tree, program, "map(prepared, ({names}))")
    if changed is not None:
        after_imports(tree, block("def prepared(item):\n    return item"))
    return changed


@rewrite("batch-by-next", "The arguments unpacked from the first batch of a loader.")
def _batch_by_next(tree: ast.Module, program: Program) -> ast.Module | None:
    return _unpacked(tree, program, "next(iter([({names})]))")


def _unpacked(tree: ast.Module, program: Program, template: str) -> ast.Module | None:
    entry = program.entry(tree)
    given = parameters(entry)
    if len(given) < 2 or not is_simple(entry) or {"item", "prepared"} & Names(tree).taken:
        return None
    names = ", ".join(given)
    entry.body[:0] = block(f"{names} = {template.format(names=names)}")
    return tree


def _one_batch(tree: ast.Module, program: Program, template: str) -> ast.Module | None:
    """The case takes its arguments in one parameter `batch`."""
    entry = program.entry(tree)
    given = parameters(entry)
    if len(given) < 2 or not is_simple(entry) or entry.decorator_list:
        return None
    batch = Names(tree).new("batch")
    entry.args = ast.arguments([], [ast.arg(batch)], None, [], [], None, [])
    entry.body[:0] = block(template.format(names=", ".join(given), batch=batch))
    return tree


@rewrite("one-batch", "The case takes one batch and unpacks its tuple.", runs=False)
def _one(tree: ast.Module, program: Program) -> ast.Module | None:
    return _one_batch(tree, program, "{names} = {batch}")


@rewrite("one-batch-by-index", "The case takes one batch and takes its items by number.", runs=False)
def _one_by_index(tree: ast.Module, program: Program) -> ast.Module | None:
    names = parameters(program.entry(tree))
    lines = "\n".join(f"{name} = {{batch}}[{i}]" for i, name in enumerate(names))
    return _one_batch(tree, program, lines)


@rewrite("one-batch-by-key", "The case takes a dictionary and takes its items by key.", runs=False)
def _one_by_key(tree: ast.Module, program: Program) -> ast.Module | None:
    names = parameters(program.entry(tree))
    lines = "\n".join(f"{name} = {{batch}}[{name!r}]" for name in names)
    return _one_batch(tree, program, lines)


@rewrite(
    "one-batch-by-comprehension",
    "The case unpacks `[item.to(device) for item in batch]`, or the like.",
    runs=False,
)
def _one_by_comprehension(tree: ast.Module, program: Program) -> ast.Module | None:
    item = "item.to('cpu')" if program.framework in ("torch", "tinygrad") else "item"
    return _one_batch(tree, program, f"{{names}} = [{item} for item in {{batch}}]")


@rewrite("one-batch-by-map", "The case unpacks a `map` over its batch.", runs=False)
def _one_by_map(tree: ast.Module, program: Program) -> ast.Module | None:
    return _one_batch(tree, program, "{names} = map(lambda item: item, {batch})")


@rewrite("loop-over-loader", "The case loops over a loader and keeps the losses in a list.", runs=False)
def _loop_over_loader(tree: ast.Module, program: Program) -> ast.Module | None:
    entry = program.entry(tree)
    given = parameters(entry)
    returns = [n for n in ast.walk(entry) if isinstance(n, ast.Return)]
    if len(given) < 2 or not is_simple(entry) or len(returns) != 1 or entry.body[-1] is not returns[0]:
        return None
    if not returns_value(returns[0]) or entry.decorator_list:
        return None
    fresh = Names(tree)
    loader, losses = fresh.new("loader"), fresh.new("losses")
    entry.args = ast.arguments([], [ast.arg(loader)], None, [], [], None, [])
    assert returns[0].value is not None
    body = [*entry.body[:-1], *block(f"{losses}.append(VALUE)", VALUE=returns[0].value)]
    entry.body = block(
        f"{losses} = []\nfor {', '.join(given)} in {loader}:\n    BODY\nreturn {losses}", BODY=body
    )
    return tree


def _with_caller(tree: ast.Module, program: Program, template: str) -> ast.Module | None:
    """The case under another name, called by a function with the case's own: ONE is it, ALL its arguments."""
    entry = program.entry(tree)
    if not is_simple(entry) or entry.decorator_list or entry.name in loaded_by(tree) | set(parameters(entry)):
        return None
    if "sum" in template and (not program.returns_tensor or "import *" in program.source):
        return None
    name = Names(tree).new("one_batch")
    given = ", ".join(parameters(entry))
    caller = block(f"def CASE({given}):\n    {template.format(one=name, all=given)}", CASE=entry.name)
    caller[0].args.defaults = entry.args.defaults  # type: ignore[attr-defined]
    entry.name = name
    tree.body += caller
    return tree


@rewrite("summed-by-caller", "A caller sums the results in a list comprehension.", moves=True)
def _summed(tree: ast.Module, program: Program) -> ast.Module | None:
    return _with_caller(tree, program, "return sum([{one}({all}) for _ in range(1)])")


@rewrite("summed-by-caller-generator", "A caller sums the results of a generator.", moves=True)
def _summed_generator(tree: ast.Module, program: Program) -> ast.Module | None:
    return _with_caller(tree, program, "return sum({one}(*batch) for batch in [({all},)])")


@rewrite("summed-by-caller-loop", "A caller adds the results up in a loop.", moves=True)
def _summed_loop(tree: ast.Module, program: Program) -> ast.Module | None:
    text = "sum_ = 0.0\n    for batch in [({all},)]:\n        sum_ += {one}(*batch)\n    return sum_"
    return _with_caller(tree, program, text)


@rewrite("called-by-another", "A caller passes the arguments on.", moves=True)
def _called_by_another(tree: ast.Module, program: Program) -> ast.Module | None:
    return _with_caller(tree, program, "return {one}({all})")


@rewrite("called-by-name", "A caller takes the case from a table of losses.", moves=True)
def _called_by_name(tree: ast.Module, program: Program) -> ast.Module | None:
    return _with_caller(tree, program, "return {{'main': {one}}}['main']({all})")


# Factors that nobody knows: they are 1 here.


def _scaled(template: str) -> Apply:
    def apply(tree: ast.Module, program: Program) -> ast.Module | None:
        entry = program.entry(tree)
        if entry.decorator_list or not program.returns_tensor:
            return None
        factor = Names(tree).new(template.split()[-1])
        text = template.replace(template.split()[-1], "FACTOR")
        changed = False
        for node in ast.walk(entry):
            if isinstance(node, ast.Return) and returns_value(node):
                assert node.value is not None
                node.value = expr(text, VALUE=node.value, FACTOR=factor)
                changed = True
        if changed:
            add_parameter(entry, factor, "1")
        return tree if changed else None

    return apply


rewrite("over-accumulation-steps", "The result divided by the accumulation steps.")(
    _scaled("VALUE / accumulation_steps")
)
rewrite("over-world-size", "The result divided by the world size.")(_scaled("VALUE / world_size"))
rewrite("times-weight", "The result times a weight of it.")(_scaled("VALUE * weight"))
rewrite("times-lambda", "The result times a coefficient.")(_scaled("VALUE * beta"))


@rewrite("scaled-apart", "`loss = E`, then `loss = loss / accumulation_steps`, then returned.")
def _scaled_apart(tree: ast.Module, program: Program) -> ast.Module | None:
    return _scaled_by(tree, program, "NAME = VALUE\nNAME = NAME / FACTOR\nreturn NAME")


@rewrite("scaled-in-place", "`loss = E`, then `loss /= accumulation_steps`, then returned.")
def _scaled_in_place(tree: ast.Module, program: Program) -> ast.Module | None:
    return _scaled_by(tree, program, "NAME = VALUE\nNAME /= FACTOR\nreturn NAME")


@rewrite(
    "scaled-when-accumulating", "Divided by the accumulation steps under an `if accumulation_steps > 1`."
)
def _scaled_when(tree: ast.Module, program: Program) -> ast.Module | None:
    return _scaled_by(tree, program, "NAME = VALUE\nif FACTOR > 1:\n    NAME = NAME / FACTOR\nreturn NAME")


def _scaled_by(tree: ast.Module, program: Program, template: str) -> ast.Module | None:
    entry = program.entry(tree)
    fresh = Names(tree)
    factor, name = fresh.new("accumulation_steps"), fresh.new("loss")
    last = entry.body[-1]
    if entry.decorator_list or not isinstance(last, ast.Return) or not returns_value(last):
        return None
    if not program.returns_tensor:
        return None
    assert last.value is not None
    entry.body[-1:] = block(template, VALUE=last.value, NAME=name, FACTOR=factor)
    add_parameter(entry, factor, "1")
    return tree


@rewrite("or-default", "`x = x or default` for every argument.", runs=False)
def _or_default(tree: ast.Module, program: Program) -> ast.Module:
    return _defaults(tree, program, "NAME = NAME or DEFAULT")


@rewrite("none-default", "`x = x if x is not None else default` for every argument.")
def _none_default(tree: ast.Module, program: Program) -> ast.Module:
    return _defaults(tree, program, "NAME = NAME if NAME is not None else DEFAULT")


@rewrite("none-default-statement", "`if x is None: x = default` for every argument.")
def _none_default_statement(tree: ast.Module, program: Program) -> ast.Module:
    return _defaults(tree, program, "if NAME is None:\n    NAME = DEFAULT")


def _defaults(tree: ast.Module, program: Program, template: str) -> ast.Module:
    entry = program.entry(tree)
    default = Names(tree).new("default")
    names = parameters(entry)
    entry.body[:0] = [s for name in names for s in block(template, NAME=name, DEFAULT=default)]
    add_parameter(entry, default, "None")
    return tree


# Axes, keywords and operands.


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


def _axes(tree: ast.Module, program: Program, turned: Callable[[int, int], int]) -> ast.Module | None:
    entry = program.entry(tree)
    known = _ranks(entry, program)
    changed = False
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
                changed = True
        for i, argument in enumerate(node.args[:2]):
            if (axis := number(argument)) is not None and abs(axis) <= rank:
                node.args[i] = ast.parse(str(turned(axis, rank)), mode="eval").body
                changed = True
    return tree if changed else None


@rewrite("axes-positive", "Negative axes as positive ones, where the declared rank gives them.")
def _axes_positive(tree: ast.Module, program: Program) -> ast.Module | None:
    return _axes(tree, program, lambda axis, rank: axis % rank)


@rewrite("axes-negative", "Positive axes as negative ones, where the declared rank gives them.")
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
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult) and not _holds_listing(node):
            node.left, node.right = node.right, node.left
    return tree


@rewrite("terms-swapped", "`b + a` for `a + b`.")
def _terms_swapped(tree: ast.Module, program: Program) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and not _holds_listing(node):
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


# Helpers.


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
            _call(ast.Attribute(expr("values"), found.kind), found)
            if found.is_method
            else _call(found.call.func, found, expr("values"))
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
            return [], _call(ast.Attribute(call, found.kind), found)
        return [], _call(found.call.func, found, call)

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
