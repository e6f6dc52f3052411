"""Kinds of right code that were reported at first contact, each beside the wrong code that must still be found."""

from __future__ import annotations

import textwrap

import batchmean
import pytest

TRAINING = """
import torch

def epoch(model, criterion, loader, optimizer):
    total, seen = 0.0, 0
    for x, y in loader:
        optimizer.zero_grad()
        {loss}
        {step}
        total += {added}
        seen += len(x)
    return total / seen
"""


def _codes(source: str) -> list[str]:
    result = batchmean.check_source(
        textwrap.dedent(source), select=["BMN201", "BMN202", "BMN301", "BMN501", "BMN502", "BMN504"]
    )
    assert not result.errors
    return [finding.code for finding in result.findings]


@pytest.mark.parametrize(
    ("loss", "step", "added", "codes"),
    [
        ("loss = criterion(model(x), y)", "loss.backward()", "loss.item()", ["BMN501"]),
        # What is summed and averaged is a loss per example.
        ("losses = criterion(model(x), y)", "losses.mean().backward()", "losses.sum().item()", []),
        # A variational bound is a sum as often as a mean.
        ("loss = criterion(model(x), x, mu, logvar)", "loss.backward()", "loss.item()", []),
        ("loss = criterion(model(x), x, self.mu, self.log_var)", "loss.backward()", "loss.item()", []),
    ],
)
def test_a_criterion_out_of_sight_is_a_mean_only_where_nothing_speaks_against_it(
    loss: str, step: str, added: str, codes: list[str]
) -> None:
    assert _codes(TRAINING.format(loss=loss, step=step, added=added)) == codes


def test_a_number_laid_over_a_mask_is_an_array_again() -> None:
    source = """
    import torch.nn.functional as F

    def loss(logits, labels, target_mask):
        return (F.cross_entropy(logits, labels) * target_mask) / target_mask.sum()
    """
    assert _codes(source) == []
    assert _codes(source.replace("target_mask) /", "target_mask).sum() /")) == ["BMN202"]


def test_a_difference_that_is_only_printed_is_no_loss() -> None:
    source = """
    def compare(out, reference, padding_mask):
        out = out.masked_fill(padding_mask, 0.0)
        reference = reference.masked_fill(padding_mask, 0.0)
        {}
    """
    assert _codes(source.format('print(f"{(out - reference).abs().mean().item()}")')) == []
    assert _codes(source.format("return (out - reference).abs().mean()")) == ["BMN201"]


@pytest.mark.parametrize(
    ("plugin", "divisor", "codes"),
    [
        ("DeepSpeedPlugin(gradient_accumulation_steps=accum_steps)", "accum_steps", ["BMN504"]),
        ("DeepSpeedPlugin(gradient_accumulation_steps=accum_steps)", "1", []),
        ("DeepSpeedPlugin(zero_stage=2)", "accum_steps", []),
    ],
)
def test_the_statements_of_a_module_are_a_loop_too(plugin: str, divisor: str, codes: list[str]) -> None:
    source = f"""
    import torch
    from accelerate import Accelerator, DeepSpeedPlugin

    accum_steps = 8
    plugin = {plugin}
    accelerator = Accelerator(deepspeed_plugin=plugin)
    for step, batch in enumerate(loader):
        loss = model(**batch).loss / {divisor}
        accelerator.backward(loss)
        if (step + 1) % accum_steps == 0:
            optimizer.step()
            optimizer.zero_grad()
    """
    assert _codes(source) == codes


@pytest.mark.parametrize(("told", "codes"), [("none", []), ("mean", ["BMN202"])])
def test_a_criterion_may_be_told_later_how_to_reduce(told: str, codes: list[str]) -> None:
    later = "self.loss.reduction = 'none'" if told == "none" else "pass"
    source = f"""
    import torch
    from torch import nn

    class Edges(nn.Module):
        def __init__(self):
            self.loss = nn.L1Loss()
            {later}

        def forward(self, output, image, valid_mask):
            return torch.mean(valid_mask * self.loss(output, image))
    """
    assert [code for code in _codes(source) if code != "BMN201"] == codes
