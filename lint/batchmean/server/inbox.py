"""Messages as they come in."""

from __future__ import annotations

import json
import re
from typing import Any, BinaryIO, Final

from lsprotocol import types as lsp

MAX_MESSAGE: Final = 64 << 20
"""Bytes of a message; a larger one is answered by an error."""


class Inbox:
    """Messages as they come in, but for those that are too large: they are answered by an error and left out."""

    _LENGTH = re.compile(rb"Content-Length: (\d+)\r\n\Z")
    _MAX_LINE = 1 << 16
    _MAX_DIGITS = 9

    def __init__(self, stream: BinaryIO, channel: BinaryIO) -> None:
        self._stream = stream
        self._channel = channel

    def read(self, size: int) -> bytes:
        """The body of a message."""
        return self._stream.read(size)

    def readline(self) -> bytes:
        """A line of a header."""
        line = self._stream.readline(self._MAX_LINE)
        length = self._LENGTH.match(line)
        while length is not None and self._is_too_large(length[1]):
            self._complain(length[1])
            line = self._next_header()
            length = self._LENGTH.match(line)
        return line

    def _is_too_large(self, digits: bytes) -> bool:
        digits = digits.lstrip(b"0")
        return len(digits) > self._MAX_DIGITS or int(digits or b"0") > MAX_MESSAGE

    def _next_header(self) -> bytes:
        """The length of the next message, wherever that begins: nobody knows whether the last one is as long as said.

        JSON cannot hold these words with the line end behind them.
        """
        before = b""
        while line := self._stream.readline(self._MAX_LINE):
            if (length := self._LENGTH.search(before + line)) is not None:
                return length[0]
            before = (before + line)[-100:]
        return b""

    def _complain(self, digits: bytes) -> None:
        size = digits.decode() if len(digits) < 20 else "too many"
        problem = f"a message of {size} bytes is larger than {MAX_MESSAGE}"
        error: dict[str, Any] = {"code": lsp.ErrorCodes.InvalidRequest.value, "message": problem}
        body = json.dumps({"jsonrpc": "2.0", "id": None, "error": error}).encode()
        # In one piece: another thread may be writing, too.
        self._channel.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._channel.flush()
