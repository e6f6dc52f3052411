"""What there is to read: sources are cut into pieces without opening a file, and a piece has items in a fixed order.

Nothing is unpacked to the disk, checked out or executed. Whatever an archive calls its members, the names are text.
"""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from functools import partial
from itertools import islice
from typing import IO, Any, NamedTuple

from batchmean.source import MAX_BYTES, SUFFIXES, SourceError, legible, read_bytes
from batchmean.source import reason as reason_of
from batchmean.walk import leads_out, real_folders, walk

FILES_PER_PIECE = 512
BYTES_PER_PIECE = 8 << 20
MAX_UNPACKED = 8 << 30
"""Bytes that one archive may unpack to, what is passed over among them."""
MAX_MEMBERS = 1_000_000

_CUT = 256  # one in so many paths ends a piece: a file more or less changes a few pieces, not all that follow
_TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_ZIPS = (".zip", ".whl", ".egg")
_TEXTS = ("content", "code", "text", "source")
_PATHS = ("path", "max_stars_repo_path", "file_path", "filename", "name")
_REPOSITORIES = ("repo_name", "max_stars_repo_name", "repository_name", "repository", "repo")
_ROWS = 64  # of Parquet that are in memory at a time
_MARKS = (".git", "pyproject.toml", "setup.py")  # of a folder that is one repository


class Piece(NamedTuple):
    """A part of a source that one task reads: of its items those from `start` to before `stop`."""

    kind: str
    source: str
    """The source as it was given."""
    path: str
    repository: str
    stamp: list[Any]
    """Equal as long as the content is: sizes and times, a commit."""
    names: list[str] = []  # noqa: RUF012 - never changed
    """The files, where they are known before reading."""
    detail: str | None = None
    """The row group, the commit, the column."""
    start: int = 0
    stop: int | None = None


class Item(NamedTuple):
    """One file; `read` may raise `SourceError`."""

    repository: str
    name: str
    read: Callable[[], bytes]


def pieces(
    sources: Iterable[str],
    failed: Callable[[SourceError], None],
    split: Callable[[Piece], list[Piece]],
    column: str | None = None,
) -> Iterator[Piece]:
    """All pieces of all sources; `split` cuts what has to be opened for that, in a process that may crash."""
    for source in sources:
        try:
            yield from _pieces_of(source, failed, split, column)
        except SourceError as error:
            failed(error)
        except OSError as error:
            failed(SourceError(source, reason_of(error)))


def _pieces_of(
    source: str,
    failed: Callable[[SourceError], None],
    split: Callable[[Piece], list[Piece]],
    column: str | None,
) -> Iterator[Piece]:
    path, revision = _revision(source)
    absolute = os.path.abspath(path)
    status = os.stat(absolute)
    base = os.path.basename(absolute)
    if stat.S_ISDIR(status.st_mode):
        if _is_bare(absolute):
            commit = _commit(absolute, revision)
            yield from split(Piece("git", source, absolute, base.removesuffix(".git"), [], detail=commit))
        else:
            yield from _of_folder(source, absolute, failed)
        return
    if not stat.S_ISREG(status.st_mode):
        raise SourceError(source, "is no regular file")
    stamp = [status.st_size, status.st_mtime_ns]
    lower = base.lower()
    if lower.endswith(_ZIPS):
        yield from split(Piece("zip", source, absolute, _without(base, _ZIPS), stamp))
    elif lower.endswith(_TARS):
        yield Piece("tar", source, absolute, _without(base, _TARS), stamp)
    elif lower.endswith(".parquet"):
        yield from split(
            Piece("parquet", source, absolute, _without(base, (".parquet",)), stamp, detail=column)
        )
    elif lower.endswith(SUFFIXES):
        yield Piece("files", source, os.path.dirname(absolute), base, stamp, [base])
    else:
        raise SourceError(
            source, "is neither a folder nor Parquet, an archive, a bare git repository or Python"
        )


def _revision(source: str) -> tuple[str, str]:
    """`repo.git@v1.0` is that repository at that revision, unless it is a file by that name."""
    if "@" in source and not os.path.lexists(source):
        path, _, revision = source.rpartition("@")
        if os.path.isdir(path):
            return path, revision
    return source, "HEAD"


def _without(name: str, endings: tuple[str, ...]) -> str:
    ending = max((end for end in endings if name.lower().endswith(end)), key=len)
    return name[: -len(ending)] or name


def _of_folder(source: str, folder: str, failed: Callable[[SourceError], None]) -> Iterator[Piece]:
    is_one = any(os.path.lexists(os.path.join(folder, mark)) for mark in _MARKS)
    names: list[str] = []
    stamp: list[Any] = []
    size = 0
    last = None
    for path in walk(folder, lambda path: False, failed):
        name = os.path.relpath(path, folder)
        first, _, below = name.partition(os.sep)
        repository = first if below and not is_one else os.path.basename(folder)
        is_full = len(names) >= FILES_PER_PIECE or size >= BYTES_PER_PIECE
        if names and (is_full or repository != last):
            yield Piece("files", source, folder, last or repository, stamp, names)
            names, stamp, size = [], [], 0
        last = repository
        try:
            status = os.stat(path)
            stamp.append([status.st_size, status.st_mtime_ns])
            size += status.st_size
        except OSError:  # reading it says what is wrong
            stamp.append(None)
        names.append(name)
        if zlib.crc32(os.fsencode(name)) % _CUT == 0:
            yield Piece("files", source, folder, repository, stamp, names)
            names, stamp, size = [], [], 0
    if names:
        yield Piece("files", source, folder, last or os.path.basename(folder), stamp, names)


def cut(piece: Piece) -> list[Piece]:
    """An archive, a repository or a table in pieces. It is opened for that."""
    if piece.kind == "parquet":
        return _row_groups(piece)
    count = sum(1 for _ in islice(_wanted(piece), MAX_MEMBERS + 1))
    starts = range(0, max(count, 1), FILES_PER_PIECE)
    return [piece._replace(start=start, stop=start + FILES_PER_PIECE) for start in starts]


def items(piece: Piece) -> Iterator[Item]:
    """What is in a piece, in the order of the source. Raises `SourceError`, and whatever the libraries raise."""
    return islice(_items(piece), piece.start, piece.stop)


def _items(piece: Piece) -> Iterator[Item]:
    if piece.kind == "files":
        outside = real_folders([piece.path])
        for name in piece.names:
            yield Item(piece.repository, name, _Reader(os.path.join(piece.path, name), outside))
    elif piece.kind == "zip":
        yield from _of_zip(piece)
    elif piece.kind == "tar":
        yield from _of_tar(piece)
    elif piece.kind == "git":
        yield from _of_git(piece)
    else:
        yield from _of_parquet(piece)


def _wanted(piece: Piece) -> Iterator[object]:
    return _of_zip(piece) if piece.kind == "zip" else _of_git(piece)


class _Reader:
    """Reads a file of a folder, but for links that lead out of it by now."""

    def __init__(self, path: str, folders: tuple[str, ...]) -> None:
        self._path = path
        self._folders = folders

    def __call__(self) -> bytes:
        if os.path.islink(self._path) and leads_out(self._path, self._folders):
            raise SourceError(self._path, "is a link that leads out of its source")
        return read_bytes(self._path)


class _Budget:
    """How many bytes an archive may still unpack to."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._left = MAX_UNPACKED

    def spend(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise SourceError(
                self._path, f"unpacks to more than {MAX_UNPACKED >> 30} GiB: the rest is left out"
            )


class _Counted:
    """A stream that is read, and what it gives is taken from a budget."""

    def __init__(self, stream: IO[bytes], budget: _Budget) -> None:
        self._stream = stream
        self._budget = budget

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._budget.spend(len(data))
        return data


def _bounded(read: Callable[[int], bytes], name: str) -> bytes:
    """No more than is linted at all, whatever the archive says of the size."""
    data = read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise SourceError(name, f"is larger than {MAX_BYTES >> 20} MiB")
    return data


def _of_zip(piece: Piece) -> Iterator[Item]:
    import zipfile

    budget = _Budget(piece.path)
    with zipfile.ZipFile(piece.path) as archive:
        members = archive.infolist()
        if len(members) > MAX_MEMBERS:
            raise SourceError(piece.path, f"has more than {MAX_MEMBERS} members")
        for member in members:
            if member.filename.endswith(SUFFIXES):

                def read(member: zipfile.ZipInfo = member) -> bytes:
                    with archive.open(member) as stream:
                        data = _bounded(stream.read, member.filename)
                    budget.spend(len(data))
                    return data

                yield Item(piece.repository, member.filename, read)


def _of_tar(piece: Piece) -> Iterator[Item]:
    """In one pass: what is passed over is unpacked, too, and counts."""
    import bz2
    import gzip
    import lzma
    import tarfile

    with open(piece.path, "rb") as raw:
        head = raw.read(6)
        raw.seek(0)
        opened: Any = raw
        if head.startswith(b"\x1f\x8b"):
            opened = gzip.GzipFile(fileobj=raw)
        elif head.startswith(b"BZh"):
            opened = bz2.BZ2File(raw)
        elif head.startswith(b"\xfd7zXZ"):
            opened = lzma.LZMAFile(raw)  # noqa: SIM115 - `raw` is closed
        stream: Any = _Counted(opened, _Budget(piece.path))
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for count, member in enumerate(iter(archive.next, None)):
                archive.members = []  # type: ignore[attr-defined] # they would be kept
                if count >= MAX_MEMBERS:
                    raise SourceError(piece.path, f"has more than {MAX_MEMBERS} members")
                if member.isreg() and member.name.endswith(SUFFIXES):
                    file = archive.extractfile(member)
                    if file is not None:
                        yield Item(piece.repository, member.name, partial(_bounded, file.read, member.name))


def _is_bare(folder: str) -> bool:
    return os.path.isfile(os.path.join(folder, "HEAD")) and all(
        os.path.isdir(os.path.join(folder, name)) for name in ("objects", "refs")
    )


def _commit(folder: str, revision: str) -> str:
    """The id that a branch, a tag or HEAD stands for now. Nothing but the references is read, no settings."""
    try:
        from dulwich.refs import DiskRefsContainer
    except ModuleNotFoundError as error:
        raise SourceError(folder, f"is a git repository, and {error.name} is not installed") from None
    inside = real_folders([folder])
    for name in (
        "objects",
        "objects/pack",
        "objects/info/alternates",
        "refs",
        "packed-refs",
        "HEAD",
        "commondir",
    ):
        path = os.path.join(folder, name)
        is_elsewhere = name in ("objects/info/alternates", "commondir")
        if os.path.lexists(path) and (is_elsewhere or leads_out(os.path.join(path, ""), inside)):
            raise SourceError(folder, f"has its objects elsewhere ({name}), so it is not read")
    if len(revision) == 40 and set(revision) <= set("0123456789abcdef"):
        return revision
    refs = DiskRefsContainer(folder)
    for prefix in ("", "refs/heads/", "refs/tags/", "refs/remotes/origin/"):
        try:
            found: bytes = refs[(prefix + revision).encode()]
        except Exception:  # of hostile references, what it likes
            continue
        return found.decode()
    raise SourceError(folder, f"has no revision {revision}")


def _of_git(piece: Piece) -> Iterator[Item]:
    from dulwich.object_store import DiskObjectStore
    from dulwich.objects import Blob, Commit, Tag

    with closing(DiskObjectStore(os.path.join(piece.path, "objects"))) as store:
        found: Any = store[(piece.detail or "").encode()]
        while isinstance(found, Tag):
            found = store[found.object[1]]
        if not isinstance(found, Commit):
            raise SourceError(piece.path, "the revision is no commit")

        def read(name: str, blob: Any) -> bytes:
            kind, data = store.get_raw(blob)
            if kind != Blob.type_num:
                raise SourceError(name, "is no blob")
            return _bounded(lambda size: data[:size], name)

        for count, entry in enumerate(store.iter_tree_contents(found.tree)):
            if count >= MAX_MEMBERS:
                raise SourceError(piece.path, f"has more than {MAX_MEMBERS} files")
            name = os.fsdecode(entry.path)
            if stat.S_ISREG(entry.mode) and name.endswith(SUFFIXES):
                yield Item(piece.repository, name, partial(read, name, entry.sha))


def _row_groups(piece: Piece) -> list[Piece]:
    parquet, table = _parquet(piece)
    with table:
        _columns(piece, table.schema_arrow, parquet)
        return [piece._replace(names=[str(group)]) for group in range(table.metadata.num_row_groups)]


def _parquet(piece: Piece) -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        raise SourceError(piece.path, f"is Parquet, and {error.name} is not installed") from None
    return pyarrow, pyarrow.parquet.ParquetFile(piece.path)


def _columns(piece: Piece, schema: Any, arrow: Any) -> tuple[str, str | None, str | None]:
    """The columns with the text, and with the path and the repository, where there are such."""
    texts = {
        field.name
        for field in schema
        if arrow.types.is_string(field.type)
        or arrow.types.is_large_string(field.type)
        or arrow.types.is_binary(field.type)
        or arrow.types.is_large_binary(field.type)
    }

    def first(names: Iterable[str]) -> str | None:
        return next((name for name in names if name in texts), None)

    text = first([piece.detail] if piece.detail else _TEXTS)
    if text is None:
        wanted = piece.detail or " or ".join(_TEXTS)
        raise SourceError(piece.path, f"has no column of text called {wanted} (see --column)")
    return text, first(_PATHS), first(_REPOSITORIES)


def _of_parquet(piece: Piece) -> Iterator[Item]:
    arrow, table = _parquet(piece)
    with table:
        text, path, repository = _columns(piece, table.schema_arrow, arrow)
        if not piece.names:
            raise SourceError(piece.path, "cannot be cut into its row groups")
        group = int(piece.names[0])
        wanted = [name for name in (text, path, repository) if name is not None]
        number = 0
        for batch in table.iter_batches(batch_size=_ROWS, row_groups=[group], columns=wanted):
            columns = {name: batch.column(name).cast(arrow.large_binary()) for name in wanted}
            for row in range(batch.num_rows):

                def value(name: str | None, row: int = row, columns: Any = columns) -> str | None:
                    data = None if name is None else columns[name][row].as_py()
                    return None if data is None else data.decode("utf-8", "backslashreplace")

                name = value(path) or f"row-group-{group}/row-{number}.py"
                number += 1
                if name.endswith(SUFFIXES):
                    data = columns[text][row]
                    yield Item(value(repository) or piece.repository, name, partial(_cell, data, name))


def _cell(data: Any, name: str) -> bytes:
    content = data.as_py()
    if content is None:
        raise SourceError(name, "has no text")
    return _bounded(lambda size: content[:size], name)


def shown(path: str) -> str:
    """A name as text that can be stored: bytes that are no text are spelled out."""
    return legible(path).encode("utf-8", "backslashreplace").decode("utf-8")
