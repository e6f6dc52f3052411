"""The command `batchmean`, and `python -m batchmean`."""

import os
import sys

from batchmean.exits import INTERRUPTED


def main() -> int:
    """Run the command, whose imports may be interrupted like the rest of it."""
    try:
        from batchmean.cli import main as command

        return command()
    except KeyboardInterrupt:
        return INTERRUPTED


def _working_directory() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None


if __name__ == "__main__":
    # `python -m` looks for modules in the working directory first: those of a repository that is to be linted.
    if not getattr(sys.flags, "safe_path", False) and sys.path[:1] == [_working_directory()]:
        del sys.path[0]
    sys.exit(main())
