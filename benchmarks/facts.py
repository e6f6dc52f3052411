"""What is known about public code: the labelled reductions of the casebook, and the judged findings.

The tables lie in `benchmarks/casebook/`, whose README describes them.
"""

from __future__ import annotations

import ast
import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple, cast

from batchmean.findings import Finding

from benchmarks.packages import Pin

FOLDER = Path(__file__).parent / "casebook"

Label = Literal["bug", "deliberate", "harmless", "disputable", "fine"]
Verdict = Literal["right", "wrong", "open"]

Law = Literal["null class", "padding", "duplication", "pointwise"]

# The families that a law decides; the names in the tables say more after a slash, a hyphen or a bracket.
_FAMILIES: dict[Law, tuple[str, ...]] = {
    "null class": (
        "class-axis",
        "latent-axis",
        "support-axis",
        "kl_div",
        "class-mean",
        "explicit-product",
        "lib-default-mean",
        "vae-kl",
        "entropy",
    ),
    "padding": ("mask",),
    "duplication": ("double-division", "wrong-axis", "noop-mean"),
    "pointwise": ("broadcast",),
}


class Row(NamedTuple):
    """A labelled place. `source` is `package==version` or `owner/name@commit`."""

    source: str
    path: str
    place: str
    label: Label
    family: str
    why: str

    @property
    def law(self) -> Law | None:
        """The law that decides it, if there are rules for it."""
        return next((law for law, families in _FAMILIES.items() if self.family.startswith(families)), None)


class Place(NamedTuple):
    """Where a finding is: versions and commits are pinned, so lines stay."""

    source: str
    path: str
    line: int
    code: str


class Judgement(NamedTuple):
    """A finding that was read: what the reduction does, and whether the finding is right by the maths."""

    verdict: Verdict
    reason: str


class Found(NamedTuple):
    """A finding in a source, and the text of its first line."""

    source: str
    path: str
    finding: Finding
    text: str

    @property
    def place(self) -> Place:
        """Its place in `judgements.tsv`."""
        return Place(self.source, self.path, self.finding.span.line, self.finding.code)

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """The same for the copies of a file within a project: other versions, a `build/` folder."""
        project = re.split("==|@", self.source)[0]
        return (project, self.path.rpartition("/")[2], self.text.strip(), self.finding.code)


class Judgements:
    """The judged findings, by place."""

    def __init__(self, rows: Iterable[dict[str, str]]) -> None:
        self._known: dict[Place, Judgement] = {}
        for row in rows:
            place = Place(row["source"], row["path"], int(row["line"]), row["code"])
            if row["verdict"] not in ("right", "wrong", "open"):
                raise ValueError(f"{place}: no such verdict: {row['verdict']}")
            if place in self._known:
                raise ValueError(f"{place}: judged twice")
            self._known[place] = Judgement(cast("Verdict", row["verdict"]), row["reason"])

    @classmethod
    def load(cls) -> Judgements:
        return cls(_table("judgements.tsv"))

    def at(self, place: Place) -> Judgement | None:
        return self._known.get(place)


def package_rows() -> list[Row]:
    """The labelled places in packages."""
    return [
        Row(
            str(Pin(row["package"], row["version"])),
            row["path"],
            row["line"],
            cast("Label", row["label"]),
            row["family"],
            row["reason"],
        )
        for row in _table("packages.tsv")
    ]


def repository_rows() -> list[Row]:
    """The labelled places in repositories."""
    return [
        Row(
            f"{row['repo']}@{row['commit']}",
            row["path"],
            row["lines"],
            cast("Label", row["label"]),
            row["family"],
            row["why"],
        )
        for row in _table("repositories.tsv")
    ]


def lines_of(place: str, text: str) -> list[range]:
    """The lines that a row means: `38`, `32-34`, `def loss`, `Class.method (remark)`, `module level`."""
    if numbers := re.match(r"(\d+)(?:-(\d+))?", place):
        first = int(numbers[1])
        return [range(first - 1, int(numbers[2] or first) + 2)]  # a label may be a line off
    definitions = list(_definitions(ast.parse(text)))
    if place.startswith("module level"):
        inside = {line for _, lines in definitions for line in lines}
        return [range(line, line + 1) for line in range(1, text.count("\n") + 2) if line not in inside]
    name = place.removeprefix("def ").replace(".<locals>", "").split(" ")[0]
    return [lines for qualified, lines in definitions if f".{qualified}".endswith(f".{name}")]


def covers(lines: list[range], finding: Finding) -> bool:
    """Does the finding touch any of these lines?"""
    span = finding.span
    return any(span.line < each.stop and each.start <= span.end_line for each in lines)


def _definitions(node: ast.AST, prefix: str = "") -> Iterator[tuple[str, range]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield prefix + child.name, range(child.lineno, (child.end_lineno or child.lineno) + 1)
            yield from _definitions(child, f"{prefix}{child.name}.")
        else:
            yield from _definitions(child, prefix)


def _table(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
