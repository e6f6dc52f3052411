"""What `batchmean check --fix` does, as a codemod: `python -m libcst.tool codemod -x batchmean.codemod.Fix PATH`.

Settings, modules of the project and the way in which fixes are proved to hold together are those of the command.
"""

from __future__ import annotations

import argparse

import libcst as cst
from libcst.codemod import CodemodCommand, CodemodContext

from batchmean.check import Check
from batchmean.config import ConfigError, Settings, codes_from
from batchmean.rewrite import rewrite
from batchmean.source import legible


def _codes(text: str) -> tuple[str, ...]:
    try:
        return codes_from([text], "--select")
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


class Fix(CodemodCommand):
    """Put the losses of a file right, and warn of what is left."""

    DESCRIPTION = "Puts losses right that divide by the wrong count."

    @staticmethod
    def add_args(arg_parser: argparse.ArgumentParser) -> None:
        """Add what `batchmean check` calls the same."""
        add = arg_parser.add_argument
        add("--select", type=_codes, metavar="CODES", help="only these: codes or their beginnings")
        add("--preview", action="store_true", help="rules that are still on trial, too")
        add("--unsafe-fixes", action="store_true", help="also likely findings, and terms beside others")

    def __init__(
        self,
        context: CodemodContext,
        select: tuple[str, ...] | None = None,
        preview: bool = False,
        unsafe_fixes: bool = False,
    ) -> None:
        """Take what the command line says."""
        super().__init__(context)
        given = {"select": select, "preview": preview or None}
        self._overrides = {name: value for name, value in given.items() if value is not None}
        self._unsafe = unsafe_fixes

    def transform_module_impl(self, tree: cst.Module) -> cst.Module:
        """The file as fixed; the same tree where there is nothing to fix."""
        name = self.context.filename or "<source>"
        data = tree.bytes
        try:
            check = Check(Settings(self._overrides), fixes=True, warn=self.warn)
            report = check.text(data, name)
            done = rewrite(report, check, lambda _: data, lambda *_: None, unsafe=self._unsafe)
        except ConfigError as problem:
            self.warn(str(problem))
            return tree
        for error in done.report.errors:
            self.warn(f"{legible(error.path)}: {error.message}")
        for left in done.report.findings:
            self.warn(
                f"{legible(left.where)}:{left.span.line}:{left.span.column}: {left.code} {left.message}"
            )
        if not done.changes:
            return tree
        return cst.parse_module(done.changes[0].after)
