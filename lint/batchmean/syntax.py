"""From text to its tree."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Final

from batchmean.memory import NO_MEMORY, suffices, without_collection

if TYPE_CHECKING:
    import ast

_PARSED: Final = 200  # bytes of memory that the parser may want for one of a file


def parse(text: str) -> ast.Module:
    """The tree of a file; `ValueError` with one line that says why there is none."""
    import ast

    try:
        with without_collection(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the user's invalid escapes are not our findings
            return ast.parse(text)
    except SyntaxError as error:
        place = f" on line {error.lineno}" if error.lineno else ""
        raise ValueError(f"syntax error{place}: {error.msg}") from None
    except RecursionError:
        raise ValueError("cannot be parsed: nested too deeply") from None
    except MemoryError as error:
        # Python's parser says the same of its own stack, since 3.13 with a word about it.
        is_nested = str(error) or suffices(_PARSED * len(text))
        why = "nested too deeply" if is_nested else NO_MEMORY
        raise ValueError(f"cannot be parsed: {why}") from None


def unparsable(text: str) -> str | None:
    """Why a file that needs no analysis is no Python either; `None` if it is.

    A symbol table takes half the time of a tree. It refuses some files that parse, so the parser has the last
    word.
    """
    import symtable

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            symtable.symtable(text, "<file>", "exec")
    except Exception:
        try:
            parse(text)
        except ValueError as error:
            return str(error)
    return None
