"""`batchmean server`, driven by a real client over its standard input and output."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from batchmean.check import INTERNAL_ERROR
from batchmean.explain import page
from batchmean.rules import RULES

from tests.editors.client import PATIENCE, Client, Message, applied, program, utf16
from tests.faces.support import ASCII, RIGHT, TWO_KINDS, WRONG, in_ascii, native

WIDE = WRONG.replace("return -", 'é = "日本 𝕏𝕏 e\u0301"; return é, -')
MEAN = "(target * logp).mean()"
BY_NAMES = "import numpy as np\n\n\ndef loss(y_true, y_pred):\n    return -(y_true * np.log(y_pred)).mean()\n"
UNSAFE = WRONG.replace("labels):", "labels, other):").replace("return -", "return other - ")


def actions(client: Client, uri: str, where: Message, *only: str) -> list[Message]:
    """The code actions for a range, of these kinds only if there are any."""
    context: dict[str, Any] = {"diagnostics": []} | ({"only": list(only)} if only else {})
    found: list[Message] = client.request(
        "textDocument/codeAction", {"textDocument": {"uri": uri}, "range": where, "context": context}
    )
    return found


def edits(action: Message) -> list[Message]:
    """The edits of an action, all in one document."""
    [change] = action["edit"]["documentChanges"]
    found: list[Message] = change["edits"]
    return found


def place(text: str, part: str) -> Message:
    """The range of a part of the text, which stands there once, in the units of the protocol."""
    before, _, _ = text.partition(part)
    line, start = before.count("\n"), utf16(before.rpartition("\n")[2])
    return {
        "start": {"line": line, "character": start},
        "end": {"line": line, "character": start + utf16(part)},
    }


NOWHERE = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}}


def test_a_finding_has_its_exact_range_and_what_it_rests_on(client: Client) -> None:
    uri = client.open(client.root / "a.py", WIDE)
    [found] = client.diagnostics(uri, 1)
    related = found.pop("relatedInformation")
    assert found == {
        "range": place(WIDE, MEAN),
        "message": "cross-entropy is averaged over the class axis too: 10 times too small; use .sum(axis=-1).mean()",
        "severity": 2,
        "code": "BMN102",
        "source": "batchmean",
    }
    assert [(r["location"]["range"]["start"], r["message"].split()[0]) for r in related] == [
        (place(WIDE, "np.eye(10)[labels]")["start"], "rows"),
        (place(WIDE, "log_softmax(logits, axis=-1)")["start"], "log_softmax"),
        (place(WIDE, MEAN)["start"], "this"),
    ]
    assert {r["location"]["uri"] for r in related} == {uri}


@pytest.mark.parametrize(
    "text",
    [
        WIDE.replace("\n", "\r\n"),
        WIDE.replace("\n", "\r"),
        WIDE.replace("    ", "\t"),
        WIDE.replace("def", "x = '\x0b\x1c\u2028\x85𝕏'\n\fdef"),
        "# coding: latin-1\n" + WIDE,
    ],
    ids=["crlf", "cr", "tabs", "separators", "cookie"],
)
def test_lines_end_where_the_protocol_ends_them(client: Client, text: str) -> None:
    uri = client.open(client.root / "a.py", text)
    [found] = client.diagnostics(uri, 1)
    assert found["range"] == place(text.replace("\r\n", "\n").replace("\r", "\n"), MEAN)


@pytest.mark.parametrize(("encoding", "unit"), [("utf-8", 1), ("utf-16", 2), ("utf-32", 4)])
def test_columns_are_counted_in_the_units_that_the_client_asks_for(
    tmp_path: Path, encoding: str, unit: int
) -> None:
    with Client([program("batchmean"), "server"], tmp_path) as client:
        capable = client.initialize({"general": {"positionEncodings": [encoding]}})
        assert capable["positionEncoding"] == encoding
        [found] = client.diagnostics(client.open(tmp_path / "a.py", WIDE), 1)
    before = WIDE.partition(MEAN)[0].rpartition("\n")[2]
    little = encoding if encoding == "utf-8" else f"{encoding}-le"
    assert found["range"]["start"]["character"] == len(before.encode(little)) // unit


@in_ascii
def test_paths_are_the_same_in_every_locale(tmp_path: Path) -> None:
    folder = tmp_path / native("é")
    folder.mkdir()
    (folder / "pyproject.toml").write_text('[tool.batchmean]\nignore = ["BMN101"]\n', encoding="utf-8")
    with Client([program("batchmean"), "server"], tmp_path, **ASCII) as client:
        client.initialize()
        [found] = client.diagnostics(client.open(folder / "a.py", TWO_KINDS), 1)
    assert found["code"] == "BMN102"


def test_a_plain_client_gets_no_more_than_it_understands(tmp_path: Path) -> None:
    with Client([program("batchmean"), "server", "--stdio"], tmp_path) as client:
        client.initialize({})
        uri = client.open(tmp_path / "a.py", WRONG)
        [found] = client.diagnostics(uri)
        assert "relatedInformation" not in found
        fix = actions(client, uri, found["range"], "quickfix")[0]
        assert applied(WRONG, fix["edit"]["changes"][uri]) == RIGHT
        assert not [m for m in client.notifications if m["method"] == "client/registerCapability"]


def test_findings_follow_the_typing(client: Client) -> None:
    uri = client.open(client.root / "a.py", RIGHT)
    assert client.diagnostics(uri, 1) == []
    version = client.change(uri, WIDE)
    assert [d["range"] for d in client.diagnostics(uri, version)] == [place(WIDE, MEAN)]
    version = client.change(uri, "\n" + WIDE)
    assert [d["range"] for d in client.diagnostics(uri, version)] == [place("\n" + WIDE, MEAN)]
    client.change(uri, WRONG.replace(".mean()", ".mean("))
    assert client.quiet(0.5) == [
        {
            "jsonrpc": "2.0",
            "method": "window/logMessage",
            "params": {
                "type": 4,
                "message": f"{client.root / 'a.py'}: syntax error on line 8: '(' was never closed",
            },
        }
    ]
    version = client.change(uri, RIGHT)
    assert client.diagnostics(uri, version) == []
    client.change(uri, WRONG)
    assert len(client.diagnostics(uri)) == 1
    client.close(uri)
    assert client.diagnostics(uri) == []


def test_a_burst_of_changes_is_analysed_once_and_never_published_out_of_order(client: Client) -> None:
    uri = client.open(client.root / "a.py", RIGHT)
    client.diagnostics(uri, 1)
    for n in range(100):
        version = client.change(uri, "\n" * n + WRONG)
    [found] = client.diagnostics(uri, version)
    assert found["range"] == place("\n" * 99 + WRONG, MEAN)
    versions = [m["params"]["version"] for m in client.notifications if "Diagnostics" in m["method"]]
    assert versions == sorted(versions)
    assert len(versions) < 20
    assert client.quiet(0.5) == []


def test_a_question_is_answered_for_the_text_that_was_sent_before_it(client: Client) -> None:
    uri = client.open(client.root / "a.py", RIGHT)
    client.change(uri, WIDE)
    [fix, _] = actions(client, uri, place(WIDE, MEAN), "quickfix")
    assert applied(WIDE, edits(fix)) == WIDE.replace(".mean()", ".sum(axis=-1).mean()")
    assert fix["edit"]["documentChanges"][0]["textDocument"] == {"uri": uri, "version": 2}


def test_a_safe_fix_is_preferred_and_an_unsafe_one_says_so(client: Client) -> None:
    for text, preferred, ending in (
        (WIDE, True, "Fix BMN102 class-axis-mean"),
        (UNSAFE, False, "(unsafe: look at the result)"),
    ):
        uri = client.open(client.root / f"{preferred}.py", text)
        [found] = client.diagnostics(uri, 1)
        [fix, silence] = actions(client, uri, found["range"], "quickfix")
        assert (fix["kind"], fix["isPreferred"]) == ("quickfix", preferred)
        assert fix["title"].endswith(ending)
        assert fix["diagnostics"] == silence["diagnostics"] == [found]
        assert applied(text, edits(fix)) == text.replace(".mean()", ".sum(axis=-1).mean()")
        assert not silence["isPreferred"]
    assert actions(client, uri, NOWHERE) == []


def test_fix_all_applies_what_is_safe_and_nothing_else(client: Client) -> None:
    text = (TWO_KINDS + UNSAFE.split("\n\n\n")[1].replace("def loss", "\n\ndef weighted")).replace(
        "\n", "\r\n"
    )
    uri = client.open(client.root / "a.py", text)
    before = client.diagnostics(uri, 1)
    assert [d["code"] for d in before] == ["BMN102", "BMN101", "BMN102"]
    [everything] = actions(client, uri, NOWHERE, "source.fixAll")
    assert everything["kind"] == "source.fixAll.batchmean"
    assert actions(client, uri, NOWHERE, "source") == actions(client, uri, NOWHERE, "") == [everything]
    assert actions(client, uri, NOWHERE, "source.fix") == []
    after = applied(text, edits(everything))
    assert after.count("\n") == after.count("\r\n") == text.count("\r\n")
    version = client.change(uri, after)
    [left] = client.diagnostics(uri, version)
    assert left["range"]["start"]["line"] == before[2]["range"]["start"]["line"]
    [fix, _] = actions(client, uri, left["range"], "quickfix")
    assert "unsafe" in fix["title"]
    assert actions(client, uri, left["range"], "source.fixAll.batchmean") == []
    assert actions(client, uri, left["range"], "source.organizeImports") == []


@pytest.mark.parametrize(
    ("line", "silenced"),
    [
        ("    return -(target * logp).mean()", "    return -(target * logp).mean()  # noqa: BMN102"),
        (
            "    return -(target * logp).mean()  # why ",
            "    return -(target * logp).mean()  # why  # noqa: BMN102 ",
        ),
        (
            "    return -(target * logp).mean()  # noqa: E501 long",
            "    return -(target * logp).mean()  # noqa: E501, BMN102 long",
        ),
        (
            "    return -(target * logp).mean( \\\n    )  # 𝕏",
            "    return -(target * logp).mean( \\\n    )  # 𝕏  # noqa: BMN102",
        ),
        (
            '    return """\n    """, -(target * logp).mean()',
            '    return """\n    """, -(target * logp).mean()  # noqa: BMN102',
        ),
        (
            "    return -(\n        target * logp\n    ).mean()",
            "    return -(  # noqa: BMN102\n        target * logp\n    ).mean()",
        ),
    ],
)
def test_a_line_can_be_silenced(client: Client, line: str, silenced: str) -> None:
    text = WRONG.replace("    return -(target * logp).mean()", line)
    uri = client.open(client.root / "a.py", text)
    [found] = client.diagnostics(uri, 1)
    [silence] = [a for a in actions(client, uri, found["range"], "quickfix") if "Silence" in a["title"]]
    after = applied(text, edits(silence))
    assert after == text.replace(line, silenced)
    assert client.diagnostics(uri, client.change(uri, after)) == []


def test_hover_tells_the_numbers_and_the_page(client: Client) -> None:
    uri = client.open(client.root / "a.py", WIDE)

    def hover(position: Message) -> Any:
        return client.request("textDocument/hover", {"textDocument": {"uri": uri}, "position": position})

    where = place(WIDE, MEAN)
    told = hover(where["start"])
    assert told["range"] == where
    text = told["contents"]["value"]
    assert "Here V = 10: a factor of 0.1." in text
    assert "2.303 then, and 0.2303 as it is written" in text
    assert "- line 6: rows of the identity are one-hot targets" in text
    assert page(RULES["BMN102"]) in text
    assert hover({"line": 0, "character": 0}) is None
    client.change(uri, BY_NAMES)
    text = hover(place(BY_NAMES, "(y_true * np.log(y_pred)).mean()")["start"])["contents"]["value"]
    assert "Factor: V^-1" in text
    assert "Likely, not proved" in text


def test_the_configuration_is_that_of_now(client: Client) -> None:
    config = client.root / "pyproject.toml"
    uri = client.open(client.root / "pkg" / "a.py", BY_NAMES)
    [found] = client.diagnostics(uri, 1)
    assert found["severity"] == 3  # information: it rests on names

    def changed() -> list[Message]:
        client.notify("workspace/didChangeWatchedFiles", {"changes": [{"uri": config.as_uri(), "type": 2}]})
        return client.diagnostics(uri)

    for setting in ('min-confidence = "proved"', 'ignore = ["BMN102"]', 'exclude = ["pkg"]'):
        config.write_text(f"[tool.batchmean]\n{setting}\n", encoding="utf-8")
        assert changed() == []
        config.write_text("[tool.batchmean]\n", encoding="utf-8")
        assert changed() == [found]
    config.write_text('[tool.batchmean]\nignore = ["BMN102"]\n', encoding="utf-8")  # and nobody says so
    assert actions(client, uri, found["range"]) == []
    assert client.diagnostics(uri, client.change(uri, BY_NAMES)) == []


def test_what_the_baseline_covers_is_neither_shown_nor_fixed(client: Client) -> None:
    (client.root / "pyproject.toml").write_text('[tool.batchmean]\nbaseline = "b.json"\n', encoding="utf-8")
    (client.root / "a.py").write_text(WRONG, encoding="utf-8")
    command = [str(program("batchmean")), "check", "--write-baseline", "b.json"]
    assert subprocess.run(command, cwd=client.root, check=False, timeout=PATIENCE).returncode == 0
    text = TWO_KINDS.replace("def whole", "def other").replace(
        "-np.sum(target * logp) / logp.size", f"-{MEAN}"
    )
    uri = client.open(client.root / "a.py", text)
    [found] = client.diagnostics(uri, 1)
    assert found["range"]["start"]["line"] == 13
    [action] = actions(client, uri, NOWHERE, "source.fixAll.batchmean")
    action = client.request("codeAction/resolve", action) if "edit" not in action else action
    assert applied(text, edits(action)) == text[: len(WRONG)] + text[len(WRONG) :].replace(
        ".mean()", ".sum(axis=-1).mean()"
    )
    (client.root / "b.json").write_text("{", encoding="utf-8")
    assert len(client.diagnostics(uri, client.change(uri, text + "\n"))) == 2
    (client.root / "b.json").unlink()
    (client.root / "pyproject.toml").unlink()


def test_it_asks_to_be_told_of_changed_configurations(tmp_path: Path) -> None:
    with Client([program("batchmean"), "server"], tmp_path) as client:
        client.initialize()
        asked = client.wait(lambda message: message["method"] == "client/registerCapability")
    [registration] = asked["params"]["registrations"]
    assert registration["method"] == "workspace/didChangeWatchedFiles"
    assert registration["registerOptions"] == {"watchers": [{"globPattern": "**/pyproject.toml"}]}


def test_a_wrong_configuration_is_told_once_and_the_defaults_hold(client: Client) -> None:
    config = client.root / "pyproject.toml"
    config.write_text('[tool.batchmean]\nselekt = ["BMN101"]\n', encoding="utf-8")
    uri = client.open(client.root / "a.py", WRONG)
    assert len(client.diagnostics(uri, 1)) == 1
    assert len(client.diagnostics(uri, client.change(uri, WRONG + "\n"))) == 1
    shown = [m["params"] for m in client.notifications if m["method"] == "window/showMessage"]
    assert shown == [
        {
            "type": 2,
            "message": f"batchmean: {config}: [tool.batchmean] has no setting 'selekt'; did you mean select?",
        }
    ]
    [everything] = actions(client, uri, NOWHERE, "source.fixAll")
    assert applied(WRONG, edits(everything)) == RIGHT


@pytest.mark.parametrize(
    "text", ["", "\0", "\ud800 = log(x).mean()", "(" * 5000, "mean(log(" * 300, "\ufeff"]
)
def test_any_text_may_come(client: Client, text: str) -> None:
    uri = client.open(client.root / "a.py", text)
    client.request("textDocument/hover", {"textDocument": {"uri": uri}, "position": NOWHERE["start"]})
    assert actions(client, uri, NOWHERE) == []
    assert len(client.diagnostics(uri, client.change(uri, WRONG))) == 1


@pytest.mark.parametrize(
    "uri", ["untitled:Untitled-1", "vscode-notebook-cell:/folder/n.ipynb#W0sZmlsZQ%3D%3D"]
)
def test_documents_that_are_no_files_are_linted(client: Client, uri: str) -> None:
    document = {"uri": uri, "languageId": "python", "version": 1, "text": WRONG}
    client.notify("textDocument/didOpen", {"textDocument": document})
    [found] = client.diagnostics(uri, 1)
    assert found["range"] == place(WRONG, MEAN)


def test_fenced_python_is_linted_and_fixed_in_its_markdown(client: Client) -> None:
    text = f"# 𝕏 and *more* (\n\nIt's \"prose.\n\n```python\n{WIDE}```\n\nMore `text.\n"
    uri = client.open(client.root / "a.md", text)
    [found] = client.diagnostics(uri, 1)
    assert found["range"] == place(text, MEAN)
    [everything] = actions(client, uri, NOWHERE, "source.fixAll")
    assert applied(text, edits(everything)) == text.replace(".mean()", ".sum(axis=-1).mean()")


SABOTAGE = dedent(
    """\
    import batchmean.engine.analysis as analysis
    import batchmean.verdicts as verdicts
    from batchmean.server import main

    def boom(tree, lines, *bound, analyse=analysis.analyse):
        print("stray words")
        if "crash" in lines[0]:
            raise RuntimeError("boom")
        return analyse(tree, lines, *bound)

    verdicts.analyse = boom
    raise SystemExit(main())
    """
)


def test_neither_a_crash_nor_a_print_ends_the_conversation(tmp_path: Path) -> None:
    with Client([sys.executable, "-c", SABOTAGE], tmp_path) as client:
        client.initialize()
        uri = client.open(tmp_path / "a.py", "# crash\n" + WRONG)
        logged = client.wait(lambda message: message["method"] == "window/logMessage")["params"]
        assert logged["type"] == 1
        assert logged["message"] == (
            f"{tmp_path / 'a.py'}: {INTERNAL_ERROR}: RuntimeError: boom; please report it"
        )
        assert actions(client, uri, NOWHERE) == []
        assert len(client.diagnostics(uri, client.change(uri, WRONG))) == 1
        assert client.leave() == 0
    assert set((tmp_path / "stderr.txt").read_text(encoding="utf-8").splitlines()) == {"stray words"}


@pytest.mark.parametrize("says_so", [True, False])
def test_it_leaves_when_its_client_does(tmp_path: Path, says_so: bool) -> None:
    with Client([program("batchmean"), "server"], tmp_path) as client:
        client.initialize({})
        client.diagnostics(client.open(tmp_path / "a.py", WRONG), 1)
        assert client.process.stdin is not None
        if says_so:
            assert client.leave() == 0
        else:
            client.process.stdin.close()
            assert client.process.wait(PATIENCE) == 1
    assert (tmp_path / "stderr.txt").read_text(encoding="utf-8") == ""


def test_ctrl_c_ends_it(tmp_path: Path) -> None:
    with Client([program("batchmean"), "server"], tmp_path) as client:
        client.initialize({})
        client.process.send_signal(signal.SIGINT)
        assert client.process.wait(PATIENCE) == -signal.SIGINT


def test_without_pygls_one_line_says_what_to_install(tmp_path: Path) -> None:
    hide = "import sys; sys.modules['pygls'] = sys.modules['lsprotocol'] = None"
    code = f"{hide}; from batchmean.cli import main; sys.exit(main(['server']))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", cwd=tmp_path, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr
        == "error: the server needs lsprotocol: pip install '.[server]' in a checkout of batchmean\n"
    )


def test_nothing_of_it_is_imported_otherwise(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(WRONG, encoding="utf-8")
    code = dedent(
        """\
        import sys
        from batchmean.cli import main
        main(["check", "a.py"])
        print(sorted({"asyncio", "pygls", "lsprotocol", "batchmean.server"} & set(sys.modules)))
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", cwd=tmp_path, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_functions_that_the_settings_tell_of(client: Client) -> None:
    text = "from acme.losses import kl\n\n\ndef loss(student, teacher):\n    return kl(student, teacher)\n"
    settings = client.root / "pyproject.toml"
    settings.write_text('[tool.batchmean.functions]\n"acme.losses.kl" = "torch.nn.functional.kl_div"\n')
    uri = client.open(client.root / "a.py", text)
    [found] = client.diagnostics(uri, 1)
    assert (found["code"], found["range"]) == ("BMN103", place(text, "kl(student, teacher)"))
    settings.write_text("[tool.batchmean]\n")
    client.change(uri, text + "\n")
    assert client.diagnostics(uri, 2) == []
