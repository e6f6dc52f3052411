"""Work in processes of its own: started safely, ended with the run, and one that dies takes one item with it."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")
_AHEAD = 32  # items that each process is given before the first answer is asked for


def in_processes(
    run: Callable[[_Item], _Answer],
    items: Iterable[_Item],
    jobs: int,
    lost: Callable[[_Item], _Answer],
) -> Iterator[_Answer]:
    """What `run` makes of each item, in their order and each as soon as it is there.

    Where processes cannot be started in a safe way, this one does the work. An item that ends its process has the
    answer of `lost`, and the others go on.
    """
    items = iter(items)
    while unanswered := (yield from _in_pool(run, items, jobs)):
        while unanswered:  # one of these has ended its process, and one at a time they show which
            waiting = iter(unanswered)
            tried = yield from _in_pool(run, waiting, 1)
            if not tried:
                break
            yield lost(tried[0])
            unanswered = [*tried[1:], *waiting]


def _in_pool(
    run: Callable[[_Item], _Answer], items: Iterator[_Item], jobs: int
) -> Generator[_Answer, None, list[_Item]]:
    """Answers until there are no more items, or a process dies: what was begun and has no answer is returned then."""
    from concurrent.futures import Future, ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import Pipe

    with _safe_start() as is_safe:
        if not is_safe:
            yield from map(run, items)
            return []
        told, tell = Pipe(duplex=False)
        with told, tell, ProcessPoolExecutor(jobs, initializer=_end_with_parent, initargs=(told,)) as pool:
            begun: deque[tuple[_Item, Future[_Answer]]] = deque()
            try:
                while True:
                    for item in islice(items, jobs * _AHEAD - len(begun)):
                        try:
                            begun.append((item, pool.submit(run, item)))
                        except BrokenProcessPool as error:
                            begun.append((item, Future()))
                            begun[-1][1].set_exception(error)
                    if not begun:
                        return []
                    try:
                        answer = begun[0][1].result()
                    except BrokenProcessPool:
                        return [item for item, _ in begun]
                    begun.popleft()
                    yield answer
            except BaseException:  # Ctrl-C, above all: what is begun or queued is not worth waiting for
                tell.send_bytes(b"end")
                pool.shutdown(wait=False, cancel_futures=True)
                raise


@contextmanager
def _safe_start() -> Iterator[bool]:
    """Whether processes can be started that import nothing from the working directory.

    A process that is spawned, and not forked, begins as `python -c`, which looks there first: the code of those who
    wrote what is linted would run.
    """
    from multiprocessing import get_start_method

    if get_start_method() == "fork" or getattr(sys.flags, "safe_path", False):
        yield True
        return
    if sys.version_info < (3, 11) or sys.flags.ignore_environment:
        yield False
        return
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield True
    finally:
        if before is None:
            del os.environ["PYTHONSAFEPATH"]
        else:
            os.environ["PYTHONSAFEPATH"] = before


def _end_with_parent(told: Connection) -> None:
    """Let a worker end when its parent does, however that came about, or when it is told to.

    Ctrl-C, which reaches every process, ends it at once and without a traceback.
    """
    import signal
    import threading

    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_await_end, args=(told,), daemon=True).start()


def _await_end(told: Connection) -> None:
    from multiprocessing import connection, parent_process

    parent = parent_process()
    connection.wait([told] if parent is None else [told, parent.sentinel])
    os._exit(1)
