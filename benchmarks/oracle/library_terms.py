"""Losses that a library has: what is left of their elements, and what their `reduction` does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.oracle.parts import ELEMENTWISE_LAYOUTS, FEATURES, Built, Parts, log_softmax, rows
from benchmarks.oracle.program import Array, Input, Inputs, Term


class LibraryTerms(Parts):
    """Calls of optax and of torch.nn.functional, and criteria."""

    def library(self) -> Built:
        """A loss whose `reduction` is the library's."""
        if self.w.functional is not None:
            return self.functional_loss()
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

    def functional_loss(self) -> Built:
        """A function that leaves a number per position, or a criterion of Keras with its reduction."""
        c, words = self.w.choices, self.w.functional
        assert words is not None
        axes = ("B", "V") if self.mask == "" and c.chance("two axes", 0.6) else ("B", "T", "V")
        logits = self.logits(axes)
        if c.chance("integer labels", 0.5):
            target, form, criterion = self.labels(axes).text, "integer", "SparseCategoricalCrossentropy"
            truth: Callable[[Inputs], Array] = lambda i: rows(i["labels"], i["logits"].shape[-1], -1)  # noqa: E731
        else:
            (target, truth, _), form, criterion = self.target(logits), "rows", "CategoricalCrossentropy"
        term = Term("library", axes[:-1], lambda i: -(truth(i) * log_softmax(i["logits"], -1)).sum(axis=-1))
        if c.chance("criterion", 0.35):
            reductions = ("none", "sum", "sum_over_batch_size", "default")
            reduction = "none" if self.mask else c.pick("reduction", reductions, (4, 2, 2, 2))
            said = "" if reduction == "default" else f", reduction='{reduction}'"
            made = c.pick("criterion as", words.LIBRARY["criterion"]).format(name=criterion, said=said)
            made = self.block.maybe("function", made)
            return self.reduced(Built(term, f"{made}({target}, {logits.text})", axes[:-1]), reduction)
        x = c.pick("function", words.LIBRARY[form]).format(y=target, x=logits.text)
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
        more = ""
        if self.w.choices.chance("log target", 0.15):
            more = ", log_target=True"
            p = self.block.maybe(
                "logp", self.w.form("log_softmax", x=other.text, a=self.w.position(axes, "V"))
            )
        x = self.call_library("kl_div", logq, p, reduction, more)

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
