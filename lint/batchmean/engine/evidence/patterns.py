"""A pattern of names, with the reason for it and examples on both sides."""

from __future__ import annotations

import re
from collections.abc import Iterable


class Pattern:
    """Words that people use for one thing.

    Args:
        regex: what is looked for, anywhere in a name in lower case.
        why: why it may be relied on.
        takes: names that it takes, with blanks between them.
        leaves: names that look like it and mean something else.
        flags: `re.I` where it is asked about code, which is not put into lower case.
    """

    def __init__(self, regex: str, *, why: str, takes: str, leaves: str = "", flags: int = 0) -> None:
        self.why = why
        self.takes = tuple(takes.split())
        self.leaves = tuple(leaves.split())
        self._search = re.compile(regex, flags).search

    def is_in(self, text: str) -> bool:
        """Is it in a text as it stands?"""
        return self._search(text) is not None

    def is_any_of(self, names: Iterable[str]) -> bool:
        """Is one of these names such a name, in whatever case?"""
        return any(self._search(name.lower()) is not None for name in names)
