"""What a finding is recognised by from one run to the next, though lines move and messages change."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from batchmean.output import lines_of, portable

if TYPE_CHECKING:
    from batchmean.check import Report
    from batchmean.findings import Finding


_LONGEST = 50  # lines of a finding that count
_WIDEST = 2000  # and characters of each, so that a file of one long line is not read for every finding in it


def fingerprints(report: Report) -> Iterator[tuple[Finding, str]]:
    """Each finding with its fingerprint: of the code, the path and the source, counted where those repeat."""
    seen: Counter[tuple[str, str, str]] = Counter()
    lines_in = lines_of(report)
    for finding in report.findings:
        first = finding.span.line - 1
        lines = lines_in(finding.where)[first : min(finding.span.end_line, first + _LONGEST)]
        source = " ".join(line[:_WIDEST] for line in lines)
        key = (finding.code, portable(finding.path), " ".join(source.split()))
        text = "\0".join([*key, str(seen[key])])
        seen[key] += 1
        yield finding, hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
