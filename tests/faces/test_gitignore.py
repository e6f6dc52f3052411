"""What a walk leaves out because git ignores it; git itself is the measure."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from batchmean.gitignore import MAX_BYTES, MAX_WILD_BYTES, _joined, _translated
from batchmean.walk import walk
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.faces.support import WRONG, Run, Write, lines_of, native

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


def git(folder: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    return subprocess.run(
        ["git", *arguments], cwd=folder, env=ENVIRONMENT, input=stdin, capture_output=True, check=True
    ).stdout


def walked(folder: Path) -> list[str]:
    """What a walk finds, relative to `folder`."""

    def failed(error: Exception) -> None:
        raise error

    found = walk(str(folder), lambda _: False, failed, respect_gitignore=True)
    return sorted(Path(path).relative_to(folder).as_posix() for path in found)


def listed(repository: Path) -> list[str]:
    """What git would add, below a repository in which nothing is tracked."""
    names = git(repository, "ls-files", "-z", "--others", "--exclude-standard", "*.py")
    return sorted(os.fsdecode(name) for name in names.split(b"\0") if name)


TREE = [
    f"{folder}{name}.py"
    for folder in ("", "a/", "b/", "a/b/", "b/a/b/", "a b/", "é/", "[a]/", "!a/", "#a/", "ab/a/")
    for name in ("a", "b", "ab", "-", "a ", "é", "]", "!a", "#", "B1")
]

_ATOMS = ["a", "b", "B", "1", "é", "*", "**", "***", "?", "/", "/", "-", ".py", "!", "#", " ", "[a]", "[!a]",
          "[^b]", "[a-b]", "[]a]", "[-a]", "[a-]", "[[:alpha:]]", "[[:upper:]1]", "[b-a]", "[", "]", "\\", "\\a",
          "\\*", "\\ ", "\t", "**/", "/**", "/**/"]  # fmt: skip
patterns = (
    st.lists(st.sampled_from(_ATOMS), min_size=1, max_size=6)
    .map("".join)
    .filter(
        lambda line: "*\\/" not in line  # `**\/` is `**/` for git; nobody writes it
    )
)
lines = st.builds(
    "{}{}{}".format, st.sampled_from(["", "", "!", "/"]), patterns, st.sampled_from(["", "", "/", " "])
)
lists = st.lists(lines, max_size=6)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nothing is tracked in it."""
    folder = tmp_path_factory.mktemp("repository")
    git(folder, "init", "--quiet")
    for name in map(native, TREE):
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).touch()
    return folder


@settings(max_examples=80)
@example(top=["/*.py", "b?a/b/a.py"], nested=["b/*"], exclude=[], end="\n")  # neither crosses a slash
@example(top=["b.py", "!b.py/", "a.py\t", "-.py "], nested=[], exclude=["!b.py", "ab"], end="\n")
@example(top=["**/b/a.py", "a/**", "!a/b", "b/**/a*"], nested=["!b/a.py"], exclude=[], end="\r\n")
@example(top=["a**/**", "b/a**", "!b/?**/b.py"], nested=[], exclude=[], end="\n")  # git's own reading
@given(top=lists, nested=lists, exclude=lists, end=st.sampled_from(["\n", "\r\n"]))
def test_git_ignores_the_same(
    repository: Path, top: list[str], nested: list[str], exclude: list[str], end: str
) -> None:
    for name, lines in ((".gitignore", top), ("a/.gitignore", nested), (".git/info/exclude", exclude)):
        (repository / name).write_bytes(end.join(lines).encode())
    assert walked(repository) == listed(repository)


@pytest.fixture
def project(write: Write, tmp_path: Path) -> Path:
    """A repository with a generated folder, a nested one and a list of its own."""
    write(
        {
            ".gitignore": "build/\n*_pb2.py\n!kept_pb2.py\n",
            "a.py": WRONG,
            "a_pb2.py": WRONG,
            "kept_pb2.py": WRONG,
            "build/b.py": WRONG,
            "build/lib/c.py": WRONG,
            "nested/.gitignore": "/d.py\n",
            "nested/d.py": WRONG,
            "nested/deep/d.py": WRONG,
            "cache/.gitignore": "*\n",
            "cache/e.py": WRONG,
            "mine.py": WRONG,
        }
    )
    git(tmp_path, "init", "--quiet")
    write({".git/info/exclude": "mine.py\n"})
    return tmp_path


def paths(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line.path for line in lines_of(done.stdout)]


@pytest.mark.heavy  # it starts many processes, or takes seconds
@pytest.mark.usefixtures("project")
def test_what_git_ignores_is_left_out_of_folders_and_linted_when_named(batchmean: Run, write: Write) -> None:
    kept = ["a.py", "kept_pb2.py", "nested/deep/d.py"]
    assert paths(batchmean("check")) == kept
    assert paths(batchmean("check", "nested")) == kept[2:]
    named = ["a_pb2.py", "mine.py", "nested/d.py"]
    assert paths(batchmean("check", *named)) == named
    assert paths(batchmean("check", "--force-exclude", *named)) == named
    # A folder that is named is looked into, though git ignores it.
    assert paths(batchmean("check", "build")) == ["build/b.py", "build/lib/c.py"]
    assert paths(batchmean("check", "build/lib/")) == ["build/lib/c.py"]
    everything = paths(batchmean("check", "--no-respect-gitignore"))
    assert {*kept, *named, "build/lib/c.py", "cache/e.py"} < set(everything)
    write({"pyproject.toml": "[tool.batchmean]\nrespect-gitignore = false\n"})
    assert paths(batchmean("check")) == everything
    assert paths(batchmean("check", "--respect-gitignore")) == kept


@pytest.mark.usefixtures("project")
def test_a_folder_without_anything_else_says_so(batchmean: Run) -> None:
    done = batchmean("check", "cache")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == (
        "warning: no Python files to check under cache that git does not ignore (see --no-respect-gitignore)\n"
    )


def test_worktrees_have_the_repositorys_list_and_other_repositories_their_own(
    batchmean: Run, write: Write, project: Path
) -> None:
    identity = ("-c", "user.name=x", "-c", "user.email=x@y.z")
    git(project, *identity, "commit", "--quiet", "--allow-empty", "--message", "first")
    git(project, "worktree", "add", "--quiet", "tree")
    write({"tree/mine.py": WRONG, "tree/a_pb2.py": WRONG, "outside/.gitignore": "*\n"})
    assert paths(batchmean("check", "tree")) == ["tree/a_pb2.py"]
    git(project, "init", "--quiet", "other")
    write({"other/a_pb2.py": WRONG, "other/mine.py": WRONG})
    assert paths(batchmean("check", "other")) == ["other/a_pb2.py", "other/mine.py"]
    assert {"other/mine.py", "tree/a_pb2.py"} < set(paths(batchmean("check")))


def test_a_list_that_is_a_link_is_not_followed_by_git_either(write: Write, tmp_path: Path) -> None:
    write({"a.py": "", "list": "*\n"})
    git(tmp_path, "init", "--quiet")
    (tmp_path / ".gitignore").symlink_to("list")
    assert walked(tmp_path) == listed(tmp_path) == ["a.py"]


def test_outside_a_repository_nothing_is_ignored(batchmean: Run, write: Write) -> None:
    write({".gitignore": "*\n", "a.py": WRONG})
    assert paths(batchmean("check")) == ["a.py"]


def test_lists_that_cannot_be_read_and_patterns_that_mean_nothing(
    batchmean: Run, write: Write, tmp_path: Path
) -> None:
    git(tmp_path, "init", "--quiet")
    write(
        {
            "a.py": WRONG,
            ".gitignore/x": "",
            "b/c.py": WRONG,
            "b/.gitignore": b"[\n\\\n\xff[\xe9\n!\n/\n//\n# a\n\n",
        }
    )
    done = batchmean("check")
    assert (paths(done), done.stderr) == (["a.py", "b/c.py"], "")


@settings(max_examples=500, deadline=None, derandomize=True)
@given(
    glob=st.lists(st.sampled_from(["a", "b", "?", "*", "*", "**", "/", "**/", "/**", "[ab]"]), max_size=10),
    path=st.text("aab//", max_size=12),
    is_path=st.booleans(),
)
def test_stars_that_get_no_second_try_mean_the_same(glob: list[str], path: str, is_path: bool) -> None:
    parts = _translated("".join(glob).encode(), paths=is_path)
    assert parts is not None
    plain, careful = (re.compile(regex, re.DOTALL) for regex in (b"".join(parts), _joined(parts)))
    assert bool(careful.fullmatch(path.encode())) == bool(plain.fullmatch(path.encode()))


@pytest.mark.parametrize(
    "line", ["*a" * 30 + "b", "**/" + "*a*/**/" * 20 + "b", "**/a" * 30 + "/b", "?*" * 100 + "b"]
)
def test_patterns_of_many_stars_come_to_an_end(
    batchmean: Run, write: Write, tmp_path: Path, line: str
) -> None:
    """Trying every way in which the stars may share the name would not."""
    name = "a" * 200 + ".py"
    folder = "/".join(["a" * 20, "aa"] * 20)
    write({".git/HEAD": "", ".gitignore": f"{line}\n", name: WRONG, f"{folder}/c.py": WRONG})
    assert paths(batchmean("check")) == [f"{folder}/c.py", name]


@pytest.mark.parametrize(
    "lines",
    ["*.py\n" * (MAX_WILD_BYTES // 4 + 1), "a.py\n" * (MAX_BYTES // 5 + 1)],
    ids=["too many wildcards", "too large"],
)
def test_a_list_that_is_too_long_is_named_and_not_heeded(batchmean: Run, write: Write, lines: str) -> None:
    write({".git/HEAD": "", ".gitignore": lines, "a.py": WRONG, "b/.gitignore": "c.py\n", "b/c.py": WRONG})
    done = batchmean("check")
    assert paths(done) == ["a.py"]
    said = "is not heeded: it has more than 1 MiB, or more than 16 KiB of patterns with wildcards"
    assert done.stderr.startswith("warning: ")
    assert done.stderr.endswith(f".gitignore: {said}\n")
    assert done.stderr.count("\n") == 1


def test_a_long_list_of_plain_names_is_heeded(batchmean: Run, write: Write) -> None:
    lines = "".join(f"name{n}\n/b/name{n}.py\n" for n in range(30_000))
    write({".git/HEAD": "", ".gitignore": f"{lines}!/b/name7.py\n"})
    write({f"b/name{n}.py": WRONG for n in (6, 7, 29_999, 30_000)} | {"name8/c.py": WRONG})
    assert paths(batchmean("check")) == ["b/name30000.py", "b/name7.py"]


@pytest.mark.parametrize("kind", ["pipe", "device"])
@pytest.mark.parametrize("name", [".gitignore", ".git", ".git/info/exclude", ".git/commondir"])
def test_what_is_no_regular_file_is_not_read(
    batchmean: Run, write: Write, tmp_path: Path, name: str, kind: str
) -> None:
    write({"sub/a.py": WRONG} | ({".git/info/x": ""} if name != ".git" else {}))
    if kind == "pipe":
        os.mkfifo(tmp_path / name)
    else:
        (tmp_path / name).symlink_to("/dev/zero")
    for arguments in ([], ["sub"]):
        done = batchmean("check", *arguments)
        assert (paths(done), done.stderr) == (["sub/a.py"], "")
