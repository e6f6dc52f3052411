"""LibCST's own ecosystem: the rules in Fixit and the fixes as a codemod are those of the command."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from batchmean.check import Check
from batchmean.config import Settings
from batchmean.report import Report
from batchmean.rewrite import rewrite

from tests.editors.client import Client
from tests.faces.support import RIGHT, TWO_KINDS, WRONG, Run, Write, run_program
from tests.fixtures.specification import MODULES

MODULES_OF_RULES = ("batchmean.fixit", "batchmean.fixit_preview")
PASSES = 9  # of Fixit, which applies one of several fixes that touch the same expression
SETTINGS = """\
[tool.fixit]
enable = ["batchmean.fixit"]
disable = ["fixit.rules"]
"""

needs_fixit = [
    pytest.mark.heavy,
    pytest.mark.skipif(
        importlib.util.find_spec("fixit") is None and os.environ.get("BATCHMEAN_HEAVY") != "1",
        reason="fixit is not installed",
    ),
]


def with_fixit(test: Any) -> Any:
    for mark in needs_fixit:
        test = mark(test)
    return test


def command(data: bytes, path: Path) -> tuple[Check, Report]:
    """What the command finds when all rules are asked for, and it looks at no other file."""
    settings = Settings({"preview": True, "follow_imports": False}, isolated=True)
    check = Check(settings, fixes=True, warn=pytest.fail)
    report = check.text(data, str(path))
    assert not report.errors
    return check, report


def fixed_by_command(data: bytes, path: Path, *, unsafe: bool) -> bytes:
    check, report = command(data, path)
    done = rewrite(report, check, lambda _: data, lambda *_: None, unsafe=unsafe)
    return done.changes[0].after if done.changes else data


def in_fixit(data: bytes, path: Path) -> tuple[list[tuple[object, ...]], bytes]:
    """What Fixit reports of a file, and what one run of its fixes makes of it."""
    from fixit.api import fixit_bytes
    from fixit.ftypes import Config, QualifiedRule
    from fixit.util import capture

    config = Config(path=path, root=path.parent, enable=[QualifiedRule(name) for name in MODULES_OF_RULES])
    run = capture(fixit_bytes(path, data, config=config, autofix=True))
    found: list[tuple[object, ...]] = []
    for result in run:
        assert result.error is None, result.error
        if (violation := result.violation) is not None:
            start, end = violation.range.start, violation.range.end
            found.append(
                (
                    violation.rule_name,
                    start.line,
                    start.column + 1,
                    end.line,
                    end.column + 1,
                    violation.message,
                )
            )
    return found, run.result or data


@pytest.mark.parametrize("path", MODULES, ids=lambda path: f"{path.parent.name}/{path.name}")
@with_fixit
def test_fixit_has_the_findings_and_the_edits_of_the_command(path: Path) -> None:
    data = path.read_bytes()
    spans = [(finding, finding.span) for finding in command(data, path)[1].findings]
    expected = [(f.code, s.line, s.column, s.end_line, s.end_column, f.message) for f, s in spans]
    found, fixed = in_fixit(data, path)
    assert sorted(found, key=str) == sorted(expected, key=str)
    for _ in range(PASSES):
        before, fixed = fixed, in_fixit(fixed, path)[1]
        if fixed == before:
            break
    assert fixed.decode() == fixed_by_command(data, path, unsafe=False).decode()


@pytest.mark.heavy
@pytest.mark.parametrize("unsafe", [False, True], ids=["safe", "unsafe"])
@pytest.mark.parametrize("path", MODULES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_codemod_makes_the_edits_of_the_command(path: Path, unsafe: bool, tmp_path: Path) -> None:
    import libcst
    from batchmean.codemod import Fix
    from libcst.codemod import CodemodContext

    data = path.read_bytes()
    context = CodemodContext(filename=str(tmp_path / path.name))
    fix = Fix(context, preview=True, unsafe_fixes=unsafe)
    fixed = fix.transform_module(libcst.parse_module(data)).bytes
    assert fixed.decode() == fixed_by_command(data, path, unsafe=unsafe).decode()


@with_fixit
def test_fixit_lints_and_fixes(write: Write, tmp_path: Path) -> None:
    write({"pyproject.toml": SETTINGS, "wrong.py": TWO_KINDS, "right.py": RIGHT})
    linted = run_program("fixit", "lint", "wrong.py", "right.py", cwd=tmp_path)
    assert linted.returncode == 1
    line = WRONG[: WRONG.index("(target * logp).mean")].count("\n") + 1
    assert f"wrong.py@{line}:12 BMN102: cross-entropy is averaged" in linted.stdout
    assert "BMN101: " in linted.stdout and "right.py" not in linted.stdout
    fixed = run_program("fixit", "fix", "--automatic", "wrong.py", cwd=tmp_path)
    assert "2 fixes applied" in fixed.stderr
    text = (tmp_path / "wrong.py").read_text(encoding="utf-8")
    assert text == fixed_by_command(TWO_KINDS.encode(), Path("wrong.py"), unsafe=False).decode()
    assert run_program("fixit", "lint", "wrong.py", cwd=tmp_path).returncode == 0


@with_fixit
def test_fixit_comments_silence_a_rule_by_its_code(write: Write, tmp_path: Path) -> None:
    silenced = WRONG.replace("    return", "    # lint-ignore: BMN102\n    return")
    write(
        {"pyproject.toml": SETTINGS, "wrong.py": silenced, "noqa.py": WRONG.rstrip() + "  # noqa: BMN102\n"}
    )
    assert run_program("fixit", "lint", "wrong.py", "noqa.py", cwd=tmp_path).returncode == 0


@with_fixit
def test_fixit_says_where_there_is_no_verdict(write: Write, tmp_path: Path) -> None:
    write({"pyproject.toml": SETTINGS, "long.py": f"x = {'9' * 5000}\n"})
    linted = run_program("fixit", "lint", "long.py", cwd=tmp_path)
    assert linted.returncode == 1
    assert "NoVerdict: syntax error" in linted.stdout
    assert linted.stdout.count("\n") == 1


@with_fixit
def test_the_rules_examples_are_tests_for_fixit(tmp_path: Path) -> None:
    tested = run_program("fixit", "test", *MODULES_OF_RULES, cwd=tmp_path)
    assert tested.returncode == 0, tested.stderr
    assert "test_INVALID_0 (fixit.testing.BMN102" in tested.stderr
    assert "test_INVALID_0 (fixit.testing.BMN201" in tested.stderr


@with_fixit
def test_fixit_in_an_editor(write: Write, tmp_path: Path) -> None:
    write({"pyproject.toml": SETTINGS})
    program = Path(sys.executable).parent / "fixit"
    with Client([program, "lsp", "--debounce-interval", "0.01"], tmp_path) as client:
        client.initialize()
        uri = client.open(tmp_path / "a.py", WRONG)
        [diagnostic] = client.diagnostics(uri)
        options = {"tabSize": 4, "insertSpaces": True}
        edits = client.request("textDocument/formatting", {"textDocument": {"uri": uri}, "options": options})
    assert (diagnostic["code"], diagnostic["source"]) == ("BMN102", "fixit")
    assert diagnostic["range"]["start"] == {"line": WRONG.count("\n") - 1, "character": 12}
    assert edits[0]["newText"] == fixed_by_command(WRONG.encode(), Path("a.py"), unsafe=False).decode()


@pytest.mark.heavy
def test_the_codemod_on_the_command_line(write: Write, tmp_path: Path) -> None:
    write({"wrong.py": TWO_KINDS, ".libcst.codemod.yaml": "formatter: []\n"})
    run = [
        sys.executable,
        "-m",
        "libcst.tool",
        "codemod",
        "-x",
        "batchmean.codemod.Fix",
        "wrong.py",
        "--no-format",
    ]

    def codemod(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*run, *arguments], cwd=tmp_path, capture_output=True, encoding="utf-8", check=False, timeout=120
        )

    wrong = codemod("--select", "BMN99")
    assert wrong.returncode != 0 and "unknown code 'BMN99'" in wrong.stderr
    assert "Traceback" not in wrong.stderr
    assert codemod("--select", "BMN101").returncode == 0
    text = (tmp_path / "wrong.py").read_text(encoding="utf-8")
    assert text.startswith(WRONG) and text != TWO_KINDS
    done = codemod()
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "wrong.py").read_text(encoding="utf-8")
    assert text == fixed_by_command(TWO_KINDS.encode(), Path("wrong.py"), unsafe=False).decode()


def test_without_libcst_only_the_fix_goes(batchmean: Run, write: Write, tmp_path: Path) -> None:
    write({"wrong.py": WRONG, "broken/libcst/__init__.py": "raise ImportError('it is not there')\n"})
    path = os.pathsep.join(filter(None, [str(tmp_path / "broken"), os.environ.get("PYTHONPATH")]))
    done = batchmean("check", "wrong.py", "--fix", "--output-format", "json", PYTHONPATH=path)
    assert done.returncode == 1 and not done.stderr
    assert '"code": "BMN102"' in done.stdout
    assert '"no_fix": "LibCST is not installed"' in done.stdout
    assert (tmp_path / "wrong.py").read_text(encoding="utf-8") == WRONG
