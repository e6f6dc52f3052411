"""Baselines: the findings that a project has when it begins, which are reported no more.

A baseline is a file of JSON. Each entry is a mark (`output.fingerprint`), the file that it was found in, from the
folder of the baseline, and how often it is there. An entry covers as many findings with its fingerprint in that file;
where the file is gone, in any other, since it may have been renamed.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from batchmean.config import CONFIDENCES, ConfigError
from batchmean.output.fingerprint import marks
from batchmean.source import MAX_BYTES, legible, read_regular, reason

if TYPE_CHECKING:
    from batchmean.config import Settings
    from batchmean.findings import Finding
    from batchmean.report import Report

VERSION = 1
_SHOWN = 100  # characters of the source that an entry shows


class Entry(NamedTuple):
    """What is known of findings with one fingerprint in one file."""

    path: str
    code: str
    within: str
    source: str
    """Its beginning, to be read."""
    confidence: str
    fingerprint: str


class Baseline:
    """One file, as far as it is not used up by findings."""

    def __init__(self, file: str) -> None:
        """Read it. `ConfigError` says in one line what is wrong with it."""
        self.file = file
        self._root = os.path.dirname(os.path.abspath(file))
        self._left = _read(file)
        self._by_place: dict[tuple[str, str], list[Entry]] = {}
        self._moved: dict[str, list[Entry]] | None = None
        for entry in self._left:
            self._by_place.setdefault((entry.path, entry.fingerprint), []).append(entry)

    def covers(self, path: str, fingerprint: str) -> bool:
        """Use up an entry for a finding in its own file, if there is one."""
        return self._use(self._by_place.get((_below(self._root, path), fingerprint), ()))

    def covers_moved(self, fingerprint: str) -> bool:
        """Use up an entry of a file that is gone, if there is one."""
        if self._moved is None:
            self._moved = {}
            for entry in self._left:
                if not self.is_there(entry):
                    self._moved.setdefault(entry.fingerprint, []).append(entry)
        return self._use(self._moved.get(fingerprint, ()))

    def _use(self, entries: Iterable[Entry]) -> bool:
        for entry in entries:
            if self._left[entry]:
                self._left[entry] -= 1
                return True
        return False

    def path(self, entry: Entry) -> str:
        """The entry's file, as the system has it."""
        try:
            name = os.fsdecode(entry.path.encode("utf-8", "surrogateescape"))
        except UnicodeError:  # no name of a file
            name = entry.path
        return os.path.normpath(os.path.join(self._root, name))

    def is_there(self, entry: Entry) -> bool:
        """Whether the entry's file is there under its name."""
        return os.path.lexists(self.path(entry))

    def unused(self) -> Iterator[tuple[Entry, int]]:
        """The entries that cover fewer findings than they could, and how many more they could."""
        return ((entry, count) for entry, count in self._left.items() if count)


class Baselines:
    """The baselines of a run, each read once: those that the settings of its files name.

    One that is broken ends the run, unless `on_problem` takes it: then it counts as absent.
    """

    def __init__(
        self, settings: Settings, *, on_problem: Callable[[ConfigError], None] | None = None
    ) -> None:
        self._settings = settings
        self._on_problem = on_problem
        self._known: dict[str, Baseline | None] = {}

    def new(self, report: Report) -> list[Finding]:
        """The findings of a report that no baseline covers."""
        if not report.findings:
            return []
        open_ones: list[tuple[Finding, str, Baseline]] = []
        is_new: set[int] = set()
        for finding, mark in marks(report):
            baseline = self.of(finding.path)
            if baseline is None:
                is_new.add(id(finding))
            elif not baseline.covers(finding.path, mark.fingerprint):
                open_ones.append((finding, mark.fingerprint, baseline))
        for finding, fingerprint, baseline in open_ones:  # now it is known what the files themselves use up
            if not baseline.covers_moved(fingerprint):
                is_new.add(id(finding))
        return [finding for finding in report.findings if id(finding) in is_new]

    def of(self, path: str) -> Baseline | None:
        """The baseline for a file, if there is one."""
        file = self._settings.of(path).baseline
        if not file:
            return None
        if file not in self._known:
            try:
                self._known[file] = Baseline(file)
            except ConfigError as problem:
                if self._on_problem is None:
                    raise
                problem.file = file
                self._known[file] = None
                self._on_problem(problem)
        return self._known[file]

    def stale(
        self, checked: Iterable[str], folders: Iterable[str], failed: Iterable[str]
    ) -> Iterator[tuple[Baseline, Entry, int]]:
        """The entries that cover nothing any more, as far as a run can tell: of files that it has `checked`, or that
        are gone from the `folders` that it has looked through; not of those that have `failed`.
        """
        here = {os.path.abspath(path) for path in checked}
        broken = {os.path.abspath(path) for path in failed}
        below = tuple(os.path.join(os.path.abspath(folder), "") for folder in folders)
        for baseline in filter(None, self._known.values()):
            for entry, count in baseline.unused():
                path = baseline.path(entry)
                is_gone = path.startswith(below) and not baseline.is_there(entry)
                is_known = is_gone or (path in here and path not in broken)
                if is_known and self._is_asked_for(entry, path):
                    yield baseline, entry, count

    def _is_asked_for(self, entry: Entry, path: str) -> bool:
        """Whether a finding like this would be reported today."""
        from batchmean.rules import EVERY

        is_known = entry.code in EVERY
        return not is_known or self._settings.of(path).asks_for(entry.code, entry.confidence, path)


def content(report: Report, file: str) -> bytes:
    """What a baseline with the findings of a report says, in an order that is the same in every run."""
    root = os.path.dirname(os.path.abspath(file))
    counts: Counter[Entry] = Counter()
    for finding, mark in marks(report):
        path, source = _below(root, finding.path), mark.source[:_SHOWN]
        entry = Entry(path, mark.code, mark.within, source, finding.confidence, mark.fingerprint)
        counts[entry] += 1
    findings = [entry._asdict() | {"count": count} for entry, count in sorted(counts.items())]
    document = {"tool": "batchmean", "version": VERSION, "findings": findings}
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    return text.encode("utf-8", "backslashreplace")  # which is how JSON spells what is no text


def refuse_to_replace(file: str) -> None:
    """Raise `ConfigError` if there is something in a baseline's place that is none."""
    try:
        is_free = not os.path.lexists(file) or (os.path.isfile(file) and not os.path.getsize(file))
    except OSError:
        is_free = False
    if not is_free:
        try:
            _read(file)
        except ConfigError as problem:
            raise ConfigError(f"{problem}; it is left as it is") from None


def _below(root: str, path: str) -> str:
    """A file's path from a folder, with `/`, on every system and in every locale the same."""
    path = os.path.abspath(path)
    try:
        path = os.path.relpath(path, root)
    except ValueError:  # on another drive
        pass
    return legible(path).replace(os.sep, "/")


def _read(file: str) -> Counter[Entry]:
    where = legible(file)
    try:
        data = read_regular(file, MAX_BYTES)
    except OSError as error:
        raise ConfigError(f"{where}: {reason(error)}") from None
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{where}: is larger than {MAX_BYTES >> 20} MiB")
    try:
        document = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else " ".join(str(error).split())
        raise ConfigError(f"{where}: is no baseline of batchmean, and no JSON: {why}") from None
    if not isinstance(document, dict) or document.get("tool") != "batchmean":
        raise ConfigError(f"{where}: is no baseline of batchmean")
    version = document.get("version")
    if type(version) is not int or version != VERSION:
        if type(version) is int and version > VERSION:
            raise ConfigError(f"{where}: is a baseline of a newer batchmean (version {version})")
        raise ConfigError(f"{where}: is no baseline of batchmean: it has no version")
    findings = document.get("findings")
    if not isinstance(findings, list):
        raise ConfigError(f"{where}: is no baseline of batchmean: it has no list of findings")
    entries: Counter[Entry] = Counter()
    for number, finding in enumerate(findings, start=1):
        entry, count = _entry(finding, f"{where}: entry {number}")
        entries[entry] += count
    return entries


def _entry(finding: Any, where: str) -> tuple[Entry, int]:
    if not isinstance(finding, dict):
        raise ConfigError(f"{where} is no table")
    for key in Entry._fields:
        if not isinstance(finding.get(key), str):
            raise ConfigError(f"{where}: {key} must be a string")
    count = finding.get("count")
    if type(count) is not int or count < 1:
        raise ConfigError(f"{where}: count must be a whole number from 1 up")
    if finding["confidence"] not in CONFIDENCES:
        raise ConfigError(f'{where}: confidence must be "likely" or "proved"')
    return Entry(*(finding[key] for key in Entry._fields)), count
