"""Totals of losses that are means by what their divisor is called, on one of two ways, or by how they were made."""

from __future__ import annotations

import textwrap

import batchmean
import pytest

RULES = ["BMN501", "BMN502", "BMN503", "BMN504", "BMN505", "BMN506"]


def _told(source: str) -> list[tuple[str, str]]:
    result = batchmean.check_source(textwrap.dedent(source), select=RULES, fixes=True)
    assert not result.errors
    return [(finding.code, finding.confidence) for finding in result.findings]


LIKELY = [("BMN501", "likely")]

SIZED = """
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader

BATCH_SIZE = 64
loader = DataLoader(data, batch_size=BATCH_SIZE)

def bound(recon, x, mu, logvar):
    recon_loss = F.binary_cross_entropy(recon, x, reduction="sum") / BATCH_SIZE
    kl = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    kl /= BATCH_SIZE
    return recon_loss + kl

def epoch(model, optimizer):
    total = 0.0
    for x, _ in loader:
        recon, mu, logvar = model(x)
        loss = bound(recon, x, mu, logvar)
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / len(loader.dataset)
"""


def test_a_sum_over_what_is_called_the_batch_size_is_a_mean() -> None:
    assert _told(SIZED) == LIKELY
    assert _told(SIZED.replace("BATCH_SIZE", "args.batch_size")) == LIKELY
    assert _told(SIZED.replace('"sum") / BATCH_SIZE', '"sum")').replace("kl /= BATCH_SIZE", "")) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("total / len(loader.dataset)", "total / len(loader)"),
        ("loss.item()", "loss.item() * BATCH_SIZE"),
        ("loss.item()", "loss.item() * x.size(0)"),
        ("total / len(loader.dataset)", "total * BATCH_SIZE / len(loader.dataset)"),
        ("total / len(loader.dataset)", "total / len(loader.dataset) * BATCH_SIZE"),
        ("total / len(loader.dataset)", "total / (len(loader.dataset) / BATCH_SIZE)"),
        ("BATCH_SIZE", "WEIGHT"),
        ("= 64", "= 1"),
    ],
)
def test_such_a_mean_that_is_counted_rightly_is_silent(old: str, new: str) -> None:
    assert _told(SIZED.replace(old, new)) == []


def test_no_fix_multiplies_such_a_mean_by_another_size() -> None:
    result = batchmean.check_source(SIZED, select=RULES, fixes=True)
    assert [finding.fix for finding in result.findings] == [None]


def test_parts_of_a_batch_over_the_size_of_all_of_it_are_divided() -> None:
    source = """
    import torch.nn.functional as F

    def step(model, optimizer, x, y, micro, batch_size):
        optimizer.zero_grad()
        for i in range(0, len(x), micro):
            loss = F.cross_entropy(model(x[i : i + micro]), y[i : i + micro], reduction="sum") / batch_size
            loss.backward()
        optimizer.step()
    """
    assert _told(source) == []
    assert _told(source.replace(', reduction="sum") / batch_size', ")")) == [("BMN504", "likely")]


WAYS = """
import torch
from torch import nn
from losses import smoothed

criterion = nn.CrossEntropyLoss()

def validate(model, loader, args):
    total = 0.0
    for x, y in loader:
        out = model(x)
        if args.smoothing:
            loss = smoothed(out, y)
        else:
            loss = criterion(out, y)
        total += loss.item()
    {}
"""


def test_a_mean_on_one_way_is_wrong_there() -> None:
    assert _told(WAYS.format("return total / len(loader.dataset)")) == LIKELY
    assert _told(WAYS.format("return total / len(loader)")) == []


@pytest.mark.parametrize(
    "end",
    [
        "return total / len(loader.dataset) if args.smoothing else total / len(loader)",
        "if args.smoothing:\n        return total / len(loader.dataset)\n    return total / len(loader)",
        "if not args.smoothing:\n        return total / len(loader)\n    return total / len(loader.dataset)",
        "n = len(loader.dataset) if args.smoothing else len(loader)\n    return total / n",
    ],
)
def test_where_the_way_is_asked_for_again_it_may_be_the_other_one(end: str) -> None:
    assert _told(WAYS.format(end)) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("smoothed(out, y)", "nn.functional.cross_entropy(out, y, reduction='sum')"),
        ("smoothed(out, y)", "criterion(out, y) * len(y)"),
        ("smoothed(out, y)", "(smoothed(out, y) * y).sum()"),
        ("criterion(out, y)", "nn.functional.cross_entropy(out, y, reduction='sum')"),
    ],
)
def test_two_ways_that_are_reduced_otherwise_are_silent(old: str, new: str) -> None:
    assert _told(WAYS.format("return total / len(loader.dataset)").replace(old, new)) == []


def test_a_loss_out_of_sight_that_one_branch_averages_is_no_mean_by_that() -> None:
    source = """
    def epoch(model, compute, loader, n_gpu):
        total = 0.0
        for x, y in loader:
            loss = compute(model(x), y)
            if n_gpu > 1:
                loss = loss.mean()
            total += loss.item()
        return total / len(loader.dataset)
    """
    assert _told(source) == []


CLOSURE = """
from torch import nn

criterion = nn.CrossEntropyLoss()

def epoch(model, optimizer, loader):
    total = 0.0
    for x, y in loader:
        def closure():
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            return loss
        loss = optimizer.step(closure)
        total += loss.item()
    return total / len(loader.dataset)
"""

AROUND = """
from torch import nn

criterion = nn.CrossEntropyLoss()

def epoch(model, optimizer, loader, is_lbfgs):
    total = 0.0
    def closure():
        nonlocal total
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        total += loss.item()
        return loss
    for x, y in loader:
        if is_lbfgs:
            optimizer.step(closure)
        else:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            total += loss.item()
            optimizer.step()
    return total / len(loader.dataset)
"""


@pytest.mark.parametrize("source", [CLOSURE, AROUND])
def test_a_closure_is_called_by_the_step_that_is_given_it(source: str) -> None:
    assert [code for code, _ in _told(source)] == ["BMN501"]
    assert _told(source.replace("len(loader.dataset)", "len(loader)")) == []
    assert _told(source.replace("loss.item()", "loss.item() * len(y)")) == []


def test_what_a_closure_stores_around_it_is_known_no_longer() -> None:
    """On one way each mean counts as often as it has examples, and on the other once."""
    weighed = AROUND.replace(
        "        total += loss.item()\n        return",
        "        total += loss.item() * len(y)\n        return",
    )
    assert weighed != AROUND
    assert _told(weighed) == []


DISTILLED = """
import torch.nn.functional as F

def distilled(student, teacher, y, temperature=SETTINGS.temperature, alpha=0.9):
    soft = F.kl_div(F.log_softmax(student / temperature, dim=1), F.softmax(teacher / temperature, dim=1),
                    reduction="batchmean")
    loss = soft * temperature * temperature * alpha
    loss += F.cross_entropy(student, y) * (1.0 - alpha)
    return loss

def epoch(student, teacher, optimizer, loader):
    total = 0.0
    for x, y in loader:
        loss = distilled(student(x), teacher(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / len(loader.dataset)
"""


def test_a_mean_times_the_temperature_is_a_mean_with_a_weight() -> None:
    assert _told(DISTILLED) == LIKELY
    assert _told(DISTILLED.replace("temperature * temperature", "(temperature**2)")) == LIKELY
    assert _told(DISTILLED.replace("    loss += F.cross_entropy(student, y) * (1.0 - alpha)\n", "")) == LIKELY
    assert _told(DISTILLED.replace("SETTINGS.temperature", "4.0")) == LIKELY
    assert _told(DISTILLED.replace("len(loader.dataset)", "len(loader)")) == []


def test_a_mean_times_what_is_not_known_may_be_a_sum() -> None:
    """... but a mean that is added to it is one in any case."""
    source = DISTILLED.replace("temperature", "scale")
    assert _told(source) == LIKELY
    assert _told(source.replace("    loss += F.cross_entropy(student, y) * (1.0 - alpha)\n", "")) == []
    assert _told(source.replace("F.cross_entropy(student, y)", "F.cross_entropy(student, y) * scale")) == []
    alone = source.replace(
        "    loss += F.cross_entropy(student, y) * (1.0 - alpha)\n", "    loss = loss.mean()\n"
    )
    assert alone != source and _told(alone) == []


GENERATOR = """
import numpy as np

def parts(x, y, size):
    order = np.random.permutation(len(x))
    for start in range(0, len(x), size):
        rows = order[start : start + size]
        yield x[rows], y[rows]

def epoch(model, x, y, other):
    total, rounds = 0.0, 0
    for a, b in parts(x, y, 32):
        total += np.mean((model(a) - b) ** 2)
        rounds += 1
    return total / len(x)
"""


def test_a_generator_of_the_module_cuts_what_it_is_given_into_batches() -> None:
    assert _told(GENERATOR) == LIKELY
    assert _told(GENERATOR.replace("parts(", "data_generator(")) == LIKELY


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/ len(x)", "/ rounds"),
        ("/ len(x)", "/ len(other)"),
        ("** 2)\n", "** 2) * len(a)\n"),
        ("range(0, len(x), size)", "range(0, len(x), 1)"),
        ("len(x), size):\n", "len(x), size):\n      for _ in range(4):\n"),
        ("    for start in range(0, len(x), size):\n", "    for start in order:\n"),
    ],
)
def test_what_a_generator_is_not_shown_to_cut_is_silent(old: str, new: str) -> None:
    source = GENERATOR.replace("        rows =", "          rows =").replace(
        "        yield", "          yield"
    )
    assert _told(source) == LIKELY
    assert _told(source.replace(old, new)) == []


DRAWN = """
import torch
from torch import nn

def epoch(generator, critic, optimizer, loader):
    criterion = nn.BCELoss()
    total = 0.0
    for x, _ in loader:
        n = x.size(0)
        real = torch.ones(n, 1)
        loss = criterion(critic(generator(torch.randn(n, 100))), real)
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / len(loader.dataset)
"""


def test_arrays_with_a_row_for_each_example_are_of_the_batch() -> None:
    assert [code for code, _ in _told(DRAWN)] == ["BMN501"]
    assert [code for code, _ in _told(DRAWN.replace("ones(n, 1)", "full((n,), 1.0)"))] == ["BMN501"]
    assert _told(DRAWN.replace("len(loader.dataset)", "len(loader)")) == []
    assert _told(DRAWN.replace("loss.item()", "loss.item() * n")) == []
    assert _told(DRAWN.replace("n = x.size(0)", "n = 64")) == []
