"""A loss of another module of the project that is divided here, and what the divisor counts."""

from __future__ import annotations

import textwrap
from pathlib import Path

import batchmean
import pytest

LOSSES = """
import torch.nn as nn
import torch.nn.functional as F

ce = nn.CrossEntropyLoss()
summed = nn.CrossEntropyLoss(reduction="sum")

def by_library(model, x, y):
    return F.cross_entropy(model(x), y)

def by_criterion(model, x, y):
    return ce(model(x), y)

def of_all(model, x, y):
    return summed(model(x), y)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.layer = nn.Embedding(9, 4), nn.Linear(4, 9)

    def forward(self, x):
        return self.layer(self.embedding(x).relu())
"""


def _codes(folder: Path, text: str) -> list[str]:
    (folder / "pyproject.toml").write_text("[tool.batchmean]\npreview = true\n")
    (folder / "elsewhere.py").write_text(LOSSES)
    path = folder / "train.py"
    path.write_text(textwrap.dedent(text))
    (result,) = batchmean.check_files(path)
    assert not result.errors
    return [finding.code for finding in result.findings]


@pytest.mark.parametrize(
    ("loss", "divisor", "codes"),
    [
        ("by_library(model, x, y)", "x.size(0)", ["BMN301"]),
        ("by_criterion(model, x, y)", "len(y)", ["BMN301"]),
        ("by_criterion(model, x, y)", "accumulation_steps", []),
        ("of_all(model, x, y)", "x.size(0)", []),
    ],
)
def test_a_mean_of_another_module_is_divided_once(
    tmp_path: Path, loss: str, divisor: str, codes: list[str]
) -> None:
    text = f"""
    from elsewhere import by_criterion, by_library, of_all

    def step(model, x, y, accumulation_steps):
        loss = {loss}
        loss = loss / {divisor}
        loss.backward()
    """
    assert _codes(tmp_path, text) == codes


def test_a_model_in_sight_is_given_the_examples(tmp_path: Path) -> None:
    text = """
    import torch.nn.functional as F
    from elsewhere import Net

    model = Net()

    def step(x, y):
        out = model(x)
        return F.cross_entropy(out.reshape(-1, out.shape[-1]), y.reshape(-1)) / x.size(0)
    """
    assert _codes(tmp_path, text) == ["BMN301"]
