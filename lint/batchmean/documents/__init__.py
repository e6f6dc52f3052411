"""Files that hold Python among other things: notebooks, and Markdown with fenced code.

The engine sees one text, the code of all cells or fences in their order, so names carry from one to the next. Each
of its lines knows where it stands in the file, and findings, evidence and edits are mapped back.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from dataclasses import replace
from functools import cached_property
from importlib import import_module
from typing import NamedTuple

from batchmean.documents.blocks import Block, dedented
from batchmean.documents.magics import neutralised
from batchmean.findings import Because, Edit, Finding, Fix, Span
from batchmean.source import NOTEBOOKS, READERS
from batchmean.syntax import unparsable


class Place(NamedTuple):
    """A position in the file: in a cell of a notebook, or in the file itself where `cell` is None."""

    cell: int | None
    line: int
    column: int


class _Row(NamedTuple):
    """Where a line of the text stands: its cell, its line there, and what was cut off at its left."""

    cell: int | None
    line: int
    margin: str


class Document:
    """The Python in one file: `text`, with a map back to the places of the file."""

    def __init__(self, content: str, path: str, magics: Container[str] = ()) -> None:
        """Read a notebook, with the cells under `magics`, or a Markdown file. Raises `SourceError` where it is none."""
        self.path = path
        self._magics = magics
        self.text: str
        """The code that parses, without magics."""
        self.problems: list[str] = []
        """Why a cell has no verdict, cell by cell. What is no Python in Markdown is prose, not a problem."""
        self.skipped = 0
        """How many cells or fences are left out because they are no Python."""
        self._content = content
        self._is_notebook = path.endswith(NOTEBOOKS)
        self._cells: dict[int | None, str] = {None: content}
        self._rows: list[_Row] = []
        lines: list[str] = []
        for block in self._blocks():
            code = self._code(dedented(block))
            if code is not None:
                lines += code.lines
                self._rows += [
                    _Row(code.cell, code.line + index, margin) for index, margin in enumerate(code.margins)
                ]
        self.text = "\n".join(lines)

    def _blocks(self) -> Iterator[Block]:
        if not self._is_notebook:
            # A file may be called `.md` and no more, which `os.path` takes for a name without an ending.
            reader = next(READERS[ending] for ending in READERS if self.path.endswith(ending))
            yield from import_module(f"batchmean.documents.{reader}").fences(self._content)
            return
        from batchmean.documents.notebook import python_cells

        self._cells.clear()
        for number, source in python_cells(self._content, self.path):
            self._cells[number] = source
            yield Block.of(number, source)

    def _code(self, block: Block) -> Block | None:
        """A cell or a fence as plain Python; None if it is something else."""
        lines = neutralised(block.lines, self._magics)
        if lines is None:
            return None
        problem = unparsable("\n".join(lines))
        if problem is not None:
            self.skipped += 1
            if block.cell is not None:
                self.problems.append(f"cell {block.cell}: {problem}")
            return None
        return block._replace(lines=lines)

    @property
    def sources(self) -> dict[str, str]:
        """What the places of findings count in, by `Finding.where`: the cells, or the file itself."""
        named = {f"{self.path}:cell {number}": source for number, source in self._cells.items()}
        return named if self._is_notebook else {self.path: self._content}

    def place(self, line: int, column: int) -> Place:
        """Where a position of the text stands in the file."""
        if line > len(self._rows):  # the end of the text, where it is empty or ends a line
            last = self._rows[-1]
            return Place(last.cell, last.line + 1, 1)
        row = self._rows[line - 1]
        return Place(row.cell, row.line, column + len(row.margin))

    def line(self, cell: int | None, line: int) -> int:
        """The line of the text that stands on a line of a cell, or of the file: `place` backwards."""
        return self._lines[cell, line]

    @cached_property
    def _lines(self) -> dict[tuple[int | None, int], int]:
        return {(row.cell, row.line): number for number, row in enumerate(self._rows, start=1)}

    def mapped(self, finding: Finding) -> Finding:
        """A finding in the text as a finding in the file."""
        start = self.place(finding.span.line, finding.span.column)
        span = self._span(finding.span)
        fix, no_fix = finding.fix, finding.no_fix
        if fix is not None:
            edits = [self.edit(edit) for edit in fix.edits]
            if None in edits:
                fix, no_fix = None, "it would reach from one cell into another"
            else:
                fix = Fix(tuple(edit for edit in edits if edit is not None), fix.safe)
        return replace(
            finding,
            span=span,
            cell=start.cell,
            in_file=self._in_file(start.cell, span),
            because=tuple(map(self._because, finding.because)),
            fix=fix,
            no_fix=no_fix,
        )

    def _because(self, because: Because) -> Because:
        place = self.place(because.line, because.column)
        span = Span(place.line, place.column, place.line, place.column)
        return Because(place.line, place.column, because.text, place.cell, self._in_file(place.cell, span))

    def _span(self, span: Span) -> Span:
        start, end = self.place(span.line, span.column), self._end(span)
        return Span(start.line, start.column, end.line, end.column)

    def _end(self, span: Span) -> Place:
        """Where a range ends: one that takes a whole last line ends there, not in the next cell."""
        end = self.place(span.end_line, span.end_column)
        if span.end_column == 1 and span.end_line > span.line:
            last = self._rows[span.end_line - 2]
            if (end.cell, end.line) != (last.cell, last.line + 1):
                end = Place(last.cell, last.line + 1, 1)
        lines = self._lengths[end.cell]
        if end.line > lines:
            source = self._cells[end.cell]
            return Place(end.cell, lines, len(source) - (source.rfind("\n") + 1) + 1)
        return end

    @cached_property
    def _lengths(self) -> dict[int | None, int]:
        """How many lines a cell, or the file, has."""
        return {cell: source.count("\n") + 1 for cell, source in self._cells.items()}

    def edit(self, edit: Edit) -> Edit | None:
        """An edit of the file; what it inserts goes as far to the right as the lines around it. None across cells."""
        start, end = self.place(edit.span.line, edit.span.column), self._end(edit.span)
        rows = self._rows[edit.span.line - 1 : edit.span.end_line]
        adjacent = all(row.line == start.line + index for index, row in enumerate(rows[:-1]))
        if start.cell != end.cell or not adjacent:
            return None
        text = edit.text.replace("\n", "\n" + rows[0].margin)
        return Edit(Span(start.line, start.column, end.line, end.column), text, start.cell)

    def _in_file(self, cell: int | None, span: Span) -> Span | None:
        """The range in the notebook's JSON, for what knows no cells."""
        return None if cell is None else self._to_file(cell, span)

    @cached_property
    def _to_file(self) -> Callable[[int, Span], Span]:
        from batchmean.documents.notebook import Literals

        return Literals(self._content).in_file
