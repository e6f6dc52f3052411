"""What is known of one text: its findings and their fixes, worked out in a thread where it can be called off."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from batchmean import gate
from batchmean.baseline import Baselines
from batchmean.check import Check, calls_for_losses, opened, project_of, sources
from batchmean.config import Config, ConfigError, Settings
from batchmean.findings import Finding, Span
from batchmean.functions import in_use
from batchmean.report import Report
from batchmean.rewrite import rewrite
from batchmean.source import SourceError, decode, encode

NO_FIXES: Final = frozenset[Span]()


class Cancelled(BaseException):
    """Nobody waits for this any more."""


class Job:
    """Something that the worker does, and that can be called off."""

    def __init__(self) -> None:
        self._is_off = threading.Event()

    def call_off(self) -> None:
        """Let `go_on` raise from now on."""
        self._is_off.set()

    def go_on(self) -> None:
        """To be asked between steps."""
        if self._is_off.is_set():
            raise Cancelled


class Analysis(NamedTuple):
    """What is known of one text. Without a verdict `findings` is None, and `problem` says why."""

    text: str
    config: Config
    config_problem: str | None
    baseline: tuple[int, int] | None
    """When the baseline was written, and its size."""
    fixed: frozenset[Span] | None
    """The findings whose fixes were asked for; None if those of all were."""
    findings: list[Finding] | None
    problem: str | None = None
    covered: tuple[Finding, ...] = ()
    """What the baseline leaves out."""
    unread: str = ""
    """What was left unread of the text."""

    def has_fixes(self, places: frozenset[Span] | None) -> bool:
        """Whether the fixes of the findings at some places, or of all, were asked for."""
        return self.fixed is None or (places is not None and places <= self.fixed)


def analyse(
    text: str,
    path: str,
    known: Analysis | None,
    job: Job,
    *,
    fixes: frozenset[Span] | None = NO_FIXES,
    overrides: Mapping[str, Any] | None = None,
) -> Analysis:
    """The findings in a text, with the fixes of those at some places, or of all (None).

    `overrides` are settings that win over those of the project. `known` comes back if that is what this would return,
    and its fixes are kept in any case.
    """
    problems: list[ConfigError] = []
    settings = Settings(overrides, on_problem=problems.append)
    config = settings.of(path)
    baselines = Baselines(settings, on_problem=problems.append)
    baselines.of(path)
    question = (text, config, str(problems[0]) if problems else None, _state(config.baseline))
    before: dict[tuple[Span, str], Finding] = {}
    if known is not None and known[:4] == question:
        if known.has_fixes(fixes):
            return known
        before = {(f.region, f.code): f for f in known.findings or () if f.region in (known.fixed or ())}
    project = project_of(path, config)
    code = _code(text, path, config)
    with in_use(config.functions, path):
        loops = gate.asks_for_loops(code, config.wants_loops(path))
        is_suspicious = gate.is_worth_it(config.functions.marked(code), loops, config.preview) or (
            project is not None and calls_for_losses(code, project)
        )
    if not is_suspicious or config.excludes(path):
        return Analysis(*question, None, [])

    def wanted(finding: Finding) -> bool:
        job.go_on()
        is_asked_for = fixes is None or finding.region in fixes
        return is_asked_for and (finding.region, finding.code) not in before

    check = _check(settings, job, fixes=wanted if fixes != NO_FIXES else False)
    try:
        found = check.again(text, path)
    except ValueError as error:
        return Analysis(*question, None, None, str(error))
    new = baselines.new(Report(found, [], sources(text, path))) if config.baseline else found
    kept = set(map(id, new))
    covered = tuple(finding for finding in found if id(finding) not in kept)
    findings = [before.get((finding.region, finding.code), finding) for finding in new]
    fixed = None if fixes is None else fixes.union(span for span, _ in before)
    return Analysis(*question, fixed, findings, covered=covered, unread=check.unread)


def _code(text: str, path: str, config: Config) -> str:
    """The Python in a text."""
    try:
        document = opened(text, path, config.python_cell_magics)
    except SourceError:
        return text
    return text if document is None else document.text


def _state(file: str | None) -> tuple[int, int] | None:
    try:
        state = Path(file).stat() if file else None
    except OSError:
        return None
    return None if state is None else (state.st_mtime_ns, state.st_size)


def fix_all(
    analysis: Analysis,
    path: str,
    job: Job,
    chosen: Sequence[Finding],
    overrides: Mapping[str, Any] | None = None,
) -> str:
    """The text with every safe fix of some findings applied."""
    settings = Settings(overrides, on_problem=lambda problem: None)
    report = Report([*chosen], [], sources(analysis.text, path))

    def wanted(finding: Finding) -> bool:
        job.go_on()
        return True

    check = _check(settings, job, fixes=wanted)
    if analysis.covered or len(chosen) < len(analysis.findings or ()):
        everything = sorted(
            [*(analysis.findings or ()), *analysis.covered], key=lambda finding: finding.sort_key
        )
        check.keep(report._replace(findings=everything), report.findings)
    try:
        data = encode(analysis.text, path)
        done = rewrite(report, check, lambda _: data, lambda *_: None, unsafe=False)
        return decode(done.changes[0].after, path) if done.changes else analysis.text
    except SourceError:  # it holds characters that the encoding it declares does not have
        return analysis.text


def _check(settings: Settings, job: Job, *, fixes: bool | Callable[[Finding], bool]) -> Check:
    return Check(settings, fixes=fixes, warn=lambda message: None, go_on=job.go_on)
