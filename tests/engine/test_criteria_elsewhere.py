"""Criteria that another module of the project makes: a base class, a factory, a table; and what may change them."""

from __future__ import annotations

import textwrap
from pathlib import Path

import batchmean
import pytest

BASE = """
import torch.nn as nn

class Base:
    def __init__(self):
        self.kl = nn.KLDivLoss({how})
        self.criteria = nn.ModuleDict({{"kl": nn.KLDivLoss({how})}})
{method}

def build(name, reduction="mean"):
    if name == "ce":
        return nn.CrossEntropyLoss()
    elif name == "kl":
        return nn.KLDivLoss({how})
    raise ValueError(name)

OBJECTS = {{"ce": nn.CrossEntropyLoss(), "kl": nn.KLDivLoss({how})}}
CLASSES = dict(ce=nn.CrossEntropyLoss, kl=nn.KLDivLoss)
{change}
"""
USE = """
import torch.nn as nn
import torch.nn.functional as F
import elsewhere
from elsewhere import CLASSES, OBJECTS, Base, build

class Heir({base}):
    def __init__(self):
        super().__init__()
        self.built = build("kl")
        self.made = CLASSES["kl"]()
        {own}

    def distil(self, student, teacher):
        {criterion}
        return criterion(F.log_softmax(student, dim=1), F.softmax(teacher, dim=1))
"""


def _codes(
    folder: Path,
    criterion: str,
    *,
    base: str = "Base",
    own: str = "pass",
    how: str = "",
    method: str = "",
    change: str = "",
) -> list[str]:
    (folder / "pyproject.toml").write_text("")
    (folder / "elsewhere.py").write_text(
        BASE.format(how=how, method=textwrap.indent(method, "    "), change=change)
    )
    using = folder / "using.py"
    using.write_text(USE.format(base=base, own=own, criterion=f"criterion = {criterion}"))
    return _found(using)


def _found(path: Path) -> list[str]:
    (result,) = batchmean.check_files(path)
    assert not result.errors
    return [finding.code for finding in result.findings]


PLACES = [
    "self.kl",
    'self.criteria["kl"]',
    "self.built",
    'build("kl")',
    'OBJECTS["kl"]',
    'elsewhere.OBJECTS["kl"]',
]


@pytest.mark.parametrize("criterion", [*PLACES, "self.made", 'CLASSES["kl"]()'])
@pytest.mark.parametrize("base", ["Base", "elsewhere.Base"])
def test_a_criterion_that_another_module_makes_is_known(tmp_path: Path, criterion: str, base: str) -> None:
    assert _codes(tmp_path, criterion, base=base) == ["BMN103"]


@pytest.mark.parametrize("criterion", PLACES)
def test_and_so_is_a_right_one(tmp_path: Path, criterion: str) -> None:
    assert _codes(tmp_path, criterion, how='reduction="batchmean"') == []


RIGHT = 'nn.KLDivLoss(reduction="batchmean")'


@pytest.mark.parametrize(
    ("criterion", "changed"),
    [
        ("self.kl", {"own": f"self.kl = {RIGHT}"}),
        ("self.kl", {"own": 'self.kl.reduction = "batchmean"'}),
        ("self.kl", {"method": f"def later(self):\n    self.kl = {RIGHT}\n"}),
        ('self.criteria["kl"]', {"own": f'self.criteria["kl"] = {RIGHT}'}),
        ('self.criteria["kl"]', {"method": f'def later(self):\n    self.criteria["kl"] = {RIGHT}\n'}),
        ('OBJECTS["kl"]', {"change": "def register(name, criterion):\n    OBJECTS[name] = criterion\n"}),
        ('OBJECTS["kl"]', {"change": f"OBJECTS.update(kl={RIGHT})\n"}),
        ('OBJECTS["kl"]', {"own": f'OBJECTS["kl"] = {RIGHT}'}),
        ("OBJECTS[self.name]", {}),
        ("build(self.name)", {}),
    ],
)
def test_what_may_be_changed_or_chosen_is_not(
    tmp_path: Path, criterion: str, changed: dict[str, str]
) -> None:
    assert _codes(tmp_path, criterion, **changed) == []


SAME_FILE = """
import torch.nn as nn
import torch.nn.functional as F

CRITERIA = {"kl": nn.KLDivLoss()}

def register(name, criterion):
    CRITERIA[name] = criterion

class Distillation:
    def __init__(self):
        self.kl = nn.KLDivLoss()
        self.criteria = {"kl": nn.KLDivLoss()}
        self.criteria["kl"] = nn.KLDivLoss(reduction="batchmean")

    def loss(self, student, teacher):
        criterion = PLACE
        return criterion(F.log_softmax(student, dim=1), F.softmax(teacher, dim=1))

    def later(self):
        self.kl = nn.KLDivLoss(reduction="batchmean")
"""


@pytest.mark.parametrize("place", ['CRITERIA["kl"]', "self.kl", 'self.criteria["kl"]'])
def test_nor_is_what_is_stored_again_in_the_same_file(tmp_path: Path, place: str) -> None:
    using = tmp_path / "using.py"
    using.write_text(SAME_FILE.replace("PLACE", place))
    assert _found(using) == []
    kept = (
        SAME_FILE.replace("PLACE", place)
        .replace('reduction="batchmean"', "")
        .replace("    CRITERIA[", "    dict()[")
    )
    kept = kept.replace("    def later(self):\n        self.kl = nn.KLDivLoss()\n", "")
    using.write_text(kept)
    assert _found(using) == ["BMN103"]


FOLDER = """
import torch
from {module} import Base

class Heir(Base):
    def distil(self, student, teacher):
        return torch.tensor(0.0) + self.kl(student, teacher)
"""


@pytest.mark.parametrize(("module", "found"), [("clients.base", True), ("other.base", False), ("base", True)])
def test_a_folder_that_is_no_package_is_known_by_its_name(tmp_path: Path, module: str, found: bool) -> None:
    for name in ("clients", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "base.py").write_text(BASE.format(how="", method="", change=""))
    using = tmp_path / "clients" / "heir.py"
    using.write_text(FOLDER.format(module=module))
    assert _found(using) == ["BMN103"] * found
