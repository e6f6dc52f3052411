"""What a text gives to names: numbers, and what is made of a class count. Used to silence only."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from functools import cached_property, lru_cache
from typing import Final

from batchmean.engine.evidence.names import is_class_count_name

_GIVEN: Final = re.compile(
    r"\b([A-Za-z_]\w*)[\"']?(?:\s*:\s*[A-Za-z][\w. |]*)?\s*[=:]\s*(\d+)(?:\.0*)?(?![\w.])(?!\s*[-+*/%<>=])"
)
_BEFORE_A_DIGIT: Final = re.compile(r"[=:]\s*\d")
"""What few lines have: the rest need not be searched for names."""
_SMALL: Final = 2

_STORED: Final = re.compile(r"\.([A-Za-z_]\w*)(?:\s*:[^=]*)?\s*=\s*([^=].*)")
_NAMED_SO: Final = re.compile(
    r"\b([A-Za-z_]\w*)[\"']?(?:\s*:\s*[A-Za-z][\w. |]*)?\s*[=:]\s*([\w.]+\s*\*[\w.\s*]+)"
)
"""A product that anything else is given: a field of a class, a keyword, an item of a dictionary."""
_METHOD: Final = re.compile(r"\s+(?:async\s+)?def\s+([A-Za-z_]\w*)\(self\b")
_FUNCTION: Final = re.compile(r"\s*(?:async\s+)?def\s+([A-Za-z_]\w*)\(")
_LITERAL: Final = re.compile(r"(\d{1,9})(?:\.0*)?")
_RETURNED: Final = re.compile(r"\s+return\s+(.+)")
_NUMBER: Final = re.compile(r"(?!.*\*\*\s*(?:-|\(|0?\.))[\w.\s*/+()\[\]-]+$")
"""Arithmetic of names and literals, without roots."""
_CALLED: Final = re.compile(r"(\w+)\(")
_NAMED: Final = re.compile(r"[A-Za-z_]\w*")
_NUMBER_OF: Final = frozenset("float int max min tensor as_tensor array asarray size".split())
_LINES_OF_A_METHOD: Final = 8
"""How far below its first line a method that gives a number gives it."""


class Given:
    """The names that a text gives something to, found when they are first asked for.

    `elsewhere` gives the texts of the modules that it imports: a number that is set in one is used in the other.
    """

    def __init__(self, lines: Sequence[str], elsewhere: Callable[[], Iterable[str]] = lambda: ()) -> None:
        self._lines = lines
        self._elsewhere = elsewhere

    def numbers(self, names: Iterable[str]) -> frozenset[int]:
        """The whole numbers above 2 that the code gives to something of one of these names, an attribute say."""
        return frozenset().union(*(self._numbers.get(name, ()) for name in names))

    def is_of_counts(self, names: Iterable[str]) -> bool:
        """Does the code give an attribute of such a name what is made of a class count, or a method give it?"""
        return any(name in self._counts for name in names)

    @cached_property
    def _numbers(self) -> Mapping[str, Set[int]]:
        found = {name: set(numbers) for name, numbers in numbers_given(self._lines).items()}
        for text in self._texts:
            for name, numbers in _numbers_in(text).items():
                found.setdefault(name, set()).update(numbers)
        return found

    @cached_property
    def _counts(self) -> Set[str]:
        return frozenset(counts_given(self._lines)).union(*map(_counts_in, self._texts))

    @cached_property
    def _texts(self) -> Sequence[str]:
        return [*self._elsewhere()]


@lru_cache(maxsize=256)
def _numbers_in(text: str) -> Mapping[str, Set[int]]:
    """The same of a module that many others may import."""
    return numbers_given(text.split("\n"))


@lru_cache(maxsize=256)
def _counts_in(text: str) -> Set[str]:
    return counts_given(text.split("\n"))


def numbers_given(lines: Sequence[str]) -> Mapping[str, Set[int]]:
    """The whole numbers above 2 that a text gives to names: `scale=10`, `self.scale = 10`, `"scale": 10.0`.

    What has such a name may be such a number; so may what a function gives that returns one.
    """
    found: dict[str, set[int]] = {}
    for name, text in _returned(lines):
        if (given := _LITERAL.fullmatch(text)) is not None and (number := int(given[1])) > _SMALL:
            found.setdefault(name, set()).add(number)
    for line in filter(_BEFORE_A_DIGIT.search, lines):
        for match in _GIVEN.finditer(line.partition("#")[0]):
            if len(match[2]) < 10 and (number := int(match[2])) > _SMALL:
                found.setdefault(match[1], set()).add(number)
    return found


def counts_given(lines: Sequence[str]) -> Set[str]:
    """The attributes and methods that are made of a class count: `self.scale = 2.0 * num_classes`.

    What is read from an object that is not followed, `config.scale`, may then be that count.
    """
    made = [(name, frozenset(_NAMED.findall(text))) for name, text in _made(lines) if _is_a_number(text)]
    found: set[str] = set()
    while True:  # of a class count, or of what was found to be made of one
        more = {
            name
            for name, parts in made
            if name not in found
            and any(part != name and (part in found or is_class_count_name((part,))) for part in parts)
        }
        if not more:
            return found
        found |= more


def _made(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The attributes that a text stores and the methods that it defines, each with what it is."""
    for line in lines:
        if "=" in line and (stored := _STORED.search(line)) is not None:
            yield stored[1], stored[2].partition("#")[0].strip()
        elif "*" in line and (product := _NAMED_SO.search(line)) is not None:
            yield product[1], product[2].strip()
    yield from _returned(lines, _METHOD)


def _returned(lines: Sequence[str], defined: re.Pattern[str] | None = None) -> Iterator[tuple[str, str]]:
    """The functions of a text, or its methods, each with what it returns."""
    name, left = "", 0
    for line in lines:
        left -= 1
        if "def " in line and (found := (defined or _FUNCTION).match(line)) is not None:
            name, left = found[1], _LINES_OF_A_METHOD
        elif left > 0 and "return " in line and (returned := _RETURNED.match(line)) is not None:
            yield name, returned[1].partition("#")[0].strip()


def _is_a_number(text: str) -> bool:
    return _NUMBER.match(text) is not None and _NUMBER_OF.issuperset(_CALLED.findall(text))
