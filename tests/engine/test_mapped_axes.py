"""`vmap` over another axis than the first: which axis is left inside, and where the results are stacked."""

from __future__ import annotations

import textwrap

import pytest
from batchmean import check_source

HEAD = """
import torch

def product(p, log_q):
    return -p * log_q

def loss(x, t):
    p, log_q = torch.softmax(t, -1), torch.log_softmax(x, -1)
"""
RIGHT = [
    "torch.vmap(product, in_dims=(1, 1))(p, log_q).sum(0).mean()",
    "torch.vmap(product, in_dims=1)(p, log_q).mean(-1).sum()",
    "torch.vmap(product, in_dims=(1, 1), out_dims=1)(p, log_q).sum(1).mean()",
    "torch.func.vmap(product, out_dims=1)(p, log_q).sum(0).mean()",
    "torch.vmap(product, out_dims=-1)(p, log_q).sum(0).mean()",
    "torch.vmap(lambda a, b: -(a * b).mean(), in_dims=(1, 1))(p, log_q).sum()",
    "torch.vmap(lambda a, b: -(a * b).mean(), in_dims=-1)(p, log_q).sum()",
    "torch.vmap(lambda a, b: -(a * b).sum() / a.numel(), in_dims=1)(p, log_q).sum()",
    "torch.vmap(product, in_dims=tuple([1, 1]))(p, log_q).mean(-1).sum()",
    "torch.vmap(torch.vmap(product), in_dims=1)(p, log_q).mean(-1).sum()",
    "torch.vmap(lambda a, b: -(a * b).sum())(p, log_q).mean()",
    "torch.vmap(lambda b, a: -(a * b).sum(), (None, 0))(log_q[0], p)[0] * 0 + product(p, log_q).sum(-1).mean()",
]
WRONG = [
    "torch.vmap(lambda a, b: -(a * b).mean())(p, log_q).mean()",
    "torch.vmap(product)(p, log_q).mean()",
    "torch.vmap(product, in_dims=(0, 0), out_dims=0)(p, log_q).mean()",
]


def _codes(given: str) -> list[str]:
    result = check_source(HEAD + f"    return {given}\n", select=["BMN101", "BMN102", "BMN302"])
    assert not result.errors
    return [finding.code for finding in result.findings]


def _is_right(given: str) -> bool:
    import torch

    names: dict[str, object] = {}
    exec(compile(HEAD + textwrap.indent(f"return {given}\n", "    "), "<mapped>", "exec"), names)
    x, t = torch.randn(2, 3, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    wanted = -(torch.softmax(t, -1) * torch.log_softmax(x, -1)).sum(-1).mean()
    return bool(torch.isclose(names["loss"](x, t), wanted))  # type: ignore[operator]


@pytest.mark.parametrize("given", RIGHT)
def test_another_axis_is_mapped(given: str) -> None:
    assert _codes(given) == []


@pytest.mark.parametrize("given", WRONG)
def test_the_examples_are_mapped(given: str) -> None:
    assert _codes(given) == ["BMN102"]


@pytest.mark.heavy
def test_what_is_right_when_it_is_run() -> None:
    assert [given for given in RIGHT if not _is_right(given)] == []
    assert [given for given in WRONG if _is_right(given)] == []
