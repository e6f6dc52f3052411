"""Losses that two functions divide, and counts of the examples that a model, or several of them, was given."""

from __future__ import annotations

import textwrap
from pathlib import Path

import batchmean
import pytest

STEPS = """
import torch
from torch import nn


class Trainer:
    def __init__(self, model, optimizer, accumulation_steps):
        self.model, self.optimizer = model, optimizer
        self.accumulation_steps = accumulation_steps
        self.criterion = nn.CrossEntropyLoss()

    def loss_of(self, inputs, labels):
        return self.criterion(self.model(inputs), labels){inner}

    def fit(self, loader):
        for index, (inputs, labels) in enumerate(loader):
            loss = self.loss_of(inputs, labels){outer}
            loss.backward()
            if (index + 1) % self.accumulation_steps == 0:
                self.optimizer.step()
                self.optimizer.zero_grad()
"""
BY_STEPS = " / self.accumulation_steps"


@pytest.mark.parametrize(
    ("inner", "outer", "codes"),
    [
        (BY_STEPS, BY_STEPS, ["BMN504"]),
        (BY_STEPS, "", []),
        ("", BY_STEPS, []),
        ("", BY_STEPS * 2, ["BMN504"]),
        (BY_STEPS, " / self.grad_accum", []),  # another number
    ],
)
def test_a_method_divides_by_the_steps_and_its_caller_again(inner: str, outer: str, codes: list[str]) -> None:
    assert _codes(STEPS.format(inner=inner, outer=outer), "BMN504") == codes


GRADIENTS = """
import jax
import jax.numpy as jnp
import optax


def accumulated(weights, batches, accumulation_steps):
    parts = len(batches)

    def loss_of(weights, inputs, labels):
        losses = optax.softmax_cross_entropy_with_integer_labels(inputs @ weights, labels)
        return losses.mean(){inner}

    gradients = jnp.zeros_like(weights)
    for inputs, labels in batches:
        loss, gradient = jax.value_and_grad(loss_of)(weights, inputs, labels)
        gradients = gradients + gradient
    return gradients{outer}
"""


@pytest.mark.parametrize(
    ("inner", "outer", "codes"),
    [
        (" / accumulation_steps", " / accumulation_steps", ["BMN504"]),
        (" / parts", " / parts", ["BMN504"]),
        (" / parts", "", []),
        ("", " / parts", []),
        (" / parts", " / 2", []),
    ],
)
def test_the_sum_of_gradients_is_divided_by_what_divided_each_loss(
    inner: str, outer: str, codes: list[str]
) -> None:
    assert _codes(GRADIENTS.format(inner=inner, outer=outer), "BMN504") == codes


MODELS = """
import torch
import torch.nn.functional as F


def step(backbone, head, inputs, labels):
    features = F.relu(backbone(inputs))
    outputs = head(features)
    losses = F.cross_entropy(outputs, labels, reduction="none")
    return {loss}
"""


@pytest.mark.parametrize(
    ("loss", "codes"),
    [
        ("F.cross_entropy(outputs, labels) / inputs.size(0)", ["BMN301"]),
        ("losses.sum() / losses.shape[0] / inputs.size(0)", ["BMN301"]),
        ("((outputs - labels) ** 2).mean() / inputs.size(0)", ["BMN301"]),
        ("((outputs - labels) ** 2).sum(1).mean() / inputs.size(0)", ["BMN301"]),
        ("F.cross_entropy(outputs, labels, reduction='sum') / inputs.size(0)", []),
        ("losses.sum() / inputs.size(0)", []),
        ("((outputs - labels) ** 2).sum() / inputs.size(0)", []),
        ("((outputs - labels) ** 2).sum(0).mean() / inputs.size(0)", []),
        ("((outputs - labels) ** 2).sum(-1).mean() / inputs.size(0)", []),  # of one example, it may be
        ("((outputs - labels) ** 2).sum() / outputs.size(1) / inputs.size(0)", []),
    ],
)
def test_a_mean_is_divided_by_the_examples_of_the_first_of_several_models(
    loss: str, codes: list[str]
) -> None:
    assert _codes(MODELS.format(loss=loss), "BMN301") == codes


def test_what_is_called_a_loss_may_be_made_and_divided_at_once(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.batchmean]\npreview = true\n")
    (tmp_path / "objectives.py").write_text(
        textwrap.dedent("""
        import jax.numpy as jnp
        import optax

        def of_all(values):
            return jnp.sum(values) / values.shape[0]

        def classified(outputs, labels):
            return of_all(optax.softmax_cross_entropy_with_integer_labels(outputs, labels))
        """)
    )
    path = tmp_path / "train.py"
    path.write_text(
        textwrap.dedent("""
        import jax
        from objectives import classified

        def step(weights, inputs, labels):
            ce = classified(inputs @ weights, labels) / inputs.shape[0]
            return ce
        """)
    )
    (result,) = batchmean.check_files(path)
    assert [finding.code for finding in result.findings] == ["BMN301"]


EPOCH = """
import torch.nn.functional as F


def evaluate(model, {parameter}):
    total = 0.0
    for inputs, labels in {parameter}:
        total += F.cross_entropy(model(inputs), labels, reduction="sum").item()
    return total / len({parameter})


def main(model, data):
    return evaluate(model, data)
"""


@pytest.mark.parametrize(("parameter", "codes"), [("loader", ["BMN502"]), ("pairs", [])])
def test_what_a_caller_calls_it_takes_no_batches_away(parameter: str, codes: list[str]) -> None:
    assert _codes(EPOCH.format(parameter=parameter), "BMN502") == codes


@pytest.mark.parametrize(
    ("losses", "codes"),
    [
        ("torch.stack([loss_of(model, *batch) for batch in loader]).mean()", ["BMN502"]),
        ("np.mean([loss_of(model, x, y).item() for x, y in loader])", ["BMN502"]),
        ("torch.stack([loss_of(model, x, y) / len(y) for x, y in loader]).mean()", []),
        ("torch.stack([loss_of(model, x, y) for x, y in loader]).sum() / len(loader.dataset)", []),
    ],
)
def test_the_losses_of_all_batches_are_averaged_where_they_are_listed(losses: str, codes: list[str]) -> None:
    text = f"""
    import numpy as np
    import torch
    import torch.nn.functional as F

    def loss_of(model, inputs, labels):
        return F.cross_entropy(model(inputs), labels, reduction="sum")

    def evaluate(model, loader):
        return {losses}
    """
    assert _codes(text, "BMN502") == codes


def test_a_short_helper_of_another_module_compares_with_the_void_label(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.batchmean]\npreview = true\n")
    (tmp_path / "regions.py").write_text("def known(labels, void):\n    return labels.ne(void)\n")
    path = tmp_path / "segmentation.py"
    path.write_text(
        textwrap.dedent("""
        import torch.nn.functional as F
        from regions import known

        def loss(scores, labels, void):
            seen = known(labels, void)
            losses = F.cross_entropy(scores, labels * seen, reduction="none")
            return losses.masked_fill(~seen, 0.0).mean()
        """)
    )
    (result,) = batchmean.check_files(path)
    assert [finding.code for finding in result.findings] == ["BMN201"]


def _codes(text: str, code: str) -> list[str]:
    result = batchmean.check_source(textwrap.dedent(text), select=[code])
    assert not result.errors
    return [finding.code for finding in result.findings]


AGAIN = """
from contextlib import nullcontext


def train(model, loader, loss_of, optimizer, accumulation_steps):
    for index, (inputs, labels) in enumerate(loader):
        with nullcontext():
            loss = loss_of(model(inputs), labels) / accumulation_steps
        loss.backward()
        if (index + 1) % accumulation_steps == 0:
            if model.looks_twice:
                with nullcontext():
                    loss = {second} / accumulation_steps
                loss.backward()
            optimizer.step()
            optimizer.zero_grad()
"""


@pytest.mark.parametrize(("second", "codes"), [("loss_of(model(inputs), labels)", []), ("loss", ["BMN504"])])
def test_a_new_loss_in_a_with_block_takes_the_place_of_the_old_one(second: str, codes: list[str]) -> None:
    assert _codes(AGAIN.format(second=second), "BMN504") == codes


OF_TWO_LABELS = """
import torch
import torch.nn.functional as F


def caption_loss(logits, targets):
    loss = F.cross_entropy(logits.transpose(1, 2), targets, reduction="none")
    mask = {mask}
    return (loss * mask).{reduced}
"""
BOTH = (
    "((targets != -100) & (targets != 3)).float()",
    "(targets != -100).float() * (targets != 3).float()",
    "torch.logical_and(targets != -100, targets.ne(3)).float()",
    "((targets != 3) & (targets != -100) & (targets != 2)).float()",
)


@pytest.mark.parametrize("mask", BOTH)
def test_a_mask_without_another_label_is_a_mask(mask: str) -> None:
    assert _codes(OF_TWO_LABELS.format(mask=mask, reduced="mean()"), "BMN201") == ["BMN201"]
    right = f"sum() / ({mask}).sum()"
    assert _codes(OF_TWO_LABELS.format(mask=mask, reduced=right), "BMN201") == []


@pytest.mark.parametrize(
    "mask",
    ["((targets != -100) & (logits[..., 0] != 3)).float()", "((targets != 2) & (targets != 3)).float()"],
)
def test_a_mask_with_another_condition_is_not_followed(mask: str) -> None:
    assert _codes(OF_TWO_LABELS.format(mask=mask, reduced="mean()"), "BMN201") == []
