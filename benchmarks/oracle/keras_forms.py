"""How people write each step in Keras 3: functions of `keras.ops`, whatever computes them."""

from __future__ import annotations

from typing import Final

FUNCTIONS: Final[dict[str, str]] = {}
REDUCTIONS: Final = ("ops.{how}", "keras.ops.{how}")
TURNED: Final = "ops.transpose({x})"
RESHAPED: Final = "ops.reshape({x}, ({shape},))"
SELECTED: Final = "{x}[{m}]"
FLOAT: Final = "ops.cast({x}, 'float32')"
LARGEST: Final = "ops.argmax({x}, axis={a})"
ELEMENTS: Final = ("ops.size({x})", "ops.prod(ops.shape({x}))")
LENGTHS: Final = ("ops.shape({x})[{a}]",)
SHAPES: Final = ("{x}.shape", "ops.shape({x})")

FORMS: Final[dict[str, tuple[str, ...]]] = {
    "log_softmax": (
        "ops.log_softmax({x}, axis={a})",
        "ops.nn.log_softmax({x}, axis={a})",
        "ops.log(ops.softmax({x}, axis={a}))",
        "ops.log(ops.softmax({x}, axis={a}) + 1e-12)",
        "ops.log(ops.clip(ops.softmax({x}, axis={a}), 1e-12, 1.0))",
        "ops.log(ops.maximum(ops.softmax({x}, axis={a}), 1e-12))",
        "{x} - ops.logsumexp({x}, axis={a}, keepdims=True)",
        "keras.activations.log_softmax({x}, axis={a})",
    ),
    "logsumexp": ("ops.logsumexp({x}, axis={a})", "ops.log(ops.sum(ops.exp({x}), axis={a}))"),
    "softmax": (
        "ops.softmax({x}, axis={a})",
        "ops.nn.softmax({x}, axis={a})",
        "ops.exp(ops.log_softmax({x}, axis={a}))",
        "ops.exp({x}) / ops.sum(ops.exp({x}), axis={a}, keepdims=True)",
    ),
    "log": (
        "ops.log({x})",
        "ops.log({x} + 1e-12)",
        "ops.log(ops.clip({x}, 1e-12, 1.0))",
        "ops.log({x} + keras.config.epsilon() * 1e-5)",
    ),
    "exp": ("ops.exp({x})",),
    "one_hot": (
        "ops.one_hot({y}, {v})",
        "ops.one_hot({y}, num_classes={v})",
        "ops.one_hot(ops.cast({y}, 'int32'), {v}, dtype='float32')",
        "ops.cast({y}[..., None] == ops.arange({v}), 'float32')",
        "ops.cast(ops.equal(ops.expand_dims({y}, -1), ops.arange({v})), 'float32')",
        "ops.take(ops.eye({v}), {y}, axis=0)",
        "ops.eye({v})[{y}]",
    ),
    "picked": (
        "ops.sum({x} * ops.one_hot({y}, {x}.shape[-1]), axis=-1)",
        "ops.take_along_axis({x}, {y}[..., None], axis=-1)[..., 0]",
        "ops.squeeze(ops.take_along_axis({x}, ops.expand_dims({y}, -1), axis=-1), axis=-1)",
    ),
    "picked rows": ("{x}[ops.arange(len({y})), {y}]",),
    "last to": ("ops.transpose({x}, ({order}))", "ops.transpose({x}, axes=({order}))", "ops.moveaxis({x}, -1, {a})"),
    "to last": ("ops.transpose({x}, ({order}))", "ops.transpose({x}, axes=({order}))", "ops.moveaxis({x}, {a}, -1)"),
    "unsqueeze": ("ops.expand_dims({x}, {a})", "ops.expand_dims({x}, axis={a})"),
    "float": ("ops.cast({x}, 'float32')", "ops.convert_to_tensor({x}, dtype='float32')"),
    "where": ("ops.where({m}, {x}, 0.0)", "ops.where({m}, {x}, ops.zeros_like({x}))"),
    "arange mask": ("ops.arange({t})[None, :] < {n}[:, None]", "ops.less(ops.arange({t})[None], {n}[:, None])"),
    "not": ("~{x}", "ops.logical_not({x})"),
    "complement": ("1 - ops.cast({x}, 'float32')", "1.0 - ops.cast({x}, 'float32')"),
    "multiplied in place": ("{x} *= {m}",),
    "at least one": ("ops.maximum({x}, 1)", "{x} + 1e-9"),
    "clean": ("ops.maximum({y}, 0)", "ops.where({y} == -100, 0, {y})"),
    "divided": (
        "{x} / {n}",
        "{x} * (1 / {n})",
        "ops.divide({x}, {n})",
        "{x} / ops.cast({n}, 'float32')",
        "ops.divide_no_nan({x}, ops.cast({n}, 'float32'))",
    ),
    "zeroed": ("{x} = ops.where({m}, {x}, 0.0)",),
    "masked mean": ("ops.mean({x}[{m}])",),
    "entropy terms": ("-{p} * ops.log({p})",),
    "latent kl": (
        "-0.5 * (1 + {s} - {m} ** 2 - ops.exp({s}))",
        "-0.5 * (1 + {s} - ops.square({m}) - ops.exp({s}))",
        "0.5 * (ops.exp({s}) + ops.square({m}) - 1.0 - {s})",
    ),
    "squared error": ("({p} - {y}) ** 2", "ops.square({p} - {y})", "0.5 * ({p} - {y}) ** 2"),
    "absolute error": ("ops.abs({p} - {y})", "ops.absolute({p} - {y})"),
    "binary": (
        "-ops.binary_crossentropy({y}, {p}, from_logits=True)",
        "{y} * ops.log_sigmoid({p}) + (1 - {y}) * ops.log_sigmoid(-{p})",
        "{y} * ops.log(ops.sigmoid({p})) + (1 - {y}) * ops.log(1 - ops.sigmoid({p}))",
    ),
    "poisson": ("ops.exp({p}) - {y} * {p}",),
    "gaussian": (
        "0.5 * ({s} + ({p} - {y}) ** 2 / ops.exp({s}))",
        "0.5 * ({s} + ops.square({p} - {y}) * ops.exp(-{s}))",
    ),
    "huber": ("ops.where(ops.abs({p} - {y}) < 1, 0.5 * ({p} - {y}) ** 2, ops.abs({p} - {y}) - 0.5)",),
}  # fmt: skip
LIBRARY: Final = {
    "integer": (
        "ops.sparse_categorical_crossentropy({y}, {x}, from_logits=True)",
        "keras.losses.sparse_categorical_crossentropy({y}, {x}, from_logits=True)",
    ),
    "rows": (
        "ops.categorical_crossentropy({y}, {x}, from_logits=True)",
        "keras.losses.categorical_crossentropy({y}, {x}, from_logits=True)",
    ),
    "criterion": ("keras.losses.{name}(from_logits=True{said})",),
}
"""Cross-entropies of a library: of integer labels, of rows, and the classes of them."""
