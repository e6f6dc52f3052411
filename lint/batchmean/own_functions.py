"""Which functions of its own a project tells of, for a file that is linted without the other settings."""

from __future__ import annotations

import os

from batchmean import functions, source
from batchmean.functions import Functions


def functions_at(path: str) -> Functions:
    """What settings tell for the file at `path`; wrong settings tell nothing.

    Where no pyproject.toml on the way up mentions such tables none is parsed: flake8 has this asked of every file.
    """
    folder = os.path.dirname(os.path.abspath(path))
    while not _tells(os.path.join(folder, "pyproject.toml")):
        parent = os.path.dirname(folder)
        if parent == folder:
            return functions.NONE
        folder = parent
    from batchmean.config import Settings  # few files have such tables above them

    return Settings(on_problem=lambda problem: None).of(path).functions


def _tells(path: str) -> bool:
    try:
        data = source.read_regular(path, source.MAX_BYTES)
    except OSError:
        return False
    return b"batchmean" in data and (b"functions" in data or b"frameworks" in data)
