"""`batchmean laws --findings PATH --execute`: runs the functions that the linter complains about, and compares.

The linter reads code and never runs it; this does, because `--execute` says so. Each file is imported in a process of
its own (`confirm_worker`), with limits; what a finding claims is tried by the laws, which know nothing of the linter.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from batchmean.commands.arguments import Parser
from batchmean.commands.messages import extra

CONFIRMED, NOT_CONFIRMED, USAGE = 0, 1, 2

SECONDS = 20
"""How long one function may run, unless `--timeout` says otherwise."""

IMPORTING = 60
"""How long the import of a file may take, in addition: frameworks take their time."""

CALLERS = 4
"""How many functions that call the one with the finding are run where that one cannot be."""

Verdict = Literal["confirmed", "contradicted", "open"]


@dataclass(frozen=True, slots=True)
class Task:
    """A finding, and the functions that may be run for it: the one that it stands in, then those that call it."""

    path: str
    line: int
    code: str
    factor: Mapping[str, int] | None
    functions: tuple[str, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What running said of a finding: the measured factor (None where it is none), and why it is not confirmed.

    "open" is a finding whose function could not be run, or not tell: `reason` says what it would need.
    """

    verdict: Verdict
    function: str | None
    measured: str | None
    reason: str


def main(argv: Sequence[str]) -> int:
    """Runs the command and returns its exit code: 0 all findings confirmed, 1 one is not, 2 usage, unreadable files."""
    options = _parser().parse_args(argv)
    try:
        import batchmean_reference.examine  # noqa: F401 - what the other process needs
    except ImportError as error:
        return _complain(f"the laws need {error.name}: {extra('reference')}")
    missing = [path for path in options.findings if not os.path.lexists(path)]
    for path in missing:
        _complain(f"{path}: no such file or directory")
    tasks, errors = find_tasks([path for path in options.findings if path not in missing], options)
    for problem in errors:
        _complain(problem)
    as_json = options.output_format == "json"
    if not options.execute:
        return _listed(tasks, as_json, bool(missing or errors))
    if not as_json:
        print(
            "Running the code: each file with a finding is imported in a process of its own, and the function is "
            f"called (at most {options.timeout} s each).\n"
        )
    outcomes = []
    for task, outcome in zip(tasks, run(tasks, options.timeout), strict=True):
        outcomes.append(outcome)
        if not as_json:
            print(_line(task, outcome), flush=True)
    counts = {
        verdict: sum(outcome.verdict == verdict for outcome in outcomes)
        for verdict in ("confirmed", "contradicted", "open")
    }
    if as_json:
        _print_json(tasks, outcomes, counts)
    else:
        number = len(tasks)
        print(
            f"\n{number} finding{'' if number == 1 else 's'}: "
            + ", ".join(f"{count} {name}" for name, count in counts.items())
        )
    if missing or errors:
        return USAGE
    return CONFIRMED if counts["confirmed"] == len(tasks) else NOT_CONFIRMED


def find_tasks(paths: Sequence[str], options: argparse.Namespace) -> tuple[list[Task], list[str]]:
    """The linter's findings below these paths, each with what may be run for it; and what could not be read."""
    from batchmean.check import Check
    from batchmean.config import ConfigError, Settings, codes_from

    given: dict[str, Any] = {"preview": True} if options.preview else {}
    try:
        if options.select:
            given["select"] = codes_from(options.select, "--select")
        report = Check(Settings(given), warn=_warn).files(paths)
    except ConfigError as error:
        return [], [str(error)]
    errors = [f"{error.path}: {error.message}" for error in report.errors]
    trees: dict[str, ast.Module | None] = {}
    tasks = []
    for finding in sorted(report.findings, key=lambda finding: finding.sort_key):
        path = finding.path
        if path not in trees:
            trees[path] = ast.parse(Path(path).read_bytes()) if path.endswith((".py", ".pyi")) else None
        names, reason = _functions(trees[path], finding.span.line)
        factor = None if finding.factor is None else dict(finding.factor)
        tasks.append(Task(path, finding.span.line, finding.code, factor, names, reason))
    return tasks, errors


def run(tasks: Sequence[Task], seconds: int = SECONDS, importing: int = IMPORTING) -> Iterator[Outcome]:
    """Run each task, those of a file in one process, a new one after a function that had to be stopped."""
    number = 0
    while number < len(tasks):
        if not tasks[number].functions:
            yield Outcome("open", None, None, tasks[number].reason)
            number += 1
            continue
        same = number
        while same < len(tasks) and tasks[same].path == tasks[number].path and tasks[same].functions:
            same += 1
        for outcome in _in_process(tasks[number:same], seconds, importing):
            yield outcome
            number += 1


def _in_process(tasks: Sequence[Task], seconds: int, importing: int) -> Iterator[Outcome]:
    """The outcomes of tasks of one file, up to the first function that ended its process."""
    environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="1")
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    process = subprocess.Popen(
        [sys.executable, "-m", "batchmean_reference.confirm_worker", str(seconds), str(importing)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        env=environment,
        start_new_session=True,
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        for number, task in enumerate(tasks):
            allowed = seconds * len(task.functions) + (importing if number == 0 else 0)
            timer = threading.Timer(allowed, _kill, [process])
            timer.start()
            try:
                process.stdin.write(json.dumps(asdict(task)) + "\n")
                process.stdin.flush()
                answer = process.stdout.readline()
            except OSError:
                answer = ""
            timed_out = not timer.is_alive()
            timer.cancel()
            if not answer:
                process.wait()
                yield Outcome("open", task.functions[0], None, _ended(process.returncode, timed_out, seconds))
                return
            yield Outcome(**json.loads(answer))
    finally:
        _kill(process)
        process.stdin.close()
        process.stdout.close()
        process.wait()


def _kill(process: subprocess.Popen[str]) -> None:
    """End a process and all that it started."""
    try:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    except OSError:
        pass


def _ended(code: int, timed_out: bool, seconds: int) -> str:
    if timed_out or (hasattr(signal, "SIGXCPU") and code == -signal.SIGXCPU):
        return f"it ran for more than {seconds} s"
    return f"its process ended with {f'signal {-code}' if code < 0 else f'exit code {code}'}"


def _functions(tree: ast.Module | None, line: int) -> tuple[tuple[str, ...], str]:
    """The functions (or classes with a forward method) to run for a finding on this line, or why there are none."""
    if tree is None:
        return (), "only Python files are run"
    holder = next(
        (
            node
            for node in tree.body
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
            and node.lineno <= line <= (node.end_lineno or node.lineno)
        ),
        None,
    )
    if holder is None:
        callers = _assigned_callers(tree, line)
        return (callers, "") if callers else ((), "it stands in no function")
    if isinstance(holder, ast.AsyncFunctionDef):
        return (), f"{holder.name} is asynchronous"
    callers = _callers(tree, holder.name)
    if isinstance(holder, ast.ClassDef):
        methods = {node.name for node in holder.body if isinstance(node, ast.FunctionDef)}
        if not methods & {"forward", "call", "__call__"}:
            return callers, f"it stands in a method of {holder.name}, and needs an object of that class"
    return (holder.name, *callers), ""


def _assigned_callers(tree: ast.Module, line: int) -> tuple[str, ...]:
    """Functions that use the name that a statement on this line of the module assigns."""
    names = [
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign) and node.lineno <= line <= (node.end_lineno or node.lineno)
        for target in node.targets
        if isinstance(target, ast.Name)
    ]
    return tuple(dict.fromkeys([*names, *(caller for name in names for caller in _callers(tree, name))]))


def _callers(tree: ast.Module, name: str) -> tuple[str, ...]:
    """The first top-level functions that mention a name, those that mention such functions last."""
    found: dict[str, None] = {}
    sought = [name]
    while sought and len(found) < CALLERS:
        current = sought.pop(0)
        for node in tree.body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name not in (*found, name, current):
                if any(isinstance(each, ast.Name) and each.id == current for each in ast.walk(node)):
                    found[node.name] = None
                    sought.append(node.name)
    return tuple(found)[:CALLERS]


def _line(task: Task, outcome: Outcome) -> str:
    from batchmean_reference.audit import Monomial
    from batchmean_reference.examine import fraction

    claimed = f" {fraction(Monomial(task.factor))}" if task.factor else ""
    named = f" {outcome.function}" if outcome.function else ""
    measured = f"measured {outcome.measured}" if outcome.measured else ""
    details = "; ".join(filter(None, (measured, outcome.reason)))
    more = f" ({details})" if details else ""
    return f"{task.path}:{task.line}: {task.code}{claimed}{named}: {outcome.verdict}{more}"


def _listed(tasks: Sequence[Task], as_json: bool, is_bad: bool) -> int:
    if as_json:
        _print_json(
            tasks, [Outcome("open", None, None, "--execute is not given")] * len(tasks), {"open": len(tasks)}
        )
    else:
        for task in tasks:
            would = f"would run {task.functions[0]}" if task.functions else task.reason
            print(f"{task.path}:{task.line}: {task.code}: {would}")
    if tasks:
        print(
            "note: nothing was run; --execute imports these files and calls these functions", file=sys.stderr
        )
    return USAGE if tasks or is_bad else CONFIRMED


def _print_json(tasks: Sequence[Task], outcomes: Iterable[Outcome], counts: Mapping[str, int]) -> None:
    rows: list[dict[str, Any]] = [
        {"path": task.path, "line": task.line, "code": task.code, "factor": task.factor, **asdict(outcome)}
        for task, outcome in zip(tasks, outcomes, strict=True)
    ]
    print(json.dumps({"version": 1, "tool": "batchmean laws", "findings": rows, "counts": counts}, indent=2))


def _warn(message: str) -> None:
    print(f"warning: {message}", file=sys.stderr)


def _complain(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return USAGE


def _parser() -> Parser:
    parser = Parser(
        prog="batchmean laws --findings",
        allow_abbrev=False,
        description="Lints files, runs the functions with findings and says whether the measured factor is the one "
        "that the linter names. This executes code: only with --execute.",
        epilog="exit codes: 0 every finding confirmed, 1 one is contradicted or could not be run, 2 wrong usage, "
        "unreadable files, or nothing run",
    )
    add = parser.add_argument
    add("--findings", nargs="+", metavar="PATH", required=True, help="files and folders to lint")
    add("--execute", action="store_true", help="import these files and call the functions with findings")
    add("--select", action="append", metavar="CODES", help="only these rules: codes, or their beginnings")
    add("--preview", action="store_true", help="the rules that are on trial, too")
    add("--timeout", type=_seconds, default=SECONDS, metavar="S", help=f"per function (default: {SECONDS} s)")
    add("--output-format", choices=("text", "json"), default="text", help="default: text")
    return parser


def _seconds(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"not a whole number of seconds from 1 up: {text!r}")
    return int(text)
