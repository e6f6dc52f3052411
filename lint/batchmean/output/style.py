"""Colours and width of a report that is read on a terminal."""

from __future__ import annotations

import os
from typing import Final, NamedTuple, TextIO

_CODES: Final = {
    "code": "1;31",
    "name": "1",
    "place": "36",
    "gutter": "34",
    "mark": "1;31",
    "note": "33",
    "help": "1;32",
    "good": "1;32",
}
"""What is painted, and how a terminal is told (ECMA-48, SGR)."""

COLORS = ("auto", "always", "never")


class Style(NamedTuple):
    """How a report looks; the default is what a file or a pipe gets."""

    color: bool = False
    width: int | None = None
    """Columns of the terminal; None where it is none."""
    counts: bool = True
    """Whether the findings are counted below them."""

    @property
    def is_terminal(self) -> bool:
        """Whether somebody reads along."""
        return self.width is not None

    def paint(self, text: str, kind: str) -> str:
        """The text in the colour of its kind."""
        return f"\x1b[{_CODES[kind]}m{text}\x1b[0m" if self.color and text else text


PLAIN: Final = Style()


def style_of(stream: TextIO, asked: str = "auto") -> Style:
    """The style for a stream: what is asked for, then NO_COLOR and FORCE_COLOR, then whether it is a terminal."""
    width = None
    if stream.isatty():
        try:
            width = os.get_terminal_size(stream.fileno()).columns or 80  # 0 where nobody has said
        except OSError:
            width = 80
    return Style(_is_colored(asked, width is not None), width)


def _is_colored(asked: str, is_terminal: bool) -> bool:
    if asked != "auto":
        return asked == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return is_terminal and os.environ.get("TERM") != "dumb"
