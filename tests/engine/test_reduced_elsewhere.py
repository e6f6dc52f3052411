"""Reductions in a module of the project that has no loss of its own: functions and bases that reduce what is given."""

from __future__ import annotations

import textwrap
from pathlib import Path

import batchmean
import pytest

UTILS = """
def masked_mean(values, mask):
    rows = values.sum(dim=-1) * mask
    return rows.sum() / mask.sum()

def over_all(values):
    return values.sum() / values.numel()

class Reducing:
    def reduced(self, values, mask):
        return masked_mean(values, mask)

    def total(self, values):
        return values.sum() / values.numel()
"""
TRAIN = """
import torch
from utils import Reducing, masked_mean, over_all

class Objective(Reducing):
    def forward(self, logits, target_logits, mask):
        log_q = torch.log_softmax(logits, dim=-1)
        p = torch.softmax(target_logits, dim=-1)
        kl = p * (p.log() - log_q)
        {}
"""


def findings(folder: Path, body: str) -> list[tuple[str, int]]:
    (folder / "pyproject.toml").write_text("[tool.batchmean]\npreview = true\n")
    (folder / "utils.py").write_text(UTILS)
    path = folder / "train.py"
    path.write_text(TRAIN.format(textwrap.indent(textwrap.dedent(body), " " * 8).strip()))
    (result,) = batchmean.check_files(path)
    assert not result.errors
    return [(finding.code, finding.span.line) for finding in result.findings]


@pytest.mark.parametrize("reduced", ["masked_mean(kl, mask)", "self.reduced(kl, mask)"])
def test_a_mean_beside_what_another_module_reduces_is_a_statistic(tmp_path: Path, reduced: str) -> None:
    body = f"""
    per_element = kl.mean()
    loss = {reduced}
    return loss, per_element
    """
    assert findings(tmp_path, body) == []


@pytest.mark.parametrize("reduced", ["over_all(kl)", "self.total(kl)"])
def test_what_another_module_divides_too_often_is_told_where_it_is_called(
    tmp_path: Path, reduced: str
) -> None:
    body = f"""
    loss = {reduced}
    print(loss)
    return loss
    """
    assert findings(tmp_path, body) == [("BMN101", 10)]
