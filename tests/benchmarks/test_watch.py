"""The benchmark of the watch: no false alarm, and a last line of JSON."""

from __future__ import annotations

import json

import pytest

from tests.frameworks.libraries import require


@pytest.mark.heavy
def test_no_false_alarms_and_most_found(capsys: pytest.CaptureFixture[str]) -> None:
    require("torch")
    from benchmarks.watch import main

    assert main() == 0
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (figures["wrong"], figures["right"]) == (20, 20)
    assert figures["tools"]["batchmean"] == {"found": 18, "false_alarms": 0, "failed": 0}
