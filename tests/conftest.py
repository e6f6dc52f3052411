"""Holds for all tests: where everything is to be run, nothing may be missing."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

import pytest
from hypothesis import HealthCheck, settings

from tests.frameworks.libraries import SECOND_STAGE

# All matrices here are tiny: threads would wait for each other more than they work, above all beside other tests.
# NumPy and PyTorch read this once, at their import.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
# tinygrad reads these at its import, whichever test comes first: without them it asks for a compiler.
for variable, value in (("DEV", "PYTHON"), ("PARALLEL", "0"), ("CACHELEVEL", "0")):
    os.environ.setdefault(variable, value)

# The same examples everywhere and on every run, and no clock; `--hypothesis-profile=search` looks for new ones.
SLOW = [HealthCheck.too_slow]
settings.register_profile(
    "same", derandomize=True, database=None, deadline=None, suppress_health_check=SLOW, print_blob=True
)
settings.register_profile("search", deadline=None, suppress_health_check=SLOW)
settings.load_profile("same")


class FirstStage(PathFinder):
    """Finds no framework, wherever it is run: a test that imports one has to fail here as on a bare machine."""

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return None if fullname in SECOND_STAGE else super().find_spec(fullname, path, target)


def pytest_configure(config: pytest.Config) -> None:
    """With BATCHMEAN_HEAVY=1 a framework that is not installed ends the run: its tests would be skipped."""
    missing = [name for name in SECOND_STAGE if importlib.util.find_spec(name) is None]
    if missing and os.environ.get("BATCHMEAN_HEAVY") == "1":
        raise pytest.UsageError(f"not installed: {', '.join(missing)} (make test-heavy installs them)")
    if config.option.markexpr == "not heavy":
        sys.meta_path[:] = [FirstStage if finder is PathFinder else finder for finder in sys.meta_path]
