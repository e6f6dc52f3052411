"""What must hold on published code, checked through real processes of `flake8` and `batchmean check`.

    python -m benchmarks.real_code

Known mistakes are reported on their line, with their code and their factor, by both. Three packages are linted
as a whole: every finding in them is printed, and each must have been read and held to be right. The exit status
is 0 if all of it holds.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.facts import Judgements, Place
from benchmarks.packages import PackageError, Pin, folder_of


class Expected(NamedTuple):
    """A finding that must be there; the factor is the message's, and the report's exponents."""

    pin: Pin
    path: str
    line: int
    code: str
    factor: Mapping[str, int]

    @property
    def shown_factor(self) -> str:
        return "".join(f"1/{size}" for size in self.factor)


MMSEGMENTATION = Pin("mmsegmentation", "1.2.2")
MMDET = Pin("mmdet", "3.3.0")
DEEPCHEM = Pin("deepchem", "2.8.0")

KNOWN_MISTAKES = (
    Expected(MMSEGMENTATION, "mmseg/models/losses/kldiv_loss.py", 83, "BMN103", {"V": -1}),
    Expected(MMDET, "mmdet/models/losses/kd_loss.py", 33, "BMN103", {"V": -1}),
    Expected(DEEPCHEM, "deepchem/models/losses.py", 412, "BMN104", {"D": -1}),
    Expected(DEEPCHEM, "deepchem/models/losses.py", 466, "BMN102", {"V": -1}),
)

READ_AS_A_WHOLE = (
    Pin("timm", "1.0.31"),
    Pin("stable-baselines3", "2.9.2"),
    Pin("pytorch-metric-learning", "2.9.0"),
)


class Reported(NamedTuple):
    """A finding as a process printed it. flake8 shows the factor in the message only."""

    path: str
    line: int
    code: str
    message: str
    factor: Mapping[str, int] | None = None


class ProcessError(Exception):
    """A linter that did not run to its end; the text says what it printed."""


def run_flake8(path: str, folder: Path) -> list[Reported]:
    """The plugin's findings; no configuration but ours."""
    output = _run("flake8", "--isolated", "--select=BMN", "--exit-zero", path, cwd=folder)
    return [
        Reported(found[1].removeprefix("./"), int(found[2]), found[3], found[4])
        for found in re.finditer(r"^(.+?):(\d+):\d+: (\S+) (.*)$", output, re.MULTILINE)
    ]


def run_command(path: str, folder: Path) -> list[Reported]:
    """The command's findings; errors are files that it could not read or parse."""
    arguments = ("check", "--no-config", "--exit-zero", "--output-format=json", path)
    return [
        Reported(each["path"], each["line"], each["code"], each["message"], each["factor"])
        for each in json.loads(_run("batchmean", *arguments, cwd=folder))["findings"]
    ]


def _run(module: str, *arguments: str, cwd: Path) -> str:
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, encoding="utf-8", check=False)
    if done.returncode not in (0, 1):
        raise ProcessError(f"{module} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def known_mistake_holds(expected: Expected, folder: Path) -> bool:
    """Do both report it? Says so."""
    by_command = [
        each
        for each in run_command(expected.path, folder)
        if (each.line, each.code) == (expected.line, expected.code) and each.factor == expected.factor
    ]
    by_flake8 = [
        each
        for each in run_flake8(expected.path, folder)
        if (each.line, each.code) == (expected.line, expected.code) and expected.shown_factor in each.message
    ]
    place = f"{expected.pin} {expected.path}:{expected.line} {expected.code} {expected.shown_factor}"
    for name, reported in (("batchmean check", by_command), ("flake8", by_flake8)):
        _say(bool(reported), f"{place} by {name}")
    if by_command:
        print(f"       {by_command[0].message}")
    return bool(by_command and by_flake8)


def whole_package_holds(pin: Pin, folder: Path, judgements: Judgements) -> bool:
    """Do both find the same, and nothing that is not held to be right? Prints every finding."""
    by_command = run_command(".", folder)
    by_flake8 = {each[:4] for each in run_flake8(".", folder)}
    same = {each[:4] for each in by_command} == by_flake8
    _say(
        same, f"{pin} as a whole: findings: {len(by_command)} by batchmean check, {len(by_flake8)} by flake8"
    )
    holds = same
    for each in by_command:
        judgement = judgements.at(Place(str(pin), each.path, each.line, each.code))
        right = judgement is not None and judgement.verdict == "right"
        holds = holds and right
        _say(right, f"{pin} {each.path}:{each.line} {each.code} {each.message}")
        print(f"       {judgement.reason if judgement else 'nobody has read it yet'}")
    return holds


def _say(holds: bool, text: str) -> None:
    print(f"{'holds' if holds else 'FAILS'}  {text}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.real_code", description="Check what must hold on published code."
    )
    parser.add_argument(
        "--sources",
        type=Path,
        metavar="FOLDER",
        help="unpacked packages, <name>-<version>/, instead of pip download",
    )
    options = parser.parse_args(arguments)
    judgements = Judgements.load()
    try:
        results = [
            known_mistake_holds(expected, folder_of(expected.pin, options.sources))
            for expected in KNOWN_MISTAKES
        ]
        results += [
            whole_package_holds(pin, folder_of(pin, options.sources), judgements) for pin in READ_AS_A_WHOLE
        ]
    except (PackageError, ProcessError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
