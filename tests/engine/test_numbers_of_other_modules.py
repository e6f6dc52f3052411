"""A loss times a number that another module of the project sets: it may be the number of classes."""

from __future__ import annotations

import textwrap
from pathlib import Path

import batchmean
import pytest

SETTINGS = """
from dataclasses import dataclass
from types import SimpleNamespace

@dataclass
class Fields:
    omega: float = NUMBER

class Property:
    @property
    def omega(self):
        return NUMBER

class Shared:
    omega = NUMBER

class Heir(Shared):
    pass

class Own:
    def __init__(self):
        self.omega = NUMBER

class Method:
    def omega(self):
        return NUMBER

KEPT = Own()
SPACE = SimpleNamespace(omega=NUMBER)
ONE = NUMBER

def give():
    return NUMBER
"""
USES = [
    "Fields().omega",
    "Property().omega",
    "Shared().omega",
    "Shared.omega",
    "Heir().omega",
    "Own().omega",
    "Method().omega()",
    "KEPT.omega",
    "SPACE.omega",
    "ONE",
    "give()",
]


def _told(folder: Path, number: int, classes: str, use: str, module: str) -> list[str]:
    (folder / "pyproject.toml").write_text("")
    (folder / "settings.py").write_text(SETTINGS.replace("NUMBER", str(number)))
    (folder / "handed").mkdir(exist_ok=True)
    (folder / "handed" / "__init__.py").write_text("from settings import *\n")
    path = folder / "train.py"
    text = f"""
    import torch.nn.functional as F
    from {module} import {use.partition(".")[0].partition("(")[0]}

    def loss(logits, labels):
        each = -F.one_hot(labels, {classes}) * F.log_softmax(logits, dim=-1)
        return each.mean() * {use}
    """
    path.write_text(textwrap.dedent(text))
    (result,) = batchmean.check_files(path)
    assert not result.errors
    return [finding.code for finding in result.findings]


@pytest.mark.parametrize("module", ["settings", "handed"])
@pytest.mark.parametrize("use", USES)
def test_a_number_that_may_be_that_of_the_classes(tmp_path: Path, use: str, module: str) -> None:
    assert _told(tmp_path, 10, "10", use, module) == []
    assert _told(tmp_path, 10, "logits.shape[-1]", use, module) == []
    assert _told(tmp_path, 1, "10", use, module) == ["BMN102"]
    assert _told(tmp_path, 1, "logits.shape[-1]", use, module) == ["BMN102"]


@pytest.mark.parametrize(
    "owner",
    [
        "class Owner:\n    omega = 10",
        "class Owner:\n    @property\n    def omega(self):\n        return 10",
        "class Owner:\n    def __init__(self):\n        self.omega = 10",
    ],
)
def test_so_may_what_an_object_of_the_same_module_has(owner: str) -> None:
    text = f"""
import torch.nn.functional as F

{owner}

def loss(logits, labels):
    each = -F.one_hot(labels, logits.shape[-1]) * F.log_softmax(logits, dim=-1)
    return each.mean() * Owner().omega
"""
    assert [f.code for f in batchmean.check_source(text).findings] == []
    (told,) = batchmean.check_source(text.replace("10", "1")).findings
    assert told.code == "BMN102"
