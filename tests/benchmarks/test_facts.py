"""The casebook's tables, and the lines that their rows mean."""

from __future__ import annotations

import re

import pytest

from benchmarks.facts import Judgements, lines_of, package_rows, repository_rows

TEXT = """\
import torch

def loss(x):
    return x.mean()

class Outer:
    def forward(self, x):
        def inner(y):
            return y
        return inner(x)

print(loss)
"""


@pytest.mark.parametrize(
    ("place", "lines"),
    [
        ("7", {6, 7, 8}),
        ("7-9", {6, 7, 8, 9, 10}),
        ("3 def loss", {2, 3, 4}),
        ("def loss", {3, 4}),
        ("Outer.forward", {7, 8, 9, 10}),
        ("Outer.forward.<locals>.inner", {8, 9}),
        ("inner (fixed)", {8, 9}),
        ("module level", {1, 2, 5, 11, 12, 13}),
        ("absent", set()),
    ],
)
def test_lines_of_a_place(place: str, lines: set[int]) -> None:
    assert {line for each in lines_of(place, TEXT) for line in each} == lines


def test_labels_are_of_the_known_kinds() -> None:
    rows = package_rows() + repository_rows()
    assert {row.label for row in rows} == {"bug", "deliberate", "harmless", "disputable", "fine"}
    assert all(row.path.endswith(".py") for row in rows if row.law == "null class")


def test_repositories_are_pinned() -> None:
    assert all(re.fullmatch(r"[^/]+/[^/@]+@[0-9a-f]{40}", row.source) for row in repository_rows())


def test_judgements_load() -> None:
    Judgements.load()


def test_a_judgement_is_given_once_and_is_a_verdict() -> None:
    row = {"source": "a==1", "path": "b.py", "line": "3", "code": "BMN102", "verdict": "right", "reason": ""}
    with pytest.raises(ValueError, match="judged twice"):
        Judgements([row, row])
    with pytest.raises(ValueError, match="no such verdict"):
        Judgements([{**row, "verdict": "perhaps"}])
