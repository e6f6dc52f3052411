"""A loss behind a scaler of mixed precision is the same loss: the step of the optimizer undoes the scale."""

from __future__ import annotations

import pytest
from batchmean import check_source

LOOP = """\
import torch


def finetune(model, loader, optimizer, accumulation_steps):
    criterion = torch.nn.CrossEntropyLoss()
    scaler = torch.amp.GradScaler()
    for index, (inputs, labels) in enumerate(loader):
        loss = criterion(model(inputs), labels){divided}
        {backward}
        if (index + 1) % accumulation_steps == 0:
            {step}
            optimizer.zero_grad()
"""
SCALED = {"backward": "scaler.scale(loss).backward()", "step": "scaler.step(optimizer)"}
PLAIN = {"backward": "loss.backward()", "step": "optimizer.step()"}


@pytest.mark.parametrize("how", [SCALED, PLAIN], ids=["scaled", "plain"])
def test_a_missing_division_is_found_behind_a_scaler_as_without(how: dict[str, str]) -> None:
    missing = check_source(LOOP.format(divided="", **how), select=["BMN504"])
    assert [finding.code for finding in missing.findings] == ["BMN504"]
    divided = check_source(LOOP.format(divided=" / accumulation_steps", **how), select=["BMN504"])
    assert divided.findings == []
    assert not (missing.errors or divided.errors)
