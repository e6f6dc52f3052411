"""The flake8 plugin: `BMN` codes beside everybody else's.

flake8 runs every installed plugin on every file, so a file that cannot hold a finding costs one look at its
text. flake8 itself decides what is selected, ignored and silenced by `# noqa`; what the nearest
`[tool.batchmean]` leaves out does not even reach it.
"""

from __future__ import annotations

import ast
from argparse import Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from batchmean import functions, gate
from batchmean.memory import KEPT
from batchmean.own_functions import functions_at
from batchmean.version import __version__

if TYPE_CHECKING:
    from batchmean.config import Settings
    from batchmean.findings import Finding


class Plugin:
    """One file's check, as flake8 wants it. It never raises and never prints: the user's run goes on."""

    name = "batchmean"
    version = __version__

    _is_selected_by_flake8: ClassVar[bool] = False

    @classmethod
    def parse_options(cls, option_manager: object, options: Namespace, args: list[str]) -> None:
        """Take note whether flake8's own `select` or `extend-select` names our codes; called for every run."""
        chosen = [*(options.select or ()), *(options.extend_select or ())]
        cls._is_selected_by_flake8 = any(code.startswith("BMN") for code in chosen)

    def __init__(self, tree: ast.Module, lines: list[str], filename: str) -> None:
        self._tree = tree
        self._text = "".join(lines)
        self._filename = filename

    def run(self) -> Iterator[tuple[int, int, str, type[Plugin]]]:
        """Line, column from 0 (flake8 adds 1), message with its code, and the plugin."""
        try:
            own = functions_at(self._filename)
            if not gate.is_worth_settings(own.marked(self._text)):
                return
            with functions.in_use(own, self._filename):
                reports = self._reports()
            KEPT.set_aside()
        except Exception:  # the command names such a file; here it would end the run of everybody's plugins
            return
        yield from reports

    def _reports(self) -> list[tuple[int, int, str, type[Plugin]]]:
        from batchmean.check import calls_for_losses, project_of
        from batchmean.config import Settings

        # The command says what is wrong with settings.
        settings = Settings(on_problem=lambda problem: None)
        config = settings.of(self._filename)
        loops = gate.asks_for_loops(
            self._text,
            config.preview if self._is_selected_by_flake8 else config.wants_loops(self._filename),
        )
        is_worth_it = gate.is_worth_it(config.functions.marked(self._text), loops, config.preview)
        project = project_of(self._filename, config)
        if not is_worth_it and (project is None or not calls_for_losses(self._text, project)):
            return []
        from batchmean.linter import lint

        bounds: list[str] = []
        findings = lint(
            self._text,
            self._filename,
            tree=self._tree,
            on_bound=bounds.append,
            project=project,
            loops=loops,
        )
        if gate.names_codes(self._text) and not bounds:
            from batchmean.noqa import unused_noqa

            findings += unused_noqa(self._text, self._filename, findings)
            findings.sort(key=lambda finding: finding.sort_key)
        if config.excludes(self._filename):
            return []
        if self._is_selected_by_flake8:  # then it decides alone
            config = config._replace(select=None, ignore=())
        findings = [finding for finding in findings if config.wants(finding)]
        if config.baseline:
            findings = self._new(findings, settings)
        return [
            (finding.span.line, finding.span.column - 1, f"{finding.code} {finding.message}", type(self))
            for finding in findings
        ]

    def _new(self, findings: list[Finding], settings: Settings) -> list[Finding]:
        """What the baseline does not cover. Here it has to be known what flake8 will silence."""
        from batchmean.baseline import Baselines
        from batchmean.noqa import Noqa
        from batchmean.report import Report

        noqa = Noqa(self._text)
        heard = [finding for finding in findings if not noqa.silences(finding.code, finding.span.line)]
        return Baselines(settings, on_problem=lambda problem: None).new(
            Report(heard, [], {self._filename: self._text})
        )
