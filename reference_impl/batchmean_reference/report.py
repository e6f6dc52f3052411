"""What the demo prints: the story in a page, and behind `--all` findings, trainings and measurements."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product

from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table
from rich.text import Text

from batchmean_reference.claims import Claim, Settings, short, source
from batchmean_reference.claims.parts import courses
from batchmean_reference.examine import fraction
from batchmean_reference.exhibits import Exhibit, Exhibition
from batchmean_reference.laboratory import VOCABULARIES, Laboratory
from batchmean_reference.parts import MODES, kept
from batchmean_reference.story import VOCABULARY, Story, chart, curves

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
    """A progress bar that leaves nothing behind. What it is at is cut short where the line is; the time is not."""
    columns = (
        TextColumn("{task.description}", table_column=Column(no_wrap=True, width=16)),
        BarColumn(bar_width=18),
        TextColumn(
            "{task.fields[detail]}",
            markup=False,
            table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1),
        ),
        TimeElapsedColumn(table_column=Column(no_wrap=True, min_width=7)),
    )
    if not console.is_terminal:  # a log would get an empty line for each bar
        with Progress(*columns, console=Console(file=io.StringIO()), disable=True) as progress:
            yield progress
        return
    with Progress(*columns, console=console, transient=True, expand=True) as progress:
        yield progress


def print_opening(console: Console, story: Story, quick: bool) -> None:
    """The bug, and what the linter says about it."""
    console.rule("[bold]A loss divided by the wrong count")
    text = (
        "A cross-entropy is summed over its classes and averaged over its examples. Averaged over both, it is V "
        "times too small. It still falls and nothing crashes, so nobody notices. All of this is measured now, on "
        f"this machine.{' A quick run: short trainings, the same checks.' if quick else ''}"
    )
    console.print(Text(text))
    console.print()
    console.print(Text(story.finding))


def print_story(console: Console, story: Story, lab: Laboratory, settings: Settings) -> None:
    """The fix, one plot and three numbers."""
    for before, after in story.fix:
        console.print(Text(f"-{before}", "red"))
        console.print(Text(f"+{after}", "green"))
    shown = curves(lab, settings)
    console.print()
    console.print(Text(f"Nats per token in {settings.main_steps} steps, V = {settings.shown}:", "bold"))
    width = min(console.width - 8, 64)
    for line in chart({letter: history for letter, (_, history) in shown.items()}, width):
        console.print(Text(line), soft_wrap=True)
    for letter, (name, _) in shown.items():
        console.print(Text(f"     {letter} {name}"))
    kept = {
        optimizer: lab.trained(settings.main(settings.shown, optimizer, "whole shape")).drop
        / lab.trained(settings.main(settings.shown, optimizer, "units")).drop
        for optimizer in ("SGD", "Adam")
    }
    starts = f"is the loss of an untrained model at V = {VOCABULARY}; it should be {short(story.right)}"
    numbers = (
        (short(story.wrong), starts),
        (f"{kept['SGD']:.1%}", "of what SGD learns with the right loss it learns with this one"),
        (f"{kept['Adam']:.1%}", "of it with Adam, which hides the factor until its epsilon shows"),
    )
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column(justify="right", style="bold")
    table.add_column(ratio=1)
    for number, meaning in numbers:
        table.add_row(number, meaning)
    console.print()
    console.print(table)


def print_verdicts(console: Console, claims: list[Claim]) -> None:
    """Each claim with its verdict, in as few lines as that takes."""
    console.print()
    console.rule("[bold]What has been said about it")
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    for claim in claims:
        said = Text(claim.statement)
        if claim.verdict == "holds when":
            said = Text.assemble(claim.statement.rstrip("."), (f" (when {claim.when})", "yellow"))
        table.add_row(Text(claim.verdict, VERDICT_STYLES[claim.verdict]), said)
    console.print(table)
    console.print()


def print_summary(console: Console, exhibition: Exhibition) -> None:
    """What the linter finds in all fixtures, in a few lines."""
    console.print(Text(exhibition.summary))
    if exhibition.left_out:
        console.print(Text(exhibition.left_out, "dim"))


def print_exhibition(console: Console, exhibition: Exhibition) -> None:
    """Each finding with the loss as written, as it should be, and their ratio."""
    console.print()
    console.rule("[bold]What the linter finds, and the factor that running it shows")
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
    if exhibition.left_out:
        console.print(Text(exhibition.left_out, "dim"))


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
    """The same training with both denominators."""
    console.rule("[bold]The same training, divided by the tokens and by the whole shape")
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


def print_parts(console: Console, settings: Settings) -> None:
    """The same batches whole, in micro-batches, and on ranks."""
    console.rule("[bold]The same batch of texts, whole and in parts")
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("", ratio=1)
    for name in ("cosine", "last"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("nats per token", no_wrap=True)
    bars = ASCII_BARS if console.options.ascii_only else BARS
    runs = courses(settings)
    low, high = (f(nats for course in runs.values() for nats in course.nats) for f in (min, max))
    for (name, course), color in zip(runs.items(), ("blue", "red", "green"), strict=True):
        cosine = sum(course.cosines) / len(course.cosines)
        table.add_row(
            name,
            f"{cosine:.2f}",
            f"{course.nats[-1]:.2f}",
            Text(sparkline(course.nats, 16, low, high, bars), color),
        )
    console.print(table)
    laws = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    laws.add_column("how the losses of tokens are added up")
    laws.add_column("does not keep", ratio=1)
    for name, mode in MODES.items():
        laws.add_row(name, ", ".join(law for law, holds in kept(mode).items() if not holds) or "keeps all")
    console.print(laws)
    console.print()


def print_claims(console: Console, claims: list[Claim]) -> None:
    """Claim, measured, verdict."""
    console.rule("[bold]What has been said about it, and what was measured")
    for claim in claims:
        verdict = Text(claim.verdict, VERDICT_STYLES[claim.verdict])
        if claim.verdict == "holds when":
            verdict.append(f" {claim.when}", "yellow")
        table = Table(box=None, show_header=False, padding=(0, 1, 0, 0), pad_edge=False)
        table.add_column(width=9, style="dim")
        table.add_column(ratio=1)
        table.add_row("claim", Text(claim.statement, "bold"))
        table.add_row("from", Text(source(claim), "dim"))
        table.add_row("measured", Text(claim.measured))
        table.add_row("verdict", verdict)
        console.print(Padding(table, (1, 0, 0, 0)))
    console.print()
