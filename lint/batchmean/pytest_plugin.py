"""The fixture `loss_laws`. pytest finds this module by its entry point; it imports what it needs when used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def loss_laws() -> Callable[..., Any]:
    """A function `loss_laws(fn, *batch, **more)`: fails the test unless `fn(*batch, **more)` is rightly averaged.

    The batch is a real one: tensors of PyTorch or arrays of JAX. Predictions are the tensors that require a gradient,
    or else any floating-point array that behaves as one. Skips the test, with the reason, where nothing can be said.
    Returns what was found, a `batchmean_reference.watch.Verdict`.
    """

    def checked(fn: Callable[..., Any], *batch: Any, **more: Any) -> Any:
        __tracebackhide__ = True
        from batchmean_reference.watch import NotJudged, check_loss

        try:
            return check_loss(fn, *batch, **more)
        except NotJudged as reason:
            return pytest.skip(f"the loss cannot be judged: {reason}")

    return checked
