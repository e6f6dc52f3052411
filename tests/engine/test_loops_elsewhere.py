"""Loops whose criteria, base classes and trainers' steps stand in other modules of the project."""

from __future__ import annotations

import textwrap
from pathlib import Path

import batchmean
import pytest

LOSSES = """
import torch.nn as nn
import torch.nn.functional as F

class Own(nn.Module):
    def forward(self, outputs, labels):
        return F.cross_entropy(outputs, labels)

class Summed(nn.Module):
    def forward(self, outputs, labels):
        return F.cross_entropy(outputs, labels, reduction="sum")

def build(cfg):
    if cfg.own:
        return Own()
    elif cfg.plain:
        return nn.CrossEntropyLoss()
    raise ValueError(cfg)

def either(cfg):
    return Own() if cfg.own else Summed()

criterion = nn.CrossEntropyLoss()
TABLE = {"own": Own, "mse": nn.MSELoss}
MIXED = {"own": Own, "sum": Summed}

class Base:
    def __init__(self, loader):
        self.loader = loader
        self.criterion = nn.CrossEntropyLoss().cuda()
"""
EPOCH = """
import elsewhere
from elsewhere import MIXED, TABLE, Base, Own, Summed, build, criterion, either

def epoch(model, loader, cfg):
    criteria = {criteria}
    total = 0.0
    for x, y in loader:
        total += criteria(model(x), y).item()
    return total / len(loader.dataset)

class Heir({base}):
    def epoch(self):
        total = 0.0
        for x, y in self.loader:
            total += self.criterion(self.model(x), y).item()
        return total / len(self.loader.{over})
"""
STEPS = """
import torch.nn.functional as F
from lightning import LightningModule
from transformers import Trainer

class Automatic(LightningModule):
    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.net(x), y, ignore_index=self.pad)

class Manual(Automatic):
    def __init__(self):
        self.automatic_optimization = False

class Examples(LightningModule):
    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.net(x), y)

class Tokens(Trainer):
    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        return F.cross_entropy(model(inputs["x"]), inputs["labels"], ignore_index=self.pad)

class Items(Trainer):
    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        outputs, labels = model(inputs["x"]), inputs["labels"]
        return F.cross_entropy(outputs, labels, ignore_index=self.pad, reduction="sum") / num_items_in_batch
"""
LIGHTNING = """
import lightning
from elsewhere import {name}

def main(data):
    model = {name}()
    trainer = lightning.Trainer({told})
    trainer.{does}(model, data)
"""
TRANSFORMERS = """
from transformers import TrainingArguments
from elsewhere import {name}

args = TrainingArguments(gradient_accumulation_steps={steps})
{name}(model=model, args=args).train()
"""
RANKS = """
import torch.nn.functional as F
from elsewhere import reduce_mean

def epoch(model, loader, pad, world_size):
    for x, y in loader:
        loss = F.cross_entropy(model(x), y{ignore})
        loss.backward()
        print(reduce_mean(loss.detach(), {by}))
"""
HELPER = """
import torch.distributed as dist

def reduce_mean(tensor, count):
    reduced = tensor.clone()
    dist.all_reduce(reduced, op=dist.ReduceOp.SUM)
    return reduced / count
"""
ACCUMULATES = "accumulate_grad_batches=4"


def _lines(folder: Path, elsewhere: str, text: str) -> list[tuple[str, int]]:
    (folder / "elsewhere.py").write_text(textwrap.dedent(elsewhere))
    path = folder / "train.py"
    path.write_text(textwrap.dedent(text))
    (folder / "pyproject.toml").write_text("[tool.batchmean]\npreview = true\n")
    (result,) = batchmean.check_files(path, select=["BMN501", "BMN502", "BMN503", "BMN504"])
    assert not result.errors
    return [(finding.code, finding.span.line) for finding in result.findings]


@pytest.mark.parametrize(
    ("criteria", "found"),
    [
        ("Own()", True),
        ("Summed()", False),
        ("build(cfg)", True),
        ("build(cfg).to(cfg.device)", True),
        ("either(cfg)", False),
        ("criterion", True),
        ("elsewhere.criterion", True),
        ("TABLE[cfg.name]()", True),
        ("TABLE.get(cfg.name)()", True),
        ("MIXED[cfg.name]()", False),
        ("unknown.Criterion()", False),
    ],
)
def test_a_criterion_is_what_the_project_shows(tmp_path: Path, criteria: str, found: bool) -> None:
    text = EPOCH.format(criteria=criteria, base="object", over="dataset")
    assert _lines(tmp_path, LOSSES, text) == [("BMN501", 10)] * found


@pytest.mark.parametrize(
    ("base", "over", "found"),
    [
        ("Base", "dataset", 1),
        ("elsewhere.Base", "dataset", 1),
        ("Base", "batches", 0),
        ("unknown.Base", "dataset", 0),
    ],
)
def test_what_a_class_inherits_is_its_own(tmp_path: Path, base: str, over: str, found: int) -> None:
    text = EPOCH.format(criteria="unknown()", base=base, over=over)
    assert _lines(tmp_path, LOSSES, text) == [("BMN501", 17)] * found


@pytest.mark.parametrize(
    ("name", "told", "does", "found"),
    [
        ("Automatic", ACCUMULATES, "fit", 1),
        ("Automatic", "max_epochs=4", "fit", 0),
        ("Automatic", "accumulate_grad_batches=1", "fit", 0),
        ("Automatic", ACCUMULATES, "validate", 0),
        ("Manual", ACCUMULATES, "fit", 0),
        ("Examples", ACCUMULATES, "fit", 0),
    ],
)
def test_a_trainer_is_told_to_accumulate_what_a_module_gives(
    tmp_path: Path, name: str, told: str, does: str, found: int
) -> None:
    text = LIGHTNING.format(name=name, told=told, does=does)
    assert _lines(tmp_path, STEPS, text) == [("BMN503", 7)] * found


@pytest.mark.parametrize(("name", "steps", "found"), [("Tokens", 8, 1), ("Tokens", 1, 0), ("Items", 8, 0)])
def test_a_trainer_of_the_project_leaves_the_items_unread(
    tmp_path: Path, name: str, steps: int, found: int
) -> None:
    assert _lines(tmp_path, STEPS, TRANSFORMERS.format(name=name, steps=steps)) == [("BMN503", 6)] * found


@pytest.mark.parametrize(
    ("ignore", "by", "found"),
    [(", ignore_index=pad", "world_size", 1), ("", "world_size", 0), (", ignore_index=pad", "valid", 0)],
)
def test_a_helper_is_told_of_where_it_is_called(tmp_path: Path, ignore: str, by: str, found: int) -> None:
    helper = HELPER if by == "valid" else HELPER.replace("count", "world_size")
    assert _lines(tmp_path, helper, RANKS.format(ignore=ignore, by=by)) == [("BMN503", 9)] * found
