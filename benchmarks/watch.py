"""`batchmean.watch` beside other run-time checks: twenty wrong and twenty right losses, in training steps that are run.

Run from the root of the project: `python -m benchmarks.watch`. It needs PyTorch, and compares with `torchtest2` and
`neural-net-checklist` where they are installed; what is not is left out with a line. The models are not trained, so
that a check of the loss at initialisation has what it asks for. The last line is JSON: for each tool how many wrong
losses it found, on how many right ones it raised a false alarm, and on how many it ended with an error.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

os.environ.setdefault("OMP_NUM_THREADS", "1")  # the matrices are tiny

import batchmean
import torch
import torch.nn.functional as F
from torch import Tensor, nn

IGNORED = -100


@dataclass(frozen=True)
class Example:
    """A loss in its training step. `model()` makes a model, `batch()` one micro-batch of inputs and targets.

    `loss(outputs, targets)` is the loss; `step` turns `parts` of them into one step of the optimizer, `scale` being
    what each part's loss is multiplied with. `classes` is None where the model is no classifier.
    """

    name: str
    loss: Callable[..., Any]
    model: Callable[[], nn.Module]
    batch: Callable[[int], tuple[Any, Any]]
    classes: int | None = None
    parts: int = 1
    scale: float = 1.0


# --- models and data

B, T, V, FEATURES = 12, 10, 23, 16


class Encoder(nn.Module):  # type: ignore[misc]
    """The half of a variational autoencoder that the KL term sees, and a linear decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.mu, self.logvar = nn.Linear(FEATURES, 6), nn.Linear(FEATURES, 6)
        self.decoder = nn.Linear(6, FEATURES)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mu, logvar = self.mu(x), self.logvar(x)
        return self.decoder(mu), mu, logvar


def classifier(classes: int = V) -> Callable[[], nn.Module]:
    return lambda: nn.Linear(FEATURES, classes)


def language_model() -> nn.Module:
    return nn.Sequential(nn.Embedding(V, FEATURES), nn.Linear(FEATURES, V))


def segmenter() -> nn.Module:
    return nn.Conv2d(3, 5, 1)


def log_classifier() -> nn.Module:
    return nn.Sequential(nn.Linear(FEATURES, V), nn.LogSoftmax(dim=-1))


def _generator(part: int) -> torch.Generator:
    return torch.Generator().manual_seed(part)


def labelled(classes: int = V, examples: int = B) -> Callable[[int], tuple[Tensor, Tensor]]:
    def batch(part: int) -> tuple[Tensor, Tensor]:
        g = _generator(part)
        return torch.randn(examples, FEATURES, generator=g), torch.randint(classes, (examples,), generator=g)

    return batch


def taught(part: int) -> tuple[Tensor, Tensor]:
    """With a teacher's logits."""
    g = _generator(part)
    return torch.randn(B, FEATURES, generator=g), 2 * torch.randn(B, V, generator=g)


def labelled_and_taught(part: int) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    x, teacher = taught(part)
    return x, (labelled()(part)[1], teacher)


def labelled_and_weighted(part: int) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    x, y = labelled()(part)
    return x, (y, torch.rand(B, generator=_generator(part)))


def padded(part: int) -> tuple[Tensor, Tensor]:
    """Sequences of unequal lengths: what follows their ends is not to count."""
    g = _generator(part)
    x = torch.randint(V, (4, T), generator=g)
    y = torch.randint(V, (4, T), generator=g)
    lengths = torch.randint(3, T, (4,), generator=g) // (1 + part % 4) + 1
    y[torch.arange(T) >= lengths[:, None]] = IGNORED
    return x, y


def full(part: int) -> tuple[Tensor, Tensor]:
    g = _generator(part)
    return torch.randint(V, (4, T), generator=g), torch.randint(V, (4, T), generator=g)


def padded_with_mask(part: int) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    x, y = padded(part)
    return x, (y.clamp(min=0), (y != IGNORED).float())


def padded_with_items(parts: int) -> Callable[[int], tuple[Tensor, tuple[Tensor, int]]]:
    """With the number of valid tokens of all parts of the step."""

    def batch(part: int) -> tuple[Tensor, tuple[Tensor, int]]:
        first = part // parts * parts
        items = sum(int((padded(each)[1] != IGNORED).sum()) for each in range(first, first + parts))
        return padded(part)[0], (padded(part)[1], items)

    return batch


def images(part: int) -> tuple[Tensor, Tensor]:
    g = _generator(part)
    return torch.randn(4, 3, 8, 6, generator=g), torch.randint(5, (4, 8, 6), generator=g)


def features(part: int) -> tuple[Tensor, Tensor]:
    x = torch.randn(B, FEATURES, generator=_generator(part))
    return x, x


def several(part: int) -> tuple[Tensor, Tensor]:
    """Several labels for each example."""
    g = _generator(part)
    return torch.randn(B, FEATURES, generator=g), (torch.rand(B, V, generator=g) < 0.2).float()


# --- losses


def one_hot(y: Tensor, logits: Tensor) -> Tensor:
    return F.one_hot(y, logits.shape[-1]).to(logits.dtype)


def log_p(logits: Tensor) -> Tensor:
    return F.log_softmax(logits, dim=-1)


def flat(logits: Tensor, y: Tensor, reduction: str = "mean") -> Tensor:
    return F.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction=reduction)


def shifted(logits: Tensor, y: Tensor, reduction: str = "mean") -> Tensor:
    return flat(logits[:, :-1], y[:, 1:], reduction)


def focal(logits: Tensor, y: Tensor) -> Tensor:
    logp = log_p(logits)
    return -(one_hot(y, logits) * (1 - logp.exp()) ** 2 * logp)


def distilled(student: Tensor, targets: Any, reduction: str, temperature: float = 4.0) -> Tensor:
    y, teacher = targets
    soft = F.kl_div(log_p(student / temperature), F.softmax(teacher / temperature, -1), reduction=reduction)
    return 0.5 * F.cross_entropy(student, y) + 0.5 * temperature**2 * soft


def per_token(logits: Tensor, y: Tensor) -> Tensor:
    return F.cross_entropy(logits.transpose(1, 2), y, reduction="none")


def gaussian(outputs: Any) -> Tensor:
    _, mu, logvar = outputs
    return -0.5 * (1 + logvar - mu.square() - logvar.exp())


def dice(logits: Tensor, y: Tensor) -> Tensor:
    p, hot = logits.softmax(1), F.one_hot(y, logits.shape[1]).permute(0, 3, 1, 2)
    over = (0, 2, 3)
    return (1 - (2 * (p * hot).sum(over) + 1) / ((p + hot).sum(over) + 1)).mean()


def macro(logits: Tensor, y: Tensor) -> Tensor:
    hot = one_hot(y, logits)
    each = F.cross_entropy(logits, y, reduction="none")
    return ((each[:, None] * hot).sum(0) / hot.sum(0).clamp(min=1)).mean()


WRONG: Sequence[Example] = (
    Example(
        "one-hot, mean of all", lambda z, y: -(one_hot(y, z) * log_p(z)).mean(), classifier(), labelled(), V
    ),
    Example(
        "one-hot of 10, mean of all",
        lambda z, y: -(F.one_hot(y, 10) * log_p(z)).mean(),
        classifier(10),
        labelled(10),
        10,
    ),
    Example("kl_div, default mean", lambda z, t: F.kl_div(log_p(z), t.softmax(-1)), classifier(), taught, V),
    Example(
        "KLDivLoss on log-probabilities",
        lambda lp, t: nn.KLDivLoss()(lp, t.softmax(-1)),
        log_classifier,
        taught,
        V,
    ),
    Example("teacher, mean of all", lambda z, t: -(t.softmax(-1) * log_p(z)).mean(), classifier(), taught, V),
    Example(
        "probabilities, mean of all",
        lambda z, y: -(one_hot(y, z) * torch.log(z.softmax(-1) + 1e-12)).mean(),
        classifier(),
        labelled(),
        V,
    ),
    Example(
        "sum over the whole shape",
        lambda z, y: -(one_hot(y, z) * log_p(z)).sum() / z.numel(),
        classifier(),
        labelled(),
        V,
    ),
    Example("focal, mean of all", lambda z, y: focal(z, y).mean(), classifier(), labelled(), V),
    Example("distillation, mean", lambda z, t: distilled(z, t, "mean"), classifier(), labelled_and_taught, V),
    Example(
        "pixels, mean of all",
        lambda z, y: -(F.one_hot(y, 5).permute(0, 3, 1, 2) * z.log_softmax(1)).mean(),
        segmenter,
        images,
        5,
    ),
    Example("ignored tokens averaged", lambda z, y: flat(z, y, "none").mean(), language_model, padded, V),
    Example(
        "ignored tokens averaged, shifted",
        lambda z, y: shifted(z, y, "none").mean(),
        language_model,
        padded,
        V,
    ),
    Example(
        "masked tokens averaged",
        lambda z, t: (per_token(z, t[0]) * t[1]).mean(),
        language_model,
        padded_with_mask,
        V,
    ),
    Example(
        "divided by the batch again", lambda z, y: F.cross_entropy(z, y) / len(y), classifier(), labelled(), V
    ),
    Example(
        "sum over the classes' number",
        lambda z, y: F.cross_entropy(z, y, reduction="sum") / z.shape[-1],
        classifier(),
        labelled(),
        V,
    ),
    Example(
        "divided by a vocabulary",
        lambda z, y: F.cross_entropy(z, y) / 1003,
        classifier(1003),
        labelled(1003),
        1003,
    ),
    Example(
        "latent KL, mean of all",
        lambda o, x: F.mse_loss(o[0], x) + gaussian(o).mean(),
        Encoder,
        features,
    ),
    Example("token means of unequal parts", flat, language_model, padded, V, parts=4, scale=1 / 4),
    Example("parts never divided", flat, language_model, full, V, parts=4),
    Example(
        "every example with every weight",
        lambda z, t: (-log_p(z).gather(1, t[0][:, None]) * t[1]).mean(),
        classifier(),
        labelled_and_weighted,
        V,
    ),
)

RIGHT: Sequence[Example] = (
    Example("cross_entropy", F.cross_entropy, classifier(), labelled(), V),
    Example(
        "label smoothing",
        lambda z, y: F.cross_entropy(z, y, label_smoothing=0.1),
        classifier(),
        labelled(),
        V,
    ),
    Example("teacher", lambda z, t: F.cross_entropy(z, t.softmax(-1)), classifier(), taught, V),
    Example(
        "kl_div, batchmean",
        lambda z, t: F.kl_div(log_p(z), t.softmax(-1), reduction="batchmean"),
        classifier(),
        taught,
        V,
    ),
    Example("nll_loss", F.nll_loss, log_classifier, labelled(), V),
    Example("focal", lambda z, y: focal(z, y).sum(-1).mean(), classifier(), labelled(), V),
    Example(
        "distillation, batchmean",
        lambda z, t: distilled(z, t, "batchmean"),
        classifier(),
        labelled_and_taught,
        V,
    ),
    Example(
        "class weights",
        lambda z, y: F.cross_entropy(z, y, weight=torch.linspace(0.2, 3, V)),
        classifier(),
        labelled(),
        V,
    ),
    Example("mean of the classes' means", macro, classifier(), labelled(), V),
    Example("tokens", flat, language_model, padded, V),
    Example("tokens, shifted", shifted, language_model, padded, V),
    Example(
        "mean of the sequences' means",
        lambda z, y: (per_token(z, y).sum(1) / (y != IGNORED).sum(1).clamp(min=1)).mean(),
        language_model,
        padded,
        V,
        parts=4,
        scale=1 / 4,
    ),
    Example(
        "sum over the tokens of all parts",
        lambda z, t: flat(z, t[0], "sum") / t[1],
        language_model,
        padded_with_items(4),
        V,
        parts=4,
    ),
    Example(
        "sum, divided in the step",
        lambda z, y: F.cross_entropy(z, y, reduction="sum"),
        classifier(),
        labelled(),
        V,
        scale=1 / B,
    ),
    Example("pixels", F.cross_entropy, segmenter, images, 5),
    Example("dice", dice, segmenter, images, 5),
    Example("mean squared error", F.mse_loss, classifier(FEATURES), features),
    Example("several labels", F.binary_cross_entropy_with_logits, classifier(), several),
    Example(
        "Brier score",
        lambda z, y: (z.softmax(-1) - one_hot(y, z)).square().mean(),
        classifier(),
        labelled(),
        V,
    ),
    Example(
        "latent KL",
        lambda o, x: F.mse_loss(o[0], x) + gaussian(o).sum(-1).mean(),
        Encoder,
        features,
    ),
)

# --- the tools


def watched(example: Example, steps: int = 2) -> bool:
    """Whether `batchmean.watch` warns in these steps."""
    torch.manual_seed(0)
    model = example.model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loss_fn = batchmean.watch(example.loss, optimizer=optimizer)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for step in range(steps):
            optimizer.zero_grad()
            for part in range(example.parts):
                inputs, targets = example.batch(step * example.parts + part)
                (loss_fn(model(inputs), targets) * example.scale).backward()
            optimizer.step()
    return any(issubclass(each.category, batchmean.WrongCount) for each in said)


def torchtest2(example: Example) -> bool:
    """Whether a check of `torchtest2.check_model` fails."""
    import torchtest2 as tool

    torch.manual_seed(0)
    model = example.model()
    inputs, targets = example.batch(0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    report = tool.check_model(model, inputs, targets, loss_fn=example.loss, optimizer=optimizer)
    return not report.ok


def neural_net_checklist(example: Example) -> bool:
    """Whether its check of the loss at initialisation fails; it applies to classifiers."""
    from neural_net_checklist import torch_diagnostics as tool

    if example.classes is None:
        return False
    torch.manual_seed(0)
    try:
        tool.assert_balanced_classification_cross_entropy_loss_at_init(
            example.model(),
            lambda size: _movable(*example.batch(0)),
            num_classes=example.classes,
            device="cpu",
            loss_fn=cast(Any, example.loss),
        )
    except AssertionError:
        return True
    return False


class _Several(tuple[Any, ...]):
    """Several targets in one, that can be moved to a device as the tool does it."""

    def to(self, device: str) -> _Several:
        return self


def _movable(inputs: Tensor, targets: Any) -> tuple[Tensor, Any]:
    return inputs, targets if isinstance(targets, Tensor) else _Several(targets)


TOOLS: Sequence[tuple[str, str, Callable[[Example], bool]]] = (
    ("batchmean", "batchmean", watched),
    ("torchtest2", "torchtest2", torchtest2),
    ("neural-net-checklist", "neural_net_checklist", neural_net_checklist),
)


def alarm(tool: Callable[[Example], bool], example: Example) -> bool | str:
    """Whether the tool says that the loss is wrong, or the error that it ended with."""
    quiet = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
    with quiet[0], quiet[1], warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return tool(example)
        except Exception as error:
            return f"{type(error).__name__}: {error}"


def main() -> int:
    """Print a table and a line of JSON. Returns 0 if `batchmean` raises no false alarm."""
    figures: dict[str, Any] = {}
    present = []
    for name, module, tool in TOOLS:
        if importlib.util.find_spec(module) is None:
            print(f"{name} is not installed: left out")
        else:
            present.append((name, tool))
            figures[name] = {"found": 0, "false_alarms": 0, "failed": 0}
    for kind, examples in (("wrong", WRONG), ("right", RIGHT)):
        print(f"\n{kind}")
        for example in examples:
            said = []
            for name, tool in present:
                result = alarm(tool, example)
                key = "failed" if isinstance(result, str) else "found" if kind == "wrong" else "false_alarms"
                figures[name][key] += result is not False
                said.append(f"{name}: {result if isinstance(result, str) else 'alarm' if result else '-'}")
            print(f"  {example.name:34} {'   '.join(said)}")
    print(json.dumps({"wrong": len(WRONG), "right": len(RIGHT), "tools": figures}))
    return 1 if figures["batchmean"]["false_alarms"] or figures["batchmean"]["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
