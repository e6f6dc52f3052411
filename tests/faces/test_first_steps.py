"""The tutorial, step by step in one folder: what docs/first-steps.md shows is what happens."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from tests.faces.support import Write, run_program

PAGE = (Path(__file__).parents[2] / "docs" / "first-steps.md").read_text(encoding="utf-8")


def test_the_steps_are_real(write: Write, tmp_path: Path) -> None:
    [losses] = re.findall(r"^```python\n(.*?)```$", PAGE, re.DOTALL | re.MULTILINE)
    write({"losses.py": losses})
    sessions = "".join(re.findall(r"^```console\n(.*?)```$", PAGE, re.DOTALL | re.MULTILINE))
    first, *steps = re.split(r"^\$ ", sessions, flags=re.MULTILINE)
    assert first == ""
    assert len(steps) == 5
    for step in steps:
        command, _, shown = step.partition("\n")
        program, *arguments = shlex.split(command)
        done = run_program(program, *arguments, cwd=tmp_path)
        parts = map(re.escape, shown.split("...\n"))
        assert re.fullmatch("(?:.*\n)*".join(parts), done.stdout), done.stdout + done.stderr
        assert done.returncode in (0, 1)
