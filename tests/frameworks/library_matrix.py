"""Every library loss of the tables in many ways of reducing it, as programs that can be linted, fixed and run.

A program is a function of arrays. Its right value is the mean over the units of the loss per unit, by NumPy, from
the elements that the library itself gives (`reduction="none"`).
"""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from batchmean.findings import Finding
from batchmean.linter import lint
from batchmean.source import apply
from batchmean_reference.frameworks import FRAMEWORKS

from tests.frameworks.libraries import require

B, T, V = 3, 5, 7  # coprime: no count passes for another

Arrays = Mapping[str, Any]


@dataclass(frozen=True)
class Library:
    """How a framework is written."""

    framework: str
    imports: str
    whole_mean: str = "({}).mean()"
    whole_sum: str = "({}).sum()"
    mean_over: str = "({}).mean({})"
    sum_over: str = "({}).sum({})"
    size: str = "{}.size"
    length: str = "{}.shape[{}]"
    discards: bool = False
    """Has it a division that may be thrown away?"""
    single: bool = False
    """Does it compute in float32?"""


@dataclass(frozen=True)
class LibraryLoss:
    """A loss of a library, as source: `{}` takes the reduction, where it has one."""

    library: Library
    name: str
    before: str
    call: str
    counted: str
    """The array whose elements are all counted, classes and all."""
    kind: str
    """`summed`: one number per unit comes out; `terms`: the class axis is still there; `elementwise`: it has none."""
    class_axis: int = -1
    default_is_mean: bool = False
    """Is the default a mean, so that a reduction is given as `reduction=`?"""
    labels: str = "labels"


def _torch() -> Iterator[LibraryLoss]:
    torch = Library(
        "on_torch",
        "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n",
        size="{}.numel()",
        discards=True,
    )
    logq = "x = F.log_softmax(logits, dim=1)\n"
    terms = "x = F.log_softmax(logits, dim=-1)\nq = F.softmax(teacher, dim=-1)\n"
    yield LibraryLoss(
        torch, "cross_entropy", "", "F.cross_entropy(logits, labels{})", "logits", "summed", 1, True
    )
    yield LibraryLoss(torch, "nll_loss", logq, "F.nll_loss(x, labels{})", "x", "summed", 1, True)
    yield LibraryLoss(
        torch,
        "CrossEntropyLoss",
        "",
        "nn.CrossEntropyLoss({})(logits, labels)",
        "logits",
        "summed",
        1,
        True,
    )
    yield LibraryLoss(torch, "kl_div", terms, "F.kl_div(x, q{})", "x", "terms", -1, True)
    yield LibraryLoss(torch, "KLDivLoss", terms, "nn.KLDivLoss({})(x, q)", "x", "terms", -1, True)
    for name in "mse_loss l1_loss smooth_l1_loss huber_loss".split():
        yield LibraryLoss(
            torch, name, "", f"F.{name}(logits, teacher{{}})", "logits", "elementwise", -1, True
        )
    yield LibraryLoss(
        torch, "MSELoss", "", "nn.MSELoss({})(logits, teacher)", "logits", "elementwise", -1, True
    )
    yield LibraryLoss(
        torch,
        "binary_cross_entropy_with_logits",
        "",
        "F.binary_cross_entropy_with_logits(logits, torch.sigmoid(teacher){})",
        "logits",
        "elementwise",
        -1,
        True,
    )


def _paddle() -> Iterator[LibraryLoss]:
    paddle = Library(
        "on_paddle",
        "import paddle\nimport paddle.nn.functional as F\n",
        size="{}.size",
    )
    terms = "x = F.log_softmax(logits, axis=-1)\nq = F.softmax(teacher, axis=-1)\n"
    yield LibraryLoss(
        paddle, "cross_entropy", "", "F.cross_entropy(logits, last_labels{})", "logits", "summed", -1, True
    )
    yield LibraryLoss(paddle, "kl_div", terms, "F.kl_div(x, q{})", "x", "terms", -1, True)
    for name in "mse_loss l1_loss smooth_l1_loss".split():
        yield LibraryLoss(
            paddle, name, "", f"F.{name}(logits, teacher{{}})", "logits", "elementwise", -1, True
        )


def _jax() -> Iterator[LibraryLoss]:
    jax = Library("on_jax", "import jax\nimport jax.numpy as jnp\nimport optax\n")
    soft = "y = jax.nn.softmax(teacher)\n"
    for name in "softmax_cross_entropy safe_softmax_cross_entropy".split():
        yield LibraryLoss(jax, name, soft, f"optax.{name}(logits, y)", "logits", "summed")
    yield LibraryLoss(
        jax,
        "integer_labels",
        "",
        "optax.softmax_cross_entropy_with_integer_labels(logits, last_labels)",
        "logits",
        "summed",
    )
    logs = "y = jax.nn.softmax(teacher)\nx = jax.nn.log_softmax(logits)\n"
    yield LibraryLoss(jax, "kl_divergence", logs, "optax.kl_divergence(x, y)", "x", "summed")
    for name in "squared_error huber_loss l2_loss".split():
        yield LibraryLoss(jax, name, "", f"optax.{name}(logits, teacher)", "logits", "elementwise")
    yield LibraryLoss(
        jax,
        "sigmoid_binary_cross_entropy",
        "",
        "optax.sigmoid_binary_cross_entropy(logits, jax.nn.sigmoid(teacher))",
        "logits",
        "elementwise",
    )


def _tensorflow() -> Iterator[LibraryLoss]:
    tf = Library(
        "on_tensorflow",
        "import tensorflow as tf\n",
        whole_mean="tf.reduce_mean({})",
        whole_sum="tf.reduce_sum({})",
        mean_over="tf.reduce_mean({}, axis={})",
        sum_over="tf.reduce_sum({}, axis={})",
        size="tf.cast(tf.size({}), tf.float64)",
        length="tf.cast(tf.shape({})[{}], tf.float64)",
    )
    soft = "y = tf.nn.softmax(teacher)\n"
    yield LibraryLoss(
        tf,
        "softmax_cross_entropy",
        soft,
        "tf.nn.softmax_cross_entropy_with_logits(labels=y, logits=logits)",
        "logits",
        "summed",
    )
    yield LibraryLoss(
        tf,
        "sparse",
        "",
        "tf.nn.sparse_softmax_cross_entropy_with_logits(labels=last_labels, logits=logits)",
        "logits",
        "summed",
    )
    yield LibraryLoss(
        tf,
        "sigmoid",
        "",
        "tf.nn.sigmoid_cross_entropy_with_logits(labels=tf.sigmoid(teacher), logits=logits)",
        "logits",
        "elementwise",
    )


def _keras() -> Iterator[LibraryLoss]:
    keras = Library(
        "on_keras",
        "import keras\nfrom keras import ops\n",
        whole_mean="ops.mean({})",
        whole_sum="ops.sum({})",
        mean_over="ops.mean({}, axis={})",
        sum_over="ops.sum({}, axis={})",
        size="ops.cast(ops.size({}), 'float64')",
    )
    probs = "y = ops.softmax(teacher)\np = ops.softmax(logits)\n"
    for name in "categorical_crossentropy kl_divergence".split():
        yield LibraryLoss(keras, name, probs, f"keras.losses.{name}(y, p)", "p", "summed")
    yield LibraryLoss(
        keras,
        "sparse_categorical_crossentropy",
        probs,
        "keras.losses.sparse_categorical_crossentropy(last_labels, p)",
        "p",
        "summed",
    )


def _mlx() -> Iterator[LibraryLoss]:
    mlx = Library("on_mlx", "import mlx.core as mx\nfrom mlx import nn\n", single=True)
    terms = "x = nn.log_softmax(logits)\nq = nn.log_softmax(teacher)\n"
    yield LibraryLoss(
        mlx, "cross_entropy", "", "nn.losses.cross_entropy(logits, last_labels{})", "logits", "summed"
    )
    yield LibraryLoss(mlx, "kl_div_loss", terms, "nn.losses.kl_div_loss(x, q{})", "x", "summed")
    for name in "mse_loss l1_loss".split():
        yield LibraryLoss(
            mlx, name, "", f"nn.losses.{name}(logits, teacher{{}})", "logits", "elementwise", -1, True
        )


def _scipy() -> Iterator[LibraryLoss]:
    scipy = Library(
        "on_numpy",
        "import numpy as np\nfrom scipy import special, stats\nfrom scipy.special import entr, rel_entr, softmax\n",
        whole_mean="np.mean({})",
        whole_sum="np.sum({})",
        mean_over="np.mean({}, axis={})",
        sum_over="np.sum({}, axis={})",
    )
    method = Library("on_numpy", scipy.imports)
    probs = "p = softmax(teacher, axis=-1)\nq = softmax(logits, axis=-1)\n"
    for written in (scipy, method):
        yield LibraryLoss(written, "rel_entr", probs, "rel_entr(p, q)", "p", "terms")
        yield LibraryLoss(written, "entr", probs, "entr(q)", "q", "terms")
        yield LibraryLoss(written, "kl_div", probs, "special.kl_div(p, q)", "p", "elementwise")
        yield LibraryLoss(written, "entropy", probs, "stats.entropy(q, axis=-1)", "q", "summed")


LOSSES: Mapping[str, Callable[[], Iterator[LibraryLoss]]] = {
    "numpy": _scipy,
    "torch": _torch,
    "paddle": _paddle,
    "jax": _jax,
    "tensorflow": _tensorflow,
    "keras": _keras,
    "mlx": _mlx,
}


@dataclass(frozen=True)
class Program:
    """One way of reducing one loss."""

    loss: LibraryLoss
    way: str
    text: str
    masked: bool = False

    @property
    def layouts(self) -> tuple[str, ...]:
        """The mean of a vector's sum is the mean of one number: the last axis of units is that of sequences."""
        is_of_sequences = self.loss.kind == "summed" and " over -1" in self.way
        return ("BTV",) if is_of_sequences else ("BV", "BTV")

    @property
    def counts_examples(self) -> bool:
        """Does it divide by the number of examples, so that an example may be the unit?"""
        return any(count in self.way for count in ("length 0", "/ len", "labels 0", "product", "shape[0]"))

    @property
    def id(self) -> str:
        return f"{self.loss.library.framework.removeprefix('on_')}-{self.loss.name}-{self.way}".replace(
            " ", "_"
        )


def programs(loss: LibraryLoss) -> Iterator[Program]:
    """Every way of reducing it."""
    lib = loss.library
    has_reduction = "{}" in loss.call

    def called(reduction: str | None) -> str:
        separator = "" if "({})" in loss.call else ", "
        given = f'{separator}reduction="{reduction}"' if reduction else ""
        return loss.call.format(given) if has_reduction else loss.call

    each = called("none")
    mean = called("mean") if has_reduction else lib.whole_mean.format(each)
    total = called("sum") if has_reduction else lib.whole_sum.format(each)
    hand_mean, hand_sum = lib.whole_mean.format(each), lib.whole_sum.format(each)
    own = called(None) if loss.default_is_mean else mean
    array, labels = loss.counted, "labels" if "(labels" in loss.call or " labels" in loss.call else None
    counts = {
        "size": lib.size.format(array),
        "length 0": lib.length.format(array, 0),
        "length 1": lib.length.format(array, 1),
        "length -1": lib.length.format(array, -1),
    }
    if lib.framework != "on_tensorflow":
        counts |= {"product": f"({array}.shape[0] * {array}.shape[1])", "len": f"len({array})"}
    if labels and lib.framework == "on_torch":
        counts |= {"labels": "labels.numel()", "labels 0": "labels.size(0)"}

    def program(way: str, *lines: str, masked: bool = False) -> Program:
        body = [line for line in loss.before.split("\n") if line]
        text = "".join(f"    {line}\n" for line in (*body, *lines))
        head = "def loss(logits, teacher, labels, last_labels, attention_mask):\n"
        return Program(loss, way, f"{lib.imports}\n{head}{text}", masked)

    starts = {"default": own, "mean": mean, "sum": total, "hand mean": hand_mean, "hand sum": hand_sum}
    yield from (program(start, f"return {expression}") for start, expression in starts.items())
    for start, expression in starts.items():
        yield program(f"{start} mean", "return " + lib.whole_mean.format(expression))
        yield program(f"{start} sum", "return " + lib.whole_sum.format(expression))
        for name, count in counts.items():
            yield program(f"{start} / {name}", f"return {expression} / {count}")
        for name in ("size", "length 0", "length 1"):
            count = counts[name]
            yield program(f"{start} named / {name}", f"total = {expression}", f"return total / {count}")
            yield program(f"{start} count / {name}", f"n = {count}", f"return {expression} / n")
            yield program(
                f"{start} in place / {name}", f"total = {expression}", f"total /= {count}", "return total"
            )
            yield program(f"{start} twice / {name}", f"return {expression} / {count} / {count}")
            yield program(
                f"{start} sum / {name}", f"return {lib.whole_sum.format(expression)} / {counts[name]}"
            )
            yield program(f"{start} times 1 / {name}", f"return (1.0 / {count}) * {expression}")
            if lib.discards:
                for spelled in (f"total.div({count})", f"total / {count}"):
                    yield program(
                        f"{start} discarded {spelled}", f"total = {expression}", spelled, "return total"
                    )
    for axis in (0, -1, 1):
        inner = {"mean": lib.mean_over.format(each, axis), "sum": lib.sum_over.format(each, axis)}
        for how, expression in inner.items():
            yield program(f"{how} over {axis} mean", "return " + lib.whole_mean.format(expression))
            yield program(f"{how} over {axis} sum", "return " + lib.whole_sum.format(expression))
            for name, count in counts.items():
                yield program(
                    f"{how} over {axis} sum / {name}",
                    f"return {lib.whole_sum.format(expression)} / {count}",
                )
                yield program(
                    f"{how} over {axis} mean / {name}",
                    f"return {lib.whole_mean.format(expression)} / {count}",
                )
    mask = "attention_mask" if loss.kind == "summed" else "attention_mask[..., None]"
    masked = {
        "mean": lib.whole_mean.format("each * mask"),
        "over size": f"{lib.whole_sum.format('each * mask')} / {lib.size.format('each')}",
        "over the mask's size": f"{lib.whole_sum.format('each * mask')} / {lib.size.format('mask')}",
        "over the mask": f"{lib.whole_sum.format('each * mask')} / {lib.whole_sum.format('mask')}",
    }
    for way, expression in masked.items():
        yield program(
            f"masked {way}", f"each = {each}", f"mask = {mask}", f"return {expression}", masked=True
        )


def inputs(layout: str, loss: LibraryLoss, seed: int = 0) -> dict[str, Any]:
    """Arrays of one layout, `BV` or `BTV`; the classes stand where the loss takes them."""
    rng = np.random.default_rng(seed)
    units = {"BV": (B,), "BTV": (B, T)}[layout]
    full = (*units, V)
    logits, teacher = rng.normal(size=full), rng.normal(size=full)
    if loss.class_axis == 1:
        logits, teacher = np.moveaxis(logits, -1, 1), np.moveaxis(teacher, -1, 1)
    labels = rng.integers(0, V, size=units)
    mask = (rng.uniform(size=units) < 0.6).astype(float)
    mask.flat[0] = 1.0
    mask.flat[1] = 0.0
    names = ("logits", "teacher", "labels", "last_labels", "attention_mask")
    arrays = (
        np.ascontiguousarray(logits),
        np.ascontiguousarray(teacher),
        labels,
        labels,
        mask,
    )
    return dict(zip(names, arrays, strict=True))


def run(text: str, framework: str, arrays: Arrays) -> Any:
    """What the program gives on these arrays, by NumPy."""
    names: dict[str, Any] = {}
    exec(compile(text, "<program>", "exec"), names)
    convert = FRAMEWORKS[framework].convert
    value = names["loss"](**{name: convert(array) for name, array in arrays.items()})
    return np.asarray(value, dtype=float)


def right_value(
    loss: LibraryLoss, arrays: Arrays, *, masked: bool = False, by_example: bool = False
) -> tuple[float, ...]:
    """The mean over the units, or over the valid ones; a mean over elements may be a sum over each unit, too.

    With `by_example`, where the code divides by the examples, also the mean over these of all their positions.
    """
    imports = loss.library.imports
    body = "".join(f"    {line}\n" for line in loss.before.split("\n") if line)
    call = loss.call
    if "{}" in call:
        call = call.format('reduction="none"' if "({})" in call else ', reduction="none"')
    head = "def loss(logits, teacher, labels, last_labels, attention_mask):\n"
    each = run(f"{imports}\n{head}{body}    return {call}\n", loss.library.framework, arrays)
    units: tuple[Any, ...] = (each,)
    if each.ndim > arrays["attention_mask"].ndim:  # the classes or elements are still there, at the end
        units = (each.sum(-1),) if loss.kind == "terms" else (each.mean(-1), each.sum(-1))
    mask = arrays["attention_mask"]
    if masked:
        return tuple(float((u * mask).sum() / mask.sum()) for u in units)
    by_units = tuple(float(u.mean()) for u in units)
    return (*by_units, *(float(u.sum() / B) for u in units)) if by_example else by_units


@dataclass(frozen=True)
class Outcome:
    """What happened to a program on one layout."""

    program: Program
    layout: str
    before: float
    right: tuple[float, ...]
    findings: tuple[Finding, ...]
    problem: str = ""


def judge(program: Program) -> Iterator[Outcome]:
    """Lint it, apply each fix that is offered, and run what comes out beside it."""
    loss = program.loss
    findings = tuple(lint(program.text, "program.py", fixes=True))
    tolerance = 1e-4 if loss.library.single or loss.library.framework == "on_keras" else 1e-9
    for layout in program.layouts:
        arrays = inputs(layout, loss)
        try:
            before = run(program.text, loss.library.framework, arrays)
            if before.ndim:
                continue
        except Exception:  # it is no program for this layout
            continue
        right = right_value(loss, arrays, masked=program.masked, by_example=program.counts_examples)

        def near(value: Any, wanted: Sequence[float], tolerance: float = tolerance) -> bool:
            return any(abs(float(value) - one) <= tolerance * abs(one) for one in wanted)

        problem = ""
        if findings and near(before, right[:1]):
            problem = f"right, and reported: {findings[0].code} {findings[0].confidence}"
        for finding in findings:
            if finding.fix is None:
                continue
            after = apply(program.text, finding.fix.edits)
            kind = "safe" if finding.fix.safe else "unsafe"
            line = [x for x in after.split("\n") if x.strip()][-1].strip()
            try:
                value = run(after, loss.library.framework, arrays)
            except Exception as error:
                problem = f"{finding.code} {kind}: {type(error).__name__} after {line}"
                break
            if value.ndim or not near(value, right):
                times = [float(value) / one for one in right] if not value.ndim else value.shape
                problem = f"{finding.code} {kind}: {times} of the right one after {line}"
                break
        yield Outcome(program, layout, float(before), right, findings, problem)


def all_programs(framework: str) -> list[Program]:
    """Every program of a framework, each once: without a `reduction=` some ways are the same."""
    made = (program for loss in LOSSES[framework]() for program in programs(loss))
    return list({program.text: program for program in made}.values())


def prepared(framework: str) -> None:
    """Import what its programs need, in the order that they allow."""
    for folder, known in FRAMEWORKS.items():
        if folder.removeprefix("on_") == framework:
            for library in known.libraries:
                require(library)
            known.prepare()
            for library in known.libraries:
                importlib.import_module(library)


def sample(items: Sequence[Program], count: int, seed: int = 14) -> list[Program]:
    """So many of them, the same ones each time."""
    return random.Random(seed).sample(list(items), min(count, len(items)))
