"""From a tree to its findings, each with the event that it tells of."""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import partial

from batchmean.engine.analysis import analyse
from batchmean.engine.events import Event
from batchmean.findings import Because, Finding, Span, span_of
from batchmean.project import Project, is_foreign
from batchmean.rules import BY_PRECEDENCE, judge
from batchmean.rules.support import SupportEvent


def findings_of(
    tree: ast.Module,
    lines: list[str],
    path: str,
    on_bound: Callable[[str], None] = lambda bound: None,
    project: Project | None = None,
    loops: bool = True,
) -> list[tuple[Finding, Event]]:
    """The findings, each with the event that it tells of; a place is reported once, whatever branch it is in."""
    best: dict[tuple[Span, str], tuple[tuple[bool, bool, bool, int], Finding, Event]] = {}
    for rule, event in analyse(tree, lines, partial(judge, loops=loops), on_bound, project):
        if is_foreign(event.node):
            continue  # it is told where that module is linted
        finding = _finding(event, rule.code, rule.name, rule.message(event), path, lines)
        key = (finding.span, "" if isinstance(event, SupportEvent) else finding.code)
        # The mean that is off, before the sum that another branch makes of it; what is known by how much.
        is_sum = isinstance(event, SupportEvent) and event.is_summed_at_last
        order = (finding.confidence == "likely", is_sum, not finding.factor, BY_PRECEDENCE.index(rule))
        if key not in best or order < best[key][0]:
            best[key] = order, finding, event
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
