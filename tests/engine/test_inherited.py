"""What a base class leaves to its heirs: what the loss is made of, or how it is reduced."""

from __future__ import annotations

import textwrap

import batchmean
import pytest

MADE_BY_HEIRS = """
    import numpy as np
    from scipy.special import log_softmax

    class Criterion:
        def parts(self, *args):
            raise NotImplementedError

        def __call__(self, logits, labels):
            return -self.parts(logits, labels).mean()

    class {names}(Criterion):
        def parts(self, logits, labels):
            return {parts}
"""
REDUCED_BY_HEIRS = """
    from scipy.special import log_softmax

    class Criterion:
        def reduced(self, loss):
            raise NotImplementedError

        def __call__(self, logits, targets):
            return self.reduced(-targets * log_softmax(logits, axis=-1))

    class PerExample(Criterion):
        def reduced(self, loss):
            return loss.sum(axis=-1).mean()

    class Other(Criterion):
        def reduced(self, loss):
            return {reduced}
"""
CROSS_ENTROPY = "np.eye(logits.shape[-1])[labels] * log_softmax(logits, axis=-1)"


def _found(source: str) -> list[tuple[str, str]]:
    result = batchmean.check_source(textwrap.dedent(source))
    assert not result.errors
    return [(finding.code, finding.confidence) for finding in result.findings]


@pytest.mark.parametrize(
    ("parts", "found"),
    [(CROSS_ENTROPY, [("BMN102", "proved")]), (f"({CROSS_ENTROPY}).sum(axis=-1)", [])],
)
def test_a_base_reduces_what_its_heir_gives(parts: str, found: list[tuple[str, str]]) -> None:
    assert _found(MADE_BY_HEIRS.format(names="CrossEntropy", parts=parts)) == found


@pytest.mark.parametrize(
    ("reduced", "found"), [("loss.mean()", [("BMN102", "likely")]), ("loss.sum(-1).mean()", []), ("loss", [])]
)
def test_an_heir_reduces_what_its_base_makes(reduced: str, found: list[tuple[str, str]]) -> None:
    assert _found(REDUCED_BY_HEIRS.format(reduced=reduced)) == found


def test_an_heir_that_calls_in_its_own_way_is_no_heir_of_the_call() -> None:
    source = MADE_BY_HEIRS.format(names="CrossEntropy", parts=CROSS_ENTROPY)
    own = """
        def __call__(self, logits, labels):
            return -self.parts(logits, labels).sum(axis=-1).mean()
    """
    assert _found(source + own) == []
