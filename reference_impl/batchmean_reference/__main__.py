"""`python -m batchmean_reference`, the same as `batchmean demo`."""

import sys

from batchmean.cli import main

if __name__ == "__main__":
    sys.exit(main(["demo", *sys.argv[1:]]))
