"""`# noqa` comments, read as flake8 reads them, and added.

The command and the server need this: under flake8, flake8 does it.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from batchmean.findings import Edit, Finding, Fix, Span

# flake8's own expressions, which it renames from release to release.
_FILE = re.compile(r"\s*# flake8[:=]\s*noqa", re.IGNORECASE)
_LINE = re.compile(r"# noqa(?::[\s]?(?P<codes>([A-Z]+[0-9]+(?:[,\s]+)?)+))?", re.IGNORECASE)


_CODE = re.compile(r"([A-Z]+[0-9]+)([,\s]*)", re.IGNORECASE)
_OURS = re.compile("BMN[0-9]+")


class Unused(NamedTuple):
    """Codes in a comment that silence nothing, where the comment stands, and what takes them away."""

    codes: list[str]
    span: Span
    edit: Edit


class Noqa:
    """The `# noqa` comments of one file."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines = text.split("\n")
        self._ranges: dict[int, tuple[int, int]] | None = None
        self._hashes: dict[int, int] | None = None
        self._comments: dict[tuple[int, int], re.Match[str] | None] = {}
        self._codes: dict[tuple[int, int], frozenset[str]] = {}
        self._is_used = "noqa" in text.lower()
        self._whole_file = self._is_used and any(_FILE.match(line) for line in self._lines)

    def mentions(self, line: int) -> bool:
        """Whether there is such a comment on `line`, whatever it silences."""
        return self._is_used and self._comment(line) is not None

    def silences(self, code: str, line: int) -> bool:
        """Whether a comment asks that `code` not be reported on `line`."""
        if not self._is_used or self._whole_file:
            return self._whole_file
        comment = self._comment(line)
        if comment is None:
            return False
        place = self._range(line)
        codes = self._codes.get(place)
        if codes is None:
            listed = re.split(r"[,\s]+", (comment["codes"] or "").strip(", \t"))
            codes = self._codes[place] = frozenset(listed)
        return any(code[:end] in codes for end in range(len(code) + 1))

    def unused(self, found: Iterable[tuple[int, str]]) -> Iterator[Unused]:
        """What silences nothing of batchmean's, given all that it finds: lines and codes.

        Only what is in a comment counts, as far as the tokenizer can tell; whole files and bare comments do not.
        """
        if not self._is_used or self._whole_file:
            return
        from batchmean.rules import UNUSED_NOQA

        self._range(1)
        by_place: dict[tuple[int, int], set[str]] = {}
        for line, code in found:
            by_place.setdefault(self._range(line), set()).add(code)
        for line in sorted(self._hashes or ()):
            if "noqa" not in self._lines[line - 1].lower():
                continue
            place, comment = self._range(line), self._comment(line)
            if comment is None or comment["codes"] is None:
                continue
            before = self._joined(line)[: comment.start()].split("\n")
            start = len(before[-1])
            is_here = place[0] + len(before) - 1 == line and start + 1 >= (self._hashes or {})[line]
            listed = _CODE.findall(comment["codes"])
            is_idle = [
                bool(_OURS.fullmatch(code))
                and not UNUSED_NOQA.code.startswith(code)
                and not any(one.startswith(code) for one in by_place.get(place, ()))
                for code, _ in listed
            ]
            if is_here and any(is_idle):
                codes = [code for (code, _), idle in zip(listed, is_idle, strict=True) if idle]
                span = Span(line, start + 1, line, start + len(comment[0].rstrip(", \t")) + 1)
                yield Unused(codes, span, self._removal(line, start, comment, is_idle))

    def _removal(self, line: int, start: int, comment: re.Match[str], is_idle: list[bool]) -> Edit:
        """Take codes out of a comment: with all that is around them, if nothing else is left."""
        text = self._lines[line - 1]
        listed = _CODE.findall(comment["codes"])
        kept = [pair for pair, idle in zip(listed, is_idle, strict=True) if not idle]
        at = start + comment.start("codes") - comment.start()
        end = start + len(comment[0])
        if kept:
            kept[-1] = (kept[-1][0], listed[-1][1])
            return Edit(Span(line, at + 1, line, end + 1), "".join(code + after for code, after in kept))
        rest = text[end:].lstrip()
        if not rest:
            return Edit(Span(line, len(text[:start].rstrip()) + 1, line, len(text) + 1), "")
        if rest.startswith("#"):
            return Edit(Span(line, start + 1, line, len(text) - len(rest) + 1), "")
        return Edit(Span(line, start + 1, line, len(text) - len(rest) + 1), "# ")

    def last_line(self, line: int) -> int:
        """Where a comment about `line` stands: on its own line, or behind the string or backslashes it is part of."""
        return self._range(line)[1]

    def addition(self, codes: Sequence[str], line: int) -> Edit:
        """The edit that silences `codes` on `line`: a new comment, or an addition to the list that there is."""
        last = self.last_line(line)
        joined = self._joined(line)
        comment = self._comment(line)
        if comment is None or comment["codes"] is None:
            column = len(self._lines[last - 1].rstrip()) + 1
            return Edit(Span(last, column, last, column), f"  # noqa: {', '.join(codes)}")
        listed = comment["codes"].rstrip(", \t\n")
        separator = next((mark for mark in (", ", ",", " ") if mark in listed), ", ")
        before = joined[: comment.start("codes") + len(listed)].split("\n")
        last += len(before) - len(joined.split("\n"))
        column = len(before[-1]) + 1
        return Edit(Span(last, column, last, column), "".join(separator + code for code in codes))

    def is_in_comment(self, edit: Edit) -> bool:
        """Whether an addition makes or continues a comment, as far as the tokenizer can tell, and not a string."""
        self._range(1)
        if self._hashes is None or edit.text.lstrip().startswith("#"):
            return True
        return edit.span.column > self._hashes.get(edit.span.line, edit.span.column)

    def _comment(self, line: int) -> re.Match[str] | None:
        """The comment about a line; what several findings share is searched once."""
        place = self._range(line)
        if place not in self._comments:
            self._comments[place] = _LINE.search(self._joined(line))
        return self._comments[place]

    def _joined(self, line: int) -> str:
        first, last = self._range(line)
        return "\n".join(self._lines[first - 1 : last])

    def _range(self, line: int) -> tuple[int, int]:
        if self._ranges is None:
            self._ranges, self._hashes = _ranges(self._text)
        return self._ranges.get(line, (line, line))


def _ranges(text: str) -> tuple[dict[int, tuple[int, int]], dict[int, int] | None]:
    """First and last line, by each line of what a string or a backslash joins, and the columns of comments by line."""
    ranges: dict[int, tuple[int, int]] = {}
    hashes: dict[int, int] = {}
    first = last = 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type in (tokenize.ENDMARKER, tokenize.DEDENT):
                continue
            first = first or token.start[0]
            last = token.end[0]
            if token.type == tokenize.COMMENT:
                hashes[last] = token.start[1] + 1
            if token.type in (tokenize.NL, tokenize.NEWLINE):
                if last > first:
                    ranges.update(dict.fromkeys(range(first, last + 1), (first, last)))
                first = 0
    except (tokenize.TokenError, SyntaxError):
        return ranges, None  # what the parser takes and the tokenizer does not: physical lines must do
    return ranges, hashes


def unused_noqa(
    text: str, path: str, found: Iterable[Finding], noqa: Noqa | None = None
) -> Iterator[Finding]:
    """The comments of a file that silence nothing, given all that is found in it whatever the settings say."""
    from batchmean.rules import UNUSED_NOQA

    for unused in (noqa or Noqa(text)).unused((finding.span.line, finding.code) for finding in found):
        silence, them = ("silences", "it") if len(unused.codes) == 1 else ("silence", "them")
        what = f"{', '.join(unused.codes)} in this noqa comment {silence} nothing"
        yield Finding(
            code=UNUSED_NOQA.code,
            name=UNUSED_NOQA.name,
            message=f"{what}; remove {them}",
            path=path,
            span=unused.span,
            confidence="proved",
            factor=None,
            because=(),
            fix=Fix((unused.edit,), safe=True),
        )
