"""The linter reads what it is asked to read: it runs, follows, opens and awaits nothing else."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from tests.faces.support import RIGHT, WRONG

TRAP = "import pathlib\npathlib.Path(__file__).with_suffix('.was_run').touch()\n"
"""What writes a file when it is imported or run."""

WATCHED = dedent(
    """\
    import json, os, sys

    opened, loaded = [], []

    def watch(event, arguments):
        if event == "open" and isinstance(arguments[0], str):
            opened.append(os.path.abspath(arguments[0]))
        elif event == "import":
            loaded.append(arguments[0])
        elif event in ("exec", "compile") and event == "exec":
            loaded.append(getattr(arguments[0], "co_filename", ""))
        elif event in ("os.system", "subprocess.Popen", "os.exec", "os.posix_spawn", "socket.connect"):
            opened.append(event)

    sys.addaudithook(watch)
    sys.argv[1:1] = ["check", "--jobs", "1"]
    from batchmean.cli import main
    code = main()
    print(json.dumps({"code": code, "opened": opened, "loaded": [str(name) for name in loaded]}), file=sys.stderr)
    """
)


def run(folder: Path, *arguments: str, program: list[str] | None = None) -> subprocess.CompletedProcess[str]:
    """The command in a folder; it must come to its end by itself."""
    command = program or [str(Path(sys.executable).parent / "batchmean"), "check", "--jobs", "1"]
    return subprocess.run(
        [*command, *arguments], cwd=folder, capture_output=True, encoding="utf-8", check=False, timeout=120
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project full of traps, inside a folder that is none of the linter's business."""
    folder = tmp_path / "around" / "project"
    for name in ("numpy/__init__.py", "scipy/__init__.py", "libcst/__init__.py", "batchmean.py", "ast.py"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(TRAP, encoding="utf-8")
    for name in ("conftest.py", "sitecustomize.py", "usercustomize.py", "setup.py", "flake8.py", "loss.py"):
        (folder / name).write_text(TRAP + WRONG, encoding="utf-8")
    (folder / "evil.pth").write_text(
        "import pathlib; pathlib.Path('pth.was_run').touch()\n", encoding="utf-8"
    )
    (folder / "setup.cfg").write_text("[flake8]\n", encoding="utf-8")
    (tmp_path / "around" / "secret.py").write_text(WRONG, encoding="utf-8")
    (folder / "link_to_folder").symlink_to(tmp_path / "around", target_is_directory=True)
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    return folder


def test_nothing_that_is_linted_is_imported_or_run(project: Path) -> None:
    done = run(project, ".", "--fix", "--unsafe-fixes")
    assert "fixed 6 findings" in done.stderr
    program = [str(Path(sys.executable).parent / "flake8"), "--isolated", "--select", "BMN", "-j1"]
    assert run(project, ".", program=program).returncode in (0, 1)
    assert not list(project.rglob("*.was_run"))


def test_nothing_else_is_opened(project: Path, tmp_path: Path) -> None:
    program = tmp_path / "watched.py"
    program.write_text(WATCHED, encoding="utf-8")
    no_folder_first = "-P" if sys.version_info >= (3, 11) else "-I"
    watched = [sys.executable, "-B", no_folder_first, str(program)]  # -B: no bytecode is written meanwhile
    done = run(project, "loss.py", "numpy", "link_to_folder/secret.py", program=watched)
    seen = json.loads(done.stderr.splitlines()[-1])
    assert seen["code"] == 1
    below = {path for path in seen["opened"] if path.startswith(str(tmp_path)) or not path.startswith("/")}
    named = {str(project / name) for name in ("loss.py", "numpy/__init__.py", "link_to_folder/secret.py")}
    settings = {str(folder / "pyproject.toml") for folder in (project, project / "numpy", *project.parents)}
    settings |= {str(project / "link_to_folder" / "pyproject.toml")}
    assert named <= below
    assert below <= named | settings
    others = [path for path in seen["opened"] if path not in below and path not in settings]
    assert all(
        path.endswith((".py", ".pyc")) or path.startswith(("/dev/", "/proc/self/")) for path in others
    ), others
    assert not [
        name for name in seen["loaded"] if name.partition(".")[0] in ("numpy", "scipy", "torch", "libcst")
    ]


def test_what_is_read_of_a_repository(project: Path, tmp_path: Path) -> None:
    """Above the paths, too: the lists of what git ignores, and where `.git` and `commondir` say that they are."""
    program = tmp_path / "watched.py"
    program.write_text(WATCHED)
    shared, own = tmp_path / "shared", tmp_path / "shared" / "worktrees" / "one"
    own.mkdir(parents=True)
    (own / "commondir").write_text("../..\n")
    (own / "config").write_text("[core]\n")
    (shared / "config").write_text("[core]\n")
    (shared / "info").mkdir()
    (shared / "info" / "exclude").write_text("setup.py\n")
    (project.parent / ".git").write_text(f"gitdir: {own}\n")
    (project.parent / ".gitignore").write_text("conftest.py\n")
    (tmp_path / ".gitignore").write_text("*\n")
    (project / "numpy" / ".gitignore").write_text("*\n")
    no_folder_first = "-P" if sys.version_info >= (3, 11) else "-I"
    done = run(project, ".", program=[sys.executable, "-B", no_folder_first, str(program)])
    seen = json.loads(done.stderr.splitlines()[-1])
    below = {path for path in seen["opened"] if path.startswith(str(tmp_path))}
    lists = {project.parent / ".gitignore", project / "numpy" / ".gitignore", shared / "info" / "exclude"}
    pointers = {project.parent / ".git", own / "commondir"}
    linted = {path for path in project.rglob("*.py") if path.name not in ("conftest.py", "setup.py")}
    linted -= set((project / "numpy").iterdir())
    settings = set(tmp_path.rglob("pyproject.toml"))
    assert below == {str(path) for path in lists | pointers | linted | settings}


def test_links_are_not_followed_in_circles(project: Path) -> None:
    (project / "round.py").symlink_to("about.py")
    (project / "about.py").symlink_to("round.py")
    done = run(project, "--output-format", "json")
    report = json.loads(done.stdout)
    wrong = {
        path.name
        for path in project.glob("*.py")
        if path.exists() and WRONG in path.read_text(encoding="utf-8")
    }
    assert {finding["path"] for finding in report["findings"]} == wrong
    assert [error["path"] for error in report["errors"]] == ["about.py", "round.py"]


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "zeros.py").symlink_to("/dev/zero")
    (tmp_path / "wrong.py").write_text(WRONG, encoding="utf-8")
    with socket.socket(socket.AF_UNIX) as plug:
        plug.bind(str(tmp_path / "plug.py"))
        done = run(tmp_path)
    assert done.returncode == 1
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["wrong.py"]
    assert done.stderr == ""
    for option in ((), ("--fix",), ("--diff",), ("--add-noqa",)):
        named = run(tmp_path, *option, "pipe.py")
        assert (named.returncode, named.stderr) == (1, "error: pipe.py: is no regular file\n")
    endless = run(tmp_path, "/dev/zero")
    assert (endless.returncode, endless.stderr) == (1, "error: /dev/zero: is no regular file\n")


NEST = 100_000
HOSTILE = {
    "arrays": f"x = {'[' * NEST}{']' * NEST}",
    "tables": f"x = {'{a=' * NEST}1{'}' * NEST}",
    "a dotted key": f"{'a.' * NEST}a = 1",
    "a dotted table": f"[{'a.' * NEST}a]",
    "large": f"x = '{'y' * 300_000}'",
    "not UTF-8": b"x = '\xff'",
    "UTF-16": "x = 1".encode("utf-16"),
    "NUL": "x = '\0'",
    "no table": "tool = 3\n[tool.batchmean]",
    "a list of tables": "[[tool.batchmean]]\nselect = []",
    "a list for a table": "[tool]\nbatchmean = [1]",
    "numbers for codes": "[tool.batchmean]\nselect = [1]",
    "a date for codes": "[tool.batchmean]\nignore = 1979-05-27",
    "a table for patterns": "[tool.batchmean.exclude]\na = 1",
    "a list for a switch": "[tool.batchmean]\npreview = []",
    "an endless number": f"[tool.batchmean]\npreview = {'9' * 5000}",
    "a key like a command": '[tool.batchmean]\n"\\u001b[31m" = 1',
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_pyproject_is_one_clear_line(tmp_path: Path, content: str | bytes) -> None:
    data = content if isinstance(content, bytes) else content.encode()
    (tmp_path / "pyproject.toml").write_bytes(data + b"\n# batchmean\n")
    (tmp_path / "wrong.py").write_text(WRONG, encoding="utf-8")
    done = run(tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert "pyproject.toml: " in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "\x1b" not in done.stderr
    program = [str(Path(sys.executable).parent / "flake8"), "--isolated", "--select", "BMN"]
    beside = run(tmp_path, "wrong.py", program=program)
    assert (beside.stderr, beside.returncode) == ("", 1)


@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "loop"])
def test_a_pyproject_that_is_no_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "pyproject.toml"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.symlink_to(path)
    (tmp_path / "right.py").write_text(RIGHT, encoding="utf-8")
    done = run(tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {path}: ")
    assert len(done.stderr.splitlines()) == 1
