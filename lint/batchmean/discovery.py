"""The modules of a package of ours, which are found by their files: frameworks and rules."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from importlib import import_module
from types import ModuleType


def modules_of(package: str, path: Iterable[str]) -> Iterator[ModuleType]:
    """Import each module of a package, in the order of their names.

    Args:
        package: its full name.
        path: its `__path__`.
    """
    names: set[str] = set()
    for folder in path:
        if os.path.isdir(folder):
            names.update(name.removesuffix(".py") for name in os.listdir(folder) if name.endswith(".py"))
        else:
            from pkgutil import iter_modules  # for a package in an archive; it imports `inspect`

            names.update(module.name for module in iter_modules([folder]))
    for name in sorted(names - {"__init__"}):
        yield import_module(f"{package}.{name}")
