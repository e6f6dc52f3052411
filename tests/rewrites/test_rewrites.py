"""Rewriting a module without changing its maths changes no verdict: `benchmarks.rewrites` over the fixtures.

What is proved stays proved, right code stays silent, and of the likely findings at most two in a hundred go. What
does not hold yet stands in `benchmarks/rewrites/known.py`, with how much of it: an entry that is larger than needed
is named by `python -m benchmarks.rewrites`.
"""

from __future__ import annotations

import json
from collections import Counter

import pytest

from benchmarks.rewrites.__main__ import main
from benchmarks.rewrites.flips import Tally, Verdict, Verdicts, compared, flips_of
from benchmarks.rewrites.known import KNOWN, Allowed, needed, not_allowed
from benchmarks.rewrites.programs import Program, programs
from benchmarks.rewrites.registry import REWRITES, Rewrite
from benchmarks.rewrites.values import differs

EVERY = programs()
SAMPLE = EVERY[7::45]
RUN = [program for program in EVERY if program.framework == "numpy"][3::40]
NAMES = sorted(REWRITES)


def tally(rewrite: str, chosen: tuple[Program, ...]) -> Tally:
    found = Tally(rewrite)
    for program in chosen:
        for _, flip, _ in flips_of(program, [REWRITES[rewrite]]):
            found.add(flip)
    return found


def check(rewrite: str, found: Tally) -> None:
    assert not not_allowed(found, tells_less=REWRITES[rewrite].tells_less), found


@pytest.mark.parametrize("rewrite", NAMES)
def test_a_rewrite_changes_no_verdict(rewrite: str) -> None:
    check(rewrite, tally(rewrite, SAMPLE))


@pytest.mark.heavy
@pytest.mark.parametrize("rewrite", NAMES)
def test_a_rewrite_changes_no_verdict_of_any_fixture(rewrite: str) -> None:
    check(rewrite, tally(rewrite, EVERY))


def test_the_sample_has_wrong_and_right_code_of_several_frameworks() -> None:
    assert {program.is_wrong for program in SAMPLE} == {True, False}
    assert len({program.framework for program in SAMPLE}) >= 5


@pytest.mark.parametrize("rewrite", NAMES)
def test_every_rewrite_changes_some_program(rewrite: str) -> None:
    assert any(REWRITES[rewrite].rewritten(program) for program in EVERY)


@pytest.mark.parametrize("program", RUN, ids=lambda program: program.id)
def test_no_rewrite_changes_a_value(program: Program) -> None:
    _check_values(program)


def _values_of(framework: str) -> list[object]:
    every = [program for program in EVERY if program.framework == framework]
    step = 3 if framework == "numpy" else 12
    missing = every[0].case.framework.missing
    skip = pytest.mark.skipif(bool(missing), reason=f"{' and '.join(missing)} not installed")
    return [pytest.param(program, id=program.id, marks=skip) for program in every[::step]]


@pytest.mark.heavy
@pytest.mark.parametrize(
    "program", [p for framework in sorted({p.framework for p in EVERY}) for p in _values_of(framework)]
)
def test_no_rewrite_changes_a_value_of_any_framework(program: Program) -> None:
    _check_values(program)


def _check_values(program: Program) -> None:
    changed: dict[str, str] = {}
    for name, rewrite in REWRITES.items():
        source = rewrite.rewritten(program) if rewrite.runs else None
        if source is not None:
            how = differs(program, source)
            if how is not None:
                changed[name] = how
    assert not changed


def test_known_flips_are_of_rewrites_that_exist() -> None:
    assert set(KNOWN) <= set(REWRITES)
    assert all(any(allowed) for allowed in KNOWN.values()), "an entry that allows nothing"


def test_what_is_needed_and_what_is_allowed() -> None:
    found = Tally(
        "in-try", changed=200, before=150, before_proved=50, lost=4, lost_proved=1, weakened=1, raised=3
    )
    assert needed(found, tells_less=False) == Allowed(proved=2, likely=3)
    assert needed(found, tells_less=True) == Allowed(proved=2, raised=3)
    assert not_allowed(found, tells_less=False) == ["proved", "likely"]
    assert not_allowed(Tally("in-try", before=100, lost=2), tells_less=False) == []


WRONG = next(p for p in EVERY if p.id == "on_numpy/class_axis_mean.py::one_hot_by_eye")
RIGHT = next(p for p in EVERY if p.id == "on_numpy/class_axis_mean.py::one_hot_sum_classes_mean_batch")
SILENT = "def one_hot_by_eye(): pass"


def _found(*verdicts: Verdict) -> Verdicts:
    return Counter(verdicts)


def _rewrite(**options: object) -> Rewrite:
    return Rewrite("any", "Any.", lambda tree, program: tree, **options)  # type: ignore[arg-type]


def test_what_is_gone_is_lost() -> None:
    proved = Verdict("BMN102", "proved", "one_hot_by_eye")
    flip = compared(WRONG, _rewrite(), _found(proved), SILENT)
    assert flip.flips and flip.lost == _found(proved)
    tally = Tally("any")
    tally.add(flip)
    assert (tally.lost, tally.proved_flips, tally.likely_flips, tally.flip_rate) == (1, 1, 0, 100.0)


def test_what_is_found_on_right_code_is_gained() -> None:
    flip = compared(RIGHT, _rewrite(), _found(), WRONG.source)
    assert flip.flips and flip.gained.total() == 1 and not flip.lost and not flip.beside
    beside = compared(WRONG, _rewrite(), _found(), WRONG.source)
    assert beside.beside.total() == 1 and not beside.flips


def test_another_confidence_is_weakened_or_raised() -> None:
    proved = Verdict("BMN102", "proved", "one_hot_by_eye")
    likely = proved._replace(confidence="likely")
    raised = compared(WRONG, _rewrite(), _found(likely), WRONG.source)
    assert raised.raised == _found(likely) and not raised.flips
    weak = next(p for p in EVERY if p.id == "on_numpy/class_axis_mean.py::mean_method")
    weakened = compared(weak, _rewrite(), _found(proved._replace(function="mean_method")), weak.source)
    assert weakened.flips and weakened.weakened.total() == 1 and not weakened.lost


def test_a_finding_may_move_or_change_its_code_where_the_rewrite_says_so() -> None:
    elsewhere = _found(Verdict("BMN102", "proved", "helper"))
    assert compared(WRONG, _rewrite(), elsewhere, WRONG.source).lost == elsewhere
    assert not compared(WRONG, _rewrite(moves=True), elsewhere, WRONG.source).flips
    division = _found(Verdict("BMN101", "proved", "one_hot_by_eye"))
    assert compared(WRONG, _rewrite(), division, WRONG.source).flips
    assert not compared(WRONG, _rewrite(codes={"BMN102": "BMN101"}), division, WRONG.source).flips


def test_a_program_stands_alone() -> None:
    names = {"np", "log_softmax"}
    assert "one_hot_sum_classes_mean_batch" not in WRONG.source
    assert all(name in WRONG.source for name in names)
    assert '"""' not in WRONG.source


def test_the_command_prints_a_table_and_its_figures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--fixtures", "class_axis_mean.py::mean_method", "--rewrites", "in-try", "--jobs", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[:3] == ["in-try", "1", "1"]
    figures = json.loads(lines[-1])
    assert figures["rewrites"]["in-try"]["before"] == 1 and figures["total"]["lost"] == 0


def test_the_command_prints_one_program(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--rewritten-source", "in-try", "class_axis_mean.py::mean_method"]) == 0
    assert "    try:\n        return -(targets" in capsys.readouterr().out
    assert main(["--rewritten-source", "in-trial", "mean_method"]) == 2
