"""Findings and edits in the terms of the protocol: the ranges of a document, or of the cells of a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from itertools import accumulate
from typing import Final, NamedTuple

from lsprotocol import types as lsp
from pygls.workspace import TextDocument

from batchmean.cells import texts
from batchmean.documents.magics import EVERY, neutralised
from batchmean.findings import Edit, Finding, Span
from batchmean.noqa import Noqa
from batchmean.rewrite import differences
from batchmean.server.analysis import Analysis
from batchmean.source import unify_line_ends

_SEVERITIES: Final = {"proved": lsp.DiagnosticSeverity.Warning, "likely": lsp.DiagnosticSeverity.Information}


class View:
    """One text in the terms of the protocol: positions from 0, in the units that the client counts."""

    def __init__(self, document: TextDocument, *, is_cell: bool = False) -> None:
        self.is_cell = is_cell
        self.uri = document.uri
        self.version = document.version
        self.text = unify_line_ends(document.source)
        self._lines = self.text.split("\n")
        self._line_end = "\r\n" if "\r\n" in document.source else "\n"
        self._codec = document.position_codec
        self._units: dict[int, list[int]] = {}

    def position(self, line: int, column: int) -> lsp.Position:
        """A place that counts lines and code points from 1."""
        text = self._lines[line - 1] if line <= len(self._lines) else ""
        column = min(column - 1, len(text))
        if not text.isascii():
            if line not in self._units:  # a line that many findings stand on is counted once
                sizes = (self._codec.client_num_units(char) for char in text)
                self._units[line] = list(accumulate(sizes, initial=0))
            column = self._units[line][column]
        return lsp.Position(line - 1, column)

    def range(self, span: Span) -> lsp.Range:
        """The range of a span."""
        return lsp.Range(self.position(span.line, span.column), self.position(span.end_line, span.end_column))

    def location(self, line: int, column: int) -> lsp.Location:
        """A place that counts lines and code points from 1, as one of the document."""
        start = self.position(line, column)
        return lsp.Location(self.uri, lsp.Range(start, start))

    def text_edit(self, edit: Edit) -> lsp.TextEdit:
        """An edit, with the line ends of the document."""
        return lsp.TextEdit(self.range(edit.span), edit.text.replace("\n", self._line_end))

    def difference(self, after: str) -> list[lsp.TextEdit]:
        """The edits that make the document `after`, line by line."""
        edits = []
        lines = after.split("\n")
        for start, end, new_start, new_end in differences(self._lines, lines):
            edits.append(self.text_edit(_line_edit(self._lines, start, end, lines[new_start:new_end])))
        return edits

    def silencing(self, finding: Finding) -> lsp.TextEdit | None:
        """The comment that silences a finding; None where it would stand in a string."""
        addition = self._noqa.addition([finding.code], finding.span.line)
        return self.text_edit(addition) if self._noqa.is_in_comment(addition) else None

    @cached_property
    def _noqa(self) -> Noqa:
        plain = neutralised(self._lines, EVERY) if self.is_cell else None
        return Noqa(self.text if plain is None else "\n".join(plain))


def _line_edit(lines: list[str], start: int, end: int, new: list[str]) -> Edit:
    """Replace the lines from `start` to before `end`, counted from 0. No fix adds or takes away the last line."""
    if not new:  # with its line end
        return Edit(Span(start + 1, 1, end + 1, 1), "")
    if start == end:
        return Edit(Span(start + 1, 1, start + 1, 1), "".join(f"{line}\n" for line in new))
    return Edit(Span(start + 1, 1, end, len(lines[end - 1]) + 1), "\n".join(new))


class Book(NamedTuple):
    """What the places of an analysis count in: a document, or the cells of a notebook by their numbers."""

    uri: str
    path: str
    views: Mapping[int | None, View]
    here: int | None = None
    """Which of them was asked about; None for a document."""
    broken: Mapping[int, str] = {}
    """Cells whose text is not the one that was analysed, since it does not parse."""

    @property
    def view(self) -> View:
        """The one that was asked about."""
        return self.views[self.here]

    def findings(self, analysis: Analysis) -> list[Finding]:
        """The findings where it was asked about."""
        return [f for f in analysis.findings or () if f.cell == self.here and f.cell not in self.broken]

    def diagnostic(self, finding: Finding, *, related: bool) -> lsp.Diagnostic:
        """A finding, with what it rests on if the client shows `related` information."""
        diagnostic = lsp.Diagnostic(
            range=self.views[finding.cell].range(finding.span),
            message=finding.message,
            severity=_SEVERITIES[finding.confidence],
            code=finding.code,
            source="batchmean",
        )
        if related:
            diagnostic.related_information = [
                lsp.DiagnosticRelatedInformation(self.views[b.cell].location(b.line, b.column), b.text)
                for b in finding.because
                if b.cell not in self.broken
            ]
        return diagnostic

    def text_edits(self, edits: Iterable[Edit]) -> dict[int | None, list[lsp.TextEdit]]:
        """Edits, by what they count in."""
        found: dict[int | None, list[lsp.TextEdit]] = {}
        for edit in edits:
            found.setdefault(edit.cell, []).append(self.views[edit.cell].text_edit(edit))
        return found

    def differences(self, after: str) -> dict[int | None, list[lsp.TextEdit]]:
        """The edits that make of the document, or of the cells, what is in the file `after`."""
        changed = {None: after} if self.here is None and None in self.views else texts(after, self.path)
        found = {
            cell: self.views[cell].difference(text)
            for cell, text in changed.items()
            if cell in self.views and cell not in self.broken
        }
        return {cell: edits for cell, edits in found.items() if edits}
