"""What git ignores below a folder, by its .gitignore files and .git/info/exclude.

Read here and not asked of git: git runs programs that a repository's own configuration names, refuses
repositories of other users, and takes longer to start than most runs take. A personal list
(`core.excludesFile`) is not read, so that a run is the same on every machine; nor is git's index: a tracked
file that a pattern names is ignored.

Whoever wrote the lists may mean harm: only regular files of a limited size are read, and a name is matched in a time
that grows with its length and that of the patterns, never with the ways in which stars could share it.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Container, Sequence
from functools import lru_cache
from itertools import count
from typing import NamedTuple

from batchmean.source import legible, read_regular

MAX_BYTES = 1 << 20
"""A longer list is not heeded."""
MAX_WILD_BYTES = 1 << 14
"""Nor is one whose patterns with wildcards are longer than this: each name is compared with all of them."""
_MAX_POINTER = 1 << 12  # of the files that say where the repository is

_NAME = ".gitignore"
_SPECIAL = re.compile(rb"[*?\[\\]")
_CLASSES = {
    b"alnum": b"a-zA-Z0-9",
    b"alpha": b"a-zA-Z",
    b"blank": b" \\t",
    b"cntrl": b"\\x00-\\x1f\\x7f",
    b"digit": b"0-9",
    b"graph": b"!-~",
    b"lower": b"a-z",
    b"print": b" -~",
    b"punct": b"!-/:-@\\[-`{-~",
    b"space": b" \\t-\\r",
    b"upper": b"A-Z",
    b"xdigit": b"0-9a-fA-F",
}


class Walk:
    """The ignored paths below one folder, for a walk that goes from the top down.

    What was asked for is walked: in a folder that is ignored itself, only the patterns in it and below hold.
    """

    def __init__(self, folder: str, warn: Callable[[str], None] = lambda message: None) -> None:
        self._folder = folder
        self._real = os.path.realpath(folder)
        self._warn = warn
        self._lists: dict[str, _Lists] = {}

    def enter(self, parent: str, names: Container[str]) -> Callable[[str, bool], bool] | None:
        """Whether a name in `parent`, which holds these `names`, is ignored (and a folder); None if none is."""
        key = parent.rstrip(os.sep)
        inside = parent[len(self._folder) :].strip(os.sep)
        real = os.path.join(self._real, inside) if inside else self._real
        above = self._lists[os.path.dirname(key).rstrip(os.sep)] if inside else _above(real, self._warn)
        lists = self._lists[key] = _extended(above, real, names, self._warn)
        if not lists:
            return None
        places = [(one, one.relative(real)) for one in lists]
        return lambda name, is_folder: _is_ignored(places, os.fsencode(name), is_folder)


class _Pattern(NamedTuple):
    glob: bytes
    regex: bytes
    of_names: bool  # and not of paths
    ignores: bool  # not so for `!pattern`
    only_folders: bool

    @property
    def is_wild(self) -> bool:
        """Does it mean more than one text?"""
        return _SPECIAL.search(self.glob) is not None


class _List:
    """One file of patterns, which are relative to a folder. They match bytes, as git's do."""

    def __init__(self, folder: str, text: bytes) -> None:
        """Raises `ValueError` where the patterns are too many."""
        self._folder = folder
        lines = text.removeprefix(b"\xef\xbb\xbf").split(b"\n")
        self._patterns = [
            pattern for line in lines if (pattern := _parsed(line.removesuffix(b"\r"))) is not None
        ]
        if sum(len(p.glob) for p in self._patterns if p.is_wild) > MAX_WILD_BYTES:
            raise ValueError
        some = list(enumerate(self._patterns))
        of_files = [(place, pattern) for place, pattern in some if not pattern.only_folders]
        self._last = {
            is_folder: tuple(
                _Last([(place, p) for place, p in which if p.of_names == of_names])
                for of_names in (True, False)
            )
            for is_folder, which in ((True, some), (False, of_files))
        }

    def relative(self, folder: str) -> bytes:
        """A folder below this list's, as the patterns have it: empty, or with a slash at its end."""
        below = folder[len(self._folder) :].strip(os.sep).replace(os.sep, "/")
        return os.fsencode(f"{below}/") if below else b""

    def verdict(self, folder: bytes, name: bytes, is_folder: bool) -> bool | None:
        """What the last pattern that means a name in a folder says of it; None if none does."""
        names, paths = self._last[is_folder]
        place = max(names.place(name), paths.place(folder + name))
        return None if place < 0 else self._patterns[place].ignores


class _Last:
    """The last of some patterns that means a text."""

    def __init__(self, patterns: Sequence[tuple[int, _Pattern]]) -> None:
        """Each pattern with its place in the list, in ascending order."""
        self._literal = {pattern.glob: place for place, pattern in patterns if not pattern.is_wild}
        wild = [b"(?P<p%d>%s)" % (place, p.regex) for place, p in reversed(patterns) if p.is_wild]
        self._wild = re.compile(b"|".join(wild), re.DOTALL) if wild else None

    def place(self, text: bytes) -> int:
        """Where it stands in the list; -1 if there is none."""
        found = self._wild.fullmatch(text) if self._wild is not None else None
        wild = int((found.lastgroup or "")[1:]) if found is not None else -1
        return max(wild, self._literal.get(text, -1))


_Lists = tuple[_List, ...] | None
"""Those that hold in a folder, the nearest last; None outside a repository, where git ignores nothing."""


def _is_ignored(places: Sequence[tuple[_List, bytes]], name: bytes, is_folder: bool) -> bool:
    """Whether a name is ignored, given the lists that hold, each with the folder relative to its own."""
    for one, folder in reversed(places):
        verdict = one.verdict(folder, name, is_folder)
        if verdict is not None:
            return verdict
    return False


def _above(folder: str, warn: Callable[[str], None]) -> _Lists:
    """What holds in `folder` by the folders above it."""
    parents = [folder]
    while not os.path.lexists(os.path.join(parents[-1], ".git")):
        parent = os.path.dirname(parents[-1])
        if parent == parents[-1]:
            return None
        parents.append(parent)
    lists: _Lists = None
    for parent, child in zip(parents[:0:-1], parents[-2::-1], strict=True):
        names = [name for name in (".git", _NAME) if os.path.lexists(os.path.join(parent, name))]
        lists = _extended(lists, parent, names, warn)
        places = [(one, one.relative(parent)) for one in lists or ()]
        if _is_ignored(places, os.fsencode(os.path.basename(child)), is_folder=True):
            return ()
    return lists


def _extended(lists: _Lists, folder: str, names: Container[str], warn: Callable[[str], None]) -> _Lists:
    """With the patterns of a folder, which holds these names; a repository in another one starts anew."""
    if ".git" in names:
        shared = _common(os.path.join(folder, ".git"))
        lists = _read(os.path.join(shared, "info", "exclude"), folder, warn)
    own = os.path.join(folder, _NAME)
    if lists is not None and _NAME in names and not os.path.islink(own):  # git does not follow it either
        lists = (*lists, *_read(own, folder, warn))
    return lists


def _common(git: str) -> str:
    """The repository's own folder: `.git`, or where a worktree's or a submodule's file `.git` leads."""
    pointer = _content(git, _MAX_POINTER)
    if pointer is not None and pointer.startswith(b"gitdir:"):
        git = os.path.join(os.path.dirname(git), os.fsdecode(pointer[len(b"gitdir:") :].strip()))
    shared = _content(os.path.join(git, "commondir"), _MAX_POINTER)
    if shared is not None:
        git = os.path.join(git, os.fsdecode(shared.strip()))
    return git


def _read(path: str, folder: str, warn: Callable[[str], None]) -> tuple[_List, ...]:
    text = _content(path, MAX_BYTES)
    if text is None:
        return ()
    try:
        if len(text) <= MAX_BYTES:
            return (_list(folder, text),)
    except ValueError:
        pass
    warn(
        f"{legible(path)}: is not heeded: it has more than {MAX_BYTES >> 20} MiB,"
        f" or more than {MAX_WILD_BYTES >> 10} KiB of patterns with wildcards"
    )
    return ()


@lru_cache(maxsize=64)  # a run that is given many folders has the same lists above all of them
def _list(folder: str, text: bytes) -> _List:
    return _List(folder, text)


def _content(path: str, limit: int) -> bytes | None:
    """A list that cannot be read, or is no regular file, holds nothing, as for git."""
    try:
        return read_regular(path, limit)
    except (OSError, ValueError):
        return None


def _parsed(line: bytes) -> _Pattern | None:
    """One line; None for a comment, an empty line, or what can match nothing."""
    line = _trimmed(line)
    if not line or line.startswith(b"#"):
        return None
    ignores = not line.startswith(b"!")
    glob = line if ignores else line[1:]
    only_folders = glob.endswith(b"/")
    glob = glob.removesuffix(b"/")
    of_names = b"/" not in glob
    glob = glob.removeprefix(b"/")
    parts = _translated(glob, paths=not of_names)
    if not glob or parts is None:
        return None
    return _Pattern(glob, _joined(parts), of_names, ignores, only_folders)


def _trimmed(line: bytes) -> bytes:
    """Without the spaces at its end, but for one behind a backslash."""
    bare = line.rstrip(b" ")
    slashes = len(bare) - len(bare.rstrip(b"\\"))
    return line[: len(bare) + 1] if slashes % 2 and bare != line else bare


_STAR, _FOLDERS, _REST = b"[^/]*", b"(?:.*/)?", b".*"
"""What `*`, `**/` and `/**` stand for."""


def _translated(glob: bytes, *, paths: bool) -> list[bytes] | None:
    """A pattern as parts of a regular expression; None if it can match nothing. In `paths`, `**` crosses slashes.

    Stars are parts of their own; every other part matches one character.
    """
    parts: list[bytes] = []
    at = 0
    while at < len(glob):
        char = glob[at : at + 1]
        at += 1
        if char == b"*":
            end = at
            while glob[end : end + 1] == b"*":
                end += 1
            before = glob[: at - 1]
            # git compares what comes before the first wildcard by itself, so that `**` is at a beginning behind it.
            alone = before.endswith(b"/") or not _SPECIAL.search(before)
            if paths and end > at and alone and glob[end : end + 1] in (b"", b"/"):
                at = end + 1
                parts.append(_REST if end == len(glob) else _FOLDERS)
            else:
                at = end
                parts.append(_STAR)
        elif char == b"?":
            parts.append(b"[^/]")
        elif char == b"[":
            bracket = _bracket(glob, at)
            if bracket is None:
                return None
            part, at = bracket
            parts.append(part)
        else:
            if char == b"\\":
                char = glob[at : at + 1]
                at += 1
                if not char:
                    return None
            parts.append(re.escape(char))
    return parts


def _joined(parts: list[bytes]) -> bytes:
    """The regular expression. Only its last star, and the last `**/`, ever try another length.

    A star may be as short as what follows it allows, since the next one takes up the rest: what is between two stars
    is looked for once, and so is what is between two `**/`.
    """
    blocks = _split(parts, _FOLDERS)
    regex = b""
    for number, block in enumerate(blocks):
        is_last = number == len(blocks) - 1
        runs = [b"".join(run) for run in _split(block, _STAR)]
        inner = runs[0]
        for place, run in enumerate(runs[1:], start=1):
            if is_last and place == len(runs) - 1:
                inner += _STAR + run
            else:
                inner += _once(b"[^/]*?" + run)
        if number:
            inner = _FOLDERS + inner if is_last else _once(b"(?:.*?/)??" + inner)
        regex += inner
    return regex


def _split(parts: list[bytes], mark: bytes) -> list[list[bytes]]:
    runs: list[list[bytes]] = [[]]
    for part in parts:
        if part == mark:
            runs.append([])
        else:
            runs[-1].append(part)
    return runs


_NUMBERS = count()


def _once(regex: bytes) -> bytes:
    """An expression that is given no second try (an atomic group)."""
    if sys.version_info >= (3, 11):
        return b"(?>%s)" % regex
    name = b"a%d" % next(_NUMBERS)
    return b"(?=(?P<%s>%s))(?P=%s)" % (name, regex, name)


def _bracket(glob: bytes, at: int) -> tuple[bytes, int] | None:
    """The class that begins behind the `[`, and where it ends; None if it does not, or is none."""
    negated = glob[at : at + 1] in (b"!", b"^") and glob[at : at + 1] != b""
    at += negated
    parts: list[bytes] = []
    first, before = True, b""  # the character before a `-`
    while first or glob[at : at + 1] != b"]":
        first = False
        char = glob[at : at + 1]
        if not char:
            return None
        if char == b"-" and before and glob[at + 1 : at + 2] not in (b"", b"]"):
            at += 1
            if glob[at : at + 1] == b"\\":
                at += 1
            end = glob[at : at + 1]
            if not end:
                return None
            parts.append(_range(before, end))
            before = b""
        elif char == b"[" and glob[at + 1 : at + 2] == b":":
            close = glob.find(b"]", at + 2)
            if close < 0:
                return None
            if glob[close - 1 : close] == b":" and close - 1 >= at + 2:
                name = glob[at + 2 : close - 1]
                if name not in _CLASSES:
                    return None
                parts.append(_CLASSES[name])
                at, before = close, b""
            else:
                parts.append(rb"\[")
                before = char
        else:
            if char == b"\\":
                at += 1
                char = glob[at : at + 1]
                if not char:
                    return None
            parts.append(re.escape(char))
            before = char
        at += 1
    inside = b"".join(parts)
    if negated:
        return b"[^/" + inside + b"]", at + 1
    return b"(?!/)[" + inside + b"]" if inside else b"(?!)", at + 1


def _range(first: bytes, last: bytes) -> bytes:
    return re.escape(first) + b"-" + re.escape(last) if first <= last else b""
