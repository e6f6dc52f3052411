"""The recipes of CONTRIBUTING.md, carried out on a copy as they stand there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
STEP = re.compile(r"<!-- (file|append|before|replace|try|run): (.*?) -->\n```\w+\n(.*?)```\n", re.DOTALL)


class Step(NamedTuple):
    """What is to be done, where, and with which text."""

    what: str
    where: str
    text: str


def recipes() -> Iterator[tuple[str, list[Step]]]:
    for section in re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]:
        yield section.partition("\n")[0], [Step(*found) for found in STEP.findall(section)]


RECIPES = dict(recipes())


def test_there_are_the_six_that_people_ask_for() -> None:
    wanted = ["A framework", "An operation", "A rule", "A law", "An output format", "A kind of document"]
    assert list(RECIPES) == wanted
    assert all(any(step.what in ("try", "run") for step in steps) for steps in RECIPES.values())


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_works(name: str, tmp_path: Path) -> None:
    for source in ("lint", "reference_impl"):
        shutil.copytree(ROOT / source, tmp_path / source, ignore=shutil.ignore_patterns("__pycache__"))
    for step in RECIPES[name]:
        if step.what == "try":
            _try(step, tmp_path)
        elif step.what == "run":
            assert _python(tmp_path, "-c", step.where) == step.text
        else:
            _change(step, tmp_path)


def _change(step: Step, root: Path) -> None:
    where, _, line = step.where.partition(": ")
    path = root / where
    if step.what == "file":
        assert not path.exists()
        path.write_text(step.text, encoding="utf-8")
        return
    text = path.read_text(encoding="utf-8")
    if step.what == "append":
        text = f"{text}\n\n{step.text}"
    elif step.what == "replace":
        assert text.count(line) == 1
        text = text.replace(line, step.text.rstrip("\n"))
    else:
        lines = text.split("\n")
        [index] = [number for number, each in enumerate(lines) if each.lstrip().startswith(line)]
        text = "\n".join([*lines[:index], step.text.removesuffix("\n"), *lines[index:]])
    path.write_text(text, encoding="utf-8")


def _try(step: Step, root: Path) -> None:
    expected, _, options = step.where.partition(", with ")
    expected, _, name = expected.partition(", in ")
    path = root / (name or "loss.py")
    path.write_text(step.text, encoding="utf-8")
    said = _python(root, "-m", "batchmean", "check", "--preview", "--no-config", path.name, *options.split())
    assert expected in said


def _python(root: Path, *arguments: str) -> str:
    path = os.pathsep.join(str(root / source) for source in ("lint", "reference_impl"))
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.stderr == ""
    return done.stdout
