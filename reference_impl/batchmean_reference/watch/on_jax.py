"""The judge for JAX, on the host. See `batchmean_reference.watch.check_loss`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from batchmean_reference.watch.judge import Array, NotJudged, Verdict, judge
from batchmean_reference.watch.source import averages_over_classes


def judge_call(
    loss_fn: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], *, ignore_index: float = -100
) -> Verdict:
    """Judge one call of a loss. Any floating-point array may be the predictions. Raises `NotJudged`."""
    leaves, spec = jax.tree_util.tree_flatten((tuple(args), dict(kwargs)))
    if any(isinstance(leaf, jax.core.Tracer) for leaf in leaves):
        raise NotJudged("inside of jax.jit there are no numbers: call it with arrays, outside")

    def is_array(leaf: Any) -> bool:
        return isinstance(leaf, (jax.Array, np.ndarray))

    predictions = [
        number
        for number, leaf in enumerate(leaves)
        if is_array(leaf) and leaf.ndim and leaf.size and jax.numpy.issubdtype(leaf.dtype, jax.numpy.floating)
    ]

    def gradient(values: Sequence[Any], index: int) -> tuple[float, Array]:
        def at(prediction: Any) -> Any:
            given = [
                jax.numpy.asarray(value, dtype=leaves[number].dtype) if is_array(leaves[number]) else value
                for number, value in enumerate(values)
            ]
            given[index] = prediction
            inner_args, inner_kwargs = jax.tree_util.tree_unflatten(spec, given)
            result = loss_fn(*inner_args, **inner_kwargs)
            if isinstance(result, tuple) and result:
                result = result[0]  # jax.value_and_grad(has_aux=True)
            if getattr(result, "shape", None) not in ((), (1,)):
                raise NotJudged("it does not return one number")
            return result.reshape(())

        value, slope = jax.value_and_grad(at)(jax.numpy.asarray(values[index], jax.numpy.float32))
        return float(value), np.asarray(slope)

    return judge(
        gradient,
        leaves,
        predictions,
        ignore_index=ignore_index,
        agreed=averages_over_classes(loss_fn),
        fetch=_fetched,
    )


def _fetched(leaf: Any) -> Any:
    if not isinstance(leaf, (jax.Array, np.ndarray)):
        return leaf
    return (
        np.asarray(leaf, np.float32)
        if leaf.dtype.itemsize == 2 and leaf.dtype.kind not in "iu"
        else np.asarray(leaf)
    )
