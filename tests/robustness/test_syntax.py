"""Every version's syntax, every encoding: analysed, or refused in one line that names the place."""

from __future__ import annotations

import re
import sys
from textwrap import dedent

import pytest
from batchmean.linter import lint
from batchmean.source import SourceError, decode
from batchmean.syntax import parse
from hypothesis import example, given
from hypothesis import strategies as st

from tests.faces.support import WRONG, Run, Write, lines_of

NEW = {
    (3, 8): "def older(a, /, b):\n    if (n := len(a)) > 1:\n        print(f'{n=}')",
    (3, 9): "@(lambda f: f)\ndef decorated(x: list[int]):\n    return {} | {}",
    (3, 10): dedent(
        """\
        def matched(x):
            match x:
                case {"a": [1, *rest], **others} if rest:
                    return others
                case str() | None as name:
                    return name
        with (open("a") as a, open("b") as b):
            pass"""
    ),
    (3, 11): "try:\n    pass\nexcept* ValueError as e:\n    pass\ndef starred(*a: *tuple[int]): x[*a]",
    (3, 12): dedent(
        """\
        type Pair[T] = tuple[T, T]
        def first[T: int](x: T) -> T:
            return f"{x!r:{"a" + f"{1}"}}"
        class C[*Ts, **P]: ..."""
    ),
    (3, 13): "class Default[T = int]: ...",
    (3, 14): 'try:\n    pass\nexcept ValueError, TypeError:\n    pass\nx = t"{1!r}"',
}


@pytest.mark.parametrize("version", NEW, ids=lambda v: ".".join(map(str, v)))
def test_the_syntax_of_each_python(batchmean: Run, write: Write, version: tuple[int, int]) -> None:
    first = WRONG.count("\n") + 1
    write({"new.py": f"{WRONG}{NEW[version]}\n", "clean.py": f"{NEW[version]}\n", "wrong.py": WRONG})
    done = batchmean("check")
    assert done.returncode == 1
    reported = [line.path for line in lines_of(done.stdout)]
    if sys.version_info >= version:
        assert reported == ["new.py", "wrong.py"]
        assert done.stderr == ""
    else:
        assert reported == ["wrong.py"]
        errors = [
            re.match(r"error: (\w+\.py): syntax error on line (\d+): ", e) for e in done.stderr.splitlines()
        ]
        places = {match[1]: int(match[2]) for match in errors if match is not None}
        assert list(places) == ["clean.py", "new.py"]
        assert first <= places["new.py"] <= first + NEW[version].count("\n")


@pytest.mark.parametrize("version", NEW, ids=lambda v: ".".join(map(str, v)))
def test_a_fix_beside_the_syntax_of_each_python(
    batchmean: Run, write: Write, version: tuple[int, int]
) -> None:
    """LibCST sees the statement that it is to change, and no other."""
    if sys.version_info < version:
        pytest.skip("this Python does not know it")
    write({"new.py": f"{WRONG}{NEW[version]}\n"})
    done = batchmean("check", "--diff", "new.py")
    assert "+    return -(target * logp).sum(axis=-1).mean()" in done.stdout


REMARK = "    # Größe: é\n"
ENCODED = {
    "latin-1": ("# coding: latin-1\n", "latin-1"),
    "cp1252 in the second line": ("#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\n", "cp1252"),
    "UTF-8 with a mark": ("", "utf-8-sig"),
    "UTF-8 with a mark and a comment": ("# -*- coding: utf-8 -*-\n", "utf-8-sig"),
    "EUC-JP": ("# coding: euc-jp\n", "euc-jp"),
    "UTF-7, which Python takes": ("# coding: utf-7\n", "utf-7"),
}


@pytest.mark.parametrize(("head", "encoding"), ENCODED.values(), ids=ENCODED)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_what_python_can_read_is_read(head: str, encoding: str, end: str) -> None:
    remark = REMARK.replace("ö", "o").replace("ß", "ss") if encoding in ("euc-jp",) else REMARK
    text = f"{head}{WRONG.replace('    return', f'{remark}    return')}"
    data = text.replace("\n", end).encode(encoding)
    assert decode(data, "a.py") == text
    assert [f.code for f in lint(decode(data, "a.py"), "a.py")] == ["BMN102"]


def test_mixed_line_ends_and_form_feeds_keep_the_lines() -> None:
    lines = WRONG.split("\n")
    text = "".join(line + end for line, end in zip(lines, ["\r\n", "\n", "\r"] * len(lines), strict=False))
    plain = lint(WRONG, "a.py")
    assert [f.span for f in lint(decode(text.encode(), "a.py"), "a.py")] == [f.span for f in plain]
    paged = WRONG.replace("\n\n\ndef", "\n\x0c\n\ndef").replace("    target", "    \x0c    target")
    assert [f.span for f in lint(paged, "a.py")] == [f.span for f in plain]


REFUSED = {
    "UTF-16": (WRONG.encode("utf-16"), "contains a NUL byte"),
    "a comment that lies": (
        f"# coding: ascii\n# é\n{WRONG}".encode(),
        "is not valid ascii: byte 0xc3 on line 2",
    ),
    "a mark against a comment": (b"\xef\xbb\xbf# coding: latin-1\n", "byte order mark"),
    "an unknown encoding": (b"# coding: klingon\n", "unknown encoding: klingon"),
    "an encoding that is none": (b"# coding: hex\n00", "cannot be decoded as hex"),
    "NUL": (WRONG.encode() + b"\0", "contains a NUL byte"),
    "half a character": (WRONG.encode() + b"# \xc3", "is not valid utf-8: byte 0xc3 on line 9"),
    "a surrogate, written out": (
        WRONG.encode() + b"# \xed\xa0\x80\n",
        "is not valid utf-8: byte 0xed on line 9",
    ),
}


@pytest.mark.parametrize(("data", "message"), REFUSED.values(), ids=REFUSED)
def test_what_python_cannot_read_is_named(batchmean: Run, write: Write, data: bytes, message: str) -> None:
    write({"bad.py": data, "wrong.py": WRONG})
    done = batchmean("check")
    assert [line.path for line in lines_of(done.stdout)] == ["wrong.py"]
    (error,) = done.stderr.splitlines()
    assert re.match(rf"error: bad\.py: .*({message})", error)


def test_lone_surrogates_are_no_trouble() -> None:
    """Written as an escape one is a string like any other; as itself, as an editor may hand it over, it is no code."""
    escaped = WRONG.replace("    target", "    s = '\\ud800'; target")
    assert [f.code for f in lint(escaped, "a.py", fixes=True)] == ["BMN102"]
    commented = f"{WRONG}# \ud800 in a comment\n"
    with pytest.raises(ValueError, match="surrogates not allowed"):
        parse(commented)
    assert [f.code for f in lint(commented, "a.py", tree=parse(WRONG))] == ["BMN102"]


@given(st.binary(max_size=300))
@example(b"# coding: punycode\n-\xff")
@example(b"# coding: idna\n" + b"a" * 100)
@example(b"# coding: unicode_escape\n\\ud800\\")
@example(b"# coding: undefined\n")
@example(b"\xef\xbb\xbf\xef\xbb\xbf")
def test_any_bytes_are_a_text_or_a_clear_error(data: bytes) -> None:
    try:
        text = decode(data, "a.py")
    except SourceError as error:
        assert "\n" not in error.message
        return
    assert "\r" not in text
