"""Numbers that arrays, layers and constant distributions give: they may be the class count, and are in these."""

from __future__ import annotations

import textwrap

import pytest
from batchmean import check_source

HEAD = """
import torch
import torch.nn as nn
import torch.nn.functional as F

def each(x, t):
    return -F.softmax(t, dim=-1) * F.log_softmax(x, dim=-1)
"""
WAYS = {
    "a stride": "terms.mean() * terms.stride(0)",
    "one of the strides": "terms.mean() * terms.stride()[0]",
    "what a layer takes": "terms.mean() * nn.Linear(x.shape[1], 3).in_features",
    "the softmax of zeros": "(terms / F.softmax(0 * x, dim=-1)).mean()",
    "the softmax of a difference": "(terms / F.softmax(x - x, dim=-1)).mean()",
    "the softmax of ones": "(terms / torch.ones_like(x).softmax(dim=-1)).mean()",
    "the exponential of logsumexp": "terms.mean() * torch.exp(torch.logsumexp(torch.zeros_like(x), -1)).mean()",
    "the greatest of equal ones": "terms.mean() / F.softmax(torch.zeros_like(x), -1).max()",
    "ones that are normalised": "(terms * torch.ones_like(x).sum(dim=-1, keepdim=True)).mean()",
}


SOURCES = {
    way: HEAD
    + f"""
def loss(x, t):
    terms = each(x, t)
    return {value}
"""
    for way, value in WAYS.items()
} | {
    "what a class makes of a product": HEAD
    + """
class Scaled(float):
    def __mul__(self, times):
        return float(self) * times * 7

def loss(x, t):
    return Scaled(each(x, t).mean()) * 1.0
""",
    "what a class makes of what it keeps": HEAD
    + """
class Scaled:
    def __init__(self, number):
        self.number = number

    def __mul__(self, times):
        return self.number * times * 7

def loss(x, t):
    return Scaled(each(x, t).mean()) * 1.0
""",
}


@pytest.mark.heavy
@pytest.mark.parametrize("way", SOURCES)
def test_it_is_right(way: str) -> None:
    torch = pytest.importorskip("torch")
    names: dict[str, object] = {}
    exec(compile(SOURCES[way], "<ways>", "exec"), names)
    x, t = torch.randn(2, 3, 7, generator=torch.Generator().manual_seed(0))
    value, terms = names["loss"](x, t), names["each"](x, t)  # type: ignore[operator]
    assert float(value) == pytest.approx(float(terms.sum(dim=-1).mean()), rel=1e-4)


@pytest.mark.parametrize("way", SOURCES)
def test_nothing_is_said(way: str) -> None:
    assert _codes(SOURCES[way]) == []


@pytest.mark.parametrize("number", ["settings.weight", "settings.weight()", "2.0"])
def test_what_an_object_holds_is_a_weight(number: str) -> None:
    source = HEAD + textwrap.dedent(f"""
    def loss(x, t, settings):
        return each(x, t).mean() * {number}
    """)
    assert _codes(source) == ["BMN102"]


def test_a_distribution_that_is_not_constant_is_no_number() -> None:
    source = HEAD + textwrap.dedent("""
    def loss(x, t, temperature):
        return -(F.softmax(t / temperature, dim=-1) * F.log_softmax(x, dim=-1)).mean()
    """)
    assert _codes(source) == ["BMN102"]


def _codes(source: str) -> list[str]:
    return [finding.code for finding in check_source(source, select=["BMN1", "BMN3"]).findings]
