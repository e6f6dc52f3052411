"""Decisions of branches: what excludes what, and what follows from what."""

from __future__ import annotations

import pytest
from batchmean.engine.domain.paths import (
    TRUTHY,
    Answer,
    Decision,
    beyond,
    common,
    excludes,
    extended,
    implies,
)
from hypothesis import given
from hypothesis import strategies as st

ANSWERS = [TRUTHY, *(Answer.of(value) for value in (None, "sum", "mean", True, 1, 0))]
decisions = st.builds(Decision, st.sampled_from(["mask", "how"]), st.sampled_from(ANSWERS), st.booleans())
paths = st.lists(decisions, max_size=4).map(tuple)


def is_none(holds: bool = True) -> Decision:
    return Decision("mask", Answer.of(None), holds)


@pytest.mark.parametrize(
    ("one", "other", "do"),
    [
        (is_none(), is_none(False), True),
        (is_none(), Decision("other", Answer.of(None), False), False),
        (Decision("how", Answer.of("sum"), True), Decision("how", Answer.of("mean"), True), True),
        (Decision("how", Answer.of("sum"), False), Decision("how", Answer.of("mean"), True), False),
        (Decision("mask", TRUTHY, True), is_none(), True),
        (Decision("mask", TRUTHY, False), is_none(False), False),
        (Decision("how", TRUTHY, False), Decision("how", Answer.of("sum"), True), True),
        (Decision("n", Answer.of(1), True), Decision("n", Answer.of(True), True), True),
    ],
)
def test_decisions_that_exclude_each_other(one: Decision, other: Decision, do: bool) -> None:
    assert one.excludes(other) is do
    assert other.excludes(one) is do


@given(decisions)
def test_a_decision_excludes_its_negation_and_not_itself(decision: Decision) -> None:
    assert decision.excludes(decision.negated())
    assert not decision.excludes(decision)
    assert decision.negated().negated() == decision


@given(paths, paths)
def test_excluding_is_symmetric_and_grows_with_the_path(
    one: tuple[Decision, ...], other: tuple[Decision, ...]
) -> None:
    assert excludes(one, other) == excludes(other, one)
    if excludes(one, other):
        assert excludes(extended(one, (is_none(),)), other)


@given(paths, paths)
def test_an_extended_path_holds_what_both_do(path: tuple[Decision, ...], more: tuple[Decision, ...]) -> None:
    whole = extended(path, more)
    assert whole[: len(path)] == path
    assert set(whole) == {*path, *more}
    assert set(beyond(whole, path)) == set(more) - set(path)
    for decision in whole:
        assert implies(whole, decision)


@given(st.lists(paths, min_size=1, max_size=4))
def test_what_is_common_holds_on_every_path(several: list[tuple[Decision, ...]]) -> None:
    shared = common(several)
    assert all(decision in path for decision in shared for path in several)
    assert set(common(several[::-1])) == set(shared)
