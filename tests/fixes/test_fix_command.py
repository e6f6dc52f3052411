"""`--fix`, `--diff` and `--unsafe-fixes` as processes: files, exit codes, and what is said."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tests.faces.support import RIGHT, TWO_KINDS, WRONG, Run, Write, lines_of

WEIGHED = WRONG.replace("return -(target * logp).mean()", "return 0.3 * -(target * logp).mean()")


def test_fix_rewrites_what_is_safe_and_says_what_it_does_to_the_scale(
    batchmean: Run, write: Write, tmp_path: Path
) -> None:
    write({"a.py": TWO_KINDS, "weighed.py": WEIGHED, "right.py": RIGHT})
    done = batchmean("check", "--fix")
    assert (tmp_path / "a.py").read_text(encoding="utf-8") == TWO_KINDS.replace(
        "(target * logp).mean()", "(target * logp).sum(axis=-1).mean()"
    ).replace("np.sum(target * logp) / logp.size", "np.sum(target * logp, axis=-1).mean()")
    assert (tmp_path / "weighed.py").read_text(encoding="utf-8") == WEIGHED
    assert (tmp_path / "right.py").read_text(encoding="utf-8") == RIGHT
    assert [line.path for line in lines_of(done.stdout)] == ["weighed.py"]
    assert done.returncode == 1
    assert done.stderr.startswith(
        "note: fixed 2 findings: the loss and its gradient become 10 times larger (a.py:8, a.py:14); "
    )
    assert done.stderr.count("\n") == 1

    unsafe = batchmean("check", "--fix", "--unsafe-fixes")
    assert (unsafe.returncode, unsafe.stdout) == (0, "")
    assert ".sum(axis=-1).mean()" in (tmp_path / "weighed.py").read_text(encoding="utf-8")
    again = batchmean("check", "--fix", "--unsafe-fixes")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


def test_diff_shows_the_change_and_changes_nothing(batchmean: Run, write: Write, tmp_path: Path) -> None:
    write({"wrong.py": WRONG, "weighed.py": WEIGHED, "right.py": RIGHT})
    done = batchmean("check", "--diff")
    assert done.returncode == 1
    assert done.stdout.splitlines()[:2] == ["--- wrong.py", "+++ wrong.py"]
    assert [line for line in done.stdout.splitlines()[3:] if line[0] in "+-"] == [
        "-    return -(target * logp).mean()",
        "+    return -(target * logp).sum(axis=-1).mean()",
    ]
    assert done.stderr.startswith("note: would fix 1 finding: ")
    assert (tmp_path / "wrong.py").read_text(encoding="utf-8") == WRONG
    # What has no safe fix leaves nothing pending.
    assert batchmean("check", "--diff", "weighed.py").returncode == 0
    assert batchmean("check", "--diff", "--unsafe-fixes", "weighed.py").returncode == 1


def test_standard_input_comes_out_fixed(batchmean: Run) -> None:
    fixed = batchmean("check", "--fix", "--stdin-filename", "x.py", "-", stdin=WRONG)
    assert (fixed.returncode, fixed.stdout) == (0, RIGHT)
    same = batchmean("check", "--fix", "-", stdin=RIGHT)
    assert (same.returncode, same.stdout, same.stderr) == (0, RIGHT, "")
    left = batchmean("check", "--fix", "-", stdin=WEIGHED)
    assert (left.returncode, left.stdout) == (1, WEIGHED)
    assert "<stdin>:8:" in left.stderr


def test_several_findings_on_one_line_and_in_one_another(
    batchmean: Run, write: Write, tmp_path: Path
) -> None:
    lines = WRONG.replace(
        "return -(target * logp).mean()",
        "p = np.exp(logp)\n"
        "    return -(target * logp).mean() - np.mean(np.stack([(p * logp).mean(), np.mean(p * log_softmax(p, 1))]))",
    )
    write({"many.py": lines})
    done = batchmean("check", "--fix", "--unsafe-fixes", "many.py")
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr
    assert (tmp_path / "many.py").read_text(encoding="utf-8") == lines.replace(
        "* logp).mean()", "* logp).sum(axis=-1).mean()"
    ).replace("np.mean(p * log_softmax(p, 1))", "np.mean(np.sum(p * log_softmax(p, 1), axis=-1))")


def test_wrong_usage(batchmean: Run) -> None:
    assert batchmean("check", "--fix", "--diff").returncode == 2
    alone = batchmean("check", "--unsafe-fixes")
    assert (alone.returncode, alone.stderr) == (2, "error: --unsafe-fixes needs --fix or --diff\n")


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"], ids=["plain", "bom"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
def test_every_other_byte_stays(batchmean: Run, write: Write, tmp_path: Path, bom: bytes, end: str) -> None:
    odd = "# \f naïve: größer als 一\n" + WRONG.replace("return", "é = 'ß'; return").rstrip("\n")
    right = odd.replace(".mean()", ".sum(axis=-1).mean()")
    write({"odd.py": bom + odd.replace("\n", end).encode()})
    done = batchmean("check", "--fix", "odd.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "odd.py").read_bytes() == bom + right.replace("\n", end).encode()


def test_line_ends_may_be_mixed_and_the_encoding_declared(
    batchmean: Run, write: Write, tmp_path: Path
) -> None:
    chain = "return -(\n        (target * logp)\n        .mean()\n    )"
    text = "# coding: latin-1\n# ü\n" + WRONG.replace("return -(target * logp).mean()", chain)
    source = text.replace("\n", "\r\n", 12).encode("latin-1")  # up to the line with the mean
    write({"old.py": source})
    assert batchmean("check", "--fix", "old.py").returncode == 0
    expected = source.replace(b"        .mean()", b"        .sum(axis=-1)\r\n        .mean()")
    assert (tmp_path / "old.py").read_bytes() == expected


def test_mode_and_links_are_kept(batchmean: Run, write: Write, tmp_path: Path) -> None:
    write({"real/script": WRONG})
    (tmp_path / "real" / "script").chmod(0o754)
    (tmp_path / "link.py").symlink_to("real/script")
    assert batchmean("check", "--fix", "link.py").returncode == 0
    assert (tmp_path / "link.py").is_symlink()
    assert (tmp_path / "real" / "script").read_text(encoding="utf-8") == RIGHT
    assert stat.S_IMODE((tmp_path / "real" / "script").stat().st_mode) == 0o754
    assert [path.name for path in (tmp_path / "real").iterdir()] == ["script"]


def test_a_file_and_a_link_to_it_are_fixed_once(batchmean: Run, write: Write, tmp_path: Path) -> None:
    write({"a.py": WRONG})
    (tmp_path / "link.py").symlink_to("a.py")
    shown = batchmean("check", "--diff")
    assert (shown.returncode, shown.stdout.count("+++")) == (1, 1)
    done = batchmean("check", "--fix")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("note: fixed 1 finding: ")
    assert (tmp_path / "a.py").read_text(encoding="utf-8") == RIGHT


def test_what_must_not_be_rewritten(batchmean: Run, write: Write, tmp_path: Path) -> None:
    files = {
        "generated.py": "# Generated by a tool. DO NOT EDIT.\n" + WRONG,
        "other_noqa.py": WRONG.replace(".mean()", ".mean()  # noqa: E501"),
        "read_only.py": WRONG,
    }
    write(files)
    (tmp_path / "read_only.py").chmod(0o444)
    done = batchmean("check", "--fix", "--output-format", "full")
    assert done.returncode == 1
    assert {name: (tmp_path / name).read_text(encoding="utf-8") for name in files} == files
    assert "= note: no fix: the file says that it is generated" in done.stdout
    assert "= note: no fix: a `# noqa` comment stands on the line" in done.stdout
    assert done.stderr == "error: read_only.py: is read-only, so it is left as it is\n"


def test_json_has_the_edits_and_the_reasons(batchmean: Run, write: Write) -> None:
    write({"wrong.py": WRONG, "weighed.py": WEIGHED, "flat.py": WRONG.replace(").mean", ").ravel().mean")})
    flat, weighed, wrong = json.loads(batchmean("check", "--output-format", "json").stdout)["findings"]
    column = WRONG.split("\n")[7].index(".mean") + 1
    place = {"cell": None, "line": 8, "column": column, "end_line": 8, "end_column": column}
    assert wrong["fix"] == {"safe": True, "edits": [{**place, "text": ".sum(axis=-1)"}]}
    assert weighed["fix"]["safe"] is False
    assert (flat["fix"], flat["no_fix"]) == (
        None,
        "no rewrite could be shown to be right",
    )


def test_libcst_is_not_imported_without_need(batchmean: Run, write: Write) -> None:
    write({"right.py": RIGHT, "wrong.py": WRONG})
    for arguments in (["right.py", "--fix"], ["right.py", "--output-format", "json"], ["wrong.py"]):
        done = batchmean("check", *arguments, PYTHONPROFILEIMPORTTIME="1")
        assert "batchmean.linter" in done.stderr
        assert "libcst" not in done.stderr
