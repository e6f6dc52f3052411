"""batchmean reads loss code and says when a reduction divides by the wrong count.

`check_source` and `check_files` are what other programs call; docs/api.md says what is promised of them.
"""

from batchmean.version import __version__

# Nothing else is imported here: `python -m` looks in the working directory until __main__ has taken that away.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from batchmean.api import Result, check_files, check_source
    from batchmean.findings import Because, Edit, Finding, Fix, Span
    from batchmean.report import FileError

__all__ = [
    "Because",
    "Edit",
    "FileError",
    "Finding",
    "Fix",
    "Result",
    "Span",
    "__version__",
    "check_files",
    "check_source",
]


_HOMES = {
    "api": ("Result", "check_files", "check_source"),
    "report": ("FileError",),
    "findings": ("Because", "Edit", "Finding", "Fix", "Span"),
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: the command and flake8 start without them."""
    from importlib import import_module

    for home, names in _HOMES.items():
        if name in names:
            value: object = getattr(import_module(f"batchmean.{home}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
