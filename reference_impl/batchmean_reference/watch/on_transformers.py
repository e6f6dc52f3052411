"""`LossWatch` for transformers: `Trainer(callbacks=[LossWatch()])`."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback

from batchmean_reference.watch import watch
from batchmean_reference.watch.criteria import watch_criteria
from batchmean_reference.watch.told import On


class LossWatch(TrainerCallback):  # type: ignore[misc]
    """Watches the loss of the model that a `Trainer` trains in its first steps, see `batchmean.watch`.

    That is `model.loss_function`, and for a model of your own what `names` or the usual names say. A loss of the
    trainer's is watched where it is handed over: `Trainer(compute_loss_func=batchmean.watch(loss))`.
    """

    def __init__(self, *names: str, on: On = "warn") -> None:
        self.names, self.on = names, on

    def on_train_begin(
        self, args: Any, state: Any, control: Any, model: Any = None, optimizer: Any = None, **kwargs: Any
    ) -> None:
        model = getattr(model, "module", model)  # as DistributedDataParallel wraps it
        if hasattr(model, "get_base_model"):  # and peft
            model = model.get_base_model()
        if not self.names and callable(getattr(model, "loss_function", None)):
            model.loss_function = watch(model.loss_function, optimizer=optimizer, on=self.on)
        else:
            watch_criteria(model, self.names, optimizer, self.on)
