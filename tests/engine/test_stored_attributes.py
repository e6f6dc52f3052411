"""What is stored in an object of a class that is not read is what is read from it."""

from __future__ import annotations

import textwrap

import batchmean
import pytest


@pytest.mark.parametrize(
    ("made", "stored", "codes"),
    [
        ("Scale()", "logits.shape[-1]", []),
        ("Scale()", "1.0", ["BMN103"]),
        ("given", "logits.shape[-1]", []),
        ("given", "0.5", ["BMN103"]),
    ],
)
def test_what_is_stored_is_what_is_read(made: str, stored: str, codes: list[str]) -> None:
    source = f"""
    import torch.nn.functional as F
    from project import Scale

    def loss(logits, other, given):
        scale = {made}
        scale.by = {stored}
        return F.kl_div(F.log_softmax(logits, -1), F.softmax(other, -1), reduction="mean") * scale.by
    """
    found = batchmean.check_source(textwrap.dedent(source)).findings
    assert [one.code for one in found] == codes


def test_what_one_branch_stores_may_put_it_right() -> None:
    source = """
    import torch.nn.functional as F

    def loss(logits, other, given, how):
        given.by = 1.0
        if how:
            given.by = logits.shape[-1]
        return F.kl_div(F.log_softmax(logits, -1), F.softmax(other, -1), reduction="mean") * given.by
    """
    assert not batchmean.check_source(textwrap.dedent(source)).findings
    (found,) = batchmean.check_source(textwrap.dedent(source.replace("logits.shape[-1]", "0.1"))).findings
    assert found.code == "BMN103"
