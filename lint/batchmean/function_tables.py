"""Reads what settings, and tables of installed packages, tell of functions (`batchmean.functions`)."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import entry_points
from typing import Final

from batchmean import operations
from batchmean.functions import Function, FunctionError, Functions
from batchmean.operations.table import Operation, parse
from batchmean.suggestions import hint

GROUP: Final = "batchmean.frameworks"
"""The entry points of installed packages that have such tables."""
_MOST: Final = 2000
"""So many functions may be told of."""
_ALIKE: Final = 8
"""So many of the known functions stand for one that has a line of its own."""
NAME: Final = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)+")
_FACTS: Final = ("axis", "extra", "keywords")


def from_table(table: object) -> Functions:
    """The functions of a table of full names, each with what is said of it. Raises `FunctionError`."""
    if not isinstance(table, Mapping):
        raise FunctionError("must be a table of full names and what they behave like")
    if len(table) > _MOST:
        raise FunctionError(f"tells of more than {_MOST} functions")
    return Functions(_function(name, said) for name, said in table.items())


def installed(name: str) -> Functions:
    """The table of an installed package, by the name of its entry point. It is imported. Raises `FunctionError`."""
    points = {point.name: point for point in entry_points(group=GROUP)}
    if name not in points:
        raise FunctionError(f"no installed package has a table {name!r}{hint(name, [*points])}")
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
    if "(" not in said and "." in said:
        line = operations.line_of(said)
        if line is None:
            if operations.has_functions(said):
                raise FunctionError(f"{said} is a module: name one of its functions")
            raise FunctionError(f"nothing is known of {said!r}{hint(said, operations.names())}")
        return line, (said,)
    operation = _checked(said)
    return said, operations.names(of=operation.primitive)[:_ALIKE]


def _checked(line: str) -> Operation:
    """The operation of a line, each part of which means something."""
    from batchmean.engine.primitives import PRIMITIVES  # the whole engine: few settings have such lines

    word = line.partition("(")[0].strip()
    if word not in PRIMITIVES:
        known = {name.rpartition(".")[2]: name for name in reversed(operations.names())}
        meant = hint(word, known) or hint(word, [*PRIMITIVES])
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
            raise FunctionError(f"{line!r} has no fact {fact!r}{hint(fact, _FACTS)}")
    parameters = list(inspect.signature(PRIMITIVES[word]).parameters.values())[1:]
    names = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD or p.kind is p.KEYWORD_ONLY]
    takes = f"{word} takes {', '.join(names) or 'no arguments'}"
    for spellings in operation.parameters:
        if any(not name.isidentifier() for name in spellings):
            raise FunctionError(f"{line!r} cannot be read: {shape}")
        if spellings and spellings[0] not in names:
            raise FunctionError(
                f"{line!r} has no argument {spellings[0]!r}{hint(spellings[0], names)} ({takes})"
            )
    if operation.rest and not any(p.kind is p.VAR_POSITIONAL for p in parameters):
        raise FunctionError(f"{line!r}: {word} takes no *{operation.rest} ({takes})")
    given = {spellings[0] for spellings in operation.parameters if spellings}
    for parameter in parameters:
        is_needed = parameter.kind is parameter.POSITIONAL_OR_KEYWORD and parameter.default is parameter.empty
        if is_needed and parameter.name not in given and not operation.rest:
            raise FunctionError(f"{line!r} does not say which argument is {parameter.name} ({takes})")
    return operation
