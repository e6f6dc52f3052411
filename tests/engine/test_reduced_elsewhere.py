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


@pytest.mark.parametrize("called", ["elementwise.Elements", "Elements"])
def test_a_class_method_of_another_module_is_given_its_class(tmp_path: Path, called: str) -> None:
    """The logits are no class, nor the labels the logits: their number is that of the examples."""
    elements = """
    import torch
    import torch.nn.functional as F

    class Elements:
        @classmethod
        def of(cls, logits, labels, count):
            return -(torch.log_softmax(logits, dim=-1) * F.one_hot(labels, count))
    """
    (tmp_path / "elementwise.py").write_text(textwrap.dedent(elements))
    path = tmp_path / "loss.py"
    head = "import elementwise\nfrom elementwise import Elements\n\ndef loss(x, y, n):\n"
    codes = {}
    for reduced in ("e.sum(dim=2).sum() / y.numel()", "e.mean()"):
        path.write_text(f"{head}    e = {called}.of(x, y, n)\n    return {reduced}\n")
        (result,) = batchmean.check_files(path)
        codes[reduced] = [finding.code for finding in result.findings]
    assert codes == {"e.sum(dim=2).sum() / y.numel()": [], "e.mean()": ["BMN102"]}


@pytest.mark.parametrize("imported", ["from utils import over_all", "import utils", "from utils import *"])
def test_a_module_that_reduces_nothing_itself_is_read(tmp_path: Path, imported: str) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.batchmean]\npreview = true\n")
    (tmp_path / "utils.py").write_text(UTILS)
    path = tmp_path / "objective.py"
    reducer = "utils.over_all" if imported == "import utils" else "over_all"
    text = f"""
import torch
{imported}

def objective(logits, targets):
    return -{reducer}(torch.softmax(targets, dim=-1) * torch.log_softmax(logits, dim=-1))
"""
    path.write_text(text)
    (result,) = batchmean.check_files(path)
    assert [finding.code for finding in result.findings] == ["BMN101"]
    path.write_text(text.replace("over_all", "entropies"))
    (result,) = batchmean.check_files(path)
    assert result.findings == []
