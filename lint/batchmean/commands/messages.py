"""What is said on standard error, and what ends a command."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from batchmean.output import printable


def abandon(stream: TextIO) -> None:
    """Let what is still to be written go nowhere: Python would complain once more when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class UsageError(Exception):
    """Something was asked for that there is not."""


def extra(name: str) -> str:
    """How to get what an extra brings: there is no package index to have it from."""
    return f"pip install '.[{name}]' in a checkout of batchmean"


def for_terminal(text: str) -> str:
    """A patch that is to be looked at, and not to be applied."""
    lines = text.split("\n")
    return "\n".join("\t".join(map(printable, line.split("\t"))) for line in lines)


def complain(kind: str, message: str) -> None:
    try:
        print(printable(f"{kind}: {message}"), file=sys.stderr)
    except OSError:  # the exit code has to do
        abandon(sys.stderr)
