"""What the server answers to: each message of the protocol, handed to the server."""

from __future__ import annotations

from typing import Final

from lsprotocol import types as lsp

from batchmean.server.language_server import FIX_ALL, FIX_NOTEBOOK, BatchmeanServer, Closed

PAUSE: Final = 0.005
"""Seconds without a change before a document is analysed, so that a burst of changes is analysed once."""


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
