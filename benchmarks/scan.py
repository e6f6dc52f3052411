"""`batchmean scan` beside `batchmean check`, its memory, and what is left when its processes are killed.

    python -m benchmarks.scan [throughput] [memory] [deaths] [--sources FOLDER ...] [--rounds N] [--rows N ...]

`throughput` runs `check --jobs 2` and `scan --jobs 2` in turns on the same files, hostile ones among them, and
compares findings, wall time and CPU time. `memory` scans Parquet of different lengths and prints the largest resident
size of each kind of process. `deaths` kills a worker, the whole scan, and the scheduler of a cluster of two nodes in
the middle, goes on, and counts what is lost or twice. The exit status is 0 if every budget holds. It needs
batchmean[scale] and Linux.
"""

from __future__ import annotations

import argparse
import ctypes
import io
import json
import os
import resource
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from benchmarks.packages import CACHE

BIN = Path(sys.executable).parent
SHARE = 0.9
"""Of the throughput of `check`, at least."""
GROWTH = 1.25
"""Of memory from the fewest rows to the most, at most."""
ROWS = (1_000, 10_000, 100_000)
SECTIONS = ("throughput", "memory", "deaths")
SETTINGS = "[tool.batchmean]\nfollow-imports = false\nrespect-gitignore = false\n"
_SUBREAPER = 36  # prctl: what is orphaned below this process becomes its child, so its CPU time is counted

DEADLY = """\
import os, sys, time

if sys.argv[0] == "-c":
    import batchmean.api as api

    real = api.check_source

    def check_source(source, *arguments, **options):
        if source.startswith(b"# kill"):
            os.kill(os.getpid(), 9)
        if source.startswith(b"# exit"):
            os._exit(3)
        if source.startswith(b"# hang"):
            while True:
                pass
        if source.startswith(b"# eat"):
            eaten = []
            while True:
                eaten.append(bytes(1 << 24))
        if source.startswith(b"# slow"):
            time.sleep(0.1)
        return real(source, *arguments, **options)

    api.check_source = check_source
"""
"""A `sitecustomize` that does to the linter by a file's first words what no text is known to do to it."""


class Cost(NamedTuple):
    """What a program took, with all that it started."""

    wall: float
    cpu: float


def hostile(folder: Path) -> list[Path]:
    """Twenty things that nobody should have to read: files in `files/`, and archives beside it."""
    files = folder / "files"
    files.mkdir(parents=True)
    deep = 100_000
    contents: dict[str, bytes] = {
        "brackets.py": b"x = " + b"(" * deep + b")" * deep,
        "unary.py": b"x = " + b"-" * deep + b"1",
        "attributes.py": b"x = a" + b".b" * deep,
        "blocks.py": b"".join(b" " * i + b"if 1:\n" for i in range(200)) + b" " * 200 + b"pass\n",
        "digits.py": b"x = " + b"9" * 1_000_000,
        "nul.py": b"x = 1\0",
        "latin.py": b"# \xe4\n",
        "cookie.py": b"# coding: punycode\n" + b"a-" * deep,
        "large.py": b"#" * (33 << 20),
        "line.py": b"x = [" + b"1, " * 300_000 + b"]",
        "functions.py": b"".join(b"def f%d(p): return -(p * np.log(p)).mean()\n" % i for i in range(3000)),
        "broken.ipynb": b'{"cells": [' * 1000,
        "types.ipynb": b'{"cells": {"a": 1}, "nbformat": 4}',
    }
    for name, data in contents.items():
        (files / name).write_bytes(data)
    (files / "loop.py").symlink_to("loop.py")
    archives = [
        folder / name
        for name in ("bomb.zip", "bomb.tar.gz", "links.tar", "cut.tar.gz", "no.zip", "no.parquet")
    ]
    with zipfile.ZipFile(archives[0], "w", zipfile.ZIP_DEFLATED) as zipped:
        for number in range(4):
            zipped.writestr(f"../../{number}.py", bytes(64 << 20))
    with tarfile.open(archives[1], "w:gz", compresslevel=1) as tar:
        member = tarfile.TarInfo("zeros.bin")
        member.size = 1 << 30
        tar.addfile(member, _Zeros())
        _add(tar, "after.py", b"x = 1\n")
    with tarfile.open(archives[2], "w") as tar:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
            member = tarfile.TarInfo(f"link{kind.decode()}.py")
            member.type, member.linkname = kind, "/etc/passwd"
            tar.addfile(member)
        _add(tar, "/etc/absolute.py", b"x = 1\n")
    with tarfile.open(archives[3], "w:gz") as tar:
        _add(tar, "noise.py", os.urandom(1 << 16))
    archives[3].write_bytes(archives[3].read_bytes()[:4096])
    archives[4].write_bytes(b"PK\x03\x04 and no more")
    archives[5].write_bytes(b"PAR1 and no more PAR1")
    assert len(contents) + 1 + len(archives) == 20
    return [files, *archives]


class _Zeros(io.RawIOBase):
    def read(self, size: int = -1) -> bytes:
        return bytes(size)


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def cost(command: Sequence[str | Path], cwd: Path) -> Cost:
    """Run to the end, and until nothing that was started is left."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command, cwd=cwd, capture_output=True, check=False)
    wall = time.monotonic() - start
    if done.returncode not in (0, 1):
        raise SystemExit(f"{command}: {done.stderr.decode(errors='replace')}")
    _reap()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def _reap() -> None:
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return


def stored(out: Path) -> list[dict[str, Any]]:
    """The rows of a scan."""
    import pyarrow.parquet as pq

    return [
        row
        for file in sorted(out.glob("parts/*/*.parquet"))
        for row in pq.read_table(file, partitioning=None).to_pylist()
    ]


def throughput(sources: Sequence[Path], rounds: int, folder: Path) -> bool:
    """Does the scan do what `check` does, at 0.9 of its speed or more?"""
    made = hostile(folder / "hostile")
    (folder / "settings.toml").write_text(SETTINGS, encoding="utf-8")
    report = folder / "check.json"
    check: list[str | Path] = [
        BIN / "batchmean",
        "check",
        *sources,
        made[0],
        "--config",
        "settings.toml",
        "--jobs",
        "2",
        "--exit-zero",
    ]
    check += ["--quiet", "--output-format", "json", "--output-file", report]
    costs: dict[str, list[Cost]] = {"check": [], "scan": []}
    for number in range(rounds):
        out = folder / f"out{number}"
        scan: list[str | Path] = [
            BIN / "batchmean",
            "scan",
            *sources,
            *made,
            "--to",
            out,
            "--jobs",
            "2",
            "--quiet",
        ]
        for name, command in (("check", check), ("scan", scan))[:: 1 if number % 2 == 0 else -1]:
            costs[name].append(cost(command, folder))
            print(
                f"round {number + 1}: {name} {costs[name][-1].wall:.0f} s, CPU {costs[name][-1].cpu:.0f} s",
                flush=True,
            )
    rows = stored(out)
    files = [row for row in rows if row["path"]]
    print(
        f"{len(files)} files, {len({row['sha256'] for row in files})} contents; hostile: {len(made) - 1 + 14}"
    )
    unlike = _differences(json.loads(report.read_text(encoding="utf-8")), rows, [*sources, made[0]])
    print(f"findings that only one of both has: {len(unlike)}")
    for difference in unlike[:5]:
        print(f"  {difference}")
    ratios = {
        what: median(
            getattr(a, what) / getattr(b, what) for a, b in zip(costs["check"], costs["scan"], strict=True)
        )
        for what in ("wall", "cpu")
    }
    per_second = median(len(files) / each.wall for each in costs["scan"])
    print(
        f"throughput over check: wall {ratios['wall']:.2f}, CPU {ratios['cpu']:.2f}; {per_second:.0f} files/s"
    )
    print(f"CPU per file: {1000 * median(each.cpu for each in costs['scan']) / len(files):.1f} ms")
    size = sum(file.stat().st_size for file in out.glob("parts/*/*.parquet"))
    print(f"Parquet: {size / len(files):.0f} bytes per file")
    return ratios["wall"] >= SHARE and not unlike


def _differences(report: dict[str, Any], rows: list[dict[str, Any]], sources: Sequence[Path]) -> list[str]:
    """Findings that one of both has. In the scan they are with their content, wherever that stands."""
    roots = {str(source): source for source in sources}
    by_content = {row["sha256"]: row["findings"] for row in rows if row["linted"]}
    scanned = {
        f"{Path(row['source']) / row['path']}:{finding['line']}:{finding['column']} {finding['code']}"
        for row in rows
        if row["source"] in roots
        for finding in by_content.get(row["sha256"], ())
    }
    checked = {f"{f['path']}:{f['line']}:{f['column']} {f['code']}" for f in report["findings"]}
    return sorted(scanned ^ checked)


def memory(sources: Sequence[Path], rows: Sequence[int], folder: Path) -> bool:
    """Does it stay flat? The same texts again and again, each time a little different."""
    import psutil
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts = _small_texts(sources, 1_000)
    peaks: dict[int, dict[str, int]] = {}
    for count in rows:
        file = folder / f"{count}.parquet"
        schema = pa.schema([("path", pa.string()), ("content", pa.string())])
        with pq.ParquetWriter(file, schema) as writer:
            for start in range(0, count, 500):
                numbers = range(start, min(start + 500, count))
                varied = [f"{texts[n % len(texts)]}\n# {n}\n" for n in numbers]
                writer.write_table(
                    pa.table({"path": [f"{n}.py" for n in numbers], "content": varied}, schema)
                )
        out = folder / f"memory{count}"
        peak: Counter[str] = Counter()
        start_time = time.monotonic()
        with subprocess.Popen(
            [BIN / "batchmean", "scan", file, "--to", out, "--jobs", "2", "--quiet"], cwd=folder
        ) as process:
            watched = psutil.Process(process.pid)
            while process.poll() is None:
                for each in [watched, *watched.children(recursive=True)]:
                    try:
                        kind = _kind(each, process.pid)
                        peak[kind] = max(peak[kind], each.memory_info().rss)
                    except psutil.Error:
                        continue
                time.sleep(0.3)
        done = len(stored(out))
        peaks[count] = peak
        shown = ", ".join(f"{kind} {size >> 20} MiB" for kind, size in sorted(peak.items()))
        print(f"{done} files in {time.monotonic() - start_time:.0f} s: {shown}", flush=True)
        if done != count:
            return False
    first, last = peaks[rows[0]], peaks[rows[-1]]
    growth = {kind: last[kind] / first[kind] for kind in first}
    print("growth: " + ", ".join(f"{kind} {factor:.2f}" for kind, factor in sorted(growth.items())))
    return all(factor <= GROWTH for factor in growth.values())


def _kind(process: Any, scan: int) -> str:
    if process.pid == scan:
        return "scan"
    line = " ".join(process.cmdline())
    if "batchmean.scan.child" in line:
        return "child"
    return "worker" if "spawn_main" in line else "other"


def _small_texts(sources: Sequence[Path], count: int) -> list[str]:
    """Real files of 500 to 4,000 bytes."""
    found = []
    for path in sorted(path for source in sources for path in source.rglob("*.py")):
        if 500 <= path.stat().st_size <= 4_000:
            try:
                found.append(path.read_text(encoding="utf-8"))
            except UnicodeDecodeError:
                continue
            if len(found) == count:
                break
    return found


def deaths(sources: Sequence[Path], folder: Path) -> bool:
    """Is nothing lost, and nothing there twice, whatever is killed in the middle?"""
    expected = set()
    whole = folder / "whole"
    subprocess.run(
        [BIN / "batchmean", "scan", *sources, "--to", whole, "--jobs", "2", "--quiet"], check=False
    )
    expected = {(row["path"], row["sha256"]) for row in stored(whole)}
    parts = len(list(whole.glob("parts/*/*.parquet")))
    print(f"undisturbed: {len(expected)} files in {parts} parts", flush=True)

    def is_whole(name: str, out: Path) -> bool:
        rows = stored(out)
        places = Counter((row["path"], row["sha256"]) for row in rows)
        verdicts = Counter(row["sha256"] for row in rows if row["linted"])
        lost = len(expected - set(places)) + len({row["sha256"] for row in rows} - {None} - set(verdicts))
        twice = sum(n - 1 for n in places.values()) + sum(n - 1 for n in verdicts.values())
        print(f"{name}: {len(rows)} files, {lost} lost, {twice} twice", flush=True)
        return not lost and not twice

    def scan(out: Path, *arguments: str | Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen([BIN / "batchmean", "scan", *sources, "--to", out, "--quiet", *arguments])

    out = folder / "worker"
    with scan(out, "--jobs", "2") as process:
        _wait(lambda: _parts(out) >= parts // 3)
        workers = _workers(process.pid)
        os.kill(workers[0], signal.SIGKILL)
        process.wait()
    good = is_whole("a worker was killed", out)
    out = folder / "scan"
    with scan(out, "--jobs", "2") as process:
        _wait(lambda: _parts(out) >= parts // 3)
        process.kill()
    with scan(out, "--jobs", "2") as process:
        process.wait()
    good = is_whole("the scan with its scheduler was killed, and went on", out) and good
    out = folder / "scheduler"
    with (
        cluster(folder / "first", nodes=2) as (address, scheduler),
        scan(out, "--scheduler", address) as process,
    ):
        _wait(lambda: _parts(out) >= parts // 3)
        scheduler.kill()
        process.wait()
    with cluster(folder / "second", nodes=2) as (address, _), scan(out, "--scheduler", address) as process:
        process.wait()
    return is_whole("two nodes, the scheduler was killed, and another one went on", out) and good


def _parts(out: Path) -> int:
    return len(list(out.glob("parts/*/*.parquet")))


def _workers(pid: int) -> list[int]:
    import psutil

    children = psutil.Process(pid).children()
    return [child.pid for child in children if "spawn_main" in " ".join(child.cmdline())]


def _wait(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.1)


@contextmanager
def cluster(folder: Path, nodes: int) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A scheduler, and workers with folders of their own, as on so many machines."""
    folder.mkdir()
    file = folder / "scheduler.json"
    with ExitStack() as stack:

        def start(*arguments: str, cwd: Path) -> subprocess.Popen[bytes]:
            process = subprocess.Popen(
                [BIN / "dask", *arguments], cwd=cwd, stderr=subprocess.DEVNULL, start_new_session=True
            )
            stack.callback(_end, process)
            return process

        arguments = ("--port", "0", "--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(file))
        scheduler = start("scheduler", *arguments, cwd=folder)
        _wait(lambda: file.exists() and file.read_text(encoding="utf-8").endswith("}"))
        address = json.loads(file.read_text(encoding="utf-8"))["address"]
        for number in range(nodes):
            own = folder / f"node{number}"
            own.mkdir()
            start(
                "worker", address, "--nthreads", "1", "--no-dashboard", "--local-directory", str(own), cwd=own
            )
        yield address, scheduler


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def main() -> int:
    """Run the sections that are asked for; 0 if all budgets hold."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "sections", nargs="*", metavar="SECTION", help="throughput, memory, deaths; all by default"
    )
    parser.add_argument("--sources", nargs="+", type=Path, default=[CACHE], help="folders of Python files")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", nargs="+", type=int, default=ROWS, help="files whose memory is measured")
    options = parser.parse_args()
    if unknown := set(options.sections) - set(SECTIONS):
        parser.error(f"no such section: {' '.join(sorted(unknown))}")
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    sources = [source.resolve() for source in options.sources]
    holds = True
    for section in options.sections or SECTIONS:
        with tempfile.TemporaryDirectory(prefix="batchmean-scan-") as name:
            print(f"== {section}", flush=True)
            if section == "throughput":
                holds = throughput(sources, options.rounds, Path(name)) and holds
            elif section == "memory":
                holds = memory(sources, options.rows, Path(name)) and holds
            else:
                holds = deaths(sources, Path(name)) and holds
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
