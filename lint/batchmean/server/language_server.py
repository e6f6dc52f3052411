"""The server as pygls has it: what the client tells and asks, what it has open, and the jobs in threads."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final, TypeVar

from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer
from pygls.workspace import TextDocument

from batchmean.cells import SELECTOR, Cell, Protocol, Sheet, sheet
from batchmean.check import INTERNAL_ERROR
from batchmean.config import Settings
from batchmean.explain import about, page
from batchmean.findings import Finding, Fix, Span
from batchmean.rules import EVERY as RULES
from batchmean.server.analysis import NO_FIXES, Analysis, Cancelled, Job, analyse, fix_all
from batchmean.server.views import Book, View
from batchmean.version import __version__

FIX_ALL: Final = "source.fixAll.batchmean"
FIX_NOTEBOOK: Final = "notebook.source.fixAll.batchmean"

_FEW: Final = 10  # findings whose fixes are worked out for a client that cannot ask for them later


_Result = TypeVar("_Result")


class Closed(Exception):
    """The client has not opened this document, or has closed it since."""


class BatchmeanServer(LanguageServer):
    """The server. One thread analyses and another one works out fixes, so that messages are answered while they do."""

    def __init__(self) -> None:
        # Whole texts, not changes: pygls ends lines where Python and the protocol do not (form feeds, U+2028), and
        # would put changes in wrong places.
        super().__init__(
            "batchmean",
            __version__,
            lsp.TextDocumentSyncKind.Full,
            notebook_document_sync=SELECTOR,
            protocol_cls=Protocol,
        )
        self.is_shut_down = False
        self._worker = ThreadPoolExecutor(max_workers=1)
        self._fixer = ThreadPoolExecutor(max_workers=1)
        self._jobs: dict[Job, str] = {}
        """What is under way, and for which document or notebook."""
        self._known: dict[str, Analysis] = {}
        self._good: dict[str, Mapping[str, str]] = {}
        """The last texts of cells that parsed, by the URI of the notebook."""
        self._pending: dict[str, asyncio.Task[None]] = {}
        self._complaints: dict[str, str | None] = {}

    # What the client tells.

    def look_at(self, uri: str, pause: float = 0) -> None:
        """Publish the diagnostics of a document, after a pause; a look that is still to come is dropped."""
        if (pending := self._pending.pop(uri, None)) is not None:
            pending.cancel()
        if pause:
            self.call_off(uri)
        self._pending[uri] = asyncio.ensure_future(self._publish(uri, pause))

    def look_at_all(self) -> None:
        """The configuration may have changed."""
        for document in self._open:
            if self._notebook_of(document.uri) is None:
                self.look_at(document.uri)
        for notebook in self._notebooks:
            self.look_at(notebook.uri)

    def forget(self, uri: str, cells: Iterable[str] | None = None) -> None:
        """The document is closed, or the notebook with its cells."""
        if (pending := self._pending.pop(uri, None)) is not None:
            pending.cancel()
        self._known.pop(uri, None)
        self._good.pop(uri, None)
        for each in (uri,) if cells is None else cells:
            self._complaints.pop(each, None)
            self.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(each, []))

    async def _publish(self, uri: str, pause: float) -> None:
        await asyncio.sleep(pause)
        try:
            analysis, book = await self._analysis(uri)
        except Closed:
            return
        except Exception as error:  # nobody waits for this task, so nobody else would tell
            self._complain(lsp.MessageType.Error, uri, f"{INTERNAL_ERROR}: {type(error).__name__}: {error}")
            return
        if analysis.findings is None:
            return
        by_cell: dict[int | None, list[lsp.Diagnostic]] = {cell: [] for cell in book.views}
        for finding in analysis.findings:
            by_cell[finding.cell].append(self._diagnostic(book, finding))
        for cell, diagnostics in by_cell.items():
            if cell not in book.broken:
                view = book.views[cell]
                self.text_document_publish_diagnostics(
                    lsp.PublishDiagnosticsParams(view.uri, diagnostics, view.version)
                )
        rules = {RULES[finding.code] for finding in analysis.findings}
        with suppress(Closed):
            await self._in_worker(uri, lambda job: [page(rule) for rule in rules])  # a hover has them at once

    # What the client asks.

    async def hover(self, uri: str, position: lsp.Position) -> lsp.Hover | None:
        """What a finding at this place says, in full."""
        analysis, book = await self._analysis(uri)
        for finding in book.findings(analysis):
            place = book.view.range(finding.span)
            if _overlap(place, lsp.Range(position, position)):
                text = await self._in_worker(uri, lambda job, finding=finding: about(finding))  # type: ignore[misc]
                return lsp.Hover(lsp.MarkupContent(lsp.MarkupKind.Markdown, text), place)
        return None

    async def code_actions(self, params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
        """The fixes of the findings in a range, ways to silence them, and the safe fixes of the whole document.

        Fixes are worked out for the findings that are asked about; for the whole document when a client that can
        ask for them later does so, or else now if they are few or it asks for nothing else.
        """
        uri, only = params.text_document.uri, params.context.only
        analysis, book = await self._analysis(uri)
        places = frozenset(
            f.region for f in book.findings(analysis) if _overlap(book.view.range(f.span), params.range)
        )
        kinds = [FIX_ALL] if book.here is None else [FIX_ALL, FIX_NOTEBOOK]
        is_asked_for_all = only is not None and any(_is_wanted(kind, only) for kind in kinds)
        if not (places or is_asked_for_all):
            return []
        actions: list[lsp.CodeAction] = []
        if places and _is_wanted(lsp.CodeActionKind.QuickFix, only):
            analysis, book = await self._analysis(uri, fixes=places)
            here = [f for f in book.findings(analysis) if _overlap(book.view.range(f.span), params.range)]
            actions += [self._fix(book, f) for f in here if f.fix is not None and self._can_edit(book, f.fix)]
            silencing = ((finding, book.view.silencing(finding)) for finding in here)
            actions += [self._silence(book, finding, edit) for finding, edit in silencing if edit is not None]
        for kind in kinds:
            if not _is_wanted(kind, only) or (only is None and kind == FIX_NOTEBOOK):
                continue
            where = " in this notebook" if kind == FIX_NOTEBOOK else ""
            action = lsp.CodeAction(f"Fix all that batchmean can fix safely{where}", kind, data=uri)
            if self._can_resolve and not is_asked_for_all:
                actions.append(action)
            elif not is_asked_for_all and len(analysis.findings or ()) > _FEW:
                pass
            elif (resolved := await self.resolve(action)).edit is not None:
                actions.append(resolved)
        return actions

    def _can_edit(self, book: Book, fix: Fix) -> bool:
        """Whether none of its edits is in a cell whose text is another one now."""
        return all(edit.cell not in book.broken for edit in fix.edits)

    async def resolve(self, action: lsp.CodeAction) -> lsp.CodeAction:
        """The safe fixes of a whole document, for an action that was offered without them."""
        uri = action.data
        document = self._document(uri) if isinstance(uri, str) else None
        if document is not None:
            analysis, book = await self._analysis(document.uri, fixes=None)
            found = book.findings(analysis)
            if action.kind == FIX_NOTEBOOK:
                found = [f for f in analysis.findings or () if f.cell not in book.broken]
            chosen = [f for f in found if f.fix is None or self._can_edit(book, f.fix)]
            after = await self._in_worker(
                book.uri, lambda job: fix_all(analysis, book.path, job, chosen), fixes=True
            )
            if after != analysis.text and (edits := book.differences(after)):
                action.edit = self._edit(book, edits)
        action.data = None
        return action

    @property
    def _can_resolve(self) -> bool:
        """Whether the client can ask for the edit of an action that it was offered without it."""
        text_document = self.client_capabilities.text_document
        acting = text_document.code_action if text_document is not None else None
        support = acting.resolve_support if acting is not None else None
        return support is not None and "edit" in support.properties and bool(acting and acting.data_support)

    def _fix(self, book: Book, finding: Finding) -> lsp.CodeAction:
        assert finding.fix is not None
        title = f"Fix {finding.code} {finding.name}"
        return lsp.CodeAction(
            title if finding.fix.safe else f"{title} (unsafe: look at the result)",
            lsp.CodeActionKind.QuickFix,
            diagnostics=[self._diagnostic(book, finding)],
            is_preferred=finding.fix.safe,
            edit=self._edit(book, book.text_edits(finding.fix.edits)),
        )

    def _silence(self, book: Book, finding: Finding, edit: lsp.TextEdit) -> lsp.CodeAction:
        return lsp.CodeAction(
            f"Silence {finding.code} on this line (# noqa)",
            lsp.CodeActionKind.QuickFix,
            diagnostics=[self._diagnostic(book, finding)],
            is_preferred=False,
            edit=self._edit(book, {finding.cell: [edit]}),
        )

    # Common to both.

    @property
    def _open(self) -> list[TextDocument]:
        """The documents that the client has opened."""
        try:
            return [*self.workspace.text_documents.values()]
        except RuntimeError:  # before the client has said who it is
            return []

    @property
    def _notebooks(self) -> list[lsp.NotebookDocument]:
        """The notebooks that the client has opened."""
        try:
            return [*self.workspace.notebook_documents.values()]
        except RuntimeError:  # before the client has said who it is
            return []

    def _notebook_of(self, uri: str) -> lsp.NotebookDocument | None:
        """The notebook with this URI, or with such a cell."""
        if not self._notebooks:
            return None
        workspace = self.workspace
        return workspace.get_notebook_document(notebook_uri=uri) or workspace.get_notebook_document(
            cell_uri=uri
        )

    def _document(self, uri: str) -> TextDocument | None:
        """A document, if the client has opened it: no other one is read, and it may be a pipe."""
        # Under which spelling of a URI a document is kept, with `%20` or without, pygls alone knows.
        found = self.workspace.get_text_document(uri) if self._open else None
        return found if any(found is document for document in self._open) else None

    async def _analysis(self, uri: str, *, fixes: frozenset[Span] | None = NO_FIXES) -> tuple[Analysis, Book]:
        """The analysis of an open document as it is now, with the fixes at some places, or with all (None).

        Of a cell, or of a notebook by its own URI, it is that of the notebook. Raises `Closed`: between two steps of
        an answer the client may have closed it.
        """
        if (notebook := self._notebook_of(uri)) is not None:
            return await self._analysis_of_notebook(notebook, uri, fixes)
        document = self._document(uri)
        if document is None:
            raise Closed
        view = View(document)
        path, known = self._path(document), self._known.get(uri)
        analysis = await self._in_worker(
            uri, lambda job: analyse(view.text, path, known, job, fixes=fixes), fixes=fixes != NO_FIXES
        )
        now = self._document(uri)
        if now is not None and now.version == view.version:
            self._known[uri] = analysis
        self._complain_of(analysis, uri, path)
        return analysis, Book(uri, path, {None: view})

    async def _analysis_of_notebook(
        self, notebook: lsp.NotebookDocument, uri: str, fixes: frozenset[Span] | None
    ) -> tuple[Analysis, Book]:
        views: dict[int | None, View] = {}
        cells: list[Cell] = []
        here = None
        for number, cell in enumerate(notebook.cells, start=1):
            document = self._document(cell.document)
            is_code = cell.kind == lsp.NotebookCellKind.Code
            if document is not None and is_code and document.language_id == "python":
                view = views[number] = View(document, is_cell=True)
                cells.append(Cell(cell.document, view.text))
            else:
                cells.append(Cell(cell.document, None))
            if uri == cell.document:
                here = number
        if here is not None and here not in views:
            raise Closed  # Markdown, or another language
        path = _path_of_notebook(notebook.uri)
        known, good = self._known.get(notebook.uri), self._good.get(notebook.uri, {})

        def work(job: Job) -> tuple[Sheet, Analysis]:
            config = Settings(on_problem=lambda problem: None).of(path)
            made = sheet(cells, good, config.python_cell_magics)
            return made, analyse(made.content, path, known, job, fixes=fixes)

        version = notebook.version
        made, analysis = await self._in_worker(notebook.uri, work, fixes=fixes != NO_FIXES)
        now = self._notebook_of(notebook.uri)
        if now is not None and now.version == version:
            self._known[notebook.uri] = analysis
            self._good[notebook.uri] = made.good
        self._complain_of(analysis, notebook.uri, path)
        for number, problem in made.broken.items():
            message = f"{path}: cell {number}: {problem}"
            self._complain(lsp.MessageType.Log, cells[number - 1].uri, message)
        return analysis, Book(notebook.uri, path, views, here, made.broken)

    def _complain_of(self, analysis: Analysis, uri: str, path: str) -> None:
        """Say what is wrong with the settings, or why there is no verdict."""
        if analysis.config_problem is not None:
            self._complain(lsp.MessageType.Warning, "configuration", analysis.config_problem)
        else:
            self._complaints.pop("configuration", None)
        if analysis.problem is not None:
            is_ours = analysis.problem.startswith(INTERNAL_ERROR)
            level = lsp.MessageType.Error if is_ours else lsp.MessageType.Log
            self._complain(level, uri, f"{path}: {analysis.problem}")

    def _path(self, document: TextDocument) -> str:
        # A URI names the bytes of a path as UTF-8, whatever the encoding of the locale.
        path = os.fsdecode(document.path.encode("utf-8", "surrogateescape"))
        # What an editor sends under the name of a notebook is one of its cells.
        return f"{path}.py" if path.endswith(".ipynb") else path

    async def _in_worker(self, uri: str, work: Callable[[Job], _Result], *, fixes: bool = False) -> _Result:
        """Do it in the thread for that. If nobody waits any more, it ends at its next step.

        Raises `Closed` where it was called off.
        """
        job = Job()
        self._jobs[job] = uri
        thread = self._fixer if fixes else self._worker
        try:
            return await asyncio.get_running_loop().run_in_executor(thread, work, job)
        except Cancelled:
            raise Closed from None
        finally:
            job.call_off()
            del self._jobs[job]

    def call_off(self, uri: str | None = None) -> None:
        """End whatever is under way, or is for a document: it has changed, so that nobody can use the answer."""
        for job, its in self._jobs.items():
            if uri in (None, its):
                job.call_off()

    def _complain(self, level: lsp.MessageType, about_what: str, message: str) -> None:
        """Say it once, until something else is to be said about the same."""
        if self._complaints.get(about_what) == message:
            return
        self._complaints[about_what] = message
        if level == lsp.MessageType.Warning:
            self.window_show_message(lsp.ShowMessageParams(level, f"batchmean: {message}"))
        else:
            self.window_log_message(lsp.LogMessageParams(level, message))

    def _diagnostic(self, book: Book, finding: Finding) -> lsp.Diagnostic:
        text_document = self.client_capabilities.text_document
        publishing = text_document.publish_diagnostics if text_document is not None else None
        return book.diagnostic(
            finding, related=publishing is not None and bool(publishing.related_information)
        )

    def _edit(self, book: Book, edits: Mapping[int | None, list[lsp.TextEdit]]) -> lsp.WorkspaceEdit:
        """The edits, for these versions of the documents only if the client can tell."""
        workspace = self.client_capabilities.workspace
        editing = workspace.workspace_edit if workspace is not None else None
        if editing is None or not editing.document_changes:
            return lsp.WorkspaceEdit(changes={book.views[cell].uri: some for cell, some in edits.items()})
        changes: list[lsp.TextDocumentEdit | lsp.CreateFile | lsp.RenameFile | lsp.DeleteFile] = []
        for cell, some in edits.items():
            view = book.views[cell]
            document = lsp.OptionalVersionedTextDocumentIdentifier(view.uri, view.version)
            changes.append(lsp.TextDocumentEdit(document, [*some]))
        return lsp.WorkspaceEdit(document_changes=changes)


def _path_of_notebook(uri: str) -> str:
    """Where a notebook is, or would be: one that is not saved yet has a name of its own kind."""
    path = os.fsdecode(TextDocument(uri).path.encode("utf-8", "surrogateescape"))
    return path if path.endswith(".ipynb") else f"{path}.ipynb"


def _overlap(one: lsp.Range, other: lsp.Range) -> bool:
    """Whether two ranges have a place in common, be it their ends."""
    return _key(one.start) <= _key(other.end) and _key(other.start) <= _key(one.end)


def _key(position: lsp.Position) -> tuple[int, int]:
    return position.line, position.character


def _is_wanted(kind: str, only: Sequence[str] | None) -> bool:
    return only is None or any(not wanted or (kind + ".").startswith(wanted + ".") for wanted in only)
