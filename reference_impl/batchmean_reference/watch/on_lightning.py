"""`LossWatch` for Lightning: `Trainer(callbacks=[LossWatch()])`."""

from __future__ import annotations

from typing import Any

try:
    from lightning.pytorch import Callback
except ImportError:  # under its older name
    from pytorch_lightning import Callback

from batchmean_reference.watch.criteria import watch_criteria
from batchmean_reference.watch.told import On


class LossWatch(Callback):  # type: ignore[misc]
    """Watches the losses of a `LightningModule` in its first training steps, see `batchmean.watch`.

    `names` are the attributes that hold them, such as "criterion"; without any, the usual names are tried, and modules
    whose class is called ...Loss. Parts that accumulate are compared where there is one optimizer.
    """

    def __init__(self, *names: str, on: On = "warn") -> None:
        super().__init__()
        self.names, self.on = names, on

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        optimizer = trainer.optimizers[0] if len(trainer.optimizers) == 1 else None
        watch_criteria(pl_module, self.names, optimizer, self.on)
