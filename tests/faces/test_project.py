"""Losses in one file, their means in another: what is read, what is told where, and what is left alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faces.support import Run, Write

LOSSES = """\
import torch.nn as nn
import torch.nn.functional as F


def divergence(student, teacher):
    return F.kl_div(F.log_softmax(student, dim=1), F.softmax(teacher, dim=1), reduction="none")


def summed(student, teacher):
    return divergence(student, teacher).sum(dim=1)


def fit(predicted, observed):
    return F.mse_loss(predicted, observed)


class Distillation(nn.Module):
    def __init__(self, temperature):
        super().__init__()
        self.temperature = temperature

    def forward(self, student, teacher):
        return divergence(student / self.temperature, teacher / self.temperature)


class Trainer:
    def elements(self, student, teacher):
        return divergence(student, teacher)
"""
USES = """\

def wrong(student, teacher):
    return divergence(student, teacher).mean()


def right(student, teacher):
    return summed(student, teacher).mean()


def twice(predicted, observed):
    return fit(predicted, observed) / observed.size(0)


criterion = Distillation(4.0)


def by_a_criterion(student, teacher):
    return criterion(student, teacher).mean()


class Mine(Trainer):
    def loss(self, student, teacher):
        return self.elements(student, teacher).mean()
"""
NAMES = "divergence, summed, fit, Distillation, Trainer"


@pytest.fixture
def found(batchmean: Run) -> Callable[..., list[tuple[str, int, str]]]:
    """The findings of a run, as file, line of its text and code."""

    def run(*arguments: str) -> list[tuple[str, int, str]]:
        done = batchmean("check", "--preview", "--output-format", "json", *arguments)
        assert done.stderr == ""
        return [(f["path"], f["line"], f["code"]) for f in json.loads(done.stdout)["findings"]]

    return run


Found = Callable[..., list[tuple[str, int, str]]]


def expected(path: str, text: str) -> list[tuple[str, int, str]]:
    """Every line of a use that is wrong, in order."""
    codes = {
        "divergence(student, teacher).mean()": "BMN103",
        "fit(predicted, observed) /": "BMN301",
        "criterion(student, teacher).mean()": "BMN103",
        "self.elements(student, teacher).mean()": "BMN103",
    }
    lines = enumerate(text.splitlines(), start=1)
    return [(path, n, code) for n, line in lines for part, code in codes.items() if part in line]


@pytest.mark.parametrize(
    ("where", "use", "files"),
    [
        ("train.py", f"from losses import {NAMES}\n", {"losses.py": LOSSES}),
        ("pkg/train.py", f"from .losses import {NAMES}\n", {"pkg/losses.py": LOSSES, "pkg/__init__.py": ""}),
        (
            "pkg/deep/train.py",
            f"from ..losses import {NAMES}\n",
            {"pkg/losses.py": LOSSES, "pkg/__init__.py": "", "pkg/deep/__init__.py": ""},
        ),
        (
            "scripts/train.py",
            f"from pkg.losses import {NAMES}\n",
            {"pkg/losses.py": LOSSES, "pyproject.toml": "", "pkg/__init__.py": ""},
        ),
        (
            "scripts/train.py",
            f"from pkg.losses import {NAMES}\n",
            {"src/pkg/losses.py": LOSSES, "pyproject.toml": ""},
        ),
        (
            "train.py",
            f"from pkg import {NAMES}\n",
            {"pkg/__init__.py": f"from .losses import {NAMES}\n", "pkg/losses.py": LOSSES},
        ),
        (
            "train.py",
            f"from pkg import {NAMES}\n",
            {"pkg/__init__.py": "from .losses import *\n", "pkg/losses.py": LOSSES},
        ),
        ("train.py", "from losses import *\n", {"losses.py": LOSSES}),
        (
            "train.py",
            f"try:\n    from losses import {NAMES}\nexcept ImportError:\n    raise\n",
            {"losses.py": LOSSES},
        ),
    ],
    ids=["beside", "relative", "above", "absolute", "src", "handed on", "starred", "all", "tried"],
)
def test_what_is_imported_is_followed(
    found: Found, write: Write, where: str, use: str, files: dict[str, str]
) -> None:
    write({**files, where: use + USES})
    assert found(where) == expected(where, use + USES)
    # What is right in the other file is not told twice, nor told there.
    assert found(".") == expected(where, use + USES)


def test_a_module_by_its_own_name(found: Found, write: Write) -> None:
    write({
        "pkg/__init__.py": "",
        "pkg/losses.py": LOSSES,
        "pkg/a.py": "from . import losses\n\n\ndef f(x, y):\n    return losses.divergence(x, y).mean()\n",
        "b.py": "import pkg.losses\n\n\ndef f(x, y):\n    return pkg.losses.divergence(x, y).mean()\n",
        "c.py": "import pkg.losses as L\n\n\ndef f(x, y):\n    return L.divergence(x, y).mean()\n",
    })  # fmt: skip
    assert found(".") == [("b.py", 5, "BMN103"), ("c.py", 5, "BMN103"), ("pkg/a.py", 5, "BMN103")]


def test_what_is_wrong_in_the_other_file_is_told_there_alone(found: Found, write: Write) -> None:
    bad = LOSSES + "\n\ndef bad(x, y):\n    return divergence(x, y).mean()\n"
    write(
        {"losses.py": bad, "train.py": "from losses import bad\n\n\ndef f(x, y):\n    return 2 * bad(x, y)\n"}
    )
    assert found("train.py") == []
    assert found(".") == [("losses.py", bad.count("\n"), "BMN103")]


def test_modules_that_import_each_other_or_cannot_be_read(found: Found, write: Write, tmp_path: Path) -> None:
    write({
        "losses.py": "from train import wrong\n" + LOSSES,
        "train.py": f"from losses import {NAMES}\n" + USES,
        "broken.py": "def divergence(x, y:\n    loss = log(\n",
        "first.py": "from broken import divergence\n\n\ndef f(x, y):\n    return divergence(x, y).mean()\n",
        "second.py": "from piped import divergence\n\n\ndef f(x, y):\n    return divergence(x, y).mean()\n",
        "third.py": "from linked import divergence\n\n\ndef f(x, y):\n    return divergence(x, y).mean()\n",
    })  # fmt: skip
    assert found("train.py") == expected("train.py", f"from losses import {NAMES}\n" + USES)
    assert found("first.py") == []
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "piped.py")
        assert found("second.py") == []
    if hasattr(os, "symlink") and os.name == "posix":
        (tmp_path / "linked.py").symlink_to(tmp_path / "losses.py")
        assert found("third.py") == []


def test_it_can_be_turned_off(found: Found, write: Write) -> None:
    write({"losses.py": LOSSES, "train.py": f"from losses import {NAMES}\n" + USES})
    assert found("train.py") != []
    write({"pyproject.toml": "[tool.batchmean]\nfollow-imports = false\n"})
    assert found("train.py") == []


def test_no_fix_is_tried_where_two_files_have_a_part(batchmean: Run, write: Write, tmp_path: Path) -> None:
    text = "from losses import divergence\n\n\ndef f(x, y):\n    return divergence(x, y).mean()\n"
    write({"losses.py": LOSSES, "train.py": text})
    done = batchmean("check", "--fix", "--unsafe-fixes", "train.py")
    assert done.returncode == 1
    assert (tmp_path / "train.py").read_text(encoding="utf-8") == text
    assert (tmp_path / "losses.py").read_text(encoding="utf-8") == LOSSES


def test_flake8_follows_too(write: Write, tmp_path: Path) -> None:
    write({"losses.py": LOSSES, "train.py": f"from losses import {NAMES}\n" + USES})
    done = subprocess.run(
        [sys.executable, "-m", "flake8", "--isolated", "--select", "BMN1", "train.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    lines = [int(line.split(":")[1]) for line in done.stdout.splitlines()]
    assert lines == [
        n for _, n, code in expected("", f"from losses import {NAMES}\n" + USES) if code == "BMN103"
    ]
