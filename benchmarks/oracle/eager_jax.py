"""JAX without its compiler: the primitives that losses are made of, computed by NumPy.

JAX compiles each primitive anew for each shape, which takes a hundred times as long as these small arrays need. What
`jax.numpy` makes of a program stays JAX's: axes, types, broadcasting, indices. Only the primitives that this comes
to, an addition or a sum over axes, are handed to NumPy; what is not in the table is compiled, as ever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import numpy as np
from scipy import special

Compute: TypeAlias = Callable[..., Any]


def _reduced(ufunc: Any) -> Compute:
    return lambda x, *, axes, **_: ufunc.reduce(x, axis=tuple(axes))


def _broadcast(x: Any, *shapes: Any, shape: tuple[int, ...], broadcast_dimensions: Any, **_: Any) -> Any:
    wide = [1] * len(shape)
    for at, size in zip(broadcast_dimensions, x.shape, strict=True):
        wide[at] = size
    return np.broadcast_to(x.reshape(wide), shape)


def _iota(*, dtype: Any, shape: tuple[int, ...], dimension: int, **_: Any) -> Any:
    wide = [1] * len(shape)
    wide[dimension] = shape[dimension]
    return np.broadcast_to(np.arange(shape[dimension], dtype=dtype).reshape(wide), shape)


def _select(which: Any, *cases: Any) -> Any:
    return np.where(which, cases[1], cases[0]) if len(cases) == 2 and which.dtype == bool else None


def _reshape(x: Any, *, new_sizes: Any, dimensions: Any, **_: Any) -> Any:
    return x.reshape(new_sizes) if dimensions is None else None


def _argmax(x: Any, *, axes: tuple[int, ...], index_dtype: Any) -> Any:
    return x.argmax(axis=axes[0]).astype(index_dtype)


def _squeeze(x: Any, *, dimensions: tuple[int, ...]) -> Any:
    return x.squeeze(axis=tuple(dimensions))


def _logical_not(x: Any) -> Any:
    return np.logical_not(x) if x.dtype == bool else None


_TABLE: Final[dict[str, Compute]] = {
    "abs": lambda x: np.abs(x),
    "add": lambda x, y: x + y,
    "argmax": _argmax,
    "broadcast_in_dim": _broadcast,
    "concatenate": lambda *xs, dimension: np.concatenate(xs, axis=dimension),
    "convert_element_type": lambda x, *, new_dtype, **_: x.astype(new_dtype),
    "div": lambda x, y: x / y if x.dtype.kind == "f" else None,
    "eq": lambda x, y: x == y,
    "exp": lambda x, **_: np.exp(x),
    "ge": lambda x, y: x >= y,
    "gt": lambda x, y: x > y,
    "integer_pow": lambda x, *, y: x**y if y >= 0 else None,
    "iota": _iota,
    "is_finite": lambda x: np.isfinite(x),
    "le": lambda x, y: x <= y,
    "log": lambda x, **_: np.log(x),
    "log1p": lambda x, **_: np.log1p(x),
    "logistic": lambda x, **_: special.expit(x),
    "lt": lambda x, y: x < y,
    "max": lambda x, y: np.maximum(x, y),
    "min": lambda x, y: np.minimum(x, y),
    "mul": lambda x, y, *, out_dtype=None: x * y if out_dtype is None else None,
    "ne": lambda x, y: x != y,
    "neg": lambda x: -x,
    "not": _logical_not,
    "reduce_max": _reduced(np.maximum),
    "reduce_min": _reduced(np.minimum),
    "reduce_sum": _reduced(np.add),
    "reshape": _reshape,
    "select_n": _select,
    "sign": lambda x: np.sign(x),
    "square": lambda x: x * x,
    "squeeze": _squeeze,
    "sub": lambda x, y: x - y,
    "transpose": lambda x, *, permutation: x.transpose(permutation),
}
"""What each primitive computes; None is left to JAX."""


def install() -> None:
    """Hand JAX's primitives to NumPy, in this process."""
    import jax
    from jax.extend.core import primitives

    for name in dir(primitives):
        primitive = getattr(primitives, name)
        compute = _TABLE.get(getattr(primitive, "name", ""))
        if compute is not None:
            primitive.impl = _by_numpy(primitive.impl, compute, jax)


def _by_numpy(compiled: Compute, compute: Compute, jax: Any) -> Compute:
    """The primitive as NumPy computes it, where it can."""
    device = jax.devices()[0]

    def computed(*operands: Any, **parameters: Any) -> Any:
        arrays = [np.asarray(x) for x in operands]
        try:
            with np.errstate(all="ignore"):
                found = compute(*arrays, **parameters)
        except TypeError:  # parameters of another version of JAX
            found = None
        if found is None or any(x.dtype.kind not in "fibu" for x in arrays):
            return compiled(*operands, **parameters)
        return jax.device_put(np.ascontiguousarray(found).reshape(np.shape(found)), device)

    return computed
