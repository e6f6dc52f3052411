"""Patterns of paths, which settings leave files out by, or add them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import NamedTuple

from batchmean.source import legible


class Glob(NamedTuple):
    """A pattern of paths; `*` crosses slashes, as in flake8."""

    text: str
    root: str

    def matches(self, path: str) -> bool:
        """Whether the pattern names `path` or a folder above it.

        Without a slash it is compared with each part of the path below `root`, otherwise with all of it.
        """
        return Globs([self]).matches(path)


class Globs(tuple[Glob, ...]):
    """Patterns of paths that are compared all at once: a file costs the same however many there are of plain names."""

    def matches(self, path: str) -> bool:
        """Whether one of them names `path` or a folder above it."""
        if not self:
            return False
        path = os.path.abspath(path)
        known = self._known.get(path)
        if known is None:
            known = self._known[path] = any(
                together.match(path if root is None else _from(root, path))
                for root, together in self._by_root.items()
            )
        return known

    @cached_property
    def _known(self) -> dict[str, bool]:
        return {}

    @cached_property
    def _by_root(self) -> dict[str | None, _Together]:
        texts: dict[str | None, list[str]] = {}
        for glob in self:
            texts.setdefault(None if os.path.isabs(glob.text) else glob.root, []).append(glob.text)
        return {root: _Together(some) for root, some in texts.items()}


def _from(root: str, path: str) -> str:
    """A path from a folder, or as it is where Windows has them on two drives."""
    try:
        return os.path.relpath(path, root)
    except ValueError:
        return path


class _Together:
    """Patterns below one folder."""

    def __init__(self, texts: Iterable[str]) -> None:
        names: list[str] = []
        paths: list[str] = []
        for text in dict.fromkeys(texts):
            pattern = text.replace(os.sep, "/").removeprefix("./").rstrip("/")
            if "/" in pattern:
                paths += {pattern, pattern.removeprefix("**/"), pattern.replace("/**/", "/")}
            else:
                names.append(pattern)
        self._is_name, self._is_path = _any_of(names), _any_of(paths)

    def match(self, path: str) -> bool:
        parts = legible(path).replace(os.sep, "/").split("/")
        return any(map(self._is_name, parts)) or any(
            self._is_path("/".join(parts[:end])) for end in range(1, len(parts) + 1)
        )


def _any_of(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Whether one of some patterns means a text; asked again for the same text, it remembers."""
    import re
    from fnmatch import translate
    from functools import lru_cache

    plain, wild = set(), []
    for pattern in patterns:
        if any(char in pattern for char in "*?["):
            wild.append(translate(pattern))
        else:
            plain.add(pattern)
    match = re.compile("|".join(wild)).match if wild else None
    return lru_cache(maxsize=4096)(lambda text: text in plain or (match is not None and bool(match(text))))


class PerFileIgnores(tuple[tuple[Glob, tuple[str, ...]], ...]):
    """Patterns of paths, each with the beginnings of the codes that are not wanted there."""

    def ignores(self, code: str, path: str) -> bool:
        """Whether a code is not wanted in a file."""
        return any(code.startswith(start) and globs.matches(path) for start, globs in self._by_code.items())

    @cached_property
    def _by_code(self) -> dict[str, Globs]:
        globs: dict[str, list[Glob]] = {}
        for glob, codes in self:
            for code in codes:
                globs.setdefault(code, []).append(glob)
        return {code: Globs(some) for code, some in globs.items()}
