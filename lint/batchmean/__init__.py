"""batchmean reads loss code and says when a reduction divides by the wrong count.

`check_source` and `check_files` are what other programs call; docs/api.md says what is promised of them. `watch` and
`check_loss` look at a loss as it runs (docs/watch.md); they need more than the linter: the extra [watch].
"""

# Nothing is imported here: `python -m` looks in the working directory until __main__ has taken that away.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from batchmean_reference.watch import NotJudged, WrongCount, WrongCountError, check_loss, watch

    from batchmean.api import Result, check_files, check_source
    from batchmean.findings import Because, Edit, Finding, Fix, Span
    from batchmean.report import FileError
    from batchmean.version import __version__

__all__ = [
    "Because",
    "Edit",
    "FileError",
    "Finding",
    "Fix",
    "NotJudged",
    "Result",
    "Span",
    "WrongCount",
    "WrongCountError",
    "__version__",
    "check_files",
    "check_loss",
    "check_source",
    "watch",
]


_HOMES = {
    "batchmean.api": ("Result", "check_files", "check_source"),
    "batchmean.report": ("FileError",),
    "batchmean.version": ("__version__",),
    "batchmean.findings": ("Because", "Edit", "Finding", "Fix", "Span"),
    "batchmean_reference.watch": ("NotJudged", "WrongCount", "WrongCountError", "check_loss", "watch"),
}


def load_ipython_extension(ipython: object) -> None:
    """`%load_ext batchmean`: findings under the cell that was run."""
    from batchmean.ipython import load

    load(ipython)


def unload_ipython_extension(ipython: object) -> None:
    """`%unload_ext batchmean`."""
    from batchmean.ipython import unload

    unload(ipython)


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: the command and flake8 start without them."""
    from importlib import import_module

    for home, names in _HOMES.items():
        if name in names:
            value: object = getattr(import_module(home), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
