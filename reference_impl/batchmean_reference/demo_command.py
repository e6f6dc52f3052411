"""`batchmean demo`: the bug, its size and what it does to a training, measured."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from batchmean.commands.arguments import Parser
from batchmean.commands.messages import extra
from batchmean.source import reason

FINE, USAGE = 0, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the demo and returns its exit code: 0, or 2 for wrong usage or a folder that cannot be used."""
    parser = Parser(
        prog="batchmean demo",
        allow_abbrev=False,
        description="What a loss divided by the whole shape does: findings, trainings, claims, all measured.",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="write a page (index.html) and results.json there"
    )
    parser.add_argument(
        "--all", action="store_true", help="print what the page has: findings, trainings, measurements"
    )
    parser.add_argument(
        "--quick", action="store_true", help="short trainings: a quarter of a minute instead of one"
    )
    parser.add_argument(
        "--fixtures", type=Path, metavar="DIR", help="the fixtures (default: those of the checkout)"
    )
    options = parser.parse_args(argv)
    try:
        Path.cwd()
    except OSError as error:
        return _complain(f"the working directory cannot be used: {reason(error)}")
    # The matrices are so small that threads would wait more than they work.
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    try:
        from rich.console import Console

        from batchmean_reference.claims import FULL, QUICK
        from batchmean_reference.demo import run_demo

        if options.out is not None:
            import batchmean_reference.page  # noqa: F401 - needs matplotlib: better said now than at the end
    except ImportError as error:
        return _complain(f"the demo needs {error.name}: {extra('reference')}")
    try:
        settings = QUICK if options.quick else FULL
        run_demo(Console(), settings, everything=options.all, out=options.out, fixtures=options.fixtures)
    except OSError as error:
        if error.errno is None:  # one of ours, which says all
            return _complain(str(error))
        if error.filename is None:  # standard output: the command knows what to do
            raise
        return _complain(f"{error.filename}: {reason(error)}")
    return FINE


def _complain(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return USAGE
