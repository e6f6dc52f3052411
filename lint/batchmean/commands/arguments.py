"""The arguments of all commands."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from batchmean.config import CONFIDENCES
from batchmean.output import FORMATS
from batchmean.output.style import COLORS
from batchmean.version import __version__

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


class Parser(argparse.ArgumentParser):
    """One that does not pass over what it cannot write."""

    def _print_message(self, message: str, file: Any = None) -> None:
        (file or sys.stderr).write(message)


def command_parser() -> argparse.ArgumentParser:
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


def _add_check(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "paths",
        nargs="*",
        metavar="PATH",
        help="files and folders (default: .); - is standard input; all that follows -- is files",
    )
    add("--select", action="append", metavar="CODES", help="report only these: codes or their beginnings")
    add("--ignore", action="append", metavar="CODES", help="do not report these")
    add("--exclude", action="append", metavar="GLOBS", help="leave out these files and folders")
    add("--force-exclude", action="store_true", help="leave them out even if named as a PATH")
    add(
        "--respect-gitignore",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="leave out of folders what git ignores (default)",
    )
    add(
        "--min-confidence",
        choices=CONFIDENCES,
        help="also what rests on names (default), or what is proved",
    )
    add("--preview", action="store_true", default=None, help="report rules that are still on trial, too")
    add("--output-format", choices=FORMATS, default="concise", help="default: concise")
    add("--output-file", metavar="FILE", help="write the report there, not to standard output")
    add("--color", choices=COLORS, default="auto", help="default: auto; NO_COLOR and FORCE_COLOR are heeded")
    add("--quiet", "-q", action="store_true", help="only findings and errors: no warnings, notes and counts")
    fixing = parser.add_mutually_exclusive_group()
    fixing.add_argument(
        "--fix", action="store_true", help="rewrite the files where a fix is shown to be right"
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


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"not a whole number from 1 up: {text!r}")
    return int(text)
