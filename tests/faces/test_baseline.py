"""`--write-baseline` and `--baseline`: what was there is reported no more, and what is new always is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest

from tests.faces import notebooks
from tests.faces.support import ASCII, RIGHT, TWO_KINDS, WRONG, Run, Write, in_ascii, lines_of

BASELINE = "known.json"
HEAD = "import numpy as np\nfrom scipy.special import log_softmax\n\n\n"


def loss(name: str, *, divided: bool = False) -> str:
    """A function with a finding."""
    result = "-np.sum(target * logp) / logp.size" if divided else "-(target * logp).mean()"
    return dedent(
        f"""\
        def {name}(logits, labels):
            target = np.eye(10)[labels]
            logp = log_softmax(logits, axis=-1)
            return {result}


        """
    )


def found(done: subprocess.CompletedProcess[str]) -> list[tuple[str, int, str]]:
    """What is reported, and the exit code that goes with it."""
    lines = [(line.path, line.line, line.code) for line in lines_of(done.stdout)]
    assert done.returncode == (1 if lines else 0), done.stderr
    return lines


def written(folder: Path) -> dict[str, Any]:
    """The baseline."""
    document: dict[str, Any] = json.loads((folder / BASELINE).read_text(encoding="utf-8"))
    return document


@pytest.fixture
def known(batchmean: Run, write: Write) -> None:
    """Three findings in two files, all in the baseline."""
    write({"a.py": TWO_KINDS, "pkg/b.py": HEAD + loss("f")})
    assert batchmean("check", "--write-baseline", BASELINE).returncode == 0


def test_it_is_written_to_be_read(batchmean: Run, write: Write, tmp_path: Path) -> None:
    write({"b.py": TWO_KINDS, "a/é.py": HEAD + "class C:\n" + indent(loss("f") + loss("g") * 2, "    ")})
    done = batchmean("check", "--write-baseline", BASELINE)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"note: wrote 5 findings to {BASELINE}\n")
    document = written(tmp_path)
    assert (document["tool"], document["version"]) == ("batchmean", 1)
    assert [(*list(entry.values())[:5], entry["count"]) for entry in document["findings"]] == [
        ("a/é.py", "BMN102", "C.f", "(target * logp).mean()", "proved", 1),
        ("a/é.py", "BMN102", "C.g", "(target * logp).mean()", "proved", 2),
        ("b.py", "BMN101", "whole", "-np.sum(target * logp) / logp.size", "proved", 1),
        ("b.py", "BMN102", "loss", "(target * logp).mean()", "proved", 1),
    ]
    text = (tmp_path / BASELINE).read_text(encoding="utf-8")
    assert "é" in text
    assert text.endswith("}\n")
    assert "too small" not in text  # messages change
    again = batchmean("check", "--write-baseline", BASELINE, "--jobs", "2", PYTHONHASHSEED="7")
    assert again.returncode == 0
    assert (tmp_path / BASELINE).read_text(encoding="utf-8") == text
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".batchmean")] == []
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / BASELINE).stat().st_mode & 0o777 == 0o666 & ~umask


@pytest.mark.usefixtures("known")
def test_what_was_there_is_reported_no_more(batchmean: Run) -> None:
    assert len(found(batchmean("check"))) == 3
    done = batchmean("check", "--baseline", BASELINE)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.usefixtures("known")
def test_lines_move_and_formatters_run(batchmean: Run, write: Write) -> None:
    whole = TWO_KINDS[TWO_KINDS.index("def whole") :].replace(
        "target * logp", "\n        target  *  logp\n    "
    )
    before = TWO_KINDS[: TWO_KINDS.index("def loss")]
    moved = f'"""Words."""\n\n{before}\n{whole}\n\n# more\n{TWO_KINDS[len(before) : len(WRONG)]}'
    write({"a.py": moved.replace("logp).mean()", "logp).mean()  # see the paper").replace("\n", "\r\n")})
    done = batchmean("check", "--baseline", BASELINE)
    assert (found(done), done.stderr) == ([], "")
    assert len(found(batchmean("check", "a.py"))) == 2


@pytest.mark.usefixtures("known")
def test_files_are_renamed(batchmean: Run, tmp_path: Path) -> None:
    (tmp_path / "a.py").rename(tmp_path / "pkg" / "losses.py")
    (tmp_path / "pkg").rename(tmp_path / "lib")
    done = batchmean("check", "--baseline", BASELINE)
    assert (found(done), done.stderr) == ([], "")
    done = batchmean("check", "--baseline", BASELINE, "lib/losses.py")
    assert (found(done), done.stderr) == ([], "")


@pytest.mark.usefixtures("known")
def test_a_copy_is_new(batchmean: Run, write: Write) -> None:
    write({"copy.py": TWO_KINDS})
    assert found(batchmean("check", "--baseline", BASELINE)) == [
        ("copy.py", 8, "BMN102"),
        ("copy.py", 14, "BMN101"),
    ]


@pytest.mark.parametrize("where", ["in the function", "in another function", "in another file"])
def test_a_finding_that_takes_the_place_of_another_is_new(
    batchmean: Run, write: Write, tmp_path: Path, where: str
) -> None:
    right = loss("f").replace(".mean()", ".sum(axis=-1).mean()")
    write({"a.py": HEAD + loss("f") + right.replace("def f", "def g"), "b.py": HEAD + right})
    batchmean("check", "--write-baseline", BASELINE)
    if where == "in the function":
        write({"a.py": HEAD + loss("f", divided=True)})
        expected = ("a.py", 8, "BMN101")
    elif where == "in another function":
        write({"a.py": HEAD + right + loss("g")})
        expected = ("a.py", 14, "BMN102")
    else:
        write({"a.py": HEAD + right, "b.py": HEAD + loss("f")})
        expected = ("b.py", 8, "BMN102")
    done = batchmean("check", "--baseline", BASELINE)
    assert found(done) == [expected]
    assert done.stderr == (f"note: {BASELINE}: is found no more: a.py: BMN102 in f: (target * logp).mean()\n")


def test_equal_findings_are_counted(batchmean: Run, write: Write) -> None:
    once = loss("f").rstrip()
    more = once.replace("return ", "first = -(target * logp).mean()\n    return first ")
    write({"a.py": HEAD + once + "\n"})
    batchmean("check", "--write-baseline", BASELINE)
    write({"a.py": HEAD + more + "\n"})
    assert [line for _, line, _ in found(batchmean("check", "--baseline", BASELINE))] == [9]
    batchmean("check", "--write-baseline", BASELINE)
    assert found(batchmean("check", "--baseline", BASELINE)) == []
    write({"a.py": HEAD + once + "\n"})
    done = batchmean("check", "--baseline", BASELINE)
    assert found(done) == []
    assert done.stderr.endswith("a.py: BMN102 in f: (target * logp).mean()\n")


@pytest.mark.heavy  # it starts many processes, or takes seconds
@pytest.mark.usefixtures("known")
def test_stale_entries_are_named_where_the_run_can_tell(batchmean: Run, write: Write, tmp_path: Path) -> None:
    write({"a.py": RIGHT})
    (tmp_path / "pkg" / "b.py").unlink()
    note = f"note: {BASELINE}: is found no more: "
    one = f"{note}a.py: BMN101 in whole: -np.sum(target * logp) / logp.size\n"
    two = f"{note}a.py: BMN102 in loss: (target * logp).mean()\n"
    three = f"{note}pkg/b.py: BMN102 in f: (target * logp).mean()\n"
    for arguments, stderr in {
        (): one + two + three,
        ("a.py",): one + two,
        ("--select", "BMN102"): two + three,
        ("--select", "BMN103"): "",
        ("--exclude", "a.py"): f"warning: no Python files to check under .\n{three}",
        ("--quiet",): "",
    }.items():
        done = batchmean("check", "--baseline", BASELINE, *arguments)
        assert (done.returncode, done.stdout) == (0, "")
        assert done.stderr == stderr, arguments
    done = batchmean("check", "--baseline", BASELINE, "pkg")
    assert done.stderr == f"warning: no Python files to check under pkg\n{three}"
    write({"a.py": "def f(:\n"})
    done = batchmean("check", "--baseline", BASELINE, "a.py")
    assert (done.returncode, done.stderr) == (1, "error: a.py: syntax error on line 1: invalid syntax\n")
    assert batchmean("check", "--write-baseline", BASELINE).returncode == 1
    assert written(tmp_path)["findings"] == []


def test_many_stale_entries_are_counted(batchmean: Run, write: Write) -> None:
    write({"a.py": HEAD + "".join(loss(f"f{n:02}") for n in range(25))})
    batchmean("check", "--write-baseline", BASELINE)
    write({"a.py": HEAD})
    lines = batchmean("check", "--baseline", BASELINE).stderr.splitlines()
    assert len(lines) == 21
    assert lines[-1] == "note: and 5 more that are found no more; --write-baseline forgets them"


@pytest.mark.heavy  # it starts many processes, or takes seconds
@pytest.mark.usefixtures("known")
def test_other_options_see_what_is_new(batchmean: Run, write: Write, tmp_path: Path) -> None:
    write({"a.py": TWO_KINDS + "\n\n" + loss("new")})
    options = ("check", "--baseline", BASELINE)
    report = json.loads(batchmean(*options, "--output-format", "json").stdout)
    assert [finding["line"] for finding in report["findings"]] == [20]
    assert batchmean(*options, "--statistics").stdout == "1\tBMN102\tclass-axis-mean\n"
    done = batchmean(*options, "--exit-zero")
    assert (done.returncode, len(lines_of(done.stdout))) == (0, 1)
    assert len(json.loads(batchmean(*options, "--output-format", "sarif").stdout)["runs"][0]["results"]) == 1
    patch = batchmean(*options, "--diff").stdout
    assert [line for line in patch.splitlines() if line[0] in "+-"] == [
        "--- a.py",
        "+++ a.py",
        "-    return -(target * logp).mean()",
        "+    return -(target * logp).sum(axis=-1).mean()",
    ]
    done = batchmean(*options, "--fix")
    assert (done.returncode, done.stdout) == (0, "")
    assert "fixed 1 finding:" in done.stderr
    text = (tmp_path / "a.py").read_text(encoding="utf-8")
    assert text == TWO_KINDS + "\n\n" + loss("new").replace(".mean()", ".sum(axis=-1).mean()")
    assert found(batchmean(*options)) == []


def test_a_fix_beside_what_the_baseline_covers(batchmean: Run, write: Write, tmp_path: Path) -> None:
    old = loss("f").rstrip() + "\n"
    new = old.replace("return ", "first = -np.sum(target * logp) / logp.size\n    return first ")
    write({"a.py": HEAD + old})
    batchmean("check", "--write-baseline", BASELINE)
    write({"a.py": HEAD + new})
    assert found(batchmean("check", "--baseline", BASELINE)) == [("a.py", 8, "BMN101")]
    assert batchmean("check", "--baseline", BASELINE, "--fix", "--unsafe-fixes").returncode == 0
    lines = (tmp_path / "a.py").read_text(encoding="utf-8").splitlines()
    assert lines[7].startswith("    first = ")
    assert lines[7] != new.splitlines()[3]
    assert lines[8] == "    return first -(target * logp).mean()"


@pytest.mark.usefixtures("known")
def test_comments_are_added_where_something_is_new(batchmean: Run, write: Write, tmp_path: Path) -> None:
    write({"a.py": TWO_KINDS + "\n\n" + loss("new")})
    assert batchmean("check", "--baseline", BASELINE, "--add-noqa").returncode == 0
    assert (tmp_path / "a.py").read_text(encoding="utf-8").count("# noqa") == 1


def test_notebooks_and_markdown(batchmean: Run, write: Write) -> None:
    def notebook(*cells: str) -> str:
        return json.dumps(notebooks.notebook([("code", cell) for cell in cells]))

    write({"n.ipynb": notebook(HEAD, loss("f")), "m.md": f"# T\n\n```python\n{WRONG}```\n"})
    batchmean("check", "--write-baseline", BASELINE, "n.ipynb", "m.md")
    write(
        {
            "n.ipynb": notebook(HEAD, "x = 1", loss("g"), loss("f")),
            "m.md": f"# T\n\nWords\n\n```python\n{WRONG}```\n",
        }
    )
    done = batchmean("check", "--baseline", BASELINE, "n.ipynb", "m.md")
    assert done.stdout.startswith("n.ipynb:cell 3:4:")
    assert len(done.stdout.splitlines()) == 1


SETTINGS = f'[tool.batchmean]\nbaseline = "{BASELINE}"\n'


@pytest.mark.heavy  # it starts many processes, or takes seconds
@pytest.mark.usefixtures("known")
def test_settings_name_it_for_the_command_and_for_flake8(
    batchmean: Run, flake8: Run, write: Write, tmp_path: Path
) -> None:
    write({"pyproject.toml": SETTINGS})
    select = ("--isolated", "--select", "BMN")
    assert found(batchmean("check")) == []
    assert flake8(*select, ".").stdout == ""
    assert len(found(batchmean("check", "--no-baseline"))) == 3
    assert len(found(batchmean("check", "--no-config"))) == 3
    write({"pkg/b.py": HEAD + loss("f") + loss("g")})
    here = batchmean("check")
    assert found(here) == [("pkg/b.py", 14, "BMN102")]
    assert flake8(*select, ".").stdout.removeprefix("./") == here.stdout
    done = subprocess.run(
        [Path(sys.executable).parent / "batchmean", "check"],
        cwd=tmp_path / "pkg",
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.stdout == here.stdout.removeprefix("pkg/")
    shown = batchmean("check", "--show-settings", "a.py").stdout
    assert f'baseline = "{tmp_path / BASELINE}"' in shown
    assert batchmean("check", "--write-baseline", BASELINE).returncode == 0
    assert found(batchmean("check")) == []


def test_flake8_counts_what_is_silenced_as_the_command_does(
    batchmean: Run, flake8: Run, write: Write
) -> None:
    twice = loss("f").rstrip().replace("return ", "first = -(target * logp).mean()\n    return first ") + "\n"
    write(
        {
            "pyproject.toml": SETTINGS,
            "a.py": HEAD + twice.replace(".mean()\n", ".mean()  # noqa: BMN102\n", 1),
        }
    )
    batchmean("check", "--write-baseline", BASELINE)
    assert found(batchmean("check")) == []
    write({"a.py": HEAD + twice})
    assert len(found(batchmean("check"))) == 1
    assert flake8("--isolated", "--select", "BMN", ".").stdout.removeprefix("./") == batchmean("check").stdout


def test_an_empty_list_and_an_empty_file(batchmean: Run, write: Write) -> None:
    write({"a.py": RIGHT, BASELINE: ""})
    assert batchmean("check", "--write-baseline", BASELINE).returncode == 0
    write({"a.py": WRONG})
    assert len(found(batchmean("check", "--baseline", BASELINE))) == 1


ENTRY = {
    "path": "a.py",
    "code": "BMN102",
    "within": "",
    "source": "x",
    "confidence": "likely",
    "fingerprint": "0",
    "count": 1,
}
BROKEN = {
    "": "is no baseline of batchmean, and no JSON: Expecting value: line 1 column 1 (char 0)",
    "{": "is no baseline of batchmean, and no JSON: ",
    "<<<<<<< ours\n{}": "is no baseline of batchmean, and no JSON: ",
    "[" * 200_000: "is no baseline of batchmean, and no JSON: nested too deeply",
    "[]": "is no baseline of batchmean",
    '{"findings": []}': "is no baseline of batchmean",
    '{"tool": "batchmean", "findings": []}': "is no baseline of batchmean: it has no version",
    '{"tool": "batchmean", "version": true, "findings": []}': "is no baseline of batchmean: it has no version",
    '{"tool": "batchmean", "version": 2, "findings": []}': "is a baseline of a newer batchmean (version 2)",
    '{"tool": "batchmean", "version": 1}': "is no baseline of batchmean: it has no list of findings",
    **{
        json.dumps({"tool": "batchmean", "version": 1, "findings": [entry]}): f"{problem}"
        for entry, problem in [
            (3, "entry 1 is no table"),
            (ENTRY | {"path": 3}, "entry 1: path must be a string"),
            (ENTRY | {"count": 0}, "entry 1: count must be a whole number from 1 up"),
            (ENTRY | {"count": True}, "entry 1: count must be a whole number from 1 up"),
            (ENTRY | {"confidence": "sure"}, 'entry 1: confidence must be "likely" or "proved"'),
        ]
    },
}


@pytest.mark.parametrize("content", BROKEN, ids=lambda content: content[-40:])
def test_what_is_broken_is_one_line(batchmean: Run, write: Write, content: str) -> None:
    write({"a.py": WRONG, BASELINE: content})
    done = batchmean("check", "--baseline", BASELINE)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {BASELINE}: {BROKEN[content]}")
    assert len(done.stderr.splitlines()) == 1


def test_what_is_broken_is_left_as_it_is(batchmean: Run, write: Write, tmp_path: Path) -> None:
    write({"a.py": WRONG, "other.json": "{}"})
    for name in ("other.json", "a.py", "."):
        done = batchmean("check", "--write-baseline", name)
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
        assert done.stderr.startswith(f"error: {name}: ")
        assert done.stderr.endswith("; it is left as it is\n")
    assert (tmp_path / "a.py").read_text(encoding="utf-8") == WRONG
    assert (tmp_path / "other.json").read_text(encoding="utf-8") == "{}"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--baseline", "no.json"), "no.json: no such file or directory"),
        (("--baseline", "."), ".: is a directory"),
        (("--write-baseline", "no/such.json"), "no/such.json: no such file or directory"),
        (("--write-baseline", BASELINE, "--fix"), "--write-baseline cannot be combined with --fix"),
        (
            ("--write-baseline", BASELINE, "--statistics"),
            "--write-baseline cannot be combined with --statistics",
        ),
        (
            ("--write-baseline", BASELINE, "-"),
            "--write-baseline needs files and folders, not standard input (-)",
        ),
    ],
)
def test_wrong_usage_is_one_line(
    batchmean: Run, write: Write, arguments: tuple[str, ...], problem: str
) -> None:
    write({"a.py": WRONG})
    done = batchmean("check", *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"error: {problem}\n")


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("3", "must be the name of a file"),
        ('""', "must be the name of a file"),
        ('"../known.json"', "leads out of the folder that the settings are for"),
        ('"/known.json"', "leads out of the folder that the settings are for"),
    ],
)
def test_wrong_settings_are_one_line(batchmean: Run, write: Write, value: str, problem: str) -> None:
    write({"a.py": WRONG, "pyproject.toml": f"[tool.batchmean]\nbaseline = {value}\n"})
    done = batchmean("check")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith(f": [tool.batchmean] baseline {problem}\n")
    assert len(done.stderr.splitlines()) == 1


def test_broken_settings_are_nothing_to_flake8(flake8: Run, batchmean: Run, write: Write) -> None:
    write({"a.py": WRONG, "pyproject.toml": SETTINGS, BASELINE: "{"})
    assert batchmean("check").returncode == 2
    assert "BMN102" in flake8("--isolated", "--select", "BMN", ".").stdout


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")
def test_a_full_disk_leaves_what_was_there(batchmean: Run, write: Write, tmp_path: Path) -> None:
    import resource

    write({"a.py": HEAD + "".join(loss(f"f{n}") for n in range(100))})
    for before in (None, b""):
        if before is not None:
            (tmp_path / BASELINE).write_bytes(before)
        done = subprocess.run(
            [Path(sys.executable).parent / "batchmean", "check", "--write-baseline", BASELINE],
            cwd=tmp_path,
            capture_output=True,
            encoding="utf-8",
            check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
        )
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"error: {BASELINE}: ")
        assert len(done.stderr.splitlines()) == 1
        assert (tmp_path / BASELINE).exists() is (before is not None)
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@in_ascii
def test_it_is_the_same_in_every_locale(batchmean: Run, write: Write, tmp_path: Path) -> None:
    write({"é/日本.py": WRONG, "é/b.py": WRONG})
    batchmean("check", "--write-baseline", BASELINE)
    text = (tmp_path / BASELINE).read_bytes()
    batchmean("check", "--write-baseline", BASELINE, **ASCII)
    assert (tmp_path / BASELINE).read_bytes() == text
    done = batchmean("check", "--baseline", BASELINE, **ASCII)
    assert (found(done), done.stderr) == ([], "")
    write({"é/b.py": RIGHT})
    done = batchmean("check", "--baseline", BASELINE, **ASCII)
    assert "b.py: BMN102 in loss" in done.stderr
