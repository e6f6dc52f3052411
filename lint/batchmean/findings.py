"""What the linter hands to its faces: a finding, its evidence and its factor."""

from __future__ import annotations

import ast
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Literal

Confidence = Literal["proved", "likely"]


@dataclass(frozen=True, slots=True)
class Span:
    """A range of source text. Lines and columns count from 1, columns in code points; the end is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True)
class Because:
    """One line of the evidence: what the code at this place shows. `cell` and `in_file` are as in `Finding`."""

    line: int
    column: int
    text: str
    cell: int | None = None
    in_file: Span | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the text of `span`, in a notebook that of a cell, by `text`."""

    span: Span
    text: str
    cell: int | None = None


@dataclass(frozen=True, slots=True)
class Fix:
    """Edits that belong together. `safe` says that the term stands alone and every step is shown."""

    edits: tuple[Edit, ...]
    safe: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """A reduction that divides by the wrong count.

    `factor` is the reduction in the code over the right reduction of the same integrand, as exponents of the
    named sizes: `{"V": -1}` is 1/V. `known_sizes` holds the sizes that the code itself shows: `{"V": 10}`.

    In a notebook `span` counts in the cell with the number `cell`, which counts all cells from 1, and `in_file` is
    where that stands in the JSON.
    """

    code: str
    name: str
    message: str
    path: str
    span: Span
    confidence: Confidence
    factor: Mapping[str, int] | None
    because: tuple[Because, ...]
    known_sizes: Mapping[str, int] | None = None
    cell: int | None = None
    in_file: Span | None = None
    fix: Fix | None = None
    no_fix: str | None = None
    """Why there is no fix, where one was asked for."""

    @property
    def where(self) -> str:
        """What the lines count in: the file, or a cell of it."""
        return self.path if self.cell is None else f"{self.path}:cell {self.cell}"

    @property
    def region(self) -> Span:
        """The range in the file itself, for what knows no cells."""
        return self.in_file or self.span

    @property
    def sort_key(self) -> tuple[str, int, int, int, str]:
        """Order of the report: by file, then cell, then position."""
        return (self.path, self.cell or 0, self.span.line, self.span.column, self.code)


def span_of(node: ast.AST, lines: list[str]) -> Span:
    """The range of a node in code points; `ast` counts UTF-8 bytes."""
    line: int = getattr(node, "lineno", 1)
    end_line: int = getattr(node, "end_lineno", None) or line
    column: int = getattr(node, "col_offset", 0)
    end_column: int = getattr(node, "end_col_offset", None) or column
    return Span(
        line, _code_points(lines, line, column) + 1, end_line, _code_points(lines, end_line, end_column) + 1
    )


def _code_points(lines: list[str], line: int, offset: int) -> int:
    if not 0 < line <= len(lines):
        return offset
    text = lines[line - 1]
    return offset if text.isascii() else bisect_right(_byte_offsets(text), offset) - 1


@lru_cache(maxsize=8)
def _byte_offsets(text: str) -> list[int]:
    """Where each code point of a line starts in its UTF-8, and where the last one ends."""
    return list(accumulate((len(c.encode("utf-8", "surrogatepass")) for c in text), initial=0))
