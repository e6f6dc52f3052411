"""Which findings `check` leaves out: those of a baseline, and those on lines that have not changed."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from batchmean.commands.messages import UsageError, complain
from batchmean.exits import CLEAN, FOUND
from batchmean.output import portable
from batchmean.source import SourceError, legible, reason

if TYPE_CHECKING:
    from batchmean.baseline import Baselines
    from batchmean.check import Check
    from batchmean.findings import Finding
    from batchmean.report import Report
    from batchmean.since import Since


_STALE_NAMED = 20  # entries of baselines


def since_of(options: argparse.Namespace, paths: list[str]) -> Since:
    """What has changed. That it cannot be known is said before anything is linted."""
    from batchmean.since import Since, SinceError

    if paths == ["-"] and options.stdin_filename is None:
        raise UsageError("--since needs to know by --stdin-filename what standard input is called")
    try:
        since = Since(options.since)
        for path in [options.stdin_filename] if paths == ["-"] else paths:
            since.repository(path)
    except SinceError as problem:
        raise UsageError(f"--since: {problem}") from None
    return since


def changed(since: Since, report: Report) -> list[Finding]:
    from batchmean.since import SinceError

    try:
        return since.changed(report)
    except SinceError as problem:
        raise UsageError(f"--since: {problem}") from None


def refuse_beside_baseline(options: argparse.Namespace, paths: list[str]) -> None:
    """Refuse what makes no sense beside `--write-baseline`, before anything is linted for nothing."""
    from batchmean.baseline import refuse_to_replace

    for name in ("fix", "diff", "add_noqa", "show_files", "show_settings", "statistics", "since"):
        if getattr(options, name):
            raise UsageError(f"--write-baseline cannot be combined with --{name.replace('_', '-')}")
    if paths == ["-"]:
        raise UsageError("--write-baseline needs files and folders, not standard input (-)")
    refuse_to_replace(options.write_baseline)


def write_baseline(report: Report, options: argparse.Namespace) -> int:
    from batchmean.baseline import content
    from batchmean.source import create

    for error in report.errors:
        complain("error", f"{legible(error.path)}: {error.message}")
    file = options.write_baseline
    try:
        create(file, content(report, file))
    except SourceError as problem:
        raise UsageError(f"{legible(file)}: {problem.message}") from None
    except OSError as problem:
        raise UsageError(f"{legible(file)}: {reason(problem)}") from None
    if not options.quiet:
        count = len(report.findings)
        complain("note", f"wrote {count} finding{'' if count == 1 else 's'} to {legible(file)}")
    return FOUND if report.errors else CLEAN


def without_known(
    report: Report, check: Check, baselines: Baselines, options: argparse.Namespace
) -> list[Finding]:
    """What no baseline covers; the entries that cover nothing any more are named."""
    new = baselines.new(report)
    if options.quiet:
        return new
    failed = [error.path for error in report.errors]
    stale = list(baselines.stale(check.considered, check.folders, failed))
    for baseline, entry, count in stale[:_STALE_NAMED]:
        times = f" ({count} times)" if count > 1 else ""
        within = f" in {entry.within}" if entry.within else ""
        place = f"{entry.path}: {entry.code}{within}: {entry.source}{times}"
        complain("note", f"{portable(baseline.file)}: is found no more: {place}")
    if stale[_STALE_NAMED:]:
        more = len(stale) - _STALE_NAMED
        complain("note", f"and {more} more that are found no more; --write-baseline forgets them")
    return new
