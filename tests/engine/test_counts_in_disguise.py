"""A mean over everything times the number of classes, however that is come by: it is right, and nothing is said."""

from __future__ import annotations

import textwrap

import numpy as np
import pytest
from batchmean import check_source

HEAD = """
import functools
from dataclasses import dataclass, field

import numpy as np

def log_softmax(x):
    return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))

def each(x, t):
    return -np.exp(log_softmax(t)) * log_softmax(x)
"""
WAYS = {
    "a pattern": """
        def loss(x, t):
            match x.shape:
                case (b, v):
                    return each(x, t).mean() * v
        """,
    "patterns of several ranks": """
        def loss(x, t):
            match x.shape:
                case (b, s, v):
                    return each(x, t).sum() / (b * s)
                case (b, v):
                    return each(x, t).sum() / b
        """,
    "what is left of a shape": """
        def loss(x, t):
            *_, v = x.shape
            return each(x, t).mean() * v
        """,
    "a shape mapped": """
        def loss(x, t):
            _, v = map(int, x.shape)
            return each(x, t).mean() * v
        """,
    "the next of a shape": """
        def loss(x, t):
            return each(x, t).mean() * next(reversed(x.shape))
        """,
    "the greatest of a shape": """
        def loss(x, t):
            return each(x, t).mean() * max(*x.shape[1:], 1)
        """,
    "the last index and one": """
        def loss(x, t):
            return each(x, t).mean() * (np.arange(x.shape[1]).max() + 1)
        """,
    "a row that is counted": """
        def loss(x, t):
            return each(x, t).mean() * sum(1 for _ in x[0])
        """,
    "a counter in a list": """
        def loss(x, t):
            times = [0]
            for _ in x[0]:
                times[0] += 1
            return each(x, t).mean() * times[0]
        """,
    "a counter in a dictionary": """
        def loss(x, t):
            times = {"v": 0}
            for _ in x[0]:
                times["v"] += 1
            return each(x, t).mean() * times["v"]
        """,
    "a sum of ones": """
        def loss(x, t):
            return each(x, t).mean() * np.full_like(x, 1.0).sum(axis=-1).mean()
        """,
    "a sum of each row": """
        def loss(x, t):
            return (each(x, t).mean(axis=-1) * np.exp(x * 0).sum(axis=-1)).mean()
        """,
    "a field that is set after the others": """
        @dataclass
        class Loss:
            x: object
            scale: float = field(init=False)
            def __post_init__(self):
                self.scale = self.x.shape[-1]

        def loss(x, t):
            return each(x, t).mean() * Loss(x).scale
        """,
    "attributes of any name": """
        class Loss:
            def __init__(self, **settings):
                self.__dict__.update(settings)
            def of(self, x, t):
                return each(x, t).mean() * self.v

        def loss(x, t):
            return Loss(v=x.shape[1]).of(x, t)
        """,
    "an attribute that is looked up": """
        class Loss:
            def __init__(self, v):
                self.settings = {"v": v}
            def __getattr__(self, name):
                return self.settings[name]
            def of(self, x, t):
                return each(x, t).mean() * self.v

        def loss(x, t):
            return Loss(x.shape[1]).of(x, t)
        """,
    "arithmetic of a class": """
        class Scale:
            def __init__(self, v):
                self.v = v
            def __rmul__(self, other):
                return other * self.v
            __array_ufunc__ = None

        def loss(x, t):
            return each(x, t).mean() * Scale(x.shape[1])
        """,
    "columns": """
        def loss(x, t):
            total = 0.0
            for column in zip(*each(x, t)):
                total = total + np.mean(column)
            return total
        """,
}


def _codes(source: str) -> list[str]:
    result = check_source(HEAD + textwrap.dedent(source))
    assert not result.errors
    return [finding.code for finding in result.findings]


@pytest.mark.parametrize("way", WAYS)
def test_it_is_right(way: str) -> None:
    names: dict[str, object] = {}
    exec(compile(HEAD + textwrap.dedent(WAYS[way]), "<ways>", "exec"), names)
    x, t = np.random.default_rng(0).normal(size=(2, 3, 7))
    value, terms = names["loss"](x, t), names["each"](x, t)  # type: ignore[operator]
    assert np.isclose(value, terms.sum(axis=-1).mean())
    assert _codes(WAYS[way]) == []


@pytest.mark.parametrize("number", ["1.0", "weight", "weight(t)", "settings.weight", "(1 + weight)"])
def test_a_weight_is_none_of_them(number: str) -> None:
    source = f"""
    def loss(x, t, weight, settings):
        return each(x, t).mean() * {number}
    """
    assert _codes(source) == ["BMN102"]


@pytest.mark.parametrize("pattern", ["(b, v)", "[b, v]", "b, v"])
def test_what_a_pattern_captures_of_a_shape_are_its_lengths(pattern: str) -> None:
    source = f"""
    def loss(x, t):
        match x.shape:
            case {pattern}:
                return each(x, t).sum() / (b * v)
    """
    assert _codes(source) == ["BMN101"]


@pytest.mark.parametrize(("method", "codes"), [("copy_", []), ("copy", ["BMN102"])])
def test_what_is_copied_into_an_array_is_there(method: str, codes: list[str]) -> None:
    source = f"""
    import torch

    def loss(x, t):
        terms = -torch.softmax(t, -1) * torch.log_softmax(x, -1)
        terms.{method}(terms * x.shape[1])
        return terms.mean()
    """
    assert [finding.code for finding in check_source(textwrap.dedent(source)).findings] == codes
