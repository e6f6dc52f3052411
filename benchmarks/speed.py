"""What the linter costs beside flake8 and its peers, and how the cost grows, as ratios.

    python -m benchmarks.speed [--quick]

Every program has an environment of its own, since flake8 runs every plugin that is installed. The programs that
are compared run one after the other on the same files, round by round; a ratio is taken within each round, and
printed as the median of the rounds with their range. What is budgeted is CPU time (user and system), with one
process each. Growth is counted in nodes that the engine reads, which no other load on the machine changes. The
exit status is 0 if every budget holds.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import os
import resource
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

from batchmean import gate
from batchmean.engine.analysis import work
from batchmean.engine.context import MAX_WORK
from batchmean.source import SourceError, read
from batchmean.syntax import parse, unparsable
from batchmean.walk import walk

from benchmarks.packages import CACHE, PackageError, Pin, folder_of

ROOT = Path(__file__).parent.parent
FLAKE8 = "flake8==7.5.0"
ENVIRONMENTS: Mapping[str, Sequence[str]] = {
    "flake8": [FLAKE8],
    "batchmean": [FLAKE8, str(ROOT)],  # not editable: with compiled bytecode, as everybody has it
    "torchfix": [FLAKE8, "torchfix==0.7.0"],
    "bugbear": [FLAKE8, "flake8-bugbear==26.10.27"],
    "ruff": ["ruff==0.17.6"],
}
PACKAGES = (Pin("trl", "1.16.0"), Pin("timm", "1.0.31"))
SECTIONS = ("stages", "growth", "start", "command", "torchfix", "flake8", "peers")
CHUNK = 500  # files per process: the machine's moods pass over every program alike


class Cost(NamedTuple):
    """What a program took, its own processes included."""

    cpu: float
    wall: float


class Ratios(NamedTuple):
    """How many times as much one program takes as another, round by round."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, costs: Sequence[float], base: Sequence[float]) -> Ratios:
        return cls(tuple(mine / theirs for mine, theirs in zip(costs, base, strict=True)))

    @property
    def median(self) -> float:
        return median(self.values)

    def __str__(self) -> str:
        low, high = min(self.values), max(self.values)
        return f"{_short(self.median)} ({_short(low)} to {_short(high)}, n={len(self.values)})"


class Table:
    """Prints a line per comparison and remembers whether the budgets held."""

    def __init__(self) -> None:
        self.holds = True

    def head(self, title: str) -> None:
        print(f"\n{title}", flush=True)

    def line(self, what: str, text: str, *, holds: bool | None = None, budget: str = "") -> None:
        """`holds` is None where nothing is promised."""
        self.holds = self.holds and holds is not False
        verdict = {True: f"holds: {budget}", False: f"FAILS: {budget}", None: ""}[holds]
        print(f"  {what:<44} {text:<62} {verdict}".rstrip(), flush=True)

    def compare(
        self, what: str, costs: Sequence[Cost], base: Sequence[Cost], most: float | None = None
    ) -> None:
        """A program's CPU and wall time over another's; at most `most` times the CPU where that is given.

        What is judged is the fastest turn over the fastest: other load on the machine only ever adds.
        """
        cpu = Ratios.of([c.cpu for c in costs], [c.cpu for c in base])
        wall = Ratios.of([c.wall for c in costs], [c.wall for c in base])
        fastest = min(c.cpu for c in costs) / min(c.cpu for c in base)
        holds = None if most is None else fastest <= most
        text = f"CPU {cpu}, fastest {_short(fastest)}, wall {_short(wall.median)}"
        self.line(what, text, holds=holds, budget=f"at most {most}")


def _short(number: float) -> str:
    return f"{number:.3f}" if number < 2 else f"{number:.1f}"


def environment(name: str) -> Path:
    """The folder of programs of a peer's own environment, made once; it is made anew when its packages change."""
    folder = CACHE / "environments" / name
    wanted = "\n".join([sys.version, *ENVIRONMENTS[name]])
    if str(ROOT) in ENVIRONMENTS[name]:
        wanted += f"\n{_digest(ROOT / 'lint')}"
    stamp = folder / "installed.txt"
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(folder)])
        pip = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, *ENVIRONMENTS[name]])
        stamp.write_text(wanted, encoding="utf-8")
    return folder / "bin"


def _digest(folder: Path) -> str:
    """What stands for the sources in a folder."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()


def cost(command: Sequence[str], cwd: Path, stdin: bytes | None = None) -> Cost:
    """Run a linter once, its output thrown away. Findings are no failure."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    _run(command, cwd=cwd, stdin=stdin, accepted=(0, 1))
    ended, after = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, ended - began)


def _run(
    command: Sequence[str], cwd: Path = ROOT, stdin: bytes | None = None, accepted: Sequence[int] = (0,)
) -> None:
    done = subprocess.run(
        command,
        cwd=cwd,
        input=stdin or b"",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    if done.returncode not in accepted:
        raise PackageError(f"{command[0]} ended with {done.returncode}: {done.stderr.decode()[-400:]}")


def interleaved(commands: Mapping[str, Callable[[], Cost]], rounds: int) -> dict[str, list[Cost]]:
    """Each program's costs, round by round; who goes first changes from round to round."""
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    names = list(commands)
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            costs[name].append(commands[name]())
    return costs


def total(costs: Sequence[Sequence[Cost]]) -> list[Cost]:
    """The sums of the chunks of a corpus, round by round."""
    return [
        Cost(sum(c.cpu for c in chunks), sum(c.wall for c in chunks)) for chunks in zip(*costs, strict=True)
    ]


class Corpus(NamedTuple):
    """Files that every program is given."""

    name: str
    folder: Path
    files: Sequence[str]

    def chunks(self) -> Iterator[Sequence[str]]:
        for start in range(0, len(self.files), CHUNK):
            yield self.files[start : start + CHUNK]


def corpus(name: str, folder: Path, every: int) -> Corpus:
    """The Python files below a folder, or one in `every` of them; installed packages are left out."""
    found = walk(str(folder), lambda path: "site-packages" in path, lambda error: None)
    return Corpus(name, folder, [os.path.relpath(path, folder) for path in list(found)[::every]])


def flake8(name: str) -> list[str]:
    """flake8 in a peer's environment."""
    return [str(environment(name) / "python"), "-m", "flake8", "--isolated", "-j1"]


def under_flake8(
    table: Table, samples: Sequence[Corpus], rounds: int, peers: Sequence[str], most: float | None
) -> None:
    """flake8 with one plugin over flake8 alone, `-j1`: on each corpus, and judged on all of them together."""
    names = ("flake8", "batchmean", *peers)
    costs: dict[str, list[list[Cost]]] = {name: [] for name in names}
    for sample in samples:
        mine: dict[str, list[list[Cost]]] = {name: [] for name in names}
        for files in sample.chunks():
            commands = {name: partial(cost, [*flake8(name), *files], sample.folder) for name in names}
            for name, measured in interleaved(commands, rounds).items():
                mine[name].append(measured)
        for name in names:
            costs[name].append(total(mine[name]))
        if len(samples) > 1:
            for name in names[1:]:
                what = f"flake8 + {name} / flake8, {sample.name}"
                table.compare(what, costs[name][-1], costs["flake8"][-1])
    together = " + ".join(sample.name for sample in samples)
    for name in names[1:]:
        budget = most if name == "batchmean" else None
        what = f"flake8 + {name} / flake8, {together}"
        table.compare(what, total(costs[name]), total(costs["flake8"]), budget)


PROGRAMS: Mapping[str, Sequence[str]] = {
    "batchmean": ["batchmean", "check", "--no-config", "--jobs=1"],
    "ruff": ["ruff", "check", "--no-cache", "--isolated"],
    "torchfix": ["torchfix", "--jobs=1"],
}


def standalone(table: Table, samples: Sequence[Corpus], peer: str, rounds: int, most: float | None) -> None:
    """`batchmean check` with one process over a peer by itself: on each package, and judged on all of them together."""
    ours: list[list[Cost]] = []
    theirs: list[list[Cost]] = []
    for sample in samples:
        commands = {
            name: partial(
                cost,
                [str(environment(name) / PROGRAMS[name][0]), *PROGRAMS[name][1:], *sample.files],
                sample.folder,
            )
            for name in ("batchmean", peer)
        }
        costs = interleaved(commands, rounds)
        ours.append(costs["batchmean"])
        theirs.append(costs[peer])
    names = [sample.name for sample in samples]
    together = total(ours), total(theirs)
    for name, mine, others in zip(names, ours, theirs, strict=True):
        table.compare(f"batchmean check / {peer}, {name}", mine, others)
    table.compare(f"batchmean check / {peer}, {' + '.join(names)}", *together, most)


CLEAN = "import numpy as np\n\n\ndef add(a, b):\n    return a + b\n"
FLAGGED = """\
import numpy as np
from scipy.special import log_softmax


def loss{n}(logits, labels):
    target = np.eye(10)[labels]
    logp = log_softmax(logits, axis=-1)
    return -(target * logp).mean()
"""


def start_up(table: Table, rounds: int) -> None:
    """The command on one small file over the bare interpreter, and what it must not import."""
    python = str(environment("batchmean") / "python")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "clean.py").write_text(CLEAN, encoding="utf-8")
        (folder / "flagged.py").write_text(FLAGGED.format(n=""), encoding="utf-8")
        check = [python, "-m", "batchmean", "check", "--no-config"]
        commands = {
            "python": partial(cost, [python, "-c", "pass"], folder),
            "clean": partial(cost, [*check, "clean.py"], folder),
            "flagged": partial(cost, [*check, "flagged.py"], folder),
        }
        costs = interleaved(commands, rounds)
        for name in ("clean", "flagged"):
            table.compare(f"batchmean check, {name} file / python -c pass", costs[name], costs["python"])
            done = subprocess.run(
                [python, "-X", "importtime", *check[1:], f"{name}.py"],
                cwd=folder,
                capture_output=True,
                encoding="utf-8",
                check=False,
            )
            imported = "libcst" in done.stderr
            table.line(
                f"libcst imported, {name} file", "yes" if imported else "no", holds=not imported, budget="no"
            )


def one_save(table: Table, rounds: int) -> None:
    """flake8 on standard input, as editors run it: 2,000 lines, three findings."""
    text = file_of(2000, losses=3).encode()
    commands = {name: partial(cost, [*flake8(name), "-"], ROOT, text) for name in ("flake8", "batchmean")}
    costs = interleaved(commands, rounds)
    table.compare("one save: flake8 + batchmean / flake8", costs["batchmean"], costs["flake8"])


def file_of(lines: int, losses: int) -> str:
    """A file of ordinary functions, about `lines` long, that holds so many wrong losses."""
    loss = [FLAGGED.format(n=number).splitlines()[4:] for number in range(losses)]
    ordinary = "def step{n}(items, scale):\n    kept = []\n    for item in items:\n        if item:\n"
    ordinary += "            kept.append(scale * item)\n    return kept\n\n"
    blocks = [ordinary.format(n=number) for number in range(max(lines - 8 * losses, 0) // 7)]
    for number, each in enumerate(loss):
        blocks.insert((number + 1) * len(blocks) // (losses + 1), "\n".join(each) + "\n\n\n")
    return "".join(FLAGGED.splitlines(keepends=True)[:4]) + "".join(blocks)


def functions_of(count: int) -> str:
    """So many functions with a wrong loss each."""
    return file_of(0, losses=count)


def branches_of(count: int) -> str:
    """A ladder of undecided branches that each leave another value, and a wrong loss of the last."""
    ladder = "".join(f"    if flags[{n}]:\n        x = x * {n + 2} + w[{n}]\n" for n in range(count))
    return (
        "import numpy as np\nfrom scipy.special import log_softmax, softmax\n\n\ndef loss(x, w, flags, y):\n"
        f"{ladder}    return -(softmax(y, axis=-1) * log_softmax(x, axis=-1)).mean()\n"
    )


def helpers_of(count: int) -> str:
    """A ring of helpers that each call the next two, every one with a loss of its own."""
    ring = "".join(
        f"def helper{n}(x, y):\n    a = helper{(n + 1) % count}(x, y)\n    b = helper{(n + 2) % count}(y, x)\n"
        "    return -(softmax(a, axis=-1) * log_softmax(b, axis=-1)).mean()\n\n\n"
        for n in range(count)
    )
    return f"from scipy.special import log_softmax, softmax\n\n\n{ring}"


def growth(table: Table, quick: bool) -> None:
    """Nodes read and CPU time against the size of what is linted, both over those of the smallest, per unit."""
    families: Mapping[str, tuple[Callable[[int], str], Sequence[int]]] = {
        "lines": (lambda n: file_of(n, losses=10), (1_000, 10_000, 100_000)),
        "functions with a loss": (functions_of, (10, 100, 1_000)),
        "branches": (branches_of, (8, 64, 512)),
        "helpers in a ring": (helpers_of, (8, 64, 512)),
    }
    for name, (make, sizes) in families.items():
        first: tuple[float, float] | None = None
        for size in sizes[: 2 if quick else None]:
            text = make(size)
            read_nodes, seconds = _worked(text)
            first = first or (read_nodes / size, seconds / size)
            per_unit = read_nodes / size / first[0]
            holds = read_nodes <= MAX_WORK + 1 and per_unit <= 2
            shown = f"{read_nodes} nodes read, {per_unit:.2f} times as many per unit"
            shown += f", CPU {seconds / size / first[1]:.2f} times"
            table.line(f"{size} {name}", shown, holds=holds, budget="at most 2 times")


def _worked(text: str) -> tuple[int, float]:
    began = time.process_time()
    tree = parse(text)
    nodes = work(tree, text.split("\n"))
    return nodes, time.process_time() - began


def stages(table: Table, sample: Corpus) -> None:
    """What each stage of the command takes, over the floor: reading the files and one search of their text."""
    texts: dict[str, str] = {}

    def read_all() -> None:
        for path in sample.files:
            try:
                texts[path] = read(str(sample.folder / path))
            except SourceError:
                pass

    def search() -> None:
        for text in texts.values():
            assert "a text that no file holds" not in text

    reading = _seconds(read_all)
    floor = reading + _seconds(search)
    suspicious: list[str] = []
    gating = _seconds(lambda: suspicious.extend(t for t in texts.values() if gate.worth_parsing(t)))
    trees: list[tuple[ast.Module, str]] = []

    def parse_suspicious() -> None:
        for text in suspicious:
            try:
                trees.append((parse(text), text))
            except ValueError:
                pass

    def analyse_all() -> None:
        for tree, text in trees:
            work(tree, text.split("\n"))

    clean = [text for text in texts.values() if not gate.worth_parsing(text)]
    times = {
        "reading": reading,
        "the text gate": gating,
        "is the rest Python?": _seconds(lambda: [unparsable(text) for text in clean]),
        "parsing what the gate lets through": _seconds(parse_suspicious),
        "analysing it": _seconds(analyse_all),
    }
    share = f"{len(suspicious)} of {len(texts)} files"
    table.line(f"{sample.name}: let through by the gate", share)
    for name, seconds in times.items():
        table.line(f"{sample.name}: {name}", f"{seconds / floor:.1f} times the floor")


def _seconds(do: Callable[[], object]) -> float:
    began = time.process_time()
    do()
    return time.process_time() - began


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed", description="Measure what the linter costs."
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="an impression: one file in ten, three rounds, and times are not judged",
    )
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds per comparison (7, quick: 3)")
    parser.add_argument("--sources", type=Path, metavar="FOLDER", help="unpacked packages, <name>-<version>/")
    parser.add_argument("--only", choices=SECTIONS, action="append", help="this part (may be given again)")
    options = parser.parse_args(arguments)
    every, rounds = (10, options.rounds or 3) if options.quick else (1, options.rounds or 7)
    wanted = options.only or SECTIONS
    table = Table()

    def judged(most: float) -> float | None:
        """The budget; in a small sample starting up outweighs everything else, so nothing is judged by it."""
        return None if options.quick else most

    try:
        packages = [corpus(str(pin), folder_of(pin, options.sources), every) for pin in PACKAGES]
        library = corpus("standard library", Path(sysconfig.get_path("stdlib")), every)
        if "stages" in wanted:
            table.head("Stages of the command, CPU time over reading the files and one text search")
            for sample in (library, *packages):
                stages(table, sample)
        if "growth" in wanted:
            table.head("Growth")
            growth(table, options.quick)
        if "start" in wanted:
            table.head("Start-up and one save")
            start_up(table, 3 * rounds)
            one_save(table, 3 * rounds)
        if "command" in wanted:
            table.head("The command, one process")
            standalone(table, packages, "ruff", rounds, judged(3))
        if "torchfix" in wanted:
            table.head("The command, one process, and torchfix by itself")
            standalone(table, packages, "torchfix", 1, judged(1 / 50))
        if "flake8" in wanted:
            table.head("Under flake8, -j1, separate environments")
            under_flake8(table, packages, rounds, (), judged(1.10))
            under_flake8(table, [library], rounds, (), judged(1.02))
        if "peers" in wanted:
            table.head("Other plugins under flake8, -j1")
            under_flake8(table, packages, 1, ("torchfix", "bugbear"), None)
    except (PackageError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0 if table.holds else 1


if __name__ == "__main__":
    sys.exit(main())
