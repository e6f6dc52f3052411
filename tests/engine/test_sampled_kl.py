"""log q(z) - log p(z) at a sample of q: a divergence per dimension, which is summed over the dimensions."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import batchmean
import pytest

LOSS = """
import torch
from torch.distributions import Independent, Normal

class Encoder:
    def __init__(self):
        self.standard = Normal(0.0, 1.0)

    def kl(self, mu, std, x):
        q = {q}
        p = Normal(torch.zeros_like(mu), torch.ones_like(std))
        z = {z}
        return {loss}
"""
Q, Z = "Normal(mu, std)", "q.rsample()"
DIFFERENCE = "q.log_prob(z) - p.log_prob(z)"


def _findings(source: str) -> list[tuple[str, str]]:
    result = batchmean.check_source(source)
    assert not result.errors
    return [(finding.code, finding.confidence) for finding in result.findings]


WRONG = [
    f"({DIFFERENCE}).mean()",
    f"torch.mean({DIFFERENCE})",
    "(q.log_prob(z) - self.standard.log_prob(z)).mean()",
    "-(p.log_prob(z) - q.log_prob(z)).mean()",
    f"({DIFFERENCE}).mean(dim=1).mean()",
    "(0.5 * q.log_prob(z) - 0.5 * Normal(0.0, 1.0).log_prob(z)).mean() * 2",
]


@pytest.mark.parametrize("loss", WRONG)
def test_its_mean_over_the_dimensions_is_told(loss: str) -> None:
    assert _findings(LOSS.format(q=Q, z=Z, loss=loss)) == [("BMN104", "proved")]


@pytest.mark.parametrize(
    ("q", "z", "loss"),
    [
        (Q, Z, f"({DIFFERENCE}).sum(dim=-1).mean()"),
        (Q, Z, f"({DIFFERENCE}).sum() / mu.size(0)"),
        (Q, Z, f"({DIFFERENCE}).mean() * mu.shape[-1]"),
        (Q, Z, "(q.log_prob(z).sum(1) - p.log_prob(z).sum(1)).mean()"),
        ("Independent(Normal(mu, std), 1)", Z, f"({DIFFERENCE}).mean()"),
        # Of something that is no sample of either it may be anything: the ratio of two policies, say.
        (Q, "x", f"({DIFFERENCE}).mean()"),
        (Q, Z, "(q.log_prob(z) - p.log_prob(x)).mean()"),
        (Q, Z, "(q.log_prob(z) - q.log_prob(x)).mean()"),
        (Q, Z, "(q.log_prob(z) + p.log_prob(z)).mean()"),
        (
            "Normal(mu.unsqueeze(-1), std.unsqueeze(-1))",
            Z,
            "(q.log_prob(z) - self.standard.log_prob(z)).mean()",
        ),
        ("Normal(mu.squeeze(-1), std.squeeze(-1))", Z, "(q.log_prob(z) - self.standard.log_prob(z)).mean()"),
    ],
)
def test_what_is_summed_or_something_else_is_not(q: str, z: str, loss: str) -> None:
    assert _findings(LOSS.format(q=q, z=z, loss=loss)) == []


@pytest.mark.heavy
@pytest.mark.parametrize("loss", WRONG)
def test_the_factor_is_the_number_of_dimensions(loss: str) -> None:
    torch = pytest.importorskip("torch")
    mu, std = torch.randn(2, 7, 3, dtype=torch.float64)
    values = []
    for each in (loss, f"({DIFFERENCE}).sum(dim=-1).mean()"):
        names: dict[str, Any] = {}
        exec(LOSS.format(q=Q, z=Z, loss=each), names)
        torch.manual_seed(1)
        values.append(names["Encoder"]().kl(mu, std.exp(), None))
    assert values[0] * 3 == pytest.approx(values[1])


HELPER = """
def gaussian_kl(mu, logvar):
    return -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()){rest}
"""
USE = """
from losses import gaussian_kl

def loss(recon, x, mu, logvar):
    return ((recon - x) ** 2).sum(dim=-1).mean() + gaussian_kl(mu, logvar).mean()
"""


@pytest.mark.parametrize(("rest", "codes"), [("", ["BMN104"]), (".sum(-1)", [])])
def test_a_divergence_without_a_logarithm_in_another_module(
    tmp_path: Path, rest: str, codes: list[str]
) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "losses.py").write_text(textwrap.dedent(HELPER.format(rest=rest)))
    (tmp_path / "train.py").write_text(USE)
    (result,) = batchmean.check_files(tmp_path / "train.py")
    assert [finding.code for finding in result.findings] == codes
