"""Coverage-guided fuzzing of the path from bytes to findings and fixes. Not a test: it runs for as long as it is let.

    pip install atheris
    python -m tests.robustness.fuzz FOLDER [-max_total_time=3600 and other options of libFuzzer]

The corpus is kept in FOLDER/corpus and starts with the fixtures; every different failure is written to
FOLDER/failures, the input beside its traceback, and the run goes on.
"""

from __future__ import annotations

import hashlib
import sys
import time
import traceback
from pathlib import Path

import atheris

from tests.robustness.mutation import excerpts, mutate

with atheris.instrument_imports(include=["batchmean"]):
    import batchmean.check
    import batchmean.fixes
    import batchmean.linter
    import batchmean.noqa
    import batchmean.source

_LONG = 5.0
"""Seconds of CPU after which an input counts as a failure."""


class _Failures:
    """Failures, one for each place that raises."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, data: bytes, name: str, report: str) -> None:
        path = self._folder / name
        if not path.with_suffix(".txt").exists():
            path.with_suffix(".py").write_bytes(data)
            path.with_suffix(".txt").write_text(report, encoding="utf-8")
            print(f"failure: {path}\n{report}", file=sys.stderr, flush=True)


def lint_bytes(data: bytes, *, fixes: bool) -> None:
    """What the command does with one file. Whatever it raises is a bug."""
    try:
        text = batchmean.source.decode(data, "fuzzed.py")
        tree = batchmean.check.parse(text)
    except (batchmean.source.SourceError, ValueError):
        return
    noqa = batchmean.noqa.Noqa(text)
    lines = text.split("\n")
    for finding in batchmean.linter.lint(text, "fuzzed.py", tree=tree, fixes=fixes):
        noqa.silences(finding.code, finding.span.line)
        assert 1 <= finding.span.line <= finding.span.end_line <= len(lines)
        assert 1 <= finding.span.column <= len(lines[finding.span.line - 1]) + 1
        assert "internal error" not in (finding.no_fix or ""), finding.no_fix


def main() -> None:
    """Fuzz until libFuzzer is told to stop."""
    folder = Path(sys.argv[1])
    failures = _Failures(folder / "failures")
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(excerpts()):
        (corpus / f"excerpt-{number}").write_text(text, encoding="utf-8")

    def one_input(data: bytes) -> None:
        started = time.process_time()
        try:
            lint_bytes(data, fixes=hashlib.sha256(data).digest()[0] < 16)
        except Exception as error:
            cause = error.__cause__ or error
            frames = traceback.extract_tb(cause.__traceback__)
            last = next((f for f in reversed(frames) if "batchmean" in f.filename), frames[-1])
            name = f"{type(cause).__name__}-{Path(last.filename).stem}-{last.lineno}"
            failures.add(data, name, "".join(traceback.format_exception(cause)))
        taken = time.process_time() - started
        if taken > _LONG:
            failures.add(data, f"slow-{hashlib.sha256(data).hexdigest()[:8]}", f"{taken:.1f} s of CPU")

    def changed(data: bytes, max_size: int, seed: int) -> bytes:
        if seed % 10 == 0:
            return bytes(atheris.Mutate(data, max_size))
        return mutate(data.decode("utf-8", "replace"), seed).encode("utf-8", "replace")[:max_size]

    atheris.Setup([sys.argv[0], str(corpus), *sys.argv[2:]], one_input, custom_mutator=changed)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
