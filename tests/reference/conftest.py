"""One quick audit for all tests that look at its results."""

from __future__ import annotations

from pathlib import Path

import pytest
from batchmean_reference.claims import CLAIMS, QUICK
from batchmean_reference.demo import Results
from batchmean_reference.exhibits import collect
from batchmean_reference.laboratory import Laboratory
from batchmean_reference.page import page

FIXTURE = '''\
"""Two losses."""

import numpy as np


def summed_over_the_classes_and_averaged_over_the_examples(targets, probs):
    """Right.

    targets: one_hot (B, V)
    probs: probs (B, V)
    unit: B
    """
    return -(targets * np.log(probs)).sum(axis=-1).mean()  # <right> & summed


def averaged(targets, probs):
    """Wrong.

    targets: one_hot (B, V)
    probs: probs (B, V)
    unit: B
    reference: summed_over_the_classes_and_averaged_over_the_examples
    """
    return -(targets * np.log(probs)).mean()  # expect: BMN102 V^-1 likely
'''


@pytest.fixture(scope="session")
def fixtures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of fixtures with one right loss and one wrong one."""
    folder = tmp_path_factory.mktemp("fixtures")
    (folder / "on_numpy").mkdir()
    (folder / "on_numpy" / "two_losses.py").write_text(FIXTURE, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def results(fixtures: Path) -> Results:
    """What a quick demo of those fixtures finds out."""
    lab = Laboratory()
    claims = [measure(lab, QUICK) for measure in CLAIMS]
    return Results(QUICK, lab, collect(fixtures), claims, 1.0)


@pytest.fixture(scope="session")
def html(results: Results) -> str:
    """The page of those results."""
    return page(results)
