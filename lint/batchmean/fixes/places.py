"""Where things stand in a text, and where they are after some edits."""

from __future__ import annotations

import ast
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import TypeAlias

from batchmean.findings import Edit, Span, span_of

Place: TypeAlias = tuple[int, int]
"""Where in a text something begins and where it ends, in characters from its start."""


class Places:
    """Where things stand in a text."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self._starts = [0, *accumulate(len(line) + 1 for line in lines)]

    def of(self, span: Span) -> Place:
        """The place of a range."""
        starts = self._starts
        return starts[span.line - 1] + span.column - 1, starts[span.end_line - 1] + span.end_column - 1

    def of_node(self, node: ast.AST) -> Place:
        """The place of a node that stands somewhere."""
        return self.of(span_of(node, self.lines))


class Moved:
    """Where lines are after some edits."""

    def __init__(self, edits: Sequence[Edit], places: Sequence[Place]) -> None:
        """`places` are those that the edits replace."""
        ordered = sorted(zip(places, edits, strict=True), key=lambda pair: pair[0])
        self._firsts = [first for (first, _), _ in ordered]
        self._lasts = [last for (_, last), _ in ordered]
        self._longer = [0, *accumulate(len(edit.text) - (last - first) for (first, last), edit in ordered)]
        self._lines = [edit.span.line for _, edit in ordered]
        self._added = [0, *accumulate(_added_lines(edit) for _, edit in ordered)]

    def place(self, place: Place) -> Place:
        """Where a place is that edits are in, or do not touch."""
        first, last = place
        return (
            first + self._longer[bisect_left(self._lasts, first)],
            last + self._longer[bisect_right(self._firsts, last)],
        )

    def first_line(self, line: int) -> int:
        """Where a line is that edits begin with."""
        return line + self._added[bisect_left(self._lines, line)]

    def last_line(self, line: int, own: Sequence[Edit]) -> int:
        """Where the last line is that edits end with; `own` count wherever they are."""
        beyond = sum(_added_lines(edit) for edit in own if edit.span.line > line)
        return line + self._added[bisect_right(self._lines, line)] + beyond


def _added_lines(edit: Edit) -> int:
    return edit.text.count("\n") - (edit.span.end_line - edit.span.line)
