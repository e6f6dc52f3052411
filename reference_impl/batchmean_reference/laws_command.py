"""`batchmean laws MODULE:FUNCTION`: runs a loss of yours against the laws and says by what it is off.

Unlike the linter this executes code, yours, because you name it.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
import textwrap
from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from types import ModuleType
from typing import Any

from batchmean.cli import Parser, extra

KEPT, BROKEN, USAGE = 0, 1, 2

_ARGUMENT = re.compile(r"\s*(\w+)\s*=\s*([^,()=]+(?:\([^)]*\))?)\s*(?:,|$)")
_EXEMPTION = re.compile(r"([\w ]+?)\s*\(([^)]+)\)")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code: 0 every law that applies holds, 1 one is broken, 2 usage."""
    if argv and any(argument.partition("=")[0] == "--findings" for argument in argv):
        from batchmean_reference.confirm import main as confirm

        return confirm(argv)
    options = _parser().parse_args(argv)
    try:
        from batchmean_reference.examine import examine
    except ImportError as error:
        return _complain(f"the laws need {error.name}: {extra('reference')}")
    print(f"Running {options.function}: its module is imported and the function is called.\n")
    try:
        found = examine(
            load(options.function),
            args=parse_arguments(options.args),
            axes=options.axes.split(),
            unit=options.unit.split() if options.unit else None,
            exempt=parse_exemptions(options.exempt),
            framework=options.framework,
        )
    except ValueError as error:
        return _complain(str(error))
    except ImportError as error:
        return _complain(f"{options.framework or 'the framework'}: {error}")
    _print(found)
    return KEPT if found.normalised else BROKEN


def _parser() -> Parser:
    parser = Parser(
        prog="batchmean laws",
        allow_abbrev=False,
        description="Runs a loss of yours at several sizes and says which laws of right averaging it keeps.",
        epilog="exit codes: 0 rightly averaged, 1 a law is broken or a factor left over, 2 it cannot be run. "
        "`batchmean laws --findings PATH --execute` runs what the linter complains about (`--findings -h`).",
    )
    add = parser.add_argument
    add("function", metavar="MODULE:FUNCTION", help="package.module:function, or path/to/file.py:function")
    add(
        "--args",
        default="",
        metavar="NAME=KIND,...",
        help="what the arguments are: y=one_hot,logits=logits; with axes, 'logits=logits(B,T,V)'",
    )
    add("--axes", default="B", metavar="'B T'", help="axes of the examples (default: B; per token: 'B T')")
    add(
        "--unit",
        metavar="'B'",
        help="axes that are averaged (default: those of --axes, or n_valid with a mask)",
    )
    add(
        "--exempt",
        action="append",
        default=[],
        metavar="'LAW (REASON)'",
        help="a law that does not apply, such as 'null class (label smoothing)'",
    )
    add(
        "--framework",
        choices=("numpy", "torch", "jax"),
        help="whose arrays to pass (default: by its imports)",
    )
    return parser


def load(name: str) -> Any:
    """The function that `MODULE:FUNCTION` names. The module is imported, as Python would from the current
    folder.

    Raises `ValueError` where it cannot be.
    """
    module_name, colon, path = name.rpartition(":")
    if not (module_name and colon and path):
        raise ValueError(f"expected MODULE:FUNCTION, got {name!r}")
    try:
        module = _import(module_name)
    except (Exception, SystemExit) as error:  # importing runs the user's code, which may raise anything
        raise ValueError(f"{module_name} cannot be imported: {type(error).__name__}: {error}") from error
    try:
        found = reduce(getattr, path.split("."), module)
    except AttributeError as error:
        raise ValueError(f"{module_name} has no {path}") from error
    if not callable(found):
        raise ValueError(f"{name} is not a function")
    return found


def _import(name: str) -> ModuleType:
    file = Path(name)
    folder = str(file.resolve().parent) if file.suffix == ".py" else str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    if file.suffix != ".py":
        return importlib.import_module(name)
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is not a Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    return module


def parse_arguments(text: str) -> dict[str, str]:
    """Reads `y=one_hot,logits=logits(B,T,V)`. Raises `ValueError` for anything else.

    >>> parse_arguments("y=one_hot, logits=logits(B,T,V)")
    {'y': 'one_hot', 'logits': 'logits(B,T,V)'}
    """
    found: dict[str, str] = {}
    position = 0
    while position < len(text):
        match = _ARGUMENT.match(text, position)
        if match is None:
            raise ValueError(f"expected --args NAME=KIND,NAME=KIND, got {text!r}")
        found[match[1]] = match[2].strip()
        position = match.end()
    return found


def parse_exemptions(texts: Sequence[str]) -> dict[str, str]:
    """Reads `["null class (label smoothing)"]`. Raises `ValueError` for anything else."""
    found: dict[str, str] = {}
    for text in texts:
        match = _EXEMPTION.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"expected --exempt 'LAW (REASON)', got {text!r}")
        found[match[1]] = match[2]
    return found


def _print(found: Any) -> None:
    from batchmean_reference.examine import fraction, headline, told
    from batchmean_reference.laws import EXEMPTIONS

    width = max(map(len, found.declared.values()), default=0)
    for name, kind in found.declared.items():
        print(
            f"  {name:12} {kind:{width}}  {'guessed from its name' if name in found.guessed else ''}".rstrip()
        )
    tried = {axis: sorted({point[axis] for point in found.points}) for axis in found.points[0]}
    print("  at " + ", ".join(f"{axis} = {', '.join(map(str, sizes))}" for axis, sizes in tried.items()))
    if found.shape:
        print(f"  It returns an array of shape {found.shape}; its mean is taken here.")
    print()
    for law, result in found.laws.items():
        print(f"  {law:12} {result.verdict:15} {told(result)}")
    silent = (
        found.broken and found.factor is not None and not found.factor.exponents
    )  # what is wrong is no count: an outer product
    print(f"\n  factor       {'?' if silent else fraction(found.factor):15} {headline(found)}")
    if found.broken:
        print(
            "\nRight code breaks a law in a few places. If yours is one of them, say --exempt 'LAW (REASON)':"
        )
        for reason, exemption in EXEMPTIONS.items():
            if set(exemption.laws) & set(found.broken):
                text = f"{reason}: {exemption.because}"
                print(textwrap.fill(text, 100, initial_indent="  ", subsequent_indent="    "))


def _complain(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return USAGE
