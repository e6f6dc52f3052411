"""The files of a program as the linter reads them: one as a text, several in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from batchmean.check import Check
from batchmean.report import Report

from benchmarks.oracle.program import Program


class Source:
    """The text of every file, before and after its fixes."""

    def __init__(self, program: Program, folder: Path | None) -> None:
        self.texts = program.texts
        self._folder = folder
        if folder is not None:
            for path, text in self.texts.items():
                (folder / path).parent.mkdir(exist_ok=True)
                (folder / path).write_bytes(text.encode())

    @classmethod
    @contextmanager
    def of(cls, program: Program) -> Iterator[Source]:
        """That of a program, for as long as it is looked at."""
        if len(program.files) == 1:
            yield cls(program, None)
            return
        with TemporaryDirectory() as folder:
            yield cls(program, Path(folder))

    def report(self, check: Check) -> Report:
        """What the linter says of all files."""
        if self._folder is not None:
            return check.files([str(self._folder)])
        ((path, text),) = self.texts.items()
        return check.text(text.encode(), path)

    def get(self, path: str) -> bytes:
        """A file under the path that the linter has for it."""
        return self.texts[self._own(path)].encode()

    def put(self, path: str, data: bytes) -> None:
        """Take what a fix has made of a file: the next one is fixed beside it."""
        self.texts[self._own(path)] = data.decode()
        if self._folder is not None:
            Path(path).write_bytes(data)

    def _own(self, path: str) -> str:
        return path if self._folder is None else Path(path).relative_to(self._folder).as_posix()
