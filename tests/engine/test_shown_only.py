"""`loss.data /= n` before `loss.backward()`: what is told, and what may be meant otherwise."""

from __future__ import annotations

import textwrap

import batchmean
import pytest

STEP = """
import torch.nn.functional as F

def step(model, scaler, x, y, n, amp):
    loss = F.cross_entropy(model(x), y, reduction="sum")
{lines}
"""


def _codes(lines: str) -> list[str]:
    result = batchmean.check_source(STEP.format(lines=textwrap.indent(textwrap.dedent(lines), "    ")))
    assert not result.errors
    return [finding.code for finding in result.findings]


@pytest.mark.parametrize(
    "lines",
    [
        "loss.data /= n\nloss.backward()",
        "loss.data = loss.data / n\nloss.backward()",
        "loss.data.div_(n)\nloss.backward()",
        "loss.data /= n\nif amp:\n    scaler.scale(loss).backward()\nelse:\n    loss.backward()",
        "loss.data /= n\nprint(loss.item())\nscaler.backward(loss)",
    ],
)
def test_the_gradient_knows_nothing_of_it(lines: str) -> None:
    assert _codes(lines) == ["BMN304"]


@pytest.mark.parametrize(
    "lines",
    [
        "loss.backward()\nloss.data /= n",
        "loss.data /= n\n(loss / n).backward()",
        "loss.data /= n\nloss = loss / n\nloss.backward()",
        "loss.data /= n\nif amp:\n    loss = loss / n\nloss.backward()",
        "loss.data /= n\nloss.backward()\nmodel.weight.grad /= n",
        "model.weight.data /= n\nloss.backward()",
        "loss.data = x / n\nloss.backward()",
        "total = (lambda: loss.data)() if amp else loss\nloss.data *= n\nloss.backward()",
    ],
)
def test_what_is_meant_otherwise_is_left_alone(lines: str) -> None:
    assert "BMN304" not in _codes(lines)
