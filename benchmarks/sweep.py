"""The engine over every file of a folder, suspicious or not, and what LibCST makes of the same files.

    python -m benchmarks.sweep FOLDER ... [--jobs N]

Nothing is gated here: each file that parses is analysed, and its fixes are worked out. LibCST refuses some files that
Python accepts, and does not give others back as they were; the linter parses with LibCST only the statements that a fix
rewrites, so such files are analysed all the same. They are listed, as are the files with no verdict. The exit status is
1 if the linter failed on a file.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Final, Literal, NamedTuple, TypeAlias

import libcst
from batchmean.linter import InternalError, lint
from batchmean.source import SourceError, read
from batchmean.syntax import parse
from batchmean.walk import walk

Reading: TypeAlias = Literal["read", "not as it was", "refused", "not asked"]
_PYTHON: Final = (".py", ".pyi", ".pyw")
_ONLY_PYTHON: Final = ("refused", "not as it was")
_SLOWEST: Final = 5


class Outcome(NamedTuple):
    """What became of one file."""

    path: str
    error: str = ""
    """Why there is no tree."""
    failure: str = ""
    """What the linter raised."""
    findings: int = 0
    fixes: int = 0
    by_libcst: Reading = "not asked"
    said: str = ""
    """LibCST's reason."""
    seconds: float = 0.0
    """CPU time of the analysis."""


def outcome(path: str) -> Outcome:
    """Analyse a file, whatever it holds, and let LibCST read it."""
    try:
        text = read(path)
        tree = parse(text)
    except SourceError as error:
        return Outcome(path, error.message)
    except ValueError as error:
        return Outcome(path, str(error))
    began = time.process_time()
    try:
        findings = lint(text, path, tree=tree, fixes=True)
    except InternalError as error:
        return Outcome(path, failure=error.message)
    seconds = time.process_time() - began
    fixed = sum(finding.fix is not None for finding in findings)
    by_libcst, said = read_by_libcst(text)
    return Outcome(path, "", "", len(findings), fixed, by_libcst, said, seconds)


def read_by_libcst(text: str) -> tuple[Reading, str]:
    """Does LibCST take the text, and give it back as it was? If not, what it says."""
    try:
        module = libcst.parse_module(text)
        code = module.code
    except Exception as error:
        message = getattr(error, "message", "") or str(error)
        return "refused", f"{type(error).__name__}: {' '.join(message.split())[:90]}"
    return ("read", "") if code == text else ("not as it was", "")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sweep", description="Analyse every file, and let LibCST read it."
    )
    parser.add_argument("folders", nargs="+", metavar="FOLDER")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes (2)")
    options = parser.parse_args(arguments)
    failed = False
    for folder in options.folders:
        paths = [
            path for path in walk(folder, lambda path: False, lambda error: None) if path.endswith(_PYTHON)
        ]
        with ProcessPoolExecutor(options.jobs) as pool:
            outcomes = list(pool.map(outcome, paths, chunksize=8))
        failed |= any(one.failure for one in outcomes)
        for line in summary(folder, outcomes):
            print(line)
    return 1 if failed else 0


def summary(folder: str, outcomes: Sequence[Outcome]) -> list[str]:
    """What is printed of a folder."""
    analysed = [one for one in outcomes if not one.error and not one.failure]
    readings = Counter(one.by_libcst for one in analysed)
    lines = [
        f"{folder}: {len(outcomes)} files, {len(analysed)} analysed, {sum(bool(o.error) for o in outcomes)} not Python,"
        f" {sum(bool(o.failure) for o in outcomes)} failures of the linter;"
        f" {sum(o.findings for o in analysed)} findings, {sum(o.fixes for o in analysed)} with a fix;"
        f" by LibCST {readings['read']} read, {readings['refused']} refused,"
        f" {readings['not as it was']} not given back as they were"
    ]
    lines += [f"  FAILED {one.path}: {one.failure}" for one in outcomes if one.failure]
    lines += [
        f"  LibCST: {one.by_libcst} {one.path}{one.said and f': {one.said}'}"
        for one in analysed
        if one.by_libcst in _ONLY_PYTHON
    ]
    lines += [f"  not Python: {one.path}: {one.error}" for one in outcomes if one.error]
    slowest = sorted(analysed, key=lambda one: -one.seconds)[:_SLOWEST]
    lines += [f"  {one.seconds:.2f} s of CPU: {one.path}" for one in slowest if one.seconds > 1]
    return lines


if __name__ == "__main__":
    sys.exit(main())
