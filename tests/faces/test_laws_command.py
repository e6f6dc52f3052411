"""`batchmean laws`, as a process; and what docs/laws.md shows is what happens."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from batchmean_reference.arguments import KINDS
from batchmean_reference.laws import EXEMPTIONS, LAWS

from tests.faces.support import Run, Write, run_program

PAGE = (Path(__file__).parents[2] / "docs" / "laws.md").read_text(encoding="utf-8")
LOSSES, TESTS = re.findall(r"^```python\n(.*?)```$", PAGE, re.DOTALL | re.MULTILINE)
CURVE = (Path(__file__).parents[2] / "docs" / "strange-curve.md").read_text(encoding="utf-8")
SESSIONS = re.findall(r"^```console\n(.*?)```$", PAGE + CURVE, re.DOTALL | re.MULTILINE)


@pytest.fixture(autouse=True)
def files(write: Write) -> None:
    """The module that the page begins with."""
    write({"losses.py": LOSSES})


@pytest.mark.parametrize("session", SESSIONS, ids=lambda text: text.split("\n", 1)[0])
def test_the_sessions_of_the_page_are_real(session: str, tmp_path: Path) -> None:
    command, _, shown = session.removeprefix("$ ").partition("\n")
    program, *arguments = shlex.split(command)
    done = run_program(program, *arguments, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    parts = map(re.escape, shown.split("...\n"))
    assert re.fullmatch("(?:.*\n)*".join(parts), done.stdout), done.stdout


@pytest.mark.heavy
def test_the_test_of_the_page_passes_and_fails_as_it_says(write: Write, tmp_path: Path) -> None:
    write({"test_losses.py": TESTS})
    passed = run_program("pytest", "-q", "-p", "no:cacheprovider", "test_losses.py", cwd=tmp_path)
    assert "1 passed" in passed.stdout, passed.stdout
    write({"test_losses.py": TESTS.replace("right", "wrong")})
    failed = run_program("pytest", "-q", "-p", "no:cacheprovider", "test_losses.py", cwd=tmp_path)
    [told] = re.findall(r"^```text\n(.*?)```$", PAGE, re.DOTALL | re.MULTILINE)
    in_pytest = re.sub(r"^E +", "", failed.stdout, flags=re.MULTILINE)
    assert all(line.strip() in in_pytest for line in told.splitlines()), failed.stdout


def test_the_lists_of_the_page_are_complete() -> None:
    assert all(f"`{kind}`" in PAGE for kind in KINDS)
    assert all(f"\n| {law} | " in PAGE for law in (*LAWS, "uniform"))
    for reason, exemption in EXEMPTIONS.items():
        assert f"\n| {reason} | {', '.join(exemption.laws)} | {exemption.because} |\n" in PAGE


def test_exit_codes(batchmean: Run) -> None:
    assert batchmean("laws", "losses:right").returncode == 0
    assert batchmean("laws", "losses:wrong").returncode == 1
    for arguments in (("losses:nothing",), ("losses",), (), ("losses:right", "--args", "z=logits")):
        done = batchmean("laws", *arguments)
        assert done.returncode == 2
        assert "error: " in done.stderr.splitlines()[-1]


def test_a_module_that_ends_python_is_wrong_usage(batchmean: Run, write: Write) -> None:
    write({"script.py": "import sys\n\nsys.exit('usage: script.py FILE')\n"})
    done = batchmean("laws", "script:main")
    assert done.returncode == 2
    assert "error: script cannot be imported: SystemExit: usage: script.py FILE" in done.stderr


def test_it_says_what_it_lacks(batchmean: Run, write: Write) -> None:
    write({"lacking/numpy.py": "raise ModuleNotFoundError(\"No module named 'numpy'\", name='numpy')\n"})
    done = batchmean("laws", "losses:wrong", PYTHONPATH="lacking")
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr == "error: the laws need numpy: pip install '.[reference]' in a checkout of batchmean\n"
    )


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "batchmean", "laws", "losses:wrong"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""


def test_the_linter_itself_never_runs_the_code(batchmean: Run, write: Write) -> None:
    write({"losses.py": LOSSES + "\nraise SystemExit('was run')\n"})
    done = batchmean("check", "losses.py")
    assert "was run" not in done.stdout + done.stderr
    assert "BMN102" in done.stdout
