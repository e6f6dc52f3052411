"""The benchmark measures what it says it does."""

from __future__ import annotations

from batchmean.linter import lint

from benchmarks.editor import LINES, measure, module


def test_the_module_has_the_lines_and_losses_that_are_told() -> None:
    text = module(LINES)
    assert LINES - 60 < text.count("\n") <= LINES
    found = [finding.span.line for finding in lint(text, "losses.py")]
    written = [n for n, line in enumerate(text.split("\n"), 1) if line.endswith("(target * logp).mean()")]
    assert found == written != []


def test_every_change_is_waited_for() -> None:
    found, first, waits = measure(module(200), 3)
    assert found == 1
    assert first > 0
    assert len(waits) == 3
