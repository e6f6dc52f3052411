"""`[tool.batchmean]`, as the command takes it from the nearest pyproject.toml."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import jsonschema
import pytest
from batchmean.settings_schema import schema

from docs.generate import DOCS, SCHEMA, settings_schema
from tests.faces.support import TWO_KINDS, WRONG, Run, Write, lines_of, run_program

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def reported(run: Run, *arguments: str) -> list[str]:
    done = run("check", *arguments)
    assert done.stderr == ""
    return [f"{line.path} {line.code}" for line in lines_of(done.stdout)]


def test_the_nearest_table_holds(batchmean: Run, write: Write, tmp_path: Path) -> None:
    write(
        {
            "pyproject.toml": '[tool.batchmean]\nignore = ["BMN101"]\n',
            "a.py": TWO_KINDS,
            "own/pyproject.toml": '[tool.batchmean]\nselect = ["BMN101"]\n',
            "own/deep/er/b.py": TWO_KINDS,
            # A project file that is silent about batchmean leaves the word to the one above.
            "silent/pyproject.toml": '[project]\nname = "x"\n',
            "silent/c.py": TWO_KINDS,
        }
    )
    expected = ["a.py BMN102", "own/deep/er/b.py BMN101", "silent/c.py BMN102"]
    assert reported(batchmean) == expected
    assert reported(batchmean, "own/deep") == expected[1:2]
    assert reported(batchmean, "--no-config", "a.py") == ["a.py BMN102", "a.py BMN101"]
    assert reported(batchmean, "--config", "own/pyproject.toml", "a.py") == ["a.py BMN101"]
    # The command line wins.
    assert reported(batchmean, "--select", "BMN101") == [
        "a.py BMN101",
        "own/deep/er/b.py BMN101",
        "silent/c.py BMN101",
    ]
    assert reported(batchmean, "--ignore", "BMN102") == ["own/deep/er/b.py BMN101"]


def test_files_are_left_out(batchmean: Run, write: Write) -> None:
    write(
        {
            "pyproject.toml": """
[tool.batchmean]
exclude = ["generated", "src/*_pb2.py", "**/skip.py"]

[tool.batchmean.per-file-ignores]
"tests/*" = ["BMN1"]
"old.py" = ["BMN101"]
""",
            "generated/a.py": WRONG,
            "src/a_pb2.py": WRONG,
            "src/skip.py": WRONG,
            "skip.py": WRONG,
            "src/kept.py": WRONG,
            "tests/deep/a.py": WRONG,
            "src/old.py": TWO_KINDS,
        }
    )
    assert reported(batchmean) == ["src/kept.py BMN102", "src/old.py BMN102"]
    # Named files are linted, unless asked otherwise (the pre-commit hook does).
    assert reported(batchmean, "skip.py", "generated/a.py") == ["generated/a.py BMN102", "skip.py BMN102"]
    assert reported(batchmean, "--force-exclude", "skip.py", "generated/a.py") == []


def test_confidence(batchmean: Run, write: Write) -> None:
    by_names = (
        "import numpy as np\n\n\ndef loss(y_true, y_pred):\n    return -(y_true * np.log(y_pred)).mean()\n"
    )
    write(
        {"a.py": WRONG, "b.py": by_names, "pyproject.toml": '[tool.batchmean]\nmin-confidence = "proved"\n'}
    )
    assert reported(batchmean) == ["a.py BMN102"]
    assert reported(batchmean, "--min-confidence", "likely") == ["a.py BMN102", "b.py BMN102"]
    assert reported(batchmean, "--no-config", "--min-confidence", "proved") == ["a.py BMN102"]


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ('selct = ["BMN101"]', "has no setting 'selct'; did you mean select?"),
        ('select = ["BMN12"]', "select: unknown code 'BMN12'; did you mean BMN102?"),
        ('select = "BMN101"', "select must be a list of strings"),
        ('per-file-ignores = {"a.py" = ["X1"]}', "per-file-ignores: unknown code 'X1'"),
        ('min-confidence = "sure"', 'min-confidence must be "likely" or "proved"'),
        ('preview = "yes"', "preview must be true or false"),
        ('respect-gitignore = "no"', "respect-gitignore must be true or false"),
        ("respect_gitignore = true", "no setting 'respect_gitignore'; did you mean respect-gitignore?"),
        ('exclude = [""]', "exclude: the pattern '' names no file"),
        ('exclude = ["..", 1]', "exclude must be a list of strings"),
        ('per-file-ignores = ["a.py"]', "per-file-ignores must be a table of patterns and codes"),
        ('per-file-ignores = {"" = ["BMN101"]}', "per-file-ignores: the pattern '' names no file"),
        ("min-confidence = [['likely']]", 'min-confidence must be "likely" or "proved"'),
        ('"a\\u001b[31m\\nb" = 1', r"has no setting 'a\x1b[31m\nb'"),
        ("preview = " + "[" * 100_000, "nested too deeply"),
        ("[[tool.batchmean.select]]", "select must be a list of strings"),
        ("select = [", "Invalid"),
        ('exclude = ["!kept.py"]', "the pattern '!kept.py' begins with !"),
        ('exclude = ["~/code"]', "the pattern '~/code' begins with ~"),
        ("exclude = ['src\\generated']", "has a backslash; / is what parts folders"),
        ('exclude = ["src/[ab"]', "the pattern 'src/[ab' has a [ without its ]"),
        ('exclude = ["src/{a,b}"]', "the pattern 'src/{a,b}' has braces"),
        ('exclude = ["src//a"]', "has a part that no path has"),
        ('exclude = ["src/../a"]', "has a part that no path has"),
        ('extend-include = ["../docs"]', "leads out of the folder that the settings are for"),
    ],
)
def test_a_setting_that_means_nothing_stops_the_run(
    batchmean: Run, write: Write, table: str, complaint: str
) -> None:
    write({"pyproject.toml": f"[tool.batchmean]\n{table}\n", "a.py": WRONG})
    done = batchmean("check")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert "pyproject.toml: " in done.stderr
    assert complaint in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b"[[tool.batchmean]]\n", "[tool.batchmean] must be a table"),
        (b"[tool]\nbatchmean = 1\n", "[tool.batchmean] must be a table"),
        (b"# \xff batchmean\n", "'utf-8' codec can't decode byte 0xff"),
    ],
)
def test_a_file_that_is_no_project_file_stops_the_run(
    batchmean: Run, write: Write, text: bytes, complaint: str
) -> None:
    write({"pyproject.toml": text, "a.py": WRONG})
    done = batchmean("check")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert complaint in done.stderr


@pytest.mark.parametrize(
    "pattern", ["./sub/", "sub", "s[ux]b", "s[!a]b/*", "**/sub", "*/sub/*", "{{x}}", "sub, other"]
)
def test_patterns_that_can_work_are_none_of_those(batchmean: Run, write: Write, pattern: str) -> None:
    write({"top/sub/a.py": WRONG, "sub/a.py": WRONG, "{{x}}/a.py": WRONG})
    done = batchmean("check", "--exclude", pattern)
    assert done.returncode == 1  # something is left
    assert 0 < len(done.stdout.splitlines()) < 3
    assert done.stderr == ""


def test_a_pattern_of_the_command_may_lead_up(write: Write, tmp_path: Path) -> None:
    write({"src/a.py": WRONG, "src/b.py": WRONG, "here/c.py": WRONG})
    done = run_program("batchmean", "check", "--exclude", "../src/a.py", "../src", cwd=tmp_path / "here")
    assert [line.path for line in lines_of(done.stdout)] == ["../src/b.py"]


def test_a_byte_order_mark_is_no_part_of_the_settings(batchmean: Run, write: Write) -> None:
    write({"pyproject.toml": b'\xef\xbb\xbf[tool.batchmean]\nignore = ["BMN102"]\n', "a.py": WRONG})
    done = batchmean("check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_folder_that_cannot_be_read_costs_only_itself(write: Write, tmp_path: Path) -> None:
    """As somebody for whom permissions count, and in a folder that anybody may enter."""
    if not hasattr(os, "geteuid"):
        pytest.skip("no permissions of this kind")
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        for name in ("locked", "open"):
            (here / name).mkdir()
            (here / name / "a.py").write_text(WRONG, encoding="utf-8")
        here.chmod(0o755)
        (here / "locked").chmod(0)
        program = (
            "import os\nimport batchmean.gitignore, batchmean.linter, batchmean.noqa\n"
            "from batchmean.check import Check\nfrom batchmean.config import Settings\n"
            "if os.geteuid() == 0:\n    os.setuid(65534)\n"
            "report = Check(Settings(), warn=lambda message: None).files(['locked', 'open'])\n"
            "print([finding.path for finding in report.findings], report.errors)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=here, capture_output=True, text=True, check=False
        )
        (here / "locked").chmod(0o755)
    assert done.stderr == ""
    assert done.stdout == "['open/a.py'] [FileError(path='locked', message='permission denied')]\n"


def test_the_schema_of_the_settings_is_the_generated_one() -> None:
    assert (DOCS / SCHEMA).read_text(encoding="utf-8") == settings_schema()
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize(
    "table",
    [
        'select = ["BMN1", "bmn102, BMN201"]\nignore = []\nexclude = ["a"]\nextend-include = ["*.md"]\n'
        'min-confidence = "proved"\npreview = true\nrespect-gitignore = false\nfollow-imports = false\n'
        'per-file-ignores = { "tests/*" = ["BMN"] }',
        'selct = ["BMN101"]',
        'select = ["BMN12"]',
        'select = ["BMN102 X"]',
        'select = "BMN101"',
        'per-file-ignores = {"a.py" = ["X1"]}',
        'per-file-ignores = {"" = ["BMN1"]}',
        'per-file-ignores = ["a.py"]',
        'min-confidence = "sure"',
        'preview = "yes"',
        "respect-gitignore = 1",
        'exclude = [""]',
        'exclude = ["a", 1]',
    ],
)
def test_the_schema_accepts_what_the_code_accepts(batchmean: Run, write: Write, table: str) -> None:
    write({"pyproject.toml": f"[tool.batchmean]\n{table}\n", "a.py": ""})
    is_accepted = batchmean("check").returncode == 0
    assert is_accepted is table.startswith('select = ["BMN1",')
    settings = tomllib.loads(table)
    assert jsonschema.Draft202012Validator(schema()).is_valid(settings) is is_accepted


def test_a_folder_is_no_project_file(batchmean: Run, write: Write) -> None:
    write({"pyproject.toml/x": "", "a.py": WRONG})
    done = batchmean("check")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("pyproject.toml: is a directory\n")


def test_files_are_shown(batchmean: Run, write: Write) -> None:
    write(
        {
            "pyproject.toml": '[tool.batchmean]\nexclude = ["generated"]\n',
            "b.py": WRONG,
            "a/c.pyi": "",
            "a\nd.py": "(",
            "generated/e.py": "",
            "script": "",
        }
    )
    done = batchmean("check", "--show-files", ".", "script", "b.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(done.stdout.splitlines()) == sorted(["a\\nd.py", "b.py", "a/c.pyi", "script"])
    missing = batchmean("check", "--show-files", "nowhere.py", "b.py")
    assert (missing.returncode, missing.stderr) == (1, "error: nowhere.py: no such file or directory\n")


def test_settings_are_shown_as_they_hold(batchmean: Run, write: Write, tmp_path: Path) -> None:
    odd = """
[tool.batchmean]
select = ["BMN1"]
ignore = ["BMN104"]
exclude = ["gener*", "tab\\tand \\"quote\\" \\\\ é"]
min-confidence = "proved"
respect-gitignore = false

[tool.batchmean.per-file-ignores]
"tests/*" = ["BMN102"]
"""
    write({"pkg/pyproject.toml": odd, "pkg/tests/a.py": WRONG, "b.py": WRONG})
    done = batchmean("check", "--show-settings", "pkg/tests/a.py")
    assert (done.returncode, done.stderr) == (0, "")
    shown = done.stdout.splitlines()
    assert shown[0] == f"# pkg/tests/a.py: settings from {tmp_path / 'pkg' / 'pyproject.toml'}"
    assert shown[-1] == "# reported here: BMN101, BMN103"
    # What is printed says the same when it is read.
    write({"pkg/pyproject.toml": done.stdout})
    assert batchmean("check", "--show-settings", "pkg/tests/a.py").stdout == done.stdout

    several = batchmean(
        "check", "--show-settings", "--ignore", "BMN103", "--preview", "pkg", "pkg/gener", "b.py"
    )
    assert (several.returncode, several.stdout) == (2, "")  # there is no pkg/gener
    write({"pkg/gener/c.py": ""})
    blocks = batchmean("check", "--show-settings", "--ignore", "BMN103", "pkg", "pkg/gener", "b.py").stdout
    first, second, third = blocks.split("\n\n")
    assert '\nignore = ["BMN104", "BMN103"]\n' in first
    assert second.endswith("# left out of folders by gener*")
    assert third.startswith("# b.py: settings from the defaults")
    assert "BMN103" not in third.split("# reported here: ")[1]
    with_name = batchmean("check", "--show-settings", "--stdin-filename", "pkg/x.py", "-")
    assert with_name.stdout.startswith("# pkg/x.py: settings from ")
