"""`batchmean scan`: every source, every way of dying, and nothing lost or twice."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from batchmean.scan import sources
from batchmean.scan.guard import Guard, Limits
from batchmean.scan.sources import Piece, items, pieces
from batchmean.source import SourceError

from benchmarks.scan import DEADLY
from tests.faces.support import RIGHT, WRONG, Run, Write

MISSING = [
    name for name in ("dask", "duckdb", "dulwich", "pyarrow") if importlib.util.find_spec(name) is None
]
needs_scale = pytest.mark.skipif(
    bool(MISSING) and os.environ.get("BATCHMEAN_HEAVY") != "1",
    reason=f"{' and '.join(MISSING)} not installed",
)
PATIENCE = 120.0

MODES: Any = {".tar": "w", ".gz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz"}


def archive(path: Path, files: dict[str, bytes]) -> Path:
    """A zip or a tar of these members."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in (".zip", ".whl"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
            for name, data in files.items():
                zipped.writestr(name, data)
        return path
    with tarfile.open(path, MODES[path.suffix]) as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def bare(path: Path, work: Path) -> Path:
    """A bare repository with a folder as its only commit, tagged v1."""
    run = [
        "git",
        "-C",
        str(work),
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@example.org",
        "-c",
        "init.defaultBranch=main",
    ]
    for arguments in (
        ["init", "-q"],
        ["add", "-A", "."],
        ["commit", "-q", "-m", "first"],
        ["tag", "-a", "v1", "-m", "one"],
    ):
        subprocess.run([*run, *arguments], check=True)
    subprocess.run(["git", "clone", "-q", "--bare", str(work), str(path)], check=True)
    return path


def table(path: Path, rows: Sequence[tuple[str, str]]) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    names, texts = zip(*rows, strict=True)
    data = pa.table({"path": names, "content": texts, "repo_name": ["a/b"] * len(rows)})
    pq.write_table(data, path, row_group_size=2)
    return path


def read(source: Path | str, limits: Limits | None = None) -> list[dict[str, Any]]:
    """All rows of a source, without Dask."""
    guard = Guard(limits or Limits())
    request = {"select": ["BMN102"], "min_confidence": "likely"}
    failed: list[SourceError] = []
    try:
        found = [
            row
            for piece in pieces([str(source)], failed.append, guard.cut)
            for row in guard.rows(piece, request, set)
        ]
    finally:
        guard.close()
    assert not failed
    return found


FILES = {"pkg/wrong.py": WRONG.encode(), "pkg/right.py": RIGHT.encode(), "pkg/data.txt": b"\0"}


@pytest.mark.heavy
@needs_scale
@pytest.mark.parametrize(
    "kind", ["folder", "zip", "whl", "tar", "tar.gz", "tar.bz2", "tar.xz", "git", "git@v1", "parquet"]
)
def test_every_source_has_the_same_findings(kind: str, tmp_path: Path) -> None:
    work = tmp_path / "source"
    for name, data in FILES.items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_bytes(data)
    source: Path | str
    if kind == "folder":
        source = work
    elif kind.startswith("git"):
        source = f"{bare(tmp_path / 'bare.git', work)}{kind[3:]}"
    elif kind == "parquet":
        source = table(
            tmp_path / "a.parquet", [("pkg/wrong.py", WRONG), ("a.md", "x"), ("pkg/right.py", RIGHT)]
        )
    else:
        source = archive(tmp_path / f"a.{kind}", FILES)
    rows = {row["path"]: row for row in read(source)}
    assert set(rows) == {"pkg/wrong.py", "pkg/right.py"}
    [finding] = rows["pkg/wrong.py"]["findings"]
    assert (finding["code"], finding["line"]) == ("BMN102", WRONG.count("\n"))
    assert "(target * logp).mean()" in finding["excerpt"]
    assert rows["pkg/right.py"]["linted"] and not rows["pkg/right.py"]["findings"]
    assert not any(row["errors"] for row in rows.values())


@pytest.mark.heavy
def test_members_are_names_and_nothing_is_unpacked(tmp_path: Path) -> None:
    names = [
        "../../evil.py",
        "/etc/evil.py",
        "C:\\evil.py",
        "a/./b/../evil.py",
        "\x1b[2Jevil.py",
        "e\u202evil.py",
    ]
    archive(tmp_path / "z" / "evil.zip", dict.fromkeys(names, WRONG.encode()))
    path = tmp_path / "t" / "evil.tar"
    path.parent.mkdir()
    with tarfile.open(path, "w") as tar:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE):
            member = tarfile.TarInfo(f"link{kind.decode()}.py")
            member.type, member.linkname = kind, "/etc/passwd"
            tar.addfile(member)
        member = tarfile.TarInfo("../evil.py")
        member.size = len(WRONG)
        tar.addfile(member, io.BytesIO(WRONG.encode()))
    before = sorted(tmp_path.rglob("*"))
    assert [row["path"] for row in read(tmp_path / "z" / "evil.zip")] == names
    assert [row["path"] for row in read(path)] == ["../evil.py"]
    assert sorted(tmp_path.rglob("*")) == before


def test_what_unpacks_to_too_much_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_UNPACKED", 1 << 20)
    monkeypatch.setattr(sources, "MAX_BYTES", 1 << 19)
    files = {
        "a.py": b"x = 1\n",
        "large.py": b"#" * (1 << 19) + b"#",
        "bomb.bin": bytes(1 << 21),
        "b.py": b"y = 1\n",
    }
    read_before: list[str] = []
    with pytest.raises(SourceError, match="unpacks to more than"):
        for item in items(Piece("tar", "", str(archive(tmp_path / "a.tar.gz", files)), "a", [])):
            read_before.append(item.name)
            if item.name == "large.py":
                with pytest.raises(SourceError, match="is larger than"):
                    item.read()
    assert read_before == ["a.py", "large.py"]
    for item in items(Piece("zip", "", str(archive(tmp_path / "a.zip", files)), "a", [])):
        if item.name == "large.py":
            with pytest.raises(SourceError, match="is larger than"):
                item.read()
        else:
            assert item.read().endswith(b"= 1\n")


@pytest.mark.heavy
def test_what_is_begun_and_given_up_does_not_get_into_what_follows(tmp_path: Path) -> None:
    found = [
        archive(tmp_path / f"{name}.zip", {f"{name}.py": WRONG.encode()}) for name in ("first", "second")
    ]
    guard = Guard(Limits())
    request = {"select": ["BMN102"], "min_confidence": "likely"}

    def refuse(contents: list[str]) -> set[str]:
        raise OSError("no disk")

    try:
        first, second = pieces(map(str, found), lambda error: pytest.fail(error.message), guard.cut)
        with pytest.raises(OSError, match="no disk"):
            list(guard.rows(first, request, refuse))
        rows = guard.rows(first, request, set)
        assert next(rows)["path"] == "first.py"
        rows.close()  # type: ignore[attr-defined]
        assert [row["path"] for row in guard.rows(second, request, set)] == ["second.py"]
    finally:
        guard.close()


@pytest.mark.heavy
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="names of files are text there")
def test_names_that_are_no_text_are_spelled_out(tmp_path: Path) -> None:
    import pyarrow as pa
    from batchmean.scan import parts

    (tmp_path / os.fsdecode(b"\xff.py")).write_text(WRONG, encoding="utf-8")
    [row] = read(tmp_path)
    assert row["path"] == "\\udcff.py" and row["findings"]
    assert pa.Table.from_pylist([row], parts.schema()).num_rows == 1


@pytest.mark.heavy
@needs_scale
def test_what_is_broken_is_named(tmp_path: Path) -> None:
    whole = archive(tmp_path / "a.tar.gz", {**FILES, "pkg/noise.py": os.urandom(9999)}).read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "no.zip").write_bytes(b"no zip")
    (tmp_path / "no.parquet").write_bytes(b"PAR1 nothing PAR1")
    elsewhere = bare(tmp_path / "elsewhere.git", tmp_path)
    (elsewhere / "objects" / "info" / "alternates").write_text("/somewhere\n", encoding="utf-8")
    assert read(tmp_path / "cut.tar.gz")[-1]["errors"]
    for name in ("no.zip", "no.parquet"):
        [row] = read(tmp_path / name)
        assert row["errors"] and row["path"] == ""
    failed: list[SourceError] = []
    assert not list(pieces([str(elsewhere)], failed.append, lambda piece: [piece]))
    assert "has its objects elsewhere" in failed[0].message


@pytest.mark.heavy
@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_a_file_that_kills_hangs_or_eats_memory_is_named(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deadly").mkdir()
    (tmp_path / "deadly" / "sitecustomize.py").write_text(DEADLY, encoding="utf-8")
    path = os.pathsep.join(filter(None, [str(tmp_path / "deadly"), os.environ.get("PYTHONPATH")]))
    monkeypatch.setenv("PYTHONPATH", path)
    deadly = {name: f"# {name}\n".encode() for name in ("kill", "exit", "hang", "eat")}
    files = {f"a{number}.py": f"# {number}\n{WRONG}".encode() for number in range(8)}
    for number, (name, data) in enumerate(deadly.items()):
        files[f"a{number}{name}.py"] = data
    if kind == "zip":
        source = archive(tmp_path / "a.zip", files)
    else:
        source = tmp_path / "folder"
        source.mkdir()
        for name, data in files.items():
            (source / name).write_bytes(data)
    rows = {row["path"]: row for row in read(source, Limits(seconds=3, memory=1024))}
    assert set(rows) == set(files)
    for name, row in rows.items():
        dies = next((word for word in deadly if word in name), None)
        assert row["linted"] and row["sha256"]
        assert len(row["findings"]) == (dies is None)
        assert bool(row["errors"]) == (dies is not None)
    assert rows["a0kill.py"]["errors"] == ["ended the process that read it (signal 9)"]
    assert rows["a1exit.py"]["errors"] == ["ended the process that read it (exit code 3)"]
    assert rows["a2hang.py"]["errors"] == ["takes longer than 3 s"]
    assert rows["a3eat.py"]["errors"] == ["not enough memory"]


def stored(out: Path) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    files = sorted(out.glob("parts/*/*"))
    assert all(file.suffix == ".parquet" for file in files)
    return [row for file in files for row in pq.read_table(file, partitioning=None).to_pylist()]


def assert_nothing_is_lost_or_twice(out: Path, names: Iterator[str] | Sequence[str]) -> None:
    rows = stored(out)
    assert Counter(row["path"] for row in rows) == Counter(names)
    contents = {row["sha256"] for row in rows}
    assert Counter(row["sha256"] for row in rows if row["linted"]) == Counter(contents)


@pytest.mark.heavy
@needs_scale
def test_a_scan_and_its_report(batchmean: Run, write: Write, tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    marked = WRONG.replace("    return", f"    # {evil} [red]\x1b[2J\n    return")
    write({
        "src/one/a.py": WRONG,
        "src/one/b.py": RIGHT,
        "src/one/broken.py": "def\n",
        "src/two/copy.py": WRONG,
        f"src/two/{evil[:8]}.py": marked,
    })  # fmt: skip
    names = ["a.py", "b.py", "broken.py"]
    names = [*(f"one/{name}" for name in names), "two/copy.py", f"two/{evil[:8]}.py"]
    done = batchmean("scan", "src", "--to", "out", "--jobs", "2")
    assert done.returncode == 0, done.stderr
    assert not done.stdout and done.stderr.startswith(
        "note: 5 files in 2 parts, 1 of them copies or unreadable"
    )
    assert_nothing_is_lost_or_twice(tmp_path / "out", names)

    again = batchmean("scan", "src", "--to", "out", "--jobs", "1")
    assert again.returncode == 0 and again.stderr.startswith("note: 0 files in 0 parts")
    write({"src/one/b.py": f"# changed\n{WRONG}"})
    changed = batchmean("scan", "src", "--to", "out", "--jobs", "1")
    assert changed.stderr.startswith("note: 3 files in 1 parts, 2 of them copies or unreadable")

    text = batchmean("scan", "report", "out")
    assert text.returncode == 0, text.stderr
    assert re.search(r"^BMN102 +class-axis-mean +3 +4 +2$", text.stdout, re.MULTILINE)
    assert re.search(r"^one +2 +2 +BMN102$", text.stdout, re.MULTILINE)
    assert "syntax error on line N" in text.stdout
    assert "one/a.py" in text.stdout and "(target * logp).mean()" in text.stdout
    assert "\x1b" not in text.stdout
    page = batchmean("scan", "report", "out", "--format", "html", "--output-file", "page.html")
    assert page.returncode == 0 and not page.stdout
    html = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;alert(1)" in html and "<script" not in html and "\x1b" not in html
    assert "default-src 'none'" in html

    other = batchmean("scan", "src", "--to", "out", "--select", "BMN1")
    assert other.returncode == 2
    assert (
        other.stderr == f"error: {tmp_path / 'out'}: holds a scan with another select: take another folder\n"
    )


@pytest.mark.heavy
@needs_scale
def test_what_cannot_be_scanned_is_a_line(batchmean: Run, write: Write, tmp_path: Path) -> None:
    write({"a.txt": "x", "src/a.py": WRONG, "full/a.py": ""})
    done = batchmean("scan", "a.txt", "nowhere", "src", "--to", "out", "--jobs", "1", "--quiet")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"error: {tmp_path / 'a.txt'}: is neither a folder nor Parquet, an archive, a bare git repository or Python",
        f"error: {tmp_path / 'nowhere'}: no such file or directory",
    ]
    assert len(stored(tmp_path / "out")) == 1
    for arguments, words in (
        (["--to", "out"], "there is no SOURCE to scan"),
        (["src", "--to", "full"], "is not empty, and holds no scan"),
        (["src", "--to", "out", "--select", "BMN99"], "unknown code 'BMN99'"),
        (["report", "full"], "there is no scan to report on"),
    ):
        wrong = batchmean("scan", *arguments)
        assert wrong.returncode == 2 and words in wrong.stderr and wrong.stderr.count("\n") == 1
    gone = batchmean("scan", "src", "--to", "other", "--scheduler", "tcp://127.0.0.1:1")
    assert (
        gone.returncode == 1 and gone.stderr.count("\n") == 1 and "run the same command again" in gone.stderr
    )


def test_a_missing_extra_is_one_line(batchmean: Run, write: Write, tmp_path: Path) -> None:
    write({"without/distributed.py": "raise ModuleNotFoundError('it is not there', name='distributed')\n"})
    path = os.pathsep.join(filter(None, [str(tmp_path / "without"), os.environ.get("PYTHONPATH")]))
    done = batchmean("scan", "without", "--to", "out", PYTHONPATH=path)
    assert done.returncode == 2
    assert done.stderr == "error: scan needs distributed: pip install '.[scale]' in a checkout of batchmean\n"
    assert not (tmp_path / "out").exists()


@pytest.fixture
def slow(write: Write, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Forty repositories of three files that take their time; the environment that makes them."""
    write({"deadly/sitecustomize.py": DEADLY})
    for number in range(40):
        texts = {f"f{i}.py": f"# slow {number} {i}\n{WRONG}" for i in range(2)}
        write({f"src/r{number}/{name}": text for name, text in {**texts, "same.py": RIGHT}.items()})
    yield {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(tmp_path / "deadly"), os.environ.get("PYTHONPATH")]))
    }


NAMES = [f"r{number}/{name}" for number in range(40) for name in ("f0.py", "f1.py", "same.py")]


@contextmanager
def started(*command: str, cwd: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A program beside this interpreter, in a session of its own; it is ended with all that it has started."""
    with subprocess.Popen(
        [str(Path(sys.executable).parent / command[0]), *command[1:]],
        cwd=cwd,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def wait_for(condition: Any, what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def children(pid: int, word: str) -> list[int]:
    """The processes that this one has started, whose command line has this word."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parent = int((folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            except (OSError, ValueError):
                continue
            if parent == pid and word in line:
                found.append(int(folder.name))
    return found


needs_proc = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")


@pytest.mark.heavy
@needs_scale
@needs_proc
def test_a_killed_worker_loses_nothing(slow: dict[str, str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    with started("batchmean", "scan", "src", "--to", "out", "--jobs", "2", cwd=tmp_path, **slow) as process:
        wait_for(lambda: len(list(out.glob("parts/*/*.parquet"))) >= 3, "no part came")
        workers = children(process.pid, "spawn_main")
        assert workers
        os.kill(workers[0], signal.SIGKILL)
        _, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, errors
    assert_nothing_is_lost_or_twice(out, NAMES)


DEADLY_TO_WORKERS = """\
import os, sys

if "spawn_main" in " ".join(sys.orig_argv):
    import batchmean.scan.parts as parts

    real = parts.write

    def write(out, piece, rows):
        if piece.repository == "deadly":
            os.kill(os.getpid(), 9)
        return real(out, piece, rows)

    parts.write = write
"""


@pytest.mark.heavy
@needs_scale
@needs_proc
def test_a_piece_that_kills_its_workers_is_named(batchmean: Run, write: Write, tmp_path: Path) -> None:
    write({"patch/sitecustomize.py": DEADLY_TO_WORKERS, "src/deadly/a.py": WRONG})
    write({f"src/r{number}/a.py": f"# {number}\n{WRONG}" for number in range(6)})
    path = os.pathsep.join(filter(None, [str(tmp_path / "patch"), os.environ.get("PYTHONPATH")]))
    done = batchmean("scan", "src", "--to", "out", "--jobs", "1", PYTHONPATH=path)
    assert done.returncode == 1
    errors = done.stderr.splitlines()
    assert any(line.startswith(f"error: {tmp_path / 'src'}: its workers died") for line in errors)
    again = batchmean("scan", "src", "--to", "out", "--jobs", "1")
    assert again.returncode == 0, again.stderr
    assert_nothing_is_lost_or_twice(tmp_path / "out", ["deadly/a.py", *(f"r{n}/a.py" for n in range(6))])


@pytest.mark.heavy
@needs_scale
@needs_proc
def test_a_killed_scan_goes_on(batchmean: Run, slow: dict[str, str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    with started("batchmean", "scan", "src", "--to", "out", "--jobs", "2", cwd=tmp_path, **slow) as process:
        wait_for(lambda: len(list(out.glob("parts/*/*.parquet"))) >= 3, "no part came")
        workers = children(process.pid, "spawn_main")
        process.kill()
        process.wait()
        wait_for(
            lambda: not any(Path(f"/proc/{worker}/cmdline").exists() for worker in workers), "a worker stayed"
        )
    before = len(list(out.glob("parts/*/*.parquet")))
    done = batchmean("scan", "src", "--to", "out", "--jobs", "2", **slow)
    assert done.returncode == 0, done.stderr
    assert f"{before} parts were there" in done.stderr
    assert_nothing_is_lost_or_twice(out, NAMES)


@pytest.mark.heavy
@needs_scale
def test_two_nodes_and_a_killed_scheduler(batchmean: Run, slow: dict[str, str], tmp_path: Path) -> None:
    out = tmp_path / "out"

    @contextmanager
    def cluster(name: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
        file = tmp_path / f"{name}.json"
        with started(
            "dask", "scheduler", "--port", "0", "--no-dashboard", "--scheduler-file", str(file),
            "--host", "127.0.0.1", cwd=tmp_path, **slow,
        ) as scheduler:  # fmt: skip
            wait_for(lambda: file.exists() and file.read_text(encoding="utf-8").endswith("}"), "no scheduler")
            address = json.loads(file.read_text(encoding="utf-8"))["address"]
            with node("one", address), node("two", address):
                yield address, scheduler

    @contextmanager
    def node(name: str, address: str) -> Iterator[None]:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        with started(
            "dask", "worker", address, "--nthreads", "1", "--no-dashboard", "--local-directory", str(folder),
            "--name", name, cwd=folder, **slow,
        ):  # fmt: skip
            yield

    with (
        cluster("first") as (address, scheduler),
        started(
            "batchmean", "scan", "src", "--to", "out", "--scheduler", address, cwd=tmp_path, **slow
        ) as process,
    ):
        wait_for(lambda: len(list(out.glob("parts/*/*.parquet"))) >= 3, "no part came")
        scheduler.kill()
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1, errors
    assert errors == "error: the scheduler is gone; run the same command again to go on\n"
    before = len(list(out.glob("parts/*/*.parquet")))
    assert 3 <= before < 40
    with cluster("second") as (address, _):
        done = batchmean("scan", "src", "--to", "out", "--scheduler", address, **slow)
    assert done.returncode == 0, done.stderr
    assert f"{before} parts were there" in done.stderr
    assert_nothing_is_lost_or_twice(out, NAMES)
