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


@pytest.mark.parametrize("name", ["item", "reduce"])
def test_a_method_of_any_name_gives_the_loss_beside_which_a_mean_is_a_statistic(name: str) -> None:
    source = """
    import torch.nn.functional as F

    class Loss:
        def {name}(self, each, valid):
            return (each.sum(-1) * valid).sum() / valid.sum()

        def __call__(self, logits, targets, valid):
            each = -F.softmax(targets, -1) * F.log_softmax(logits, -1)
            return {given}
    """
    beside = f"self.{name}(each, valid), each.mean()"
    assert _codes(source.format(name=name, given=beside), "BMN102") == []
    assert _codes(source.format(name=name, given="each.mean(), each"), "BMN102") == ["BMN102"]


def test_a_mean_beside_a_loss_that_one_option_leaves_as_it_is() -> None:
    source = """
    import torch.nn.functional as F

    def loss(logits, labels, reduction="mean"):
        each = F.cross_entropy(logits.transpose(1, 2), labels, reduction="none", ignore_index=-100)
        if reduction == "mean":
            total = ((each * (labels != -100)).sum(1) / (labels != -100).sum(1)).mean()
        else:
            total = each
        return {given}
    """
    assert _codes(source.format(given="total, each.mean()"), "BMN201") == []
    assert _codes(source.format(given="each.mean(), total"), "BMN201") == ["BMN201"]


@pytest.mark.parametrize(
    "means", ["(row.mean() for row in each)", "[row.mean() for row in each]", "map(np.mean, each)"]
)
def test_a_sum_of_the_means_of_rows_is_no_mean(means: str) -> None:
    source = """
    import numpy as np

    def loss(pred, target):
        each = np.where(np.abs(pred - target) < 1, (pred - target) ** 2, np.abs(pred - target))
        return {total} / {count}
    """
    for count in ("pred.shape[1]", "len(pred)"):
        assert _codes(source.format(total=f"sum({means})", count=count), "BMN301") == []
    assert _codes(source.format(total="each.mean()", count="len(pred)"), "BMN301") == ["BMN301"]


def test_an_axis_of_a_row_is_not_the_first_of_all() -> None:
    source = """
    import numpy as np

    def loss(pred, target):
        each = np.where(np.abs(pred - target) < 1, (pred - target) ** 2, np.abs(pred - target))
        total = 0.0
        for row in each:
            total += row.mean() / row.shape[0]
        return total / len(each)
    """
    result = batchmean.check_source(textwrap.dedent(source), select=["BMN301"])
    assert all("B" not in (finding.factor or {}) for finding in result.findings)


@pytest.mark.parametrize(("axis", "codes"), [("-2", []), ("0", []), ("1", ["BMN502"]), ("-1", ["BMN502"])])
def test_the_second_axis_from_the_right_may_be_that_of_the_examples(axis: str, codes: list[str]) -> None:
    source = f"""
    import numpy as np

    def divergence(mu, logvar):
        return (-0.5 * (1 + logvar - mu ** 2 - np.exp(logvar))).mean(axis={axis}).sum()

    def epoch(loader):
        total = 0.0
        for mu, logvar in loader:
            total += divergence(mu, logvar)
        return total / len(loader)
    """
    assert _codes(source, "BMN502") == codes


@pytest.mark.parametrize("each", ["(p * log_q).sum(-1) / logits.shape[-1]", "(p * log_q).mean(-1)"])
def test_a_sum_that_an_option_asks_for_is_no_mean_over_the_wrong_axis(each: str) -> None:
    source = """
    import torch.nn.functional as F

    def loss(logits, targets, reduction="none"):
        p, log_q = F.softmax(targets, -1), F.log_softmax(logits, -1)
        each = -{each}
        {option}
            return each.sum()
        return each
    """
    (one,) = batchmean.check_source(
        textwrap.dedent(source.format(each=each, option="if reduction == 'sum':")),
        select=["BMN101", "BMN102", "BMN302"],
    ).findings
    assert (one.code in ("BMN101", "BMN102"), one.confidence, one.factor) == (True, "proved", {"V": -1})
    assert _codes(source.format(each=each, option="if True:"), "BMN302") == ["BMN302"]
