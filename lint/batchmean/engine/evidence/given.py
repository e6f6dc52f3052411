"""What a text gives to names: numbers, and what is made of a class count. Used to silence only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from functools import cached_property
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
_RETURNED: Final = re.compile(r"\s+return\s+(.+)")
_NUMBER: Final = re.compile(r"(?!.*\*\*\s*(?:-|\(|0?\.))[\w.\s*/+()\[\]-]+$")
"""Arithmetic of names and literals, without roots."""
_CALLED: Final = re.compile(r"(\w+)\(")
_NAMED: Final = re.compile(r"[A-Za-z_]\w*")
_NUMBER_OF: Final = frozenset("float int max min tensor as_tensor array asarray size".split())
_LINES_OF_A_METHOD: Final = 8
"""How far below its first line a method that gives a number gives it."""


class Given:
    """The names that a text gives something to, found when they are first asked for."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines

    def numbers(self, names: Iterable[str]) -> frozenset[int]:
        """The whole numbers above 2 that the code gives to something of one of these names, an attribute say."""
        return frozenset().union(*(self._numbers.get(name, ()) for name in names))

    def is_of_counts(self, names: Iterable[str]) -> bool:
        """Does the code give an attribute of such a name what is made of a class count, or a method give it?"""
        return any(name in self._counts for name in names)

    @cached_property
    def _numbers(self) -> Mapping[str, Set[int]]:
        return numbers_given(self._lines)

    @cached_property
    def _counts(self) -> Set[str]:
        return counts_given(self._lines)


def numbers_given(lines: Sequence[str]) -> Mapping[str, Set[int]]:
    """The whole numbers above 2 that a text gives to names: `scale=10`, `self.scale = 10`, `"scale": 10.0`.

    What has such a name may be such a number.
    """
    found: dict[str, set[int]] = {}
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
    method, left = "", 0
    for line in lines:
        left -= 1
        if "=" in line and (stored := _STORED.search(line)) is not None:
            yield stored[1], stored[2].partition("#")[0].strip()
        elif "*" in line and (product := _NAMED_SO.search(line)) is not None:
            yield product[1], product[2].strip()
        elif "def " in line and (defined := _METHOD.match(line)) is not None:
            method, left = defined[1], _LINES_OF_A_METHOD
        elif left > 0 and "return " in line and (returned := _RETURNED.match(line)) is not None:
            yield method, returned[1].partition("#")[0].strip()


def _is_a_number(text: str) -> bool:
    return _NUMBER.match(text) is not None and _NUMBER_OF.issuperset(_CALLED.findall(text))
