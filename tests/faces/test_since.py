"""`--since REV`: only what stands on lines that have changed, with a real git."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from batchmean.since import changed_lines

from tests.faces import notebooks
from tests.faces.support import RIGHT, TWO_KINDS, WRONG, Run, Write, lines_of, native
from tests.faces.test_baseline import HEAD, loss

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")

Git = Callable[..., str]
IDENTITY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "A"), ("EMAIL", "a@example.org"), ("DATE", "2020-01-01T00:00:00Z"))
}


@pytest.fixture
def git(tmp_path: Path) -> Git:
    """git in a repository in the test's own folder, without anybody's configuration."""

    def run(*arguments: str, folder: Path = tmp_path) -> str:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        nobody = {"GIT_CONFIG_GLOBAL": str(tmp_path / "no" / "such"), "GIT_CONFIG_NOSYSTEM": "1"}
        return subprocess.run(
            ["git", *arguments],
            cwd=folder,
            check=True,
            capture_output=True,
            encoding="utf-8",
            env=environment | IDENTITY | nobody,
        ).stdout

    run("init", "--quiet", "--initial-branch=main")
    return run


@pytest.fixture
def commit(git: Git) -> Callable[[], None]:
    """Commit everything."""

    def run() -> None:
        git("add", "--all")
        git("commit", "--quiet", "--allow-empty", "--message", "x")

    return run


def found(done: subprocess.CompletedProcess[str]) -> list[tuple[str, int]]:
    """Where something is reported, and nothing but that is said."""
    assert done.stderr == ""
    assert done.returncode == (1 if done.stdout else 0)
    return [(line.path, line.line) for line in lines_of(done.stdout)]


Commit = Callable[[], None]


def test_only_lines_that_have_changed(batchmean: Run, write: Write, commit: Commit) -> None:
    write({"a.py": HEAD + loss("f") + loss("g"), "old.py": WRONG})
    commit()
    assert found(batchmean("check", "--since", "HEAD")) == []
    write({"a.py": HEAD + "x = 1\n\n\n" + loss("f") + loss("new") + loss("g")})
    assert found(batchmean("check", "--since", "HEAD")) == [("a.py", 17)]
    commit()
    assert found(batchmean("check", "--since", "HEAD")) == []
    assert found(batchmean("check", "--since", "HEAD~1")) == [("a.py", 17)]
    assert found(batchmean("check", "--since", "HEAD~1", "old.py")) == []
    assert (
        found(batchmean("check", "--since=HEAD~1", "-", "--stdin-filename", "a.py", stdin=HEAD + loss("f")))
        == []
    )
    assert found(batchmean("check", "--since", "HEAD~1", "--jobs", "2", ".")) == [("a.py", 17)]


def test_a_line_that_a_finding_rests_on_counts(batchmean: Run, write: Write, commit: Commit) -> None:
    write({"a.py": WRONG.replace("np.eye(10)[labels]", "labels")})
    commit()
    write({"a.py": WRONG})
    assert found(batchmean("check", "--since", "HEAD")) == [("a.py", 8)]


def test_the_work_since_it_branched_off_counts(
    batchmean: Run, write: Write, git: Git, commit: Commit
) -> None:
    write({"a.py": RIGHT, "b.py": RIGHT})
    commit()
    git("checkout", "--quiet", "-b", "work")
    write({"b.py": WRONG})
    commit()
    git("checkout", "--quiet", "main")
    write({"a.py": WRONG})
    commit()
    git("checkout", "--quiet", "work")
    assert found(batchmean("check", "--since", "main")) == [("b.py", 8)]
    git("merge", "--quiet", "--message", "m", "main")
    assert found(batchmean("check", "--since", "main")) == [("b.py", 8)]
    assert found(batchmean("check", "--since", "main~1")) == [("a.py", 8), ("b.py", 8)]


def test_histories_that_have_nothing_in_common(
    batchmean: Run, write: Write, git: Git, commit: Commit
) -> None:
    write({"a.py": WRONG})
    commit()
    git("checkout", "--quiet", "--orphan", "other")
    write({"b.py": WRONG})
    assert found(batchmean("check", "--since", "main")) == [("b.py", 8)]  # HEAD is no commit yet
    commit()
    assert found(batchmean("check", "--since", "main")) == [("b.py", 8)]


def test_files_are_renamed(batchmean: Run, write: Write, git: Git, commit: Commit) -> None:
    write({"a.py": TWO_KINDS + "\n\n# end\n", "b.py": WRONG + "# b\n"})
    commit()
    (git("mv", "a.py", "c.py"), git("mv", "b.py", native("with blanks é.py")))
    assert found(batchmean("check", "--since", "HEAD")) == []
    write({"c.py": TWO_KINDS.replace("logp.size", "logp.size * 1") + "\n\n# end\n"})
    assert found(batchmean("check", "--since", "HEAD")) == [("c.py", 14)]
    commit()
    assert found(batchmean("check", "--since", "HEAD~1")) == [("c.py", 14)]


def test_what_git_does_not_track_has_changed_whole(
    batchmean: Run, write: Write, git: Git, commit: Commit
) -> None:
    write({"a.py": WRONG, ".gitignore": "ignored.py\n"})
    commit()
    write({"new.py": WRONG, "added.py": TWO_KINDS, "ignored.py": WRONG, "meant.py": WRONG})
    git("add", "added.py")
    git("add", "--intent-to-add", "meant.py")
    expected = [("added.py", 8), ("added.py", 14), ("meant.py", 8), ("new.py", 8)]
    assert found(batchmean("check", "--since", "HEAD")) == expected
    assert found(batchmean("check", "--since", "HEAD", "ignored.py")) == [("ignored.py", 8)]


@pytest.mark.parametrize(
    "name", ["a b.py", "é/日本.py", "-x.py", "tab\there.py", '"quoted".py', "new\nline.py", ":(top)x.py"]
)
def test_names_may_be_odd(batchmean: Run, write: Write, commit: Commit, name: str) -> None:
    write({name: TWO_KINDS})
    commit()
    done = batchmean("check", "--since", "HEAD")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    write({name: TWO_KINDS.replace("logp.size", "logp.size * 1")})
    report = json.loads(batchmean("check", "--since", "HEAD", "--output-format", "json").stdout)
    assert [(finding["path"], finding["line"]) for finding in report["findings"]] == [(name, 14)]


def test_line_ends_and_encodings_are_no_change(batchmean: Run, write: Write, commit: Commit) -> None:
    latin = "# coding: latin-1\n# é\n" + WRONG
    write({"a.py": WRONG, "b.py": latin.encode("latin-1")})
    commit()
    write(
        {
            "a.py": b"\xef\xbb\xbf" + WRONG.replace("\n", "\r\n").encode(),
            "b.py": latin.replace("latin-1", "utf-8"),
        }
    )
    assert found(batchmean("check", "--since", "HEAD")) == []


def test_cells_are_compared(batchmean: Run, write: Write, commit: Commit) -> None:
    def notebook(*cells: str) -> str:
        return json.dumps(notebooks.notebook([("code", cell) for cell in cells]))

    write({"n.ipynb": notebook(HEAD, loss("f"))})
    commit()
    write({"n.ipynb": notebook("x = 1", HEAD, loss("f"), loss("g"))})
    done = batchmean("check", "--since", "HEAD")
    assert [line.partition(": ")[0] for line in done.stdout.splitlines()] == ["n.ipynb:cell 4:4:13"]


@pytest.mark.heavy  # it starts many processes, or takes seconds
def test_other_options_see_what_has_changed(
    batchmean: Run, write: Write, tmp_path: Path, commit: Commit
) -> None:
    write({"a.py": HEAD + loss("f")})
    commit()
    write({"a.py": HEAD + loss("f") + loss("g")})
    assert batchmean("check", "--since", "HEAD", "--statistics").stdout == "1\tBMN102\tclass-axis-mean\n"
    done = batchmean("check", "--since", "HEAD", "--fix")
    assert (done.returncode, done.stdout) == (0, "")
    assert (tmp_path / "a.py").read_text(encoding="utf-8") == HEAD + loss("f") + loss("g").replace(
        ".mean()", ".sum(axis=-1).mean()"
    )
    batchmean("check", "--write-baseline", "known.json")
    write({"a.py": HEAD + loss("f") + loss("h") + loss("i")})
    done = batchmean("check", "--since", "HEAD", "--baseline", "known.json")
    assert found(done) == [("a.py", 14), ("a.py", 20)]
    batchmean("check", "--write-baseline", "known.json")
    write({"a.py": HEAD + loss("f") + loss("h") + loss("i") + loss("j")})
    assert found(batchmean("check", "--since", "HEAD", "--baseline", "known.json")) == [("a.py", 26)]


def test_a_folder_of_the_repository_and_a_worktree(
    batchmean: Run, write: Write, tmp_path: Path, git: Git, commit: Commit
) -> None:
    write({"pkg/a.py": RIGHT, "pkg/b.py": WRONG})
    commit()
    write({"pkg/a.py": WRONG})
    program = Path(sys.executable).parent / "batchmean"
    for folder in (tmp_path / "pkg", tmp_path / ".git"):
        path = str(tmp_path / "pkg")
        done = subprocess.run(
            [program, "check", "--since", "HEAD", path],
            cwd=folder,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.stdout.count("BMN102") == 1, done.stderr
    git("worktree", "add", "--quiet", "other")
    write({"other/pkg/a.py": WRONG})
    assert found(batchmean("check", "--since", "main", "other")) == [("other/pkg/a.py", 8)]
    assert found(
        batchmean("check", "--since", "main", "other", GIT_DIR=str(tmp_path / "no"), GIT_INDEX_FILE="no")
    ) == [("other/pkg/a.py", 8)]


def one_line(done: subprocess.CompletedProcess[str], line: str) -> None:
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"error: --since: {line}\n")


def test_what_cannot_be_known_is_one_line(
    batchmean: Run, write: Write, tmp_path: Path, git: Git, commit: Commit
) -> None:
    write({"a.py": WRONG, "right.py": RIGHT})
    commit()
    for name in ("a.py", "right.py"):
        one_line(batchmean("check", "--since", "nowhere", name), f"{tmp_path} has no revision 'nowhere'")
    one_line(batchmean("check", "--since", "HEAD:a.py"), f"{tmp_path} has no revision 'HEAD:a.py'")
    one_line(batchmean("check", "--since", "HEAD..HEAD"), f"{tmp_path} has no revision 'HEAD..HEAD'")
    for word in ("", " ", "--output=x", "-x"):
        one_line(batchmean("check", f"--since={word}"), f"{word!r} is no revision")
    one_line(batchmean("check", "--since", "HEAD", PATH=""), "there is no git on the PATH")
    one_line(batchmean("check", "--since", "HEAD", PATH=f".{os.pathsep}bin"), "there is no git on the PATH")
    done = batchmean("check", "--since", "HEAD", "-", stdin=WRONG)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert batchmean("check", "--since", "HEAD", "--write-baseline", "b.json").returncode == 2
    git("clone", "--quiet", "--depth", "1", f"file://{tmp_path}", "shallow")
    hint = "the clone is shallow: fetch more of its history"
    one_line(
        batchmean("check", "--since", "HEAD~1", "shallow"),
        f"{tmp_path / 'shallow'} has no revision 'HEAD~1'; {hint}",
    )
    (tmp_path / ".git").rename(tmp_path / "git")
    one_line(batchmean("check", "--since", "HEAD", "a.py"), "a.py is in no git repository")
    (tmp_path / ".git").mkdir()
    done = batchmean("check", "--since", "HEAD", "a.py")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert "not a git repository" in done.stderr


def test_nothing_that_a_repository_names_is_run(
    batchmean: Run, write: Write, tmp_path: Path, git: Git, commit: Commit
) -> None:
    write({"a.py": RIGHT, "b.py": WRONG, ".gitattributes": "*.py filter=evil diff=evil\n"})
    commit()
    trap = tmp_path / "trap.sh"
    trap.write_text(f"#!/bin/sh\necho \"$0 $*\" >> '{tmp_path}/was_run'\ncat\n", encoding="utf-8")
    trap.chmod(0o755)
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for hook in (
        "post-index-change",
        "reference-transaction",
        "post-checkout",
        "pre-auto-gc",
        "fsmonitor-watchman",
    ):
        shutil.copy(trap, hooks / hook)
    for name in (
        "core.fsmonitor",
        "filter.evil.clean",
        "filter.evil.smudge",
        "filter.evil.process",
        "diff.evil.textconv",
        "diff.evil.command",
        "diff.external",
        "core.pager",
        "core.sshCommand",
        "core.askPass",
        "core.editor",
        "alias.diff-index",
        "alias.ls-files",
        "gpg.program",
        "credential.helper",
    ):
        git("config", name, str(trap))
    git("config", "core.hooksPath", str(hooks))
    git("config", "extensions.partialClone", "origin")
    git("config", "remote.origin.promisor", "true")
    git("config", "remote.origin.url", f"ext::{trap}")
    git("config", "protocol.ext.allow", "always")
    blob = (
        subprocess.run(["git", "rev-parse", "HEAD:b.py"], cwd=tmp_path, capture_output=True, check=True)
        .stdout.decode()
        .strip()
    )
    lost = tmp_path / ".git" / "objects" / blob[:2] / blob[2:]
    lost.unlink()  # to be fetched, if anybody asked the remote
    (tmp_path / "was_run").unlink(missing_ok=True)
    write({"a.py": WRONG})
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / ".git").rglob("*")}
    assert found(batchmean("check", "--since", "HEAD")) == [("a.py", 8), ("b.py", 8)]
    assert not (tmp_path / "was_run").exists()
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / ".git").rglob("*")} == before
    git("status", "--short", folder=tmp_path)
    assert (tmp_path / "was_run").exists()  # the trap is one


def test_no_git_is_run_otherwise(batchmean: Run, write: Write, tmp_path: Path) -> None:
    write({"a.py": WRONG, "bin/git": "#!/bin/sh\ntouch was_run\n"})
    (tmp_path / "bin" / "git").chmod(0o755)
    batchmean("check", "--fix", PATH=f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    assert not (tmp_path / "was_run").exists()


def longest_common(before: list[str], after: list[str]) -> int:
    """The length of the longest common subsequence, the slow way."""
    rows = [0] * (len(after) + 1)
    for old in before:
        rows, above = [0], rows
        for index, new in enumerate(after):
            rows.append(above[index] + 1 if old == new else max(above[index + 1], rows[index]))
    return rows[-1]


def test_what_has_not_changed_is_a_common_subsequence() -> None:
    chance = random.Random(0)
    for round_ in range(300):
        lines = "abcdefgh{}" if round_ % 2 else [*map(str, range(60)), *["}"] * 20]
        before = [chance.choice(lines) for _ in range(chance.randrange(40))]
        after = list(before)
        for _ in range(chance.randrange(6)):
            at = chance.randrange(len(after) + 1)
            after[at : at + chance.randrange(3)] = [
                chance.choice("abcxyz") for _ in range(chance.randrange(3))
            ]
        changed = changed_lines(before, after)
        same = [line for index, line in enumerate(after) if index not in changed]
        rest = iter(before)
        assert all(line in rest for line in same)
        if round_ % 2 == 0:  # as in code: most lines stand once
            assert len(same) >= 0.9 * longest_common(before, after) - 1
    assert changed_lines(["a", "b", "c"], ["a", "x", "b", "c"]) == {1}
    assert changed_lines([], ["a"]) == {0}
    assert changed_lines(["a"], []) == set()


def test_the_time_grows_with_the_lines() -> None:
    chance = random.Random(1)
    alike = ["x"] * 40_000
    mixed = [chance.choice("abc") for _ in range(40_000)]
    shuffled = [str(n) for n in range(40_000)]
    others = list(shuffled)
    chance.shuffle(others)
    start = time.process_time()
    for before, after in (
        (alike, ["y", *alike, "z"]),
        (mixed, mixed[::-1]),
        (shuffled, others),
        (shuffled, shuffled[::-1]),
    ):
        changed_lines(before, after)
    assert time.process_time() - start < 20
