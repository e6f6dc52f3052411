"""The command, and files for it, as the tests of the faces have them."""

from tests.faces.conftest import batchmean, flake8, write

__all__ = ["batchmean", "flake8", "write"]
