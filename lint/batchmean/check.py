"""From paths to a report: what the command does with every file, one after the other or in parallel."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from batchmean import gate
from batchmean.config import Settings
from batchmean.memory import without_collection
from batchmean.source import DOCUMENTS, SourceError, decode, legible, read, walk

if TYPE_CHECKING:
    import ast

    from batchmean.documents import Document
    from batchmean.findings import Finding

# Below this many characters of code to analyse, starting processes costs more than it saves.
_WORTH_PROCESSES = 400_000

INTERNAL_ERROR = "internal error"
"""How the message begins where a file has no verdict through a fault of ours."""


class FileError(NamedTuple):
    """A file that has no verdict, and why."""

    path: str
    message: str


class Report(NamedTuple):
    """What a run found, in the order of the report. `texts` has what findings count in, by `Finding.where`."""

    findings: list[Finding]
    errors: list[FileError]
    texts: dict[str, str]


class Check:
    """One run. Nothing is silently clean: what cannot be read, parsed or analysed is an error."""

    def __init__(
        self,
        settings: Settings,
        *,
        force_exclude: bool = False,
        jobs: int = 1,
        fixes: bool = False,
        warn: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._force_exclude = force_exclude
        self._jobs = jobs
        self._fixes = fixes
        self._warn = warn
        self._errors: list[FileError] = []
        self._suspicious: dict[str, str] = {}
        self._documents: dict[str, Document] = {}

    def files(self, paths: Iterable[str]) -> Report:
        """Lint files, whatever they are called, and the Python files and notebooks below folders; each once."""
        for path in self.found(paths):
            self._consider(path, partial(read, path))
        return self._report()

    def found(self, paths: Iterable[str]) -> Iterator[str]:
        """What `files` lints."""
        seen: set[str] = set()
        for path in self._found(paths):
            if path not in seen:
                seen.add(path)
                yield path

    @property
    def errors(self) -> list[FileError]:
        """What has no verdict so far, as far as looking for files has shown it."""
        return sorted(self._errors)

    def text(self, data: bytes, path: str) -> Report:
        """Lint the bytes of one file that is called `path` in the report and in the settings."""
        if not (self._force_exclude and self._excludes(path)):
            self._consider(path, partial(decode, data, path))
        return self._report()

    def again(self, text: str, path: str) -> list[Finding]:
        """The findings in a text that is no longer what the file was. Raises `ValueError` where it has no verdict."""
        try:
            document = opened(text, path)
        except SourceError as error:
            raise ValueError(error.message) from None
        if document is not None:
            before = self._documents.get(path)
            if before is not None and document.skipped > before.skipped:
                raise ValueError("what was Python is so no more")
            text = document.text
        verdict = _lint(path, text, fixes=self._fixes)
        if verdict.error is not None:
            raise ValueError(verdict.error)
        wanted = self._wanted(verdict.findings, path, text, document)
        return sorted(wanted, key=lambda finding: finding.sort_key)

    def _found(self, paths: Iterable[str]) -> Iterator[str]:
        for path in paths:
            if os.path.isdir(path):
                heeds_git = self._settings.inside(path).respect_gitignore
                files = list(
                    walk(path, self._excludes, self._failed, self._including, respect_gitignore=heeds_git)
                )
                if not files:
                    hidden = heeds_git and any(walk(path, self._excludes, lambda error: None))
                    remedy = " that git does not ignore (see --no-respect-gitignore)" if hidden else ""
                    self._warn(f"no Python files to check under {legible(path)}{remedy}")
                yield from files
            elif not (self._force_exclude and self._excludes(path)):
                yield path.removeprefix(f".{os.sep}")

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
        try:
            text = get()
            document = opened(text, path)
        except SourceError as error:
            self._failed(error)
            return
        if document is not None:
            self._errors += [FileError(path, problem) for problem in document.problems]
            if gate.worth_parsing(document.text):
                self._suspicious[path] = document.text
                self._documents[path] = document
        elif gate.worth_parsing(text):
            self._suspicious[path] = text
        elif (problem := unparsable(text)) is not None:
            self._errors.append(FileError(path, problem))

    def _report(self) -> Report:
        findings: list[Finding] = []
        texts: dict[str, str] = {}
        verdicts = _lint_all(self._suspicious, self._jobs, self._fixes)
        for path, verdict in zip(self._suspicious, verdicts, strict=True):
            if verdict.error is not None:
                self._errors.append(FileError(path, verdict.error))
            if verdict.findings:
                document = self._documents.get(path)
                texts |= {path: self._suspicious[path]} if document is None else document.sources
                findings += self._wanted(verdict.findings, path, self._suspicious[path], document)
        findings.sort(key=lambda finding: finding.sort_key)
        self._errors.sort(key=lambda error: error.path)  # those of a notebook stay in the order of its cells
        return Report(findings, self._errors, texts)

    def _wanted(
        self, findings: list[Finding], path: str, text: str, document: Document | None
    ) -> Iterator[Finding]:
        from batchmean.noqa import Noqa

        config = self._settings.of(path)
        noqa = Noqa(text)
        for finding in findings:
            if config.wants(finding) and not noqa.silences(finding.code, finding.span.line):
                yield finding if document is None else document.mapped(finding)


def opened(content: str, path: str) -> Document | None:
    """What holds Python among other things; None for Python itself."""
    if not path.endswith(DOCUMENTS):
        return None
    from batchmean.documents import Document

    return Document(content, path)


def parse(text: str) -> ast.Module:
    """The tree of a file; `ValueError` with one line that says why there is none."""
    import ast

    try:
        with without_collection(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the user's invalid escapes are not our findings
            return ast.parse(text)
    except SyntaxError as error:
        place = f" on line {error.lineno}" if error.lineno else ""
        raise ValueError(f"syntax error{place}: {error.msg}") from None
    except (RecursionError, MemoryError):
        raise ValueError("cannot be parsed: nested too deeply") from None


def unparsable(text: str) -> str | None:
    """Why a file that needs no analysis is no Python either; `None` if it is.

    A symbol table takes half the time of a tree. It refuses some files that parse, so the parser has the last
    word.
    """
    import symtable

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            symtable.symtable(text, "<file>", "exec")
    except Exception:
        try:
            parse(text)
        except ValueError as error:
            return str(error)
    return None


class _Verdict(NamedTuple):
    findings: list[Finding]
    error: str | None


def _lint_all(texts: dict[str, str], jobs: int, fixes: bool) -> Iterator[_Verdict]:
    """The verdicts in the order of the files, from processes where that pays."""
    jobs = min(jobs, len(texts))
    if jobs < 2 or sum(map(len, texts.values())) < _WORTH_PROCESSES:
        return map(partial(_lint, fixes=fixes), texts, texts.values())
    return _lint_in_processes(texts, jobs, fixes)


def _lint_in_processes(texts: dict[str, str], jobs: int, fixes: bool) -> Iterator[_Verdict]:
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    import batchmean.linter  # noqa: F401 - forked processes have it for nothing then

    with ProcessPoolExecutor(jobs, initializer=_die_quietly) as pool:
        futures = [pool.submit(_lint, path, text, fixes=fixes) for path, text in texts.items()]
        try:
            for future in futures:
                try:
                    yield future.result()
                except BrokenProcessPool:
                    yield _Verdict([], f"{INTERNAL_ERROR}: a worker process died; please report it")
        except BaseException:  # Ctrl-C, above all: what is queued is not worth waiting for
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _die_quietly() -> None:
    """Let Ctrl-C, which reaches every process, end a worker at once and without a traceback."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _lint(path: str, text: str, *, fixes: bool) -> _Verdict:
    with without_collection():
        return _linted(path, text, fixes)


def _linted(path: str, text: str, fixes: bool) -> _Verdict:
    try:
        tree = parse(text)
    except ValueError as error:
        return _Verdict([], str(error))
    from batchmean.linter import InternalError, lint

    try:
        return _Verdict(lint(text, path, tree=tree, fixes=fixes), None)
    except InternalError as error:
        problem = error.message
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
    return _Verdict([], f"{INTERNAL_ERROR}: {' '.join(problem.split())}; please report it")
