"""The process that reads and lints. It is told what by lines of JSON, answers by lines of JSON, and may die of it.

Where it stands is in a small file that is mapped into memory, so that who watches it knows which file it was.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import struct
import sys
import threading
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any, BinaryIO, NamedTuple

from batchmean.scan.sources import Item, Piece, cut, items, shown
from batchmean.source import SourceError

PLACE = struct.Struct("=QQQ")
"""Steps so far, the number of the item in its piece, and whether it is being linted (1) or still read (0)."""
WINDOW = 256  # items whose content is held at a time
WINDOW_BYTES = 16 << 20
_EXCERPT = 2  # lines above and below a finding
_WIDEST = 200  # characters of each


class _Held(NamedTuple):
    """An item that was read: its content, or why there is none."""

    ordinal: int
    row: dict[str, Any]
    data: bytes | None


def main(place: str, seconds: int, memory: int) -> None:
    """Do what standard input asks for until it ends; `memory` is in MiB."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # whatever else writes there
    _limit_memory(memory << 20)
    with open(place, "r+b") as file:
        work = _Work(out, mmap.mmap(file.fileno(), PLACE.size), seconds)
    asked: SimpleQueue[dict[str, Any]] = SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, asked), daemon=True).start()
    while True:
        request = asked.get()
        try:
            if request["do"] == "cut":
                work.say({"pieces": cut(Piece(*request["piece"]))})
            else:
                work.scan(Piece(*request["piece"]), request, asked)
        except Exception as error:  # of libraries that read hostile files, what they like
            work.say({"failed": _why(error)})


def _listen(stream: BinaryIO, asked: SimpleQueue[dict[str, Any]]) -> None:
    for line in stream:
        asked.put(json.loads(line))
    os._exit(0)  # who asked is gone


def _limit_memory(size: int) -> None:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (size, size))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, ValueError, OSError):  # Windows; a limit below this one
        pass


def _why(error: Exception) -> str:
    if isinstance(error, SourceError):
        return shown(error.message)
    if isinstance(error, MemoryError):
        return "not enough memory"
    return shown(" ".join(f"{type(error).__name__}: {error}".split())[:_WIDEST])


class _Work:
    def __init__(self, out: BinaryIO, place: mmap.mmap, seconds: int) -> None:
        self._out = out
        self._place = place
        self._seconds = seconds
        self._steps = 0

    def say(self, answer: dict[str, Any]) -> None:
        self._out.write(json.dumps(answer).encode() + b"\n")
        self._out.flush()

    def scan(self, piece: Piece, request: dict[str, Any], asked: SimpleQueue[dict[str, Any]]) -> None:
        """Rows for the items from `first` on, by windows; those to `skip` have a reason and are not touched."""
        skip = {int(ordinal): reason for ordinal, reason in request["skip"].items()}
        found = self._read(enumerate(items(piece)), request["first"], skip)
        problem, is_last = None, False
        while not is_last:
            window: list[_Held] = []
            size = 0
            is_last = True
            try:
                for held in found:
                    window.append(held)
                    size += held.row["size"] or 0
                    if len(window) == WINDOW or size >= WINDOW_BYTES:
                        is_last = False
                        break
            except Exception as error:
                problem = _why(error)
            self._lint(window, skip, request, asked)
        self.say({"end": problem})

    def _read(
        self, found: Iterator[tuple[int, Item]], first: int, skip: dict[int, list[Any]]
    ) -> Iterator[_Held]:
        self._at(first, is_linting=False)
        for ordinal, item in found:
            if ordinal >= first:
                self._at(ordinal, is_linting=False)
                reason, is_of_lint = skip.get(ordinal, (None, False))
                row: dict[str, Any] = {
                    "repository": shown(item.repository),
                    "path": shown(item.name),
                    "size": None,
                }
                row |= {"sha256": None, "linted": False, "errors": [], "findings": []}
                data = None
                try:
                    if reason is not None and not is_of_lint:
                        raise SourceError(item.name, reason)
                    data = item.read()
                    row |= {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
                except Exception as error:
                    row["errors"] = [_why(error)]
                yield _Held(ordinal, row, data)
            self._at(ordinal + 1, is_linting=False)

    def _lint(
        self,
        window: list[_Held],
        skip: dict[int, list[Any]],
        request: dict[str, Any],
        asked: SimpleQueue[dict[str, Any]],
    ) -> None:
        if not window:
            return
        self.say({"claim": [held.row["sha256"] for held in window if held.data is not None]})
        granted = iter(asked.get()["granted"])
        for held in window:
            if held.data is not None and next(granted):
                held.row["linted"] = True
                if held.ordinal in skip:
                    held.row["errors"] = [skip[held.ordinal][0]]
                else:
                    self._at(held.ordinal, is_linting=True)
                    try:
                        held.row.update(_linted(held.data, held.row["path"], request))
                    except Exception as error:  # of memory, above all
                        held.row["errors"] = [_why(error)]
        self.say({"rows": [held.row for held in window], "next": window[-1].ordinal + 1})

    def _at(self, ordinal: int, *, is_linting: bool) -> None:
        self._steps += 1
        PLACE.pack_into(self._place, 0, self._steps, ordinal, is_linting)
        self._limit_time()

    def _limit_time(self) -> None:
        """Let the system end this process where not even a signal is heard, and nobody is there to send one."""
        try:
            import resource

            used = resource.getrusage(resource.RUSAGE_SELF)
            limit = int(used.ru_utime + used.ru_stime) + 2 * self._seconds + 2
            resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))
        except (ImportError, ValueError, OSError):
            pass


def _linted(data: bytes, path: str, request: dict[str, Any]) -> dict[str, Any]:
    """Findings and errors of a content, as they are stored."""
    from batchmean import check_source

    result = check_source(data, path, select=request["select"], min_confidence=request["min_confidence"])
    findings = result.to_dicts()["findings"]
    if findings:
        from batchmean.check import sources
        from batchmean.source import decode

        texts = sources(decode(data, path), path)
        for finding, found in zip(findings, result.findings, strict=True):
            lines = texts.get(found.where, "").split("\n")
            first = max(found.span.line - 1 - _EXCERPT, 0)
            excerpt = lines[first : found.span.end_line + _EXCERPT][: 4 * _EXCERPT + 1]
            finding["excerpt"] = shown("\n".join(line[:_WIDEST] for line in excerpt))
            finding["excerpt_line"] = first + 1
            finding["factor"] = None if found.factor is None else json.dumps(finding["factor"])
            finding["because"] = [f"line {because.line}: {shown(because.text)}" for because in found.because]
            finding["message"] = shown(finding["message"])
    errors = [error.message for error in result.errors]
    errors += [
        warning.partition(": ")[2] for warning in result.warnings
    ]  # what was left unread has no verdict
    return {"errors": [shown(error) for error in errors], "findings": findings}


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
