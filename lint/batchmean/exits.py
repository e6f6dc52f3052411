"""Exit codes: what a script may rely on."""

CLEAN = 0
FOUND = 1
USAGE = 2
INTERRUPTED = 130  # what a shell reports for SIGINT
