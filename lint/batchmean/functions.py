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
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    import ast

GROUP: Final = "batchmean.frameworks"
"""The entry points of installed packages that have such tables."""
_MOST: Final = 2000
"""So many functions may be told of."""
_ALIKE: Final = 8
"""So many of the known functions stand for one that has a line of its own."""
NAME: Final = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)+")
_FACTS: Final = ("axis", "extra", "keywords")


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
        return self._last_names.sub(lambda found: f"{self._signs[found[0]]} {found[0]}", text)

    def marked_lines(self, lines: Sequence[str]) -> Sequence[str]:
        """The same of the lines of a text."""
        return self.marked("\n".join(lines)).split("\n") if self else lines

    def given_by(self, node: ast.stmt) -> tuple[set[str], set[str]]:
        """Of an import: the names of what takes a logarithm or a divergence, and of what reduces, as they are used."""
        takers, reducers = set(self._takers), set(self._reducers)
        for alias in getattr(node, "names", ()):
            if alias.asname and alias.name in self._takers:
                takers.add(alias.asname)
            if alias.asname and alias.name in self._reducers:
                reducers.add(alias.asname)
        return takers, reducers

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
        return re.compile(rf"\b(?:{'|'.join(sorted(self._signs))})\b")

    @cached_property
    def _signs(self) -> Mapping[str, str]:
        signs: dict[str, str] = {}
        for function in self:
            known = function.alike or (function.line.partition("(")[0],)
            sign = " ".join(f"{name}(" for name in known)
            signs[function.last] = f"{signs.get(function.last, '')} {sign}".lstrip()
        return signs

    @cached_property
    def _takers(self) -> frozenset[str]:
        from batchmean import gate

        return frozenset(last for last, sign in self._signs.items() if gate.losses(f" {sign}"))

    @cached_property
    def _reducers(self) -> frozenset[str]:
        from batchmean import gate

        does = (gate.reduces, gate.makes_means, gate.sums)
        return frozenset(last for last, sign in self._signs.items() if any(test(sign) for test in does))


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


def from_table(table: object) -> Functions:
    """The functions of a table of full names, each with what is said of it. Raises `FunctionError`."""
    if not isinstance(table, Mapping):
        raise FunctionError("must be a table of full names and what they behave like")
    if len(table) > _MOST:
        raise FunctionError(f"tells of more than {_MOST} functions")
    return Functions(_function(name, said) for name, said in table.items())


def installed(name: str) -> Functions:
    """The table of an installed package, by the name of its entry point. It is imported. Raises `FunctionError`."""
    from importlib.metadata import entry_points

    points = {point.name: point for point in entry_points(group=GROUP)}
    if name not in points:
        raise FunctionError(f"no installed package has a table {name!r}{_meant(name, [*points])}")
    try:
        table = points[name].load()
    except Exception as error:  # whatever the package does at its import
        why = " ".join(f"{type(error).__name__}: {error}".split())
        raise FunctionError(f"the table {name!r} cannot be had: {why}") from None
    try:
        return from_table(table)
    except FunctionError as error:
        raise FunctionError(f"the table {name!r}: {error}") from None


def _function(name: object, said: object) -> Function:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        example = f'; put the whole name in quotes: "{name}.losses.kl"' if isinstance(said, Mapping) else ""
        raise FunctionError(f"{name!r} is no full name of a function, such as acme.losses.kl{example}")
    if not isinstance(said, str):
        raise FunctionError(f'{name!r} must have a string, such as "torch.nn.functional.kl_div"')
    try:
        line, alike = _line(said.strip())
    except FunctionError as error:
        raise FunctionError(f"{name!r}: {error}") from None
    return Function(name, said, line, alike)


@lru_cache(maxsize=512)
def _line(said: str) -> tuple[str, tuple[str, ...]]:
    """The line of a table that something comes to, and functions that are alike."""
    from batchmean import operations

    if "(" not in said and "." in said:
        line = operations.line_of(said)
        if line is None:
            if operations.has_functions(said):
                raise FunctionError(f"{said} is a module: name one of its functions")
            raise FunctionError(f"nothing is known of {said!r}{_meant(said, operations.names())}")
        return line, (said,)
    operation = _checked(said)
    return said, operations.names(of=operation.primitive)[:_ALIKE]


def _checked(line: str) -> Any:
    """The operation of a line, each part of which means something."""
    import inspect

    from batchmean.engine.primitives import PRIMITIVES
    from batchmean.operations.table import parse

    word = line.partition("(")[0].strip()
    if word not in PRIMITIVES:
        from batchmean import operations

        known = {name.rpartition(".")[2]: name for name in reversed(operations.names())}
        meant = _meant(word, known) or _meant(word, [*PRIMITIVES])
        raise FunctionError(f"nothing is known of {word!r}{meant}")
    shape = "a line reads softmax(x|input, axis|dim), and may have facts behind a semicolon"
    try:
        operation = parse(line)
    except ValueError:
        raise FunctionError(f"{line!r} cannot be read: {shape}") from None
    inside = line.partition("(")[2].removesuffix(")")
    facts = [fact.partition("=")[0].strip() for fact in inside.partition(";")[2].split(",") if fact.strip()]
    for fact in facts:
        if fact not in _FACTS:
            raise FunctionError(f"{line!r} has no fact {fact!r}{_meant(fact, _FACTS)}")
    parameters = list(inspect.signature(PRIMITIVES[word]).parameters.values())[1:]
    names = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD or p.kind is p.KEYWORD_ONLY]
    takes = f"{word} takes {', '.join(names) or 'no arguments'}"
    for spellings in operation.parameters:
        if any(not name.isidentifier() for name in spellings):
            raise FunctionError(f"{line!r} cannot be read: {shape}")
        if spellings and spellings[0] not in names:
            raise FunctionError(
                f"{line!r} has no argument {spellings[0]!r}{_meant(spellings[0], names)} ({takes})"
            )
    if operation.rest and not any(p.kind is p.VAR_POSITIONAL for p in parameters):
        raise FunctionError(f"{line!r}: {word} takes no *{operation.rest} ({takes})")
    given = {spellings[0] for spellings in operation.parameters if spellings}
    for parameter in parameters:
        is_needed = parameter.kind is parameter.POSITIONAL_OR_KEYWORD and parameter.default is parameter.empty
        if is_needed and parameter.name not in given and not operation.rest:
            raise FunctionError(f"{line!r} does not say which argument is {parameter.name} ({takes})")
    return operation


def _meant(word: str, known: Any) -> str:
    from batchmean.suggestions import hint

    return hint(word, known)
