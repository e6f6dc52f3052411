"""The command `batchmean`. Nothing heavier than argparse is imported before there is something to do."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from typing import NoReturn

from batchmean.commands.arguments import command_parser
from batchmean.commands.check import run_check
from batchmean.commands.messages import UsageError, abandon, complain, extra
from batchmean.commands.rules import explain_rule, list_rules
from batchmean.config import ConfigError
from batchmean.exits import CLEAN, FOUND, INTERRUPTED, USAGE
from batchmean.source import reason
from batchmean.suggestions import hint


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 clean, 1 findings or unreadable files, 2 usage."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    _stand_in_for_closed_streams()
    if sys.stdout is None:
        complain("error", "standard output is closed")
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
    except (ConfigError, UsageError) as error:
        complain("error", str(error))
        return USAGE
    except BrokenPipeError:
        abandon(sys.stdout)  # the reader has gone (`| head`)
        return FOUND
    except OSError as error:  # a full disk, above all; those of files that are linted are dealt with
        abandon(sys.stdout)
        complain("error", f"{error.filename or 'standard output'}: {reason(error)}")
        return USAGE
    except MemoryError:
        complain("error", "not enough memory")
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
    parser = command_parser()
    named: list[str] = []
    if arguments[:1] == ["check"] and "--" in arguments:  # what follows is files, whatever it looks like
        end = arguments.index("--")
        arguments, named = arguments[:end], arguments[end + 1 :]
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        _refuse(options.parser if options.command else parser, unknown)
    if options.command == "check":
        options.paths += [os.path.join(os.curdir, name) if name == "-" else name for name in named]
        return _to_file(options, run_check)
    if options.command == "explain":
        return explain_rule(options.code, as_json=options.output_format == "json")
    if options.command == "rules":
        return list_rules(as_json=options.output_format == "json")
    if options.command == "server":
        return _server()
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


def _completion(parser: argparse.ArgumentParser, shell: str) -> int:
    try:
        import shtab
    except ModuleNotFoundError as error:
        raise UsageError(f"completion needs {error.name}: {extra('completion')}") from None
    print(shtab.complete(parser, shell=shell))
    return CLEAN


def _server() -> int:
    try:
        from batchmean.server import main as serve
    except ModuleNotFoundError as error:
        raise UsageError(f"the server needs {error.name}: {extra('server')}") from None
    if sys.stdin is None:
        raise UsageError("standard input is closed")
    return serve()


def _mcp(*, allow_laws: bool) -> int:
    try:
        from batchmean.agent import main as serve
    except ModuleNotFoundError as error:
        raise UsageError(f"the tools for agents need {error.name}: {extra('mcp')}") from None
    if sys.stdin is None:
        raise UsageError("standard input is closed")
    return serve(allow_laws=allow_laws)
