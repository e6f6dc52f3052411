"""The plots of the page: inline SVG whose colors are CSS variables, so that they follow light and dark.

Matplotlib draws with colors that stand for roles (`INK`, `RIGHT`, ...); `svg` replaces each by the variable
of its name. Nothing that differs from one machine to the next is left in, so equal results give equal pages:
no date, no setting of the user's own, ids that are numbered (Matplotlib's are hashes of coordinates) and
coordinates of two digits.
"""

from __future__ import annotations

import io
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from batchmean_reference.claims import Settings, fresh_losses, short, wrong
from batchmean_reference.exhibits import Exhibition
from batchmean_reference.laboratory import VOCABULARIES, Laboratory

INK, MUTED, GRID = "#010101", "#020202", "#030303"
RIGHT, WRONG, THIRD = "#040404", "#050505", "#060606"
VARIABLES = {INK: "ink", MUTED: "muted", GRID: "grid", RIGHT: "right", WRONG: "wrong", THIRD: "third"}

STYLES = ("-", "--", ":")  # of the vocabularies

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: in the page's own font, and to be searched and read aloud
    "font.size": 10,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 10,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.6,
}


def svg(name: str, label: str, draw: Callable[[Axes], None]) -> str:
    """A plot as an `<svg>` element. `name` makes its ids its own, `label` says in words what it shows."""
    with mpl.style.context(["default", STYLE]):
        figure = Figure(figsize=(4.5, 3.4), layout="constrained")
        axes = figure.subplots()
        figure.patch.set_alpha(0)
        axes.patch.set_alpha(0)
        draw(axes)
        buffer = io.StringIO()
        figure.savefig(
            buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
        )
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(\bid="|"#|url\(#)', rf"\g<1>{name}-", _portable(text))
    text = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", text)
    for color, variable in VARIABLES.items():
        text = text.replace(color, f"var(--{variable})")
    text = re.sub(r' (?:width|height)="[\d.]+pt"', "", text, count=2)  # as wide as the page lets it be
    return text.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)


def _portable(text: str) -> str:
    """Ids that are hashes numbered as they come, coordinates rounded to what can be seen; text stays as it is.

    >>> _portable('<path id="m42dd80a5d5" d="M 98.060651 -0.001"/><use href="#m42dd80a5d5"/><text>0.007</text>')
    '<path id="m-1" d="M 98.06 0"/><use href="#m-1"/><text>0.007</text>'
    """
    numbers: dict[str, str] = {}

    def numbered(match: re.Match[str]) -> str:
        return numbers.setdefault(match[0], f"{match[1]}-{len(numbers) + 1}")

    def rounded(match: re.Match[str]) -> str:
        return f"{round(float(match[0]), 2) + 0.0:g}"

    text = re.sub(r"(?<=[\"#])([A-Za-z]+)[0-9a-f]{10}\b", numbered, text)
    return re.sub(r"<[^>]*>", lambda tag: re.sub(r"-?\d+\.\d+", rounded, tag[0]), text)


def log_axis(axes: Axes, which: str) -> None:
    """A logarithmic axis whose ticks read 0.01, 0.1, 1."""
    getattr(axes, f"set_{which}scale")("log")
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(LogLocator(base=10))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def smooth(values: Sequence[float], width: int = 9) -> list[float]:
    """A running mean over up to `width` values: fewer near the start, so that the first stays itself.

    >>> smooth([4.0, 1.0, 1.0, 3.0], 3)
    [4.0, 2.0, 1.6666666666666667, 2.0]
    """
    halves = [min(i, width // 2) for i in range(len(values))]
    windows = [values[i - half : i + half + 1] for i, half in enumerate(halves)]
    return [sum(window) / len(window) for window in windows]


def spread(values: Sequence[float], ratio: float) -> list[float]:
    """Places for labels beside values on a logarithmic axis: moved up where one would cover another.

    >>> spread([1.0, 10.0, 11.0], 2.0)
    [1.0, 10.0, 20.0]
    """
    placed: dict[float, float] = {}
    lowest = 0.0
    for value in sorted(values):
        placed[value] = lowest = max(value, lowest * ratio)
    return [placed[value] for value in values]


def loss_against_step(lab: Laboratory, settings: Settings) -> str:
    """The losses as the runs themselves report them, SGD, every vocabulary, both denominators."""

    def draw(axes: Axes) -> None:
        for denominator, color in (("units", RIGHT), ("whole shape", WRONG)):
            curves = [
                smooth(lab.trained(settings.main(vocabulary, "SGD", denominator)).history.losses)
                for vocabulary in VOCABULARIES
            ]
            labels_at = spread([curve[-1] for curve in curves], 1.45)
            for vocabulary, style, curve, label_at in zip(
                VOCABULARIES, STYLES, curves, labels_at, strict=True
            ):
                axes.plot(curve, style, color=color)
                axes.text(
                    len(curve) * 1.02, label_at, f"V = {vocabulary}", fontsize=9, color=color, va="center"
                )
        for vocabulary, style in zip(VOCABULARIES, STYLES, strict=True):
            level = [math.log(vocabulary)] * 2
            axes.plot([0, settings.main_steps], level, style, color=MUTED, linewidth=0.8)
        axes.text(
            settings.main_steps / 2, math.log(VOCABULARIES[-1]) * 1.15, "log V", fontsize=9, color=MUTED
        )
        log_axis(axes, "y")
        axes.set_xlim(0, settings.main_steps * 1.22)
        axes.set_ylim(top=15)
        axes.set_xlabel("step")
        axes.set_ylabel("loss as reported")
        axes.plot([], [], color=RIGHT, label="divided by B T")
        axes.plot([], [], color=WRONG, label="divided by B T V")
        axes.legend(loc="center left", bbox_to_anchor=(0, 0.62))

    return svg(
        "steps", "Training loss against step for both denominators at three vocabulary sizes, log scale", draw
    )


def loss_at_initialisation(ceiling: float | None = 0.007, title: str | None = None) -> str:
    """Untrained losses against V: measured points on the curves of the formulas, and the claimed ceiling."""
    sizes = (65, 100, 200, 350, 500, 700, 985, 1000)

    def draw(axes: Axes) -> None:
        curve = [65 * (1000 / 65) ** (i / 60) for i in range(61)]
        axes.plot(curve, [math.log(v) for v in curve], color=RIGHT)
        axes.plot(curve, [math.log(v) / v for v in curve], color=WRONG)
        measured = [fresh_losses(vocabulary, 8, 16) for vocabulary in sizes]
        axes.plot(sizes, [right for _, right in measured], "o", color=RIGHT, markersize=5)
        axes.plot(sizes, [off for off, _ in measured], "s", color=WRONG, markersize=5)
        if ceiling is not None:
            axes.axhline(ceiling, color=MUTED, linewidth=0.8, linestyle="--")
            axes.annotate(
                f"{ceiling:g}", (65, ceiling), (0, 4), textcoords="offset points", fontsize=9, color=MUTED
            )
        axes.annotate("log V", (180, math.log(180)), (0, -14), textcoords="offset points", color=RIGHT)
        axes.annotate(
            "log(V) / V", (180, math.log(180) / 180), (8, 6), textcoords="offset points", color=WRONG
        )
        log_axis(axes, "x")
        log_axis(axes, "y")
        axes.set_xticks([100, 200, 500, 1000])
        axes.set_xlabel("vocabulary V")
        axes.set_ylabel("loss of the untrained model")
        if title is not None:
            axes.set_title(title, loc="left")

    return svg("fresh", "Loss of the untrained model against vocabulary size, measured and by formula", draw)


def measured_against_predicted(exhibition: Exhibition) -> str:
    """Every finding at every size: the ratio that was measured over the factor that the linter named."""
    points = [
        (exhibit.factor.at(point.sizes), point.ratio)
        for exhibit in exhibition.exhibits
        if exhibit.factor is not None
        for point in exhibit.measured
    ]

    def draw(axes: Axes) -> None:
        ends = [min(x for x, _ in points) / 2, max(x for x, _ in points) * 2]
        axes.plot(ends, ends, color=MUTED, linewidth=0.8)
        axes.plot(*zip(*points, strict=True), "o", color=WRONG, markersize=5, alpha=0.5, markeredgewidth=0)
        log_axis(axes, "x")
        log_axis(axes, "y")
        axes.set_xlabel("factor that the linter names")
        axes.set_ylabel("factor measured")
        axes.set_title(f"{len(points)} measurements, and how many share a place", loc="left", color=MUTED)
        places = Counter(float(f"{x:.3g}") for x, _ in points)
        named: list[float] = []
        for x, count in places.most_common():
            if any(0.6 < x / other < 1.6 for other in named):
                continue  # the numbers would cover each other
            named.append(x)
            axes.annotate(str(count), (x, x), (7, -8), textcoords="offset points", fontsize=9, color=MUTED)

    return svg(
        "factors", "Measured factor against the linter's factor for every fixture: all on the diagonal", draw
    )


def sgd_trajectories(lab: Laboratory, settings: Settings) -> str:
    """SGD in nats per token: the right run, the wrong one, and the wrong one at rate x V."""

    def draw(axes: Axes) -> None:
        right = settings.main(settings.shown, "SGD", "units")
        again = wrong(right, rate=right.rate * settings.shown)
        axes.plot(smooth(lab.trained(right).history.nats), color=RIGHT, label="divided by B T")
        every = max(1, settings.main_steps // 20)
        axes.plot(
            smooth(lab.trained(again).history.nats),
            "o",
            color=THIRD,
            markersize=4,
            markevery=every,
            label="divided by B T V, rate x V",
        )
        axes.plot(
            smooth(lab.trained(wrong(right)).history.nats), color=WRONG, label="divided by B T V, same rate"
        )
        _trajectory_axes(axes, settings)

    return svg(
        "sgd",
        "SGD: nats per token against step; at rate x V the wrong run follows the right one exactly",
        draw,
    )


def adam_trajectories(lab: Laboratory, settings: Settings) -> str:
    """Adam in nats per token: the two runs can hardly be told apart."""

    def draw(axes: Axes) -> None:
        right = settings.main(settings.shown, "Adam", "units")
        off = settings.main(settings.shown, "Adam", "whole shape")
        every = max(1, settings.main_steps // 20)
        axes.plot(smooth(lab.trained(right).history.nats), color=RIGHT, label="divided by B T")
        axes.plot(
            smooth(lab.trained(off).history.nats),
            "o",
            color=WRONG,
            markersize=4,
            markevery=every,
            label="divided by B T V, same rate",
        )
        _trajectory_axes(axes, settings)

    return svg("adam", "Adam: nats per token against step; the wrong run follows the right one", draw)


def parts_of_a_batch(curves: Mapping[str, Sequence[float]]) -> str:
    """Nats per token of whole batches, of token means averaged again, and of sums over the global count."""

    def draw(axes: Axes) -> None:
        (whole, right), (averaged, off), (counted, again) = curves.items()
        axes.plot(smooth(right), color=RIGHT, label=whole)
        every = max(1, len(again) // 20)
        axes.plot(smooth(again), "o", color=THIRD, markersize=4, markevery=every, label=counted)
        axes.plot(smooth(off), color=WRONG, label=averaged)
        axes.set_xlabel("step")
        axes.set_ylabel("nats per token")
        axes.margins(y=0.1)
        axes.legend(loc="best")

    return svg(
        "parts",
        "Nats per token against step: with the global count the micro-batches follow whole batches exactly",
        draw,
    )


def adam_epsilon(
    epsilons: Sequence[float], right: Sequence[float], off: Sequence[float], vocabulary: int
) -> str:
    """How much Adam learns against its epsilon: the wrong curve is the right one moved by V."""

    def draw(axes: Axes) -> None:
        axes.plot(epsilons, right, "o-", color=RIGHT, markersize=4, label="divided by B T")
        axes.plot(epsilons, off, "s-", color=WRONG, markersize=4, label="divided by B T V")
        axes.axvline(1e-8, color=MUTED, linewidth=0.8, linestyle="--")
        axes.annotate("default", (1e-8, 0), (4, 2), textcoords="offset points", fontsize=9, color=MUTED)
        log_axis(axes, "x")
        axes.set_xticks([10.0**power for power in range(-10, -1, 2)])
        axes.set_xlabel("Adam's epsilon")
        axes.set_ylabel("nats per token learned")
        axes.set_ylim(0)
        axes.set_title(f"V = {vocabulary}", loc="left", color=MUTED)
        axes.legend(loc="lower left", bbox_to_anchor=(0.02, 0.1))

    return svg(
        "epsilon", "What Adam learns against its epsilon, right and wrong: the same curve, V apart", draw
    )


def _trajectory_axes(axes: Axes, settings: Settings) -> None:
    axes.axhline(math.log(settings.shown), color=MUTED, linewidth=0.8, linestyle="--")
    axes.annotate(
        f"log {settings.shown} = {short(math.log(settings.shown))}",
        (settings.main_steps, math.log(settings.shown)),
        (0, 6),
        textcoords="offset points",
        fontsize=9,
        color=MUTED,
        ha="right",
    )
    axes.set_xlabel("step")
    axes.set_ylabel("nats per token")
    axes.margins(y=0.1)
    axes.set_title(f"V = {settings.shown}", loc="left", color=MUTED)
    axes.legend(loc="best")
