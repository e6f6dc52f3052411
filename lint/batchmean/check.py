"""From paths to a report: what the command does with every file, one after the other or in parallel."""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from batchmean import gate
from batchmean.config import Config, Settings
from batchmean.functions import NONE, Functions, in_use
from batchmean.memory import NO_MEMORY, without_collection
from batchmean.processes import in_processes
from batchmean.report import FileError, Report
from batchmean.source import DOCUMENTS, SourceError, as_text, legible, read
from batchmean.syntax import parse, unparsable
from batchmean.walk import leads_out, real_folders, walk

if TYPE_CHECKING:
    from batchmean.documents import Document
    from batchmean.findings import Finding
    from batchmean.output.fingerprint import Mark
    from batchmean.project import Project

    _Fixes = bool | Callable[[Finding], bool]
    _Named = tuple[str, str, Project | None, Functions, bool]


# Below this many characters of code to analyse, starting processes costs more than it saves.
_WORTH_PROCESSES = 400_000

INTERNAL_ERROR = "internal error"
"""How the message begins where a file has no verdict through a fault of ours."""
DIED = f"{INTERNAL_ERROR}: a worker process died; please report it"


SEE = " (docs/limits.md)"
"""How a warning about a bound ends."""
_NAMED = 3  # links, or files that are not read to their end, that warnings name


class _Aside(NamedTuple):
    """Which of so many findings that look alike in a file are set aside."""

    which: frozenset[int]
    of: int


class Check:
    """One run. Nothing is silently clean: what cannot be read, parsed or analysed is an error.

    `fixes` asks for all fixes, or for those of the findings for which it holds; `go_on` is asked before each
    analysis, and ends the run by raising something.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        force_exclude: bool = False,
        jobs: int = 1,
        fixes: _Fixes = False,
        warn: Callable[[str], None],
        go_on: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._force_exclude = force_exclude
        self._jobs = jobs
        self._fixes = fixes
        self._warn = warn
        self._go_on = go_on
        self._given_folders: list[str] = []
        self._folders: tuple[str, ...] = ()
        self._outside: list[str] = []
        self._errors: list[FileError] = []
        self._considered: list[str] = []
        self._aside: dict[str, dict[Mark, _Aside]] = {}
        self._suspicious: dict[str, str] = {}
        self._projects: dict[str, Project] = {}
        self._functions: dict[str, Functions] = {}
        self._with_loops: set[str] = set()
        self._documents: dict[str, Document] = {}
        self.unread = ""
        """What `again` left unread of its file, in words."""

    def files(self, paths: Iterable[str]) -> Report:
        """Lint files, whatever they are called, and the Python files and notebooks below folders; each once."""
        for path in self.found(paths):
            self._consider(path, partial(read, path))
        return self._report()

    def found(self, paths: Iterable[str]) -> Iterator[str]:
        """What `files` lints."""
        paths = list(paths)
        self._given_folders = [path for path in paths if os.path.isdir(path)]
        self._folders = real_folders(self._given_folders)
        seen: set[str] = set()
        for path in self._found(paths):
            if path not in seen:
                seen.add(path)
                yield path
        if self._outside:
            self._warn(_about_links(self._outside))

    def refuse_outside(self, path: str) -> None:
        """Raise `SourceError` if a file to be written is not where its path says, but where a link leads.

        A link may lead to what is below its own folder, or below a folder that was given; and nothing that is
        named below the working directory may lead out of that.
        """
        absolute, here = os.path.abspath(path), os.path.join(os.getcwd(), "")
        allowed = (*self._folders, *real_folders([os.path.dirname(absolute)]))
        if leads_out(path, allowed) or (absolute.startswith(here) and leads_out(path, real_folders([here]))):
            target = os.path.realpath(path)
            raise SourceError(path, f"is a link that leads out, to {legible(target)}, so it is left as it is")

    def wants(self, finding: Finding) -> bool:
        """Whether the settings of the finding's file ask for it."""
        return self._settings.of(finding.path).wants(finding)

    @property
    def errors(self) -> list[FileError]:
        """What has no verdict so far, as far as looking for files has shown it."""
        return sorted(self._errors)

    def text(self, content: bytes | str, path: str) -> Report:
        """Lint the content of one file that is called `path` in the report and in the settings."""
        if not (self._force_exclude and self._excludes(path)):
            self._consider(path, partial(as_text, content, path))
        return self._report()

    def file(self, path: str) -> Report:
        """Lint one file, whatever it is called, and whatever is excluded."""
        self._consider(path, partial(read, path))
        return self._report()

    @property
    def considered(self) -> Sequence[str]:
        """The files that were looked at."""
        return self._considered

    @property
    def folders(self) -> Sequence[str]:
        """The folders among the paths that were given."""
        return self._given_folders

    def keep(self, report: Report, kept: Iterable[Finding]) -> Report:
        """The report on some of its findings. `again` knows the others from now on, and leaves them out."""
        from batchmean.output.fingerprint import marks

        ids = {id(finding) for finding in kept}
        alike: dict[tuple[str, Mark], list[bool]] = {}
        for finding, mark in marks(report):
            alike.setdefault((finding.path, mark), []).append(id(finding) in ids)
        for (path, mark), are_kept in alike.items():
            which = frozenset(index for index, is_kept in enumerate(are_kept) if not is_kept)
            if which:
                self._aside.setdefault(path, {})[mark] = _Aside(which, len(are_kept))
        return report._replace(findings=[finding for finding in report.findings if id(finding) in ids])

    def _kept_again(self, report: Report, path: str) -> list[Finding]:
        """What is not set aside of the findings in a file that has changed."""
        from batchmean.output.fingerprint import marks

        alike: dict[Mark, list[Finding]] = {}
        for finding, mark in marks(report):
            alike.setdefault(mark, []).append(finding)
        dropped: set[int] = set()
        for mark, aside in self._aside[path].items():
            findings = alike.get(mark, [])
            which = aside.which if len(findings) == aside.of else range(len(aside.which))
            dropped.update(id(finding) for index, finding in enumerate(findings) if index in which)
        return [finding for finding in report.findings if id(finding) not in dropped]

    def again(self, content: str, path: str) -> list[Finding]:
        """The findings in a text that is no longer what the file was. Raises `ValueError` where it has no verdict."""
        self._go_on()
        try:
            document = opened(content, path, self._settings.of(path).python_cell_magics)
        except SourceError as error:
            raise ValueError(error.message) from None
        text = content
        fixes = self._fixes
        if document is not None:
            before = self._documents.get(path)
            if before is not None and document.skipped > before.skipped:
                raise ValueError("what was Python is so no more")
            text = document.text
            if callable(fixes):
                fixes = partial(_is_wanted_in, document, fixes)
        config = self._settings.of(path)
        loops = gate.asks_for_loops(text, config.wants_loops(path))
        verdict = _lint((path, text, project_of(path, config), config.functions, loops), fixes=fixes)
        if verdict.error is not None:
            raise ValueError(verdict.error)
        self.unread = about_bounds(verdict.bounds)
        wanted = self._wanted(verdict, path, text, document)
        findings = sorted(wanted, key=lambda finding: finding.sort_key)
        if path not in self._aside:
            return findings
        return self._kept_again(Report(findings, [], sources(content, path)), path)

    def _found(self, paths: Iterable[str]) -> Iterator[str]:
        for path in paths:
            if os.path.isdir(path):
                heeds_git = self._settings.inside(path).respect_gitignore
                found = walk(
                    path,
                    self._excludes,
                    self._failed,
                    self._including,
                    respect_gitignore=heeds_git,
                    is_outside=self._is_outside,
                    warn=self._warn,
                )
                is_empty = True
                for file in found:
                    is_empty = False
                    yield file
                if is_empty:
                    hidden = heeds_git and any(walk(path, self._excludes, lambda error: None))
                    remedy = " that git does not ignore (see --no-respect-gitignore)" if hidden else ""
                    self._warn(f"no Python files to check under {legible(path)}{remedy}")
            elif not (self._force_exclude and self._excludes(path)):
                yield path.removeprefix(f".{os.sep}").removeprefix(f".{os.altsep or os.sep}")

    def _is_outside(self, path: str) -> bool:
        """Whether a link leads out of all folders that were given."""
        if not leads_out(path, self._folders):
            return False
        self._outside.append(path)
        return True

    def _excludes(self, path: str) -> bool:
        return self._settings.of(path).excludes(path)

    def _including(self, folder: str) -> Callable[[str], bool] | None:
        """Which files of a folder its settings add to the Python files."""
        config = self._settings.of(os.path.join(folder, "any"))
        return config.includes if config.extend_include else None

    def _failed(self, error: SourceError) -> None:
        self._errors.append(FileError(error.path, error.message))

    def _consider(self, path: str, get: Callable[[], str]) -> None:
        """Put a file down for analysis, unless its text shows that there is nothing to find."""
        self._considered.append(path)
        config = self._settings.of(path)
        try:
            text = get()
            document = opened(text, path, config.python_cell_magics)
        except SourceError as error:
            self._failed(error)
            return
        except MemoryError:
            self._errors.append(FileError(path, NO_MEMORY))
            return
        if document is not None:
            self._errors += [FileError(path, problem) for problem in document.problems]
            if self._is_suspicious(document.text, path, config):
                self._suspicious[path] = document.text
                self._documents[path] = document
        elif self._is_suspicious(text, path, config):
            self._suspicious[path] = text
        elif (problem := unparsable(text)) is not None:
            self._errors.append(FileError(path, problem))

    def _is_suspicious(self, text: str, path: str, config: Config) -> bool:
        """Could a loss be in the text, or does it call for one in another module of its project?"""
        functions = config.functions
        if functions:
            self._functions[path] = functions
        marked = functions.marked(text)
        loops = gate.asks_for_loops(text, config.wants_loops(path))
        if loops:
            self._with_loops.add(path)
        is_worth_it = gate.is_worth_it(marked, loops, config.preview)
        if not is_worth_it and not gate.may_use_what_is_given(marked):
            return False
        project = project_of(path, config)
        if project is None:
            return is_worth_it
        with in_use(functions, path):
            if not (is_worth_it or calls_for_losses(text, project)):
                return False
        project.forget()
        self._projects[path] = project
        return True

    def _report(self) -> Report:
        findings: list[Finding] = []
        texts: dict[str, str] = {}
        unread: list[FileError] = []
        verdicts = _lint_all(self._items, self._jobs, self._fixes)
        for path, verdict in zip(self._suspicious, verdicts, strict=True):
            if verdict.error is not None:
                self._errors.append(FileError(path, verdict.error))
            if verdict.bounds:
                unread.append(FileError(path, about_bounds(verdict.bounds)))
                if len(unread) <= _NAMED:
                    self._warn(f"{legible(path)}: {unread[-1].message}{SEE}")
            document = self._documents.get(path)
            wanted = list(self._wanted(verdict, path, self._suspicious[path], document))
            if wanted:
                texts |= {path: self._suspicious[path]} if document is None else document.sources
                findings += wanted
        if more := len(unread[_NAMED:]):
            files = "file has" if more == 1 else "files have"
            self._warn(f"{more} more {files} parts without a verdict, which json names{SEE}")
        findings.sort(key=lambda finding: finding.sort_key)
        self._errors.sort(key=lambda error: error.path)  # those of a notebook stay in the order of its cells
        return Report(findings, self._errors, texts, len(self._considered), sorted(unread))

    @property
    def _items(self) -> list[_Named]:
        return [
            (path, text, self._projects.get(path), self._functions.get(path, NONE), path in self._with_loops)
            for path, text in self._suspicious.items()
        ]

    def _wanted(
        self, verdict: _Verdict, path: str, text: str, document: Document | None
    ) -> Iterator[Finding]:
        if not (verdict.findings or gate.names_codes(text)):
            return
        from dataclasses import replace

        from batchmean.noqa import Noqa, unused_noqa

        config = self._settings.of(path)
        noqa = Noqa(text)

        def kept(findings: Iterable[Finding]) -> Iterator[Finding]:
            for finding in findings:
                if config.wants(finding) and not noqa.silences(finding.code, finding.span.line):
                    yield finding if document is None else document.mapped(finding)

        yield from kept(verdict.findings)
        if verdict.error is None and not verdict.bounds:
            for unused in kept(unused_noqa(text, path, verdict.findings, noqa)):
                has_fix = self._fixes(unused) if callable(self._fixes) else self._fixes
                yield unused if has_fix else replace(unused, fix=None)


def _is_wanted_in(document: Document, wanted: Callable[[Finding], bool], finding: Finding) -> bool:
    return wanted(document.mapped(finding))


def _about_links(outside: list[str]) -> str:
    more = f" and {len(outside) - _NAMED} more" if outside[_NAMED:] else ""
    return f"left out, as links that lead out of the paths given: {', '.join(map(legible, outside[:_NAMED]))}{more}"


def about_bounds(bounds: Sequence[str]) -> str:
    """What is said of a file in which these bounds of the work were reached; nothing where none was."""
    if not bounds:
        return ""
    listed = " and ".join([", ".join(bounds[:-1]), bounds[-1]] if bounds[1:] else bounds)
    return f"has {listed}: what is beyond that has no verdict"


def project_of(path: str, config: Config) -> Project | None:
    """Where the modules are that a file imports; None where they are not to be read."""
    if not config.follow_imports:
        return None
    from batchmean.project import Project

    return Project(path)


def calls_for_losses(text: str, project: Project) -> bool:
    """Does a text that need not hold a loss import what gives one from another module of its project?"""
    if not project.may_lead_to_losses(text):
        return False
    from batchmean.engine.selection.imports import leads_to_losses  # the engine, which most runs do not need

    return leads_to_losses(text, project)


def opened(content: str, path: str, magics: Container[str] = ()) -> Document | None:
    """What holds Python among other things, in cells under `magics`, too; None for Python itself."""
    if not path.endswith(DOCUMENTS):
        return None
    from batchmean.documents import Document

    return Document(content, path, magics)


def sources(content: str, path: str) -> dict[str, str]:
    """What the findings in a file count in, by `Finding.where`."""
    document = opened(content, path)
    return {path: content} if document is None else document.sources


class _Verdict(NamedTuple):
    findings: list[Finding]
    error: str | None
    bounds: tuple[str, ...] = ()
    """Those of the work that were reached."""


def _lint_all(items: Sequence[_Named], jobs: int, fixes: _Fixes) -> Iterator[_Verdict]:
    """The verdicts in the order of the files, from processes where that pays."""
    jobs = min(jobs, len(items))
    run = partial(_lint, fixes=fixes)
    if jobs < 2 or sum(len(text) for _, text, *_ in items) < _WORTH_PROCESSES:
        return map(run, items)
    import batchmean.linter  # noqa: F401 - forked processes have it for nothing then

    return in_processes(run, items, jobs, lambda _: _Verdict([], DIED))


def _lint(named: _Named, *, fixes: _Fixes) -> _Verdict:
    """The verdict on a path and its text, with the project that it is in, what is told of functions, and whether loops
    are asked about."""
    path, text, project, functions, loops = named
    try:
        with without_collection(), in_use(functions, path):
            return _linted(path, text, fixes, project, loops)
    finally:
        if project is not None:
            project.forget()


def _linted(path: str, text: str, fixes: _Fixes, project: Project | None, loops: bool) -> _Verdict:
    try:
        tree = parse(text)
    except ValueError as error:
        return _Verdict([], str(error))
    from batchmean.engine.bounds import ALL
    from batchmean.linter import InternalError, lint

    reached: set[str] = set()
    try:
        findings = lint(
            text,
            path,
            tree=tree,
            fixes=fixes,
            on_bound=reached.add,
            project=project,
            loops=loops,
        )
        return _Verdict(findings, None, tuple(bound for bound in ALL if bound in reached))
    except MemoryError:
        return _Verdict([], f"cannot be analysed: {NO_MEMORY}")
    except InternalError as error:
        problem = error.message
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
    return _Verdict([], f"{INTERNAL_ERROR}: {' '.join(problem.split())}; please report it")
