"""Words that are looked for in a text, fast."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import groupby
from typing import Final

_STEMS: Final = (
    "log", "oss", "kl", "entrop", "mean", "sum", "square", "pow", "div", "shape", "size", "prod", "oftmax", "exp",
    "** 2", "rror", "dim", "hot", "'none'",
)  # fmt: skip
"""What many words have in common: a regular expression that begins with it finds all of them in the time in which
`in` finds one. They make the search fast and change nothing that it finds."""
_SHORT: Final = 7
"""A name of so few small letters is a part of many other words: it counts where it is called or renamed alone."""


class Words:
    """Words to look for in a text.

    Args:
        sources: other words, or strings that are found wherever they stand.
        names: names of functions; the short ones are found where they are called or imported under another name.
        patterns: regular expressions for the rest.
    """

    def __init__(
        self, *sources: Words | Iterable[str], names: Iterable[str] = (), patterns: Iterable[str] = ()
    ) -> None:
        self._strings: set[str] = set()
        self._short: set[str] = set()
        self._patterns = [*patterns]
        for source in sources:
            if isinstance(source, Words):
                self._strings |= source._strings
                self._short |= source._short
                self._patterns += source._patterns
            else:
                self._strings.update(source)
        for name in names:
            (self._short if len(name) <= _SHORT and name.isalnum() and name.islower() else self._strings).add(
                name
            )

    def are_in(self, text: str) -> bool:
        """Is any of them in the text?"""
        plain, patterns = self._searches
        # Looking for a stem alone takes a fifth of what the pattern does.
        return any(stem in text for stem in plain) or any(
            stem in text and pattern.search(text) is not None for stem, pattern in patterns
        )

    def places_in(self, text: str) -> Iterator[int]:
        """Where they stand in the text, or the stems that are in them."""
        for stem, pattern in self._everywhere:
            if stem in text:
                yield from (match.start() for match in pattern.finditer(text))

    @cached_property
    def _everywhere(self) -> list[tuple[str, re.Pattern[str]]]:
        """The patterns of all words, made once: a file is searched for them function by function."""
        plain, patterns = self._searches
        return [*((stem, re.compile(re.escape(stem))) for stem in plain), *patterns]

    @cached_property
    def _searches(self) -> tuple[list[str], list[tuple[str, re.Pattern[str]]]]:
        """The stems that are words themselves, and for all other words their stems and patterns."""
        plain: list[str] = []
        patterns: list[tuple[str, re.Pattern[str]]] = []
        words = sorted([*((word, False) for word in self._strings), *((name, True) for name in self._short)])
        for stem, alike in groupby(sorted(words, key=_stem), key=_stem):
            sides = [_sides(stem, word, is_short) for word, is_short in alike]
            if "" in sides:
                plain.append(stem)
            else:
                patterns.append((stem, re.compile(f"{re.escape(stem)}(?:{'|'.join(sides)})")))
        return plain, [*patterns, *(("", re.compile(pattern)) for pattern in self._patterns)]


def _stem(word: tuple[str, bool]) -> str:
    return next((stem for stem in _STEMS if stem in word[0]), word[0])


def _sides(stem: str, word: str, is_short: bool) -> str:
    """What a regular expression that has just found the stem of a word demands on both sides of it."""
    before, _, after = word.partition(stem)
    if is_short:
        return rf"(?<=(?<!\w){re.escape(before + stem)})(?={re.escape(after)}(?:\(| as\b))"
    return f"(?<={re.escape(before + stem)})(?={re.escape(after)})" if before or after else ""
