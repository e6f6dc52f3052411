"""Programs of several files: what stands at the top level is dealt out to modules that import from each other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from benchmarks.oracle.program import ONE_FILE, File, Tag, Writer

Lines = list[tuple[int, str, Tag]]
Piece = frozenset[int]

_LAYOUTS: Final = ("folder", "package", "re-exported")
_LAST: Final = ("train", "main", "trainer", "engine", "step")
_LOSSES: Final = ("losses", "criterion", "objectives", "utils", "functional", "helpers")
_CONSTANTS: Final = ("config", "constants", "settings", "defaults")
_PACKAGES: Final = ("project", "src", "model", "lib")
_IMPORTS: Final = ("names", "module", "names as", "star", "tried")


@dataclass(frozen=True)
class _Module:
    path: str
    lines: Sequence[Lines]
    binds: frozenset[str]

    @property
    def name(self) -> str:
        return self.path.removesuffix(".py").replace("/", ".")

    @property
    def package(self) -> str:
        return self.name.rpartition(".")[0]


def dealt(writer: Writer, parts: Sequence[Lines], entry: str) -> tuple[File, ...]:
    """The files of these top-level parts, each below those that it imports from; one, if they hang together."""
    chain = _chain(writer, parts, entry) if writer.files > 1 else []
    if not chain:
        return (File(ONE_FILE, *writer.text(parts)),)
    return tuple(_files(writer, _modules(writer, parts, chain)))


def _chain(writer: Writer, parts: Sequence[Lines], entry: str) -> list[Piece]:
    """Which parts each file holds: none of a file needs one of a later file."""
    trees = [ast.parse(_text(lines)) for lines in parts]
    binds, uses = [_bound(tree) for tree in trees], [_used(tree) for tree in trees]
    needs = [
        {j for j in range(len(parts)) if j != i and binds[j] & (uses[i] | binds[i])}
        for i in range(len(parts))
    ]
    whole = frozenset(range(len(parts)))
    run = _closure({i for i in whole if binds[i] & _used(ast.parse(entry))}, needs)
    lower = [_closure({i}, needs) for i in whole]
    lower = [each for each in dict.fromkeys(lower) if each & run and (whole - each) & run]
    if not lower:
        return []
    first = writer.choices.pick("first file", lower)
    ends = [first, whole]
    if writer.files > 2:
        between = [each for other in lower for each in (first | other, first & other)]
        between = [each for each in dict.fromkeys(between) if each not in (*ends, frozenset())]
        ends += [writer.choices.pick("second file", between)] if between else []
    ends.sort(key=len)
    return [here - before for before, here in pairwise([frozenset(), *ends])]


def _closure(of: Iterable[int], needs: Sequence[set[int]]) -> Piece:
    found: set[int] = set()
    left = list(of)
    while left:
        if (one := left.pop()) not in found:
            found.add(one)
            left += needs[one]
    return frozenset(found)


def _modules(writer: Writer, parts: Sequence[Lines], chain: Sequence[Piece]) -> list[_Module]:
    pick = writer.choices.pick
    layout = pick("layout of the files", _LAYOUTS)
    package = pick("package", _PACKAGES)
    names: list[str] = []
    modules = []
    for at, piece in enumerate(chain):
        lines = [parts[i] for i in sorted(piece)]
        is_last = at == len(chain) - 1
        kind = _LAST if is_last else _LOSSES if any(map(_is_code, lines)) else _CONSTANTS
        names.append(pick("file", [name for name in kind if name not in names]))
        is_inside = layout == "package" or (layout == "re-exported" and not is_last)
        path = f"{package}/{names[-1]}.py" if is_inside else f"{names[-1]}.py"
        modules.append(_Module(path, lines, _bound(ast.parse("\n".join(map(_text, lines))))))
    return modules


def _files(writer: Writer, modules: Sequence[_Module]) -> Iterable[File]:
    """Each module with the imports that it needs, and the `__init__` of its package when that can be imported."""
    written = dict.fromkeys(module.package for module in modules if module.package)
    for at, module in enumerate(modules):
        uses = _used(ast.parse("\n".join(map(_text, module.lines))))
        lines, imports = list(module.lines), list[str]()
        for other in modules[:at]:
            names = sorted(uses & other.binds)
            if names:
                head, renamed = _import(writer, module, other, names)
                imports += head
                lines = [_renamed(part, renamed) for part in lines]
        yield File(module.path, *writer.text(lines, imports))
        package = module.package
        if package in written and not any(one.package == package for one in modules[at + 1 :]):
            inside = modules[: at + 1] if modules[-1].package != package else []
            text = "".join(
                f"from .{one.name.rpartition('.')[2]} import {_listed(one.binds)}\n" for one in inside
            )
            yield File(f"{package}/__init__.py", text, tuple("other" for _ in inside))


def _import(
    writer: Writer, importer: _Module, module: _Module, names: Sequence[str]
) -> tuple[list[str], Mapping[str, str]]:
    """The lines that import these names, and what the names are called then."""
    pick = writer.choices.pick
    is_beside = importer.package == module.package
    stem = module.name.rpartition(".")[2]
    # From outside its package it is had from the `__init__` alone.
    absolute = module.name if is_beside else module.package
    relative = f".{stem}" if is_beside and module.package else absolute
    source = pick("imported from", (relative, absolute))
    has_private = any(name.startswith("_") for name in names)
    likely = (6, 2, 1, 0 if has_private else 1, 1 if relative != absolute else 0)
    how = pick("imported as", _IMPORTS, likely)
    listed = ", ".join(names)
    if how == "star":
        return [f"from {source} import *"], {}
    if how == "tried":
        return [
            "try:",
            f"    from {relative} import {listed}",
            "except ImportError:",
            f"    from {stem} import {listed}",
        ], {}
    if how == "names as":
        renamed = {name: writer.fresh("alias") for name in names}
        return [f"from {source} import {', '.join(f'{a} as {b}' for a, b in renamed.items())}"], renamed
    if how == "module":
        local = writer.fresh("module")
        if source.startswith("."):
            head = f"from . import {stem} as {local}"
        else:
            head = f"import {source} as {local}"
        return [head], {name: f"{local}.{name}" for name in names}
    return [f"from {source} import {listed}"], {}


def _renamed(lines: Lines, names: Mapping[str, str]) -> Lines:
    if not names:
        return lines
    pattern = re.compile(rf"(?<![\w.'\"])(?:{'|'.join(names)})\b(?!['\"])(?!\s*=[^=])")
    return [(indent, pattern.sub(lambda m: names[m[0]], text), tag) for indent, text, tag in lines]


def _text(lines: Lines) -> str:
    return "\n".join("    " * indent + text for indent, text, _ in lines)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _is_code(lines: Lines) -> bool:
    return any(text.startswith(("def ", "async def ", "return ")) for _, text, _ in lines)


def _bound(tree: ast.Module) -> frozenset[str]:
    """What the top level binds."""
    found = {
        node.name
        for node in tree.body
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
    }
    assigned = (target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets)
    return frozenset(found.union(*map(_used, assigned)))


def _used(tree: ast.AST) -> frozenset[str]:
    return frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
