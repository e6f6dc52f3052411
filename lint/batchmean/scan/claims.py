"""Each content is linted once: the scheduler knows which piece has taken it upon itself."""

from __future__ import annotations

from typing import Any

from distributed.diagnostics.plugin import SchedulerPlugin

_DIGITS = 32  # of a SHA-256 that are kept: 16 bytes


class Claims(SchedulerPlugin):  # type: ignore[misc] # Any, where Dask is not installed
    """Of one scan. A piece that is done again is given what it was given before."""

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
