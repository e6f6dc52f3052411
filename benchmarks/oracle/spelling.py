"""How people write each step in NumPy, PyTorch, JAX, TensorFlow and Keras: templates, the plainest first.

`{x}` and its like are put in parentheses, which the printer takes away again where they are not needed. `{a}` is the
position of an axis.
"""

from __future__ import annotations

from typing import Final

from benchmarks.oracle import keras_forms, tensorflow_forms

IMPORTS: Final = {
    "np": "import numpy as np",
    "torch": "import torch",
    "F": "import torch.nn.functional as F",
    "nn": "from torch import nn",
    "distributions": "from torch import distributions",
    "jnp": "import jax.numpy as jnp",
    "jax": "import jax",
    "optax": "import optax",
    "tf": "import tensorflow as tf",
    "keras": "import keras",
    "ops": "from keras import ops",
    "K": "from tensorflow.keras import backend as K",
    "math": "import math",
    "argparse": "import argparse",
    "asyncio": "import asyncio",
    "contextlib": "import contextlib",
    "dataclasses": "import dataclasses",
    "enum": "import enum",
    "functools": "import functools",
    "operator": "import operator",
    "os": "import os",
    "types": "import types",
    "special": "from scipy import special",
    "log_softmax": "from scipy.special import log_softmax",
    "softmax": "from scipy.special import softmax",
    "logsumexp": "from scipy.special import logsumexp",
}
"""The line that brings a name; a name that stands in a program is looked up here."""

MODULE: Final = {"numpy": "np", "torch": "torch", "jax": "jnp", "tensorflow": "tf", "keras": "ops"}
AXIS: Final = {"numpy": "axis", "torch": "dim", "jax": "axis"}
KEEP: Final = {"numpy": "keepdims", "torch": "keepdim", "jax": "keepdims"}

FORMS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "log_softmax": {
        "numpy": (
            "log_softmax({x}, axis={a})",
            "special.log_softmax({x}, axis={a})",
            "np.log(softmax({x}, axis={a}))",
            "{x} - logsumexp({x}, axis={a}, keepdims=True)",
            "{x} - np.log(np.sum(np.exp({x}), axis={a}, keepdims=True))",
            "np.log(np.exp({x}) / np.exp({x}).sum(axis={a}, keepdims=True))",
            "np.log(np.clip(softmax({x}, axis={a}), 1e-12, 1.0))",
            "np.log(softmax({x}, axis={a}) + 1e-12)",
            "np.log(np.maximum(softmax({x}, axis={a}), 1e-12))",
        ),
        "torch": (
            "F.log_softmax({x}, dim={a})",
            "torch.log_softmax({x}, dim={a})",
            "{x}.log_softmax(dim={a})",
            "{x}.log_softmax({a})",
            "F.log_softmax({x}, {a})",
            "torch.log(F.softmax({x}, dim={a}))",
            "torch.softmax({x}, dim={a}).log()",
            "{x}.softmax(dim={a}).clamp(min=1e-12).log()",
            "torch.log(F.softmax({x}, dim={a}) + 1e-12)",
            "torch.log(torch.clamp(torch.softmax({x}, dim={a}), min=1e-12, max=1.0))",
            "{x} - torch.logsumexp({x}, dim={a}, keepdim=True)",
            "{x} - {x}.logsumexp(dim={a}, keepdim=True)",
            "{x} - {x}.exp().sum({a}, keepdim=True).log()",
            "nn.LogSoftmax(dim={a})({x})",
            "nn.functional.log_softmax({x}, dim={a})",
        ),
        "jax": (
            "jax.nn.log_softmax({x}, axis={a})",
            "jnp.log(jax.nn.softmax({x}, axis={a}))",
            "{x} - jax.scipy.special.logsumexp({x}, axis={a}, keepdims=True)",
            "{x} - jax.nn.logsumexp({x}, axis={a}, keepdims=True)",
            "jnp.log(jnp.clip(jax.nn.softmax({x}, axis={a}), 1e-12, 1.0))",
            "jnp.log(jax.nn.softmax({x}, axis={a}) + 1e-12)",
            "{x} - jnp.log(jnp.sum(jnp.exp({x}), axis={a}, keepdims=True))",
        ),
    },
    "logsumexp": {
        "numpy": (
            "logsumexp({x}, axis={a})",
            "special.logsumexp({x}, axis={a})",
            "np.log(np.sum(np.exp({x}), axis={a}))",
        ),
        "torch": (
            "torch.logsumexp({x}, dim={a})",
            "{x}.logsumexp({a})",
            "torch.log(torch.exp({x}).sum(dim={a}))",
        ),
        "jax": (
            "jax.nn.logsumexp({x}, axis={a})",
            "jax.scipy.special.logsumexp({x}, axis={a})",
            "jnp.log(jnp.sum(jnp.exp({x}), axis={a}))",
        ),
    },
    "softmax": {
        "numpy": (
            "softmax({x}, axis={a})",
            "special.softmax({x}, axis={a})",
            "np.exp({x}) / np.exp({x}).sum(axis={a}, keepdims=True)",
            "np.exp({x} - logsumexp({x}, axis={a}, keepdims=True))",
            "np.exp(log_softmax({x}, axis={a}))",
        ),
        "torch": (
            "F.softmax({x}, dim={a})",
            "torch.softmax({x}, dim={a})",
            "{x}.softmax(dim={a})",
            "{x}.softmax({a})",
            "nn.Softmax(dim={a})({x})",
            "F.log_softmax({x}, dim={a}).exp()",
            "torch.exp({x}) / torch.exp({x}).sum(dim={a}, keepdim=True)",
        ),
        "jax": (
            "jax.nn.softmax({x}, axis={a})",
            "jnp.exp(jax.nn.log_softmax({x}, axis={a}))",
            "jnp.exp({x}) / jnp.exp({x}).sum(axis={a}, keepdims=True)",
        ),
    },
    "log": {
        "numpy": (
            "np.log({x})",
            "np.log({x} + 1e-12)",
            "np.log(np.clip({x}, 1e-12, 1))",
            "np.log(np.maximum({x}, 1e-12))",
        ),
        "torch": (
            "torch.log({x})",
            "{x}.log()",
            "{x}.clamp(min=1e-12).log()",
            "torch.log({x} + 1e-12)",
            "torch.log({x}.clamp_min(1e-12))",
        ),
        "jax": ("jnp.log({x})", "jnp.log({x} + 1e-12)", "jnp.log(jnp.clip({x}, 1e-12, 1.0))"),
    },
    "exp": {
        "numpy": ("np.exp({x})",),
        "torch": ("torch.exp({x})", "{x}.exp()"),
        "jax": ("jnp.exp({x})",),
    },
    # One-hot rows on the last axis; {z} is an array of the shape of the result.
    "one_hot": {
        "numpy": (
            "np.eye({v})[{y}]",
            "np.eye({v}, dtype=np.float64)[{y}]",
            "np.identity({v})[{y}]",
            "({y}[..., None] == np.arange({v})).astype(float)",
            "{y}[..., None] == np.arange({v})",
            "(np.arange({v}) == np.expand_dims({y}, -1)).astype(np.float64)",
            "np.where({y}[..., np.newaxis] == np.arange({v}), 1.0, 0.0)",
            "np.eye({v})[{y}.reshape(-1)].reshape(*{y}.shape, {v})",
        ),
        "torch": (
            "F.one_hot({y}, {v})",
            "F.one_hot({y}, num_classes={v})",
            "F.one_hot({y}, {v}).double()",
            "F.one_hot({y}, num_classes={v}).float()",
            "torch.eye({v})[{y}]",
            "nn.functional.one_hot({y}, {v}).to(torch.float64)",
            "({y}.unsqueeze(-1) == torch.arange({v})).double()",
            "({y}[..., None] == torch.arange({v}))",
            "torch.zeros(*{y}.shape, {v}).scatter_(-1, {y}.unsqueeze(-1), 1.0)",
            "torch.zeros(*{y}.shape, {v}).scatter(-1, {y}.unsqueeze(-1), 1.0)",
        ),
        "jax": (
            "jax.nn.one_hot({y}, {v})",
            "jax.nn.one_hot({y}, num_classes={v})",
            "jnp.eye({v})[{y}]",
            "({y}[..., None] == jnp.arange({v})).astype(float)",
            "({y}[..., None] == jnp.arange({v}))",
        ),
    },
    "picked": {  # the entry of each position's label, on the last axis
        "numpy": (
            "np.take_along_axis({x}, {y}[..., None], axis=-1)[..., 0]",
            "np.take_along_axis({x}, {y}[..., None], axis=-1).squeeze(-1)",
        ),
        "torch": (
            "{x}.gather(-1, {y}.unsqueeze(-1)).squeeze(-1)",
            "torch.gather({x}, -1, {y}.unsqueeze(-1)).squeeze(-1)",
            "torch.gather({x}, dim=-1, index={y}[..., None])[..., 0]",
            "{x}.gather(dim=-1, index={y}.unsqueeze(-1)).squeeze(dim=-1)",
        ),
        "jax": (
            "jnp.take_along_axis({x}, {y}[..., None], axis=-1)[..., 0]",
            "jnp.take_along_axis({x}, {y}[..., None], axis=-1).squeeze(-1)",
        ),
    },
    "picked rows": {  # the same for two axes
        "numpy": ("{x}[np.arange(len({y})), {y}]", "{x}[range({x}.shape[0]), {y}]"),
        "torch": ("{x}[torch.arange(len({y})), {y}]", "{x}[range({y}.size(0)), {y}]"),
        "jax": ("{x}[jnp.arange(len({y})), {y}]", "{x}[jnp.arange({y}.shape[0]), {y}]"),
    },
    "last to": {  # the last axis moved to position {a}
        "numpy": ("np.moveaxis({x}, -1, {a})", "{x}.transpose({order})"),
        "torch": ("{x}.movedim(-1, {a})", "{x}.permute({order})", "torch.permute({x}, ({order}))"),
        "jax": ("jnp.moveaxis({x}, -1, {a})", "{x}.transpose({order})"),
    },
    "to last": {
        "numpy": ("np.moveaxis({x}, {a}, -1)", "{x}.transpose({order})"),
        "torch": ("{x}.movedim({a}, -1)", "{x}.permute({order})"),
        "jax": ("jnp.moveaxis({x}, {a}, -1)", "{x}.transpose({order})"),
    },
    "unsqueeze": {
        "numpy": ("np.expand_dims({x}, {a})",),
        "torch": ("{x}.unsqueeze({a})", "torch.unsqueeze({x}, {a})"),
        "jax": ("jnp.expand_dims({x}, {a})",),
    },
    "float": {
        "numpy": ("{x}.astype(float)", "{x}.astype(np.float64)"),
        "torch": ("{x}.float()", "{x}.double()", "{x}.to(torch.float64)"),
        "jax": ("{x}.astype(float)", "{x}.astype(jnp.float64)"),
    },
    "where": {
        "numpy": ("np.where({m}, {x}, 0.0)", "np.where({m}, {x}, np.zeros_like({x}))"),
        "torch": (
            "torch.where({m}, {x}, torch.zeros_like({x}))",
            "{x}.masked_fill(~{m}, 0.0)",
            "torch.where({m}, {x}, 0.0)",
        ),
        "jax": ("jnp.where({m}, {x}, 0.0)", "jnp.where({m}, {x}, jnp.zeros_like({x}))"),
    },
    "arange mask": {
        "numpy": ("np.arange({t})[None, :] < {n}[:, None]", "np.arange({t}) < {n}[:, np.newaxis]"),
        "torch": (
            "torch.arange({t})[None, :] < {n}[:, None]",
            "torch.arange({t}).unsqueeze(0) < {n}.unsqueeze(1)",
            "torch.arange({t}).expand(len({n}), {t}) < {n}.unsqueeze(1)",
        ),
        "jax": ("jnp.arange({t})[None, :] < {n}[:, None]",),
    },
    "not": {
        "numpy": ("~{x}", "np.logical_not({x})"),
        "torch": ("~{x}", "torch.logical_not({x})"),
        "jax": ("~{x}", "jnp.logical_not({x})"),
    },
    "complement": {  # a float mask of what counts, of one of what does not
        "numpy": ("1 - {x}.astype(float)", "1.0 - {x}"),
        "torch": ("1 - {x}.float()", "1.0 - {x}.double()"),
        "jax": ("1 - {x}.astype(float)", "1.0 - {x}"),
    },
    "multiplied in place": {
        "numpy": ("{x} *= {m}", "np.multiply({x}, {m}, out={x})"),
        "torch": ("{x} *= {m}", "{x}.mul_({m})"),
        "jax": ("{x} *= {m}",),
    },
    "at least one": {
        "numpy": ("np.maximum({x}, 1)", "max({x}, 1)", "{x} + 1e-9"),
        "torch": ("{x}.clamp(min=1)", "torch.clamp({x}, min=1)", "{x} + 1e-9", "{x}.clamp_min(1.0)"),
        "jax": ("jnp.maximum({x}, 1)", "{x} + 1e-9"),
    },
    "clean": {  # labels without -100
        "numpy": ("np.maximum({y}, 0)", "np.where({y} == -100, 0, {y})", "np.where({y} < 0, 0, {y})"),
        "torch": (
            "{y}.clamp(min=0)",
            "torch.where({y} == -100, torch.zeros_like({y}), {y})",
            "{y}.masked_fill({y} == -100, 0)",
        ),
        "jax": ("jnp.maximum({y}, 0)", "jnp.where({y} == -100, 0, {y})"),
    },
    "divided": {
        "numpy": ("{x} / {n}", "{x} * (1 / {n})", "1.0 / {n} * {x}", "np.divide({x}, {n})", "{x} / float({n})"),
        "torch": (
            "{x} / {n}",
            "{x}.div({n})",
            "torch.div({x}, {n})",
            "{x} * (1.0 / {n})",
            "1.0 / {n} * {x}",
            "{x}.true_divide({n})",
            "{x} / float({n})",
        ),
        "jax": ("{x} / {n}", "{x} * (1 / {n})", "1.0 / {n} * {x}", "jnp.divide({x}, {n})"),
    },
    "zeroed": {  # a statement that zeroes what does not count
        "numpy": ("{x}[~{m}] = 0", "{x}[np.logical_not({m})] = 0.0"),
        "torch": ("{x}[~{m}] = 0", "{x}[~{m}] = 0.0", "{x}[torch.logical_not({m})] = 0"),
        "jax": ("{x} = {x}.at[~{m}].set(0.0)",),
    },
    "masked mean": {  # a library's own
        "numpy": ("{x}.mean(where={m})", "np.mean({x}, where={m})", "{x}[{m}].mean()"),
        "torch": ("{x}.masked_select({m}).mean()", "torch.masked_select({x}, {m}).mean()", "{x}[{m}].mean()"),
        "jax": ("{x}.mean(where={m})", "jnp.mean({x}, where={m})", "{x}[{m}].mean()"),
    },
    "entropy terms": {  # of a distribution {p}
        "numpy": ("special.entr({p})", "-special.xlogy({p}, {p})"),
        "torch": ("torch.special.entr({p})", "-torch.xlogy({p}, {p})", "-torch.special.xlogy({p}, {p})"),
        "jax": ("jax.scipy.special.entr({p})", "-jax.scipy.special.xlogy({p}, {p})"),
    },
    "normal kl": {  # of N({m}, exp({s})) from N(0, 1)
        "torch": (
            "distributions.kl_divergence(distributions.Normal({m}, (0.5 * {s}).exp()),"
            " distributions.Normal(torch.zeros_like({m}), torch.ones_like({m})))",
        ),
    },
    "categorical entropy": {
        "torch": (
            "distributions.Categorical(logits={x}).entropy()",
            "torch.distributions.Categorical(logits={x}).entropy()",
        ),
    },
    "latent kl": {
        "numpy": (
            "-0.5 * (1 + {s} - {m} ** 2 - np.exp({s}))",
            "0.5 * ({m} ** 2 + np.exp({s}) - {s} - 1)",
            "0.5 * (np.exp({s}) + np.square({m}) - 1.0 - {s})",
            "0.5 * (np.exp({s}) + {m} ** 2) - 0.5 - 0.5 * {s}",
            "-(0.5 * {s} + 0.5 - 0.5 * (np.exp(0.5 * {s}) ** 2 + {m} ** 2))",
        ),
        "torch": (
            "-0.5 * (1 + {s} - {m}.pow(2) - {s}.exp())",
            "0.5 * ({m} ** 2 + torch.exp({s}) - {s} - 1)",
            "0.5 * ({s}.exp() + {m}.square() - 1.0 - {s})",
            "0.5 * (torch.exp({s}) + {m} ** 2) - 0.5 - 0.5 * {s}",
            "-(0.5 * {s} + 0.5 - 0.5 * ((0.5 * {s}).exp().pow(2) + {m}.pow(2)))",
        ),
        "jax": (
            "-0.5 * (1 + {s} - {m} ** 2 - jnp.exp({s}))",
            "0.5 * ({m} ** 2 + jnp.exp({s}) - {s} - 1)",
            "0.5 * (jnp.exp({s}) + jnp.square({m}) - 1.0 - {s})",
        ),
    },
    "squared error": {
        "numpy": ("({p} - {y}) ** 2", "np.square({p} - {y})", "0.5 * ({p} - {y}) ** 2"),
        "torch": (
            "({p} - {y}) ** 2",
            "({p} - {y}).pow(2)",
            "F.mse_loss({p}, {y}, reduction='none')",
            "torch.square({p} - {y})",
            "0.5 * ({p} - {y}).pow(2)",
        ),
        "jax": ("({p} - {y}) ** 2", "jnp.square({p} - {y})", "optax.l2_loss({p}, {y})"),
    },
    "absolute error": {
        "numpy": ("np.abs({p} - {y})",),
        "torch": ("({p} - {y}).abs()", "F.l1_loss({p}, {y}, reduction='none')", "torch.abs({p} - {y})"),
        "jax": ("jnp.abs({p} - {y})",),
    },
    "binary": {  # of logits {p} and labels {y} in 0 and 1, with the sign of a likelihood
        "numpy": (
            "{y} * np.log(1 / (1 + np.exp(-{p}))) + (1 - {y}) * np.log(1 - 1 / (1 + np.exp(-{p})))",
            "{y} * {p} - np.logaddexp(0, {p})",
        ),
        "torch": (
            "-F.binary_cross_entropy_with_logits({p}, {y}, reduction='none')",
            "{y} * torch.log(torch.sigmoid({p})) + (1 - {y}) * torch.log(1 - torch.sigmoid({p}))",
            "{y} * F.logsigmoid({p}) + (1 - {y}) * F.logsigmoid(-{p})",
        ),
        "jax": (
            "{y} * jax.nn.log_sigmoid({p}) + (1 - {y}) * jax.nn.log_sigmoid(-{p})",
            "{y} * jnp.log(jax.nn.sigmoid({p})) + (1 - {y}) * jnp.log(1 - jax.nn.sigmoid({p}))",
            "-optax.sigmoid_binary_cross_entropy({p}, {y})",
        ),
    },
    "poisson": {
        "numpy": ("np.exp({p}) - {y} * {p}",),
        "torch": ("torch.exp({p}) - {y} * {p}", "F.poisson_nll_loss({p}, {y}, reduction='none')"),
        "jax": ("jnp.exp({p}) - {y} * {p}",),
    },
    "gaussian": {
        "numpy": (
            "0.5 * ({s} + ({p} - {y}) ** 2 / np.exp({s}))",
            "0.5 * ({s} + ({p} - {y}) ** 2 * np.exp(-{s}))",
        ),
        "torch": (
            "0.5 * ({s} + ({p} - {y}) ** 2 / {s}.exp())",
            "F.gaussian_nll_loss({p}, {y}, {s}.exp(), reduction='none')",
        ),
        "jax": ("0.5 * ({s} + ({p} - {y}) ** 2 / jnp.exp({s}))",),
    },
    "huber": {
        "numpy": ("np.where(np.abs({p} - {y}) < 1, 0.5 * ({p} - {y}) ** 2, np.abs({p} - {y}) - 0.5)",),
        "torch": ("F.smooth_l1_loss({p}, {y}, reduction='none')", "F.huber_loss({p}, {y}, reduction='none')"),
        "jax": (
            "optax.huber_loss({p}, {y})",
            "jnp.where(jnp.abs({p} - {y}) < 1, 0.5 * ({p} - {y}) ** 2, jnp.abs({p} - {y}) - 0.5)",
        ),
    },
}  # fmt: skip
for _framework, _words in (("tensorflow", tensorflow_forms), ("keras", keras_forms)):
    for _what, _forms in _words.FORMS.items():
        FORMS[_what][_framework] = _forms

TYPICAL: Final[dict[str, tuple[str, ...]]] = {
    "logits": ("logits", "output", "scores", "pred", "y_hat", "student_logits"),
    "other logits": ("teacher_logits", "target_logits", "teacher", "soft_labels"),
    "temperature": ("temperature", "tau", "T"),
    "other labels": ("labels_b", "y_b", "target_b", "shuffled"),
    "token logp": ("logp", "log_probs", "per_token_logps", "new_logp"),
    "reference logp": ("ref_logp", "ref_log_probs", "ref_per_token_logps", "old_logp"),
    "log ratio": ("log_ratio", "diff", "delta"),
    "labels": ("labels", "targets", "y", "target", "actions"),
    "soft": ("target", "targets", "y_true", "soft_targets"),
    "target": ("one_hot", "target_onehot", "y_true", "onehot", "t"),
    "logp": ("logp", "log_probs", "log_p", "lp"),
    "probs": ("probs", "p", "y_pred", "preds", "q"),
    "mask": ("mask", "valid", "loss_mask", "attention_mask", "valid_mask"),
    "padding": ("padding_mask", "is_pad", "pad"),
    "lengths": ("lengths", "seq_lens", "n_tokens"),
    "ids": ("input_ids", "tokens", "ids"),
    "mixture": ("m", "mixture", "avg", "mean_probs"),
    "partition": ("log_z", "lse", "logZ"),
    "elements": ("loss", "ce", "nll", "losses", "elementwise"),
    "total": ("total", "loss", "total_loss", "value", "result"),
    "count": ("n", "count", "denominator", "num", "norm"),
    "mu": ("mu", "mean", "z_mean", "loc"),
    "logvar": ("logvar", "log_var", "z_log_var"),
    "prediction": ("pred", "prediction", "output", "y_hat", "x_hat"),
    "actual": ("target", "y", "x", "actual"),
    "advantages": ("advantages", "adv", "returns", "rewards"),
    "reduction": ("reduction", "how", "mode"),
    "statistic": ("kl_mean", "avg", "monitor", "mean_entropy", "raw_loss", "stat"),
    "metrics": ("history", "metrics", "logs", "stats"),
    "log": ("log", "add_scalar", "record"),
    "loader": ("loader", "train_loader", "batches", "dataloader"),
    "optimizer": ("optimizer", "opt", "optim"),
    "steps": ("accumulation_steps", "n_micro", "accum", "grad_accum"),
    "loss of a batch": ("loss", "batch_loss", "l"),
    "enumeration": ("Reduction", "Mode", "How"),
    "config class": ("Config", "Settings", "LossConfig", "Arguments"),
    "settings": ("config", "cfg", "args", "settings", "hparams", "opt"),
    "outputs": ("outputs", "predictions", "heads", "logits_list"),
    "output": ("output", "head", "out"),
    "weight": ("weight", "coef", "beta"),
    "route": ("scale", "factor", "state", "opts", "acc"),
    "F": ("features", "n_features", "width"),
    "C": ("channels", "n_channels", "depth"),
    "second prediction": ("values", "value_pred", "recon"),
    "second actual": ("value_targets", "returns", "inputs"),
    "second": ("aux", "reg", "penalty", "z_loss", "extra_loss"),
    "perplexity": ("ppl", "perplexity"),
    "B": ("batch", "batch_size", "B", "n", "bs"),
    "T": ("seq_len", "T", "steps", "length", "t"),
    "H": ("h", "H", "height"),
    "W": ("w", "W", "width"),
    "V": ("classes", "num_classes", "V", "vocab_size", "C", "numClasses", "n_cls", "nClass"),
    "D": ("dim", "latent_dim", "D"),
    "function": ("loss_fn", "compute_loss", "criterion", "objective", "cross_entropy", "loss_function"),
    "helper": ("per_token", "elementwise_loss", "nll", "token_losses", "_terms"),
    "reducer": ("reduce_loss", "reduce", "average", "_reduce"),
    "class": ("Loss", "Criterion", "CrossEntropy", "Objective"),
    "step": ("training_step", "step", "train_step", "run"),
    "flag": ("masked", "normalize", "average", "use_mean", "per_example"),
    "metric": ("accuracy", "acc", "hits", "metric"),
    "i": ("i", "k", "idx"),
    "item": ("item", "part", "row"),
    "parts": ("losses", "parts", "values", "all_losses"),
}
"""Names that people give, by what they give them to."""

NEUTRAL: Final = (
    "a b c d e g h u v w r s aa bb cc dd x1 x2 x3 y1 y2 arr tmp aux val foo bar baz qux left right first second third"
    " alpha gamma omega thing stuff blob item1 item2 part1 part2 obj ref base extra spare other one_ two_ three_"
).split()
"""Names that say nothing."""
