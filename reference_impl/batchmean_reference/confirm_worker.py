"""The process that runs functions for `batchmean laws --findings`: tasks come in as lines of JSON, outcomes go out.

What the functions print goes nowhere, and what they may use is limited: time, files that grow, memory.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import math
import os
import sys
from collections.abc import Mapping, Sequence
from functools import cache, reduce
from pathlib import Path
from types import ModuleType
from typing import Any

from batchmean_reference.audit import Monomial
from batchmean_reference.cases import CaseError, read_declaration
from batchmean_reference.confirm import Outcome
from batchmean_reference.examine import examine, fraction
from batchmean_reference.frameworks import FRAMEWORKS, Framework
from batchmean_reference.laws import Loss, check_laws, exponents

MEMORY = 16 << 30
"""Bytes of address space. Frameworks reserve much more than they use."""

FILE_SIZE = 1 << 20
"""Bytes that a file may grow to."""

POWER = 0.02
"""How far a measured exponent may be from the one that the linter names."""

POINTS = 3
"""At how many sizes a factor is measured."""


def main(seconds: int, importing: int) -> None:
    """Answer tasks until there are no more."""
    _limit()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDWR)
    tasks = os.fdopen(os.dup(0), encoding="utf-8")
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    for line in tasks:
        task = json.loads(line)
        _more_time(seconds * len(task["functions"]) + importing)
        outcome = _outcome(Path(task["path"]), task["factor"], task["functions"])
        answers.write(json.dumps(outcome) + "\n")
        answers.flush()


def _outcome(path: Path, factor: Mapping[str, int] | None, functions: list[str]) -> dict[str, Any]:
    """What the first of the functions says that can be run. One that only calls the wrong one may confirm, and no more:
    other terms in it have other factors."""
    reasons = []
    for number, name in enumerate(functions):
        try:
            verdict, measured, reason = _measured(path, name, factor)
        except (Exception, SystemExit) as error:  # the user's code may raise anything
            reasons.append(_one_line(error))
            continue
        if verdict == "confirmed" or (number == 0 and verdict != "open"):
            return vars_of(Outcome(verdict, name, measured, reason))  # type: ignore[arg-type]
        reasons.append(reason)
    return vars_of(Outcome("open", functions[0], None, reasons[0]))


def vars_of(outcome: Outcome) -> dict[str, Any]:
    """An outcome as a dictionary."""
    return {name: getattr(outcome, name) for name in ("verdict", "function", "measured", "reason")}


def _measured(path: Path, name: str, factor: Mapping[str, int] | None) -> tuple[str, str | None, str]:
    try:
        declared = read_declaration(path, name)
    except CaseError as error:
        raise ValueError(str(error)) from error
    framework = _framework(path)
    framework.prepare()
    function = reduce(getattr, name.split("."), _module(path))
    if not callable(function):
        raise ValueError(f"{name} is no function")
    if declared is None:
        return _examined(function, factor)
    loss = Loss(
        function=framework.compile(function),
        arguments=declared.arguments,
        unit=declared.unit,
        exempt=declared.exempt,
        fixed=declared.sizes,
        output=declared.output,
        term=declared.term,
        convert=framework.convert,
    )
    if factor is None:
        return _without_factor(
            [law for law, result in check_laws(loss).items() if result.verdict == "broken"]
        )
    measured = [exponents(loss, sizes) for sizes in loss.points[:POINTS]]
    if lacking := _lacking(factor, set(measured[0]), loss):
        return "open", None, lacking
    shown = {axis: round(power) for axis, power in measured[0].items() if math.isfinite(power)}
    if any(
        abs(power - shown.get(axis, math.inf)) > POWER
        for powers in measured
        for axis, power in powers.items()
    ):
        return "open", None, "it changes with the sizes, but as no power of them: what else does it compute?"
    expected = _seen(factor, loss)
    agrees = all(power == expected.get(axis, 0) for axis, power in shown.items())
    return ("confirmed" if agrees else "contradicted"), fraction(Monomial(shown)), ""


def _examined(function: Any, factor: Mapping[str, int] | None) -> tuple[str, str | None, str]:
    """The same without a declaration: what the arguments are is guessed."""
    found = examine(function)
    if factor is None:
        return _without_factor(found.broken)
    if lacking := sorted(set(factor) - set(found.axes)):
        needed = "; ".join(f"{name}: {kind}" for name, kind in found.declared.items())
        return "open", None, f"{', '.join(lacking)} could not be varied with {needed}: declare the arguments"
    if found.factor is None:
        return "open", None, "it changes with the sizes, but as no power of them: what else does it compute?"
    agrees = found.factor == Monomial(factor)
    return ("confirmed" if agrees else "contradicted"), fraction(found.factor), ""


def _without_factor(broken: Sequence[str]) -> tuple[str, str | None, str]:
    """For a finding that names no factor: whether a law is broken at all."""
    if broken:
        return "confirmed", None, f"breaks {', '.join(broken)}"
    return "open", None, "it breaks no law, and the finding names no factor"


def _lacking(factor: Mapping[str, int], measured: set[str], loss: Loss) -> str:
    """Why the laws cannot tell this factor; empty where they can."""
    examples = {"B", "N", "n_valid"}
    for axis in factor:
        if axis in loss.fixed:
            return f"the code fixes {axis} = {loss.fixed[axis]}, so that it cannot be varied"
        if (
            axis in measured
            or (axis in examples and measured & examples)
            or (axis == "T" and "N" in measured)
        ):
            continue
        return f"no law varies {axis} here"
    return ""


def _seen(factor: Mapping[str, int], loss: Loss) -> Mapping[str, int]:
    """The exponents that the laws see of a factor: padding makes T longer and N with it; repeating every example
    makes B, N and n_valid larger."""
    masked, repeated = factor.get("N", 0), sum(factor.get(count, 0) for count in ("B", "N", "n_valid"))
    if "n_valid" in loss.unit:
        masked += factor.get("T", 0)
    return dict(factor) | {"N": masked, "n_valid": repeated - masked, "B": repeated}


@cache
def _framework(path: Path) -> Framework:
    """The framework whose arrays the functions of a file take: that of its folder of fixtures, or of its imports."""
    if path.resolve().parent.name in FRAMEWORKS:
        return FRAMEWORKS[path.resolve().parent.name]
    roots = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            roots |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            roots.add(node.module.split(".")[0])
    found = next((each for each in FRAMEWORKS.values() if each.name != "numpy" and each.name in roots), None)
    return found or FRAMEWORKS["on_numpy"]


@cache
def _module(path: Path) -> ModuleType:
    """The file as a module, within its package if it has one."""
    file = path.resolve()
    root, parts = file.parent, [file.stem]
    while (root / "__init__.py").exists():
        parts.insert(0, root.name)
        root = root.parent
    sys.path.insert(0, str(root))
    if len(parts) > 1:
        return importlib.import_module(".".join(parts))
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    return module


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, ValueError) else f"{type(error).__name__}: {text}"


def _limit() -> None:
    try:
        import resource
    except ImportError:  # Windows: the time alone is limited, by who started this
        return
    for what, amount in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, FILE_SIZE),
        (resource.RLIMIT_AS, MEMORY),
    ):
        _, hard = resource.getrlimit(what)
        if hard == resource.RLIM_INFINITY or amount <= hard:
            resource.setrlimit(what, (amount, hard))


def _more_time(seconds: int) -> None:
    """Let the next task have its own seconds of CPU on every core."""
    try:
        import resource
    except ImportError:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    allowed = math.ceil(used.ru_utime + used.ru_stime) + seconds * (os.cpu_count() or 1)
    if hard == resource.RLIM_INFINITY or allowed <= hard:
        resource.setrlimit(resource.RLIMIT_CPU, (allowed, hard))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
