"""What one branch shows of the rank of an array says nothing of it in the other."""

from __future__ import annotations

import textwrap

import numpy as np
import pytest
from batchmean import check_source
from batchmean.findings import Finding

HEAD = """
import numpy as np

def log_softmax(x):
    return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))

def each(x, t):
    return -np.exp(log_softmax(t)) * log_softmax(x)
"""
POSITIONS, EXAMPLES = "x.shape[0] * x.shape[1]", "len(x)"
"""What a loss of three axes is divided by, and one of two."""

BRANCHES = {
    "if": """
        def loss(x, t):
            if x.ndim == 2:
                b, v = x.shape
                return each(x, t).sum() / b
            return each(x, t).sum() / ({count})
        """,
    "the other way first": """
        def loss(x, t):
            if x.ndim != 2:
                return each(x, t).sum() / ({count})
            b, v = x.shape
            return each(x, t).sum() / b
        """,
    "a flag": """
        def loss(x, t):
            is_flat = x.ndim == 2
            if is_flat:
                b, v = x.shape
                return each(x, t).sum() / b
            if not is_flat:
                return each(x, t).sum() / ({count})
        """,
    "an exception": """
        def loss(x, t):
            try:
                b, v = x.shape
            except ValueError:
                return each(x, t).sum() / ({count})
            return each(x, t).sum() / b
        """,
    "match": """
        def loss(x, t):
            match x.ndim:
                case 2:
                    b, v = x.shape
                    return each(x, t).sum() / b
                case _:
                    return each(x, t).sum() / ({count})
        """,
    "closures": """
        def loss(x, t):
            def flat():
                b, v = x.shape
                return each(x, t).sum() / b
            def deep():
                return each(x, t).sum() / ({count})
            return flat() if x.ndim == 2 else deep()
        """,
    "something beside it": """
        def loss(x, t):
            terms = each(x, t)
            if len(x.shape) == 2:
                b, v = x.shape
                print("examples", b, "classes", v)
                return terms.sum() / b
            return terms.sum() / ({count})
        """,
    "an object's setting": """
        class Loss:
            def __init__(self, positions):
                self.positions = positions

            def of(self, x, t):
                if self.positions:
                    return each(x, t).sum() / ({count})
                b, v = x.shape
                return each(x, t).sum() / b

        def loss(x, t):
            return Loss(x.ndim == 3).of(x, t)
        """,
}


def _told(source: str) -> list[Finding]:
    result = check_source(source, select=["BMN1", "BMN3"])
    assert not result.errors
    return list(result.findings)


def _is_right(source: str, *sizes: int) -> bool:
    names: dict[str, object] = {}
    exec(compile(source, "<branches>", "exec"), names)
    x, t = np.random.default_rng(0).normal(size=(2, *sizes))
    value, terms = names["loss"](x, t), names["each"](x, t)  # type: ignore[operator]
    return bool(np.isclose(value, terms.sum(axis=-1).mean()))


@pytest.mark.parametrize("way", BRANCHES)
def test_a_rank_of_another_way(way: str) -> None:
    right = HEAD + textwrap.dedent(BRANCHES[way].format(count=POSITIONS))
    assert _is_right(right, 3, 5, 7)
    assert _is_right(right, 3, 7)
    assert _told(right) == []


@pytest.mark.parametrize("way", [w for w in BRANCHES if w != "closures"])
def test_all_elements_are_too_many_whatever_the_rank(way: str) -> None:
    wrong = HEAD + textwrap.dedent(BRANCHES[way].format(count="x.size"))
    assert not _is_right(wrong, 3, 5, 7)
    assert "BMN101" in [finding.code for finding in _told(wrong)]


def test_the_rank_of_the_same_way_is_shown() -> None:
    wrong = HEAD + textwrap.dedent(
        """
        def loss(x, t, how="mean"):
            terms = each(x, t)
            if how == "mean":
                b, v = x.shape
                return terms.sum() / (b * v)
            return terms
        """
    )
    assert not _is_right(wrong, 3, 7)
    (finding,) = _told(wrong)
    assert (finding.code, finding.confidence) == ("BMN101", "proved")


def test_a_rank_that_one_way_shows_is_not_proved_behind_it() -> None:
    wrong = HEAD + textwrap.dedent(
        """
        def loss(x, t, verbose=False):
            terms = each(x, t)
            if verbose:
                b, v = x.shape
                print(b, v)
            return terms.sum() / (x.shape[0] * x.shape[1])
        """
    )
    (finding,) = _told(wrong)
    assert (finding.code, finding.confidence) == ("BMN101", "likely")
