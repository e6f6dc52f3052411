"""What a finding is recognised by from one run to the next, though lines move and messages change."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from batchmean.output import portable

if TYPE_CHECKING:
    from batchmean.check import Report
    from batchmean.findings import Finding


def fingerprints(report: Report) -> Iterator[tuple[Finding, str]]:
    """Each finding with its fingerprint: of the code, the path and the source, counted where those repeat."""
    seen: Counter[tuple[str, str, str]] = Counter()
    for finding in report.findings:
        lines = report.texts[finding.where].split("\n")[finding.span.line - 1 : finding.span.end_line]
        key = (finding.code, portable(finding.path), " ".join(" ".join(lines).split()))
        text = "\0".join([*key, str(seen[key])])
        seen[key] += 1
        yield finding, hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
