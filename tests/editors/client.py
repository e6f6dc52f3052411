"""A language client of the plainest kind: JSON-RPC over a process's standard input and output."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

Message = dict[str, Any]

CAPABILITIES: Mapping[str, Any] = {
    "workspace": {
        "workspaceEdit": {"documentChanges": True},
        "didChangeWatchedFiles": {"dynamicRegistration": True},
    },
    "textDocument": {"publishDiagnostics": {"relatedInformation": True, "versionSupport": True}},
}
PATIENCE = 60.0


class Client:
    """One server process and what it sent. Whatever is no message on its standard output ends the test."""

    def __init__(self, command: Sequence[str | Path], root: Path, **environment: str) -> None:
        self.root = root
        self.errors = (root / "stderr.txt").open("w+b")
        self.process = subprocess.Popen(
            command,
            cwd=root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            env={**os.environ, **environment},
        )
        self.notifications: list[Message] = []
        self._inbox: queue.Queue[Message | Exception] = queue.Queue()
        self._last_id = 0
        self._versions: dict[str, int] = {}
        self._notebooks: dict[str, int] = {}
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        for stream in (self.process.stdin, self.process.stdout, self.errors):
            if stream is not None:
                stream.close()

    # The conversation.

    def initialize(self, capabilities: Mapping[str, Any] = CAPABILITIES, **options: Any) -> Message:
        """Say hello; what the server can do."""
        result = self.request(
            "initialize",
            {
                "processId": os.getpid(),
                "rootUri": self.root.as_uri(),
                "capabilities": capabilities,
                **options,
            },
        )
        self.notify("initialized", {})
        capable: Message = result["capabilities"]
        return capable

    def open(self, path: Path, text: str) -> str:
        """Open a document; its URI."""
        uri = path.as_uri()
        self._versions[uri] = 1
        document = {"uri": uri, "languageId": "python", "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": document})
        return uri

    def change(self, uri: str, text: str) -> int:
        """Replace a document's text; its new version."""
        self._versions[uri] += 1
        version = self._versions[uri]
        self.notify(
            "textDocument/didChange",
            {"textDocument": {"uri": uri, "version": version}, "contentChanges": [{"text": text}]},
        )
        return version

    def open_notebook(self, path: Path, cells: Sequence[tuple[str, str]]) -> list[str]:
        """Open a notebook of cells in a language each; their URIs."""
        uris = [f"{path.as_uri().replace('file:', 'vscode-notebook-cell:')}#C{n}" for n in range(len(cells))]
        self._notebooks[path.as_uri()] = 1
        self._versions |= dict.fromkeys(uris, 1)
        self.notify(
            "notebookDocument/didOpen",
            {
                "notebookDocument": {
                    "uri": path.as_uri(),
                    "notebookType": "jupyter-notebook",
                    "version": 1,
                    "cells": [
                        self.notebook_cell(uri, cell[0]) for uri, cell in zip(uris, cells, strict=True)
                    ],
                },
                "cellTextDocuments": [
                    {"uri": uri, "languageId": language, "version": 1, "text": text}
                    for uri, (language, text) in zip(uris, cells, strict=True)
                ],
            },
        )
        return uris

    def notebook_cell(self, uri: str, language: str) -> Message:
        """A cell as the protocol has it."""
        return {"kind": 1 if language == "markdown" else 2, "document": uri}

    def change_notebook(self, path: Path, **cells: Any) -> None:
        """Tell of a change: `textContent`, `structure` or `data`, as the protocol has them."""
        uri = path.as_uri()
        self._notebooks[uri] += 1
        document = {"uri": uri, "version": self._notebooks[uri]}
        self.notify("notebookDocument/didChange", {"notebookDocument": document, "change": {"cells": cells}})

    def change_cell(self, path: Path, uri: str, *changes: Message) -> int:
        """Change parts of a cell's text, or all of it; its new version."""
        self._versions[uri] += 1
        version = self._versions[uri]
        text = {"document": {"uri": uri, "version": version}, "changes": list(changes)}
        self.change_notebook(path, textContent=[text])
        return version

    def close_notebook(self, path: Path, uris: Sequence[str]) -> None:
        """Close a notebook and its cells."""
        for uri in uris:
            self._versions.pop(uri, None)
        del self._notebooks[path.as_uri()]
        cells = [{"uri": uri} for uri in uris]
        notebook = {"uri": path.as_uri()}
        self.notify("notebookDocument/didClose", {"notebookDocument": notebook, "cellTextDocuments": cells})

    def start_over(self, root: Path) -> None:
        """Close every document and forget what was said; documents are in `root` now."""
        for uri in self._versions:
            self.close(uri)
        self._versions.clear()
        self.quiet(0.1)
        self.notifications.clear()
        self.root = root

    def close(self, uri: str) -> None:
        """Close a document."""
        self.notify("textDocument/didClose", {"textDocument": {"uri": uri}})

    def leave(self) -> int:
        """Say goodbye; the exit code."""
        self.request("shutdown", None)
        self.notify("exit", None)
        return self.process.wait(PATIENCE)

    def diagnostics(self, uri: str, version: int | None = None) -> list[Message]:
        """The next diagnostics of a document; with a version, those of that version."""

        def is_it(message: Message) -> bool:
            params = message.get("params") or {}
            return (
                message.get("method") == "textDocument/publishDiagnostics"
                and params["uri"] == uri
                and (version is None or params.get("version") == version)
            )

        found: list[Message] = self.wait(is_it)["params"]["diagnostics"]
        return found

    def wait(self, is_it: Callable[[Message], bool], patience: float = PATIENCE) -> Message:
        """The next notification that fits; those before it are kept in `notifications`."""
        deadline = time.monotonic() + patience
        while True:
            message = self._receive(deadline)
            if "method" in message:
                self.notifications.append(message)
                if is_it(message):
                    return message

    def quiet(self, seconds: float) -> list[Message]:
        """What the server says unasked in so many seconds."""
        start = len(self.notifications)
        try:
            self.wait(lambda _: False, seconds)
        except TimeoutError:
            pass
        return self.notifications[start:]

    def request(self, method: str, params: Any) -> Any:
        """Ask; the answer."""
        self._last_id += 1
        number = self._last_id
        self._send({"id": number, "method": method, "params": params})
        deadline = time.monotonic() + PATIENCE
        while True:
            message = self._receive(deadline)
            if "method" in message:
                self.notifications.append(message)
            elif message.get("id") == number:
                assert "error" not in message, message
                return message["result"]

    def notify(self, method: str, params: Any) -> None:
        """Tell."""
        self._send({"method": method, "params": params})

    def _send(self, message: Message) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self.process.stdin is not None
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.process.stdin.flush()

    def _receive(self, deadline: float) -> Message:
        while True:
            try:
                message = self._inbox.get(timeout=max(deadline - time.monotonic(), 0.001))
            except queue.Empty:
                raise TimeoutError from None
            if isinstance(message, Exception):
                raise message
            if "method" in message and "id" in message:  # the server asks something of the editor
                self._send({"id": message["id"], "result": None})
            return message

    def _read(self) -> None:
        stream = self.process.stdout
        assert stream is not None
        try:
            while header := stream.readline():
                name, _, value = header.decode("ascii").partition(": ")
                assert name == "Content-Length", f"not a message: {header!r}"
                while stream.readline() not in (b"\r\n", b""):
                    pass
                self._inbox.put(json.loads(stream.read(int(value))))
        except Exception as error:
            self._inbox.put(error)


def program(name: str) -> Path:
    """A program that is installed beside the interpreter."""
    return Path(sys.executable).parent / name


def utf16(text: str) -> int:
    """The length of a text as the protocol counts it."""
    return len(text.encode("utf-16-le")) // 2


def applied(text: str, edits: Sequence[Message]) -> str:
    """The text after edits, done as an editor does them: none overlap, so from the last to the first."""
    for edit in sorted(edits, key=lambda e: _key(e["range"]["start"]), reverse=True):
        start, end = (_offset(text, edit["range"][name]) for name in ("start", "end"))
        text = text[:start] + edit["newText"] + text[end:]
    return text


def _key(position: Mapping[str, int]) -> tuple[int, int]:
    return position["line"], position["character"]


def _offset(text: str, position: Mapping[str, int]) -> int:
    lines = text.split("\n")
    before = sum(len(line) + 1 for line in lines[: position["line"]])
    units = lines[position["line"]].encode("utf-16-le")[: 2 * position["character"]]
    return before + len(units.decode("utf-16-le"))
