"""A mean of flattened positions is divided twice where the examples, or the positions, divide it."""

from __future__ import annotations

import pytest
from batchmean import check_source

LOSS = """\
import torch.nn.functional as F


def loss(logits, labels):
    flat = F.cross_entropy(logits.view(-1, logits.size(-1)), labels.reshape(-1){how})
    return flat / {count}
"""


@pytest.mark.parametrize("count", ["logits.size(0)", "labels.numel()"])
def test_a_mean_is_divided_twice_and_a_sum_once(count: str) -> None:
    mean = check_source(LOSS.format(how="", count=count), select=["BMN301"])
    summed = check_source(LOSS.format(how=', reduction="sum"', count=count), select=["BMN301"])
    found = [finding.factor for finding in mean.findings]
    assert found == [{"B": -1}]
    assert summed.findings == []
