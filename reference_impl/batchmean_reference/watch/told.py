"""What a watch says, and how: one warning, one exception or one line of a log."""

from __future__ import annotations

import logging
import warnings
from typing import Any, Literal

from batchmean_reference.watch.judge import Break, Verdict
from batchmean_reference.watch.source import findings_in, name_of, place_of

On = Literal["warn", "raise", "log"]
WAYS = ("warn", "raise", "log")

log = logging.getLogger("batchmean.watch")


class WrongCount(UserWarning):
    """The warning of `batchmean.watch`: a loss is divided by the wrong count."""


class WrongCountError(AssertionError):
    """The same as an exception, for `on="raise"` and for tests."""


Site = tuple[str, int]
"""A file and a line."""


def message(function: Any, breaks: tuple[Break, ...], site: Site | None = None) -> str:
    """All that is off with a loss, by what factor, and where, in one line. `site` is where it is called."""
    places = [f"{file}:{line}" for file, line in filter(None, (place_of(function),))]
    places += [f"called at {site[0]}:{site[1]}"] if site else []
    where = f" ({', '.join(places)})" if places else ""
    said = "; ".join(
        f"{each.told}: it comes out at {each.factor} = {each.value:.3g} of what it should be ({each.law})"
        if each.factor
        else f"{each.told} ({each.law})"
        for each in breaks
    )
    axes = {axis for each in breaks for axis in ("V", "D") if each.factor.endswith(f"/{axis}")}
    lines = dict.fromkeys(
        f"{finding.code} at line {finding.span.line}"
        for finding in _linted(function)
        if axes & {axis for axis, power in (finding.factor or {}).items() if power < 0}
    )
    also = f" The linter says so, too: {', '.join(lines)}." if lines else ""
    advice = "; ".join(dict.fromkeys(each.advice for each in breaks))
    return f"{name_of(function)}{where}: {said}. To mend it: {advice}.{also}"


def _linted(function: Any) -> list[Any]:
    try:
        return findings_in(function)
    except Exception:  # a source that is gone or was never a file
        return []


def say(text: str, on: On, site: Site | None = None) -> None:
    """Say it as asked, a warning as one about the line that calls the loss. Raises `WrongCountError` for "raise"."""
    if on == "raise":
        raise WrongCountError(text)
    if on == "log":
        log.warning(text)
    elif site:
        warnings.warn_explicit(text, WrongCount, *site)
    else:
        warnings.warn(text, WrongCount, stacklevel=3)


def leave(function: Any, reason: object) -> None:
    """Say in one debug line why a loss is left alone."""
    log.debug("%s is left alone: %s", name_of(function), reason)


def checked_way(on: str) -> None:
    """Raises `ValueError` for a way to say it that there is not."""
    if on not in WAYS:
        raise ValueError(f"on={on!r}: expected one of {', '.join(WAYS)}")


def summary(verdict: Verdict) -> str:
    """What was tried, for a log."""
    return f"{', '.join(verdict.tried) or 'nothing'} tried in {verdict.runs} calls of the loss"
