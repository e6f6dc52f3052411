"""What the demo prints: findings with their measured factors, trainings, and claims with verdicts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product

from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from batchmean_reference.claims import Claim, Settings, short
from batchmean_reference.examine import fraction
from batchmean_reference.exhibits import Exhibit, Exhibition
from batchmean_reference.laboratory import VOCABULARIES, Laboratory

VERDICT_STYLES = {"holds": "bold green", "holds when": "bold yellow", "does not hold": "bold red"}
BARS, ASCII_BARS = "▁▂▃▄▅▆▇█", "_.-:=+*#"


def sparkline(values: list[float], width: int, low: float, high: float, bars: str = BARS) -> str:
    """A curve in characters that rise, `width` wide; `low` and `high` are the ends of its scale.

    >>> sparkline([0.0, 1.0, 2.0, 3.0], 4, 0.0, 3.0)
    '▁▃▆█'
    """
    picked = [values[round(i * (len(values) - 1) / max(width - 1, 1))] for i in range(width)]
    last = len(bars) - 1
    return "".join(bars[max(0, min(last, round((v - low) / (high - low) * last)))] for v in picked)


@contextmanager
def progress_of(console: Console) -> Iterator[Progress]:
    """A progress bar that leaves nothing behind."""
    columns = (
        TextColumn("[progress.description]{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[detail]}", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield progress


def print_opening(console: Console, quick: bool) -> None:
    """What this is about, in a few lines."""
    text = Text.assemble(
        ("A cross-entropy is summed over its classes and averaged over its examples.\n", "bold"),
        "Divide by the whole shape instead, B x V or B x T x V, and the loss is V times too small. It "
        "still falls, the model may still learn, and that is why nobody notices. Everything below is "
        "measured now, on this machine.",
        ("\nA quick run: short trainings, the same checks." if quick else "", "dim"),
    )
    console.print(Panel(text, title="batchmean demo", border_style="blue", padding=(1, 2)))


def print_exhibition(console: Console, exhibition: Exhibition) -> None:
    """Part 1: each finding with the loss as written, as it should be, and their ratio."""
    console.rule("[bold]1. What the linter finds, and the factor that running it shows")
    for module in dict.fromkeys(exhibit.module for exhibit in exhibition.exhibits):
        table = Table(box=None, padding=(0, 2, 1, 0), pad_edge=False, header_style="dim", expand=True)
        table.add_column(module, ratio=1, header_style="bold")
        for name in ("size", "as written", "right", "ratio"):
            table.add_column(name, justify="right", no_wrap=True)
        for exhibit in exhibition.exhibits:
            if exhibit.module == module:
                table.add_row(*_exhibit(exhibit))
        console.print()
        console.print(table)
    console.print(f"[bold]{exhibition.summary}[/bold]", highlight=False)
    for label, names in (("Not found", exhibition.missed), ("False alarm", exhibition.alarms)):
        for name in names:
            console.print(f"[red]{label}:[/red] {name}", highlight=False)
    for sentence in exhibition.left_out:
        console.print(sentence, style="dim", markup=False, highlight=False)


def _exhibit(exhibit: Exhibit) -> tuple[Text, ...]:
    """The cells of a finding's row: what it is, and a line of numbers for each size of the support."""
    left = Text(overflow="fold")
    left.append(f"{exhibit.finding.span.line} ", "dim")
    left.append(f"{exhibit.finding.code} ", "bold red")
    left.append(f"{fraction(exhibit.factor)}\n", "bold")
    left.append(f"{exhibit.line}\n")
    left.append(f"right: {exhibit.right_line}", "dim")
    axis, points = exhibit.axis, exhibit.measured
    sizes = [f"{axis} = {point.sizes[axis]}" if axis else "" for point in points]
    return (
        left,
        Text("\n".join(sizes), "dim"),
        Text("\n".join(short(point.written) for point in points)),
        Text("\n".join(short(point.right) for point in points)),
        Text("\n".join(short(point.ratio) for point in points), "bold"),
    )


def print_training(console: Console, lab: Laboratory, settings: Settings, samples: dict[str, str]) -> None:
    """Part 2: the same training with both denominators."""
    console.rule("[bold]2. The same training, divided by the tokens and by the whole shape")
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("V", "optimizer", "divided by"):
        table.add_column(name, no_wrap=True)
    for name in ("first and last loss", "held out"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("nats per token", no_wrap=True)
    bars = ASCII_BARS if console.options.ascii_only else BARS
    for vocabulary, optimizer in product(VOCABULARIES, ("SGD", "Adam")):
        for denominator, divisor, color in (("units", "B T", "blue"), ("whole shape", "B T V", "red")):
            history = lab.trained(settings.main(vocabulary, optimizer, denominator)).history
            table.add_row(
                str(vocabulary),
                optimizer,
                divisor,
                f"{short(history.losses[0])}  {short(history.losses[-1])}",
                f"{history.held_out:.2f}",
                Text(sparkline(history.nats, 16, 2.0, max(history.nats), bars), color),
            )
    console.print(table)
    console.print(f"\nText from each model at V = {settings.shown}:", highlight=False)
    for name, sample in samples.items():
        console.print(Text.assemble((f"{name}: ", "bold"), sample), highlight=False)


def print_claims(console: Console, claims: list[Claim]) -> None:
    """Part 3: claim, measured, verdict."""
    console.rule("[bold]3. What has been said about it, and what was measured")
    for claim in claims:
        verdict = Text(claim.verdict, VERDICT_STYLES[claim.verdict])
        if claim.verdict == "holds when":
            verdict.append(f" {claim.when}", "yellow")
        table = Table(box=None, show_header=False, padding=(0, 1, 0, 0), pad_edge=False)
        table.add_column(width=9, style="dim")
        table.add_column(ratio=1)
        table.add_row("claim", Text(claim.statement, "bold"))
        table.add_row("measured", Text(claim.measured))
        table.add_row("verdict", verdict)
        console.print(Padding(table, (1, 0, 0, 0)))
    console.print()
