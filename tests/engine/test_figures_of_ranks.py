"""What is told of several ranks, by libraries that cannot be run here."""

from __future__ import annotations

import textwrap

import pytest
from batchmean import check_source

HOROVOD = """
import horovod.torch as hvd
import torch.nn.functional as F

def evaluate(model, loader, pad):
    for inputs, labels in loader:
        loss = F.cross_entropy(model(inputs), labels, ignore_index=pad)
        told = hvd.allreduce(loss{})
        print(told)
"""

LIGHTNING = """
import pytorch_lightning as pl
import torch.nn as nn

class Model(pl.LightningModule):
    def __init__(self, net, pad):
        super().__init__()
        self.net, self.pad = net, pad
        self.criterion = nn.CrossEntropyLoss({})

    def validation_step(self, batch, batch_idx):
        inputs, labels = batch
        loss = self.criterion(self.net(inputs), labels)  # labels of the padding are masked
        self.log("loss", loss{})
        return loss
"""

ACCUMULATED = """
import torch.nn.functional as F

def train(model, optimizer, loader, accumulation_steps):
    total = updates = 0
    for step, (inputs, labels) in enumerate(loader):
        loss = F.cross_entropy(model(inputs), labels)
        loss = loss / accumulation_steps
        loss.backward()
        total += loss.item()
        if (step + 1) % accumulation_steps == 0:
            optimizer.step()
            optimizer.zero_grad()
            updates += 1
    return {}
"""


def codes(text: str) -> list[str]:
    return [
        finding.code for finding in check_source(textwrap.dedent(text), select=["BMN503", "BMN504"]).findings
    ]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("", ["BMN503"]),
        (", op=hvd.Average", ["BMN503"]),
        (", average=True", ["BMN503"]),
        (", op=hvd.Sum", []),
        (", average=False", []),
        (", op=chosen", []),
    ],
)
def test_horovod_takes_the_mean_unless_it_is_asked_for_the_sum(asked: str, expected: list[str]) -> None:
    assert codes(HOROVOD.format(asked)) == expected


@pytest.mark.parametrize(
    ("ignored", "asked", "expected"),
    [
        ("ignore_index=pad", ", sync_dist=True", ["BMN503"]),
        ("ignore_index=pad", "", []),
        ("ignore_index=pad", ", sync_dist=False", []),
        ("ignore_index=pad", ", sync_dist=True, batch_size=(labels != self.pad).sum()", []),
        ("ignore_index=pad", ", sync_dist=True, reduce_fx='max'", []),
        ("", ", sync_dist=True", []),
    ],
)
def test_lightning_averages_what_it_logs_over_ranks(ignored: str, asked: str, expected: list[str]) -> None:
    assert codes(LIGHTNING.format(ignored, asked)) == expected


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("total / len(loader)", ["BMN504"]),
        ("total / (step + 1)", ["BMN504"]),
        ("total / accumulation_steps", ["BMN504"]),
        ("total / updates", []),
        ("total * accumulation_steps / len(loader)", []),
        ("total / (len(loader) / accumulation_steps)", []),
        ("total / (len(loader) // accumulation_steps)", []),
        ("total", []),
    ],
)
def test_what_was_divided_by_the_steps_is_told_over_the_updates(told: str, expected: list[str]) -> None:
    assert codes(ACCUMULATED.format(told)) == expected


CRITERION = """
import torch
class Recipe:
    def setup(self, cfg, data):
        self._loss_fn = config.instantiate(cfg.loss)
        self._loader = make(data, {})

    def _loss_step(self, batch):
        labels = batch.pop("labels")
        logits = self._model(**batch)
        loss = self._loss_fn(logits.reshape(-1, logits.size(-1)), labels.reshape(-1))
        return loss

    def train(self):
        told = 0
        for step, batch in enumerate(self._loader):
            loss = self._loss_step(batch)
            loss = loss / self._gradient_accumulation_steps
            told += loss
            loss.backward()
            if (step + 1) % self._gradient_accumulation_steps == 0:
                self._optimizer.step()
                self._optimizer.zero_grad()
                told = 0
"""


@pytest.mark.parametrize(
    ("given", "expected"),
    [("ignore_idx=self._loss_fn.ignore_index", ["BMN503"]), ("ignore_idx=-100", []), ("shuffle=True", [])],
)
def test_a_criterion_that_is_not_shown_leaves_out_the_labels_that_the_code_says(
    given: str, expected: list[str]
) -> None:
    assert codes(CRITERION.format(given)) == expected


MODEL = """
def train(model, optimizer, batches, accumulation_steps, steps):
    for step in range(steps):
        for _ in range(accumulation_steps):
            inputs, labels = next(batches)
            {}
        {}optimizer.step()
        optimizer.zero_grad()
"""


@pytest.mark.parametrize(
    ("statements", "before", "expected"),
    [
        ("loss = model(inputs, labels); loss.backward()", "", ["BMN504"]),
        ("logits, loss = model(inputs, labels); scaler.scale(loss).backward()", "", ["BMN504"]),
        ("loss = model(inputs, labels); (loss / accumulation_steps).backward()", "", []),
        ("loss = model(inputs, labels) / accumulation_steps; loss.backward()", "", []),
        ("loss = model(inputs, labels) * weight; loss.backward()", "", []),
        ("loss = model(inputs, labels); loss *= weight; loss.backward()", "", []),
        ("logits = model(inputs, labels); logits.sum().backward()", "", []),
        ("loss = model(inputs, labels); loss.backward()", "scale_gradients(model, accumulation_steps); ", []),
    ],
)
def test_what_a_model_gives_for_its_loss_is_added_up_over_the_steps(
    statements: str, before: str, expected: list[str]
) -> None:
    assert codes(MODEL.format(statements, before)) == expected


EXPONENTIALS = """
import torch
import torch.distributed as dist
import torch.nn.functional as F

def mean_of_all(tensor):
    dist.all_reduce(tensor, op=dist.ReduceOp.SUM)
    return tensor / dist.get_world_size()

def evaluate(model, loader):
    total = 0
    for step, (inputs, labels) in enumerate(loader):
        total += F.cross_entropy(model(inputs), labels)
    {}
"""


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("return mean_of_all(torch.exp(total / (step + 1)))", ["BMN505"]),
        ("return torch.exp(mean_of_all(total / (step + 1)))", []),
        ("return torch.exp(total / (step + 1))", []),
        ("return mean_of_all(torch.exp(-total / (step + 1)))", []),
        ("return get_all_reduce_mean(torch.exp(total / (step + 1)))", ["BMN505"]),
    ],
)
def test_the_exponential_is_taken_after_the_mean_over_the_ranks(told: str, expected: list[str]) -> None:
    found = check_source(EXPONENTIALS.format(told), select=["BMN505"]).findings
    assert [finding.code for finding in found] == expected
