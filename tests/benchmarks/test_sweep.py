"""The sweep over whole folders."""

from __future__ import annotations

from pathlib import Path

import pytest
from batchmean.linter import InternalError

from benchmarks import sweep

WRONG = """\
import numpy as np
from scipy.special import log_softmax


def loss(logits, labels):
    target = np.eye(10)[labels]
    return -(target * log_softmax(logits, axis=-1)).mean()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "wrong.py").write_text(WRONG, encoding="utf-8")
    (tmp_path / "refused.py").write_text(f"{WRONG}(flag): bool = True\n", encoding="utf-8")
    (tmp_path / "altered.py").write_text(f"\f{WRONG}", encoding="utf-8")
    (tmp_path / "broken.py").write_text("def f(:\n", encoding="utf-8")
    (tmp_path / "latin.py").write_bytes(b"x = '\xe9'\n")
    (tmp_path / "notes.ipynb").write_text("{}", encoding="utf-8")
    return tmp_path


def test_what_libcst_refuses_is_analysed_all_the_same(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sweep.main([str(folder), "--jobs", "1"]) == 0
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.startswith(
        f"{folder}: 5 files, 3 analysed, 2 not Python, 0 failures of the linter; 3 findings, 3 with a fix;"
    )
    assert first.endswith("by LibCST 1 read, 1 refused, 1 not given back as they were")
    assert sum("LibCST: refused" in line and "refused.py" in line for line in rest) == 1
    assert sum("LibCST: not as it was" in line and "altered.py" in line for line in rest) == 1
    assert sum("not Python" in line and "broken.py: syntax error on line 1" in line for line in rest) == 1


def test_a_failure_of_the_linter_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = sweep.Outcome("a.py", failure="KeyError: 1")
    assert "  FAILED a.py: KeyError: 1" in sweep.summary("b", [found])

    def fails(*args: object, **kwargs: object) -> None:
        raise InternalError("KeyError: 2")

    monkeypatch.setattr(sweep, "lint", fails)
    assert sweep.outcome(str(folder / "wrong.py")).failure == "KeyError: 2"
