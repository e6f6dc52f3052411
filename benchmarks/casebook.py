"""Score the linter on the casebook: what it finds of what was labelled, and every other finding.

    python -m benchmarks.casebook                       the packages, by pip download
    python -m benchmarks.casebook --checkouts FOLDER    and repositories: FOLDER/<owner>+<name>@<commit>/

Everything in the sources is linted, not only the labelled files. The exit status is 0 if the linter finds 85 %
of the labelled losses that the null-class law decides and 60 % of those that the padding, duplication and
pointwise laws do, reports at most 3 places labelled fine, is right in 90 % of its findings (85 % of those for the
latter laws), and has no finding that nobody has judged.
"""

from __future__ import annotations

import argparse
import collections
import math
import sys
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import Pool
from pathlib import Path
from typing import NamedTuple, get_args

from batchmean.findings import Finding
from batchmean.linter import InternalError, lint
from batchmean.source import NOTEBOOKS, SourceError, read
from batchmean.walk import walk

from benchmarks.facts import (
    Found,
    Judgements,
    Law,
    Row,
    Verdict,
    covers,
    lines_of,
    package_rows,
    repository_rows,
)
from benchmarks.packages import PackageError, Pin, folder_of

MOST_FALSE_ALARMS = 3
LEAST_PRECISION = 0.90


class Bar(NamedTuple):
    """What the rules for some laws have to reach on their own."""

    laws: tuple[Law, ...]
    codes: tuple[str, ...]
    least_recall: float
    least_precision: float


BARS = (
    Bar(("null class",), ("BMN1",), least_recall=0.85, least_precision=0.90),
    Bar(("padding", "duplication", "pointwise"), ("BMN2", "BMN3"), least_recall=0.60, least_precision=0.85),
)

_WRONG_COUNT = ("bug", "deliberate", "harmless", "disputable")
_TO_FIND = ("bug", "deliberate")


class Source(NamedTuple):
    """Code to lint, and how the tables call it."""

    name: str
    folder: Path


class Linted(NamedTuple):
    """A file's findings, or why it has none to show."""

    source: Source
    path: str
    text: str
    findings: list[Finding]
    crash: str | None


@dataclass
class Score:
    """The labelled places and the findings, put together."""

    files: int = 0
    found: list[Row] = field(default_factory=list)
    missed: list[Row] = field(default_factory=list)
    false_alarms: list[Row] = field(default_factory=list)
    silent: list[Row] = field(default_factory=list)
    absent: list[Row] = field(default_factory=list)
    findings: list[tuple[Found, list[Row]]] = field(default_factory=list)
    crashes: list[str] = field(default_factory=list)

    def add(self, linted: Linted, rows: Sequence[Row]) -> None:
        """Take in a file and the labels of places in it."""
        self.files += 1
        if linted.crash:
            self.crashes.append(f"{linted.source.name} {linted.path}: {linted.crash}")
        lines = linted.text.split("\n")
        places = [(row, lines_of(row.place, linted.text)) for row in rows]
        for row, place in places:
            hit = any(covers(place, finding) for finding in linted.findings)
            if row.label == "fine":
                (self.false_alarms if hit else self.silent).append(row)
            else:
                (self.found if hit else self.missed).append(row)
        for finding in linted.findings:
            found = Found(linted.source.name, linted.path, finding, lines[finding.span.line - 1])
            self.findings.append((found, [row for row, place in places if covers(place, finding)]))

    def recall(self, laws: Sequence[Law]) -> tuple[int, int]:
        """How many of the places that the rules for these laws should find are found, and how many there are."""
        wanted = [row for row in (*self.found, *self.missed) if row.law in laws and row.label in _TO_FIND]
        return sum(row in self.found for row in wanted), len(wanted)


class Judged(NamedTuple):
    """A finding, once for all its copies, with the verdict on it."""

    found: Found
    rows: list[Row]
    verdict: Verdict | None
    reason: str

    @property
    def disagrees(self) -> bool:
        """Do the first reader's label and the second reader's verdict differ?"""
        labels = {row.label for row in self.rows}
        if self.verdict == "wrong":
            return bool(labels & {*_WRONG_COUNT})
        return self.verdict == "right" and "fine" in labels


def judge(findings: Iterable[tuple[Found, list[Row]]], judgements: Judgements) -> list[Judged]:
    """One verdict for each finding that is not a copy of another: only a reading counts, never the label."""
    judged: dict[tuple[str, str, str, str], Judged] = {}
    for found, rows in findings:
        known = judgements.at(found.place)
        entry = Judged(found, rows, known.verdict, known.reason) if known else Judged(found, rows, None, "")
        kept = judged.setdefault(found.identity, entry)
        if kept.verdict is None and entry.verdict is not None:
            judged[found.identity] = entry
    return list(judged.values())


def wilson(successes: int, trials: int, z: float = 1.959964) -> tuple[float, float]:
    """The 95 % score interval of a proportion."""
    if trials == 0:
        return (0.0, 1.0)
    share, weight = successes / trials, z * z / trials
    middle = (share + weight / 2) / (1 + weight)
    half = z * math.sqrt(share * (1 - share) / trials + weight / (4 * trials)) / (1 + weight)
    return (middle - half, middle + half)


def score(sources: Sequence[Source], rows: Iterable[Row], jobs: int) -> Score:
    """Lint every Python file of the sources."""
    by_place: dict[tuple[str, str], list[Row]] = collections.defaultdict(list)
    for row in rows:
        by_place[row.source, row.path].append(row)
    result = Score()
    seen: set[tuple[str, str]] = set()
    work = [(source, path) for source in sources for path in _python_files(source.folder)]
    with Pool(jobs) as pool:
        for linted in pool.imap(_lint, work, chunksize=16):
            place = (linted.source.name, linted.path)
            seen.add(place)
            result.add(linted, by_place.get(place, ()))
    names = {source.name for source in sources}
    for place, labelled in by_place.items():
        if place[0] in names and place not in seen:
            result.absent += labelled
    return result


def _python_files(folder: Path) -> Iterable[str]:
    return walk(str(folder), lambda path: path.endswith(NOTEBOOKS), lambda error: None)


def _lint(job: tuple[Source, str]) -> Linted:
    source, path = job
    linted = partial(Linted, source, Path(path).relative_to(source.folder).as_posix())
    try:
        text = read(path)
    except SourceError:
        return linted("", [], None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # their invalid escapes
        try:
            return linted(text, lint(text, path), None)
        except InternalError as error:
            return linted(text, [], error.message)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return linted("", [], None)  # Python 2, templates


def checkouts_in(folder: Path) -> list[Source]:
    """The checkouts below a folder: `<owner>+<name>@<commit>/`."""
    return [
        Source(path.name.replace("+", "/", 1), path)
        for path in sorted(folder.iterdir())
        if path.is_dir() and "+" in path.name
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options().parse_args(arguments)
    rows = package_rows()
    try:
        pins = sorted({Pin.parse(row.source) for row in rows})
        sources = [Source(str(pin), folder_of(pin, options.sources)) for pin in pins]
    except PackageError as error:
        print(error, file=sys.stderr)
        return 2
    if options.checkouts:
        rows += repository_rows()
        sources += checkouts_in(options.checkouts)
    result = score(sources, rows, options.jobs)
    return report(result, Judgements.load())


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.casebook", description="Score the linter on the casebook."
    )
    parser.add_argument(
        "--sources",
        type=Path,
        metavar="FOLDER",
        help="unpacked packages, <name>-<version>/, instead of pip download",
    )
    parser.add_argument(
        "--checkouts",
        type=Path,
        metavar="FOLDER",
        help="checked-out repositories, <owner>+<name>@<commit>/",
    )
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes (default: 2)")
    return parser


def report(score: Score, judgements: Judgements) -> int:
    """Print everything and return the exit status."""
    judged = judge(score.findings, judgements)
    _print_families(score)
    _print_rows("Missed", [row for row in score.missed if row.law])
    _print_rows("Labelled fine, and reported", score.false_alarms)
    _print_rows("Labelled, but not in the sources", score.absent)
    _print_findings("Findings where no label is", [each for each in judged if each.verdict and not each.rows])
    _print_findings("Label and second reading disagree", [each for each in judged if each.disagrees])
    _print_findings("Wrong by the second reading", [each for each in judged if each.verdict == "wrong"])
    unjudged = [each for each in judged if each.verdict is None]
    _print_findings("Judged by nobody yet", unjudged)
    for crash in score.crashes:
        print(f"CRASH {crash}")

    fine = len(score.false_alarms) + len(score.silent)
    print(f"\n{score.files} files, {len(score.findings)} findings, {len(judged)} without copies")
    results = [
        *(_recall(score, bar) for bar in BARS),
        _result(
            f"places labelled fine that are reported: {len(score.false_alarms)} of {fine}",
            len(score.false_alarms) <= MOST_FALSE_ALARMS,
        ),
        *(_precision(judged, ", ".join(bar.laws), bar.codes, bar.least_precision) for bar in BARS),
        _precision(judged, "all laws", ("BMN",), LEAST_PRECISION),
        _result(f"findings that nobody has judged: {len(unjudged)}", not unjudged),
        _result(f"crashes: {len(score.crashes)}", not score.crashes),
    ]
    return 0 if all(results) else 1


def _recall(score: Score, bar: Bar) -> bool:
    found, wanted = score.recall(bar.laws)
    return _result(
        f"recall, {', '.join(bar.laws)}, bug and deliberate: {found} of {wanted}{_percent(found, wanted)}",
        found >= bar.least_recall * wanted,
    )


def _precision(judged: Iterable[Judged], laws: str, codes: tuple[str, ...], least: float) -> bool:
    verdicts = [each.verdict for each in judged if each.found.finding.code.startswith(codes)]
    right, decided = verdicts.count("right"), verdicts.count("right") + verdicts.count("wrong")
    low, high = wilson(right, decided)
    return _result(
        f"precision by the second reading, {laws}: {right} of {decided}{_percent(right, decided)}, "
        f"95 % interval {low:.3f} to {high:.3f}",
        right >= least * decided,
    )


def _result(text: str, holds: bool) -> bool:
    print(f"{'holds ' if holds else 'FAILS '} {text}")
    return holds


def _percent(part: int, whole: int) -> str:
    return f" ({100 * part / whole:.1f} %)" if whole else ""


def _print_families(score: Score) -> None:
    count = collections.Counter(
        (row.family, kind)
        for kind in ("found", "missed", "false_alarms", "silent")
        for row in getattr(score, kind)
    )
    laws = {row.family: row.law or "another" for each in (score.found, score.missed) for row in each}
    order = (*get_args(Law), "another", "-")
    families = sorted(
        {family for family, _ in count}, key=lambda each: (order.index(laws.get(each, "-")), each)
    )
    print(f"{'family':<38} {'law':<11} {'found':>6} {'missed':>6}   {'fine: reported':>14} {'silent':>6}")
    for family in families:
        law = laws.get(family, "-")
        cells = [count[family, kind] for kind in ("found", "missed", "false_alarms", "silent")]
        shown = [str(cell) if cell else "." for cell in cells]
        print(f"{family:<38} {law:<11} {shown[0]:>6} {shown[1]:>6}   {shown[2]:>14} {shown[3]:>6}")


def _print_rows(title: str, rows: Sequence[Row]) -> None:
    if rows:
        print(f"\n{title}: {len(rows)}")
    for row in rows:
        print(f"  {row.source} {row.path} {row.place}\n      {row.label}, {row.family}: {row.why}")


def _print_findings(title: str, findings: Sequence[Judged]) -> None:
    if findings:
        print(f"\n{title}: {len(findings)}")
    for found, rows, verdict, reason in findings:
        finding = found.finding
        labels = ", ".join(sorted({row.label for row in rows}))
        print(f"  {found.source} {found.path}:{finding.span.line} {finding.code} {finding.confidence}")
        print(f"      {found.text.strip()}")
        comment = f"{verdict}: {reason}" if verdict else finding.message
        print(f"      {comment}{f' [{labels}]' if labels else ''}")


if __name__ == "__main__":
    sys.exit(main())
