"""What a program computes: a rewrite may change nothing in it."""

from __future__ import annotations

import ast
import contextlib
import io
import sys
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

from batchmean_reference.arguments import axes_of, draw_inputs, size_points

from benchmarks.rewrites.programs import Program
from benchmarks.rewrites.syntax import parameters

TOLERANCE = 1e-4
"""Relative, room for casts to 32 bits: another divisor is off by far more."""


def value(program: Program, source: str) -> float:
    """The loss of the program's text at the first sizes of its axes. Raises what the program raises."""
    tree = ast.parse(source)
    function = _entry(program, tree, _executed(program, source))
    declared = {a.name for a in program.case.arguments}
    order = [name for name in parameters(program.entry(program.tree())) if name in declared]

    def positional(**given: Any) -> Any:
        return function(*(given[name] for name in order))

    case = program.case
    # JAX would compile every program anew.
    called = positional if program.framework == "jax" else case.framework.compile(positional)
    loss = replace(case.loss(), function=called)
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
    same = abs(after - before) <= TOLERANCE * max(abs(before), 1.0)
    return None if same else f"{before} became {after}"


def _executed(program: Program, source: str) -> dict[str, Any]:
    program.case.framework.prepare()
    module = ModuleType("rewritten")
    sys.modules["rewritten"] = module  # dataclasses look their module up
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(source, "<rewritten>", "exec"), module.__dict__)
    finally:
        del sys.modules["rewritten"]
    return module.__dict__


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
