"""What a change costs in the playground: `python -m benchmarks.playground`.

It puts the playground together (or takes `--folder`), opens it in headless Chromium and lints 100 lines again and
again, another character each time. Exits with 0 if the linter, in the browser's Python, takes less than the limit.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.editor import module
from docs.playground.assemble import Unreachable, assemble
from tests.chromium import Missing, chromium, served

LIMIT = 100.0  # milliseconds
CHANGES = 50
LINES = 110
"""Two losses, one of them wrong, and six layers: just over a hundred lines."""


def measure(folder: Path, text: str, changes: int) -> tuple[float, Sequence[float]]:
    """The milliseconds until the page has its first verdict, and those of the linter for each change."""
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        served(folder) as address,
        chromium(Path(profile)) as page,
    ):
        page.open(address)
        first: float = page.run("playground.started.then(() => performance.now())")
        page.run("document.getElementById('text').focus()")
        page.run("document.getElementById('text').select()")
        page.call("Input.insertText", text=text)
        page.run("playground.lint()")  # the first one, for which the engine is still cold
        took = []
        for _ in range(changes):
            page.call("Input.insertText", text="#")
            took.append(page.run("playground.lint()"))
        assert page.run("document.querySelectorAll('#findings > li').length") == 1
        return first, took


def main() -> int:
    """Measure, and say how it was."""
    try:
        return run()
    except (Missing, Unreachable) as error:
        print(f"This needs {error}", file=sys.stderr)
        return 1


def run() -> int:
    """Measure and print; 1 if it takes too long."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.playground", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--folder", type=Path, help="a playground that is put together already")
    options = parser.parse_args()
    text = module(LINES)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary) / "playground"
        if options.folder is None:
            assemble(folder)
        first, took = measure(folder, text, CHANGES)
    middle, worst = statistics.median(took), max(took)
    print(f"first verdict after {first:.0f} ms")
    print(f"{text.count(chr(10))} lines again: median {middle:.1f} ms, slowest of {len(took)} {worst:.1f} ms")
    return 0 if middle < LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
