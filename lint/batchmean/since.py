"""`--since REV`: which lines have changed, as git knows the files that they were.

Git is run for this alone. It reads revisions, trees and the index, never the files themselves: so no filter, hook,
monitor or diff program that a repository's configuration or attributes name is run, nothing is written, and nothing is
fetched. What has changed is found here.
"""

from __future__ import annotations

import os
import subprocess
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from batchmean.check import sources
from batchmean.source import MAX_BYTES, SourceError, as_text, legible, reason

if TYPE_CHECKING:
    from batchmean.findings import Finding
    from batchmean.report import Report

_SAFE = [
    "--no-pager",
    "--no-optional-locks",
    "--literal-pathspecs",
    *("-c", "core.fsmonitor=false"),
    *("-c", f"core.hooksPath={os.devnull}"),
    *("-c", "safe.bareRepository=explicit"),
    *("-c", "submodule.recurse=false"),
]
_ELSEWHERE = (
    "GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_PREFIX GIT_COMMON_DIR GIT_NAMESPACE GIT_OBJECT_DIRECTORY "
    "GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_EXTERNAL_DIFF"
).split()
"""What a hook is told of its own repository, which need not be that of a file."""
_OFFLINE = {
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
_SMALL = 10_000  # pairs of lines that are compared in any way there is
_DEPTH = 40  # of parts of files that have changed


class SinceError(Exception):
    """Why it cannot be known what has changed: one line."""


class Since:
    """The files of a run, as they were at a revision, or where the work since then branched off from it."""

    def __init__(self, revision: str) -> None:
        if not revision.strip() or revision.startswith("-") or "\0" in revision:
            raise SinceError(f"{revision!r} is no revision")
        self._revision = revision
        self._git = _git()
        self._known: dict[str, _Repository] = {}

    def repository(self, path: str) -> _Repository:
        """The repository that a file or folder is in. `SinceError` if there is none, or it lacks the revision."""
        root = _root(path)
        if root not in self._known:
            self._known[root] = _Repository(self._git, root, self._revision)
        return self._known[root]

    def changed(self, report: Report) -> list[Finding]:
        """The findings that name a line that has changed, as their own or as one that they rest on."""
        by_path: dict[str, list[Finding]] = {}
        for finding in report.findings:
            by_path.setdefault(finding.path, []).append(finding)
        texts: dict[str, list[str]] = {}
        for where in report.texts:
            texts.setdefault(where if where in by_path else where.rpartition(":cell ")[0], []).append(where)
        wanted: dict[_Repository, dict[str, _Blob | None]] = {}
        for path in by_path:
            repository = self.repository(path)
            wanted.setdefault(repository, {})[path] = repository.before(path)
        kept: set[int] = set()
        for repository, blobs in wanted.items():
            contents = repository.contents({blob.name for blob in blobs.values() if blob is not None})
            for path, blob in blobs.items():
                findings = by_path[path]
                places = (
                    None
                    if blob is None
                    else _changed_places(
                        contents.get(blob.name), blob, {w: report.texts[w] for w in texts[path]}
                    )
                )
                kept.update(id(f) for f in findings if places is None or not places.isdisjoint(_places(f)))
        return [finding for finding in report.findings if id(finding) in kept]


class _Blob(NamedTuple):
    """What a file was: the name of the content in the repository, and the file's own name then."""

    name: bytes
    path: str


class _Repository:
    def __init__(self, git: str, root: str, revision: str) -> None:
        self._command = [git, *_SAFE, "-C", root]
        self._root = root
        given = self._ask("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}", may_fail=True).strip()
        if not given:
            self._ask("rev-parse", "--git-dir")  # says what is wrong with the repository, if anything is
            is_shallow = self._ask("rev-parse", "--is-shallow-repository").strip() == b"true"
            hint = "; the clone is shallow: fetch more of its history" if is_shallow else ""
            raise SinceError(f"{legible(root)} has no revision {revision!r}{hint}")
        commit = given.decode("ascii")
        base = self._ask("merge-base", commit, "HEAD", may_fail=True).strip().decode("ascii")
        self._base = base or commit  # histories that have nothing in common, or no history yet
        self._blobs: dict[bytes, _Blob | None] | None = None

    def before(self, path: str) -> _Blob | None:
        """What a file was; None if it is new, or git does not track it."""
        if self._blobs is None:
            self._blobs = self._tracked()
        return self._blobs.get(
            os.fsencode(os.path.relpath(_real(path), self._root)).replace(os.sep.encode(), b"/")
        )

    def _tracked(self) -> dict[bytes, _Blob | None]:
        """What the files in the index were, by their paths."""
        found: dict[bytes, _Blob | None] = {}
        for entry in self._ask("ls-files", "-z", "--stage", "--full-name").split(b"\0")[:-1]:
            about, _, path = entry.partition(b"\t")
            found[path] = _Blob(about.split()[1], os.fsdecode(path))
        changes = self._ask(
            *("diff-index", "--cached", "--raw", "-z", "--no-abbrev", "-M", "--no-ext-diff", "--no-textconv"),
            *("--ignore-submodules=all", self._base, "--"),
        ).split(b"\0")
        at = 0
        while at + 1 < len(changes):
            _, _, blob, _, kind = changes[at].split(b" ")
            before = after = changes[at + 1]
            at += 2
            if kind[:1] in b"RC":
                after = changes[at]
                at += 1
            is_known = kind[:1] in b"MTRC"  # not what was added, or is in conflict
            found[after] = _Blob(blob, os.fsdecode(before)) if is_known else None
        return found

    def contents(self, names: set[bytes]) -> dict[bytes, bytes]:
        """Contents by their names, without those that are missing or too large."""
        asked = "".join(f"{name.decode('ascii')}\n" for name in sorted(names)).encode()
        sizes = self._ask("cat-file", "--batch-check", given=asked).splitlines() if names else []
        small = [
            name
            for name, kind, *size in map(bytes.split, sizes)
            if kind == b"blob" and int(size[0]) <= MAX_BYTES
        ]
        if not small:
            return {}
        data = self._ask("cat-file", "--batch", given=b"\n".join(small) + b"\n")
        found: dict[bytes, bytes] = {}
        at = 0
        while at < len(data):
            end = data.index(b"\n", at)
            name, _, size = data[at:end].split()
            found[name] = data[end + 1 : end + 1 + int(size)]
            at = end + 1 + int(size) + 1
        return found

    def _ask(self, *arguments: str, given: bytes = b"", may_fail: bool = False) -> bytes:
        environment = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE} | _OFFLINE
        environment["GIT_CEILING_DIRECTORIES"] = os.path.dirname(self._root)  # here or nowhere
        try:
            done = subprocess.run(
                [*self._command, *arguments],
                input=given,
                capture_output=True,
                check=False,
                env=environment,
            )
        except OSError as error:
            raise SinceError(f"git cannot be run: {reason(error)}") from None
        if done.returncode and not may_fail:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise SinceError(f"git in {legible(self._root)}: {said[0] if said else 'gives no answer'}")
        return b"" if done.returncode else done.stdout


def _git() -> str:
    """Where git is: never beside what is linted, as Windows has it, nor below a path that depends on that."""
    names = ["git.exe"] if os.name == "nt" else ["git"]
    for folder in os.get_exec_path():
        for name in names:
            program = os.path.join(folder, name)
            if os.path.isabs(folder) and os.path.isfile(program) and os.access(program, os.X_OK):
                return program
    raise SinceError("there is no git on the PATH")


def _root(path: str) -> str:
    """The top of the repository that a file or a folder is in."""
    real = _real(path)
    folder = real if os.path.isdir(real) else os.path.dirname(real)
    while not os.path.lexists(os.path.join(folder, ".git")):
        parent = os.path.dirname(folder)
        if parent == folder:
            raise SinceError(f"{legible(path)} is in no git repository")
        folder = parent
    return folder


def _real(path: str) -> str:
    """The path without links, but for the file itself, which git tracks as a link if it is one."""
    path = os.path.abspath(path)
    if os.path.isdir(path):
        return os.path.realpath(path)
    return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))


def _places(finding: Finding) -> set[tuple[str, int]]:
    """The lines that a finding names, and what they count in."""
    span, where = finding.span, finding.where
    lines = {(where, line) for line in range(span.line, span.end_line + 1)}
    for because in finding.because:
        cell = "" if because.cell is None else f":cell {because.cell}"
        lines.add((f"{finding.path}{cell}", because.line))
    return lines


def _changed_places(content: bytes | None, blob: _Blob, texts: dict[str, str]) -> set[tuple[str, int]] | None:
    """The lines of a file, or of its cells, that it did not have; None if that is all of them."""
    if content is None:
        return None
    try:
        before = sources(as_text(content, blob.path), blob.path)
    except SourceError:
        return None
    old = [line for text in before.values() for line in text.split("\n")]
    now = [
        (where, number, line)
        for where, text in texts.items()
        for number, line in enumerate(text.split("\n"), start=1)
    ]
    changed = changed_lines(old, [line for _, _, line in now])
    return {now[index][:2] for index in changed}


def changed_lines(before: Sequence[str], after: Sequence[str]) -> set[int]:
    """The lines of a text, counted from 0, that another one does not have in the same order.

    Lines that stand once in both hold the rest together (a patience diff), so that this takes little more than the
    lines in time, whatever they are.
    """
    changed: set[int] = set()
    parts = [(0, len(before), 0, len(after), 0)]
    while parts:
        start, end, new_start, new_end, depth = parts.pop()
        pairs = _anchors(before[start:end], after[new_start:new_end]) if depth < _DEPTH else []
        if pairs:  # on with what is between them, each time from behind one to before the next
            at, new_at = start, new_start
            for old, new in [*pairs, (end - start, new_end - new_start)]:
                parts.append((at, start + old, new_at, new_start + new, depth + 1))
                at, new_at = start + old + 1, new_start + new + 1
            continue
        whole = (start, end)
        while start < end and new_start < new_end and before[start] == after[new_start]:
            start, new_start = start + 1, new_start + 1
        while start < end and new_start < new_end and before[end - 1] == after[new_end - 1]:
            end, new_end = end - 1, new_end - 1
        if start == end or new_start == new_end or depth >= _DEPTH:
            changed.update(range(new_start, new_end))
        elif (start, end) != whole:  # lines that stood twice may stand once now
            parts.append((start, end, new_start, new_end, depth + 1))
        else:
            changed.update(
                new_start + index for index in _unmatched(before[start:end], after[new_start:new_end])
            )
    return changed


def _anchors(before: Sequence[str], after: Sequence[str]) -> list[tuple[int, int]]:
    """The most lines that stand once in each of two texts, in the order of both: where in each."""
    counts, new_counts = Counter(before), Counter(after)
    places = {line: index for index, line in enumerate(before) if counts[line] == 1}
    shared = [
        (places[line], index) for index, line in enumerate(after) if new_counts[line] == 1 and line in places
    ]
    ends: list[int] = []  # the least place at which an ascent of each length ends
    last: list[int] = []  # which pair that is
    previous: list[int] = []
    for index, (old, _) in enumerate(shared):
        length = bisect_left(ends, old)
        previous.append(last[length - 1] if length else -1)
        ends[length : length + 1] = [old]
        last[length : length + 1] = [index]
    chosen: list[tuple[int, int]] = []
    at = last[-1] if last else -1
    while at >= 0:
        chosen.append(shared[at])
        at = previous[at]
    return chosen[::-1]


def _unmatched(before: Sequence[str], after: Sequence[str]) -> set[int]:
    """The same for a part without such lines: all of it, if that is large."""
    changed = set(range(len(after)))
    if len(before) * len(after) <= _SMALL:
        from difflib import SequenceMatcher

        for match in SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks():
            changed -= set(range(match.b, match.b + match.size))
    return changed
