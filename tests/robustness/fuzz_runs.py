"""Fuzzing of whole runs: a folder of files that import each other, with its settings, and what is done about it.

`tests.robustness.fuzz` imports this while it instruments `batchmean`, and has the targets that are here.
"""

from __future__ import annotations

import ast
import io
import lzma
import os
import random
import re
import shutil
import struct
import tarfile
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

import batchmean.baseline
import batchmean.config
import batchmean.engine.epochs.totals
import batchmean.functions
import batchmean.since
from batchmean.agent import Tools
from batchmean.cli import main
from batchmean.function_tables import from_table
from batchmean.linter import lint
from batchmean.scan import sources
from batchmean.source import MAX_BYTES, SourceError
from mcp.server.mcpserver.exceptions import ToolError

from tests.robustness.mutation import excerpts, mutate

_ROOT = tempfile.mkdtemp()
_BESIDE = Path(_ROOT).parent
_NAMES = (
    "pyproject.toml",
    "a.py",
    "losses.py",
    "pkg/__init__.py",
    "pkg/b.py",
    "n.ipynb",
    "d.md",
    "base.json",
)
_RAISED = (
    *(OSError, EOFError, ValueError, RuntimeError, NotImplementedError, zlib.error, lzma.LZMAError),
    *(tarfile.TarError, zipfile.BadZipFile, struct.error, KeyError, IndexError, OverflowError),
)
"""What the libraries raise of an archive that is none."""
_MEMBERS = (
    "a.py",
    "../b.py",
    "/c.py",
    "d/" * 60 + "e.py",
    "é.py",
    "a\nb.py",
    "n.ipynb",
    "x.txt",
    "a.py/",
    "\0.py",
)
_MARK = re.compile(rb"^#### (\w.*)\n", re.MULTILINE)
_SAYS = re.compile(r"warning: |error: |batchmean: |[^\n]*: |Nothing |\d+ |no |[A-Z]")


def files_of(data: bytes) -> dict[str, bytes]:
    """The files that an input tells of, those that may be there."""
    parts = _MARK.split(data)
    named = {
        name.decode("utf-8", "replace"): text for name, text in zip(parts[1::2], parts[2::2], strict=False)
    }
    return {name: text for name, text in named.items() if name in _NAMES}


def _ran(*arguments: str) -> tuple[int, str]:
    """What the command ends with, and what it prints."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(["check", "--preview", "--jobs", "1", *arguments, _ROOT])
    assert code in (0, 1, 2), code
    said = err.getvalue()
    assert "internal error" not in said + out.getvalue(), said + out.getvalue()
    assert "Traceback" not in said, said
    return code, out.getvalue()


def run_of_bytes(data: bytes) -> None:
    """A folder is linted, its findings go into a baseline, under comments and are fixed: each ends as it says."""
    files = files_of(data)
    if not files:
        return
    shutil.rmtree(_ROOT, ignore_errors=True)
    for name, text in files.items():
        path = Path(_ROOT, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
    code, _ = _ran("--output-format", ("concise", "json", "sarif", "full")[len(data) % 4])
    if code == 2:
        return
    before = {name: Path(_ROOT, name).read_bytes() for name in files}
    code, _ = _ran("--diff", "--unsafe-fixes")
    baseline = str(Path(_ROOT, "made.json"))
    code, _ = _ran("--write-baseline", baseline)
    assert before == {name: Path(_ROOT, name).read_bytes() for name in files}
    if code == 0 and Path(baseline).exists():
        _, printed = _ran("--baseline", baseline, "--output-format", "concise")
        assert not re.search(r": BMN\d", printed), printed
    _ran(*(("--add-noqa",) if len(data) % 2 else ("--fix", "--unsafe-fixes")))
    for name, text in before.items():
        after = Path(_ROOT, name).read_bytes()
        if after != text and name.endswith(".py"):
            ast.parse(after)


def epochs_of_bytes(data: bytes) -> None:
    """Every text is walked for its training loops, whether the gate thinks it worth that or not."""
    try:
        text = data.decode()
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    list(batchmean.engine.epochs.totals.epochs(tree, text.split("\n"), lambda bound: None))


def baseline_of_bytes(data: bytes) -> None:
    """A baseline is read, or one line says why not; entries are used up, never more than there are."""
    file = str(_BESIDE / "fuzzed-baseline.json")
    Path(file).write_bytes(data)
    try:
        baseline = batchmean.baseline.Baseline(file)
    except batchmean.config.ConfigError as error:
        assert len(str(error).splitlines()) == 1, str(error)
        return
    for entry, count in [*baseline.unused()]:
        baseline.path(entry)
        baseline.is_there(entry)
        if count < 20:
            path = baseline.path(entry)
            assert sum(baseline.covers(path, entry.fingerprint) for _ in range(count)) <= count


def since_of_bytes(data: bytes) -> None:
    """What has not changed stands in the old text, in the same order."""
    before, _, after = (part.split(b"\n") for part in (data.partition(b"####\n")))
    old, new = ([line.decode("utf-8", "replace") for line in lines] for lines in (before, after))
    changed = batchmean.since.changed_lines(old, new)
    rest = iter(old)
    for index, line in enumerate(new):
        assert index in changed or any(line == each for each in rest), (index, line)
    blob = batchmean.since._Blob(b"", "fuzzed.ipynb" if b'"cells"' in data else "fuzzed.py")
    batchmean.since._changed_places(data, blob, {"fuzzed.py": "\n".join(new)})


def functions_of_bytes(data: bytes) -> None:
    """Lines of a table mean something, or one line says what is wrong with them."""
    lines = data.decode("utf-8", "replace").split("\n")
    table = {}
    for line in filter(None, lines):
        name, _, said = line.partition(" = ")
        table[name] = said
    try:
        functions = from_table(table)
    except batchmean.functions.FunctionError as error:
        assert len(str(error).splitlines()) == 1, str(error)
        return
    text = "import acme\nfrom acme import *\n"
    for index, function in enumerate(functions):
        call = f"{function.last}(p, q)"
        text += f"from {function.name.rpartition('.')[0]} import {function.last}\n"
        more = f"{function.name}(p, axis=-1) * {function.name}(p).sum()"
        text += f"def f{index}(p, q):\n    return {call}.mean() + {more}\n"
    with suppress(SyntaxError), batchmean.functions.in_use(functions, "/fuzzed/a.py"):
        lint(text, "/fuzzed/a.py")


def archive_of_bytes(data: bytes) -> None:
    """What an archive holds is told as bytes or as an error; nothing else happens, wherever its members point to."""
    kind = "zip" if data[:2] == b"PK" else "tar"
    path = str(_BESIDE / f"fuzzed-archive.{kind}")
    Path(path).write_bytes(data)
    pieces = [sources.Piece(kind, path, path, "r", [])]
    # The scan reads in a process of its own, for what the libraries raise; it is their endless loops that count here.
    with suppress(Exception):
        if kind == "zip":
            pieces = sources.cut(pieces[0])
    for piece in pieces:
        with suppress(*_RAISED):
            for item in sources.items(piece):
                with suppress(SourceError, *_RAISED):
                    content = item.read()
                    assert isinstance(content, bytes)
                    assert len(content) <= MAX_BYTES


def tools_of_bytes(data: bytes) -> None:
    """An agent asks for what it likes, below the folder or not."""
    path, _, rest = data.decode("utf-8", "replace").partition("\n")
    select, _, text = rest.partition("\n")
    shutil.rmtree(_ROOT, ignore_errors=True)
    Path(_ROOT).mkdir()
    Path(_ROOT, "a.py").write_text(text, encoding="utf-8", errors="replace")
    before = Path.cwd()
    os.chdir(_ROOT)
    try:
        tools = Tools()
        for ask in (
            lambda: tools.check([path], select or None, True, text),
            lambda: tools.check(["a.py", path], select or None),
            lambda: tools.fix([path, "a.py"], None, True, True, True),
            lambda: tools.explain(select),
        ):
            try:
                said = ask()
            except ToolError as error:
                assert len(str(error).splitlines()) <= 1, str(error)
            else:
                assert "internal error" not in str(said), said
    finally:
        os.chdir(before)


def run_seeds(target: str) -> Iterator[bytes]:
    """Inputs to begin with."""
    some = excerpts()
    if target == "runs":
        for index, text in enumerate(some[::3]):
            other = some[(index * 7 + 5) % len(some)]
            name = "losses" if index % 2 else "pkg.b"
            called = re.search(r"^def (\w+)\((.*?)\)", other, re.MULTILINE)
            use = f"\ndef used(x, y, m):\n    return {called[1]}(x, y).mean()\n" if called else ""
            importing = f"from {name} import {called[1] if called else '*'}\n{text}{use}"
            source = '["import numpy as np\\n", "-(p * np.log(p)).mean()"]'
            cell = f'{{"cells": [{{"cell_type": "code", "source": {source}}}]}}'
            yield (
                f'#### pyproject.toml\n[tool.batchmean]\nselect = ["BMN"]\n[tool.batchmean.functions]\n'
                f'"acme.kl" = "torch.nn.functional.kl_div"\n'
                f"#### a.py\n{importing}#### {name.replace('.', '/')}.py\n{other}#### n.ipynb\n{cell}\n"
                f"#### d.md\n```python\n{text}```\n"
            ).encode()
    elif target == "epochs":
        yield from (text.encode() for text in some if re.search(r"\bfor .* in ", text))
    elif target == "baselines":
        keys = '"path": "a.py", "code": "BMN102", "within": "f", "source": "x", '
        keys += '"confidence": "likely", "fingerprint": "00ff"'
        yield f'{{"tool": "batchmean", "version": 1, "findings": [{{{keys}, "count": 2}}]}}\n'.encode()
        yield b'{"tool": "batchmean", "version": 2, "findings": []}\n'
    elif target == "since":
        yield from (f"{text}####\n{mutate(text, 3)}".encode() for text in some[::5])
    elif target == "functions":
        yield b"acme.kl = torch.nn.functional.kl_div\nacme.b.mean = numpy.mean\n"
        yield b"acme.ce = cross_entropy(logits|x, labels|y, reduction=; axis=-1)\n"
        yield b"acme.s = softmax(x, axis|dim; axis=-1)\n"
        yield b"acme.sum = sum(x, axis, keepdims)\nacme.n = normal(x, *shape)\nacme.m = mean(x|input, axis|dim)\n"
    elif target == "archives":
        for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            made = io.BytesIO()
            with zipfile.ZipFile(made, "w", method) as archive:
                archive.writestr("a/b.py", some[0])
                archive.writestr("../c.py", some[1])
            yield made.getvalue()
        for mode in ("w", "w:gz", "w:xz"):
            made = io.BytesIO()
            with tarfile.open(fileobj=made, mode=mode) as tar:
                info = tarfile.TarInfo("a/b.py")
                info.size = len(some[0].encode())
                tar.addfile(info, io.BytesIO(some[0].encode()))
            yield made.getvalue()
    elif target == "tools":
        for index, text in enumerate(some[::4]):
            path, select = ("a.py", "../a.py", ".", "b.md")[index % 4], ("BMN1", "", "BMN102,x")[index % 3]
            yield f"{path}\n{select}\n{text}".encode()


def changed_files(data: bytes, seed: int) -> bytes:
    """One of the files of an input after a change of its code."""
    dice = random.Random(seed)
    parts = _MARK.split(data)
    if len(parts) > 2:
        at = 2 * dice.randrange(len(parts) // 2) + 2
        if parts[at - 1].endswith(b".py"):
            parts[at] = mutate(parts[at].decode("utf-8", "replace"), seed).encode("utf-8", "replace")
            if not parts[at].endswith(b"\n"):
                parts[at] += b"\n"
    head, *rest = parts
    return head + b"".join(
        b"#### " + name + b"\n" + text for name, text in zip(rest[::2], rest[1::2], strict=False)
    )


def made_archive(dice: random.Random) -> bytes:
    """An archive of a few members, some of them links, devices or twice there."""
    made = io.BytesIO()
    texts = [dice.choice(excerpts()).encode() for _ in range(dice.randint(0, 4))]
    if dice.random() < 0.5:
        methods = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
        with zipfile.ZipFile(made, "w", dice.choice(methods)) as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a name that is there twice
            for text in texts:
                member = zipfile.ZipInfo(dice.choice(_MEMBERS))
                member.external_attr = dice.choice((0, 0o120777 << 16, 0o10644 << 16, 0o40755 << 16))
                archive.writestr(member, text)
        return made.getvalue()
    mode: Any = dice.choice(("w", "w:gz", "w:bz2", "w:xz"))
    kinds = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
    with tarfile.open(fileobj=made, mode=mode, format=dice.choice(kinds)) as tar:
        for text in texts:
            info = tarfile.TarInfo(dice.choice(_MEMBERS).replace("\0", "") * dice.choice((1, 1, 30)))
            info.type = dice.choice((tarfile.REGTYPE, *(b"1", b"2", b"3", b"5", b"6", b"S", b"V")))
            info.linkname = dice.choice(("", "a.py", "/etc/passwd"))
            info.size = len(text) if info.isreg() else 0
            with suppress(ValueError):  # a name that this format cannot hold
                tar.addfile(info, io.BytesIO(text) if info.isreg() else None)
    return made.getvalue()


def changed_archive(data: bytes, seed: int) -> bytes:
    """Another archive, or this one with a few other bytes, sizes and offsets among them."""
    dice = random.Random(seed)
    changed = bytearray(made_archive(dice) if dice.random() < 0.5 or not data else data)
    for _ in range(dice.randint(0, 4)):
        at = dice.randrange(len(changed)) if changed else 0
        new = (b"\0", b"\xff\xff\xff\xff", b"7777777", b"\x80", b"PK\3\4", bytes([dice.randrange(256)]))
        piece = dice.choice(new)
        changed[at : at + len(piece)] = piece
    return bytes(changed)


CHANGES: dict[str, Callable[[bytes, int], bytes]] = {"runs": changed_files, "archives": changed_archive}

RUN_TARGETS = {
    "runs": run_of_bytes,
    "epochs": epochs_of_bytes,
    "baselines": baseline_of_bytes,
    "since": since_of_bytes,
    "functions": functions_of_bytes,
    "archives": archive_of_bytes,
    "tools": tools_of_bytes,
}
