"""`%load_ext batchmean`: what is wrong in a loss is said under the cell that has just been run.

The cells that were run in this session are read as one file, in the order in which they were run last, so names carry
from one to the next. Nothing is executed beyond what the user runs. `%batchmean off` silences it until `%batchmean on`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from batchmean.check import Check
from batchmean.config import ConfigError, Settings

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionResult, InteractiveShell

    from batchmean.findings import Because, Finding

NAME: Final = "notebook.ipynb"
"""A kernel does not know what its notebook is called: settings for this name hold."""
_MOST: Final = 200_000
"""Characters of cells that are remembered; the oldest are forgotten beyond that."""
_SPECIAL: Final = "_batchmean_watch"


class Ran(NamedTuple):
    """A cell that was run."""

    number: int
    """What stands in the brackets beside it: `In [3]`."""
    source: str


class Watch:
    """Looks at each cell after it was run."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._ran: dict[object, Ran] = {}
        self._shown: set[tuple[str, str]] = set()
        self._complaint = ""
        self.is_on = True

    def look(self, result: ExecutionResult) -> None:
        """Take in a cell, and say what is found in it, or by what it shows of the cells before."""
        info = result.info
        if info is None or not info.store_history or result.error_before_exec is not None:
            return
        key = getattr(info, "cell_id", None) or object()
        self._ran.pop(key, None)
        self._ran[key] = Ran(result.execution_count or 0, info.raw_cell)
        while sum(len(ran.source) for ran in self._ran.values()) > _MOST and len(self._ran) > 1:
            del self._ran[next(iter(self._ran))]
        if self.is_on:
            try:
                self._tell()
            except Exception as error:  # or IPython would print a traceback under every cell
                self._complain(f"internal error: {type(error).__name__}: {error}; please report it")

    def _tell(self) -> None:
        ran = [*self._ran.values()]
        cells = [{"cell_type": "code", "source": each.source} for each in ran]
        try:
            check = Check(Settings(), warn=lambda message: None)
            report = check.text(json.dumps({"cells": cells}), str(Path.cwd() / NAME))
        except ConfigError as problem:
            self._complain(str(problem))
            return
        for warning in report.warnings:
            self._complain(f"what was run {warning.message}")
        for finding in report.findings:
            assert finding.cell is not None
            key = (ran[finding.cell - 1].source, f"{finding.code} {finding.span}")
            if finding.cell == len(ran) or key not in self._shown:
                self._shown.add(key)
                print("\n".join(self._lines(finding, ran)))

    def _lines(self, finding: Finding, ran: list[Ran]) -> list[str]:
        place = f"line {finding.span.line}" if finding.cell == len(ran) else self._place(finding, ran)
        sure = "" if finding.confidence == "proved" else " (likely: this rests on names)"
        found = [f"batchmean: {place}: {finding.code} {finding.message}{sure}"]
        for because in finding.because:
            is_here = because.cell == len(ran)
            found.append(
                f"    {f'line {because.line}' if is_here else self._place(because, ran)}: {because.text}"
            )
        return found

    def _place(self, what: Finding | Because, ran: list[Ran]) -> str:
        line = what.line if hasattr(what, "line") else what.span.line
        number = ran[(what.cell or len(ran)) - 1].number
        return f"In [{number}] line {line}"

    def _complain(self, message: str) -> None:
        """Say it once, until something else is to be said."""
        if message != self._complaint:
            self._complaint = message
            print(f"batchmean: {message}")

    def switch(self, line: str) -> None:
        """`%batchmean off`, `%batchmean on`."""
        wanted = line.strip().lower()
        if wanted not in ("on", "off"):
            print(f"batchmean is {'on' if self.is_on else 'off'}; say %batchmean on or %batchmean off")
            return
        self.is_on = wanted == "on"


def load(shell: InteractiveShell) -> None:
    """Begin to look at what is run."""
    watch = Watch(shell)
    shell.events.register("post_run_cell", watch.look)
    shell.register_magic_function(watch.switch, "line", "batchmean")
    shell.meta[_SPECIAL] = watch


def unload(shell: InteractiveShell) -> None:
    """End that."""
    watch: Any = shell.meta.pop(_SPECIAL, None)
    if watch is not None:
        shell.events.unregister("post_run_cell", watch.look)
        shell.magics_manager.magics["line"].pop("batchmean", None)
