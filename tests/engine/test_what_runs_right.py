"""Right programs of the generator that were told: each with a wrong one beside it that still is."""

from __future__ import annotations

import textwrap

import batchmean
import pytest


def _codes(source: str, *select: str) -> list[str]:
    result = batchmean.check_source(textwrap.dedent(source), select=select)
    assert not result.errors
    return [finding.code for finding in result.findings]


TWO_SUMS = """
import torch.nn.functional as F

def loss(logits, labels, how="mean"):
    picked = F.log_softmax(logits, dim=-1).gather(-1, labels.clamp(min=0).unsqueeze(-1))
    each, valid = -picked.squeeze(-1), labels != -100
    if how == "mean":
        total = (each * valid.float()).{first}
    else:
        total = (each * valid.float()).sum()
    if how == "mean":
        total = total / {count}
    else:
        total = total / labels.numel()
    return total
"""


def test_the_same_masked_sum_on_two_ways_is_one_choice_of_a_divisor() -> None:
    assert _codes(TWO_SUMS.format(first="sum()", count="valid.float().sum()"), "BMN201") == []
    assert _codes(TWO_SUMS.format(first="sum()", count="labels.numel()"), "BMN201") != []
    assert _codes(TWO_SUMS.format(first="mean()", count="1"), "BMN201") != []


@pytest.mark.parametrize("given", ["classes", "x.shape[1]"])
@pytest.mark.parametrize("mean", ["-(p * log_q).mean()", "F.kl_div(log_q, p, reduction='mean')"])
def test_a_helper_whose_caller_multiplies_by_what_may_be_the_classes(mean: str, given: str) -> None:
    source = """
    import torch.nn.functional as F

    def reduced(x, y):
        log_q, p = F.log_softmax(x, dim=-1), F.softmax(y, dim=-1)
        return {mean}

    def loss(x, y):
        classes = x.shape[1]
        return reduced(x, y) * {given}
    """
    assert _codes(source.format(mean=mean, given=given), "BMN102", "BMN103") == []
    assert _codes(source.format(mean=mean, given="2.0"), "BMN102", "BMN103") != []


@pytest.mark.parametrize(
    "sizes", ["*labels.shape, CLASSES", "len(labels), CLASSES", "(*labels.shape, CLASSES)"]
)
def test_a_number_that_is_imported_is_the_length_of_an_axis(sizes: str) -> None:
    source = """
    import torch
    import torch.nn.functional as F
    from settings import CLASSES

    def loss(logits, labels):
        target = torch.zeros({sizes}).scatter_(-1, labels.unsqueeze(-1), 1.0)
        return -(target * F.log_softmax(logits, dim=-1)).sum() / {count}
    """
    assert _codes(source.format(sizes=sizes, count="labels.numel()"), "BMN1", "BMN3") == []
    assert _codes(source.format(sizes=sizes, count="logits.numel()"), "BMN1", "BMN3") == ["BMN101"]


def test_a_type_behind_a_shape_is_none() -> None:
    source = """
    import jax.numpy as jnp
    import jax

    def loss(logits, labels):
        target = jnp.zeros(logits.shape, jnp.float32).at[jnp.arange(len(labels)), labels].set(1)
        return -(target * jax.nn.log_softmax(logits)).mean()
    """
    assert _codes(source, "BMN102") == ["BMN102"]


def test_what_is_called_out_need_not_be_written_to() -> None:
    source = """
    import enum
    import types
    import torch.nn.functional as F

    class How(enum.Enum):
        MEAN = "mean"
        SUM = "sum"

    DEFAULT = types.SimpleNamespace(out=How.MEAN)

    def loss(pred, target, settings):
        each = (pred - target) ** 2
        total = {first} if settings.out == How.MEAN else {second}
        return total.mean() if settings.out.value == "mean" else total
    """
    assert _codes(source.format(first="each", second="each.sum()"), "BMN303") == []
    assert _codes(source.format(first="each.sum()", second="each"), "BMN303") == ["BMN303"]


@pytest.mark.parametrize("copied", ["loss.clone()", "torch.clone(loss)", "loss.copy()", "np.copy(loss)"])
@pytest.mark.parametrize("taken", ["loss", "other"])
def test_what_is_done_to_a_copy_is_done_to_it_alone(copied: str, taken: str) -> None:
    source = f"""
import numpy as np
import torch

def entropy(logits):
    loss = -torch.softmax(logits, dim=-1) * torch.log_softmax(logits, dim=-1)
    other = {copied}
    other *= logits.shape[-1]
    return {taken}.mean()
"""
    found = batchmean.check_source(source, select=["BMN102"]).findings
    assert [one.code for one in found] == (["BMN102"] if taken == "loss" else [])


@pytest.mark.parametrize("given", ["total", "-total", "2 * total", "total + logits.square().sum()"])
def test_what_is_divided_in_place_is_what_is_given_back(given: str) -> None:
    source = """
    import torch.nn.functional as F

    def loss(logits, targets):
        total = (F.softmax(targets, dim=-1) * F.log_softmax(logits, dim=-1)).sum()
        total.div_({count})
        return {given}
    """
    assert _codes(source.format(count="logits.numel()", given=given), "BMN101") == ["BMN101"]
    assert _codes(source.format(count="len(logits)", given=given), "BMN101") == []
