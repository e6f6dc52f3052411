"""What is kept of the modules of a project."""

import gc
from pathlib import Path

import pytest
from batchmean import project
from batchmean.check import Check
from batchmean.config import Settings
from batchmean.memory import Recent


def test_the_latest_texts_are_kept_as_long_as_they_are_short_together() -> None:
    made = []

    def length(text: str) -> int:
        def make() -> tuple[int, int]:
            made.append(text)
            return len(text), len(text)

        return recent.get(text, make)

    recent: Recent[str, int] = Recent(10)
    assert [length(text) for text in ("aaaa", "bbbb", "aaaa", "cccc")] == [4, 4, 4, 4]
    assert made == ["aaaa", "bbbb", "cccc"]  # 12 characters: the one asked for longest ago is gone
    assert [length(text) for text in ("aaaa", "bbbb")] == [4, 4]
    assert made == ["aaaa", "bbbb", "cccc", "bbbb"]
    assert length("d" * 50) == 50
    assert len(recent) == 1  # longer than all that may be kept, and the latest all the same


LOSSES = """
import torch.nn.functional as F

def loss{number}(log_probs, probs):
    return F.kl_div(log_probs, probs, reduction="none")
"""
TRAINING = """
from acme.losses{number} import loss{number}

def step(log_probs, probs):
    return loss{number}(log_probs, probs).mean()
"""


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_run_keeps_none_of_the_modules_that_its_files_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    # A folder of thousands of files would keep the trees of all that these import.
    monkeypatch.setattr(project, "_LOADED", Recent(1))
    package = tmp_path / "acme"
    package.mkdir()
    (tmp_path / "pyproject.toml").touch()
    (package / "__init__.py").touch()
    for number in range(8):
        (package / f"losses{number}.py").write_text(LOSSES.format(number=number))
        (package / f"train{number}.py").write_text(TRAINING.format(number=number))
    check = Check(Settings(isolated=True), jobs=jobs, warn=pytest.fail)
    report = check.files([str(package)])
    assert [finding.code for finding in report.findings] == ["BMN103"] * 8
    gc.collect()
    alive = [each.path for each in gc.get_objects() if isinstance(each, project.Module)]
    here = [path for path in alive if path.startswith(str(package))]
    assert len(here) <= 1, "the latest one is kept, whatever its length"
