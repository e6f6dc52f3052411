"""Loops through items that are not read as the sum over whole arrays, or whose sums are no mean over classes."""

from __future__ import annotations

import textwrap

import batchmean
import pytest

LOOP = "for i in range(len(y)):\n    for k in range(len(y[0])):\n"
ADD = "total -= y[i][k] * math.log(p[i][k])"
OVER_ALL = "return total / (len(y) * len(y[0]))"

SILENT = {
    "another condition": f"{LOOP}        if z[i][k] > 0:\n            {ADD}\n{OVER_ALL}",
    "only what is added is counted": f"{LOOP}        if y[i][k] > 0:\n            {ADD}\n"
    "            z += 1\nreturn total / z",
    "a round that is left": f"{LOOP}        if z:\n            continue\n        {ADD}\n{OVER_ALL}",
    "an item of another round": f"{LOOP}        total -= y[i][k] * math.log(p[i][k - 1])\n{OVER_ALL}",
    "what the loop changes": f"{LOOP}        p = p * 2\n        {ADD}\n{OVER_ALL}",
    "both halves": f"{LOOP}        {ADD} + (1 - y[i][k]) * math.log(1 - p[i][k])\n{OVER_ALL}",
    "the class of each": f"{LOOP}        total -= math.log(p[i][y[i][k]])\n{OVER_ALL}",
    "a rate": f"{LOOP}        {ADD} - p[i][k]\n{OVER_ALL}",
    "shares of the largest": "return np.mean([-sum(q * math.log(q) for q in row) / math.log(len(row)) for row in p])",
    "entropies of tables": "return np.mean([-sum(q * math.log(q) for q in row.values() if q > 0) for row in p])",
    "a sum of each row": "for row in p:\n    h = 0.0\n    for q in row:\n"
    "        if q > 1e-9:\n            h -= q * math.log(q)\n    z.append(h)\nreturn np.mean(z)",
}
FOUND = {
    "zeros passed over": f"{LOOP}        if y[i][k] > 0:\n            {ADD}\n{OVER_ALL}",
    "the number of classes": f"for i in range(len(y)):\n    for k in range(12):\n        {ADD}\n"
    "return total / (len(y) * 12)",
    "two counts that are given": f"for i in range(n):\n    for k in range(c):\n        {ADD}\n"
    "return total / (n * c)",
}  # fmt: skip


def said_of(body: str) -> list[tuple[str, str]]:
    head = "import math\nimport numpy as np\n\n\ndef loss(y, p, z, n, c):\n    total = 0.0\n"
    found = batchmean.check_source(head + textwrap.indent(body, "    ") + "\n").findings
    return [(finding.code, finding.confidence) for finding in found]


@pytest.mark.parametrize("body", SILENT.values(), ids=SILENT)
def test_what_is_no_mean_over_the_classes_is_silent(body: str) -> None:
    assert said_of(body) == []


@pytest.mark.parametrize("body", FOUND.values(), ids=FOUND)
def test_what_is_the_same_for_every_item_is_read(body: str) -> None:
    assert said_of(body) == [("BMN101", "likely")]


def test_a_helper_that_sums_leaves_the_verdict_to_its_callers() -> None:
    loop = textwrap.indent(f"{LOOP}        {ADD}", "    ")
    helper = f"def summed(y, p):\n    total = 0.0\n{loop}\n    return total\n"
    wrong = "def wrong(y, p):\n    return summed(y, p) / (len(y) * len(y[0]))\n"
    right = "def right(y, p):\n    return summed(y, p) / len(y)\n"
    found = batchmean.check_source(f"import math\n\n{helper}\n{wrong}\n{right}").findings
    assert [(finding.code, finding.span.line) for finding in found] == [("BMN101", 11)]


@pytest.mark.parametrize(
    "loop",
    [
        "for row in h:\n        total += row.sum()",
        "for i in range(h.shape[0]):\n        for j in range(h.shape[1]):\n            total += h[i, j]",
    ],
)
@pytest.mark.parametrize(
    ("returned", "codes"),
    [
        ("total / len(h), kept", []),
        ("{'loss': total / len(h), 'entropy': kept}", []),
        ("kept, total / len(h)", ["BMN102"]),
        ("total / len(h) + kept, kept", ["BMN102"]),
    ],
)
def test_a_mean_beside_what_a_loop_adds_up_is_a_statistic(loop: str, returned: str, codes: list[str]) -> None:
    text = f"""\
import torch


def loss(logits):
    q = torch.log_softmax(logits, dim=-1)
    h = -(q.exp() * q)
    kept = h.mean()
    total = 0.0
    {loop}
    return {returned}
"""
    assert [finding.code for finding in batchmean.check_source(text).findings] == codes
