"""What the functions of each framework mean: tables, no code.

To add a framework, write its table beside these and name it in `FRAMEWORKS`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Final

from batchmean.operations import (
    builtins,
    distributions,
    einops,
    jax,
    keras,
    mlx,
    numpy,
    paddle,
    scipy,
    tensorflow,
    tinygrad,
    torch,
)
from batchmean.operations.table import Framework, Operation, parse

FRAMEWORKS: Final[tuple[Framework, ...]] = (
    builtins.FRAMEWORK,
    numpy.FRAMEWORK,
    scipy.FRAMEWORK,
    torch.FRAMEWORK,
    distributions.FRAMEWORK,
    einops.FRAMEWORK,
    jax.FRAMEWORK,
    tensorflow.FRAMEWORK,
    keras.FRAMEWORK,
    paddle.FRAMEWORK,
    mlx.FRAMEWORK,
    tinygrad.FRAMEWORK,
)


@lru_cache(maxsize=4096)
def function(name: str, hops: int = 4) -> Operation | None:
    """The operation of a function by its full name, such as `torch.nn.functional.softmax`.

    `hops` bounds how many aliases are followed, so that a circle of them ends.
    """
    for framework in FRAMEWORKS:
        line = framework.functions.get(name)
        if line is not None:
            return _named(line, name)
    for framework in FRAMEWORKS if hops else ():
        for alias, target in framework.aliases.items():
            if name.startswith(alias + "."):
                found = function(target + name[len(alias) :], hops - 1)
                if found is not None:
                    return found
    return None


@lru_cache(maxsize=1024)
def has_functions(module: str, hops: int = 4) -> bool:
    """Are there functions of a module, so that `from module import *` tells something?"""
    if any(module in framework.modules for framework in FRAMEWORKS):
        return True
    return bool(hops) and any(
        has_functions(target + module[len(alias) :], hops - 1)
        for framework in FRAMEWORKS
        for alias, target in framework.aliases.items()
        if f"{module}.".startswith(f"{alias}.")
    )


@lru_cache(maxsize=1024)
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
    return replace(parse(line), name=name.rpartition(".")[2])
