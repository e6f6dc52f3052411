from __future__ import annotations

from typing import Final

from batchmean.engine.events import Miscount
from batchmean.rules.base import TotalRule

_BY: Final = {
    "accelerator": "accelerator.backward",
    "engine": "DeepSpeed's engine.backward",
    "trainer": "Lightning's trainer",
    "optimizer": "an optimizer that averages the gradients",
}
"""What divides by the accumulation steps itself."""


class AccumulationScaling(TotalRule):
    """
    ## What it finds

    Gradients that are added up over several batches before the optimizer steps, of a loss that is divided by the number
    of these batches twice, or never:

    - `loss = loss / accumulation_steps` and then `(loss / accumulation_steps).backward()`, in one function or in one
      and what it calls; or the sum of the gradients of such losses, divided by the same number;
    - `loss / accumulation_steps` handed to what divides by them itself: `accelerator.backward` of an accelerator that
      was made with `gradient_accumulation_steps`, `engine.backward` of DeepSpeed, the `training_step` of Lightning
      (`accumulate_grad_batches`), an optimizer in `optax.MultiSteps`, one of Keras with
      `gradient_accumulation_steps`;
    - in the `compute_loss` of Hugging Face's Trainer: a mean divided by `num_items_in_batch`, or a sum divided by it
      and by the accumulation steps, whose batches it counts already;
    - the same loss in what is told: `loss = loss / accumulation_steps`, `total += loss.item()`, and then
      `total / len(loader)`, or `total / accumulation_steps`: what is told is a K-th of the mean of an epoch;
    - `loss.backward()` of a mean, `if (i + 1) % accumulation_steps == 0: optimizer.step()`, and no division anywhere.

    [BMN503](BMN503.md) has a table of what each trainer does.

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
    first_contact = (23, 25)
    kind = "accumulation"
    no_fix = "which of the divisions is meant is not shown: keep one"
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
        if event.about == "never of parts":
            return (
                "the gradients of the means over the parts of a batch are added up, and nothing divides by the number "
                "of parts: as many times too large as there are parts; weigh each by its part of the batch"
            )
        if event.about == "never of tokens":
            return (
                "the gradients of several batches are added up, and nothing divides by the accumulation steps: "
                "accumulation_steps times too large; divide the sum of each by the valid positions of all"
            )
        if event.about == "figures":
            return (
                "losses that are divided by the accumulation steps are averaged over all batches: accumulation_steps "
                "times too small; add up the loss as it is before that division"
            )
        if event.about == "items":
            return "a mean is divided by num_items_in_batch: num_items_in_batch times too small; divide the sum by it"
        if event.about == "items and steps":
            return (
                "a sum is divided by num_items_in_batch, which counts all accumulated batches, and by the accumulation "
                "steps: accumulation_steps times too small; leave out this division"
            )
        if event.about in _BY:
            return (
                f"the loss is divided by the accumulation steps, and {_BY[event.about]} divides by them again: "
                "accumulation_steps times too small; leave out this division"
            )
        return (
            "the loss is divided by the accumulation steps twice: accumulation_steps times too small; leave out this "
            "division"
        )
