"""The names of a scope, and what branches change of them."""

from __future__ import annotations

import pytest
from batchmean import operations
from batchmean.engine.domain.values import Const, ModuleValue, Names, Scope, Value
from batchmean.linter import lint
from batchmean.operations import has_functions
from batchmean.operations.table import Framework

ONE, TWO, THREE = Const(1), Const(2), Const(3)


def names(**given: Value) -> Names:
    made = Names()
    made.apply(given)
    return made


def test_what_a_branch_changes_is_taken_back() -> None:
    scope = names(a=ONE, b=TWO)
    scope.begin()
    scope["a"] = THREE
    scope["c"] = ONE
    scope.drop("b")
    scope.drop("d")
    assert scope == {"a": THREE, "c": ONE}
    assert scope.take_back() == {"a": THREE, "c": ONE, "b": None, "d": None}
    assert scope == {"a": ONE, "b": TWO}


def test_branches_in_branches() -> None:
    scope = names(a=ONE)
    scope.begin()
    scope.begin()
    scope["a"] = TWO
    inner = scope.take_back()
    assert scope["a"] is ONE
    scope.apply(inner)
    scope["b"] = THREE
    outer = scope.take_back()
    assert scope == {"a": ONE}
    scope.apply(outer)
    assert scope == {"a": TWO, "b": THREE}


def test_imports_are_counted_as_they_come_and_go() -> None:
    scope = names(np=ModuleValue("numpy"))
    before = scope.imports
    scope["a"] = ONE
    assert scope.imports == before
    scope.begin()
    scope["np"] = ONE
    during = scope.imports
    scope.take_back()
    assert before < during < scope.imports


@pytest.mark.parametrize("framework", operations.FRAMEWORKS)
def test_a_star_of_a_module_that_has_functions_is_kept(framework: Framework) -> None:
    scope = Scope()
    for name in framework.functions:
        module = name.rpartition(".")[0]
        scope.add_star(module, is_known=has_functions(module))
        assert scope.stars[-1] == module
    for alias, target in framework.aliases.items():
        if operations.has_functions(target):
            scope.add_star(alias, is_known=has_functions(alias))
            assert scope.stars[-1] == alias
    assert len(scope.stars) == len(set(scope.stars))
    scope.add_star("something", is_known=has_functions("something"))
    assert "something" not in scope.stars


@pytest.mark.parametrize(("given", "codes"), [("losses", ["BMN303"]), ("losses, dim=-1", [])])
def test_keyword_arguments_that_are_handed_on_are_known(given: str, codes: list[str]) -> None:
    text = f"""import torch


def half_of_the_sum(*args, **kwargs):
    return 0.5 * torch.sum(*args, **kwargs)


def loss(prediction, target):
    losses = torch.square(prediction - target)
    return torch.mean(half_of_the_sum({given}))
"""
    assert [finding.code for finding in lint(text, "a.py")] == codes


OF_A_CLASS = """\
import torch.nn.functional as F


class Loss:
    classes = 11

    @classmethod
    def reduced(cls, losses):
        return losses.mean()

    @classmethod
    def times(cls, loss):
        return loss * cls.classes

    @classmethod
    def made(cls, losses):
        return cls().averaged(losses)

    def averaged(self, losses):
        return losses.mean()


def loss(logits, labels):
    losses = -F.one_hot(labels, 11) * F.log_softmax(logits, -1)
    return {result}
"""


@pytest.mark.parametrize(
    ("result", "is_wrong"),
    [
        ("Loss.reduced(losses)", True),
        ("Loss().reduced(losses)", True),
        ("Loss.made(losses)", True),
        ("Loss.times(losses.mean())", False),
        ("Loss().times(losses.mean())", False),
        ("Loss.times(losses.sum(-1).mean())", False),
    ],
)
def test_a_method_of_the_class_is_given_the_class_first(result: str, is_wrong: bool) -> None:
    found = lint(OF_A_CLASS.format(result=result), "any.py")
    assert [(f.code, f.confidence) for f in found] == [("BMN102", "proved")] * is_wrong
