"""Writes what is generated here, a page for each rule and the plot in README: `make docs`.

The plot is measured on the reference's model, which needs `pip install 'batchmean[reference]'`.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from batchmean.explain import page
from batchmean.rules import RULES
from batchmean_reference.plots import loss_at_initialisation

DOCS = Path(__file__).parent
PLOT = "loss-at-init.svg"


def pages() -> dict[str, str]:
    """The page of each rule, by its path below docs/."""
    return {f"rules/{code}.md": page(rule) for code, rule in RULES.items()}


def plot() -> str:
    """The loss of the untrained model against V, for both denominators; the image follows light and dark."""
    css = resources.files("batchmean_reference").joinpath("data/page.css").read_text(encoding="utf-8")
    colors, _, _ = css.partition("\n\n")
    style = f"<style>\n{colors}\nsvg {{ background: var(--paper); font-family: var(--sans); }}\n</style>"
    head, tag_end, body = loss_at_initialisation(ceiling=None).partition(">")
    return f'{head} width="420"{tag_end}\n{style}{body}'


def main() -> None:
    """Write everything; pages of rules that are no more go away."""
    for old in (DOCS / "rules").glob("*.md"):
        old.unlink()
    (DOCS / "rules").mkdir(exist_ok=True)
    for name, text in {**pages(), PLOT: plot()}.items():
        (DOCS / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
