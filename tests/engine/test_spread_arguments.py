"""`*sizes` and lists of sizes: what nothing counts is not one."""

from __future__ import annotations

import pytest
from batchmean import check_source

LOSS = """\
import torch
import torch.nn.functional as F


def reduced(x, how="mean"):
    if how == "sum":
        return x.sum() / x.shape[0]
    return x.mean()


def loss(logits, labels, size, *more):
    x = -F.log_softmax(logits, -1) * F.one_hot(labels, 10)
    {statement}
"""


def _found(statement: str) -> list[tuple[str, str]]:
    result = check_source(LOSS.format(statement=statement))
    assert not result.errors
    return [(finding.code, finding.message) for finding in result.findings]


@pytest.mark.parametrize(
    "statement",
    [
        "return x.view(*size).sum(1).mean()",
        "return x.view(size).sum(1).mean()",
        "return x.view(len(x), *size).sum(1).mean()",
        "return x.reshape([*labels.shape, 10]).sum(1).mean()",
        "return x.reshape(list(labels.shape) + [10]).sum(1).mean()",
        "return x.view(labels.shape + (10,)).sum(1).mean()",
        "return x.view(x.shape[:-1] + (10,)).sum(-1).mean()",
        "return x.permute(*reversed(range(x.ndim))).sum(0).mean()",
        "return torch.mean(x, *more)",
        "return x.sum(*more).mean()",
        "return x.permute(0, *more).sum(1).mean()",
        "return F.kl_div(x, x.exp(), *more)",
        "return F.kl_div(*more)",
        'return F.kl_div(x, x.exp(), **{"log_target": False, **size})',
        'return F.kl_div(x, x.exp(), **{"reduction": "mean", **size})',
        "return F.kl_div(x, x.exp(), **dict(log_target=False, **size))",
        "return F.kl_div(x, x.exp(), **dict(size, log_target=False))",
    ],
)
def test_what_is_not_counted_decides_nothing(statement: str) -> None:
    assert _found(statement) == []


@pytest.mark.parametrize(
    "statement",
    [
        "return x.view(*x.shape).mean()",
        "return x.view([*x.shape]).mean()",
        "return x.view(x.shape[:-1] + (10,)).mean()",
        "return x.view([*labels.shape, 10]).mean()",
        "return torch.mean(x, *())",
    ],
)
def test_all_elements_are_all_elements(statement: str) -> None:
    assert [code for code, _ in _found(statement)] == ["BMN102"]


def test_a_row_of_all_elements_is_not_one_example() -> None:
    """Their sum is not divided by the examples: the message asks for the sum over the classes."""
    [(code, message)] = _found("return x.view(-1).mean()")
    assert code == "BMN102" and message.endswith("use .sum(dim=-1).mean()")


@pytest.mark.parametrize("told", ['{**{"log_target": False}, "reduction": "mean"}', "dict(log_target=False)"])
def test_a_dictionary_whose_keys_are_all_known_is_known(told: str) -> None:
    assert [code for code, _ in _found(f"return F.kl_div(-x, x.exp(), **{told})")] == ["BMN103"]
