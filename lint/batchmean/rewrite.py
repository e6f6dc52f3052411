"""What `--fix`, `--diff` and `--add-noqa` do with a report: new contents for files, and what is left to say."""

from __future__ import annotations

import ast
import os
import re
import sys
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from batchmean.check import opened, sources
from batchmean.documents.magics import EVERY
from batchmean.noqa import Noqa
from batchmean.report import FileError, Report
from batchmean.source import BOM, NOTEBOOKS, SourceError, apply, decode, encoding_of, legible
from batchmean.syntax import parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchmean.check import Check
    from batchmean.findings import Edit, Finding

TOTALS: Final = frozenset(("BMN501", "BMN502"))
"""What is told of the figure of an epoch, which trains nothing."""
_TRIES: Final = 8
"""How often the fixes of one file are applied and it is analysed again, however large it is."""
_MOST_TRIES: Final = 50
_CHARACTERS: Final = 400_000  # that are analysed beyond the first tries
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_NAMED = 3  # places that the note about the scale names
_ATTEMPTS = 64  # at finding the comments that would make other code
_CONTEXT = 3  # lines around a change in a diff
_REACH = 40  # lines in which a change ends, or is taken to reach to the last one


class Change(NamedTuple):
    """A file before and after."""

    path: str
    before: bytes
    after: bytes


class Rewriting(NamedTuple):
    """The new contents, the findings that they settle, the report on what remains, and what could not be written."""

    changes: list[Change]
    fixed: list[Finding]
    report: Report
    unwritten: frozenset[str]


def rewrite(
    report: Report,
    check: Check,
    get: Callable[[str], bytes],
    put: Callable[[str, bytes], None],
    *,
    unsafe: bool,
) -> Rewriting:
    """Apply the fixes of a report: `get` has the bytes of a file, `put` takes the new ones."""
    return _settle(report, get, put, partial(_rewritten, check=check, unsafe=unsafe))


def add_noqa(report: Report, get: Callable[[str], bytes], put: Callable[[str, bytes], None]) -> Rewriting:
    """Silence the findings of a report by comments in the files."""
    return _settle(report, get, put, _with_noqa)


def _settle(
    report: Report,
    get: Callable[[str], bytes],
    put: Callable[[str, bytes], None],
    settle: Callable[[bytes, list[Finding], str], tuple[bytes, list[Finding], list[Finding]]],
) -> Rewriting:
    """`settle` has the new bytes of a file, and which of its findings they settle and which are left."""
    changes: list[Change] = []
    fixed: list[Finding] = []
    remaining: list[Finding] = []
    texts, errors = dict(report.texts), list(report.errors)
    by_path: dict[str, list[Finding]] = {}
    for finding in report.findings:
        by_path.setdefault(finding.path, []).append(finding)
    targets: set[str] = set()  # files that are done; a link to one of them is the same file
    unwritten: set[str] = set()
    for path, findings in by_path.items():
        if os.path.realpath(path) in targets:
            continue
        try:
            before = get(path)
            found_in = _sources(before, path)
            if any(found_in.get(where) != report.texts[where] for where in {f.where for f in findings}):
                raise SourceError(path, "has changed since it was read")
            after, done, left = settle(before, findings, path)
            if done:
                put(path, after)
        except SourceError as error:
            errors.append(FileError(path, error.message))
            unwritten.add(path)
            remaining += findings
            continue
        if done:
            targets.add(os.path.realpath(path))
            changes.append(Change(path, before, after))
            texts |= _sources(after, path)  # for excerpts
        fixed += done
        remaining += left
    remaining.sort(key=lambda finding: finding.sort_key)
    errors.sort(key=lambda error: error.path)
    left_over = Report(remaining, errors, texts, report.checked, report.warnings)
    return Rewriting(changes, fixed, left_over, frozenset(unwritten))


def _rewritten(
    data: bytes, findings: list[Finding], path: str, *, check: Check, unsafe: bool
) -> tuple[bytes, list[Finding], list[Finding]]:
    """The file with its fixes applied, what they fixed, and what is left."""
    fixed: list[Finding] = []
    attempt: list[Finding] = []
    for _ in range(min(_TRIES + _CHARACTERS // (len(data) + 1), _MOST_TRIES)):
        if not attempt:
            attempt = apart([f for f in findings if f.fix is not None and (f.fix.safe or unsafe)])
        if not attempt:
            break
        if step := _applied(data, findings, attempt, path, check):
            data, findings = step
            fixed += attempt
            attempt = []
        elif len(attempt) > 1:  # each fix is known to hold by itself, but they do not hold together
            attempt = attempt[: len(attempt) // 2]
        else:
            break
    return data, fixed, findings


def _with_noqa(data: bytes, findings: list[Finding], path: str) -> tuple[bytes, list[Finding], list[Finding]]:
    """The file with `# noqa` comments where it has findings, and those that no comment can silence."""
    by_line: dict[int, list[Finding]] = {}
    code = _Code(decode(data, path), path)
    for finding in findings:
        by_line.setdefault(code.noqa.last_line(code.line(finding)), []).append(finding)
    hopeful = [
        group
        for group in by_line.values()
        if code.noqa.is_in_comment(code.noqa.addition([group[0].code], code.line(group[0])))
    ]
    good = _silent(data, hopeful, path, iter(range(_ATTEMPTS)))
    silenced = _silenced(data, good, path)
    if silenced is None or silenced[1] != good:
        return data, [], findings
    done = {id(finding) for group in good for finding in group}
    return (
        silenced[0],
        [finding for finding in findings if id(finding) in done],
        [finding for finding in findings if id(finding) not in done],
    )


def _silent(
    data: bytes, groups: list[list[Finding]], path: str, attempts: Iterator[int]
) -> list[list[Finding]]:
    """Those of the groups that comments can silence, by halves where one of them would make other code."""
    if not groups or next(attempts, None) is None:
        return []
    silenced = _silenced(data, groups, path)
    if silenced is not None:
        return silenced[1]
    if len(groups) == 1:
        return []
    half = len(groups) // 2
    return [*_silent(data, groups[:half], path, attempts), *_silent(data, groups[half:], path, attempts)]


def _silenced(
    data: bytes, groups: list[list[Finding]], path: str
) -> tuple[bytes, list[list[Finding]]] | None:
    """The file with a comment for each group, and the groups that are silent then; None if it is other code."""
    before = _Code(decode(data, path), path)
    edits = []
    for group in groups:
        codes = sorted({finding.code for finding in group})
        edits.append(before.in_file(before.noqa.addition(codes, before.line(group[0]))))
    after = edited(data, [edit for edit in edits if edit is not None], path)
    then = _Code(decode(after, path), path)
    try:
        is_same_code = ast.dump(parse(before.text)) == ast.dump(parse(then.text))
    except (ValueError, RecursionError):
        return None
    if not is_same_code:
        return None
    return after, [group for group in groups if all(then.noqa.silences(f.code, then.line(f)) for f in group)]


class _Code:
    """The Python of a file, or in it."""

    def __init__(self, content: str, path: str) -> None:
        self._document = opened(content, path, EVERY)  # where something is found is Python
        self.text = content if self._document is None else self._document.text
        self.noqa = Noqa(self.text)

    def line(self, finding: Finding) -> int:
        """The finding's line in the text."""
        line = finding.span.line
        return line if self._document is None else self._document.line(finding.cell, line)

    def in_file(self, edit: Edit) -> Edit | None:
        """An edit of the text as one of the file."""
        return edit if self._document is None else self._document.edit(edit)


def _applied(
    data: bytes, findings: list[Finding], chosen: list[Finding], path: str, check: Check
) -> tuple[bytes, list[Finding]] | None:
    """The file after some fixes, and its findings then; None if these are not the others."""
    after = edited(data, [edit for f in chosen if f.fix for edit in f.fix.edits], path)
    try:
        left = check.again(decode(after, path), path)
    except ValueError:
        return None
    allowed = Counter(f.code for f in findings) - Counter(f.code for f in chosen)
    return (after, left) if Counter(f.code for f in left) <= allowed else None


def apart(findings: Sequence[Finding], *, by_line: bool = False) -> list[Finding]:
    """Those whose fixes touch none of one before them; `by_line`, not even a line of it.

    In a line that a fix changes it has what is between its edits and what the finding is about, too.
    """
    chosen: list[Finding] = []
    taken: dict[tuple[int | None, int], list[tuple[int, int]]] = {}
    for finding in findings:
        own = _columns(finding)
        if all(_is_free(taken.get(line, []), *((0, sys.maxsize) if by_line else own[line])) for line in own):
            chosen.append(finding)
            for line, columns in own.items():
                insort(taken.setdefault(line, []), columns)
    return chosen


def _columns(finding: Finding) -> dict[tuple[int | None, int], tuple[int, int]]:
    """From where to where a fix, or what it mends, goes in each line that it changes."""
    edits = finding.fix.edits if finding.fix is not None else ()
    lines = {(e.cell, line) for e in edits for line in range(e.span.line, e.span.end_line + 1)}
    spans = [*((e.cell, e.span) for e in edits), (finding.cell, finding.span)]
    found: dict[tuple[int | None, int], tuple[int, int]] = {}
    for cell, span in spans:
        for line in range(span.line, span.end_line + 1):
            if (cell, line) in lines:
                first = span.column if line == span.line else 0
                last = span.end_column if line == span.end_line else sys.maxsize
                before = found.get((cell, line), (first, last))
                found[cell, line] = min(first, before[0]), max(last, before[1])
    return found


def _is_free(taken: list[tuple[int, int]], first: int, last: int) -> bool:
    """Does none of these touch this one? They are in order, and do not touch each other."""
    at = bisect_left(taken, (first, last))
    return (at == 0 or taken[at - 1][1] < first) and (at == len(taken) or taken[at][0] > last)


def diff(change: Change) -> str:
    """The change as a unified diff that `patch -p0` applies; that of a notebook is one of each cell, to be read."""
    if change.path.endswith(NOTEBOOKS):
        return _diff_of_cells(_sources(change.before, change.path), _sources(change.after, change.path))
    before, after = (_LINE.findall(_raw(data, change.path)) for data in (change.before, change.after))
    return "".join(_ended(_unified(before, after, change.path)))


def _diff_of_cells(before: dict[str, str], after: dict[str, str]) -> str:
    """As ruff has it: the header names the cell, and that its last line is not ended goes without saying."""
    lines: list[str] = []
    for where, source in before.items():
        old, new = ([f"{line}\n" for line in text.split("\n")] for text in (source, after[where]))
        lines += _unified(old, new, where)
    return "".join(lines)


def _unified(before: Sequence[str], after: Sequence[str], name: str) -> Iterator[str]:
    """A unified diff. That of Python's library takes the cube of the lines in time, where lines are alike."""
    hunks: list[list[tuple[int, int, int, int]]] = []
    for change in differences(before, after):
        if hunks and change[0] - hunks[-1][-1][1] <= 2 * _CONTEXT:
            hunks[-1].append(change)
        else:
            hunks.append([change])
    name = legible(name)
    if hunks:
        yield f"--- {_quoted(name)}\n"
        yield f"+++ {_quoted(name)}\n"
    for hunk in hunks:
        lead = min(_CONTEXT, hunk[0][0])
        trail = min(_CONTEXT, len(before) - hunk[-1][1])
        old = _range(hunk[0][0] - lead, hunk[-1][1] + trail)
        new = _range(hunk[0][2] - lead, hunk[-1][3] + trail)
        yield f"@@ -{old} +{new} @@\n"
        at = hunk[0][0] - lead
        for start, end, new_start, new_end in hunk:
            yield from (f" {line}" for line in before[at:start])
            yield from (f"-{line}" for line in before[start:end])
            yield from (f"+{line}" for line in after[new_start:new_end])
            at = end
        yield from (f" {line}" for line in before[at : at + trail])


def _range(start: int, end: int) -> str:
    """Lines from `start`, counted from 0, to before `end`, as a hunk names them."""
    length = end - start
    if length == 1:
        return str(start + 1)
    return f"{start + 1 if length else start},{length}"


def differences(before: Sequence[str], after: Sequence[str]) -> Iterator[tuple[int, int, int, int]]:
    """Where lines differ: from and to before which line, in each of two texts.

    In one pass, since the changes are few and small: a change ends where the next three lines agree.
    """
    at, new_at = 0, 0
    while at < len(before) or new_at < len(after):
        if before[at : at + 1] == after[new_at : new_at + 1]:
            at += 1
            new_at += 1
            continue
        end, new_end = _agreement(before, after, at, new_at)
        yield at, end, new_at, new_end
        at, new_at = end, new_end


def _agreement(before: Sequence[str], after: Sequence[str], at: int, new_at: int) -> tuple[int, int]:
    """The next lines from which two texts agree."""
    for distance in range(1, 2 * _REACH):
        for old in range(max(distance - _REACH, 0), min(distance, _REACH) + 1):
            end, new_end = at + old, new_at + distance - old
            if end <= len(before) and new_end <= len(after):
                if before[end : end + 3] == after[new_end : new_end + 3]:
                    return end, new_end
    end, new_end = len(before), len(after)
    while end > at and new_end > new_at and before[end - 1] == after[new_end - 1]:
        end -= 1
        new_end -= 1
    return end, new_end


def _quoted(name: str) -> str:
    """The name of a file as git and patch have it in a header: in quotes, if anything in it could mislead."""
    if name.isprintable() and not set(name) & {'"', "\\"}:
        return name
    shown = (f"\\{char}" if char in '"\\' else char if char.isprintable() else _octal(char) for char in name)
    return f'"{"".join(shown)}"'


def _octal(char: str) -> str:
    raw = "\udc80" <= char <= "\udcff"  # a byte of a name that is no text
    data = bytes([ord(char) - 0xDC00]) if raw else char.encode("utf-8", "surrogatepass")
    return "".join(f"\\{byte:03o}" for byte in data)


def _sources(data: bytes, path: str) -> dict[str, str]:
    """What the findings in a file count in, by `Finding.where`."""
    return sources(decode(data, path), path)


def _raw(data: bytes, path: str) -> str:
    """The text with its own line ends."""
    text = decode(data, path)
    ends = re.findall(r"\r\n|\r|\n", data.decode("latin-1")) if b"\r" in data else []
    if not ends or len(ends) != text.count("\n"):
        return text
    return "".join(line + end for line, end in zip(text.split("\n"), [*ends, ""], strict=True))


def _ended(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def scale_note(fixed: Sequence[Finding], *, pending: bool) -> str:
    """What the fixes do to the training."""
    places: dict[str, list[str]] = {}
    for finding in fixed:
        places.setdefault(_growth(finding), []).append(f"{legible(finding.where)}:{finding.span.line}")
    parts = [
        f"{growth} ({', '.join(where[:_NAMED])}{f' and {len(where) - _NAMED} more' if where[_NAMED:] else ''})"
        for growth, where in places.items()
    ]
    count = f"{len(fixed)} finding{'s' if len(fixed) > 1 else ''}"
    return (
        f"{'would fix' if pending else 'fixed'} {count}: the loss and its gradient become {'; '.join(parts)}; "
        "to train as before, change the learning rate (plain SGD) or the weight of the term the other way"
    )


def total_note(fixed: Sequence[Finding], *, pending: bool) -> str:
    """What the fixes do to the figures of an epoch."""
    count = f"{len(fixed)} total{'s' if len(fixed) > 1 else ''}"
    return (
        f"{'would fix' if pending else 'fixed'} {count} of batches: the figure becomes the mean over all examples; "
        "what was logged before, and thresholds that were set by it, do not compare with it"
    )


def _growth(finding: Finding) -> str:
    """What the fix does to the loss: `10 times larger`, `V times larger`, `B times smaller`, `V/B times as large`."""
    from batchmean.engine.events import fraction

    factor = finding.factor
    if not factor:
        return "smaller by a count" if finding.code == "BMN304" else "V times larger"
    larger = [name for name, power in factor.items() if power < 0]
    if not larger:
        return f"{fraction(factor)} times smaller"
    size = (finding.known_sizes or {}).get(larger[0]) if len(factor) == 1 else None
    inverse = fraction({name: -power for name, power in factor.items()})
    # A batch may hold more examples than there are classes, but no more valid positions than positions.
    is_larger = all(power < 0 for power in factor.values()) or "n_valid" in factor
    return f"{size or inverse} times {'larger' if is_larger else 'as large'}"


def edited(data: bytes, edits: Iterable[Edit], path: str) -> bytes:
    """The bytes of a file after edits of its text: byte order mark, encoding, line ends and the rest are kept."""
    encoding = encoding_of(data, path)
    mark = BOM if data.startswith(BOM) else b""
    try:
        text = data[len(mark) :].decode(encoding)
        if mark + text.encode(encoding) != data:
            raise ValueError
        if path.endswith(NOTEBOOKS):
            from batchmean.documents.notebook import Literals

            return mark + Literals(text).edited(edits).encode(encoding)
        return mark + apply(text, edits).encode(encoding)
    except Exception:  # codecs raise what they like
        raise SourceError(path, f"cannot be written back as {encoding}, so it is left as it is") from None
