"""Text as Python has it: the parser's own reading of the bytes is the measure."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from batchmean.source import SourceError, decode, read

CODE = "x = 'é'\nif x:\n\ty = 1\n"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(CODE.encode(), id="utf-8"),
        pytest.param(CODE.encode("utf-8-sig"), id="bom"),
        pytest.param(b"# coding: latin-1\n" + CODE.encode("latin-1"), id="latin-1"),
        pytest.param(
            b"#!/usr/bin/python\n# -*- coding: cp1252 -*-\n" + CODE.encode("cp1252"), id="second line"
        ),
        pytest.param(b"# \xe9t\xe9\n# coding: latin-1\n" + CODE.encode("latin-1"), id="cookie after bytes"),
        pytest.param(b"x = 1\n# coding: latin-1\ny = '\xc3\xa9'\n", id="no cookie after code"),
        pytest.param(b"\n\n# coding: latin-1\ny = '\xc3\xa9'\n", id="no cookie on line 3"),
        pytest.param(b"# coding: utf-8\n" + CODE.encode(), id="cookie utf-8"),
        pytest.param(b"\xef\xbb\xbf# coding: utf-8\n" + CODE.encode(), id="bom and cookie"),
        pytest.param(CODE.replace("\n", "\r\n").encode(), id="crlf"),
        pytest.param(CODE.replace("\n", "\r").encode(), id="cr"),
        pytest.param(b"# coding: latin-1\r" + CODE.replace("\n", "\r").encode("latin-1"), id="cr and cookie"),
        pytest.param(b"a = 1\r\nb = 2\rc = 3\n\r\nd = '''\r\n\r'''\n", id="mixed"),
        pytest.param(
            "a = 1\n\fb = 2\nc = '\x0b\x1c\u2028\x85'; d = 3\n".encode(), id="form feeds and the like"
        ),
        pytest.param(b"a = 1 \\\r\n + 2\r\n", id="continuation"),
        pytest.param(b"a = 1", id="no last line end"),
    ],
)
def test_lines_and_columns_are_pythons(data: bytes) -> None:
    assert ast.dump(ast.parse(decode(data, "x.py")), include_attributes=True) == ast.dump(
        ast.parse(data), include_attributes=True
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a = 1\r\nb = '\xe9'\r\n", "is not valid utf-8: byte 0xe9 on line 2"),
        (b"\xff\xfea\x00", "contains a NUL byte, so it is not Python source"),
        (b"# coding: no-such\n", "declares an unknown encoding: no-such"),
        (
            b"# coding: hex\n",
            "cannot be decoded as hex: ",
        ),
        (b"\xef\xbb\xbf# coding: latin-1\n", "declares latin-1 but starts with a UTF-8 byte order mark"),
    ],
)
def test_what_is_no_python_text_says_so(data: bytes, message: str) -> None:
    with pytest.raises(SourceError) as caught:
        decode(data, "x.py")
    assert caught.value.path == "x.py"
    assert caught.value.message.startswith(message)
    with pytest.raises((SyntaxError, ValueError)):
        ast.parse(data)


def test_what_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        read(str(tmp_path / "nowhere.py"))
