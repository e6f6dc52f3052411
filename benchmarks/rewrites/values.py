"""What a program computes: a rewrite may change nothing in it."""

from __future__ import annotations

import ast
import contextlib
import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from batchmean_reference.arguments import axes_of, draw_inputs, size_points

from benchmarks.rewrites.programs import Program
from benchmarks.rewrites.syntax import parameters


def value(program: Program, source: str) -> float:
    """The loss of the program's text at the first sizes of its axes. Raises what the program raises."""
    tree = ast.parse(source)
    function = _entry(program, tree, _executed(program, source))
    declared = {a.name for a in program.case.arguments}
    order = [name for name in parameters(program.entry(program.tree())) if name in declared]

    def positional(**given: Any) -> Any:
        return function(*(given[name] for name in order))

    case = program.case
    loss = replace(case.loss(), function=positional)
    sizes = size_points(axes_of(case.arguments), case.sizes)[0]
    with contextlib.redirect_stdout(io.StringIO()):
        return loss(draw_inputs(case.arguments, sizes))


def differs(program: Program, source: str) -> str | None:
    """How the value changes with a rewrite, or None where it stays; `source` is the text afterwards."""
    before = value(program, program.source)
    try:
        after = value(program, source)
    except Exception as error:
        return f"raises {type(error).__name__}: {error}"
    tolerance = max(program.case.framework.tolerance, 1e-9)
    return (
        None if abs(after - before) <= 10 * tolerance * max(abs(before), 1.0) else f"{before} became {after}"
    )


def _executed(program: Program, source: str) -> dict[str, Any]:
    program.case.framework.prepare()
    namespace: dict[str, Any] = {"__name__": "rewritten"}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(source, "<rewritten>", "exec"), namespace)
    return namespace


def _entry(program: Program, tree: ast.Module, namespace: dict[str, Any]) -> Callable[..., Any]:
    """The case's function; under another name it stands where it stood."""
    if program.case.name in namespace:
        found: Callable[..., Any] = namespace[program.case.name]
        return found
    original = program.tree()
    statement = tree.body[original.body.index(program.entry(original))]
    assert isinstance(statement, ast.FunctionDef)
    renamed: Callable[..., Any] = namespace[statement.name]
    return renamed
