"""A fix keeps what compiled: `torch.jit.script`, `jax.jit` and `tf.function` take the fixed source, too."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from batchmean.linter import lint
from batchmean.source import apply

from tests.frameworks.libraries import require

TORCH = """\
import torch

@torch.jit.script
def loss(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    log_p = torch.log_softmax(student, dim=-1)
    p = torch.softmax(teacher, dim=-1)
    return -(p * log_p).mean()
"""
TENSORFLOW = """\
import tensorflow as tf

@tf.function
def loss(student, teacher):
    log_p = tf.nn.log_softmax(student)
    p = tf.nn.softmax(teacher)
    return -tf.reduce_mean(p * log_p)
"""
JAX = """\
import jax
import jax.numpy as jnp

@jax.jit
def loss(student, teacher):
    log_p = jax.nn.log_softmax(student)
    p = jax.nn.softmax(teacher)
    return -jnp.mean(p * log_p)
"""


def _module(text: str, path: Path) -> ModuleType:
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("framework", "text"),
    [("torch", TORCH), ("tensorflow", TENSORFLOW), ("jax", JAX)],
    ids=["torch", "tf", "jax"],
)
def test_the_fixed_source_compiles_too(framework: str, text: str, tmp_path: Path) -> None:
    require(framework)  # and Paddle before TensorFlow: other tests of the same process import it
    (finding,) = lint(text, "loss.py", fixes=True)
    assert finding.fix is not None and finding.confidence == "proved"
    rewritten = apply(text, finding.fix.edits)
    assert not lint(rewritten, "loss.py")
    generator = np.random.default_rng(0)
    student, teacher = (generator.normal(size=(5, 7)).astype(np.float32) for _ in range(2))
    wrong = _call(framework, _module(text, tmp_path / f"{framework}_wrong.py"), student, teacher)
    right = _call(framework, _module(rewritten, tmp_path / f"{framework}_right.py"), student, teacher)
    assert math.isclose(right, 7 * wrong, rel_tol=1e-5)


def _call(framework: str, module: ModuleType, *arrays: Any) -> float:
    if framework == "torch":
        import torch

        arrays = tuple(torch.from_numpy(a) for a in arrays)
    return float(module.loss(*arrays))
