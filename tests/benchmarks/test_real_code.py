"""The check of real code runs real processes and fails when something does not hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.facts import Judgements
from benchmarks.packages import Pin
from benchmarks.real_code import Expected, known_mistake_holds, whole_package_holds

PIN = Pin("package", "1.0")
LOSS = """\
import torch.nn.functional as F

def kd(student, teacher):
    return F.kl_div(F.log_softmax(student, dim=1), F.softmax(teacher, dim=1))
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    (tmp_path / "package").mkdir()
    (tmp_path / "package/kd.py").write_text(LOSS, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("line", "code", "size", "holds"),
    [
        (4, "BMN103", "V", True),
        (3, "BMN103", "V", False),
        (4, "BMN102", "V", False),
        (4, "BMN103", "D", False),
    ],
)
def test_a_known_mistake(package: Path, line: int, code: str, size: str, holds: bool) -> None:
    assert known_mistake_holds(Expected(PIN, "package/kd.py", line, code, {size: -1}), package) is holds


@pytest.mark.parametrize(("verdict", "holds"), [("right", True), ("wrong", False), (None, False)])
def test_every_finding_in_a_package_must_be_held_right(
    package: Path, verdict: str | None, holds: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    place = {"source": "package==1.0", "path": "package/kd.py", "line": "4", "code": "BMN103"}
    known = [{**place, "verdict": verdict, "reason": "read"}] if verdict else []
    assert whole_package_holds(PIN, package, Judgements(known)) is holds
    output = capsys.readouterr().out
    assert "findings: 1 by batchmean check, 1 by flake8" in output
    assert "package/kd.py:4 BMN103" in output
