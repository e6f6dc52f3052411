"""What README.md shows is what the tool does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from batchmean.explain import wilson

from tests.faces.support import Run, Write

PROJECT = Path(__file__).parents[2]
README = (PROJECT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The contents of the fenced blocks in a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture
def losses(write: Write) -> str:
    """The wrong loss that README begins with, as losses.py."""
    source = blocks("python")[0]
    write({"losses.py": source})
    return source


def test_the_session_is_a_real_one(losses: str, batchmean: Run, write: Write) -> None:
    [session] = blocks("console")
    first, *rest = re.split(r"^\$ ", session, flags=re.MULTILINE)
    assert first == ""
    for step in rest:
        command, _, output = step.partition("\n")
        program, *arguments = command.split()
        assert program == "batchmean"
        done = batchmean(*arguments)
        assert done.stdout == output
        assert (done.returncode, done.stderr) == (1, "")


def test_the_fix_is_the_one_shown_and_clean(losses: str, batchmean: Run, tmp_path: Path) -> None:
    assert batchmean("check", "losses.py", "--fix").returncode == 0
    shown = blocks("python")[2]
    fixed = (tmp_path / "losses.py").read_text(encoding="utf-8")
    assert fixed == re.sub(r"^ +return .*\n", lambda _: shown, losses, flags=re.MULTILINE)
    done = batchmean("check", "losses.py")
    assert (done.returncode, done.stdout) == (0, "")


def test_the_example_in_pytorch_is_found_and_fixed(batchmean: Run, write: Write, tmp_path: Path) -> None:
    write({"a.py": f"import torch\n\n\n{blocks('python')[1]}"})
    assert (
        batchmean("check", "--min-confidence", "proved", "--statistics").stdout
        == "1\tBMN102\tclass-axis-mean\n"
    )
    assert batchmean("check", "--fix").returncode == 0
    assert " * logp).sum(dim=-1).mean()" in (tmp_path / "a.py").read_text(encoding="utf-8")


def test_how_often_it_is_right_is_said_with_its_interval() -> None:
    said = " ".join(README.split())
    [figures] = re.findall(
        r"(\d+) of (\d+) findings of the rules that are on were right \(95 % interval (\d+) to (\d+) %\)",
        said,
    )
    right, judged, low, high = map(int, figures)
    assert (low, high) == tuple(round(100 * end) for end in wilson(right, judged))


def test_the_address_is_open_in_one_place() -> None:
    assert README.count("example.org") == 1
    prose = "".join(
        path.read_text(encoding="utf-8") for path in [*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md")]
    )
    assert "pip install batchmean" not in prose  # it is on no index
    assert "'batchmean[" not in prose
    assert "v0.1.0" not in prose  # no such tag


def test_the_settings_are_settings(losses: str, batchmean: Run, write: Write) -> None:
    [settings] = [block for block in blocks("toml") if "[tool.batchmean]" in block]
    write({"pyproject.toml": settings})
    assert batchmean("check").returncode == 1
    assert batchmean("check", "--no-config", "--statistics").stdout == "1\tBMN102\tclass-axis-mean\n"


def test_the_bug_the_finding_and_the_fix_fit_a_screen() -> None:
    assert README.splitlines().index("## Use") <= 60
