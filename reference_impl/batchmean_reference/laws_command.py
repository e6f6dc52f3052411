"""`batchmean laws MODULE:FUNCTION`: runs a loss of yours against the laws and says by what it is off.

Unlike the linter this executes code, yours, because you name it.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import sys
import textwrap
from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from types import ModuleType
from typing import Any

from batchmean.commands.arguments import Parser
from batchmean.commands.messages import extra

RIGHT, WRONG, UNSAID = 0, 1, 2

_EXEMPTION = re.compile(r"([\w ]+?)\s*\(([^)]+)\)")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code: 0 rightly averaged, 1 not, 2 it cannot be said."""
    if argv and any(argument.partition("=")[0] == "--findings" for argument in argv):
        from batchmean_reference.confirm import main as confirm

        return confirm(argv)
    options = _parser().parse_args(argv)
    try:
        from batchmean_reference.calling import DTYPES, FRAMEWORK_NAMES
        from batchmean_reference.examine import examine
    except ImportError as error:
        return _complain(f"the laws need {error.name}: {extra('reference')}")
    for option, value, known in (
        ("--framework", options.framework, FRAMEWORK_NAMES),
        ("--dtype", options.dtype, DTYPES),
    ):
        if value is not None and value not in known:
            return _complain(f"{option} {value}: expected one of {', '.join(known)}")
    print(f"Running {options.function}: its module is imported and the function is called.\n", flush=True)
    try:
        found = examine(
            load(options.function),
            args=parse_arguments(options.args),
            axes=options.axes.split() if options.axes else None,
            unit=options.unit.split() if options.unit else None,
            exempt=parse_exemptions(options.exempt),
            framework=options.framework,
            sizes=parse_sizes(options.sizes),
            output=parse_output(options.output) if options.output else None,
            term=options.term,
            dtype=options.dtype,
            init=parse_init(options.init),
        )
    except ValueError as error:
        return _complain(str(error))
    except ImportError as error:
        return _complain(f"{options.framework or 'the framework'}: {error}")
    _print(found)
    return {"right": RIGHT, "wrong": WRONG, "no law": UNSAID}[found.outcome]


def _parser() -> Parser:
    parser = Parser(
        prog="batchmean laws",
        allow_abbrev=False,
        description="Runs a loss of yours at several sizes and says which laws of right averaging it keeps.",
        epilog="exit codes: 0 rightly averaged, 1 a law is broken or a factor left over, "
        "2 it cannot be run, or no law applies. "
        "`batchmean laws --findings PATH --execute` runs what the linter complains about (`--findings -h`).",
    )
    add = parser.add_argument
    add("function", metavar="MODULE:FUNCTION", help="package.module:function, or path/to/file.py:function")
    add(
        "--args",
        default="",
        metavar="NAME=KIND,...",
        help="what the arguments are: y=one_hot,logits=logits; with axes, 'logits=logits(B,T,V)'; the rest is guessed",
    )
    add("--axes", metavar="'B T'", help="axes of the examples (default: B and what fits; per token: 'B T')")
    add(
        "--unit",
        metavar="'B'",
        help="axes that are averaged (default: all but the classes, or n_valid with a mask)",
    )
    add(
        "--exempt",
        action="append",
        default=[],
        metavar="'LAW (REASON)'",
        help="a law that does not apply, such as 'null class (label smoothing)'",
    )
    add(
        "--sizes", default="", metavar="'V=10 B=4,8'", help="sizes to measure at; with one, the axis is fixed"
    )
    add("--output", metavar="KEY", help="the item of a tuple (its number) or dict (its key) that is the loss")
    add(
        "--term",
        metavar="NAME",
        help="judge what the loss gains when this number goes from 0 to 1: one term of several",
    )
    add(
        "--init",
        metavar="JSON",
        help='arguments of the class\'s constructor; "V" stands for the number of classes',
    )
    add(
        "--dtype",
        default="float64",
        metavar="NAME",
        help="what floats are passed as: float64, float32, float16, bfloat16",
    )
    add(
        "--framework",
        metavar="NAME",
        help="whose arrays to pass: numpy, torch, jax, tensorflow, keras (default: as it is made)",
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
    for part in filter(None, map(str.strip, re.split(r",(?![^(]*\))", text))):
        name, equals, declaration = part.partition("=")
        if not (equals and name.strip().isidentifier() and declaration.strip()):
            raise ValueError(f"expected --args NAME=KIND,NAME=KIND, got {text!r}")
        found[name.strip()] = declaration.strip()
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


def parse_output(text: str) -> int | str:
    """Reads the index, or the key, of `--output`.

    >>> parse_output("1"), parse_output("loss")
    (1, 'loss')
    """
    return int(text) if re.fullmatch(r"-?\d+", text) else text


def parse_sizes(text: str) -> dict[str, list[int]]:
    """Reads `V=10 B=4,8`. Raises `ValueError` for anything else.

    >>> parse_sizes("V=10 B=4,8")
    {'V': [10], 'B': [4, 8]}
    """
    found: dict[str, list[int]] = {}
    for part in text.split():
        if not re.fullmatch(r"[A-Z]\w*=[1-9]\d*(,[1-9]\d*)*", part):
            raise ValueError(f"expected --sizes 'AXIS=SIZE AXIS=SIZE,SIZE', got {text!r}")
        axis, _, sizes = part.partition("=")
        found[axis] = [int(size) for size in sizes.split(",")]
    return found


def parse_init(text: str | None) -> dict[str, Any]:
    """Reads `{"num_classes": "V"}`. Raises `ValueError` for anything else."""
    if not text:
        return {}
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"--init is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"expected --init '{{\"NAME\": VALUE}}', got {text!r}")
    return found


def _print(found: Any) -> None:
    from batchmean_reference.examine import fraction, headline, told
    from batchmean_reference.laws import EXEMPTIONS

    width = max(map(len, found.declared.values()), default=0)
    names = max(12, *map(len, found.declared))
    for name, kind in found.declared.items():
        print(f"  {name:{names}} {kind:{width}}  {'guessed' if name in found.guessed else ''}".rstrip())
    tried = {axis: sorted({point[axis] for point in found.points}) for axis in found.points[0]}
    print("  at " + ", ".join(f"{axis} = {', '.join(map(str, sizes))}" for axis, sizes in tried.items()))
    if found.shape:
        print(f"  It returns an array of shape {found.shape}.")
    for note in found.notes:
        print(f"  {note}")
    print()
    for law, result in found.laws.items():
        print(f"  {law:12} {result.verdict:15} {told(result)}")
    factor = fraction(found.factor, found.constant) if found.outcome != "no law" else "-"
    if found.broken and factor == "1":  # what is wrong is no count: an outer product
        factor = "?"
    print(f"\n  factor       {factor:15} {headline(found)}")
    if found.guessed and found.outcome != "right":
        ready = ",".join(
            f"{name}={kind.replace(', ', ',').replace(' (', '(')}" for name, kind in found.declared.items()
        )
        print(f"\nIf an argument is something else, say so:\n  --args '{ready}'")
    if found.broken and (fits := _that_fit(found)):
        print(
            "\nRight code breaks a law in a few places. If yours is one of them, say --exempt 'LAW (REASON)':"
        )
        for reason in fits:
            text = f"{reason}: {EXEMPTIONS[reason].because}"
            print(textwrap.fill(text, 100, initial_indent="  ", subsequent_indent="    "))


def _that_fit(found: Any) -> list[str]:
    """The reasons of the closed list that could excuse what is broken: none for what shows a plain power of V or B."""
    from batchmean_reference.laws import EXEMPTIONS

    if found.factor is not None and found.factor.exponents:
        return []
    return [reason for reason, exemption in EXEMPTIONS.items() if set(exemption.laws) & set(found.broken)]


def _complain(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return UNSAID
