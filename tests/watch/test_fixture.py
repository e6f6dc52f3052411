"""The fixture `loss_laws`, in a pytest of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.frameworks.libraries import require

TESTS = """
import torch
import torch.nn.functional as F

torch.manual_seed(0)
logits, labels = torch.randn(6, 9), torch.tensor([0, 3, 8, 5, 1, 7])

def test_right(loss_laws):
    verdict = loss_laws(F.cross_entropy, logits, labels)
    assert "null class" in verdict.tried

def test_wrong(loss_laws):
    loss_laws(lambda z, y: -(F.one_hot(y, z.shape[-1]) * F.log_softmax(z, -1)).mean(), logits, labels)

def test_elementwise(loss_laws):
    loss_laws(F.mse_loss, logits, torch.randn(6, 9))

def test_ignored(loss_laws):
    y = torch.where(labels < 4, -7, labels)
    verdict = loss_laws(lambda z, y: F.cross_entropy(z, y, ignore_index=-7), logits, y, ignore_index=-7)
    assert "padding" in verdict.tried
"""


def run(tmp_path: Path, text: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "test_losses.py").write_text(text, encoding="utf-8")
    plugin = ["-p", "batchmean.pytest_plugin", "-p", "no:cacheprovider"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-rA", "--disable-plugin-autoload", *plugin, "test_losses.py"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"NO_COLOR": "1", "COLUMNS": "300"},
        check=False,
    )


@pytest.mark.heavy
def test_a_wrong_loss_fails_the_test_and_one_that_cannot_be_judged_skips_it(tmp_path: Path) -> None:
    require("torch")
    said = run(tmp_path, TESTS).stdout
    assert "PASSED test_losses.py::test_right" in said
    assert "FAILED test_losses.py::test_wrong" in said
    assert "averaged over the 9 classes" in said
    assert "the loss cannot be judged: its gradient is not that of a cross-entropy" in said
    assert "PASSED test_losses.py::test_ignored" in said


@pytest.mark.heavy
def test_the_plugin_imports_nothing_before_it_is_used(tmp_path: Path) -> None:
    text = (
        "import sys\n\ndef test_modules():\n    assert not {'torch', 'numpy', 'libcst'} & set(sys.modules)\n"
    )
    assert run(tmp_path, text).returncode == 0
