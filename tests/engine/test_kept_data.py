"""Data that an object keeps beside the loader that it makes of them."""

from __future__ import annotations

import batchmean
import pytest

TRAINER = """
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, Subset

class Trainer:
    def __init__(self, model, train, held_out, batch_size=64):
        self.model = model
        self.ds = train
        self.others = held_out
        self.loader = DataLoader(train, batch_size=batch_size)

    def epoch(self, optimizer):
        total = 0.0
        for x, y in self.loader:
            loss = F.cross_entropy(self.model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        return total / len(self.ds)
"""


def _told(source: str) -> list[tuple[str, str]]:
    result = batchmean.check_source(source, select=["BMN501", "BMN502", "BMN506"])
    assert not result.errors
    return [(finding.code, finding.confidence) for finding in result.findings]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", ""),
        ("DataLoader(train,", "DataLoader(dataset=train,"),
        ("batch_size=64):", "*, batch_size=64):"),
        ("self.ds = train\n", "self.ds = train\n        super().__init__()\n"),
    ],
)
def test_they_are_the_data_of_the_loader(old: str, new: str) -> None:
    assert _told(TRAINER.replace(old, new)) == [("BMN501", "proved")]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("len(self.ds)", "len(self.others)"),
        ("len(self.ds)", "len(self.loader)"),
        ("self.ds = train", "train = Subset(train, range(100))\n        self.ds = held_out"),
        ("    def epoch", "    def grow(self, more):\n        self.ds = more\n\n    def epoch"),
        ("loss.item()", "loss.item() * len(y)"),
    ],
)
def test_other_data_are_not(old: str, new: str) -> None:
    assert old in TRAINER
    assert _told(TRAINER.replace(old, new)) == []
