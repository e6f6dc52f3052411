"""The fixes of wrong counts: a second division, one that is thrown away, a mean over masked positions, a wrong axis."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent, indent

import numpy as np
import pytest
from batchmean.findings import Finding
from batchmean.linter import lint
from batchmean.rewrite import scale_note
from batchmean.source import apply

from tests.fixes.test_plans import findings, fixed

TORCH = """\
import torch
import torch.nn.functional as F

def loss(logits, labels, attention_mask):
    ce = F.cross_entropy(logits, labels)
    total = F.cross_entropy(logits, labels, reduction="sum")
    each = F.cross_entropy(logits, labels, reduction="none")
    n = logits.size(0)
"""
NUMPY = """\
import numpy as np
from scipy.special import log_softmax

def loss(predicted, observed, mask):
    errors = (predicted - observed) ** 2
"""
TENSORFLOW = """\
import tensorflow as tf

def loss(predicted, observed, lengths):
    errors = tf.square(predicted - observed)
    mask = tf.sequence_mask(lengths, tf.shape(errors)[1], dtype=errors.dtype)
"""
COUNT = "attention_mask.expand_as(each).sum().clamp(min=1)"
NP_COUNT = "np.maximum(np.broadcast_to(mask, errors.shape).sum(), 1)"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("return ce / logits.size(0)", "return ce"),
        ("return (ce / logits.size(0))", "return ce"),
        ("return(ce / logits.size(0))", "return(ce)"),
        ("return (ce / logits.size(0)).mean()", "return ce.mean()"),
        ("return -ce / len(labels)", "return -ce"),
        ("return (1 / len(labels)) * ce", "return ce"),
        ("return 1 / len(labels) * ce", "return ce"),
        ("return 2 * ce / len(labels)", "return 2 * ce"),
        ("return ce * (1. / len(labels))", "return ce"),
        ("return 0.5 * (ce) / len(labels)", "return 0.5 * (ce)"),
        ("return ce.div(len(labels))", "return ce"),
        ("return (-ce).div( len(labels) )", "return (-ce)"),
        ("return torch.div(ce, len(labels))", "return ce"),
        ("return torch.div(-ce, len(labels)).item()", "return (-ce).item()"),
        ("return ce / n", "return ce"),
        ("ce = ce / len(labels)\nreturn ce", "return ce"),
        ("ce /= len(labels)\nreturn ce", "return ce"),
        ("ce.div_(len(labels))\nreturn ce", "return ce"),
        ("ce /= len(labels)  # again\nreturn ce", "# again\nreturn ce"),
        ("if n:\n    ce /= len(labels)\n    print(n)\nreturn ce", "if n:\n    print(n)\nreturn ce"),
        (
            """
            return (
                ce  # a mean
                / logits.size(0)
            )
            """,
            """
            return (
                ce  # a mean
            )
            """,
        ),
        (
            """
            return (
                ce
                / logits.size(0)
            )
            """,
            """
            return (
                ce
            )
            """,
        ),
    ],
)
def test_a_second_division_goes(before: str, after: str) -> None:
    head = TORCH if "/ n" in before or "if n" in before else TORCH.replace("    n = logits.size(0)\n", "")
    if before == "return ce / n":  # the count is of no use any more
        text, (finding,) = findings(head, before)
        assert finding.fix is not None
        assert apply(text, finding.fix.edits).endswith('"none")\n    return ce\n')
        return
    assert fixed(head, before) == dedent(after).strip("\n")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("total.div(n)\nreturn total", "total = total.div(n)\nreturn total"),
        ("torch.div(total, n)\nreturn total", "total = torch.div(total, n)\nreturn total"),
        ("total / n\nreturn total", "total = total / n\nreturn total"),
        ("(total / n)  # per example\nreturn total", "total = (total / n)  # per example\nreturn total"),
        ("total.div(n); return total", "total = total.div(n); return total"),
        ("total.div(\n    n,\n)\nreturn total", "total = total.div(\n    n,\n)\nreturn total"),
    ],
)
def test_a_division_that_is_thrown_away_is_kept(before: str, after: str) -> None:
    assert fixed(TORCH, before) == after


@pytest.mark.parametrize(
    ("head", "before", "after"),
    [
        (TORCH, "return (each * attention_mask).mean()", f"return (each * attention_mask).sum() / {COUNT}"),
        (TORCH, "return (attention_mask*each) . mean( )", f"return (attention_mask*each) . sum( ) / {COUNT}"),
        (TORCH, "return -(each * attention_mask).mean()", f"return -(each * attention_mask).sum() / {COUNT}"),
        (TORCH, "return 2 * torch.mean(each * attention_mask)", None),
        (
            TORCH,
            "return torch.mean(each * attention_mask) * 2",
            f"return torch.sum(each * attention_mask) / {COUNT} * 2",
        ),
        (
            TORCH,
            "return (each * attention_mask).mean() ** 2",
            f"return ((each * attention_mask).sum() / {COUNT}) ** 2",
        ),
        (
            TORCH,
            "return 2 ** -(each * attention_mask).mean()",
            f"return 2 ** -((each * attention_mask).sum() / {COUNT})",
        ),
        (
            TORCH,
            "return (each * attention_mask).mean().item()",
            f"return ((each * attention_mask).sum() / {COUNT}).item()",
        ),
        (
            TORCH,
            "return torch.sum(each * attention_mask) / each.numel()",
            f"return torch.sum(each * attention_mask) / {COUNT}",
        ),
        (
            TORCH,
            """
            return (
                (each * attention_mask)  # the padding is zero
                # over all
                .mean()
            )
            """,
            f"""
            return (
                (each * attention_mask)  # the padding is zero
                # over all
                .sum() / {COUNT}
            )
            """,
        ),
        (NUMPY, "return (errors * mask).mean()", f"return (errors * mask).sum() / {NP_COUNT}"),
        (NUMPY, "return np.mean(mask * errors)", f"return np.sum(mask * errors) / {NP_COUNT}"),
        (NUMPY, "return np.sum(errors * mask) / errors.size", f"return np.sum(errors * mask) / {NP_COUNT}"),
        (
            NUMPY.replace("np", "numpy").replace("numpy as numpy", "numpy as N"),
            "return (errors * mask).mean()",
            "return (errors * mask).sum() / N.maximum(N.broadcast_to(mask, errors.shape).sum(), 1)",
        ),
        (
            TENSORFLOW,
            "return tf.reduce_mean(errors * mask)",
            "return tf.math.divide_no_nan(tf.reduce_sum(errors * mask), "
            "tf.reduce_sum(tf.broadcast_to(mask, tf.shape(errors))))",
        ),
    ],
)
def test_a_masked_mean_is_divided_by_the_mask(head: str, before: str, after: str | None) -> None:
    if after is None:  # a product on the left binds as strongly
        after = f"return 2 * (torch.sum(each * attention_mask) / {COUNT})"
    assert fixed(head, before) == dedent(after).strip("\n")


def test_other_shapes_of_the_same_elements() -> None:
    body = "return (each.reshape(-1) * attention_mask.reshape(-1)).mean()"
    count = "attention_mask.reshape(-1).expand_as(each.reshape(-1)).sum().clamp(min=1)"
    assert fixed(TORCH, body) == f"return (each.reshape(-1) * attention_mask.reshape(-1)).sum() / {count}"


def test_the_mask_of_an_object_and_of_a_dictionary() -> None:
    body = 'return (each * batch["attention_mask"]).mean()'
    head = TORCH.replace("attention_mask", "batch")
    assert fixed(head, body) == (
        'return (each * batch["attention_mask"]).sum() / batch["attention_mask"].expand_as(each).sum().clamp(min=1)'
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("return total / logits.shape[1]", "return total / logits.shape[0]"),
        ("return total / logits.size(-1)", "return total / logits.size(0)"),
        ("return total / logits.size(dim=-1)", "return total / logits.size(dim=0)"),
        ("return total / float( logits.shape[1] )", "return total / float( logits.shape[0] )"),
    ],
)
def test_the_other_of_two_axes(before: str, after: str) -> None:
    head = dedent("""\
        import torch.nn.functional as F

        def loss(logits, teacher):
            b, v = logits.shape
            total = -(teacher.softmax(dim=1) * F.log_softmax(logits, dim=1)).sum()
    """)
    assert fixed(head, before) == after


def test_of_an_unknown_number_of_axes_the_mean_is_taken() -> None:
    head = TORCH.split("    ce")[0]
    total = "t = -(labels.softmax(dim=1) * F.log_softmax(logits, dim=1)).sum()\n"
    after = total.replace(".sum()", ".sum(dim=1).mean()") + "return t"
    assert fixed(head, total + "return t / logits.size(1)") == after


def test_the_length_of_an_axis_by_its_keyword_is_no_size_of_all() -> None:
    head = dedent("""\
        import torch.nn.functional as F

        def loss(logits, labels, how="mean"):
            target = F.one_hot(labels, logits.shape[1]).movedim(-1, 1)
            each = -(target * F.log_softmax(logits, dim=1))
            if how == "mean":
                total = each.sum()
            else:
                total = each.sum(dim=1)
    """)
    for length in ("logits.size(1)", "logits.size(dim=1)"):
        assert reason(head, f'return total / {length} if how == "mean" else total.mean()')


def reason(head: str, body: str) -> str:
    """Why the only finding has no fix."""
    _, (finding,) = findings(head, body)
    assert finding.fix is None, finding.fix
    assert finding.no_fix is not None
    return finding.no_fix


NO_NAMES = "loss and mask have no names of their own here"
ELSEWHERE = "the mask is applied elsewhere"


@pytest.mark.parametrize(
    ("head", "body", "why"),
    [
        (
            TORCH,
            "return (F.cross_entropy(logits, labels, reduction='none') * attention_mask).mean()",
            NO_NAMES,
        ),
        (TORCH, "return each.masked_fill(~attention_mask, 0).mean()", ELSEWHERE),
        (TORCH, "return torch.where(attention_mask, each, 0.0).mean()", ELSEWHERE),
        (TORCH, "each *= attention_mask\nreturn each.mean()", ELSEWHERE),
        (
            TORCH.replace('reduction="none"', 'reduction="none", ignore_index=0'),
            "return (each * attention_mask).mean()",
            "could be shown to be right",
        ),
        (
            TORCH.replace('reduction="none"', 'reduction="none", ignore_index=0'),
            "return each.mean()",
            ELSEWHERE,
        ),
        (TORCH, "return (each * attention_mask).mean()  # noqa: E501", "a `# noqa` comment"),
        (TORCH, "if n:\n    ce /= len(labels)\nreturn ce", "its block nothing else"),
        (TORCH, "ce /= len(labels); print(n)\nreturn ce", "the line holds more"),
        (TORCH, "total.div(n)\nreturn ce", "nothing reads the loss after this line"),
        (TORCH, "(-total).div(n)\nreturn total", "no plain name"),
        (TORCH, "def inner():\n    total.div(n)\n    return total\nreturn inner()", "of another function"),
        (TORCH, "return each.sum().mean()", "does not show which axes"),
        (TORCH, "k = len(labels) * weights\nreturn ce / k", None),
        (TORCH, "return ce / (len(labels) * weights)", None),
        (TORCH, "k = len(labels) * 1\nreturn ce / k", "may hold more than the count"),
        (TORCH, "return (each.reshape(-1) * attention_mask.reshape(-1, 1)).mean()", None),
    ],
)
def test_no_fix_without_certainty(head: str, body: str, why: str | None) -> None:
    _, found = findings(head, body)
    assert all(finding.fix is None for finding in found)
    if why is not None:
        assert [why in (finding.no_fix or "") for finding in found] == [True], found


def test_a_truth_value_is_not_multiplied_in_tensorflow() -> None:
    """`where` is there because `*` would fail: no fix may bring one in."""
    head = TENSORFLOW.replace(", dtype=errors.dtype", "")
    assert ELSEWHERE in reason(head, "return tf.reduce_mean(tf.where(mask, errors, tf.zeros_like(errors)))")


@pytest.mark.parametrize(
    ("body", "safe"),
    [
        ("return ce / len(labels)", True),
        ("ce /= len(labels)\nreturn ce", True),
        ("return 0.1 * ce / len(labels)", False),
        ("return ce / len(labels) + (logits ** 2).sum()", False),
        ("l = ce / len(labels)\nreturn l + (logits ** 2).sum()", False),
        ("total.div(n)\nreturn total", True),
        ("total.div(n)\nreturn total * 0.1", False),
        ("total.div(n)\nreturn total + (logits ** 2).sum()", False),
        ("(each * attention_mask).sum()\nreturn (each * attention_mask).mean()", False),
    ],
)
def test_what_is_proved_and_alone_is_safe(body: str, safe: bool) -> None:
    _, found = findings(TORCH, body)
    assert [f.fix is not None and f.fix.safe for f in found] == [safe], found


def test_a_masked_mean_that_is_proved_is_not_safe() -> None:
    """A loss of shape (B, 1) is stretched by a mask of shape (B, T), which cannot be broadcast to it."""
    head = TENSORFLOW
    _, (finding,) = findings(head, "return tf.reduce_mean(errors * mask)")
    assert finding.confidence == "proved"
    assert finding.fix is not None
    assert not finding.fix.safe


UNKNOWN = """\
import torch
import torch.nn.functional as F

def step(logits, labels, weights):
    loss = (F.log_softmax(logits, -1) * weights).sum()
"""


def test_a_discarded_division_of_an_unknown_sum_is_not_safe() -> None:
    _, (finding,) = findings(UNKNOWN, "loss.div(len(labels))\nreturn loss")
    assert finding.factor is None
    assert finding.fix is not None
    assert not finding.fix.safe


def test_a_batch_without_a_valid_position_has_a_loss_of_zero() -> None:
    for body in ("return (errors * mask).mean()", "return np.sum(errors * mask) / errors.size"):
        text, (finding,) = findings(NUMPY, body)
        assert finding.fix is not None
        names: dict[str, object] = {}
        exec(apply(text, finding.fix.edits), names)
        loss = names["loss"]
        assert callable(loss)
        ones, none = np.ones((3, 4)), np.zeros((3, 4))
        assert loss(ones, none, none) == 0
        assert loss(ones, none, none == 0) == 1
        assert loss(ones[..., None] * [1, 1], none[..., None] * [1, 1], np.ones((3, 4, 1))) == 1


@pytest.mark.parametrize(
    ("head", "body", "growth"),
    [
        (NUMPY, "return (errors * mask).mean()", "become N/n_valid times larger (x.py:6)"),
        (TORCH, "return ce / len(labels)", "become B times larger (x.py:9)"),
        (TORCH, "total.div(n)\nreturn total", "become B times smaller (x.py:9)"),
        (
            UNKNOWN,
            "loss.div(len(labels))\nreturn loss",
            "become smaller by a count (x.py:6)",
        ),
        (
            "import numpy as np\nfrom scipy.special import softmax\n\ndef entropy(x):\n    p = softmax(x, -1)\n",
            "return -np.sum(p * np.log(p)) / p.shape[-1]",
            "become V/B times as large (x.py:6)",
        ),
    ],
)
def test_the_note_says_which_way_the_loss_goes(head: str, body: str, growth: str) -> None:
    text = head + indent(body, "    ") + "\n"
    found = lint(text, "x.py", fixes=True)
    assert [f.fix is not None for f in found] == [True], found
    assert growth in scale_note(found, pending=False)


@pytest.mark.heavy  # it starts many processes, or takes seconds
def test_what_has_no_fix_says_what_to_do() -> None:
    advice = {
        "BMN303": "sum over the others",
        "BMN305": "give both the same shape",
        "BMN401": "mend the loss first",
    }
    found: list[Finding] = []
    for path in (Path(__file__).parents[2] / "fixtures" / "on_numpy").glob("*.py"):
        found += lint(path.read_text(encoding="utf-8"), path.name, fixes=True)
    for code, words in advice.items():
        mine = [finding for finding in found if finding.code == code]
        assert mine
        assert all(finding.fix is None and words in (finding.no_fix or "") for finding in mine)
