"""What stands in editors/ fits the rest: the server, the command, the documentation and this version."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from batchmean.commands.arguments import command_parser
from batchmean.jupyter import language_server
from batchmean.server.language_server import FIX_ALL, FIX_NOTEBOOK
from batchmean.server.views import SEVERITIES
from batchmean.version import __version__

EDITORS = Path(__file__).parents[2] / "editors"
EXTENSION = EDITORS / "vscode"
PAGE = (EDITORS.parent / "docs" / "editors.md").read_text(encoding="utf-8")
PACKAGE: dict[str, Any] = json.loads((EXTENSION / "package.json").read_text(encoding="utf-8"))
SETTINGS: dict[str, Any] = PACKAGE["contributes"]["configuration"]["properties"]
COMMANDS: dict[str, str] = {
    each["command"]: f"{each['category']}: {each['title']}" for each in PACKAGE["contributes"]["commands"]
}
SOURCE = "".join(path.read_text(encoding="utf-8") for path in sorted((EXTENSION / "src").glob("*.ts")))


def documented(rows: str) -> dict[str, str]:
    """The rows of docs/editors.md whose first column begins so, with the rest of each."""
    return dict(re.findall(rf"^\| `({rows}[\w.]*)` ?(.*?) \|$", PAGE, re.MULTILINE))


def test_the_extension_has_the_version_of_the_linter() -> None:
    lock = json.loads((EXTENSION / "package-lock.json").read_text(encoding="utf-8"))
    assert PACKAGE["version"] == lock["version"] == lock["packages"][""]["version"] == __version__


def test_every_setting_and_command_is_documented_with_its_default() -> None:
    rows = documented("batchmean[.]")
    assert rows.keys() == SETTINGS.keys() | COMMANDS.keys()
    for name, setting in SETTINGS.items():
        assert rows[name].startswith(f"| `{json.dumps(setting['default'])}` |"), name
        assert setting["scope"] in ("window", "machine-overridable"), name
        assert setting.get("description") or setting.get("markdownDescription"), name
        for value in set(setting.get("enum", [])) - {"off"}:
            assert f'"{value}"' in PAGE.partition("## VS Code")[2].partition("## Neovim")[0], (name, value)
    for name, title in COMMANDS.items():
        assert rows[name].startswith(f"({title})"), name


def test_what_the_extension_declares_is_what_it_has() -> None:
    assert set(re.findall(r'register\("([\w.]+)"', SOURCE)) == COMMANDS.keys()
    read = set(re.findall(r'settings\.get(?:<[^>]*>)?\("(\w+)"', SOURCE))
    own = {name.removeprefix("batchmean.") for name in SETTINGS}
    assert read | {"enable", "trace.server", "severity.proved", "severity.likely"} == own
    assert PACKAGE["main"] == "./out/extension.js"


def test_the_extension_asks_for_what_the_server_has() -> None:
    assert f'FIX_ALL = "{FIX_ALL}"' in SOURCE
    assert f"notebook.{FIX_ALL}" == FIX_NOTEBOOK and "FIX_NOTEBOOK = `notebook.${FIX_ALL}`" in SOURCE
    for confidence, severity in SEVERITIES.items():
        assert SETTINGS[f"batchmean.severity.{confidence}"]["default"] == severity.name.lower()
    [confidence] = [each["enum"] for name, each in SETTINGS.items() if name == "batchmean.minConfidence"]
    parse = command_parser().parse_args
    for value in set(confidence) - {"project"}:
        assert parse(["server", "--preview", "--min-confidence", value]).preview
    assert parse(["rules", "--output-format", "json"]).output_format == "json"
    assert parse(["explain", "BMN102"]).code == "BMN102"


def test_nothing_of_a_machine_is_in_the_lock_file() -> None:
    lock = json.loads((EXTENSION / "package-lock.json").read_text(encoding="utf-8"))
    packages = [package for name, package in lock["packages"].items() if name]
    assert packages and all("integrity" in package for package in packages)
    assert not any("resolved" in package for package in packages)
    ignored = (
        (EDITORS.parent / ".gitignore").read_text(encoding="utf-8").split()
    )  # what builds the sdist reads no other
    assert {f"/editors/vscode/{name}" for name in ("node_modules/", "out/", "LICENSE.txt")} <= set(ignored)


@pytest.mark.parametrize("name", ["zed.json", "jupyterlab.json", "neovim.lua", "emacs.el"])
def test_each_settings_file_starts_the_server_and_is_named_in_the_documentation(name: str) -> None:
    text = (EDITORS / name).read_text(encoding="utf-8")
    assert re.search(r'"/path/to/venv/bin/batchmean"[^"]*"server"', text) or (
        '"path": "/path/to/venv/bin/batchmean", "arguments": ["server"]' in text
    )
    assert f"`editors/{name}`" in PAGE
    assert {path.name for path in EDITORS.iterdir()} == {
        "emacs.el", "jupyterlab.json", "neovim.lua", "vscode", "zed.json"
    }  # fmt: skip


def test_the_file_for_jupyterlab_says_what_the_entry_point_says() -> None:
    text = (EDITORS / "jupyterlab.json").read_text(encoding="utf-8")
    written = json.loads(text)["LanguageServerManager"]["language_servers"]
    [(name, spec)] = language_server(None).items()
    argv = ["/path/to/venv/bin/batchmean", spec["argv"][-1]]
    assert written == {name: spec | {"argv": argv}}


def test_the_file_for_zed_starts_a_server_that_it_has_switched_on() -> None:
    settings = json.loads((EDITORS / "zed.json").read_text(encoding="utf-8"))
    [(name, server)] = settings["lsp"].items()
    assert name in settings["languages"]["Python"]["language_servers"]
    assert command_parser().parse_args(server["binary"]["arguments"]).command == "server"
