"""Functions of a project's own, of which its settings say what they do: `[tool.batchmean.functions]`.

Each behaves like a function that is known already, or is a line of a table as in `batchmean.operations`. What is
told holds while one file is looked at (`in_use`) and is nowhere else: no process outlives a change of the settings.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from typing import Any, Final, NamedTuple


class FunctionError(ValueError):
    """What is said of a function means nothing. One line, with a suggestion where there is a near one."""


class Function(NamedTuple):
    """A function that is told of."""

    name: str
    """Its full name: `acme.losses.kl`."""
    said: str
    """What is said of it, as it was written."""
    line: str
    """The line of a table that this comes to."""
    alike: tuple[str, ...]
    """The full names of known functions that do the same."""

    @property
    def known_as(self) -> str:
        """What messages call it: what it behaves like, or else itself."""
        return self.name if "(" in self.said or not self.alike else self.alike[0]

    def takes(self, argument: str) -> bool:
        """Is it given an argument under its canonical name?"""
        return re.search(rf"(?<![\w|]){argument}\b", self.line) is not None

    @property
    def last(self) -> str:
        """Its name without the module."""
        return self.name.rpartition(".")[2]


class Functions(tuple[Function, ...]):
    """What is told, in the order of the settings; a later word about a function wins."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Functions, (tuple(self),)

    @cached_property
    def by_name(self) -> Mapping[str, Function]:
        """The functions by their full names."""
        return {function.name: function for function in self}

    def marked(self, text: str) -> str:
        """The text with the known functions named before each one that is told of: what the text gates look for.

        Every line stays one.
        """
        if not self:
            return text
        return self._last_names.sub(lambda found: f"{self.signs[found[0]]} {found[0]}", text)

    def marked_lines(self, lines: Sequence[str]) -> Sequence[str]:
        """The same of the lines of a text."""
        return self.marked("\n".join(lines)).split("\n") if self else lines

    def absolute(self, name: str, importer: str) -> str:
        """What a relative import, `.losses` in `src/acme/train.py`, names, if that is a function or holds one."""
        stripped = name.lstrip(".")
        folders = os.path.abspath(importer).split(os.sep)[: -(len(name) - len(stripped)) or None]
        whole = ".".join([*folders, *filter(None, [stripped])])
        return next((part for part in self._parts if f".{whole}".endswith(f".{part}")), name)

    @cached_property
    def _parts(self) -> list[str]:
        """The names and all that they begin with, the longest first."""
        parts = {name[:end] for name in self.by_name for end in _ends(name)}
        return sorted(parts, key=lambda part: (-len(part), part))

    @cached_property
    def _last_names(self) -> re.Pattern[str]:
        return re.compile(rf"\b(?:{'|'.join(sorted(self.signs))})\b")

    @cached_property
    def signs(self) -> Mapping[str, str]:
        """For the last part of each name the known functions, as they are put before it."""
        signs: dict[str, str] = {}
        for function in self:
            known = function.alike or (f"batchmean.{function.line.partition('(')[0]}",)
            sign = " ".join(f"{name}(" for name in known)
            signs[function.last] = f"{signs.get(function.last, '')} {sign}".lstrip()
        return signs


def _ends(name: str) -> Iterator[int]:
    return (at for at in (*(i for i, char in enumerate(name) if char == "."), len(name)))


class _InUse(NamedTuple):
    functions: Functions
    path: str


NONE: Final = Functions()
_NOTHING: Final = _InUse(NONE, "")
_IN_USE: Final[ContextVar[_InUse]] = ContextVar("_IN_USE")


@contextmanager
def in_use(functions: Functions, path: str) -> Iterator[None]:
    """Meanwhile these are known, in the file at `path`."""
    token = _IN_USE.set(_InUse(functions, path))
    try:
        yield
    finally:
        _IN_USE.reset(token)


def told() -> Functions:
    """What is known at the moment of functions of the project's own."""
    return _IN_USE.get(_NOTHING).functions


def absolute(name: str, importer: str | None) -> str:
    """The full name of what a relative import names in a file, by default the one that is linted, if it is told of."""
    functions, path = _IN_USE.get(_NOTHING)
    return functions.absolute(name, importer or path) if functions else name
