"""Documents in the process itself: what holds for any notebook, any Markdown, any edit."""

from __future__ import annotations

import ast
import json
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import batchmean
import pytest
from batchmean.documents import Document
from batchmean.documents.magics import neutralised
from batchmean.documents.notebook import Literals
from batchmean.findings import Edit, Span
from batchmean.source import SourceError, apply, unify_line_ends
from hypothesis import given
from hypothesis import strategies as st

from tests.faces.notebooks import STYLES, Cell, notebook

# Line ends, escapes, quotes, characters beyond 16 bits, and what JSON and Python break lines at or do not.
TEXT = st.text(alphabet="ab \t\n\"'\\/é日𝕏\u2028\x0c\u0301{}[],:", max_size=40)
SOURCE = st.one_of(TEXT, TEXT.map(lambda text: text.replace("\n", "\r\n")))
CELL = st.tuples(st.sampled_from(["code", "markdown"]), SOURCE)
STYLE = st.sampled_from(STYLES)
PYTHON = (
    "x = 1",
    "é = '日𝕏'; y = x",
    "!ls",
    "if x:\n    %time f()\n    z = 2",
    "def f(:",
    "  a = 1\n  b = '''\n c'''",
    "%%bash\nls",
    "",
)


@st.composite
def edits(draw: st.DrawFn, text: str) -> Edit:
    """An edit somewhere in the text."""
    lines = unify_line_ends(text).split("\n")
    places = [(line, column + 1) for line, own in enumerate(lines, start=1) for column in range(len(own) + 1)]
    start, end = sorted((draw(st.sampled_from(places)), draw(st.sampled_from(places))))
    return Edit(Span(*start, *end), draw(st.text(alphabet='a\n"\\é𝕏', max_size=6)))


@given(st.data(), st.lists(CELL, max_size=3), SOURCE, STYLE, st.booleans(), st.sampled_from([3, 4]))
def test_an_edit_of_a_cell_is_that_edit_and_nothing_else(
    data: st.DataObject,
    others: list[Cell],
    source: str,
    style: Callable[[Any], str],
    joined: bool,
    nbformat: int,
) -> None:
    cells: list[Cell] = [*others, ("code", source or "x")]
    content = style(notebook(cells, joined=joined, nbformat=nbformat))
    edit = data.draw(edits(cells[-1][1]))
    own = Edit(edit.span, edit.text, cell=len(cells))
    after = Literals(content).edited([own])
    # What it is: the cell's source, edited.
    changed = [*others, ("code", apply(cells[-1][1], [edit]))]
    expected = notebook(changed, joined=True, nbformat=nbformat)
    assert normal(json.loads(after)) == normal(json.loads(json.dumps(expected)))
    # And nothing else: what is before and after the cell's literals is there as it was.
    literals = Literals(content)._by_cell[len(cells)]
    start, end = literals[0].start, literals[-1].end
    assert after.startswith(content[:start])
    assert after.endswith(content[end:])
    assert after.isascii() or not content.isascii()


def normal(found: Any) -> Any:
    """A notebook with its sources as strings."""
    if isinstance(found, dict):
        return {
            key: "".join(value) if key in ("source", "input") else normal(value)
            for key, value in found.items()
        }
    return [normal(value) for value in found] if isinstance(found, list) else found


@given(st.lists(st.tuples(st.sampled_from(["code", "markdown"]), st.sampled_from(PYTHON))), STYLE)
def test_every_line_of_the_code_knows_its_place(cells: list[Cell], style: Callable[[Any], str]) -> None:
    document = Document(style(notebook(cells)), "n.ipynb")
    ast.parse(document.text)
    seen = []
    for number, line in enumerate(document.text.split("\n"), start=1):
        if not line.strip():
            continue
        place = document.place(number, 1)
        assert place.cell is not None
        seen.append(place)
        written = document.sources[f"n.ipynb:cell {place.cell}"].split("\n")[place.line - 1]
        assert written[place.column - 1 :] == line or written.strip()[0] in "%!"
    assert seen == sorted(seen)
    faulty = [number for number, cell in enumerate(cells, start=1) if cell == ("code", "def f(:")]
    assert [problem.split(":")[0] for problem in document.problems] == [f"cell {n}" for n in faulty]


@given(st.data(), st.sampled_from([0, 2, 4]), st.sampled_from(["\n", "\r\n"]))
def test_an_edit_of_a_fence_keeps_its_indentation(data: st.DataObject, indent: int, line_end: str) -> None:
    code = "é = [\n    1,\n]\nif é:\n    é = 2"
    margin = " " * indent
    page = (
        f"# Title\n\n{margin}```python\n"
        + "".join(f"{margin}{line}\n" for line in code.split("\n"))
        + f"{margin}```\n"
    )
    document = Document(page, "page.md")
    assert document.text == code
    edit = data.draw(edits(code))
    mapped = document.edit(edit)
    assert mapped is not None
    # Document.mapped and apply together, as `--fix` uses them; the fence's text then is the code, edited.
    after = apply(page.replace("\n", line_end), [mapped])
    assert after.count(line_end) == after.count("\n")
    body = unify_line_ends(after).split("```python\n")[1].rsplit("\n" + margin + "```", 1)[0]
    assert [line[indent:] for line in body.split("\n")] == apply(code, [edit]).split("\n")
    assert all(line.startswith(margin) for line in body.split("\n"))


def test_a_notebooks_edit_across_cells_is_refused() -> None:
    document = Document(json.dumps(notebook([("code", "a = 1"), ("code", "b = 2")])), "n.ipynb")
    assert document.edit(Edit(Span(1, 1, 2, 2), "")) is None
    whole_line = document.edit(Edit(Span(1, 1, 2, 1), ""))
    assert whole_line == Edit(Span(1, 1, 1, 6), "", 1)


def test_python_has_no_magics() -> None:
    folders = [Path(batchmean.__file__).parent, Path(sysconfig.get_path("stdlib"))]
    paths = [path for folder in folders for path in sorted(folder.glob("*.py"))]
    assert len(paths) > 100
    for path in paths:
        lines = path.read_text("utf-8", "replace").split("\n")
        assert neutralised(lines) == lines, path


@pytest.mark.parametrize(
    ("line", "plain"),
    [
        ("%time f()", "pass"),
        ("  !ls {x}", "  pass"),
        ("?f", "pass"),
        ("f.g??", "pass"),
        ("f?  # what is it", "pass"),
        ("x = !ls", "x = get_ipython()"),
        ("x, y = %sql SELECT 1", "x, y = get_ipython()"),
        ("x['a'] = %timeit -o f()", "x['a'] = get_ipython()"),
        ("pip install x", "pass"),
        ("cd ..", "pass"),
        ("time f(x)", "pass"),
        ("time if x else y", "time if x else y"),
        ("time = 3", "time = 3"),
        ("ls", "ls"),
        ("x = y % z", "x = y % z"),
        ("x != y", "x != y"),
        ("x = '?'", "x = '?'"),
        ("x  # really?", "x  # really?"),
        ("x %= 3", "x %= 3"),
    ],
)
def test_what_ipython_reads(line: str, plain: str) -> None:
    # Another magic beside it: a line alone might be let through unread.
    assert neutralised([line, "%x", "y = 1"]) == [plain, "pass", "y = 1"]


@pytest.mark.parametrize(
    "text",
    [
        "x = (a\n  % b)",
        "x = '''\n%time\n!ls\nhelp?\n'''",
        "x = a \\\n  % b",
        "f'''{a}\n!r\n'''",
        "x = 'it\\'s ('\ny = [\n!\n]",
        "# ( [ {\nx = {  # '''\n ? \n}",
    ],
)
def test_inside_a_statement_there_are_no_magics(text: str) -> None:
    lines = text.split("\n")
    assert neutralised([*lines, "%x"]) == [*lines, "pass"]


@given(st.data(), STYLE)
def test_a_spoilt_notebook_is_a_line_or_still_one(data: st.DataObject, style: Callable[[Any], str]) -> None:
    content = style(notebook([("code", "é = 1\ny = 'mean'"), ("markdown", "x"), ("code", "x = !ls")]))
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, min(start + 5, len(content))))
    spoilt = (
        content[:start] + data.draw(st.text(alphabet='{}[]",:\\u0d8nsource1', max_size=4)) + content[end:]
    )
    try:
        document = Document(spoilt, "n.ipynb")
    except SourceError as error:
        assert error.message.startswith("is not a valid notebook: ")
        assert error.message.isprintable()
        return
    literals = Literals(spoilt)
    for where, source in document.sources.items():
        if source:
            number = int(where.rsplit(" ", 1)[1])
            assert unify_line_ends(literals._read(number)[0]) == source


@pytest.mark.parametrize("name", [".md", "folder/.qmd", ".ipynb"])
def test_a_document_may_be_called_by_its_ending_alone(name: str) -> None:
    cell = {"cell_type": "code", "source": ["x = 1\n"]}
    content = json.dumps({"cells": [cell]}) if name == ".ipynb" else "```python\nx = 1\n```\n"
    assert Document(content, name).text.strip() == "x = 1"
