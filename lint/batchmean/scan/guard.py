"""Watches the process that reads and lints, and narrows down which file it dies of."""

from __future__ import annotations

import json
import mmap
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from batchmean.scan.child import PLACE
from batchmean.scan.sources import Piece, shown

_POLL = 0.5  # seconds between two looks at where the process stands
# `-m` and `-c` look for modules in the working directory first.
_START = """\
import sys
if sys.path[:1] == [""]:
    del sys.path[0]
from batchmean.scan.child import main
main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
"""

Row = dict[str, Any]


class Limits(NamedTuple):
    """What one file may take."""

    seconds: int = 60
    memory: int = 2048
    """In MiB, of the process that lints."""


class _Died(Exception):
    """The process has ended; the message says why."""


class Guard:
    """One such process, started anew where it has ended."""

    def __init__(self, limits: Limits, folder: str | None = None) -> None:
        """`folder` is for a small file that is there as long as this is."""
        self.limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._answers: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        handle, self._place_file = tempfile.mkstemp(prefix="batchmean-scan-", dir=folder)
        os.write(handle, bytes(PLACE.size))
        self._place = mmap.mmap(handle, PLACE.size)
        os.close(handle)

    def close(self) -> None:
        """End the process."""
        self._end()
        self._place.close()
        os.unlink(self._place_file)

    def cut(self, piece: Piece) -> list[Piece]:
        """A source in pieces; in one, where it cannot be cut: reading that says why."""
        try:
            self._ask({"do": "cut", "piece": piece})
            answer = self._answer()
        except _Died:
            return [piece]
        return [Piece(*each) for each in answer.get("pieces", [piece])]

    def rows(
        self, piece: Piece, request: dict[str, Any], claim: Callable[[list[str]], set[str]]
    ) -> Iterator[Row]:
        """A row for each item of a piece. `claim` says which contents are to be linted here, and not elsewhere."""
        try:
            yield from self._rows(piece, request, claim)
        except BaseException:
            self._end()  # it would go on with this piece, and answer what is asked next
            raise

    def _rows(
        self, piece: Piece, request: dict[str, Any], claim: Callable[[list[str]], set[str]]
    ) -> Iterator[Row]:
        first = 0
        skip: dict[int, tuple[str, bool]] = {}
        done: set[str] = set()
        while True:
            PLACE.pack_into(self._place, 0, self._steps(), first, 0)
            try:
                self._ask({**request, "do": "scan", "piece": piece, "first": first, "skip": skip})
                while True:
                    answer = self._answer()
                    if "claim" in answer:
                        self._ask({"granted": _granted(answer["claim"], done, claim)})
                    elif "rows" in answer:
                        done |= {row["sha256"] for row in answer["rows"] if row["linted"]}
                        first = answer["next"]
                        yield from answer["rows"]
                    else:
                        if problem := answer.get("end") or answer.get("failed"):
                            yield _about(piece, problem)
                        return
            except _Died as death:
                _, ordinal, is_linting = PLACE.unpack_from(self._place, 0)
                if ordinal in skip:  # it is not the file, but the way to it
                    yield _about(piece, f"cannot be read beyond file {ordinal + 1} of it: {death}")
                    return
                skip[ordinal] = str(death), bool(is_linting)

    def _ask(self, request: dict[str, Any]) -> None:
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._start()
        assert self._process is not None and self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise _Died(self._end()) from None

    def _answer(self) -> dict[str, Any]:
        waited, steps = 0.0, self._steps()
        while True:
            try:
                answer = self._answers.get(timeout=_POLL)
            except queue.Empty:
                waited = waited + _POLL if steps == self._steps() else 0.0
                steps = self._steps()
                if waited >= self.limits.seconds:
                    self._end()
                    raise _Died(f"takes longer than {self.limits.seconds} s") from None
                continue
            if answer is None:
                raise _Died(self._end())
            return answer

    def _steps(self) -> int:
        steps: int = PLACE.unpack_from(self._place, 0)[0]
        return steps

    def _start(self) -> None:
        self._answers = queue.SimpleQueue()
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                _START,
                self._place_file,
                str(self.limits.seconds),
                str(self.limits.memory),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is not for it: it ends when this process does
        )
        threading.Thread(target=_listen, args=(self._process, self._answers), daemon=True).start()

    def _end(self) -> str:
        """End the process, if it has not ended, and say how it did."""
        process, self._process = self._process, None
        if process is None:
            return "the process did not start"
        process.kill()  # which does nothing where it has ended
        code = process.wait()
        assert process.stdin is not None
        try:
            process.stdin.close()
        except OSError:  # what it was asked last was never read
            pass
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return f"ended the process that read it ({how})"


def _listen(process: subprocess.Popen[bytes], answers: queue.SimpleQueue[dict[str, Any] | None]) -> None:
    assert process.stdout is not None
    with process.stdout as stream:
        for line in stream:
            try:
                answers.put(json.loads(line))
            except ValueError:  # half a line: it died while it wrote
                break
    process.wait()
    answers.put(None)


def _granted(asked: list[str], done: set[str], claim: Callable[[list[str]], set[str]]) -> list[bool]:
    """For each content of a window, whether it is linted there: once, if it is claimed."""
    new = list(dict.fromkeys(sha for sha in asked if sha not in done))
    ours = claim(new) if new else set()
    granted = []
    for sha in asked:
        granted.append(sha in ours)
        ours.discard(sha)
    return granted


def _about(piece: Piece, problem: str) -> Row:
    """The row of what is wrong with a source itself."""
    return {
        "repository": shown(piece.repository),
        "path": "",
        "sha256": None,
        "size": None,
        "linted": False,
        "errors": [problem],
        "findings": [],
    }
