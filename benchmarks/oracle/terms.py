"""What losses are of: cross-entropies, divergences, entropies, latent KLs and losses per element, in many spellings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from benchmarks.oracle.program import Array, Block, Input, Inputs, Term, Variable

LAYOUTS: Final = (("B", "V"), ("B", "T", "V"), ("B", "V", "T"), ("B", "V", "H", "W"), ("V",), ("V", "B"))
ELEMENTWISE_LAYOUTS: Final = (("B",), ("B", "F"), ("B", "T"), ("B", "T", "F"), ("B", "C", "H", "W"))
FEATURES: Final = ("F", "C")
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


class Terms:
    """Writes a term into a block."""

    def __init__(self, block: Block, mask: str = "", *, layout: tuple[str, ...] = ()) -> None:
        """`mask` is the role of the input that the mask comes from; `layout` are the axes, if they are not free."""
        self.given_layout = layout
        self.block = block
        self.w = block.writer
        self.mask = mask
        self.framework = self.w.framework
        self.is_flat = False
        """Were the positions of all examples put on one axis?"""

    def build(self) -> Built:
        kinds: dict[str, tuple[Callable[[], Built], float]] = {
            "cross-entropy": (self.cross_entropy, 10),
            "selected": (self.selected, 3),
            "kl": (self.divergence, 5),
            "entropy": (self.entropy, 4),
            "latent kl": (self.latent, 4),
            "elementwise": (self.elementwise, 6),
            "library": (self.library, 6),
        }
        if self.mask in ("lengths", "ids"):
            del kinds["latent kl"]
        if self.given_layout:
            kinds = {k: v for k, v in kinds.items() if k in ("cross-entropy", "kl", "entropy")}
        if self.mask == "ignored":
            kinds = {k: v for k, v in kinds.items() if k in ("cross-entropy", "selected", "library")}
        if self.framework == "numpy":
            kinds.pop("library", None)
        kind = self.w.choices.pick("kind", list(kinds), [weight for _, weight in kinds.values()])
        return kinds[kind][0]()

    # -- parts

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
            labels = Variable(self.block.let("labels", f"{labels.text}.reshape(-1)"), ("BT",))
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
            return str(CLASSES)
        if how == "parameter":
            return self.block.input("V", Input(("V",), "size")).text
        if how == "bound":
            name = self.block.let("V", size)
            self.block.aliases[("V",)] = name
            return name
        return size

    def size_method(self, name: str) -> bool:
        return self.framework == "torch" and self.w.choices.chance(name, 0.5)

    def one_hot(self, labels: Variable, logits: Variable) -> str:
        """One-hot targets in the layout of the logits."""
        count = self.classes(logits)
        if logits.axes == ("B", "V") and self.w.choices.chance("assigned", 0.15):
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
                ),
            )
            say(f"{name} = {zeros}", "term")
            say(one, "term")
        else:
            zeros = self.w.choices.pick(
                "zeros", (f"np.zeros_like({logits.text})", f"np.zeros(({n}, {count}))")
            )
            say(f"{name} = {zeros}", "term")
            say(f"{name}[np.arange({n}), {labels.text}] = 1", "term")
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
        how = self.w.choices.pick("target", ("one-hot", "smoothed", "soft", "given"), (6, 1.5, 2, 1.5))
        if (self.mask == "ignored" or self.is_flat) and how in ("soft", "given"):
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
        if how == "logits":
            logits = self.logits(axes)
            if flat and axes == ("B", "T", "V") and self.w.choices.chance("flattened", 0.15):
                self.is_flat = True
                name = self.block.let("logits", f"{logits.text}.reshape(-1, {logits.text}.shape[-1])")
                logits = Variable(name, ("BT", "V"))
                self.remember(name, logits.axes)
            x = self.w.form("log_softmax", x=logits.text, a=self.w.position(logits.axes, "V"))
            return logits, x, lambda inputs: log_softmax(inputs["logits"], at), True
        if how == "probabilities":
            given = self.block.input("probs", Input(axes, "distribution"))
            return given, self.w.form("log", x=given.text), lambda inputs: np.log(inputs["probs"]), False
        given = self.block.input("logp", Input(axes, "log distribution"))
        return given, given.text, lambda inputs: inputs["logp"], False

    # -- terms

    def cross_entropy(self) -> Built:
        axes = self.layout()
        at = axes.index("V")
        source, x, logp, is_shown = self.log_probabilities(axes, flat=True)
        logp_name = self.block.maybe("logp", x, likely=0.7)
        target, truth, target_shown = self._target_of(source)
        self.remember(logp_name, source.axes)
        self.remember(target, source.axes)
        pair = (target, logp_name)
        first, second = pair if self.w.choices.pick("order", (0, 1)) == 0 else pair[::-1]
        x = f"{first} * {second}"
        inner = self.w.choices.chance("inner minus", 0.2)
        term = Term(
            "cross-entropy", axes, lambda i: -truth(i) * logp(i), "V", shown=is_shown and target_shown
        )
        if inner:
            x = f"-{first} * {second}" if first == logp_name else f"-({x})"
        return Built(
            term, x, source.axes, not inner, None if inner or at != len(axes) - 1 else (first, second)
        )

    def _target_of(self, source: Variable) -> tuple[str, Callable[[Inputs], Array], bool]:
        role = self._role_of(source)
        target, truth, is_shown = self.target(source)
        # The classes are counted of the input that there is.
        return target, lambda inputs: truth({**inputs, "logits": inputs[role]}), is_shown

    def _role_of(self, source: Variable) -> str:
        """The input that it is, or was flattened from."""
        return next((role for role, name in self.block.parameters.items() if name == source.text), "logits")

    def selected(self) -> Built:
        """The log-probabilities of the labels, weighted by advantages in a policy gradient."""
        axes = self.layout()
        at = axes.index("V")
        source, x, logp, is_shown = self.log_probabilities(axes, flat=True)
        labels = self.labels(axes)
        units = tuple(a for a in axes if a != "V")
        role = self._role_of(source)
        logp_name = self.block.maybe("logp", self.to_last(x, source.axes), likely=0.8)
        if axes == ("V",):
            x = f"{logp_name}[{labels.text}]"
        else:
            forms = ["picked"] + (["picked rows"] if len(source.axes) == 2 else [])
            x = self.w.form(self.w.choices.pick("picked by", forms), x=logp_name, y=labels.text)
        # Label smoothing spreads a part over all classes: the mean over them is meant.
        smoothing = 0.1 if axes != ("V",) and self.w.choices.chance("smoothing", 0.15) else 0.0
        if smoothing:
            x = f"{1 - smoothing} * {x} + {smoothing} * {self.w.reduce('mean', logp_name, [-1])}"
        is_policy = (
            axes in (("B", "V"), ("B", "T", "V"))
            and not self.is_flat
            and self.w.choices.chance("policy", 0.2)
        )
        pairs = False
        if is_policy:
            advantages = self.block.input("advantages", Input(units, "real")).text
            pairs = axes == ("B", "V") and not self.mask and self.w.choices.chance("pairs", 0.3)
            if pairs:
                advantages = self.w.form("unsqueeze", x=advantages, a=1)
            x = f"{self.block.maybe('logp', x)} * {advantages}"

        def elements(inputs: Inputs) -> Array:
            found = logp(inputs)
            picked = (rows(inputs["labels"], inputs[role].shape[at], at) * found).sum(axis=at)
            picked = (1 - smoothing) * picked + smoothing * found.mean(axis=at)
            return np.asarray(-picked * (inputs["advantages"] if is_policy else 1.0))

        term = Term("policy" if is_policy else "selected", units, elements, shown=is_shown and not is_policy)
        return Built(term, x, ("B", "pairs") if pairs else labels.axes, True)

    def divergence(self) -> Built:
        axes = self.layout()
        at = axes.index("V")
        _, x, logq, is_shown = self.log_probabilities(axes)
        logq_name = self.block.maybe("logp", x, likely=0.6)
        self.remember(logq_name, axes)
        other = self.logits(axes, "other logits")
        p_form = self.w.form("softmax", x=other.text, a=self.w.position(axes, "V"))
        p = self.block.let("probs", p_form)
        self.remember(p, axes)
        how = self.w.choices.pick(
            "kl", ("difference", "logs", "ratio", "library", "library call"), (3, 3, 1, 2, 1)
        )
        if how.startswith("library"):
            if self.framework == "torch":
                f = (
                    "F.kl_div({0}, {1}, reduction='none')"
                    if how == "library"
                    else "nn.KLDivLoss(reduction='none')({0}, {1})"
                )
                x = f.format(logq_name, p)
            elif self.framework == "numpy":
                x = f"special.rel_entr({p}, np.exp({logq_name}))"
            else:
                how = "difference"
        if how == "difference":
            x = f"{p} * ({self.w.form('log', x=p)} - {logq_name})"
        elif how == "logs":
            logp = self.w.form("log_softmax", x=other.text, a=self.w.position(axes, "V"))
            x = f"{p} * ({self.block.maybe('logp', logp)} - {logq_name})"
        elif how == "ratio":
            # Clipped at 1, as probabilities are, a ratio would be another one.
            x = f"{p} * {self.w.module}.log({p} / {self.w.form('exp', x=logq_name)})"

        def elements(inputs: Inputs) -> Array:
            logp = log_softmax(inputs["other logits"], at)
            return np.exp(logp) * (logp - logq(inputs))

        return Built(Term("kl", axes, elements, "V", shown=is_shown), x, axes)

    def entropy(self) -> Built:
        axes = self.layout()
        at = axes.index("V")
        logits = self.logits(axes)
        ways = ["both", "log of p", "exp of log", "library"]
        last = axes[-1] == "V" and self.framework == "torch"
        how = self.w.choices.pick("entropy", ways, (2, 3, 2, 1.5 if last else 0))
        if how == "library":
            x = self.w.form("categorical entropy", x=logits.text)
            sign = -1.0 if self.w.choices.chance("bonus", 0.5) else 1.0
            x = f"-{x}" if sign < 0 else x

            def entropies(inputs: Inputs) -> Array:
                logp = log_softmax(inputs["logits"], -1)
                return np.asarray(-sign * (np.exp(logp) * logp).sum(axis=-1))

            return Built(Term("entropy", axes[:-1], entropies), x, axes[:-1])
        a = self.w.position(axes, "V")
        if how == "exp of log":
            logp = self.block.let("logp", self.w.form("log_softmax", x=logits.text, a=a))
            pair = self.w.form("exp", x=logp), logp
        elif how == "log of p":
            p = self.block.let("probs", self.w.form("softmax", x=logits.text, a=a))
            self.remember(p, axes)
            pair = p, self.w.form("log", x=p)
        else:
            p = self.block.maybe("probs", self.w.form("softmax", x=logits.text, a=a))
            logp = self.block.maybe("logp", self.w.form("log_softmax", x=logits.text, a=a))
            pair = p, logp
        if self.w.choices.chance("order", 0.3):
            pair = pair[::-1]
        # Its negative is as common: what is minimised is minus the entropy.
        minus = self.w.choices.chance("minus", 0.7)

        def elements(inputs: Inputs) -> Array:
            logp = log_softmax(inputs["logits"], at)
            return (-1.0 if minus else 1.0) * np.exp(logp) * logp

        return Built(Term("entropy", axes, elements, "V"), f"{pair[0]} * {pair[1]}", axes, minus)

    def latent(self) -> Built:
        axes = ("B", "D")
        mu = self.block.input("mu", Input(axes, "real"))
        logvar = self.block.input("logvar", Input(axes, "real"))
        self.block.known = [v for v in self.block.known if v.text not in (mu.text, logvar.text)] + [
            mu,
            logvar,
        ]
        forms = ["latent kl"] + (["normal kl"] if self.framework == "torch" else [])
        form = self.w.choices.pick("latent", forms, (4, 1)[: len(forms)])
        x = self.w.form(form, m=mu.text, s=logvar.text)

        def elements(inputs: Inputs) -> Array:
            mu, s = inputs["mu"], inputs["logvar"]
            return np.asarray(0.5 * (mu**2 + np.exp(s) - s - 1))

        return Built(Term("latent kl", axes, elements, "D", shown=False), x, axes)

    def elementwise(self) -> Built:
        c = self.w.choices
        if self.mask in ("lengths", "ids"):
            axes = c.pick("layout", (("B", "T"), ("B", "T", "F")), (3, 2))
        elif self.mask:
            axes = c.pick("layout", (("B", "T"), ("B", "T", "F"), ("B",), ("B", "F")), (3, 2, 1, 1))
        else:
            axes = c.pick("layout", ELEMENTWISE_LAYOUTS, (2, 3, 2, 2, 2))
        p = self.block.input("prediction", Input(axes, "real"))
        kind = c.pick(
            "loss",
            ("squared error", "binary", "absolute error", "huber", "poisson", "gaussian"),
            (4, 3, 1, 1, 1, 1),
        )
        y = self.block.input("actual", Input(axes, "binary" if kind == "binary" else "real"))
        holes = {"p": p.text, "y": y.text}
        pairs = (
            axes == ("B",) and kind not in ("gaussian", "binary") and not self.mask and c.chance("pairs", 0.2)
        )
        if pairs:
            holes["p"] = self.w.form("unsqueeze", x=p.text, a=1)
        if kind == "gaussian":
            holes["s"] = self.block.input("logvar", Input(axes, "real")).text
        template = self.w.form(kind, **holes)
        half = 0.5 if kind == "squared error" and ("0.5" in template or "l2_loss" in template) else 1.0

        def elements(inputs: Inputs) -> Array:
            p, y = inputs["prediction"], inputs["actual"]
            gap = np.abs(p - y)
            if kind == "squared error":
                return half * gap**2
            if kind == "absolute error":
                return gap
            if kind == "binary":
                return np.logaddexp(0, p) - y * p
            if kind == "poisson":
                return np.exp(p) - y * p
            if kind == "gaussian":
                return 0.5 * (inputs["logvar"] + gap**2 / np.exp(inputs["logvar"]))
            return np.where(gap < 1, 0.5 * gap**2, gap - 0.5)

        features = tuple(a for a in axes if a in FEATURES)
        if axes == ("B", "C", "H", "W"):
            features = ("C", "H", "W")
        term = Term(kind, axes, elements, features=features)
        return Built(term, template, ("B", "pairs") if pairs else axes, kind == "binary")

    def library(self) -> Built:
        """A loss whose `reduction` is the library's."""
        return self.optax_loss() if self.framework == "jax" else self.torch_loss()

    def optax_loss(self) -> Built:
        axes = ("B", "V") if self.mask == "" and self.w.choices.chance("two axes", 0.6) else ("B", "T", "V")
        logits = self.logits(axes)
        if self.w.choices.chance("integer labels", 0.5):
            labels = self.labels(axes)
            x = f"optax.softmax_cross_entropy_with_integer_labels({logits.text}, {labels.text})"
            truth: Callable[[Inputs], Array] = lambda i: rows(i["labels"], i["logits"].shape[-1], -1)  # noqa: E731
        else:
            target, truth, _ = self.target(logits)
            x = f"optax.softmax_cross_entropy({logits.text}, {target})"
        term = Term("library", axes[:-1], lambda i: -(truth(i) * log_softmax(i["logits"], -1)).sum(axis=-1))
        return Built(term, x, axes[:-1])

    def torch_loss(self) -> Built:
        c = self.w.choices
        loss = c.pick(
            "library", ("cross_entropy", "nll_loss", "kl_div", "mse_loss", "binary"), (5, 2, 4, 2, 2)
        )
        if self.mask == "ignored" and loss not in ("cross_entropy", "nll_loss"):
            loss = "cross_entropy"
        reduction = c.pick("reduction", ("none", "mean", "sum", "default"), (4, 2, 2, 2))
        if self.mask and not (self.mask == "ignored" and loss in ("cross_entropy", "nll_loss")):
            reduction = "none"
        if loss in ("mse_loss", "binary"):
            return self.torch_elementwise(loss, reduction)
        if loss == "kl_div":
            return self.torch_kl(reduction)
        flat = c.chance("flattened", 0.4)
        axes = (
            c.pick("layout", (("B", "V"), ("B", "T", "V")), (3, 2))
            if self.mask != "lengths" and self.mask != "ids"
            else ("B", "T", "V")
        )
        if len(axes) == 2:
            flat = False
        logits = self.logits(axes)
        units = axes[:-1]
        ignored = self.mask == "ignored"
        labels = self.block.input("labels", Input(units, "labels", "ignored" if ignored else self.mask))
        x, y = logits.text, labels.text
        if loss == "nll_loss":
            x = self.block.maybe("logp", self.w.form("log_softmax", x=x, a=-1))
        left = units
        if flat:
            x = c.pick(
                "flat",
                (
                    f"{x}.view(-1, {logits.text}.size(-1))",
                    f"{x}.reshape(-1, {logits.text}.shape[-1])",
                    f"{x}.flatten(0, 1)",
                ),
            )
            y = c.pick("flat labels", (f"{y}.view(-1)", f"{y}.reshape(-1)", f"{y}.flatten()"))
            left = ("BT",)
        elif len(axes) == 3:
            x = c.pick("classes second", (f"{x}.transpose(1, 2)", f"{x}.permute(0, 2, 1)", f"{x}.mT"))
        says = ignored and c.chance("say", 0.6)
        x = self.call_library(loss, x, y, reduction, ", ignore_index=-100" if says else "")

        def elements(inputs: Inputs) -> Array:
            logp = log_softmax(inputs["logits"], -1)
            return np.asarray(-(rows(inputs["labels"], logp.shape[-1], -1) * logp).sum(axis=-1))

        term = Term("library", units, elements)
        return self.reduced(Built(term, x, left, ignores=ignored, says_ignored=says), reduction)

    def call_library(self, loss: str, x: str, y: str, reduction: str, more: str = "") -> str:
        """A call of the function, or of a criterion."""
        said = "" if reduction == "default" else f"reduction='{reduction}'"
        criterion = {
            "cross_entropy": "CrossEntropyLoss", "nll_loss": "NLLLoss", "kl_div": "KLDivLoss", "mse_loss": "MSELoss",
            "binary_cross_entropy_with_logits": "BCEWithLogitsLoss", "l1_loss": "L1Loss",
        }.get(loss)  # fmt: skip
        if criterion is not None and self.w.choices.chance("criterion", 0.3):
            made = f"nn.{criterion}({', '.join(p for p in (said, more.strip(', ')) if p)})"
            if self.block.is_method:
                name = self.w.fresh("function")
                self.block.attributes[name] = "", made
                return f"self.{name}({x}, {y})"
            return f"{self.block.maybe('function', made)}({x}, {y})"
        return f"F.{loss}({x}, {y}{', ' + said if said else ''}{more})"

    def reduced(self, built: Built, reduction: str) -> Built:
        if reduction != "none":
            built.axes, built.done = (), True
            built.sum_is_right = reduction == "sum"
        return built

    def torch_kl(self, reduction: str) -> Built:
        axes = self.layout()
        at = axes.index("V")
        logits, other = self.logits(axes), self.logits(axes, "other logits")
        logq = self.block.maybe(
            "logp", self.w.form("log_softmax", x=logits.text, a=self.w.position(axes, "V"))
        )
        p = self.block.maybe("probs", self.w.form("softmax", x=other.text, a=self.w.position(axes, "V")))
        if reduction == "sum" and self.w.choices.chance("batchmean", 0.6):
            reduction = "batchmean"
        x = self.call_library("kl_div", logq, p, reduction)

        def elements(inputs: Inputs) -> Array:
            logp = log_softmax(inputs["other logits"], at)
            return np.exp(logp) * (logp - log_softmax(inputs["logits"], at))

        return self.reduced(Built(Term("kl", axes, elements, "V"), x, axes), reduction)

    def torch_elementwise(self, loss: str, reduction: str) -> Built:
        axes = self.w.choices.pick(
            "layout", (("B", "T"), ("B", "T", "F")) if self.mask else ELEMENTWISE_LAYOUTS
        )
        p = self.block.input("prediction", Input(axes, "real"))
        is_binary = loss == "binary"
        y = self.block.input("actual", Input(axes, "binary" if is_binary else "real"))
        x = self.call_library(
            "binary_cross_entropy_with_logits" if is_binary else loss, p.text, y.text, reduction
        )

        def elements(inputs: Inputs) -> Array:
            p, y = inputs["prediction"], inputs["actual"]
            return np.logaddexp(0, p) - y * p if is_binary else (p - y) ** 2

        features = ("C", "H", "W") if "C" in axes else tuple(a for a in axes if a in FEATURES)
        return self.reduced(Built(Term("library", axes, elements, features=features), x, axes), reduction)

    def remember(self, name: str, axes: tuple[str, ...]) -> None:
        """Note an array whose shape may be asked, if it has a name."""
        if name.isidentifier():
            self.block.known.append(Variable(name, axes))
