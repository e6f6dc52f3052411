"""What the text gates let through, what not, and what an analysis leaves behind."""

from __future__ import annotations

import ast
import gc
import re
from pathlib import Path

import pytest
from batchmean.gate import losses, reduces, worth_parsing
from batchmean.linter import lint
from batchmean.rules import RULES

from tests.robustness.counting import a_sample_of

FIXTURES = sorted((Path(__file__).parents[2] / "fixtures").rglob("*.py"))


@pytest.mark.parametrize(
    "line",
    [
        "return -(target * log_softmax(x)).mean()",
        "return -tf.reduce_mean(p * tf.math.log(p))",
        "return -np.sum(p * np.log2(p)) / p.size",
        "return F.kl_div(q, p)",
        "return (criterion(x, y) * mask).mean()  # loss",
        "return -0.5 * torch.mean(1 + log_variance - mu**2 - torch.exp(log_variance))",
        "return -torch.mean(y_onehot * logp)",
        "return F.mse_loss(x, y) / x.size(0)",
        "return F.cross_entropy(x, y, reduction='sum') / x.numel()",
        "return (optax.l2_loss(x, y) * (y > 0)).mean()",
        "return (optax.l2_loss(x, y) * (y != pad)).mean()",
        "return (optax.l2_loss(x, y) * (y != self.PAD)).mean()",
        "return (optax.l2_loss(x, y) * (y != ignored)).mean()",
        "return (F.mse_loss(x, y, reduction='none') * y.ne(0)).mean()",
        "return (F.mse_loss(x, y, reduction='none') * torch.gt(y, 0)).mean()",
        "return (optax.l2_loss(x, y) * (jnp.arange(x.shape[1]) < steps[:, None])).mean()",
    ],
)
def test_a_loss_is_let_through(line: str) -> None:
    assert worth_parsing(f"def f(x, y):\n    {line}\n")


@pytest.mark.parametrize(
    "line",
    [
        "return x + y",
        "return x.mean()",  # of nothing that is known to be a loss
        "return -(target * log_softmax(x)).sum(-1)",  # summed only
        "logger.log(10, x.mean())",
        "self.log('accuracy', x.mean())",
        "super().log({'accuracy': x.mean()})",
        "bias = -math.log(classes); return x.mean() + bias",
        "depth = int(math.log2(x.mean()))",
        "return np.exp(x).mean()  # one variant among various variables",
        "# not a log_softmax\n    return x.mean()",
    ],
)
def test_what_holds_no_loss_costs_a_text_search(line: str) -> None:
    assert not worth_parsing(f"def f(x, y):\n    {line}\n")


@pytest.mark.parametrize(
    "line",
    [
        "return abs(x - y) / len(x), math.sqrt(x)",
        "total = sum(abs(e) for e in errors) / len(errors)",
        "return (x ** 2 + y ** 2) / x.size  # without loss of precision",
        "for n, width in enumerate(x): widths += width ** 2; mean = sum(widths) / len(x)",
    ],
)
def test_a_text_about_other_things_costs_a_text_search_however_it_sums_and_divides(line: str) -> None:
    assert not worth_parsing(f"import math\n\ndef f(x, y):\n    {line}\n")
    assert worth_parsing(f"import math\nimport numpy\n\ndef f(x, y):\n    {line}\n")


def test_what_a_stable_rule_finds_is_let_through_without_preview() -> None:
    stable = [rule for rule in RULES.values() if not rule.preview]
    assert stable
    assert all(worth_parsing(rule.wrong, loops=False, preview=False) for rule in stable)
    codes = {rule.code for rule in stable}
    found = 0
    for path in FIXTURES:
        text = path.read_text(encoding="utf-8")
        if any(code in codes for expected in re.findall("# expect: (.*)", text) for code in expected.split()):
            found += 1
            assert worth_parsing(text, loops=False, preview=False), path
    assert found > 50


@pytest.mark.parametrize(
    "line",
    [
        "return ((x - y) ** 2 * mask).mean()",
        "return np.abs(x[:, None] - y).mean() / len(x)",
        "loss = np.square(x - y).sum(); return loss / x.size",
    ],
)
def test_errors_and_masks_alone_are_for_rules_in_preview(line: str) -> None:
    text = f"import numpy as np\n\ndef f(x, y, mask):\n    {line}\n"
    assert worth_parsing(text)
    assert not worth_parsing(text, preview=False)


def test_the_marks_stand_where_the_losses_do() -> None:
    text = "a = log_softmax(x)\nlogger.log(1)\nb = math.log(2)\nc = tf.math.log(p)\nd = logp\n"
    text += "def log(self, logs):\n    # of log(p)\n    return -log(p)\n"
    assert [text.count("\n", 0, at) + 1 for at in losses(text)] == [1, 4, 5, 8]


def test_a_reduction_is_a_mean_or_a_sum_and_a_count() -> None:
    assert reduces("x.mean()") and reduces("x.sum() / len(x)")
    assert not reduces("x.sum()") and not reduces("len(x)")


@pytest.mark.parametrize("path", a_sample_of(FIXTURES), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_no_tree_is_left_to_the_collector(path: Path) -> None:
    """In a cycle the whole tree of a file would live on, and the collector would walk it."""
    text = path.read_text(encoding="utf-8")
    gc.disable()
    gc.collect()
    gc.freeze()  # what was there before is not looked through again
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        lint(text, "any.py")
        gc.collect()
        assert not [kept for kept in gc.garbage if isinstance(kept, ast.AST)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.unfreeze()
        gc.enable()
