"""The parts of one batch, whose gradients are added up before the optimizer steps."""

from __future__ import annotations

import ast
import re
from typing import Final

from batchmean.engine.epochs.spelling import last_name
from batchmean.engine.epochs.values import Count, Loop, Value
from batchmean.nodes import nodes

_STEPPING: Final = re.compile(r"step|(zero|clear)_?grad|update|apply_|optim", re.I)
"""What is called once the gradients of all parts are there, as far as names tell."""
_DIFFERENTIATING: Final = frozenset("backward grad value_and_grad filter_grad filter_value_and_grad".split())


def counts_parts(number: Value, loop: Loop) -> bool:
    """Is it the number of rounds of a loop that adds up gradients: `len(micro_batches)`?"""
    is_length = isinstance(number, Count) and number.of == "length" and number.key in loop.rounds
    return is_length and not loop.breaks and _adds_up_gradients(loop.node)


def _adds_up_gradients(loop: ast.AST) -> bool:
    """Does it take a gradient in each of its rounds, and leave the step of the optimizer to what follows it?"""
    if not isinstance(loop, ast.For):
        return False
    called = [last_name(node.func) for node in nodes(loop) if isinstance(node, ast.Call)]
    return not _DIFFERENTIATING.isdisjoint(called) and not any(map(_STEPPING.search, called))
