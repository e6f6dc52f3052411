"""Twice the input is twice the work, whatever the input is. Work is counted, never timed."""

from __future__ import annotations

import ast
import io
import json
import re
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Final

import pytest
from batchmean import gate, rewrite
from batchmean.check import Check
from batchmean.cli import main
from batchmean.config import Config
from batchmean.documents import Document
from batchmean.documents.magics import _closing
from batchmean.documents.markdown import fences
from batchmean.documents.notebook import _object
from batchmean.engine.analysis import work
from batchmean.findings import Because, Edit, Finding, Fix, Span
from batchmean.globs import Glob, Globs, PerFileIgnores
from batchmean.linter import lint
from batchmean.noqa import Noqa
from batchmean.output import FORMATS, render
from batchmean.report import Report
from batchmean.rewrite import Change, apart, diff, differences
from batchmean.source import SourceError, decode
from batchmean.syntax import parse
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.faces.support import WRONG
from tests.robustness.counting import Watched, a_sample_of, calls
from tests.robustness.hostile import GROWING

# The engine.


CALLS: Final = 90
"""Calls of functions for each character of a program: in each of 16 values of a branch everything is done anew, but
no more than that."""
IN_BRANCHES: Final = {
    "augmented sums under an if": 160,  # each of the values has the accounts of other losses
    "totals under an if": 180,  # and is walked for the training loop, too
    "helpers under an if": 400,  # each of the values is followed into the helper till a short file is read
    "functions that call the next": 250,  # each is followed, twice, into those below it
    "objects": 160,  # the method of each is followed, which holds a loss
}
"""Those of a short program in whose branches more is done."""


@pytest.mark.parametrize("name", a_sample_of(GROWING))
def test_the_engine_reads_twice_as_much_at_most(name: str) -> None:
    once, twice = (GROWING[name](count) for count in (120, 240))
    read = [work(ast.parse(text), text.split("\n")) for text in (once, twice)]
    assert read[1] <= 2.2 * read[0] + 50
    called = [calls(lambda text=text: lint(text, "grown.py")) for text in (once, twice)]  # type: ignore[misc]
    assert called[1] <= 2.4 * called[0] + 5000
    assert called[1] <= IN_BRANCHES.get(name, CALLS) * len(twice) + 20_000


@pytest.mark.heavy
@pytest.mark.parametrize("name", GROWING)
def test_what_is_compared_does_not_grow_with_the_square(name: str) -> None:
    """Where each of few is compared with each other this is lost among the rest; of many it shows."""
    once, more = (GROWING[name](count) for count in (500, 2000))
    called = [calls(lambda text=text: lint(text, "grown.py")) for text in (once, more)]  # type: ignore[misc]
    assert called[1] <= 4.6 * called[0] + 50_000


def test_a_place_that_reduces_a_loss_costs_more_than_its_nodes_and_once() -> None:
    def read(*lines: str) -> int:
        text = "import numpy as np\ndef f(p, c):\n    t = np.log(p)\n" + "".join(
            f"    {line}\n" for line in lines
        )
        return work(ast.parse(text), text.split("\n"))

    loss = "z = -(p * np.log(p)).mean()"
    assert read(loss, loss) - read(loss) == read(loss, loss, loss) - read(loss, loss) == 15
    ways = "if c: t = t * 2"
    assert read(ways, "return -(p * t).mean()") - read("return -(p * t).mean()") < 20


# What stands before it.


@pytest.mark.parametrize("word", [" log(", " logger.log(", " math.log(", "(log_softmax", " 'mask' loss "])
@pytest.mark.parametrize("begin", ["x = ", "# ", "def f"])
def test_the_gate_looks_at_a_line_once_for_each_kind_of_word(word: str, begin: str) -> None:
    read = []
    for count in (1000, 2000):
        text = Watched(f"import numpy as np\nm = p.mean()\n{begin}{word * count}\n")
        gate.losses(text)
        gate.worth_parsing(text)
        read.append(text.read / len(text))
    assert read[1] <= 1.1 * read[0] + 1


def test_many_patterns_cost_a_file_what_few_do() -> None:
    paths = [f"/project/src/part{n % 7}/file{n}.py" for n in range(300)]

    def matching(count: int) -> int:
        globs = Globs(
            Glob(text.replace("#", str(n)), "/project") for n in range(count) for text in ("n#", "a/b#")
        )
        assert not globs.matches("/project/first.py")  # now it has been put together
        assert globs.matches("/project/a/b0/c.py")
        return calls(lambda: [globs.matches(path) for path in paths])

    assert matching(10_000) == matching(10)


def test_many_ignores_of_files_cost_a_finding_what_few_do() -> None:
    def matching(count: int) -> int:
        ignores = PerFileIgnores((Glob(f"n{n}", "/project"), ("BMN1",)) for n in range(count))
        config = Config(per_file_ignores=ignores)
        assert config.selects("BMN101", "/project/a.py")
        assert not config.selects("BMN101", "/project/n3/a.py")
        return calls(lambda: [config.selects("BMN102", "/project/a.py") for _ in range(300)])

    assert matching(10_000) == matching(10)


@pytest.mark.parametrize("name", ["idna", "punycode", "PUNYCODE"])
def test_encodings_of_domain_names_are_refused(name: str) -> None:
    with pytest.raises(SourceError, match=f"declares an encoding that is not meant for files: {name}"):
        decode(f"# coding: {name}\nx = 1\n".encode(), "a.py")


# Documents.


class Key(str):
    """A name that counts what it is compared with."""

    compared: ClassVar[int] = 0

    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        Key.compared += 1
        return str.__eq__(self, other)


def test_a_key_that_comes_twice_is_found_without_comparing_all() -> None:
    Key.compared = 0
    names = [*(f"k{n}" for n in range(3000)), "twice", "twice"]
    with pytest.raises(ValueError, match="has the key 'twice' twice"):
        _object([(Key(name), 1) for name in names])
    assert Key.compared < 100


def test_the_end_of_a_string_is_looked_for_once() -> None:
    text = Watched("\\\\" * 5000 + "'''")
    assert _closing(text, 0, "'''") == len(text)
    assert text.read < 3 * len(text)
    assert _closing("\\'''", 0, "'''") is None
    assert _closing("\\''''", 0, "'''") == 5
    assert _closing("a\\\\'''b", 0, "'''") == 6


def test_front_matter_without_an_end_is_read_once() -> None:
    """Otherwise this would not come to its end."""
    assert list(fences("---\n" + "name: r\n" * 300_000)) == []


def document(count: int, suffix: str) -> tuple[str, Document]:
    source = WRONG + "x = 'é'\n" * count
    content = f"```python\n{source}```\n"
    if suffix == ".ipynb":
        cell = {"cell_type": "code", "source": source.splitlines(keepends=True)}
        content = json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4})
    return content, Document(content, f"a{suffix}")


def finding(line: int, column: int = 1, *, path: str = "a.py", columns: int = 2) -> Finding:
    return Finding(
        code="BMN102",
        name="class-axis-mean",
        message="what; use this",
        path=path,
        span=Span(line, column, line, column + columns),
        confidence="likely",
        factor=None,
        because=(Because(line, column, "that"),),
    )


@pytest.mark.parametrize("suffix", [".md", ".ipynb"])
def test_findings_of_a_document_are_put_in_their_places_without_reading_it_again(suffix: str) -> None:
    def mapping(count: int) -> int:
        _, opened = document(count, suffix)
        opened.mapped(finding(9))  # what is known of the document by now
        return calls(lambda: [opened.mapped(finding(line)) for line in range(9, 209)])

    assert mapping(2000) <= 1.1 * mapping(200)


# Output.


@pytest.mark.parametrize("output_format", FORMATS)
def test_a_report_cuts_a_file_into_lines_once(output_format: str) -> None:
    text = Watched("x = 'é'\n" * 400)
    render(Report([finding(line) for line in range(1, 401)], [], {"a.py": text}), output_format)
    assert text.splits <= 1


@pytest.mark.parametrize("output_format", FORMATS)
def test_a_long_line_is_not_printed_for_every_finding_in_it(output_format: str) -> None:
    line = "(é + 日) " * 50_000
    report = Report([finding(1, 8 * n + 1) for n in range(0, 50_000, 500)], [], {"a.py": f"\n{line}\n"})
    report = Report([finding(2, 8 * n + 1) for n in range(0, 50_000, 500)], [], report.texts)
    assert len(render(report, output_format)) < 300_000


def test_the_window_of_a_long_line_shows_the_place() -> None:
    line = "".join(f"{n:05} " for n in range(2000))
    for n in (0, 30, 1000, 1999):
        shown = render(Report([finding(1, 6 * n + 1, columns=5)], [], {"a.py": line}), "full").split("\n")
        code = next(text for text in shown if text.startswith("1 |"))
        marks = shown[shown.index(code) + 1]
        assert len(code) < 500
        assert code[marks.index("^") : marks.rindex("^") + 1] == f"{n:05}"


# Comments and patches.


def test_a_comment_of_many_codes_is_read_once_for_all_findings_of_its_line() -> None:
    line = f"x = 1  # noqa: {', '.join(f'A{n}' for n in range(3000))}, BMN1 why"
    noqa = Noqa(f"{line}\n")
    assert noqa.silences("BMN102", 1)
    assert calls(lambda: [noqa.silences("BMN102", 1) for _ in range(100)]) < 3000
    assert not noqa.silences("C901", 1)


def test_comments_are_added_in_a_bounded_number_of_attempts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts: list[int] = []

    def counted(text: str) -> ast.Module:
        attempts.append(len(text))
        return parse(text)

    monkeypatch.setattr(rewrite, "parse", counted)
    # flake8 reads the first such comment of a line, though it be in a string.
    deaf = WRONG.replace("logp).mean()", "logp).mean() + len('# noqa: E501')")
    functions = "\n\n".join(WRONG.partition("\n\n\n")[2].replace("loss", f"loss{n}") for n in range(40))
    (tmp_path / "a.py").write_text(f"{deaf}\n\n{functions}")
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()):
        assert main(["check", "--no-config", "--add-noqa", str(tmp_path / "a.py")]) == 1
    assert out.getvalue().count("BMN102") == 1
    assert (tmp_path / "a.py").read_text().count("# noqa: BMN102") == 40
    assert len(attempts) == 4  # once to see, and once to be sure


def test_fixes_of_one_line_are_applied_together_by_halves_if_need_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []
    apply = rewrite._applied

    def counted(
        data: bytes, findings: list[Finding], chosen: list[Finding], path: str, check: Check
    ) -> tuple[bytes, list[Finding]] | None:
        tried.append(len(chosen))
        return apply(data, findings, chosen, path, check) if len(chosen) <= 3 else None

    monkeypatch.setattr(rewrite, "_applied", counted)
    losses = "; ".join(f"z{n} = -(target * logp).mean()" for n in range(8))
    total = " + ".join(f"z{n}" for n in range(8))  # of what is not returned, means are statistics
    (tmp_path / "a.py").write_text(
        WRONG.replace("return -(target * logp).mean()", f"{losses}; return {total}")
    )
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        assert main(["check", "--no-config", "--fix", "--unsafe-fixes", str(tmp_path / "a.py")]) == 0
    assert (tmp_path / "a.py").read_text().count(".sum(axis=-1).mean()") == 8
    assert tried == [8, 4, 2, 6, 3, 3]


def test_fixes_that_touch_are_not_applied_together() -> None:
    def fixed(first: int, last: int, *edits: tuple[int, int], line: int = 1) -> Finding:
        made = finding(line, first, columns=last - first)
        spans = [Span(line, start, line, end) for start, end in edits]
        return replace(made, fix=Fix(tuple(Edit(span, "") for span in spans), safe=True))

    outer, inner, beside = fixed(1, 20, (18, 20)), fixed(3, 9, (4, 5)), fixed(22, 30, (22, 23), (29, 30))
    between, below = fixed(25, 27, (25, 27)), fixed(1, 9, (2, 3), line=2)
    found = [outer, inner, beside, between, below]
    assert apart(found) == [outer, beside, below]
    assert apart(found, by_line=True) == [outer, below]
    assert apart([inner, outer]) == [inner]


class Line(str):
    """A line that counts what it is compared with."""

    compared: ClassVar[int] = 0

    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        Line.compared += 1
        return str.__eq__(self, other)


def changed(count: int) -> tuple[list[Line], list[Line]]:
    before = [Line(f"x = {n % 100}\n") for n in range(count)]
    after = [Line("new\n") if n % 200 == 0 else Line(f"x = {n % 100}\n") for n in range(count)]
    return before, after


def test_a_patch_compares_a_line_with_few_others() -> None:
    def comparing(count: int) -> int:
        before, after = changed(count)
        Line.compared = 0
        assert len(list(differences(before, after))) == count / 200
        return Line.compared

    assert comparing(4000) <= 2.1 * comparing(2000) <= 2.1 * 3 * 2000


lines = st.lists(st.sampled_from(["a\n", "b\n", "c\n", "d\n"]), max_size=12)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(before=lines, after=lines)
def test_differences_lead_from_one_text_to_the_other(before: list[str], after: list[str]) -> None:
    made: list[str] = []
    at = 0
    for start, end, new_start, new_end in differences(before, after):
        assert at <= start <= end
        made += before[at:start]
        assert len(made) == new_start
        made += after[new_start:new_end]
        at = end
    assert [*made, *before[at:]] == after


@settings(max_examples=100, deadline=None, derandomize=True)
@given(before=lines, after=lines)
def test_a_patch_says_what_its_hunks_hold(before: list[str], after: list[str]) -> None:
    texts = [f"# a\n{''.join(some)}".encode() for some in (before, after)]
    patch = diff(Change("a.py", *texts))
    assert bool(patch) == (before != after)
    old, new = (text.decode().splitlines(keepends=True) for text in texts)
    assert list(applied(patch, old)) == new


def applied(patch: str, before: list[str]) -> Iterator[str]:
    """The lines of a patched text."""
    at = 0
    for hunk in re.split(r"^(?=@@)", patch, flags=re.MULTILINE)[1:]:
        head, *body = hunk.splitlines(keepends=True)
        numbers = re.fullmatch(r"@@ -(\d+)(?:,(\d+))? \+\d+(?:,\d+)? @@\n", head)
        assert numbers is not None
        old = 1 if numbers[2] is None else int(numbers[2])
        start = int(numbers[1]) - (1 if old else 0)
        yield from before[at:start]
        taken = [line[1:] for line in body if line[0] in " -"]
        assert taken == before[start : start + old]
        yield from (line[1:] for line in body if line[0] in " +")
        at = start + old
    yield from before[at:]
