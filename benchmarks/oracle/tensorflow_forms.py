"""How people write each step in TensorFlow. Its tensors have no methods that reduce: functions do it all."""

from __future__ import annotations

from typing import Final

FUNCTIONS: Final = {
    "log": "tf.math.log",
    "count_nonzero": "tf.math.count_nonzero",
    "mean": "tf.reduce_mean",
    "sum": "tf.reduce_sum",
}
"""Where a function has another name than NumPy's."""
REDUCTIONS: Final = ("tf.reduce_{how}", "tf.math.reduce_{how}", "K.{how}")
TURNED: Final = "tf.transpose({x})"
RESHAPED: Final = "tf.reshape({x}, [{shape}])"
SELECTED: Final = "tf.boolean_mask({x}, {m})"
FLOAT: Final = "tf.cast({x}, tf.float32)"
LARGEST: Final = "tf.argmax({x}, axis={a})"
ELEMENTS: Final = ("tf.size({x})", "tf.cast(tf.size({x}), tf.float32)", "tf.reduce_prod(tf.shape({x}))")
LENGTHS: Final = ("tf.shape({x})[{a}]", "{x}.get_shape()[{a}]", "K.int_shape({x})[{a}]")
SHAPES: Final = ("{x}.shape", "{x}.get_shape()")

FORMS: Final[dict[str, tuple[str, ...]]] = {
    "log_softmax": (
        "tf.nn.log_softmax({x}, axis={a})",
        "tf.math.log_softmax({x}, {a})",
        "tf.math.log(tf.nn.softmax({x}, axis={a}))",
        "tf.math.log(tf.nn.softmax({x}, axis={a}) + 1e-12)",
        "tf.math.log(tf.clip_by_value(tf.nn.softmax({x}, axis={a}), 1e-12, 1.0))",
        "tf.math.log(tf.maximum(tf.nn.softmax({x}, axis={a}), 1e-12))",
        "K.log(K.clip(K.softmax({x}, axis={a}), 1e-12, 1.0))",
        "{x} - tf.reduce_logsumexp({x}, axis={a}, keepdims=True)",
        "{x} - tf.math.log(tf.reduce_sum(tf.exp({x}), axis={a}, keepdims=True))",
        "tf.keras.activations.log_softmax({x}, axis={a})",
    ),
    "logsumexp": (
        "tf.reduce_logsumexp({x}, axis={a})",
        "tf.math.reduce_logsumexp({x}, {a})",
        "tf.math.log(tf.reduce_sum(tf.exp({x}), axis={a}))",
    ),
    "softmax": (
        "tf.nn.softmax({x}, axis={a})",
        "tf.nn.softmax({x}, {a})",
        "tf.math.softmax({x}, axis={a})",
        "tf.keras.activations.softmax({x}, axis={a})",
        "tf.exp(tf.nn.log_softmax({x}, axis={a}))",
        "tf.exp({x}) / tf.reduce_sum(tf.exp({x}), axis={a}, keepdims=True)",
    ),
    "log": (
        "tf.math.log({x})",
        "tf.math.log({x} + 1e-12)",
        "tf.math.log(tf.clip_by_value({x}, 1e-12, 1.0))",
        "tf.math.log(tf.maximum({x}, 1e-12))",
        "K.log({x} + K.epsilon() * 1e-5)",
    ),
    "exp": ("tf.exp({x})", "tf.math.exp({x})"),
    "one_hot": (
        "tf.one_hot({y}, {v})",
        "tf.one_hot({y}, depth={v})",
        "tf.one_hot(tf.cast({y}, tf.int32), {v}, dtype=tf.float32)",
        "K.one_hot({y}, {v})",
        "tf.cast({y}[..., tf.newaxis] == tf.range({v}, dtype={y}.dtype), tf.float32)",
        "tf.cast(tf.equal(tf.expand_dims({y}, -1), tf.range({v}, dtype={y}.dtype)), tf.float32)",
        "tf.gather(tf.eye({v}), {y})",
    ),
    "picked": (
        "tf.reduce_sum({x} * tf.one_hot({y}, tf.shape({x})[-1]), axis=-1)",
        "tf.experimental.numpy.take_along_axis({x}, {y}[..., None], axis=-1)[..., 0]",
        "tf.gather({x}, {y}, axis=-1, batch_dims={y}.shape.rank)",
    ),
    "picked rows": (
        "tf.gather({x}, {y}, axis=1, batch_dims=1)",
        "tf.gather({x}, {y}, batch_dims=1)",
        "tf.gather_nd({x}, tf.stack([tf.range(len({y}), dtype={y}.dtype), {y}], axis=1))",
        "tf.gather_nd({x}, {y}[:, None], batch_dims=1)",
    ),
    "last to": ("tf.transpose({x}, [{order}])", "tf.transpose({x}, perm=[{order}])"),
    "to last": ("tf.transpose({x}, [{order}])", "tf.transpose({x}, perm=[{order}])"),
    "unsqueeze": ("tf.expand_dims({x}, {a})", "tf.expand_dims({x}, axis={a})"),
    "float": ("tf.cast({x}, tf.float32)", "tf.cast({x}, 'float32')", "K.cast({x}, K.floatx())"),
    "where": (
        "tf.where({m}, {x}, 0.0)",
        "tf.where({m}, {x}, tf.zeros_like({x}))",
        "tf.multiply({x}, tf.cast({m}, tf.float32))",
    ),
    "arange mask": (
        "tf.sequence_mask({n}, {t})",
        "tf.sequence_mask({n}, maxlen={t})",
        "tf.range({t}, dtype={n}.dtype)[None, :] < {n}[:, None]",
    ),
    "not": ("~{x}", "tf.logical_not({x})", "tf.math.logical_not({x})"),
    "complement": ("1 - tf.cast({x}, tf.float32)", "1.0 - tf.cast({x}, 'float32')"),
    "multiplied in place": ("{x} *= {m}",),
    "at least one": ("tf.maximum({x}, 1)", "{x} + 1e-9", "{x} + K.epsilon() * 1e-2"),
    "clean": ("tf.maximum({y}, 0)", "tf.where({y} == -100, tf.zeros_like({y}), {y})"),
    "divided": (
        "{x} / {n}",
        "{x} * (1 / {n})",
        "{x} / float({n})",
        "tf.divide({x}, {n})",
        "{x} / tf.cast({n}, tf.float32)",
        "tf.math.divide_no_nan({x}, tf.cast({n}, tf.float32))",
    ),
    "zeroed": ("{x} = tf.where({m}, {x}, 0.0)", "{x} = tf.where({m}, {x}, tf.zeros_like({x}))"),
    "masked mean": ("tf.reduce_mean(tf.boolean_mask({x}, {m}))", "tf.reduce_mean({x}[{m}])"),
    "entropy terms": ("-tf.math.xlogy({p}, {p})",),
    "latent kl": (
        "-0.5 * (1 + {s} - {m} ** 2 - tf.exp({s}))",
        "-0.5 * (1 + {s} - tf.square({m}) - tf.exp({s}))",
        "0.5 * (K.square({m}) + K.exp({s}) - {s} - 1)",
        "0.5 * (tf.exp({s}) + {m} ** 2) - 0.5 - 0.5 * {s}",
    ),
    "squared error": (
        "({p} - {y}) ** 2",
        "tf.square({p} - {y})",
        "tf.math.squared_difference({p}, {y})",
        "K.square({p} - {y})",
        "0.5 * ({p} - {y}) ** 2",
    ),
    "absolute error": ("tf.abs({p} - {y})", "K.abs({p} - {y})"),
    "binary": (
        "-tf.nn.sigmoid_cross_entropy_with_logits(labels={y}, logits={p})",
        "{y} * tf.math.log_sigmoid({p}) + (1 - {y}) * tf.math.log_sigmoid(-{p})",
        "{y} * tf.math.log(tf.sigmoid({p})) + (1 - {y}) * tf.math.log(1 - tf.sigmoid({p}))",
        "-K.binary_crossentropy({y}, {p}, from_logits=True)",
    ),
    "poisson": ("tf.exp({p}) - {y} * {p}", "tf.nn.log_poisson_loss({y}, {p})"),
    "gaussian": (
        "0.5 * ({s} + ({p} - {y}) ** 2 / tf.exp({s}))",
        "0.5 * ({s} + tf.square({p} - {y}) * tf.exp(-{s}))",
    ),
    "huber": (
        "tf.where(tf.abs({p} - {y}) < 1, 0.5 * ({p} - {y}) ** 2, tf.abs({p} - {y}) - 0.5)",
    ),
}  # fmt: skip
LIBRARY: Final = {
    "integer": (
        "tf.nn.sparse_softmax_cross_entropy_with_logits(labels={y}, logits={x})",
        "tf.keras.losses.sparse_categorical_crossentropy({y}, {x}, from_logits=True)",
    ),
    "rows": (
        "tf.nn.softmax_cross_entropy_with_logits(labels={y}, logits={x})",
        "tf.keras.losses.categorical_crossentropy({y}, {x}, from_logits=True)",
        "K.categorical_crossentropy({y}, {x}, from_logits=True)",
    ),
    "criterion": ("tf.keras.losses.{name}(from_logits=True{said})",),
}
"""Cross-entropies of a library: of integer labels, of rows, and the classes of them."""
