"""What IPython reads and Python does not: magics, shell lines, help. Rows stay where they are."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from typing import Final

# Magics whose cell is Python, as in ruff.
_PYTHON_CELLS: Final = frozenset(
    "capture debug ipytest prun pypy python python3 time timeit".split()
)  # fmt: skip
_CELL_MAGIC: Final = re.compile(r"%%(\w*)")
# Databricks has a cell in another language begin with one percent sign.
_OTHER_LANGUAGE: Final = re.compile(r"%(?:md|md-sandbox|sh|scala|fs)\b|%(?:r|sql)\s*$")
# IPython takes these without the percent sign too. Two words in a row are no Python, but for its operators.
_AUTOMAGIC: Final = (
    r"[ \t]*(?:cat|cd|conda|config|cp|env|load_ext|ls|mamba|matplotlib|mkdir|mv|pip|prun|reload_ext|rm|rmdir|run"
    r"|set_env|time|timeit|uv)[ \t]+(?!(?:and|as|else|for|if|in|is|not|or)\b)(?:[\w.~]|-+\w|/\w)"
)
_SUSPECT: Final = re.compile(rf"^[ \t]*[%!?,;/]|=[ \t]*[%!]|\?[ \t]*$|^{_AUTOMAGIC}", re.MULTILINE)
_WITHOUT_PERCENT: Final = re.compile(_AUTOMAGIC)
_ESCAPES: Final = ("%", "!", "?", ",", ";", "/")
_ASSIGNED: Final = re.compile(r"([ \t]*[A-Za-z_][\w.\[\]'\" ,:*]*(?<![=!<>])=[ \t]*)[%!](?!=)")
_TOKEN: Final = re.compile(
    r"""#.*|'''|\"\"\"|'(?:[^'\\]|\\.)*'?|"(?:[^"\\]|\\.)*"?|[()\[\]{}]|\?\??[ \t]*(?=$|\#)|\\$"""
)


class _Every:
    """What holds everything."""

    def __contains__(self, name: object) -> bool:
        return True


EVERY: Final[Container[str]] = _Every()
"""For cells that are known to be Python, whatever their magic."""


def neutralised(lines: Sequence[str], magics: Container[str] = ()) -> list[str] | None:
    """The lines of a cell as Python, as many as before; None if the whole cell is something else.

    Cells under `magics` are Python, beside those under IPython's own that are.
    """
    code = list(lines)
    if not _SUSPECT.search("\n".join(code)):
        return code
    for index, line in enumerate(code):
        if not line.strip() or line.startswith("#"):
            continue
        magic = _CELL_MAGIC.match(line)
        if magic is None:
            if _OTHER_LANGUAGE.match(line):
                return None
            break
        if magic[1] not in _PYTHON_CELLS and magic[1] not in magics:
            return None
        code[index] = ""
    scanner = _Scanner()
    is_escaped = False  # a magic goes on where its line ends with a backslash
    for index, line in enumerate(code):
        if is_escaped:
            code[index] = ""
        elif scanner.is_between_statements and (plain := _plain(line)) is not None:
            code[index] = plain
        else:
            asks_for_help = scanner.read(line)
            if asks_for_help:
                code[index] = _indentation(line) + "pass"
            continue
        is_escaped = line.endswith("\\")
    return code


def _plain(line: str) -> str | None:
    """A line that is a magic or a shell command, or assigns the result of one, as Python; None for other lines."""
    if line.lstrip().startswith(_ESCAPES) or _WITHOUT_PERCENT.match(line):
        return _indentation(line) + "pass"
    assigned = _ASSIGNED.match(line)
    return (
        assigned and assigned[1] + "get_ipython()"
    )  # what IPython makes of it: nothing is known of the value


def _indentation(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


class _Scanner:
    """Reads line by line, and knows whether a statement has ended."""

    def __init__(self) -> None:
        self._depth = 0
        self._quotes = ""
        self._is_continued = False

    @property
    def is_between_statements(self) -> bool:
        """Whether the next line begins a statement."""
        return not (self._depth or self._quotes or self._is_continued)

    def read(self, line: str) -> bool:
        """Take in a line; whether it is a statement of its own that asks for help (`thing?`)."""
        is_alone = self.is_between_statements
        asks = self._is_continued = False
        at = 0
        while True:
            if self._quotes:
                end = _closing(line, at, self._quotes)
                if end is None:
                    return False
                at, self._quotes = end, ""
            token = _TOKEN.search(line, at)
            if token is None:
                break
            text, at = token[0], token.end()
            if text in ("'''", '"""'):
                self._quotes = text
            elif text in "([{":
                self._depth += 1
            elif text in ")]}":
                self._depth = max(self._depth - 1, 0)
            elif text == "\\":
                self._is_continued = True
            elif text[0] == "?":
                asks = is_alone and not self._depth
        return asks


def _closing(line: str, at: int, quotes: str) -> int | None:
    """Where a string in three quotes ends, if it does so on this line."""
    end = line.find(quotes, at)
    while end >= 0:
        escape = line.find("\\", at, end)
        if escape < 0:
            return end + len(quotes)
        at = escape + 2
        if at > end:
            end = line.find(quotes, at)
    return None
