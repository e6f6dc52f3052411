"""The same transformer in PyTorch: losses, gradients and optimizer steps must agree."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from batchmean_reference.losses import Array, entropy, gaussian_kl, kl_divergence, one_hot, softmax
from batchmean_reference.optimizers import SGD, Adam, Optimizer, clip
from batchmean_reference.training import loss_and_gradient, units
from batchmean_reference.transformer import Shape, Transformer

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.heavy

SHAPE = Shape(vocabulary=13, context=7, width=12, heads=3, blocks=2, dtype="float64")
RNG = np.random.default_rng(0)
IDS, LABELS = RNG.integers(0, 13, (5, 7)), RNG.integers(0, 13, (5, 7))


def torch_parameters(model: Transformer) -> dict[str, Any]:
    return {name: torch.tensor(a, requires_grad=True) for name, a in model.all_parameters().items()}


def torch_loss(p: dict[str, Any]) -> Any:
    """Written with PyTorch's own layers, so that nothing is shared with the reference but the parameters."""
    functional = torch.nn.functional

    def linear(x: Any, name: str) -> Any:
        return functional.linear(x, p[f"{name}.weight"].T, p[f"{name}.bias"])

    def norm(x: Any, name: str) -> Any:
        return functional.layer_norm(x, x.shape[-1:], p[f"{name}.gain"], p[f"{name}.shift"])

    ids = torch.tensor(IDS)
    x = p["tokens.table"][ids] + p["positions.table"][: ids.shape[1]]
    for block in ("block0", "block1"):
        heads = [
            part.unflatten(-1, (SHAPE.heads, -1)).transpose(1, 2)
            for part in linear(norm(x, f"{block}.norm1"), f"{block}.attention.split").chunk(3, dim=-1)
        ]
        seen = functional.scaled_dot_product_attention(*heads, is_causal=True)
        x = x + linear(seen.transpose(1, 2).flatten(-2), f"{block}.attention.join")
        wide = functional.gelu(linear(norm(x, f"{block}.norm2"), f"{block}.mlp.widen"), approximate="tanh")
        x = x + linear(wide, f"{block}.mlp.narrow")
    logits = linear(norm(x, "norm"), "output")
    return functional.cross_entropy(logits.flatten(0, 1), torch.tensor(LABELS).flatten())


def numpy_gradients(model: Transformer) -> tuple[float, dict[str, Array]]:
    loss, d_logits = loss_and_gradient(one_hot(LABELS, 13), model.forward(IDS), units)
    model.backward(d_logits)
    return loss, model.all_gradients()


def test_loss_and_every_gradient() -> None:
    model = Transformer(SHAPE)
    parameters = torch_parameters(model)
    expected = torch_loss(parameters)
    expected.backward()
    loss, gradients = numpy_gradients(model)
    assert loss == pytest.approx(expected.item(), rel=1e-12)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(
            gradient, parameters[name].grad.numpy(), rtol=1e-9, atol=1e-13, err_msg=name
        )


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (SGD(0.1), lambda p: torch.optim.SGD(p, 0.1)),
        (SGD(0.1, 0.9, l2=0.01), lambda p: torch.optim.SGD(p, 0.1, 0.9, weight_decay=0.01)),
        (Adam(1e-2), lambda p: torch.optim.Adam(p, 1e-2)),
        (Adam(1e-2, l2=0.01), lambda p: torch.optim.Adam(p, 1e-2, weight_decay=0.01)),
        (
            Adam(1e-2, epsilon=1e-3, decay=0.1),
            lambda p: torch.optim.AdamW(p, 1e-2, eps=1e-3, weight_decay=0.1),
        ),
    ],
    ids=["sgd", "sgd, momentum, l2", "adam", "adam, l2", "adamw"],
)
def test_ten_clipped_optimizer_steps(ours: Optimizer, theirs: Any) -> None:
    model = Transformer(SHAPE)
    parameters = torch_parameters(model)
    optimizer = theirs(list(parameters.values()))
    for _ in range(10):
        optimizer.zero_grad()
        torch_loss(parameters).backward()
        torch.nn.utils.clip_grad_norm_(list(parameters.values()), 0.5)
        optimizer.step()
        _, gradients = numpy_gradients(model)
        ours.step(model.all_parameters(), clip(gradients, 0.5))
    for name, weight in model.all_parameters().items():
        if name.endswith(
            "attention.split.bias"
        ):  # a key's bias has no effect: Adam makes steps of its rounding
            weight, expected = weight[-12:], parameters[name].detach().numpy()[-12:]
        else:
            expected = parameters[name].detach().numpy()
        np.testing.assert_allclose(weight, expected, rtol=1e-4, atol=1e-6, err_msg=name)


def test_divergences() -> None:
    p, q = softmax(RNG.normal(0, 1, (5, 7))), softmax(RNG.normal(0, 1, (5, 7)))
    categorical = torch.distributions.Categorical
    ours, theirs = categorical(torch.tensor(p)), categorical(torch.tensor(q))
    assert entropy(p) == pytest.approx(ours.entropy().mean().item(), rel=1e-12)
    expected = torch.distributions.kl_divergence(ours, theirs).mean().item()
    assert kl_divergence(p, q) == pytest.approx(expected, rel=1e-12)
    mean, log_variance = RNG.normal(0, 1, (5, 4)), RNG.normal(0, 1, (5, 4))
    normal = torch.distributions.Normal
    latent = normal(torch.tensor(mean), torch.tensor(np.exp(log_variance / 2)))
    summed = torch.distributions.kl_divergence(latent, normal(0.0, 1.0)).sum(-1).mean().item()
    assert gaussian_kl(mean, log_variance) == pytest.approx(summed, rel=1e-12)
