"""What a loss is multiplied by may be set, changed or made elsewhere: then nothing is said, and else all as before."""

from __future__ import annotations

import textwrap
from typing import NamedTuple

import pytest
from batchmean import check_source
from batchmean.linter import lint

_HEAD = """
from dataclasses import dataclass
from types import SimpleNamespace

import torch
import torch.nn.functional as F
"""
_LOSS = "-F.one_hot(labels, 10) * F.log_softmax(logits, dim=-1)"


class Pair(NamedTuple):
    """A right program, and what it is without the part that puts it right."""

    name: str
    right: str
    wrong: str


PAIRS = [
    Pair(
        "a product written to its operand",
        """
        def loss(logits, labels):
            losses = LOSS
            torch.mul(losses, 10, out=losses)
            return losses.mean()
        """,
        """
        def loss(logits, labels):
            losses = LOSS
            torch.mul(losses, 10)
            return losses.mean()
        """,
    ),
    Pair(
        "a dictionary through which an array is changed",
        """
        def loss(logits, labels):
            parts = {}
            losses = LOSS
            parts["ce"] = losses
            parts["ce"] *= 10
            return losses.mean()
        """,
        """
        def loss(logits, labels):
            parts = {}
            losses = LOSS
            parts["ce"] = losses
            parts["steps"] = 10
            return losses.mean()
        """,
    ),
    Pair(
        "a method that changes an attribute in place",
        """
        class Loss:
            def __call__(self, logits, labels):
                losses = LOSS
                self.losses = losses
                self._weight()
                return losses.mean()
            def _weight(self):
                self.losses *= 10
        """,
        """
        class Loss:
            def __call__(self, logits, labels):
                losses = LOSS
                self.losses = losses
                self._weight()
                return losses.mean()
            def _weight(self):
                self.calls += 10
        """,
    ),
    Pair(
        "a global that another function sets",
        """
        factor = 1.0
        def configure(classes):
            global factor
            factor = classes
        def loss(logits, labels):
            return (LOSS).mean() * factor
        """,
        """
        factor = 1.0
        def configure(classes):
            factor = classes
        def loss(logits, labels):
            return (LOSS).mean() * factor
        """,
    ),
    Pair(
        "a table of settings that another function fills",
        """
        CONFIG = {"factor": 1.0}
        def configure(classes):
            CONFIG["factor"] = classes
        def loss(logits, labels):
            return (LOSS).mean() * CONFIG["factor"]
        """,
        """
        CONFIG = {"factor": 1.0}
        def loss(logits, labels):
            return (LOSS).mean() * CONFIG["factor"]
        """,
    ),
    Pair(
        "a weight of ten for each of ten classes",
        """
        weights = torch.full((10,), 10.0)
        def loss(logits, labels):
            return (weights * LOSS).mean()
        """,
        """
        weights = torch.full((10,), 1.0)
        def loss(logits, labels):
            return (weights * LOSS).mean()
        """,
    ),
    Pair(
        "a target that is not one",
        """
        def loss(logits, labels):
            target = torch.zeros_like(logits).scatter_(1, labels[:, None], 10.0)
            return -(target * F.log_softmax(logits, dim=-1)).mean()
        """,
        """
        def loss(logits, labels):
            target = torch.zeros_like(logits).scatter_(1, labels[:, None], 1.0)
            return -(target * F.log_softmax(logits, dim=-1)).mean()
        """,
    ),
    Pair(
        "an attribute that is the class count",
        """
        class Loss:
            def __init__(self):
                self.scale = 10
            def __call__(self, logits, labels):
                return (LOSS).mean() * self.scale
        """,
        """
        class Loss:
            def __init__(self):
                self.scale = 0.5
            def __call__(self, logits, labels):
                return (LOSS).mean() * self.scale
        """,
    ),
    Pair(
        "an heir that sets it",
        """
        class Loss:
            scale = 1.0
            def __call__(self, logits, labels):
                return (LOSS).mean() * self.scale
        class OfTen(Loss):
            scale = 10
        """,
        """
        class Loss:
            scale = 1.0
            def __call__(self, logits, labels):
                return (LOSS).mean() * self.scale
        class OfTen(Loss):
            classes = 10
        """,
    ),
    Pair(
        "an object that is made with it",
        """
        @dataclass
        class Loss:
            scale: float = 1.0
            def __call__(self, logits, labels):
                return (LOSS).mean() * self.scale
        loss = Loss(10)
        """,
        """
        @dataclass
        class Loss:
            scale: float = 1.0
            def __call__(self, logits, labels):
                return (LOSS).mean() * self.scale
        loss = Loss(0.5)
        """,
    ),
    Pair(
        "attributes whose names are known at run time only",
        """
        class Loss:
            def __init__(self, **settings):
                self.scale = 1.0
                for name, value in settings.items():
                    setattr(self, name, value)
            def __call__(self, logits, labels):
                return (LOSS).mean() * self.scale
        """,
        """
        class Loss:
            def __init__(self, **settings):
                self.scale = 1.0
                for name, value in settings.items():
                    print(name, value)
            def __call__(self, logits, labels):
                return (LOSS).mean() * self.scale
        """,
    ),
    Pair(
        "an heir that replaces a hook",
        """
        class Base:
            def finish(self, losses):
                return losses
            def loss(self, logits, labels):
                return self.finish(LOSS).mean()
        class Summed(Base):
            def finish(self, losses):
                return losses.sum(-1)
        """,
        """
        class Base:
            def finish(self, losses):
                return losses
            def loss(self, logits, labels):
                return self.finish(LOSS).mean()
        class Summed(Base):
            def start(self, losses):
                return losses.sum(-1)
        """,
    ),
    Pair(
        "an heir that finishes what its base gives",
        """
        class Base:
            def loss(self, logits, labels):
                return (LOSS).mean()
        class Scaled(Base):
            def loss(self, logits, labels):
                return super().loss(logits, labels) * 10
        """,
        """
        class Base:
            def loss(self, logits, labels):
                return (LOSS).mean()
        class Scaled(Base):
            def loss(self, logits, labels):
                return super().loss(logits, labels) * 0.5
        """,
    ),
    Pair(
        "an object that decorates",
        """
        class Scaled:
            def __init__(self, function):
                self.function = function
            def __call__(self, *args):
                return 10 * self.function(*args)
        @Scaled
        def loss(logits, labels):
            return (LOSS).mean()
        """,
        """
        class Scaled:
            def __init__(self, function):
                self.function = function
            def __call__(self, *args):
                return self.function(*args)
        @Scaled
        def loss(logits, labels):
            return (LOSS).mean()
        """,
    ),
    Pair(
        "a register that keeps another function",
        """
        KNOWN = {}
        def register(name, by):
            def decorate(function):
                KNOWN[name] = lambda *args: function(*args) * by
                return function
            return decorate
        @register("ce", 10)
        def loss(logits, labels):
            return (LOSS).mean()
        """,
        """
        KNOWN = {}
        def register(name, by):
            def decorate(function):
                KNOWN[name] = function
                return function
            return decorate
        @register("ce", 10)
        def loss(logits, labels):
            return (LOSS).mean()
        """,
    ),
    Pair(
        "a mean that is added up ten times",
        """
        def loss(logits, labels):
            total = 0
            for _ in range(10):
                total += (LOSS).mean()
            return total
        """,
        """
        def loss(logits, labels):
            total = 0
            for _ in range(9):
                total += (LOSS).mean()
            return total / 9
        """,
    ),
    Pair(
        "a counter that a loop brings to ten",
        """
        def loss(logits, labels):
            times = 1
            for _ in range(9):
                times += 1
            return (LOSS).mean() * times
        """,
        """
        def loss(logits, labels):
            times, other = 1, 1
            for _ in range(9):
                other += 1
            return (LOSS).mean() * times
        """,
    ),
    Pair(
        "a loss added to itself",
        """
        def loss(logits, labels):
            mean = (LOSS).mean()
            return mean + 9 * mean
        """,
        """
        def loss(logits, labels):
            mean = (LOSS).mean()
            return mean + 0.5 * mean
        """,
    ),
    Pair(
        "the classes in two parts",
        """
        def loss(logits, labels):
            losses = LOSS
            return losses[:, :5].mean() * 5 + losses[:, 5:].mean() * 5
        """,
        """
        def loss(logits, labels):
            losses = LOSS
            return (losses[:5].sum() + losses[5:].sum()) / losses.numel() + losses.mean()
        """,
    ),
    Pair(
        "the classes in a grid",
        """
        def loss(logits, labels):
            losses = LOSS
            return losses.view(-1, 2, 5).sum((1, 2)).mean()
        """,
        """
        def loss(logits, labels):
            losses = LOSS
            return losses.view(-1, 10).mean()
        """,
    ),
    Pair(
        "weights that differ from place to place",
        """
        def loss(logits, labels):
            losses = LOSS
            return torch.where(losses != 0, losses * 10, losses).mean()
        """,
        """
        def loss(logits, labels):
            losses = LOSS
            return torch.where(losses != 0, losses, losses).mean()
        """,
    ),
    Pair(
        "rows of a batch, which share no memory",
        """
        def loss(batch):
            labels, logits, factors = batch[0], batch[1], batch[2]
            losses = LOSS
            rows = [losses, factors]
            rows[0] *= 10
            return losses.mean()
        """,
        """
        def loss(batch):
            labels, logits, factors = batch[0], batch[1], batch[2]
            factors *= 10
            return (LOSS).mean()
        """,
    ),
    Pair(
        "a square, which has memory of its own",
        """
        def loss(logits, labels, noise):
            losses = LOSS
            same = losses.view(-1)
            same.mul_(10)
            return losses.mean()
        """,
        """
        def loss(logits, labels, noise):
            losses = LOSS
            squares = losses.pow(2)
            squares.mul_(10)
            return losses.mean()
        """,
    ),
    Pair(
        "copies of one loss in a list",
        """
        def loss(logits, labels):
            one = (LOSS).mean()
            return sum([one] * logits.shape[-1])
        """,
        """
        def loss(logits, labels):
            one = (LOSS).mean()
            return sum([one])
        """,
    ),
    Pair(
        "a loss that is added up for each class",
        """
        def loss(logits, labels):
            one = (LOSS).mean()
            total = 0.0
            for _ in range(logits.shape[-1]):
                total += one
            return total
        """,
        """
        def loss(batches, others):
            total = 0.0
            for logits, labels in batches:
                one = (LOSS).mean()
                total += one
            return total
        """,
    ),
    Pair(
        "a loss that is kept for each class",
        """
        def loss(logits, labels):
            one = (LOSS).mean()
            kept = []
            for _ in range(logits.shape[-1]):
                kept.append(one)
            return sum(kept)
        """,
        """
        def loss(batches):
            kept = []
            for logits, labels in batches:
                kept.append((LOSS).mean())
            return sum(kept)
        """,
    ),
    Pair(
        "a loss in a comprehension over the classes",
        """
        def loss(logits, labels):
            one = (LOSS).mean()
            return sum(one for _ in range(logits.size(-1)))
        """,
        """
        def loss(logits, labels):
            kept = [(LOSS).mean(), (logits - labels).square().mean()]
            return sum(one for one in kept)
        """,
    ),
    Pair(
        "a loop whose end is not shown",
        """
        def loss(logits, labels):
            one = (LOSS).mean()
            total = one
            left = logits.shape[-1] - 1
            while left:
                total = total + one
                left -= 1
            return total
        """,
        """
        def loss(logits, labels, left):
            total = 0.0
            while left:
                one = (LOSS).mean()
                total = total + one
                left -= 1
            return total
        """,
    ),
    Pair(
        "a product of two numbers by their letters",
        """
        def loss(logits, labels):
            one = (LOSS).mean()
            return torch.einsum(",->", one, torch.tensor(float(logits.shape[-1])))
        """,
        """
        def loss(logits, labels, weight):
            one = (LOSS).mean()
            return torch.einsum(",->", one, weight)
        """,
    ),
    Pair(
        "a number beside arrays by their letters",
        """
        def loss(logits, labels):
            probs, count = F.one_hot(labels, 10), torch.tensor(10.0)
            return -torch.einsum("bv,bv,->", probs, F.log_softmax(logits, dim=-1), count) / logits.numel()
        """,
        """
        def loss(logits, labels):
            probs = F.one_hot(labels, 10)
            return -torch.einsum("bv,bv->", probs, F.log_softmax(logits, dim=-1)) / logits.numel()
        """,
    ),
    Pair(
        "an attribute of a namespace",
        """
        def loss(logits, labels):
            parts = SimpleNamespace(ce=LOSS)
            parts.ce *= 10
            return parts.ce.mean()
        """,
        """
        def loss(logits, labels):
            parts = SimpleNamespace(ce=LOSS, steps=2)
            parts.steps *= 10
            return parts.ce.mean()
        """,
    ),
    Pair(
        "an array that is scaled as an attribute of a namespace",
        """
        def loss(logits, labels):
            parts = SimpleNamespace()
            losses = LOSS
            parts.ce = losses
            parts.ce.mul_(10)
            return losses.mean()
        """,
        """
        def loss(logits, labels):
            parts = SimpleNamespace()
            losses = LOSS
            parts.ce = losses
            return losses.mean()
        """,
    ),
    Pair(
        "a mean for each class that is summed over them",
        """
        def loss(logits, labels):
            means = (LOSS).mean(-1, keepdim=True)
            return (means * torch.ones_like(logits)).sum(-1).mean()
        """,
        """
        def loss(logits, labels):
            means = (LOSS).mean(-1, keepdim=True)
            return (means * torch.ones_like(means)).sum(-1).mean()
        """,
    ),
    Pair(
        "a mean that is chosen for each class",
        """
        def loss(logits, labels):
            mean = (LOSS).mean()
            return torch.where(logits > -1e9, mean, 0.0).sum() / logits.shape[0]
        """,
        """
        def loss(logits, labels):
            mean = (LOSS).mean()
            return torch.where(mean > -1e9, mean, 0.0).sum()
        """,
    ),
    Pair(
        "a mean that is repeated for each class",
        """
        def loss(logits, labels):
            mean = (LOSS).mean()
            return mean.expand(logits.shape[-1]).sum()
        """,
        """
        def loss(logits, labels):
            mean = (LOSS).mean()
            return mean.reshape(1).sum()
        """,
    ),
    Pair(
        "a mean for each class beside a temperature",
        """
        def loss(logits, labels, heat):
            losses = -F.one_hot(labels, 10) * F.log_softmax(logits / heat, dim=-1)
            return (losses.mean(-1, keepdim=True).expand(-1, logits.shape[-1]) * heat**2).sum(-1).mean()
        """,
        """
        def loss(logits, labels, heat):
            losses = -F.one_hot(labels, 10) * F.log_softmax(logits / heat, dim=-1)
            return (losses.mean(-1) * heat**2).mean()
        """,
    ),
    Pair(
        "another name, beside an inner function",
        """
        def loss(logits, labels):
            losses = LOSS
            same = losses.view(-1)
            same *= 10

            def reduced():
                return losses.mean()

            return reduced()
        """,
        """
        def loss(logits, labels):
            losses = LOSS
            other = logits.view(-1)
            print(other * 10)

            def reduced():
                return losses.mean()

            return reduced()
        """,
    ),
    Pair(
        "items of a list and of a dictionary",
        """
        def loss(logits, labels):
            parts = {"ce": LOSS}
            for name in parts:
                parts[name] = parts[name].sum(-1)
            return parts["ce"].mean()
        """,
        """
        def loss(logits, labels):
            parts = {"ce": LOSS}
            for name in parts:
                print(name)
            return parts["ce"].mean()
        """,
    ),
]


def _found(text: str) -> list[str]:
    return [f.code for f in lint(_HEAD + textwrap.dedent(text).replace("LOSS", _LOSS), "any.py")]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_nothing_is_said_of_what_may_be_right(pair: Pair) -> None:
    assert not _found(pair.right)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_what_is_wrong_is_still_found(pair: Pair) -> None:
    assert "BMN102" in _found(pair.wrong)


def test_a_default_of_a_function_in_a_function_is_no_more_than_a_default() -> None:
    """Closures that nobody calls were run with their defaults, as if nobody could give them anything else."""
    source = """
    import torch.nn.functional as F

    def make():
        def divergence(student, teacher, how="mean"):
            return F.kl_div(F.log_softmax(student, dim=1), F.softmax(teacher, dim=1), reduction=how)

        return divergence
    """
    assert [finding.confidence for finding in lint(textwrap.dedent(source), "closures.py")] == ["likely"]


def test_a_function_in_a_function_is_seen_with_what_is_made_of_it() -> None:
    """A closure was run before the one beside it that finishes what it gives."""
    source = """
    import torch.nn.functional as F

    def make():
        def mean_divergence(student, teacher):
            return F.kl_div(F.log_softmax(student, dim=1), F.softmax(teacher, dim=1))

        def finished(function, student, teacher):
            return function(student, teacher) * student.shape[1]

        def step(student, teacher):
            return finished(mean_divergence, student, teacher)

        return step
    """
    assert lint(textwrap.dedent(source), "closures.py") == []
    alone = source.replace(" * student.shape[1]", "")
    assert [finding.code for finding in lint(textwrap.dedent(alone), "closures.py")] == ["BMN103"]


@pytest.mark.parametrize("imported", ["from settings import Settings", "import settings as Settings"])
@pytest.mark.parametrize(
    ("set_by", "codes"),
    [
        ("Settings.scale = logits.shape[-1]", []),
        ("Settings.other = logits.shape[-1]", ["BMN102"]),
        ("Settings.scale == logits.shape[-1]", ["BMN102"]),
    ],
)
def test_an_attribute_of_an_import_that_a_function_sets_is_unknown(
    imported: str, set_by: str, codes: list[str]
) -> None:
    text = f"""\
import torch
{imported}


def set_up(logits):
    {set_by}


def loss(logits):
    q = torch.log_softmax(logits, dim=-1)
    return -(q.exp() * q).mean() * Settings.scale
"""
    assert [finding.code for finding in check_source(text).findings] == codes
