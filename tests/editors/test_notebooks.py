"""Notebooks in the server: `notebookDocument` sync, as VS Code sends it, driven by a real client."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tests.editors.client import Client, Message, applied, utf16

IMPORTS = "import numpy as np\nfrom scipy.special import log_softmax\n%matplotlib inline"
TARGETS = 'é = "𝕏"\ntarget = np.eye(10)[labels]'
LOSS = "%%time\nlogp = log_softmax(logits, axis=-1)\n𝕏 = 1; loss = -(target * logp).mean()"
MEAN = "(target * logp).mean()"
CELLS = [
    ("python", IMPORTS),
    ("markdown", "# Loss"),
    ("python", TARGETS),
    ("julia", "x = 1;"),
    ("python", LOSS),
]


class Notebook:
    """An open notebook and what the client believes of its cells."""

    def __init__(
        self, client: Client, cells: Sequence[tuple[str, str]] = CELLS, name: str = "n.ipynb"
    ) -> None:
        self.client = client
        self.path = client.root / name
        self.uris = client.open_notebook(self.path, cells)
        self.texts = {uri: text for uri, (_, text) in zip(self.uris, cells, strict=True)}

    def change(self, uri: str, text: str) -> int:
        """Replace a cell's text."""
        self.texts[uri] = text
        return self.client.change_cell(self.path, uri, {"text": text})

    def apply(self, edit: Message) -> None:
        """Make an edit in the cells that it names, and tell the server part by part, as an editor does."""
        for change in edit["documentChanges"]:
            uri = change["textDocument"]["uri"]
            for one in sorted(change["edits"], key=lambda e: -e["range"]["start"]["line"]):
                self.texts[uri] = applied(self.texts[uri], [one])
                self.client.change_cell(self.path, uri, {"range": one["range"], "text": one["newText"]})


@pytest.fixture
def notebook(client: Client) -> Iterator[Notebook]:
    """A notebook whose imports, targets and loss stand in cells of their own."""
    opened = Notebook(client)
    yield opened
    client.close_notebook(opened.path, opened.uris)


def place(text: str, part: str) -> Message:
    """The range of a part of a cell, in the units of the protocol."""
    before, _, _ = text.partition(part)
    line, start = before.count("\n"), utf16(before.rpartition("\n")[2])
    return {
        "start": {"line": line, "character": start},
        "end": {"line": line, "character": start + utf16(part)},
    }


def actions(client: Client, uri: str, where: Message, *only: str) -> list[Message]:
    """The code actions in a cell, resolved."""
    context: dict[str, Any] = {"diagnostics": []} | ({"only": list(only)} if only else {})
    found = client.request(
        "textDocument/codeAction", {"textDocument": {"uri": uri}, "range": where, "context": context}
    )
    return [client.request("codeAction/resolve", a) if "edit" not in a else a for a in found]


def test_names_are_carried_from_cell_to_cell(notebook: Notebook) -> None:
    client, uris = notebook.client, notebook.uris
    [found] = client.diagnostics(uris[4], 1)
    assert (found["code"], found["range"]) == ("BMN102", place(LOSS, MEAN))
    assert "10 times too small" in found["message"]
    assert [(r["location"]["uri"], r["location"]["range"]["start"]) for r in found["relatedInformation"]] == [
        (uris[2], place(TARGETS, "np.eye(10)[labels]")["start"]),
        (uris[4], place(LOSS, "log_softmax(logits, axis=-1)")["start"]),
        (uris[4], place(LOSS, MEAN)["start"]),
    ]
    told = client.request(
        "textDocument/hover", {"textDocument": {"uri": uris[4]}, "position": found["range"]["start"]}
    )
    assert told["range"] == found["range"] and "Here V = 10" in told["contents"]["value"]
    # Cells that are no Python have no diagnostics, and no answer but an empty one.
    said = {m["params"]["uri"] for m in client.notifications if "Diagnostics" in m["method"]}
    assert said <= {uris[0], uris[2], uris[4]}
    assert actions(client, uris[1], place("#", "#")) == []


@pytest.mark.heavy
def test_a_fix_is_one_of_its_cell(notebook: Notebook) -> None:
    client, uri = notebook.client, notebook.uris[4]
    fix, silence = actions(client, uri, place(LOSS, MEAN), "quickfix")
    assert fix["isPreferred"]
    notebook.apply(silence["edit"])
    assert notebook.texts[uri] == f"{LOSS}  # noqa: BMN102"
    assert client.diagnostics(uri, 2) == []
    notebook.change(uri, LOSS)
    assert len(client.diagnostics(uri, 3)) == 1
    [whole] = actions(client, uri, place(LOSS, MEAN), "source.fixAll")
    assert whole["edit"]["documentChanges"][0]["edits"]
    notebook.apply(fix["edit"])
    assert notebook.texts[uri] == LOSS.replace(".mean()", ".sum(axis=-1).mean()")
    assert client.diagnostics(uri, notebook.change(uri, notebook.texts[uri] + "\n")) == []


@pytest.mark.heavy
def test_fix_all_is_of_the_cell_or_of_the_notebook(client: Client) -> None:
    cells = [*CELLS, ("python", "other = -(target * logp).mean()")]
    notebook = Notebook(client, cells, "two.ipynb")
    first, second = notebook.uris[4:]
    assert len(client.diagnostics(second, 1)) == 1
    [cell] = actions(client, first, place(LOSS, MEAN), "source.fixAll.batchmean")
    assert [c["textDocument"]["uri"] for c in cell["edit"]["documentChanges"]] == [first]
    [every] = actions(client, first, place(LOSS, MEAN), "notebook.source.fixAll.batchmean")
    assert [c["textDocument"]["uri"] for c in every["edit"]["documentChanges"]] == [first, second]
    notebook.apply(every["edit"])
    assert notebook.texts[first] == LOSS.replace(".mean()", ".sum(axis=-1).mean()")
    assert notebook.texts[second] == "other = -(target * logp).sum(axis=-1).mean()"
    client.close_notebook(notebook.path, notebook.uris)


@pytest.mark.heavy
def test_changes_of_parts_are_followed_whatever_stands_in_the_lines(notebook: Notebook) -> None:
    client, uri = notebook.client, notebook.uris[4]
    client.diagnostics(uri, 1)
    text = LOSS
    for part, new in (("𝕏 = 1; ", "s = '\x0c\x85\u2028𝕏';\r\n"), ("\r\n", "\n"), ("-(target", "+ (target")):
        where = place(text.replace("\r\n", "\n") if part != "\r\n" else text, part)
        if part == "\r\n":  # a line end is a range from one line to the next
            line = text.partition("\r\n")[0].count("\n")
            end = utf16(text.split("\n")[line].removesuffix("\r"))
            where = {"start": {"line": line, "character": end}, "end": {"line": line + 1, "character": 0}}
        text = text.replace(part, new)
        version = client.change_cell(notebook.path, uri, {"range": where, "text": new})
        [found] = client.diagnostics(uri, version)
        assert found["range"] == place(text.replace("\r\n", "\n"), MEAN)
    # Several in one message count one after the other; one behind the end is at the end.
    far = {"line": 99, "character": 9}
    version = client.change_cell(
        notebook.path, uri, {"text": "x = 1"}, {"range": {"start": far, "end": far}, "text": "\n" + LOSS[7:]}
    )
    [found] = client.diagnostics(uri, version)
    assert found["range"] == place("x = 1\n" + LOSS[7:], MEAN)


@pytest.mark.heavy
def test_a_cell_that_does_not_parse_leaves_the_others_their_names(notebook: Notebook) -> None:
    client, (_, _, targets, _, loss) = notebook.client, notebook.uris
    client.diagnostics(loss, 1)
    notebook.change(targets, TARGETS.replace("[labels]", "[labels"))
    version = notebook.change(loss, LOSS + "\n")
    [found] = client.diagnostics(loss, version)
    assert "10 times too small" in found["message"]
    assert [r["location"]["uri"] for r in found["relatedInformation"]] == [loss, loss]
    notebook.change(loss, LOSS.replace("mean()", "mean("))
    fixed = notebook.change(targets, TARGETS.replace("10", "20"))
    client.diagnostics(targets, fixed)
    # The broken cell keeps its diagnostics; its text of now has no fix.
    assert not [m for m in client.quiet(0.3) if "Diagnostics" in m["method"] and m["params"]["uri"] == loss]
    assert actions(client, loss, place(LOSS, MEAN)) == []
    [found] = client.diagnostics(loss, notebook.change(loss, LOSS))
    assert "20 times too small" in found["message"]


@pytest.mark.heavy
def test_cells_come_and_go_and_move(notebook: Notebook) -> None:
    client, uris = notebook.client, notebook.uris
    client.diagnostics(uris[4], 1)
    new = f"{uris[0]}-new"
    cell = client.notebook_cell(new, "python")
    item = {"uri": new, "languageId": "python", "version": 1, "text": "target = softmax(target)"}
    client.change_notebook(
        notebook.path, structure={"array": {"start": 4, "deleteCount": 0, "cells": [cell]}, "didOpen": [item]}
    )
    assert client.diagnostics(uris[4]) != []
    # Without the cell of the imports nothing is known of the names.
    client.change_notebook(
        notebook.path,
        structure={"array": {"start": 0, "deleteCount": 1}, "didClose": [{"uri": uris[0]}]},
    )
    assert client.diagnostics(uris[0]) == []
    found = client.diagnostics(uris[4])
    assert [d["severity"] for d in found] in ([], [3])
    notebook.uris = [new, *uris[1:]]


@pytest.mark.heavy
def test_settings_hold_by_the_path_of_the_notebook(client: Client) -> None:
    (client.root / "pyproject.toml").write_text(
        '[tool.batchmean.per-file-ignores]\n"n.ipynb" = ["BMN102"]\n', encoding="utf-8"
    )
    for name, count in (("n.ipynb", 0), ("m.ipynb", 1)):
        notebook = Notebook(client, CELLS, name)
        assert len(client.diagnostics(notebook.uris[4], 1)) == count
        client.close_notebook(notebook.path, notebook.uris)
        assert client.diagnostics(notebook.uris[4]) == []


@pytest.mark.heavy
def test_what_is_not_open_is_passed_over(client: Client) -> None:
    uri = (client.root / "closed.ipynb").as_uri()
    client.notify(
        "notebookDocument/didChange",
        {"notebookDocument": {"uri": uri, "version": 2}, "change": {"cells": {"textContent": []}}},
    )
    where = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}}
    assert actions(client, f"{uri}#c", where) == []
    notebook = Notebook(client, CELLS, "open.ipynb")
    client._versions["file:///no/such/cell"] = 1
    client.change_cell(notebook.path, "file:///no/such/cell", {"text": LOSS})
    assert len(client.diagnostics(notebook.uris[4])) == 1
    client._versions.pop("file:///no/such/cell")
    client.close_notebook(notebook.path, notebook.uris)
    assert not [m for m in client.quiet(0.2) if m["method"] == "window/showMessage"]


@pytest.mark.heavy
def test_magics_of_ones_own(client: Client) -> None:
    (client.root / "pyproject.toml").write_text('[tool.batchmean]\npython-cell-magics = ["profile"]\n')
    cells = [*CELLS[:-1], ("python", LOSS.replace("%%time", "%%profile"))]
    notebook = Notebook(client, cells, "magic.ipynb")
    uri = notebook.uris[4]
    [found] = client.diagnostics(uri, 1)
    [_, silence] = actions(client, uri, found["range"], "quickfix")
    notebook.apply(silence["edit"])
    assert client.diagnostics(uri, 2) == []
    client.close_notebook(notebook.path, notebook.uris)
