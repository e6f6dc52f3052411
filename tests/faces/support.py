"""Real processes: the command, flake8, and the files they read."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple, Protocol

import pytest

from tests import ready


class Run(Protocol):
    """A program in the test's own folder."""

    def __call__(
        self, *arguments: str, stdin: str | bytes = b"", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run it with these arguments."""


class Write(Protocol):
    """A writer of files below the test's own folder."""

    def __call__(self, files: Mapping[str, str | bytes]) -> None:
        """Write what is given by relative path."""


WRONG = dedent(
    """\
    import numpy as np
    from scipy.special import log_softmax


    def loss(logits, labels):
        target = np.eye(10)[labels]
        logp = log_softmax(logits, axis=-1)
        return -(target * logp).mean()
    """
)
RIGHT = WRONG.replace(".mean()", ".sum(axis=-1).mean()")
TWO_KINDS = WRONG + dedent(
    """\


    def whole(logits, labels):
        target = np.eye(10)[labels]
        logp = log_softmax(logits, axis=-1)
        return -np.sum(target * logp) / logp.size
    """
)

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
"""The variables of a locale whose encoding is ASCII, also for file names."""

in_ascii = pytest.mark.skipif(
    not (sys.prefix + str(Path(__file__))).isascii(),
    reason="Python does not start there: the path of an editable install is not ASCII",
)


def native(name: str) -> str:
    """A file name that is UTF-8 on the disk, as Python has it in this locale."""
    return os.fsdecode(name.encode("utf-8", "surrogateescape"))


def run_program(
    name: str, *arguments: str, cwd: Path, stdin: str | bytes = b"", **environment: str
) -> subprocess.CompletedProcess[str]:
    """A program that is installed beside the interpreter, in `cwd`; its output as text."""
    given = stdin.encode() if isinstance(stdin, str) else stdin
    words = [*map(native, arguments)]
    if ready.can_run(name, environment):
        done = ready.run(words, cwd, given, environment, timeout=120)
    else:
        done = subprocess.run(
            [Path(sys.executable).parent / name, *words],
            cwd=cwd,
            input=given,
            capture_output=True,
            env={**os.environ, **environment},
            check=False,
            timeout=120,
        )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


class Line(NamedTuple):
    """One finding as both programs print it."""

    path: str
    line: int
    column: int
    code: str


def lines_of(output: str) -> list[Line]:
    """The findings of a concise report; a line of any other kind is an error."""
    found = []
    for text in output.splitlines():
        match = re.fullmatch(r"(?:\./)?(.+):(\d+):(\d+): ([A-Z]+\d+) .+", text)
        assert match is not None, text
        path, line, column, code = match.groups()
        found.append(Line(path, int(line), int(column), code))
    return found
