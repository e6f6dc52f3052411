"""Which attributes of a model are its losses: for the callbacks of training frameworks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from batchmean_reference.watch import watch
from batchmean_reference.watch.told import On, log

NAMES = ("criterion", "loss_fn", "loss_func", "loss_function", "loss_fct", "loss")
"""What people call a loss that a model holds."""


def watch_criteria(model: Any, names: Sequence[str], optimizer: Any, on: On) -> list[str]:
    """Watch the losses that a model holds as attributes, and return their names.

    `names` are the attributes; without any, they are those called as in `NAMES` and the modules whose class is called
    ...Loss. Raises `AttributeError` for a name that the model has not.
    """
    chosen = list(names) or _found(model)
    for name in chosen:
        setattr(model, name, watch(getattr(model, name), optimizer=optimizer, on=on))
    if not chosen:
        log.debug("%s holds no loss that can be seen: name it", type(model).__name__)
    return chosen


def _found(model: Any) -> list[str]:
    held = [name for name in NAMES if callable(getattr(model, name, None)) and not hasattr(object, name)]
    own = [name for name in held if name in vars(model) or name in dict(model.named_children())]
    return list(
        dict.fromkeys(
            [*own, *(name for name, child in model.named_children() if type(child).__name__.endswith("Loss"))]
        )
    )
