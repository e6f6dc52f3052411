"""A helper that an option of another module makes a sum: a division that is right of a sum is not shown to be wrong."""

from __future__ import annotations

import textwrap

import pytest
from batchmean import check_source

HELPERS = {
    "an item": 'if settings.OPTIONS["reduction"] == "mean":\n        return loss.mean()\n    return loss.sum()',
    "a name": 'return loss.mean() if settings.REDUCTION == "mean" else loss.sum()',
    "a flag": "return loss.mean() if settings.AVERAGE else loss.sum()",
}


@pytest.mark.parametrize("helper", HELPERS)
def test_it_is_not_proved(helper: str) -> None:
    source = _source(HELPERS[helper], "loss", "")
    assert all(not confidence.startswith("proved") for confidence in _confidences(source))


@pytest.mark.parametrize("default", ["True", "1"])
def test_what_a_default_makes_a_mean_is_proved(default: str) -> None:
    source = _source("return loss.mean() if average else loss.sum()", f"loss, average={default}", "")
    assert _confidences(source) == ["proved"]


def test_what_one_of_several_words_makes_a_mean_is_proved() -> None:
    body = 'return loss.mean() if how in ("mean", "average") else loss.sum()'
    assert _confidences(_source(body, 'loss, how="mean"', "")) == ["proved"]


def test_what_a_call_makes_a_mean_is_proved() -> None:
    source = _source("return loss.mean() if average else loss.sum()", "loss, average", ", True")
    assert _confidences(source) == ["proved"]


def _source(body: str, parameters: str, given: str) -> str:
    return textwrap.dedent(f"""
import settings
import torch

def reduced({parameters}):
    {body}

def objective(x, t):
    terms = -torch.softmax(t, dim=-1) * torch.log_softmax(x, dim=-1)
    return reduced(terms.sum(dim=-1){given}) / x.shape[0]
""")


def _confidences(source: str) -> list[str]:
    return [finding.confidence for finding in check_source(source, select=["BMN301"]).findings]
