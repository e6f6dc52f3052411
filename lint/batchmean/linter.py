"""From the text of a file to its findings."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from batchmean.engine.events import Event, Miscount
from batchmean.engine.selection.imports import leads_to_losses
from batchmean.findings import Finding
from batchmean.functions import told
from batchmean.gate import worth_parsing
from batchmean.project import Project, is_foreign
from batchmean.rules import RULES
from batchmean.rules.support import SupportEvent
from batchmean.verdicts import findings_of


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
    on_bound: Callable[[str], None] = lambda bound: None,
    project: Project | None = None,
    loops: bool = True,
) -> list[Finding]:
    """Every finding in a file, in the order of the text; `# noqa` and the configuration are the caller's.

    Args:
        text: the source, with `\\n` line ends.
        path: how the findings name the file.
        tree: the file's syntax tree, where the caller has it; it is not asked again whether that is worth having.
        fixes: work out the fixes, too: all of them, or those of the findings for which this holds.
        on_bound: told of each bound of the work that is reached, in the words of `engine.bounds`.
        loops: look at what training loops add up, too (BMN501 to BMN506).
        project: where to look for the modules of its own project that the file imports; without it none is read.

    Raises:
        SyntaxError, ValueError, RecursionError: when the text must be parsed here and cannot be.
        MemoryError: when there is not enough of it.
        InternalError: when the analysis fails.
    """
    if tree is None:
        if not (
            worth_parsing(told().marked(text), loops)
            or (project is not None and leads_to_losses(text, project))
        ):
            return []
        tree = ast.parse(text)
    lines = text.split("\n")
    try:
        found = findings_of(tree, lines, path, on_bound, project, loops)
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
        import libcst  # noqa: F401 - it takes as long to import as ten files to lint
    except ImportError:
        return [replace(finding, no_fix="LibCST is not installed") for finding, _ in found]
    from batchmean.fixes import Fixer

    fixer = Fixer(text, tree, RULES)
    return fixer.with_fixes(found, wanted) if callable(wanted) else fixer.with_fixes(found)


def _is_partly_elsewhere(event: Event) -> bool:
    """Does another module have a part in it? Then no rewrite of this file alone is tried."""
    nodes = [place.node for place in event.evidence]
    if isinstance(event, SupportEvent | Miscount) and event.reduction is not None:
        nodes += [place.node for place in event.reduction.integrand.evidence]
        nodes += [step.node for step in event.reduction.steps]
    return any(map(is_foreign, nodes))
