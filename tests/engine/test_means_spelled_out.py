"""A sum over the number of what was summed is a mean, whatever else it is divided by, and whatever it is of."""

from __future__ import annotations

import pytest
from batchmean.linter import lint

_HEAD = "import torch\nimport torch.nn.functional as F\n"
_CASES = {
    "over the classes too": """
def loss(logits, teacher):
    values = -teacher.softmax(-1) * logits.log_softmax(-1)
    return MEAN / logits.shape[-1]
""",
    "of pairs": """
def loss(actions, logits, values):
    log_prob = torch.distributions.Categorical(logits=logits).log_prob(actions.reshape(-1))
    values = torch.mul(-log_prob, values.mean(dim=1, keepdim=True))
    return MEAN
""",
    "of what was divided by the dropped": """
def loss(scores, targets, lengths):
    pad = torch.arange(scores.size(-1)) >= lengths.unsqueeze(1)
    errors = F.mse_loss(scores, targets, reduction="none").masked_fill(pad, 0.0)
    values = errors.sum(dim=-1) / pad.sum(dim=-1).clamp(min=1)
    return MEAN
""",
    "of flattened positions": """
def loss(labels, logits, masks):
    flat = logits.reshape(-1, logits.size(-1))
    values = masks.reshape(-1) * F.cross_entropy(flat, labels.reshape(-1), reduction="none")
    return MEAN
""",
}


def _found(text: str, mean: str) -> list[tuple[str, str]]:
    found = lint(_HEAD + text.replace("MEAN", mean), "any.py")
    return [
        ("BMN102" if f.code == "BMN101" else f.code, f.confidence) for f in found
    ]  # one mistake in two spellings


@pytest.mark.parametrize("name", _CASES)
def test_a_sum_over_the_count_is_the_mean(name: str) -> None:
    mean = _found(_CASES[name], "values.mean()")
    assert mean
    assert _found(_CASES[name], "values.sum() / values.numel()") == mean


def test_a_sum_over_another_count_is_not() -> None:
    assert not _found(_CASES["of flattened positions"], "values.sum() / masks.sum()")
    assert not _found(_CASES["over the classes too"], "logits.shape[-1] * values.sum(-1).mean()")
