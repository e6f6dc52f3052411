"""The fixtures as exhibits: what the linter says about each, and what running it shows.

A wrong fixture is linted, and run beside its right twin on the same inputs at several sizes of its support.
The ratio of the two losses is the factor as measured; the finding's factor is the same thing as the linter
read it off the code.
"""

from __future__ import annotations

import ast
import textwrap
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from batchmean.findings import Finding
from batchmean.linter import lint

from batchmean_reference.arguments import Sizes
from batchmean_reference.audit import Measured, Monomial, deviation, measure
from batchmean_reference.cases import Case, CaseError, find_modules, read_cases
from batchmean_reference.claims import within
from batchmean_reference.laboratory import VOCABULARIES
from batchmean_reference.laws import Loss

SHOWN = ("on_numpy", "on_torch")
"""The folders that are run, the quickest first. Other frameworks take longer to import than the whole demo takes."""


@dataclass(frozen=True)
class Exhibit:
    """A finding, the function it is in, and that function's loss against its right twin's, measured.

    `source` are the lines of the function, the first of which is line `first_line` of the file;
    `right_source` those of its twin, after the docstring. `axis` is the support, whose size is varied; `off`
    the largest relative distance of a measured ratio from `factor`, the finding's. Both are None where the
    function's result is off by no product of powers of sizes, as the exponential of a wrong loss is.
    """

    module: str
    function: str
    twin: str
    finding: Finding
    factor: Monomial | None
    source: tuple[str, ...]
    right_source: tuple[str, ...]
    first_line: int
    axis: str | None
    measured: tuple[Measured, ...]
    off: float | None

    @property
    def line(self) -> str:
        """The line that the finding points at, without what the fixture says to its test."""
        return self.source[self.finding.span.line - self.first_line].split("  # expect:")[0].strip()

    @property
    def right_line(self) -> str:
        """The last line of the right twin that the function does not have, too."""
        mine = {line.split("  # expect:")[0].strip() for line in self.source}
        theirs = [line.strip() for line in self.right_source]
        return next((line for line in reversed(theirs) if line not in mine), theirs[-1])


@dataclass
class Exhibition:
    """All exhibits, and what did not become one."""

    exhibits: list[Exhibit] = field(default_factory=list)
    silent: int = 0  # right functions about which the linter rightly says nothing
    alarms: list[str] = field(default_factory=list)  # right functions about which it says something
    missed: list[str] = field(default_factory=list)  # wrong functions about which it does not
    skipped: dict[str, str] = field(default_factory=dict)  # modules that cannot be run here, and why
    elsewhere: int = 0  # modules of other frameworks, which the tests run

    @property
    def summary(self) -> str:
        """The whole in two sentences."""
        return (
            f"{len(self.exhibits)} findings; {self.silent} right functions pass in silence, "
            f"{len(self.alarms)} do not; {len(self.missed)} wrong ones are missed. The measured ratios are "
            f"the linter's factors to {within(self.farthest)} of their size."
        )

    @property
    def left_out(self) -> str:
        """What is not shown, and why, in a line; empty where all is."""
        reasons = Counter(self.skipped.values())
        parts = [f"{_modules(count)} ({why})" for why, count in reasons.items()]
        if self.elsewhere:
            parts.append(f"{self.elsewhere} of other frameworks (tests run these)")
        return f"Not run: {', '.join(parts)}." if parts else ""

    @property
    def farthest(self) -> float:
        """The largest relative distance of any measured ratio from the linter's factor."""
        return max((exhibit.off for exhibit in self.exhibits if exhibit.off is not None), default=0.0)


def _modules(count: int) -> str:
    return "1 module" if count == 1 else f"{count} modules"


def find_fixtures(asked: Path | None = None) -> Path | None:
    """The folder of fixtures: the one asked for, that of the source checkout, or one below the working
    directory.

    None where there is none: an installed package does not bring its fixtures along. Raises
    `FileNotFoundError` where one was asked for that does not exist.
    """
    if asked is not None:
        if not asked.is_dir():
            raise FileNotFoundError(f"{asked}: no such folder")
        return asked
    candidates = (Path(__file__).resolve().parents[2] / "fixtures", Path.cwd() / "fixtures")
    return next((folder for folder in candidates if folder.is_dir() and find_modules(folder)), None)


def collect(
    folder: Path,
    progress: Callable[[str, int, int], None] = lambda *_: None,
    shown: Sequence[str] = SHOWN,
) -> Exhibition:
    """Lints and runs every fixture below `shown`. `progress` is told each module, its number and how many there are.

    A module whose framework is not installed is skipped, and says so.
    """
    found = find_modules(folder)
    modules = [path for path in found if path.parent.name in shown]
    exhibition = Exhibition(elsewhere=len(found) - len(modules))
    for number, path in enumerate(modules):
        name = path.relative_to(folder).as_posix()
        progress(name, number, len(modules))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # PyTorch itself warns of what some fixtures do
                _add_module(exhibition, path, name)
        except ModuleNotFoundError as error:
            exhibition.skipped[name] = f"no {error.name}"
        except (ImportError, CaseError) as error:
            exhibition.skipped[name] = str(error)
    return exhibition


def _add_module(exhibition: Exhibition, path: Path, name: str) -> None:
    text = path.read_text(encoding="utf-8")
    cases = {case.name: case for case in read_cases(path)}
    losses = {case.name: case.loss() for case in cases.values()}  # runs the module: may lack its framework
    findings = lint(text, str(path))
    for case in cases.values():
        owed = {expected.line for expected in case.expected}
        about = [
            finding
            for finding in findings
            if finding.span.line in owed or case.line <= finding.span.line <= case.end_line
        ]
        if not case.is_wrong:
            if about:
                exhibition.alarms.append(f"{name}::{case.name}")
            else:
                exhibition.silent += 1
        elif not about:
            exhibition.missed.append(f"{name}::{case.name}")
        else:
            twin = case.reference or ""
            for finding in about:
                pair = losses[case.name], losses[twin]
                exhibition.exhibits.append(_exhibit(name, text, case, cases[twin], pair, finding))


def _exhibit(
    name: str, text: str, case: Case, twin: Case, pair: tuple[Loss, Loss], finding: Finding
) -> Exhibit:
    written, right = pair
    has_factor = all(expected.factor is not None for expected in case.expected)
    factor = Monomial(finding.factor) if has_factor and finding.factor is not None else None
    measured = tuple(measure(written, right, sizes) for sizes in shown_sizes(written))
    first = min(case.line, finding.span.line)  # the finding may be in a helper, above or below the function
    last = max(case.end_line, finding.span.end_line)
    return Exhibit(
        name,
        case.name,
        twin.name,
        finding,
        factor,
        tuple(text.splitlines()[first - 1 : last]),
        _body(text, twin),
        first,
        written.support,
        measured,
        None if factor is None else deviation(measured, factor),
    )


def _body(text: str, case: Case) -> tuple[str, ...]:
    """The lines of a function after its docstring, from the left margin."""
    node = next(node for node in ast.parse(text).body if getattr(node, "name", None) == case.name)
    assert isinstance(node, ast.FunctionDef)  # what a case is
    lines = text.splitlines()[node.body[1].lineno - 1 : case.end_line]
    return tuple(textwrap.dedent("\n".join(lines)).splitlines())


def shown_sizes(loss: Loss) -> list[Sizes]:
    """The sizes a loss is shown at: its support at V = 100, 500, 1000, the other axes small."""
    start = loss.points[0]
    if loss.support is None or loss.support in loss.fixed:
        return [start]
    return [{**start, loss.support: size} for size in VOCABULARIES]
