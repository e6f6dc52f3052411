"""A rule's page: what `batchmean explain` prints and what docs/rules/ holds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, NamedTuple

from batchmean.findings import Finding
from batchmean.linter import lint
from batchmean.noqa import unused_noqa
from batchmean.rules import EVERY, UNUSED_NOQA, Rule


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
    "BMN105": _CLASSES._replace(
        case="One example, a teacher that is certain of one of V classes, and a student that gives each of them 1/V."
    ),
    "BMN201": Numbers(
        case="Each valid position has a squared error of 1, and one position of every N is valid.",
        size="N",
        sizes=(2, 10, 100),
        formulas=("1", "1 / N"),
        right=lambda n: 1.0,
        wrong=lambda n: 1 / n,
    ),
    "BMN202": Numbers(
        case="A valid position has a squared error of 1, the others have none, and one position of every N is valid.",
        size="N",
        sizes=(2, 10, 100),
        formulas=("1", "1 / N"),
        right=lambda n: 1.0,
        wrong=lambda n: 1 / n,
    ),
    "BMN301": Numbers(
        case="Untrained, a model gives each of 10 classes the probability 1/10, on B examples.",
        size="B",
        sizes=(8, 64, 512),
        formulas=("log 10", "log(10) / B"),
        right=lambda b: math.log(10),
        wrong=lambda b: math.log(10) / b,
    ),
    "BMN302": Numbers(
        case="Untrained, a model gives each of V classes the probability 1/V, on 32 examples.",
        size="V",
        sizes=(10, 1000, 50257),
        formulas=("log V", "32 log(V) / V"),
        right=math.log,
        wrong=lambda v: 32 * math.log(v) / v,
    ),
    "BMN303": Numbers(
        case="A squared error of 1 on each of B examples.",
        size="B",
        sizes=(8, 64, 512),
        formulas=("1", "B"),
        right=lambda b: 1.0,
        wrong=float,
    ),
    "BMN304": Numbers(
        case="Untrained, a model gives each of 10 classes the probability 1/10, on B examples.",
        size="B",
        sizes=(8, 64, 512),
        formulas=("log 10", "B log 10"),
        right=lambda b: math.log(10),
        wrong=lambda b: b * math.log(10),
    ),
    "BMN305": Numbers(
        case="Half of B actions are certain, with the advantage -1; the others are one of two, with the advantage 1.",
        size="B",
        sizes=(2, 64, 512),
        formulas=("log(2) / 2", "0"),
        right=lambda b: math.log(2) / 2,
        wrong=lambda b: 0.0,
    ),
    "BMN306": Numbers(
        case="Untrained, a student gives each of 10 classes the probability 1/10; its teacher is certain of one.",
        size="B",
        sizes=(1, 8, 64),
        formulas=("2 log 10", "(1 + B) log 10"),
        right=lambda b: 2 * math.log(10),
        wrong=lambda b: (1 + b) * math.log(10),
    ),
    "BMN307": Numbers(
        case="Untrained, a model gives each of 10 classes the probability 1/10, on B images of 4 by 4 pixels.",
        size="B",
        sizes=(1, 8, 64),
        formulas=("log 10", "B log 10"),
        right=lambda b: math.log(10),
        wrong=lambda b: b * math.log(10),
    ),
    "BMN401": Numbers(
        case=_CLASSES.case,
        size="V",
        sizes=_CLASSES.sizes,
        formulas=("V", "exp(log(V) / V)"),
        right=float,
        wrong=lambda v: math.exp(math.log(v) / v),
    ),
    "BMN501": Numbers(
        case="Untrained, a model gives each of 10 classes the probability 1/10, on three batches of B examples.",
        size="B",
        sizes=(8, 64, 512),
        formulas=("log 10", "log(10) / B"),
        right=lambda b: math.log(10),
        wrong=lambda b: math.log(10) / b,
    ),
    "BMN502": Numbers(
        case="Untrained, a model gives each of 10 classes the probability 1/10, on three batches of B examples.",
        size="B",
        sizes=(8, 64, 512),
        formulas=("log 10", "B log 10"),
        right=lambda b: math.log(10),
        wrong=lambda b: b * math.log(10),
    ),
    "BMN503": Numbers(
        case="A micro-batch with one token whose gradient is 1, and one with N tokens whose gradient is 0; one step of "
        "plain SGD at a learning rate of 1.",
        size="N",
        sizes=(2, 10, 1000),
        formulas=("-1 / (1 + N)", "-1/2"),
        right=lambda n: -1 / (1 + n),
        wrong=lambda n: -0.5,
    ),
    "BMN504": Numbers(
        case="A gradient of 1 in each of K micro-batches, and one step of plain SGD at a learning rate of 1.",
        size="K",
        sizes=(2, 8, 64),
        formulas=("-1", "-K"),
        right=lambda k: -1.0,
        wrong=lambda k: -float(k),
    ),
    "BMN505": Numbers(
        case="A model is certain of one batch, and gives each of V classes the probability 1/V in the other.",
        size="V",
        sizes=(4, 100, 10000),
        formulas=("sqrt(V)", "(1 + V) / 2"),
        right=math.sqrt,
        wrong=lambda v: (1 + v) / 2,
    ),
    "BMN506": Numbers(
        case="Untrained, a model gives each of 10 classes the probability 1/10, on one validation batch; the training "
        "data have T batches.",
        size="T",
        sizes=(10, 100, 1000),
        formulas=("log 10", "log(10) / T"),
        right=lambda t: math.log(10),
        wrong=lambda t: math.log(10) / t,
    ),
}
"""By code. The tests run each rule's examples and compare."""

LAWS: Final[Mapping[str, str]] = {
    "null class": "a further class that nobody targets or predicts must not change the loss",
    "padding": "further positions that are masked out must not change the loss",
    "duplication": "every example twice must not change the loss",
    "pointwise": "the loss of a batch must be the mean of its examples' losses",
    "split": "how the examples are cut into batches must not change the figure of the epoch",
}
"""What each law demands, in one line; docs/laws.md has them in full."""

_SUPPRESS: Final = "## When to suppress it"


def _measured(rule: Rule) -> str:
    """How often the rule is right, by what was judged at first contact."""
    if rule.first_contact is None:
        return "How often it is right has not been measured at first contact yet."
    right, judged = rule.first_contact
    low, high = wilson(right, judged)
    return (
        f"At first contact, in repositories that it was never tuned on, {right} of {judged} findings were right "
        f"(95 % interval {100 * low:.0f} to {100 * high:.0f} %)."
    )


def wilson(right: int, judged: int, z: float = 1.96) -> tuple[float, float]:
    """The interval of a share (Wilson 1927), which holds for few counts and for shares of 0 and 1, too."""
    share = right / judged
    middle = (share + z**2 / (2 * judged)) / (1 + z**2 / judged)
    half = z / (1 + z**2 / judged) * math.sqrt(share * (1 - share) / judged + z**2 / (4 * judged**2))
    return middle - half, middle + half


def facts(rule: Rule) -> dict[str, Any]:
    """What programs are told about a rule."""
    measured = rule.first_contact
    return {
        "code": rule.code,
        "name": rule.name,
        "summary": rule.summary,
        "preview": rule.preview,
        "laws": rule.law.split(" and ") if rule.law else [],
        "first_contact": None if measured is None else {"right": measured[0], "judged": measured[1]},
    }


def page(rule: Rule) -> str:
    """What the rule finds, why it matters, by how much, wrong, right, when to suppress it; in Markdown."""
    what_and_why, heading, when = rule.documentation.partition(_SUPPRESS)
    if rule is UNUSED_NOQA:
        return f"""\
# {rule.code} {rule.name}

{rule.summary[0].upper()}{rule.summary[1:]}.

{what_and_why.strip()}

{_examples(rule)}

{heading}{when.rstrip()}
"""
    status = "\n\nA preview rule: reported with `--preview` only." if rule.preview else ""
    status += f"\n\n{_measured(rule)}"
    return f"""\
# {rule.code} {rule.name}

{rule.summary[0].upper()}{rule.summary[1:]}.

{_broken(rule)}.{status}

{what_and_why.strip()}

## By how much

{_table(NUMBERS[rule.code])}

{_examples(rule)}

{heading}{when.rstrip()}
"""


def _examples(rule: Rule) -> str:
    return f"""\
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
```"""


def _broken(rule: Rule) -> str:
    """Which law it breaks, and what that law demands."""
    laws = rule.law.split(" and ")
    demanded = ", and ".join(LAWS[law] for law in laws)
    names = " and of ".join(law.replace("null", "the null") for law in laws)
    return f"Breaks the {'law' if len(laws) == 1 else 'laws'} of {names}: {demanded}"


def about(finding: Finding) -> str:
    """A finding in full, in Markdown: what it rests on, its size where the code shows it, and the page of its rule."""
    because = [f"- line {because.line}: {because.text}" for because in finding.because]
    likely = ["Likely, not proved: this rests on names."] if finding.confidence == "likely" else []
    parts = [finding.message, *likely, "\n".join(because), *_size(finding), "---", page(EVERY[finding.code])]
    return "\n\n".join(parts)


def _size(finding: Finding) -> list[str]:
    """The factor, with the numbers of the page's case where it depends on one size only, which the code shows."""
    if not finding.factor:
        return []
    numbers = NUMBERS[finding.code]
    size = (finding.known_sizes or {}).get(numbers.size)
    if size is None or set(finding.factor) != {numbers.size}:
        return ["Factor: " + " * ".join(f"{name}^{power}" for name, power in finding.factor.items())]
    factor = float(size) ** finding.factor[numbers.size]
    right = numbers.right(size)
    return [
        f"Here {numbers.size} = {size}: a factor of {factor:.4g}. {numbers.case} This term is {right:.4g} "
        f"then, and {right * factor:.4g} as it is written."
    ]


def _table(numbers: Numbers) -> str:
    rows = [f"| {size:,} | {numbers.right(size):.4g} | {numbers.wrong(size):.4g} |" for size in numbers.sizes]
    right, wrong = numbers.formulas
    head = [f"| {numbers.size} | right: {right} | as written below: {wrong} |", "| ---: | ---: | ---: |"]
    return "\n".join([numbers.case, "", *head, *rows])


@cache
def _reported(rule: Rule) -> str:
    """What the linter says about the wrong example."""
    found = lint(rule.wrong, "example.py")
    return "\n".join(
        f"example.py:{finding.span.line}:{finding.span.column}: {finding.code} {finding.message}"
        for finding in [*found, *unused_noqa(rule.wrong, "example.py", found)]
    )
