"""`batchmean server`: a language server over standard input and output.

It has no analysis of its own: it hands documents to `Check`, and makes diagnostics, code actions and hovers of the
findings. No configuration is remembered; it is read again whenever a document is looked at.

A document that does not parse, as in the middle of typing, keeps the diagnostics of its last text that did. A notebook
is read as one file, and each of its cells has diagnostics of its own.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from typing import Final

from batchmean.server.features import create_server
from batchmean.server.inbox import Inbox

_SWITCH: Final = 0.001  # seconds that a thread computes while another one has something to answer


def main() -> int:
    """Serve one client until it leaves; 0 if it said so before, as the protocol has it."""
    if sys.stdin.isatty():
        print(
            "waiting for an editor on standard input; docs/editors.md says how to set one up", file=sys.stderr
        )
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # pygls would wait for one more line
    # Whatever prints must not get between the messages.
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    sys.setswitchinterval(_SWITCH)
    logging.getLogger("pygls").setLevel(logging.ERROR)  # editors show the rest as errors
    server = create_server()
    server.start_io(Inbox(sys.stdin.buffer, channel), channel)  # type: ignore[arg-type]
    server.call_off()
    return 0 if server.is_shut_down else 1
