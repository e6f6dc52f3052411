"""The speed benchmark's arithmetic, and its files."""

from __future__ import annotations

import ast

import pytest
from batchmean.linter import lint

from benchmarks.speed import Cost, Ratios, Table, file_of, interleaved, total


def test_ratios_are_taken_within_a_round() -> None:
    ratios = Ratios.of([2.0, 30.0, 4.0], [1.0, 10.0, 1.0])
    assert ratios.values == (2.0, 3.0, 4.0)
    assert ratios.median == 3.0
    assert str(ratios) == "3.0 (2.0 to 4.0, n=3)"


def test_rounds_are_interleaved_and_start_in_turn() -> None:
    calls: list[str] = []

    def program(name: str) -> Cost:
        calls.append(name)
        return Cost(len(calls), 0)

    costs = interleaved({"a": lambda: program("a"), "b": lambda: program("b")}, rounds=3)
    assert calls == ["a", "b", "b", "a", "a", "b"]
    assert [c.cpu for c in costs["a"]] == [1, 4, 5]


def test_chunks_are_added_up_round_by_round() -> None:
    chunks = [[Cost(1, 2), Cost(3, 4)], [Cost(10, 20), Cost(30, 40)]]
    assert total(chunks) == [Cost(11, 22), Cost(33, 44)]


@pytest.mark.parametrize("lines", [200, 2000])
def test_a_file_of_so_many_lines_has_so_many_findings(lines: int) -> None:
    text = file_of(lines, losses=3)
    assert text.count("\n") == pytest.approx(lines, abs=30)
    ast.parse(text)
    assert [finding.code for finding in lint(text, "f.py")] == ["BMN102"] * 3


def test_a_budget_is_held_against_the_fastest_turns(capsys: pytest.CaptureFixture[str]) -> None:
    base = [Cost(1.0, 1.0), Cost(1.0, 1.0), Cost(1.0, 1.0)]
    disturbed = [Cost(1.5, 1.5), Cost(1.05, 1.1), Cost(1.4, 1.4)]
    table = Table()
    table.compare("a", disturbed, base, 1.1)
    assert table.holds
    table.compare("b", disturbed, base, 1.04)
    assert not table.holds
    first, second = capsys.readouterr().out.splitlines()
    assert "CPU 1.400 (1.050 to 1.500, n=3), fastest 1.050" in first and first.endswith("holds: at most 1.1")
    assert second.endswith("FAILS: at most 1.04")
