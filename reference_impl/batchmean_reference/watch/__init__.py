"""A watch on a real training step: is this loss divided by what it should be?

`watch` looks at the first real call of a loss, says in one warning what is off, by what factor and where, and is
free from then on. `check_loss` does the same for one call that is handed over, in PyTorch, JAX and Keras. Both run
the loss, on the numbers it was called with and on others; see `batchmean_reference.watch.judge` for how.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar, cast

try:
    from batchmean_reference.watch.judge import Break, NotJudged, Verdict
    from batchmean_reference.watch.told import WrongCount, WrongCountError, checked_way, message, say
except ImportError as error:
    raise ImportError(
        f"batchmean.watch needs {error.name}: pip install '.[watch]' in a checkout of batchmean"
    ) from error

__all__ = ["Break", "NotJudged", "Verdict", "WrongCount", "WrongCountError", "check_loss", "watch"]

F = TypeVar("F", bound=Callable[..., Any])


def watch(
    loss_fn: F,
    *,
    optimizer: Any = None,
    ignore_index: int = -100,
    on: Literal["warn", "raise", "log"] = "warn",
) -> F:
    """Watch a loss of PyTorch at its first real call.

    `loss_fn` is a function or an `nn.Module`; it takes predictions, targets and whatever else, and returns the loss.
    A module is returned itself, with a hook that takes itself off; a function comes back wrapped. Use what comes back
    as before: its results are those of the loss, untouched.

    At the first call whose predictions require a gradient, the loss is called again 11 to 25 times (60 at most), each
    time with at most 32 examples and about 260,000 predictions of the batch (four times as many where classes are
    appended); the model is not. Random states are restored, and so are buffers, gradients, modes and plain attributes
    of the modules that the loss uses.

    With `optimizer`, the parts whose gradients add up before `optimizer.step()`, in this process and over the ranks of
    `torch.distributed`, are compared for three steps: a unit (example, or valid token) should weigh the same in all of
    them. Then every rank has to watch: they wait for each other.

    `ignore_index` is the label of positions that do not count, where neither the batch nor the module says it. `on`
    is how it is said: "warn" (a `WrongCount` warning), "raise" (`WrongCountError`, an `AssertionError`), or "log"
    (the logger `batchmean.watch`). A loss that cannot be judged is left alone, with one debug line in that logger.

    Raises `ImportError` without PyTorch, `TypeError` and `ValueError` for arguments that mean nothing.
    """
    try:
        from batchmean_reference.watch import on_torch
    except ImportError as error:
        raise ImportError(
            f"batchmean.watch needs {error.name}: pip install '.[watch]' in a checkout of batchmean"
        ) from error
    return cast(F, on_torch.watch(loss_fn, optimizer=optimizer, ignore_index=ignore_index, on=on))


def check_loss(
    loss_fn: Callable[..., Any],
    *args: Any,
    ignore_index: int = -100,
    on: Literal["warn", "raise", "log"] = "raise",
    **kwargs: Any,
) -> Verdict:
    """Judge one call `loss_fn(*args, **kwargs)` now, on the host, and say what is wrong with it.

    The arguments are tensors of PyTorch or arrays of JAX, as a training step has them; outside of `jax.jit`, which
    has no numbers. Predictions are the tensors that require a gradient, or else all floating-point arrays are tried.
    Returns what was found; says it as `on` says, see `watch`.

    Raises `NotJudged` where nothing can be said, `WrongCountError` for a loss that is wrong unless `on` says otherwise.
    """
    checked_way(on)
    verdict = _judged(loss_fn, args, kwargs, ignore_index)
    if verdict.breaks:
        say(message(loss_fn, verdict.breaks), on)
    return verdict


def _judged(
    loss_fn: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], ignore_index: int
) -> Verdict:
    torch = sys.modules.get("torch")
    if torch is not None and _holds((args, kwargs), torch.Tensor):
        from batchmean_reference.watch import on_torch

        return on_torch.judge_call(loss_fn, args, kwargs, ignore_index=ignore_index)
    if "jax" in sys.modules:
        from batchmean_reference.watch import on_jax

        return on_jax.judge_call(loss_fn, args, kwargs, ignore_index=ignore_index)
    raise NotJudged("no argument is a tensor of PyTorch or an array of JAX")


def _holds(value: Any, kind: type) -> bool:
    if isinstance(value, kind):
        return True
    inner = (
        value.values() if isinstance(value, Mapping) else value if isinstance(value, (tuple, list)) else ()
    )
    return any(_holds(each, kind) for each in inner)
