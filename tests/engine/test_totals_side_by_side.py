"""Totals, loaders and sizes in dictionaries: what divides all of them, and what belongs to which."""

from __future__ import annotations

import textwrap

import batchmean
import pytest

PHASES = """
import torch.nn.functional as F
from torch.utils.data import DataLoader

{tables}

def train(model{given}):
    for phase in ["train", "val"]:
        running = 0.0
        for x, y in loaders[phase]:
            running += F.cross_entropy(model(x), y).item(){weight}
        print(running / {by})
"""
LOADERS = "loaders = {x: DataLoader(datasets[x]%s) for x in phases}\ndataset_sizes = {x: len(%s[x]) for x in phases}"
SIZES = "dataset_sizes[phase]"


def _codes(source: str) -> list[str]:
    result = batchmean.check_source(textwrap.dedent(source), select=["BMN501"])
    assert not result.errors
    return [finding.code for finding in result.findings]


@pytest.mark.parametrize(
    ("tables", "given", "weight", "by", "found"),
    [
        ("", ", loaders, dataset_sizes", "", SIZES, True),
        ("", ", loaders, dataset_sizes", " * len(x)", SIZES, False),
        ("", ", loaders, dataset_sizes", "", 'dataset_sizes["clients"]', False),
        ("", ", loaders, steps", "", "steps[phase]", False),
        (LOADERS % (", batch_size=4", "datasets"), "", "", SIZES, True),
        (LOADERS % (", batch_size=4", "datasets"), "", "", "len(datasets[phase])", True),
        (LOADERS % (", batch_size=4", "loaders"), "", "", SIZES, False),
        (LOADERS % ("", "datasets"), "", "", SIZES, False),  # a batch is one example
        ('dataset_sizes = {"train": len(train_data), "val": len(val_data)}', ", loaders", "", SIZES, True),
        (
            'dataset_sizes = {"train": len(train_loader), "val": len(val_loader)}',
            ", loaders",
            "",
            SIZES,
            False,
        ),
    ],
)
def test_a_size_for_each_phase(tables: str, given: str, weight: str, by: str, found: bool) -> None:
    assert _codes(PHASES.format(tables=tables, given=given, weight=weight, by=by)) == ["BMN501"] * found


TOTALS = """
import torch.nn.functional as F

def evaluate(model, loader):
    sums = {"loss": 0.0, "correct": 0}
    for x, y in loader:
        logits = model(x)
        sums["loss"] += F.cross_entropy(logits, y).item()
        sums["correct"] += (logits.argmax(1) == y).sum().item()
BODY
    return sums
"""


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("sums = {k: v / len(loader.dataset) for k, v in sums.items()}", True),
        ("sums = {k: v / len(loader) for k, v in sums.items()}", False),
        ("sums = {k: v / len(loader if k == 'loss' else loader.dataset) for k, v in sums.items()}", False),
        ("sums = {k: v / len(loader.dataset) for k, v in sums.items() if k != 'loss'}", False),
        ("for k in sums:\n    sums[k] /= len(loader.dataset)", True),
        ("for k in sums.keys():\n    sums[k] = sums[k] / len(loader.dataset)", True),
        ("for k in sums:\n    if k != 'loss':\n        sums[k] /= len(loader.dataset)", False),
        ("for k in sums:\n    sums[k] /= len(loader)", False),
    ],
)
def test_one_division_for_all_totals(body: str, found: bool) -> None:
    assert _codes(TOTALS.replace("BODY", textwrap.indent(body, "    "))) == ["BMN501"] * found


LISTED = """
import torch.nn.functional as F

def evaluate(model, loader, n):
    for i in range(n):
        totals = [0.0, 0, 0]
        for x, y in loader:
            totals[0] += F.cross_entropy(model(x), y).item()
            totals[1] += len(x)
            totals[2] += 1
        print(totals[0] / BY)
"""


@pytest.mark.parametrize(("by", "found"), [("totals[1]", True), ("totals[2]", False), ("totals[i]", False)])
def test_totals_in_a_list(by: str, found: bool) -> None:
    assert _codes(LISTED.replace("BY", by)) == ["BMN501"] * found


ITEMS = """
def total_of(loss, n):
    total = 0.0
    for i in range(ROUNDS):
        total += loss[TAKEN].mean()
    return total / loss.shape[0]
"""


@pytest.mark.parametrize("rounds", ["loss.shape[0]", "len(loss)", "loss.size(dim=0)", "loss.shape[-2]", "n"])
def test_a_loop_through_the_items_of_a_loss_has_as_many_rounds_as_it_has_items(rounds: str) -> None:
    assert _codes(ITEMS.replace("ROUNDS", rounds).replace("TAKEN", "i")) == []


def test_one_that_cuts_batches_out_has_fewer() -> None:
    assert _codes(ITEMS.replace("ROUNDS", "0, len(loss), 4").replace("TAKEN", "i:i + 4")) == ["BMN501"]
