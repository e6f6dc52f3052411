"""The flips of every rewrite over the fixtures, as a table."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from benchmarks.rewrites.flips import Flip, Tally, flips_of
from benchmarks.rewrites.programs import Program, programs
from benchmarks.rewrites.registry import REWRITES
from benchmarks.rewrites.report import (
    Example,
    against_known,
    json_line,
    known_table,
    shown,
    table,
    written,
)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    if options.rewritten_source:
        return _print_source(*options.rewritten_source)
    if options.list:
        for entry in REWRITES.values():
            print(f"{entry.name:<32} {entry.sentence}")
        return 0
    names = options.rewrites or list(REWRITES)
    unknown = [name for name in names if name not in REWRITES]
    chosen = programs(options.fixtures)
    if unknown or not chosen:
        print(f"no such rewrite: {', '.join(unknown)}" if unknown else "no such fixture", file=sys.stderr)
        return 2
    tallies = {name: Tally(name) for name in names}
    examples: list[Example] = []
    for program, results in _all(chosen, names, options.jobs):
        for name, flip, source in results:
            tallies[name].add(flip)
            if flip.flips or flip.raised or flip.beside:
                examples.append(Example(name, program, flip, source))
    print(table(tallies.values()))
    for line in shown(examples, options.show):
        print(line)
    if options.write_flips:
        Path(options.write_flips).write_text(written(examples, tallies.values()), encoding="utf-8")
    if not options.fixtures:
        for line in against_known(tallies.values()):
            print(line)
    if options.known:
        print(known_table(tallies.values()))
    print(json_line(tallies.values(), len(chosen)))
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks.rewrites", description=__doc__)
    parser.add_argument("--rewrites", nargs="+", metavar="NAME", help="these only")
    parser.add_argument("--fixtures", default="", metavar="PATTERN", help="cases whose id contains this")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="J")
    parser.add_argument(
        "--show", type=int, default=0, metavar="K", help="print K examples per rewrite and kind"
    )
    parser.add_argument("--write-flips", metavar="FILE", help="write all flips by kind, in Markdown")
    parser.add_argument("--rewritten-source", nargs=2, metavar=("NAME", "FIXTURE"), help="print one program")
    parser.add_argument("--known", action="store_true", help="print what `known.py` would have to hold")
    parser.add_argument("--list", action="store_true", help="name the rewrites")
    return parser.parse_args(arguments)


def _all(
    chosen: Sequence[Program], names: Sequence[str], jobs: int
) -> Iterator[tuple[Program, list[tuple[str, Flip, str]]]]:
    work = partial(_one, names=tuple(names))
    if jobs < 2:
        yield from zip(chosen, map(work, chosen), strict=True)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from zip(chosen, pool.map(work, chosen, chunksize=8), strict=True)


def _one(program: Program, names: tuple[str, ...]) -> list[tuple[str, Flip, str]]:
    return flips_of(program, [REWRITES[name] for name in names])


def _print_source(name: str, fixture: str) -> int:
    found = programs(fixture)
    if name not in REWRITES or not found:
        print("no such rewrite or fixture", file=sys.stderr)
        return 2
    source = REWRITES[name].rewritten(found[0])
    print(f"# {found[0].id}\n{source or '# not changed by this rewrite'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
