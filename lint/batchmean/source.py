"""Files as text: found, read and decoded the way Python itself would; notebooks and Markdown are UTF-8.

Line ends are made LF, so that line numbers equal those of Python's own tokenizer and parser. Nothing here
looks at what the text means.
"""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchmean.findings import Edit

NOTEBOOKS = (".ipynb",)
MARKDOWN = (".md", ".markdown", ".qmd")
DOCUMENTS = NOTEBOOKS + MARKDOWN
"""What holds Python among other things: `batchmean.documents` reads it."""
SUFFIXES = (".py", ".pyi", *NOTEBOOKS)
"""What a walk finds."""
MAX_BYTES = 32 << 20
"""Larger files are refused: parsing takes up to a hundred times their size in memory."""

_BOM = b"\xef\xbb\xbf"
_COOKIE = re.compile(rb"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_COOKIE_REACH = 2000  # bytes; PEP 263 looks at two lines, which are not longer than this in practice
_BLANK = re.compile(rb"[ \t\f]*(?:#.*)?$")
_LINE_END = re.compile(r"\r\n|\r|\n")
_SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules"})


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
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise SourceError(path, f"is larger than {MAX_BYTES >> 20} MiB")
        return data
    except OSError as error:
        raise SourceError(path, reason(error)) from None


def decode(data: bytes, path: str) -> str:
    """The bytes of a file as text: PEP 263 and BOM honoured, every line end made LF."""
    if b"\0" in data:
        kind = "text" if path.endswith(DOCUMENTS) else "Python source"
        raise SourceError(path, f"contains a NUL byte, so it is not {kind}")
    encoding = _encoding(data, path)
    if data.startswith(_BOM):
        data = data[len(_BOM) :]
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


def encode(text: str, path: str) -> bytes:
    """The bytes of a Python file with this text, in the encoding that it declares: `decode` backwards."""
    encoding = _encoding(text.encode("utf-8", "surrogatepass"), path)
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
    ends = [match.span() for match in _LINE_END.finditer(text)]
    starts = [0, *(end for _, end in ends)]
    for edit in sorted(edits, key=lambda edit: (edit.span.line, edit.span.column)):
        line = min(edit.span.line, len(ends)) - 1
        line_end = text[slice(*ends[line])] if ends else "\n"
        start = starts[edit.span.line - 1] + edit.span.column - 1
        end = starts[edit.span.end_line - 1] + edit.span.end_column - 1
        yield start, end, edit.text.replace("\n", line_end)


def edited(data: bytes, edits: Iterable[Edit], path: str) -> bytes:
    """The bytes of a file after edits of its text: byte order mark, encoding, line ends and the rest are kept."""
    encoding = _encoding(data, path)
    mark = _BOM if data.startswith(_BOM) else b""
    try:
        text = data[len(mark) :].decode(encoding)
        if mark + text.encode(encoding) != data:
            raise ValueError
        if path.endswith(NOTEBOOKS):
            from batchmean.documents import edited as notebook_edited

            return mark + notebook_edited(text, edits).encode(encoding)
        return mark + apply(text, edits).encode(encoding)
    except Exception:  # codecs raise what they like
        raise SourceError(path, f"cannot be written back as {encoding}, so it is left as it is") from None


def write(path: str, data: bytes) -> None:
    """Replace a file's content, all of it or nothing; its mode is kept, and a link stays a link."""
    import stat
    import tempfile

    target = os.path.realpath(path)
    try:
        mode = stat.S_IMODE(os.stat(target).st_mode)
        if not mode & stat.S_IWUSR or not os.access(target, os.W_OK):
            raise SourceError(path, "is read-only, so it is left as it is")
        handle, draft = tempfile.mkstemp(prefix=".batchmean-", dir=os.path.dirname(target))
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.chmod(draft, mode)
            os.replace(draft, target)
        except BaseException:
            os.unlink(draft)
            raise
    except OSError as error:
        raise SourceError(path, f"cannot be written: {reason(error)}") from None


def walk(
    folder: str,
    excluded: Callable[[str], bool],
    failed: Callable[[SourceError], None],
    including: Callable[[str], Callable[[str], bool] | None] = lambda folder: None,
    *,
    respect_gitignore: bool = False,
) -> Iterator[str]:
    """The Python files and notebooks below `folder`, sorted; `including` may say which other files of a folder count.

    Hidden folders, virtual environments, `__pycache__`, `node_modules` and, if asked for, what git ignores are
    left out; links to folders are not followed. Folders that cannot be listed go to `failed`.
    """
    if respect_gitignore:
        from batchmean import gitignore

        enter = gitignore.Walk(folder).enter
    else:
        enter = None

    def cannot_list(error: OSError) -> None:
        failed(SourceError(str(error.filename), reason(error)))

    for parent, folders, files in os.walk(folder, onerror=cannot_list):
        ignored = enter(parent, [*folders, *files]) if enter else None
        parent = parent.removeprefix(f".{os.sep}")
        place = "" if parent == "." else parent
        folders[:] = sorted(
            name
            for name in folders
            if not _is_skipped(place, name)
            and not (ignored and ignored(name, True))
            and not excluded(os.path.join(place, name))
        )
        includes = including(place)
        for name in sorted(files):
            path = os.path.join(place, name)
            is_wanted = name.endswith(SUFFIXES) or (includes is not None and includes(path))
            if (
                is_wanted
                and not (ignored and ignored(name, False))
                and _is_readable_kind(path, name)
                and not excluded(path)
            ):
                yield path


def _is_skipped(parent: str, name: str) -> bool:
    return (
        name.startswith(".")
        or name in _SKIPPED_FOLDERS
        or os.path.exists(os.path.join(parent, name, "pyvenv.cfg"))
    )


def _is_readable_kind(path: str, name: str) -> bool:
    """Whether a walk should try to read `path`: no pipe, no socket, no lock of an editor (`.#name.py`).

    A dangling link counts: reading it says that it is broken.
    """
    return os.path.isfile(path) or (os.path.islink(path) and not os.path.exists(path) and name[:2] != ".#")


def _encoding(data: bytes, path: str) -> str:
    """PEP 263, on lines as Python's tokenizer ends them (`tokenize.detect_encoding` knows no lone CR)."""
    if path.endswith(DOCUMENTS):
        return "utf-8"
    has_bom = data.startswith(_BOM)
    head = data[len(_BOM) * has_bom :][:_COOKIE_REACH].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    first, _, rest = head.partition(b"\n")
    cookie = _COOKIE.match(first)
    if cookie is None and _BLANK.match(first):
        cookie = _COOKIE.match(rest.partition(b"\n")[0])
    if cookie is None:
        return "utf-8"
    name = cookie[1].decode("ascii")
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
