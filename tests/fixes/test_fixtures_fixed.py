"""The fixtures through `--fix`: what is offered is executed, and measures what the right twin measures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from batchmean.check import Check
from batchmean.config import Settings
from batchmean.findings import Finding
from batchmean.rewrite import rewrite
from batchmean.rules import RULES
from batchmean_reference.audit import Monomial, deviation, measure_all
from batchmean_reference.cases import Case, read_cases
from batchmean_reference.laws import check_laws

from tests.fixtures.specification import CASES, MODULES, reference_of, to_run
from tests.robustness.counting import a_sample_of

RIGHT = [path for path in MODULES if not any(case.expected for case in CASES if case.path == path)]

BROKEN_LAW = {
    "BMN201": "padding",
    "BMN301": "duplication",
    "BMN302": "duplication",
    "BMN304": "duplication",
    "BMN501": "split",
    "BMN502": "split",
}
"""The law that a finding of this code breaks, and its fix has to keep."""

pytestmark = pytest.mark.filterwarnings("ignore:.*reduction:UserWarning", "ignore:.*size_average:UserWarning")


@cache
def _fixed(path: Path) -> tuple[bytes, list[Finding]]:
    """The module with every fix that is offered, and the findings that remain."""
    settings = Settings({"preview": True}, file=None, isolated=True)
    check = Check(settings, fixes=True, warn=pytest.fail)
    report = check.files([str(path)])
    assert not report.errors
    done = rewrite(report, check, lambda name: Path(name).read_bytes(), lambda *_: None, unsafe=True)
    assert not done.report.errors
    return (done.changes[0].after if done.changes else path.read_bytes()), done.report.findings


@pytest.fixture(scope="session")
def fixed_cases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """By the id of a wrong case: the case as fixed, or None where it has no fix."""
    folder = tmp_path_factory.mktemp("fixed")

    @cache
    def of_module(path: Path) -> dict[str, Case | None]:
        data, remaining = _fixed(path)
        lines = {finding.span.line for finding in remaining}
        copy = folder / path.parent.name / path.name
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(data)
        cases = [case for case in read_cases(copy) if case.is_wrong]
        return {case.id: None if lines & {e.line for e in case.expected} else case for case in cases}

    yield of_module


@pytest.mark.parametrize("case", to_run(case for case in CASES if case.is_wrong))
def test_a_fix_makes_it_the_right_loss(case: Case, fixed_cases: object) -> None:
    fixed = fixed_cases(case.path)[case.id]  # type: ignore[operator]
    if fixed is None:
        pytest.skip("no fix is offered")
    loss = fixed.loss()
    measured = measure_all(loss, reference_of(case).loss())
    assert deviation(measured, Monomial()) < (1e-12 if case.framework.tolerance < 1e-8 else 1e-6)
    results = check_laws(loss)
    assert not [law for law, result in results.items() if result.verdict == "broken"]
    for expected in case.expected:
        law = BROKEN_LAW.get(expected.code)
        assert law is None or results[law].verdict == "holds"


@pytest.mark.parametrize("path", a_sample_of(MODULES, 3), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_fixing_twice_changes_nothing_more(path: Path, tmp_path: Path) -> None:
    once, remaining = _fixed(path)
    copy = tmp_path / path.name
    copy.write_bytes(once)
    twice, still = _fixed(copy)
    assert twice == once
    assert [f.code for f in still] == [f.code for f in remaining]


@pytest.mark.parametrize("path", a_sample_of(RIGHT, 3), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_is_right_stays_byte_for_byte(path: Path) -> None:
    assert _fixed(path) == (path.read_bytes(), [])


SHARES = {
    "BMN101": 0.7,  # the others: nothing shows the axis, or the criterion is made elsewhere
    "BMN102": 0.9,
    "BMN103": 0.55,  # the others: a criterion made elsewhere, or the old arguments
    "BMN104": 0.15,  # the others stand beside a reconstruction, or do not show how many axes there are
    "BMN105": 0.5,
    "BMN201": 0.25,  # the others zero the loss in another place than they average it, or in a call
    "BMN301": 0.85,  # the others divide by one count of several, or by what a name alone shows
    "BMN302": 0.5,  # the others do not show how many axes there are
    "BMN304": 0.9,  # the others divide the number of a tensor, `loss.data /= n`: mending that changes the training
    "BMN501": 0.5,  # the others do not show what counts a batch, or add up where the loop has no statement
    "BMN502": 0.1,  # the others count their batches by hand
    "BMN401": 0.8,  # goes away with what it follows from
}
"""Which share of the findings of a code has a fix; those of the other codes have none, and say why."""


def test_every_code_has_a_share_or_no_fix_at_all() -> None:
    assert set(SHARES) < set(RULES)
    left = {code for code in _owed() if _unfixed()[code] == _owed()[code]}
    assert left == set(_owed()) - set(SHARES) != set()


@pytest.mark.parametrize(("code", "share"), SHARES.items())
def test_findings_have_a_fix_where_it_is_certain(code: str, share: float) -> None:
    owed = _owed()[code]
    offered = owed - _unfixed()[code]
    assert offered >= share * owed > 0, f"{offered} of {owed}"


def _owed() -> Counter[str]:
    return Counter(expected.code for case in CASES for expected in case.expected)


@cache
def _unfixed() -> Counter[str]:
    left = [finding for path in MODULES for finding in _fixed(path)[1]]
    assert all(finding.no_fix for finding in left)
    return Counter(finding.code for finding in left)
