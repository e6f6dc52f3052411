"""JUnit's XML, which CI servers show as tests: one suite per file, one failed case per finding."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from batchmean.output import portable, printable

if TYPE_CHECKING:
    from batchmean.findings import Finding
    from batchmean.report import FileError, Report

_CLEAN = """\
  <testsuite name="batchmean" tests="1" failures="0" errors="0">
    <testcase classname="batchmean" name="no findings"/>
  </testsuite>
"""  # servers take a report without any case for a broken one


def render(report: Report) -> str:
    """A document in ASCII, so that it is whole whatever the encoding of the output."""
    counts = _counts(len(report.findings), len(report.errors))
    suites = (
        "".join([*_suites(report), *map(_unchecked, report.errors), *map(_unread, report.warnings)]) or _CLEAN
    )
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="batchmean"{counts}>\n'
    return f"{head}{suites}</testsuites>\n".encode("ascii", "xmlcharrefreplace").decode("ascii")


def _suites(report: Report) -> Iterator[str]:
    for path, findings in groupby(report.findings, key=lambda finding: finding.path):
        cases = [_case(finding) for finding in findings]
        yield _suite(path, _counts(len(cases), 0), "".join(cases))


def _case(finding: Finding) -> str:
    cell = "" if finding.cell is None else f"cell {finding.cell}:"
    place = f"{cell}{finding.span.line}:{finding.span.column}"
    text = [f"{portable(finding.path)}:{place}: {finding.code} {finding.message}"]
    for because in finding.because:
        other = "" if because.cell == finding.cell else f"cell {because.cell}, "
        text.append(f"because: {other}line {because.line}: {because.text}")
    name = f"{finding.code} {finding.name} at {place}"
    failure = (
        f"<failure{_attributes(message=finding.message, type=finding.confidence)}>{_text(text)}</failure>"
    )
    return _testcase(finding.path, name, failure, line=str(finding.region.line))


def _unchecked(error: FileError) -> str:
    body = f"<error{_attributes(message=error.message, type='unchecked')}/>"
    return _suite(error.path, _counts(0, 1), _testcase(error.path, "could be checked", body))


def _unread(warning: FileError) -> str:
    body = f"<system-out>{_text([warning.message])}</system-out>"
    return _suite(warning.path, _counts(0, 0), _testcase(warning.path, "what was read of it", body))


def _suite(path: str, counts: str, cases: str) -> str:
    return f"  <testsuite{_attributes(name=portable(path))}{counts}>\n{cases}  </testsuite>\n"


def _testcase(path: str, name: str, body: str, **more: str) -> str:
    file = portable(path)
    attributes = _attributes(classname=file, name=name, file=file, **more)
    return f"    <testcase{attributes}>\n      {body}\n    </testcase>\n"


def _counts(failures: int, errors: int) -> str:
    tests = max(failures + errors, 1)
    return _attributes(tests=str(tests), failures=str(failures), errors=str(errors))


def _attributes(**values: str) -> str:
    return "".join(f" {name}={quoteattr(printable(value))}" for name, value in values.items())


def _text(lines: list[str]) -> str:
    return escape("\n".join(map(printable, lines)))
