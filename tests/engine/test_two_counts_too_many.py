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
