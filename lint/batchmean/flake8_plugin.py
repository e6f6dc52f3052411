"""The flake8 plugin: `BMN` codes beside everybody else's.

flake8 runs every installed plugin on every file, so a file that cannot hold a finding costs one look at its
text. flake8 itself decides what is selected, ignored and silenced by `# noqa`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from batchmean import __version__, gate


class Plugin:
    """One file's check, as flake8 wants it. It never raises and never prints: the user's run goes on."""

    name = "batchmean"
    version = __version__

    def __init__(self, tree: ast.Module, lines: list[str], filename: str) -> None:
        self._tree = tree
        self._text = "".join(lines)
        self._filename = filename

    def run(self) -> Iterator[tuple[int, int, str, type[Plugin]]]:
        """Line, column from 0 (flake8 adds 1), message with its code, and the plugin."""
        if not gate.worth_parsing(self._text):
            return
        try:
            reports = self._reports()
        except Exception:  # the command names such a file; here it would end the run of everybody's plugins
            return
        yield from reports

    def _reports(self) -> list[tuple[int, int, str, type[Plugin]]]:
        from batchmean.linter import lint

        findings = lint(self._text, self._filename, tree=self._tree)
        if not findings:
            return []
        from batchmean.config import Config, ConfigError, Settings

        try:
            config = Settings().of(self._filename)
        except ConfigError:  # the command says what is wrong with it
            config = Config()
        return [
            (finding.span.line, finding.span.column - 1, f"{finding.code} {finding.message}", type(self))
            for finding in findings
            if config.is_confident(finding) and config.is_released(finding)
        ]
