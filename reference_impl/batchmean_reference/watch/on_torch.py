"""A watch on the real training step of PyTorch. See `batchmean_reference.watch`."""

from __future__ import annotations

import contextlib
import functools
import inspect
import random
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils import _pytree

from batchmean_reference.watch.judge import Array, Break, NotJudged, Verdict, judge
from batchmean_reference.watch.source import averages_over_classes
from batchmean_reference.watch.told import On, checked_way, leave, log, message, say, summary

STEPS = 3
"""How many steps of the optimizer are looked at for what is accumulated."""

SHARE = 0.05
"""How unequally the units of two parts may weigh before it is said."""


def watch(
    loss_fn: Callable[..., Any], *, optimizer: Any = None, ignore_index: int = -100, on: On = "warn"
) -> Callable[..., Any]:
    """See `batchmean_reference.watch.watch`."""
    checked_way(on)
    if not callable(loss_fn):
        raise TypeError(f"expected a loss function or module, got {type(loss_fn).__name__}")
    watcher = _Watcher(loss_fn, optimizer, ignore_index, on)
    if isinstance(loss_fn, torch.nn.Module):
        watcher.handles.append(loss_fn.register_forward_hook(watcher.hook, with_kwargs=True))
        criterion: Callable[..., Any] = loss_fn
        return criterion

    @functools.wraps(loss_fn)
    def watched(*args: Any, **kwargs: Any) -> Any:
        result = loss_fn(*args, **kwargs)
        if not watcher.done:
            watcher.seen(args, kwargs, result)
        return result

    return watched


def judge_call(
    loss_fn: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    ignore_index: float = -100,
    only_grad: bool = False,
) -> Verdict:
    """Judge one call of a loss; nothing of it, of its module or of the random state is changed.

    Predictions are the tensors that require a gradient, and where none does (in a test) and `only_grad` is not set,
    any floating-point tensor. Raises `NotJudged`.
    """
    leaves, spec = _pytree.tree_flatten((tuple(args), dict(kwargs)))
    raw = [leaf.detach() if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]
    floats = [
        number
        for number, leaf in enumerate(leaves)
        if isinstance(leaf, torch.Tensor) and leaf.is_floating_point() and leaf.ndim and leaf.numel()
    ]
    predictions = [number for number in floats if leaves[number].requires_grad]
    if not predictions and not only_grad:
        predictions = floats
    if not predictions:
        raise NotJudged("no argument requires a gradient")
    called = loss_fn.forward if isinstance(loss_fn, torch.nn.Module) else loss_fn

    def restored(value: Any, number: int) -> Any:
        like = leaves[number]
        if not isinstance(like, torch.Tensor):
            return value
        dtype = torch.float32 if like.dtype in (torch.float16, torch.bfloat16) else like.dtype
        return torch.as_tensor(np.array(value), dtype=dtype, device=like.device)

    def gradient(values: Sequence[Any], index: int) -> tuple[float, Array]:
        made = [restored(value, number) for number, value in enumerate(values)]
        made[index].requires_grad_()
        given = [value.clone() if number == index else value for number, value in enumerate(made)]
        inner_args, inner_kwargs = _pytree.tree_unflatten(given, spec)
        with torch.enable_grad():
            loss = loss_of(called(*inner_args, **inner_kwargs)).reshape(())
            if not loss.requires_grad:
                return float(loss), np.zeros(tuple(made[index].shape))
            (slope,) = torch.autograd.grad(loss, made[index], allow_unused=True)
        if slope is None:
            slope = torch.zeros_like(made[index])
        return float(loss.detach()), slope.detach().cpu().numpy()

    device = leaves[predictions[0]].device.type
    with _untouched(loss_fn, device):
        return judge(
            gradient,
            raw,
            predictions,
            ignore_index=_ignored(loss_fn, ignore_index),
            agreed=averages_over_classes(loss_fn),
            fetch=_fetched,
        )


def loss_of(result: Any) -> torch.Tensor:
    """The loss in what a loss function returns: a number, or what is called `loss` in it.

    Raises `NotJudged` where it is none.
    """
    if isinstance(result, Mapping) and "loss" in result:
        result = result["loss"]
    elif not isinstance(result, torch.Tensor) and hasattr(result, "loss"):
        result = result.loss
    elif isinstance(result, (tuple, list)):
        with_grad = [each for each in result if isinstance(each, torch.Tensor) and each.requires_grad]
        if len(with_grad) != 1:
            raise NotJudged("it returns several values, and not one loss")
        result = with_grad[0]
    if not isinstance(result, torch.Tensor) or not result.is_floating_point():
        raise NotJudged(f"it returns no tensor but {type(result).__name__}")
    if result.numel() != 1:
        raise NotJudged(f"it returns an array of shape {tuple(result.shape)}: what averages it is elsewhere")
    return result


@dataclass
class _Part:
    """A call whose gradient is added to others before the optimizer's step."""

    site: tuple[str, int]
    classes: int
    units: int
    own: float
    backward: int = 0
    scale: float | None = None


class _Watcher:
    """What a watch knows about one loss."""

    def __init__(self, loss_fn: Callable[..., Any], optimizer: Any, ignore_index: int, on: On) -> None:
        while hasattr(optimizer, "optimizer"):  # accelerate's and Lightning's wrap it
            optimizer = optimizer.optimizer
        self.loss_fn, self.optimizer, self.ignore_index, self.on = loss_fn, optimizer, ignore_index, on
        self.done, self.judging, self.left = False, False, False
        self.verdict: Verdict | None = None
        self.pending = False
        self.site: tuple[str, int] | None = None
        self.parts: list[_Part] = []
        self.steps = 0
        self.handles: list[Any] = []
        if optimizer is not None:
            self.handles.append(optimizer.register_step_post_hook(self._step))
            parameters = [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]
            self.parameter = min(parameters, key=lambda p: p.numel(), default=None)

    def hook(self, module: Any, args: Any, kwargs: Any, result: Any) -> None:
        """A forward hook of a module."""
        if not self.done:
            self.seen(args, kwargs, result)

    def seen(self, args: Any, kwargs: Any, result: Any) -> None:
        """Look at one real call and its result."""
        if self.judging or self.left or torch.compiler.is_compiling() or not torch.is_grad_enabled():
            return
        try:
            loss = loss_of(result)
        except NotJudged as reason:
            self._leave(reason)
            return
        if not loss.requires_grad:
            return
        if self.verdict is None:
            self._first(args, kwargs)
            if self.done:
                return
        elif self.pending:  # no backward pass has told what it is multiplied with
            self._speak()
        if self.optimizer is None and not self.pending:
            self._finish()
            return
        part = self._part(args, kwargs)
        loss.register_hook(functools.partial(self._backward, part))

    def _first(self, args: Any, kwargs: Any) -> None:
        self.judging = True
        self.site = _call_site()
        try:
            self.verdict = judge_call(
                self.loss_fn, args, kwargs, ignore_index=self.ignore_index, only_grad=True
            )
        except NotJudged as reason:
            self._leave(reason)
            return
        except Exception as error:  # a training must not end by being watched
            self._leave(f"{type(error).__name__}: {error}")
            return
        finally:
            self.judging = False
        log.debug("%s", summary(self.verdict))
        self.pending = bool(self.verdict.breaks)
        if not self.pending and self.optimizer is None:
            self._finish()

    def _part(self, args: Any, kwargs: Any) -> _Part | None:
        """What this call adds; None where its units cannot be counted."""
        verdict = self.verdict
        if self.optimizer is None or verdict is None or verdict.count is None or verdict.grows not in (0, 1):
            return None
        leaves = _pytree.tree_flatten((tuple(args), dict(kwargs)))[0]
        count = verdict.count
        try:
            known = [
                _fetched(leaf.detach()) if number == count.leaf else leaf
                for number, leaf in enumerate(leaves)
            ]
            units = count(known)
            classes = leaves[count.prediction].shape[count.axis]
            own = 1.0
            if verdict.grows == 1:
                divisor = 1.0 if verdict.divisor is None else float(leaves[verdict.divisor])
                own = units / divisor
        except Exception:  # a call of another form than the first
            return None
        return _Part(_call_site(), classes, units, own)

    def _backward(self, part: _Part | None, slope: torch.Tensor) -> None:
        """The loss is being differentiated: `slope` is what it is multiplied with on the way."""
        if self.done:
            return
        scale = float(slope)
        if self.pending:
            self._speak(scale)
        if self.optimizer is None:
            return
        task = getattr(torch._C, "_current_graph_task_id", lambda: -1)()
        if self._cleared() and not any(other is not None and other.backward == task for other in self.parts):
            self.parts.clear()
        if part is None:
            part = _Part(("", 0), 0, 0, 0.0)
        part.scale, part.backward = scale, task
        self.parts.append(part)

    def _cleared(self) -> bool:
        """Whether the gradients are as `zero_grad` leaves them: what came before adds nothing."""
        grad = None if self.parameter is None else self.parameter.grad
        return grad is None or not bool(grad.any())

    def _step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        """After a step of the optimizer, whose closure may have run the last part: compare what has been accumulated,
        here and on the other ranks."""
        if self.done:
            return
        self.steps += 1
        parts, self.parts = self.parts, []
        shares = _shares(parts) if self.verdict is not None else None
        everywhere = _gathered(shares, self.parameter)
        broken = None if everywhere is None else _split(everywhere, len(parts))
        if self.steps >= STEPS or broken is not None:
            self._finish()
        if broken is not None and (self.on == "raise" or _rank() == 0):
            say(message(self.loss_fn, (broken,), self.site), self.on, self.site)

    def _speak(self, scale: float = 1.0) -> None:
        """Say what is wrong with the loss, but for what the training step makes good."""
        self.pending = False
        verdict = self.verdict
        if self.optimizer is None:
            self._finish()
        if verdict is None:
            return
        breaks = tuple(each for each in verdict.breaks if not _made_good(each.value, scale))
        if not breaks:
            leave(self.loss_fn, f"it is multiplied with {scale:g} before the backward pass")
            return
        if self.on == "raise" or _rank() == 0:
            say(message(self.loss_fn, breaks, self.site), self.on, self.site)

    def _leave(self, reason: object) -> None:
        leave(self.loss_fn, reason)
        self.left = True
        if _world() > 1 and self.optimizer is not None:
            return  # the other ranks wait for this one at the step
        self._finish()

    def _finish(self) -> None:
        self.done = True
        self.parts.clear()
        for handle in self.handles:
            handle.remove()
        self.handles.clear()


def _made_good(factor: float, scale: float) -> bool:
    """Whether what the loss is multiplied with undoes the factor, up to 1/m for m accumulated parts and the power
    of two of a gradient scaler.

    >>> _made_good(1 / 1000, 1000.0), _made_good(1 / 1000, 250.0), _made_good(1 / 1000, 1.0)
    (True, True, False)
    >>> _made_good(1 / 1000, 65536.0), _made_good(1 / 1000, 1000 * 65536.0)
    (False, True)
    """
    if not scale > 0:
        return False

    def parts(number: float, powers: int) -> bool:
        return any(abs(number * m / 2**k - 1) < 1e-3 for m in range(1, 65) for k in range(0, powers + 1, 1))

    towards = scale > 1 if factor < 1 else scale < 1
    return (towards and parts(scale * factor, 0)) or (parts(scale * factor, 24) and not parts(scale, 24))


Share = tuple[float, float, float, float]
"""Weight, units, and the least and the largest weight of a unit."""


def _shares(parts: Sequence[_Part]) -> Share | None:
    """What the parts of one step weigh; None where they are not parts of one batch.

    Parts of one backward pass are several terms, and calls from several places or with several numbers of classes are
    several losses.
    """
    if any(part.scale is None or not part.classes for part in parts):
        return None
    if len({part.backward for part in parts}) < len(parts):
        return None
    if len({(part.site, part.classes) for part in parts}) > 1:
        return None
    counted = [part for part in parts if part.units]
    if not counted:
        return None
    weights = [float(part.scale or 0) * part.own for part in counted]
    each = [weight / part.units for weight, part in zip(weights, counted, strict=True)]
    return sum(weights), float(sum(part.units for part in counted)), min(each), max(each)


def _gathered(shares: Share | None, parameter: torch.Tensor | None) -> list[Share] | None:
    """The shares of all ranks; None where one of them has none. All ranks have to come here together."""
    world = _world()
    if world == 1:
        return None if shares is None else [shares]
    device = "cpu" if parameter is None or torch.distributed.get_backend() == "gloo" else parameter.device
    own = torch.tensor(
        [float(shares is not None), *(shares or (0.0,) * 4)], dtype=torch.float32, device=device
    )
    every = [torch.empty_like(own) for _ in range(world)]
    torch.distributed.all_gather(every, own)
    rows = [row.tolist() for row in every]
    return None if any(row[0] == 0 for row in rows) else [tuple(row[1:]) for row in rows]


def _split(shares: Sequence[Share], parts: int) -> Break | None:
    """Whether units weigh differently by the part or the rank that they are in."""
    weight, units = (sum(share[column] for share in shares) for column in (0, 1))
    least, most = min(share[2] for share in shares), max(share[3] for share in shares)
    if not least > 0 or most / least < 1 + SHARE:
        return None
    mean = weight / units
    over = " and ".join(
        said
        for said in (
            f"{parts} accumulated parts" if parts > 1 else "",
            f"{len(shares)} ranks" if len(shares) > 1 else "",
        )
        if said
    )
    return Break(
        "split",
        "",
        most / mean,
        f"over {over}, means of unequal numbers of units are averaged: a unit weighs from {least / mean:.3g} to "
        f"{most / mean:.3g} times what it would in one batch",
        "add up the sums, and divide by the number of valid units of all parts",
    )


def _world() -> int:
    ready = torch.distributed.is_available() and torch.distributed.is_initialized()
    return torch.distributed.get_world_size() if ready else 1


def _rank() -> int:
    return torch.distributed.get_rank() if _world() > 1 else 0


def _call_site() -> tuple[str, int]:
    """Where the training step calls the loss."""
    frame = sys._getframe(1)
    between = (__file__, sys.modules[torch.nn.Module.__module__].__file__)
    while frame.f_back is not None and frame.f_code.co_filename in between:
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


def _fetched(leaf: Any) -> Any:
    if not isinstance(leaf, torch.Tensor):
        return leaf
    if leaf.dtype in (torch.float16, torch.bfloat16, torch.float64):
        leaf = leaf.float()
    return leaf.detach().cpu().numpy()


def _ignored(loss_fn: Any, ignore_index: float) -> float:
    own = getattr(loss_fn, "ignore_index", None)
    return own if isinstance(own, int) and not isinstance(own, bool) else ignore_index


# --- leaving everything as it was


@contextlib.contextmanager
def _untouched(loss_fn: Any, device: str) -> Iterator[None]:
    """What the loss may change is afterwards as it was: random states, and of every module that it can be seen to
    use, buffers, gradients, modes and plain attributes."""
    numpy_state, python_state = np.random.get_state(), random.getstate()
    devices = [torch.cuda.current_device()] if device == "cuda" else []
    kept = [_Kept(module) for module in _modules(loss_fn)]
    try:
        with (
            torch.random.fork_rng(devices=devices),
            torch.autocast(device_type=device, enabled=False),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        for each in kept:
            each.restore()
        np.random.set_state(numpy_state)
        random.setstate(python_state)


class _Kept:
    """The state of one module, without its children."""

    def __init__(self, module: torch.nn.Module) -> None:
        self.module = module
        self.buffers = {
            name: (buffer, None if buffer is None else buffer.detach().clone())
            for name, buffer in module._buffers.items()
        }
        self.grads = [
            (parameter, parameter.grad, None if parameter.grad is None else parameter.grad.clone())
            for parameter in module._parameters.values()
            if parameter is not None
        ]
        self.attributes = {
            name: (value, value.detach().clone() if isinstance(value, torch.Tensor) else value)
            for name, value in vars(module).items()
            if isinstance(value, (int, float, str, bool, torch.Tensor, type(None)))
        }

    def restore(self) -> None:
        with torch.no_grad():
            for name, (buffer, value) in self.buffers.items():
                if buffer is not None and not torch.equal(buffer, value):
                    buffer.copy_(value)
                self.module._buffers[name] = buffer
            for parameter, grad, value in self.grads:
                if grad is not None and not torch.equal(grad, value):
                    grad.copy_(value)
                parameter.grad = grad
            for name, (held, value) in self.attributes.items():
                if isinstance(held, torch.Tensor) and not held.requires_grad and not torch.equal(held, value):
                    held.copy_(value)
                vars(self.module)[name] = held


def _modules(loss_fn: Any) -> list[torch.nn.Module]:
    """The modules that a loss uses, as far as can be seen: itself, its object, what a partial or a closure holds."""
    found: dict[int, torch.nn.Module] = {}
    todo, known = [loss_fn], set()
    while todo:
        each = todo.pop()
        if id(each) in known:
            continue
        known.add(id(each))
        if isinstance(each, torch.nn.Module):
            found.update((id(module), module) for module in each.modules())
        elif isinstance(each, functools.partial):
            todo += [each.func, *each.args, *each.keywords.values()]
        elif inspect.ismethod(each):
            todo += [each.__self__, each.__func__]
        elif inspect.isfunction(each):
            inner = inspect.getclosurevars(each)
            todo += [
                value
                for value in (*inner.nonlocals.values(), *inner.globals.values())
                if isinstance(value, (torch.nn.Module, functools.partial))
                or inspect.isfunction(value)
                or inspect.ismethod(value)
            ]
            todo += [each.__wrapped__] if hasattr(each, "__wrapped__") else []
        elif callable(each) and hasattr(each, "__dict__"):
            todo += [value for value in vars(each).values() if isinstance(value, torch.nn.Module)]
    return list(found.values())
