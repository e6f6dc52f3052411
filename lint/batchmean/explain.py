"""A rule's page: what `batchmean explain` prints and what docs/rules/ holds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from batchmean.linter import lint
from batchmean.rules import Rule


class Numbers(NamedTuple):
    """How large the loss of both examples is, in a case that anybody can check: by the size of the support."""

    case: str
    size: str
    sizes: tuple[int, ...]
    formulas: tuple[str, str]
    right: Callable[[int], float]
    wrong: Callable[[int], float]


_CLASSES: Final = Numbers(
    case="Untrained, a model gives each of V classes the probability 1/V.",
    size="V",
    sizes=(10, 1000, 50257),
    formulas=("log V", "log(V) / V"),
    right=math.log,
    wrong=lambda v: math.log(v) / v,
)

NUMBERS: Final[Mapping[str, Numbers]] = {
    "BMN101": _CLASSES,
    "BMN102": _CLASSES,
    "BMN103": _CLASSES._replace(
        case="A teacher that is certain of one of V classes, and a student that gives each of them 1/V."
    ),
    "BMN104": Numbers(
        case="A latent of D dimensions, each with mean 1 and variance 1, against a standard normal prior.",
        size="D",
        sizes=(2, 32, 512),
        formulas=("D / 2", "1 / 2"),
        right=lambda d: d / 2,
        wrong=lambda d: 1 / 2,
    ),
}
"""By code. The tests run each rule's examples and compare."""

LAWS: Final[Mapping[str, str]] = {
    "null class": "a further class that nobody targets or predicts must not change the loss",
    "padding": "further positions that are masked out must not change the loss",
    "duplication": "every example twice must not change the loss",
    "pointwise": "the loss of a batch must be the mean of its examples' losses",
}
"""What each law demands, in one line; docs/laws.md has them in full."""

_SUPPRESS: Final = "## When to suppress it"


def page(rule: Rule) -> str:
    """What the rule finds, why it matters, by how much, wrong, right, when to suppress it; in Markdown."""
    what_and_why, heading, when = rule.documentation.partition(_SUPPRESS)
    status = "\n\nA preview rule: reported with `--preview` only." if rule.preview else ""
    return f"""\
# {rule.code} {rule.name}

{rule.summary[0].upper()}{rule.summary[1:]}.

Breaks the law of the {rule.law}: {LAWS[rule.law]}.{status}

{what_and_why.strip()}

## By how much

{_table(NUMBERS[rule.code])}

## Wrong

```python
{rule.wrong.strip()}
```

```text
{_reported(rule)}
```

## Right

```python
{rule.right.strip()}
```

{heading}{when.rstrip()}
"""


def _table(numbers: Numbers) -> str:
    rows = [f"| {size:,} | {numbers.right(size):.4g} | {numbers.wrong(size):.4g} |" for size in numbers.sizes]
    right, wrong = numbers.formulas
    head = [f"| {numbers.size} | right: {right} | as written below: {wrong} |", "| ---: | ---: | ---: |"]
    return "\n".join([numbers.case, "", *head, *rows])


def _reported(rule: Rule) -> str:
    """What the linter says about the wrong example."""
    return "\n".join(
        f"example.py:{finding.span.line}:{finding.span.column}: {finding.code} {finding.message}"
        for finding in lint(rule.wrong, "example.py")
    )
