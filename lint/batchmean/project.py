"""The modules of a project that a file imports: read, never executed.

Losses live in `losses.py` and their means in `train.py`. A name that is imported from the same project is looked for
beside the importing file, and in the folders above it up to that of the nearest pyproject.toml; without one, up to
the folder that holds the outermost package; a name that begins with that of a folder around the file, beside that
folder. What cannot be read or parsed, or is too large, is as unknown as what
is installed.
"""

from __future__ import annotations

import ast
import os
import re
import stat
import warnings
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from typing import Final

from batchmean import gate, operations
from batchmean.functions import Functions, told
from batchmean.memory import KEPT, Recent
from batchmean.nodes import nodes
from batchmean.source import SourceError, decode, read_regular

MAX_BYTES: Final = 500_000
"""A larger module is not read."""
MAX_MODULES: Final = 12
"""So many modules of the project are read for one file."""
MAX_FOLDERS: Final = 12
"""So many folders above a file are looked into."""
MAX_NAMES: Final = 20
_WORD: Final = re.compile(r"\w+")
_IMPORT: Final = re.compile(
    r"^[ \t]*(?:from[ \t]+(\.*[\w.]*)[ \t]+import[ \t]+([^#\n\\]*)|import[ \t]+([\w.]+))", re.M
)


_STAR: Final = re.compile(r"import[\s\\]*\*")


class Module:
    """A module of the project. Its tree is made when it is asked for; the nodes are marked as those of another file."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self._asked: tuple[Functions, bool] | None = None

    @cached_property
    def lines(self) -> list[str]:
        """Its text, line by line."""
        return self.text.split("\n")

    @property
    def holds_a_loss(self) -> bool:
        """Is there a loss in it?"""
        functions = told()
        if self._asked is None or self._asked[0] != functions:
            marked = functions.marked(self.text)
            self._asked = functions, gate.speaks_of_losses(marked) and gate.holds_a_loss(marked)
        return self._asked[1]

    @property
    def may_give_a_loss(self) -> bool:
        """Is there a loss in it, or may it hand one on?"""
        return self.hands_on or self.holds_a_loss

    @property
    def hands_on(self) -> bool:
        """Is it there for what it imports?"""
        return os.path.basename(self.path) == "__init__.py"

    def may_hand_on(self, name: str) -> bool:
        """Could it import something under this name?"""
        return name in self.text or self._has_stars

    @cached_property
    def _has_stars(self) -> bool:
        return _STAR.search(self.text) is not None

    def imports_of(self, name: str) -> Iterator[str]:
        """What it imports under a name, with dots, in the order of the text."""
        for full, local in self._imports:
            if local == name:
                yield full
            elif full.endswith(".*"):
                yield f"{full.removesuffix('.*')}.{name}"

    @cached_property
    def _imports(self) -> list[tuple[str, str]]:
        return [pair for node in self.tree.body for pair in names_in(node)]

    @cached_property
    def tree(self) -> ast.Module:
        """What is written there; nothing, where that cannot be parsed."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(self.text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return ast.Module([], [])
        KEPT.add(len(self.text))
        for node in nodes(tree):
            node._is_foreign = True  # type: ignore[attr-defined]
        return tree


def is_foreign(node: ast.AST) -> bool:
    """Does a node stand in another file than the one that is linted?"""
    return getattr(node, "_is_foreign", False)


class Project:
    """Where the names that one file imports are found."""

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        self._listed: dict[str, frozenset[str]] = {}
        self._found: dict[tuple[str, str], tuple[Module, tuple[str, ...]] | None] = {}
        self.has_left_out = False
        """Was a module looked for that is larger than those that are read?"""

    def forget(self) -> None:
        """Let go of the modules that were found: a run keeps the projects of all its files, and not their modules."""
        self._listed.clear()
        self._found.clear()

    def may_lead_to_losses(self, text: str) -> bool:
        """Does a text that reduces something import from a module of the project in which there may be a loss?

        Or one that makes log-probabilities from a module that may make a criterion of them, or one with a divergence
        from a module that reduces what it is given?
        """
        marked = told().marked(text)
        if not gate.may_average_what_is_given(marked):
            if gate.may_hand_to_a_criterion(marked) and any(map(self.makes_divergences, imported(text))):
                return True
            return gate.may_hand_to_a_reducer(marked) and any(map(self.reduces, imported(text)))
        found = (self.find(name, self.path) for name in imported(text))
        return any(each is not None and each[0].may_give_a_loss for each in found)

    def makes_divergences(self, name: str) -> bool:
        """Does a dotted name lead to a module that makes criteria of divergences, or may hand one on?"""
        found = self.find(name, self.path)
        return found is not None and (found[0].hands_on or gate.makes_divergences(found[0].text))

    def reduces(self, name: str) -> bool:
        """Does a dotted name lead to a module that has no loss, and reduces something?"""
        found = self.find(name, self.path)
        return found is not None and not found[0].may_give_a_loss and gate.reduces(found[0].text)

    def holding(self, node: ast.AST) -> Module | None:
        """The module of those that were found in which a node stands."""
        modules = dict.fromkeys(found[0] for found in self._found.values() if found is not None)
        return next((m for m in modules if any(node is own for own in nodes(m.tree))), None)

    def find(self, name: str, importer: str) -> tuple[Module, tuple[str, ...]] | None:
        """The module that a dotted name leads into, and what is left of the name."""
        key = (name, importer)
        if key not in self._found:
            self._found[key] = self._looked_for(name, importer)
        return self._found[key]

    def _looked_for(self, name: str, importer: str) -> tuple[Module, tuple[str, ...]] | None:
        stripped = name.lstrip(".")
        level, parts = len(name) - len(stripped), tuple(stripped.split(".")) if stripped else ()
        if not (level or parts) or (not level and parts[0] in operations.packages()):
            return None
        if level:
            folder = os.path.dirname(importer)
            for _ in range(level - 1):
                folder = os.path.dirname(folder)
            return self._below(folder, parts, importer, is_package=True)
        for folder in _roots(os.path.dirname(importer), parts[0]):
            if folder not in self._listed:
                self._listed[folder] = _names_in(folder)
            if parts[0] not in self._listed[folder] and f"{parts[0]}.py" not in self._listed[folder]:
                continue
            found = self._below(folder, parts, importer, is_package=False)
            if found is not None:
                return found
        return None

    def _below(
        self, folder: str, parts: tuple[str, ...], importer: str, *, is_package: bool
    ) -> tuple[Module, tuple[str, ...]] | None:
        for length in range(len(parts), -1 if is_package else 0, -1):
            stem = os.path.join(folder, *parts[:length])
            for path in (f"{stem}.py", os.path.join(stem, "__init__.py")):
                if os.path.abspath(path) == importer:
                    return None
                module = _module(path)
                if module is not None:
                    return module, parts[length:]
                self.has_left_out = self.has_left_out or _is_too_large(path)
        return None


def names_in(node: ast.stmt) -> Iterator[tuple[str, str]]:
    """What an import names, with dots, and what it is called here."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.name, alias.asname or alias.name.partition(".")[0]
    elif isinstance(node, ast.ImportFrom):
        module = "." * node.level + (node.module or "")
        for alias in node.names:
            yield full_name(module, alias.name), alias.asname or alias.name


def imported(text: str) -> Iterator[str]:
    """The dotted names that a text imports, those in brackets over several lines as far as their first line."""
    for found in _IMPORT.finditer(text):
        if found[3] or "*" in found[2]:
            yield found[3] or found[1]
        else:
            for name in _WORD.findall(found[2])[:MAX_NAMES]:
                yield full_name(found[1], name)


def texts_of(project: Project, lines: Sequence[str]) -> list[str]:
    """The texts of the modules that a text imports from its project, and of those that packages hand on."""
    found: dict[str, Module] = {}
    todo = [("\n".join(lines), project.path)]
    while todo and len(found) < MAX_MODULES:
        text, path = todo.pop()
        modules = {one[1] or one[3] for one in _IMPORT.finditer(text)}
        for name in sorted({*modules, *imported(text)}):
            leads_to = project.find(name, path)
            if leads_to is None or leads_to[0].path in found or len(found) >= MAX_MODULES:
                continue
            module = found[leads_to[0].path] = leads_to[0]
            if module.hands_on:
                todo.append((module.text, module.path))
    return [module.text for module in found.values()]


def full_name(module: str, name: str) -> str:
    """The full name of what is imported from a module: `.losses` and `.losses.kl`, from `.` and from `.losses`."""
    return f"{module}{name}" if module.endswith(".") else f"{module}.{name}"


def _names_in(folder: str) -> frozenset[str]:
    try:
        return _listing(folder, os.stat(folder).st_mtime_ns)
    except OSError:
        return frozenset()


@lru_cache(maxsize=256)
def _listing(folder: str, _changed: int) -> frozenset[str]:
    return frozenset(os.listdir(folder))


@lru_cache(maxsize=1024)
def _roots(folder: str, first: str) -> tuple[str, ...]:
    """The folders in which an absolute import may begin, the nearest first.

    One that begins with the name of a folder around the file begins beside that folder, whether it is a package or not.
    """
    roots = _roots_of(folder)
    above = [folder, *_above(folder)]
    named = next((os.path.dirname(each) for each in above if os.path.basename(each) == first), None)
    return roots if named is None or named in roots else (*roots, named)


@lru_cache(maxsize=256)
def _roots_of(folder: str) -> tuple[str, ...]:
    above = [folder, *_above(folder)]
    top = next((i for i, f in enumerate(above) if os.path.isfile(os.path.join(f, "pyproject.toml"))), None)
    if top is not None:
        return (*above[: top + 1], os.path.join(above[top], "src"))
    top = next((i for i, f in enumerate(above) if not os.path.isfile(os.path.join(f, "__init__.py"))), 0)
    return tuple(above[: top + 1])


def _above(folder: str) -> Iterator[str]:
    for _ in range(MAX_FOLDERS):
        parent = os.path.dirname(folder)
        if parent == folder:
            return
        folder = parent
        yield folder


def _is_too_large(path: str) -> bool:
    try:
        return os.lstat(path).st_size > MAX_BYTES
    except OSError:
        return False


def _module(path: str) -> Module | None:
    """A module that can be read. A link is not followed."""
    try:
        state = os.lstat(path)
    except OSError:
        return None
    if stat.S_ISLNK(state.st_mode) or state.st_size > MAX_BYTES:
        return None
    key = path, state.st_mtime_ns, state.st_size
    return _LOADED.get(key, lambda: (_loaded(path), state.st_size + _PER_MODULE))


_MOST: Final = 3_000_000
"""So many characters make trees of about 200 MB, with all that hangs on them."""
_PER_MODULE: Final = 1000
"""What a module takes however short it is, in characters."""
_LOADED: Final[Recent[tuple[str, int, int], Module | None]] = Recent(_MOST)


def _loaded(path: str) -> Module | None:
    try:
        return Module(path, decode(read_regular(path, MAX_BYTES), path))
    except (SourceError, OSError):
        return None
