"""The helpers of a case in another file: what is told of the case stays, and nothing is told that was not."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest
from batchmean.linter import lint
from batchmean.project import Project

from benchmarks.rewrites.programs import Program, Scope, programs

ELSEWHERE = {
    "on_numpy/perplexities.py::perplexity_through_a_helper": "its loss is reported in the other file, so here is none",
}
"""Findings that go."""


def _in_two(program: Program) -> tuple[str, str] | None:
    """The helpers, and the case that imports them; None where there are none, or the module itself uses them."""
    body = ast.parse(program.source).body
    helpers = [s for s in body if isinstance(s, Scope) and s.name != program.case.name]
    case = [s for s in body if isinstance(s, Scope) and s.name == program.case.name]
    rest = [s for s in body if s not in helpers and s not in case]
    names = {helper.name for helper in helpers}
    used = {node.id for s in rest for node in ast.walk(s) if isinstance(node, ast.Name)}
    if not helpers or names & used:
        return None
    head = "".join(f"{ast.unparse(s)}\n" for s in rest)
    line = f"from helpers import {', '.join(sorted(names))}\n"
    return head + "".join(f"{ast.unparse(s)}\n" for s in helpers), f"{head}{line}{ast.unparse(case[0])}\n"


SPLIT = {program.id: (program, both) for program in programs() if (both := _in_two(program)) is not None}


def _of_the_case(source: str, path: Path, project: Project | None) -> Counter[tuple[str, str]]:
    name = path.stem
    tree = ast.parse(source)
    [case] = [s for s in tree.body if isinstance(s, Scope) and s.name == name]
    found = lint(source, str(path), project=project)
    return Counter(
        (f.code, f.confidence) for f in found if case.lineno <= f.span.line <= (case.end_lineno or 0)
    )


@pytest.mark.heavy
@pytest.mark.parametrize("name", SPLIT)
def test_helpers_may_stand_in_another_file(name: str, tmp_path: Path) -> None:
    program, (helpers, case) = SPLIT[name]
    path = tmp_path / f"{program.case.name}.py"
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "helpers.py").write_text(helpers, encoding="utf-8")
    path.write_text(case, encoding="utf-8")
    before = _of_the_case(program.source, path, None)
    after = _of_the_case(case, path, Project(str(path)))
    assert after <= before or program.is_wrong
    assert (before <= after) == (name not in ELSEWHERE)
