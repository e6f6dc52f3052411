"""`--add-noqa`: comments where findings are, and no other byte changed."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest

from tests.faces.support import RIGHT, TWO_KINDS, WRONG, Run, Write, lines_of

MEAN = "    return -(target * logp).mean()"


def last_line(text: str) -> str:
    return text.rstrip("\n").split("\n")[-1]


def test_every_finding_is_silenced_for_the_command_and_for_flake8(
    batchmean: Run, flake8: Run, write: Write, tmp_path: Path
) -> None:
    write({"a.py": TWO_KINDS, "b/c.py": WRONG, "right.py": RIGHT})
    done = batchmean("check", "--add-noqa")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "note: added # noqa comments for 3 lines\n")
    assert (tmp_path / "a.py").read_text(encoding="utf-8") == TWO_KINDS.replace(
        "logp).mean()\n", "logp).mean()  # noqa: BMN102\n"
    ).replace("logp.size\n", "logp.size  # noqa: BMN101\n")
    assert (tmp_path / "right.py").read_text(encoding="utf-8") == RIGHT
    assert flake8("--isolated", "--select", "BMN", ".").stdout == ""
    before = (tmp_path / "a.py").stat().st_mtime_ns
    again = batchmean("check", "--add-noqa")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert (tmp_path / "a.py").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (MEAN + "  # why", MEAN + "  # why  # noqa: BMN102"),
        (MEAN + "  # type: ignore[no-any-return]", MEAN + "  # type: ignore[no-any-return]  # noqa: BMN102"),
        (MEAN + "  # noqa: E501", MEAN + "  # noqa: E501, BMN102"),
        (MEAN + "  #noqa", MEAN + "  #noqa  # noqa: BMN102"),
        (MEAN + "  # NOQA:E501,W291", MEAN + "  # NOQA:E501,W291,BMN102"),
        (MEAN + "  # noqa: E501 W291 the URL is long", MEAN + "  # noqa: E501 W291 BMN102 the URL is long"),
        (MEAN + "  # noqa: E501, the URL is long", MEAN + "  # noqa: E501, BMN102, the URL is long"),
        (MEAN + " \t ", MEAN + "  # noqa: BMN102 \t "),
        (MEAN + ' + len("""\n# x\n""")', MEAN + ' + len("""\n# x\n""")  # noqa: BMN102'),
        (MEAN + ' + len("""\n# x\n""")  # noqa: E501', MEAN + ' + len("""\n# x\n""")  # noqa: E501, BMN102'),
        ("    return \\\n    -(target * logp).mean() \\\n    + 0", None),
        (
            "    return -(\n        (target * logp).mean(\n        )\n    )",
            "    return -(\n        (target * logp).mean(  # noqa: BMN102\n        )\n    )",
        ),
    ],
)
def test_where_the_comment_goes(
    batchmean: Run, flake8: Run, write: Write, tmp_path: Path, before: str, after: str | None
) -> None:
    write({"a.py": WRONG.replace(MEAN, before)})
    done = batchmean("check", "--add-noqa", "a.py")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    expected = WRONG.replace(MEAN, after or before + "  # noqa: BMN102")
    assert (tmp_path / "a.py").read_text(encoding="utf-8") == expected
    assert flake8("--isolated", "--select", "BMN", "a.py").stdout == ""


def test_two_codes_of_one_line_share_a_comment(batchmean: Run, write: Write, tmp_path: Path) -> None:
    write({"a.py": WRONG.replace(MEAN, MEAN + " - np.sum(target * logp) / logp.size")})
    assert batchmean("check", "--add-noqa", "a.py").returncode == 0
    assert last_line((tmp_path / "a.py").read_text(encoding="utf-8")).endswith("  # noqa: BMN101, BMN102")


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"], ids=["plain", "bom"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
def test_every_other_byte_stays(batchmean: Run, write: Write, tmp_path: Path, bom: bytes, end: str) -> None:
    odd = "# \f naïve: größer als 一\n" + WRONG.replace("return", "é = 'ß'; return").rstrip("\n")
    write({"odd.py": bom + odd.replace("\n", end).encode()})
    (tmp_path / "odd.py").chmod(0o754)
    assert batchmean("check", "--add-noqa", "odd.py").returncode == 0
    assert (tmp_path / "odd.py").read_bytes() == bom + (odd + "  # noqa: BMN102").replace("\n", end).encode()
    assert (tmp_path / "odd.py").stat().st_mode & 0o777 == 0o754


def test_other_encodings_stay(batchmean: Run, write: Write, tmp_path: Path) -> None:
    text = "# coding: latin-1\n# ü\n" + WRONG
    write({"old.py": text.encode("latin-1")})
    assert batchmean("check", "--add-noqa", "old.py").returncode == 0
    expected = text.replace("logp).mean()", "logp).mean()  # noqa: BMN102").encode("latin-1")
    assert (tmp_path / "old.py").read_bytes() == expected


def test_where_no_comment_can_stand_the_finding_stays(batchmean: Run, write: Write, tmp_path: Path) -> None:
    # flake8 reads the first such comment of a line, though it be in a string.
    deaf = WRONG.replace(MEAN, MEAN + ' + len("# noqa: E501")')
    write({"a.py": deaf + TWO_KINDS[len(WRONG) :]})
    done = batchmean("check", "--add-noqa", "a.py")
    assert done.returncode == 1
    assert [line.code for line in lines_of(done.stdout)] == ["BMN102"]
    assert done.stderr == (
        "note: added # noqa comments for 1 line\nwarning: a.py:8: no # noqa comment can be put there\n"
    )
    text = (tmp_path / "a.py").read_text(encoding="utf-8")
    assert text == deaf + TWO_KINDS[len(WRONG) :].replace("logp.size", "logp.size  # noqa: BMN101")
    assert ast.dump(ast.parse(text)) == ast.dump(ast.parse(deaf + TWO_KINDS[len(WRONG) :]))


def test_settings_decide_what_is_silenced(batchmean: Run, write: Write, tmp_path: Path) -> None:
    write({"a.py": TWO_KINDS})
    assert batchmean("check", "--add-noqa", "--select", "BMN101", "a.py").returncode == 0
    assert [line.code for line in lines_of(batchmean("check").stdout)] == ["BMN102"]
    assert "BMN102" not in (tmp_path / "a.py").read_text(encoding="utf-8")


def test_standard_input_comes_out_with_comments(batchmean: Run) -> None:
    done = batchmean("check", "--add-noqa", "-", stdin=WRONG)
    assert (done.returncode, done.stdout) == (0, WRONG.replace("mean()", "mean()  # noqa: BMN102"))


def test_read_only_files_are_named(batchmean: Run, write: Write, tmp_path: Path) -> None:
    write({"a.py": WRONG, "b.py": WRONG})
    (tmp_path / "a.py").chmod(0o444)
    done: subprocess.CompletedProcess[str] = batchmean("check", "--add-noqa")
    assert done.returncode == 1
    assert done.stderr.startswith("error: a.py: is read-only, so it is left as it is\n")
    assert (tmp_path / "a.py").read_text(encoding="utf-8") == WRONG
    assert "# noqa" in (tmp_path / "b.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("other", ["--fix", "--diff", "--show-files"])
def test_one_thing_at_a_time(batchmean: Run, other: str) -> None:
    assert batchmean("check", "--add-noqa", other).returncode == 2
