"""`batchmean scan SOURCE... --to OUT` and `batchmean scan report OUT`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from batchmean.config import CONFIDENCES, ConfigError, codes_from
from batchmean.output import printable
from batchmean.source import SourceError, legible

if TYPE_CHECKING:
    from batchmean.scan.run import Tally

DONE, UNDONE, USAGE = 0, 1, 2
_NAMED = 20  # problems that are printed; the report has all
_NEEDS = "scan needs {}: pip install '.[scale]' in a checkout of batchmean"

_EPILOG = """\
SOURCE is a folder, a Parquet file with a column of text, a tar, a zip, a wheel or an sdist, or a bare git repository,
repo.git or repo.git@REVISION. Nothing in it is executed, unpacked to the disk or checked out.

examples:
  batchmean scan checkouts/ --to out                        what is below a folder, on all CPUs
  batchmean scan wheels/*.whl mirrors/*.git@main --to out
  batchmean scan data/*.parquet --to out --column content
  batchmean scan --sources list.txt --to out --scheduler tcp://head:8786
  batchmean scan report out                                 what was found, by rule and repository
  batchmean scan report out --format html --output-file report.html

Run it again to go on: what is in OUT is not done again.
exit codes: 0 all is done, 1 something could not be read or done, 2 wrong usage; findings do not count"""


def parser(prog: str) -> argparse.ArgumentParser:
    """Of the scan itself."""
    made = argparse.ArgumentParser(
        prog=prog,
        description="Lint very many files on Dask, and write what is found as Parquet (needs batchmean[scale]).",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = made.add_argument
    add("source", nargs="*", metavar="SOURCE", help="what to scan")
    add("--sources", metavar="FILE", help="sources, one a line; - is standard input")
    add("--to", metavar="OUT", required=True, help="the folder for what is found, as Parquet")
    add("--scheduler", metavar="ADDRESS", help="a Dask scheduler (default: workers on this machine)")
    add("--jobs", type=_positive, metavar="N", help="workers on this machine (default: the number of CPUs)")
    add(
        "--column",
        metavar="NAME",
        help="the column of Parquet that has the text (default: content, code, text or source)",
    )
    add("--select", action="append", metavar="CODES", help="only these: codes or their beginnings")
    add("--preview", action="store_true", help="rules that are still on trial, too")
    add("--min-confidence", choices=CONFIDENCES, default="likely", help="default: likely")
    add("--timeout", type=_positive, default=60, metavar="SECONDS", help="for one file (default: 60)")
    add("--memory", type=_positive, default=2048, metavar="MIB", help="for one file (default: 2048)")
    add("--quiet", "-q", action="store_true", help="no progress, and no counts at the end")
    return made


def _report_parser(prog: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog=prog, description="What a scan has found (needs batchmean[scale]).", allow_abbrev=False
    )
    add = made.add_argument
    add("out", metavar="OUT", help="the folder that a scan wrote")
    add("--format", choices=("text", "html"), default="text", help="default: text")
    add("--output-file", metavar="FILE", help="write it there, not to standard output")
    add(
        "--sample",
        type=_whole,
        default=10,
        metavar="N",
        help="findings to show with their source (default: 10)",
    )
    add(
        "--seed", type=_whole, default=0, metavar="N", help="another number shows another sample (default: 0)"
    )
    add("--top", type=_positive, default=20, metavar="N", help="repositories to list (default: 20)")
    return made


def main(arguments: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    try:
        if arguments[:1] == ["report"]:
            return _report(_report_parser("batchmean scan report").parse_args(arguments[1:]))
        return _scan(parser("batchmean scan").parse_args(arguments))
    except ConfigError as error:
        return _refuse(str(error))
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("batchmean"):
            raise
        return _refuse(_NEEDS.format(error.name))


def _scan(options: argparse.Namespace) -> int:
    from batchmean.scan.guard import Limits
    from batchmean.scan.parts import OutError
    from batchmean.scan.run import Asked, Every, Lost, scan

    sources = [os.path.abspath(source) for source in [*options.source, *_listed(options.sources)]]
    if not sources:
        raise ConfigError("there is no SOURCE to scan")
    problems: list[str] = []

    def failed(error: SourceError) -> None:
        problems.append(f"{legible(error.path)}: {error.message}")

    asked = Asked(
        sources,
        os.path.abspath(options.to),
        _codes(options.select, preview=options.preview),
        options.min_confidence,
        Limits(options.timeout, options.memory),
        options.column,
    )
    started = time.monotonic()
    try:
        with _progress(options.quiet) as progress:
            tally = scan(
                asked,
                scheduler=options.scheduler,
                workers=options.jobs or os.cpu_count() or 1,
                failed=failed,
                progress=Every(0.2, progress),
            )
    except OutError as error:
        return _refuse(str(error))
    except Lost as error:
        _say("error", f"{error}; run the same command again to go on")
        return UNDONE
    problems += [f"{legible(piece.path)}: {why}" for piece, why in tally.failed]
    for problem in problems[:_NAMED]:
        _say("error", problem)
    if problems[_NAMED:]:
        _say("error", f"and {len(problems) - _NAMED} more")
    if not options.quiet:
        _say("note", _summary(tally, time.monotonic() - started))
    return UNDONE if problems else DONE


def _listed(file: str | None) -> list[str]:
    if file is None:
        return []
    try:
        if file == "-":
            lines = sys.stdin.read().splitlines()
        else:
            with open(file, encoding="utf-8", errors="surrogateescape") as stream:
                lines = stream.read().splitlines()
    except OSError as error:
        raise ConfigError(f"{legible(file)}: {error.strerror}") from None
    return [line for line in lines if line.strip()]


def _codes(given: list[str] | None, *, preview: bool) -> list[str]:
    """Whole codes: `check_source` reports a rule in preview where its own code is asked for."""
    from batchmean.rules import EVERY, UNUSED_NOQA

    chosen = codes_from(given, "--select") if given else ("BMN",)
    return [
        code
        for code, rule in EVERY.items()
        if code.startswith(chosen)
        and (code in chosen or preview or not (rule.preview or rule is UNUSED_NOQA))
    ]


def _summary(tally: Tally, seconds: float) -> str:
    counts = tally.counts
    before = f", {tally.skipped} parts were there" if tally.skipped else ""
    same = counts["files"] - counts["linted"]
    return (
        f"{counts['files']} files in {tally.pieces} parts, {same} of them copies or unreadable, "
        f"{counts['findings']} findings, {counts['errors']} files without a verdict, {seconds:.0f} s{before}"
    )


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[Tally], None]]:
    """A line that counts, on a terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda tally: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns: list[Any] = [SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()]
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("scanning", total=None)

        def show(tally: Tally) -> None:
            counts = tally.counts
            words = f"{counts['files']} files, {counts['findings']} findings, {counts['errors']} without a verdict"
            bar.update(task, description=f"{words}, {tally.skipped + tally.pieces} parts")

        yield show


def _report(options: argparse.Namespace) -> int:
    from batchmean.scan.report import NothingThere, Report

    try:
        report = Report(options.out, sample=options.sample, seed=options.seed, top=options.top)
    except NothingThere as error:
        return _refuse(str(error))
    text = report.html() if options.format == "html" else report.text()
    if options.output_file is None:
        sys.stdout.write(text)
        return DONE
    with open(options.output_file, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
    return DONE


def _refuse(message: str) -> int:
    _say("error", message)
    return USAGE


def _say(kind: str, message: str) -> None:
    print(printable(f"{kind}: {message}"), file=sys.stderr)


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"not a whole number from 1 up: {text!r}")
    return int(text)


def _whole(text: str) -> int:
    return 0 if text == "0" else _positive(text)
