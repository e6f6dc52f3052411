"""What a scan writes: a Parquet file for each piece, all of it or nothing, with a row for each file.

`OUT/parts/shard=ab/ab12….parquet`, and beside them `OUT/scan.json` with what was asked for: a verdict of another
version or of other rules is never mixed in.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from typing import Any

from batchmean import __version__
from batchmean.scan.sources import Piece, shown

ABOUT = "scan.json"
_PARTS = "parts"
_DRAFT = ".draft-"


class OutError(Exception):
    """A folder that cannot take this scan; the message is one line."""


def prepare(out: str, asked: dict[str, Any]) -> None:
    """Make the folder, or see that what is there belongs to the same scan."""
    about = {"version": __version__, **asked}
    file = os.path.join(out, ABOUT)
    try:
        with open(file, encoding="utf-8") as stream:
            before = json.load(stream)
    except FileNotFoundError:
        before = about
        if os.path.isdir(out) and os.listdir(out):
            raise OutError(f"{shown(out)}: is not empty, and holds no scan") from None
        os.makedirs(os.path.join(out, _PARTS), exist_ok=True)
        draft = f"{file}{_DRAFT}{os.getpid()}"
        with open(draft, "w", encoding="utf-8") as stream:
            json.dump(about, stream, indent=2)
        os.replace(draft, file)
    except ValueError:
        raise OutError(f"{shown(file)}: is no JSON") from None
    if before != about:
        differs = sorted(
            name for name in about if not isinstance(before, dict) or before.get(name) != about[name]
        )
        raise OutError(
            f"{shown(out)}: holds a scan with another {' and '.join(differs)}: take another folder"
        )
    tidy(out)


def tidy(out: str) -> None:
    """Take away what workers that were killed have left half done."""
    for folder in _folders(out):
        for name in os.listdir(folder):
            if _DRAFT in name:
                os.unlink(os.path.join(folder, name))


def key_of(piece: Piece) -> str:
    """The name of a piece's part: the same as long as the piece and its content are."""
    return hashlib.sha256(json.dumps(piece).encode()).hexdigest()[:24]


def path_of(out: str, key: str) -> str:
    """Where the part of a piece is."""
    return os.path.join(out, _PARTS, f"shard={key[:2]}", f"{key}.parquet")


def files(out: str) -> Iterator[str]:
    """All parts that are there."""
    for folder in _folders(out):
        for name in sorted(os.listdir(folder)):
            if name.endswith(".parquet"):
                yield os.path.join(folder, name)


def _folders(out: str) -> Iterator[str]:
    parent = os.path.join(out, _PARTS)
    if os.path.isdir(parent):
        for name in sorted(os.listdir(parent)):
            if name.startswith("shard="):
                yield os.path.join(parent, name)


def schema() -> Any:
    """The columns of a part."""
    import pyarrow as pa

    text, number = pa.string(), pa.int64()
    finding = pa.struct([
        *((name, text) for name in ("code", "name", "message", "confidence", "factor", "excerpt")),
        *((name, number) for name in ("cell", "line", "column", "end_line", "end_column", "excerpt_line")),
        ("because", pa.list_(text)),
    ])  # fmt: skip
    return pa.schema([
        ("source", text),
        ("repository", text),
        ("path", text),
        ("sha256", text),
        ("size", number),
        ("linted", pa.bool_()),
        ("errors", pa.list_(text)),
        ("findings", pa.list_(finding)),
        ("scanned_at", pa.timestamp("s", tz="UTC")),
    ])  # fmt: skip


def write(out: str, piece: Piece, rows: Iterable[dict[str, Any]]) -> dict[str, int]:
    """Write the part of a piece as its rows come, and put it in its place when all are there. Returns counts."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = path_of(out, key_of(piece))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    draft = f"{path}{_DRAFT}{os.getpid()}-{os.urandom(4).hex()}"
    now = datetime.now(timezone.utc).replace(microsecond=0)
    counts = dict.fromkeys(("files", "linted", "findings", "errors"), 0)
    columns = schema()
    try:
        with pq.ParquetWriter(draft, columns, compression="zstd") as writer:
            batch: list[dict[str, Any]] = []
            for row in rows:
                batch.append({**row, "source": shown(piece.source), "scanned_at": now})
                counts["files"] += row["path"] != ""
                counts["linted"] += row["linted"]
                counts["findings"] += len(row["findings"])
                counts["errors"] += bool(row["errors"])
                if len(batch) == 1024:
                    writer.write_table(pa.Table.from_pylist(batch, columns))
                    batch = []
            writer.write_table(pa.Table.from_pylist(batch, columns))
        os.replace(draft, path)
    except BaseException:
        if os.path.lexists(draft):
            os.unlink(draft)
        raise
    return counts


def whole(out: str) -> tuple[set[str], Iterator[tuple[str, list[str]]]]:
    """The keys of the parts that need not be done again, and then, for each, the contents that it has verdicts on.

    A part that leans on a verdict that no part has (its task never ended) is not whole.
    """
    import duckdb

    there = list(files(out))
    if not there:
        return set(), iter(())
    try:
        with duckdb.connect() as database:
            database.read_parquet(there, filename=True).create_view("rows")
            lacking = database.execute("""
                SELECT DISTINCT filename FROM rows
                WHERE NOT linted AND sha256 IS NOT NULL AND sha256 NOT IN (SELECT sha256 FROM rows WHERE linted)
            """).fetchall()
    except duckdb.Error as error:
        raise OutError(f"{shown(out)}: cannot be read: {' '.join(str(error).split())}") from None
    kept = sorted(set(there) - {name for (name,) in lacking})
    return {_key(name) for name in kept}, _verdicts(kept)


def _verdicts(paths: list[str]) -> Iterator[tuple[str, list[str]]]:
    import pyarrow.parquet as pq

    for path in paths:
        table = pq.read_table(path, columns=["sha256", "linted"], partitioning=None)
        rows = zip(table.column("sha256").to_pylist(), table.column("linted").to_pylist(), strict=True)
        yield _key(path), [sha for sha, is_linted in rows if is_linted]


def _key(path: str) -> str:
    return os.path.basename(path).removesuffix(".parquet")
