"""Token means of the parts of a batch, over the number of the parts, whatever that is called."""

from __future__ import annotations

import textwrap

import batchmean
import pytest

RULES = ["BMN501", "BMN502", "BMN503", "BMN504", "BMN505", "BMN506"]

STEP = """
import torch.nn.functional as F

def step(model, parts, optimizer):
    optimizer.zero_grad()
    n = len(parts)
    for part in parts:
        logits = model(part["ids"])
        loss = F.cross_entropy(logits.view(-1, logits.size(-1)), part["labels"].view(-1), ignore_index=0)
        (loss / n).backward()
    optimizer.step()
"""


def _told(source: str) -> list[tuple[str, str]]:
    result = batchmean.check_source(textwrap.dedent(source), select=RULES)
    assert not result.errors
    return [(finding.code, finding.confidence) for finding in result.findings]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", ""),
        ("loss / n", "loss / len(parts)"),
        ("        (loss / n).backward()", "        loss = loss / n\n        loss.backward()"),
        (
            "        (loss / n).backward()",
            "        loss /= len(parts)\n        scaler.scale(loss).backward()",
        ),
        ("for part in parts", "for i, part in enumerate(parts)"),
    ],
)
def test_the_length_of_what_the_loop_runs_through_divides(old: str, new: str) -> None:
    assert _told(STEP.replace(old, new)) == [("BMN503", "likely")]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            "(loss / n).backward()",
            "(loss / n).backward()\n        optimizer.step()",
        ),  # a weight, whatever for
        ("(loss / n).backward()", "self.optimize(loss / n)"),
        ("(loss / n).backward()", "total += (loss / n).item()"),  # a figure alone
        ("(loss / n).backward()", "(loss / n).backward()\n        if done(part):\n            break"),
        ("loss / n", "loss / len(others)"),
        (", ignore_index=0", ""),  # as many in each
        (", ignore_index=0", ', ignore_index=0, reduction="sum"'),
    ],
)
def test_what_is_no_such_mean_is_not_told(old: str, new: str) -> None:
    assert old in STEP
    assert _told(STEP.replace(old, new)) == []
