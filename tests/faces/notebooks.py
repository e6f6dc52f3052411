"""Notebooks as the programs write them that people use."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Cell = tuple[str, str]
"""Its type and its source."""


def notebook(
    cells: Sequence[Cell],
    *,
    metadata: Mapping[str, Any] | None = None,
    joined: bool = False,
    nbformat: int = 4,
) -> dict[str, Any]:
    """The parts of a notebook. `joined` has a source as one string, as some programs write it."""
    made: list[dict[str, Any]] = []
    for number, (kind, source) in enumerate(cells):
        name = "input" if nbformat < 4 and kind == "code" else "source"
        cell: dict[str, Any] = {
            "cell_type": kind,
            "id": f"cell-{number}",
            "metadata": {},
            name: source if joined else source.splitlines(keepends=True),
        }
        if kind == "code":
            outputs = [{"output_type": "stream", "name": "stdout", "text": ["mean é \\u00e9 {}\n"]}]
            cell |= {"execution_count": number, "outputs": outputs}
        made.append(cell)
    table = {"kernelspec": {"display_name": "Python 3", "name": "python3"}, **(metadata or {})}
    if nbformat < 4:
        return {
            "metadata": table,
            "nbformat": nbformat,
            "worksheets": [{"cells": made[:2]}, {"cells": made[2:]}],
        }
    return {"cells": made, "metadata": table, "nbformat": 4, "nbformat_minor": 5}


def jupyter(content: Any) -> str:
    """As nbformat writes: one space, keys sorted, characters as they are, a final newline."""
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, separators=(",", ": ")) + "\n"


def colab(content: Any) -> str:
    """Two spaces, everything escaped, no final newline."""
    return json.dumps(content, indent=2)


def vs_code(content: Any) -> str:
    """One space, keys as they come, no final newline where there was none."""
    return json.dumps(content, indent=1, ensure_ascii=False)


def four_spaces(content: Any) -> str:
    """As some formatters leave it, with the line ends of Windows."""
    return json.dumps(content, indent=4, ensure_ascii=False).replace("\n", "\r\n") + "\r\n"


def one_line(content: Any) -> str:
    """Without white space."""
    return json.dumps(content, separators=(",", ":"))


STYLES: Sequence[Callable[[Any], str]] = (jupyter, colab, vs_code, four_spaces, one_line)
