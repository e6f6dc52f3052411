"""What git ignores below a folder, by its .gitignore files and .git/info/exclude.

Read here and not asked of git: git runs programs that a repository's own configuration names, refuses
repositories of other users, and takes longer to start than most runs take. A personal list
(`core.excludesFile`) is not read, so that a run is the same on every machine; nor is git's index: a tracked
file that a pattern names is ignored.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Container, Iterable, Sequence
from typing import NamedTuple

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

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._real = os.path.realpath(folder)
        self._lists: dict[str, _Lists] = {}

    def enter(self, parent: str, names: Container[str]) -> Callable[[str, bool], bool] | None:
        """Whether a name in `parent`, which holds these `names`, is ignored (and a folder); None if none is."""
        key = parent.rstrip(os.sep)
        inside = parent[len(self._folder) :].strip(os.sep)
        real = os.path.join(self._real, inside) if inside else self._real
        above = self._lists[os.path.dirname(key).rstrip(os.sep)] if inside else _above(real)
        lists = self._lists[key] = _extended(above, real, names)
        if not lists:
            return None
        places = [(one, one.relative(real)) for one in lists]
        return lambda name, is_folder: _is_ignored(places, os.fsencode(name), is_folder)


class _Pattern(NamedTuple):
    regex: bytes
    of_names: bool  # and not of paths
    ignores: bool  # not so for `!pattern`
    only_folders: bool


class _List:
    """One file of patterns, which are relative to a folder. They match bytes, as git's do."""

    def __init__(self, folder: str, text: bytes) -> None:
        self._folder = folder
        lines = text.removeprefix(b"\xef\xbb\xbf").split(b"\n")
        patterns = [pattern for line in lines if (pattern := _parsed(line.removesuffix(b"\r"))) is not None]
        # Most names match no pattern at all, and two expressions say so at once.
        of_files = [pattern for pattern in patterns if not pattern.only_folders]
        self._any = {
            is_folder: (_either(p for p in some if p.of_names), _either(p for p in some if not p.of_names))
            for is_folder, some in ((True, patterns), (False, of_files))
        }
        self._patterns = [(re.compile(pattern.regex, re.DOTALL), pattern) for pattern in patterns]

    def relative(self, folder: str) -> bytes:
        """A folder below this list's, as the patterns have it: empty, or with a slash at its end."""
        below = folder[len(self._folder) :].strip(os.sep).replace(os.sep, "/")
        return os.fsencode(f"{below}/") if below else b""

    def verdict(self, folder: bytes, name: bytes, is_folder: bool) -> bool | None:
        """What the last pattern that means a name in a folder says of it; None if none does."""
        path = folder + name
        names, paths = self._any[is_folder]
        if names.fullmatch(name) is None and paths.fullmatch(path) is None:
            return None
        return next(
            pattern.ignores
            for regex, pattern in reversed(self._patterns)
            if is_folder >= pattern.only_folders and regex.fullmatch(name if pattern.of_names else path)
        )


_Lists = tuple[_List, ...] | None
"""Those that hold in a folder, the nearest last; None outside a repository, where git ignores nothing."""


def _is_ignored(places: Sequence[tuple[_List, bytes]], name: bytes, is_folder: bool) -> bool:
    """Whether a name is ignored, given the lists that hold, each with the folder relative to its own."""
    for one, folder in reversed(places):
        verdict = one.verdict(folder, name, is_folder)
        if verdict is not None:
            return verdict
    return False


def _above(folder: str) -> _Lists:
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
        lists = _extended(lists, parent, names)
        places = [(one, one.relative(parent)) for one in lists or ()]
        if _is_ignored(places, os.fsencode(os.path.basename(child)), is_folder=True):
            return ()
    return lists


def _extended(lists: _Lists, folder: str, names: Container[str]) -> _Lists:
    """With the patterns of a folder, which holds these names; a repository in another one starts anew."""
    if ".git" in names:
        lists = _read(os.path.join(_common(os.path.join(folder, ".git")), "info", "exclude"), folder)
    own = os.path.join(folder, _NAME)
    if lists is not None and _NAME in names and not os.path.islink(own):  # git does not follow it either
        lists = (*lists, *_read(own, folder))
    return lists


def _common(git: str) -> str:
    """The repository's own folder: `.git`, or where a worktree's or a submodule's file `.git` leads."""
    pointer = _content(git)
    if pointer is not None and pointer.startswith(b"gitdir:"):
        git = os.path.join(os.path.dirname(git), os.fsdecode(pointer[len(b"gitdir:") :].strip()))
    shared = _content(os.path.join(git, "commondir"))
    if shared is not None:
        git = os.path.join(git, os.fsdecode(shared.strip()))
    return git


def _read(path: str, folder: str) -> tuple[_List, ...]:
    text = _content(path)
    return () if text is None else (_List(folder, text),)


def _content(path: str) -> bytes | None:
    """A list that cannot be read holds nothing, as for git."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except (OSError, ValueError):
        return None


def _either(patterns: Iterable[_Pattern]) -> re.Pattern[bytes]:
    return re.compile(b"|".join(pattern.regex for pattern in patterns) or b"(?!)", re.DOTALL)


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
    regex = _translated(glob.removeprefix(b"/"), paths=not of_names)
    if not glob or regex is None:
        return None
    return _Pattern(regex, of_names, ignores, only_folders)


def _trimmed(line: bytes) -> bytes:
    """Without the spaces at its end, but for one behind a backslash."""
    bare = line.rstrip(b" ")
    slashes = len(bare) - len(bare.rstrip(b"\\"))
    return line[: len(bare) + 1] if slashes % 2 and bare != line else bare


def _translated(glob: bytes, *, paths: bool) -> bytes | None:
    """A pattern as a regular expression; None if it can match nothing. In `paths`, `**` crosses slashes."""
    regex, at = b"", 0
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
                regex += b".*" if end == len(glob) else b"(?:.*/)?"
            else:
                at = end
                regex += b"[^/]*"
        elif char == b"?":
            regex += b"[^/]"
        elif char == b"[":
            bracket = _bracket(glob, at)
            if bracket is None:
                return None
            part, at = bracket
            regex += part
        else:
            if char == b"\\":
                char = glob[at : at + 1]
                at += 1
                if not char:
                    return None
            regex += re.escape(char)
    return regex


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
