"""What docs/agents.md offers to agents: the tools, the hook and the format."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faces.support import RIGHT, WRONG, run_program
from tests.frameworks.libraries import require

PAGE = (Path(__file__).parents[2] / "docs" / "agents.md").read_text(encoding="utf-8")
Conversation = Callable[[Any], Awaitable[None]]


def blocks(language: str) -> list[str]:
    """The fenced examples of the page in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def talk(folder: Path, conversation: Conversation, *options: str) -> None:
    """Let the official client start `batchmean mcp` in a folder and have a conversation with it."""
    if importlib.util.find_spec("mcp") is None:
        require("mcp")
    from mcp import Client, StdioServerParameters
    from mcp.client.stdio import stdio_client

    async def run() -> None:
        server = StdioServerParameters(
            command=sys.executable,
            args=["-m", "batchmean", "mcp", *options],
            cwd=folder,
            env=dict(os.environ),
        )
        with (folder / "stderr.txt").open("w") as errors:
            async with Client(stdio_client(server, errlog=errors)) as client:
                await conversation(client)

    asyncio.run(asyncio.wait_for(run(), timeout=120))
    assert (folder / "stderr.txt").read_text() == ""


async def answer(client: Any, tool: str, **arguments: Any) -> Any:
    """What a tool gives; its text where that is all."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    found = result.structured_content
    return found["result"] if set(found) == {"result"} else found


async def refusal(client: Any, tool: str, **arguments: Any) -> str:
    """Why a tool refuses: one line."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    [content] = result.content
    text: str = content.text
    assert "\n" not in text
    return text


@pytest.mark.heavy
def test_the_tools_do_what_the_command_does(tmp_path: Path) -> None:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "losses.py").write_text(WRONG)
    (tmp_path / "pkg" / "broken.py").write_text("def f(:\n")

    def command(*arguments: str) -> str:
        return run_program("batchmean", *arguments, cwd=tmp_path).stdout

    async def conversation(client: Any) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == {"check", "explain", "fix"}  # nothing executes code unless it is asked for
        assert [name for name, tool in tools.items() if tool.annotations.read_only_hint] == [
            "check",
            "explain",
        ]
        found = await answer(client, "check", paths=["pkg"])
        lines = [
            json.loads(line) for line in command("check", "--output-format", "jsonl", "pkg").splitlines()
        ]
        assert found["findings"] + found["errors"] == lines
        assert found["files"] == 2
        assert await answer(client, "explain", rule="class-axis-mean") == command("explain", "BMN102")
        shown = await answer(client, "fix", paths=["pkg/losses.py"])
        assert shown["diff"] == command("check", "--diff", "pkg/losses.py")
        assert (shown["written"], shown["left"], [f["code"] for f in shown["fixed"]]) == ([], [], ["BMN102"])
        assert "10 times larger" in shown["note"]
        assert (tmp_path / "pkg" / "losses.py").read_text() == WRONG
        done = await answer(client, "fix", paths=["pkg/losses.py"], apply=True)
        assert done["written"] == ["pkg/losses.py"]
        assert (tmp_path / "pkg" / "losses.py").read_text() == RIGHT
        # A text that is not saved, and settings that have changed meanwhile.
        unsaved = await answer(client, "check", paths=["pkg/new.py"], text=WRONG)
        assert [finding["at"] for finding in unsaved["findings"]] == ["pkg/new.py:8:13"]
        (tmp_path / "pyproject.toml").write_text('[tool.batchmean]\nignore = ["BMN102"]\n')
        assert (await answer(client, "check", paths=["pkg/new.py"], text=WRONG))["findings"] == []
        assert len((await answer(client, "check", paths=["."], text=WRONG, select="BMN1"))["findings"]) == 1

    talk(tmp_path, conversation)


@pytest.mark.heavy
def test_what_is_wrong_is_said_in_a_line(tmp_path: Path) -> None:
    outside = tmp_path / "outside.py"
    outside.write_text(WRONG)
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "link.py").symlink_to(outside)

    async def conversation(client: Any) -> None:
        for path in ("../outside.py", str(outside), "link.py", "..", "../a\r\nb.py\x1b[2J"):
            said = await refusal(client, "check", paths=[path])
            assert "is not below" in said and len(said.splitlines()) == 1 and "\x1b" not in said
            assert "is not below" in await refusal(client, "fix", paths=[path], apply=True)
        assert "did you mean BMN102?" in await refusal(client, "explain", rule="class-axes-mean")
        assert "unknown code 'BMN9X'" in await refusal(client, "check", paths=["."], select="BMN9X")
        assert "text is the content of one path" in await refusal(client, "check", paths=["a", "b"], text="")
        missing = await answer(client, "check", paths=["missing.py"])
        assert missing["errors"] == [{"at": "missing.py", "error": "no such file or directory"}]
        (folder / "pyproject.toml").write_text("[tool.batchmean]\nselct = []\n")
        assert "has no setting 'selct'; did you mean select?" in await refusal(client, "check", paths=["."])

    talk(folder, conversation)
    assert outside.read_text() == WRONG


EXECUTED = """\
from scipy.special import log_softmax

print("this is executed")


def loss(y, logits):
    return -(y * log_softmax(logits, axis=-1)).mean()
"""


@pytest.mark.heavy
def test_laws_executes_where_that_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "losses.py").write_text(EXECUTED)

    async def conversation(client: Any) -> None:
        [tool] = [tool for tool in (await client.list_tools()).tools if tool.name == "laws"]
        assert tool.description.startswith("EXECUTE")
        found = await answer(client, "laws", function="losses.py:loss", arguments="y=one_hot")
        assert "this is executed" in found and "factor       1/V" in found
        assert "has no other" in await refusal(client, "laws", function="losses.py:other")
        assert "is not below" in await refusal(client, "laws", function="/elsewhere/losses.py:loss")

    talk(tmp_path, conversation, "--allow-laws")


def test_a_missing_extra_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "mcp").mkdir()
    (tmp_path / "mcp" / "__init__.py").write_text("raise ModuleNotFoundError(name='mcp')\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = run_program("batchmean", "mcp", cwd=tmp_path, PYTHONPATH=path)
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr
        == "error: the tools for agents need mcp: pip install '.[mcp]' in a checkout of batchmean\n"
    )


def hook(folder: Path, file: str) -> subprocess.CompletedProcess[str]:
    """The hook of the page, after an edit of a file."""
    (folder / "hook.sh").write_text(blocks("sh")[0])
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        ["sh", "hook.sh"],
        cwd=folder,
        input=json.dumps({"tool_name": "Edit", "tool_input": {"file_path": file}}),
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.heavy
def test_the_hook_speaks_where_something_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text(WRONG)
    (tmp_path / "--fix.py").write_text(WRONG)
    (tmp_path / "right.py").write_text(RIGHT)
    (tmp_path / "broken.py").write_text("def f(:\n")
    for name in ("right.py", "README.md", ""):
        quiet = hook(tmp_path, name)
        assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    for name in ("wrong.py", "--fix.py", str(tmp_path / "wrong.py")):
        done = hook(tmp_path, name)
        assert (done.returncode, done.stdout) == (2, "")
        assert json.loads(done.stderr)["code"] == "BMN102"
    assert "syntax error" in hook(tmp_path, "broken.py").stderr


@pytest.mark.heavy
def test_what_the_page_shows_is_so(tmp_path: Path) -> None:
    _, line = blocks("json")
    (tmp_path / "losses.py").write_text(WRONG)
    done = run_program("batchmean", "check", "--output-format", "jsonl", cwd=tmp_path)
    assert done.stdout == line
    for text in blocks("markdown"):  # no option that there is not
        for command in re.findall(r"`batchmean (check [^`]*)`", text):
            usage = command.replace("PATH", "losses.py")
            assert run_program("batchmean", *usage.split(), cwd=tmp_path).returncode in (0, 1), command
            (tmp_path / "losses.py").write_text(WRONG)
