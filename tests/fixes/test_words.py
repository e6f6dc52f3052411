"""What a message says: the count that it is, the loss that it is, and a form that the fix agrees with."""

from __future__ import annotations

import pytest
from batchmean.findings import Finding
from batchmean.linter import lint
from batchmean.source import apply

HEAD = """\
import numpy as np
import torch
import torch.nn.functional as F
from scipy.special import log_softmax, rel_entr, softmax


"""


def found(code: str) -> tuple[str, list[Finding]]:
    """The program as a function `loss`, and what is found in it."""
    text = HEAD + code
    return text, lint(text, "x.py", fixes=True)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (
            "def loss(logits, labels):\n    return F.cross_entropy(logits, labels) / logits.size(0)\n",
            ("divided by the batch again", "leave out the second division"),
        ),
        (
            "def loss(logits, labels):\n    return F.cross_entropy(logits, labels) / logits.shape[1]\n",
            ("divided by the class count, too", "1/V of", "leave out the second division"),
        ),
        (
            "def loss(logits, labels):\n"
            "    b, v = logits.shape\n"
            "    return F.cross_entropy(logits, labels) / logits.shape[-1]\n",
            ("divided by the class count, too", "1/V of", "leave out the second division"),
        ),
        (
            "def loss(x, y):\n    b, t, d = x.shape\n    return F.mse_loss(x, y) / t\n",
            ("divided by the length of axis 1, too",),
        ),
        (
            "def loss(logits, labels):\n"
            "    return F.cross_entropy(logits, labels, reduction='sum') / logits.numel()\n",
            ('use reduction="mean"',),
        ),
        (
            "def loss(logits, labels):\n"
            "    return F.cross_entropy(logits, labels, reduction='none').sum() / logits.numel()\n",
            ("use .mean() instead of .sum() and this division",),
        ),
        (
            "def loss(a, b):\n"
            "    return F.kl_div(F.log_softmax(a, -1), b.softmax(-1), reduction='sum') / a.numel()\n",
            ('use reduction="batchmean" for (B, V), or "none" with .sum(dim=-1).mean()',),
        ),
        (
            "def loss(a, b):\n    return F.kl_div(a, b)\n",
            ('"none" with a sum over the class axis, then .mean()',),
        ),
        (
            "def loss(a, b):\n    return F.kl_div(F.log_softmax(a, 0), b.softmax(0), reduction='batchmean')\n",
            ('use reduction="sum"', "1/V"),
        ),
        (
            "def loss(a, b, eps=1e-5):\n"
            "    p, q = F.softmax(a, dim=-1), F.softmax(b, dim=-1)\n"
            "    return (p * torch.log((p + eps) / (q + eps))).mean()\n",
            ("KL divergence is averaged over the class axis",),
        ),
        (
            "def loss(a, b, eps=1e-5):\n"
            "    p, q = F.softmax(a, dim=-1), F.softmax(b, dim=-1)\n"
            "    return -(p * torch.log(q + eps)).mean()\n",
            ("cross-entropy is averaged over the class axis",),
        ),
        (
            "def loss(logits, labels):\n"
            "    t = F.one_hot(labels, 10)\n"
            "    return -(t * F.log_softmax(logits, 1)).sum(0).mean()\n",
            ("summed over the batch axis and averaged over the class axis", "B/V"),
        ),
        (
            "def loss(a, b):\n    return ((a - b) ** 2).sum().mean()\n",
            ("sum over all but the first axis, then take the mean",),
        ),
        (
            "def loss(x, y):\n    n, c, h, w = x.shape\n    return ((x - y) ** 2).sum().mean()\n",
            ("sum over all but the first axis, then take the mean",),
        ),
        (
            "def loss(x, y):\n    n, d = x.shape\n    return ((x - y) ** 2).sum().mean()\n",
            ("sum over the last axis only, then take the mean",),
        ),
        (
            "def loss(x, y):\n    return F.mse_loss(x, y, reduction='sum').mean()\n",
            ('use reduction="mean"',),
        ),
        (
            "def loss(logits, teacher, attention_mask):\n"
            "    each = rel_entr(softmax(teacher, axis=-1), softmax(logits, axis=-1))\n"
            "    return np.sum(each * attention_mask[..., None]) / each.size\n",
            ("divided by the sum of the mask",),
        ),
    ],
)
def test_the_message_says(code: str, words: tuple[str, ...]) -> None:
    _, (finding, *_) = found(code)
    for word in words:
        assert word in finding.message


def test_the_length_of_an_axis_that_is_no_batch_is_not_called_one() -> None:
    _, findings = found(
        "def loss(logits, labels):\n    return F.cross_entropy(logits, labels) / logits.shape[-1]\n"
    )
    assert all("the batch" not in finding.message for finding in findings)


@pytest.mark.parametrize(
    "divided",
    [
        "-np.sum(y * np.log(p)) / y.size",
        "-np.sum(y * np.log(p)) / p.size",
        "-np.sum(y * np.log(p)) / np.size(p)",
        "-np.sum(y * np.log(p)) / np.prod(y.shape)",
        "-np.mean(y * np.log(p))",
        "-(y * np.log(p)).mean()",
        "np.sum(-y * np.log(p)) * (1.0 / y.size)",
    ],
)
def test_where_the_axis_rests_on_names_the_fix_is_the_one_that_help_names(divided: str) -> None:
    text, (finding,) = found(f"def loss(y, p):\n    return {divided}\n")
    assert finding.message.endswith("use .sum(axis=-1).mean()")
    assert finding.fix is not None, finding.no_fix
    assert not finding.fix.safe
    after = apply(text, finding.fix.edits)
    assert "axis=-1" in after
    assert not lint(after, "x.py")


def test_a_loop_over_the_shape_counts_every_element() -> None:
    code = (
        "def loss(y, p):\n    n = 1\n    for size in y.shape:\n        n *= size\n"
        "    return -np.sum(y * np.log(p)) / n\n"
    )
    text, (finding,) = found(code)
    assert finding.fix is not None, finding.no_fix
    assert "return -np.sum(y * np.log(p), axis=-1).mean()\n" in apply(text, finding.fix.edits)


def test_help_and_the_reason_for_no_fix_agree() -> None:
    """Where help names no axis, none is guessed; where a fix is refused, help does not promise it."""
    _, (latent,) = found(
        "def loss(mu, logvar):\n    return -0.5 * (1 + logvar - mu**2 - logvar.exp()).mean()\n"
    )
    assert "a sum over the latent axis, then .mean()" in latent.message
    assert latent.no_fix == "nothing in the code shows which axes are to be summed"
    _, (library,) = found("def loss(a, b):\n    return F.kl_div(a, b)\n")
    assert library.no_fix == "nothing in the code shows which axis holds the classes"
    _, (masked, _) = found(  # the classes, and then the mask
        "def loss(logits, teacher, attention_mask):\n"
        "    each = rel_entr(softmax(teacher, axis=-1), softmax(logits, axis=-1))\n"
        "    return np.mean(each * attention_mask[..., None])\n"
    )
    assert "the sum of the mask" in masked.message
    assert "the sum of the mask" in (masked.no_fix or "")


@pytest.mark.parametrize("weights", ["weight=w", "ignore_index=0", "w"])
def test_a_mean_that_would_count_otherwise_is_not_written(weights: str) -> None:
    code = (
        "def loss(logits, labels, w):\n"
        f"    return F.cross_entropy(logits, labels, {weights}, reduction='sum') / logits.numel()\n"
    )
    _, findings = found(code)
    assert findings
    assert all(finding.fix is None for finding in findings)
    assert any("change what its mean divides by" in (finding.no_fix or "") for finding in findings)


def test_a_literal_is_not_called_a_variable() -> None:
    code = (
        "def loss(a, b):\n    b, v = a.shape\n"
        "    x, q = F.log_softmax(a[:1], -1), a[:1].softmax(-1)\n"
        "    return F.kl_div(x, q, reduction='mean' if v else 'sum')\n"
    )
    _, findings = found(code)
    assert all("variable" in (finding.no_fix or "variable") for finding in findings)
    text, (finding,) = found(
        "def loss(a, b):\n    return F.kl_div(F.log_softmax(a, -1), b.softmax(-1), reduction='mean')\n"
    )
    assert finding.fix is not None
    assert "reduction='none'" in apply(text, finding.fix.edits)


def test_a_forgotten_reduction_is_never_safe() -> None:
    _, (finding,) = found("def loss(a, b):\n    return F.l1_loss(a, b).sum() / a.shape[0]\n")
    assert finding.fix is None or not finding.fix.safe
