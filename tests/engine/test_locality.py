"""A verdict depends on what the function uses, and on nothing else in its file.

Each function is linted alone and in several surroundings, whose names, words and comments have nothing to do with
it. What cannot run, and so be no fixture, stands below: items of an unknown loader, an unknown network, symbolic
inputs.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from batchmean.linter import lint

from tests.fixtures.specification import CASES, MODULES
from tests.robustness.counting import a_sample_of

IMPORTS = """
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from einops import rearrange
from scipy.special import log_softmax
"""


class Function(NamedTuple):
    """A function, and what is wrong with it: lines counted from its first one, code and confidence."""

    name: str
    text: str
    wrong: tuple[tuple[int, str, str], ...] = ()


FUNCTIONS = [
    Function(
        "a squared error by hand, and the batch",
        """
        def loss(p, t):
            return torch.mean((p - t) ** 2) / p.size(0)
        """,
        ((2, "BMN301", "proved"),),
    ),
    Function(
        "a squared error by hand",
        """
        def loss(p, t):
            return torch.mean((p - t) ** 2)
        """,
    ),
    Function(
        "a mean over a one-hot target's classes",
        """
        def loss(labels, logits):
            target = np.eye(10)[labels]
            return -(target * log_softmax(logits, axis=-1)).mean()
        """,
        ((3, "BMN102", "proved"),),
    ),
    Function(
        "a sum over them",
        """
        def loss(labels, logits):
            target = np.eye(10)[labels]
            return -(target * log_softmax(logits, axis=-1)).sum(axis=-1).mean()
        """,
    ),
    Function(
        "a masked mean of a network's errors",
        """
        def loss(net, x, y, mask, cfg):
            model = net(embedding_dropout=cfg.dropout, patch=cfg.patch)
            return (F.mse_loss(model(x), y, reduction="none") * mask).mean()
        """,
        ((3, "BMN201", "likely"),),
    ),
    Function(
        "a mask over its own count",
        """
        def loss(net, x, y, mask, cfg):
            model = net(embedding_dropout=cfg.dropout, patch=cfg.patch)
            return (F.mse_loss(model(x), y, reduction="none") * mask).sum() / mask.sum()
        """,
    ),
    Function(
        "the latent divergence of a mean",
        """
        def loss(mu, logvar):
            return -0.5 * torch.mean(1 + logvar - mu.pow(2) - logvar.exp())
        """,
        ((2, "BMN104", "proved"),),
    ),
    Function(
        "columns of a bootstrap mask",
        """
        def loss(qs, target, mask):
            first = F.mse_loss(qs[0], target, reduction="none") * mask[:, 0:1]
            return first.mean() + (F.mse_loss(qs[1], target, reduction="none") * mask[:, 1:2]).mean()
        """,
    ),
    Function(
        "the variance of a mean",
        """
        def loss(x):
            gap = x - x.mean(dim=0)
            return gap.square().sum(dim=-1).mean() / x.shape[0]
        """,
    ),
    Function(
        "a column and a row",
        """
        def loss(returns, values):
            return ((returns.reshape(-1) - values.reshape(-1).unsqueeze(1)) ** 2).mean()
        """,
        ((2, "BMN305", "proved"),),
    ),
    Function(
        "a tensor of one axis or two, told by a setting",
        """
        class Trainer:
            def learn(self, batches, model):
                for old_log_probs, adv in batches:
                    if self.per_token:
                        adv = rearrange(adv, "b -> b 1")
                    ratio = (model() - old_log_probs).exp()
                    loss = ratio * adv + ratio.square() * adv.abs()
                    loss = loss.mean()
                    loss.backward()
        """,
    ),
    Function(
        "items of a loader share no shape",
        """
        def learn(actor, loader, mask):
            for old_log_probs, advantages in loader:
                log_probs = actor(mask=mask)
                advantages = rearrange(advantages, "b -> b 1")
                ratios = (log_probs - old_log_probs).exp()
                loss = (ratios * advantages).mean()
                loss.backward()
        """,
    ),
    Function(
        "an unknown network's outputs share no rank",
        """
        def loss(net, x, labels):
            maps, logits = net(x)
            maps = maps.permute(0, 2, 3, 1)
            target = F.one_hot(labels, 10)
            return maps.sum() - (target * F.log_softmax(logits, -1)).sum(1).mean()
        """,
    ),
    Function(
        "batch means times their examples",
        """
        def epoch(student, teacher, loader):
            total, seen = 0.0, 0
            for x, y in loader:
                s, t = student(x), teacher(x)
                kd = F.kl_div(F.log_softmax(s, dim=1), F.softmax(t, dim=1), reduction="batchmean")
                total += (F.cross_entropy(s, y) + kd).item() * y.size(0)
                seen += y.size(0)
            return total / seen
        """,
    ),
    Function(
        "a mask that there may be or not",
        """
        def loss(predicted, observed, mask=None):
            errors = F.mse_loss(predicted, observed, reduction="none")
            if mask is not None:
                errors = errors * mask
            if mask is None:
                return errors.mean()
            return errors.sum() / mask.sum()
        """,
    ),
    Function(
        "a binary entropy of what is called a mask",
        """
        def regularisation(mask, eps=1e-15):
            ent = -mask * torch.log(mask + eps) - (1 - mask) * torch.log(1 - mask + eps)
            return ent.mean()
        """,
    ),
    Function(
        "a softmax over the axis that an old version takes",
        """
        def soft_last(x, axis=1):
            flipped = x.transpose(axis, 0).contiguous()
            return F.softmax(flipped).transpose(axis, 0)

        def loss(logits, n_nodes, eps=1e-16):
            q = soft_last(logits, -1)
            return (q * torch.log(q + eps)).sum() / (n_nodes * q.size(0))
        """,
    ),
]

Around = Callable[[str], str]

SURROUNDINGS: dict[str, Around] = {
    "alone": lambda function: function,
    "a function named like an argument": lambda function: (
        f"{function}\n\ndef p(logits, labels):\n    return F.cross_entropy(logits, labels)\n"
    ),
    "a variable named like an argument": lambda function: (
        f"p, t, mask, logits = 1, 2, None, np.zeros(3)\n{function}"
    ),
    "a class named like an argument": lambda function: (
        f"class mask:\n    def p(self):\n        return 0\n\n{function}"
    ),
    "words of losses in a text": lambda function: (
        f'"""log_softmax, cross-entropy, kl_div, a mask, mean, advantage."""\n{function}'
    ),
    "words of losses in another function": lambda function: (
        f"def other(log_probs, advantages, mask):\n    return log_probs * advantages * mask\n\n{function}"
    ),
    "a right loss below": lambda function: (
        f"{function}\n\ndef other(logits, labels, mask):\n"
        "    nll = F.cross_entropy(logits, labels, reduction='none')\n    return (nll * mask).sum() / mask.sum()\n"
    ),
    "a wrong loss above": lambda function: (
        "def other(student, teacher):\n"
        "    return F.kl_div(student.log_softmax(-1), teacher.softmax(-1))\n\n" + function
    ),
    "words that look like others": lambda function: (
        f"def other(dropout, patch, embedding, batchnorm):\n    return dropout + patch * embedding\n\n{function}"
    ),
    "a comment in brackets": lambda function: re.sub(r"(?m)^(    \w+ = .*)$", r"\1  # (chosen)", function),
    "a comment of words": lambda function: re.sub(
        r"(?m)^(    .*[^:(,])$", r"\1  # the mask is (see above) padded", function
    ),
    "a call that knows less": lambda function: (
        f"{function}\n\ndef other(*inputs):\n    return {_name(function)}(*inputs)\n"
    ),
    "an import of something else": lambda function: f"import dropout.mask as p_mask\n{function}",
}


def _name(function: str) -> str:
    """The name that is defined last."""
    names: list[str] = re.findall(r"(?m)^(?:def|class) (\w+)", function)
    return names[-1]


@pytest.mark.parametrize("around", SURROUNDINGS)
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_a_verdict_is_the_same_whatever_stands_around(function: Function, around: str) -> None:
    text = textwrap.dedent(function.text).strip("\n") + "\n"
    first = text.split("\n")[0]
    module = IMPORTS + "\n\n" + SURROUNDINGS[around](text)
    start = module.split("\n").index(first)
    lines = range(1, len(text.split("\n")) + 1)
    found = tuple((f.span.line - start, f.code, f.confidence) for f in lint(module, "module.py"))
    assert tuple(finding for finding in found if finding[0] in lines) == function.wrong


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_a_verdict_is_the_same_without_the_imports_of_others(function: Function) -> None:
    """Only what the function names is imported: nothing else makes the file worth reading."""
    text = textwrap.dedent(function.text).strip("\n") + "\n"
    kept = [line for line in IMPORTS.strip().split("\n") if re.search(rf"\b{line.split()[-1]}\b", text)]
    module = "\n".join([*kept, "", "", text])
    found = tuple((f.span.line - len(kept) - 2, f.code, f.confidence) for f in lint(module, "module.py"))
    assert found == function.wrong


def _alone(text: str, name: str) -> str:
    """The module without the functions and classes that this function does not need: empty lines."""
    statements = ast.parse(text).body
    defined = {target: statement for statement in statements for target in _targets(statement)}
    needed, open_names = set[ast.stmt](), [name]
    while open_names:
        statement = defined.get(open_names.pop())
        if statement is not None and statement not in needed:
            needed.add(statement)
            open_names += [node.id for node in ast.walk(statement) if isinstance(node, ast.Name)]
    lines = text.split("\n")
    for statement in statements:
        if statement not in needed and isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            decorators = getattr(statement, "decorator_list", [])
            first = min([statement.lineno, *(decorator.lineno for decorator in decorators)])
            last = statement.end_lineno or first
            lines[first - 1 : last] = [""] * (last - first + 1)
    return "\n".join(lines)


def _targets(statement: ast.stmt) -> list[str]:
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return [statement.name]
    names = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
    return [name.id for name in names if isinstance(name.ctx, ast.Store)]


@pytest.mark.parametrize("path", a_sample_of(MODULES, 3), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_fixture_is_judged_alone_as_in_its_module(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    together = lint(text, "module.py")
    differ = {}
    for case in CASES:
        if case.path != path:
            continue
        alone = lint(_alone(text, case.name), "module.py")
        first, second = (
            [
                (f.span.line, f.code, f.confidence, f.factor)
                for f in findings
                if case.line <= f.span.line <= case.end_line
            ]
            for findings in (together, alone)
        )
        if first != second:
            differ[case.name] = (first, second)
    assert not differ


class Snippet(NamedTuple):
    name: str
    text: str
    wrong: tuple[tuple[int, str, str], ...] = ()


SNIPPETS = [
    Snippet(
        "symbolic inputs of one axis, a summed latent code",
        """
        from keras import backend as K
        from keras.layers import Dense, Input
        def divergence():
            x = Input(shape=(64,))
            mean, log_var = Dense(32)(x), Dense(32)(x)
            return -0.5 * K.sum(1 + log_var - K.square(mean) - K.exp(log_var), axis=1)
        """,
    ),
    Snippet(
        "a count that is bounded is not the whole shape",
        """
        import numpy as np
        def f(y, p):
            n = min(y.size, 128)
            return -np.sum(y * np.log(p)) / n
        """,
    ),
    Snippet(
        "a TensorFlow 1 cost: a mean of one number",
        """
        import tensorflow as tf
        def cost(y, r):
            return tf.reduce_mean(tf.reduce_sum((-y * tf.log(r)) - ((1.0 - y) * tf.log(1.0 - r))))
        """,
        ((4, "BMN303", "proved"),),
    ),
    Snippet(
        "a function of the module that a script below calls with a list",
        """
        import numpy as np
        from scipy.special import log_softmax
        def f(labels, logits):
            target = np.eye(10)[labels]
            return -(target * log_softmax(logits, axis=-1)).mean()
        print(f([0, 1, 2, 3], np.random.randn(4, 10)))
        """,
        ((6, "BMN102", "proved"),),
    ),
    Snippet(
        "a number that is printed in a text is a loss as well",
        """
        import torch.nn.functional as F
        def f(logits):
            p = F.softmax(logits, dim=1)
            print(f"entropy {-(p * p.log()).mean():.3f}")
        """,
        ((5, "BMN102", "proved"),),
    ),
    Snippet(
        "an unknown encoder's parameters, split along the channels of an image",
        """
        import torch
        class Posterior:
            def __init__(self, parameters):
                self.mean, self.logvar = torch.chunk(parameters, 2, dim=1)
                self.var = torch.exp(self.logvar)
            def kl(self):
                return 0.5 * torch.mean(torch.pow(self.mean, 2) + self.var - 1.0 - self.logvar, dim=[1, 2, 3])
        """,
        ((8, "BMN104", "likely"),),
    ),
]


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda snippet: snippet.name)
def test_snippet(snippet: Snippet) -> None:
    found = lint(textwrap.dedent(snippet.text), "snippet.py")
    assert tuple((f.span.line, f.code, f.confidence) for f in found) == snippet.wrong


WORDS = [
    (
        "the classes are divided by, whatever the count is called",
        """
        import torch.nn.functional as F
        def f(logits, labels):
            batch_size = logits.shape[-1]
            return F.cross_entropy(logits, labels) / batch_size
        """,
        r"1/V\b|class",
        r"1/B\b|batch again",
    ),
    (
        "one logarithm of a quotient is a divergence",
        """
        import torch
        import torch.nn.functional as F
        def f(a, b, eps=1e-5):
            p, q = F.softmax(a, dim=-1), F.softmax(b, dim=-1)
            return (p * torch.log((p + eps) / (q + eps))).mean()
        """,
        r"KL divergence",
        r"cross-entropy",
    ),
    (
        "a sum over the examples and a mean over the classes",
        """
        import torch.nn.functional as F
        def f(logits, labels):
            target = F.one_hot(labels, 10)
            return -(target * F.log_softmax(logits, 1)).sum(0).mean()
        """,
        r"examples|batch",
        r"10 times too small",
    ),
    (
        "the steps are divided by again",
        """
        import torch.nn.functional as F
        def f(logits, labels):
            losses = F.cross_entropy(logits.transpose(1, 2), labels, reduction="none")
            return losses.mean(dim=1).mean() / losses.size(1)
        """,
        r"1/T\b|axis 1|dim=1",
        r"1/B\b|batch again",
    ),
]


@pytest.mark.parametrize(("name", "text", "says", "does_not_say"), WORDS, ids=[words[0] for words in WORDS])
def test_a_message_names_what_is_counted(name: str, text: str, says: str, does_not_say: str) -> None:
    (finding,) = lint(textwrap.dedent(text), "words.py")
    assert re.search(says, finding.message), f"{name}: {finding.message}"
    assert not re.search(does_not_say, finding.message), f"{name}: {finding.message}"
