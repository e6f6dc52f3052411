"""Jupyter notebooks: the Python cells in the JSON, and edits of its string literals that leave every other byte."""

from __future__ import annotations

import json
import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from batchmean.findings import Edit, Span
from batchmean.source import SourceError, line_ends, replacements, unify_line_ends

_PYTHON: Final = re.compile(r"i?python\d*(\.\d+)*", re.IGNORECASE)
_OTHER_KERNEL: Final = re.compile(r"ir$|julia", re.IGNORECASE)  # Colab names the kernel and no language


def python_cells(content: str, path: str) -> Iterator[tuple[int, str]]:
    """The sources of the Python cells with their numbers, which count every cell from 1. Line ends are LF.

    Raises `SourceError` for what is no notebook; one in another language has no such cells.
    """
    notebook = _parsed(content, path)
    if not _speaks_python(notebook.get("metadata")):
        return
    for number, cell in enumerate(_cells(notebook, path), start=1):
        if not isinstance(cell, dict) or not isinstance(cell.get("cell_type"), str):
            raise SourceError(path, f"is not a valid notebook: cell {number} has no cell_type")
        if cell["cell_type"] == "code" and _is_python(cell):
            given = [cell[key] for key in ("source", "input") if key in cell]
            if len(given) != 1:
                raise SourceError(path, f"is not a valid notebook: cell {number} must have one source")
            source = given[0]
            if isinstance(source, list) and all(isinstance(line, str) for line in source):
                source = "".join(source)
            if not isinstance(source, str):
                raise SourceError(path, f"is not a valid notebook: the source of cell {number} is no text")
            yield number, unify_line_ends(source)


def _parsed(content: str, path: str) -> dict[str, Any]:
    try:
        # Numbers are of no interest, and Python refuses integers of many digits.
        notebook = json.loads(content, object_pairs_hook=_object, parse_int=float)
    except json.JSONDecodeError as error:
        what = error.msg.removesuffix(" at")  # `Unterminated string starting at`
        place = f"on line {error.lineno}, column {error.colno}"
        raise SourceError(path, f"is not a valid notebook: {what} {place}") from None
    except ValueError as error:
        raise SourceError(path, f"is not a valid notebook: {error}") from None
    except (RecursionError, MemoryError):
        raise SourceError(path, "is not a valid notebook: too deep or too large") from None
    if not isinstance(notebook, dict):
        raise SourceError(path, "is not a valid notebook: its JSON is no object")
    return notebook


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f"an object has the key {twice!r} twice")
    return found


def _cells(notebook: dict[str, Any], path: str) -> list[Any]:
    sheets = [notebook]
    if isinstance(notebook.get("worksheets"), list):  # nbformat 3
        if "cells" in notebook:
            raise SourceError(path, "is not a valid notebook: it has cells and worksheets")
        sheets = notebook["worksheets"]
    cells: list[Any] = []
    for sheet in sheets:
        found = sheet.get("cells") if isinstance(sheet, dict) else None
        if not isinstance(found, list):
            raise SourceError(path, "is not a valid notebook: it has no list of cells")
        cells += found
    return cells


def _speaks_python(metadata: object) -> bool:
    """Whether the notebook is not said to be in another language."""
    language, kernel = _table(metadata, "language_info"), _table(metadata, "kernelspec")
    for name in (language.get("name"), kernel.get("language")):
        if isinstance(name, str) and name:
            return _PYTHON.fullmatch(name) is not None
    name = kernel.get("name")
    return not (isinstance(name, str) and _OTHER_KERNEL.match(name))


def _is_python(cell: dict[str, Any]) -> bool:
    """Whether the cell is not said to be in another language: by nbformat 3, or by VS Code."""
    for name in (cell.get("language"), _table(cell.get("metadata"), "vscode").get("languageId")):
        if isinstance(name, str) and not _PYTHON.fullmatch(name):
            return False
    return True


def _table(holder: object, key: str) -> dict[str, Any]:
    found = holder.get(key) if isinstance(holder, dict) else None
    return found if isinstance(found, dict) else {}


class _Literal(NamedTuple):
    """The inside of a string literal: offsets in the JSON."""

    start: int
    end: int


_MARK: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},]')
_CHARACTER: Final = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[^\\]", re.DOTALL
)


class _Cell(NamedTuple):
    """A cell's source as it is, where its lines begin, and where each of its characters does so in the file."""

    source: str
    lines: list[int]
    offsets: list[int]
    """The last one is the end."""


class Literals:
    """Where the sources of the cells stand in the JSON of a notebook that `python_cells` has read."""

    def __init__(self, content: str) -> None:
        self._content = content
        self._lines = [0, *(match.end() for match in re.finditer("\n", content))]
        self._by_cell: dict[int, list[_Literal]] = {}
        self._cells: dict[int, _Cell] = {}
        for cell, literal in _literals(content):
            self._by_cell.setdefault(cell, []).append(literal)

    def in_file(self, cell: int, span: Span) -> Span:
        """Where a range of a cell stands in the file, its line ends made LF."""
        _, lines, offsets = self._read(cell)
        start = lines[span.line - 1] + span.column - 1
        end = lines[span.end_line - 1] + span.end_column - 1
        # The end is exclusive: what follows may stand in the next literal.
        last = self._after(offsets[end - 1]) if end > start else offsets[end]
        (line, column), (end_line, end_column) = self._position(offsets[start]), self._position(last)
        return Span(line, column, end_line, end_column)

    def edited(self, edits: Iterable[Edit]) -> str:
        """The JSON after edits of its cells."""
        by_cell: dict[int, list[Edit]] = {}
        for edit in edits:
            if edit.cell is None:
                raise ValueError("an edit of a notebook without its cell")
            by_cell.setdefault(edit.cell, []).append(edit)
        changes: list[tuple[int, int, str]] = []
        for cell, own in by_cell.items():
            source, _, offsets = self._read(cell)
            for start, end, text in replacements(source, own):
                changes += self._in_literals(cell, offsets, start, end, text)
        pieces, done = [], 0
        for start, end, text in sorted(changes):
            pieces += [self._content[done:start], text]
            done = end
        return "".join([*pieces, self._content[done:]])

    def _in_literals(
        self, cell: int, offsets: list[int], start: int, end: int, text: str
    ) -> Iterator[tuple[int, int, str]]:
        """A replacement in a cell's source as replacements in its literals, which stay as many."""
        first = offsets[start]
        last = self._after(offsets[end - 1]) if end > start else first
        literals = self._by_cell[cell]
        # An insertion between two literals goes to the second: it stands at the beginning of its line.
        home = bisect_right(literals, first, key=lambda literal: literal.start) - 1
        until = bisect_left(literals, last, key=lambda literal: literal.start)
        for index in range(home, max(until, home + 1)):
            literal = literals[index]
            low, high = max(first, literal.start), min(last, literal.end)
            if index == home:
                yield low, max(low, high), self._escaped(text, literal)
            elif low < high:
                yield low, high, ""

    def _read(self, cell: int) -> _Cell:
        """A cell, which is read once."""
        if cell not in self._cells:
            characters: list[str] = []
            offsets: list[int] = []
            end = 0
            for start, end in self._by_cell[cell]:
                for match in _CHARACTER.finditer(self._content, start, end):
                    offsets.append(match.start())
                    characters.append(match[0] if len(match[0]) == 1 else json.loads(f'"{match[0]}"'))
            source = "".join(characters)
            lines = [0, *(end for _, end in line_ends(source))]
            self._cells[cell] = _Cell(source, lines, [*offsets, end])
        return self._cells[cell]

    def _after(self, offset: int) -> int:
        """Behind the character that begins at `offset`."""
        match = _CHARACTER.match(self._content, offset)
        assert match is not None
        return match.end()

    def _position(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self._lines, offset)
        return line, offset - self._lines[line - 1] + 1

    def _escaped(self, text: str, literal: _Literal) -> str:
        """The text as the inside of a literal, spelled as the literal, or else the file, spells such characters."""
        is_plain = self._content[literal.start : literal.end].isascii() and self._content.isascii()
        return json.dumps(text, ensure_ascii=is_plain)[1:-1]


def _literals(content: str) -> Iterator[tuple[int, _Literal]]:
    """The literals that hold the sources, each with the number of its cell, in their order."""
    path: list[str | int | None] = []  # an object's current key, None before it; a list's current index
    cell = 0
    for match in _MARK.finditer(content):
        mark = match[0]
        if mark in ("{", "["):
            cell += mark == "{" and _is_cell(path)
            path.append(None if mark == "{" else 0)
        elif mark in ("}", "]"):
            path.pop()
        elif mark == ",":
            path[-1] = path[-1] + 1 if isinstance(path[-1], int) else None
        elif path and path[-1] is None:
            path[-1] = json.loads(mark)
        else:
            key = path[-2] if path and isinstance(path[-1], int) else path[-1] if path else None
            inner = len(path) - (1 if path and isinstance(path[-1], int) else 0)
            if key in ("source", "input") and _is_cell(path[: inner - 1]):
                yield cell, _Literal(match.start() + 1, match.end() - 1)


def _is_cell(path: list[str | int | None]) -> bool:
    """Whether the value at this place is a cell."""
    if len(path) == 4 and path[0] == "worksheets" and isinstance(path[1], int):
        path = path[2:]
    return len(path) == 2 and path[0] == "cells" and isinstance(path[1], int)
