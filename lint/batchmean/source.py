"""Files as text: found, read and decoded the way Python itself would; notebooks and Markdown are UTF-8.

Line ends are made LF, so that line numbers equal those of Python's own tokenizer and parser. Nothing here
looks at what the text means.
"""

from __future__ import annotations

import codecs
import errno
import os
import re
import stat
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchmean.findings import Edit

NOTEBOOKS = (".ipynb",)
READERS = {".md": "markdown", ".markdown": "markdown", ".qmd": "markdown"}
"""Which module of `batchmean.documents` finds the code in a text of this kind."""
DOCUMENTS = (*NOTEBOOKS, *READERS)
"""What holds Python among other things: `batchmean.documents` reads it."""
SUFFIXES = (".py", ".pyi", *NOTEBOOKS)
"""What a walk finds."""
MAX_BYTES = 32 << 20
"""Larger files are refused: parsing takes up to a hundred times their size in memory."""

BOM = b"\xef\xbb\xbf"
_COOKIE = re.compile(rb"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_COOKIE_REACH = 2000  # bytes; PEP 263 looks at two lines, which are not longer than this in practice
_NOT_FOR_FILES = frozenset(
    {"idna", "punycode"}
)  # of names in the Internet; their decoders take the square of the time
_BLANK = re.compile(rb"[ \t\f]*(?:#.*)?$")
_LINE_END = re.compile(r"\r\n|\r|\n")


class SourceError(Exception):
    """A file that cannot be had as text, or is no Python. `message` is one line and leaves the path out."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(path, message)
        self.path = path
        self.message = message


def read(path: str) -> str:
    """The text of the file at `path`; `SourceError` says why it cannot be had."""
    return decode(read_bytes(path), path)


def read_bytes(path: str) -> bytes:
    """The file as it is; `SourceError` says why it cannot be had."""
    try:
        data = read_regular(path, MAX_BYTES)
    except OSError as error:
        raise SourceError(path, reason(error)) from None
    return bounded(data, path)


def bounded(data: bytes, path: str) -> bytes:
    """What was read, if it is not too large."""
    if len(data) > MAX_BYTES:
        raise _too_large(path)
    return data


def _too_large(path: str) -> SourceError:
    return SourceError(path, f"is larger than {MAX_BYTES >> 20} MiB")


def _has_nul(path: str) -> SourceError:
    kind = "text" if path.endswith(DOCUMENTS) else "Python source"
    return SourceError(path, f"contains a NUL byte, so it is not {kind}")


def read_regular(path: str, limit: int) -> bytes:
    """A regular file, but no more than one byte beyond the limit; `OSError` for any other kind.

    A pipe would have us wait for ever, and some devices act when they are opened.
    """
    _must_be_regular(os.stat(path).st_mode)
    # Another program may have put a pipe there since.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(handle, "rb") as file:
        _must_be_regular(os.fstat(handle).st_mode)
        return file.read(limit + 1)


def _must_be_regular(mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "is no regular file")


def decode(data: bytes, path: str) -> str:
    """The bytes of a file as text: PEP 263 and BOM honoured, every line end made LF."""
    if b"\0" in data:
        raise _has_nul(path)
    encoding = encoding_of(data, path)
    if data.startswith(BOM):
        data = data[len(BOM) :]
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = unify_line_ends(data[: error.start].decode("latin-1")).count("\n") + 1
        raise SourceError(
            path, f"is not valid {encoding}: byte 0x{data[error.start]:02x} on line {line}"
        ) from None
    except Exception as error:  # codecs raise what they like: `# coding: hex`
        raise SourceError(path, f"cannot be decoded as {encoding}: {_one_line(error)}") from None
    return unify_line_ends(text)


def as_text(content: bytes | str, path: str) -> str:
    """The content of a file, as its bytes or as text that was read already, as `read` has it."""
    if isinstance(content, bytes):
        return decode(bounded(content, path), path)
    if len(content) > MAX_BYTES:
        raise _too_large(path)
    if "\0" in content:
        raise _has_nul(path)
    return unify_line_ends(content.removeprefix("\ufeff"))


def encode(text: str, path: str) -> bytes:
    """The bytes of a Python file with this text, in the encoding that it declares: `decode` backwards."""
    encoding = encoding_of(text.encode("utf-8", "surrogatepass"), path)
    try:
        return text.encode(encoding)
    except Exception as error:  # codecs raise what they like
        raise SourceError(path, f"cannot be encoded as {encoding}: {_one_line(error)}") from None


def apply(text: str, edits: Iterable[Edit]) -> str:
    """The text after edits that do not overlap."""
    pieces, done = [], 0
    for start, end, new in replacements(text, edits):
        pieces += [text[done:start], new]
        done = end
    return "".join([*pieces, text[done:]])


def replacements(text: str, edits: Iterable[Edit]) -> Iterator[tuple[int, int, str]]:
    """Edits in their order as offsets and what to put there, with the line ends of the line that it goes to."""
    ends = line_ends(text)
    starts = [0, *(end for _, end in ends)]
    for edit in sorted(edits, key=lambda edit: (edit.span.line, edit.span.column)):
        line = min(edit.span.line, len(ends)) - 1
        line_end = text[slice(*ends[line])] if ends else "\n"
        start = starts[edit.span.line - 1] + edit.span.column - 1
        end = starts[edit.span.end_line - 1] + edit.span.end_column - 1
        yield start, end, edit.text.replace("\n", line_end)


def line_ends(text: str) -> list[tuple[int, int]]:
    """Where each line end begins and ends."""
    return [match.span() for match in _LINE_END.finditer(text)]


def write(path: str, data: bytes) -> None:
    """Replace a file's content, all of it or nothing: it is written beside the file and then put in its place.

    A link stays a link; owner, mode and extended attributes are kept. What has more than one name would lose
    the others, so it is refused.
    """
    import tempfile

    target = os.path.realpath(path)
    try:
        before = os.stat(target)
        if not before.st_mode & stat.S_IWUSR or not os.access(target, os.W_OK):
            raise SourceError(path, "is read-only, so it is left as it is")
        if before.st_nlink > 1:
            raise SourceError(path, "has other hard links, so it is left as it is")
        handle, draft = tempfile.mkstemp(prefix=".batchmean-", dir=os.path.dirname(target))
        try:
            with open(handle, "wb") as file:
                file.write(data)
            try:
                _dress(draft, target, before)
            except OSError as error:
                message = f"cannot keep its owner or attributes ({reason(error)}), so it is left as it is"
                raise SourceError(path, message) from None
            os.replace(draft, target)
        except BaseException:
            os.unlink(draft)
            raise
    except OSError as error:
        raise SourceError(path, f"cannot be written: {reason(error)}") from None


def create(path: str, data: bytes) -> None:
    """Make a file, or replace what is there: all of it or nothing. `SourceError` or `OSError` say why it cannot be."""
    target = os.path.realpath(path)
    if os.path.lexists(target):
        write(path, data)
        return
    draft = os.path.join(os.path.dirname(target), f".batchmean-{os.getpid()}")
    with open(draft, "xb") as file:
        try:
            file.write(data)
            file.flush()
            os.replace(draft, target)
        except BaseException:
            os.unlink(draft)
            raise


def _dress(draft: str, target: str, before: os.stat_result) -> None:
    """Give a new file the owner, the extended attributes (access lists among them) and the mode of another."""
    made = os.stat(draft)
    if (made.st_uid, made.st_gid) != (before.st_uid, before.st_gid):
        os.chown(draft, before.st_uid, before.st_gid)
    if sys.platform == "linux":
        try:
            wanted = {name: os.getxattr(target, name) for name in os.listxattr(target)}
        except OSError:  # a file system without them
            wanted = {}
        there = os.listxattr(draft) if wanted else []
        for name, value in wanted.items():
            if name not in there or os.getxattr(draft, name) != value:
                os.setxattr(draft, name, value)
    os.chmod(draft, stat.S_IMODE(before.st_mode))


def encoding_of(data: bytes, path: str) -> str:
    """PEP 263, on lines as Python's tokenizer ends them (`tokenize.detect_encoding` knows no lone CR)."""
    if path.endswith(DOCUMENTS):
        return "utf-8"
    has_bom = data.startswith(BOM)
    head = data[len(BOM) * has_bom :][:_COOKIE_REACH].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    first, _, rest = head.partition(b"\n")
    cookie = _COOKIE.match(first)
    if cookie is None and _BLANK.match(first):
        cookie = _COOKIE.match(rest.partition(b"\n")[0])
    if cookie is None:
        return "utf-8"
    name = cookie[1].decode("ascii")
    if name.lower().replace("-", "_") in _NOT_FOR_FILES:
        raise SourceError(path, f"declares an encoding that is not meant for files: {name}")
    try:
        encoding = codecs.lookup(name).name
    except LookupError:
        raise SourceError(path, f"declares an unknown encoding: {name}") from None
    if has_bom and encoding != "utf-8":
        raise SourceError(path, f"declares {name} but starts with a UTF-8 byte order mark")
    return encoding


def legible(path: str) -> str:
    """A path as text: bytes that the encoding of the locale does not know are read as UTF-8, where they are.

    To open a file, the path is taken as it was.
    """
    if path.isascii():
        return path
    try:
        return os.fsencode(path).decode("utf-8")
    except UnicodeError:
        return path


def unify_line_ends(text: str) -> str:
    """The text with LF alone."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def reason(error: OSError) -> str:
    """Why the system refused, in a few words."""
    return (error.strerror or _one_line(error)).lower()


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
