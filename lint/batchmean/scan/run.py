"""The scan on a cluster: pieces are handed out a few at a time, and what ends a worker is handed out again."""

from __future__ import annotations

import logging
import os
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from distributed import Client, LocalCluster, as_completed, get_worker
from distributed.scheduler import KilledWorker
from distributed.utils import sync

from batchmean.scan import parts
from batchmean.scan.claims import Claims, Deaf
from batchmean.scan.guard import Guard, Limits
from batchmean.scan.sources import Piece, pieces
from batchmean.source import SourceError

_AHEAD = 4  # pieces that wait for each thread
_TRIES = 2  # each ends four workers; another piece that waited there may be taken for the culprit
_SECONDS_TO_CONNECT = 15


class Lost(Exception):
    """The cluster is gone, or cannot be reached; the message is one line."""


class Asked(NamedTuple):
    """What is to be done."""

    sources: list[str]
    out: str
    select: list[str]
    min_confidence: str
    limits: Limits
    column: str | None = None


class Tally:
    """What has been done so far."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(("files", "linted", "findings", "errors"), 0)
        self.pieces = 0
        self.skipped = 0
        """Pieces that were there already."""
        self.failed: list[tuple[Piece, str]] = []
        """Pieces that could not be done, and why."""

    def add(self, counts: dict[str, int]) -> None:
        self.pieces += 1
        for name, count in counts.items():
            self.counts[name] += count


def scan(
    asked: Asked,
    *,
    scheduler: str | None,
    workers: int,
    failed: Callable[[SourceError], None],
    progress: Callable[[Tally], None],
) -> Tally:
    """Do what is not there yet. Raises `Lost` and `OutError`; what is done by then stays."""
    parts.prepare(asked.out, {"select": asked.select, "min_confidence": asked.min_confidence})
    tally = Tally()
    with ExitStack() as stack:
        client = stack.enter_context(_connected(scheduler, workers))
        try:
            there, verdicts = parts.whole(asked.out)
            claims = Claims(uuid.uuid4().hex[:12])
            try:
                client.register_plugin(claims, name=claims.name)
            except Exception as error:  # of the scheduler, what it likes
                raise Lost(f"the scheduler cannot run batchmean ({_one_line(error)})") from None
            stack.callback(_unregister, client, claims.name)
            for key, contents in verdicts:
                client.sync(_seed, client, claims.handler, key, contents)
            guard = Guard(asked.limits)
            stack.callback(guard.close)
            waiting = _missing(asked, there, tally, guard, failed)
            _work(client, asked, waiting, claims.handler, tally, progress)
            parts.tidy(asked.out)
        except OSError as error:
            if error.filename is not None:
                raise
            raise Lost(_one_line(error)) from None
    return tally


async def _seed(client: Any, handler: str, key: str, contents: list[str]) -> None:
    await getattr(client.scheduler, handler)(key=key, contents=contents)


def _unregister(client: Any, name: str) -> None:
    if client.status == "running":
        client.unregister_scheduler_plugin(name)


@contextmanager
def _connected(scheduler: str | None, workers: int) -> Iterator[Any]:
    """A client of this scheduler, or of a cluster of processes on this machine."""
    with ExitStack() as stack:
        for name in [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]:
            logging.getLogger(name).setLevel(logging.CRITICAL)  # what is wrong is said in a line of ours
        try:
            if scheduler is None:
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="batchmean-scan-"))
                stack.enter_context(_inside(folder))
                cluster = LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    memory_limit=None,
                    dashboard_address=None,
                    local_directory=folder,
                    silence_logs=logging.CRITICAL,
                )
                stack.enter_context(cluster)
                client = Client(cluster)
                client.register_plugin(Deaf())
            else:
                client = Client(scheduler, timeout=_SECONDS_TO_CONNECT)
        except (OSError, ValueError, RuntimeError) as error:  # TimeoutError is an OSError
            raise Lost(_one_line(error)) from None
        stack.enter_context(client)
        yield client


@contextmanager
def _inside(folder: str) -> Iterator[None]:
    """Work in an empty folder: processes that start import from the working directory first."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _missing(
    asked: Asked, there: set[str], tally: Tally, guard: Guard, failed: Callable[[SourceError], None]
) -> Iterator[Piece]:
    seen: set[str] = set()  # a source may be named twice
    for piece in pieces(asked.sources, failed, guard.cut, asked.column):
        key = parts.key_of(piece)
        if key in there:
            tally.skipped += 1
        elif key not in seen:
            seen.add(key)
            yield piece


def _work(
    client: Any,
    asked: Asked,
    waiting: Iterator[Piece],
    handler: str,
    tally: Tally,
    progress: Callable[[Tally], None],
) -> None:
    given: dict[Any, Piece] = {}
    tries: dict[str, int] = {}

    def submit(piece: Piece) -> Any:
        key = parts.key_of(piece)
        name = f"{handler}-{key}-{tries.get(key, 0)}"  # of this scan alone
        future = client.submit(_scan_piece, piece, asked, handler, key=name, pure=False)
        given[future] = piece
        return future

    ahead = _AHEAD * max(sum(client.nthreads().values()), 1)
    running = as_completed([submit(piece) for piece in islice(waiting, ahead)])
    for future in running:
        piece = given.pop(future)
        try:
            tally.add(future.result())
        except KilledWorker as error:
            key = parts.key_of(piece)
            tries[key] = tries.get(key, 0) + 1
            if tries[key] < _TRIES:
                future.release()
                running.add(submit(piece))
                continue
            tally.failed.append((piece, f"its workers died: {_one_line(error)}"))
        except Exception as error:
            if client.status != "running" or future.status in ("lost", "cancelled"):
                raise Lost("the scheduler is gone") from None
            tally.failed.append((piece, _one_line(error)))
        future.release()
        progress(tally)
        for piece in islice(waiting, max(ahead - len(given), 0)):
            running.add(submit(piece))


_own = threading.local()


def _scan_piece(piece: Piece, asked: Asked, handler: str) -> dict[str, int]:
    """The work on one piece, in a thread of a worker, which has a process to lint in."""
    guard = getattr(_own, "guard", None)
    if guard is None or guard.limits != asked.limits:
        if guard is not None:
            guard.close()
        guard = _own.guard = Guard(asked.limits, get_worker().local_directory)
    request = {"select": asked.select, "min_confidence": asked.min_confidence}
    claim = partial(_claim, parts.key_of(piece), handler)
    return parts.write(asked.out, piece, guard.rows(piece, request, claim))


def _claim(key: str, handler: str, contents: list[str]) -> set[str]:
    worker = get_worker()
    return set(sync(worker.loop, getattr(worker.scheduler, handler), key=key, contents=contents))


def _one_line(error: BaseException) -> str:
    return " ".join(f"{error or type(error).__name__}".split())


class Every:
    """Calls a function, but no more often than so many seconds apart."""

    def __init__(self, seconds: float, call: Callable[[Tally], None]) -> None:
        self._seconds = seconds
        self._call = call
        self._last = time.monotonic()

    def __call__(self, tally: Tally) -> None:
        if time.monotonic() - self._last >= self._seconds:
            self._last = time.monotonic()
            self._call(tally)
