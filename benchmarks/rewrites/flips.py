"""The verdicts on a program before and after a rewrite, and what of them is lost or gained."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

from batchmean.linter import InternalError, lint

from benchmarks.rewrites.programs import Program, Scope
from benchmarks.rewrites.registry import Rewrite


class Verdict(NamedTuple):
    """What a finding says, and the function that it is in; `confidence` is proved or likely."""

    code: str
    confidence: str
    function: str


Verdicts = Counter[Verdict]


def verdicts(source: str) -> Verdicts:
    """The findings in a text; a linter that fails has the code `error`."""
    try:
        findings = lint(source, "program.py")
    except InternalError as error:
        return Counter([Verdict("error", "proved", error.message)])
    if not findings:
        return Counter()
    tree = ast.parse(source)
    return Counter(Verdict(f.code, f.confidence, _holder(tree, f.span.line)) for f in findings)


_verdicts_before = cache(verdicts)  # the same for every rewrite


def _holder(tree: ast.Module, line: int) -> str:
    """The top-level function or method at a line."""
    names: list[str] = []
    body = tree.body
    while holder := next((s for s in body if s.lineno <= line <= (s.end_lineno or 0)), None):
        if not isinstance(holder, Scope):
            break
        names.append(holder.name)
        body = holder.body if isinstance(holder, ast.ClassDef) else []
    return ".".join(names)


@dataclass(frozen=True)
class Flip:
    """What a rewrite did to one program's verdicts.

    `lost` are gone; `weakened` are likely where they were proved, `raised` the other way round; `gained` are new
    on right code, `beside` new on wrong code, where something is reported already.
    """

    before: Verdicts
    after: Verdicts
    lost: Verdicts = field(default_factory=Counter)
    weakened: Verdicts = field(default_factory=Counter)
    raised: Verdicts = field(default_factory=Counter)
    gained: Verdicts = field(default_factory=Counter)
    beside: Verdicts = field(default_factory=Counter)

    @property
    def flips(self) -> bool:
        """Is a finding lost or weakened, or right code reported?"""
        return bool(self.lost or self.weakened or self.gained)


def compared(program: Program, rewrite: Rewrite, before: Verdicts, source: str) -> Flip:
    """The flips of a program whose text is `source` after the rewrite."""
    after = verdicts(source)
    if rewrite.name == "whole-module":
        # Helpers serve other cases there, too: theirs are not this case's findings.
        held = {program.case.name, *(v.function for v in before)}
        after = Counter({v: n for v, n in after.items() if v.function in held})
    earlier, later = (_without_places(v, rewrite) for v in (before, after))
    gone, new = earlier - later, later - earlier
    gone = Counter({verdict: n for verdict, n in gone.items() if verdict.code not in rewrite.mends})
    weakened: Verdicts = Counter()
    raised: Verdicts = Counter()
    for verdict in list(gone.elements()):
        other = verdict._replace(confidence="likely" if verdict.confidence == "proved" else "proved")
        if new[other] > 0:
            (weakened if verdict.confidence == "proved" else raised)[verdict] += 1
            gone[verdict] -= 1
            new[other] -= 1
    lost = +gone
    new = Counter({verdict: n for verdict, n in (+new).items() if verdict.code not in rewrite.makes})
    return Flip(
        before=earlier,
        after=later,
        lost=lost,
        weakened=weakened,
        raised=raised,
        gained=Counter() if program.is_wrong else new,
        beside=new if program.is_wrong else Counter(),
    )


def _without_places(found: Verdicts, rewrite: Rewrite) -> Verdicts:
    result: Verdicts = Counter()
    for verdict, count in found.items():
        code = rewrite.codes.get(verdict.code, verdict.code)
        result[Verdict(code, verdict.confidence, "" if rewrite.moves else verdict.function)] += count
    return result


@dataclass
class Tally:
    """The flips of one rewrite over many programs."""

    rewrite: str
    changed: int = 0
    before: int = 0
    before_proved: int = 0
    lost: int = 0
    lost_proved: int = 0
    weakened: int = 0
    raised: int = 0
    gained: int = 0
    gained_proved: int = 0
    beside: int = 0
    flipped: int = 0

    def add(self, flip: Flip) -> None:
        self.changed += 1
        self.before += flip.before.total()
        self.before_proved += proved(flip.before)
        self.lost += flip.lost.total()
        self.lost_proved += proved(flip.lost)
        self.weakened += flip.weakened.total()
        self.raised += flip.raised.total()
        self.gained += flip.gained.total()
        self.gained_proved += proved(flip.gained)
        self.beside += flip.beside.total()
        self.flipped += flip.flips

    def __iadd__(self, other: Tally) -> Tally:
        for name, value in vars(other).items():
            if name != "rewrite":
                setattr(self, name, getattr(self, name) + value)
        return self

    @property
    def proved_flips(self) -> int:
        """Proved findings that are gone or no longer proved."""
        return self.lost_proved + self.weakened

    @property
    def likely_flips(self) -> int:
        """Likely findings that are gone."""
        return self.lost - self.lost_proved

    @property
    def flip_rate(self) -> float:
        """Programs with a flip, in percent of those that changed."""
        return 100 * self.flipped / self.changed if self.changed else 0.0

    @property
    def likely_rate(self) -> float:
        """Likely findings that are gone, in percent."""
        likely = self.before - self.before_proved
        return 100 * self.likely_flips / likely if likely else 0.0


def proved(found: Verdicts) -> int:
    """How many of the findings are proved."""
    return sum(count for verdict, count in found.items() if verdict.confidence == "proved")


def flips_of(program: Program, rewrites: Iterable[Rewrite]) -> list[tuple[str, Flip, str]]:
    """For each rewrite that changes the program: its name, the flip, and the text afterwards."""
    before = _verdicts_before(program.source)
    result = []
    for rewrite in rewrites:
        source = rewrite.rewritten(program)
        if source is not None:
            result.append((rewrite.name, compared(program, rewrite, before, source), source))
    return result
