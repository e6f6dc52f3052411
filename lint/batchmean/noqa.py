"""`# noqa` comments, read as flake8 reads them. Only the command needs this: under flake8, flake8 does it."""

from __future__ import annotations

import io
import re
import tokenize

# flake8's own expressions, which it renames from release to release.
_FILE = re.compile(r"\s*# flake8[:=]\s*noqa", re.IGNORECASE)
_LINE = re.compile(r"# noqa(?::[\s]?(?P<codes>([A-Z]+[0-9]+(?:[,\s]+)?)+))?", re.IGNORECASE)


class Noqa:
    """The `# noqa` comments of one file."""

    def __init__(self, text: str) -> None:
        self._lines: dict[int, str] | None = None
        self._text = text
        self._is_used = "noqa" in text.lower()
        self._whole_file = self._is_used and any(_FILE.match(line) for line in text.split("\n"))

    def mentions(self, line: int) -> bool:
        """Whether there is such a comment on `line`, whatever it silences."""
        return self._is_used and _LINE.search(self._joined(line)) is not None

    def silences(self, code: str, line: int) -> bool:
        """Whether a comment asks that `code` not be reported on `line`."""
        if not self._is_used or self._whole_file:
            return self._whole_file
        comment = _LINE.search(self._joined(line))
        if comment is None:
            return False
        codes = re.split(r"[,\s]+", (comment["codes"] or "").strip(", \t"))
        return code.startswith(tuple(codes))

    def _joined(self, line: int) -> str:
        if self._lines is None:
            self._lines = _joined_lines(self._text)
        return self._lines.get(line, "")


def _joined_lines(text: str) -> dict[int, str]:
    """By line number: the physical line, or all of them where a string or a backslash joins several."""
    lines = text.split("\n")
    joined = dict(enumerate(lines, start=1))
    first = last = 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type in (tokenize.ENDMARKER, tokenize.DEDENT):
                continue
            first = first or token.start[0]
            last = token.end[0]
            if token.type in (tokenize.NL, tokenize.NEWLINE):
                if last > first:
                    joined.update(dict.fromkeys(range(first, last + 1), "\n".join(lines[first - 1 : last])))
                first = 0
    except (tokenize.TokenError, SyntaxError):
        pass  # what the parser takes and the tokenizer does not: physical lines must do
    return joined
