"""Loops around a loss: the total of an epoch, and gradients that are added up over micro-batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from benchmarks.oracle.program import Block

ROUNDS: Final = 3
"""How many batches there are: the same one again and again, so that any right mean over them is its own."""
TAG: Final = "reduction"


def epoch(step: Block, names: Sequence[str], loss: Callable[[Sequence[str]], str]) -> str:
    """Write a loop that adds the losses of batches up and divides the total; the result is its first parameter."""
    w, pick = step.writer, step.writer.choices.pick
    loader, total, seen = w.fresh("loader"), w.fresh("total"), w.fresh("count")
    weighed = pick("each times", ("nothing", "its examples"))
    divisor = pick("total by", ("batches", "examples", "nothing"), (4, 4, 0.7))
    count = w.choices.pick("examples of", _counts(w.framework)).format(x=names[0])
    step.say(f"{total} = 0.0", TAG)
    by_counter = divisor == "examples" and w.choices.chance("counted along", 0.6)
    if by_counter:
        step.say(f"{seen} = 0")
    with step.inside(_head(step, names, loader)):
        one = step.maybe("loss of a batch", loss(names), TAG, likely=0.7)
        if w.framework == "torch" and w.choices.chance("item", 0.6):
            one = f"{one}.item()"
        step.say(f"{total} += {one}{f' * {count}' if weighed == 'its examples' else ''}", TAG)
        if by_counter:
            step.say(f"{seen} += {count}")
    if divisor == "batches":
        step.say(f"return {total} / len({loader})", TAG)
    elif divisor == "examples":
        counted = seen if by_counter else f"sum(len({names[0]}[0]) for {names[0]} in {loader})"
        step.say(f"return {total} / {counted}", TAG)
    else:
        step.say(f"return {total}", TAG)
    return loader


def accumulation(step: Block, names: Sequence[str], loss: Callable[[Sequence[str]], str]) -> tuple[str, str]:
    """Write a loop that adds gradients up; the parameters are the batches and the optimiser."""
    w = step.writer
    loader, optimizer, steps = w.fresh("loader"), w.fresh("optimizer"), w.fresh("steps")
    ways = ("divided", "not", "twice", "backward of the quotient")
    how = w.choices.pick("accumulated", ways, (4, 2, 1.5, 1))
    step.say(f"{steps} = len({loader})")
    step.say(f"{optimizer}.zero_grad()")
    with step.inside(_head(step, names, loader)):
        one = step.let("loss of a batch", loss(names), TAG)
        if how in ("divided", "twice"):
            step.say(w.choices.pick("divided as", (f"{one} = {one} / {steps}", f"{one} /= {steps}")), TAG)
        quotient = f"({one} / {steps})" if how in ("twice", "backward of the quotient") else one
        step.say(f"{quotient}.backward()", TAG)
    step.say(f"{optimizer}.step()", TAG)
    return loader, optimizer


def verdict(loop: str, made: Mapping[str, int]) -> str:
    """Is the loop right by itself, as the choices have it?"""
    if loop == "epoch":
        return "right" if made["each times"] == made["total by"] else "wrong"
    return "" if not loop else "right" if made["accumulated"] in (0, 3) else "wrong"


def _head(step: Block, names: Sequence[str], loader: str) -> str:
    """The loop over batches, each of which has these names."""
    whole = f"{', '.join(names)}{',' if len(names) == 1 else ''}"
    forms = (f"for {whole} in {loader}:", f"for _, ({whole}) in enumerate({loader}):")
    return step.writer.choices.pick("loop over batches", forms)


def _counts(framework: str) -> Sequence[str]:
    return (
        ("len({x})", "{x}.shape[0]", "{x}.size(0)") if framework == "torch" else ("len({x})", "{x}.shape[0]")
    )
