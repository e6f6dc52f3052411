"""Distribution objects: torch.distributions, TensorFlow Probability, distrax and their kin."""

from __future__ import annotations

from batchmean.operations.table import Framework

_ELEMENTWISE = (
    "Laplace Beta Gamma Exponential LogNormal Cauchy StudentT Uniform Bernoulli Poisson HalfNormal".split()
)
_EVENT = (
    "Categorical OneHotCategorical MultivariateNormal LowRankMultivariateNormal Dirichlet Multinomial "
    "MultivariateNormalDiag MultivariateNormalTriL MixtureSameFamily TransformedDistribution RelaxedOneHotCategorical"
).split()

_MODULES = ("torch.distributions", "tensorflow_probability.distributions", "distrax", "numpyro.distributions")

FRAMEWORK = Framework(
    precedence=40,
    functions={
        **{f"{m}.Normal": "elementwise_distribution(x|loc, scale; extra=Normal)" for m in _MODULES},
        **{f"{m}.{d}": "elementwise_distribution(x|loc)" for m in _MODULES for d in _ELEMENTWISE},
        **{f"{m}.{d}": "event_distribution(x|logits|loc, y|probs)" for m in _MODULES for d in _EVENT},
        **{
            f"{m}.Independent": "independent(x|distribution|base_distribution, n|reinterpreted_batch_ndims)"
            for m in _MODULES
        },
        **{f"{m}.kl_divergence": "kl_divergence(p, q)" for m in _MODULES},
        **{f"{m}.kl.kl_divergence": "kl_divergence(p, q)" for m in _MODULES},
    },
    methods={
        "log_prob": "distribution_log_prob(x, value)",
        "distribution.log_prob": "distribution_log_prob(x, value)",
        "distribution.entropy": "distribution_entropy(x)",
        "distribution.kl_divergence": "kl_divergence(p, q)",
        "distribution.sample": "sample(x)",
        "distribution.rsample": "sample(x)",
    },
    aliases={
        "torch.distributions.normal": "torch.distributions",
        "torch.distributions.categorical": "torch.distributions",
        "torch.distributions.independent": "torch.distributions",
        "torch.distributions.kl": "torch.distributions",
        "tensorflow_probability.substrates.jax.distributions": "tensorflow_probability.distributions",
    },
)
