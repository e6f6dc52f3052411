"""BMN901: comments that silence nothing are reported, and taken out without another byte."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from batchmean import check_source

from tests.faces import notebooks
from tests.faces.support import RIGHT, TWO_KINDS, WRONG, Run, Write, lines_of

BMN901 = "BMN901"


def codes(text: str, path: str = "a.py") -> list[str]:
    result = check_source(text, path, select=["BMN", BMN901])
    assert result.errors == []
    return [finding.code for finding in result.findings]


def fixed(batchmean: Run, write: Write, folder: Path, content: bytes) -> bytes:
    """The file after `--fix`, which leaves nothing to report."""
    write({"a.py": content})
    done = batchmean("check", "--fix", "a.py")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    return (folder / "a.py").read_bytes()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = 1  # noqa: BMN102", "x = 1"),
        ("x = 1  # noqa: BMN102  ", "x = 1"),
        ("x = 1 \t # NOQA:BMN102,BMN101", "x = 1"),
        ("x = 1  # noqa: BMN1", "x = 1"),
        ("x = 1  # noqa: BMN999", "x = 1"),
        ("x = 1  # noqa: E501, BMN102", "x = 1  # noqa: E501"),
        ("x = 1  # noqa: BMN102, E501", "x = 1  # noqa: E501"),
        ("x = 1  # noqa: BMN102,E501,BMN101,W291", "x = 1  # noqa: E501,W291"),
        ("x = 1  # noqa: E501 BMN102 W291 the URL", "x = 1  # noqa: E501 W291 the URL"),
        ("x = 1  # noqa: BMN102 E501, the URL", "x = 1  # noqa: E501, the URL"),
        ("x = 1  # noqa: BMN102 the paper has it so", "x = 1  # the paper has it so"),
        ("x = 1  # noqa: BMN102 - see the paper", "x = 1  # - see the paper"),
        ("x = 1  # why  # noqa: BMN102", "x = 1  # why"),
        ("x = 1  # noqa: BMN102  # type: ignore", "x = 1  # type: ignore"),
        ("x = 1  # type: ignore  # noqa: BMN102", "x = 1  # type: ignore"),
        ('x = """\n# x\n"""  # noqa: BMN102', 'x = """\n# x\n"""'),
        ("x = 1 + \\\n    1  # noqa: BMN102, E501", "x = 1 + \\\n    1  # noqa: E501"),
        ("x = (1 +  # noqa: BMN102\n     1)", "x = (1 +\n     1)"),
        ("é = '日本'  # noqa: BMN102, E501", "é = '日本'  # noqa: E501"),
        ("x = 1\n# noqa: BMN102\n", "x = 1\n\n"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_the_code_goes_and_every_other_byte_stays(
    batchmean: Run, write: Write, tmp_path: Path, before: str, after: str, end: str
) -> None:
    assert codes(before) == [BMN901]
    head = "\ufeff# \f größer\n"
    content = (head + before + "\n\n\ny = 2 ").replace("\n", end).encode()
    expected = (head + after + "\n\n\ny = 2 ").replace("\n", end).encode()
    assert fixed(batchmean, write, tmp_path, content) == expected


@pytest.mark.parametrize(
    "text",
    [
        "x = 1  # noqa",
        "x = 1  # noqa : BMN102",
        "x = 1  # noqa: E501",
        "x = 1  # noqa: BMN",
        "x = 1  # noqa: bmn102",
        "x = 1  # noqa: BMN102, BMN901",
        "x = 1  # noqa: BMN901",
        "# flake8: noqa\nx = 1  # noqa: BMN102",
        "x = '# noqa: BMN102'",
        '"""Write # noqa: BMN102 there."""',
        "x = '# noqa: E501'  # noqa: BMN102",  # flake8 reads the first one
        "x = 1  # BMN102 noqa",
        WRONG.rstrip() + "  # noqa: BMN102",
        WRONG.rstrip() + "  # noqa: BMN1",
        WRONG.rstrip() + "  # noqa: BMN102 the paper has it so",
        WRONG.replace("return", "return \\\n").rstrip() + "  # noqa: BMN102",
    ],
)
def test_what_is_used_or_nobodys_is_left_alone(
    batchmean: Run, write: Write, tmp_path: Path, text: str
) -> None:
    assert codes(text) == []
    assert fixed(batchmean, write, tmp_path, text.encode()) == text.encode()


def test_only_the_code_that_silences_nothing_goes(batchmean: Run, write: Write, tmp_path: Path) -> None:
    text = WRONG.rstrip() + "  # noqa: BMN101, BMN102"
    assert codes(text) == [BMN901]
    assert fixed(batchmean, write, tmp_path, text.encode()) == (WRONG.rstrip() + "  # noqa: BMN102").encode()


def test_settings_make_no_comment_unused(batchmean: Run, write: Write) -> None:
    masked = (
        "def loss(y, x, attention_mask):\n    return ((y - x) ** 2 * attention_mask).mean()  # noqa: BMN201\n"
    )
    likely = "import numpy as np\n\ndef f(labels_onehot, p):\n    return -(labels_onehot * np.log(p)).mean()"
    likely += "  # noqa: BMN102\n"
    write({"masked.py": masked, "likely.py": likely})
    assert batchmean("check", "--preview", "masked.py").stdout == ""
    for options in ((), ("--min-confidence", "proved"), ("--ignore", "BMN102"), ("--select", "BMN9")):
        done = batchmean("check", *options)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.heavy  # it starts many processes, or takes seconds
def test_settings_decide_about_it_as_about_any_rule(batchmean: Run, flake8: Run, write: Write) -> None:
    write({"a.py": RIGHT.rstrip() + "  # noqa: BMN102\n", "b.py": "x = 1  # noqa: BMN102\n"})
    assert [(line.path, line.line, line.code) for line in lines_of(batchmean("check").stdout)] == [
        ("a.py", 8, BMN901),
        ("b.py", 1, BMN901),
    ]
    assert flake8("--isolated", "--select", "BMN", ".").stdout.replace("./", "") == batchmean("check").stdout
    assert flake8("--isolated", "--ignore", "BMN9", ".").stdout == ""
    assert batchmean("check", "--ignore", "BMN901").returncode == 0
    assert batchmean("check", "--select", "BMN1").returncode == 0
    write({"pyproject.toml": '[tool.batchmean]\nignore = ["BMN901"]\n'})
    assert batchmean("check").returncode == 0
    assert flake8("--isolated", "--extend-ignore", "E", ".").stdout == ""


@pytest.mark.heavy  # it starts many processes, or takes seconds
def test_every_format_has_it(batchmean: Run, write: Write) -> None:
    write({"a.py": "x = 1  # noqa: BMN102\n"})
    message = "BMN102 in this noqa comment silences nothing; remove it"
    assert batchmean("check").stdout == f"a.py:1:8: BMN901 {message}\n"
    [finding] = json.loads(batchmean("check", "--output-format", "json").stdout)["findings"]
    assert (finding["message"], finding["factor"], finding["because"]) == (message, None, [])
    assert (finding["column"], finding["end_column"], finding["fix"]["safe"]) == (8, 22, True)
    for name in ("full", "github", "gitlab", "junit", "sarif"):
        assert message.partition(";")[0] in batchmean("check", "--output-format", name).stdout
    assert batchmean("check", "--statistics").stdout == "1\tBMN901\tunused-noqa\n"
    assert batchmean("explain", "unused-noqa").stdout.startswith("# BMN901 unused-noqa\n")
    assert f"example.py:5:45: BMN901 {message}" in batchmean("explain", BMN901).stdout


def test_losses_and_comments_are_fixed_together(batchmean: Run, write: Write, tmp_path: Path) -> None:
    text = TWO_KINDS.replace(".mean()", ".mean()  # noqa: BMN101").replace(
        "def whole", "x = 1  # noqa: BMN102\n\ndef whole"
    )
    write({"a.py": text})
    note = "took what silences nothing out of 2 noqa comments"
    pending = batchmean("check", "--diff")
    assert pending.returncode == 1
    assert pending.stderr.endswith(f"note: {note.replace('took', 'would take')}\n")
    done = batchmean("check", "--fix")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("note: fixed 2 findings: ")
    assert done.stderr.endswith(f"note: {note}\n")
    assert "noqa" not in (tmp_path / "a.py").read_text(encoding="utf-8")
    write({"a.py": "x = 1  # noqa: BMN102\n"})
    assert batchmean("check", "--fix").stderr == "note: took what silences nothing out of 1 noqa comment\n"


def test_a_comment_whose_loss_is_mended_goes_the_next_time(
    batchmean: Run, write: Write, tmp_path: Path
) -> None:
    write({"a.py": WRONG.rstrip() + "  # noqa: BMN102\n"})
    assert batchmean("check", "--fix").returncode == 0
    write({"a.py": RIGHT.rstrip() + "  # noqa: BMN102\n"})
    assert batchmean("check", "--fix").returncode == 0
    assert (tmp_path / "a.py").read_text(encoding="utf-8") == RIGHT


def test_none_is_added(batchmean: Run, write: Write, tmp_path: Path) -> None:
    text = "x = 1  # noqa: BMN102\n"
    write({"a.py": text})
    done = batchmean("check", "--add-noqa")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "a.py").read_text(encoding="utf-8") == text


def test_what_could_not_be_analysed_to_its_end_tells_nothing(batchmean: Run, write: Write) -> None:
    write({"a.py": "def f(:  # noqa: BMN102\n"})
    done = batchmean("check")
    assert (done.returncode, done.stdout) == (1, "")
    calls = "import torch\n\ndef f(logits, y):\n    p = logits.softmax(-1)\n" + "    p = p + 1\n" * 40_000
    long = calls + "    return -(p.log() * y).mean()  # noqa: BMN102\n"
    result = check_source(long, select=["BMN", BMN901])
    assert result.warnings
    assert result.findings == []


def test_notebooks_and_markdown(batchmean: Run, write: Write, tmp_path: Path) -> None:
    cells = notebooks.notebook([("code", "x = 1"), ("code", "%time x\ny = 1  # noqa: BMN102")])
    page = "# T\n\n- item\n\n  ```python\n  x = 1  # noqa: BMN102, E501\n  ```\n\n`# noqa: BMN102`\n"
    write({"n.ipynb": json.dumps(cells), "m.md": page})
    done = batchmean("check", "n.ipynb", "m.md")
    assert [line.split(": ")[0] for line in done.stdout.splitlines()] == ["m.md:6:10", "n.ipynb:cell 2:2:8"]
    assert batchmean("check", "--fix", "n.ipynb", "m.md").returncode == 0
    assert (tmp_path / "m.md").read_text(encoding="utf-8") == page.replace("BMN102, E501", "E501")
    assert (tmp_path / "n.ipynb").read_text(encoding="utf-8") == json.dumps(cells).replace(
        "  # noqa: BMN102", ""
    )
