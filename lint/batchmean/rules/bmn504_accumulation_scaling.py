from __future__ import annotations

from batchmean.engine.events import Miscount
from batchmean.rules.base import TotalRule


class AccumulationScaling(TotalRule):
    """
    ## What it finds

    Gradients that are added up over several batches before the optimizer steps, of a loss that is divided by the number
    of these batches twice, or never:

    - `loss = loss / accumulation_steps` and then `(loss / accumulation_steps).backward()`;
    - `loss / accumulation_steps` handed to `accelerator.backward`, of an accelerator that was made with
      `gradient_accumulation_steps`: it divides by them itself;
    - `loss.backward()` of a mean, `if (i + 1) % accumulation_steps == 0: optimizer.step()`, and no division anywhere.

    ## Why it matters

    The gradient is K times too small, or K times too large, for K accumulation steps. Under plain SGD that is another
    learning rate, under clipping another threshold; weight decay and Adam's epsilon weigh otherwise, and K changes the
    training although it was meant to change the memory that it takes.

    ## When to suppress it

    Where the learning rate was tuned for it; say so beside the `# noqa: BMN504`. A missing division is reported only
    where the function shows all: that the loss is a mean, that the gradients are set to zero when the optimizer steps
    and at no other time, and that the number of steps is used for nothing else.
    """

    code = "BMN504"
    precedence = 190
    name = "accumulation-scaling"
    law = "split"
    preview = True
    kind = "accumulation"
    summary = "a loss divided by the accumulation steps twice, or never"
    wrong = """\
import torch
import torch.nn.functional as F


def update(weight, loader, accumulation_steps):
    optimizer = torch.optim.SGD([weight], lr=1.0)
    for step, (inputs, targets) in enumerate(loader):
        loss = F.mse_loss(inputs * weight, targets)
        loss.backward()
        if (step + 1) % accumulation_steps == 0:
            optimizer.step()
            optimizer.zero_grad()
    return weight.sum()
"""
    right = """\
import torch
import torch.nn.functional as F


def update(weight, loader, accumulation_steps):
    optimizer = torch.optim.SGD([weight], lr=1.0)
    for step, (inputs, targets) in enumerate(loader):
        loss = F.mse_loss(inputs * weight, targets)
        (loss / accumulation_steps).backward()
        if (step + 1) % accumulation_steps == 0:
            optimizer.step()
            optimizer.zero_grad()
    return weight.sum()
"""

    def message(self, event: Miscount) -> str:
        if event.about == "never":
            return (
                "the gradients of several batches are added up, and nothing divides by the accumulation steps: "
                "accumulation_steps times too large; use (loss / accumulation_steps).backward()"
            )
        if event.about == "accelerator":
            return (
                "the loss is divided by the accumulation steps, and accelerator.backward divides by them again: "
                "accumulation_steps times too small; leave out this division"
            )
        return (
            "the loss is divided by the accumulation steps twice: accumulation_steps times too small; leave out this "
            "division"
        )
