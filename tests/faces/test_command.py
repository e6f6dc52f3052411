"""`batchmean` as a process: what it prints where, and how it exits."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from tests.faces.support import ASCII, RIGHT, TWO_KINDS, WRONG, Line, Run, Write, in_ascii, lines_of


def codes(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The codes of a concise report, in order."""
    return [line.code for line in lines_of(done.stdout)]


def test_findings_exit_1_and_clean_exits_0(batchmean: Run, write: Write) -> None:
    write({"wrong.py": WRONG, "right.py": RIGHT, "empty.py": "", "empty_folder/readme.txt": "x"})
    found = batchmean("check", "wrong.py", "right.py", "empty.py")
    assert found.returncode == 1
    assert found.stderr == ""
    column = WRONG.split("\n")[7].index("(target") + 1
    assert lines_of(found.stdout) == [Line("wrong.py", 8, column, "BMN102")]
    assert found.stdout.endswith("; use .sum(axis=-1).mean()\n")

    clean = batchmean("check", "right.py", "empty.py")
    assert (clean.returncode, clean.stdout, clean.stderr) == (0, "", "")
    zero = batchmean("check", "--exit-zero")
    assert (zero.returncode, zero.stdout) == (0, found.stdout)
    empty = batchmean("check", "empty_folder")
    assert (empty.returncode, empty.stdout) == (0, "")
    assert empty.stderr == "warning: no Python files to check under empty_folder\n"


def test_what_has_no_verdict_is_named_and_the_rest_is_linted(batchmean: Run, write: Write) -> None:
    # None of these but the last could hold a loss, and each is named all the same.
    write(
        {
            "bad/encoding.py": b"x = '\xe9'\n",
            "bad/nested.py": "(" * 10_000 + ")" * 10_000 + "\n",
            "bad/deep.py": "x = " + "-" * 100_000 + "1\n",
            "bad/nul.py": b"x = 1\0\n",
            "bad/syntax.py": "def f(:\n",
            "bad/syntax_in_a_loss.py": WRONG + "def f(:\n",
            "wrong.py": WRONG,
        }
    )
    done = batchmean("check", "nowhere.py", "bad", "wrong.py")
    assert done.returncode == 1
    assert codes(done) == ["BMN102"]
    errors = dict(line.removeprefix("error: ").split(": ", 1) for line in done.stderr.splitlines())
    assert list(errors) == [
        "bad/deep.py",
        "bad/encoding.py",
        "bad/nested.py",
        "bad/nul.py",
        "bad/syntax.py",
        "bad/syntax_in_a_loss.py",
        "nowhere.py",
    ]
    assert errors["nowhere.py"] == "no such file or directory"
    assert errors["bad/encoding.py"] == "is not valid utf-8: byte 0xe9 on line 1"
    assert errors["bad/syntax.py"].startswith("syntax error on line 1: ")
    assert errors["bad/syntax_in_a_loss.py"].startswith("syntax error on line 9: ")

    listed = json.loads(batchmean("check", "nowhere.py", "bad", "--output-format", "json").stdout)
    assert {error["path"]: error["message"] for error in listed["errors"]} == errors
    alone = batchmean("check", "nowhere.py", "--exit-zero")
    assert (alone.returncode, alone.stdout) == (1, "")


def test_json_keeps_the_contract(batchmean: Run, write: Write) -> None:
    write({"a.py": TWO_KINDS, "b.py": RIGHT})
    schema = json.loads((Path(__file__).parent / "findings.schema.json").read_text(encoding="utf-8"))
    done = batchmean("check", "--output-format", "json", "nowhere.py", ".")
    report = json.loads(done.stdout)
    jsonschema.validate(report, schema)
    assert done.returncode == 1
    first, second = report["findings"]
    assert (first["code"], first["name"], first["path"], first["line"]) == (
        "BMN102",
        "class-axis-mean",
        "a.py",
        8,
    )
    assert (second["code"], second["line"], second["factor"]) == ("BMN101", 14, {"V": -1})
    line = TWO_KINDS.split("\n")[7]
    assert line[first["column"] - 1 : first["end_column"] - 1] == "(target * logp).mean()"
    assert report["errors"] == [{"path": "nowhere.py", "message": "no such file or directory"}]


@pytest.mark.parametrize(("encoding", "wider"), [("utf-8", 2), ("ascii", 0)])
def test_full_shows_the_place_and_what_it_rests_on(
    batchmean: Run, write: Write, encoding: str, wider: int
) -> None:
    """Each of the two wide characters takes two columns of the terminal, or is spelled out."""
    write({"a.py": WRONG.replace("    return -", '\treturn "日本", -').replace("    ", "\t")})
    done = batchmean("check", "--output-format", "full", "a.py", PYTHONIOENCODING=encoding)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    concise = batchmean("check", "a.py").stdout.strip()
    place, code, message = concise.split(": ", 2)[0], *concise.split(": ", 1)[1].split(" ", 1)
    assert f"{lines[0]}; {lines[-4].split('= help: ')[1]}" == f"{code} [*] {message}"
    assert lines[1] == f" --> {place}"
    code_line = next(line for line in lines if line.startswith("8 |"))
    marks = lines[lines.index(code_line) + 1]
    start = marks.index("^") - wider
    assert code_line[start:].startswith("(target * logp).mean()")
    assert marks.count("^") == len("(target * logp).mean()")
    because = [line for line in lines if "= because: line " in line]
    assert any("line 7: " in line for line in because)
    assert lines[-2:] == ["Found 1 finding in 1 file.", "[*] 1 fixable with --fix"]


def test_statistics_count_by_code(batchmean: Run, write: Write) -> None:
    write({"a.py": TWO_KINDS, "b.py": WRONG})
    done = batchmean("check", "--statistics", ".")
    assert done.returncode == 1
    assert done.stdout == "2\tBMN102\tclass-axis-mean\n1\tBMN101\twhole-shape-division\n"
    as_json = batchmean("check", "--statistics", "--output-format", "json", ".")
    assert json.loads(as_json.stdout) == [
        {"code": "BMN102", "name": "class-axis-mean", "count": 2},
        {"code": "BMN101", "name": "whole-shape-division", "count": 1},
    ]
    clean = batchmean("check", "--statistics", "--output-format", "json", "--ignore", "BMN1")
    assert (clean.returncode, json.loads(clean.stdout)) == (0, [])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], ["BMN102", "BMN101"]),
        (["--select", "BMN102"], ["BMN102"]),
        (["--select=BMN101,BMN102"], ["BMN102", "BMN101"]),
        (["--select", "BMN1", "--ignore", "BMN102"], ["BMN101"]),
        (["--select", "BMN102", "--ignore", "BMN1"], ["BMN102"]),
        (["--ignore", "bmn101"], ["BMN102"]),
        (["--ignore", "BMN"], []),
        (["--exclude", "a.py", "."], []),
        (["--exclude", "sub,a.*", "."], []),
        (["--exclude", "a.py", "a.py"], ["BMN102", "BMN101"]),
        (["--exclude", "a.py", "--force-exclude", "a.py"], []),
    ],
    ids=" ".join,
)
def test_selection(batchmean: Run, write: Write, options: list[str], expected: list[str]) -> None:
    write({"a.py": TWO_KINDS})
    done = batchmean("check", *options)
    assert codes(done) == expected
    assert done.returncode == (1 if expected else 0)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["check", "--select", "BMN12"], "error: --select: unknown code 'BMN12'; did you mean BMN102?"),
        (
            ["check", "--ignore", "class-axis-mean"],
            "error: --ignore: unknown code 'CLASS-AXIS-MEAN'; did you mean BMN102?",
        ),
        (["check", "--select", ""], "error: --select names no code"),
        (["check", "--no-such-option"], "unrecognized arguments: --no-such-option"),
        (["check", "--statistcs"], "unrecognized arguments: --statistcs; did you mean --statistics?"),
        (["check", "--statistcs"], "usage: batchmean check [-h]"),
        (["rules", "--jsn"], "usage: batchmean rules [-h]"),
        (
            ["check", "--diff", "--output-format", "sarif"],
            "error: --diff has no sarif form, only text and json",
        ),
        (["check", "--exclude", "src/{a,b}"], "error: --exclude: the pattern 'src/{a,b}' has braces"),
        (
            ["check", "--output-file", "nowhere/report.txt"],
            "error: nowhere/report.txt: no such file or directory",
        ),
        (["check", "--jobs", "0"], "argument --jobs: not a whole number"),
        (["check", "-", "a.py"], "error: standard input (-) cannot be combined with other paths"),
        (["check", "--config", "nowhere.toml"], "error: nowhere.toml: no such file or directory"),
        (
            ["check", "--statistics", "--output-format", "sarif"],
            "error: --statistics has no sarif form, only text and json",
        ),
        (["explain", "class-axis-meen"], "error: no rule 'class-axis-meen'; did you mean BMN102?"),
        (["chekc"], "invalid choice: 'chekc'"),
        ([], "usage: batchmean"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_exits_2(batchmean: Run, arguments: list[str], complaint: str) -> None:
    done = batchmean(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert complaint in done.stderr


def test_standard_input(batchmean: Run, write: Write) -> None:
    write({"pkg/pyproject.toml": '[tool.batchmean]\nignore = ["BMN101"]\n'})
    nameless = batchmean("check", "-", stdin=TWO_KINDS.replace("\n", "\r\n"))
    assert nameless.stdout.startswith("<stdin>:8:")
    assert codes(nameless) == ["BMN102", "BMN101"]
    named = batchmean("check", "--stdin-filename", "pkg/a.py", "-", stdin=TWO_KINDS)
    assert named.stdout.startswith("pkg/a.py:8:")
    assert codes(named) == ["BMN102"]
    broken = batchmean("check", "-", stdin=b"x = '\xff'\n")
    assert (broken.returncode, broken.stderr[:15]) == (1, "error: <stdin>:")


def test_folders_are_walked_as_promised(batchmean: Run, write: Write, tmp_path: Path) -> None:
    write(
        {
            "pkg/b.py": WRONG,
            "pkg/a.pyi": WRONG,
            "pkg/script": WRONG,
            "pkg/.hidden/x.py": WRONG,
            "pkg/node_modules/x.py": WRONG,
            "pkg/__pycache__/x.py": WRONG,
            "pkg/env/pyvenv.cfg": "",
            "pkg/env/lib/x.py": WRONG,
            "pkg/venv_linux/lib/site-packages/x.py": WRONG,
        }
    )
    (tmp_path / "pkg" / "loop").symlink_to(tmp_path / "pkg", target_is_directory=True)
    (tmp_path / "pkg" / "gone.py").symlink_to(tmp_path / "nowhere.py")
    os.mkfifo(tmp_path / "pkg" / "pipe.py")

    def paths(*arguments: str) -> list[str]:
        return [line.path for line in lines_of(batchmean("check", *arguments).stdout)]

    assert paths() == paths(".") == ["pkg/a.pyi", "pkg/b.py"]
    assert paths("pkg", "./pkg/b.py", "pkg") == ["pkg/a.pyi", "pkg/b.py"]
    assert paths("pkg/script", "pkg/.hidden") == ["pkg/.hidden/x.py", "pkg/script"]
    assert paths(str(tmp_path / "pkg"))[0] == str(tmp_path / "pkg" / "a.pyi")
    assert "error: pkg/gone.py: no such file or directory" in batchmean("check").stderr


def test_nothing_a_file_holds_reaches_the_terminal_raw(batchmean: Run, write: Write) -> None:
    name = "a\x1b[31m\n\u202e.py"
    write({name: WRONG.replace("target *", "target * '\u202e'.__len__() *")})
    for output_format in ("concise", "full"):
        done = batchmean("check", "--output-format", output_format, name)
        assert r"a\x1b[31m\n\u202e.py:8:" in done.stdout
        assert not {"\x1b", "\u202e"} & set(done.stdout)
    assert r"\u202e" in batchmean("check", "\u202enowhere").stderr
    report = json.loads(batchmean("check", "--output-format", "json", name).stdout)
    assert report["findings"][0]["path"] == name


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({"PYTHONIOENCODING": "ascii"}, id="stream"),
        pytest.param(ASCII, id="locale", marks=in_ascii),
    ],
)
def test_a_terminal_without_the_characters_still_gets_a_line(
    batchmean: Run, write: Write, environment: dict[str, str]
) -> None:
    write({"é.py": WRONG})
    done = batchmean("check", "é.py", "ü.py", **environment)
    assert done.returncode == 1
    assert done.stdout.startswith("\\xe9.py:8:")
    assert done.stderr == "error: \\xfc.py: no such file or directory\n"


@pytest.mark.heavy  # it starts many processes, or takes seconds
@in_ascii
def test_names_and_patterns_are_the_same_in_every_locale(batchmean: Run, write: Write) -> None:
    settings = '[tool.batchmean]\nexclude = ["é"]\nper-file-ignores = { "*/ü.py" = ["BMN102"] }\n'
    write({"é/a.py": WRONG, "b/ü.py": WRONG, "b/日本.py": WRONG})
    for options in (["--exclude", "é,*/ü.py"], []):
        command = ("check", "--output-format", "json", *options)
        here, there = (batchmean(*command, **environment) for environment in ({"PYTHONUTF8": "1"}, ASCII))
        assert here.stdout == there.stdout
        assert [finding["path"] for finding in json.loads(here.stdout)["findings"]] == ["b/日本.py"]
        write({"pyproject.toml": settings})


@pytest.mark.heavy  # it starts many processes, or takes seconds
@in_ascii
def test_what_another_program_reads_is_utf_8_in_every_locale(batchmean: Run, write: Write) -> None:
    write({"é.py": WRONG.replace("    return", "    # 日本\n    return")})
    for options in (["--diff"], ["--output-format", "github"]):
        here, there = (batchmean("check", *options, **one) for one in ({"PYTHONUTF8": "1"}, ASCII))
        assert (here.returncode, here.stdout) == (there.returncode, there.stdout)
        assert "é.py" in here.stdout
    settings = batchmean("check", "--show-settings", "--exclude", "日本", "é.py", **ASCII).stdout
    assert 'exclude = ["\\U000065e5\\U0000672c"]' in settings  # as TOML spells it


def test_warnings_about_the_users_code_are_not_ours(batchmean: Run, write: Write) -> None:
    write({"a.py": WRONG + "\nx = '\\d'\ny = 1 is 1\n", "b.py": "x = '\\d'\n"})
    done = batchmean("check", PYTHONWARNINGS="error")
    assert (codes(done), done.stderr) == (["BMN102"], "")


def test_a_reader_that_leaves_is_no_error(write: Write, tmp_path: Path) -> None:
    write({f"{n:03}.py": WRONG for n in range(3)})
    with subprocess.Popen(
        [sys.executable, "-m", "batchmean", "check"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_an_interrupt_is_quiet(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "batchmean", "check", "-"],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a job may ignore it
    ) as process:
        assert process.stdin is not None
        process.stdin.write(b"#" * 1_000_000)  # more than a pipe holds: by now it waits for its input
        process.send_signal(signal.SIGINT)
        assert process.communicate() == (b"", b"")
    assert process.returncode == 130


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes_change_nothing_but_the_time(
    batchmean: Run, write: Write, tmp_path: Path, method: str
) -> None:
    padding = "".join(f"# {n} {'log' * 30}\n" for n in range(1500))  # enough text to make processes worth it
    write({f"pkg/{name}.py": text + padding for name in "abc" for text in [TWO_KINDS]})
    write({"pkg/broken.py": WRONG + "def f(:\n"})
    main = f"""
import multiprocessing, sys
from batchmean.cli import main
if __name__ == "__main__":
    multiprocessing.set_start_method("{method}")
    sys.exit(main())
"""
    write({"run.py": main})
    one = batchmean("check", "--jobs", "1", "pkg")
    two = subprocess.run(
        [sys.executable, "run.py", "check", "--jobs", "2", "pkg"],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert len(one.stdout.splitlines()) == 6
    assert (two.returncode, two.stdout, two.stderr) == (one.returncode, one.stdout, one.stderr)


NOQA = {
    "# noqa": [],
    "# NOQA": [],
    "# noqa: BMN102": [],
    "# noqa:BMN102": [],
    "# noqa: BMN101,BMN102": [],
    "# noqa: E501 BMN102": [],
    "# noqa: BMN1": [],
    "# noqa: BMN102 the support is summed by the caller": [],
    "# why not  # noqa: BMN102": [],
    "# noqa: E501": ["BMN102"],
    "# noqa: BMN101": ["BMN102"],
    "# noqa : BMN101": [],
    "#noqa": ["BMN102"],
    "# nope": ["BMN102"],
}


def test_noqa_is_what_it_is_in_flake8(batchmean: Run, flake8: Run, write: Write) -> None:
    files: dict[str, str | bytes] = {
        f"{n:02}.py": WRONG.rstrip("\n") + f"  {comment}\n" for n, comment in enumerate(NOQA)
    }
    joined = '"""\ntext\n"""'
    files |= {
        "backslash.py": WRONG.replace("return", "return \\\n").rstrip() + "  # noqa: BMN102\n",
        "before.py": WRONG.replace("return", "return \\\n  ")
        .replace("return \\", "return (  # noqa: BMN102")
        .rstrip()
        + ")\n",
        "string.py": WRONG.rstrip() + f" + len({joined})  # noqa: BMN102\n",
        "file.py": "# flake8: noqa\n" + WRONG,
        "not_file.py": "x = 1  # flake8: noqa\n" + WRONG,
    }
    write(files)
    ours = batchmean("check")
    theirs = flake8("--isolated", "--select", "BMN", ".")
    assert ours.stdout == theirs.stdout.replace("./", "")
    unused = [line.path for line in lines_of(ours.stdout) if line.code == "BMN901"]
    assert unused == ["04.py", "10.py", "before.py"]
    reported = [line.path for line in lines_of(ours.stdout) if line.code != "BMN901"]
    expected = [f"{n:02}.py" for n, comment in enumerate(NOQA) if NOQA[comment]]
    assert [name for name in reported if name[0].isdigit()] == expected
    assert [name for name in reported if not name[0].isdigit()] == ["before.py", "not_file.py"]


@pytest.mark.parametrize("command", [(), ("check",)], ids=["batchmean", "check"])
def test_the_examples_in_the_help_run(
    batchmean: Run, write: Write, tmp_path: Path, command: tuple[str, ...]
) -> None:
    done = batchmean(*command, "--help", COLUMNS="100")
    assert (done.returncode, done.stderr) == (0, "")
    examples = re.findall(r"^  (batchmean .+?)(?:   .*)?$", done.stdout.split("examples:\n")[1], re.MULTILINE)
    assert len(examples) >= 5
    write({"losses.py": WRONG, "src/model.py": TWO_KINDS})
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for example in examples:
        ran = subprocess.run(
            example,
            shell=True,
            cwd=tmp_path,
            env={**os.environ, "PATH": programs},
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=120,
        )
        is_silent = any(
            word in example for word in ("explain", "--help", "--show", "--fix", "--add-noqa", "baseline")
        )
        assert ran.returncode == (0 if is_silent else 1), example + ran.stderr
        assert "error" not in ran.stderr
    assert command == () or "BMN102" in (tmp_path / "batchmean.sarif").read_text(encoding="utf-8")


def test_explain_and_rules(batchmean: Run) -> None:
    listed = batchmean("rules")
    assert listed.returncode == 0
    names = dict(line.split()[:2] for line in listed.stdout.splitlines())
    assert names["BMN102"] == "class-axis-mean"
    assert list(names) == sorted(names)
    by_code, by_name = batchmean("explain", "bmn102"), batchmean("explain", "class-axis-mean")
    assert by_code.returncode == 0
    assert by_code.stdout == by_name.stdout
    assert by_code.stdout.startswith("# BMN102 class-axis-mean\n")


def test_a_clean_run_costs_next_to_nothing_to_start(batchmean: Run, write: Write) -> None:
    write({"a.py": "import os\n\n\ndef f():\n    return os.sep\n"})
    done = batchmean("check", PYTHONPROFILEIMPORTTIME="1")
    imported = {line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "batchmean.gate" in imported
    heavy = {
        "libcst",
        "ast",
        "dataclasses",
        "json",
        "tomllib",
        "tokenize",
        "concurrent.futures",
        "batchmean.linter",
    }
    assert not heavy & imported
    assert done.returncode == 0


def test_the_demo_says_what_it_lacks(batchmean: Run, write: Write) -> None:
    write({"lacking/numpy.py": "raise ModuleNotFoundError(\"No module named 'numpy'\", name='numpy')\n"})
    done = batchmean("demo", PYTHONPATH="lacking")
    assert (done.returncode, done.stdout) == (2, "")
    assert "the demo needs numpy" in done.stderr
    assert "pip install '.[reference]' in a checkout of batchmean" in done.stderr
    assert len(done.stderr.splitlines()) == 1
