"""Where a loss stands, and what the linter says about it there."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from batchmean.findings import Finding


def plain(function: Any) -> Any:
    """The Python function or class behind a loss: of a partial, a method, a module, a decorated function."""
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function) if callable(function) else function
    if inspect.isfunction(function) or inspect.isclass(function):
        return function
    if inspect.ismethod(function):
        return function.__func__
    forward = getattr(type(function), "forward", None) or getattr(type(function), "call", None)
    return forward if inspect.isfunction(forward) else type(function)


def name_of(function: Any) -> str:
    """What a loss is called."""
    while isinstance(function, functools.partial):
        function = function.func
    return getattr(function, "__qualname__", None) or type(function).__qualname__


def place_of(function: Any) -> tuple[str, int] | None:
    """File and line of the definition of a loss; None where it has none (it is built in)."""
    try:
        found = plain(function)
        file = inspect.getsourcefile(found)
        return (file, inspect.getsourcelines(found)[1]) if file else None
    except (TypeError, OSError):
        return None


def findings_in(function: Any) -> list[Finding]:
    """What the linter finds in the definition of a loss. The code is read, not run."""
    from batchmean import check_source

    place = place_of(function)
    if place is None:
        return []
    file, first = place
    last = first + len(inspect.getsourcelines(plain(function))[0]) - 1
    result = check_source(Path(file).read_bytes(), file)
    return [finding for finding in result.findings if first <= finding.span.line <= last]


def averages_over_classes(function: Any) -> Callable[[], bool]:
    """A question to the linter: does this code divide by the classes?"""

    def asked() -> bool:
        found = findings_in(function)
        return any(finding.factor and dict(finding.factor).get("V") == -1 for finding in found)

    return asked
