"""Whatever a file holds, the work and the memory stay bounded. Work is counted, never timed."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from batchmean import project
from batchmean.engine import analysis, context
from batchmean.engine.domain import axes, join, paths, tensors, values
from batchmean.engine.epochs import accumulation, classes, joining, rounds
from batchmean.engine.evidence import comments
from batchmean.engine.machine import evaluator
from batchmean.linter import lint
from batchmean.source import MAX_BYTES
from batchmean.syntax import parse

from tests.robustness.counting import a_sample_of, calls
from tests.robustness.hostile import HEAD, LARGE, LOSS, OUT_OF_ALL_BOUNDS, deep, ring, wide

DEPTHS = (120, 900)


def allowed(text: str) -> int:
    """How many nodes are read of a text at most."""
    return min(context.MAX_WORK, context.BASE_WORK + len(text) // context.CHARACTERS_PER_NODE)


PARSED = {f"{name}, {depth} deep": text for depth in DEPTHS for name, text in deep(depth).items()}


def work(text: str) -> int:
    """How many nodes the engine reads."""
    return analysis._interpreted(ast.parse(text), text.split("\n")).work


@pytest.mark.parametrize("text", PARSED.values(), ids=PARSED)
def test_what_nests_deeply_is_refused_by_python_or_analysed(text: str) -> None:
    try:
        tree = parse(text)
    except ValueError as error:
        assert re.fullmatch(
            r"cannot be parsed: nested too deeply|syntax error on line \d+: too many.*", str(error)
        )
        return
    lint(text, "deep.py", tree=tree)
    assert work(text) <= allowed(text) + len(text)


@pytest.mark.parametrize("text", OUT_OF_ALL_BOUNDS.values(), ids=OUT_OF_ALL_BOUNDS)
def test_huge_numbers_and_doubling_cost_next_to_nothing(text: str) -> None:
    try:
        tree = parse(text)
    except ValueError as error:
        assert "digits" in str(error)  # Python takes no decimal integer of more than 4300
        return
    lint(text, "huge.py", tree=tree)
    assert calls(lambda: lint(text, "huge.py", tree=tree)) < 1_000_000
    assert work(text) < 25_000  # four for each of 5,000 statements


WIDE = wide(120)
WIDER = wide(240)


@pytest.mark.parametrize("name", a_sample_of(WIDE))
def test_twice_the_length_is_at_most_twice_the_work(name: str) -> None:
    once, twice = (calls(lambda text=text: lint(text, "wide.py")) for text in (WIDE[name], WIDER[name]))  # type: ignore[misc]
    assert twice < 2.4 * once + 5000


@pytest.mark.parametrize("text", [ring(300), wide(300)["branches"], wide(300)["alternatives multiplied"]])
def test_the_engine_stops_reading(text: str) -> None:
    assert work(text) <= allowed(text) + len(text)


@pytest.mark.heavy
def test_large_files_need_a_bounded_memory(tmp_path: Path) -> None:
    """In 2 GiB, one after the other, in one process."""
    pytest.importorskip("resource")
    for number, text in enumerate(LARGE.values()):
        (tmp_path / f"large_{number}.py").write_text(text, encoding="utf-8")
    (tmp_path / "right.py").write_text(f"{HEAD}def f(p):\n    return {LOSS}\n", encoding="utf-8")
    program = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))\n"
        "from batchmean.cli import main\n"
        "sys.exit(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "check", "--no-config", "--jobs", "1", "--statistics", str(tmp_path)],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 1
    assert all(
        line.startswith("warning: ") for line in done.stderr.splitlines()
    )  # that not all of it is read
    assert re.fullmatch(r"\d+\tBMN102\tclass-axis-mean\n", done.stdout)


@pytest.mark.parametrize("branches", [1, 3, 5, 6, 12, 30])
@pytest.mark.parametrize(
    ("factor", "is_told"), [("b[#]", True), ("x.shape[0]", False), ("num_classes", False), ("mask", True)]
)
def test_what_may_have_been_multiplied_by_a_count_is_told_in_no_number_of_branches(
    branches: int, factor: str, is_told: bool
) -> None:
    """Of more than 16 values none is known any more, but a weight stays a weight, and what may be V stays so."""
    weighed = "\n".join(f"    if c[{n}]: w = w * {factor.replace('#', str(n))}" for n in range(branches))
    loss = f"    logp = np.log(p)\n    w = 2.0\n{weighed}\n    return -(p * logp).mean() * w\n"
    assert bool(lint(f"import numpy as np\ndef f(p, b, c, x, mask):\n{loss}", "weighed.py")) == is_told


def test_a_function_that_is_not_read_to_its_end_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its last statement may put the loss right."""
    head = "import numpy as np\ndef f(p):\n    loss = -(p * np.log(p)).mean()\n"
    filler = "".join(f"    a{i} = np.log(p) * loss\n" for i in range(40))
    right = f"{head}{filler}    return loss * p.shape[-1]{' + a39 * 0' * 1}\n"
    assert lint(f"{head}    return loss\n", "wrong.py")
    assert not lint(right, "right.py")
    for limit in range(1, 300, 7):
        monkeypatch.setattr(context, "MAX_WORK", limit)
        assert not lint(right, "right.py"), limit


@pytest.mark.parametrize("run", ["enumerate()", "zip()", "range()", "enumerate(*loader)", "zip(*loader)"])
def test_a_loop_over_nothing_is_walked(run: str) -> None:
    loop = f"    for step, (x, y) in {run}:\n        total += F.cross_entropy(x, y).item()\n"
    assert not lint(
        f"{HEAD}def train(loader):\n    total = 0\n{loop}    return total / len(loader)\n", "loops.py"
    )


def test_the_limits_are_those_of_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs" / "limits.md").read_text(encoding="utf-8")
    stated = dict(re.findall(r"^\| ([^|]+?) \| ([\d,]+) ", page, re.MULTILINE))
    assert {name: int(number.replace(",", "")) for name, number in stated.items()} == {
        "size of a file, in bytes": MAX_BYTES,
        "nodes read in one file": context.MAX_WORK,
        "nodes read however short a file is": context.BASE_WORK,
        "characters for each node more": context.CHARACTERS_PER_NODE,
        "nodes of training loops read in one file": rounds.MAX_WORK,
        "nesting of statements and expressions": evaluator.MAX_NESTING,
        "calls followed into each other": context.MAX_DEPTH,
        "calls followed into each other in training loops": rounds.MAX_DEPTH,
        "criteria or functions that one name of a training loop may stand for": joining.MOST_CALLEES,
        "classes of the file that inherit from one whose loop adds up their losses": classes.MOST_HEIRS,
        "modules of the project read for one file": project.MAX_MODULES,
        "size of such a module, in bytes": project.MAX_BYTES,
        "calls of backward looked at in one file": accumulation.MOST,
        "undecided branches on the way to one place": paths.MAX_DECISIONS,
        "values kept apart where branches join": join.MAX_ALTERNATIVES,
        "undecided branches that such a value depends on": join.MAX_CONDITIONS,
        "items told apart in a tuple or a dict": values.MAX_ITEMS,
        "losses told apart in one sum": tensors.MAX_ACCOUNTS,
        "reductions and divisions of one loss": tensors.MAX_STEPS,
        "terms of a sum": tensors.MAX_TERMS,
        "factors of a product, and numbers that one loss is multiplied by": tensors.MAX_FACTORS,
        "axes of an array": axes.MAX_RANK,
        "characters of a line that is searched for a shape comment": comments.MAX_LINE,
    }
