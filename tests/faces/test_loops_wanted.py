"""Training loops are walked where one of the rules about them is asked for: that takes as long as all else."""

from __future__ import annotations

from typing import Any

import pytest
from batchmean import check_source
from batchmean.config import LOOPS, Settings
from batchmean.rules import RULES
from batchmean.rules.base import TotalRule

EPOCH = (
    "import torch.nn.functional as F\ndef train(model, loader):\n    total = 0\n    for x, y in loader:\n"
    "        total += F.cross_entropy(model(x), y).item()\n    return total / len(loader.dataset)\n"
)


def test_the_rules_are_these_and_all_are_in_preview() -> None:
    assert tuple(code for code, rule in RULES.items() if isinstance(rule, TotalRule)) == LOOPS
    assert all(RULES[code].preview for code in LOOPS)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, False),
        ({"preview": True}, True),
        ({"preview": True, "select": ("BMN1",)}, False),
        ({"preview": True, "select": ("BMN501",)}, True),
        ({"preview": True, "ignore": ("BMN5",)}, False),
        ({"preview": True, "ignore": ("BMN501",)}, True),
    ],
)
def test_settings_that_ask_for_them(settings: dict[str, object], expected: bool) -> None:
    assert Settings(settings, isolated=True).of("a.py").wants_loops("a.py") is expected


@pytest.mark.parametrize(("select", "walks"), [(None, 0), ("BMN1", 0), ("BMN501", 1)])
def test_check_source_walks_them_only_if_asked(
    monkeypatch: pytest.MonkeyPatch, select: str | None, walks: int
) -> None:
    from batchmean.engine.epochs import totals

    walked: list[object] = []
    real = totals.epochs

    def epochs(*arguments: Any) -> object:
        walked.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(totals, "epochs", epochs)
    result = check_source(EPOCH, select=select)
    assert len(walked) == walks
    assert [finding.code for finding in result.findings] == ["BMN501"] * walks
