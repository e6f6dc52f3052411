"""What losses are of: cross-entropies, divergences, entropies, latent KLs and losses per element, in many spellings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from benchmarks.oracle.library_terms import LibraryTerms
from benchmarks.oracle.parts import ELEMENTWISE_LAYOUTS, FEATURES, TEMPERATURE, Built, log_softmax, rows
from benchmarks.oracle.program import Array, Input, Inputs, Term


class Terms(LibraryTerms):
    """Writes a term into a block."""

    def build(self) -> Built:
        kinds: dict[str, tuple[Callable[[], Built], float]] = {
            "cross-entropy": (self.cross_entropy, 10),
            "selected": (self.selected, 3),
            "kl": (self.divergence, 5),
            "entropy": (self.entropy, 4),
            "latent kl": (self.latent, 4),
            "elementwise": (self.elementwise, 6),
            "library": (self.library, 6),
            "mixture": (self.mixture, 1),
            "log partition": (self.log_partition, 0.7),
            "sampled kl": (self.sampled_divergence, 0.5),
        }
        if self.mask in ("lengths", "ids"):
            del kinds["latent kl"]
        if self.given_layout or self.mask == "ignored":
            kinds.pop("mixture"), kinds.pop("log partition"), kinds.pop("sampled kl")
        if self.given_layout:
            kinds = {k: v for k, v in kinds.items() if k in ("cross-entropy", "kl", "entropy")}
        if self.mask == "ignored":
            kinds = {k: v for k, v in kinds.items() if k in ("cross-entropy", "selected", "library")}
        if self.framework == "numpy":
            kinds.pop("library", None)
        kind = self.w.choices.pick("kind", list(kinds), [weight for _, weight in kinds.values()])
        return kinds[kind][0]()

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
        focal = self.w.choices.chance("focal", 0.06)
        if focal:
            x = f"(1 - {self.w.form('exp', x=logp_name)}) ** 2 * {x}"
        inner = not focal and self.w.choices.chance("inner minus", 0.2)

        def elements(inputs: Inputs) -> Array:
            found = logp(inputs)
            return np.asarray(-truth(inputs) * found * ((1 - np.exp(found)) ** 2 if focal else 1.0))

        term = Term("cross-entropy", axes, elements, "V", shown=is_shown and target_shown and not focal)
        if inner:
            x = f"-{first} * {second}" if first == logp_name else f"-({x})"
        return Built(
            term,
            x,
            source.axes,
            not inner,
            None if inner or focal or at != len(axes) - 1 else (first, second),
        )

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
        from_logits = not self.is_flat and role == "logits" and source.axes[-1] == "V" and len(axes) > 1
        if from_logits and self.w.choices.chance("partition", 0.15):
            # The same: the logarithm of the sum over the classes, less the logit of the label.
            smoothing = 0.0
            picked = self.w.form("picked", x=source.text, y=labels.text)
            x = f"({picked} - {self.w.form('logsumexp', x=source.text, a=self.w.position(axes, 'V'))})"
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
        soft = f"{other.text} / {self.temperature}" if self.temperature else other.text
        p_form = self.w.form("softmax", x=soft, a=self.w.position(axes, "V"))
        p = self.block.let("probs", p_form)
        self.remember(p, axes)
        how = self.w.choices.pick(
            "kl", ("difference", "logs", "ratio", "library", "library call", "reversed"), (3, 3, 1, 2, 1, 1)
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
            logp = self.w.form("log_softmax", x=soft, a=self.w.position(axes, "V"))
            x = f"{p} * ({self.block.maybe('logp', logp)} - {logq_name})"
        elif how == "ratio":
            # Clipped at 1, as probabilities are, a ratio would be another one.
            x = f"{p} * {self.w.function_of('log')}({p} / {self.w.form('exp', x=logq_name)})"

        if how == "reversed":
            x = f"{self.w.form('exp', x=logq_name)} * ({logq_name} - {self.w.form('log', x=p)})"

        tau = TEMPERATURE if self.temperature else 1.0

        def elements(inputs: Inputs) -> Array:
            p, q = log_softmax(inputs["other logits"] / tau, at), logq(inputs)
            return np.exp(q) * (q - p) if how == "reversed" else np.exp(p) * (p - q)

        term = Term("kl", axes, elements, "V", shown=is_shown)
        if self.temperature and self.w.choices.chance("times its square", 0.5):
            term = replace(term, coefficient=TEMPERATURE**2)
            x = f"({x}) * {self.temperature} ** 2"
        return Built(term, x, axes)

    def entropy(self) -> Built:
        axes = self.layout()
        at = axes.index("V")
        logits = self.logits(axes)
        ways = ["both", "log of p", "exp of log", "library", "terms"]
        last = axes[-1] == "V" and self.framework == "torch"
        how = self.w.choices.pick("entropy", ways, (2, 3, 2, 1.5 if last else 0, 1))
        if how == "library":
            x = self.w.form("categorical entropy", x=logits.text)
            sign = -1.0 if self.w.choices.chance("bonus", 0.5) else 1.0
            x = f"-{x}" if sign < 0 else x

            def entropies(inputs: Inputs) -> Array:
                logp = log_softmax(inputs["logits"], -1)
                return np.asarray(-sign * (np.exp(logp) * logp).sum(axis=-1))

            return Built(Term("entropy", axes[:-1], entropies), x, axes[:-1])
        a = self.w.position(axes, "V")
        if how == "terms":
            p = self.block.let("probs", self.w.form("softmax", x=logits.text, a=a))
            self.remember(p, axes)
            return Built(
                Term("entropy", axes, self._entropies(at), "V"), self.w.form("entropy terms", p=p), axes
            )
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

    @staticmethod
    def _entropies(at: int) -> Callable[[Inputs], Array]:
        def elements(inputs: Inputs) -> Array:
            logp = log_softmax(inputs["logits"], at)
            return np.asarray(-np.exp(logp) * logp)

        return elements

    def mixture(self) -> Built:
        """Half the divergence of each of two distributions from their mixture (Jensen-Shannon)."""
        axes = self.layout()
        at = axes.index("V")
        names = []
        for role in ("logits", "other logits"):
            logits = self.logits(axes, role)
            p = self.block.let("probs", self.w.form("softmax", x=logits.text, a=self.w.position(axes, "V")))
            self.remember(p, axes)
            names.append(p)
        m = self.block.let("mixture", f"0.5 * ({names[0]} + {names[1]})")
        parts = [f"{p} * ({self.w.form('log', x=p)} - {self.w.form('log', x=m)})" for p in names]

        def elements(inputs: Inputs) -> Array:
            p, q = (np.exp(log_softmax(inputs[role], at)) for role in ("logits", "other logits"))
            m = np.log(0.5 * (p + q))
            return np.asarray(0.5 * (p * (np.log(p) - m) + q * (np.log(q) - m)))

        x = f"0.5 * ({parts[0]} + {parts[1]})"
        return Built(Term("mixture", axes, elements, "V", shown=False), x, axes)

    def sampled_divergence(self) -> Built:
        """How far a policy is from the one before, by the tokens that it took: `exp(r - p) - (r - p) - 1`."""
        axes = ("B", "T")
        p = self.block.input("token logp", Input(axes, "real")).text
        r = self.block.input("reference logp", Input(axes, "real")).text
        ratio = self.block.maybe("log ratio", f"{r} - {p}", likely=0.6)
        x = f"{self.w.form('exp', x=ratio)} - {ratio} - 1"

        def elements(inputs: Inputs) -> Array:
            gap = inputs["reference logp"] - inputs["token logp"]
            return np.asarray(np.exp(gap) - gap - 1)

        return Built(Term("sampled kl", axes, elements, shown=False), x, axes)

    def log_partition(self) -> Built:
        """The squared logarithm of the sum over the classes: one number per position."""
        axes = self.layout()
        at = axes.index("V")
        logits = self.logits(axes)
        z = self.block.maybe(
            "partition", self.w.form("logsumexp", x=logits.text, a=self.w.position(axes, "V"))
        )
        x = self.w.choices.pick("squared", (f"{z} ** 2", f"{self.w.module}.square({z})"))

        def elements(inputs: Inputs) -> Array:
            found = inputs["logits"]
            return np.asarray(np.log(np.exp(found).sum(axis=at)) ** 2)

        units = tuple(a for a in axes if a != "V")
        return Built(Term("log partition", units, elements, shown=False), x, units)

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
