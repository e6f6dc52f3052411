"""The work of an analysis is bounded and grows with the code, not with the paths through it: counted, not timed."""

from __future__ import annotations

import ast
import gc
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from batchmean.engine.analysis import work
from batchmean.engine.context import MAX_WORK
from batchmean.engine.domain.values import Itself, TupleValue
from batchmean.engine.selection import imports
from batchmean.functions import Functions
from batchmean.linter import lint
from batchmean.memory import Kept
from batchmean.project import Module, Project

from benchmarks.speed import branches_of, file_of, functions_of, helpers_of
from tests.robustness.hostile import GROWING


def nodes_read(text: str) -> int:
    return work(ast.parse(text), text.split("\n"))


@pytest.mark.parametrize("make", [branches_of, functions_of, helpers_of])
def test_eight_times_the_code_is_at_most_sixteen_times_the_work(make: Callable[[int], str]) -> None:
    assert 0 < nodes_read(make(64)) <= 16 * nodes_read(make(8))


def test_code_without_losses_costs_nothing_more_however_long_it_is() -> None:
    assert nodes_read(file_of(500, losses=0)) == nodes_read(file_of(5000, losses=0)) == 0


def test_nested_calls_of_helpers_are_bounded() -> None:
    # Every level calls the next one twice: 2 to the 40th calls if they were all followed.
    levels = "".join(
        f"def f{n}(p, q):\n    return f{n + 1}(p * 1.5, q) + f{n + 1}(q, p / 2)\n\n\n" for n in range(40)
    )
    end = "def f40(p, q):\n    return -(softmax(p) * log_softmax(q)).mean()\n"
    assert nodes_read(f"from jax.nn import log_softmax, softmax\n\n\n{levels}{end}") <= MAX_WORK + 1


def test_the_same_call_in_branches_that_exclude_each_other_is_followed_once() -> None:
    helper = "def nll(p, y):\n" + "".join(f"    p = p + {n}\n" for n in range(50))
    helper += "    return -(softmax(y) * log_softmax(p)).mean()\n\n\n"
    head = "from jax.nn import log_softmax, softmax\n\n\n"
    once = "def loss(p, y, flag):\n    return nll(p, y)\n"
    twice = "def loss(p, y, flag):\n    if flag:\n        return nll(p, y)\n    return nll(p, y)\n"
    assert nodes_read(head + helper + twice) < 1.2 * nodes_read(head + helper + once)


ASKS = """\
from jax.nn import log_softmax, softmax


def nll(p, y, training):
    if training:
        p = p + 1
    return -(softmax(y) * log_softmax(p)).{how}


def loss(p, y, training, flag):
    if training:
"""


def test_a_call_that_asks_what_the_caller_asked_is_followed_once_for_each_answer() -> None:
    # A profiler's wrapper, say, calls what it wraps in three branches: it asked long before whether this is a training.
    helper = ASKS.format(how="mean()").replace("    return", "    p = p + 1\n" * 50 + "    return")
    once = "        return nll(p, y, training)\n    return nll(p, y, training)\n"
    branches = (
        "        if flag:\n            return nll(p, y, training)\n        return nll(p, y, training)\n"
    )
    twice = f"{branches}    return nll(p, y, training)\n"
    assert nodes_read(helper + twice) < 1.2 * nodes_read(helper + once)


def test_a_call_that_is_asked_otherwise_gives_something_else() -> None:
    # The sum on one way and the mean on the other: what one of the calls gave is not what the other gives.
    text = ASKS.format(how="mean() if training else -(softmax(y) * log_softmax(p)).sum()")
    text += "        return nll(p, y, training)\n    return nll(p, y, training) / y.shape[0]\n"
    assert [finding.code for finding in lint(text, "f.py")] == ["BMN102"]
    assert not lint(text.replace("        return nll(", "        return y.shape[-1] * nll("), "f.py")
    assert lint(text.replace("nll(p, y, training) /", "y.shape[-1] * nll(p, y, training) /"), "f.py")


def test_the_same_call_twice_on_one_path_is_followed_twice() -> None:
    # Two calls of a stochastic network are two values: their divergence is not zero.
    helper = "def net(x):\n    return softmax(x)\n\n\n"
    head = "from jax.nn import softmax\nimport jax.numpy as jnp\n\n\n"
    text = (
        f"{head}{helper}def loss(x):\n    p = net(x)\n    q = net(x)\n    return -(p * jnp.log(q)).mean()\n"
    )
    once = text.replace("    q = net(x)\n", "    q = p\n")
    assert nodes_read(text) > nodes_read(once)


def test_an_argument_that_does_not_matter_makes_no_other_call() -> None:
    # A trainer's `prediction_step` asks for the outputs in one branch and not in the other.
    loss = "def loss(p, y, outputs):\n" + "".join(f"    p = p + {n}\n" for n in range(50))
    loss += "    value = -(softmax(y) * log_softmax(p)).mean()\n    log(value)\n"
    loss += "    return (value, p) if outputs else value\n\n\n"
    head = "from jax.nn import log_softmax, softmax\n\n\n"
    once = "def step(p, y, flag):\n    value = loss(p, y, True)\n    return 0\n"
    branches = (
        "    if flag:\n        value = loss(p, y, True)\n    else:\n        value = loss(p, y, False)\n"
    )
    twice = f"def step(p, y, flag):\n{branches}    return 0\n"
    assert 50 < nodes_read(head + loss + once) <= nodes_read(head + loss + twice)
    assert nodes_read(head + loss + twice) < 1.2 * nodes_read(head + loss + once)


def test_a_long_display_is_not_read_to_its_end() -> None:
    head = "from jax.nn import log_softmax, softmax\n\n\ndef config(x):\n    return {'a': x}\n\n\n"
    end = "\n\n\ndef loss(p, y):\n    return -(softmax(y) * log_softmax(p)).mean()\n"

    def with_display(count: int) -> str:
        entries = ", ".join(f"'{n}': config({n} + 1)" for n in range(count))
        items = ", ".join(f"config({n} + 1)" for n in range(count))
        return f"{head}CONFIGS = {{{entries}}}\nALL = [{items}]{end}"

    assert nodes_read(with_display(1000)) <= nodes_read(with_display(64))


def test_of_a_package_that_imports_everything_only_what_is_named_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every file that imported from such a package had hundreds of modules parsed for it."""
    (tmp_path / "pyproject.toml").touch()
    package = tmp_path / "acme"
    package.mkdir()
    (package / "__init__.py").write_text("".join(f"from .part{n} import *\n" for n in range(30)))
    for n in range(30):
        terms = f"import torch\n\n\ndef entropy{n}of(p):\n    return -(p * torch.log(p)).sum(-1)\n"
        (package / f"part{n}.py").write_text(terms)
    text = "import torch\nfrom acme import entropy7of\n\n\ndef f(x):\n    p = torch.softmax(x, -1)\n"
    text += "    return entropy7of(p).mean()\n"
    read: list[str] = []
    anew = imports._read_anew

    def watched(module: Module, functions: Functions) -> object:
        read.append(module.path)
        return anew(module, functions)

    monkeypatch.setattr(imports, "_read_anew", watched)
    project = Project(str(tmp_path / "train.py"))
    assert imports.leads_to_losses(text, project)
    assert imports.leads_to_losses(text, project)
    assert [Path(path).name for path in read] == ["part7.py"]


def test_what_is_kept_for_other_files_is_set_aside_once_it_is_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flake8.main.cli", sys)
    kept = Kept()
    before = gc.get_freeze_count()
    try:
        kept.add(10)
        kept.set_aside()
        assert gc.get_freeze_count() == before
        kept.add(1_000_000)
        kept.set_aside()
        assert gc.get_freeze_count() > before
    finally:
        gc.unfreeze()


def test_what_is_read_does_not_depend_on_what_was_read_before() -> None:
    """Memories of calls went by the `id` of their objects, which others get when these are gone."""

    def read(count: int) -> int:
        text = GROWING["criteria that call the next"](count)
        return work(ast.parse(text), text.split("\n"))

    first = read(40)
    assert [read(count) for count in (7, 40, 90, 40)][1::2] == [first, first]


def test_a_value_as_a_key_equals_itself_alone() -> None:
    one, other = TupleValue(()), TupleValue(())
    assert one == other
    assert Itself(one) == Itself(one) != Itself(other)
    keys = {Itself(TupleValue(())) for _ in range(100)}  # they stay, so that none gets the place of another
    assert len(keys) == 100
