"""How long an editor waits for the findings while one types: `python -m benchmarks.editor`.

A real client opens a file of 1,000 lines in `batchmean server`, types into it, a character at a time, and waits each
time for the diagnostics of that version. Exits with 0 if the processor time per change, and the pause that the server
makes, are below the limit: the time on the clock is that of a machine with nothing else to do, or it says nothing.
Then all fixes of a file are asked for, and hovers while they are worked out.
"""

from __future__ import annotations

import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

from batchmean.server.features import PAUSE

from tests.editors.client import Client, program

LIMIT = 0.050  # seconds
LINES = 1000
CHANGES = 100
HOVERED = 100

_HEAD = "import numpy as np\nfrom scipy.special import log_softmax\n"
_LOSS = '''

def loss_{n}(logits, labels, weight=None):
    """The cross-entropy."""
    target = np.eye({n} + 10)[labels]
    logp = log_softmax(logits, axis=-1)
    if weight is not None:
        target = target * weight
    return -(target * logp){reduced}.mean()
'''
_LAYER = '''

class Layer{n}:
    """A layer."""

    def __init__(self, width, depth={n}):
        self.width = width
        self.table = [np.zeros((width, width)) for _ in range(depth)]

    def forward(self, x, mask=None):
        hidden = x if mask is None else x * mask
        for weight in self.table:
            hidden = np.maximum(hidden @ weight, 0.0)
        return hidden / np.sqrt((hidden**2).mean(axis=-1, keepdims=True))
'''


def module(lines: int) -> str:
    """A module of so many lines, or a few less: losses and layers, every other loss wrong."""
    text, n = _HEAD, 0
    step = (_LOSS + _LAYER * 3).count("\n")
    while text.count("\n") + step <= lines:
        reduced = "" if n % 2 else ".sum(axis=-1)"
        text += _LOSS.format(n=n, reduced=reduced) + _LAYER.format(n=n) * 3
        n += 1
    return text


def measure(text: str, changes: int) -> tuple[int, float, list[float]]:
    """The number of findings, the seconds to the first ones, and those to the next ones after each change."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Client([program("batchmean"), "server"], Path(folder)) as client,
    ):
        client.initialize()
        start = time.perf_counter()
        uri = client.open(Path(folder) / "losses.py", text)
        found = len(client.diagnostics(uri, 1))
        first = time.perf_counter() - start
        waits = []
        for n in range(changes):
            start = time.perf_counter()
            version = client.change(uri, f"{text}# {'typing ' * (n // 7)}{'typing '[: n % 7]}")
            assert len(client.diagnostics(uri, version)) == found
            waits.append(time.perf_counter() - start)
        client.leave()
    return found, first, waits


def hovers(losses: int) -> tuple[float, list[float]]:
    """The seconds that all fixes of a file with so many wrong losses take, and those of hovers asked meanwhile."""
    text = _HEAD + "".join(_LOSS.format(n=n, reduced="") for n in range(losses))
    waits: list[float] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        Client([program("batchmean"), "server"], Path(folder)) as client,
    ):
        client.initialize()
        uri = client.open(Path(folder) / "losses.py", text)
        where = client.diagnostics(uri, 1)[0]["range"]
        document = {"uri": uri}
        context = {"diagnostics": [], "only": ["source.fixAll"]}
        question = {"textDocument": document, "range": where, "context": context}
        start = time.perf_counter()
        client._send({"id": "all", "method": "textDocument/codeAction", "params": question})
        while True:
            asked = time.perf_counter()
            params = {"textDocument": document, "position": where["start"]}
            client._send({"id": "one", "method": "textDocument/hover", "params": params})
            answered = set()
            while "one" not in answered:
                answered.add(client._receive(time.monotonic() + 60).get("id"))
            if "all" in answered:
                return time.perf_counter() - start, waits
            waits.append(time.perf_counter() - asked)
            time.sleep(0.02)


def main() -> int:
    """Measure and print."""
    text = module(LINES)
    found, first, waits = measure(text, CHANGES)
    busy = (processor_time(text, CHANGES) - processor_time(text, 0)) / CHANGES
    ordered = sorted(waits)
    print(f"{text.count(chr(10))} lines, {found} findings, {CHANGES} changes")
    print(f"first diagnostics: {first * 1000:.0f} ms")
    print(
        f"after a change, on the clock: median {statistics.median(waits) * 1000:.1f} ms, "
        f"fastest {ordered[0] * 1000:.1f} ms, 95 % within {ordered[int(0.95 * len(ordered)) - 1] * 1000:.1f} ms"
    )
    total = busy + PAUSE
    print(
        f"after a change, processor time and pause: {busy * 1000:.1f} + {PAUSE * 1000:.0f} = {total * 1000:.1f} ms "
        f"(limit: {LIMIT * 1000:.0f} ms)"
    )
    together, asked = hovers(HOVERED)
    print(
        f"{HOVERED} losses fixed at once: {together:.2f} s; {len(asked)} hovers meanwhile: "
        f"median {statistics.median(asked) * 1000:.1f} ms, slowest {max(asked) * 1000:.1f} ms"
    )
    return 0 if total < LIMIT else 1


def processor_time(text: str, changes: int) -> float:
    """The seconds that a server computes from its start to its end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    measure(text, changes)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    sys.exit(main())
