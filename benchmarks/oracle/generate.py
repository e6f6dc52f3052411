"""Generated losses: each is run, linted, fixed and run again, and what the linter says is compared with what is true.

    python -m benchmarks.oracle.generate --programs N --seed S [--framework numpy|torch|jax|tensorflow|keras] [--jobs J]

A program is a loss in the words that people write, right or wrong. It knows the term that it reduces: running it at
several sizes shows whether its value is that term summed over its support and averaged over its units, or by what
product of sizes it is off. The last line is JSON. `--show K` prints K disagreements, shrunk; `--out FOLDER` writes all.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Final, TypeAlias

from benchmarks.oracle.compare import FAULTS, Fault, Outcome, outcome
from benchmarks.oracle.program import Framework
from benchmarks.oracle.shrink import Disagreement, shrunk

_FRAMEWORKS: Final[dict[Framework, tuple[str, ...]]] = {
    "numpy": ("numpy", "scipy"),
    "torch": ("torch",),
    "jax": ("jax", "optax"),
    "tensorflow": ("tensorflow",),
    "keras": ("keras",),
}
"""What has to be installed for each."""
_BATCH: Final = 16
"""Disagreements that are shrunk at a time."""
_Wrong: TypeAlias = tuple[Framework, str, tuple[Fault, str]]
"""A framework, the key of a program, what is wrong there and the rule that is at fault."""


def key_of(seed: int, index: int) -> str:
    """What the choices of a program depend on."""
    return f"{seed}/{index}"


def outcomes(seed: int, indices: Iterable[int], framework: Framework, jobs: int) -> Iterator[Outcome]:
    """The outcome of every program, in their order."""
    keys = (key_of(seed, index) for index in indices)
    judge_one = partial(_outcome, framework=framework)
    if jobs < 2:
        yield from map(judge_one, keys)
        return
    with get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(judge_one, keys, chunksize=50)


def _outcome(key: str, framework: Framework) -> Outcome:
    try:
        return outcome(key, framework)[0]
    except Exception as error:  # a fault of the grammar is counted, and ends no run of many minutes
        return Outcome(key, False, f"in the oracle: {type(error).__name__}: {error}")


class Tally:
    """The counts of a run."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.by_code: Counter[tuple[str, str, str]] = Counter()

    def add(self, one: Outcome) -> None:
        count = self.counts
        count["programs"] += 1
        if not one.ran:
            self.failures[one.error[:100]] += 1
            return
        count["ran"] += 1
        count[f"{one.verdict}_programs"] += 1
        for told in one.told:
            if one.verdict == "open":
                count["open_told"] += 1
                continue
            count[told.confidence] += 1
            self.by_code[told.code, told.confidence, told.fault or "agrees"] += 1
            if told.fault:
                count[f"{told.confidence}_wrong"] += 1
                count[f"{told.fault.replace('another ', '')}_wrong"] += told.fault != "right"
        is_found = one.verdict == "wrong" and any(not told.fault for told in one.told)
        count["found"] += is_found
        count["decidable"] += one.decidable
        count["decidable_found"] += one.decidable and is_found
        count["fixed"] += one.fixed
        count["fixes_wrong"] += one.fix_is_wrong
        count["crashes"] += any(fault == "crash" for fault, _ in one.faults)

    def recall(self) -> str:
        """How much of what is wrong was found: of all, and of those whose text shows all that is needed."""
        count = self.counts
        return ", ".join(
            f"found {count[found]} of {count[of]} {what} ({count[found] / max(1, count[of]):.1%})"
            for found, of, what in (
                ("found", "wrong_programs", "that are wrong"),
                ("decidable_found", "decidable", "that the code shows to be wrong"),
            )
        )

    def as_dict(self) -> dict[str, int]:
        """What the last line holds."""
        names = (
            "programs ran right_programs wrong_programs other_programs open_programs proved proved_wrong likely"
            " likely_wrong factor_wrong elsewhere_wrong rule_wrong found decidable decidable_found fixed fixes_wrong"
            " crashes"
        )
        return {name: self.counts[name] for name in names.split()}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.oracle.generate", description="Run generated losses and compare."
    )
    parser.add_argument("--programs", type=int, default=1000, metavar="N")
    parser.add_argument("--seed", type=int, default=0, metavar="S")
    parser.add_argument("--framework", choices=_FRAMEWORKS, help="all that are installed, in turn")
    parser.add_argument("--jobs", type=int, default=2, metavar="J", help="processes (2)")
    parser.add_argument(
        "--show", type=int, default=0, metavar="K", help="disagreements to print, the worst first"
    )
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="write every kind of disagreement there")
    options = parser.parse_args(arguments)
    frameworks = [options.framework] if options.framework else _installed()
    tally = Tally()
    wrong: dict[tuple[str, ...], _Wrong] = {}
    share = -(-options.programs // len(frameworks))
    for n, framework in enumerate(frameworks):
        indices = range(n * share, min((n + 1) * share, options.programs))
        for one in outcomes(options.seed, indices, framework, options.jobs):
            tally.add(one)
            for fault, code in one.faults:
                wrong.setdefault(
                    (fault, code, one.kind, one.plan, framework), (framework, one.key, (fault, code))
                )
    ranked = sorted(wrong.values(), key=lambda entry: FAULTS.index(entry[2][0]))
    wanted = len(ranked) if options.out else options.show
    for number, found in enumerate(_distinct(ranked, wanted, options.jobs), 1):
        if number <= options.show:
            print(found.text)
        if options.out:
            options.out.mkdir(parents=True, exist_ok=True)
            (options.out / f"{number:03d}.py").write_text(found.text)
    for (code, confidence, verdict), count in sorted(tally.by_code.items()):
        print(f"{code} {confidence:7} {verdict:15} {count}")
    for error, count in tally.failures.most_common(5):
        print(f"{count} did not run: {error}")
    print(tally.recall())
    print(json.dumps(tally.as_dict()))
    return 0


def _installed() -> list[Framework]:
    return [name for name, needed in _FRAMEWORKS.items() if all(map(find_spec, needed))]


def _distinct(ranked: Sequence[_Wrong], wanted: int, jobs: int) -> Iterator[Disagreement]:
    """Shrunk disagreements; those that come to the same program once."""
    seen: set[tuple[str, ...]] = set()
    if not (ranked and wanted):
        return
    with get_context("spawn").Pool(jobs) as pool:
        for at in range(0, len(ranked), _BATCH):
            for found in pool.imap(_shrunk, ranked[at : at + _BATCH]):
                if len(seen) >= wanted:
                    return
                if found is not None and found.identity not in seen:
                    seen.add(found.identity)
                    yield found


def _shrunk(wrong: _Wrong) -> Disagreement | None:
    framework, key, fault = wrong
    return shrunk(key, framework, fault)


if __name__ == "__main__":
    sys.exit(main())
