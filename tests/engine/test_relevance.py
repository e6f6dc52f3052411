"""Leaving statements out changes no verdict: what a reduction is made of is followed wherever it was stored."""

from __future__ import annotations

import ast

import pytest
from batchmean.engine.analysis import work
from batchmean.linter import lint

HEAD = "import torch\nimport torch.nn.functional as F\n\n\n"


def codes(text: str) -> list[str]:
    return [finding.code for finding in lint(HEAD + text, "loss.py")]


def nodes_read(text: str) -> int:
    text = HEAD + text
    return work(ast.parse(text), text.split("\n"))


@pytest.mark.parametrize(
    "text",
    [
        # Changed in place.
        "def f(targets, x):\n    loss = torch.sum(-targets * F.log_softmax(x, -1))\n    loss.div_(x.numel())\n"
        "    return loss\n",
        # Stored before a branch that stores it again.
        "def f(targets, x, hot):\n    q = F.log_softmax(x, -1)\n    if hot:\n        q = 2 * q\n"
        "    return -(targets * q).mean()\n",
        # Stored in a `with`, and in the branch of a `try`.
        "def f(targets, x):\n    with torch.no_grad():\n        q = F.log_softmax(x, -1)\n    try:\n"
        "        q = q + 0\n    except ValueError:\n        pass\n    return -(targets * q).mean()\n",
        # Stored by the last turn of a loop.
        "def f(targets, x):\n    q = None\n    loss = 0\n    for turn in (0, 1):\n        if turn == 1:\n"
        "            loss = -(targets * q).mean()\n        q = F.log_softmax(x, -1)\n    return loss\n",
        # A nested function reads what is stored after it.
        "def f(targets, x):\n    def total():\n        return -(targets * q).mean()\n    q = F.log_softmax(x, -1)\n"
        "    return total()\n",
        # Only the caller's names say what the helper reduces, and nothing needs its result.
        "def neg_mean(a, b):  # of log_softmax\n    return -(a * b).mean()\n\n\ndef f(probs, log_probs):\n"
        "    return neg_mean(probs, log_probs)\n",
        # A statement whose fields are names.
        "COUNT = 0\n\n\ndef f(targets, x):\n    global COUNT\n    COUNT = 1\n"
        "    return -(targets * F.log_softmax(x, -1)).mean()\n",
    ],
)
def test_it_is_found_wherever_it_was_stored(text: str) -> None:
    assert codes(text)[:1] in (["BMN101"], ["BMN102"])


@pytest.mark.parametrize("scaled", ["loss * x.shape[-1]", "torch.mul(loss, x.shape[-1])"])
def test_what_scales_it_afterwards_is_seen(scaled: str) -> None:
    text = f"def f(targets, x):\n    loss = -(targets * F.log_softmax(x, -1)).mean()\n    loss = {scaled}\n"
    assert codes(f"{text}    return loss\n") == []


def test_what_is_stored_anew_is_not_followed_further_back() -> None:
    made = "".join(f"    x = x + {n}\n" for n in range(100))
    loss = "    x = torch.zeros(3, 4)\n    return -(targets * F.log_softmax(x, -1)).mean()\n"
    assert nodes_read(f"def f(targets, x):\n{made}{loss}") < 50


def test_a_function_whose_result_nothing_needs_is_run_for_what_happens_in_it_alone() -> None:
    made = "".join(f"    x = x + {n}\n" for n in range(100))
    text = (
        f"def step(self, targets, x):\n    log = -(targets * F.log_softmax(x, -1)).sum(-1).mean()\n{made}    return x\n"
        "\n\ndef train(batch):\n    state = step(batch, batch, batch)\n    print(1)\n"
    )
    assert nodes_read(text) < 100
