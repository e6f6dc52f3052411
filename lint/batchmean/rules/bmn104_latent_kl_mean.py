from __future__ import annotations

from batchmean.rules.base import SupportRule
from batchmean.rules.support import SupportEvent
from batchmean.rules.words import by_how_much, use


class LatentKlMean(SupportRule):
    """
    ## What it finds

    The Gaussian KL term of a VAE, `-0.5 * (1 + logvar - mu**2 - exp(logvar))` in any spelling, averaged over the
    latent dimensions, or divided by their number; and `kl_divergence(Normal, Normal).mean()` without `Independent`.

    ## Why it matters

    The KL between two diagonal Gaussians is the sum over the latent dimensions. Averaged over them it is D times
    too small: a beta-VAE with beta = 1/D, or a trust region that is D times too wide. Beside a reconstruction that is
    averaged over its own P elements the term is off by P/D relative to the ELBO, not by D: sum both, or neither.

    ## When to suppress it

    Where the scale is a choice and beta is tuned for it; say so beside the `# noqa: BMN104`.
    """

    code = "BMN104"
    precedence = 30
    name = "latent-kl-mean"
    law = "null class"
    first_contact = (122, 138)
    summary = "a Gaussian KL averaged over the latent dimensions"
    wrong = """\
import torch


def kl_loss(mu, logvar):
    return -0.5 * torch.mean(1 + logvar - mu.pow(2) - logvar.exp())
"""
    right = """\
import torch


def kl_loss(mu, logvar):
    return -0.5 * torch.mean(torch.sum(1 + logvar - mu.pow(2) - logvar.exp(), dim=-1))
"""

    def holds(self, event: SupportEvent) -> bool:
        return event.reduction.integrand.kind == "latent KL"

    def message(self, event: SupportEvent) -> str:
        how = (
            "averaged over the latent axis too"
            if event.reduction.support == "averaged"
            else ("divided by the size of the latent axis too")
        )
        beside = ""
        if event.reduction.beside_average:
            beside = ", and P/D of its weight beside a loss averaged over its own P elements (sum both)"
        return f"the Gaussian KL is {how}: {by_how_much(event)}{beside}; {use(event)}"
