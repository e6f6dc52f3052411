"""A headless Chromium, driven over its own pipe: pages as they are on a phone and on a desk, and what they do.

Needs Debian's `chromium` on the PATH, and nothing else. It reaches this machine only.
"""

from __future__ import annotations

import base64
import functools
import http.server
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--remote-debugging-pipe",
)
PATIENCE = 120.0


class Missing(Exception):
    """There is no Chromium."""


def program() -> str:
    """Where Chromium is."""
    found = shutil.which("chromium")
    if found is None:
        raise Missing("chromium on the PATH: apt-get install chromium")
    return found


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A server of files that keeps no log and knows the types that pages need."""

    extensions_map = {  # noqa: RUF012 - as it is in the class above
        "": "application/octet-stream",
        ".css": "text/css",
        ".html": "text/html",
        ".js": "text/javascript",
        ".json": "application/json",
        ".mjs": "text/javascript",
        ".svg": "image/svg+xml",
        ".wasm": "application/wasm",
    }

    def do_GET(self) -> None:
        """Serve a file; nobody minds that there is no icon."""
        if self.path == "/favicon.ico":
            self.send_response(204)
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def served(folder: Path, handler: type[Quiet] = Quiet) -> Iterator[str]:
    """A folder under an address of this machine."""
    made = functools.partial(handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), made) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()
            thread.join()


class Page:
    """One tab, and what went wrong in it: `complaints` has console errors, exceptions and requests that failed."""

    def __init__(self, process: subprocess.Popen[bytes], to: int, back: int) -> None:
        self.complaints: list[str] = []
        self.requested: list[str] = []
        self._process, self._to, self._back = process, to, back
        self._rest = b""
        self._last_id = 0
        self._session: str | None = None
        self._loaded = False
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        follow = {"autoAttach": True, "waitForDebuggerOnStart": False, "flatten": True}
        self.call("Target.setAutoAttach", **follow)  # workers, too

    def call(self, method: str, **parameters: Any) -> Any:
        """Call a method of the DevTools protocol."""
        number = self._send(method, parameters, self._session)
        while True:
            message = self._next()
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]

    def open(self, address: str, *, width: int = 1280, height: int = 900, scheme: str = "light") -> None:
        """Show an address in a window of this size, and wait until it has loaded."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=features)
        self._loaded = False
        went = self.call("Page.navigate", url=address)
        assert "errorText" not in went, went
        while not self._loaded and "loaderId" in went:
            self._next()

    def run(self, script: str) -> Any:
        """The value of an expression in the page, awaited."""
        done = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def wait(self, condition: str) -> None:
        """Wait until an expression holds in the page."""
        last = time.monotonic() + PATIENCE
        while not self.run(condition):
            assert time.monotonic() < last, f"never came: {condition}\n{self.complaints}"
            time.sleep(0.02)

    def wait_for_complaint(self, text: str) -> None:
        """Wait until one has this in it."""
        last = time.monotonic() + PATIENCE
        while not any(text in complaint for complaint in self.complaints):
            assert time.monotonic() < last, f"never heard: {text}\n{self.complaints}"
            self.run("0")
            time.sleep(0.02)

    def picture(self, path: Path) -> None:
        """The whole page as a PNG."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def _send(self, method: str, parameters: dict[str, Any], session: str | None) -> int:
        self._last_id += 1
        message = {"id": self._last_id, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        left = json.dumps(message).encode() + b"\0"
        while left:
            left = left[os.write(self._to, left) :]
        return self._last_id

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            read = os.read(self._back, 1 << 16)
            assert read, f"chromium ended: {self._process.poll()}"
            self._rest += read
        first, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(first)
        self._note(message)
        return message

    def _note(self, message: dict[str, Any]) -> None:
        method, told = message.get("method"), message.get("params", {})
        if method == "Page.loadEventFired":
            self._loaded = True
        elif method == "Target.attachedToTarget" and told["targetInfo"]["type"] == "worker":
            for domain in ("Runtime", "Log", "Network"):
                self._send(f"{domain}.enable", {}, told["sessionId"])
        elif method == "Network.requestWillBeSent":
            self.requested.append(told["request"]["url"])
        elif method == "Network.loadingFailed" and not told.get("canceled"):
            self.complaints.append(f"not loaded: {told.get('errorText')} {told.get('blockedReason', '')}")
        elif method == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning", "assert"):
            self.complaints.append(" ".join(str(a.get("value", a.get("description"))) for a in told["args"]))
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(told["exceptionDetails"]))
        elif method == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            self.complaints.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")


@contextmanager
def chromium(profile: Path) -> Iterator[Page]:
    """A browser with one tab, with a profile of its own, that ends with the block."""
    executable = program()
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    # Chromium reads what it is told from 3 and answers on 4. Both are moved up first, lest one takes the other's place.
    high_in, high_out = os.dup2(theirs_in, 203), os.dup2(theirs_out, 204)
    script = f'exec "$0" "$@" 3<&{high_in} 4>&{high_out}'
    command = ["bash", "-c", script, executable, *FLAGS, f"--user-data-dir={profile}"]
    process = subprocess.Popen(
        command, pass_fds=(high_in, high_out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    for end in (theirs_in, theirs_out, high_in, high_out):
        os.close(end)
    # Whatever hangs, the pipe closes and the reading ends.
    guard = threading.Timer(5 * PATIENCE, process.kill)
    guard.daemon = True
    guard.start()
    try:
        yield Page(process, ours_out, ours_in)
    finally:
        guard.cancel()
        os.close(ours_out)
        os.close(ours_in)
        try:
            process.wait(10)  # it ends with its pipe
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
