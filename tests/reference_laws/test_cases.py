"""Fixture modules are read as they are meant, or refused with the place."""

from __future__ import annotations

from pathlib import Path

import pytest
from batchmean_reference.audit import Monomial
from batchmean_reference.cases import Case, CaseError, read_cases

RIGHT = '''
def right(targets, logits):
    """Summed.

    targets: probs (B, V)
    logits: logits (B, V)
    unit: B
    """
    return 0
'''

WRONG = '''
def wrong(targets, logits):
    """Averaged.

    targets: probs (B, V)
    logits: logits (B, V)
    unit: B
    reference: right
    """
    return 0  # expect: BMN102 V^-1 proved
'''


def read(tmp_path: Path, text: str) -> list[Case]:
    path = tmp_path / "on_numpy" / "module.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return read_cases(path)


def test_a_case_says_everything(tmp_path: Path) -> None:
    right, wrong = read(tmp_path, RIGHT + WRONG)
    assert not right.is_wrong and right.factor == Monomial() and right.summary == "Summed."
    assert wrong.id == "on_numpy/module.py::wrong" and wrong.reference == "right"
    (expected,) = wrong.expected
    assert (expected.line, expected.code, str(expected.factor), expected.confidence) == (
        wrong.end_line,
        "BMN102",
        "V^-1",
        "proved",
    )


def test_the_other_keys(tmp_path: Path) -> None:
    text = RIGHT.replace(
        "unit: B\n",
        "unit: B T\n    exempt: null class (label smoothing)\n    sizes: V=10 B=3\n    output: 1\n"
        "    term: beta\n",
    )
    (case,) = read(tmp_path, text)
    assert case.unit == ("B", "T") and case.sizes == {"V": 10, "B": 3} and case.output == 1
    assert case.term == "beta" and case.exempt == {"null class": "label smoothing"}


def test_parameters_with_defaults_need_no_declaration(tmp_path: Path) -> None:
    text = RIGHT.replace("(targets, logits)", "(targets, logits, axis=-1, *, eps=0.1)")
    assert [argument.name for argument in read(tmp_path, text)[0].arguments] == ["targets", "logits"]


def test_functions_without_a_block_are_helpers(tmp_path: Path) -> None:
    assert read(tmp_path, 'def helper(unit):\n    """Note: this is no case."""\n') == []


HELPER = "def helper(x):\n    return x.mean()  # expect: BMN102 V^-1 likely\n"
METHOD = "class C:\n    def f(self):\n        return 0\n\n    def g(self):\n" + (
    "        return 1  # expect: BMN102 V^-1 likely\n"
)
BARE = WRONG.replace("  # expect: BMN102 V^-1 proved", "")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (HELPER + BARE + RIGHT, 2),  # the next case below
        (RIGHT + BARE.replace("unit: B\n", "unit: B\n    findings in: helper\n") + HELPER, 22),
        (METHOD + RIGHT + BARE.replace("unit: B\n", "unit: B\n    findings in: C.g\n"), 6),
        (METHOD + RIGHT + BARE.replace("unit: B\n", "unit: B\n    findings in: C\n"), 6),
    ],
)
def test_findings_outside_of_cases_have_an_owner(tmp_path: Path, text: str, line: int) -> None:
    by_name = {case.name: case for case in read(tmp_path, text)}
    assert [expected.line for expected in by_name["wrong"].expected] == [line]
    assert not by_name["right"].is_wrong


def test_several_cases_may_share_a_finding(tmp_path: Path) -> None:
    shared = BARE.replace("unit: B\n", "unit: B\n    findings in: helper\n")
    cases = read(tmp_path, HELPER + RIGHT + shared + shared.replace("def wrong", "def wrong_too"))
    assert [len(case.expected) for case in cases] == [0, 1, 1]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (RIGHT.replace("    logits: logits (B, V)\n", ""), "right does not declare logits"),
        (RIGHT.replace("probs (B, V)", "probabilities (B, V)"), "unknown kind 'probabilities'"),
        (RIGHT + WRONG.replace("reference: right", "reference: rihgt"), "rihgt is not a right case"),
        (RIGHT + WRONG.replace("    reference: right\n", ""), "if and only if it names its reference"),
        (RIGHT + BARE, "if and only if it names its reference"),
        (RIGHT + WRONG.replace("V^-1", "1/V"), "expected a factor"),
        (RIGHT + WRONG.replace("proved", "certain"), "expected '# expect: CODE FACTOR CONFIDENCE'"),
        (RIGHT + WRONG.replace("logits (B, V)", "logits (V, B)"), "needs other arguments"),
        (RIGHT + WRONG.replace("unit: B", "unit: B T"), "has another unit"),
        (RIGHT + HELPER, "belongs to no case"),
        (RIGHT.replace("unit: B\n", "unit: B\n    sizes: V\n"), "expected sizes such as"),
        (RIGHT.replace("unit: B\n", "unit: B\n    exempt: null class\n"), "expected an exemption such as"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        read(tmp_path, text)


def test_a_mistake_is_reported_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match=r"module\.py:2: right"):
        read(tmp_path, RIGHT.replace("probs (B, V)", "probs"))


def test_findings_with_different_factors_have_no_common_one(tmp_path: Path) -> None:
    text = RIGHT + WRONG.replace("    return 0  #", "    x = 0  # expect: BMN102 T proved\n    return x  #")
    wrong = read(tmp_path, text)[1]
    with pytest.raises(ValueError, match="no common one"):
        _ = wrong.factor


def test_a_finding_without_a_factor(tmp_path: Path) -> None:
    text = RIGHT + WRONG.replace(
        "    return 0  #", "    x = 0  # expect: BMN401 none proved\n    return x  #"
    )
    wrong = read(tmp_path, text)[1]
    assert [expected.factor for expected in wrong.expected] == [None, Monomial({"V": -1})]
    assert wrong.factor is None


def test_modules_are_run_under_a_name_of_their_own(tmp_path: Path) -> None:
    (case,) = read(tmp_path, RIGHT.replace("return 0", "return float((targets * logits).mean())"))
    loss = case.loss()
    assert loss.function.__module__ == "batchmean_fixture.on_numpy.module"
