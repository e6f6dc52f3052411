"""Rewrites of what calls a loss: where its arguments come from, and by which unknown factor it is scaled."""

from __future__ import annotations

import ast
from typing import Final

from benchmarks.rewrites.names import returns_value
from benchmarks.rewrites.programs import Program, loaded_by
from benchmarks.rewrites.registry import EPOCHS, Apply, rewrite
from benchmarks.rewrites.syntax import (
    Names,
    add_parameter,
    after_imports,
    block,
    expr,
    is_simple,
    parameters,
)

_COUNTED: Final = {"BMN102": "BMN101", "BMN302": "BMN101"}
"""The class count divides: which of the three says so depends on what else divides, and an unknown number may be it."""


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
    if len(given) < 2 or not is_simple(entry) or entry.decorator_list or entry.args.defaults:
        return None  # what is in a batch has no default
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
    if not returns_value(returns[0]) or entry.decorator_list or entry.args.defaults:
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


@rewrite(
    "summed-over-loader",
    "A caller averages the results over a loader's batches.",
    moves=True,
    codes=_COUNTED,
    runs=False,
    makes=EPOCHS,
)
def _summed_over_loader(tree: ast.Module, program: Program) -> ast.Module | None:
    entry = program.entry(tree)
    given = parameters(entry)
    if len(given) < 2 or not is_simple(entry) or not program.returns_tensor:
        return None
    names = ", ".join(given)
    caller = Names(tree).new("epoch")
    call = f"{entry.name}({names})"
    tree.body += block(f"def {caller}(loader):\n    return sum([{call} for {names} in loader]) / len(loader)")
    return tree


@rewrite("result-in-comprehension", "The result computed in a list comprehension that is summed at once.")
def _result_in_comprehension(tree: ast.Module, program: Program) -> ast.Module | None:
    if not program.returns_tensor or "import *" in program.source:
        return None
    changed = False
    for node in ast.walk(program.entry(tree)):
        if isinstance(node, ast.Return) and returns_value(node) and node.value is not None:
            if not any(isinstance(n, ast.NamedExpr) for n in ast.walk(node.value)):
                node.value = expr("sum([VALUE for _ in range(1)])", VALUE=node.value)
                changed = True
    return tree if changed else None


@rewrite("called-by-another", "A caller passes the arguments on.", moves=True)
def _called_by_another(tree: ast.Module, program: Program) -> ast.Module | None:
    return _with_caller(tree, program, "return {one}({all})")


@rewrite("called-by-name", "A caller takes the case from a table of losses.", moves=True)
def _called_by_name(tree: ast.Module, program: Program) -> ast.Module | None:
    return _with_caller(tree, program, "return {{'main': {one}}}['main']({all})")


# Factors that nobody knows: they are 1 here.

_MISSING: Final = frozenset(("BMN105", "BMN303", "BMN306", "BMN307")) | EPOCHS
"""Where a division is missing, and an unknown divisor may be it."""
_OFF: Final = frozenset(("BMN301", "BMN306", "BMN307")) | EPOCHS
"""Where there is a division too many or too few, and an unknown factor may make up for it."""


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


rewrite(
    "over-accumulation-steps", "The result divided by the accumulation steps.", codes=_COUNTED, mends=_MISSING
)(_scaled("VALUE / accumulation_steps"))
rewrite("over-world-size", "The result divided by the world size.", codes=_COUNTED, mends=_MISSING)(
    _scaled("VALUE / world_size")
)
rewrite("times-weight", "The result times a weight of it.", codes=_COUNTED, mends=_OFF)(
    _scaled("VALUE * weight")
)
rewrite("times-lambda", "The result times a coefficient.", codes=_COUNTED, mends=_OFF)(
    _scaled("VALUE * beta")
)


@rewrite(
    "scaled-apart",
    "`loss = E`, then `loss = loss / accumulation_steps`, then returned.",
    codes=_COUNTED,
    mends=_MISSING,
)
def _scaled_apart(tree: ast.Module, program: Program) -> ast.Module | None:
    return _scaled_by(tree, program, "NAME = VALUE\nNAME = NAME / FACTOR\nreturn NAME")


@rewrite(
    "scaled-in-place",
    "`loss = E`, then `loss /= accumulation_steps`, then returned.",
    codes=_COUNTED,
    mends=_MISSING,
)
def _scaled_in_place(tree: ast.Module, program: Program) -> ast.Module | None:
    return _scaled_by(tree, program, "NAME = VALUE\nNAME /= FACTOR\nreturn NAME")


@rewrite(
    "scaled-when-accumulating",
    "Divided by the accumulation steps under an `if accumulation_steps > 1`.",
    codes=_COUNTED,
    mends=_MISSING,
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
