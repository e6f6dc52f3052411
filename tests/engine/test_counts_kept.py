"""A class count that is kept under another name puts a loss right: in attributes, properties and methods."""

from __future__ import annotations

import textwrap

import batchmean
import pytest


def _codes(source: str) -> list[str]:
    return [one.code for one in batchmean.check_source(textwrap.dedent(source)).findings]


@pytest.mark.parametrize(
    ("kept", "codes"),
    [
        ("num_classes", []),
        ("float(num_classes)", []),
        ("int(num_classes) * 2.0", []),
        ("torch.tensor(float(num_classes))", []),
        ("max(num_classes, 1)", []),
        ("float(weight)", ["BMN102"]),
        ("float(weight) / d", ["BMN102"]),
        ("0.5", ["BMN102"]),
    ],
)
def test_what_init_makes_of_a_class_count(kept: str, codes: list[str]) -> None:
    source = f"""
    import torch
    import torch.nn as nn
    import torch.nn.functional as F

    class Head(nn.Module):
        def __init__(self, d, num_classes, weight=1.0):
            super().__init__()
            self.fc = nn.Linear(d, num_classes)
            self.by = {kept}

        def forward(self, h, soft):
            return -self.by * (soft * F.log_softmax(self.fc(h), dim=-1)).mean()
    """
    assert _codes(source) == codes


@pytest.mark.parametrize(
    "read", ["by.stored", "by.given", "by.called()", "by.again", "self.by.stored", "stored"]
)
@pytest.mark.parametrize(
    ("made", "codes"),
    [
        ("num_classes * 2.0", []),
        ("self.num_classes * temperature ** 2", []),
        ("temperature * 2.0", ["BMN103"]),
        ("num_classes ** -0.5", ["BMN103"]),
    ],
)
def test_what_an_object_out_of_sight_holds(read: str, made: str, codes: list[str]) -> None:
    source = f"""
    import torch.nn.functional as F

    class Scale:
        def __init__(self, num_classes, temperature):
            self.stored = {made}

        @property
        def given(self):
            \"\"\"What the loss is multiplied by.\"\"\"
            return {made}

        def called(self):
            return {made}

        @property
        def again(self):
            return self.stored

    class Loss:
        def __call__(self, student, teacher, by, stored):
            kl = F.kl_div(F.log_softmax(student, 1), F.softmax(teacher, 1))
            return {read} * kl
    """
    assert _codes(source) == codes


KL = "F.kl_div(F.log_softmax(student, 1), F.softmax(teacher, 1))"


@pytest.mark.parametrize(
    ("by", "codes"), [("num_classes", []), ("2.0 * num_classes", []), ("0.5", ["BMN103"])]
)
def test_what_a_caller_multiplies_by(by: str, codes: list[str]) -> None:
    source = f"""
    import torch.nn.functional as F

    def distillation(student, teacher, by=1.0):
        return by * {KL}

    def train(model, teacher, images, num_classes):
        by = {by}
        return distillation(model(images), teacher(images), by=by)
    """
    assert _codes(source) == codes


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("class Settings:\n    num_classes = 10\n    by = 0.5 * num_classes", "settings.by"),
        ("def settings(num_classes):\n    return dict(by=0.5 * num_classes)", 'settings["by"]'),
        ("def settings(num_classes):\n    return {'by': 0.5 * num_classes}", 'settings["by"]'),
        ("def parse(args):\n    args.by = args.alpha * args.num_classes\n    return args", "settings.by"),
    ],
)
@pytest.mark.parametrize(("count", "codes"), [("num_classes", []), ("temperature", ["BMN103"])])
def test_what_settings_hold(given: str, read: str, count: str, codes: list[str]) -> None:
    given = given.replace("num_classes", count).replace("= 10", "= 2")
    source = f"""import torch.nn.functional as F

{given}

def distillation(student, teacher, settings):
    return {read} * {KL}
"""
    assert _codes(source) == codes
