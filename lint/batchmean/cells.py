"""Notebooks in the language server: what the client sends cell by cell, as one file that the linter reads."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Generator, Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from lsprotocol import types as lsp
from pygls.protocol import LanguageServerProtocol, lsp_method
from pygls.workspace import PositionCodec

from batchmean.documents.magics import neutralised
from batchmean.documents.notebook import python_cells
from batchmean.syntax import unparsable

SELECTOR: Final = lsp.NotebookDocumentSyncOptions([lsp.NotebookDocumentFilterWithNotebook("*")])
"""All cells of every notebook: findings name cells by numbers that count all of them, as the command does."""

_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


class Cell(NamedTuple):
    """One cell."""

    uri: str
    text: str | None
    """What is in it, with LF alone; None for Markdown, and for code in other languages."""


class Sheet(NamedTuple):
    """A notebook that the linter can read."""

    content: str
    broken: Mapping[int, str]
    """Cells that do not parse, as in the middle of typing, by their numbers, and why."""
    good: Mapping[str, str]
    """The last text of each cell that parsed, by its URI."""


def sheet(cells: Sequence[Cell], good: Mapping[str, str], magics: Container[str]) -> Sheet:
    """The cells as a notebook; what does not parse stands there as it last did, so that the others know its names."""
    entries: list[dict[str, Any]] = []
    broken: dict[int, str] = {}
    parsed: dict[str, str] = {}
    for number, cell in enumerate(cells, start=1):
        text = cell.text
        if text is None:
            entries.append({"cell_type": "markdown", "source": ""})
            continue
        if good.get(cell.uri) != text and (problem := _problem(text, magics)) is not None:
            broken[number] = problem
            text = good.get(cell.uri, "")
        parsed[cell.uri] = text
        entries.append({"cell_type": "code", "source": text})
    return Sheet(json.dumps({"cells": entries}), broken, parsed)


def _problem(text: str, magics: Container[str]) -> str | None:
    """Why a cell is no Python; None where it is, or says that it is something else."""
    lines = neutralised(text.split("\n"), magics)
    return None if lines is None else unparsable("\n".join(lines))


def texts(content: str, path: str) -> dict[int, str]:
    """The texts of the cells in a notebook's JSON, by their numbers."""
    return dict(python_cells(content, path))


class Protocol(LanguageServerProtocol):
    """pygls's, but for what it makes of changes.

    Of cells clients send parts, and pygls ends lines where the protocol does not; and a document that is not open is
    no error to be shown.
    """

    @lsp_method(lsp.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(
        self, params: lsp.DidChangeTextDocumentParams
    ) -> Generator[Any, Any, None]:
        """Pass over changes of a document that is not open."""
        if unquote(params.text_document.uri) in self.workspace.text_documents:
            yield from super().lsp_text_document__did_change(params)

    @lsp_method(lsp.NOTEBOOK_DOCUMENT_DID_CHANGE)
    def lsp_notebook_document__did_change(
        self, params: lsp.DidChangeNotebookDocumentParams
    ) -> Generator[Any, Any, None]:
        """Make changes whole before they are applied; those of a notebook that is not open are passed over."""
        if self.workspace.get_notebook_document(notebook_uri=params.notebook_document.uri) is None:
            return
        if (cells := params.change.cells) is not None:
            opened = cells.structure.did_open if cells.structure is not None else None
            known = {uri: document.source for uri, document in self.workspace.text_documents.items()}
            known |= {unquote(item.uri): item.text for item in opened or ()}
            changed = [text for text in cells.text_content or () if unquote(text.document.uri) in known]
            for text in changed:
                source = known[unquote(text.document.uri)]
                text.changes = [whole(source, text.changes, self.workspace.position_codec)]
            cells.text_content = changed
        yield from super().lsp_notebook_document__did_change(params)


def whole(
    text: str, changes: Sequence[lsp.TextDocumentContentChangeEvent], codec: PositionCodec
) -> lsp.TextDocumentContentChangeWholeDocument:
    """Changes, one after the other, as the text that they lead to."""
    for change in changes:
        if isinstance(change, lsp.TextDocumentContentChangePartial):
            lines = _LINE.findall(text)
            start, end = (_offset(lines, at, codec) for at in (change.range.start, change.range.end))
            text = text[:start] + change.text + text[end:]
        else:
            text = change.text
    return lsp.TextDocumentContentChangeWholeDocument(text)


def _offset(lines: list[str], position: lsp.Position, codec: PositionCodec) -> int:
    """Where a position stands in the text; one behind the end is the end."""
    if position.line >= len(lines):
        return sum(map(len, lines))
    line = lines[position.line]
    inside = line.rstrip("\r\n")
    units, column = 0, 0
    while column < len(inside) and units < position.character:
        units += codec.client_num_units(inside[column])
        column += 1
    return sum(map(len, lines[: position.line])) + column
