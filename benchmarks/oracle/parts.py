"""What terms are made of: targets, predictions, labels and log-probabilities in many spellings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from benchmarks.oracle.program import REQUIRED, Array, Block, Input, Inputs, Term, Variable

LAYOUTS: Final = (("B", "V"), ("B", "T", "V"), ("B", "V", "T"), ("B", "V", "H", "W"), ("V",), ("V", "B"))
ELEMENTWISE_LAYOUTS: Final = (("B",), ("B", "F"), ("B", "T"), ("B", "T", "F"), ("B", "C", "H", "W"))
FEATURES: Final = ("F", "C")
TEMPERATURE: Final = 2.0
CLASSES: Final = 11
"""The number of classes where the text holds it as a number."""


@dataclass
class Built:
    """A term as the text has it."""

    term: Term
    x: str
    """The expression of the elements, or of what a library or an indexing left of them."""
    axes: tuple[str, ...]
    """Its axes; without the support where that is summed."""
    minus: bool = False
    """Does it still need a minus sign?"""
    operands: tuple[str, str] | None = None
    """Two names whose product it is."""
    ignores: bool = False
    """Are the elements of ignored labels zero already?"""
    says_ignored: bool = False
    """Does a library's call say which label is ignored?"""
    done: bool = False
    """Has a library's `reduction` taken it to a number?"""
    sum_is_right: bool = True
    known: list[Variable] = field(default_factory=list)


def log_softmax(x: Array, at: int) -> Array:
    """Log-probabilities over an axis."""
    shifted: Array = x - x.max(axis=at, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=at, keepdims=True)))


def rows(labels: Array, count: int, at: int) -> Array:
    """One-hot rows of labels, the classes on axis `at`; an ignored label is the class 0."""
    return np.moveaxis(np.eye(count)[np.maximum(labels.astype(int), 0)], -1, at)


class Parts:
    """Writes the parts of a term into a block."""

    def __init__(self, block: Block, mask: str = "", *, layout: tuple[str, ...] = ()) -> None:
        """`mask` is the role of the input that the mask comes from; `layout` are the axes, if they are not free."""
        self.given_layout = layout
        self.block = block
        self.w = block.writer
        self.mask = mask
        self.framework = self.w.framework
        self.temperature = ""
        """What the logits are divided by, as the text has it."""
        self.is_flat = False
        """Were the positions of all examples put on one axis?"""

    def layout(self) -> tuple[str, ...]:
        """The axes of the elements."""
        if self.given_layout:
            return self.given_layout
        if self.mask in ("lengths", "ids"):
            return self.w.choices.pick("layout", (("B", "T", "V"), ("B", "V", "T")), (4, 1))
        if self.mask:
            return self.w.choices.pick(
                "layout", (("B", "T", "V"), ("B", "V"), ("B", "V", "H", "W")), (4, 1, 1)
            )
        return self.w.choices.pick("layout", LAYOUTS, (8, 5, 1, 2, 0.7, 0.5))

    def logits(self, axes: tuple[str, ...], role: str = "logits") -> Variable:
        return self.block.input(role, Input(axes, "real"))

    def labels(self, axes: tuple[str, ...]) -> Variable:
        """Labels that may be used as indices."""
        units = ("B", "T") if self.is_flat else tuple(a for a in axes if a != "V")
        ignored = self.mask == "ignored"
        labels = self.block.input("labels", Input(units, "labels", "ignored" if ignored else self.mask))
        if ignored:
            labels = Variable(self.block.let("labels", self.w.form("clean", y=labels.text)), units)
        if self.is_flat:
            labels = Variable(self.block.let("labels", self.w.reshaped(labels.text, "-1")), ("BT",))
        return labels

    def classes(self, logits: Variable) -> str:
        """The number of classes: of the logits' shape, a number, a constant or a parameter."""
        at = self.w.position(logits.axes, "V")
        how = self.w.choices.pick(
            "classes", ("shape", "number", "parameter", "bound"), (6, 2, 0 if self.given_layout else 1, 2)
        )
        size = f"{logits.text}.size({at})" if self.size_method("classes by") else f"{logits.text}.shape[{at}]"
        if how == "number":
            self.w.literals["V"] = CLASSES
            count = self.w.constant("V", str(CLASSES))
            return self.kept_classes(count) if self.block.is_method else count
        if how == "parameter":
            return self.block.input("V", Input(("V",), "size")).text
        if how == "bound":
            name = self.block.let("V", size)
            self.block.aliases[("V",)] = name
            return name
        return size

    def kept_classes(self, count: str) -> str:
        """What `__init__` was told of the number of classes, perhaps by a property."""
        name = self.w.fresh("V")
        default = self.w.choices.pick("default of classes", (REQUIRED, count, "10"))
        self.block.attributes[name] = default, count
        kept = f"self.{name}"
        if self.w.choices.chance("property", 0.2):
            name = self.w.fresh("V")
            self.block.properties[name], kept = kept, f"self.{name}"
        self.block.aliases[("V",)] = kept
        return kept

    def size_method(self, name: str) -> bool:
        return self.framework == "torch" and self.w.choices.chance(name, 0.5)

    def one_hot(self, labels: Variable, logits: Variable) -> str:
        """One-hot targets in the layout of the logits."""
        count = self.classes(logits)
        is_mutable = self.w.functional is None
        if is_mutable and logits.axes == ("B", "V") and self.w.choices.chance("assigned", 0.15):
            return self.assigned(labels, logits, count)
        made = self.w.form("one_hot", y=labels.text, v=count)
        return self.last_to(made, logits.axes)

    def assigned(self, labels: Variable, logits: Variable, count: str) -> str:
        """Zeros, and then a one in each row."""
        n = f"{labels.text}.shape[0]"
        name = self.w.fresh("target")
        say = self.block.say
        if self.framework == "jax":
            say(f"{name} = jnp.zeros(({n}, {count})).at[jnp.arange({n}), {labels.text}].set(1.0)", "term")
        elif self.framework == "torch":
            zeros, one = self.w.choices.pick(
                "zeros",
                (
                    (
                        f"torch.zeros_like({logits.text})",
                        f"{name}.scatter_(1, {labels.text}.unsqueeze(1), 1)",
                    ),
                    (f"torch.zeros({n}, {count})", f"{name}[torch.arange({n}), {labels.text}] = 1.0"),
                    (
                        f"torch.zeros({n}, {count})",
                        f"{name} = {name}.scatter(1, {labels.text}[:, None], 1.0)",
                    ),
                ),
            )
            say(f"{name} = {zeros}", "term")
            say(one, "term")
        else:
            zeros = self.w.choices.pick(
                "zeros", (f"np.zeros_like({logits.text})", f"np.zeros(({n}, {count}))")
            )
            say(f"{name} = {zeros}", "term")
            one = self.w.choices.pick(
                "one",
                (
                    f"{name}[np.arange({n}), {labels.text}] = 1",
                    f"np.put_along_axis({name}, {labels.text}[:, None], 1, axis=1)",
                ),
            )
            say(one, "term")
        return name

    def last_to(self, x: str, axes: tuple[str, ...]) -> str:
        """The last axis of `x` moved to where the classes are."""
        at, rank = axes.index("V"), len(axes)
        if at == rank - 1:
            return x
        order = [*range(rank - 1)]
        order.insert(at, rank - 1)
        return self.w.form("last to", x=x, a=at, order=", ".join(map(str, order)))

    def to_last(self, x: str, axes: tuple[str, ...]) -> str:
        at, rank = axes.index("V"), len(axes)
        if at == rank - 1:
            return x
        order = ", ".join(str(i) for i in (*range(at), *range(at + 1, rank), at))
        return self.w.form("to last", x=x, a=at, order=order)

    def target(self, logits: Variable) -> tuple[str, Callable[[Inputs], Array], bool]:
        """A target over the classes, what it is, and whether the code shows it."""
        axes = logits.axes
        at = axes.index("V") - len(axes)
        how = self.w.choices.pick(
            "target", ("one-hot", "smoothed", "soft", "given", "mixed"), (6, 1.5, 2, 1.5, 0.7)
        )
        if (self.mask == "ignored" or self.is_flat) and how in ("soft", "given", "mixed"):
            how = "one-hot"
        if how == "given":
            given = self.block.input("soft", Input(axes, "distribution"))
            return given.text, lambda inputs: inputs["soft"], False
        if how == "soft":
            other = self.logits(axes, "other logits")
            x = self.w.form("softmax", x=other.text, a=self.w.position(axes, "V"))
            return (
                self.block.maybe("target", x),
                lambda inputs: np.exp(log_softmax(inputs["other logits"], at)),
                True,
            )
        labels = self.labels(axes)
        x = self.block.maybe("target", self.one_hot(labels, logits), likely=0.8)
        if how == "mixed":
            # Of two batches of labels, as mixup makes them.
            units = tuple(a for a in axes if a != "V")
            others = self.block.input("other labels", Input(units, "labels"))
            y = self.block.maybe("target", self.one_hot(others, logits), likely=0.8)
            x = self.block.maybe("target", f"0.3 * {x} + 0.7 * {y}", likely=0.6)
            return (
                x,
                lambda i: (
                    0.3 * rows(i["labels"], i["logits"].shape[at], at)
                    + 0.7 * rows(i["other labels"], i["logits"].shape[at], at)
                ),
                True,
            )
        if how == "smoothed":
            count = f"{logits.text}.shape[{at}]"
            x = self.block.maybe("target", f"{x} * 0.9 + 0.1 / {count}", likely=0.8)
            return (
                x,
                lambda i: rows(i["labels"], i["logits"].shape[at], at) * 0.9 + 0.1 / i["logits"].shape[at],
                True,
            )
        return x, lambda i: rows(i["labels"], i["logits"].shape[at], at), True

    def log_probabilities(
        self, axes: tuple[str, ...], *, flat: bool = False
    ) -> tuple[Variable, str, Callable[[Inputs], Array], bool]:
        """What the classes can be counted of, the log-probabilities, what they are, and whether the code shows it."""
        at = axes.index("V")
        how = self.w.choices.pick("prediction", ("logits", "probabilities", "log-probabilities"), (7, 2, 1))
        if how == "logits" and not flat and self.w.choices.chance("temperature", 0.12):
            return self.tempered(axes)
        if how == "logits":
            logits = self.logits(axes)
            if flat and axes == ("B", "T", "V") and self.w.choices.chance("flattened", 0.15):
                self.is_flat = True
                name = self.block.let(
                    "logits", self.w.reshaped(logits.text, "-1", f"{logits.text}.shape[-1]")
                )
                logits = Variable(name, ("BT", "V"))
                self.remember(name, logits.axes)
            x = self.w.form("log_softmax", x=logits.text, a=self.w.position(logits.axes, "V"))
            return logits, x, lambda inputs: log_softmax(inputs["logits"], at), True
        if how == "probabilities":
            given = self.block.input("probs", Input(axes, "distribution"))
            return given, self.w.form("log", x=given.text), lambda inputs: np.log(inputs["probs"]), False
        given = self.block.input("logp", Input(axes, "log distribution"))
        return given, given.text, lambda inputs: inputs["logp"], False

    def tempered(
        self, axes: tuple[str, ...], role: str = "logits"
    ) -> tuple[Variable, str, Callable[[Inputs], Array], bool]:
        """Log-probabilities of logits that are divided by a temperature first."""
        if not self.temperature:
            self.temperature = self.w.choices.pick("temperature by", (str(TEMPERATURE), "option"))
            if self.temperature == "option":
                self.temperature = self.block.option("temperature", str(TEMPERATURE), ())
        logits = self.logits(axes, role)
        at = axes.index("V")
        soft = self.block.maybe("logits", f"{logits.text} / {self.temperature}")
        x = self.w.form("log_softmax", x=soft, a=self.w.position(axes, "V"))
        return logits, x, lambda inputs: log_softmax(inputs[role] / TEMPERATURE, at), True

    def _target_of(self, source: Variable) -> tuple[str, Callable[[Inputs], Array], bool]:
        role = self._role_of(source)
        target, truth, is_shown = self.target(source)
        # The classes are counted of the input that there is.
        return target, lambda inputs: truth({**inputs, "logits": inputs[role]}), is_shown

    def _role_of(self, source: Variable) -> str:
        """The input that it is, or was flattened from."""
        return next((role for role, name in self.block.parameters.items() if name == source.text), "logits")

    def remember(self, name: str, axes: tuple[str, ...]) -> None:
        """Note an array whose shape may be asked, if it has a name."""
        if name.isidentifier():
            self.block.known.append(Variable(name, axes))
