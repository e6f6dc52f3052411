"""Losses of one class at a time: what is averaged over the classes, beside what only looks so."""

from __future__ import annotations

import textwrap
from typing import Any

import batchmean
import pytest

LOSS = """
import torch
import torch.nn.functional as F

def loss(logits, labels, weights, other):
    n = logits.shape[1]
    log_probs = F.log_softmax(logits, dim=1)
    target = F.one_hot(labels, n).float()
    ce = -target * log_probs
    {body}
"""
SUM = """
total = 0.0
for c in range({rounds}):
    {each}
return {result}
"""
LIST = """
losses = {begin}
for c in range(n):
    losses.append({each})
return {result}
"""
MEAN = "(-target[:, c] * log_probs[:, c]).mean()"


def _codes(body: str) -> list[str]:
    source = LOSS.format(body=textwrap.indent(textwrap.dedent(body), "    ").strip())
    result = batchmean.check_source(source)
    assert not result.errors
    return [finding.code for finding in result.findings]


@pytest.mark.parametrize(
    ("rounds", "each", "result", "codes"),
    [
        ("n", f"total += {MEAN}", "total / n", ["BMN101"]),
        ("n", f"total += {MEAN}", "total", []),
        ("n", f"total += {MEAN}", "total / n * n", []),
        ("n", f"mine = {MEAN}\n    total += mine", "total / n", ["BMN101"]),
        ("n", "mine = log_probs[:, c]\n    total -= (target[:, c] * mine).mean()", "total / n", ["BMN101"]),
        ("n - 1", f"total += {MEAN}", "total / n", []),
        ("other", f"total += {MEAN}", "total / other", []),
        ("n", f"total += weights[c] * {MEAN}", "total / weights.sum()", []),
        ("n", "total += ce[:, c].sum()", "total / len(logits)", []),
        ("n", "total += ((target[:, c] - log_probs[:, c].exp()) ** 2).mean()", "total / n", []),
        ("n", "total += (other * log_probs[:, c]).mean()\n    other = target[:, c]", "total / n", []),
        ("n", f"if c == 0:\n        continue\n    total += {MEAN}", "total", []),
        ("n", "total += (target[:, c] * log_probs[:, c]).sum() / target[:, c].sum()", "total / n", []),
    ],
)
def test_a_loop_that_adds_up(rounds: str, each: str, result: str, codes: list[str]) -> None:
    assert _codes(SUM.format(rounds=rounds, each=each, result=result)) == codes


@pytest.mark.parametrize(
    ("begin", "each", "result", "codes"),
    [
        ("[]", MEAN, "torch.stack(losses).mean()", ["BMN102"]),
        ("[]", MEAN, "sum(losses) / len(losses)", ["BMN101"]),
        ("[]", MEAN, "sum(losses) / n", ["BMN101"]),
        ("[]", MEAN, "sum(losses)", []),
        ("[]", MEAN, "torch.stack(losses)", []),
        ("[]", MEAN, "(torch.stack(losses) * weights).sum()", []),
        ("[torch.tensor(0.0)]", MEAN, "sum(losses)", []),
        ("[]", f"{MEAN} / target[:, c].mean()", "torch.stack(losses).mean()", []),
    ],
)
def test_a_loop_that_lists(begin: str, each: str, result: str, codes: list[str]) -> None:
    assert _codes(LIST.format(begin=begin, each=each, result=result)) == codes


PAIR = "[ce[:, 0], ce[:, 1]]"


@pytest.mark.parametrize(
    ("result", "codes"),
    [
        (f"torch.stack({PAIR}).mean()", ["BMN102"]),
        (f"torch.stack({PAIR}).mean() * 2", []),
        (f"torch.stack({PAIR}).sum(0).mean()", []),
        (f"torch.stack({PAIR}, dim=1).sum(dim=1).mean()", []),
        (f"torch.stack({PAIR}, 1).sum(-1).mean()", []),
        (f"torch.stack({PAIR}).mean(1)", []),
        ("torch.stack([ce[:, 0].mean(), ce[:, 1].mean()]).mean()", ["BMN102"]),
        ("torch.stack([ce[:, 0].mean(), ce[:, 1].mean()]).sum()", []),
        ("torch.stack([ce[:, 1], ce[:, 0]]).mean()", []),
        ("torch.stack([ce[:, 0], log_probs[:, 1]]).mean()", []),
        ("torch.stack([logits[:, 0], logits[:, 1]]).mean()", []),
    ],
)
def test_columns_in_a_list(result: str, codes: list[str]) -> None:
    assert _codes(f"return {result}") == codes


def test_a_column_of_the_identity_is_an_example_and_one_of_a_permuted_target_is_a_class() -> None:
    permuted = """
    target = F.one_hot(labels, n).permute(0, 3, 1, 2)
    total = 0.0
    for c in range(n):
        if other:
            total = total - torch.mean(target[:, c] * torch.log(logits.softmax(1)[:, c] + 1e-8))
    return total
    """
    assert _codes(permuted) == []
    assert _codes("return -(torch.eye(n)[:, labels] * torch.log(logits.T.softmax(0))).mean()") == ["BMN102"]


WRONG = {
    "a loop": SUM.format(rounds="n", each=f"total += {MEAN}", result="total / n"),
    "a list": LIST.format(begin="[]", each=MEAN, result="torch.stack(losses).mean()"),
    "a comprehension": f"return torch.stack([{MEAN} for c in range(n)]).mean()",
    "three columns": "return torch.stack([ce[:, 0], ce[:, 1], ce[:, 2]]).mean()",
}


@pytest.mark.heavy
@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("shape", [(7, 3), (2, 3, 4, 5)])
def test_the_factor_is_the_number_of_classes(name: str, shape: tuple[int, ...]) -> None:
    torch = pytest.importorskip("torch")
    source = LOSS.format(body=textwrap.indent(WRONG[name], "    ").strip())
    if len(shape) > 2:
        source = source.replace(".float()", ".permute(0, 3, 1, 2).float()")
    assert [finding.code for finding in batchmean.check_source(source).findings] != []
    names: dict[str, Any] = {}
    exec(source, names)
    logits = torch.randn(shape, dtype=torch.float64)
    labels = torch.arange(logits[:, 0].numel()).reshape(logits[:, 0].shape) % 3
    right = torch.nn.functional.cross_entropy(logits, labels)
    assert names["loss"](logits, labels, None, None) * 3 == pytest.approx(right)
