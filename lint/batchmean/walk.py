"""Which files there are below a folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from batchmean.source import SUFFIXES, SourceError, reason

_SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules", "site-packages"})


def real_folders(folders: Iterable[str]) -> tuple[str, ...]:
    """What the real paths below some folders begin with."""
    return tuple(os.path.join(os.path.realpath(folder), "") for folder in folders)


def leads_out(path: str, folders: tuple[str, ...]) -> bool:
    """Does a path, once all links are followed, lead to none of these `real_folders`?"""
    return not os.path.realpath(path).startswith(folders)


def walk(
    folder: str,
    excluded: Callable[[str], bool],
    failed: Callable[[SourceError], None],
    including: Callable[[str], Callable[[str], bool] | None] = lambda folder: None,
    *,
    respect_gitignore: bool = False,
    is_outside: Callable[[str], bool] | None = None,
    warn: Callable[[str], None] = lambda message: None,
) -> Iterator[str]:
    """The Python files and notebooks below `folder`, sorted; `including` may say which other files of a folder count.

    Hidden folders, virtual environments, `site-packages`, `__pycache__`, `node_modules` and, if asked for, what git
    ignores are left out; links to folders are not followed, nor are links to files that lead out of the folder, or to
    what is outside by `is_outside`. Folders that cannot be listed go to `failed`.
    """
    if respect_gitignore:
        from batchmean import gitignore

        enter = gitignore.Walk(folder, warn).enter
    else:
        enter = None
    if is_outside is None:
        is_outside = partial(leads_out, folders=real_folders([folder]))
    waiting = [folder]
    while waiting:  # `os.walk` recurses before Python 3.12
        parent = waiting.pop()
        try:
            folders, files = _listed(parent)
        except OSError as error:
            failed(SourceError(parent, reason(error)))
            continue
        ignored = enter(parent, {*folders, *files}) if enter else None
        shown = parent.removeprefix(f".{os.sep}")
        place = "" if shown == "." else shown
        includes = including(place)
        for name in sorted(files):
            path = os.path.join(place, name)
            is_wanted = name.endswith(SUFFIXES) or (includes is not None and includes(path))
            if (
                is_wanted
                and not (ignored and ignored(name, False))
                and _is_readable_kind(path, name)
                and not excluded(path)
                and not (os.path.islink(path) and is_outside(path))
            ):
                yield path
        below = [
            name
            for name in folders
            if not _is_skipped(place, name)
            and not (ignored and ignored(name, True))
            and not excluded(os.path.join(place, name))
        ]
        waiting += [os.path.join(parent, name) for name in sorted(below, reverse=True)]


def _listed(folder: str) -> tuple[list[str], list[str]]:
    """The names of the folders in a folder, and those of everything else, links among them."""
    folders, others = [], []
    with os.scandir(folder or ".") as entries:
        for entry in entries:
            is_folder = entry.is_dir(follow_symlinks=False)
            if is_folder and not (hasattr(entry, "is_junction") and entry.is_junction()):
                folders.append(entry.name)
            else:
                others.append(entry.name)
    return folders, others


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
