"""The fixes of totals over batches: each mean weighed by its examples, a sum over the examples of the loader."""

from __future__ import annotations

import pytest
from batchmean.findings import Finding
from batchmean.linter import lint
from batchmean.source import apply

LOOP = """\
import torch.nn.functional as F
from torch.utils.data import DataLoader

def epoch(model, data):
    loader = DataLoader(data, batch_size=8)
    total, seen, losses = 0.0, 0, []
    for inputs, labels in loader:
        loss = F.cross_entropy(model(inputs), labels)
        summed = F.cross_entropy(model(inputs), labels, reduction="sum")
        seen += len(labels)
        {adding}
    {told}
"""


def written(adding: str, told: str) -> str:
    return LOOP.format(adding=adding, told=told)


def only_finding(source: str) -> Finding:
    [finding] = lint(source, "x.py", fixes=True)
    return finding


@pytest.mark.parametrize(
    ("adding", "told", "after_adding", "after_told"),
    [
        ("total += loss.item()", "return total / len(data)", "total += loss.item() * len(labels)", ""),
        ("total += loss.item()", "return total / seen", "total += loss.item() * len(labels)", ""),
        ("total += loss.item()", "total /= seen; return total", "total += loss.item() * len(labels)", ""),
        ("total = total + loss", "return total / seen", "total = total + loss * len(labels)", ""),
        ("total += -1 * -loss", "return total / seen", "total += (-1 * -loss) * len(labels)", ""),
        (
            "losses.append(loss.item())",
            "return sum(losses) / seen",
            "losses.append(loss.item() * len(labels))",
            "",
        ),
        ("total += loss / len(data)", "return total", "total += loss * len(labels) / len(data)", ""),
        ("total += summed", "return total / len(loader)", "", "return total / len(loader.dataset)"),
        (
            "total += summed",
            "total /= len(loader); return total",
            "",
            "total /= len(loader.dataset); return total",
        ),
    ],
)
def test_a_total_is_put_right(adding: str, told: str, after_adding: str, after_told: str) -> None:
    source = written(adding, told)
    finding = only_finding(source)
    assert finding.fix is not None, finding.no_fix
    assert not finding.fix.safe
    after = apply(source, finding.fix.edits)
    assert after == written(after_adding or adding, after_told or told)
    assert not lint(after, "x.py")


@pytest.mark.parametrize(
    ("adding", "told", "reason"),
    [
        ("total += loss.item(); print(total)", "return total / seen", "read in other places"),
        ("total += loss.item()", "return total, total / seen", "read in other places"),
    ],
)
def test_what_is_not_certain_has_no_fix(adding: str, told: str, reason: str) -> None:
    finding = only_finding(written(adding, told))
    assert finding.fix is None and reason in (finding.no_fix or "")


def test_what_a_sampler_leaves_out_is_not_counted() -> None:
    source = written("total += summed", "return total / len(loader)").replace("=8)", "=8, sampler=some)")
    finding = only_finding(source)
    assert finding.code == "BMN502" and finding.fix is None


def test_a_batch_without_a_name_is_not_counted() -> None:
    source = written("total += loss.item()", "return total / len(data)")
    source = source.replace("inputs, labels in loader", "batch in loader").replace("labels", "batch[1]")
    finding = only_finding(source.replace("inputs", "batch[0]"))
    assert finding.code == "BMN501" and finding.no_fix is not None
