"""What the command looks like on a terminal, and what it says to other programs beside findings."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest
from batchmean.rules import EVERY

from tests.faces.support import RIGHT, WRONG, Run, Write

pty = pytest.importorskip("pty", reason="terminals are POSIX's")
termios = pytest.importorskip("termios")

UNSAFE = "import numpy as np\n\n\ndef loss(p, q):\n    return -np.mean(p * np.log(q)) + 0.1 * np.sum(q)\n"
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def on_a_terminal(
    *arguments: str, cwd: Path, columns: int = 80, environment: Mapping[str, str] = MappingProxyType({})
) -> str:
    """What the command writes to a terminal."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns)) if hasattr(termios, "tcsetwinsize") else _resize(
        theirs, columns
    )
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    with subprocess.Popen(
        [Path(sys.executable).parent / "batchmean", *arguments],
        cwd=cwd,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env={**kept, "TERM": "xterm", **environment},
    ):
        os.close(theirs)
        written = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            written += piece
    os.close(ours)
    return written.decode().replace("\r\n", "\n")


def _resize(terminal: int, columns: int) -> None:
    import fcntl
    import struct

    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))


@pytest.mark.heavy  # it starts many processes, or takes seconds
def test_a_terminal_gets_colours_and_a_count_and_the_same_words(
    batchmean: Run, write: Write, tmp_path: Path
) -> None:
    write({"wrong.py": WRONG, "right.py": RIGHT})
    for output_format in ("concise", "full"):
        options = ("check", "--output-format", output_format)
        shown, piped = on_a_terminal(*options, cwd=tmp_path), batchmean(*options).stdout
        assert "\x1b[" in shown
        assert "\x1b[" not in piped
        counted = "Found 1 finding in 1 file.\n" if output_format == "concise" else ""
        assert ESCAPES.sub("", shown) == piped + counted
    assert ESCAPES.sub("", on_a_terminal("check", "right.py", cwd=tmp_path)) == "All clean: 1 file\n"
    assert batchmean("check", "right.py").stdout == ""
    assert batchmean("check", "right.py", "--output-format", "full").stdout == "All clean: 1 file\n"


@pytest.mark.parametrize(
    ("arguments", "environment", "is_colored"),
    [
        ((), {}, True),
        ((), {"NO_COLOR": "1"}, False),
        ((), {"NO_COLOR": ""}, True),
        ((), {"TERM": "dumb"}, False),
        ((), {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        (("--color", "always"), {"NO_COLOR": "1"}, True),
        (("--color", "never"), {"FORCE_COLOR": "1"}, False),
    ],
)
def test_colours_on_a_terminal(
    write: Write, tmp_path: Path, arguments: tuple[str, ...], environment: dict[str, str], is_colored: bool
) -> None:
    write({"wrong.py": WRONG})
    shown = on_a_terminal(
        "check", "--output-format", "full", *arguments, cwd=tmp_path, environment=environment
    )
    assert ("\x1b[" in shown) is is_colored
    assert "BMN102" in shown


@pytest.mark.parametrize(
    ("arguments", "environment", "is_colored"),
    [
        ((), {}, False),
        ((), {"FORCE_COLOR": "1"}, True),
        ((), {"FORCE_COLOR": "0"}, False),
        (("--color", "always"), {}, True),
        (("--output-format", "json"), {"FORCE_COLOR": "1"}, False),
        (("--output-format", "github", "--color", "always"), {}, False),
    ],
)
def test_colours_in_a_pipe(
    batchmean: Run, write: Write, arguments: tuple[str, ...], environment: dict[str, str], is_colored: bool
) -> None:
    write({"wrong.py": WRONG})
    done = batchmean("check", *arguments, **{"NO_COLOR": "", "FORCE_COLOR": "", **environment})
    assert ("\x1b[" in done.stdout) is is_colored
    assert "BMN102" in done.stdout


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_a_long_line_is_shown_around_the_finding(write: Write, tmp_path: Path, columns: int) -> None:
    long = WRONG.replace("return -(", f"zeros = [{', '.join(['0'] * 300)}]; return -(").replace(
        ".mean()", f".mean() # {'x' * 300}"
    )
    write({"wrong.py": long})
    shown = on_a_terminal("check", "--output-format", "full", cwd=tmp_path, columns=columns)
    excerpt = [line for line in ESCAPES.sub("", shown).splitlines() if re.match(r" *\d* \|", line)]
    assert max(map(len, excerpt)) <= columns
    [code] = [line for line in excerpt if line.startswith("8 |")]
    marks = excerpt[excerpt.index(code) + 1]
    assert code[marks.index("^") :].startswith("(target * logp).mean()"[: columns // 2])
    assert "..." in code


def test_what_can_be_fixed_is_counted_and_marked(batchmean: Run, write: Write) -> None:
    def ends(*arguments: str) -> list[str]:
        return batchmean("check", "--output-format", "full", *arguments).stdout.splitlines()

    write({"wrong.py": WRONG, "more.py": WRONG, "unsafe.py": UNSAFE})
    assert ends()[-2:] == [
        "Found 3 findings in 3 files.",
        "[*] 2 fixable with --fix, 1 more with --unsafe-fixes",
    ]
    assert sum("[*] cross-entropy" in line for line in ends()) == 2
    assert ends("unsafe.py")[-1] == "1 fixable with --fix --unsafe-fixes"
    assert ends("wrong.py")[-1] == "[*] 1 fixable with --fix"
    write({"flat.py": WRONG.replace(").mean", ").ravel().mean")})
    flat = ends("flat.py")
    assert flat[-1] == "Found 1 finding in 1 file."
    assert any(line.endswith("= note: no fix: no rewrite could be shown to be right") for line in flat)


def test_quiet_leaves_findings_and_errors(batchmean: Run, write: Write) -> None:
    write({"wrong.py": WRONG, "bad.py": "def f(:", "empty/readme.txt": ""})
    loud = batchmean("check", "--output-format", "full", "wrong.py", "bad.py", "empty")
    quiet = batchmean("check", "--output-format", "full", "--quiet", "wrong.py", "bad.py", "empty")
    assert quiet.returncode == loud.returncode == 1
    assert "warning: no Python files" in loud.stderr
    assert quiet.stderr == "".join(
        line for line in loud.stderr.splitlines(keepends=True) if line.startswith("error")
    )
    assert loud.stdout == f"{quiet.stdout}\nFound 1 finding in 1 file.\n[*] 1 fixable with --fix\n"
    fixed = batchmean("check", "-q", "--fix", "wrong.py")
    assert (fixed.returncode, fixed.stdout, fixed.stderr) == (0, "", "")


@pytest.mark.parametrize("output_format", ["concise", "full", "json", "sarif"])
def test_the_report_goes_to_a_file(batchmean: Run, write: Write, tmp_path: Path, output_format: str) -> None:
    write({"é.py": WRONG})
    options = ("check", "--output-format", output_format, "é.py")
    printed = batchmean(*options, PYTHONIOENCODING="utf-8")
    done = batchmean(*options, "--output-file", "report", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
    assert (tmp_path / "report").read_text(encoding="utf-8") == printed.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_report_that_cannot_be_written_is_one_line(batchmean: Run, write: Write) -> None:
    write({"wrong.py": WRONG})
    done = batchmean("check", "--output-file", "/dev/full")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: /dev/full: no space left on device\n"


def test_a_patch_can_be_had_as_json(batchmean: Run, write: Write) -> None:
    write({"wrong.py": WRONG, "unsafe.py": UNSAFE})
    done = batchmean("check", "--diff", "--output-format", "json")
    document = json.loads(done.stdout)
    assert done.returncode == 1
    assert [finding["path"] for finding in document["fixed"]] == ["wrong.py"]
    assert [finding["path"] for finding in document["findings"]] == ["unsafe.py"]
    assert document["patch"] == batchmean("check", "--diff").stdout
    assert "+    return -(target * logp).sum(axis=-1).mean()" in document["patch"]


def test_the_beginning_of_codes_lists_their_rules(batchmean: Run) -> None:
    done = batchmean("explain", "bmn3")
    listed = batchmean("rules").stdout.splitlines()
    shown = [line.split() for line in done.stdout.splitlines()]
    assert [line[0] for line in shown] == [code for code in EVERY if code.startswith("BMN3")]
    assert all(any(line.split() == words for line in listed) for words in shown)


def test_rules_and_their_pages_as_json(batchmean: Run) -> None:
    rules = json.loads(batchmean("rules", "--output-format", "json").stdout)
    assert [rule["code"] for rule in rules] == list(EVERY)
    for rule in rules:
        known = EVERY[rule["code"]]
        assert (rule["name"], rule["summary"], rule["preview"]) == (known.name, known.summary, known.preview)
        assert " and ".join(rule["laws"]) == known.law
    [one] = json.loads(batchmean("explain", "--output-format", "json", "BMN102").stdout)
    assert one.pop("page") == batchmean("explain", "BMN102").stdout
    assert one in rules
    family = json.loads(batchmean("explain", "--output-format", "json", "BMN2").stdout)
    assert [rule["code"] for rule in family] == [code for code in EVERY if code.startswith("BMN2")]


def test_a_shell_completes_commands_options_and_values(batchmean: Run, tmp_path: Path) -> None:
    pytest.importorskip("shtab")
    done = batchmean("completion", "bash")
    assert (done.returncode, done.stderr) == (0, "")
    (tmp_path / "completion").write_text(done.stdout, encoding="utf-8")

    def completed(*words: str) -> set[str]:
        script = (
            f"source ./completion; COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; "
            "COMP_LINE=; $(complete -p batchmean | sed 's/.*-F \\([^ ]*\\).*/\\1/') batchmean; "
            'printf "%s\\n" "${COMPREPLY[@]}"'
        )
        ran = subprocess.run(
            ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
        )
        return set(ran.stdout.split())

    assert completed("batchmean", "ex") == {"explain"}
    assert completed("batchmean", "check", "--unsafe") == {"--unsafe-fixes"}
    assert completed("batchmean", "check", "--output-format", "s") == {"sarif"}


def test_a_bound_that_is_reached_is_said(
    batchmean: Run, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels = "".join(
        f"def f{n}(p, q):\n    return f{n + 1}(p * 1.5, q) + f{n + 1}(q, p / 2)\n\n\n" for n in range(6)
    )
    many = "".join(f"def g{n}(p, q):\n    return f0(p / {n + 2}, q)\n\n\n" for n in range(2000))
    end = "def f6(p, q):\n    return -(softmax(p) * log_softmax(q)).mean()\n\n\n"
    write(
        {"large.py": f"from jax.nn import log_softmax, softmax\n\n\n{end}{levels}{many}", "wrong.py": WRONG}
    )
    done = batchmean("check")
    assert done.stderr == (
        "warning: large.py: has more code than is read of one file: what is beyond that has no verdict"
        " (docs/limits.md)\n"
    )
    assert "wrong.py:8:" in done.stdout
