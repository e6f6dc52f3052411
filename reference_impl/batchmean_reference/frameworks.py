"""The frameworks whose fixtures are executed: how to hand NumPy arrays to each, and how closely to compare.

No framework is imported before a fixture of it is loaded.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

Function = Callable[..., Any]


def _nothing() -> None:
    return None


def _as_it_is(function: Function) -> Function:
    return function


@dataclass(frozen=True, slots=True)
class Framework:
    """How to hand NumPy arrays to a framework, and how closely its results can be compared.

    `convert` makes a tensor out of an array and leaves other values alone; `tolerance` is the relative
    tolerance for measured factors, 1e-9 in float64 and 1e-5 in float32. `prepare` is called before a fixture
    is imported, `compile` makes a function of it fast to call at many sizes; `libraries` are what its fixtures
    import.
    """

    name: str
    convert: Callable[[Any], Any]
    tolerance: float = 1e-9
    prepare: Callable[[], None] = _nothing
    compile: Callable[[Function], Function] = _as_it_is
    libraries: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """Those of its libraries that are not installed."""
        return tuple(name for name in self.libraries if importlib.util.find_spec(name) is None)


def _arrays(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`convert` for arrays; other values stay what they are."""
    return lambda value: convert(value) if isinstance(value, np.ndarray) else value


def _to_numpy(array: Any) -> Any:
    return array.copy()


def _to_torch(array: Any) -> Any:
    import torch

    return torch.from_numpy(array.copy())


def _to_jax(array: Any) -> Any:
    import jax.numpy as jnp

    return jnp.asarray(array)


def _before_jax() -> None:
    """In float64, and quick to compile: every size compiles anew."""
    import jax

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_disable_most_optimizations", True)


@cache
def _jitted(function: Function) -> Function:
    """The function compiled as a whole, once per size: compiling each operation by itself takes seven times longer."""
    import jax

    @cache
    def compiled(others: tuple[tuple[str, Any], ...]) -> Function:
        jitted: Function = jax.jit(lambda **arrays: function(**arrays, **dict(others)))
        return jitted

    def call(**arguments: Any) -> Any:
        arrays = {name: value for name, value in arguments.items() if isinstance(value, jax.Array)}
        others = tuple((name, value) for name, value in arguments.items() if name not in arrays)
        return compiled(others)(**arrays)

    return call


def _to_tensorflow(array: Any) -> Any:
    import tensorflow as tf

    return tf.convert_to_tensor(array)


def _before_tensorflow() -> None:
    """Quietly, after Paddle, which crashes where TensorFlow was imported first, and in float64.

    `tf.keras` is Keras, which works on TensorFlow, for which code of the time before Keras 3 is written.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "tensorflow" not in sys.modules and importlib.util.find_spec("paddle") is not None:
        importlib.import_module("paddle")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    importlib.import_module("keras").config.set_floatx("float64")


def _to_paddle(array: Any) -> Any:
    return importlib.import_module("paddle").to_tensor(array)


def _to_mlx(array: Any) -> Any:
    array = array.astype(np.float32) if array.dtype == np.float64 else array
    return importlib.import_module("mlx.core").array(array)


def _to_tinygrad(array: Any) -> Any:
    return importlib.import_module("tinygrad").Tensor(array)


def _before_tinygrad() -> None:
    """On the device that is written in Python: the others need a compiler."""
    os.environ.setdefault("DEV", "PYTHON")
    os.environ.setdefault("PARALLEL", "0")
    os.environ.setdefault("CACHELEVEL", "0")


def _realized(function: Function) -> Function:
    """The function with its result as a NumPy array: tinygrad computes it only then."""
    return lambda **arguments: function(**arguments).numpy()


FRAMEWORKS: Mapping[str, Framework] = {
    "on_numpy": Framework("numpy", _arrays(_to_numpy)),
    "on_torch": Framework("torch", _arrays(_to_torch), libraries=("torch", "einops")),
    "on_jax": Framework(
        "jax",
        _arrays(_to_jax),
        prepare=_before_jax,
        compile=_jitted,
        libraries=("jax", "optax", "flax", "numpyro"),
    ),
    "on_tensorflow": Framework(
        "tensorflow", _arrays(_to_tensorflow), prepare=_before_tensorflow, libraries=("tensorflow",)
    ),
    "on_keras": Framework(
        "keras", _arrays(_to_tensorflow), prepare=_before_tensorflow, libraries=("keras", "tensorflow")
    ),
    "on_paddle": Framework("paddle", _arrays(_to_paddle), libraries=("paddle",)),
    # On the CPU MLX has no float64.
    "on_mlx": Framework("mlx", _arrays(_to_mlx), tolerance=1e-5, libraries=("mlx",)),
    "on_tinygrad": Framework(
        "tinygrad",
        _arrays(_to_tinygrad),
        prepare=_before_tinygrad,
        compile=_realized,
        libraries=("tinygrad",),
    ),
}
"""Folder of fixtures -> framework. No folder has a library's name: it would shadow the library."""
