"""Windows, as far as it can be seen from elsewhere: its paths, its drives and its line ends."""

from __future__ import annotations

import io
import ntpath
import os
import subprocess
import sys
from pathlib import Path, PureWindowsPath
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
import yaml
from batchmean import cli
from batchmean.config import ConfigError, glob_from
from batchmean.globs import Globs, PerFileIgnores
from batchmean.output import portable
from batchmean.output.sarif import _artifact

from tests.faces.support import TWO_KINDS, Write

ROOT = PureWindowsPath("C:/code/Project")
SYSTEM = SimpleNamespace(
    **{name: getattr(os, name) for name in ("fsencode", "fsdecode", "PathLike")},
    path=ntpath,
    sep="\\",
    altsep="/",
    getcwd=lambda: str(ROOT),
)


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the settings and the output believe that they are on Windows."""
    for module in ("config", "globs", "source", "output", "output.sarif"):
        monkeypatch.setattr(f"batchmean.{module}.os", SYSTEM)


@pytest.mark.usefixtures("windows")
@pytest.mark.parametrize(
    ("pattern", "names", "does_not"),
    [
        ("generated", "src/generated/a.py", "src/a.py"),
        ("src/*_pb2.py", "src/deep/a_pb2.py", "other/a_pb2.py"),
        ("src\\*_pb2.py", "src/deep/a_pb2.py", "other/a_pb2.py"),
        (".\\src\\old", "src/old/a.py", "old/a.py"),
        ("**/skip.py", "a/b/skip.py", "a/b/skipped.py"),
        ("C:/code/Project/src", "src/a.py", "lib/a.py"),
        ("C:\\code\\Project\\src", "src/a.py", "lib/a.py"),
    ],
)
def test_patterns_part_folders_by_either_slash(pattern: str, names: str, does_not: str) -> None:
    globs = Globs([glob_from(pattern, str(ROOT), "exclude", is_setting=True)])
    assert globs.matches(str(ROOT / names))
    assert globs.matches((ROOT / names).as_posix())
    assert not globs.matches(str(ROOT / does_not))


@pytest.mark.usefixtures("windows")
def test_a_file_on_another_drive_is_outside_of_every_pattern_but_those_of_names() -> None:
    ignores = PerFileIgnores(
        (glob_from(text, str(ROOT), "per-file-ignores", is_setting=True), ("BMN102",))
        for text in ("src/*", "tests")
    )
    assert not ignores.ignores("BMN102", "D:\\other\\src\\a.py")
    assert ignores.ignores("BMN102", "D:\\other\\tests\\a.py")


@pytest.mark.usefixtures("windows")
def test_what_leads_out_is_refused_with_either_slash() -> None:
    for text in ("../other", "..\\other", "src/../../other", "src\\..\\..\\other"):
        with pytest.raises(ConfigError):
            glob_from(text, str(ROOT), "exclude", is_setting=True)


@pytest.mark.usefixtures("windows")
def test_reports_name_files_with_slashes() -> None:
    assert portable("src\\a b.py") == portable(str(ROOT / "src" / "a b.py")) == "src/a b.py"
    assert portable("D:\\x\\a.py") == "D:/x/a.py"
    assert _artifact("src\\a b.py") == {"uri": "src/a%20b.py", "uriBaseId": "%SRCROOT%"}
    outside = PureWindowsPath("D:/x y/é.py")
    assert _artifact(str(outside)) == {"uri": outside.as_uri()}


class Console(io.TextIOWrapper):
    """Standard output as Windows opens it: each LF becomes CR LF."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="cp1252", newline="\r\n")

    def bytes(self) -> bytes:
        """What was written."""
        self.flush()
        buffer: Any = self.buffer
        found: bytes = buffer.getvalue()
        return found


@pytest.mark.heavy
def test_what_programs_read_has_the_line_ends_that_they_expect(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write({"a.py": TWO_KINDS, "é.py": TWO_KINDS.replace("\n", "\r\n")})
    monkeypatch.chdir(tmp_path)

    def output(*arguments: str) -> bytes:
        console = Console()
        with patch.object(sys, "stdout", console):
            cli.main(["check", *arguments])
        return console.bytes()

    for name in ("json", "jsonl", "rdjson", "sarif", "gitlab", "junit", "github"):
        assert b"\r" not in output("--output-format", name), name
    assert b"BMN102" in output("a.py") and output("a.py").endswith(b"\r\n")
    # A patch has the line ends of each file, or it would not apply.
    changes = output("--diff")
    done = subprocess.run(
        ["git", "apply", "-"], input=changes, cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    fixed = TWO_KINDS.replace("(target * logp).mean()", "(target * logp).sum(axis=-1).mean()")
    assert (tmp_path / "a.py").read_bytes().startswith(fixed.partition("def whole")[0].encode())
    data = (tmp_path / "é.py").read_bytes()
    assert data.count(b"\r\n") == data.count(b"\n") == TWO_KINDS.count("\n")


def test_the_workflow_runs_the_three_systems() -> None:
    workflow = yaml.safe_load((Path(__file__).parents[2] / ".ci" / "systems.yml").read_text(encoding="utf-8"))
    job = workflow["jobs"]["tests"]
    assert {name.partition("-")[0] for name in job["strategy"]["matrix"]["system"]} == {
        "ubuntu",
        "macos",
        "windows",
    }
    [action] = [step for step in job["steps"] if step.get("uses") == "./"]
    inputs = yaml.safe_load((Path(__file__).parents[2] / "action.yml").read_text(encoding="utf-8"))["inputs"]
    assert set(action["with"]) <= set(inputs)
