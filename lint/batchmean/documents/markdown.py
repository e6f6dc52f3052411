"""Markdown: the fences that hold Python, as CommonMark, MyST, Quarto, R Markdown and jupytext write them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from batchmean.documents.blocks import Block

_FENCE: Final = re.compile(r"(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,})[ \t]*(?P<info>[^\n]*)")
_NAMES: Final = r"(?:i?python|i?py)\d*(?![\w+#.-])"
_PYTHON: Final = re.compile(
    rf"\{{?[ \t]*\.?{_NAMES}|\{{(?:code-cell|code-block|code|sourcecode)\}}[ \t]*{_NAMES}", re.IGNORECASE
)
_CELL: Final = re.compile(r"\{code-cell\}[ \t]*$")  # in the language of the page
_LANGUAGE: Final = re.compile(r"^[ \t]*(?:language|name):[ \t]*(?:ir|julia|r)\b", re.MULTILINE)
_DIRECTIVE: Final = re.compile(r"\{(?!code)[\w:-]+\}")  # `{note}`, which may hold fences
_OPTION: Final = re.compile(r"[ \t]*:[\w-]+:")


def fences(content: str) -> Iterator[Block]:
    """The fences that say that they are Python; their lines are those of the file."""
    lines = content.split("\n")
    front = content.find("\n---\n", 3) if content.startswith("---\n") else -1
    speaks_python = not (front >= 0 and _LANGUAGE.search(content, 4, front + 1))
    around: list[str] = []  # the fences of the directives that are open
    index = 0
    while index < len(lines):
        opening = _FENCE.match(lines[index])
        index += 1
        if opening is None or (opening["fence"][0] == "`" and "`" in opening["info"]):
            continue
        fence, info = opening["fence"], opening["info"].rstrip()
        if around and not info and _closes(fence, around[-1]):
            around.pop()
            continue
        if _DIRECTIVE.match(info) and not _PYTHON.match(info):
            around.append(fence)
            continue
        first = index
        while index < len(lines) and not _is_end(lines[index], fence):
            index += 1
        if _PYTHON.match(info) or (_CELL.match(info) and speaks_python):
            block = _block(lines[first:index], first + 1, len(opening["indent"]))
            yield _without_options(block) if info.startswith("{") else block
        index += 1


def _is_end(line: str, fence: str) -> bool:
    text = line.strip()
    return bool(text) and not text.strip(fence[0]) and _closes(text, fence)


def _closes(fence: str, opened: str) -> bool:
    return fence[0] == opened[0] and len(fence) >= len(opened)


def _block(lines: list[str], first: int, indent: int) -> Block:
    """The lines of a fence without the white space that its first line has too, at most."""
    code, margins = [], []
    for line in lines:
        width = min(len(line) - len(line.lstrip()), indent)
        margins.append(line[:width])
        code.append(line[width:])
    return Block(None, first, code, margins)


def _without_options(block: Block) -> Block:
    """Without the options of a directive: lines `:name: value`, or YAML between `---`, at its beginning."""
    lines = list(block.lines)
    index = 0
    if lines and lines[0].rstrip() == "---":
        end = next((at for at, line in enumerate(lines[1:], start=1) if line.rstrip() == "---"), 0)
        index = end + 1 if end else 0
    else:
        while index < len(lines) and _OPTION.match(lines[index]):
            index += 1
    return block._replace(lines=[""] * index + lines[index:])
