"""The libraries that the tables describe: which are here, and what their functions' parameters are called."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import os
from functools import cache
from typing import Any

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

MISSING = object()

SECOND_STAGE = (
    "jax",
    "optax",
    "flax",
    "numpyro",
    "tensorflow",
    "keras",
    "paddle",
    "mlx",
    "tinygrad",
    "torch",
    "einops",
    "mcp",
    "IPython",
    "ipykernel",
    "jupyter_lsp",
    "jupyterlab_lsp",
)
"""What `tests/requirements-heavy.txt` installs. With BATCHMEAN_HEAVY=1 none of these may be missing."""


def require(library: str) -> None:
    """Skip the running test where the library is not installed; fail it where it has to be."""
    if importlib.util.find_spec(library) is not None:
        if importlib.util.find_spec("paddle") is not None:
            importlib.import_module("paddle")  # it crashes where TensorFlow was imported before it
        return
    if os.environ.get("BATCHMEAN_HEAVY") == "1" and library in SECOND_STAGE:
        pytest.fail(f"{library} is not installed, and the second stage needs it")
    pytest.skip(f"{library} is not installed")


@cache
def resolve(name: str) -> Any:
    """The object of this full name, or `MISSING` where the installed version has none."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:length]))
            for part in parts[length:]:
                found = getattr(found, part)
        except (AttributeError, ImportError):
            continue
        return found
    return MISSING


Parameter = inspect.Parameter


def parameters(function: Any) -> list[Parameter] | None:
    """The parameters of a function, or None where neither Python nor its documentation shows them."""
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return _documented(function)


def _documented(function: Any) -> list[Parameter] | None:
    """The parameters that the first line of the documentation spells, as nanobind writes it."""
    head = (getattr(function, "__doc__", None) or "").strip().split("\n", 1)[0]
    try:
        definition = ast.parse(f"def {head}: ...").body[0]
    except SyntaxError:
        return None
    if not isinstance(definition, ast.FunctionDef):
        return None
    spec = definition.args
    return [
        *(Parameter(a.arg, Parameter.POSITIONAL_ONLY) for a in spec.posonlyargs),
        *(Parameter(a.arg, Parameter.POSITIONAL_OR_KEYWORD) for a in spec.args),
        *([Parameter(spec.vararg.arg, Parameter.VAR_POSITIONAL)] if spec.vararg else []),
        *(Parameter(a.arg, Parameter.KEYWORD_ONLY) for a in spec.kwonlyargs),
    ]
