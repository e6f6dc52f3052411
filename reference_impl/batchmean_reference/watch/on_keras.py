"""`LossWatch` for Keras: `model.fit(x, y, callbacks=[LossWatch(x[:8], y[:8])])`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from batchmean_reference.watch.judge import Array, NotJudged, Verdict, judge
from batchmean_reference.watch.source import averages_over_classes
from batchmean_reference.watch.told import On, checked_way, leave, message, say


class LossWatch(keras.callbacks.Callback):  # type: ignore[misc]
    """Judges the loss that a model was compiled with on one batch, before its training begins.

    `x` and `y` are a batch of the training data, some examples of it (Keras does not show its batches to callbacks).
    `on` is as in `batchmean.watch`. A loss that cannot be judged is left alone, with one debug line.
    """

    def __init__(self, x: Any, y: Any, on: On = "warn") -> None:
        super().__init__()
        checked_way(on)
        self.x, self.y, self.on = x, np.asarray(y), on

    def on_train_begin(self, logs: Any = None) -> None:
        loss = self.model.loss
        named = loss if callable(loss) else keras.losses.get(loss) if isinstance(loss, str) else self.model
        try:
            verdict = judge_model(self.model, self.x, self.y, named)
        except NotJudged as reason:
            leave(named, reason)
            return
        if verdict.breaks:
            say(message(named, verdict.breaks), self.on)


def judge_model(model: Any, x: Any, y: Array, loss: Any) -> Verdict:
    """Judge the compiled loss of a model on one batch. Raises `NotJudged`."""
    predicted = np.asarray(keras.ops.convert_to_numpy(model(x, training=False)))

    def value(prediction: Any, target: Any) -> Any:
        return model.compute_loss(x=None, y=target, y_pred=prediction, training=False)

    def gradient(values: Sequence[Any], index: int) -> tuple[float, Array]:
        target = keras.ops.convert_to_tensor(np.asarray(values[1]))
        return _differentiated(
            lambda prediction: value(prediction, target), np.asarray(values[0], np.float32)
        )

    return judge(gradient, [predicted, y], [0], agreed=averages_over_classes(loss))


def _differentiated(function: Any, at: Array) -> tuple[float, Array]:
    """The value and the gradient of a function of one array, by the backend of Keras."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow

        point = tensorflow.convert_to_tensor(at)
        with tensorflow.GradientTape() as tape:
            tape.watch(point)
            loss = function(point)
        return float(loss), np.asarray(tape.gradient(loss, point))
    if backend == "jax":
        import jax

        value, slope = jax.value_and_grad(function)(jax.numpy.asarray(at))
        return float(value), np.asarray(slope)
    if backend == "torch":
        import torch

        point = torch.tensor(at, requires_grad=True)
        loss = function(point)
        (slope,) = torch.autograd.grad(loss, point)
        return float(loss.detach()), slope.numpy()
    raise NotJudged(f"the backend {backend} has no gradients here")
