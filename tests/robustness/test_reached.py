"""A bound of the work that is reached is said, once for each file, in every format: no verdict is silently a half."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest
from batchmean import check_source
from batchmean.check import Check
from batchmean.config import Settings
from batchmean.engine import bounds, context
from batchmean.engine.epochs import accumulation, rounds
from batchmean.linter import lint
from batchmean.output import FORMATS, render
from batchmean.project import Project

HEAD = "import numpy as np\n"
LOSS = "-(p * np.log(p)).mean()"
SIMPLE = f"{HEAD}def f(p):\n    return {LOSS}\n"


def _deep_calls(depth: int) -> str:
    helpers = "".join(f"def h{i}(x):\n    return h{i + 1}(x)\n" for i in range(depth))
    return f"{HEAD}{helpers}def h{depth}(x):\n    return x\ndef f(p):\n    return h0({LOSS})\n"


def _branches(count: int, inner: str) -> str:
    tests = "".join(f"    if c[{i}]:\n        {inner.replace('#', str(i))}\n" for i in range(count))
    return f"{HEAD}def f(p, c, w):\n    loss = {LOSS}\n{tests}    return loss\n"


def _ways(count: int) -> str:
    """A statement behind so many decisions: each test that ends the function is one."""
    tests = "".join(f"    if c[{i}]:\n        return {LOSS} * {i}\n" for i in range(count))
    return f"{HEAD}def f(p, c):\n{tests}    return {LOSS}\n"


def _backward(count: int) -> str:
    calls = "".join(f"        (loss / {i + 2}).backward()\n" for i in range(count))
    return (
        "import torch.nn.functional as F\ndef train(model, loader, optimizer, accumulation_steps):\n"
        f"    for x, y in loader:\n        loss = F.cross_entropy(model(x), y) / accumulation_steps\n{calls}"
        "        optimizer.step()\n"
    )


def reached(text: str, project: Project | None = None) -> set[str]:
    """The bounds that are reached in a text."""
    found: set[str] = set()
    lint(text, "a.py", on_bound=found.add, project=project)
    return found


EACH: dict[str, tuple[str, str]] = {
    bounds.NESTING: (
        SIMPLE.replace("np.log(p)", "np.log(" + "-(" * 90 + "-" * 80 + "p" + ")" * 90 + ")"),
        SIMPLE,
    ),
    bounds.DECISIONS: (_ways(140), _ways(100)),
    bounds.CALLS: (_deep_calls(7), _deep_calls(4)),
    bounds.VALUES: (_branches(20, "loss = loss * w[#]"), _branches(3, "loss = loss * w[#]")),
    bounds.BACKWARD: (_backward(accumulation.MOST + 1), _backward(accumulation.MOST // 2)),
}


@pytest.mark.parametrize("bound", EACH)
def test_each_bound_is_said_where_it_is_reached_and_only_there(bound: str) -> None:
    beyond, within = EACH[bound]
    assert reached(beyond) == {bound}
    assert reached(within) == set()


def test_nodes_that_are_not_read_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert reached(SIMPLE) == set()
    monkeypatch.setattr(context, "MAX_WORK", 5)
    assert reached(SIMPLE) == {bounds.NODES}


def test_training_loops_that_are_not_read_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        "import torch.nn.functional as F\ndef train(model, loader):\n    total = 0\n    for x, y in loader:\n"
        "        total += F.cross_entropy(model(x), y).item()\n    return total / len(loader.dataset)\n"
    )
    assert reached(text) == set()
    monkeypatch.setattr(rounds, "MAX_WORK", 5)
    assert reached(text) == {bounds.NODES}


def _project(folder: Path, modules: int) -> tuple[str, Project]:
    (folder / "pyproject.toml").touch()
    for i in range(modules):
        (folder / f"m{i}.py").write_text(f"{HEAD}def loss{i}(p):\n    return {LOSS}\n", encoding="utf-8")
    imports = "".join(f"from m{i} import loss{i}\n" for i in range(modules))
    total = " + ".join(f"loss{i}(p)" for i in range(modules))
    return f"{HEAD}{imports}def f(p):\n    return ({total}).mean()\n", Project(str(folder / "a.py"))


def test_modules_that_are_not_read_are_said(tmp_path: Path) -> None:
    assert reached(*_project(tmp_path, 12)) == set()
    assert reached(*_project(tmp_path, 13)) == {bounds.MODULES}


def test_a_module_that_is_too_large_is_said(tmp_path: Path) -> None:
    text, project = _project(tmp_path, 2)
    with (tmp_path / "m1.py").open("a", encoding="utf-8") as file:
        file.write("# " + "x" * 600_000)
    assert reached(text, project) == {bounds.MODULES}


def _of_json(text: str) -> list[str]:
    return [warning["message"] for warning in json.loads(text)["warnings"]]


def _of_sarif(text: str) -> list[str]:
    (run,) = json.loads(text)["runs"]
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"]
    found = invocation["toolExecutionNotifications"]
    assert {each["level"] for each in found} == {"warning"}
    return [each["message"]["text"] for each in found]


def _of_junit(text: str) -> list[str]:
    root = ET.fromstring(text)
    assert root.get("failures") == root.get("errors") == "0"
    return [each.text or "" for each in root.iter("system-out")]


SHOWN: dict[str, Callable[[str], list[str]]] = {
    "json": _of_json,
    "jsonl": lambda text: [json.loads(line)["warning"] for line in text.splitlines()],
    "sarif": _of_sarif,
    "github": lambda text: [
        line.rpartition("::")[2] for line in text.splitlines() if line.startswith("::notice ")
    ],
    "gitlab": lambda text: [each["description"].partition(": it ")[2] for each in json.loads(text)],
    "rdjson": lambda text: [each["message"] for each in json.loads(text)["diagnostics"]],
    "junit": _of_junit,
    "concise": lambda text: [],  # the line on standard error is for people
    "full": lambda text: [],
}


@pytest.mark.parametrize("output_format", FORMATS)
def test_every_format_says_it_once(output_format: str) -> None:
    said: list[str] = []
    report = Check(Settings(isolated=True), warn=said.append).text(_ways(140), "a.py")
    message = f"has {bounds.DECISIONS}: what is beyond that has no verdict"
    assert said == [f"a.py: {message} (docs/limits.md)"]
    shown = SHOWN[output_format](render(report, output_format))
    assert shown == ([] if output_format in ("concise", "full") else [message])


def test_of_many_files_the_first_are_named(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"f{number}.py").write_text(_ways(140), encoding="utf-8")
    said: list[str] = []
    report = Check(Settings(isolated=True), warn=said.append).files([str(tmp_path)])
    assert len(report.warnings) == 5
    assert [Path(line.partition(": ")[0]).name for line in said[:3]] == ["f0.py", "f1.py", "f2.py"]
    assert said[3:] == ["2 more files have parts without a verdict, which json names (docs/limits.md)"]
    notices = render(report, "github").splitlines()[-4:]
    assert notices[-1] == "::notice title=batchmean did not read all of these files::2 more"


def test_several_bounds_are_one_line() -> None:
    text = _ways(140) + _deep_calls(7).replace("def f(", "def g(")
    (line,) = check_source(text, "a.py").warnings
    assert line == (
        f"a.py: has {bounds.DECISIONS} and {bounds.CALLS}: what is beyond that has no verdict (docs/limits.md)"
    )


def test_the_result_for_programs_has_it_too() -> None:
    assert check_source(_ways(140), "a.py").to_dicts()["warnings"] == [
        {"path": "a.py", "message": f"has {bounds.DECISIONS}: what is beyond that has no verdict"}
    ]


def test_every_bound_is_in_the_documentation() -> None:
    page = " ".join((Path(__file__).parents[2] / "docs" / "limits.md").read_text(encoding="utf-8").split())
    assert [bound for bound in bounds.ALL if f"`{bound}`" not in page] == []
    assert set(EACH) | {bounds.NODES, bounds.MODULES} == set(bounds.ALL)
    assert context.MAX_WORK > rounds.MAX_WORK
