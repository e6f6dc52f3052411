"""Nothing outside of the paths given is read or written, and no file of a repository is run."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from batchmean.source import SourceError
from batchmean.source import write as replace_file

from tests.faces.support import RIGHT, WRONG, Run, Write, lines_of

TRAP = """\
import sys
open(__file__[:-3] + ".was_run", "w").close()
path, here = sys.path, __file__[: -len(__name__) - 4]
sys.path = [folder for folder in path if folder not in ("", here)]
del sys.modules[__name__]
__import__(__name__)
sys.path = path
"""
"""What leaves a mark when it is imported, and makes way for the real module then."""


def tree_with_links(write: Write, folder: Path) -> None:
    write({"outside/victim.py": WRONG, "tree/sub/own.py": WRONG, "tree/right.py": RIGHT})
    (folder / "tree" / "link.py").symlink_to("../outside/victim.py")
    (folder / "tree" / "absolute.py").symlink_to(folder / "outside" / "victim.py")
    (folder / "tree" / "gone.py").symlink_to("../outside/gone.py")
    (folder / "tree" / "inside.py").symlink_to("sub/own.py")


@pytest.mark.parametrize("option", [(), ("--fix",), ("--add-noqa",), ("--diff",)], ids=" ".join)
def test_links_that_leave_the_tree_are_skipped(
    batchmean: Run, write: Write, tmp_path: Path, option: tuple[str, ...]
) -> None:
    tree_with_links(write, tmp_path)
    done = batchmean("check", *option, "tree")
    assert (tmp_path / "outside" / "victim.py").read_text() == WRONG
    assert done.stderr.splitlines()[0] == (
        "warning: left out, as links that lead out of the paths given: tree/absolute.py, tree/gone.py, tree/link.py"
    )
    if not option:
        assert [line.path for line in lines_of(done.stdout)] == ["tree/inside.py", "tree/sub/own.py"]
    else:
        assert "victim" not in done.stdout + done.stderr


def test_links_from_one_given_folder_to_another_are_read(
    batchmean: Run, write: Write, tmp_path: Path
) -> None:
    tree_with_links(write, tmp_path)
    both = batchmean("check", "tree", "outside")
    assert [line.path for line in lines_of(both.stdout)] == [
        "outside/victim.py",
        "tree/absolute.py",
        "tree/inside.py",
        "tree/link.py",
        "tree/sub/own.py",
    ]
    assert both.stderr == "error: tree/gone.py: no such file or directory\n"


@pytest.mark.parametrize("option", ["--fix", "--add-noqa", "--diff"])
def test_links_that_leave_are_refused_when_they_are_named(
    batchmean: Run, write: Write, tmp_path: Path, option: str
) -> None:
    tree_with_links(write, tmp_path)
    done = batchmean("check", option, "tree/link.py")
    target = (tmp_path / "outside" / "victim.py").resolve()
    assert done.stderr == (
        f"error: tree/link.py: is a link that leads out, to {target}, so it is left as it is\n"
    )
    assert done.returncode == 1
    assert (tmp_path / "outside" / "victim.py").read_text() == WRONG
    allowed = batchmean("check", option, "tree/inside.py")
    assert "is a link" not in allowed.stderr
    assert (tmp_path / "tree" / "inside.py").is_symlink()


@pytest.mark.heavy  # it starts many processes, or takes seconds
def test_a_link_to_a_folder_outside_of_the_working_directory_is_refused(
    batchmean: Run, write: Write, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    victim = tmp_path_factory.mktemp("elsewhere") / "victim.py"
    victim.write_text(WRONG)
    (tmp_path / "folder").symlink_to(victim.parent, target_is_directory=True)
    for named in ("folder", "folder/victim.py", str(tmp_path / "folder")):
        done = batchmean("check", "--fix", named)
        assert done.returncode == 1
        assert "is a link that leads out" in done.stderr
        assert victim.read_text() == WRONG
    assert batchmean("check", "--fix", str(victim)).returncode == 0
    assert victim.read_text() == RIGHT


def test_other_hard_links_are_not_parted(batchmean: Run, write: Write, tmp_path: Path) -> None:
    write({"outside.py": WRONG, "tree/other.py": WRONG})
    (tmp_path / "tree" / "a.py").hardlink_to(tmp_path / "outside.py")
    for option in ("--fix", "--add-noqa"):
        done = batchmean("check", option, "tree/a.py")
        assert done.returncode == 1
        assert done.stderr == "error: tree/a.py: has other hard links, so it is left as it is\n"
        assert (tmp_path / "outside.py").read_text() == WRONG
        assert (tmp_path / "tree" / "a.py").samefile(tmp_path / "outside.py")


def test_owner_mode_and_attributes_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(b"x = 1\n")
    owner = (1234, 1235) if hasattr(os, "geteuid") and os.geteuid() == 0 else (-1, -1)
    if hasattr(os, "chown"):
        os.chown(path, *owner)
    path.chmod(0o754)
    attributes = {}
    if sys.platform == "linux":
        try:
            os.setxattr(path, "user.origin", b"here")
        except OSError:  # a file system without them
            pass
        attributes = {name: os.getxattr(path, name) for name in os.listxattr(path)}
    before = path.stat()
    replace_file(str(path), b"x = 2\n")
    after = path.stat()
    assert path.read_bytes() == b"x = 2\n"
    assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)
    if sys.platform == "linux":
        assert {name: os.getxattr(path, name) for name in os.listxattr(path)} == attributes
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.py"]


def test_an_owner_that_cannot_be_kept_is_a_reason_to_refuse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(b"x = 1\n")
    own = os.stat

    def other(target: str, **options: bool) -> os.stat_result:
        found = own(target, **options)
        if not str(target).endswith("a.py"):
            return found
        values = list(found)
        values[stat.ST_UID] += 1
        return os.stat_result(values)

    def refuse(*arguments: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "stat", other)
    monkeypatch.setattr(os, "chown", refuse, raising=False)
    with pytest.raises(SourceError, match="cannot keep its owner or attributes"):
        replace_file(str(path), b"x = 2\n")
    monkeypatch.undo()
    assert path.read_bytes() == b"x = 1\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.py"]


def runs_of(command: list[str], folder: Path, **environment: str) -> set[str]:
    """Which traps in a folder a program runs."""
    subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, check=False, timeout=120
    )
    marks = list(folder.glob("*.was_run"))
    for mark in marks:
        mark.unlink()
    return {mark.stem for mark in marks}


def test_python_m_imports_nothing_from_the_working_directory(tmp_path: Path) -> None:
    """Before our first line Python itself may, of modules that it has not loaded yet; then `-P` or `-I` helps."""
    folder, library = tmp_path / "hostile", tmp_path / "library"
    folder.mkdir()
    library.mkdir()
    (library / "nothing.py").touch()
    names = sys.stdlib_module_names | {"libcst", "numpy", "lsprotocol", "pygls", "tomli", "flake8", "yaml"}
    for name in names:
        (folder / f"{name}.py").write_text(TRAP)
    nothing = [sys.executable, "-m", "nothing"]
    while pythons := runs_of(nothing, folder, PYTHONPATH=str(library)):
        for name in pythons:
            (folder / f"{name}.py").unlink()
    (folder / "wrong.py").write_text(WRONG)
    for arguments in (["check", "--fix", "wrong.py"], ["server"], ["explain", "BMN102"]):
        assert runs_of([sys.executable, "-m", "batchmean", *arguments], folder) == set()
    assert (folder / "wrong.py").read_text() == RIGHT
    # This is what the test would see.
    assert "symtable" in runs_of([sys.executable, "-c", "import symtable"], folder)


@pytest.mark.parametrize("flags", [[], ["-E"]], ids=["", "without PYTHONSAFEPATH"])
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_workers_import_nothing_from_the_working_directory(
    tmp_path: Path, method: str, flags: list[str]
) -> None:
    folder = tmp_path / "hostile"
    folder.mkdir()
    padding = "".join(f"# {n} {'log' * 30}\n" for n in range(3000))  # enough text to make processes worth it
    for name in ("one", "two"):
        (folder / f"{name}.txt").write_text(WRONG + padding)
    for name in ("multiprocessing", "socket", "pickle", "selectors", "signal", "runpy", "queue", "symtable"):
        (folder / f"{name}.py").write_text(TRAP)
    program = tmp_path / "program" / "run.py"
    program.parent.mkdir()
    program.write_text(
        "import multiprocessing, sys\n"
        "from batchmean.cli import main\n"
        'if __name__ == "__main__":\n'
        f'    multiprocessing.set_start_method("{method}")\n'
        "    sys.exit(main())\n"
    )
    command = [sys.executable, *flags, str(program), "check", "--jobs", "2", "one.txt", "two.txt"]
    assert runs_of(command, folder) == set()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert [line.path for line in lines_of(done.stdout)] == ["one.txt", "two.txt"]


def test_a_file_that_is_called_like_an_option_is_a_file(batchmean: Run, write: Write, tmp_path: Path) -> None:
    write({"--exclude=*.py": WRONG, "--fix": WRONG, "-": WRONG, "a.py": WRONG})
    done = batchmean("check", "--force-exclude", "--", "--exclude=*.py", "--fix", "-", "a.py")
    assert [line.path for line in lines_of(done.stdout)] == ["-", "--exclude=*.py", "--fix", "a.py"]
    assert (tmp_path / "a.py").read_text() == WRONG


def test_the_hooks_end_their_options() -> None:
    yaml = pytest.importorskip("yaml")
    hooks = yaml.safe_load((Path(__file__).parents[2] / ".pre-commit-hooks.yaml").read_text())
    assert [hook["args"][-1] for hook in hooks] == ["--"] * len(hooks)


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("plain é.py", "plain é.py"),
        ("a\x1b[31m.py", r'"a\033[31m.py"'),
        ("a\n--- b\n+++ c.py", r'"a\012--- b\012+++ c.py"'),
        ("\u202e.py", r'"\342\200\256.py"'),
        ('"\\.py', r'"\"\\.py"'),
        (os.fsdecode(b"\xff.py"), r'"\377.py"'),
    ],
)
def test_a_patch_names_files_as_git_does(
    batchmean: Run, write: Write, tmp_path: Path, name: str, header: str
) -> None:
    write({name: WRONG})
    patch = batchmean("check", "--diff", "--", name).stdout
    assert patch.splitlines()[:2] == [f"--- {header}", f"+++ {header}"]
    applied = subprocess.run(
        ["git", "apply", "-p0"], cwd=tmp_path, input=patch.encode(), capture_output=True, check=False
    )
    assert applied.returncode == 0, applied.stderr
    assert (tmp_path / name).read_text() == RIGHT
