"""A loss with two counts too many, the classes and the masked positions: both are told."""

from __future__ import annotations

import batchmean
import pytest

LOSS = """
import torch
import torch.nn.functional as F

def distillation(student, teacher, attention_mask, labels, ignore_index=255):
    log_probs = F.log_softmax(student, dim=-1)
    probs = F.softmax(teacher, dim=-1)
    valid = labels != ignore_index
    loss = -(probs * log_probs)
    return {loss}
"""


def _found(loss: str) -> list[tuple[str, dict[str, int] | None]]:
    result = batchmean.check_source(LOSS.format(loss=loss), select=["BMN102", "BMN201", "BMN202"])
    assert not result.errors
    return sorted((f.code, dict(f.factor) if f.factor is not None else None) for f in result.findings)


CLASSES, POSITIONS = ("BMN102", {"V": -1}), ("BMN201", {"n_valid": 1, "N": -1})


@pytest.mark.parametrize("mask", ["attention_mask", "valid.float()"])
def test_the_classes_and_the_padding(mask: str) -> None:
    of_classes = f"loss * {mask}.unsqueeze(-1)"
    of_positions = f"loss.sum(-1) * {mask}"
    assert _found(f"({of_classes}).mean()") == [CLASSES, POSITIONS]
    assert _found(f"({of_positions}).mean()") == [POSITIONS]
    assert _found(f"({of_positions}).sum() / {mask}.sum()") == []
    assert _found(f"({of_classes}).sum() / {mask}.sum()") == []
    assert _found("loss.mean()") == [CLASSES]


def test_a_mask_that_is_shown_is_told_in_the_factor() -> None:
    loss = "(loss * (torch.arange(5)[None] < labels[:, None]).unsqueeze(-1)).mean()"
    assert _found(loss) == [("BMN102", {"V": -1, "n_valid": 1, "N": -1})]


NEGATIVE_LOG_LIKELIHOOD = """
def loss(mean, target, log_var, weight):
    nll = 0.5 * (log_var + (mean - target) ** 2 / np.exp(log_var))
    return weight * ({loss})
"""


@pytest.mark.parametrize("shape", ["mean.shape[-1]", "target.shape[-1]", "log_var.shape[-1]"])
def test_the_length_of_an_axis_that_was_summed_after_a_broadcast(shape: str) -> None:
    """The array that is summed may have axes that none of its parts has: which one is divided by is open."""
    source = "import numpy as np\n" + NEGATIVE_LOG_LIKELIHOOD
    right = source.format(loss=f"(nll.sum(axis=-1) / {shape}).mean()")
    assert not batchmean.check_source(right, select=["BMN301"]).findings


@pytest.mark.parametrize("shape", ["mean.shape[-1]", "target.shape[-1]"])
def test_a_mean_over_everything_is_divided_by_the_length_again(shape: str) -> None:
    source = "import numpy as np\n" + NEGATIVE_LOG_LIKELIHOOD
    again = source.format(loss=f"nll.mean() / {shape}")
    assert [one.code for one in batchmean.check_source(again, select=["BMN301"]).findings] == ["BMN301"]
