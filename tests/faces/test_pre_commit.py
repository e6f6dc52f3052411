"""The hook inside a real pre-commit, installed from a clone of this project."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faces.notebooks import jupyter, notebook
from tests.faces.support import RIGHT, WRONG, Write

pytestmark = [pytest.mark.heavy, pytest.mark.network]  # pre-commit has pip make an environment

PROJECT = Path(__file__).parents[2]
PARTS = ("lint", "reference_impl", "pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml")


def test_a_wrong_loss_cannot_be_committed(write: Write, tmp_path: Path) -> None:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        "PRE_COMMIT_HOME": str(tmp_path / "cache"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        **{f"GIT_{role}_{what}": "x@y.z" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }

    def run(folder: str, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=tmp_path / folder,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=300,
        )

    def git(folder: str, *arguments: str) -> str:
        done = run(folder, "git", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    # What is in the working tree now, as a repository of its own.
    for part in PARTS:
        source, target = PROJECT / part, tmp_path / "hook" / part
        target.parent.mkdir(exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    git("hook", "init", "--quiet")
    git("hook", "add", "--all")
    git("hook", "commit", "--quiet", "--message", "hook")
    revision = git("hook", "rev-parse", "HEAD")

    hooks = f"repos:\n- repo: {tmp_path / 'hook'}\n  rev: {revision}\n  hooks:\n  - id: batchmean\n"
    settings = """\
[tool.batchmean]
exclude = ["old.py"]

[tool.batchmean.functions]
"acme.losses.kl" = "torch.nn.functional.kl_div"
"""
    write({"user/.pre-commit-config.yaml": hooks, "user/pyproject.toml": settings, "user/old.py": WRONG})
    git("user", "init", "--quiet")
    assert run("user", "pre-commit", "install").returncode == 0
    write(
        {
            "user/losses.py": WRONG,
            "user/own.py": "from acme.losses import kl\n\n\ndef loss(p, q):\n    return kl(p, q)\n",
            "user/n.ipynb": jupyter(notebook([("markdown", "Text"), ("code", WRONG)])),
        }
    )
    git("user", "add", "--all")
    blocked = run("user", "git", "commit", "--message", "wrong")
    assert blocked.returncode == 1, blocked.stdout + blocked.stderr
    assert "losses.py:8:13: BMN102 " in blocked.stderr
    assert "n.ipynb:cell 2:8:13: BMN102 " in blocked.stderr
    assert "old.py" not in blocked.stderr
    assert "own.py:5:12: BMN103 " in blocked.stderr

    write({"user/own.py": "", "user/losses.py": RIGHT, "user/n.ipynb": jupyter(notebook([("code", RIGHT)]))})
    git("user", "add", "--all")
    passed = run("user", "git", "commit", "--message", "right")
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert "Passed" in passed.stderr
