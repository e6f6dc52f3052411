from __future__ import annotations

from batchmean.engine.events import Miscount
from batchmean.rules.base import TotalRule


class OtherLoadersLength(TotalRule):
    """
    ## What it finds

    A loss that is added up over the batches of one loader and divided by the length of another: `total += loss.item()`
    in `for x, y in val_loader`, and then `total / len(test_loader)`. The count may be `len(test_loader.dataset)`, the
    length of other data, or the rounds of another loop that were counted by hand. It comes of copied functions.

    ## Why it matters

    The figure is off by how many more batches the one loader has than the other. A validation loss over the number of
    training batches is too small by far, looks like no overfitting at all, and changes with how the data are split.
    Where it stops the training, or chooses the checkpoint, it goes on changing with that.

    ## When to suppress it

    Where both loaders have the same number of batches by construction; say so beside the `# noqa: BMN506`. All of it is
    known by names, so it is never proved. Not reported: loaders whose names do not speak of different parts of the data
    (train, validation, test); one that may be the other, or made of the same data; loops that end early, and those
    that take batches of both.
    """

    code = "BMN506"
    precedence = 175
    name = "other-loaders-length"
    law = "duplication"
    preview = True
    kind = "other loader"
    no_fix = "which of the two loaders is meant, the code does not show"
    summary = "a total over the batches of one loader divided by the length of another"
    wrong = """\
import torch.nn.functional as F


def validate(model, val_loader, train_loader):
    total = 0.0
    for inputs, labels in val_loader:
        total += F.cross_entropy(model(inputs), labels).item()
    return total / len(train_loader)
"""
    right = """\
import torch.nn.functional as F


def validate(model, val_loader, train_loader):
    total = 0.0
    for inputs, labels in val_loader:
        total += F.cross_entropy(model(inputs), labels).item()
    return total / len(val_loader)
"""

    def message(self, event: Miscount) -> str:
        return (
            f"what is added up over the batches of `{event.count}` is divided by a count of `{event.about}`; "
            f"divide by that of `{event.count}`"
        )
