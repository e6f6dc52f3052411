"""Writes what is generated here, a page for each rule and their list, the case, the gallery, the plot: `make docs`.

The plot and the case are measured on the reference's model, which needs `pip install '.[reference]'`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

from batchmean.explain import page
from batchmean.rules import EVERY, RULES, Rule
from batchmean.settings_schema import schema
from batchmean_reference.claims import CLAIMS, QUICK, WRITE_UP, Claim
from batchmean_reference.laboratory import Laboratory
from batchmean_reference.plots import loss_at_initialisation

from docs.engine_page import engine_page
from docs.gallery import gallery

DOCS = Path(__file__).parent
PLOT = "loss-at-init.svg"
TITLE = "Who knows nothing should pay log V"
CASE = "case.md"
INDEX = "rules.md"
GALLERY = "gallery.md"
SCHEMA = "settings.schema.json"
ENGINE = "engine.md"


def pages() -> dict[str, str]:
    """The page of each rule, by its path below docs/."""
    return {f"rules/{code}.md": page(rule) for code, rule in EVERY.items()}


def rules() -> str:
    """The list of the rules, for the site."""
    rows = [
        f"| [{code}](rules/{code}.md) | {rule.name} | {rule.summary} | {_status(rule)} |"
        for code, rule in RULES.items()
    ]
    return "\n".join([_RULES, *rows, "", _RULES_TREE])


def _status(rule: Rule) -> str:
    right, judged = rule.first_contact or (0, 0)
    seen = f"{right} of {judged}" if judged else "not measured"
    return f"preview, {seen}" if rule.preview else seen


_RULES = """\
# Rules

Rules in preview are asked for with `--preview`. In the last column: how many findings were right, of those judged at
first contact, in repositories that the rule was never tuned on.

| rule | name | finds | right at first contact |
| --- | --- | --- | --- |"""
_RULES_TREE = """\
```{toctree}
:hidden:
:glob:

rules/*
```
"""


def plot() -> str:
    """The loss of the untrained model against V, for both denominators; the image follows light and dark."""
    css = resources.files("batchmean_reference").joinpath("data/page.css").read_text(encoding="utf-8")
    colors, _, _ = css.partition("\n\n")
    style = f"<style>\n{colors}\nsvg {{ background: var(--paper); font-family: var(--sans); }}\n</style>"
    head, tag_end, body = loss_at_initialisation(None, TITLE).partition(">")
    return f'{head} width="420"{tag_end}\n{style}{body}'


def settings_schema() -> str:
    """The JSON schema of the settings."""
    return json.dumps(schema(), indent=2) + "\n"


def measured() -> list[Claim]:
    """Every claim, measured in short trainings: the verdicts are those of the long ones."""
    lab = Laboratory()
    return [measure(lab, QUICK) for measure in CLAIMS]


def case(claims: Iterable[Claim]) -> str:
    """The case that the project grew from: each line of its write-up, and what came of it."""
    by_topic = {claim.topic: claim for claim in claims}
    lines = [f"| {line} | {_verdict(by_topic[topic])} |" for line, topic in WRITE_UP]
    for topic in {topic for _, topic in WRITE_UP}:
        del by_topic[topic]
    others = [f"| {claim.statement} | {_verdict(claim)} |" for claim in by_topic.values()]
    return "\n".join([_CASE, *_HEAD, *lines, "", _OTHERS, *_HEAD, *others, ""])


_HEAD = ("| said | verdict |", "| --- | --- |")
_CASE = """\
# The case

A program in Rust computed its categorical cross-entropy so: clip the probabilities to [1e-12, 1], take the logarithm,
multiply by the targets, take the product of `get_shape()`, scale by -1, sum, scale by one over that product. For (B, V)
the product is B * V where B is meant: the loss is V times too small. `whole_shape_cce` in
`reference_impl/batchmean_reference/losses.py` takes the same steps, and `fixtures/on_numpy/whole_shape_tensor.py` has
them as methods of a tensor, as the program does.

A write-up explained the small losses and decided to leave them. `make demo` measures each thing it said, on a small
transformer; the page that it leaves has the numbers. No line of the write-up, in the words in which it came to this
project, is without a verdict:
"""
_OTHERS = """\
The discussions that it started added:
"""


def _verdict(claim: Claim) -> str:
    return f"**{claim.verdict}** {claim.when}" if claim.verdict == "holds when" else f"**{claim.verdict}**"


def main() -> None:
    """Write everything; pages of rules that are no more go away."""
    for old in (DOCS / "rules").glob("*.md"):
        old.unlink()
    (DOCS / "rules").mkdir(exist_ok=True)
    for name, text in {
        **pages(),
        INDEX: rules(),
        PLOT: plot(),
        CASE: case(measured()),
        SCHEMA: settings_schema(),
        ENGINE: engine_page(),
        GALLERY: gallery(),
    }.items():
        (DOCS / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
