"""Whatever ends a run, or takes away what it needs: one line, no traceback, no process and no file that stays."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from batchmean import check, memory
from batchmean.functions import NONE
from batchmean.syntax import parse

from tests.faces.support import RIGHT, WRONG, Run, Write

MAIN = "import sys\nfrom batchmean.cli import main\nsys.exit(main())\n"
STUCK = """\
import multiprocessing, os, sys, time
from pathlib import Path
import batchmean.check

def stuck(path, *rest):
    Path(path).with_suffix(".begun").touch()
    time.sleep(600)

batchmean.check._linted = stuck
from batchmean.cli import main
if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv.pop(1))
    sys.exit(main())
"""
"""The command, whose workers never come to an end by themselves."""

posix = pytest.mark.skipif(os.name != "posix", reason="signals and groups of processes as POSIX has them")


not_alone = pytest.mark.skipif(sys.version_info < (3, 11), reason="one process does all the work")


@posix
@pytest.mark.parametrize(
    "method", ["fork", *(pytest.param(method, marks=not_alone) for method in ("spawn", "forkserver"))]
)
@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL", "SIGINT", "SIGTERM to all", "SIGINT to all"])
def test_workers_end_with_their_parent(write: Write, tmp_path: Path, method: str, how: str) -> None:
    padding = "".join(f"# {n} {'log' * 30}\n" for n in range(3000))  # enough text to make processes worth it
    write({f"{name}.py": WRONG + padding for name in ("a", "b")})
    write({"program/stuck.py": STUCK})
    with subprocess.Popen(
        [sys.executable, "program/stuck.py", method, "check", "--jobs", "2", "a.py", "b.py"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a job may ignore it
    ) as process:
        while not all((tmp_path / f"{name}.begun").exists() for name in ("a", "b")):
            assert process.poll() is None
        name, _, to_all = how.partition(" ")
        sent = signal.Signals[name]
        if to_all:
            os.killpg(process.pid, sent)
        else:
            process.send_signal(sent)
        # The pipes end when the last process that holds them does.
        assert process.communicate(timeout=60)[0] == b""
    assert process.returncode == (130 if sent == signal.SIGINT else -sent)


@posix
@pytest.mark.parametrize(
    ("command", "code", "complaint"),
    [
        ("check - <&-", 2, "error: standard input is closed"),
        ("server <&-", 2, "error: standard input is closed"),
        ("server >&-", 2, "error: standard output is closed"),
        ("check wrong.py >&-", 2, "error: standard output is closed"),
        ("check wrong.py 2>&-", 1, ""),
        ("check nowhere.py 2>&-", 1, ""),
        ("check --fix wrong.py <&- 2>&-", 0, ""),
    ],
)
def test_closed_streams(write: Write, tmp_path: Path, command: str, code: int, complaint: str) -> None:
    write({"wrong.py": WRONG})
    done = in_shell(command, tmp_path)
    assert (done.returncode, done.stderr.strip()) == (code, complaint)
    assert done.stdout == "" if code != 1 or "nowhere" in command else done.stdout.startswith("wrong.py:8:")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["wrong.py"]
    assert (tmp_path / "wrong.py").read_text() == (RIGHT if "--fix" in command else WRONG)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("buffered", [True, False])
@pytest.mark.parametrize(
    "command",
    [
        "check wrong.py",
        "check --output-format json wrong.py",
        "check --diff --output-format json wrong.py",
        "check --fix - < wrong.py",
        "check --help",
        "--version",
        "rules",
        "explain --output-format json BMN1",
        pytest.param("demo --quick", marks=pytest.mark.heavy),
        "demo --help",
    ],
)
def test_a_full_disk_for_the_output(write: Write, tmp_path: Path, command: str, buffered: bool) -> None:
    write({"wrong.py": WRONG})
    done = in_shell(f"{command} > /dev/full", tmp_path, PYTHONUNBUFFERED="" if buffered else "1")
    assert (done.returncode, done.stderr) == (2, "error: standard output: no space left on device\n")
    complaining = in_shell("check nowhere.py 2> /dev/full", tmp_path)
    assert (complaining.returncode, complaining.stdout) == (1, "")


@posix
@pytest.mark.parametrize("option", ["--add-noqa", "--fix"])
def test_a_full_disk_for_the_files(write: Write, tmp_path: Path, option: str) -> None:
    """As good as full: no file may be longer than a few bytes."""
    write({"wrong.py": WRONG})
    program = f"import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (50, 50))\n{MAIN}"
    done = subprocess.run(
        [sys.executable, "-c", program, "check", option, "wrong.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout.startswith("wrong.py:8:")
    # Not that no comment could be put there.
    assert done.stderr == "error: wrong.py: cannot be written: file too large\n"
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"wrong.py": WRONG}


@posix
def test_a_working_directory_that_is_gone(write: Write, tmp_path: Path) -> None:
    write({"wrong.py": WRONG})
    for command in ("check", f"check {tmp_path / 'wrong.py'}", f"check --show-settings {tmp_path}", "demo"):
        gone = tmp_path / "gone"
        gone.mkdir()
        done = in_shell(command, gone, before="rmdir ../gone;")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == "error: the working directory cannot be used: no such file or directory\n"


@posix
def test_endless_and_unreadable_standard_input(batchmean: Run, tmp_path: Path) -> None:
    endless = in_shell("check --fix - < /dev/zero", tmp_path)
    assert (endless.returncode, endless.stdout) == (1, "")
    assert endless.stderr == "error: <stdin>: is larger than 32 MiB\n"


@pytest.mark.parametrize("module", ["batchmean.cli", "argparse", "batchmean.config", "batchmean.source"])
def test_an_interrupt_in_the_middle_of_the_imports_is_as_quiet_as_later(tmp_path: Path, module: str) -> None:
    program = f"""\
import importlib.metadata, sys

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            raise KeyboardInterrupt

[entry] = importlib.metadata.entry_points(group="console_scripts", name="batchmean")
sys.modules.pop({module!r}, None)
sys.meta_path.insert(0, Interrupting())
sys.exit(entry.load()())
"""
    done = subprocess.run(
        [sys.executable, "-c", program, "check"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_not_enough_memory_is_not_nested_too_deeply(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **named: object) -> ast.Module:
        raise MemoryError

    monkeypatch.setattr(ast, "parse", fail)
    with pytest.raises(ValueError, match=r"^cannot be parsed: nested too deeply$"):
        parse("x")
    monkeypatch.setattr("batchmean.syntax.suffices", lambda size: False)
    with pytest.raises(ValueError, match=r"^cannot be parsed: not enough memory$"):
        parse("x")
    assert memory.suffices(1)
    assert not memory.suffices(1 << 62)


@pytest.mark.heavy  # it starts many processes, or takes seconds
@posix
def test_every_lack_of_memory_is_a_line(write: Write, tmp_path: Path) -> None:
    numbers = "1, " * 3_000_000
    write({"loss.py": f"{WRONG}x = [{numbers}]\n", "other.py": f"x = [{numbers}]\n", "wrong.py": WRONG})
    program = f"import resource\nresource.setrlimit(resource.RLIMIT_AS, (200 << 20, 200 << 20))\n{MAIN}"
    done = subprocess.run(
        [sys.executable, "-c", program, "check", "--jobs", "1", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error: loss.py: cannot be parsed: not enough memory",
        "error: other.py: cannot be parsed: not enough memory",
    ]
    assert done.stdout.startswith("wrong.py:8:")


def test_memory_that_ends_in_the_analysis_is_no_bug_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise MemoryError

    monkeypatch.setattr("batchmean.verdicts.analyse", fail)
    verdict = check._lint(("a.py", WRONG, None, NONE, True), fixes=False)
    assert verdict == ([], "cannot be analysed: not enough memory", ())


def in_shell(
    command: str, folder: Path, *, before: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / "batchmean"
    return subprocess.run(
        ["sh", "-c", f"{before} '{program}' {command}"],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
