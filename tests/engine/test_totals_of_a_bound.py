"""The bound of a VAE, summed over the examples of a batch, is a sum whatever else is in it."""

from __future__ import annotations

import textwrap

import batchmean
import pytest

_HALF = "-0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())"


@pytest.mark.parametrize("kl", [_HALF, f"beta * {_HALF}", "regulariser(mu)"])
@pytest.mark.parametrize(
    ("each", "result", "codes"),
    [
        ("loss", "len(loader)", ["BMN502"]),
        ("loss", "len(loader.dataset)", []),
        ("loss / len(images)", "len(loader)", []),
        ("loss / len(images)", "len(loader.dataset)", ["BMN501"]),
        ("loss / images.numel()", "len(loader)", []),
        ("loss / batch_size", "len(loader)", []),
        ("loss", "len(loader) / batch_size", []),
        ("loss", "(len(loader) * batch_size)", []),
    ],
)
def test_a_bound_that_is_summed_over_the_examples(kl: str, each: str, result: str, codes: list[str]) -> None:
    source = f"""
    import torch
    import torch.nn.functional as F
    from project import regulariser

    def bound(images, decoded, mu, logvar, beta):
        reconstruction = F.binary_cross_entropy(decoded, images, reduction="sum")
        return reconstruction + {kl}

    def validate(model, loader, beta, batch_size):
        total = 0.0
        for images, _ in loader:
            decoded, mu, logvar = model(images)
            loss = bound(images, decoded, mu, logvar, beta)
            loss = {each}
            total += loss.item()
        return total / {result}
    """
    found = batchmean.check_source(textwrap.dedent(source), select=["BMN501", "BMN502"]).findings
    assert [one.code for one in found] == codes


@pytest.mark.parametrize("factor", ["-0.5", "0.5", "-1.0"])
def test_half_of_a_sum_is_one(factor: str) -> None:
    source = f"""
    import torch

    def validate(model, loader):
        total = 0.0
        for images, _ in loader:
            mu, logvar = model(images)
            total += ({factor} * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())).item()
        return total / len(loader)
    """
    (found,) = batchmean.check_source(textwrap.dedent(source), select=["BMN501", "BMN502"]).findings
    assert found.code == "BMN502"
