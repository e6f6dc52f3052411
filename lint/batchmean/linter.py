"""From the text of a file to its findings."""

from __future__ import annotations

import ast
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from itertools import accumulate
from typing import Literal

from batchmean.engine.analysis import Event, Miscount, SupportEvent, analyse
from batchmean.engine.imports import leads_to_losses
from batchmean.findings import Because, Finding, Span
from batchmean.gate import worth_parsing
from batchmean.project import Project, is_foreign
from batchmean.rules import BY_PRECEDENCE


class InternalError(Exception):
    """The linter failed on a file: a bug of ours, to be reported with the file and never to stop a run."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def lint(
    text: str,
    path: str,
    *,
    tree: ast.Module | None = None,
    fixes: bool | Callable[[Finding], bool] = False,
    on_bound: Callable[[], None] = lambda: None,
    project: Project | None = None,
) -> list[Finding]:
    """Every finding in a file, in the order of the text; `# noqa` and the configuration are the caller's.

    Args:
        text: the source, with `\\n` line ends.
        path: how the findings name the file.
        tree: the file's syntax tree, where the caller has it; it is not asked again whether that is worth having.
        fixes: work out the fixes, too: all of them, or those of the findings for which this holds.
        on_bound: called where the file has more to read than one analysis reads.
        project: where to look for the modules of its own project that the file imports; without it none is read.

    Raises:
        SyntaxError, ValueError, RecursionError: when the text must be parsed here and cannot be.
        MemoryError: when there is not enough of it.
        InternalError: when the analysis fails.
    """
    if tree is None:
        if not (worth_parsing(text) or (project is not None and leads_to_losses(text, project))):
            return []
        tree = ast.parse(text)
    lines = text.split("\n")
    try:
        found = _findings(analyse(tree, lines, on_bound, project), path, lines)
        elsewhere = [(finding, event) for finding, event in found if _is_partly_elsewhere(event)]
        found = [each for each in found if each not in elsewhere] if elsewhere else found
        if found and fixes:
            findings = _with_fixes(found, fixes, text, tree)
        else:
            findings = [finding for finding, _ in found]
        findings += [finding for finding, _ in elsewhere]
        return sorted(findings, key=lambda f: f.sort_key)
    except MemoryError:
        raise
    except Exception as error:
        raise InternalError(f"{type(error).__name__}: {error}") from error


def _with_fixes(
    found: list[tuple[Finding, Event]],
    wanted: Literal[True] | Callable[[Finding], bool],
    text: str,
    tree: ast.Module,
) -> list[Finding]:
    try:
        from batchmean.fixes import Fixer  # LibCST takes as long to import as ten files to lint
    except ImportError:
        return [replace(finding, no_fix="LibCST is not installed") for finding, _ in found]
    fixer = Fixer(text, tree)
    return fixer.with_fixes(found, wanted) if callable(wanted) else fixer.with_fixes(found)


def _findings(events: list[Event], path: str, lines: list[str]) -> list[tuple[Finding, Event]]:
    """The findings, each with the event that it tells of; a place is reported once, whatever branch it is in."""
    best: dict[tuple[Span, str], tuple[tuple[bool, bool, bool, int], Finding, Event]] = {}
    for event in events:
        for rank, rule in enumerate(BY_PRECEDENCE):
            message = rule.check(event) if isinstance(event, rule.sees) else None
            if message is None:
                continue
            finding = _finding(event, rule.code, rule.name, message, path, lines)
            key = (finding.span, "" if isinstance(event, SupportEvent) else finding.code)
            # The mean that is off, before the sum that another branch makes of it; what is known by how much.
            is_sum = isinstance(event, SupportEvent) and event.is_summed_at_last
            order = (finding.confidence == "likely", is_sum, not finding.factor, rank)
            if key not in best or order < best[key][0]:
                best[key] = order, finding, event
            break
    return [(finding, event) for _, finding, event in best.values()]


def _finding(event: Event, code: str, name: str, message: str, path: str, lines: list[str]) -> Finding:
    because: list[Because] = []
    for place in event.evidence:
        if is_foreign(place.node):
            continue  # it is told by the call that leads there
        span = span_of(place.node, lines)
        because.append(Because(span.line, span.column, place.text))
    return Finding(
        code=code,
        name=name,
        message=message,
        path=path,
        span=span_of(event.node, lines),
        confidence="proved" if event.proved else "likely",
        factor=event.monomial,
        because=tuple(because),
        known_sizes=event.known_sizes,
    )


def _is_partly_elsewhere(event: Event) -> bool:
    """Does another module have a part in it? Then no rewrite of this file alone is tried."""
    nodes = [place.node for place in event.evidence]
    if isinstance(event, SupportEvent | Miscount) and event.reduction is not None:
        nodes += [place.node for place in event.reduction.integrand.evidence]
        nodes += [step.node for step in event.reduction.steps]
    return any(map(is_foreign, nodes))


def span_of(node: ast.AST, lines: list[str]) -> Span:
    """The range of a node in code points; `ast` counts UTF-8 bytes."""
    line: int = getattr(node, "lineno", 1)
    end_line: int = getattr(node, "end_lineno", None) or line
    column: int = getattr(node, "col_offset", 0)
    end_column: int = getattr(node, "end_col_offset", None) or column
    return Span(
        line, _code_points(lines, line, column) + 1, end_line, _code_points(lines, end_line, end_column) + 1
    )


def _code_points(lines: list[str], line: int, offset: int) -> int:
    if not 0 < line <= len(lines):
        return offset
    text = lines[line - 1]
    return offset if text.isascii() else bisect_right(_byte_offsets(text), offset) - 1


@lru_cache(maxsize=8)
def _byte_offsets(text: str) -> list[int]:
    """Where each code point of a line starts in its UTF-8, and where the last one ends."""
    return list(accumulate((len(c.encode("utf-8", "surrogatepass")) for c in text), initial=0))
