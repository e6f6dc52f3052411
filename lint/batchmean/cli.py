"""The command `batchmean`. Nothing heavier than argparse is imported before there is something to do."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from batchmean import __version__
from batchmean.config import CONFIDENCES, ConfigError, Glob, Settings, codes_from, hint, rule_names
from batchmean.output import FORMATS, printable, render

if TYPE_CHECKING:
    from batchmean.check import Check, Report

CLEAN, FOUND, USAGE = 0, 1, 2
INTERRUPTED = 130  # what a shell reports for SIGINT


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 clean, 1 findings or unreadable files, 2 usage."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # where a character cannot be shown
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except (ConfigError, _UsageError) as error:
        _complain("error", str(error))
        return USAGE
    except BrokenPipeError:
        # The reader has gone (`| head`). Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FOUND
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


class _UsageError(Exception):
    """Something was asked for that there is not."""


def _run(arguments: list[str]) -> int:
    if arguments[:1] == ["demo"]:
        from batchmean_reference.demo_command import main as demo  # says itself what it lacks

        return demo(arguments[1:])
    if arguments[:1] == ["laws"]:
        from batchmean_reference.laws_command import main as laws  # and so does this

        return laws(arguments[1:])
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command == "check":
        return _check(options)
    if options.command == "explain":
        return _explain(options.code)
    if options.command == "rules":
        return _rules()
    parser.print_help(sys.stderr)
    return USAGE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="batchmean",
        allow_abbrev=False,
        description="Finds losses that divide by the wrong count.",
        epilog="exit codes: 0 clean, 1 findings or files that could not be read or parsed, 2 wrong usage",
    )
    parser.add_argument("--version", action="version", version=f"batchmean {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    _add_check(commands.add_parser("check", help="lint files and folders", allow_abbrev=False))
    explain = commands.add_parser("explain", help="what a rule finds, why, and what to write instead")
    explain.add_argument("code", metavar="CODE", help="a code (BMN102) or a name (class-axis-mean)")
    commands.add_parser("rules", help="list the rules")
    commands.add_parser("laws", help="run a loss of yours against the laws (needs batchmean[reference])")
    commands.add_parser("demo", help="the bug, its size and its fix, measured (needs batchmean[reference])")
    return parser


def _add_check(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("paths", nargs="*", metavar="PATH", help="files and folders (default: .); - is standard input")
    add("--select", action="append", metavar="CODES", help="report only these: codes or their beginnings")
    add("--ignore", action="append", metavar="CODES", help="do not report these")
    add("--exclude", action="append", metavar="GLOBS", help="leave out these files and folders")
    add("--force-exclude", action="store_true", help="leave them out even if named as a PATH")
    add(
        "--min-confidence",
        choices=CONFIDENCES,
        help="also what rests on names (default), or what is proved",
    )
    add("--preview", action="store_true", default=None, help="report rules that are still on trial, too")
    add("--output-format", choices=FORMATS, default="concise", help="default: concise")
    fixing = parser.add_mutually_exclusive_group()
    fixing.add_argument(
        "--fix", action="store_true", help="rewrite the files where a fix is shown to be right"
    )
    fixing.add_argument("--diff", action="store_true", help="show what --fix would do, and change nothing")
    add(
        "--unsafe-fixes",
        action="store_true",
        help="with --fix or --diff: also likely findings, and terms whose balance with others changes",
    )
    add("--statistics", action="store_true", help="count the findings by code instead of listing them")
    add("--exit-zero", action="store_true", help="exit 0 even with findings")
    add("--jobs", type=_positive, metavar="N", help="processes at most (default: the number of CPUs)")
    add("--stdin-filename", metavar="FILE", help="what standard input is called in the report")
    configured = parser.add_mutually_exclusive_group()
    configured.add_argument("--config", metavar="FILE", help="a pyproject.toml to use for every file")
    configured.add_argument("--no-config", action="store_true", help="read no pyproject.toml")


def _check(options: argparse.Namespace) -> int:
    from batchmean.check import Check

    paths = options.paths or ["-" if options.stdin_filename else "."]
    if "-" in paths and len(paths) > 1:
        raise _UsageError("standard input (-) cannot be combined with other paths")
    is_rewriting = options.fix or options.diff
    if options.unsafe_fixes and not is_rewriting:
        raise _UsageError("--unsafe-fixes needs --fix or --diff")
    check = Check(
        Settings(_overrides(options), file=options.config, isolated=options.no_config),
        force_exclude=options.force_exclude,
        jobs=options.jobs or _cpus(),
        fixes=is_rewriting or options.output_format == "json",
        warn=lambda message: _complain("warning", message),
    )
    given = sys.stdin.buffer.read() if paths == ["-"] else None
    if given is not None:
        report = check.text(given, options.stdin_filename or "<stdin>")
    else:
        report = check.files(paths)
    if is_rewriting:
        return _rewrite(report, check, options, given)
    for error in report.errors:
        _complain("error", f"{error.path}: {error.message}")
    sys.stdout.write(_rendered(report, options))
    return FOUND if report.errors or (report.findings and not options.exit_zero) else CLEAN


def _rendered(report: Report, options: argparse.Namespace) -> str:
    return _statistics(report) if options.statistics else render(report, options.output_format)


def _rewrite(report: Report, check: Check, options: argparse.Namespace, given: bytes | None) -> int:
    """`--fix` and `--diff`. Standard input, once fixed, goes to standard output and its report to standard error."""
    from batchmean.rewrite import diff, rewrite, scale_note
    from batchmean.source import read_bytes, write

    def get(path: str) -> bytes:
        return read_bytes(path) if given is None else given

    def put(path: str, data: bytes) -> None:
        if options.fix and given is None:
            write(path, data)

    done = rewrite(report, check, get, put, unsafe=options.unsafe_fixes)
    for error in done.report.errors:
        _complain("error", f"{error.path}: {error.message}")
    if options.diff:
        sys.stdout.write("".join(diff(change) for change in done.changes))
    elif given is None:
        sys.stdout.write(_rendered(done.report, options))
    else:
        sys.stdout.buffer.write(done.changes[0].after if done.changes else given)
        sys.stderr.write(_rendered(done.report, options))
    if done.fixed:
        _complain("note", scale_note(done.fixed, pending=options.diff))
    unsolved = done.changes if options.diff else done.report.findings
    return FOUND if done.report.errors or (unsolved and not options.exit_zero) else CLEAN


def _overrides(options: argparse.Namespace) -> dict[str, Any]:
    """What the command line sets, by the names of `Config`."""
    select = options.select and codes_from(options.select, "--select")
    if select == ():  # an empty variable of a script, which would make everything clean
        raise _UsageError("--select names no code")
    given = {
        "select": select,
        "ignore": options.ignore and codes_from(options.ignore, "--ignore"),
        "exclude": options.exclude
        and tuple(Glob(text, os.getcwd()) for texts in options.exclude for text in texts.split(",")),
        "min_confidence": options.min_confidence,
        "preview": options.preview,
    }
    return {name: value for name, value in given.items() if value is not None}


def _statistics(report: Report) -> str:
    counts: dict[tuple[str, str], int] = {}
    for finding in report.findings:
        key = (finding.code, finding.name)
        counts[key] = counts.get(key, 0) + 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return "".join(f"{count}\t{code}\t{name}\n" for (code, name), count in ordered)


def _explain(asked: str) -> int:
    from batchmean.explain import page
    from batchmean.rules import RULES

    names = rule_names()
    code = names.get(asked.upper()) or names.get(asked.lower())
    if code is None:
        raise _UsageError(f"no rule {asked!r}{hint(asked, names)}; `batchmean rules` lists them")
    sys.stdout.write(page(RULES[code]))
    return CLEAN


def _rules() -> int:
    from batchmean.rules import RULES

    width = max(len(rule.name) for rule in RULES.values())
    for rule in RULES.values():
        print(f"{rule.code}  {rule.name:{width}}  {rule.summary}{' (preview)' if rule.preview else ''}")
    return CLEAN


def _cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _complain(kind: str, message: str) -> None:
    print(printable(f"{kind}: {message}"), file=sys.stderr)
