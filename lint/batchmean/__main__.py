"""`python -m batchmean`."""

import sys

from batchmean.cli import main

if __name__ == "__main__":
    sys.exit(main())
