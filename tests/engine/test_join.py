"""The join: it loses nothing that matters, adds nothing, and says when it cannot keep up."""

from __future__ import annotations

import pytest
from batchmean.engine.domain.join import MAX_ALTERNATIVES, TOO_MANY, join, restricted, something
from batchmean.engine.domain.paths import TRUTHY, Answer, Decision, excludes
from batchmean.engine.domain.shapes import Shape
from batchmean.engine.domain.tensors import GivenUp, Role, Tensor, atom_of, from_atom
from batchmean.engine.domain.values import Alternatives, Case, Const, Value
from hypothesis import given
from hypothesis import strategies as st

SHAPE = Shape()
UNKNOWN = [from_atom(atom_of(("unknown", name), names=(name,)), SHAPE) for name in "abc"]
KNOWN = [from_atom(atom_of(("known", name), Role.PROBS), SHAPE) for name in "abc"]
VALUES: list[Value] = [*UNKNOWN, *KNOWN, Const(None), Const("sum"), Const(1), Const(True)]
decisions = st.builds(
    Decision,
    st.sampled_from(["mask", "how"]),
    st.sampled_from([TRUTHY, Answer.of(None), Answer.of("sum")]),
    st.booleans(),
)
paths = st.lists(decisions, max_size=3).map(tuple).filter(lambda path: not excludes(path, path))
cases = st.builds(Case, paths, st.sampled_from(VALUES))


def known(value: object) -> set[object]:
    """What is known of a joined value: its literals, and the keys and roles of its atoms."""
    assert value is not TOO_MANY
    inside = value.values if isinstance(value, Alternatives) else (value,)
    found: set[object] = set()
    for one in inside:
        if isinstance(one, Const):
            found.add((type(one.value), one.value))
        elif isinstance(one, Tensor) and (atom := one.single()) is not None:
            found.add(atom.names if atom.role is Role.OPAQUE else atom.key)
    return found


def names_of(value: object) -> set[str]:
    inside = value.values if isinstance(value, Alternatives) else (value,)
    return {
        name
        for one in inside
        if isinstance(one, Tensor)
        for atom in one.atoms()
        if atom.role is Role.OPAQUE
        for name in atom.names
    }


@given(cases)
def test_one_case_is_the_value_itself(case: Case) -> None:
    assert join([case]) is case.value
    assert join([case, case]) is case.value


@given(st.lists(cases, min_size=1, max_size=6))
def test_the_order_of_the_cases_makes_no_difference(several: list[Case]) -> None:
    one, other = join(several), join(several[::-1])
    assert {k for k in known(one) if not isinstance(k, tuple) or not all(isinstance(n, str) for n in k)} == {
        k for k in known(other) if not isinstance(k, tuple) or not all(isinstance(n, str) for n in k)
    }
    assert names_of(one) == names_of(other)


@given(st.lists(cases, min_size=1, max_size=6))
def test_a_join_with_what_it_holds_changes_nothing(several: list[Case]) -> None:
    value = join(several)
    assert value is not TOO_MANY
    again = join([Case((), value), Case((), value)])
    assert known(again) == known(value)


@given(st.lists(cases, min_size=1, max_size=6))
def test_nothing_is_known_of_a_join_that_was_not_known_of_a_case(several: list[Case]) -> None:
    given_names = set().union(*(names_of(case.value) for case in several))
    value = join(several)
    assert names_of(value) == given_names
    literals = {(type(c.value.value), c.value.value) for c in several if isinstance(c.value, Const)}
    assert {
        k for k in known(value) if k in {(type(v.value), v.value) for v in VALUES if isinstance(v, Const)}
    } == literals


@given(st.lists(cases, min_size=2, max_size=6), paths)
def test_a_path_takes_away_what_it_excludes_and_no_more(
    several: list[Case], path: tuple[Decision, ...]
) -> None:
    value = join(several)
    assert value is not TOO_MANY
    if not isinstance(value, Alternatives):
        assert restricted(value, path) is value
        return
    left = restricted(value, path)
    allowed = [case.value for case in value.cases if not excludes(case.path, path)]
    remaining = list(left.values) if isinstance(left, Alternatives) else [left]
    assert all(any(one is other for other in (allowed or value.values)) for one in remaining)
    assert not allowed or len({id(one) for one in remaining}) == len({id(one) for one in allowed})


def test_two_branches_of_one_test_that_agree_are_no_branches() -> None:
    decision = Decision("mask", Answer.of(None), True)
    other = Decision("how", TRUTHY, True)
    value = join(
        [
            Case((decision, other), KNOWN[0]),
            Case((decision.negated(), other), KNOWN[0]),
            Case((other.negated(),), KNOWN[1]),
        ]
    )
    assert isinstance(value, Alternatives)
    assert [case.path for case in value.cases] == [(other,), (other.negated(),)]


def test_more_cases_than_are_kept_are_no_value() -> None:
    several = [
        Case((Decision("one of", index, True),), from_atom(atom_of(("many", index), Role.PROBS), SHAPE))
        for index in range(MAX_ALTERNATIVES + 1)
    ]
    assert join(several) is TOO_MANY
    assert join(several[:-1]) is not TOO_MANY


@pytest.mark.parametrize(
    ("one", "other", "both"), [(0, 0, 0), (0, 1, 0), (1, 1, 1), (0, 2, 2), (1, 2, 2), (2, 2, 2)]
)
def test_what_may_have_swallowed_a_count_stays_so(one: GivenUp, other: GivenUp, both: GivenUp) -> None:
    """And what stands for too many values, where there is nothing else."""
    cases = [
        Case((), from_atom(atom_of(("given up", index), given_up=how), SHAPE))
        for index, how in enumerate((one, other))
    ]
    for order in (cases, cases[::-1]):
        value = join(order)
        assert isinstance(value, Tensor)
        assert [atom.given_up for atom in value.atoms()] == [both]


def test_unknown_values_of_a_kind_are_one_whatever_comes_first() -> None:
    one, other = join([Case((), v) for v in UNKNOWN]), join([Case((), v) for v in UNKNOWN[::-1]])
    assert isinstance(one, Tensor)
    assert isinstance(other, Tensor)
    assert names_of(one) == names_of(other) == {"a", "b", "c"}
    assert one.terms == join([Case((), v) for v in UNKNOWN]).terms  # type: ignore[union-attr]


def test_what_is_computed_with_is_not_none() -> None:
    decision = Decision("mask", Answer.of(None), True)
    value = join([Case((decision,), Const(None)), Case((decision.negated(),), KNOWN[0])])
    assert value is not TOO_MANY
    assert something(value) is KNOWN[0]
    assert something(Const(None)) == Const(None)
