"""The process that calls harvested losses: tasks come in as lines of JSON, what the laws say goes out.

    python -m benchmarks.oracle.harvest_worker SECONDS

A task names a file, how to get at its definitions, the losses to call and the lines to watch. What the losses print
goes nowhere; time, memory and the size of files are limited.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib
import json
import os
import re
import signal
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TextIO

MEMORY: Final = 12 << 30
"""Bytes of address space; frameworks reserve much more than they use."""
FILE_SIZE: Final = 1 << 20
IMPORTING: Final = 60
"""Seconds that the import of a file may take, in addition."""


class Missing:
    """Stands for what could not be imported: may be a base, decorate and have attributes, and raises if it is used."""

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __getattr__(self, name: str) -> Missing:
        if name.startswith("__"):
            raise AttributeError(name)
        return Missing(f"{self.__name__}.{name}")

    def __mro_entries__(self, bases: tuple[type, ...]) -> tuple[type, ...]:
        return ()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if len(args) == 1 and not kwargs and (_is_definition(args[0])):
            return args[0]
        raise ImportError(f"{self.__name__} is not installed")


def _is_definition(value: Any) -> bool:
    """Whether it is a function or class of the file, as a decorator gets it."""
    return isinstance(value, (types.FunctionType, type))


def definitions(path: Path, package: str = "") -> types.ModuleType:
    """The module of a file with its imports, functions, classes and plain constants; nothing else of it is run."""
    module = types.ModuleType(path.stem)
    module.__file__ = str(path)
    module.__package__ = package
    tree = ast.parse(path.read_bytes())
    sys.modules[module.__name__] = module
    for statement in tree.body:
        is_constant = isinstance(statement, (ast.Assign, ast.AnnAssign)) and not _has_effects(statement)
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            _imported(statement, module, path)
        elif is_constant or isinstance(statement, (ast.FunctionDef, ast.ClassDef, ast.If, ast.Try)):
            if isinstance(statement, (ast.If, ast.Try)) and not _only_imports(statement):
                continue
            try:
                code = compile(ast.Module([statement], []), str(path), "exec")
                exec(code, vars(module))
            except Exception:  # what is not defined is missed by those that use it
                continue
    return module


def _has_effects(statement: ast.stmt) -> bool:
    return any(isinstance(each, (ast.Call, ast.Await)) for each in ast.walk(statement))


def _only_imports(statement: ast.stmt) -> bool:
    """Is it `try: import ... except ImportError: ...` or the like?"""
    plain = (ast.Import, ast.ImportFrom, ast.Assign, ast.Pass, ast.ExceptHandler, ast.If, ast.Try)
    inner = [each for each in ast.walk(statement) if isinstance(each, (ast.stmt, ast.ExceptHandler))]
    return all(isinstance(each, plain) for each in inner)


def _imported(statement: ast.Import | ast.ImportFrom, module: types.ModuleType, path: Path) -> None:
    """Carry out an import name by name; what fails is `Missing`."""
    for alias in statement.names:
        one = type(statement)(**{**vars(statement), "names": [alias]})
        code = compile(ast.Module([one], []), str(path), "exec")
        try:
            exec(code, vars(module))
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            name = alias.asname or alias.name.partition(".")[0]
            if name != "*":
                vars(module)[name] = Missing(alias.name)


def load(task: Mapping[str, Any]) -> types.ModuleType:
    """The module of a task: imported as a part of its package if that works, else its definitions alone."""
    path = Path(task["path"])
    sys.path[:0] = task["roots"]
    if task["module"]:
        try:
            return importlib.import_module(task["module"])
        except (Exception, SystemExit):
            pass
    return definitions(path, task["module"].rpartition(".")[0])


def callable_of(module: types.ModuleType, name: str, how: str) -> Any:
    """The function, class or bound method that a candidate names. Raises `ValueError` where there is none."""
    owner, _, method = name.rpartition(".")
    try:
        if how in ("function", "class", "static"):
            return functools.reduce(getattr, name.split("."), module)
        cls = getattr(module, owner)
        function = vars(cls)[method]
        if how == "without self":
            return _without_first(function)
        return getattr(cls(), method)
    except Exception as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def _without_first(function: Callable[..., Any]) -> Callable[..., Any]:
    return types.MethodType(function, types.SimpleNamespace())


def verdict(function: Any) -> dict[str, Any]:
    """What the laws say of a loss: `right`, `wrong`, `no law`, `unjudged` or `cannot run`."""
    from batchmean_reference.calling import Unjudged
    from batchmean_reference.examine import examine, fraction

    output: int | str | None = None
    for _ in range(2):
        try:
            found = examine(function, output=output)
        except Unjudged as refused:
            chosen = _output(str(refused)) if output is None else None
            if chosen is None:
                return {"verdict": "unjudged", "why": str(refused)[:300]}
            output = chosen
        except (ValueError, ImportError) as error:
            return {"verdict": "cannot run", "why": str(error)[:300]}
        else:
            factor = None if found.factor is None else dict(found.factor.exponents)
            return {
                "verdict": found.outcome,
                "factor": factor,
                "fraction": fraction(found.factor, found.constant),
                "broken": found.broken,
                "with": dict(found.declared),
                "shape": list(found.shape),
                "why": "; ".join(
                    f"{law} {one.verdict}: {one.reason}"
                    for law, one in found.laws.items()
                    if one.verdict != "not applicable"
                )[:500],
            }
    raise AssertionError("two rounds suffice")


def _output(refusal: str) -> int | str | None:
    """The first output that is a number, and one that is called a loss before others."""
    if "say which with --output" not in refusal:
        return None
    outputs = re.findall(r"(?:: |, )(\w+) of shape \(([\d, ]*)\)", refusal)
    numbers = [name for name, shape in outputs if not shape.strip(" ,")] or [name for name, _ in outputs]
    named = [name for name in numbers if "loss" in name.lower()] + numbers
    if not named:
        return None
    return int(named[0]) if named[0].isdigit() else named[0]


@contextlib.contextmanager
def watched(path: str, lines: frozenset[int], seen: set[int]) -> Iterator[None]:
    """Note which of these lines of a file are run."""
    if not lines:
        yield
        return
    real = os.path.realpath(path)

    def local(frame: types.FrameType, event: str, _: Any) -> Any:
        if event == "line" and frame.f_lineno in lines:
            seen.add(frame.f_lineno)
        return local

    def start(frame: types.FrameType, event: str, _: Any) -> Any:
        return local if os.path.realpath(frame.f_code.co_filename) == real else None

    sys.settrace(start)
    try:
        yield
    finally:
        sys.settrace(None)


def limit() -> None:
    """Limits of the whole process."""
    import resource

    for what, amount in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, FILE_SIZE),
        (resource.RLIMIT_AS, MEMORY),
    ):
        resource.setrlimit(what, (amount, amount))


def without_gpu() -> None:
    """What asks for a GPU stays where it is."""
    import torch

    torch.set_num_threads(1)
    for owner in (torch.Tensor, torch.nn.Module):
        owner.cuda = lambda self, *args, **kwargs: self
    # Beside a CPU build of torch, torchvision's GPU wheel lacks the operators that it then describes.
    sys.modules.setdefault(
        "torchvision._meta_registrations", types.ModuleType("torchvision._meta_registrations")
    )


def answers_of(
    task: Mapping[str, Any], losses: Sequence[Mapping[str, Any]], seconds: int
) -> Iterator[dict[str, Any]]:
    """What the laws say of each of these losses of a file. A loss that does not stop ends the process."""

    def too_long(*_: Any) -> None:
        raise TimeoutError(f"more than {seconds} s of CPU time")

    signal.signal(signal.SIGPROF, too_long)
    module: types.ModuleType | None = None
    for loss in losses:
        seen: set[int] = set()
        signal.alarm(4 * seconds + (0 if module else IMPORTING))
        try:
            module = module or load(task)
            signal.setitimer(signal.ITIMER_PROF, seconds)
            function = callable_of(module, loss["name"], loss["how"])
            with watched(task["path"], frozenset(loss["watch"]), seen):
                result = verdict(function)
        except TimeoutError as error:
            result = {"verdict": "hung", "why": str(error)}
        except (Exception, SystemExit) as error:  # somebody's code may raise anything
            result = {"verdict": "cannot run", "why": f"{type(error).__name__}: {error}"[:300]}
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        yield {"name": loss["name"], **result, "ran_lines": sorted(seen)}


def preload(*names: str) -> None:
    """Import what many files do, once for all; no framework starts its threads by that, so a process can be split."""
    for name in names:
        with contextlib.suppress(Exception):
            if name not in sys.modules:
                importlib.import_module(name)
                if name == "torch":
                    without_gpu()


def main(seconds: int) -> None:
    """Answer tasks until there are no more: a child for each file, and another one for what it left undone."""
    limit()
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    tasks = os.fdopen(os.dup(0), encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    preload("batchmean_reference.examine")
    for line in tasks:
        task = json.loads(line)
        preload(*task["frameworks"])
        losses = list(task["losses"])
        while losses:
            losses = losses[_in_child(task, losses, seconds, out) :]


def _in_child(task: Mapping[str, Any], losses: Sequence[Mapping[str, Any]], seconds: int, out: TextIO) -> int:
    """Have a child answer, hand its answers on, and say how many losses are done with."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        os.setsid()
        with os.fdopen(write, "w", encoding="utf-8") as answers:
            for result in answers_of(task, losses, seconds):
                answers.write(json.dumps(result) + "\n")
                answers.flush()
        os._exit(0)
    os.close(write)
    done = 0
    with os.fdopen(read, encoding="utf-8") as answers:
        for answer in answers:
            out.write(answer)
            out.flush()
            done += 1
            if done == len(losses):
                break
    with contextlib.suppress(OSError):
        os.killpg(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if done < len(losses):
        ended = (
            signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else f"exit code {status >> 8}"
        )
        kind = "hung" if ended == "SIGALRM" else "crashed"
        lost = {
            "name": losses[done]["name"],
            "verdict": kind,
            "why": f"its process ended: {ended}",
            "ran_lines": [],
        }
        out.write(json.dumps(lost) + "\n")
        out.flush()
        done += 1
    return done


if __name__ == "__main__":
    main(int(sys.argv[1]))
