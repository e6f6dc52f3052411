"""The fixes, through the command and by themselves."""

import os

from tests.faces.conftest import batchmean, write

# Fixtures are tiny: threads cost more than they bring (PyTorch reads this once, at its import).
os.environ.setdefault("OMP_NUM_THREADS", "1")

__all__ = ["batchmean", "write"]
