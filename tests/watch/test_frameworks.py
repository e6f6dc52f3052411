"""The same watch in JAX, Keras, Lightning and transformers, each in its own training."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import batchmean
import numpy as np
import pytest

from tests.frameworks.libraries import require

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]

CLASSES = 11
RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(6, CLASSES)).astype(np.float32)
LABELS = RNG.integers(0, CLASSES, 6)


def warned(run: Callable[[], object]) -> list[str]:
    """What a watch says while this runs."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        run()
    return [str(each.message) for each in said if issubclass(each.category, batchmean.WrongCount)]


# --- JAX


def test_a_loss_of_jax_is_judged_on_the_host() -> None:
    require("optax")
    import jax
    import jax.numpy as jnp
    import optax

    def right(logits: Any, labels: Any) -> Any:
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    def wrong(logits: Any, labels: Any) -> Any:
        return -jnp.mean(jax.nn.one_hot(labels, logits.shape[-1]) * jax.nn.log_softmax(logits))

    batch = jnp.asarray(LOGITS), jnp.asarray(LABELS)
    assert batchmean.check_loss(right, *batch).breaks == ()
    with pytest.raises(batchmean.WrongCountError, match="1/V"):
        batchmean.check_loss(wrong, *batch)
    with pytest.raises(batchmean.NotJudged, match="one number"):
        batchmean.check_loss(optax.softmax_cross_entropy_with_integer_labels, *batch)
    with pytest.raises(batchmean.NotJudged, match="elementwise"):
        batchmean.check_loss(lambda p, t: optax.l2_loss(p, t).mean(), batch[0], batch[0] + 1)
    with pytest.raises(batchmean.NotJudged, match=r"jax\.jit"):
        jax.jit(lambda logits: batchmean.check_loss(right, logits, batch[1]).total)(batch[0])


# --- Keras

KERAS = """
import sys, warnings
import keras, numpy as np
import batchmean
from batchmean_reference.watch.on_keras import LossWatch

rng = np.random.default_rng(0)
x = rng.normal(size=(32, 8)).astype("float32")
y = rng.integers(0, 7, 32)
hot = np.eye(7, dtype="float32")[y]

def wrong(target, logits):
    return -keras.ops.mean(target * keras.ops.log_softmax(logits))

cases = {
    "sparse": (keras.losses.SparseCategoricalCrossentropy(from_logits=True), None, y),
    "probabilities": ("categorical_crossentropy", "softmax", hot),
    "focal": (keras.losses.CategoricalFocalCrossentropy(), "softmax", hot),
    "kl": (keras.losses.KLDivergence(), "softmax", hot),
    "squared": ("mse", None, hot),
    "binary": ("binary_crossentropy", "sigmoid", hot),
    "wrong": (wrong, None, hot),
}
for name, (loss, activation, target) in cases.items():
    model = keras.Sequential([keras.layers.Input((8,)), keras.layers.Dense(7, activation=activation)])
    model.compile("sgd", loss=loss)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model.fit(x, target, epochs=1, verbose=0, callbacks=[LossWatch(x[:8], target[:8])])
    told = [str(each.message) for each in said if issubclass(each.category, batchmean.WrongCount)]
    print(name, len(told), "1/V" in "".join(told))
"""


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_a_compiled_model_of_keras_is_judged_before_its_training(backend: str) -> None:
    require("keras")
    require(backend)
    environment = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-c", KERAS], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    said = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert said.pop("wrong") == "1 True"
    assert set(said.values()) == {"0 False"}
    assert len(said) == 6


# --- Lightning


def sequences(torch: Any, lengths: Any) -> Any:
    x = torch.randint(CLASSES, (len(lengths), 8), generator=torch.Generator().manual_seed(0))
    return x, torch.where(torch.arange(8) < torch.as_tensor(lengths)[:, None], x, -100)


@pytest.mark.parametrize(
    "name, expected", [("right", ""), ("unequal parts", "accumulated parts"), ("classes", "1/V")]
)
def test_lightning(name: str, expected: str, tmp_path: Path) -> None:
    require("torch")
    lightning = pytest.importorskip("lightning", reason="lightning is not installed")
    import torch
    from batchmean_reference.watch.on_lightning import LossWatch

    class OverClasses(torch.nn.Module):  # type: ignore[misc]
        def forward(self, logits: Any, labels: Any) -> Any:
            valid = labels != -100
            hot = torch.nn.functional.one_hot(labels.clamp(min=0), logits.shape[-1]) * valid[:, None]
            return -(hot * logits.log_softmax(-1)).sum() / valid.sum() / logits.shape[-1]

    class Model(lightning.LightningModule):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.net = torch.nn.Sequential(torch.nn.Embedding(CLASSES, 4), torch.nn.Linear(4, CLASSES))
            self.criterion = OverClasses() if name == "classes" else torch.nn.CrossEntropyLoss()

        def training_step(self, batch: Any, number: int) -> Any:
            x, y = batch
            return self.criterion(self.net(x).flatten(0, 1), y.flatten())

        def configure_optimizers(self) -> Any:
            return torch.optim.AdamW(self.parameters())

    lengths = [7, 5, 8, 3, 2, 2, 6, 6, 6, 1, 1, 2] * 4 if name == "unequal parts" else [7, 5, 6] * 16
    data = torch.utils.data.TensorDataset(*sequences(torch, lengths))
    trainer = lightning.Trainer(
        max_steps=3,
        accumulate_grad_batches=4,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        accelerator="cpu",
        default_root_dir=tmp_path,
        callbacks=[LossWatch()],
    )
    said = warned(lambda: trainer.fit(Model(), torch.utils.data.DataLoader(data, batch_size=3)))
    assert len(said) == bool(expected)
    assert expected in "".join(said)


# --- transformers


@pytest.mark.parametrize("loss", ["its own", "handed over"])
@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
def test_transformers(architecture: str, loss: str, tmp_path: Path) -> None:
    """The model's own loss divides by the tokens of all parts and is right; one of its own that averages is not."""
    require("torch")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    pytest.importorskip("accelerate", reason="accelerate is not installed")
    import torch
    from batchmean_reference.watch.on_transformers import LossWatch

    if architecture == "gpt2":
        config = transformers.GPT2Config(
            vocab_size=CLASSES, n_positions=8, n_embd=8, n_layer=1, n_head=2, bos_token_id=1, eos_token_id=2
        )
        model = transformers.GPT2LMHeadModel(config)
    else:
        config = transformers.LlamaConfig(
            vocab_size=CLASSES,
            hidden_size=8,
            intermediate_size=8,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=2,
            max_position_embeddings=8,
        )
        model = transformers.LlamaForCausalLM(config)

    def over_positions(outputs: Any, labels: Any, num_items_in_batch: Any = None) -> Any:
        logits = outputs.logits[:, :-1].flatten(0, 1)
        return torch.nn.functional.cross_entropy(logits, labels[:, 1:].flatten(), reduction="none").mean()

    x, y = sequences(torch, [7, 5, 8, 3, 2, 2, 6, 6, 6, 1, 3, 2] * 4)
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path),
        per_device_train_batch_size=3,
        gradient_accumulation_steps=4,
        max_steps=3,
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
        save_strategy="no",
    )
    own = {} if loss == "its own" else {"compute_loss_func": batchmean.watch(over_positions)}
    trainer = transformers.Trainer(
        model=model,
        args=arguments,
        train_dataset=[{"input_ids": tokens, "labels": labels} for tokens, labels in zip(x, y, strict=True)],
        callbacks=[LossWatch()],
        **own,
    )
    said = warned(trainer.train)
    assert len(said) == (loss == "handed over")
    assert loss == "its own" or "n_valid/N" in said[0]
