"""Names are evidence, not spelling: within a pattern no name decides anything that another one does not."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import pytest
from batchmean.engine.evidence import code, masks, names
from batchmean.engine.evidence.patterns import Pattern
from batchmean.linter import lint

HEAD = "import torch\nimport torch.nn.functional as F\n\n\n"


def patterns() -> Iterator[tuple[str, Pattern]]:
    modules: list[ModuleType] = [names, masks, code]
    for module in modules:
        for name, value in vars(module).items():
            if isinstance(value, Pattern):
                yield name, value


PATTERNS = dict(patterns())

PROGRAMS = {
    "TARGETS": """
def loss({name}, logits):
    log_probs = F.log_softmax(logits, dim=-1)
    return -({name} * log_probs).mean()
""",
    "PROBABILITIES": """
def loss({name}, logits):
    return -({name} * F.log_softmax(logits, dim=-1)).mean()
""",
    "LOG_PROBABILITIES": """
def loss(logits, {name}):
    return -(F.softmax(logits, dim=-1) * {name}).mean()
""",
    "EPSILONS": """
def loss(target, logits, {name}):
    probs = F.softmax(logits, dim=-1)
    return -(target * torch.log(probs + {name})).mean()
""",
    "CLASS_COUNTS": """
def loss(target, logits, {name}):
    return -(target * F.log_softmax(logits, dim=-1)).mean() * {name}
""",
    "PARTS": """
def loss(logits, labels, {name}):
    mask = torch.arange(logits.shape[1])[None] < (labels != -100).sum(1)[:, None]
    loss = F.cross_entropy(logits.transpose(1, 2), labels, reduction="none")
    return (loss * mask).sum() / {name} / loss.numel()
""",
    "COUNTS": """
def loss(prediction, target, attention_mask, {name}):
    loss = F.mse_loss(prediction, target, reduction="none")
    return (loss * attention_mask).sum() / {name}
""",
    "LOSSES": """
def loss(model, batch, attention_mask):
    {name} = model.score(batch)
    return ({name} * attention_mask).mean()
""",
    "VALIDITY": """
def loss(prediction, target, {name}):
    loss = F.mse_loss(prediction, target, reduction="none")
    loss = loss.sum(-1)
    return (loss * (~{name} if "{name}".startswith("pad") or "{name}" == "is_pad" else {name})).mean()
""",
    "OTHER_CHOICES": """
def loss(prediction, target, {name}):
    loss = F.mse_loss(prediction, target, reduction="none")
    return (loss * {name}).mean()
""",
    "PADDING_VALUES": """
def loss(logits, input_ids, {name}):
    loss = F.cross_entropy(logits.transpose(1, 2), input_ids, reduction="none")
    return (loss * (input_ids != {name})).mean()
""",
    "LENGTHS": """
def loss(logits, labels, {name}):
    loss = F.cross_entropy(logits.transpose(1, 2), labels, reduction="none")
    return (loss * (torch.arange(labels.shape[1]) < {name})).mean()
""",
    "MAKERS": """
def loss(logits, labels, lengths):
    loss = F.cross_entropy(logits.transpose(1, 2), labels, reduction="none")
    return (loss * {name}(lengths)).mean()
""",
    "NO_DISTRIBUTION": """
def loss({name}, logits):
    return -({name} * F.log_softmax(logits, dim=-1)).mean()
""",
}


SILENCING = ("CLASS_COUNTS", "COUNTS", "PARTS")
"""Patterns that can only take a finding away: what is left may be proved."""


def found(program: str, name: str) -> list[tuple[str, str, int]]:
    text = HEAD + program.replace("{name}", name)
    return [(finding.code, finding.confidence, finding.span.line) for finding in lint(text, "loss.py")]


@pytest.mark.parametrize("name", PATTERNS)
def test_it_takes_its_examples_and_leaves_the_others(name: str) -> None:
    pattern = PATTERNS[name]
    assert pattern.why
    for taken in pattern.takes:
        assert pattern.is_in(taken) or pattern.is_any_of((taken,)), taken
    for left in pattern.leaves:
        assert not pattern.is_in(left), left
        assert not pattern.is_any_of((left,)), left


@pytest.mark.parametrize("name", PROGRAMS)
def test_names_of_one_pattern_are_one_name(name: str) -> None:
    programs = {example: found(PROGRAMS[name], example) for example in PATTERNS[name].takes}
    first, *others = programs.values()
    assert others
    assert all(other == first for other in others), programs
    assert name in SILENCING or all(confidence == "likely" for _, confidence, _ in first), first
