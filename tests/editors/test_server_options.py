"""What `batchmean server` is started with wins over the settings of the project, in findings and in fixes."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from batchmean.server.analysis import Analysis, Job, analyse, fix_all

from tests.editors.client import program
from tests.faces.support import WRONG

BY_NAMES = """\


def by_names(y_true, y_pred):
    return -(y_true * np.log(y_pred)).mean()
"""
TEXT = WRONG + BY_NAMES


def analysis(folder: Path, text: str, **overrides: Any) -> Analysis:
    return analyse(text, str(folder / "a.py"), None, Job(), overrides=overrides)


def codes(folder: Path, **overrides: Any) -> list[str]:
    found = analysis(folder, TEXT, **overrides).findings
    assert found is not None
    return [f"{finding.code} {finding.confidence}" for finding in found]


def test_the_options_win_over_the_project(tmp_path: Path) -> None:
    both = ["BMN102 proved", "BMN102 likely"]
    assert codes(tmp_path) == both
    assert codes(tmp_path, min_confidence="proved") == ["BMN102 proved"]
    (tmp_path / "pyproject.toml").write_text(
        '[tool.batchmean]\nmin-confidence = "proved"\nignore = ["BMN101"]\n'
    )
    assert codes(tmp_path) == ["BMN102 proved"]
    assert codes(tmp_path, min_confidence="likely") == both
    assert codes(tmp_path, ignore=("BMN102",)) == []
    assert codes(tmp_path, select=("BMN2",)) == []


def test_fixes_are_those_of_the_findings_that_are_wanted(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.batchmean]\nselect = ["BMN2"]\n')
    wanted = {"select": ("BMN102",)}
    known = analyse(WRONG, str(tmp_path / "a.py"), None, Job(), fixes=None, overrides=wanted)
    assert known.findings is not None and len(known.findings) == 1
    fixed = fix_all(known, str(tmp_path / "a.py"), Job(), known.findings, wanted)
    assert fixed == WRONG.replace(".mean()", ".sum(axis=-1).mean()")


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (["--select", "XYZ"], "error: --select: unknown code 'XYZ'"),
        (["--colour"], "batchmean server: error: unrecognized arguments: --colour"),
    ],
)
def test_what_an_option_cannot_mean_is_said_at_the_start(option: list[str], said: str) -> None:
    done = subprocess.run(
        [program("batchmean"), "server", *option], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    assert done.returncode == 2
    assert said in done.stderr.decode()
    assert done.stdout == b""
