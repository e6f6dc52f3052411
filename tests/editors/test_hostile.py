"""Clients that ask for much, change their minds, or do not speak the protocol."""

from __future__ import annotations

import io
import json
import os
import sys
import time
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from batchmean.server.inbox import MAX_MESSAGE, Inbox

from tests.editors.client import CAPABILITIES, PATIENCE, Client, Message, applied, program
from tests.faces.support import RIGHT, WRONG, native

COUNTED = dedent(
    """\
    import sys, time
    from pathlib import Path
    from batchmean.fixes import Fixer
    from batchmean.server import main

    def fix(self, *arguments, own=Fixer._proposals):
        with Path("fixes").open("a") as file:
            file.write("x")
        while "wait" in sys.argv and not Path("go").exists():
            time.sleep(0.01)
        return own(self, *arguments)

    Fixer._proposals = fix
    raise SystemExit(main())
    """
)
"""The server, which writes down how many fixes it works out."""
COUNT = 12
HEAD, _, FUNCTION = WRONG.partition("\n\n\n")
MANY = "\n\n\n".join([HEAD, *(FUNCTION.replace("def loss", f"def loss{n}") for n in range(COUNT))])
RESOLVING = {"codeAction": {"dataSupport": True, "resolveSupport": {"properties": ["edit"]}}}


def fixes(folder: Path) -> int:
    return len((folder / "fixes").read_text()) if (folder / "fixes").exists() else 0


def asked(uri: str, where: Message, *only: str) -> Message:
    context: dict[str, Any] = {"diagnostics": []} | ({"only": list(only)} if only else {})
    return {"textDocument": {"uri": uri}, "range": where, "context": context}


def test_what_is_cancelled_ends_at_its_next_step(tmp_path: Path) -> None:
    with Client([sys.executable, "-c", COUNTED, "wait"], tmp_path) as client:
        client.initialize()
        uri = client.open(tmp_path / "a.py", MANY)
        found = client.diagnostics(uri, 1)
        question = asked(uri, found[0]["range"], "source.fixAll")
        client._send({"id": "slow", "method": "textDocument/codeAction", "params": question})
        while not fixes(tmp_path):
            assert client.process.poll() is None
        client.notify("$/cancelRequest", {"id": "slow"})
        nowhere = {"textDocument": {"uri": "file:///nowhere.py"}, "position": {"line": 0, "character": 0}}
        assert client.request("textDocument/hover", nowhere) is None  # by now it has read the notification
        (tmp_path / "go").touch()
        assert len(client.diagnostics(client.open(tmp_path / "b.py", WRONG), 1)) == 1
        assert fixes(tmp_path) == 1
        assert client.leave() == 0


def test_fixes_are_worked_out_for_what_is_asked_about(tmp_path: Path) -> None:
    capabilities = {
        **CAPABILITIES,
        "textDocument": {**CAPABILITIES["textDocument"], **RESOLVING},
    }
    with Client([sys.executable, "-c", COUNTED], tmp_path) as client:
        client.initialize(capabilities)
        uri = client.open(tmp_path / "a.py", MANY)
        found = client.diagnostics(uri, 1)
        assert (len(found), fixes(tmp_path)) == (COUNT, 0)
        for _ in range(2):
            offered = client.request("textDocument/codeAction", asked(uri, found[3]["range"]))
            assert [action["title"].split()[0] for action in offered] == ["Fix", "Silence", "Fix"]
            assert "edit" not in offered[2]
            assert fixes(tmp_path) == 1
        client.request("textDocument/codeAction", asked(uri, found[5]["range"]))
        assert fixes(tmp_path) == 2
        resolved = client.request("codeAction/resolve", offered[2])
        assert fixes(tmp_path) == COUNT
        [change] = resolved["edit"]["documentChanges"]
        assert applied(MANY, change["edits"]) == MANY.replace(".mean()", ".sum(axis=-1).mean()")


def test_a_client_that_cannot_ask_later_is_offered_all_fixes_if_they_are_few(tmp_path: Path) -> None:
    with Client([sys.executable, "-c", COUNTED], tmp_path) as client:
        client.initialize()
        uri = client.open(tmp_path / "a.py", MANY)
        found = client.diagnostics(uri, 1)
        offered = client.request("textDocument/codeAction", asked(uri, found[0]["range"]))
        assert [action["kind"] for action in offered] == ["quickfix", "quickfix"]
        assert fixes(tmp_path) == 1
        [everything] = client.request("textDocument/codeAction", asked(uri, found[0]["range"], "source"))
        assert everything["edit"]
        few = client.open(tmp_path / "b.py", WRONG)
        [one] = client.diagnostics(few, 1)
        *_, last = client.request("textDocument/codeAction", asked(few, one["range"]))
        assert applied(WRONG, last["edit"]["documentChanges"][0]["edits"]) == RIGHT


def test_no_comment_is_offered_that_would_stand_in_a_string(client: Client) -> None:
    # flake8 reads the first such comment of a line, though it be in a string.
    text = WRONG.replace(".mean()", ".mean() + len('# noqa: E501')")
    uri = client.open(client.root / "a.py", text)
    [found] = client.diagnostics(uri, 1)
    offered = client.request("textDocument/codeAction", asked(uri, found["range"], "quickfix"))
    assert not [action for action in offered if "Silence" in action["title"]]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_documents_that_are_not_open_are_not_read(client: Client) -> None:
    pipe = client.root / "pipe.py"
    os.mkfifo(pipe)
    (client.root / "file.py").write_text(WRONG)
    for path in (pipe, client.root / "file.py", Path("/dev/zero")):
        position = {"line": 7, "character": 13}
        asking = {"textDocument": {"uri": path.as_uri()}, "position": position}
        assert client.request("textDocument/hover", asking) is None
        where = {"start": position, "end": position}
        for only in ((), ("source.fixAll",)):
            assert client.request("textDocument/codeAction", asked(path.as_uri(), where, *only)) == []
        action = {"title": "Fix all", "data": path.as_uri()}
        assert "edit" not in client.request("codeAction/resolve", action)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_a_document_that_is_gone_when_its_turn_comes_is_not_read(client: Client) -> None:
    """A client that says anew who it is has nothing open, but a look at what it had may be still to come."""
    os.mkfifo(client.root / "pipe.py")
    for number in range(5):
        uri = client.open(client.root / "pipe.py", WRONG)
        assert len(client.diagnostics(uri, 1)) == 1
        client.change(uri, RIGHT)
        client.initialize()
        assert len(client.diagnostics(client.open(client.root / f"a{number}.py", WRONG), 1)) == 1
    said = [m["params"]["message"] for m in client.notifications if m["method"] == "window/logMessage"]
    assert said == []


@pytest.mark.parametrize("name", ["a b.py", "é%20+.py", "%25.py"])
def test_a_document_is_found_however_its_name_is_spelled(client: Client, name: str) -> None:
    uri = client.open(client.root / native(name), WRONG)
    [found] = client.diagnostics(uri, 1)
    assert [a["title"] for a in client.request("textDocument/codeAction", asked(uri, found["range"]))] != []
    asking = {"textDocument": {"uri": uri}, "position": found["range"]["start"]}
    assert "BMN102" in client.request("textDocument/hover", asking)["contents"]["value"]
    client.notify("workspace/didChangeConfiguration", {"settings": None})
    assert client.diagnostics(uri, 1) == [found]


def test_questions_before_the_client_has_said_who_it_is(tmp_path: Path) -> None:
    with Client([program("batchmean"), "server"], tmp_path) as client:
        uri = (tmp_path / "a.py").as_uri()
        where = {"start": {"line": 0, "character": 0}, "end": {"line": 9, "character": 0}}
        assert client.request("textDocument/codeAction", asked(uri, where)) == []
        assert (
            client.request("textDocument/hover", {"textDocument": {"uri": uri}, "position": where["end"]})
            is None
        )
        assert "edit" not in client.request("codeAction/resolve", {"title": "Fix all", "data": uri})
        client.notify("workspace/didChangeConfiguration", {"settings": None})
        client.initialize()
        assert len(client.diagnostics(client.open(tmp_path / "a.py", WRONG), 1)) == 1
        assert client.leave() == 0
    assert (tmp_path / "stderr.txt").read_text() == ""


def test_a_message_that_is_too_large_is_answered_and_left_out(tmp_path: Path) -> None:
    with Client([program("batchmean"), "server"], tmp_path) as client:
        client.initialize()
        assert client.process.stdin is not None
        client.process.stdin.write(b'Content-Length: 99999999999\r\n\r\n{"jsonrpc": "2.0"}')
        client.process.stdin.flush()
        [found] = client.diagnostics(client.open(tmp_path / "a.py", WRONG), 1)
        assert found["code"] == "BMN102"
        assert client.leave() == 0
    assert (tmp_path / "stderr.txt").read_text() == ""


HELLO = b'{"jsonrpc": "2.0"}'


def message(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


@pytest.mark.parametrize(
    "size", [MAX_MESSAGE + 1, 10**9, 10**30, int("9" * 4000)], ids=lambda size: len(str(size))
)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        HELLO,
        HELLO + b"\r\n",
        b"x" * 65_530,  # the next header stands across what is read at once
        b"x" * 70_000 + b"\n" * 5,
        b"Content-Length: 5",
        b"Content-Length: 99999999999999\r\n\r\n",
        b"Content-Type: text\r\nContent-Length: 88888888888\r\n",
    ],
)
def test_the_next_message_is_found_whatever_the_last_one_says(size: int, body: bytes) -> None:
    channel = io.BytesIO()
    stream = io.BytesIO(b"Content-Length: %s\r\n\r\n%s%s" % (b"9" * len(str(size)), body, message(HELLO)))
    inbox = Inbox(stream, channel)
    header = inbox.readline()
    assert header == b"Content-Length: %d\r\n" % len(HELLO)
    assert inbox.readline() == b"\r\n"
    assert inbox.read(len(HELLO)) == HELLO
    assert inbox.readline() == b""
    answers = channel.getvalue().split(b"Content-Length: ")[1:]
    assert len(answers) == 1 + body.count(b"9999\r\n") + body.count(b"8888\r\n")
    for answer in answers:
        told = json.loads(answer.partition(b"\r\n\r\n")[2])
        assert (told["id"], told["error"]["code"]) == (None, -32600)
        assert told["error"]["message"].endswith(f" is larger than {MAX_MESSAGE}")


def test_lines_without_an_end_are_read_in_pieces() -> None:
    inbox = Inbox(io.BytesIO(b"x" * 1_000_000), io.BytesIO())
    longest = max(len(line) for line in iter(inbox.readline, b""))
    assert longest <= 1 << 16


@pytest.mark.heavy
def test_others_are_answered_while_fixes_are_worked_out(tmp_path: Path) -> None:
    with Client([sys.executable, "-c", COUNTED, "wait"], tmp_path) as client:
        client.initialize()
        uri = client.open(tmp_path / "a.py", MANY)
        where = client.diagnostics(uri, 1)[0]["range"]
        question = asked(uri, where, "source.fixAll")
        client._send({"id": "slow", "method": "textDocument/codeAction", "params": question})
        while not fixes(tmp_path):
            client.quiet(0.01)
        hover = {"textDocument": {"uri": uri}, "position": where["start"]}
        assert "BMN102" in client.request("textDocument/hover", hover)["contents"]["value"]
        assert len(client.diagnostics(client.open(tmp_path / "b.py", WRONG), 1)) == 1
        (tmp_path / "go").touch()
        answer = client._receive(time.monotonic() + PATIENCE)
        while answer.get("id") != "slow":
            answer = client._receive(time.monotonic() + PATIENCE)
        [action] = answer["result"]
        [change] = action["edit"]["documentChanges"]
        assert applied(MANY, change["edits"]) == MANY.replace(".mean()", ".sum(axis=-1).mean()")


@pytest.mark.heavy
def test_a_change_ends_what_was_worked_out_for_the_text_before(tmp_path: Path) -> None:
    with Client([sys.executable, "-c", COUNTED, "wait"], tmp_path) as client:
        client.initialize()
        uri = client.open(tmp_path / "a.py", MANY)
        where = client.diagnostics(uri, 1)[0]["range"]
        question = asked(uri, where, "source.fixAll")
        client._send({"id": "slow", "method": "textDocument/codeAction", "params": question})
        while not fixes(tmp_path):
            client.quiet(0.01)
        version = client.change(uri, RIGHT)
        assert client.diagnostics(uri, version) == []
        (tmp_path / "go").touch()
        answer = client._receive(time.monotonic() + PATIENCE)
        while answer.get("id") != "slow":
            answer = client._receive(time.monotonic() + PATIENCE)
        assert answer["result"] == []
        assert fixes(tmp_path) < COUNT


@pytest.mark.heavy
def test_the_end_of_the_input_ends_it_whatever_is_under_way(tmp_path: Path) -> None:
    with Client([sys.executable, "-c", COUNTED], tmp_path) as client:
        client.initialize()
        uri = client.open(tmp_path / "a.py", MANY * 3)
        where = client.diagnostics(uri, 1)[0]["range"]
        for number in range(20):
            question = asked(uri, where, "source.fixAll")
            client._send({"id": f"q{number}", "method": "textDocument/codeAction", "params": question})
        assert client.process.stdin is not None
        client.process.stdin.close()
        assert client.process.wait(PATIENCE) == 1
        assert fixes(tmp_path) < 20 * 3 * COUNT


def test_a_document_that_is_not_open_is_no_error(client: Client) -> None:
    for number, text in enumerate((WRONG, RIGHT), start=2):
        document = {"uri": (client.root / "never.py").as_uri(), "version": number}
        params = {"textDocument": document, "contentChanges": [{"text": text}]}
        client.notify("textDocument/didChange", params)
        client.notify("textDocument/didSave", {"textDocument": document})
    for method in ("textDocument/didClose", "textDocument/didSave"):
        client.notify(method, {"textDocument": {"uri": (client.root / "other.py").as_uri()}})
    position = {"line": 7, "character": 14}
    where = {"start": position, "end": position}
    uri = (client.root / "never.py").as_uri()
    hover = {"textDocument": {"uri": uri}, "position": position}
    assert client.request("textDocument/hover", hover) is None
    assert client.request("textDocument/codeAction", asked(uri, where)) == []
    assert [m for m in client.notifications if m["method"].startswith("window/")] == []


@pytest.mark.heavy
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="it reads how much memory a process has")
def test_memory_does_not_grow_with_changes_and_documents(tmp_path: Path) -> None:
    def memory() -> int:
        pages = int(Path(f"/proc/{client.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") >> 20

    large = RIGHT + "".join(f"# {'x' * 100}\n" for _ in range(3000))  # 300 kB
    with Client([program("batchmean"), "server"], tmp_path) as client:
        client.initialize()
        uri = client.open(tmp_path / "a.py", large)
        for number in range(50):
            version = client.change(uri, f"{large}# {number}\n")
        client.diagnostics(uri, version)
        before = memory()
        for number in range(1000):
            version = client.change(uri, f"{large}# {number}\n")
            if number % 10 == 0:
                client.diagnostics(uri, version)
        client.diagnostics(uri, client.change(uri, large))
        for _ in range(3):
            uris = [client.open(tmp_path / f"{name}.py", f"{large}# {name}\n") for name in range(50)]
            client.diagnostics(uris[-1], 1)
            for each in uris:
                client.close(each)
                client._versions.pop(each)
            client.diagnostics(uris[-1])
        hover = {"textDocument": {"uri": uri}, "position": {"line": 0, "character": 0}}
        assert client.request("textDocument/hover", hover) is None
        assert memory() - before < 100  # MB; what was sent is 350 MB
