"""Programs nobody wrote: generated ones never break the linter, changed fixtures keep their verdicts."""

from __future__ import annotations

import ast
import builtins
import io
import os
import random
import re
import subprocess
import sys
import tokenize
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from textwrap import indent
from typing import NamedTuple

import pytest
from batchmean.findings import Finding
from batchmean.linter import lint
from batchmean.noqa import Noqa
from batchmean.source import unify_line_ends
from batchmean.syntax import parse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.robustness.mutation import MODULES, mutate, program

HEAVY = os.environ.get("BATCHMEAN_HEAVY") == "1"
LIKE_ALL = settings(suppress_health_check=list(HealthCheck))
SEEDS = st.integers(0, 2**32)


def check(text: str, *, fixes: bool = False) -> list[Finding]:
    """The findings of a text, each in it; nothing of it is an internal error."""
    try:
        tree = parse(text)
    except ValueError:
        return []
    noqa, lines = Noqa(text), text.split("\n")
    findings = lint(text, "any.py", tree=tree, fixes=fixes)
    for finding in findings:
        noqa.silences(finding.code, finding.span.line)
        assert 1 <= finding.span.line <= finding.span.end_line <= len(lines)
        assert 1 <= finding.span.column <= len(lines[finding.span.line - 1]) + 1
        assert "internal error" not in (finding.no_fix or ""), finding.no_fix
    return findings


@pytest.mark.heavy  # it starts many processes, or takes seconds
@settings(LIKE_ALL, max_examples=5000 if HEAVY else 60)
@given(SEEDS)
def test_generated_programs_never_break_the_linter(seed: int) -> None:
    check(program(seed))


@settings(LIKE_ALL, max_examples=1000 if HEAVY else 10)
@given(SEEDS)
def test_generated_programs_never_break_a_fix(seed: int) -> None:
    check(program(seed), fixes=True)


@settings(LIKE_ALL, max_examples=2000 if HEAVY else 25)
@given(st.sampled_from(MODULES), st.lists(SEEDS, min_size=1, max_size=4))
def test_changed_programs_never_break_the_linter(path: Path, seeds: list[int]) -> None:
    text = path.read_text(encoding="utf-8")
    for seed in seeds:
        text = mutate(text, seed)
    check(text)


@settings(LIKE_ALL, max_examples=2000 if HEAVY else 25)
@given(st.text(max_size=200), SEEDS)
def test_any_text_in_a_program_never_breaks_the_linter(text: str, seed: int) -> None:
    whole = program(seed)
    at = random.Random(seed).randint(0, len(whole))
    check(unify_line_ends(f"{whole[:at]}{text}{whole[at:]}"))


@cache
def _programs() -> st.SearchStrategy[str]:
    """Whole programs of Python's grammar; to read the grammar takes seconds."""
    hypothesmith = pytest.importorskip("hypothesmith")
    found: st.SearchStrategy[str] = hypothesmith.from_grammar()
    return found


@pytest.mark.heavy
@settings(LIKE_ALL, max_examples=300)
@given(st.data())
def test_programs_of_the_grammar_never_break_the_linter(data: st.DataObject) -> None:
    text = data.draw(_programs())
    # The gate lets nothing of it through: to be looked at, it must mention a loss.
    check(f"{text}\nimport numpy as np\ndef f(p):\n    return -(p * np.log(p)).mean()\n")


class Verdict(NamedTuple):
    """What must not change when the code is written otherwise."""

    code: str
    confidence: str
    factor: tuple[tuple[str, int], ...]


def verdicts(text: str) -> list[Verdict]:
    found = lint(text, "any.py")
    return sorted(Verdict(f.code, f.confidence, tuple(sorted((f.factor or {}).items()))) for f in found)


def in_a_function(text: str) -> str:
    """The whole module inside a function that is called."""
    return f"def whole_module():\n{indent(text, '    ')}\n    return locals()\n\nwhole_module()\n"


def under_a_condition(text: str) -> str:
    """The module in a `try`, as people do with optional imports."""
    return f"try:\n{indent(text, '    ')}\nexcept ZeroDivisionError:\n    pass\n"


def with_blank_lines(text: str) -> str:
    """An empty line after each logical line."""
    ends = {
        t.end[0] for t in tokenize.generate_tokens(io.StringIO(text).readline) if t.type == tokenize.NEWLINE
    }
    return "".join(
        f"{line}\n" + ("\n" if number in ends else "")
        for number, line in enumerate(text.split("\n"), start=1)
    )


def with_comments(text: str) -> str:
    """A plain comment of its own after each logical line."""
    ends = {
        t.end[0] for t in tokenize.generate_tokens(io.StringIO(text).readline) if t.type == tokenize.NEWLINE
    }
    return "".join(
        f"{line}\n" + ("# as it was said before; see there\n" if number in ends else "")
        for number, line in enumerate(text.split("\n"), start=1)
    )


def with_crlf(text: str) -> str:
    """As an editor on Windows keeps it, read as Python reads it."""
    from batchmean.source import decode

    return decode(text.replace("\n", "\r\n").encode(), "any.py")


def wider(text: str) -> str:
    """Tabs for indentation and spaces around everything."""
    plain = ast.unparse(ast.parse(text))
    return re.sub(r"(?m)^(?:    )+", lambda match: "\t" * (len(match[0]) // 4), plain)


def numpy_in_full(text: str) -> str:
    """`import numpy` for `import numpy as np`, and `numpy.mean` for `np.mean`."""

    if "import numpy as np" not in text:
        return text

    class Renamed(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.Name:
            node.id = "numpy" if node.id == "np" else node.id
            return node

        def visit_alias(self, node: ast.alias) -> ast.alias:
            return ast.alias("numpy") if (node.name, node.asname) == ("numpy", "np") else node

    return ast.unparse(Renamed().visit(ast.parse(text)))


def numpy_by_name(text: str) -> str:
    """`from numpy import mean`, and `mean` for `np.mean`, for every function whose name is not taken."""
    if "import numpy as np" not in text:
        return text
    tree = ast.parse(text)
    taken = {
        getattr(node, field, None) for node in ast.walk(tree) for field in ("id", "arg", "name", "asname")
    }
    taken |= {*dir(builtins), "divide"}  # a division that is thrown away is only known as `np.divide`
    names: set[str] = set()

    class Renamed(ast.NodeTransformer):
        def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
            self.generic_visit(node)
            if isinstance(node.value, ast.Name) and node.value.id == "np" and node.attr not in taken:
                names.add(node.attr)
                return ast.Name(node.attr, node.ctx)
            return node

    tree = Renamed().visit(tree)
    head = f"from numpy import {', '.join(sorted(names))}\n" if names else ""
    return head + ast.unparse(ast.fix_missing_locations(tree))


WAYS = (
    under_a_condition,
    with_blank_lines,
    with_comments,
    with_crlf,
    wider,
    numpy_in_full,
    numpy_by_name,
)


@pytest.mark.heavy
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_another_way_of_writing_does_not_change_a_verdict(way: Callable[[str], str]) -> None:
    changed = {}
    for path in MODULES:
        text = path.read_text(encoding="utf-8")
        if way is wider:
            text = ast.unparse(ast.parse(text))  # its shape comments are gone in both
        if "future" in text and way is under_a_condition:
            text = re.sub(r"from __future__ .*\n", "", text)
        before, after = verdicts(text), verdicts(way(text))
        if before != after:
            changed[f"{path.parent.name}/{path.name}"] = (
                [v for v in before if v not in after],
                [v for v in after if v not in before],
            )
    assert not changed


@pytest.mark.heavy
def test_a_module_in_a_function_gets_no_new_verdict() -> None:
    """It may lose one: what a closure binds by a `partial` or a `vmap` is not followed into the functions beside it."""
    for path in MODULES:
        text = re.sub(r"from __future__ .*\n", "", path.read_text(encoding="utf-8"))
        before, after = Counter(verdicts(text)), Counter(verdicts(in_a_function(text)))
        assert after <= before, path
        assert after.total() >= 0.5 * before.total()


@pytest.mark.heavy
def test_functions_as_methods_keep_their_proved_verdicts() -> None:
    """`def f(x)` in a class is `def f(self, x)`; what it calls by name is still there, above."""
    for path in MODULES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        called = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
        chosen = [
            node
            for node in tree.body
            if isinstance(node, ast.FunctionDef) and not node.decorator_list and node.name not in called
        ]
        before = [v for v in verdicts(ast.unparse(tree)) if v.confidence == "proved"]
        for function in chosen:
            function.args.args.insert(0, ast.arg("self"))
        rest = [node for node in tree.body if node not in chosen]
        loss = ast.ClassDef(
            name="Losses", bases=[], keywords=[], body=[*chosen, ast.Pass()], decorator_list=[]
        )
        loss.type_params = []  # type: ignore[attr-defined]
        text = ast.unparse(ast.fix_missing_locations(ast.Module([*rest, loss], [])))
        after = [v for v in verdicts(text) if v.confidence == "proved"]
        assert after == before, path


def _report(folder: Path, output_format: str, jobs: int, seed: str) -> str:
    command = Path(sys.executable).parent / "batchmean"
    options = ["--no-config", f"--jobs={jobs}", f"--output-format={output_format}"]
    done = subprocess.run(
        [command, "check", *options, folder],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    return done.stdout


@pytest.mark.heavy
def test_neither_the_hash_seed_nor_the_number_of_processes_changes_a_report(tmp_path: Path) -> None:
    """With its fixes, which take most of the time, for some files; without them for all."""
    some, every = tmp_path / "some", tmp_path / "every"
    for folder, modules in ((some, MODULES[::8]), (every, MODULES)):
        folder.mkdir()
        for number, path in enumerate(modules):
            (folder / f"copy_{number}_{path.name}").write_bytes(path.read_bytes())
    for seed in range(30):
        (every / f"generated_{seed}.py").write_text(program(seed), encoding="utf-8")
    size = sum(path.stat().st_size for path in every.iterdir())
    from batchmean import check as module

    assert size > module._WORTH_PROCESSES  # or --jobs would mean nothing
    # junit tells of a finding what full does, but for the fixes, which take their time; json has these.
    for folder, output_format, seeds in ((every, "junit", "0 1 77 4242 65535"), (some, "json", "0 2")):
        runs = [(1 if number % 2 else 8, seed) for number, seed in enumerate(seeds.split())]
        assert len({_report(folder, output_format, jobs, seed) for jobs, seed in runs}) == 1
