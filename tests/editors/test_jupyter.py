"""`%load_ext batchmean` in a real IPython and a real kernel, and the server as jupyter-lsp starts it."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chromium import PATIENCE, chromium
from tests.editors.client import Client
from tests.faces.notebooks import jupyter, notebook
from tests.faces.support import WRONG
from tests.frameworks.libraries import require

pytestmark = pytest.mark.heavy

IMPORTS = "import numpy as np\nfrom scipy.special import log_softmax"
SETUP = "logits = np.zeros((2, 10))\ntarget = np.eye(10)[[1, 2]]"
LOSS = "logp = log_softmax(logits, axis=-1)\nloss = -(target * logp).mean()"
SAID = "batchmean: line 2: BMN102 cross-entropy is averaged over the class axis too: 10 times too small; use"


def need(name: str) -> None:
    """Skip, or fail where nothing may be missing."""
    if importlib.util.find_spec(name) is None:
        require(name)


Run = Callable[[str], str]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Runs a cell in an IPython that has the extension; what stands under it."""
    need("IPython")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell()

    def run(cell: str) -> str:
        capsys.readouterr()
        shell.run_cell(cell, store_history=True)
        said = capsys.readouterr()
        assert said.err == ""
        return said.out

    assert run("%load_ext batchmean") == ""
    yield run
    shell.history_manager.end_session()
    InteractiveShell.clear_instance()


def test_findings_stand_under_the_cell(run: Run, tmp_path: Path) -> None:
    assert run(IMPORTS) == run(SETUP) == ""
    first, *reasons = run(LOSS).splitlines()
    assert first.startswith(SAID)
    assert [line.strip().partition(":")[0] for line in reasons] == ["In [3] line 2", "line 1", "line 2"]
    assert run("x = 1") == ""
    assert run(LOSS + "  # noqa: BMN102") == ""
    assert run(f"%%time\n{LOSS}").splitlines()[-4].startswith(SAID.replace("line 2", "line 3"))
    assert "likely: this rests on names" in run(
        "def f(y_true, y_pred):\n    return -(y_true * np.log(y_pred)).mean()"
    )
    (tmp_path / "pyproject.toml").write_text('[tool.batchmean]\nignore = ["BMN102"]\n')
    assert run(LOSS) == ""
    (tmp_path / "pyproject.toml").write_text("[tool.batchmean]\nignor = []\n")
    assert "has no setting 'ignor'; did you mean ignore?" in run(LOSS)
    assert run(LOSS) == ""  # told once


def test_it_can_be_switched_off(run: Run) -> None:
    run(IMPORTS)
    run(SETUP)
    assert run("%batchmean off") == run(LOSS) == ""
    assert run("%batchmean") == "batchmean is off; say %batchmean on or %batchmean off\n"
    run("%batchmean on")
    assert run(LOSS).startswith(SAID)
    assert run("%unload_ext batchmean") == run(LOSS) == ""
    run("%load_ext batchmean")
    assert run(f"{IMPORTS}\n{SETUP}\n{LOSS}").startswith("batchmean: line 6: BMN102")


def test_what_a_later_cell_shows_of_an_earlier_one_is_told_once(run: Run) -> None:
    run(IMPORTS)
    run(SETUP)
    assert run("def average(a, b):\n    return (a * b).mean()") == ""
    told = run("x = 1\nloss = -average(target, log_softmax(logits, axis=-1))")
    assert told.startswith("batchmean: In [4] line 2: BMN102")
    assert run("x = 1") == ""


@pytest.mark.parametrize("cell", ["1 +", "raise ValueError", "%nonsense", "?", "", "%%bash\nfalse"])
def test_cells_that_fail_do_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cell: str, run: Run,
                                    capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    from IPython import get_ipython

    run(IMPORTS)
    run(SETUP)
    shell = get_ipython()
    if shell is not None:
        shell.run_cell(cell, store_history=True)
    capsys.readouterr()
    assert run(LOSS).startswith(SAID)


def test_a_real_kernel(tmp_path: Path) -> None:
    need("ipykernel")
    from jupyter_client.manager import KernelManager

    manager = KernelManager(connection_file=str(tmp_path / "connection.json"))
    environment = os.environ | {"IPYTHONDIR": str(tmp_path / "ipython"), "JUPYTER_RUNTIME_DIR": str(tmp_path)}
    manager.start_kernel(cwd=str(tmp_path), env=environment)
    try:
        client = manager.blocking_client()
        client.start_channels()
        client.wait_for_ready(timeout=60)

        def run(cell: str, cell_id: str) -> str:
            said: list[str] = []

            def hear(message: dict[str, Any]) -> None:
                if message["msg_type"] == "stream":
                    said.append(message["content"]["text"])

            message = client.session.msg("execute_request", {
                "code": cell, "silent": False, "store_history": True, "user_expressions": {},
                "allow_stdin": False, "stop_on_error": True,
            }, metadata={"cellId": cell_id})  # fmt: skip
            client.shell_channel.send(message)
            number = message["header"]["msg_id"]
            while True:
                heard = client.get_iopub_msg(timeout=60)
                if heard["parent_header"].get("msg_id") == number:
                    hear(heard)
                    if heard["msg_type"] == "status" and heard["content"]["execution_state"] == "idle":
                        return "".join(said)

        assert run("%load_ext batchmean", "a") == run(IMPORTS, "b") == run(SETUP, "c") == ""
        assert run(LOSS, "d").startswith(SAID)
        assert run(LOSS.replace(".mean()", ".sum(axis=-1).mean()"), "d") == ""
        # A cell that is run again takes the place of what it was.
        assert run("target = target.argmax(-1)", "c") == ""
        assert run(LOSS.replace("target * logp", "logp[[0, 1], target]"), "d") == ""
        client.stop_channels()
    finally:
        manager.shutdown_kernel(now=True)


def test_jupyter_lsp_starts_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need("jupyter_lsp")
    from batchmean.jupyter import language_server
    from jupyter_lsp import LanguageServerManager
    from jupyter_lsp.schema import LANGUAGE_SERVER_SPEC_MAP

    specs = language_server(None)
    LANGUAGE_SERVER_SPEC_MAP.validate(specs)
    monkeypatch.chdir(tmp_path)

    async def started() -> dict[str, Any]:
        manager = LanguageServerManager(language_servers=specs, autodetect=False)
        manager.initialize()
        return {name: session.spec for name, session in manager.sessions.items()}

    assert list(asyncio.run(started())) == ["batchmean"]
    with Client(specs["batchmean"]["argv"], tmp_path) as client:
        client.initialize({})
        # As JupyterLab sends a notebook: its cells as one text, under its own name, magics made harmless.
        uri = client.open(tmp_path / ".virtual_documents" / "n.ipynb", WRONG)
        [found] = client.diagnostics(uri)
        assert (found["code"], found["range"]["start"]["line"]) == ("BMN102", 7)
    metadata = json.dumps(specs)
    assert str(tmp_path) not in metadata


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_jupyterlab_marks_the_loss_in_its_cell(tmp_path: Path) -> None:
    need("jupyterlab_lsp")
    from batchmean.jupyter import language_server

    cells = [
        ("code", f"{IMPORTS}\n%matplotlib inline"),
        ("markdown", "# Loss"),
        ("code", SETUP),
        ("code", LOSS),
    ]
    (tmp_path / "n.ipynb").write_text(jupyter(notebook(cells)), encoding="utf-8")
    settings = {"LanguageServerManager": {"language_servers": language_server(None), "autodetect": False}}
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    homes = ("HOME", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    port = free_port()
    options = {
        "port": port,
        "ServerApp.token": "any",
        "ServerApp.root_dir": tmp_path,
        "config": "settings.json",
    }
    with (tmp_path / "log.txt").open("w") as log:
        lab = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
            + [f"--{name}={value}" for name, value in options.items()],
            cwd=tmp_path,
            env=os.environ | {name: str(tmp_path / name.lower()) for name in homes},
            stdout=log,
            stderr=log,
        )
        try:
            last = time.monotonic() + PATIENCE
            while socket.socket().connect_ex(("127.0.0.1", port)):
                assert lab.poll() is None and time.monotonic() < last, (tmp_path / "log.txt").read_text()
                time.sleep(0.1)
            with chromium(tmp_path / "profile") as page:
                page.open(f"http://127.0.0.1:{port}/lab/tree/n.ipynb?token=any")
                page.wait("document.querySelectorAll('.cm-lintRange').length > 0")
                page.picture(tmp_path / "jupyterlab.png")
                marks = "[...document.querySelectorAll('.cm-lintRange')].map(mark => mark.textContent)"
                assert page.run(marks) == ["(target * logp).mean()"]
        finally:
            lab.terminate()
            lab.wait()
