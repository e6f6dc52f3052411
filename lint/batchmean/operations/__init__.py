"""What the functions of each framework mean: tables, no code.

To add a framework, write its table beside these: every module here with a `FRAMEWORK` is one. What a project's
settings tell of functions of its own (`batchmean.functions`) comes before all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from batchmean.discovery import modules_of
from batchmean.functions import told
from batchmean.operations.table import Framework, Operation, parse


def _tables() -> Iterator[Framework]:
    for module in modules_of(__name__, __path__):
        framework = vars(module).get("FRAMEWORK")
        if isinstance(framework, Framework):
            yield framework


FRAMEWORKS: Final[tuple[Framework, ...]] = tuple(sorted(_tables(), key=lambda table: table.precedence))


def function(name: str) -> Operation | None:
    """The operation of a function by its full name, such as `torch.nn.functional.softmax`."""
    own = told()
    if own and name in own.by_name:
        function = own.by_name[name]
        return _named(function.line, function.known_as)
    return _known(name)


@lru_cache(maxsize=4096)
def _known(name: str) -> Operation | None:
    line = line_of(name)
    return None if line is None else _named(line, name)


def line_of(name: str, hops: int = 4) -> str | None:
    """The line of a table for a function, by its full name.

    `hops` bounds how many aliases are followed, so that a circle of them ends.
    """
    for framework in FRAMEWORKS:
        line = framework.functions.get(name)
        if line is not None:
            return line
    for framework in FRAMEWORKS if hops else ():
        for alias, target in framework.aliases.items():
            if name.startswith(alias + "."):
                found = line_of(target + name[len(alias) :], hops - 1)
                if found is not None:
                    return found
    return None


def names(of: str | None = None) -> tuple[str, ...]:
    """The full names of all functions in the tables, or of those that are one primitive."""
    pairs = (pair for framework in FRAMEWORKS for pair in framework.functions.items())
    return tuple(name for name, line in pairs if of is None or line.partition("(")[0] == of)


def has_functions(module: str) -> bool:
    """Are there functions of a module, so that `from module import *` tells something?"""
    own = told()
    return _has_functions(module) or any(name.rpartition(".")[0] == module for name in own.by_name)


@lru_cache(maxsize=1024)
def _has_functions(module: str, hops: int = 4) -> bool:
    if any(module in framework.modules for framework in FRAMEWORKS):
        return True
    return bool(hops) and any(
        _has_functions(target + module[len(alias) :], hops - 1)
        for framework in FRAMEWORKS
        for alias, target in framework.aliases.items()
        if f"{module}.".startswith(f"{alias}.")
    )


@lru_cache(maxsize=1)
def packages() -> frozenset[str]:
    """The packages that the tables tell of, under every name."""
    names = (name for framework in FRAMEWORKS for name in (*framework.functions, *framework.aliases))
    return frozenset(name.partition(".")[0] for name in names)


def is_new_axis(name: str) -> bool:
    """Is a name of a framework, such as `numpy.newaxis`, another one for None?"""
    return any(name in framework.new_axes for framework in FRAMEWORKS)


@lru_cache(maxsize=1024)
def method(name: str) -> Operation | None:
    """The operation of an array's method: frameworks spell the same ones alike, so they share one table."""
    for framework in FRAMEWORKS:
        line = framework.methods.get(name)
        if line is not None:
            return _named(line, name)
    return None


def _named(line: str, name: str) -> Operation:
    return parse(line)._replace(name=name.rpartition(".")[2])
