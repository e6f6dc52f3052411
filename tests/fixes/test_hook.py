"""The hook `batchmean-fix` inside a real pre-commit."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faces.support import RIGHT, WRONG, Write
from tests.faces.test_pre_commit import PARTS, PROJECT

pytestmark = [pytest.mark.heavy, pytest.mark.network]  # pre-commit has pip make an environment

MASKED = """\
def frame_loss(prediction, target, attention_mask):
    loss = (prediction - target) ** 2
    return (loss * attention_mask).mean()
"""


def test_the_hook_fixes_what_is_safe_and_fails_once(write: Write, tmp_path: Path) -> None:
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

    for part in PARTS:
        source, target = PROJECT / part, tmp_path / "hook" / part
        target.parent.mkdir(exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    weighed = WRONG.replace("return -", "return 0.3 * -")
    write({"user/pyproject.toml": "[tool.batchmean]\npreview = true\n"})
    write({"user/safe.py": WRONG, "user/weighed.py": weighed, "user/masked.py": MASKED})
    for folder in ("hook", "user"):
        run(folder, "git", "init", "--quiet")
        run(folder, "git", "add", "--all")
        assert run(folder, "git", "commit", "--quiet", "--message", "all").returncode == 0

    hook = ("pre-commit", "try-repo", str(tmp_path / "hook"), "batchmean-fix")
    first = run("user", *hook, "--files", "safe.py")
    assert first.returncode == 1, first.stdout + first.stderr
    assert "files were modified by this hook" in first.stdout
    assert (tmp_path / "user" / "safe.py").read_text(encoding="utf-8") == RIGHT
    second = run("user", *hook, "--files", "safe.py")
    assert second.returncode == 0, second.stdout + second.stderr
    third = run("user", *hook, "--files", "weighed.py", "masked.py")
    assert third.returncode == 0, third.stdout + third.stderr  # what is left is for the other hook to tell
    assert (tmp_path / "user" / "weighed.py").read_text(encoding="utf-8") == weighed
    assert (tmp_path / "user" / "masked.py").read_text(encoding="utf-8") == MASKED

    revision = run("hook", "git", "rev-parse", "HEAD").stdout.strip()
    both = "".join(f"  - id: {name}\n" for name in ("batchmean-fix", "batchmean"))
    hooks = f"repos:\n- repo: {tmp_path / 'hook'}\n  rev: {revision}\n  hooks:\n{both}"
    write({"user/.pre-commit-config.yaml": hooks, "user/safe.py": WRONG})
    run("user", "git", "add", "--all")
    for changes in (True, False):
        done = run("user", "pre-commit", "run", "--files", "safe.py", "weighed.py", "masked.py")
        assert done.returncode == 1, done.stdout + done.stderr
        assert [done.stdout.count(word) for word in ("weighed.py:", "masked.py:")] == [1, 1], done.stdout
        assert ("files were modified" in done.stdout) == changes
        assert "safe.py:8:13" not in done.stdout
        assert "WARNING" not in done.stdout + done.stderr
