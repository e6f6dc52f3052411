"""Coverage-guided fuzzing. Not a test: it runs for as long as it is let.

    pip install atheris
    python -m tests.robustness.fuzz FOLDER [TARGET] [-max_total_time=600 ...]

Options are libFuzzer's.

`lint` is the path from bytes to findings and fixes; `fixes` asks whether a fix is the one that it would be if no other
were tried with it; `documents` is the path from notebooks and Markdown to reports and back to edits; `patterns` is what
git ignores and what settings exclude; `settings` is a pyproject.toml; `messages` is what the server is sent, as bytes,
and `conversations` what it does about it. `runs` (a folder with its settings), `epochs`, `baselines`, `since`,
`functions`, `archives` and `tools` are in `fuzz_runs`. The corpus is kept in FOLDER/corpus and starts with the
fixtures; every different failure is written to FOLDER/failures, the input beside its traceback, and the run goes on.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import random
import re
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import atheris

from tests.robustness.mutation import excerpts, mutate

with atheris.instrument_imports(include=["batchmean"]):
    import batchmean.check
    import batchmean.config
    import batchmean.documents
    import batchmean.fixes
    import batchmean.gitignore
    import batchmean.globs
    import batchmean.linter
    import batchmean.noqa
    import batchmean.output
    import batchmean.report
    import batchmean.rewrite
    import batchmean.rules
    import batchmean.server.features
    import batchmean.server.inbox
    import batchmean.server.language_server
    import batchmean.source
    import batchmean.syntax
    from batchmean.findings import Finding, Span
    from batchmean.fixes import search

    from tests.robustness import fuzz_runs

_ALONE = search.ALONE
_FOLDER = tempfile.TemporaryDirectory()
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
        tree = batchmean.syntax.parse(text)
    except (batchmean.source.SourceError, ValueError):
        return
    noqa = batchmean.noqa.Noqa(text)
    lines = text.split("\n")
    for finding in batchmean.linter.lint(text, "fuzzed.py", tree=tree, fixes=fixes):
        noqa.silences(finding.code, finding.span.line)
        assert 1 <= finding.span.line <= finding.span.end_line <= len(lines)
        assert 1 <= finding.span.column <= len(lines[finding.span.line - 1]) + 1
        assert "internal error" not in (finding.no_fix or ""), finding.no_fix


def fixes_of_bytes(data: bytes) -> None:
    """Every fix is the one that it would be by itself, also where all of a part are tried together."""
    try:
        text = batchmean.source.decode(data, "fuzzed.py")
        tree = batchmean.syntax.parse(text)
    except (batchmean.source.SourceError, ValueError):
        return
    found = batchmean.linter.lint(text, "fuzzed.py", tree=tree, fixes=True)
    search.ALONE = 0
    try:
        crowded = batchmean.linter.lint(text, "fuzzed.py", tree=tree, fixes=True)
    finally:
        search.ALONE = _ALONE
    for index, finding in enumerate(found):
        assert "internal error" not in (finding.no_fix or ""), finding.no_fix
        place = (finding.code, finding.span)

        def is_it(other: Finding, place: tuple[str, Span] = place) -> bool:
            return (other.code, other.span) == place

        alone = batchmean.linter.lint(text, "fuzzed.py", tree=tree, fixes=is_it)[index]
        assert finding.fix == alone.fix, (finding, alone)
        # Where many are tried together one may be refused for what is beside it, but none is offered for that.
        assert crowded[index].fix in (alone.fix, None), (crowded[index], alone)


def document_of_bytes(data: bytes) -> None:
    """What the command does with a notebook or Markdown, up to the report, a patch and the comments."""
    path = "fuzzed.ipynb" if data[:1] in (b"{", b"[") else "fuzzed.md"
    try:
        text = batchmean.source.decode(data, path)
        document = batchmean.documents.Document(text, path)
    except batchmean.source.SourceError:
        return
    try:
        found = batchmean.linter.lint(document.text, path)
    except (SyntaxError, ValueError, RecursionError):
        return
    report = batchmean.report.Report([document.mapped(f) for f in found], [], document.sources)
    for output_format in batchmean.output.FORMATS:
        batchmean.output.render(report, output_format)
    after: list[bytes] = []
    done = batchmean.rewrite.add_noqa(report, lambda _: data, lambda _, new: after.append(new))
    for change in done.changes:
        batchmean.rewrite.diff(change)
        assert not after or batchmean.source.decode(after[-1], path)


def patterns_of_bytes(data: bytes) -> None:
    """The first line is a path, the others are patterns. A matcher that tries everything must say the same."""
    name, _, lists = data.replace(b"\0", b"").partition(b"\n")
    try:
        one = batchmean.gitignore._List("/", lists)
    except ValueError:
        return
    folder, _, last = name.strip(b"/").rpartition(b"/")
    place = folder + b"/" if folder else b""
    for is_folder in (False, True):
        expected = None
        for line in lists.removeprefix(b"\xef\xbb\xbf").split(b"\n"):
            pattern = batchmean.gitignore._parsed(line.removesuffix(b"\r"))
            if pattern is None or (pattern.only_folders and not is_folder):
                continue
            parts = batchmean.gitignore._translated(pattern.glob, paths=not pattern.of_names)
            assert parts is not None
            if len(name) < 40 and parts.count(b"[^/]*") < 6:
                text = last if pattern.of_names else place + last
                if re.fullmatch(b"".join(parts), text, re.DOTALL):
                    expected = pattern.ignores
            else:
                return
        assert one.verdict(place, last, is_folder) == expected
    texts = lists.decode("utf-8", "replace").split("\n")
    globs = [batchmean.globs.Glob(text, "/root") for text in texts if text.strip("./ ")]
    path = "/root/" + name.decode("utf-8", "replace")
    together = batchmean.globs.Globs(globs).matches(path)
    assert together == any(glob.matches(path) for glob in globs)


def messages_of_bytes(data: bytes) -> None:
    """Whatever comes, it is read to its end, in pieces, and every answer is a message."""
    channel = io.BytesIO()
    inbox = batchmean.server.inbox.Inbox(io.BytesIO(data), channel)
    length = 0
    while line := inbox.readline():
        if header := re.fullmatch(rb"Content-Length: (\d+)\r\n", line):
            length = int(header[1])
            assert length <= batchmean.server.inbox.MAX_MESSAGE
        elif not line.strip():
            inbox.read(length)
    answers = io.BytesIO(channel.getvalue())
    while line := answers.readline():
        answers.readline()
        json.loads(answers.read(int(line.split()[1])))


def settings_of_bytes(data: bytes) -> None:
    """A pyproject.toml says what is wanted of a file, or one line says why it does not."""
    file = Path(_FOLDER.name, "pyproject.toml")
    file.write_bytes(data)
    try:
        config = batchmean.config.Settings().inside(_FOLDER.name)
    except batchmean.config.ConfigError as error:
        assert len(str(error).splitlines()) == 1, str(error)
        return
    for name in ("a.py", "src/a_b.py", "tests/deep/é.ipynb", "a\nb"):
        path = str(file.parent / name)
        assert config.excludes(path) == any(glob.matches(path) for glob in config.exclude)
        assert config.includes(path) == any(glob.matches(path) for glob in config.extend_include)
        for code in batchmean.rules.RULES:
            ignored = any(
                code.startswith(codes) and glob.matches(path) for glob, codes in config.per_file_ignores
            )
            assert not (ignored and config.selects(code, path))


class _Lines(io.BytesIO):
    """What a client sends, line by line a message. It stays until the server has nothing more to do."""

    def __init__(self, data: bytes, server: batchmean.server.language_server.BatchmeanServer) -> None:
        bodies = [line for line in data.split(b"\n") if line]
        super().__init__(b"".join(b"Content-Length: %d\r\n\r\n%s" % (len(body), body) for body in bodies))
        self._server = server

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        quiet = 0
        while not line and quiet < 2:
            time.sleep(2 * batchmean.server.features.PAUSE)
            tasks = [*self._server._pending.values()]
            is_busy = bool(self._server._jobs) or not all(task.done() for task in tasks)
            quiet = 0 if is_busy else quiet + 1
        return line


class _Channel(io.BytesIO):
    """What the server answers, also when it has closed the channel."""

    def close(self) -> None:
        pass


class _Log(logging.Handler):
    """The errors that go through our code."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.errors: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        frames = traceback.extract_tb(error.__traceback__ if error is not None else None)
        if error is not None and any("/batchmean/" in frame.filename for frame in frames):
            self.errors.append(error)


def conversation_of_bytes(data: bytes) -> None:
    """A client says what it likes. Nothing of ours raises, and no question is answered twice."""
    log, channel = _Log(), _Channel()
    logger = logging.getLogger("pygls")
    logger.handlers, logger.propagate = [log], False
    server = batchmean.server.features.create_server()
    try:
        server.start_io(batchmean.server.inbox.Inbox(_Lines(data, server), channel), channel)  # type: ignore[arg-type]
    finally:
        server.call_off()
        server._worker.shutdown()
    if log.errors:
        raise log.errors[0]
    answers = io.BytesIO(channel.getvalue())
    answered: dict[str, int] = {}
    while line := answers.readline():
        while header := answers.readline().strip():
            line = header if header.startswith(b"Content-Length") else line
        answer = json.loads(answers.read(int(line.split()[1])))
        if answer.get("method") == "window/logMessage":
            assert batchmean.check.INTERNAL_ERROR not in answer["params"]["message"], answer
        elif "method" not in answer:
            key = json.dumps(answer.get("id"))
            answered[key] = answered.get(key, 0) + 1
    for key, times in answered.items():
        if key != "null":
            assert times <= data.count(key.encode()), (key, times)


def conversation(text: str, number: int) -> bytes:
    """An editor that opens a file, looks at it, changes it and closes it."""
    uri = f"file:///fuzzed/a{number % 3}.py"
    document = {"uri": uri, "languageId": "python", "version": 1, "text": text}
    whole = {"start": {"line": 0, "character": 0}, "end": {"line": 999, "character": 0}}
    acting: dict[str, object] = {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": []}}}
    if number % 2:
        acting |= {"dataSupport": True, "resolveSupport": {"properties": ["edit"]}}
    capabilities = {
        "general": {"positionEncodings": [["utf-8", "utf-16", "utf-32"][number % 3]]},
        "textDocument": {
            "codeAction": acting,
            "publishDiagnostics": {"relatedInformation": bool(number % 2)},
        },
        "workspace": {"workspaceEdit": {"documentChanges": bool(number % 3)}},
    }
    asked: dict[str, object] = {"textDocument": {"uri": uri}, "range": whole, "context": {"diagnostics": []}}
    if number % 4 == 0:
        asked["context"] = {"diagnostics": [], "only": ["source.fixAll"]}
    changes = [{"text": text.replace("mean", "sum", 1)}]
    return b"\n".join(
        json.dumps({"jsonrpc": "2.0", **message}).encode()
        for message in (
            {"id": 1, "method": "initialize", "params": {"processId": None, "capabilities": capabilities}},
            {"method": "initialized", "params": {}},
            {"method": "textDocument/didOpen", "params": {"textDocument": document}},
            {
                "id": 2,
                "method": "textDocument/hover",
                "params": {"textDocument": {"uri": uri}, "position": {"line": number % 9, "character": 12}},
            },
            {"id": 3, "method": "textDocument/codeAction", "params": asked},
            {"id": 4, "method": "codeAction/resolve", "params": {"title": "x", "data": uri}},
            {
                "method": "textDocument/didChange",
                "params": {"textDocument": {"uri": uri, "version": 2}, "contentChanges": changes},
            },
            {"id": 5, "method": "textDocument/codeAction", "params": asked},
            {"method": "$/cancelRequest", "params": {"id": 5}},
            {"method": "workspace/didChangeConfiguration", "params": {"settings": None}},
            {"method": "textDocument/didClose", "params": {"textDocument": {"uri": uri}}},
            {"id": 6, "method": "shutdown"},
            {"method": "exit"},
        )
    )


def changed_conversation(data: bytes, seed: int) -> bytes:
    """Messages in another order, twice or not at all, with other numbers or another text."""
    dice = random.Random(seed)
    lines = data.split(b"\n")
    for _ in range(dice.randint(1, 3)):
        at, to = dice.randrange(len(lines)), dice.randrange(len(lines))
        kind = dice.randrange(6)
        if kind == 0:
            lines.insert(to, lines[at])
        elif kind == 1 and len(lines) > 1:
            del lines[at]
        elif kind == 2:
            lines[at], lines[to] = lines[to], lines[at]
        elif kind == 3:
            numbers = [b"0", b"-1", b"3", b"40", b"99999999999999999999", b"1.5", b"null", b'"x"', b"[]"]
            number = dice.choice(numbers)
            lines[at] = re.sub(rb"(?<=: )\d+", lambda _, number=number: number, lines[at], count=1)  # type: ignore[misc]
        elif kind == 4:
            lines[at] = changed_tokens(lines[at], seed).replace(b"\n", b"")
        else:
            try:
                message = json.loads(lines[at])
                document = message["params"].get("textDocument", {})
                place = document if "text" in document else message["params"]["contentChanges"][0]
                place["text"] = mutate(place["text"], seed)
                lines[at] = json.dumps(message).encode()
            except (ValueError, LookupError, TypeError, AttributeError):
                lines[at] = lines[at].replace(b"/a", b"/b")
    return b"\n".join(lines)


def changed_tokens(data: bytes, seed: int) -> bytes:
    """A few pieces of the format put in, taken out or doubled."""
    dice = random.Random(seed)
    for _ in range(dice.randint(1, 4)):
        at, to = sorted(dice.randint(0, len(data)) for _ in range(2))
        to = min(to, at + 40)
        piece = dice.choice([dice.choice(_PIECES), data[at:to], b""])
        data = data[:at] + piece * dice.choice([1, 1, 2]) + data[dice.choice([at, to]) :]
    return data


_PIECES = [
    b"*", b"**", b"**/", b"/**", b"/", b"?", b"[a-b]", b"[!a]", b"[[:alpha:]]", b"\\", b"!", b"#", b"a", b"b.py",
    b"\n", b"\r\n", b"Content-Length: 18\r\n\r\n", b"Content-Length: 99999999999\r\n", b"Content-Length: ",
    b'{"id": 1}', b"```python\n", b"```\n", b"~~~ {code-cell}\n", b"---\nname: r\n", b"---\n", b"> ", b"    ", b"\t",
    b"%%time\n", b"!ls \\\n", b"x?\n", b"\'\'\'", b'\\u00e9', b'\\n', b'", "',
    b'"source": ["', b'{"cell_type": "code", ', b"], ",
    b"}", b"# noqa: BMN1\n",
    b"[tool.batchmean]\n", b"[tool.batchmean.per-file-ignores]\n", b"select = [", b'"BMN1"', b'"bmn102, BMN3"',
    b'exclude = ["', b"preview = true\n", b'min-confidence = "proved"\n', b"respect-gitignore = 1\n",
    b'extend-include = ["*',
]  # fmt: skip


def seeds(target: str) -> Iterator[bytes]:
    """Inputs to begin with."""
    for text in excerpts():
        if target in ("lint", "fixes"):
            yield text.encode()
        elif target == "documents":
            yield f"# Title\n\n```python\n{text}```\n\n> ~~~ {{code-cell}} python\n> x = 1\n> ~~~\n".encode()
            cells = [{"cell_type": "code", "source": text.splitlines(keepends=True)}]
            yield json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}).encode()
        elif target == "messages":
            body = json.dumps({"jsonrpc": "2.0", "text": text}).encode()
            yield b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    if target == "conversations":
        yield from (conversation(text, number) for number, text in enumerate(excerpts()[::8]))
    if target == "settings":
        yield from (
            b'[tool.batchmean]\nselect = ["BMN1", "bmn201"]\nignore = ["BMN102"]\nexclude = ["*/b/**", "a.py"]\n',
            b'[tool]\nbatchmean = {preview = true, min-confidence = "proved", respect-gitignore = false}\n',
            b'[tool.batchmean.per-file-ignores]\n"tests/*" = ["BMN"]\n"[a-c]?.py" = ["BMN3"]\n',
            b'[tool.batchmean]\nextend-include = ["*.pyx"]\nselct = []\n',
        )
    if target == "fixes":
        some = excerpts()
        for index, text in enumerate(some):
            others = (some[(index * step + 3) % len(some)] for step in (7, 13))
            yield "\n\n".join([text, *others]).encode()
    if target == "patterns":
        yield from (
            b"a/b/c.py\n*.py\n!c.py\n",
            b"src/a_b.py\n/src/*_?.py\n**/b/**\n[a-c]*/\n",
            b"a/a\na*/**\n\\!a\n",
        )


_TARGETS = {
    "lint": lambda data: lint_bytes(data, fixes=hashlib.sha256(data).digest()[0] < 16),
    "fixes": fixes_of_bytes,
    "documents": document_of_bytes,
    "patterns": patterns_of_bytes,
    "settings": settings_of_bytes,
    "messages": messages_of_bytes,
    "conversations": conversation_of_bytes,
    **fuzz_runs.RUN_TARGETS,
}


def main() -> None:
    """Fuzz until libFuzzer is told to stop."""
    folder = Path(sys.argv[1])
    target = sys.argv.pop(2) if len(sys.argv) > 2 and sys.argv[2] in _TARGETS else "lint"
    failures = _Failures(folder / "failures")
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate((*seeds(target), *fuzz_runs.run_seeds(target))):
        (corpus / f"excerpt-{number}").write_bytes(seed)

    def one_input(data: bytes) -> None:
        started = time.process_time()
        try:
            _TARGETS[target](data)
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
        if target == "conversations":
            return changed_conversation(data, seed)[:max_size]
        if target in fuzz_runs.CHANGES and seed % 3:
            return fuzz_runs.CHANGES[target](data, seed)[:max_size]
        if target not in ("lint", "fixes", "epochs") and seed % 3:
            return changed_tokens(data, seed)[:max_size]
        return mutate(data.decode("utf-8", "replace"), seed).encode("utf-8", "replace")[:max_size]

    atheris.Setup([sys.argv[0], str(corpus), *sys.argv[2:]], one_input, custom_mutator=changed)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
