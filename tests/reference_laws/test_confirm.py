"""`batchmean laws --findings`: nothing runs unasked, what runs is limited, and the fixtures' findings are confirmed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from batchmean_reference.confirm import CONFIRMED, NOT_CONFIRMED, USAGE, main
from batchmean_reference.frameworks import FRAMEWORKS

FIXTURES = Path(__file__).parents[2] / "fixtures"

LOSSES = '''\
import os
import pathlib
import sys

import numpy as np
from scipy.special import log_softmax

pathlib.Path(__file__).with_name("imported").touch()


def averaged(y, logits):
    print("noise on standard output")
    return -(y * log_softmax(logits, axis=-1)).mean()


def declared(y, wibble):
    """Guessing would not help.

    y: one_hot (B, V)
    wibble: logits (B, V)
    unit: B
    """
    return -(y * log_softmax(wibble, axis=-1)).sum() / wibble.size


def ends(y, logits):
    os._exit(7)
    return -(y * log_softmax(logits, axis=-1)).mean()


def leaves(y, logits):
    sys.exit(3)
    return -(y * log_softmax(logits, axis=-1)).mean()


class Model:
    def loss(self, y, logits):
        return -(y * log_softmax(logits, axis=-1)).mean()
'''


@pytest.fixture
def losses(tmp_path: Path) -> Path:
    file = tmp_path / "losses.py"
    file.write_text(LOSSES, encoding="utf-8")
    return file


def test_nothing_is_run_unless_it_is_asked_for(losses: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--findings", str(losses)]) == USAGE
    said = capsys.readouterr()
    assert f"{losses}:13: BMN102: would run averaged" in said.out
    assert "nothing was run; --execute" in said.err
    assert not (losses.parent / "imported").exists()


def test_what_runs_is_confirmed_or_left_open_with_the_reason(
    losses: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--findings", str(losses), "--execute"]) == NOT_CONFIRMED
    said = capsys.readouterr().out
    assert said.startswith("Running the code: ")
    assert "noise" not in said
    lines = {line.split()[3].rstrip(":"): line for line in said.splitlines() if ": BMN1" in line}
    assert lines["averaged"].endswith(": confirmed (measured 1/V)")
    assert lines["declared"].endswith(": confirmed (measured 1/V)")
    assert lines["ends"].endswith(": open (its process ended with exit code 7)")
    assert lines["leaves"].endswith(": open (the function ends Python: SystemExit: 3)")
    assert "open (it stands in a method of Model, and needs an object of that class)" in said
    assert said.endswith("5 findings: 2 confirmed, 0 contradicted, 3 open\n")
    assert (losses.parent / "imported").exists()


@pytest.mark.heavy
def test_a_claim_that_the_measurement_does_not_bear_out_is_contradicted(tmp_path: Path) -> None:
    from batchmean_reference.confirm import Task, run

    file = tmp_path / "right.py"
    file.write_text(LOSSES.split("def averaged")[0] + "def right(y, logits):\n    return "
                    "-(y * log_softmax(logits, axis=-1)).sum(axis=-1).mean()\n", encoding="utf-8")  # fmt: skip
    (outcome,) = run([Task(str(file), 11, "BMN102", {"V": -1}, ("right",))])
    assert (outcome.verdict, outcome.measured) == ("contradicted", "1")


@pytest.mark.heavy
def test_a_function_that_does_not_end_is_stopped(tmp_path: Path) -> None:
    from batchmean_reference.confirm import Task, run

    file = tmp_path / "endless.py"
    file.write_text(
        "import numpy as np\n\ndef f(y, logits):\n    while True:\n        pass\n", encoding="utf-8"
    )
    tasks = [Task(str(file), 4, "BMN102", {"V": -1}, ("f",)) for _ in range(2)]
    outcomes = list(run(tasks, seconds=1, importing=2))
    assert [outcome.reason for outcome in outcomes] == ["it ran for more than 1 s"] * 2


def test_files_that_cannot_be_read_are_named_and_the_others_are_run(
    losses: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (losses.parent / "broken.py").write_text("def f(:\n", encoding="utf-8")
    missing = str(losses.parent / "missing.py")
    losses.write_text(LOSSES.split("def declared")[0], encoding="utf-8")
    code = main(["--findings", str(losses.parent), missing, "--execute", "--output-format", "json"])
    said = capsys.readouterr()
    assert code == USAGE
    assert f"error: {missing}: no such file or directory" in said.err
    assert "broken.py: syntax error" in said.err
    report = json.loads(said.out)
    assert report["counts"] == {"confirmed": 1, "contradicted": 0, "open": 0}
    (row,) = report["findings"]
    assert {
        "code": "BMN102",
        "factor": {"V": -1},
        "function": "averaged",
        "measured": "1/V",
    }.items() <= row.items()


def test_no_findings_are_all_confirmed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "clean.py").write_text("x = 1\n", encoding="utf-8")
    assert main(["--findings", str(tmp_path)]) == CONFIRMED
    assert capsys.readouterr().out == ""


@pytest.mark.heavy
@pytest.mark.parametrize("folder", ["on_numpy", "on_torch"])
def test_the_findings_of_the_fixtures_are_confirmed(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Measured: 217 of 224 on NumPy, 265 of 273 on PyTorch. The rest has sizes that the code fixes, or exponentials."""
    if FRAMEWORKS[folder].missing:
        pytest.skip(f"{' and '.join(FRAMEWORKS[folder].missing)} not installed")
    main(
        [
            "--findings",
            str(FIXTURES / folder),
            "--preview",
            "--execute",
            "--timeout",
            "60",
            "--output-format",
            "json",
        ]
    )
    counts = json.loads(capsys.readouterr().out)["counts"]
    assert counts["contradicted"] == 0
    assert counts["confirmed"] >= 0.95 * sum(counts.values())
