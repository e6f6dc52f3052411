"""Statistics beside a loss: a mean that is given back, logged or kept, and is no part of what is minimised."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Final

from benchmarks.oracle.parts import Built
from benchmarks.oracle.program import Block

_KEPT: Final = (
    "returned",
    "returned in a dict",
    "one of a dict",
    "stored",
    "appended",
    "printed",
    "attribute",
    "logged",
)


@dataclass(frozen=True)
class Statistic:
    """Where it goes, and its expression."""

    how: str
    x: str
    name: str
    """What it is called where it is kept."""
    text: str
    """What it is a mean of, as it is printed."""
    is_of_elements: bool

    def keep(self, block: Block) -> None:
        """Write what is done with it, unless it is given back."""
        w = block.writer
        if self.how in ("stored", "appended"):
            kept = w.fresh("metrics").upper()
            w.tops.append([(0, f"{kept} = {'{}' if self.how == 'stored' else '[]'}", "other")])
            ways = (f"{kept}['{self.name}'] = {self.x}", f"{kept}.update({self.name}={self.x})")
            one = w.choices.pick("stored as", ways) if self.how == "stored" else f"{kept}.append({self.x})"
            block.say(one)
        elif self.how == "attribute":
            block.say(f"self.{self.name} = {self.x}")
        elif self.how == "logged":
            block.logs = w.fresh("log")
            block.say(f"self.{block.logs}('{self.name}', {self.x})")
        elif self.how == "printed":
            block.say(f"print('{self.name}', {self.x})")

    def returned(self, block: Block, loss: str) -> tuple[str, str]:
        """What is given back with the loss, and what takes the loss out of it."""
        if self.how == "returned":
            return f"{loss}, {self.x}", "[0]"
        if self.how == "returned in a dict":
            return f"{loss}, {{'{self.name}': {self.x}}}", "[0]"
        if self.how == "one of a dict":
            return f"{{'loss': {loss}, '{self.name}': {self.x}}}", "['loss']"
        return loss, ""


def statistic_of(block: Block, built: Built) -> Statistic | None:
    """Perhaps a statistic: of the elements of the loss, of the predictions, or of the values that they come from."""
    w, c = block.writer, block.writer.choices
    if not c.chance("statistic", 0.15):
        return None
    source = next((name for role, name in block.parameters.items() if role == "logits"), "")
    of = c.pick(
        "statistic of",
        ("elements", "values", "entropy"),
        (
            4.0 if built.axes and not built.done else 0.0,
            1.0 if source or not built.axes or built.done else 0.2,
            1.0 if source else 0.0,
        ),
    )
    if of == "elements":
        built.x = block.let("elements", built.x, "term")
        x = w.reduce("mean", built.x)
        if built.minus and c.chance("negated", 0.6):
            x = f"-{x}"
    elif of == "entropy":
        at = w.inputs["logits"].axes.index("V")
        p = block.let("probs", w.form("softmax", x=source, a=at), "other")
        logp = w.form("log", x=p)
        x = f"-{w.reduce('mean', f'{p} * {logp}')}"
    else:
        name = source or next(iter(block.parameters.values()))
        x = w.all_of("mean", f"{name} * 1.0")
    text = ast.unparse(ast.parse(x))
    if of == "entropy" or c.chance("statistic has a name", 0.5):
        x = block.let("statistic", x, "other")
    if w.framework == "torch" and c.chance("detached", 0.25):
        x = f"{x}.{c.pick('detached by', ('item()', 'detach()', 'detach().cpu()'))}"
    in_class = 1.0 if block.is_method else 0.0
    how = c.pick("statistic goes", _KEPT, (4, 2, 2, 1, 1, 1, 2 * in_class, 3 * in_class))
    name = w.fresh("statistic")
    return Statistic(how, x, "statistic" if name == "loss" else name, text, of == "elements")
