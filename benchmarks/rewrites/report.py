"""The table of flips, and the flips by kind with the smallest program of each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

from benchmarks.rewrites.flips import Flip, Tally, Verdicts, proved
from benchmarks.rewrites.known import KNOWN, Allowed, needed
from benchmarks.rewrites.programs import Program
from benchmarks.rewrites.registry import REWRITES

NAMES_ONLY = "likely lost by hiding names, as it may be"

KINDS = (
    "proved gained on right code",
    "proved lost",
    "proved weakened to likely",
    "likely gained on right code",
    "likely lost",
    "proved gained by hiding names",
    "gained beside a finding",
    "likely raised to proved",
    NAMES_ONLY,
)
"""What can happen to a program's verdicts, worst first."""


class Example(NamedTuple):
    """A program whose verdicts changed, with its text after the rewrite."""

    rewrite: str
    program: Program
    flip: Flip
    source: str

    @property
    def kind(self) -> str:
        """The worst of what happened."""
        flip = self.flip
        hides = REWRITES[self.rewrite].tells_less
        happened = (
            proved(flip.gained) > 0,
            proved(flip.lost) > 0,
            bool(flip.weakened),
            bool(flip.gained),
            bool(flip.lost) and not hides,
            bool(flip.raised) and hides,
            bool(flip.beside),
            bool(flip.raised),
        )
        return next((kind for kind, does in zip(KINDS, happened, strict=False) if does), NAMES_ONLY)


COLUMNS = ("changed", "before", "proved", "lost", "proved", "weak", "gained", "proved", "beside", "raised", "flips %",
           "likely %")  # fmt: skip


def table(tallies: Iterable[Tally]) -> str:
    """A line per rewrite, the worst first, and their sum."""
    rows = sorted(tallies, key=lambda t: (-t.gained_proved, -t.proved_flips, -t.gained, -t.lost, t.rewrite))
    total = Tally("total")
    for row in rows:
        total += row
    lines = [f"{'rewrite':<32}" + "".join(f"{c:>9}" for c in COLUMNS)]
    for row in [*rows, total]:
        numbers = (row.changed, row.before, row.before_proved, row.lost, row.lost_proved, row.weakened,
                   row.gained, row.gained_proved, row.beside, row.raised)  # fmt: skip
        rates = f"{row.flip_rate:>9.2f}{row.likely_rate:>9.2f}"
        lines.append(f"{row.rewrite:<32}" + "".join(f"{n:>9}" for n in numbers) + rates)
    return "\n".join(lines)


def against_known(tallies: Iterable[Tally]) -> Iterator[str]:
    """Where there are more flips than the list allows, and where it allows more than needed."""
    for tally in tallies:
        needs = needed(tally, tells_less=REWRITES[tally.rewrite].tells_less)
        allowed = KNOWN.get(tally.rewrite, Allowed())
        for kind, need, most in zip(Allowed._fields, needs, allowed, strict=True):
            if need != most:
                what = "MORE than the list allows" if need > most else "the list could be smaller"
                yield f"{tally.rewrite}: {kind}: {need}, allowed {most}: {what}"


def known_table(tallies: Iterable[Tally]) -> str:
    """The list as it would have to be, as source."""
    lines = []
    for tally in tallies:
        needs = needed(tally, tells_less=REWRITES[tally.rewrite].tells_less)
        given = ", ".join(f"{k}={n}" for k, n in zip(Allowed._fields, needs, strict=True) if n)
        if given:
            lines.append(f'    "{tally.rewrite}": Allowed({given}),')
    return "\n".join(["KNOWN: Mapping[str, Allowed] = {", *lines, "}"])


def json_line(tallies: Iterable[Tally], count: int) -> str:
    """All figures in one line."""
    per = {t.rewrite: {k: v for k, v in vars(t).items() if k != "rewrite"} for t in tallies}
    total = Tally("total")
    for tally in tallies:
        total += tally
    figures = {k: v for k, v in vars(total).items() if k != "rewrite"}
    return json.dumps({"programs": count, "total": figures, "rewrites": per})


def shown(examples: Iterable[Example], most: int) -> Iterator[str]:
    """So many examples of each rewrite and kind, the smallest first."""
    for (kind, name), group in _grouped(examples):
        for example in group[:most]:
            yield f"\n--- {name}: {kind}: {example.program.id}\n{_pair(example)}"


def _grouped(examples: Iterable[Example]) -> list[tuple[tuple[str, str], list[Example]]]:
    def key(example: Example) -> tuple[int, str]:
        return KINDS.index(example.kind), example.rewrite

    groups = []
    for (kind, name), group in groupby(sorted(examples, key=key), key):
        found = sorted(group, key=lambda e: (len(e.source), e.program.id))
        groups.append(((KINDS[kind], name), found))
    return groups


def _pair(example: Example) -> str:
    return (
        f"# before: {_says(example.flip.before)}\n{example.program.source}\n\n"
        f"# after: {_says(example.flip.after)}\n{example.source}"
    )


def _says(found: Verdicts) -> str:
    return ", ".join(f"{v.code} {v.confidence} in {v.function or 'it'}" for v in found.elements()) or "silent"


def written(examples: Iterable[Example], tallies: Iterable[Tally]) -> str:
    """All flips in Markdown, by kind and rewrite: the smallest program of each, and where else it happens."""
    lines = ["# Flips by kind, worst first", "", "```", table(tallies), "```"]
    wanted = [e for e in examples if e.kind != NAMES_ONLY]
    for kind, by_kind in groupby(_grouped(wanted), lambda pair: pair[0][0]):
        groups = sorted(by_kind, key=lambda pair: -len(pair[1]))
        lines += ["", f"## {kind}: {sum(len(g) for _, g in groups)} programs"]
        for (_, name), group in groups:
            lines += [
                "",
                f"### {name}: {len(group)} programs",
                REWRITES[name].sentence,
                f"`{group[0].program.id}`",
            ]
            lines += ["```python", _pair(group[0]), "```"]
            others = [e.program.id for e in group[1:]]
            if others:
                more = f" and {len(others) - 30} more" if len(others) > 30 else ""
                lines.append("Also: " + ", ".join(others[:30]) + more)
    return "\n".join(lines) + "\n"
