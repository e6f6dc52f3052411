"""The command `batchmean`. Nothing heavier than argparse is imported before there is something to do."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from batchmean.config import CONFIDENCES, ConfigError, Settings, codes_from, globs_from, rule_names
from batchmean.exits import CLEAN, FOUND, INTERRUPTED, USAGE
from batchmean.output import FORMATS, TO_BE_READ, WITH_FIXES, portable, printable, render
from batchmean.output.style import COLORS, style_of
from batchmean.source import MAX_BYTES, SourceError, bounded, legible, reason
from batchmean.suggestions import hint
from batchmean.version import __version__

if TYPE_CHECKING:
    from batchmean.baseline import Baselines
    from batchmean.check import Check
    from batchmean.findings import Finding
    from batchmean.report import Report
    from batchmean.rules import Rule
    from batchmean.since import Since


_STALE_NAMED = 20  # entries of baselines

_EXIT_CODES = "exit codes: 0 clean, 1 findings or files that could not be read or parsed, 2 wrong usage"
_EXAMPLES = f"""\
examples:
  batchmean check src/                             every Python file below a folder
  batchmean check --output-format full losses.py   with the source, and what a finding rests on
  batchmean check --diff losses.py                 what --fix would change
  batchmean explain BMN102                         what a rule finds, why, and what to write
  batchmean check --help                           all options

{_EXIT_CODES}"""
_CHECK_EXAMPLES = f"""\
examples:
  batchmean check                                           the Python files below this folder
  batchmean check --select BMN1 --ignore BMN104 src/
  batchmean check --min-confidence proved losses.py
  batchmean check --fix losses.py
  batchmean check --output-format sarif src/ > batchmean.sarif
  batchmean check --stdin-filename src/model.py - < src/model.py
  batchmean check --show-settings src/                      which settings hold, and where they are from
  batchmean check --add-noqa src/                           start from what is there now
  batchmean check --write-baseline known.json src/          or from a list of it
  batchmean check --baseline known.json src/                and report what is new

{_EXIT_CODES}"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 clean, 1 findings or unreadable files, 2 usage."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    _stand_in_for_closed_streams()
    if sys.stdout is None:
        _complain("error", "standard output is closed")
        return USAGE
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # where a character cannot be shown
    try:
        try:
            code = _run(arguments)
        except SystemExit as leaving:  # argparse has said why
            code = leaving.code if isinstance(leaving.code, int) else USAGE
        sys.stdout.flush()
    except (ConfigError, _UsageError) as error:
        _complain("error", str(error))
        return USAGE
    except BrokenPipeError:
        _abandon(sys.stdout)  # the reader has gone (`| head`)
        return FOUND
    except OSError as error:  # a full disk, above all; those of files that are linted are dealt with
        _abandon(sys.stdout)
        _complain("error", f"{error.filename or 'standard output'}: {reason(error)}")
        return USAGE
    except MemoryError:
        _complain("error", "not enough memory")
        return USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def _stand_in_for_closed_streams() -> None:
    """Take the places of standard streams that are closed, or the next file to be opened would get them."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            try:
                os.fstat(number)
            except OSError:
                os.open(os.devnull, os.O_RDWR)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - for as long as the process lives


def _abandon(stream: TextIO) -> None:
    """Let what is still to be written go nowhere: Python would complain once more when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class _UsageError(Exception):
    """Something was asked for that there is not."""


def _run(arguments: list[str]) -> int:
    if arguments[:1] == ["demo"]:
        from batchmean_reference.demo_command import main as demo  # says itself what it lacks

        return demo(arguments[1:])
    if arguments[:1] == ["laws"]:
        from batchmean_reference.laws_command import main as laws  # and so does this

        return laws(arguments[1:])
    if arguments[:1] == ["scan"]:
        from batchmean.scan.command import main as scan

        return scan(arguments[1:])
    parser = _parser()
    named: list[str] = []
    if arguments[:1] == ["check"] and "--" in arguments:  # what follows is files, whatever it looks like
        end = arguments.index("--")
        arguments, named = arguments[:end], arguments[end + 1 :]
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        _refuse(options.parser if options.command else parser, unknown)
    if options.command == "check":
        options.paths += [os.path.join(os.curdir, name) if name == "-" else name for name in named]
        return _to_file(options, _check)
    if options.command == "explain":
        return _explain(options.code, as_json=options.output_format == "json")
    if options.command == "rules":
        return _rules(as_json=options.output_format == "json")
    if options.command == "server":
        return _server(_overrides(options))
    if options.command == "mcp":
        return _mcp(allow_laws=options.allow_laws)
    if options.command == "completion":
        return _completion(parser, options.shell)
    parser.print_help(sys.stderr)
    return USAGE


def _refuse(parser: argparse.ArgumentParser, unknown: list[str]) -> NoReturn:
    """End with the usage of the command that does not know an argument, and with the option that may be meant."""
    known = [option for action in parser._actions for option in action.option_strings]
    meant = hint(unknown[0].partition("=")[0], known) if unknown[0].startswith("-") else ""
    parser.error(f"unrecognized arguments: {' '.join(unknown)}{meant}")


def _to_file(options: argparse.Namespace, run: Callable[[argparse.Namespace], int]) -> int:
    """Run with what would go to standard output going to `--output-file`, if there is one."""
    if options.output_file is None:
        return run(options)
    try:
        with (
            open(options.output_file, "w", encoding="utf-8", errors="backslashreplace", newline="\n") as file,
            redirect_stdout(file),
        ):
            return run(options)
    except OSError as error:
        if error.filename is None:  # a full disk
            error.filename = options.output_file
        raise


class Parser(argparse.ArgumentParser):
    """One that does not pass over what it cannot write."""

    def _print_message(self, message: str, file: Any = None) -> None:
        (file or sys.stderr).write(message)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="batchmean",
        allow_abbrev=False,
        description="Finds losses that divide by the wrong count.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"batchmean {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    check = commands.add_parser(
        "check",
        help="lint files and folders",
        epilog=_CHECK_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_check(check)
    explain = commands.add_parser(
        "explain", help="what a rule finds, why, and what to write instead", allow_abbrev=False
    )
    explain.add_argument(
        "code",
        metavar="CODE",
        help="a code (BMN102), a name (class-axis-mean), or the beginning of codes, whose rules are listed (BMN1)",
    )
    rules = commands.add_parser("rules", help="list the rules", allow_abbrev=False)
    for command in (explain, rules):
        command.add_argument(
            "--output-format", choices=("text", "json"), default="text", help="default: text"
        )
    completion = commands.add_parser(
        "completion", help="what a shell completes this command with (needs batchmean[completion])"
    )
    completion.add_argument("shell", choices=("bash", "zsh", "tcsh"))
    server = commands.add_parser("server", help="a language server for editors (needs batchmean[server])")
    server.add_argument("--stdio", action="store_true", help="the only way there is; many editors ask for it")
    _add_choice(server)
    mcp = commands.add_parser("mcp", help="tools for agents, below this folder (needs batchmean[mcp])")
    mcp.add_argument(
        "--allow-laws",
        action="store_true",
        help="also a tool that executes a loss of yours and measures it (needs batchmean[reference])",
    )
    commands.add_parser("laws", help="run a loss of yours against the laws (needs batchmean[reference])")
    commands.add_parser(
        "scan", help="lint very many files on Dask, and report on them (needs batchmean[scale])"
    )
    commands.add_parser("demo", help="the bug, its size and its fix, measured (needs batchmean[reference])")
    for command in commands.choices.values():
        command.set_defaults(parser=command)
    return parser


def _add_choice(parser: argparse.ArgumentParser) -> None:
    """Which findings are wanted; it wins over pyproject.toml."""
    add = parser.add_argument
    add("--select", action="append", metavar="CODES", help="report only these: codes or their beginnings")
    add("--ignore", action="append", metavar="CODES", help="do not report these")
    add(
        "--min-confidence",
        choices=CONFIDENCES,
        help="also what rests on names (default), or what is proved",
    )
    add("--preview", action="store_true", default=None, help="report rules that are still on trial, too")


def _add_check(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "paths",
        nargs="*",
        metavar="PATH",
        help="files and folders (default: .); - is standard input; all that follows -- is files",
    )
    _add_choice(parser)
    add("--exclude", action="append", metavar="GLOBS", help="leave out these files and folders")
    add("--force-exclude", action="store_true", help="leave them out even if named as a PATH")
    add(
        "--respect-gitignore",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="leave out of folders what git ignores (default)",
    )
    add("--output-format", choices=FORMATS, default="concise", help="default: concise")
    add("--output-file", metavar="FILE", help="write the report there, not to standard output")
    add("--color", choices=COLORS, default="auto", help="default: auto; NO_COLOR and FORCE_COLOR are heeded")
    add("--quiet", "-q", action="store_true", help="only findings and errors: no warnings, notes and counts")
    fixing = parser.add_mutually_exclusive_group()
    fixing.add_argument(
        "--fix", action="store_true", help="rewrite the files where a fix is shown to be right"
    )
    fixing.add_argument(
        "--fix-only",
        action="store_true",
        help="the same, and neither report nor fail for what is left: before another check",
    )
    fixing.add_argument("--diff", action="store_true", help="show what --fix would do, and change nothing")
    fixing.add_argument(
        "--add-noqa", action="store_true", help="silence every finding by a # noqa comment on its line"
    )
    fixing.add_argument("--show-files", action="store_true", help="list the files that would be linted")
    fixing.add_argument(
        "--show-settings",
        action="store_true",
        help="print the settings for each PATH, and where they are from",
    )
    add(
        "--unsafe-fixes",
        action="store_true",
        help="with --fix or --diff: also likely findings, and terms whose balance with others changes",
    )
    based = parser.add_mutually_exclusive_group()
    based.add_argument(
        "--baseline",
        metavar="FILE",
        help="do not report what --write-baseline has put there; name what is gone",
    )
    based.add_argument(
        "--no-baseline",
        dest="baseline",
        action="store_const",
        const="",
        help="report what a baseline covers, too",
    )
    based.add_argument(
        "--write-baseline", metavar="FILE", help="write the findings there instead of reporting them"
    )
    add(
        "--since",
        metavar="REV",
        help="only findings on lines that have changed since this revision of git branched off from HEAD",
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
    try:
        os.getcwd()
    except OSError as problem:
        raise _UsageError(f"the working directory cannot be used: {reason(problem)}") from None
    if "-" in paths and len(paths) > 1:
        raise _UsageError("standard input (-) cannot be combined with other paths")
    if options.fix_only:
        if options.output_format not in TO_BE_READ or options.statistics:
            raise _UsageError("--fix-only reports nothing that is left, so it has no other form")
        options.fix = True
    is_fixing = options.fix or options.diff
    if options.unsafe_fixes and not is_fixing:
        raise _UsageError("--unsafe-fixes needs --fix or --diff")
    if options.statistics and options.output_format not in (*TO_BE_READ, "json"):
        raise _UsageError(f"--statistics has no {options.output_format} form, only text and json")
    if options.diff and options.output_format not in (*TO_BE_READ, "json"):
        raise _UsageError(f"--diff has no {options.output_format} form, only text and json")
    if options.output_file is not None and paths == ["-"] and (options.fix or options.add_noqa):
        raise _UsageError(
            "--output-file is for a report; what standard input becomes goes to standard output"
        )
    if options.write_baseline is not None:
        _refuse_beside_baseline(options, paths)
    if options.baseline:
        from batchmean.baseline import Baseline

        Baseline(options.baseline)  # what is wrong with it is said before anything is linted
    settings = Settings(_overrides(options), file=options.config, isolated=options.no_config)
    check = Check(
        settings,
        force_exclude=options.force_exclude,
        jobs=options.jobs or _cpus(),
        fixes=is_fixing or options.output_format in WITH_FIXES,
        warn=lambda message: None if options.quiet else _complain("warning", message),
    )
    if options.diff or options.output_format not in TO_BE_READ:
        _write_utf_8()
    if options.show_settings:
        return _show_settings(paths, settings, options)
    if options.show_files:
        return _show_files(paths, check, options)
    since = None if options.since is None else _since(options, paths)
    given = None
    if paths == ["-"]:
        try:
            given = _standard_input()
        except SourceError as problem:
            _complain("error", f"{problem.path}: {problem.message}")
            return FOUND
    if given is not None:
        report = check.text(given, options.stdin_filename or "<stdin>")
    else:
        report = check.files(paths)
    if options.write_baseline is not None:
        return _write_baseline(report, options)
    kept = report.findings
    looked_at = [*check.considered, *(os.path.join(folder, "any") for folder in check.folders)]
    if any(settings.of(path).baseline for path in looked_at):  # or its module is not even imported
        from batchmean.baseline import Baselines

        baselines = Baselines(settings)
        for path in looked_at:
            baselines.of(path)  # where nothing is found, all its entries are stale
        kept = _without_known(report, check, baselines, options)
    if since is not None:
        kept = _changed(since, report._replace(findings=kept))
    if len(kept) < len(report.findings):
        report = check.keep(report, kept)
    if is_fixing or options.add_noqa:
        return _rewrite(report, check, options, given)
    for error in report.errors:
        _complain("error", f"{legible(error.path)}: {error.message}")
    sys.stdout.write(_rendered(report, options))
    return FOUND if report.errors or (report.findings and not options.exit_zero) else CLEAN


def _since(options: argparse.Namespace, paths: list[str]) -> Since:
    """What has changed. That it cannot be known is said before anything is linted."""
    from batchmean.since import Since, SinceError

    if paths == ["-"] and options.stdin_filename is None:
        raise _UsageError("--since needs to know by --stdin-filename what standard input is called")
    try:
        since = Since(options.since)
        for path in [options.stdin_filename] if paths == ["-"] else paths:
            since.repository(path)
    except SinceError as problem:
        raise _UsageError(f"--since: {problem}") from None
    return since


def _changed(since: Since, report: Report) -> list[Finding]:
    from batchmean.since import SinceError

    try:
        return since.changed(report)
    except SinceError as problem:
        raise _UsageError(f"--since: {problem}") from None


def _refuse_beside_baseline(options: argparse.Namespace, paths: list[str]) -> None:
    """Refuse what makes no sense beside `--write-baseline`, before anything is linted for nothing."""
    from batchmean.baseline import refuse_to_replace

    for name in ("fix", "fix_only", "diff", "add_noqa", "show_files", "show_settings", "statistics", "since"):
        if getattr(options, name):
            raise _UsageError(f"--write-baseline cannot be combined with --{name.replace('_', '-')}")
    if paths == ["-"]:
        raise _UsageError("--write-baseline needs files and folders, not standard input (-)")
    refuse_to_replace(options.write_baseline)


def _write_baseline(report: Report, options: argparse.Namespace) -> int:
    from batchmean.baseline import content
    from batchmean.source import create

    for error in report.errors:
        _complain("error", f"{legible(error.path)}: {error.message}")
    file = options.write_baseline
    try:
        create(file, content(report, file))
    except SourceError as problem:
        raise _UsageError(f"{legible(file)}: {problem.message}") from None
    except OSError as problem:
        raise _UsageError(f"{legible(file)}: {reason(problem)}") from None
    if not options.quiet:
        count = len(report.findings)
        _complain("note", f"wrote {count} finding{'' if count == 1 else 's'} to {legible(file)}")
    return FOUND if report.errors else CLEAN


def _without_known(
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
        _complain("note", f"{portable(baseline.file)}: is found no more: {place}")
    if stale[_STALE_NAMED:]:
        more = len(stale) - _STALE_NAMED
        _complain("note", f"and {more} more that are found no more; --write-baseline forgets them")
    return new


def _standard_input() -> bytes:
    if sys.stdin is None:
        raise _UsageError("standard input is closed")
    try:
        data = sys.stdin.buffer.read(MAX_BYTES + 1)
    except OSError as error:
        raise _UsageError(f"standard input cannot be read: {reason(error)}") from None
    return bounded(data, "<stdin>")


def _show_settings(paths: list[str], settings: Settings, options: argparse.Namespace) -> int:
    from batchmean.settings_page import page

    pages = []
    for path in paths:
        name = (options.stdin_filename or "<stdin>") if path == "-" else path
        if path != "-" and not os.path.lexists(path):
            raise _UsageError(f"{legible(path)}: no such file or directory")
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
        _complain("error", problem)
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
        _complain("error", f"{legible(error.path)}: {error.message}")
    left = "" if options.diff or options.fix_only else _rendered(done.report, options)
    if options.diff and options.output_format == "json":
        from batchmean.output.json import with_patch

        sys.stdout.write(with_patch(done.report, done.fixed, "".join(map(diff, done.changes))))
    elif options.diff:
        shown = _for_terminal if sys.stdout.isatty() else str
        for change in done.changes:
            sys.stdout.write(shown(diff(change)))
    elif given is None:
        sys.stdout.write(left)
    else:
        sys.stdout.buffer.write(done.changes[0].after if done.changes else given)
        sys.stdout.buffer.flush()
        sys.stderr.write(left)
    sys.stdout.flush()  # what is said below must be true
    if options.add_noqa and done.fixed and not options.quiet:
        lines = len({(finding.where, finding.span.line) for finding in done.fixed})
        _complain("note", f"added # noqa comments for {lines} line{'' if lines == 1 else 's'}")
    if options.add_noqa:
        for finding in done.report.findings:
            if finding.path not in done.unwritten:
                place = f"{legible(finding.where)}:{finding.span.line}"
                _complain("warning", f"{place}: no # noqa comment can be put there")
    elif done.fixed and not options.quiet:
        totals = [finding for finding in done.fixed if finding.code in TOTALS]
        losses = [f for f in done.fixed if f.code != UNUSED_NOQA.code and f not in totals]
        if losses:
            _complain("note", scale_note(losses, pending=options.diff))
        if totals:
            _complain("note", total_note(totals, pending=options.diff))
        if count := len(done.fixed) - len(losses) - len(totals):
            verb = "would take" if options.diff else "took"
            what = f"{count} noqa comment{'s' if count > 1 else ''}"
            _complain("note", f"{verb} what silences nothing out of {what}")
    unsolved = done.changes if options.diff else () if options.fix_only else done.report.findings
    return FOUND if done.report.errors or (unsolved and not options.exit_zero) else CLEAN


def _overrides(options: argparse.Namespace) -> dict[str, Any]:
    """What the command line sets, by the names of `Config`."""
    select = options.select and codes_from(options.select, "--select")
    if select == ():  # an empty variable of a script, which would make everything clean
        raise _UsageError("--select names no code")
    given = {
        "select": select,
        "ignore": options.ignore and codes_from(options.ignore, "--ignore"),
        "min_confidence": options.min_confidence,
        "preview": options.preview,
    }
    if options.command == "check":
        given |= {
            "exclude": options.exclude and globs_from(options.exclude, os.getcwd(), "--exclude"),
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


def _explain(asked: str, *, as_json: bool) -> int:
    from batchmean.explain import facts, page
    from batchmean.rules import EVERY

    names = rule_names()
    code = names.get(asked.upper()) or names.get(asked.lower())
    family = [rule for rule in EVERY.values() if rule.code.startswith(asked.upper())] if asked else []
    if code is None and not family:
        raise _UsageError(f"no rule {asked!r}{hint(asked, names)}; `batchmean rules` lists them")
    if as_json:
        import json

        chosen = family if code is None else [EVERY[code]]
        print(json.dumps([facts(rule) | {"page": page(rule)} for rule in chosen], indent=2))
    elif code is not None:
        sys.stdout.write(page(EVERY[code]))
    else:
        _list(family)
    return CLEAN


def _rules(*, as_json: bool) -> int:
    from batchmean.explain import facts
    from batchmean.rules import EVERY

    if as_json:
        import json

        print(json.dumps([facts(rule) for rule in EVERY.values()], indent=2))
    else:
        _list(EVERY.values())
    return CLEAN


def _list(rules: Iterable[Rule]) -> None:
    rules = list(rules)
    width = max(len(rule.name) for rule in rules)
    for rule in rules:
        print(f"{rule.code}  {rule.name:{width}}  {rule.summary}{' (preview)' if rule.preview else ''}")


def _completion(parser: argparse.ArgumentParser, shell: str) -> int:
    try:
        import shtab
    except ModuleNotFoundError as error:
        raise _UsageError(f"completion needs {error.name}: {extra('completion')}") from None
    print(shtab.complete(parser, shell=shell))
    return CLEAN


def extra(name: str) -> str:
    """How to get what an extra brings: there is no package index to have it from."""
    return f"pip install '.[{name}]' in a checkout of batchmean"


def _server(overrides: Mapping[str, Any]) -> int:
    try:
        from batchmean.server import main as serve
    except ModuleNotFoundError as error:
        raise _UsageError(f"the server needs {error.name}: {extra('server')}") from None
    if sys.stdin is None:
        raise _UsageError("standard input is closed")
    return serve(overrides)


def _mcp(*, allow_laws: bool) -> int:
    try:
        from batchmean.agent import main as serve
    except ModuleNotFoundError as error:
        raise _UsageError(f"the tools for agents need {error.name}: {extra('mcp')}") from None
    if sys.stdin is None:
        raise _UsageError("standard input is closed")
    return serve(allow_laws=allow_laws)


def _write_utf_8() -> None:
    """What goes to another program is UTF-8 with LF, whatever the locale; a terminal is told what it can show."""
    if not sys.stdout.isatty() and hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # a patch with CR LF does not apply


def _cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"not a whole number from 1 up: {text!r}")
    return int(text)


def _for_terminal(text: str) -> str:
    """A patch that is to be looked at, and not to be applied."""
    lines = text.split("\n")
    return "\n".join("\t".join(map(printable, line.split("\t"))) for line in lines)


def _complain(kind: str, message: str) -> None:
    try:
        print(printable(f"{kind}: {message}"), file=sys.stderr)
    except OSError:  # the exit code has to do
        _abandon(sys.stderr)
