"""The harvested losses: what is taken for a loss, what is run and how it is kept apart, and the table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.oracle import agreement, harvest
from benchmarks.oracle.candidates import candidates
from benchmarks.oracle.harvest_worker import Missing, definitions

LOSSES = """
import os
import numpy as np
from nowhere_at_all import decorated, Base
from scipy.special import log_softmax

print("imported")
open("written_at_import", "w").close()


def right_loss(y, logits):
    return -(y * log_softmax(logits, axis=-1)).sum(axis=-1).mean()


def _mean(x):
    return x.mean()


def wrong_loss(y, logits):
    return -_mean(y * log_softmax(logits, axis=-1))


def switched_loss(y, logits, wrong=False):
    if wrong:
        return -(y * log_softmax(logits, axis=-1)).mean()
    return -(y * log_softmax(logits, axis=-1)).sum(axis=-1).mean()


def endless_loss(y, logits):
    while True:
        pass
    return y


def deadly_loss(y, logits):
    if len(y):
        raise SystemExit
    return y


@decorated
def ending_loss(y, logits):
    getattr(os, "_e" + "xit")(3)
    return y


class PairLoss(Base):
    def __call__(self, y, logits):
        return right_loss(y, logits), logits


class Trainer:
    def loss(self, y, logits):
        return right_loss(y, logits)

    @staticmethod
    def entropy_loss(p):
        return -(p * np.log(p)).sum(-1).mean()

    def train_loss(self, y, logits):
        self.loss(y, logits).backward()


def helper(x):
    return x + 1
"""


def test_what_is_taken_for_a_loss() -> None:
    found = {one.name: one.how for one in candidates(LOSSES)}
    assert found == {
        "right_loss": "function",
        "wrong_loss": "function",
        "switched_loss": "function",
        "deadly_loss": "function",
        "endless_loss": "function",
        "ending_loss": "function",
        "PairLoss": "class",
        "Trainer.loss": "without self",
        "Trainer.entropy_loss": "static",
    }


def test_findings_of_what_a_loss_calls_are_its_own() -> None:
    wrong = next(one for one in candidates(LOSSES) if one.name == "wrong_loss")
    lines = LOSSES.splitlines()
    covered = {number for first, last in wrong.spans for number in range(first, last + 1)}
    assert lines.index("    return x.mean()") + 1 in covered
    assert lines.index("    return x + 1") + 1 not in covered


def test_definitions_run_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "somebody.py"
    path.write_text(LOSSES)
    module = definitions(path)
    assert isinstance(module.decorated, Missing)
    assert module.PairLoss.__mro__[1:] == (object,)
    assert not capsys.readouterr().out
    with pytest.raises(ImportError, match="decorated is not installed"):
        module.decorated(1)


@pytest.fixture(scope="module")
def checkouts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkouts")
    (folder / "owner+name" / "src").mkdir(parents=True)
    (folder / "owner+name" / "src" / "losses.py").write_text(LOSSES)
    (folder / "owner+name" / "broken.py").write_text("def loss(:\n")
    return folder


def test_nothing_is_run_without_the_word(checkouts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert harvest.main(["--checkouts", str(checkouts)]) == 2
    out = capsys.readouterr()
    assert "9 owner+name" in out.out
    assert "nothing was run without --execute" in out.err


@pytest.mark.heavy
def test_losses_are_run_apart_and_kept(
    checkouts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store.jsonl"
    arguments = ["--checkouts", str(checkouts), "--store", str(store), "--show", "--timeout", "2"]
    assert harvest.main([*arguments, "--execute"]) == 0
    out = capsys.readouterr().out
    rows = {row["name"]: row for row in harvest.read_store(store)}
    verdicts = {name: row["verdict"] for name, row in rows.items()}
    assert verdicts == {
        "right_loss": "right",
        "wrong_loss": "wrong",
        "switched_loss": "right",
        "endless_loss": "hung",
        "deadly_loss": "cannot run",
        "ending_loss": "crashed",
        "PairLoss": "right",
        "Trainer.loss": "right",
        "Trainer.entropy_loss": "right",
    }
    assert rows["wrong_loss"]["factor"] == {"V": -1}
    assert agreement.said_of(rows["wrong_loss"]) in ("proved", "likely")
    assert agreement.said_of(rows["switched_loss"]) == "not tried"
    assert agreement.said_of(rows["right_loss"]) == "silent"
    counts = json.loads(out.splitlines()[-1])
    assert counts["losses"] == 9
    assert (counts["wrong"], counts["wrong_found"], counts["right_found"]) == (1, 1, 0)
    assert (counts["hung"], counts["crashed"], counts["repositories"]) == (1, 1, 1)
    assert not (checkouts / "owner+name" / "src" / "written_at_import").exists()

    with store.open("a") as file:
        file.write('{"key": "cut o')  # a run that was stopped
    assert harvest.main([*arguments, "--execute"]) == 0
    assert capsys.readouterr().out == out


def row(verdict: str, factor: dict[str, int] | None = None, **more: Any) -> dict[str, Any]:
    told = {"code": "BMN102", "confidence": "proved", "line": 3, "factor": {"V": -1}}
    given: dict[str, Any] = {
        "fraction": "1",
        "told": [told],
        "ran_lines": [3],
        "with": {"y": "one_hot (B, V)"},
    }
    names = {"key": "k", "kind": "package", "origin": "o", "place": "p", "line": 1, "name": "n"}
    return {"verdict": verdict, "factor": factor, **names, **given, **more}


@pytest.mark.parametrize(
    ("one", "truth", "said", "differs"),
    [
        (row("right"), "right", "proved", "right, but a finding"),
        (row("right", ran_lines=[4]), "right", "not tried", ""),
        (row("right", told=[]), "right", "silent", ""),
        (row("wrong", {"V": -1}, fraction="1/V"), "wrong", "proved", ""),
        (row("wrong", {"B": -1}, fraction="1/B"), "wrong", "proved", "another factor"),
        (row("wrong", {"V": -1}, fraction="1/V", told=[]), "wrong", "silent", "wrong, and silent"),
        (row("wrong", {"B": 1}, fraction="B"), "sum", "proved", "a sum, but a finding"),
        (row("wrong", {}, fraction="1/32", told=[]), "a constant", "silent", ""),
        (row("wrong", None, fraction="?", told=[]), "breaks a law", "silent", ""),
        (row("no law"), "no law", "proved", ""),
        (row("cannot run"), "did not run", "proved", ""),
    ],
)
def test_the_table(one: dict[str, Any], truth: str, said: str, differs: str) -> None:
    assert agreement.truth_of(one) == truth
    assert agreement.said_of(one) == said
    assert agreement.disagreement(one) == differs
    assert (f"{differs}: o/p:1 n" in agreement.report([one], show=True)) == bool(differs)


def test_every_disagreement_is_to_be_decided(tmp_path: Path) -> None:
    table = tmp_path / "disagreements.tsv"
    table.write_text("file\tname\twhat\tfault\tbecause\no/p\tn\tright, but a finding\tlaws\tthey guess\n")
    known = agreement.decided(table)
    assert agreement.undecided([row("right")], known) == []
    assert agreement.undecided([row("right", name="other")], known) == ["o/p:1 other: right, but a finding"]


def test_decisions_say_whose_fault_it_is() -> None:
    known = agreement.decided(harvest.DECISIONS)
    assert set(known.values()) <= {"laws", "linter", "nobody", "both"}
    assert len(known) >= 20


def test_a_finding_about_padding_needs_padding() -> None:
    padded = {"code": "BMN201", "confidence": "likely", "line": 3, "factor": {"n_valid": 1, "N": -1}}
    assert agreement.said_of(row("right", told=[padded])) == "not tried"
    masked = row("right", told=[padded]) | {"with": {"y": "labels (B)", "mask": "mask (B)"}}
    assert agreement.said_of(masked) == "likely"
