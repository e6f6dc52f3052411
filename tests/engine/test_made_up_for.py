"""Ways to make up for the mean, or to take the classes away, that are easily overlooked; each beside a wrong one."""

from __future__ import annotations

import pytest
from batchmean import check_source
from batchmean.linter import lint

LOSS = """\
import numpy as np
import torch
import torch.nn.functional as F


def loss(logits, labels, mask, axes):
    hot = F.one_hot(labels, 10)
    x = -F.log_softmax(logits, -1) * hot
    {statement}
"""


def _found(statement: str) -> list[tuple[str, str]]:
    result = check_source(LOSS.format(statement=statement.replace("\n", "\n    ")))
    assert not result.errors
    return [(finding.code, finding.confidence) for finding in result.findings]


@pytest.mark.parametrize(
    "statement",
    [
        "return (x * 10).mean()",
        "return (10 * hot * -F.log_softmax(logits, -1)).mean()",
        "return x[x > 0].mean()",
        "return x[hot.bool()].mean()",
        "return torch.masked_select(x, hot > 0).mean()",
        "return torch.masked_select(x, mask).mean()",
        "return np.mean(x, where=hot > 0)",
        "for axis in axes:\n    x = x.sum(axis)\nreturn x.mean()",
        "for _ in range(1):\n    x = x.sum(-1)\nreturn x.mean()",
        "x = -F.log_softmax(logits, -1) * (hot * 0.9 + 0.1 / logits.size(-1))\nreturn (x * logits.size(-1)).mean()",
        "return (x * logits.size(-1) + mask).mean()",
        "even = torch.ones(10)\nx = x / (even / even.sum())\nreturn sum([row.mean() for row in x]) / len(x)",
    ],
)
def test_what_is_made_up_for_is_right(statement: str) -> None:
    assert _found(statement) == []


@pytest.mark.parametrize(
    ("statement", "confidence"),
    [
        ("return (x * 3).mean()", "proved"),
        ("return x[labels != -100].mean()", "proved"),
        ("return x[mask].mean()", "likely"),
        ("return torch.masked_select(x, mask.unsqueeze(-1)).mean()", "proved"),
        ("return np.mean(x, where=mask[:, None])", "proved"),
        ("for axis in axes:\n    print(axis)\nreturn x.mean()", "proved"),
        (
            "x = -F.log_softmax(logits, -1) * (hot * 0.9 + 0.1 / logits.size(-1))\nreturn x.mean()",
            "proved",
        ),
        (
            "even = torch.ones(logits.size(-1))\nx = x / even\nreturn sum([row.mean() for row in x]) / len(x)",
            "proved",
        ),
    ],
)
def test_what_is_not_is_wrong(statement: str, confidence: str) -> None:
    assert _found(statement) == [("BMN102", confidence)]


def test_a_sum_of_merged_axes_is_divided_by_those_beside_the_classes() -> None:
    """The pixels of each example were added up with its classes: this is the one division by them."""
    source = """\
        import torch.nn.functional as F


        def loss(logits, labels):
            n, classes, h, w = logits.shape
            x = -F.log_softmax(logits, 1) * F.one_hot(labels, classes).permute(0, 3, 1, 2)
            return x.view(n, -1).sum(1).mean() / {count}
        """
    for count, codes in (("(h * w)", []), ("n", ["BMN301"])):
        result = check_source(source.replace("        ", "").format(count=count), select=["BMN301"])
        assert [finding.code for finding in result.findings] == codes


MAPPED = """\
import jax


def loss_of_one(logits, labels):
    hot = jax.nn.one_hot(labels, logits.shape[-1])
    return -(hot * jax.nn.log_softmax(logits)).sum() / logits.size{more}


def loss(logits, labels):
    losses = jax.vmap(loss_of_one)(logits, labels)
    return losses.sum() / losses.shape[-1]
"""


@pytest.mark.parametrize(("more", "expected"), [(" * logits.shape[-1]", []), ("", [("BMN101", "{'V': -1}")])])
def test_of_one_example_the_number_of_elements_holds_no_batch(
    more: str, expected: list[tuple[str, str]]
) -> None:
    found = check_source(MAPPED.format(more=more)).findings
    assert [(finding.code, str(finding.factor)) for finding in found] == expected


BY_LATENT = """\
import torch
from torch import distributions


def loss(mu, log_variance):
    posterior = distributions.Normal(mu, (0.5 * log_variance).exp())
    prior = distributions.Normal(torch.zeros_like(mu), torch.ones_like(mu))
    scale = torch.zeros(mu.shape[-1])
    scale[:] = {number}
    losses = distributions.kl_divergence(posterior, prior) * scale
    return torch.stack([each.mean() for each in losses]).mean()
"""


def test_what_was_stored_in_an_array_may_be_a_count_in_its_rows_too() -> None:
    assert not check_source(BY_LATENT.format(number="mu.shape[-1]")).findings


IMAGES = """\
import jax
import jax.numpy as jnp


def loss(logits, labels):
    images, valid = labels.shape[-3], labels != -100
    hot = jnp.moveaxis(jax.nn.one_hot(jnp.maximum(labels, 0), logits.shape[-3]), -1, 1)
    total = (hot * jax.nn.log_softmax(logits, axis=1) * jnp.expand_dims(valid, 1)).sum()
    return -total / valid.sum() / images
"""


def test_an_axis_in_between_moves_those_to_its_left_when_counted_from_the_right() -> None:
    assert [finding.code for finding in lint(IMAGES, "any.py")] == ["BMN301"]


@pytest.mark.parametrize("getter", ["@property\n    def classes", "def classes"])
@pytest.mark.parametrize("default", ["", "=10"])
def test_what_gives_an_attribute_gives_the_same_each_time(getter: str, default: str) -> None:
    call = "self.classes" if "property" in getter else "self.classes()"
    text = f"""\
import torch
import torch.nn.functional as F


class Loss:
    def __init__(self, count{default}):
        self.count = count

    {getter}(self):
        return self.count

    def forward(self, logits, labels):
        x = -torch.log_softmax(logits, dim=-1) * F.one_hot(labels, {call})
        return x.mean()FACTOR
"""
    right = check_source(text.replace("FACTOR", f" * {call}"))
    wrong = check_source(text.replace("FACTOR", " * self.other"))
    assert ([f.code for f in right.findings], [f.code for f in wrong.findings]) == ([], ["BMN102"])
