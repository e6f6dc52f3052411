"""Fixture modules as cases: functions whose docstrings declare their arguments, findings beside the lines.

A *case* is a top-level function whose docstring has a block of `key: value` lines, `unit` among them. A key
is the name of a parameter (its value an argument's declaration, see `arguments`; a parameter with a default
may do without) or one of

    unit: B T                             what is averaged: axes, or n_valid
    reference: NAME                       the right case with the same integrand; makes this a wrong case
    exempt: null class (label smoothing)  a law that does not apply, with its reason in `laws.EXEMPTIONS`
    sizes: V=10                           sizes that the code fixes
    output: 1                             the item of the result (index or key) that is the loss
    term: beta                            measure what this scalar adds when it goes from 0 to 1
    findings in: helper                   the expected findings stand in this function, class or Class.method

A comment `# expect: CODE FACTOR CONFIDENCE` stands on the line of the finding; the factor is `none` where the
loss is off by no product of powers of sizes, or the code does not show by which. In a case it belongs to that
case; outside of cases it belongs to those that name the function or class, or else to the next case below.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import io
import re
import sys
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType

from batchmean_reference.arguments import Argument
from batchmean_reference.audit import Monomial
from batchmean_reference.frameworks import FRAMEWORKS, Framework
from batchmean_reference.laws import Loss

_EXPECT = re.compile(r"#\s*expect:\s*(?P<code>BMN\d{3}) (?P<factor>.+) (?P<confidence>proved|likely)\s*$")
_KEYS = ("unit", "reference", "exempt", "sizes", "output", "term", "findings in")


@dataclass(frozen=True, slots=True)
class Expected:
    """A finding that the linter owes: `factor` is the reduction as written over the right one.

    None where that is no product of powers of sizes.
    """

    line: int
    code: str
    factor: Monomial | None
    confidence: str


@dataclass(frozen=True)
class Case:
    """A function of a fixture module with all that its docstring declares."""

    path: Path
    name: str
    line: int
    end_line: int
    summary: str
    arguments: tuple[Argument, ...]
    unit: tuple[str, ...]
    reference: str | None
    exempt: Mapping[str, str]
    sizes: Mapping[str, int]
    output: int | str | None
    term: str | None
    expected: tuple[Expected, ...] = field(default=())

    @property
    def id(self) -> str:
        return f"{self.path.parent.name}/{self.path.name}::{self.name}"

    @property
    def is_wrong(self) -> bool:
        return bool(self.expected)

    @property
    def framework(self) -> Framework:
        return FRAMEWORKS[self.path.parent.name]

    @property
    def factor(self) -> Monomial | None:
        """The factor of the whole case: the one that its findings have in common, 1 for a right case.

        None where a finding has none: what follows from it has none either. Raises `ValueError` where the
        findings name different factors.
        """
        factors = {expected.factor for expected in self.expected}
        if None in factors:
            return None
        if len(factors) > 1:
            raise ValueError(f"{self.id}: findings with different factors have no common one")
        return factors.pop() if factors else Monomial()

    def loss(self) -> Loss:
        """The function, imported, as a loss that the laws and the audit can call."""
        return Loss(
            function=self.framework.compile(getattr(load_module(self.path), self.name)),
            arguments=self.arguments,
            unit=self.unit,
            exempt=self.exempt,
            fixed=self.sizes,
            output=self.output,
            term=self.term,
            convert=self.framework.convert,
        )


class CaseError(ValueError):
    """A fixture module that does not say what it should, with the place."""


@cache
def load_module(path: Path) -> ModuleType:
    """Import a fixture module under a name of its own, whatever the working directory."""
    if path.parent.name in FRAMEWORKS:
        FRAMEWORKS[path.parent.name].prepare()
    name = f"batchmean_fixture.{path.parent.name}.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise CaseError(f"{path}: cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def find_modules(folder: Path) -> list[Path]:
    """The fixture modules below a folder, sorted."""
    return sorted(path for name in FRAMEWORKS for path in (folder / name).glob("*.py"))


def read_cases(path: Path) -> list[Case]:
    """The cases of a fixture module, in order, with the findings that each expects.

    The module is parsed, not imported. Raises `CaseError` for a declaration that cannot be read, a parameter
    without one, an expected finding that belongs to no case, a wrong case without its reference, a reference
    that is not a right case of the module.
    """
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text, filename=str(path))
    declared = {
        node.name: (node, block)
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and (block := _block(node, path)) is not None
    }
    expected = _assign(_expectations(text, path), tree, declared, path)
    cases = [_case(path, node, block, expected[name]) for name, (node, block) in declared.items()]
    by_name = {case.name: case for case in cases}
    for case in cases:
        if case.is_wrong != (case.reference is not None):
            raise CaseError(f"{case.id}: a case has findings if and only if it names its reference")
        right = by_name.get(case.reference) if case.reference else None
        if case.reference and (right is None or right.is_wrong):
            raise CaseError(f"{case.id}: {case.reference} is not a right case of this module")
        if right is not None and (not set(right.arguments) <= set(case.arguments) or right.unit != case.unit):
            raise CaseError(f"{case.id}: {case.reference} needs other arguments or has another unit")
    return cases


def read_declaration(path: Path, name: str) -> Case | None:
    """What the docstring of one function declares, in any file; None where it declares nothing.

    Raises `CaseError` for a declaration that cannot be read.
    """
    for node in ast.parse(path.read_bytes(), filename=str(path)).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            block = _block(node, path)
            return None if block is None else _case(path, node, block, ())
    return None


Block = list[tuple[str, str]]


def _block(node: ast.FunctionDef, path: Path) -> Block | None:
    """The `key: value` lines of a docstring, or None where it declares nothing."""
    parameters = _parameters(node)
    lines = inspect.cleandoc(ast.get_docstring(node) or "").splitlines()
    block = []
    for line in lines:
        key, colon, value = line.partition(":")
        if colon and (key in parameters or key in _KEYS):
            block.append((key, value.strip()))
    if not any(key == "unit" for key, _ in block):
        return None
    declared = {key for key, _ in block}
    undeclared = [name for name, required in parameters.items() if required and name not in declared]
    if undeclared:
        raise CaseError(f"{path}:{node.lineno}: {node.name} does not declare {', '.join(undeclared)}")
    return block


def _parameters(node: ast.FunctionDef) -> dict[str, bool]:
    """Names of the parameters, and whether each has to be given."""
    positional = [*node.args.posonlyargs, *node.args.args]
    required = len(positional) - len(node.args.defaults)
    named = {argument.arg: index < required for index, argument in enumerate(positional)}
    keyword_only = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    return named | {argument.arg: default is None for argument, default in keyword_only}


def _expectations(text: str, path: Path) -> list[Expected]:
    found = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT or "expect:" not in token.string:
            continue
        match = _EXPECT.search(token.string)
        if match is None:
            raise CaseError(f"{path}:{token.start[0]}: expected '# expect: CODE FACTOR CONFIDENCE'")
        factor = None if match["factor"] == "none" else Monomial.parse(match["factor"])
        found.append(Expected(token.start[0], match["code"], factor, match["confidence"]))
    return found


def _assign(
    findings: list[Expected],
    tree: ast.Module,
    declared: Mapping[str, tuple[ast.FunctionDef, Block]],
    path: Path,
) -> dict[str, tuple[Expected, ...]]:
    """Which case owes which finding."""
    owners: dict[str, list[Expected]] = {name: [] for name in declared}
    for finding in findings:
        places = _names_at(tree.body, finding.line)
        if places and places[0] in declared:
            owners[places[0]].append(finding)
            continue
        owed = [
            name
            for name, (_, block) in declared.items()
            if any(("findings in", place) in block for place in places)
        ]
        owed = owed or [name for name, (node, _) in declared.items() if node.lineno > finding.line][:1]
        if not owed:
            raise CaseError(f"{path}:{finding.line}: the expected finding belongs to no case")
        for owner in owed:
            owners[owner].append(finding)
    return {name: tuple(owned) for name, owned in owners.items()}


def _names_at(body: list[ast.stmt], line: int) -> list[str]:
    """Names of the top-level function or class at this line, and of the method in it: `C` and `C.method`."""
    holder = next((node for node in body if _first(node) <= line <= _last(node)), None)
    if not isinstance(holder, (ast.FunctionDef, ast.ClassDef)):
        return []
    inner = _names_at(holder.body, line) if isinstance(holder, ast.ClassDef) else []
    return [holder.name, *(f"{holder.name}.{name}" for name in inner)]


def _first(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def _last(node: ast.stmt) -> int:
    return node.end_lineno or node.lineno


def _case(path: Path, node: ast.FunctionDef, block: Block, expected: tuple[Expected, ...]) -> Case:
    where = f"{path}:{node.lineno}: {node.name}"
    values = dict(block)
    parameters = _parameters(node)
    try:
        arguments = tuple(Argument.parse(key, value) for key, value in block if key in parameters)
        output = values.get("output")
        return Case(
            path=path,
            name=node.name,
            line=_first(node),
            end_line=_last(node),
            summary=inspect.cleandoc(ast.get_docstring(node) or "").split("\n", 1)[0],
            arguments=arguments,
            unit=tuple(values["unit"].split()),
            reference=values.get("reference"),
            exempt=_exempt([value for key, value in block if key == "exempt"]),
            sizes={axis: int(size) for axis, size in _pairs(values.get("sizes", ""))},
            output=int(output) if output is not None and output.isdigit() else output,
            term=values.get("term"),
            expected=expected,
        )
    except ValueError as error:
        raise CaseError(f"{where}: {error}") from error


def _pairs(text: str) -> list[tuple[str, str]]:
    pairs = [tuple(part.split("=")) for part in text.split()]
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"expected sizes such as 'V=10', got {text!r}")
    return [(pair[0], pair[1]) for pair in pairs]


def _exempt(values: list[str]) -> dict[str, str]:
    """`["null class (label smoothing)"]` as `{law: reason}`; `Loss` checks it against the closed list."""
    found = {}
    for value in values:
        match = re.fullmatch(r"(?P<law>[\w ]+?) \((?P<reason>[^)]+)\)", value)
        if match is None:
            raise ValueError(f"expected an exemption such as 'null class (label smoothing)', got {value!r}")
        found[match["law"]] = match["reason"]
    return found
