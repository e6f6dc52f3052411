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


MASKED_TORCH = """\
import torch

@torch.jit.script
def loss(errors: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
    errors = errors ** 2
    return (errors * attention_mask).mean()
"""
MASKED_TENSORFLOW = """\
import tensorflow as tf

@tf.function
def loss(errors, attention_mask):
    errors = tf.square(errors)
    return tf.reduce_mean(errors * attention_mask)
"""
MASKED_JAX = """\
import jax
import jax.numpy as jnp

@jax.jit
def loss(errors, attention_mask):
    errors = jnp.square(errors)
    return jnp.mean(errors * attention_mask)
"""


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("framework", "text", "mask_types"),
    [
        ("torch", MASKED_TORCH, (np.float32, np.bool_, np.int64)),
        ("tensorflow", MASKED_TENSORFLOW, (np.float32,)),  # it multiplies no other
        ("jax", MASKED_JAX, (np.float32, np.bool_, np.int32)),
    ],
    ids=["torch", "tf", "jax"],
)
def test_a_fixed_masked_mean_compiles_for_every_mask(
    framework: str, text: str, mask_types: tuple[type[np.generic], ...], tmp_path: Path
) -> None:
    require(framework)
    (finding,) = lint(text, "loss.py", fixes=True)
    assert finding.fix is not None and finding.code == "BMN201"
    rewritten = apply(text, finding.fix.edits)
    assert not lint(rewritten, "loss.py")
    module = _module(rewritten, tmp_path / f"{framework}_masked.py")
    errors = np.random.default_rng(0).normal(size=(3, 5, 2)).astype(np.float32)
    valid = np.arange(5)[None, :, None] < np.array([5, 2, 0])[:, None, None]
    for mask_type in mask_types:
        loss = _call(framework, module, errors, valid.astype(mask_type))
        assert math.isclose(loss, (errors**2)[valid[..., 0]].mean(), rel_tol=1e-5)
        assert _call(framework, module, errors, np.zeros_like(valid, mask_type)) == 0


def _call(framework: str, module: ModuleType, *arrays: Any) -> float:
    if framework == "torch":
        import torch

        arrays = tuple(torch.from_numpy(a) for a in arrays)
    return float(module.loss(*arrays))
