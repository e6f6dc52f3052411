"""One question about a setting in two places, in all words: what the one answer does is never mixed with the other."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Final

import batchmean
import pytest

QUESTIONS: Final = {
    "word": (
        [
            "{s} == 'mean'",
            "{s} in ('mean',)",
            "{s}.lower() == 'mean'",
            "'mean' == {s}",
            "str({s}) == 'mean'",
            "{s}.startswith('mean')",
            "{s} in {{'mean'}}",
        ],
        ["{s} == 'sum'", "{s} in ['sum']", "{s}.strip().lower() == 'sum'", "{s} != 'mean'"],
    ),
    "aliases": (
        ["{s} in ('mean', 'avg')", "{s}.lower() in ['avg', 'mean']", "{s} == 'mean' or {s} == 'avg'"],
        ["{s} in ('sum', 'all')", "{s}.lower() in ['all', 'sum']", "{s} == 'sum' or {s} == 'all'"],
    ),
    "number": (
        ["{s} == 0", "{s} < 1", "not {s}", "{s} in (0,)", "int({s}) == 0"],
        ["{s} == 1", "{s} > 0", "{s}", "{s} >= 1", "{s} != 0"],
    ),
    "flag": (
        ["{s}", "{s} is True", "bool({s})", "{s} == True"],
        ["not {s}", "{s} is False", "{s} == False", "not bool({s})"],
    ),
}
"""How people ask whether it is the first of two values, and whether it is the second."""
RUNS: Final = {"word": "'mean'", "aliases": "'mean'", "number": "0", "flag": "True"}
HOLDERS: Final = {
    "a parameter": ("", "how={v}", ["how"]),
    "settings that are passed": (
        "",
        "cfg",
        ["cfg.how", "getattr(cfg, 'how', {v})", "getattr(cfg, 'how')", "vars(cfg)['how']"],
    ),
    "settings that are imported": (
        "from project import CFG",
        "",
        ["CFG.how", "getattr(CFG, 'how', {v})", "getattr(CFG, 'how')", "vars(CFG)['how']"],
    ),
    "a namespace": (
        "import types\nCFG = types.SimpleNamespace(how={v})",
        "",
        ["CFG.how", "getattr(CFG, 'how', {v})", "vars(CFG)['how']"],
    ),
    "a dict": ("CFG = {{'how': {v}}}", "", ["CFG['how']", "CFG.get('how')", "CFG.get('how', {v})"]),
    "a dict that is imported": (
        "from project import CFG",
        "",
        ["CFG['how']", "CFG.get('how')", "CFG.get('how', {v})"],
    ),
    "an object": ("", "self", ["self.how", "getattr(self, 'how', {v})", "getattr(self, 'how')"]),
}
PROGRAM: Final = """{top}
def loss(pred, target{parameter}):
    loss = (pred - target) ** 2
{before}    if {first}:
        total = {sums[0]}
    else:
        total = {sums[1]}
{between}    if {second}:
        total = {ends[0]}
    else:
        total = {ends[1]}
    return total
"""


def program(
    holder: str,
    kind: str,
    asked: tuple[tuple[bool, str], tuple[bool, str]],
    reads: tuple[str, str],
    names: str = "",
    is_wrong: bool = False,
) -> str:
    """Summed and divided by the batch, or a mean, as a setting says; mixed up if it is wrong."""
    top, parameter, _ = HOLDERS[holder]
    sums, ends = ["loss", "loss.sum()"], ["total.mean()", "total / len(pred)"]
    (is_first, first), (is_second, second) = asked
    first, second = (
        question.format(s=read.format(v=RUNS[kind]))
        for question, read in zip((first, second), reads, strict=True)
    )
    return PROGRAM.format(
        top=top.format(v=RUNS[kind]),
        parameter=f", {parameter.format(v=RUNS[kind])}" if parameter else "",
        before=f"    is_first = {first}\n" if names == "first" else "",
        between=f"    is_second = {second}\n" if names == "second" else "",
        first="is_first" if names == "first" else first,
        second="is_second" if names == "second" else second,
        sums=sums if is_first else sums[::-1],
        ends=ends if is_second != is_wrong else ends[::-1],
    )


def pairs(kind: str) -> list[tuple[tuple[bool, str], tuple[bool, str]]]:
    yes, no = QUESTIONS[kind]
    asked = [(True, question) for question in yes] + [(False, question) for question in no]
    return list(itertools.product(asked, asked))


@pytest.mark.parametrize("names", ["", "first", "second"])
@pytest.mark.parametrize("kind", QUESTIONS)
@pytest.mark.parametrize("holder", HOLDERS)
def test_two_questions_about_one_setting_decide_alike(holder: str, kind: str, names: str) -> None:
    """A third of all pairs of questions, with one way of reading the setting for each."""
    reads = HOLDERS[holder][2]
    for number, asked in enumerate(pairs(kind)[len(names) % 3 :: 3]):
        source = program(holder, kind, asked, (reads[0], reads[number % len(reads)]), names)
        found = batchmean.check_source(source, select=["BMN303"])
        assert not found.findings, source


@pytest.mark.parametrize("kind", QUESTIONS)
@pytest.mark.parametrize("holder", [name for name in HOLDERS if name not in ("a dict", "a namespace")])
def test_what_one_answer_does_is_still_told(holder: str, kind: str) -> None:
    """Settings that are made in the module say which way runs: there the other is not read."""
    reads = HOLDERS[holder][2]
    for number, asked in enumerate(pairs(kind)[::3]):
        source = program(holder, kind, asked, (reads[0], reads[number % len(reads)]), is_wrong=True)
        found = batchmean.check_source(source, select=["BMN303"])
        assert [one.code for one in found.findings] == ["BMN303"], source


@pytest.mark.parametrize(
    "question", ["how == 'mean'", "'mean' == how", "how in ('mean',)", "how.lower() == 'mean'"]
)
@pytest.mark.parametrize("is_wrong", [False, True])
def test_a_default_of_another_module_decides_no_question(
    tmp_path: Path, question: str, is_wrong: bool
) -> None:
    sums, ends = ["loss", "loss.sum()"], ["total.mean()", "total / len(pred)"]
    (tmp_path / "pyproject.toml").write_text("[tool.batchmean]\npreview = true\n")
    (tmp_path / "settings.py").write_text("HOW = 'mean'\n")
    (tmp_path / "train.py").write_text(
        PROGRAM.format(
            top="from settings import HOW\n",
            parameter=", how=HOW",
            before="",
            between="",
            first="how == 'mean'",
            second=question,
            sums=sums,
            ends=ends[::-1] if is_wrong else ends,
        )
    )
    (result,) = batchmean.check_files([tmp_path / "train.py"], select=["BMN303"])
    assert [one.code for one in result.findings] == (["BMN303"] if is_wrong else [])


@pytest.mark.parametrize(
    ("name", "codes"),
    [("classes", []), ("num_classes", []), ("weight", ["BMN102"]), ("class_weight", ["BMN102"])],
)
def test_what_is_called_the_classes_may_put_a_mean_right(name: str, codes: list[str]) -> None:
    source = f"""
import torch.nn.functional as F


class Loss:
    def __init__(self, {name}):
        self.{name} = {name}

    def __call__(self, logits, soft):
        return -(soft * F.log_softmax(logits, dim=-1)).mean() * self.{name}
"""
    assert [one.code for one in batchmean.check_source(source).findings] == codes
