"""Library losses in every way of reducing them: a fix gives the right loss or is not offered, what is right is silent.

NumPy's are run in the first stage, a sample of them; all programs of all frameworks in the second.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from batchmean.linter import lint
from batchmean.source import apply

from tests.frameworks.library_matrix import (
    LOSSES,
    LibraryLoss,
    Program,
    all_programs,
    inputs,
    judge,
    prepared,
    programs,
    right_value,
    run,
    sample,
)

pytestmark = pytest.mark.filterwarnings("ignore")  # the libraries' own, and those of programs that are wrong

HEAVY = [name for name in LOSSES if name != "numpy"]


def problems(chosen: Sequence[Program]) -> tuple[list[str], Counter[str]]:
    """What is wrong with the verdicts and fixes, and how many programs were run, reported and fixed."""
    found, counts = [], Counter[str]()
    for program in chosen:
        for outcome in judge(program):
            counts["run"] += 1
            counts["reported"] += bool(outcome.findings)
            counts["fixed"] += any(finding.fix for finding in outcome.findings)
            if outcome.problem:
                found.append(f"{program.id} {outcome.layout}: {outcome.problem}")
    return found, counts


def test_a_sample_of_numpy() -> None:
    prepared("numpy")
    found, counts = problems(sample(all_programs("numpy"), 400))
    assert not found, "\n".join(found)
    assert counts["run"] > 500
    assert counts["fixed"] > 40


@pytest.mark.heavy
@pytest.mark.parametrize("framework", list(LOSSES))
def test_all_programs(framework: str) -> None:
    prepared(framework)
    found, counts = problems(all_programs(framework))
    assert not found, "\n".join(found)
    assert counts["run"] > 500
    assert counts["reported"] > 40


def test_the_matrix_has_every_kind_of_loss() -> None:
    kinds = {name: {loss.kind for loss in losses()} for name, losses in LOSSES.items()}
    assert all("summed" in of_framework for of_framework in kinds.values())
    assert kinds["torch"] == kinds["paddle"] == kinds["numpy"] == {"summed", "terms", "elementwise"}
    assert min(len(all_programs(name)) for name in LOSSES) > 200


def _loss(framework: str, name: str) -> LibraryLoss:
    return next(loss for loss in LOSSES[framework]() if loss.name == name)


def test_right_values_are_what_numpy_says() -> None:
    loss = _loss("numpy", "rel_entr")
    arrays = inputs("BTV", loss)
    by_unit = right_value(loss, arrays)
    named = {program.way: program for program in programs(loss)}
    value = run(named["sum over -1 mean"].text, "on_numpy", arrays)
    assert by_unit == pytest.approx((float(value),))
    assert not list(lint(named["sum over -1 mean"].text, "x.py"))


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("cross_entropy", "sum / size"),
        ("cross_entropy", "sum named / size"),
        ("cross_entropy", "sum / length 1"),
        ("cross_entropy", "hand sum / size"),
        ("nll_loss", "sum count / size"),
        ("CrossEntropyLoss", "sum times 1 / size"),
    ],
)
def test_where_the_library_sums_the_classes_the_mean_is_taken(name: str, way: str) -> None:
    """`reduction="none"` has no class axis any more: a sum over it raises, or sums the examples."""
    prepared("torch")
    loss = _loss("torch", name)
    program = next(program for program in programs(loss) if program.way == way)
    (finding,) = lint(program.text, "x.py", fixes=True)
    assert finding.fix is not None, finding.no_fix
    after = apply(program.text, finding.fix.edits)
    for layout in ("BV", "BTV"):
        arrays = inputs(layout, loss)
        assert float(run(after, "on_torch", arrays)) == pytest.approx(right_value(loss, arrays)[0])
