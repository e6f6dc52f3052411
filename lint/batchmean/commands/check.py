"""`batchmean check`: lint, and print a report, show the settings or the files, or rewrite."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any

from batchmean.commands.known import (
    changed,
    refuse_beside_baseline,
    since_of,
    without_known,
    write_baseline,
)
from batchmean.commands.messages import UsageError, complain, for_terminal
from batchmean.config import Settings, codes_from, globs_from
from batchmean.exits import CLEAN, FOUND
from batchmean.output import TO_BE_READ, WITH_FIXES, printable, render
from batchmean.output.style import style_of
from batchmean.source import MAX_BYTES, SourceError, bounded, legible, reason

if TYPE_CHECKING:
    from batchmean.check import Check
    from batchmean.report import Report


def run_check(options: argparse.Namespace) -> int:
    from batchmean.check import Check

    paths = options.paths or ["-" if options.stdin_filename else "."]
    try:
        os.getcwd()
    except OSError as problem:
        raise UsageError(f"the working directory cannot be used: {reason(problem)}") from None
    if "-" in paths and len(paths) > 1:
        raise UsageError("standard input (-) cannot be combined with other paths")
    is_fixing = options.fix or options.diff
    if options.unsafe_fixes and not is_fixing:
        raise UsageError("--unsafe-fixes needs --fix or --diff")
    if options.statistics and options.output_format not in (*TO_BE_READ, "json"):
        raise UsageError(f"--statistics has no {options.output_format} form, only text and json")
    if options.diff and options.output_format not in (*TO_BE_READ, "json"):
        raise UsageError(f"--diff has no {options.output_format} form, only text and json")
    if options.output_file is not None and paths == ["-"] and (options.fix or options.add_noqa):
        raise UsageError("--output-file is for a report; what standard input becomes goes to standard output")
    if options.write_baseline is not None:
        refuse_beside_baseline(options, paths)
    if options.baseline:
        from batchmean.baseline import Baseline

        Baseline(options.baseline)  # what is wrong with it is said before anything is linted
    settings = Settings(_overrides(options), file=options.config, isolated=options.no_config)
    check = Check(
        settings,
        force_exclude=options.force_exclude,
        jobs=options.jobs or _cpus(),
        fixes=is_fixing or options.output_format in WITH_FIXES,
        warn=lambda message: None if options.quiet else complain("warning", message),
    )
    if options.diff or options.output_format not in TO_BE_READ:
        _write_utf_8()
    if options.show_settings:
        return _show_settings(paths, settings, options)
    if options.show_files:
        return _show_files(paths, check, options)
    since = None if options.since is None else since_of(options, paths)
    given = None
    if paths == ["-"]:
        try:
            given = _standard_input()
        except SourceError as problem:
            complain("error", f"{problem.path}: {problem.message}")
            return FOUND
    if given is not None:
        report = check.text(given, options.stdin_filename or "<stdin>")
    else:
        report = check.files(paths)
    if options.write_baseline is not None:
        return write_baseline(report, options)
    kept = report.findings
    looked_at = [*check.considered, *(os.path.join(folder, "any") for folder in check.folders)]
    if any(settings.of(path).baseline for path in looked_at):  # or its module is not even imported
        from batchmean.baseline import Baselines

        baselines = Baselines(settings)
        for path in looked_at:
            baselines.of(path)  # where nothing is found, all its entries are stale
        kept = without_known(report, check, baselines, options)
    if since is not None:
        kept = changed(since, report._replace(findings=kept))
    if len(kept) < len(report.findings):
        report = check.keep(report, kept)
    if is_fixing or options.add_noqa:
        return _rewrite(report, check, options, given)
    for error in report.errors:
        complain("error", f"{legible(error.path)}: {error.message}")
    sys.stdout.write(_rendered(report, options))
    return FOUND if report.errors or (report.findings and not options.exit_zero) else CLEAN


def _standard_input() -> bytes:
    if sys.stdin is None:
        raise UsageError("standard input is closed")
    try:
        data = sys.stdin.buffer.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"standard input cannot be read: {reason(error)}") from None
    return bounded(data, "<stdin>")


def _show_settings(paths: list[str], settings: Settings, options: argparse.Namespace) -> int:
    from batchmean.settings_page import page

    pages = []
    for path in paths:
        name = (options.stdin_filename or "<stdin>") if path == "-" else path
        if path != "-" and not os.path.lexists(path):
            raise UsageError(f"{legible(path)}: no such file or directory")
        config = settings.inside(path) if os.path.isdir(path) else settings.of(name)
        pages.append(page(name, config))
    sys.stdout.write("\n".join(pages))
    return CLEAN


def _show_files(paths: list[str], check: Check, options: argparse.Namespace) -> int:
    names = [(options.stdin_filename or "<stdin>")] if paths == ["-"] else list(check.found(paths))
    for name in names:
        print(printable(legible(name)))
    missing = [] if paths == ["-"] else [name for name in names if not os.path.lexists(name)]
    problems = [f"{legible(error.path)}: {error.message}" for error in check.errors]
    problems += [f"{legible(name)}: no such file or directory" for name in missing]
    for problem in problems:
        complain("error", problem)
    return FOUND if problems else CLEAN


def _rendered(report: Report, options: argparse.Namespace) -> str:
    if not options.statistics:
        style = style_of(sys.stdout, options.color)._replace(counts=not options.quiet)
        return render(report, options.output_format, style)
    return _statistics(report, as_json=options.output_format == "json")


def _rewrite(report: Report, check: Check, options: argparse.Namespace, given: bytes | None) -> int:
    """`--fix`, `--diff`, `--add-noqa`. Standard input comes out changed, with its report on standard error."""
    from batchmean.rewrite import TOTALS, add_noqa, diff, rewrite, scale_note, total_note
    from batchmean.rules import UNUSED_NOQA
    from batchmean.source import read_bytes, write

    def get(path: str) -> bytes:
        return read_bytes(path) if given is None else given

    def put(path: str, data: bytes) -> None:
        if given is None:
            check.refuse_outside(path)
            if not options.diff:
                write(path, data)

    if options.add_noqa:
        losses = [finding for finding in report.findings if finding.code != UNUSED_NOQA.code]
        done = add_noqa(report._replace(findings=losses), get, put)
    else:
        done = rewrite(report, check, get, put, unsafe=options.unsafe_fixes)
    for error in done.report.errors:
        complain("error", f"{legible(error.path)}: {error.message}")
    if options.diff and options.output_format == "json":
        from batchmean.output.json import with_patch

        sys.stdout.write(with_patch(done.report, done.fixed, "".join(map(diff, done.changes))))
    elif options.diff:
        shown = for_terminal if sys.stdout.isatty() else str
        for change in done.changes:
            sys.stdout.write(shown(diff(change)))
    elif given is None:
        sys.stdout.write(_rendered(done.report, options))
    else:
        sys.stdout.buffer.write(done.changes[0].after if done.changes else given)
        sys.stdout.buffer.flush()
        sys.stderr.write(_rendered(done.report, options))
    sys.stdout.flush()  # what is said below must be true
    if options.add_noqa and done.fixed and not options.quiet:
        lines = len({(finding.where, finding.span.line) for finding in done.fixed})
        complain("note", f"added # noqa comments for {lines} line{'' if lines == 1 else 's'}")
    if options.add_noqa:
        for finding in done.report.findings:
            if finding.path not in done.unwritten:
                place = f"{legible(finding.where)}:{finding.span.line}"
                complain("warning", f"{place}: no # noqa comment can be put there")
    elif done.fixed and not options.quiet:
        totals = [finding for finding in done.fixed if finding.code in TOTALS]
        losses = [f for f in done.fixed if f.code != UNUSED_NOQA.code and f not in totals]
        if losses:
            complain("note", scale_note(losses, pending=options.diff))
        if totals:
            complain("note", total_note(totals, pending=options.diff))
        if count := len(done.fixed) - len(losses) - len(totals):
            verb = "would take" if options.diff else "took"
            what = f"{count} noqa comment{'s' if count > 1 else ''}"
            complain("note", f"{verb} what silences nothing out of {what}")
    unsolved = done.changes if options.diff else done.report.findings
    return FOUND if done.report.errors or (unsolved and not options.exit_zero) else CLEAN


def _overrides(options: argparse.Namespace) -> dict[str, Any]:
    """What the command line sets, by the names of `Config`."""
    select = options.select and codes_from(options.select, "--select")
    if select == ():  # an empty variable of a script, which would make everything clean
        raise UsageError("--select names no code")
    given = {
        "select": select,
        "ignore": options.ignore and codes_from(options.ignore, "--ignore"),
        "exclude": options.exclude and globs_from(options.exclude, os.getcwd(), "--exclude"),
        "min_confidence": options.min_confidence,
        "preview": options.preview,
        "respect_gitignore": options.respect_gitignore,
        "baseline": options.baseline and os.path.abspath(options.baseline),
    }
    return {name: value for name, value in given.items() if value is not None}


def _statistics(report: Report, *, as_json: bool) -> str:
    counts: dict[tuple[str, str], int] = {}
    for finding in report.findings:
        key = (finding.code, finding.name)
        counts[key] = counts.get(key, 0) + 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    if as_json:
        import json

        rows = [{"code": code, "name": name, "count": count} for (code, name), count in ordered]
        return json.dumps(rows, indent=2) + "\n"
    return "".join(f"{count}\t{code}\t{name}\n" for (code, name), count in ordered)


def _write_utf_8() -> None:
    """What goes to another program is UTF-8 with LF, whatever the locale; a terminal is told what it can show."""
    if not sys.stdout.isatty() and hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # a patch with CR LF does not apply


def _cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
