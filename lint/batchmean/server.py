"""`batchmean server`: a language server over standard input and output.

It has no analysis of its own: it hands documents to `Check`, and makes diagnostics, code actions and hovers of the
findings. No configuration is remembered; it is read again whenever a document is looked at.

A document that does not parse, as in the middle of typing, keeps the diagnostics of its last text that did. A notebook
is read as one file, and each of its cells has diagnostics of its own.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple, TypeVar

from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer
from pygls.workspace import TextDocument

from batchmean import gate
from batchmean.baseline import Baselines
from batchmean.cells import SELECTOR, Cell, Protocol, Sheet, sheet, texts
from batchmean.check import INTERNAL_ERROR, Check, calls_for_losses, opened, project_of, sources
from batchmean.config import Config, ConfigError, Settings
from batchmean.documents.magics import EVERY, neutralised
from batchmean.explain import about, page
from batchmean.findings import Edit, Finding, Fix, Span
from batchmean.functions import in_use
from batchmean.noqa import Noqa
from batchmean.report import Report
from batchmean.rewrite import differences, rewrite
from batchmean.rules import EVERY as RULES
from batchmean.source import SourceError, decode, encode, unify_line_ends
from batchmean.version import __version__

PAUSE: Final = 0.005
"""Seconds without a change before a document is analysed, so that a burst of changes is analysed once."""

FIX_ALL: Final = "source.fixAll.batchmean"
FIX_NOTEBOOK: Final = "notebook.source.fixAll.batchmean"
MAX_MESSAGE: Final = 64 << 20
"""Bytes of a message; a larger one is answered by an error."""

_SWITCH: Final = 0.001  # seconds that a thread computes while another one has something to answer
_FEW: Final = 10  # findings whose fixes are worked out for a client that cannot ask for them later
_NO_FIXES: Final = frozenset[Span]()

_SEVERITIES: Final = {"proved": lsp.DiagnosticSeverity.Warning, "likely": lsp.DiagnosticSeverity.Information}

_Result = TypeVar("_Result")


class Cancelled(BaseException):
    """Nobody waits for this any more."""


class Closed(Exception):
    """The client has not opened this document, or has closed it since."""


class Job:
    """Something that the worker does, and that can be called off."""

    def __init__(self) -> None:
        self._is_off = threading.Event()

    def call_off(self) -> None:
        """Let `go_on` raise from now on."""
        self._is_off.set()

    def go_on(self) -> None:
        """To be asked between steps."""
        if self._is_off.is_set():
            raise Cancelled


class Analysis(NamedTuple):
    """What is known of one text. Without a verdict `findings` is None, and `problem` says why."""

    text: str
    config: Config
    config_problem: str | None
    baseline: tuple[int, int] | None
    """When the baseline was written, and its size."""
    fixed: frozenset[Span] | None
    """The findings whose fixes were asked for; None if those of all were."""
    findings: list[Finding] | None
    problem: str | None = None
    covered: tuple[Finding, ...] = ()
    """What the baseline leaves out."""

    def has_fixes(self, places: frozenset[Span] | None) -> bool:
        """Whether the fixes of the findings at some places, or of all, were asked for."""
        return self.fixed is None or (places is not None and places <= self.fixed)


def analyse(
    text: str,
    path: str,
    known: Analysis | None,
    job: Job,
    *,
    fixes: frozenset[Span] | None = _NO_FIXES,
    overrides: Mapping[str, Any] | None = None,
) -> Analysis:
    """The findings in a text, with the fixes of those at some places, or of all (None).

    `overrides` are settings that win over those of the project. `known` comes back if that is what this would return, and its fixes are kept in any case.
    """
    problems: list[ConfigError] = []
    settings = Settings(overrides, on_problem=problems.append)
    config = settings.of(path)
    baselines = Baselines(settings, on_problem=problems.append)
    baselines.of(path)
    question = (text, config, str(problems[0]) if problems else None, _state(config.baseline))
    before: dict[tuple[Span, str], Finding] = {}
    if known is not None and known[:4] == question:
        if known.has_fixes(fixes):
            return known
        before = {(f.region, f.code): f for f in known.findings or () if f.region in (known.fixed or ())}
    project = project_of(path, config)
    code = _code(text, path, config)
    with in_use(config.functions, path):
        loops = gate.asks_for_loops(code, config.preview)
        is_suspicious = gate.is_worth_it(config.functions.marked(code), loops) or (
            project is not None and calls_for_losses(code, project)
        )
    if not is_suspicious or config.excludes(path):
        return Analysis(*question, None, [])

    def wanted(finding: Finding) -> bool:
        job.go_on()
        is_asked_for = fixes is None or finding.region in fixes
        return is_asked_for and (finding.region, finding.code) not in before

    check = _check(settings, job, fixes=wanted if fixes != _NO_FIXES else False)
    try:
        found = check.again(text, path)
    except ValueError as error:
        return Analysis(*question, None, None, str(error))
    new = baselines.new(Report(found, [], sources(text, path))) if config.baseline else found
    kept = set(map(id, new))
    covered = tuple(finding for finding in found if id(finding) not in kept)
    findings = [before.get((finding.region, finding.code), finding) for finding in new]
    fixed = None if fixes is None else fixes.union(span for span, _ in before)
    return Analysis(*question, fixed, findings, covered=covered)


def _code(text: str, path: str, config: Config) -> str:
    """The Python in a text."""
    try:
        document = opened(text, path, config.python_cell_magics)
    except SourceError:
        return text
    return text if document is None else document.text


def _state(file: str | None) -> tuple[int, int] | None:
    try:
        state = Path(file).stat() if file else None
    except OSError:
        return None
    return None if state is None else (state.st_mtime_ns, state.st_size)


def fix_all(
    analysis: Analysis,
    path: str,
    job: Job,
    chosen: Sequence[Finding],
    overrides: Mapping[str, Any] | None = None,
) -> str:
    """The text with every safe fix of some findings applied."""
    settings = Settings(overrides, on_problem=lambda problem: None)
    report = Report([*chosen], [], sources(analysis.text, path))

    def wanted(finding: Finding) -> bool:
        job.go_on()
        return True

    check = _check(settings, job, fixes=wanted)
    if analysis.covered or len(chosen) < len(analysis.findings or ()):
        everything = sorted(
            [*(analysis.findings or ()), *analysis.covered], key=lambda finding: finding.sort_key
        )
        check.keep(report._replace(findings=everything), report.findings)
    try:
        data = encode(analysis.text, path)
        done = rewrite(report, check, lambda _: data, lambda *_: None, unsafe=False)
        return decode(done.changes[0].after, path) if done.changes else analysis.text
    except SourceError:  # it holds characters that the encoding it declares does not have
        return analysis.text


def _check(settings: Settings, job: Job, *, fixes: bool | Callable[[Finding], bool]) -> Check:
    return Check(settings, fixes=fixes, warn=lambda message: None, go_on=job.go_on)


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


class BatchmeanServer(LanguageServer):
    """The server. One thread analyses and another one works out fixes, so that messages are answered while they do."""

    def __init__(self, overrides: Mapping[str, Any] | None = None) -> None:
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
        self._overrides = overrides
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
                book.uri,
                lambda job: fix_all(analysis, book.path, job, chosen, self._overrides),
                fixes=True,
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

    async def _analysis(
        self, uri: str, *, fixes: frozenset[Span] | None = _NO_FIXES
    ) -> tuple[Analysis, Book]:
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
            uri,
            lambda job: analyse(view.text, path, known, job, fixes=fixes, overrides=self._overrides),
            fixes=fixes != _NO_FIXES,
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
            return made, analyse(made.content, path, known, job, fixes=fixes, overrides=self._overrides)

        version = notebook.version
        made, analysis = await self._in_worker(notebook.uri, work, fixes=fixes != _NO_FIXES)
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


def create_server(overrides: Mapping[str, Any] | None = None) -> BatchmeanServer:
    """The server with its features; pygls calls a function whose first parameter is named `ls` with the server."""
    server = BatchmeanServer(overrides)

    @server.feature(lsp.INITIALIZED)
    async def initialized(ls: BatchmeanServer, params: lsp.InitializedParams) -> None:
        workspace = ls.client_capabilities.workspace
        watching = workspace.did_change_watched_files if workspace is not None else None
        if watching is not None and watching.dynamic_registration:
            options = lsp.DidChangeWatchedFilesRegistrationOptions(
                [lsp.FileSystemWatcher("**/pyproject.toml")]
            )
            method = lsp.WORKSPACE_DID_CHANGE_WATCHED_FILES
            await ls.client_register_capability_async(
                lsp.RegistrationParams([lsp.Registration("pyproject", method, options)])
            )

    @server.feature(lsp.TEXT_DOCUMENT_DID_OPEN)
    async def opened(ls: BatchmeanServer, params: lsp.DidOpenTextDocumentParams) -> None:
        ls.look_at(params.text_document.uri)

    @server.feature(lsp.TEXT_DOCUMENT_DID_CHANGE)
    async def changed(ls: BatchmeanServer, params: lsp.DidChangeTextDocumentParams) -> None:
        ls.look_at(params.text_document.uri, PAUSE)

    @server.feature(lsp.TEXT_DOCUMENT_DID_SAVE)
    async def saved(ls: BatchmeanServer, params: lsp.DidSaveTextDocumentParams) -> None:
        ls.look_at(params.text_document.uri)

    @server.feature(lsp.TEXT_DOCUMENT_DID_CLOSE)
    async def closed(ls: BatchmeanServer, params: lsp.DidCloseTextDocumentParams) -> None:
        ls.forget(params.text_document.uri)

    @server.feature(lsp.NOTEBOOK_DOCUMENT_DID_OPEN)
    async def notebook_opened(ls: BatchmeanServer, params: lsp.DidOpenNotebookDocumentParams) -> None:
        ls.look_at(params.notebook_document.uri)

    @server.feature(lsp.NOTEBOOK_DOCUMENT_DID_CHANGE)
    async def notebook_changed(ls: BatchmeanServer, params: lsp.DidChangeNotebookDocumentParams) -> None:
        structure = params.change.cells.structure if params.change.cells is not None else None
        for cell in (structure.did_close if structure is not None else None) or ():
            ls.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(cell.uri, []))
        ls.look_at(params.notebook_document.uri, PAUSE)

    @server.feature(lsp.NOTEBOOK_DOCUMENT_DID_SAVE)
    async def notebook_saved(ls: BatchmeanServer, params: lsp.DidSaveNotebookDocumentParams) -> None:
        ls.look_at(params.notebook_document.uri)

    @server.feature(lsp.NOTEBOOK_DOCUMENT_DID_CLOSE)
    async def notebook_closed(ls: BatchmeanServer, params: lsp.DidCloseNotebookDocumentParams) -> None:
        ls.forget(params.notebook_document.uri, [cell.uri for cell in params.cell_text_documents])

    @server.feature(lsp.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    async def files_changed(ls: BatchmeanServer, params: lsp.DidChangeWatchedFilesParams) -> None:
        ls.look_at_all()

    @server.feature(lsp.WORKSPACE_DID_CHANGE_CONFIGURATION)
    async def configured(ls: BatchmeanServer, params: lsp.DidChangeConfigurationParams) -> None:
        ls.look_at_all()

    @server.feature(lsp.TEXT_DOCUMENT_HOVER)
    async def hover(ls: BatchmeanServer, params: lsp.HoverParams) -> lsp.Hover | None:
        try:
            return await ls.hover(params.text_document.uri, params.position)
        except Closed:
            return None

    @server.feature(
        lsp.TEXT_DOCUMENT_CODE_ACTION,
        lsp.CodeActionOptions(
            code_action_kinds=[lsp.CodeActionKind.QuickFix, FIX_ALL, FIX_NOTEBOOK], resolve_provider=True
        ),
    )
    async def code_actions(ls: BatchmeanServer, params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
        try:
            return await ls.code_actions(params)
        except Closed:
            return []

    @server.feature(lsp.CODE_ACTION_RESOLVE)
    async def resolve(ls: BatchmeanServer, params: lsp.CodeAction) -> lsp.CodeAction:
        try:
            return await ls.resolve(params)
        except Closed:
            return params

    @server.feature(lsp.SHUTDOWN)
    def shut_down(ls: BatchmeanServer, params: None) -> None:
        ls.is_shut_down = True

    return server


class Inbox:
    """Messages as they come in, but for those that are too large: they are answered by an error and left out."""

    _LENGTH = re.compile(rb"Content-Length: (\d+)\r\n\Z")
    _MAX_LINE = 1 << 16
    _MAX_DIGITS = 9

    def __init__(self, stream: BinaryIO, channel: BinaryIO) -> None:
        self._stream = stream
        self._channel = channel

    def read(self, size: int) -> bytes:
        """The body of a message."""
        return self._stream.read(size)

    def readline(self) -> bytes:
        """A line of a header."""
        line = self._stream.readline(self._MAX_LINE)
        length = self._LENGTH.match(line)
        while length is not None and self._is_too_large(length[1]):
            self._complain(length[1])
            line = self._next_header()
            length = self._LENGTH.match(line)
        return line

    def _is_too_large(self, digits: bytes) -> bool:
        digits = digits.lstrip(b"0")
        return len(digits) > self._MAX_DIGITS or int(digits or b"0") > MAX_MESSAGE

    def _next_header(self) -> bytes:
        """The length of the next message, wherever that begins: nobody knows whether the last one is as long as said.

        JSON cannot hold these words with the line end behind them.
        """
        before = b""
        while line := self._stream.readline(self._MAX_LINE):
            if (length := self._LENGTH.search(before + line)) is not None:
                return length[0]
            before = (before + line)[-100:]
        return b""

    def _complain(self, digits: bytes) -> None:
        size = digits.decode() if len(digits) < 20 else "too many"
        problem = f"a message of {size} bytes is larger than {MAX_MESSAGE}"
        error: dict[str, Any] = {"code": lsp.ErrorCodes.InvalidRequest.value, "message": problem}
        body = json.dumps({"jsonrpc": "2.0", "id": None, "error": error}).encode()
        # In one piece: another thread may be writing, too.
        self._channel.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._channel.flush()


def main(overrides: Mapping[str, Any] | None = None) -> int:
    """Serve one client until it leaves; 0 if it said so before, as the protocol has it.

    `overrides` are settings that win over those of the projects, by the names of `Config`.
    """
    if sys.stdin.isatty():
        print(
            "waiting for an editor on standard input; docs/editors.md says how to set one up", file=sys.stderr
        )
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # pygls would wait for one more line
    # Whatever prints must not get between the messages.
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    sys.setswitchinterval(_SWITCH)
    logging.getLogger("pygls").setLevel(logging.ERROR)  # editors show the rest as errors
    server = create_server(overrides)
    server.start_io(Inbox(sys.stdin.buffer, channel), channel)  # type: ignore[arg-type]
    server.call_off()
    return 0 if server.is_shut_down else 1
