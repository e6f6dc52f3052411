"""Stretches of code in a file: a cell of a notebook, a fence in Markdown."""

from __future__ import annotations

from typing import NamedTuple


class Block(NamedTuple):
    """Lines of code, with the text that stands left of each in the file and is no part of it."""

    cell: int | None
    line: int
    """Where it begins, in its cell or in the file."""
    lines: list[str]
    margins: list[str]

    @staticmethod
    def of(cell: int | None, source: str) -> Block:
        """A whole cell."""
        lines = source.split("\n")
        return Block(cell, 1, lines, [""] * len(lines))


def dedented(block: Block) -> Block:
    """Without the indentation of its first line, as IPython takes code that was copied out of a function."""
    first = next((line for line in block.lines if line.strip()), "")
    indent = first[: len(first) - len(first.lstrip())]
    if not indent:
        return block
    lines, margins = [], []
    for line, margin in zip(block.lines, block.margins, strict=True):
        cut = indent if line.startswith(indent) else ""
        lines.append(line[len(cut) :])
        margins.append(margin + cut)
    return block._replace(lines=lines, margins=margins)
