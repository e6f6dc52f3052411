"""The story in a page: a loss with the bug, the finding, the fix, and both losses of an untrained model.

The linter finds and mends the source below here and now; both versions are then run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from batchmean.check import Check
from batchmean.config import Settings as LinterSettings
from batchmean.output import render
from batchmean.output.style import PLAIN
from batchmean.source import apply

from batchmean_reference.claims import Settings
from batchmean_reference.laboratory import VOCABULARIES, Laboratory, Run, first_batch
from batchmean_reference.training import History

VOCABULARY = VOCABULARIES[-1]

SOURCE = f"""\
import numpy as np
from scipy.special import log_softmax


def cross_entropy(logits, labels):
    target = np.eye({VOCABULARY})[labels]
    logp = log_softmax(logits, axis=-1)
    return -(target * logp).mean()
"""


@dataclass(frozen=True)
class Story:
    """What the linter says about `SOURCE`, what it makes of it, and both losses of the untrained model."""

    finding: str
    fixed: str
    wrong: float
    right: float

    @property
    def fix(self) -> list[tuple[str, str]]:
        """The lines that the fix changes: before and after."""
        pairs = zip(SOURCE.splitlines(), self.fixed.splitlines(), strict=True)
        return [(before, after) for before, after in pairs if before != after]


def tell() -> Story:
    """Lints the source, mends it and runs both."""
    check = Check(LinterSettings(isolated=True), fixes=True, warn=lambda message: None)
    report = check.text(SOURCE.encode(), "losses.py")
    edits = [edit for finding in report.findings if finding.fix for edit in finding.fix.edits]
    fixed = apply(SOURCE, edits)
    inputs, targets = first_batch(VOCABULARY, 8, 32)
    logits = Run(VOCABULARY, model="main").fresh_model().forward(inputs)
    wrong, right = (_function(text)(logits, targets.argmax(axis=-1)) for text in (SOURCE, fixed))
    shown = [replace(finding, fix=None) for finding in report.findings]  # the fix is shown by itself
    found = render(report._replace(findings=shown), "full", PLAIN._replace(counts=False))
    return Story(found, fixed, float(wrong), float(right))


def _function(text: str) -> Callable[..., Any]:
    names: dict[str, Any] = {}
    exec(compile(text, "losses.py", "exec"), names)
    function: Callable[..., Any] = names["cross_entropy"]
    return function


def chart(curves: dict[str, History], width: int = 60, height: int = 9) -> list[str]:
    """Nats per token against the step, as lines of text. A curve is drawn with the letter that it goes by.

    >>> chart({"o": History(nats=[2.0, 1.0, 0.0]), "x": History(nats=[2.0, 2.0, 2.0])}, width=3, height=3)
    ['2.0 |xxx', '1.0 | o ', '0.0 |  o', '    +---']
    """
    top = max(max(history.nats) for history in curves.values())
    bottom = min(min(history.nats) for history in curves.values())
    grid = [[" "] * width for _ in range(height)]
    for letter, history in curves.items():
        for column in range(width):
            first = column * len(history.nats) // width
            last = max((column + 1) * len(history.nats) // width, first + 1)
            mean = sum(history.nats[first:last]) / (last - first)
            grid[round((top - mean) / ((top - bottom) or 1.0) * (height - 1))][column] = letter
    labels = [f"{top - (top - bottom) * row / (height - 1):.1f}" for row in range(height)]
    margin = max(map(len, labels))
    rows = [f"{label:>{margin}} |{''.join(row)}" for label, row in zip(labels, grid, strict=True)]
    return [*rows, f"{'':>{margin}} +{'-' * width}"]


def curves(lab: Laboratory, settings: Settings) -> dict[str, tuple[str, History]]:
    """The runs of the chart by their letters: what each is, and how it went."""
    runs = {
        "o": settings.main(settings.shown, "SGD", "units"),
        "x": settings.main(settings.shown, "SGD", "whole shape"),
    }
    return {letter: (run.label, lab.trained(run).history) for letter, run in runs.items()}
