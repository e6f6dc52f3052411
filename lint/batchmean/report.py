"""What a run has found, as the formats show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from batchmean.findings import Finding


class FileError(NamedTuple):
    """A file that has no verdict, and why."""

    path: str
    message: str


class Report(NamedTuple):
    """What a run found, in the order of the report. `texts` has what findings count in, by `Finding.where`."""

    findings: list[Finding]
    errors: list[FileError]
    texts: dict[str, str]
    checked: int = 0
    """Files that were read."""
    warnings: list[FileError] = []  # noqa: RUF012 - never changed
    """Files that have more than is read of one, and what that is."""
