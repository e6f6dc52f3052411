"""What somebody may have meant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def hint(word: str, known: Mapping[str, str] | Iterable[str]) -> str:
    """`; did you mean ...?`, or nothing where no known word is near."""
    from difflib import get_close_matches

    meant = {key.lower(): key for key in known}
    for near in get_close_matches(word.lower(), meant, n=1, cutoff=0.6):
        key = meant[near]
        return f"; did you mean {known[key] if isinstance(known, Mapping) else key}?"
    return ""
