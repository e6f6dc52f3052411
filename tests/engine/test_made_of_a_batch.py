"""What training code makes of a batch before the loss: lists and dicts with each part of it, moved or padded."""

from __future__ import annotations

import textwrap

import batchmean
import pytest

EPOCH = """
from collections import defaultdict
import torch
import torch.nn.functional as F

def epoch(model, loader, device, order, size, steps):
    total, seen = 0.0, 0
    losses = []
    totals = defaultdict(float)
    summed = torch.zeros(1)
    for batch in loader:
        {made}
        {added}
    return {result}
"""
ACCUMULATED = """
import torch
import torch.nn.functional as F

def train(model, data, order, batch_size, pad, accumulation_steps):
    for index in range(100):
        chosen = order[index * batch_size:(index + 1) * batch_size]
        {made}
        loss = F.cross_entropy(model(labels), labels, ignore_index=pad)
        (loss / accumulation_steps).backward()
"""
MEAN = "total += F.cross_entropy(model(x), y).item()"
WEIGHTED = "total += F.cross_entropy(model(x), y).item() * len(x)"


def _codes(source: str) -> list[str]:
    result = batchmean.check_source(textwrap.dedent(source), select=["BMN501", "BMN502", "BMN503"])
    assert not result.errors
    return [finding.code for finding in result.findings]


@pytest.mark.parametrize(
    "made",
    [
        "x, y = batch",
        "x, y = [part.to(device) for part in batch]",
        "x, y = tuple(part.to(device) for part in batch)",
        "batch = [part.to(device) for part in batch]; x, y = batch[0], batch[1]",
        "batch = {k: v.to(device) for k, v in batch.items()}; x, y = batch['x'], batch['y']",
        "batch = {k: v.to(device) for k, v in batch.items() if k != 'id'}; x, y = batch['x'], batch['y']",
    ],
)
def test_the_parts_of_a_batch_are_the_batch(made: str) -> None:
    assert _codes(EPOCH.format(made=made, added=MEAN, result="total / len(loader.dataset)")) == ["BMN501"]
    assert _codes(EPOCH.format(made=made, added=MEAN, result="total / len(loader)")) == []
    assert _codes(EPOCH.format(made=made, added=WEIGHTED, result="total / len(loader.dataset)")) == []


@pytest.mark.parametrize(
    ("added", "total"),
    [
        ("totals['loss'] += {}", "totals['loss']"),
        ("losses += [{}]", "sum(losses)"),
        ("summed += {}", "summed.item()"),
        ("summed = summed + {}", "summed.item()"),
    ],
)
def test_a_total_may_begin_as_whatever_is_zero(added: str, total: str) -> None:
    mean, weighted = "F.cross_entropy(model(x), y)", "F.cross_entropy(model(x), y) * len(x)"
    wrong = EPOCH.format(
        made="x, y = batch", added=added.format(mean), result=f"{total} / len(loader.dataset)"
    )
    assert _codes(wrong) == ["BMN501"]
    assert _codes(wrong.replace(mean, weighted)) == []
    assert _codes(wrong.replace("loader.dataset", "loader")) == []


@pytest.mark.parametrize(
    ("made", "codes"),
    [
        ("labels = torch.tensor([data[i][1] for i in chosen])", ["BMN503"]),
        ("rows = [data[i][1] for i in chosen]; labels = torch.tensor([r + [pad] for r in rows])", ["BMN503"]),
        # Of what these are made is not shown to be a part of the data.
        ("labels = torch.tensor([data[i][1] for i in (1, 2)])", []),
        ("labels = torch.tensor([data[i][1] for i in chosen if i])", []),
    ],
)
def test_a_list_with_something_of_each_example_is_a_batch(made: str, codes: list[str]) -> None:
    assert _codes(ACCUMULATED.format(made=made)) == codes


def test_a_slice_of_the_numbers_of_the_examples_is_a_batch() -> None:
    source = ACCUMULATED.format(made="labels = torch.tensor([data[i][1] for i in chosen])")
    source = source.replace(
        "    for index in range(100)",
        "    order = list(range(len(data)))\n    for index in range(steps, 100)",
    )
    assert _codes(source.replace("pad, acc", "pad, steps, acc")) == ["BMN503"]


LOSS = "F.cross_entropy(model(x), y)"


@pytest.mark.parametrize(
    ("added", "result"),
    [
        # The number of what a list holds is not the number of the examples.
        (f"n = [len(s) for s in x]; total += {LOSS}.item() * sum(n); seen += sum(n)", "total / seen"),
        (f"total += {LOSS[:-1]}, reduction='sum').item(); seen += sum(len(s) for s in x)", "total / seen"),
        (
            "parts = [F.mse_loss(a, b) for a, b in batch]; total += sum(parts) / len(parts); seen += 1",
            "total / seen",
        ),
        ("losses += [F.cross_entropy(model(a), b).item() for a, b in batch]", "sum(losses) / len(losses)"),
        (f"totals['n'] += len(x); totals['l'] += {LOSS}.item() * len(x)", "totals['l'] / totals['n']"),
        (f"totals['n'] += 1; totals['l'] += {LOSS}.item()", "totals['l'] / totals['n']"),
    ],
)
def test_what_a_list_holds_is_counted_by_nobody(added: str, result: str) -> None:
    assert _codes(EPOCH.format(made="x, y = batch", added=added, result=result)) == []


def test_the_first_of_what_a_model_gives_is_the_loss_that_is_trained_on() -> None:
    trained = "outputs = model(**batch); loss = outputs[0]; loss.backward(); total += loss.item()"
    assert _codes(EPOCH.format(made="pass", added=trained, result="total / len(loader.dataset)")) == [
        "BMN501"
    ]
    assert _codes(EPOCH.format(made="pass", added=trained, result="total / len(loader)")) == []
    told = trained.replace("loss.backward(); ", "")
    assert _codes(EPOCH.format(made="pass", added=told, result="total / len(loader.dataset)")) == []


WINDOW = """
import torch.nn.functional as F

def epoch(model, loader, every):
    total, seen = 0.0, 0
    for step, (x, y) in enumerate(loader):
        total += {loss}
        seen += {count}
        if step % every == 0:
            print(total / {by})
            {back}
"""


@pytest.mark.parametrize("back", ["total, seen = 0.0, 0", "total = 0.0; seen = 0"])
@pytest.mark.parametrize(
    ("loss", "count", "codes"),
    [
        ("F.cross_entropy(model(x), y).item() * len(y)", "len(y)", []),
        ("F.cross_entropy(model(x), y).item()", "1", []),
        ("F.cross_entropy(model(x), y, reduction='sum').item()", "len(y)", []),
        ("F.cross_entropy(model(x), y, reduction='sum').item()", "1", ["BMN502"]),
        ("F.cross_entropy(model(x), y).item()", "len(y)", ["BMN501"]),
    ],
)
def test_what_is_set_back_together_was_added_up_over_the_same_rounds(
    loss: str, count: str, codes: list[str], back: str
) -> None:
    assert _codes(WINDOW.format(loss=loss, count=count, by="seen", back=back)) == codes


def test_what_is_set_back_alone_was_not() -> None:
    summed = "F.cross_entropy(model(x), y, reduction='sum').item()"
    assert _codes(WINDOW.format(loss=summed, count="1", by="seen", back="total = 0.0")) == []
    assert _codes(WINDOW.format(loss=summed, count="len(y)", by="every", back="total, seen = 0.0, 0")) == []
    assert _codes(WINDOW.format(loss=summed, count="1", by="len(loader)", back="total, seen = 0.0, 0")) == []
    apart = "total = 0.0\n        if step % 7 == 0:\n            seen = 0"
    assert _codes(WINDOW.format(loss=summed, count="1", by="seen", back=apart)) == []


SUMMED = """
import torch
import torch.nn.functional as F

def train(model, loader, pad, accumulation_steps, weight, total):
    running = 0.0
    for x, y in loader:
        logits, other = model(x)
        {loss}
        (loss / accumulation_steps).backward()
"""
TOKENS = "F.cross_entropy(logits, y, ignore_index=pad)"


@pytest.mark.parametrize(
    ("loss", "codes"),
    [
        (f"loss = {TOKENS} + F.mse_loss(other, x)", ["BMN503"]),
        (f"loss = weight * F.mse_loss(other, x) + {TOKENS}", ["BMN503"]),
        (f"loss = {TOKENS} + model.penalty()", ["BMN503"]),
        (f"loss = {TOKENS}; loss += 0.01 * other.pow(2).mean()", ["BMN503"]),
        (
            f"loss = {TOKENS}\n        if weight:\n            loss = loss + weight * model.penalty()",
            ["BMN503"],
        ),
        (f"loss = model.alpha * F.mse_loss(other, x) + (1 - model.alpha) * {TOKENS}", ["BMN503"]),
        # A weight may be what makes up for it; a sum over a count of all of them is right.
        (f"loss = weight * {TOKENS} + model.penalty()", []),
        ("loss = F.cross_entropy(logits, y) + model.penalty()", []),
        (f"loss = {TOKENS[:-1]}, reduction='sum') / total + model.penalty()", []),
        # What it is added to may be what was added up elsewhere.
        (f"model.seen = model.seen + {TOKENS}; loss = model.seen", []),
    ],
)
def test_what_is_added_to_a_token_mean_leaves_it_one(loss: str, codes: list[str]) -> None:
    assert _codes(SUMMED.format(loss=loss)) == codes


SUMS = """
import torch.nn.functional as F

def epoch(model, loader, writer, number):
    total, batches = 0.0, 0
    for x, y in loader:
        total += {added}
        batches += 1
    {told}
"""
SUM = "F.cross_entropy(model(x), y, reduction='sum').item()"


@pytest.mark.parametrize(
    ("told", "codes"),
    [
        ("print(f'epoch {number}: loss {total / batches}')", ["BMN502"]),
        ("print('epoch %d: average loss %.3f' % (number, total / batches))", ["BMN502"]),
        ("writer.add_scalar('train/loss', total / batches, number)", ["BMN502"]),
        ("average = total / batches; return average", ["BMN502"]),
        # As the figure of a batch it is right.
        ("print(f'epoch {number}: average batch loss {total / batches}')", []),
        ("print('epoch_average_batch_loss: {:.6f}'.format(total / batches))", []),
        ("print('Loss per batch: %.3f' % (total / batches))", []),
        ("average_loss_per_batch = total / batches; return average_loss_per_batch", []),
        ("writer.log(batch_loss=total / batches)", []),
    ],
)
def test_the_figure_of_a_batch_may_be_called_so(told: str, codes: list[str]) -> None:
    assert _codes(SUMS.format(added=SUM, told=told)) == codes
    # The mean times the number of its examples was meant for these.
    weighted = SUMS.format(added="F.cross_entropy(model(x), y).item() * len(x)", told=told)
    assert _codes(weighted) == ["BMN502"]


@pytest.mark.parametrize(
    ("loss", "codes"),
    [
        ("(F.mse_loss(model(x), y) + F.mse_loss(model(y), x)) / 2", ["BMN501"]),
        ("(F.mse_loss(x, y) + F.mse_loss(y, x) + F.l1_loss(x, y)) / 3", ["BMN501"]),
        # A number that is not that of the terms may be that of the examples, or of the steps.
        ("(F.mse_loss(model(x), y) + F.mse_loss(model(y), x)) / 32", []),
        ("F.mse_loss(model(x), y) / 2", []),
    ],
)
def test_the_mean_of_several_terms_is_a_figure_as_they_are(loss: str, codes: list[str]) -> None:
    added = f"loss = {loss}; total += loss.item()"
    assert (
        _codes(EPOCH.format(made="x, y = batch", added=added, result="total / len(loader.dataset)")) == codes
    )
    assert _codes(EPOCH.format(made="x, y = batch", added=added, result="total / len(loader)")) == []
