"""Harvested losses: those of packages and checkouts are called, the laws judge them, the linter reads the same source.

    python -m benchmarks.oracle --execute [--packages NAME ...] [--checkouts FOLDER ...] [--python INTERPRETER]
        [--store FILE] [--jobs J] [--timeout S]

This imports and calls other people's code, in processes of their own with limits, and only with `--execute`; without
it the losses that would be called are counted. `--store` keeps what was found, a line of JSON for each loss; a run that
was stopped goes on where it was, and `--report` prints the tables of a store again. The last line is JSON; the exit
status is 1 where the two differ at a place that `disagreements.tsv` has not.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from batchmean.check import Check
from batchmean.config import Settings

from benchmarks.oracle import agreement
from benchmarks.oracle.candidates import Candidate, candidates

DECISIONS: Final = Path(__file__).with_name("disagreements.tsv")
_SETTINGS: Final = Settings({"preview": True}, isolated=True)
_NOT_LOSSES: Final = frozenset(
    "pip setuptools wheel torch tensorflow jax jaxlib numpy scipy sympy pandas matplotlib keras_tuner caffe2 functorch"
    " torchgen batchmean batchmean_reference networkx pyarrow mypy".split()
)
"""Packages of which nothing is called: frameworks, whose losses are written in C++ or are tables of the linter, and
what has none."""
_FRAMEWORKS: Final = ("torch", "jax")
"""What is imported once for many files."""
_TESTS: Final = frozenset({"tests", "test", "testing", "examples", "docs", "benchmarks"})


@dataclass(frozen=True)
class Source:
    """A file with losses: of a package or of a checkout (`origin`), with its path there."""

    kind: str
    origin: str
    place: str
    path: str
    module: str
    roots: tuple[str, ...]


@dataclass(frozen=True)
class Task:
    """The losses of a file, each with the lines of the linter's findings."""

    source: Source
    losses: tuple[dict[str, Any], ...]
    frameworks: tuple[str, ...] = ()
    """Those that its text names."""


def package_sources(interpreter: str, names: Sequence[str]) -> Iterator[Source]:
    """The files of packages that are installed for an interpreter; without names those of all packages."""
    command = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    site = Path(
        subprocess.run(
            [interpreter, "-c", command], capture_output=True, text=True, check=True
        ).stdout.strip()
    )
    tops = [site / name for name in names] if names else sorted(site.iterdir())
    for top in tops:
        if top.name in _NOT_LOSSES or not (top / "__init__.py").exists():
            continue
        for path in sorted(top.rglob("*.py")):
            inside = path.relative_to(site)
            if _TESTS.isdisjoint(inside.parts) and not re.search(r"^test_|_test\.py$", inside.name):
                parts = [*inside.parts[:-1], *([] if path.stem == "__init__" else [path.stem])]
                yield Source("package", top.name, str(inside), str(path), ".".join(parts), ())


def checkout_sources(folder: Path) -> Iterator[Source]:
    """The files of every repository in a folder of checkouts; their definitions are read, nothing else is run."""
    for top in sorted(each for each in folder.iterdir() if each.is_dir()):
        for path in sorted(top.rglob("*.py")):
            inside = path.relative_to(top)
            if _TESTS.isdisjoint(inside.parts[:-1]) and not re.search(r"^test_|_test\.py$", inside.name):
                roots = tuple(dict.fromkeys((str(path.parent), str(top))))
                yield Source("checkout", top.name, str(inside), str(path), "", roots)


def task_of(source: Source, known: frozenset[str]) -> Task | None:
    """What there is to call in a file, and what the linter says of it; None for nothing, or nothing new."""
    try:
        text = Path(source.path).read_bytes()
        found = candidates(text.decode())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return None
    new = [one for one in found if key_of(source, one, text) not in known]
    if not new:
        return None
    findings = Check(_SETTINGS, fixes=False, warn=lambda message: None).text(text, source.path).findings
    losses = []
    for one in new:
        told: list[dict[str, Any]] = [
            {
                "code": each.code,
                "confidence": each.confidence,
                "line": each.span.line,
                "factor": dict(each.factor) if each.factor else None,
            }
            for each in findings
            if any(first <= each.span.line <= last for first, last in one.spans)
        ]
        losses.append(
            {
                "name": one.name,
                "how": one.how,
                "line": one.line,
                "told": told,
                "watch": sorted({line for each in told for line in _lines(each["line"], findings)}),
                "key": key_of(source, one, text),
            }
        )
    named = tuple(name for name in _FRAMEWORKS if name.encode() in text)
    return Task(source, tuple(losses), named)


def _lines(line: int, findings: Iterable[Any]) -> Iterator[int]:
    """The lines of the findings that start on a line: a statement over several is seen on any of them."""
    for finding in findings:
        if finding.span.line == line:
            yield from range(line, finding.span.end_line + 1)


def key_of(source: Source, one: Candidate, text: bytes) -> str:
    """What a loss is known by in a store: another text is another loss."""
    digest = hashlib.blake2b(text, digest_size=6).hexdigest()
    return f"{source.origin}/{source.place}:{one.name}@{digest}"


class Worker:
    """A process that calls losses (`harvest_worker`), file by file."""

    def __init__(self, interpreter: str, seconds: int, folder: str) -> None:
        here = Path(__file__).resolve().parents[2]
        paths = [str(here / part) for part in ("lint", "reference_impl", ".")]
        environment = dict(
            os.environ, PYTHONDONTWRITEBYTECODE="1", PYTHONPATH=os.pathsep.join(paths), HOME=folder
        )
        environment |= {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
        environment |= {
            "HF_HUB_OFFLINE": "1",
            "MPLBACKEND": "agg",
            "WANDB_MODE": "disabled",
            "JAX_PLATFORMS": "cpu",
        }
        self._process = subprocess.Popen(
            [interpreter, "-m", "benchmarks.oracle.harvest_worker", str(seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
            cwd=folder,
        )

    def answers(self, task: Task) -> Iterator[dict[str, Any]]:
        """What the laws say of each loss of a file. Raises `RuntimeError` where the process itself has ended."""
        assert self._process.stdin is not None and self._process.stdout is not None
        origin = asdict(task.source)
        self._process.stdin.write(
            json.dumps({**origin, "frameworks": list(task.frameworks), "losses": task.losses}) + "\n"
        )
        self._process.stdin.flush()
        for loss in task.losses:
            answer = self._process.stdout.readline()
            if not answer:
                raise RuntimeError(f"the process that calls losses ended: {self._process.wait()}")
            yield {
                **loss,
                **json.loads(answer),
                **{name: origin[name] for name in ("kind", "origin", "place")},
            }

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


def read_store(path: Path | None) -> list[dict[str, Any]]:
    """What a store holds, each loss once; a last line that was cut off is left out."""
    if path is None or not path.exists():
        return []
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        with contextlib.suppress(ValueError):
            row = json.loads(line)
            found[row["key"]] = row
    return list(found.values())


def harvest(
    tasks: Iterator[Task], interpreter: str, seconds: int, jobs: int, store: Path | None
) -> list[dict[str, Any]]:
    """Run all tasks, keep every answer at once, and show how far it is."""
    lock = threading.Lock()
    done = 0
    rows: list[dict[str, Any]] = []

    def work() -> None:
        nonlocal done
        with tempfile.TemporaryDirectory(prefix="harvest-") as folder:
            worker = Worker(interpreter, seconds, folder)
            try:
                while True:
                    with lock:
                        task = next(tasks, None)
                        if task is None:
                            return
                        done += 1
                    for row in worker.answers(task):
                        with lock:
                            rows.append(row)
                            if store is not None:
                                with store.open("a", encoding="utf-8") as file:
                                    file.write(json.dumps(row) + "\n")
                    print(
                        f"{done} files, {len(rows)} losses: {task.source.place}", file=sys.stderr, flush=True
                    )
            finally:
                worker.close()

    with ThreadPoolExecutor(jobs) as pool:
        for each in [pool.submit(work) for _ in range(jobs)]:
            each.result()
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    rows = read_store(options.store)
    if not options.report:
        tasks = _tasks(options, rows)
        if not options.execute:
            by_origin: Counter[str] = Counter()
            for task in tasks:
                by_origin[task.source.origin] += len(task.losses)
            for origin, number in sorted(by_origin.items()):
                print(f"{number:5} {origin}")
            count = by_origin.total()
            print(f"note: {count} losses would be called; nothing was run without --execute", file=sys.stderr)
            return 2
        rows += harvest(tasks, options.python, options.timeout, options.jobs, options.store)
    print(agreement.report(rows, show=options.show))
    new = agreement.undecided(rows, agreement.decided(DECISIONS))
    for line in new:
        print(f"not decided yet: {line}")
    print(json.dumps({**agreement.summary(rows), "undecided": len(new)}))
    return 1 if new else 0


def _tasks(options: argparse.Namespace, known_rows: Sequence[Mapping[str, Any]]) -> Iterator[Task]:
    """The files with losses that are not known yet, read one after the other as they are asked for."""
    known = frozenset(row["key"] for row in known_rows)
    sources: list[Source] = []
    if options.packages is not None or not options.checkouts:
        sources += package_sources(options.python, options.packages or [])
    for folder in options.checkouts:
        sources += checkout_sources(folder)
    # Files that say that they are about losses first: a run may be stopped.
    sources.sort(key=lambda source: ("loss" not in source.place.lower(), source.origin, source.place))
    left: dict[str, int] = defaultdict(lambda: options.most)
    for row in known_rows:
        left[row["origin"]] -= 1
    for source in sources:
        if left[source.origin] > 0 and (task := task_of(source, known)) is not None:
            task = replace(task, losses=task.losses[: left[source.origin]])
            left[source.origin] -= len(task.losses)
            yield task


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.oracle",
        description="Call the losses of packages and checkouts, let the laws judge them, and compare with the linter.",
    )
    add = parser.add_argument
    add("--execute", action="store_true", help="import and call their code")
    add("--packages", nargs="*", metavar="NAME", help="packages of the interpreter (all)")
    add(
        "--checkouts",
        nargs="*",
        type=Path,
        default=[],
        metavar="FOLDER",
        help="folders with a repository in each folder",
    )
    add(
        "--python", default=sys.executable, metavar="INTERPRETER", help="whose packages are called (this one)"
    )
    add("--store", type=Path, metavar="FILE", help="keep what was found, and go on from there")
    add("--report", action="store_true", help="only print what the store holds")
    add("--show", action="store_true", help="name every disagreement")
    add("--most", type=int, default=1000, metavar="N", help="losses of a package or checkout, at most (1000)")
    add("--jobs", type=int, default=1, metavar="J", help="processes (1)")
    add("--timeout", type=int, default=20, metavar="S", help="seconds of CPU time for a loss (20)")
    return parser
