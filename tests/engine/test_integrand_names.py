"""What a loss is called in a message."""

from __future__ import annotations

import batchmean
import pytest


@pytest.mark.parametrize(
    ("loss", "called"),
    [
        ("-(y * p.log())", "cross-entropy"),
        ("-(y * q.log())", "cross-entropy"),
        ("-(1 - p) ** 2 * y * p.log()", "cross-entropy"),
        ("-(1 - p).pow(2) * y * p.log()", "cross-entropy"),
        ("-(p * p.log())", "entropy"),
        ("p * (p.log() - q.log())", "KL divergence"),
        ("(p - q) * (p.log() - q.log())", "KL divergence"),
        ("p * p.log() - p * q.log()", "KL divergence"),
        ("p * (p.log() - m.log()) + q * (q.log() - m.log())", "KL divergence"),
        ("y * y.log() - y * p.log()", "KL divergence"),
    ],
)
def test_its_terms_say_what_it_is(loss: str, called: str) -> None:
    result = batchmean.check_source(
        "def loss(a, b, c):\n"
        "    p, q, y = a.softmax(-1), b.softmax(-1), c.softmax(-1)\n"
        "    m = (p + q) / 2\n"
        f"    return ({loss}).mean()\n",
        select=["BMN102"],
    )
    assert [finding.message.partition(" is ")[0] for finding in result.findings] == [called]
