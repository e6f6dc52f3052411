"""Files that change, go or turn into something else while a run is under way: others' work is never lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.faces.support import RIGHT, WRONG, Write

MEANWHILE = """\
import sys
from pathlib import Path
import {module}

as_it_is = {module}.{function}

def meanwhile(path, *rest):
    done = as_it_is(path, *rest)
    if Path(path).name == "a.py":
        {change}
    return done

{module}.{function} = meanwhile
from batchmean.cli import main
if __name__ == "__main__":
    sys.exit(main())
"""
"""The command; when it has read `a.py`, or linted it, somebody changes something."""
READ = ("batchmean.source", "read_regular")
LINTED = ("batchmean.check", "_linted")

GOES = "Path('b.py').unlink()"
FOLDER_GOES = "import shutil; shutil.rmtree('parts')"
TURNS_INTO_A_FOLDER = "Path('b.py').unlink(); Path('b.py').mkdir()"
BREAKS = "Path('b.py').write_text('x = (')"


def run(
    tmp_path: Path, after: tuple[str, str], change: str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    module, function = after
    (tmp_path / "program.txt").write_text(MEANWHILE.format(module=module, function=function, change=change))
    return subprocess.run(
        [sys.executable, "program.txt", "check", "--jobs", "1", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("change", "named"),
    [
        pytest.param(GOES, "b.py", id="a file goes"),
        pytest.param(FOLDER_GOES, "parts/d.py", id="a folder goes", marks=pytest.mark.heavy),
        pytest.param(TURNS_INTO_A_FOLDER, "b.py", id="a file becomes a folder", marks=pytest.mark.heavy),
        pytest.param(BREAKS, "b.py", id="a file is half written", marks=pytest.mark.heavy),
    ],
)
def test_what_is_not_there_any_more_is_named_and_the_rest_is_linted(
    write: Write, tmp_path: Path, change: str, named: str
) -> None:
    write({"a.py": WRONG, "b.py": WRONG, "c.py": WRONG, "parts/d.py": WRONG})
    ran = run(tmp_path, READ, change, "a.py", "b.py", "c.py", "parts/d.py")
    linted = {line.partition(":")[0] for line in ran.stdout.splitlines() if "BMN" in line}
    assert linted == {"a.py", "b.py", "c.py", "parts/d.py"} - {named}
    assert [line for line in ran.stderr.splitlines() if named in line] == ran.stderr.splitlines()[:1]
    assert "Traceback" not in ran.stderr
    assert ran.returncode == 1


@pytest.mark.parametrize(
    "theirs",
    [
        pytest.param(WRONG + "# written meanwhile\n", id="a line more"),
        pytest.param(RIGHT, id="put right", marks=pytest.mark.heavy),
        pytest.param("", id="emptied", marks=pytest.mark.heavy),
    ],
)
def test_what_somebody_writes_meanwhile_is_not_overwritten(write: Write, tmp_path: Path, theirs: str) -> None:
    write({"a.py": WRONG, "b.py": WRONG})
    ran = run(tmp_path, LINTED, f"Path('a.py').write_text({theirs!r})", "--fix", ".")
    assert (tmp_path / "a.py").read_text() == theirs
    assert (tmp_path / "b.py").read_text() != WRONG
    assert "a.py: has changed since it was read" in ran.stderr.splitlines()[0]
    assert ran.returncode == 1


def test_what_goes_meanwhile_does_not_come_back(write: Write, tmp_path: Path) -> None:
    write({"a.py": WRONG, "b.py": WRONG})
    ran = run(tmp_path, LINTED, "Path('a.py').unlink()", "--fix", ".")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.py", "program.txt"]
    assert "a.py" in ran.stderr.splitlines()[0]
    assert ran.returncode == 1
