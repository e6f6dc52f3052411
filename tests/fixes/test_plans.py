"""What a fix looks like: the expression before and after, in the idiom of the file."""

from __future__ import annotations

import ast
from textwrap import dedent, indent

import pytest
from batchmean.findings import Finding
from batchmean.linter import lint
from batchmean.source import apply

NUMPY = """\
import numpy as np
from scipy.special import log_softmax

def loss(logits, labels):
    y = np.eye(10)[labels]
    logp = log_softmax(logits, axis=-1)
"""
TORCH = """\
import torch
import torch.nn.functional as F
from torch import nn

def loss(logits, teacher):
    y = teacher.softmax(dim=1)
    logp = F.log_softmax(logits, dim=1)
"""
FLAT = TORCH.replace("    y =", "    logits = logits.reshape(len(teacher), -1)\n    y =")
# The rank of one way is not that of the other: the axis is named as the code names it, which holds on both.
ONE_WAY_FLAT = TORCH.replace("teacher):", "teacher, flat):").replace(
    "    y =", "    if flat:\n        teacher = teacher.view(-1, teacher.shape[1])\n    y ="
)
TENSORFLOW = """\
import tensorflow as tf
from tensorflow.keras import backend as K

def loss(logits, labels):
    y = tf.one_hot(labels, 10)
    logp = tf.nn.log_softmax(logits)
"""
LATENT = """\
import torch
import torch.nn.functional as F

def loss(mu, logvar, x, y):
    mu = mu.reshape(len(x), -1)
    batch, dims = mu.shape
    kl = 1 + logvar - mu.pow(2) - logvar.exp()
"""
MIXED = "something else is added before this reduction"


def findings(head: str, body: str) -> tuple[str, list[Finding]]:
    text = head + indent(dedent(body).strip("\n"), "    ") + "\n"
    ast.parse(text)
    return text, lint(text, "x.py", fixes=True)


def fixed(head: str, body: str) -> str:
    """The body after the fix of its only finding."""
    text, found = findings(head, body)
    assert len(found) == 1, found
    assert found[0].fix is not None, found[0].no_fix
    after = apply(text, found[0].fix.edits)
    assert not lint(after, "x.py")
    return dedent(after.removeprefix(head)).strip("\n")


@pytest.mark.parametrize(
    ("head", "before", "after"),
    [
        (NUMPY, "return -(y * logp).mean()", "return -(y * logp).sum(axis=-1).mean()"),
        (NUMPY, "return -(y*logp) . mean( )", "return -(y*logp) .sum(axis=-1). mean( )"),
        (NUMPY, "return -np.mean(y * logp)", "return -np.mean(np.sum(y * logp, axis=-1))"),
        (NUMPY, "return -np.mean((y * logp))", "return -np.mean(np.sum((y * logp), axis=-1))"),
        (
            NUMPY,
            "return -np.mean(y * logp, dtype=float)",
            "return -np.mean(np.sum(y * logp, axis=-1), dtype=float)",
        ),
        (NUMPY, "return -np.mean(y * logp, axis=-1)", "return -np.sum(y * logp, axis=-1)"),
        (
            NUMPY,
            "return -np.mean(y * logp, -1, keepdims=True)",
            "return -np.sum(y * logp, -1, keepdims=True)",
        ),
        (NUMPY, "return -np.average(y * logp)", "return -np.average(np.sum(y * logp, axis=-1))"),
        (NUMPY, "return -np.sum(y * logp) / y.size", "return -np.sum(y * logp, axis=-1).mean()"),
        (NUMPY, "return -(y * logp).sum() / (y.size)", "return -(y * logp).sum(axis=-1).mean()"),
        (NUMPY, "n = y.size\nreturn -(y * logp).sum() / n", "return -(y * logp).sum(axis=-1).mean()"),
        (
            NUMPY,
            "n = y.size  # all of them\nreturn -(y * logp).sum() / n",
            "n = y.size  # all of them\nreturn -(y * logp).sum(axis=-1).mean()",
        ),
        (
            NUMPY,
            "b, v = y.shape\nreturn -np.sum(y * logp) / (b * v)",
            "b, v = y.shape\nreturn -np.sum(y * logp) / b",
        ),
        (
            NUMPY,
            "b, v = y.shape\nreturn -np.sum(y * logp) / b / v",
            "b, v = y.shape\nreturn -np.sum(y * logp) / b",
        ),
        (
            NUMPY,
            "b, v = y.shape\nreturn -np.sum(y * logp) * (1. / (v*b))",
            "b, v = y.shape\nreturn -np.sum(y * logp) * (1. / b)",
        ),
        (
            NUMPY,
            "if y.any(): return -(y * logp).mean()",
            "if y.any(): return -(y * logp).sum(axis=-1).mean()",
        ),
        (
            NUMPY,
            "é = 'ß'; return -(y * logp).mean(), é",
            "é = 'ß'; return -(y * logp).sum(axis=-1).mean(), é",
        ),
        (
            NUMPY,
            """
            return -np.mean(
                # classes
                y  # one-hot
                * logp,
            )  # the loss
            """,
            """
            return -np.mean(
                # classes
                np.sum(
                    y  # one-hot
                    * logp,
                    axis=-1,
                ),
            )  # the loss
            """,
        ),
        (
            TORCH,
            """
            return (
                (y * logp)  # (B, V)
                .neg()
                # per example
                .mean()
            )
            """,
            """
            return (
                (y * logp)  # (B, V)
                .neg()
                # per example
                .sum(dim=1)
                .mean()
            )
            """,
        ),
        (TORCH, "return -(y * logp).mean()", "return -(y * logp).sum(dim=1).mean()"),
        (
            TORCH,
            "return -(y * logp).mean(dim=(0, 1))",
            "return -(y * logp).sum(dim=1, keepdim=True).mean(dim=(0, 1))",
        ),
        (TORCH, "return -(y * logp).mean()", "return -(y * logp).sum(dim=1).mean()"),
        (ONE_WAY_FLAT, "return -(y * logp).mean()", "return -(y * logp).sum(dim=1).mean()"),
        (FLAT, "return -(y * logp).mean(dim=(0, 1))", "return -(y * logp).sum(dim=1).mean()"),
        (FLAT, "return -torch.mean(y * logp, dim=(0, 1))", "return -torch.mean(torch.sum(y * logp, dim=1))"),
        (TORCH, "return -(y * logp).sum(0).mean()", "return -(y * logp).sum(1).mean()"),
        (
            TORCH,
            "return -torch.mean(torch.sum(y * logp, dim=0))",
            "return -torch.mean(torch.sum(y * logp, dim=1))",
        ),
        (
            NUMPY,
            "t = (y * logp).sum()\nreturn -t / y.size",
            "t = (y * logp).sum(axis=-1).mean()\nreturn -t",
        ),
        (
            NUMPY,
            """
            return (
                -(y * logp).sum()  # one number
                / y.size
            )
            """,
            """
            return (
                -(y * logp).sum(axis=-1).mean()  # one number
            )
            """,
        ),
        (
            NUMPY,
            """
            return -((y * logp).sum()  # one number
                     * (1.0 / y.size))
            """,
            """
            return -((y * logp).sum(axis=-1).mean()  # one number
                     )
            """,
        ),
        (
            NUMPY,
            """
            return -np.sum(y * logp) / (
                # every element
                y.size  # classes and all
            )
            """,
            """
            return -np.sum(y * logp, axis=-1).mean()
                # every element
                # classes and all
            """,
        ),
        (TORCH, "return torch.mean(-y * logp)", "return torch.mean(torch.sum(-y * logp, dim=1))"),
        (
            TORCH,
            "return F.kl_div(logp, y)",
            'return F.kl_div(logp, y, reduction="none").sum(dim=1).mean()',
        ),
        (
            TORCH,
            "return F.kl_div(logp, y, reduction='mean')",
            "return F.kl_div(logp, y, reduction='none').sum(dim=1).mean()",
        ),
        (
            FLAT,
            "return F.kl_div(logp, y)",
            'return F.kl_div(logp, y, reduction="batchmean")',
        ),
        (
            FLAT,
            "return nn.KLDivLoss()(logp, y)",
            'return nn.KLDivLoss(reduction="batchmean")(logp, y)',
        ),
        (
            TORCH,
            "criterion = nn.KLDivLoss()\nreturn criterion(logp, y)",
            'criterion = nn.KLDivLoss(reduction="none")\nreturn criterion(logp, y).sum(dim=1).mean()',
        ),
        (
            TORCH,
            """
            return F.kl_div(
                logp,
                y,
            )
            """,
            """
            return F.kl_div(
                logp,
                y,
                reduction="none",
            ).sum(dim=1).mean()
            """,
        ),
        (
            TORCH,
            "return F.kl_div(logp, y, reduction='sum') / logits.numel()",
            "return F.kl_div(logp, y, reduction='none').sum(dim=1).mean()",
        ),
        (
            TENSORFLOW,
            "return -tf.reduce_mean(y * logp)",
            "return -tf.reduce_mean(tf.reduce_sum(y * logp, axis=-1))",
        ),
        (TENSORFLOW, "return -K.mean(y * logp, axis=-1)", "return -K.sum(y * logp, axis=-1)"),
        (LATENT, "return -0.5 * torch.mean(kl)", "return -0.5 * torch.mean(torch.sum(kl, dim=-1))"),
        (LATENT, "return -0.5 * kl.sum() / (batch * dims)", "return -0.5 * kl.sum() / batch"),
        (
            LATENT,
            "mse = F.mse_loss(x, y, reduction='sum') / batch\nreturn mse - 0.5 * torch.mean(kl)",
            "mse = F.mse_loss(x, y, reduction='sum') / batch\nreturn mse - 0.5 * torch.mean(torch.sum(kl, dim=-1))",
        ),
    ],
)
def test_the_smallest_edit(head: str, before: str, after: str) -> None:
    assert fixed(head, before) == dedent(after).strip("\n")


@pytest.mark.parametrize(
    ("head", "body", "reason"),
    [
        (TORCH, "return F.kl_div(logp, y, size_average=True)", "its reduction is given in the old way"),
        (TORCH, "return F.kl_div(logp, y, None)", "its reduction is given in the old way"),
        (LATENT, "return F.mse_loss(x, y) - 0.5 * kl.mean()", "a reconstruction beside it is averaged"),
        (LATENT, "return ((x - y) ** 2).mean(), -0.5 * kl.mean()", "a reconstruction beside it is averaged"),
        (LATENT, "return other(x, y) - 0.5 * kl.mean()", "a reconstruction beside it is averaged"),
        (
            LATENT.replace("    mu = mu.reshape(len(x), -1)\n    batch, dims = mu.shape\n", ""),
            "return -0.5 * kl.mean()",
            "nothing in the code shows which axes are to be summed",
        ),
        (NUMPY, "return -(y * logp).ravel().mean()", "no rewrite could be shown to be right"),
        (NUMPY, "return -(y * logp).mean()  # noqa: E501", "a `# noqa` comment stands on the line"),
        (
            NUMPY,
            "return -np.mean(y * logp, where=valid[:, None])",
            "the mean has arguments that may change its count",
        ),
        (TORCH, "return (teacher - y * logp).mean()", MIXED),
        (TORCH, "return (F.kl_div(logp, y, reduction='none') + (logits - teacher) ** 2).mean()", MIXED),
        (TORCH, "l = logp.gather(1, teacher.argmax(1, keepdim=True)) + y * logp\nreturn l.mean()", MIXED),
        (FLAT, "l = -(y * logp).sum()\nl += ((logits - y) ** 2).sum()\nreturn l / logits.numel()", MIXED),
        (FLAT, "return (F.kl_div(logp, y, reduction='sum') + (logits ** 2).sum()) / y.numel()", MIXED),
    ],
)
def test_no_fix_without_certainty(head: str, body: str, reason: str) -> None:
    _, found = findings(head, body)
    assert [finding.fix for finding in found] == [None]
    assert reason in (found[0].no_fix or "")


@pytest.mark.parametrize(
    ("body", "safe"),
    [
        ("return -(y * logp).mean()", True),
        ("l = -(y * logp).mean()\nreturn l.item()", True),
        ("l = -(y * logp).mean()\nprint(l)\nreturn l", True),
        ("return {'loss': -(y * logp).mean()}", True),
        ("return 2.0 * -(y * logp).mean()", False),
        ("return -(y * logp).mean() + (y ** 2).sum()", False),
        ("l = -(y * logp).mean()\nreturn l * 0.1", False),
        ("l = -(y * logp).mean()\nl += (y ** 2).sum()\nreturn l", False),
        ("l = (y ** 2).sum()\nl += -(y * logp).mean()\nreturn l", False),
        ("return {'a': -(y * logp).mean(), 'b': (y ** 2).sum()}", False),
        ("return combined(-(y * logp).mean(), y)", False),
    ],
)
def test_what_stands_alone_is_safe(body: str, safe: bool) -> None:
    _, found = findings(NUMPY, body)
    assert [f.fix is not None and f.fix.safe for f in found] == [safe], found


def test_callers_in_the_file_count() -> None:
    text, _ = findings(NUMPY, "return -(y * logp).mean()")
    caller = "\n\ndef total(a, b, other):\n    return other + 0.5 * loss(a, b)\n"
    (finding,) = lint(text + caller, "x.py", fixes=True)
    assert finding.fix is not None
    assert not finding.fix.safe


BARE_TORCH = """\
from torch import log_softmax, mean, softmax

def loss(a, b):
    terms = softmax(a, -1) * log_softmax(b, -1)
    return -mean(terms, -1)
"""
BARE_TENSORFLOW = """\
from tensorflow import one_hot, reduce_mean
from tensorflow.nn import log_softmax

def loss(labels, logits):
    return -reduce_mean(one_hot(labels, 10) * log_softmax(logits))
"""


@pytest.mark.parametrize(
    ("text", "line", "imported"),
    [
        (BARE_TORCH, "    return -terms.sum(-1)", "from torch import log_softmax, mean, softmax"),
        (
            BARE_TENSORFLOW,
            "    return -reduce_mean(reduce_sum(one_hot(labels, 10) * log_softmax(logits), axis=-1))",
            "from tensorflow import one_hot, reduce_mean, reduce_sum",
        ),
        (
            BARE_TENSORFLOW.replace("one_hot, reduce_mean", "one_hot, reduce_mean, reduce_sum as total"),
            "    return -reduce_mean(total(one_hot(labels, 10) * log_softmax(logits), axis=-1))",
            "from tensorflow import one_hot, reduce_mean, reduce_sum as total",
        ),
    ],
    ids=["a method, since sum would hide Python's", "the import is added", "an import under another name"],
)
def test_a_mean_imported_by_its_bare_name(text: str, line: str, imported: str) -> None:
    (finding,) = lint(text, "x.py", fixes=True)
    assert finding.fix is not None, finding.no_fix
    lines = apply(text, finding.fix.edits).split("\n")
    assert lines[0] == imported
    assert line in lines


def test_no_import_is_added_over_a_name_of_the_file() -> None:
    text = BARE_TENSORFLOW.replace("def loss", "reduce_sum = None\n\ndef loss")
    (finding,) = lint(text, "x.py", fixes=True)
    assert finding.fix is None
    assert finding.no_fix is not None and "name is taken" in finding.no_fix
