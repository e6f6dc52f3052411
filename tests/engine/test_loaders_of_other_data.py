"""A total over one loader and a count of another: told only where names say that their data differ, and nothing that
they may be the same."""

from __future__ import annotations

import textwrap

import batchmean
import pytest
from batchmean.engine.epochs.parts import are_apart, part_of

EVALUATE = """
import itertools
import torch.nn.functional as F
from torch.utils.data import DataLoader
{module}

def evaluate(model, {given}):
    {before}
    total = 0.0
    for x, y in {over}:
        {inside}
        total += F.cross_entropy(model(x), y).item(){weight}
    {after}
    return total / {by}
"""


def _found(source: str) -> list[tuple[str, str]]:
    result = batchmean.check_source(textwrap.dedent(source), select=["BMN501", "BMN502", "BMN505", "BMN506"])
    assert not result.errors
    return [(finding.code, finding.confidence) for finding in result.findings]


def _evaluated(**parts: str) -> bool:
    given = {
        "module": "",
        "given": "train_loader, val_loader, test_loader",
        "before": "pass",
        "over": "val_loader",
        "inside": "pass",
        "weight": "",
        "after": "pass",
        "by": "len(train_loader)",
    }
    found = _found(EVALUATE.format(**given | parts))
    assert found in ([], [("BMN506", "likely")])
    return bool(found)


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"by": "len(train_loader.dataset)"},
        {"by": "float(len(train_loader))"},
        {"by": "max(1, len(train_loader))"},
        {"by": "n", "before": "n = len(train_loader)"},
        {"by": "len(train_set)", "given": "train_set, val_loader"},
        {"weight": " * len(x)"},
        {"over": "tqdm(val_loader)"},
        {"over": "loader", "before": "loader = val_loader"},
        {"over": "val_loader", "before": "val_loader = wrapped(val_loader)"},
        {"by": "len(test_loader)", "given": "valLoader, test_loader", "over": "valLoader"},
        {"by": "len(testloader)", "given": "validloader, testloader", "over": "validloader"},
        {"by": "n", "before": "n = 0\n    for _ in train_loader:\n        n += 1"},
        {
            "given": "small",
            "before": "if small:\n        train_loader, val_loader = make(0)\n"
            "    else:\n        train_loader, val_loader = make(1)",
            "over": "enumerate(val_loader)",
            "inside": "x, y = y",
        },
        {"before": "bar = Bar(total=len(train_loader))\n    bar.start()", "inside": "bar.add(total)"},
        {"after": "total = round(total / len(train_loader), 3)", "by": "1"},
        {"before": "loss = validate(model, train_loader)", "inside": "loss = model.loss(x)"},
        {"by": "(i + 1)", "after": "for i, batch in enumerate(train_loader):\n        learn(batch)"},
        {
            "over": "val_loader",
            "module": "val_loader, test_loader = make(0), make(1)",
            "given": "train_loader",
        },
        {
            "module": "train_loader = DataLoader(a, batch_size=4)\nval_loader = DataLoader(b, batch_size=4)",
            "given": "device",
        },
    ],
    ids=str,
)
def test_the_other_loader_divides(parts: dict[str, str]) -> None:
    assert _evaluated(**parts)


@pytest.mark.parametrize(
    "parts",
    [
        {"by": "len(val_loader)"},
        {"by": "len(val_set)", "given": "val_loader, val_set", "weight": " * len(x)"},
        {"over": "loader", "given": "loader, test_loader", "by": "len(test_loader)"},
        {"given": "val_loader, loader", "by": "len(loader)"},
        {"given": "val_loader, eval_loader", "by": "len(eval_loader)"},  # which may be it
        {"given": "val_loader, train_eval_loader", "by": "len(train_eval_loader)"},
        {"given": "train_data, val_loader", "by": "steps", "before": "steps = 10"},
        {"over": "zip(train_loader, val_loader)"},
        {"over": "zip(val_loader, itertools.cycle(train_loader))"},
        {"over": "itertools.chain(train_loader, val_loader)"},
        {"over": "loader", "before": "loader = val_loader if final else train_loader"},
        {"over": "val_loader", "before": "val_loader = train_loader"},
        {"over": "val_loader", "before": "if final:\n        val_loader = train_loader"},
        {
            "given": "small, test_loader",
            "before": "if small:\n        val_loader = make(0)\n    else:\n        val_loader = test_loader",
            "by": "len(test_loader)",
        },
        {
            "before": "train_batches = itertools.islice(train_loader, len(val_loader))",
            "over": "train_batches",
            "by": "len(val_loader)",
        },
        {"inside": "u, v = next(batches)", "before": "batches = iter(train_loader)"},
        {"inside": "extra = next(iter(train_loader))"},
        {"inside": "if step > 10: break"},
        {"inside": "if step % 10 == 0: total = 0.0"},
        {
            "over": "range(len(train_loader))",
            "inside": "x, y = next(batches)",
            "before": "batches = iter(val_loader)",
        },
        {"by": "len(train_loader) * len(train_loader) / len(val_loader)"},
        {"before": "weight = 1 / len(train_loader)", "after": "total = total * weight", "by": "1"},
        {"after": "for x, y in train_loader:\n        total += F.cross_entropy(model(x), y).item()"},
        {"before": "n = 0\n    for _ in train_loader:\n        n += 1", "inside": "n += 1", "by": "n"},
        {
            "module": "test_loader = make()\nval_loader = test_loader",
            "given": "device",
            "by": "len(test_loader)",
        },
        {"module": "val_loader = test_loader = make()", "given": "device", "by": "len(test_loader)"},
        {
            "module": "def main():\n    evaluate(model, val_loader=test_loader)",
            "given": "val_loader",
            "by": "len(test_loader)",
        },
        {
            "module": "def main():\n    evaluate(model, test_loader)",
            "given": "val_loader",
            "by": "len(test_loader)",
        },
        {
            "module": "val_loader = DataLoader(data, batch_size=4)\ntest_loader = DataLoader(data, batch_size=4)",
            "given": "device",
            "by": "len(test_loader)",
        },
        {"given": "loaders", "over": "loaders[phase]", "by": "len(loaders[split])"},
        {"inside": "for u, v in train_loader: learn(u, v)"},
        {"by": "len(valid_samples)", "given": "train_loader, valid_samples", "over": "train_loader"},
        {
            "by": "len(val_batches)",
            "over": "train_loader",
            "before": "val_batches = list(map(f, train_loader))",
        },
        {"module": "train, val_loader, test_loader = a, b, b", "given": "device", "by": "len(test_loader)"},
        {
            "module": "def test_loader_of(x):\n    return val_loader_of(x)\n\n"
            "test_loader, val_loader = test_loader_of(0), val_loader_of(0)",
            "given": "device",
            "by": "len(test_loader)",
        },
    ],
    ids=str,
)
def test_they_may_be_one(parts: dict[str, str]) -> None:
    assert not _evaluated(**parts)


def test_a_function_that_is_called_with_either() -> None:
    source = """
    import torch.nn.functional as F

    def run(model, loader):
        total = 0.0
        for x, y in loader:
            total += F.cross_entropy(model(x), y).item()
        return total / len(test_loader)

    def main(model):
        %s
    """
    assert _found(source % "print(run(model, val_loader))") == [("BMN506", "likely")]
    assert _found(source % "print(run(model, val_loader), run(model, test_loader))") == []
    assert _found(source % "print(run(model, test_loader), run(model, val_loader))") == []


ATTRIBUTES = """
class Trainer:
    def __init__(self, model, loss, {given}):
        self.model, self.loss = model, loss
        {made}

    def validate(self):
        {name} = 0
        for batch in self.val_loader:
            {name} += self.loss(self.model(batch), batch.mu, batch.logvar).item()
            {name} += self.model.penalty(batch)
        {name} /= len(self.test_loader){then}
        return {name}
"""


@pytest.mark.parametrize(
    ("given", "made", "name", "then", "found"),
    [
        ("val, test", "self.val_loader = val; self.test_loader = test", "loss", "", True),
        ("data", "self.val_loader, self.test_loader = make(data)", "total_loss", "", True),
        ("val, test", "self.val_loader = val; self.test_loader = test", "correct", "", False),
        ("data", "self.val_loader = make(data); self.test_loader = self.val_loader", "loss", "", False),
        ("data_loader", "self.val_loader = data_loader; self.test_loader = data_loader", "loss", "", False),
        ("val, test", "self.val_loader = val; self.test_loader = test", "loss", "\n        loss *= 3", False),
    ],
)
def test_a_loss_that_nobody_shows(given: str, made: str, name: str, then: str, found: bool) -> None:
    """How it is reduced makes no difference; what it is called does."""
    source = "import torch\n" + ATTRIBUTES.format(given=given, made=made, name=name, then=then)
    assert _found(source) == [("BMN506", "likely")] * found


def test_another_wrong_count_is_told_once() -> None:
    source = EVALUATE.format(
        module="",
        given="val_loader, train_loader",
        before="pass",
        over="val_loader",
        inside="pass",
        weight="",
        after="pass",
        by="len(val_loader.dataset)",
    )
    assert _found(source) == [("BMN501", "likely")]


LAST = """
import torch.nn.functional as F

def fit(model, train_loader, val_loader, epochs):
    losses, val_losses = [], []
    for epoch in range(epochs):
        losses.append(0)
        steps = 0
        for x, y in train_loader:
            losses[-1] += F.cross_entropy(model(x), y).item()
            steps += 1
        {between}
        losses[-1] /= {by}
        val_losses.append(0)
        for x, y in val_loader:
            val_losses[-1] += F.cross_entropy(model(x), y).item()
        val_losses[-1] /= {val_by}
"""


@pytest.mark.parametrize(
    ("between", "by", "val_by", "found"),
    [
        ("pass", "steps", "len(val_loader)", []),
        ("pass", "steps", "steps", ["BMN506"]),
        ("pass", "len(val_loader)", "len(val_loader)", ["BMN506"]),
        ("pass", "len(train_loader.dataset)", "len(val_loader)", ["BMN501"]),
        ("losses.append(7)", "len(val_loader)", "len(val_loader)", []),
        ("losses.append(other)", "len(val_loader)", "len(val_loader)", []),
        ("losses.sort()", "len(val_loader)", "len(val_loader)", []),
        ("losses += [other]", "len(val_loader)", "len(val_loader)", []),
        ("losses = list(others)", "len(val_loader)", "len(val_loader)", []),
        ("losses[-1] = other", "len(val_loader)", "len(val_loader)", []),
    ],
)
def test_the_last_item_of_a_list(between: str, by: str, val_by: str, found: list[str]) -> None:
    source = LAST.format(between=between, by=by, val_by=val_by)
    assert [code for code, _ in _found(source)] == found


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("train_loader", "train"),
        ("self_trainDataLoader", "train"),
        ("trainloader", "train"),
        ("val_dl", "val"),
        ("validation_data", "val"),
        ("dev_iter", "val"),
        ("loader_test", "test"),
        ("testset", "test"),
        ("eval_loader", "eval"),
        ("loader", ""),
        ("train_test_loader", ""),
        ("device_loader", ""),
        ("values", ""),
        ("trainer", ""),
        ("latest_loader", ""),
        ("interval_data", ""),
    ],
)
def test_the_part_of_the_data(name: str, part: str) -> None:
    assert part_of(name) == part


def test_parts_that_may_be_one() -> None:
    assert are_apart("train_loader", "eval_loader")
    assert not are_apart("test_loader", "eval_loader")
    assert not are_apart("valid_loader", "val_set")
