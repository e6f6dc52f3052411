"""Each shape of rewrite that is called safe, run once: at coprime sizes it is the reference, and keeps the laws."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import dedent, indent
from typing import Any

import numpy as np
import pytest
from batchmean.linter import lint
from batchmean.source import apply
from batchmean_reference.arguments import Argument
from batchmean_reference.audit import Monomial, deviation, measure_all
from batchmean_reference.laws import Loss, check_laws

HEAD = """\
import math

import numpy as np
from scipy.special import log_softmax, rel_entr, softmax


def loss(logits, teacher):
    logp = log_softmax(logits, axis=-1)
    p = softmax(teacher, axis=-1)
"""
TWO = "b, v = logits.shape\n"
THREE = "b, t, v = logits.shape\n"

# What is written, and the axes that it is for.
SAFE = {
    # a mean over everything
    "method": ("return -(p * logp).mean()", "BV BTV"),
    "function": ("return -np.mean(p * logp)", "BV BTV"),
    "average": ("return np.average(-p * logp)", "BV BTV"),
    "lines": ("return -np.mean(\n    p\n    * logp,  # terms\n)", "BV BTV"),
    "chain": ("return (\n    (p * logp)\n    .mean()\n) * -1", "BV BTV"),
    "all axes": (TWO + "return -np.mean(p * logp, axis=(0, 1))", "BV"),
    "all axes of a method": (TWO + "return -(p * logp).mean(axis=(0, 1))", "BV"),
    "kept axes": ("return -np.mean(p * logp, axis=(0, -1))", "BV"),
    # a mean over the classes, a sum over the examples
    "class mean": ("return -(p * logp).mean(-1).mean()", "BV BTV"),
    "class mean, function": ("return -np.mean(np.mean(p * logp, axis=-1))", "BV BTV"),
    "other sum": (TWO + "return -(p * logp).sum(0).mean()", "BV"),
    "other sum, keyword": (TWO + "return -np.mean(np.sum(p * logp, axis=0))", "BV"),
    # a count of everything
    "size": ("return -np.sum(p * logp) / p.size", "BV BTV"),
    "size of a method": ("return -(p * logp).sum() / logp.size", "BV BTV"),
    "named count": ("n = p.size\nreturn -np.sum(p * logp) / n", "BV BTV"),
    "named sum": ("total = np.sum(p * logp)\nreturn -total / p.size", "BV BTV"),
    "reciprocal": ("return -np.sum(p * logp) * (1.0 / p.size)", "BV BTV"),
    "product of the shape": ("return -np.sum(p * logp) / math.prod(p.shape)", "BV BTV"),
    "product": (TWO + "return -np.sum(p * logp) / (b * v)", "BV"),
    "product, other order": (TWO + "return -np.sum(p * logp) / (v * b)", "BV"),
    "longer product": (THREE + "return -np.sum(p * logp) / (b * t * v)", "BTV"),
    "second factor": (TWO + "return -np.sum(p * logp) / b / v", "BV"),
    "size of two axes": (TWO + "n = p.size + 0\nreturn -np.sum(p * logp) / p.size", "BV"),
    "in place": (TWO + "total = -np.sum(p * logp)\ntotal /= b\ntotal /= v\nreturn total", "BV"),
    # a count of the classes
    "other size": (TWO + "return -np.sum(p * logp) / p.shape[1]", "BV"),
    # the classes are summed already
    "summed before": ("return -np.sum(p * logp, axis=-1).sum() / p.size", "BV BTV"),
    "summed before, method": ("return -(p * logp).sum(-1).sum() / p.size", "BV BTV"),
    "a mean, and the classes": ("return -(p * logp).sum(-1).mean() / p.shape[-1]", ""),
    # a second division
    "again": (TWO + "return -(p * logp).sum(-1).mean() / b", "BV"),
    "again, len": ("return -np.sum(p * logp, axis=-1).mean() / len(logits)", "BV BTV"),
    "again, reciprocal": ("return (1 / len(logits)) * -(p * logp).sum(-1).mean()", "BV BTV"),
    "again, in place": ("loss = -(p * logp).sum(-1).mean()\nloss /= len(logits)\nreturn loss", "BV BTV"),
    "again, assigned": (
        "loss = -(p * logp).sum(-1).mean()\nloss = loss / len(logits)\nreturn loss",
        "BV BTV",
    ),
    "again, squared error": ("return ((logits - teacher) ** 2).mean() / len(logits)", ""),
    # a division that is thrown away
    "thrown away": (TWO + "total = -np.sum(p * logp)\ntotal / b\nreturn total", "BV"),
    # the terms of a library
    "rel_entr": ("return rel_entr(p, np.exp(logp)).mean()", "BV BTV"),
    "rel_entr, size": ("return np.sum(rel_entr(p, np.exp(logp))) / p.size", "BV BTV"),
}


def reference(logits: Any, teacher: Any) -> Any:
    """The cross-entropy of `logits` under `teacher`, summed over the classes and averaged over the rest."""
    return -np.sum(_softmax(teacher) * np.log(_softmax(logits)), axis=-1).mean()


def divergence(logits: Any, teacher: Any) -> Any:
    """The KL divergence, in the same way."""
    p, q = _softmax(teacher), _softmax(logits)
    return np.sum(p * np.log(p / q), axis=-1).mean()


def squared_error(logits: Any, teacher: Any) -> Any:
    """The mean over all elements."""
    return np.mean((logits - teacher) ** 2)


def _softmax(x: Any) -> Any:
    exponentials = np.exp(x - x.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def _function(text: str) -> Callable[..., Any]:
    names: dict[str, Any] = {}
    exec(compile(text, "<program>", "exec"), names)
    function: Callable[..., Any] = names["loss"]
    return function


def _loss(function: Callable[..., Any], axes: str) -> Loss:
    spelled = f"({', '.join(axes)})"
    return Loss(
        function,
        (Argument.parse("logits", f"logits {spelled}"), Argument.parse("teacher", f"logits {spelled}")),
    )


def _fixed(name: str) -> str:
    """The program after its fix, which has to be safe."""
    text = HEAD + indent(dedent(SAFE[name][0]), "    ") + "\n"
    (finding,) = lint(text, "x.py", fixes=True)
    assert finding.fix is not None, finding.no_fix
    assert finding.fix.safe
    assert finding.confidence == "proved"
    after = apply(text, finding.fix.edits)
    assert not lint(after, "x.py")
    return after


@pytest.mark.parametrize("name", SAFE)
def test_a_safe_rewrite_is_the_reference(name: str) -> None:
    function = _function(_fixed(name))
    right = divergence if "rel_entr" in name else squared_error if "squared" in name else reference
    for axes in SAFE[name][1].split() or ["BV"]:
        loss = _loss(function, axes)
        assert deviation(measure_all(loss, _loss(right, axes)), Monomial()) < 1e-12
        broken = [law for law, result in check_laws(loss).items() if result.verdict == "broken"]
        laws = {"duplication", "pointwise", *(() if right is squared_error else ("null class",))}
        assert not laws.intersection(broken)
