"""`batchmean mcp`: the linter as tools for agents, over the Model Context Protocol on standard input and output.

The tools do what the command does, below the folder in which the server was started and nowhere else. None of them
executes what it reads; `laws` does, and is there only where the server was started with `--allow-laws`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import Field

from batchmean import __version__
from batchmean.baseline import Baselines
from batchmean.check import Check
from batchmean.config import ConfigError, Settings, codes_from, rule_names
from batchmean.explain import page
from batchmean.output import printable
from batchmean.output.jsonl import brief, failure
from batchmean.report import Report
from batchmean.rewrite import diff, rewrite, scale_note
from batchmean.rules import EVERY, UNUSED_NOQA
from batchmean.source import legible, read_bytes, write
from batchmean.suggestions import hint

MOST: Final = 100
"""So many findings are told at once."""
PATIENCE: Final = 300
"""Seconds that a loss may take under the laws."""

_INSTRUCTIONS: Final = """\
batchmean finds losses that divide by the wrong count: a cross-entropy, KL or entropy averaged over batch x classes, a
masked loss averaged over its padding, a mean divided by the batch again. Call check on the files that compute losses
after you have written or changed them. Each finding says what is wrong, by what factor, and what to write; fix shows
the rewrite as a diff. A finding that is "likely" rests on names: look at the code before you change it. A loss that is
put right becomes larger by that factor, so its weight or the learning rate may have to follow."""

_READS: Final = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_WRITES: Final = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
)
_RUNS: Final = ToolAnnotations(read_only_hint=False, destructive_hint=True, open_world_hint=True)

Paths = Annotated[list[str], Field(description="files and folders below the server's folder", min_length=1)]
Select = Annotated[str | None, Field(description="codes or their beginnings, with commas: BMN102,BMN2")]
Preview = Annotated[bool, Field(description="also what rules on trial say, which is wrong more often")]


class Tools:
    """What the tools do, below the working directory."""

    def __init__(self) -> None:
        self._root = Path.cwd().resolve()

    def check(
        self,
        paths: Paths,
        select: Select = None,
        preview: Preview = False,
        text: Annotated[
            str | None, Field(description="lint this as the content of the one path, which need not be there")
        ] = None,
    ) -> dict[str, Any]:
        """Find losses that divide by the wrong count in files and folders. Nothing is executed or changed.

        Each finding has `at` (path:line:column), `code`, `message` (what is wrong, by what factor, what to write),
        `confidence` ("proved" by the code or "likely" by names), `because` (the lines that show it) and `fix` ("safe",
        "unsafe", or why there is none). No finding means that the code shows none, not that every loss is right.
        """
        _, report, notes = self._checked(paths, select, preview, text)
        return self._told(report, notes) | {"files": report.checked}

    def explain(
        self, rule: Annotated[str, Field(description="a code (BMN102) or a name (class-axis-mean)")]
    ) -> str:
        """What a rule finds, why it matters with numbers, wrong and right code, and when to silence it."""
        code = rule_names().get(rule.upper()) or rule_names().get(rule.lower())
        if code is None:
            raise ToolError(f"no rule {rule!r}{hint(rule, rule_names())}; the rules are {', '.join(EVERY)}")
        return page(EVERY[code])

    def fix(
        self,
        paths: Paths,
        select: Select = None,
        preview: Preview = False,
        unsafe: Annotated[
            bool,
            Field(
                description="also fixes that need a second look: of likely findings, and of "
                "terms whose balance with others changes"
            ),
        ] = False,
        apply: Annotated[bool, Field(description="write the files; otherwise nothing is changed")] = False,
    ) -> dict[str, Any]:
        """Show as a diff how the losses should be written, and change nothing, unless `apply` is true.

        `fixed` has the findings that the diff settles, `left` those that it leaves, `note` what follows for training.
        """
        check, report, notes = self._checked(paths, select, preview, None)

        def put(path: str, data: bytes) -> None:
            check.refuse_outside(path)
            if apply:
                write(path, data)

        done = rewrite(report, check, read_bytes, put, unsafe=unsafe)
        told = self._told(done.report, notes)
        told["left"] = told.pop("findings")
        losses = [finding for finding in done.fixed if finding.code != UNUSED_NOQA.code]
        if losses:
            told["note"] = scale_note(losses, pending=not apply)
        return {
            "diff": "".join(map(diff, done.changes)),
            "written": [legible(change.path) for change in done.changes] if apply else [],
            "fixed": [brief(finding) for finding in done.fixed],
            **told,
        }

    def laws(
        self,
        function: Annotated[str, Field(description="path/to/file.py:function or package.module:function")],
        arguments: Annotated[
            str, Field(description="what they are, where names do not tell: y=one_hot,logits=logits(B,T,V)")
        ] = "",
        axes: Annotated[str, Field(description="axes of the examples: 'B', per token 'B T'")] = "B",
        framework: Literal["numpy", "torch", "jax"] | None = None,
    ) -> str:
        """EXECUTE a loss function at several sizes and say by what power of the batch, the classes or the positions
        it is off. The module is imported and its code runs, with all that it does."""
        module, colon, _ = function.rpartition(":")
        if colon and module.endswith(".py"):
            self._inside(module)
        command = [sys.executable, "-m", "batchmean", "laws", f"--args={arguments}", f"--axes={axes}"]
        command += [f"--framework={framework}"] if framework else []
        try:
            done = subprocess.run(
                [*command, "--", function],
                cwd=self._root,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ToolError(f"{function} took more than {PATIENCE} seconds") from None
        if done.returncode not in (0, 1) or not done.stdout:
            raise ToolError(done.stderr.strip() or f"ended with {done.returncode}")
        return done.stdout

    def _checked(
        self, paths: Sequence[str], select: str | None, preview: bool, text: str | None
    ) -> tuple[Check, Report, list[str]]:
        """The report as the command would have it, with baselines; what is wrong is said in one line."""
        notes: list[str] = []
        inside = [self._inside(path) for path in paths]
        if text is not None and len(inside) != 1:
            raise ToolError("text is the content of one path")
        try:
            overrides: dict[str, Any] = {"preview": True} if preview else {}
            if select is not None:
                overrides["select"] = codes_from([select], "select")
            settings = Settings(overrides)
            check = Check(settings, fixes=True, warn=notes.append)
            report = check.files(inside) if text is None else check.text(text, inside[0])
            kept = Baselines(settings).new(report)
        except ConfigError as error:
            raise ToolError(str(error)) from None
        return check, check.keep(report, kept), notes

    def _told(self, report: Report, notes: list[str]) -> dict[str, Any]:
        told: dict[str, Any] = {"findings": [brief(finding) for finding in report.findings[:MOST]]}
        if report.findings[MOST:]:
            notes = [*notes, f"{len(report.findings) - MOST} more findings are left out: ask for fewer paths"]
        if report.errors:
            told["errors"] = [failure(error) for error in report.errors]
        if notes:
            told["notes"] = notes
        return told

    def _inside(self, path: str) -> str:
        """The path, if it leads to what is below the folder."""
        whole = self._root / path
        if "\0" in path or not whole.resolve().is_relative_to(self._root):
            place = f"{legible(path)} is not below {legible(str(self._root))}"
            raise ToolError(printable(f"{place}, where this server was started"))
        return os.path.relpath(whole, self._root)


def create_server(*, allow_laws: bool = False) -> MCPServer[Any]:
    """The server with its tools."""
    tools = Tools()
    server: MCPServer[Any] = MCPServer(
        "batchmean", instructions=_INSTRUCTIONS, version=__version__, log_level="ERROR"
    )
    server.tool(title="Find losses that divide by the wrong count", annotations=_READS)(tools.check)
    server.tool(title="Explain a rule", annotations=_READS)(tools.explain)
    server.tool(title="Show or write the fixes", annotations=_WRITES)(tools.fix)
    if allow_laws:
        server.tool(title="Execute a loss and measure it", annotations=_RUNS)(tools.laws)
    return server


def main(*, allow_laws: bool) -> int:
    """Serve one client until it leaves."""
    create_server(allow_laws=allow_laws).run("stdio")
    return 0
