"""Each framework has the fixtures that were promised, and the second stage has each framework."""

from __future__ import annotations

import os

import pytest
from batchmean_reference.frameworks import FRAMEWORKS, Framework

from tests.fixtures.specification import CASES
from tests.frameworks.libraries import SECOND_STAGE

PROMISED = {
    "jax": (14, 12),
    "tensorflow": (12, 8),
    "keras": (8, 6),
    "paddle": (6, 4),
    "mlx": (6, 4),
    "tinygrad": (5, 4),
}
"""Wrong cases, and right ones that are not just the twin of a wrong one."""


@pytest.mark.parametrize("name", PROMISED)
def test_there_are_as_many_fixtures_as_promised(name: str) -> None:
    cases = [case for case in CASES if case.framework.name == name]
    twins = {(case.path, case.reference) for case in cases if case.is_wrong}
    wrong = [case for case in cases if case.is_wrong]
    further = [case for case in cases if not case.is_wrong and (case.path, case.name) not in twins]
    least_wrong, least_further = PROMISED[name]
    assert len(wrong) >= least_wrong
    assert len(further) >= least_further


@pytest.mark.parametrize("name", PROMISED)
def test_a_framework_has_findings_of_each_kind(name: str) -> None:
    codes = {e.code for case in CASES if case.framework.name == name for e in case.expected}
    assert codes >= {"BMN101", "BMN102", "BMN104"}
    assert ("BMN103" in codes) == (name == "paddle")  # the others' divergences sum over the classes


@pytest.mark.heavy
@pytest.mark.skipif(os.environ.get("BATCHMEAN_HEAVY") != "1", reason="only where every framework has to be")
@pytest.mark.parametrize("framework", FRAMEWORKS.values(), ids=lambda framework: framework.name)
def test_the_second_stage_has_every_framework(framework: Framework) -> None:
    assert not framework.missing
    assert set(framework.libraries) <= set(SECOND_STAGE)
