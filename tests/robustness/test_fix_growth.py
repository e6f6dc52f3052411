"""Twice the findings are twice the work of fixing them, and no fix depends on what else is tried with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from batchmean.findings import Finding
from batchmean.fixes import search
from batchmean.fixes.parts import Parts
from batchmean.fixes.proof import Proposal, Prover
from batchmean.linter import lint

from tests.robustness.counting import calls
from tests.robustness.mutation import FIXTURES

pytestmark = pytest.mark.heavy

HEAD: Final = "import numpy as np\nimport torch\nimport torch.nn.functional as F\nimport tensorflow as tf\n"
BOTH: Final = "    p = F.softmax(logits, -1)\n    logp = F.log_softmax(logits, -1)\n"
LOSS: Final = "-(p * logp).mean()"


def _repeated(pattern: str, count: int, joined: str = "\n") -> str:
    return joined.join(pattern.replace("#", str(i)) for i in range(count))


def _functions(body: str) -> Callable[[int], str]:
    return lambda count: HEAD + _repeated(f"def f#(logits, labels):\n{body}", count)


def _function(pattern: str, joined: str = "\n", head: str = BOTH) -> Callable[[int], str]:
    return lambda count: (
        f"{HEAD}def f(logits, labels, c):\n{head}    {_repeated(pattern, count, joined)}\n    return z\n"
    )


SHAPES: Final[dict[str, Callable[[int], str]]] = {
    "functions": _functions(f"{BOTH}    return {LOSS}\n"),
    "methods": lambda count: (
        f"{HEAD}class M:\n" + _repeated(f"  def f#(self, logits):\n{BOTH}    return {LOSS}\n", count)
    ),
    "a helper": lambda count: (
        f"{HEAD}def average(x):\n    return x.mean()\n"
        + _repeated(f"def f#(logits):\n{BOTH}    return -average(p * logp)\n", count)
    ),
    "one function": _function(f"z# = {LOSS}", "\n    "),
    "one name": _function(f"z = {LOSS}\n    print(z)", "\n    "),
    "one line": _function(f"s = 'é日本'; z# = {LOSS}", "; "),
    "a tuple": lambda count: (
        f"{HEAD}def f(logits, labels):\n{BOTH}    return ({_repeated(LOSS, count, ', ')})\n"
    ),
    "a sum": lambda count: (
        f"{HEAD}def f(logits, labels):\n{BOTH}    return {_repeated(LOSS, count, ' + ')}\n"
    ),
    "a list of the module": lambda count: (
        f"{HEAD}logits = torch.rand(3, 4)\n{BOTH.replace('    ', '')}z = [{_repeated(LOSS, count, ', ')}]\n"
    ),
    "lambdas in one line": lambda count: (
        HEAD + _repeated("f# = lambda p: -(p.softmax(-1) * p.log_softmax(-1)).mean()", count, "; ") + "\n"
    ),
    "masked in one line": lambda count: (
        f"{HEAD}def f(logits, labels):\n    mask = (labels != -100).float()\n"
        "    loss = F.cross_entropy(logits, labels, reduction='none')\n"
        f"    return ({_repeated('(loss * mask).mean()', count, ', ')})\n"
    ),
    "branches": _function(f"if c == #:\n        return {LOSS}", "\n    ", BOTH + "    z = 1\n"),
    "the module": lambda count: (
        f"{HEAD}logits = torch.rand(3, 4)\n{BOTH.replace('    ', '')}" + _repeated(f"z# = {LOSS}", count)
    ),
    "libraries": _functions("    return F.kl_div(F.log_softmax(logits, -1), labels.softmax(-1))\n"),
    "masked": _functions(
        "    mask = (labels != -100).float()\n    loss = F.cross_entropy(logits, labels, reduction='none')\n"
        "    return (loss * mask).mean()\n"
    ),
    "masked in one function": _function(
        "z# = (loss * mask).mean()",
        "\n    ",
        "    mask = (labels != -100).float()\n    loss = F.cross_entropy(logits, labels, reduction='none')\n",
    ),
    "divided twice": _functions(
        "    loss = F.cross_entropy(logits, labels)\n    return loss / len(labels)\n"
    ),
    "one import for all": lambda count: (
        "from tensorflow import reduce_mean\n"
        + _functions(
            "    y = tf.one_hot(labels, 10)\n    return -reduce_mean(y * tf.nn.log_softmax(logits))\n"
        )(count)
    ),
}


@pytest.fixture
def tries(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many proposals each analysis was of."""
    found: list[int] = []
    own = Prover.verdicts

    def counted(self: Prover, proposals: list[object]) -> object:
        found.append(len(proposals))
        return own(self, proposals)  # type: ignore[arg-type]

    monkeypatch.setattr(Prover, "verdicts", counted)
    return found


@pytest.mark.parametrize("name", SHAPES)
def test_twice_the_findings_are_twice_the_work(name: str, tries: list[int]) -> None:
    once, twice = (SHAPES[name](count) for count in (24, 48))
    called, tried = [], []
    for text in (once, twice):
        tries.clear()
        found = lint(text, "a.py", fixes=True)
        assert all(finding.fix is not None for finding in found)
        assert len(found) in (24, 48)
        tried.append(len(tries))
        called.append(calls(lambda text=text: lint(text, "a.py", fixes=True)))  # type: ignore[misc]
    assert tried[0] == tried[1] <= search.ALONE + 1
    assert (
        called[1] <= (2.5 if name == "a sum" else 2.3) * called[0]
    )  # its terms are compared with each other


@pytest.mark.parametrize("name", ["copy{}_", ""], ids=["other names", "the same names"])
def test_ten_copies_cost_ten_times_what_one_does(name: str) -> None:
    text = (FIXTURES / "on_torch" / "ways_of_writing.py").read_text(encoding="utf-8")
    lint(text, "a.py", fixes=True)  # what is imported and remembered by now
    copies = "\n".join(text.replace("def ", f"def {name.format(n)}") for n in range(10))
    once, ten = (
        calls(lambda text=text: lint(text, "a.py", fixes=True))  # type: ignore[misc]
        for text in (text, copies)
    )
    assert ten <= 12 * once


def test_what_cannot_be_tried_together_is_bounded(tries: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what goes through one step no two are tried at once."""
    monkeypatch.setattr(search, "MAX_CHARACTERS", 0)
    divided = _function("z# = loss / len(labels)", "\n    ", "    loss = F.cross_entropy(logits, labels)\n")
    found = lint(divided(40), "a.py", fixes=True)
    assert len(tries) == search.MAX_TRIES < 40
    assert sum(finding.fix is not None for finding in found) == search.MAX_TRIES
    assert {finding.no_fix for finding in found} == {None, "too many rewrites of this file were tried before"}


def test_what_does_not_go_together_is_tried_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Prover.verdicts

    def picky(self: Prover, proposals: list[object]) -> object:
        return None if len(proposals) > 3 else own(self, proposals)  # type: ignore[arg-type]

    monkeypatch.setattr(Prover, "verdicts", picky)
    monkeypatch.setattr(search, "MAX_TRIES", 1000)
    for name in ("functions", "one function"):
        assert all(finding.fix is not None for finding in lint(SHAPES[name](40), "a.py", fixes=True))


def test_what_never_goes_together_is_bounded(tries: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    own = Prover.verdicts

    def unwilling(self: Prover, proposals: list[object]) -> object:
        own(self, proposals)  # type: ignore[arg-type]
        return None

    monkeypatch.setattr(Prover, "verdicts", unwilling)
    monkeypatch.setattr(search, "MAX_CHARACTERS", 0)
    found = lint(SHAPES["functions"](40), "a.py", fixes=True)
    assert len(tries) == search.MAX_TRIES
    assert not any(finding.fix for finding in found)


def test_a_proposal_that_fails_costs_no_other_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Prover._is_right

    def failing(self: Prover, proposal: Proposal, *rest: object) -> object:
        if proposal.finding.span.line == found[3].span.line:
            raise KeyError("a bug")
        return own(self, proposal, *rest)  # type: ignore[arg-type]

    for name in ("functions", "one function"):
        text = SHAPES[name](20)
        found = lint(text, "a.py")
        monkeypatch.setattr(Prover, "_is_right", failing)
        fixed = lint(text, "a.py", fixes=True)
        assert [finding.fix is None for finding in fixed] == [n == 3 for n in range(20)]
        assert fixed[3].no_fix == "internal error: KeyError: 'a bug'"


def _by_itself(text: str) -> list[Finding]:
    """Each finding with the fix that it has when nothing else is tried."""
    found = lint(text, "a.py")
    kept = []
    for index, finding in enumerate(found):
        place = (finding.code, finding.span)
        fixed = lint(text, "a.py", fixes=lambda other, place=place: (other.code, other.span) == place)  # type: ignore[misc]
        kept.append(fixed[index])
    return kept


CROWDED: Final = [
    FIXTURES / folder / f"{name}.py"
    for folder, name in (
        ("on_torch", "latent_kl"), ("on_jax", "divided_again"),
        ("on_numpy", "helpers"), ("on_numpy", "whole_shape_division"),
    )
]  # fmt: skip


@pytest.mark.parametrize("path", CROWDED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_fix_is_the_one_that_it_would_be_by_itself(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = path.read_text(encoding="utf-8")
    expected = _by_itself(text)
    for alone in (search.ALONE, 0):  # with 0 even the fixes of one part are tried together
        monkeypatch.setattr(search, "ALONE", alone)
        assert lint(text, "a.py", fixes=True) == expected
    assert any(finding.fix for finding in expected)


def _parts(text: str, *connected: list[int]) -> list[list[int]]:
    """The lines of each part."""
    import ast

    parts = Parts(ast.parse(text), connected)
    found: dict[int, list[int]] = {}
    for line in range(1, text.count("\n") + 1):
        found.setdefault(parts.of(line), []).append(line)
    return [*found.values()]


@pytest.mark.parametrize(
    ("text", "connected", "parts"),
    [
        ("import numpy as np\nN = 3\ndef f(): N\ndef g(): N\n", [], [[1], [2], [3], [4]]),
        ("def f(): pass\ndef g(): f()\ndef h(): x\n", [], [[1, 2], [3]]),
        ("def f(): g\ndef g(): pass\ndef h(): x.g()\n", [], [[1, 2, 3]]),
        ("def f(): pass\na = f\nb = a\ndef g(): b()\nc = 1\n", [], [[1, 2, 3, 4], [5]]),
        ("class A: pass\ncfg = A()\n@cfg\ndef f(): x\ndef g(): y\n", [], [[1, 2, 3, 4], [5]]),
        ("a = 1\nb = 2\ndef f(): a\ndef g(): a, b\n", [[1]], [[1, 3, 4], [2]]),
        ("a = 1\nb = 2\ndef f(): x\ndef g(): x\n", [[2, 4]], [[1], [2, 4], [3]]),
        ("a = f; b = g\ndef f(): x\ndef g(): x\n", [], [[1, 2, 3]]),
        ("def f():\n    global a\n    a = 1\ndef g(): a\ndef h(): b\n", [], [[1, 2, 3, 4], [5]]),
        ("if a:\n    def f(): x\nelse:\n    def f(): y\ndef g(): f\n", [], [[1, 2, 3, 4, 5]]),
    ],
)
def test_a_part_is_what_names_each_other(
    text: str, connected: list[list[int]], parts: list[list[int]]
) -> None:
    assert _parts(text, *connected) == parts
