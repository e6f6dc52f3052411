"""What the laws say beside what the linter says, loss by loss: the table, and every place where they differ."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

Row: TypeAlias = Mapping[str, Any]
Truth: TypeAlias = Literal[
    "right", "sum", "wrong", "a constant", "breaks a law", "no law", "unjudged", "did not run"
]
Said: TypeAlias = Literal["proved", "likely", "not tried", "silent"]

TRUTHS: Final[tuple[Truth, ...]] = Truth.__args__  # type: ignore[attr-defined]
SAID: Final[tuple[Said, ...]] = Said.__args__  # type: ignore[attr-defined]
_RAN: Final = TRUTHS[:-1]
_TOLD: Final = ("proved", "likely")


def truth_of(row: Row) -> Truth:
    """What running a loss showed.

    `sum`: nothing is divided at all, as some publish it; `wrong`: it is off by a product of sizes; `a constant`: by a
    number, which may be the weight of a term.
    """
    verdict = row["verdict"]
    if verdict == "right":
        return "right"
    if verdict == "no law":
        return "no law"
    if verdict == "unjudged":
        return "unjudged"
    if verdict != "wrong":
        return "did not run"
    factor = row.get("factor")
    if factor is None or (not factor and row.get("fraction") == "1"):
        return "breaks a law"
    if not factor:
        return "a constant"
    if all(power == 1 for power in factor.values()) and _plain(row):
        return "sum"
    return "wrong"


def _plain(row: Row) -> bool:
    return not any(letter.isdigit() for letter in row["fraction"])


def said_of(row: Row) -> Said:
    """The strongest of the linter's findings on lines that the call came to; `not tried` where all stand in branches
    that it did not take, or are about ignored positions and it had none."""
    confidences = {told["confidence"] for told in reached(row)}
    if not confidences:
        return "not tried" if row["told"] else "silent"
    return "proved" if "proved" in confidences else "likely"


def reached(row: Row) -> Sequence[Mapping[str, Any]]:
    """The findings that this call could show: on lines that were run, about what its arguments had."""
    ran = set(row.get("ran_lines", ()))
    has_mask = any(
        re.match("mask|bool_mask|pad|ignorable|lengths", kind) for kind in row.get("with", {}).values()
    )
    return [
        told
        for told in row["told"]
        if told["line"] in ran and (has_mask or not {"n_valid", "N"} & set(told["factor"] or ()))
    ]


def disagreement(row: Row) -> str:
    """Where the two differ, in words; empty where they agree or one of them says nothing of the other's question."""
    truth, said = truth_of(row), said_of(row)
    if truth == "right" and said in _TOLD:
        return "right, but a finding"
    if truth == "wrong" and said in ("silent", "not tried"):
        return "wrong, and silent"
    if truth == "wrong" and said in _TOLD and not _same_factor(row):
        return "another factor"
    if truth == "sum" and said in _TOLD:
        return "a sum, but a finding"
    return ""


def _same_factor(row: Row) -> bool:
    """Is one of the findings, or all together, about the factor that was measured?"""
    measured = {axis: power for axis, power in (row.get("factor") or {}).items() if power}
    together: Counter[str] = Counter()
    for told in reached(row):
        if told["factor"] is None:
            return True
        if {axis: power for axis, power in told["factor"].items() if power} == measured:
            return True
        together.update(told["factor"])
    return {axis: power for axis, power in together.items() if power} == measured


def decided(path: Path) -> dict[tuple[str, str, str], str]:
    """Whose fault each known disagreement is, by its file, name and kind."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines()[1:]:
        place, name, what, fault, _ = line.split("\t")
        found[place, name, what] = fault
    return found


def undecided(rows: Iterable[Row], known: Mapping[tuple[str, str, str], str]) -> list[str]:
    """Disagreements that nobody has read yet."""
    found = []
    for row in rows:
        place = f"{row['origin']}/{row['place']}"
        if (what := disagreement(row)) and (place, row["name"], what) not in known:
            found.append(f"{place}:{row['line']} {row['name']}: {what}")
    return found


def summary(rows: Iterable[Row]) -> dict[str, int]:
    """The counts, as the last line has them."""
    rows = list(rows)
    ran = [row for row in rows if truth_of(row) in _RAN]
    judged = [row for row in ran if truth_of(row) != "unjudged"]
    counts: Counter[str] = Counter(disagreement(row) for row in judged)
    wrong = [row for row in judged if truth_of(row) == "wrong"]
    return {
        "losses": len(rows),
        "ran": len(ran),
        "judged": len(judged),
        "packages": len({row["origin"] for row in ran if row["kind"] == "package"}),
        "repositories": len({row["origin"] for row in ran if row["kind"] == "checkout"}),
        "wrong": len(wrong),
        "wrong_found": sum(said_of(row) in _TOLD for row in wrong),
        "right": sum(truth_of(row) == "right" for row in judged),
        "right_found": counts["right, but a finding"],
        "crashed": sum(row["verdict"] == "crashed" for row in rows),
        "hung": sum(row["verdict"] == "hung" for row in rows),
    }


def report(rows: Sequence[Row], *, show: bool = False) -> str:
    """The table of agreement, and with `show` every disagreement."""
    table = Counter((truth_of(row), said_of(row)) for row in rows)
    lines = [f"{'':14}" + "".join(f"{said:>10}" for said in SAID)]
    for truth in TRUTHS:
        lines.append(f"{truth:14}" + "".join(f"{table[truth, said]:>10}" for said in SAID))
    if show:
        for row in sorted(rows, key=lambda row: (disagreement(row), row["key"])):
            if what := disagreement(row):
                told = " ".join(
                    f"{t['code']}({t['confidence']})@{t['line']}{t['factor'] or ''}" for t in reached(row)
                )
                place = f"{row['origin']}/{row['place']}:{row['line']} {row['name']}"
                lines.append(
                    f"{what}: {place}: laws {row.get('fraction')} {row.get('with')}; linter {told or 'silent'}"
                )
    return "\n".join(lines)
