"""The demo: tells the story, runs the fixtures, trains the models, measures the claims, writes what it saw."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from batchmean import __version__
from rich.console import Console
from rich.text import Text

from batchmean_reference.claims import CLAIMS, FULL, QUICK, Claim, Settings
from batchmean_reference.examine import fraction
from batchmean_reference.exhibits import SHOWN, Exhibition, collect, find_fixtures
from batchmean_reference.laboratory import Laboratory, Run
from batchmean_reference.report import (
    print_claims,
    print_exhibition,
    print_opening,
    print_parts,
    print_story,
    print_summary,
    print_training,
    print_verdicts,
    progress_of,
)
from batchmean_reference.story import tell


@dataclass
class Results:
    """Everything that a run of the demo found out."""

    settings: Settings
    lab: Laboratory
    exhibition: Exhibition | None = None  # None where there are no fixtures
    claims: list[Claim] = field(default_factory=list)
    seconds: float = math.nan

    @property
    def samples(self) -> dict[str, str]:
        """Generated text by run, from the claim that compares it."""
        found: dict[str, str] = {}
        for claim in self.claims:
            found.update(claim.figures.get("samples", {}))
        return found


def run_demo(
    console: Console,
    settings: Settings = FULL,
    *,
    everything: bool = False,
    out: Path | None = None,
    fixtures: Path | None = None,
) -> Results:
    """Runs all parts, prints the story in a page, or `everything`, and writes `index.html` and `results.json`.

    Raises `FileNotFoundError` where `fixtures` does not exist, `OSError` where `out` cannot be written.
    """
    began = time.monotonic()
    folder = find_fixtures(fixtures)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)  # before the work, not after it
    results = Results(settings, Laboratory())
    story = tell()
    print_opening(console, story, quick=settings is QUICK)
    if folder is not None:
        results.exhibition = _visit(console, folder, SHOWN[:1] if settings is QUICK else SHOWN)
    _measure(console, results)
    print_story(console, story, results.lab, settings)
    if everything:
        print_training(console, results.lab, results.settings, results.samples)
        print_parts(console, results.settings)
        print_claims(console, results.claims)
    else:
        print_verdicts(console, results.claims)
    if results.exhibition is None:
        console.print(Text(NO_FIXTURES, "yellow"))
    elif everything:
        print_exhibition(console, results.exhibition)
    else:
        print_summary(console, results.exhibition)
    results.seconds = time.monotonic() - began
    if out is not None:
        write(results, out)
        results.seconds = time.monotonic() - began
    console.print(f"{results.seconds:.0f} seconds, {len(results.lab.kept)} training runs.", style="dim")
    if not everything:
        console.print("The measurements behind each line: --all, or the page.", style="dim")
    if out is not None:
        page = (out / "index.html").resolve()
        console.print(
            f"The page, with every number and plot: {page}", highlight=False, markup=False, soft_wrap=True
        )
    return results


NO_FIXTURES = (
    "No fixtures here: they come with the source, not with the installed package. Say where they are with "
    "--fixtures DIR."
)


def _visit(console: Console, folder: Path, shown: Sequence[str]) -> Exhibition:
    with progress_of(console) as progress:
        task = progress.add_task("Running fixtures", detail="")

        def told(name: str, number: int, total: int) -> None:
            progress.update(task, completed=number, total=total, detail=name)

        return collect(folder, told, shown)


def _measure(console: Console, results: Results) -> None:
    with progress_of(console) as progress:
        claims = progress.add_task("Measuring claims", total=len(CLAIMS), detail="")
        steps = progress.add_task("Training", detail="")

        def told(run: Run, step: int) -> None:
            progress.update(steps, completed=step + 1, total=run.steps, detail=run.label)

        results.lab.progress = told
        for measure in CLAIMS:
            progress.update(claims, detail=(measure.__doc__ or "").split("\n")[0])
            results.claims.append(measure(results.lab, results.settings))
            progress.advance(claims)


def write(results: Results, out: Path) -> None:
    """Writes the page and the figures behind it."""
    # Only the page needs matplotlib, which takes a while to import.
    from batchmean_reference.page import page

    (out / "results.json").write_text(json.dumps(as_json(results), indent=2) + "\n", encoding="utf-8")
    (out / "index.html").write_text(page(results), encoding="utf-8")


def as_json(results: Results) -> dict[str, Any]:
    """The results as plain data: numbers that are not finite become null."""
    exhibition = results.exhibition
    plain: dict[str, Any] = _plain(
        {
            "version": 1,
            "tool": f"batchmean {__version__}",
            "seconds": results.seconds,
            "settings": asdict(results.settings),
            "fixtures": None
            if exhibition is None
            else {
                "findings": [
                    {
                        "module": exhibit.module,
                        "function": exhibit.function,
                        "reference": exhibit.twin,
                        "line": exhibit.finding.span.line,
                        "code": exhibit.finding.code,
                        "confidence": exhibit.finding.confidence,
                        "factor": exhibit.finding.factor,
                        "reads": fraction(exhibit.factor),
                        "off": exhibit.off,
                        "measured": [
                            {"sizes": p.sizes, "written": p.written, "right": p.right, "ratio": p.ratio}
                            for p in exhibit.measured
                        ],
                    }
                    for exhibit in exhibition.exhibits
                ],
                "silent": exhibition.silent,
                "alarms": exhibition.alarms,
                "missed": exhibition.missed,
                "skipped": exhibition.skipped,
            },
            "claims": [asdict(claim) for claim in results.claims],
            "runs": [
                {"run": asdict(run), **asdict(trained.history)} for run, trained in results.lab.kept.items()
            ],
        }
    )
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "item"):  # a NumPy number
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return dict(value) if hasattr(value, "keys") else value
