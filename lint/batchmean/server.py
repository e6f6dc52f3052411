"""`batchmean server`: a language server over standard input and output.

It has no analysis of its own: it hands documents to `Check`, and makes diagnostics, code actions and hovers of the
findings. No configuration is remembered; it is read again whenever a document is looked at.

A document that does not parse, as in the middle of typing, keeps the diagnostics of its last text that did.
"""

from __future__ import annotations

import asyncio
import difflib
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, NamedTuple, TypeVar

from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer
from pygls.workspace import TextDocument

from batchmean import __version__, gate
from batchmean.check import INTERNAL_ERROR, Check, Report
from batchmean.config import Config, ConfigError, Settings
from batchmean.explain import about
from batchmean.findings import Edit, Finding, Span
from batchmean.noqa import Noqa
from batchmean.rewrite import rewrite
from batchmean.source import SourceError, decode, encode, unify_line_ends

PAUSE: Final = 0.005
"""Seconds without a change before a document is analysed, so that a burst of changes is analysed once."""

FIX_ALL: Final = "source.fixAll.batchmean"

_SEVERITIES: Final = {"proved": lsp.DiagnosticSeverity.Warning, "likely": lsp.DiagnosticSeverity.Information}

_Result = TypeVar("_Result")


class Analysis(NamedTuple):
    """What is known of one text. Without a verdict `findings` is None, and `problem` says why."""

    text: str
    config: Config
    config_problem: str | None
    has_fixes: bool
    findings: list[Finding] | None
    problem: str | None = None


def analyse(text: str, path: str, known: Analysis | None, *, fixes: bool) -> Analysis:
    """The findings in a text; `known` again, if that is what this would return."""
    settings, config_problem = Settings(), None
    try:
        config = settings.of(path)
    except ConfigError as error:
        settings, config_problem = Settings(isolated=True), str(error)
        config = settings.of(path)
    question = (text, config, config_problem)
    if known is not None and known[:3] == question and (known.has_fixes or not fixes):
        return known
    if not gate.worth_parsing(text) or config.excludes(path):
        return Analysis(*question, True, [])
    try:
        return Analysis(*question, fixes, _check(settings, fixes=fixes).again(text, path))
    except ValueError as error:
        return Analysis(*question, True, None, str(error))


def fix_all(analysis: Analysis, path: str) -> str:
    """The text with every safe fix applied."""
    settings = Settings(isolated=analysis.config_problem is not None)
    report = Report(analysis.findings or [], [], {path: analysis.text})
    try:
        data = encode(analysis.text, path)
        done = rewrite(report, _check(settings, fixes=True), lambda _: data, lambda *_: None, unsafe=False)
        return decode(done.changes[0].after, path) if done.changes else analysis.text
    except SourceError:  # it holds characters that the encoding it declares does not have
        return analysis.text


def _check(settings: Settings, *, fixes: bool) -> Check:
    return Check(settings, fixes=fixes, warn=lambda message: None)


class View:
    """One text in the terms of the protocol: positions from 0, in the units that the client counts."""

    def __init__(self, document: TextDocument) -> None:
        self.uri = document.uri
        self.version = document.version
        self.text = unify_line_ends(document.source)
        self._lines = self.text.split("\n")
        self._line_end = "\r\n" if "\r\n" in document.source else "\n"
        self._codec = document.position_codec

    def position(self, line: int, column: int) -> lsp.Position:
        """A place that counts lines and code points from 1."""
        before = self._lines[line - 1][: column - 1] if line <= len(self._lines) else ""
        return lsp.Position(line - 1, self._codec.client_num_units(before))

    def range(self, span: Span) -> lsp.Range:
        """The range of a span."""
        return lsp.Range(self.position(span.line, span.column), self.position(span.end_line, span.end_column))

    def diagnostic(self, finding: Finding, *, related: bool) -> lsp.Diagnostic:
        """A finding, with what it rests on if the client shows `related` information."""
        diagnostic = lsp.Diagnostic(
            range=self.range(finding.span),
            message=finding.message,
            severity=_SEVERITIES[finding.confidence],
            code=finding.code,
            source="batchmean",
        )
        if related:
            diagnostic.related_information = [
                lsp.DiagnosticRelatedInformation(
                    lsp.Location(self.uri, lsp.Range(start := self.position(b.line, b.column), start)),
                    b.text,
                )
                for b in finding.because
            ]
        return diagnostic

    def text_edit(self, edit: Edit) -> lsp.TextEdit:
        """An edit, with the line ends of the document."""
        return lsp.TextEdit(self.range(edit.span), edit.text.replace("\n", self._line_end))

    def difference(self, after: str) -> list[lsp.TextEdit]:
        """The edits that make the document `after`, line by line."""
        edits = []
        lines = after.split("\n")
        matcher = difflib.SequenceMatcher(None, self._lines, lines, autojunk=False)
        for tag, start, end, new_start, new_end in matcher.get_opcodes():
            if tag != "equal":
                edits.append(self.text_edit(_line_edit(self._lines, start, end, lines[new_start:new_end])))
        return edits


def _line_edit(lines: list[str], start: int, end: int, new: list[str]) -> Edit:
    """Replace the lines from `start` to before `end`, counted from 0. No fix adds or takes away the last line."""
    if not new:  # with its line end
        return Edit(Span(start + 1, 1, end + 1, 1), "")
    if start == end:
        return Edit(Span(start + 1, 1, start + 1, 1), "".join(f"{line}\n" for line in new))
    return Edit(Span(start + 1, 1, end, len(lines[end - 1]) + 1), "\n".join(new))


class BatchmeanServer(LanguageServer):
    """The server. One thread analyses, so that messages are answered while it does."""

    def __init__(self) -> None:
        # Whole texts, not changes: pygls ends lines where Python and the protocol do not (form feeds, U+2028), and
        # would put changes in wrong places.
        super().__init__("batchmean", __version__, lsp.TextDocumentSyncKind.Full)
        self.is_shut_down = False
        self._worker = ThreadPoolExecutor(max_workers=1)
        self._known: dict[str, Analysis] = {}
        self._pending: dict[str, asyncio.Task[None]] = {}
        self._complaints: dict[str, str | None] = {}

    # What the client tells.

    def look_at(self, uri: str, pause: float = 0) -> None:
        """Publish the diagnostics of a document, after a pause; a look that is still to come is dropped."""
        if (pending := self._pending.pop(uri, None)) is not None:
            pending.cancel()
        self._pending[uri] = asyncio.ensure_future(self._publish(uri, pause))

    def look_at_all(self) -> None:
        """The configuration may have changed."""
        for uri in self.workspace.text_documents:
            self.look_at(uri)

    def forget(self, uri: str) -> None:
        """The document is closed."""
        if (pending := self._pending.pop(uri, None)) is not None:
            pending.cancel()
        self._known.pop(uri, None)
        self._complaints.pop(uri, None)
        self.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri, []))

    async def _publish(self, uri: str, pause: float) -> None:
        await asyncio.sleep(pause)
        try:
            analysis, view = await self._analysis(uri, fixes=False)
        except Exception as error:  # nobody waits for this task, so nobody else would tell
            self._complain(lsp.MessageType.Error, uri, f"{INTERNAL_ERROR}: {type(error).__name__}: {error}")
            return
        if analysis.findings is not None:
            diagnostics = [self._diagnostic(view, finding) for finding in analysis.findings]
            self.text_document_publish_diagnostics(
                lsp.PublishDiagnosticsParams(uri, diagnostics, view.version)
            )

    # What the client asks.

    async def hover(self, uri: str, position: lsp.Position) -> lsp.Hover | None:
        """What a finding at this place says, in full."""
        analysis, view = await self._analysis(uri, fixes=False)
        for finding in analysis.findings or ():
            place = view.range(finding.span)
            if _overlap(place, lsp.Range(position, position)):
                text = await self._in_worker(partial(about, finding))
                return lsp.Hover(lsp.MarkupContent(lsp.MarkupKind.Markdown, text), place)
        return None

    async def code_actions(self, params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
        """The fixes of the findings in a range, ways to silence them, and the safe fixes of the whole document."""
        uri, only = params.text_document.uri, params.context.only
        analysis, view = await self._analysis(uri, fixes=False)
        here = [f for f in analysis.findings or () if _overlap(view.range(f.span), params.range)]
        is_asked_for_all = only is not None and _is_wanted(FIX_ALL, only)
        if not (here or is_asked_for_all):
            return []
        analysis, view = await self._analysis(uri, fixes=True)
        actions: list[lsp.CodeAction] = []
        if _is_wanted(lsp.CodeActionKind.QuickFix, only):
            here = [f for f in analysis.findings or () if _overlap(view.range(f.span), params.range)]
            actions += [self._fix(view, finding) for finding in here if finding.fix is not None]
            actions += [self._silence(view, finding) for finding in here]
        if _is_wanted(FIX_ALL, only):
            after = await self._in_worker(lambda: fix_all(analysis, self._path(uri)))
            if after != analysis.text:
                edit = self._edit(view, view.difference(after))
                actions.append(lsp.CodeAction("Fix all that batchmean can fix safely", FIX_ALL, edit=edit))
        return actions

    def _fix(self, view: View, finding: Finding) -> lsp.CodeAction:
        assert finding.fix is not None
        title = f"Fix {finding.code} {finding.name}"
        return lsp.CodeAction(
            title if finding.fix.safe else f"{title} (unsafe: look at the result)",
            lsp.CodeActionKind.QuickFix,
            diagnostics=[self._diagnostic(view, finding)],
            is_preferred=finding.fix.safe,
            edit=self._edit(view, [view.text_edit(edit) for edit in finding.fix.edits]),
        )

    def _silence(self, view: View, finding: Finding) -> lsp.CodeAction:
        edit = Noqa(view.text).addition([finding.code], finding.span.line)
        return lsp.CodeAction(
            f"Silence {finding.code} on this line (# noqa)",
            lsp.CodeActionKind.QuickFix,
            diagnostics=[self._diagnostic(view, finding)],
            is_preferred=False,
            edit=self._edit(view, [view.text_edit(edit)]),
        )

    # Common to both.

    async def _analysis(self, uri: str, *, fixes: bool) -> tuple[Analysis, View]:
        """The analysis of a document as it is now."""
        view = View(self.workspace.get_text_document(uri))
        path, known = self._path(uri), self._known.get(uri)
        analysis = await self._in_worker(lambda: analyse(view.text, path, known, fixes=fixes))
        if uri in self.workspace.text_documents:  # still open
            self._known[uri] = analysis
        if analysis.config_problem is not None:
            self._complain(lsp.MessageType.Warning, "configuration", analysis.config_problem)
        else:
            self._complaints.pop("configuration", None)
        if analysis.problem is not None:
            is_ours = analysis.problem.startswith(INTERNAL_ERROR)
            level = lsp.MessageType.Error if is_ours else lsp.MessageType.Log
            self._complain(level, uri, f"{path}: {analysis.problem}")
        return analysis, view

    def _path(self, uri: str) -> str:
        # A URI names the bytes of a path as UTF-8, whatever the encoding of the locale.
        path = os.fsdecode(self.workspace.get_text_document(uri).path.encode("utf-8", "surrogateescape"))
        # What an editor sends under the name of a notebook is one of its cells.
        return f"{path}.py" if path.endswith(".ipynb") else path

    async def _in_worker(self, work: Callable[[], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._worker, work)

    def _complain(self, level: lsp.MessageType, about_what: str, message: str) -> None:
        """Say it once, until something else is to be said about the same."""
        if self._complaints.get(about_what) == message:
            return
        self._complaints[about_what] = message
        if level == lsp.MessageType.Warning:
            self.window_show_message(lsp.ShowMessageParams(level, f"batchmean: {message}"))
        else:
            self.window_log_message(lsp.LogMessageParams(level, message))

    def _diagnostic(self, view: View, finding: Finding) -> lsp.Diagnostic:
        text_document = self.client_capabilities.text_document
        publishing = text_document.publish_diagnostics if text_document is not None else None
        return view.diagnostic(
            finding, related=publishing is not None and bool(publishing.related_information)
        )

    def _edit(self, view: View, edits: Sequence[lsp.TextEdit]) -> lsp.WorkspaceEdit:
        """The edit, for this version of the document only if the client can tell."""
        workspace = self.client_capabilities.workspace
        editing = workspace.workspace_edit if workspace is not None else None
        if editing is None or not editing.document_changes:
            return lsp.WorkspaceEdit(changes={view.uri: list(edits)})
        document = lsp.OptionalVersionedTextDocumentIdentifier(view.uri, view.version)
        return lsp.WorkspaceEdit(document_changes=[lsp.TextDocumentEdit(document, list(edits))])


def _overlap(one: lsp.Range, other: lsp.Range) -> bool:
    """Whether two ranges have a place in common, be it their ends."""
    return _key(one.start) <= _key(other.end) and _key(other.start) <= _key(one.end)


def _key(position: lsp.Position) -> tuple[int, int]:
    return position.line, position.character


def _is_wanted(kind: str, only: Sequence[str] | None) -> bool:
    return only is None or any(not wanted or (kind + ".").startswith(wanted + ".") for wanted in only)


def create_server() -> BatchmeanServer:
    """The server with its features; pygls calls a function whose first parameter is named `ls` with the server."""
    server = BatchmeanServer()

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

    @server.feature(lsp.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    async def files_changed(ls: BatchmeanServer, params: lsp.DidChangeWatchedFilesParams) -> None:
        ls.look_at_all()

    @server.feature(lsp.WORKSPACE_DID_CHANGE_CONFIGURATION)
    async def configured(ls: BatchmeanServer, params: lsp.DidChangeConfigurationParams) -> None:
        ls.look_at_all()

    @server.feature(lsp.TEXT_DOCUMENT_HOVER)
    async def hover(ls: BatchmeanServer, params: lsp.HoverParams) -> lsp.Hover | None:
        return await ls.hover(params.text_document.uri, params.position)

    @server.feature(
        lsp.TEXT_DOCUMENT_CODE_ACTION,
        lsp.CodeActionOptions(code_action_kinds=[lsp.CodeActionKind.QuickFix, FIX_ALL]),
    )
    async def code_actions(ls: BatchmeanServer, params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
        return await ls.code_actions(params)

    @server.feature(lsp.SHUTDOWN)
    def shut_down(ls: BatchmeanServer, params: None) -> None:
        ls.is_shut_down = True

    return server


def main() -> int:
    """Serve one client until it leaves; 0 if it said so before, as the protocol has it."""
    if sys.stdin.isatty():
        print(
            "waiting for an editor on standard input; docs/editors.md says how to set one up", file=sys.stderr
        )
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # pygls would wait for one more line
    # Whatever prints must not get between the messages.
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    logging.getLogger("pygls").setLevel(logging.ERROR)  # editors show the rest as errors
    server = create_server()
    server.start_io(stdout=channel)
    return 0 if server.is_shut_down else 1
