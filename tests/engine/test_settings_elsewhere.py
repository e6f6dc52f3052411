"""Settings of another module: both steps of a reduction ask for one, each in words of its own."""

from __future__ import annotations

import textwrap
from pathlib import Path

import batchmean
import pytest

CONFIG = """
import enum
from types import SimpleNamespace

class How(enum.Enum):
    MEAN = "mean"
    SUM = "sum"

HOW = "mean"
SETTINGS = SimpleNamespace(how="mean", member=How.MEAN)
"""


def codes(folder: Path, first: str, second: str, imported: str) -> list[str]:
    """What is said of a sum over all and its division, where the questions are these."""
    (folder / "pyproject.toml").write_text("[tool.batchmean]\npreview = true\n")
    (folder / "config.py").write_text(CONFIG)
    text = f"""
    import numpy as np
    {imported}

    def reduced(x, settings):
        if {first}:
            total = x.sum()
        else:
            total = x.sum(axis=-1)
        if {second}:
            total = total / len(x)
        else:
            total = np.mean(total)
        return total

    def entropy(logits):
        q = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
        return reduced(-(np.exp(q) * q), SETTINGS)
    """
    path = folder / "train.py"
    path.write_text(textwrap.dedent(text))
    (result,) = batchmean.check_files(path)
    assert not result.errors
    return [finding.code for finding in result.findings]


@pytest.mark.parametrize("source", ["config", "installed"])
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("HOW == 'mean'", "HOW in ['mean']"),
        ("HOW in {'mean'}", "HOW.lower() == 'mean'"),
        ("settings.how in ('mean',)", "getattr(settings, 'how', 'sum') == 'mean'"),
        ("settings.how == 'mean'", "settings.how in ['mean']"),
        ("settings.how == 'mean'", "settings.how.strip() in {'mean'}"),
        ("getattr(settings, 'by_examples', False)", "vars(settings)['by_examples']"),
        ("settings.by_examples", "getattr(settings, 'by_examples', False)"),
        ("settings.member is How.MEAN", "settings.member == How.MEAN"),
    ],
)
def test_one_question_in_two_spellings(tmp_path: Path, source: str, first: str, second: str) -> None:
    assert codes(tmp_path, first, second, f"from {source} import HOW, SETTINGS, How") == []


@pytest.mark.parametrize("imported", ["HOW, SETTINGS, How", "HOW, SETTINGS, How as h"])
@pytest.mark.parametrize("second", ["settings.member is {}.MEAN", "settings.member.value == 'mean'"])
def test_members_of_an_enum_are_what_they_are_there(tmp_path: Path, imported: str, second: str) -> None:
    name = imported.split()[-1]
    first, second = f"settings.member in ({name}.MEAN,)", second.format(name)
    assert codes(tmp_path, first, second, f"from config import {imported}") == []
    another = f"settings.member == {name}.SUM"
    assert codes(tmp_path, first, another, f"from config import {imported}") == ["BMN303"]


def test_another_question_is_another_decision(tmp_path: Path) -> None:
    imported = "from config import HOW, SETTINGS, How"
    assert codes(tmp_path, "HOW in ['mean']", "HOW in ['sum']", imported) == ["BMN303"]
