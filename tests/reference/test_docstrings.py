"""Every example in a docstring of the reference is run, and every public name has a docstring."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
from types import ModuleType

import batchmean_reference
import pytest

NAMES = sorted(
    module.name.removeprefix("batchmean_reference.")
    for module in pkgutil.walk_packages(batchmean_reference.__path__, "batchmean_reference.")
    if not module.name.endswith("__main__")
)
MODULES = [
    pytest.param(name, marks=pytest.mark.heavy) if name.startswith("watch.on_") else name for name in NAMES
]
"""Those that stand for a framework need it."""


def imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(f"batchmean_reference.{name}")
    except ModuleNotFoundError as error:
        if name.startswith("watch.on_"):
            pytest.skip(f"{error.name} is not installed")
        raise


@pytest.mark.parametrize("name", MODULES)
def test_examples_say_what_the_code_does(name: str) -> None:
    module = imported(name)
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("name", MODULES)
def test_public_names_are_documented(name: str) -> None:
    module = imported(name)
    undocumented = [
        label
        for label, member in vars(module).items()
        if not label.startswith("_")
        and (inspect.isfunction(member) or inspect.isclass(member))
        and member.__module__ == module.__name__
        and not inspect.getdoc(member)
    ]
    assert not undocumented
