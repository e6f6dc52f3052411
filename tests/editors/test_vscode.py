"""flake8 as VS Code's Flake8 extension runs it: its own format, and one process for the whole session.

The extension keeps a Python process, in which it runs flake8's main module again and again: with the path of a file
when that is opened or saved, and for a notebook with the source of a cell, or of all cells (as versions differ), on
standard input. Whatever a plugin remembers between two runs, or prints, would be seen here.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.faces.support import RIGHT, WRONG

FORMAT = "--format='%(row)d,%(col)d,%(code).1s,%(code)s:%(text)s'"  # the quotes reach flake8
WIDE = WRONG.replace("return -", 'é = "日本 𝕏𝕏 e\u0301"; return é, -')
BY_NAMES = "import numpy as np\n\n\ndef loss(y_true, y_pred):\n    return -(y_true * np.log(y_pred)).mean()\n"

SESSION = """
import io, json, os, runpy, sys

channel = sys.stdout
for line in sys.stdin:
    request = json.loads(line)
    os.chdir(request["cwd"])
    sys.argv = ["flake8", *request["arguments"]]
    sys.stdin, sys.stdout, sys.stderr = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(3))
    sys.stdin.buffer.write(request["stdin"].encode())
    sys.stdin.seek(0)
    try:
        runpy.run_module("flake8", run_name="__main__")
    except SystemExit:
        pass
    for stream in (sys.stdout, sys.stderr):
        stream.seek(0)
    answer = {"stdout": sys.stdout.read(), "stderr": sys.stderr.read()}
    print(json.dumps(answer), file=channel, flush=True)
"""


class Session:
    """The process, and the folder that is open in it."""

    def __init__(self, folder: Path, process: subprocess.Popen[str]) -> None:
        self.folder = folder
        self._process = process

    def write(self, files: Mapping[str, str]) -> None:
        """Files in the folder."""
        for name, text in files.items():
            (self.folder / name).write_text(text, encoding="utf-8")

    def flake8(self, *arguments: str, stdin: str = "") -> list[str]:
        """What flake8 prints about batchmean's codes; it prints nothing else."""
        assert self._process.stdin is not None and self._process.stdout is not None
        request = {"cwd": str(self.folder), "arguments": ["--select=BMN", FORMAT, *arguments], "stdin": stdin}
        print(json.dumps(request), file=self._process.stdin, flush=True)
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert answer["stderr"] == ""
        lines: list[str] = answer["stdout"].splitlines()
        return lines


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with subprocess.Popen(
        [sys.executable, "-c", SESSION], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:
        yield Session(tmp_path, process)
        assert process.stdin is not None
        process.stdin.close()


class Place(NamedTuple):
    row: int
    column: int


def places(lines: Sequence[str]) -> list[Place]:
    """The findings, as the extension reads them."""
    found = []
    for line in lines:
        place, _, message = line.strip("'").partition(":")
        row, column, kind, code = place.split(",")
        assert (kind, code) == ("B", "BMN102")
        assert message.startswith("cross-entropy is averaged over the class axis too")
        found.append(Place(int(row), int(column)))
    return found


def expected(text: str, mark: str = "(target * logp).mean()") -> Place:
    before = text.partition(mark)[0]
    return Place(before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1)


def test_a_file_is_linted_when_it_is_opened_and_after_each_save(session: Session) -> None:
    path = str(session.folder / "a.py")
    for text, found in ((WIDE, [expected(WIDE)]), (RIGHT, []), ("\n" + WIDE, [expected("\n" + WIDE)])):
        session.write({"a.py": text})
        assert places(session.flake8(path)) == found


def test_every_change_of_the_settings_counts_at_once(session: Session) -> None:
    path = str(session.folder / "a.py")
    [found] = [expected(BY_NAMES, "(y_true * np.log(y_pred)).mean()")]
    for settings, is_found in (
        ({}, True),
        ({"pyproject.toml": '[tool.batchmean]\nmin-confidence = "proved"\n'}, False),
        ({"pyproject.toml": "[tool.batchmean]\nnonsense = 1\n"}, True),
        ({"pyproject.toml": ""}, True),
        ({".flake8": "[flake8]\nper-file-ignores = a.py:BMN102\n"}, False),
        ({".flake8": "[flake8]\n"}, True),
    ):
        session.write({"a.py": BY_NAMES, **settings})
        assert places(session.flake8(path)) == [found] * is_found, settings


IMPORTS, _, FUNCTION = WIDE.partition("\n\n\n")
JOINED = f"{IMPORTS}\n# %matplotlib inline\nx = 1\n{FUNCTION}\nloss(logits, labels)\n"


@pytest.mark.parametrize("text", [WIDE, JOINED], ids=["one cell", "all cells, with the magics out of action"])
def test_a_notebook_comes_on_standard_input(session: Session, text: str) -> None:
    """flake8 remembers its standard input, so that in one process only the first notebook is linted: its bug."""
    name = str(session.folder / "Untitled é.ipynb")
    session.write({"pyproject.toml": '[tool.batchmean]\nmin-confidence = "proved"\n'})
    for _ in range(2):
        assert places(session.flake8("--stdin-display-name", name, "-", stdin=text)) == [expected(text)]


def test_a_text_that_does_not_parse_disturbs_nothing(session: Session) -> None:
    path = str(session.folder / "a.py")
    for text, found in ((WIDE + "def f(:\n", []), (WIDE, [expected(WIDE)])):
        session.write({"a.py": text})
        assert places(session.flake8(path)) == found
