"""Programs and files in the test's own folder."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.faces.support import Run, Write, native, run_program


@pytest.fixture
def batchmean(tmp_path: Path) -> Run:
    """The command."""
    return _runner("batchmean", tmp_path)


@pytest.fixture
def flake8(tmp_path: Path) -> Run:
    """flake8, which has the plugin installed."""
    return _runner("flake8", tmp_path)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Files, by relative path."""

    def write(files: Mapping[str, str | bytes]) -> None:
        for name, content in files.items():
            path = tmp_path / native(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    return write


def _runner(name: str, folder: Path) -> Run:
    def run(
        *arguments: str, stdin: str | bytes = b"", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return run_program(name, *arguments, cwd=folder, stdin=stdin, **environment)

    return run
