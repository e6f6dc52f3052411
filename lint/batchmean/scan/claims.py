"""What runs beside the work: the scheduler knows who lints which content, and workers leave Ctrl-C to the command."""

from __future__ import annotations

import signal
from typing import Any

from distributed.diagnostics.plugin import SchedulerPlugin, WorkerPlugin

_DIGITS = 32  # of a SHA-256 that are kept: 16 bytes


class Claims(SchedulerPlugin):  # type: ignore[misc] # Any, where Dask is not installed
    """Each content is linted once in a scan. A piece that is done again is given what it was given before."""

    def __init__(self, scan: str) -> None:
        self.name = f"batchmean-claims-{scan}"
        self.handler = f"batchmean_claim_{scan}"
        self._owners: dict[bytes, bytes] = {}

    async def start(self, scheduler: Any) -> None:
        """Listen to the workers."""
        self._scheduler = scheduler
        scheduler.handlers[self.handler] = self.claim

    async def close(self) -> None:
        """Listen no more."""
        self._scheduler.handlers.pop(self.handler, None)

    async def claim(self, key: str, contents: list[str]) -> list[str]:
        """Which of these contents, by their hashes, the piece with this key is to lint."""
        owner = bytes.fromhex(key)
        given = []
        for content in contents:
            if self._owners.setdefault(bytes.fromhex(content[:_DIGITS]), owner) == owner:
                given.append(content)
        return given


class Deaf(WorkerPlugin):  # type: ignore[misc]
    """For workers of the command's own: the terminal tells them of Ctrl-C, too, and they would print a traceback."""

    def setup(self, worker: Any) -> None:
        """Do as if nothing was heard."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
