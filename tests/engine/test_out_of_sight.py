"""A loss that code out of sight is given with the number of its classes may be put right there; else it is told."""

from __future__ import annotations

import textwrap
from typing import Final

import batchmean
import pytest

PROGRAM: Final = """
import functools
import torch.nn.functional as F
from elsewhere import Report, Scaling, apply, log, made, rescaled, tools


def loss(self, logits, labels):
    classes = logits.shape[-1]
    batch = logits.shape[0]
    target = F.one_hot(labels, classes).float()
    total = -(target * F.log_softmax(logits, dim=-1)).mean()
    {end}
"""
PUT_RIGHT: Final = [
    "return rescaled(total, classes)",
    "return rescaled(total, by=classes)",
    "return rescaled(batch * classes, total)",
    "return rescaled([total], classes)",
    "return rescaled((total, classes))",
    "return rescaled(total, [batch, classes])",
    "return rescaled(total, **{'by': classes})",
    "return rescaled(**{'loss': total, 'by': classes})",
    "given = {'by': classes}\n    return rescaled(total, **given)",
    "return rescaled(total, logits.shape)",
    "return rescaled(total, logits.numel())",
    "return tools.rescaled(total, classes)",
    "return self.rescaled(total, classes)",
    "total = rescaled(total, classes)\n    return total",
    "rescaled(total, classes).backward()",
    "return functools.partial(rescaled, classes)(total)",
    "return made(classes)(total)",
    "return Scaling(classes).apply(total)",
    "scaling = Scaling(classes)\n    return scaling.of(total)",
    "with Scaling(classes) as scaled:\n        return scaled(total)",
    "return apply(lambda x: x * classes, total)",
    "return apply(lambda x: x * logits.shape[-1], total)",
    "def scaled(x):\n        return x * classes\n    return apply(scaled, total)",
]
NOT_PUT_RIGHT: Final = [
    "return total",
    "return rescaled(total)",
    "return rescaled(total, labels)",
    "return Report(loss=total, logits=logits)",
    "return rescaled(total, batch)",
    "return apply(lambda x: x.item(), total)",
    "return made(classes)(logits), total",
    "print(total, classes)\n    return total",
    "log(total, classes)\n    return total",
    "self.log('loss', total, batch_size=batch)\n    return total",
    "step = self.log('loss', total, batch_size=batch)\n    return total",
    "tools.log(total, classes)\n    return total",
    "Report(classes).update(total)\n    return total",
]


@pytest.mark.parametrize("end", PUT_RIGHT)
def test_what_is_given_the_classes_too_may_multiply_by_them(end: str) -> None:
    assert not batchmean.check_source(PROGRAM.format(end=end)).findings


@pytest.mark.parametrize("end", NOT_PUT_RIGHT)
def test_what_is_not_given_them_or_not_taken_is_told(end: str) -> None:
    found = batchmean.check_source(PROGRAM.format(end=end)).findings
    assert [(one.code, one.confidence) for one in found] == [("BMN102", "proved")]


@pytest.mark.parametrize("given", ["classes", "11"])
def test_a_number_of_classes_that_is_written_out(given: str) -> None:
    source = PROGRAM.replace("classes = logits.shape[-1]", "classes = 11")
    assert not batchmean.check_source(source.format(end=f"return rescaled(total, {given})")).findings
    assert batchmean.check_source(source.format(end="return rescaled(total, 12)")).findings


def test_a_parameter_that_counts_the_classes() -> None:
    source = PROGRAM.replace("logits, labels)", "logits, labels, k)").replace("logits.shape[-1]", "k")
    assert not batchmean.check_source(source.format(end="return rescaled(total, k)")).findings


def test_an_object_of_a_class_in_sight_that_is_not_followed() -> None:
    source = """
import torch.nn.functional as F
from elsewhere import Module


class Loss(Module):
    def loss(self, logits, labels):
        classes = logits.shape[-1]
        total = -(F.one_hot(labels, classes) * F.log_softmax(logits, dim=-1)).mean()
        return self.{end}
"""
    assert not batchmean.check_source(source.format(end="rescaled(total, classes)")).findings
    assert batchmean.check_source(source.format(end="rescaled(total, labels)")).findings


@pytest.mark.parametrize("kept", ["[]", "list()", "{}"])
@pytest.mark.parametrize("test", ["len(self.older) > 0", "self.older", "not len(self.older) == 0"])
def test_what_an_object_keeps_may_have_been_filled(kept: str, test: str) -> None:
    source = f"""
    import torch.nn.functional as F

    class Base:
        def __init__(self):
            self.older = {kept}

    class Trainer(Base):
        def loss(self, log_probs, probs):
            if {test}:
                return F.kl_div(log_probs, probs)
            return 0
    """
    assert [f.code for f in batchmean.check_source(textwrap.dedent(source)).findings] == ["BMN103"]
