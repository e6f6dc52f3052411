"""What other programs call; docs/api.md says what is promised of it.

`Check` does the work here, as it does for the command.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from batchmean.check import DIED, INTERNAL_ERROR, Check
from batchmean.config import CONFIDENCES, Config, ConfigError, Settings, codes_from
from batchmean.memory import NO_MEMORY
from batchmean.processes import in_processes
from batchmean.report import FileError, Report
from batchmean.source import legible

if TYPE_CHECKING:
    from batchmean.findings import Confidence, Finding


@dataclass(frozen=True)
class Result:
    """What is known of one file. It can be pickled, compared, and kept."""

    path: str
    findings: list[Finding] = field(default_factory=list)
    """In the order of the text."""
    errors: list[FileError] = field(default_factory=list)
    """Why there is no verdict on the file, or on some cells of it: it is not clean then."""
    warnings: list[str] = field(default_factory=list)
    """What the command says besides on standard error: that a file has more than is read, above all."""

    def to_dicts(self) -> dict[str, Any]:
        """What `batchmean check --output-format json` writes of the same file, before it is JSON."""
        from batchmean.output.json import document

        return document(Report(self.findings, self.errors, {}))


def check_source(
    source: str | bytes,
    path: str | os.PathLike[str] = "<source>",
    *,
    fixes: bool = False,
    select: Iterable[str] | str | None = None,
    min_confidence: Confidence = "likely",
) -> Result:
    """Lint the content of one file. It reads no file, no import and no settings, runs nothing, and never raises.

    Args:
        source: the text of the file, or its bytes, which are decoded as Python does it.
        path: how the file is called in the result. What ends in .ipynb, .md, .markdown or .qmd is read as that.
        fixes: work out the fixes, too.
        select: codes or their beginnings; rules in preview, and BMN901 about comments, are reported where their
            whole code is given. Without it all other rules are.
        min_confidence: `"likely"`, also what rests on names, or `"proved"`.

    Whatever is wrong with the arguments or with the content is one of the `errors`, never silence.
    """
    warnings: list[str] = []
    name = "<source>"
    try:
        name = _name(path)
        check = Check(_settings(select, min_confidence), fixes=bool(fixes), warn=warnings.append)
        report = check.text(_content(source), name)
    except ConfigError as error:
        return _failure(name, str(error))
    except MemoryError:
        return _failure(name, NO_MEMORY)
    except Exception as error:  # also what odd kinds of strings and paths raise
        return _failure(name, _internal(error))
    return Result(name, report.findings, report.errors, warnings)


def check_files(
    paths: Iterable[str | os.PathLike[str]] | str | os.PathLike[str],
    *,
    jobs: int = 1,
    fixes: bool = False,
    select: Iterable[str] | str | None = None,
    min_confidence: Confidence | None = None,
) -> Iterator[Result]:
    """Lint files and what is below folders, as `batchmean check` does, and yield a result for each as it comes.

    The settings of the nearest pyproject.toml hold; `select` and `min_confidence` win over them. Results come in the
    order of the files, those of clean files among them. What is wrong with a folder or with settings is a result of
    its own, whose path is that of the folder or the pyproject.toml, and the other files are linted all the same. The
    last one may say something of the whole run (links that are left out, a folder without Python files).

    Args:
        paths: files and folders.
        jobs: processes to work in. Programs that start processes by spawning need `if __name__ == "__main__"`.
        fixes: work out the fixes, too.
        select: codes or their beginnings, as `--select`.
        min_confidence: as `--min-confidence`.

    Raises:
        ValueError: before anything is read, when `select`, `min_confidence` or `jobs` means nothing.
    """
    if isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1:
        raise ValueError(f"jobs: not a whole number from 1 up: {jobs!r}")
    given = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    problems: list[ConfigError] = []
    try:
        overrides = _overrides(select, min_confidence)
    except ConfigError as error:
        raise ValueError(str(error)) from None
    settings = Settings(overrides, on_problem=problems.append)
    return _each([os.fspath(path) for path in given], settings, problems, jobs, bool(fixes))


def _each(
    paths: list[str], settings: Settings, problems: list[ConfigError], jobs: int, fixes: bool
) -> Iterator[Result]:
    """The results of files, each behind those of the folders and settings that were looked at on the way to it."""
    from batchmean.baseline import Baselines

    notes: list[str] = []
    baselines = Baselines(settings, on_problem=problems.append)
    check = Check(settings, warn=notes.append)
    run = partial(_examined, fixes=fixes)
    found = ((path, _reading(settings.of(path))) for path in check.found(paths))
    examined = map(run, found) if jobs == 1 else in_processes(run, found, jobs, _lost)
    for path, report, warnings in examined:
        wanted = [finding for finding in report.findings if check.wants(finding)]
        findings = baselines.new(report._replace(findings=wanted))
        while problems:
            yield _about(problems.pop(0))
        yield Result(path, findings, report.errors, warnings)
    while problems:
        yield _about(problems.pop(0))
    for error in check.errors:
        yield Result(error.path, errors=[error])
    if notes:
        yield Result(os.curdir, warnings=notes)


def _reading(config: Config) -> dict[str, Any]:
    """Those settings that say how a file is read."""
    return {
        "follow_imports": config.follow_imports,
        "functions": config.functions,
        "python_cell_magics": config.python_cell_magics,
    }


def _examined(named: tuple[str, dict[str, Any]], *, fixes: bool) -> tuple[str, Report, list[str]]:
    """All findings in one file, however its settings choose among them; this may run in a process of its own."""
    path, reading = named
    warnings: list[str] = []
    settings = Settings({"preview": True} | reading, isolated=True)
    check = Check(settings, fixes=fixes, warn=warnings.append)
    try:
        report = check.file(path)
    except MemoryError:
        report = _without_verdict(path, NO_MEMORY)
    except Exception as error:
        report = _without_verdict(path, _internal(error))
    return path, report, warnings


def _lost(named: tuple[str, dict[str, Any]]) -> tuple[str, Report, list[str]]:
    return named[0], _without_verdict(named[0], DIED), []


def _without_verdict(path: str, message: str) -> Report:
    return Report([], [FileError(path, message)], {})


def _about(problem: ConfigError) -> Result:
    path = problem.file or "pyproject.toml"
    message = str(problem).removeprefix(f"{legible(path)}: ")
    return Result(path, errors=[FileError(path, message)])


def _settings(select: Iterable[str] | str | None, min_confidence: Confidence) -> Settings:
    """Settings of no file, under which a rule in preview is reported where its code is asked for in full.

    So is a comment that silences nothing: it may silence what shows when imports are followed.
    """
    from batchmean.rules import EVERY, UNUSED_NOQA

    given = _overrides(select, min_confidence)
    asked = given.get("select", ())
    by_code = {code for code, rule in EVERY.items() if rule.preview or rule is UNUSED_NOQA}
    left_out = tuple(by_code.difference(asked))
    return Settings(given | {"preview": True, "ignore": left_out, "follow_imports": False}, isolated=True)


def _overrides(select: Iterable[str] | str | None, min_confidence: Confidence | None) -> dict[str, Any]:
    """Arguments by the names of `Config`."""
    given: dict[str, Any] = {}
    if select is not None:
        texts = [select] if isinstance(select, str) else list(select)
        if not all(isinstance(text, str) for text in texts):
            raise ConfigError("select: codes are strings")
        given["select"] = codes_from(texts, "select")
        if not given["select"]:
            raise ConfigError("select names no code")
    if min_confidence is not None:
        if min_confidence not in CONFIDENCES:
            raise ConfigError('min_confidence must be "likely" or "proved"')
        given["min_confidence"] = min_confidence
    return given


def _name(path: object) -> str:
    if isinstance(path, (str, os.PathLike)):
        return str(os.fsdecode(path))
    raise ConfigError(f"path is no path but {_kind(path)}")


def _content(source: object) -> str | bytes:
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source)
    if isinstance(source, str):
        return source
    raise ConfigError(f"the source is neither text nor bytes but {_kind(source)}")


def _kind(value: object) -> str:
    return f"of type {type(value).__name__}"


def _failure(path: str, message: str) -> Result:
    return Result(path, errors=[FileError(path, message)])


def _internal(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return f"{INTERNAL_ERROR}: {type(error).__name__}; please report it"
