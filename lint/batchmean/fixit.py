"""The rules for Fixit, a class for each code: `enable = ["batchmean.fixit"]`, or `"batchmean.fixit:BMN102"`.

A file is linted once, by `check_source`, and each class hands out the findings of its code. Rules in preview are in
`batchmean.fixit_preview`. docs/fixit.md says which settings hold.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

import libcst as cst
from fixit import Invalid, LintRule, Valid
from libcst.metadata import CodePosition, CodeRange, PositionProvider

from batchmean.api import Result, check_source
from batchmean.findings import Edit, Finding, Span
from batchmean.rewrite import apart
from batchmean.rules import EVERY, Rule
from batchmean.source import apply


class _File(NamedTuple):
    """What is known of the file that Fixit shows to its rules, one after the other."""

    module: cst.Module
    result: Result
    fixes: dict[int, cst.Module]
    """By the index of a finding: the file with its fix."""


_last: list[_File] = []  # LibCST's nodes have no weak references


def _file(module: cst.Module) -> _File:
    """The file with this tree; the one before it is forgotten."""
    if not (_last and _last[0].module is module):
        _last[:] = [_linted(module)]
    return _last[0]


def _linted(module: cst.Module) -> _File:
    text = module.code
    result = check_source(text, fixes=True, select=EVERY)
    fixes: dict[int, cst.Module] = {}
    for finding in _fixable(text, result.findings):
        fixed = _parsed(apply(text, _edits(finding)), module)
        if fixed is not None:
            fixes[result.findings.index(finding)] = fixed
    return _File(module, result, fixes)


def _edits(finding: Finding) -> tuple[Edit, ...]:
    return finding.fix.edits if finding.fix is not None else ()


def _fixable(text: str, findings: list[Finding]) -> list[Finding]:
    """The findings with a safe fix: Fixit may apply all of them at once, so they have to hold together."""
    chosen = apart(
        [finding for finding in findings if finding.fix is not None and finding.fix.safe], by_line=True
    )
    if len(chosen) < 2:
        return chosen
    after = check_source(apply(text, [edit for finding in chosen for edit in _edits(finding)]), select=EVERY)
    left = Counter(finding.code for finding in findings) - Counter(finding.code for finding in chosen)
    hold = not after.errors and Counter(finding.code for finding in after.findings) <= left
    return chosen if hold else chosen[:1]


def _parsed(text: str, like: cst.Module) -> cst.Module | None:
    """The tree of a text; None where LibCST cannot read it, or does not give it back as it was."""
    try:
        module = cst.parse_module(text, like.config_for_parsing)
    except Exception:  # also RecursionError and TypeError
        return None
    return module if module.code == text else None


class _OfCode:
    """The findings of one code. It is no `LintRule` yet: Fixit takes every one that it finds here for a rule."""

    CODE: ClassVar[str]
    report: Any
    get_metadata: Any

    def visit_Module(self, node: cst.Module) -> None:
        """Report what was found in the file."""
        file = _file(node)
        for index, finding in enumerate(file.result.findings):
            if finding.code != self.CODE:
                continue
            place = _range(finding.span)
            fixed, spans = file.fixes.get(index), [place, *(_range(edit.span) for edit in _edits(finding))]
            replaced = None if fixed is None else self._replaced(node, fixed, spans)
            target, replacement = replaced or (self._holders(node, [place])[-1], None)
            self.report(target, finding.message, position=place, replacement=replacement)

    def _replaced(
        self, module: cst.Module, fixed: cst.Module, spans: list[CodeRange]
    ) -> tuple[cst.CSTNode, cst.CSTNode] | None:
        """The smallest node that holds all these places and whose replacement makes the file the fixed one."""
        twins: list[cst.CSTNode] = [fixed]
        holders = self._holders(module, spans)
        for holder, node in pairwise(holders):
            index = next(i for i, child in enumerate(holder.children) if child is node)
            if index >= len(twins[-1].children):
                break
            twins.append(twins[-1].children[index])
        for node, twin in reversed(list(zip(holders, twins, strict=False))):
            if node is module:
                break  # Fixit could apply one fix of a file then
            after = module.deep_replace(node, twin)
            if isinstance(after, cst.Module) and after.code == fixed.code:
                return node, twin
        return None

    def _holders(self, module: cst.Module, spans: list[CodeRange]) -> list[cst.CSTNode]:
        """The nodes that hold all these places, from the module inwards."""
        holders: list[cst.CSTNode] = [module]
        while True:
            inner = next((child for child in holders[-1].children if self._holds(child, spans)), None)
            if inner is None:
                return holders
            holders.append(inner)

    def _holds(self, node: cst.CSTNode, spans: list[CodeRange]) -> bool:
        place = self.get_metadata(PositionProvider, node, None)
        return place is not None and all(
            _point(place.start) <= _point(span.start) and _point(span.end) <= _point(place.end)
            for span in spans
        )


def _point(position: CodePosition) -> tuple[int, int]:
    return position.line, position.column


def _range(span: Span) -> CodeRange:
    """LibCST counts columns from 0."""
    return CodeRange((span.line, span.column - 1), (span.end_line, span.end_column - 1))


class NoVerdict(LintRule):  # type: ignore[misc] # Any, where Fixit is not installed
    """Why batchmean has no verdict on a file, or not on all of it: it is not clean then."""

    VALID: ClassVar = ["x = 1\n"]
    INVALID: ClassVar = [f"x = {'9' * 5000}\n"]  # more digits than Python takes, which LibCST does not count

    def visit_Module(self, node: cst.Module) -> None:
        """Report what went wrong."""
        result = _file(node).result
        for message in [*(error.message for error in result.errors), *result.warnings]:
            self.report(node, message, position=CodePosition(1, 0))


def rules(*, preview: bool) -> dict[str, type[LintRule]]:
    """The classes of the rules in preview, and of the one about comments, or those of all others, by their names."""
    return {
        code: _of(rule)
        for code, rule in EVERY.items()
        if (rule.preview or code.startswith("BMN9")) is preview
    }


def _of(rule: Rule) -> type[LintRule]:
    body = {
        "__doc__": rule.summary,
        "__module__": f"{__name__}_preview" if rule.preview else __name__,
        "CODE": rule.code,
        "VALID": [Valid(rule.right)],
        "INVALID": [Invalid(rule.wrong)],
    }
    return type(rule.code, (_OfCode, LintRule), body)


globals().update(rules(preview=False))
