"""The score: what counts as found, missed, a false alarm and a copy, and what the exit status says."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from benchmarks.casebook import Score, Source, checkouts_in, judge, report, score, wilson
from benchmarks.facts import Judgements, Label, Law, Row

LOSSES = """\
import torch
import torch.nn.functional as F

def wrong(logits, target):
    p = F.softmax(target, dim=1)
    return -(p * F.log_softmax(logits, dim=1)).mean()

def right(logits, target):
    p = F.softmax(target, dim=1)
    return -(p * F.log_softmax(logits, dim=1)).sum(dim=1).mean()
"""


def row(place: str, label: Label, path: str = "losses.py", family: str = "class-mean") -> Row:
    return Row("o/n@1", path, place, label, family, "")


def judgements(verdict: str, path: str = "losses.py") -> Judgements:
    place = {"source": "o/n@1", "path": path, "line": "6", "code": "BMN102"}
    return Judgements([{**place, "verdict": verdict, "reason": "read"}])


@pytest.fixture
def source(tmp_path: Path) -> Source:
    (tmp_path / "losses.py").write_text(LOSSES, encoding="utf-8")
    (tmp_path / "python2.py").write_text("print 'log_softmax', mean()\n", encoding="utf-8")
    return Source("o/n@1", tmp_path)


def test_what_is_found_and_what_is_not(source: Source) -> None:
    rows = [row("wrong", "bug"), row("6", "deliberate"), row("right", "harmless"), row("9-10", "fine")]
    rows += [row("4-6", "fine"), row("1", "bug", path="absent.py")]
    result = score([source], rows, jobs=1)
    assert result.found == rows[:2]
    assert result.missed == rows[2:3]
    assert result.silent == rows[3:4]
    assert result.false_alarms == rows[4:5]
    assert result.absent == rows[5:]
    assert result.recall(["null class"]) == (2, 2)
    assert (result.files, result.crashes) == (2, [])


@pytest.mark.parametrize(
    ("family", "law"),
    [
        ("class-mean", "null class"),
        ("mask-all-positions", "padding"),
        ("double-division", "duplication"),
        ("broadcast", "pointwise"),
        ("sum-over-tokens", None),
    ],
)
def test_rows_count_in_the_recall_of_their_law(source: Source, family: str, law: Law | None) -> None:
    result = score([source], [row("right", "bug", family=family)], jobs=1)
    assert [each for each in get_args(Law) if result.recall([each]) == (0, 1)] == ([law] if law else [])


def test_copies_are_judged_once(source: Source) -> None:
    (source.folder / "build").mkdir()
    (source.folder / "build/losses.py").write_text(LOSSES, encoding="utf-8")
    result = score([source, Source("o/n@2", source.folder)], [], jobs=1)
    assert len(result.findings) == 4
    (judged,) = judge(result.findings, judgements("right", "build/losses.py"))
    assert judged.verdict == "right"


@pytest.mark.parametrize(
    ("label", "verdict", "status"),
    [("bug", "right", 0), ("bug", "wrong", 1), ("fine", "right", 0), ("bug", None, 1)],
)
def test_exit_status(
    source: Source, label: Label, verdict: str | None, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    result = score([source], [row("wrong", label)], jobs=1)
    assert report(result, judgements(verdict) if verdict else Judgements([])) == status
    disagree = (label, verdict) in {("bug", "wrong"), ("fine", "right")}
    assert ("Label and second reading disagree: 1" in capsys.readouterr().out) == disagree


@pytest.mark.parametrize(
    ("family", "laws"), [("class-mean", "null class"), ("mask", "padding, duplication, pointwise")]
)
def test_too_little_recall_fails(family: str, laws: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert report(Score(missed=[row("right", "bug", family=family)]), Judgements([])) == 1
    assert f"FAILS  recall, {laws}, bug and deliberate: 0 of 1" in capsys.readouterr().out


def test_checkouts_are_called_as_in_the_tables(tmp_path: Path) -> None:
    (tmp_path / "owner+a+b@0123").mkdir()
    (tmp_path / "notes").mkdir()
    (tmp_path / "INDEX.tsv").touch()
    assert checkouts_in(tmp_path) == [Source("owner/a+b@0123", tmp_path / "owner+a+b@0123")]


@pytest.mark.parametrize(
    ("successes", "trials", "interval"),
    [(0, 0, (0.0, 1.0)), (5, 10, (0.2366, 0.7634)), (10, 10, (0.7225, 1.0)), (0, 10, (0.0, 0.2775))],
)
def test_wilson_interval(successes: int, trials: int, interval: tuple[float, float]) -> None:
    assert wilson(successes, trials) == pytest.approx(interval, abs=1e-4)
