"""The plugin inside a real flake8."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import pytest
from batchmean import memory

from tests.faces.support import RIGHT, TWO_KINDS, WRONG, Line, Run, Write, lines_of, run_program

BMN = ("--isolated", "--select", "BMN")
MARK = "(target * logp).mean()"


def test_positions_are_right_whatever_the_text(flake8: Run, batchmean: Run, write: Write) -> None:
    wide = WRONG.replace("return -", 'é = "日本 𝕏 e\u0301"; return é, -')
    tabs = wide.replace("    ", "\t")
    files: dict[str, str | bytes] = {
        "plain.py": WRONG,
        "wide.py": wide,
        "tabs.py": tabs,
        "crlf.py": tabs.replace("\n", "\r\n"),
        "cr.py": WRONG.replace("\n", "\r"),
        "bom.py": tabs.encode("utf-8-sig"),
        "latin.py": ("# coding: latin-1\n" + WRONG.replace("return -", 'é = "ü"; return é, -')).encode(
            "latin-1"
        ),
        "feed.py": WRONG.replace("def", "\fdef"),
        "separators.py": WRONG.replace("def", "x = '\x0b\x1c\u2028\x85'\ndef"),
        "continued.py": WRONG.replace("return -", "return \\\n   -"),
        "right.py": RIGHT,
    }
    write(files)
    done = flake8(*BMN, ".")
    expected = []
    for name, content in files.items():
        encoding = "latin-1" if name == "latin.py" else "utf-8-sig"
        text = content.decode(encoding) if isinstance(content, bytes) else content
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        expected += [
            Line(name, number, line.index(MARK) + 1, "BMN102")
            for number, line in enumerate(lines, start=1)
            if MARK in line
        ]
    assert len(expected) == len(files) - 1
    assert lines_of(done.stdout) == sorted(expected)
    assert done.stderr == ""
    assert batchmean("check").stdout == done.stdout.replace("./", "")
    [piped] = lines_of(flake8(*BMN, "-", stdin=files["bom.py"]).stdout)
    assert piped._replace(path="bom.py") in expected


def test_flake8_decides_what_is_reported(flake8: Run, write: Write) -> None:
    write({"a.py": TWO_KINDS, "legacy/b.py": TWO_KINDS, "noqa.py": WRONG.rstrip() + "  # noqa: BMN102\n"})

    def reported(*options: str) -> list[str]:
        done = flake8("--isolated", "--max-line-length", "200", *options, ".")
        return [f"{line.path} {line.code}" for line in lines_of(done.stdout)]

    both = ["a.py BMN102", "a.py BMN101", "legacy/b.py BMN102", "legacy/b.py BMN101"]
    assert reported() == both
    assert reported("-j2") == reported("-j1") == both
    assert reported("--select", "BMN102") == both[::2]
    assert reported("--extend-ignore", "BMN101") == both[::2]
    assert reported("--per-file-ignores", "legacy/*:BMN102") == both[:2] + both[3:]
    assert "noqa.py BMN102" in reported("--disable-noqa")


def test_standard_input_has_the_name_it_is_given(flake8: Run) -> None:
    done = flake8(*BMN, "--stdin-display-name", "editor.py", "-", stdin=WRONG.replace("\n", "\r\n"))
    assert done.returncode == 1
    assert lines_of(done.stdout) == [Line("editor.py", 8, 13, "BMN102")]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_any_start_method(flake8: Run, write: Write, tmp_path: Path, method: str) -> None:
    write({"a.py": WRONG, "b.py": RIGHT, "c.py": WRONG})
    main = f"""
import multiprocessing, sys
from flake8.main.cli import main
if __name__ == "__main__":
    multiprocessing.set_start_method("{method}")
    sys.exit(main())
"""
    write({"run/run.py": main})
    done = run_program(
        Path(sys.executable).name, "run/run.py", *BMN, "-j2", "a.py", "b.py", "c.py", cwd=tmp_path
    )
    assert [line.path for line in lines_of(done.stdout)] == ["a.py", "c.py"]
    assert done.stderr == ""


def test_nothing_ends_the_users_run(flake8: Run, write: Write) -> None:
    write(
        {
            "empty.py": "",
            "encoding.py": WRONG.replace("def", "# \xe9\ndef").encode("latin-1"),
            "deep.py": WRONG + f"x = {'[' * 80}logp.mean(){']' * 80}\n",
            "chain.py": WRONG + f"x = logp{'.mean()' * 150}\n",
            "libcst_refuses.py": WRONG + "(pars): bool = True\n",
            "nested.py": WRONG + "(" * 10_000 + ")" * 10_000 + "\n",
            "syntax.py": WRONG + "def f(:\n",
            "wrong.py": WRONG,
        }
    )
    done = flake8("--isolated", "--select", "BMN,E9", ".")
    reported = {(line.path, line.code) for line in lines_of(done.stdout)}
    assert {("wrong.py", "BMN102"), ("syntax.py", "E999"), ("nested.py", "E999")} <= reported
    assert {name for name, code in reported if code == "BMN102"} >= {
        "libcst_refuses.py",
        "deep.py",
        "chain.py",
    }
    assert (done.returncode, done.stderr) == (1, "")


def test_confidence_is_read_from_the_nearest_pyproject(flake8: Run, write: Write) -> None:
    by_names = (
        "import numpy as np\n\n\ndef loss(y_true, y_pred):\n    return -(y_true * np.log(y_pred)).mean()\n"
    )
    write({"pkg/sub/a.py": by_names, "pkg/b.py": WRONG, "c.py": by_names})

    def reported() -> list[str]:
        return [line.path for line in lines_of(flake8(*BMN, ".").stdout)]

    assert reported() == ["c.py", "pkg/b.py", "pkg/sub/a.py"]
    write({"pkg/pyproject.toml": '[tool.batchmean]\nmin-confidence = "proved"\nselect = ["BMN101"]\n'})
    assert reported() == ["c.py", "pkg/b.py"]
    write({"pkg/pyproject.toml": "[tool.batchmean]\nmin-confidence = 1\n"})
    assert reported() == ["c.py", "pkg/b.py", "pkg/sub/a.py"]


@pytest.mark.heavy  # it starts many processes, or takes seconds
def test_the_nearest_settings_hold_unless_flake8_selects_itself(flake8: Run, write: Write) -> None:
    write({"pkg/a.py": TWO_KINDS, "pkg/tests/b.py": TWO_KINDS, "pkg/out/c.py": TWO_KINDS, "d.py": TWO_KINDS})
    write(
        {
            "pkg/pyproject.toml": """
[tool.batchmean]
ignore = ["BMN101"]
exclude = ["out"]
per-file-ignores = {"tests/*" = ["BMN102"]}
"""
        }
    )

    def reported(*options: str) -> list[str]:
        done = flake8("--isolated", "--max-line-length", "200", *options, ".")
        return [f"{line.path} {line.code}" for line in lines_of(done.stdout)]

    both = ["d.py BMN102", "d.py BMN101"]
    assert reported() == reported("-j2") == [*both, "pkg/a.py BMN102"]
    assert reported("--extend-ignore", "BMN102") == ["d.py BMN101"]
    assert reported("--select", "E,F") == []
    own = [*both, "pkg/a.py BMN102", "pkg/a.py BMN101", "pkg/tests/b.py BMN101"]
    assert reported("--select", "BMN1") == reported("--extend-select", "BMN101") == own


def test_a_file_without_losses_costs_no_import(flake8: Run, write: Write) -> None:
    write({"a.py": "import os\n\n\ndef f():\n    return os.sep\n"})
    done = flake8(*BMN, "a.py", PYTHONPROFILEIMPORTTIME="1")
    imported = {line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "batchmean.gate" in imported
    assert not {"libcst", "batchmean.linter", "batchmean.config"} & imported


def test_what_is_kept_is_frozen_in_the_command_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """In an editor's process, which goes on, what is frozen would stay for good."""
    frozen: list[bool] = []
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append(True))
    kept = memory.Kept()
    monkeypatch.delitem(sys.modules, "flake8.main.cli", raising=False)
    kept.add(1_000_000)
    kept.set_aside()
    assert not frozen
    monkeypatch.setitem(sys.modules, "flake8.main.cli", sys)
    kept.set_aside()
    assert frozen == [True]
    kept.set_aside()
    assert frozen == [True]  # nothing was added since
