"""`python -m benchmarks.oracle`: the benchmark of record."""

import sys

from benchmarks.oracle.harvest import main

if __name__ == "__main__":
    sys.exit(main())
