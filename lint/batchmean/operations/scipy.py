"""SciPy's special functions and statistics."""

from __future__ import annotations

from batchmean.operations.table import Framework

FRAMEWORK = Framework(
    precedence=20,
    functions={
        "scipy.special.softmax": "softmax(x, axis)",
        "scipy.special.log_softmax": "log_softmax(x, axis)",
        "scipy.special.logsumexp": "logsumexp(x|a, axis, [b], keepdims)",
        "scipy.special.xlogy": "xlogy(x, y)",
        "scipy.special.xlog1py": "xlog1py(x, y)",
        "scipy.special.entr": "entropy_terms(x)",
        "scipy.special.rel_entr": "relative_entropy_terms(x, y)",
        "scipy.special.kl_div": "map(x)",
        "scipy.special.expit": "sigmoid(x)",
        "scipy.special.log_expit": "log_sigmoid(x)",
        "scipy.stats.entropy": "per_example_loss(x)",
    },
    aliases={
        "scipy.misc": "scipy.special",  # where `logsumexp` stood until SciPy 1.3
        "autograd.scipy": "scipy",
        "cupyx.scipy": "scipy",
    },
)
