"""How often `batchmean laws` is right on the losses of libraries, with nothing declared and with everything.

    python -m benchmarks.library_losses [--only TEXT] [--part tuned|held-out] [--jobs N] [--verbose]

`library_table.py` has the losses and what each is of the rightly averaged one, decided by the maths before the tool was
asked. Those whose id's checksum leaves 0 on division by 3 are held out: nothing was tuned on them, and they are
counted by themselves, too. What is not installed is skipped and named. It needs, beside the frameworks of
tests/requirements-heavy.txt,

    pip install kornia monai segmentation-models-pytorch timm torchvision torchmetrics pytorch-metric-learning \
        transformers trl scikit-learn

The last line is JSON: `losses` that ran or should have; `undeclared_right` and `declared_right` (fractions of them);
`false_right`, how many wrong ones were called right in either run; `cannot_run` without declarations; `held_out`,
the same figures for those; `skipped` packages; `cpu` seconds per loss and run, in the median and at most. The exit
status is 0 where the goals of `GOALS` are reached.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
import types
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any

from benchmarks.library_table import TABLE, Row

GOALS = {"undeclared_right": 0.90, "declared_right": 0.98, "false_right": 0}
SECONDS = 30
"""CPU time that one loss may take in one run, the import of its library aside."""

RUNS = ("undeclared", "declared")


def held_out(row: Row) -> bool:
    """Whether a loss is of the third that nothing was tuned on."""
    return zlib.crc32(f"18 {row.id}".encode()) % 3 == 0


def examined(row: Row, run: str) -> dict[str, Any]:
    """What the tool says of a loss: its verdict as in the table, "cannot run" with the reason, and its CPU time."""
    from batchmean_reference.calling import Unjudged
    from batchmean_reference.examine import examine, fraction
    from batchmean_reference.laws_command import load, parse_arguments, parse_exemptions, parse_output

    options: dict[str, Any] = {"init": json.loads(row.made_with)} if row.made_with else {}
    options["output"] = parse_output(row.output) if row.output else None
    args = parse_arguments(row.given)
    if run == "declared":
        args |= parse_arguments(row.args)
        options |= {
            "axes": row.axes.split(),
            "exempt": parse_exemptions(row.exempt.split(";") if row.exempt else []),
        }
    loss = load(row.loss)
    start = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        found = examine(loss, args=args, **options)
        verdict = {"right": "1", "no law": "no law", "wrong": fraction(found.factor, found.constant)}[
            found.outcome
        ]
        if found.outcome == "wrong" and verdict == "1":
            verdict = "broken"
        why = "; ".join(
            f"{law} {result.verdict} ({result.reason})"
            for law, result in found.laws.items()
            if result.verdict != "not applicable"
        )
        why = f"{found.declared} {why}"
    except Unjudged as refused:
        verdict, why = "no law", str(refused)
    except (ValueError, TimeoutError) as error:
        verdict, why = "cannot run", str(error)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return {"id": row.id, "run": run, "verdict": verdict, "why": why, "cpu": time.process_time() - start}


def _work(ids: Sequence[str]) -> None:
    """In a process of its own: a line of JSON for each loss and run."""

    def too_long(*_: Any) -> None:
        raise TimeoutError(f"more than {SECONDS} seconds of CPU time")

    signal.signal(signal.SIGPROF, too_long)
    # Beside a CPU build of torch, torchvision's GPU wheel lacks the operators that it then describes; no loss
    # needs one.
    sys.modules.setdefault(
        "torchvision._meta_registrations", types.ModuleType("torchvision._meta_registrations")
    )
    by_id = {row.id: row for row in TABLE}
    for name in ids:
        for run in RUNS:
            try:
                result = examined(by_id[name], run)
            except Exception as error:  # a fault of the tool is a wrong answer, not the end of the run
                result = {"id": name, "run": run, "verdict": "crashed", "why": repr(error), "cpu": 0.0}
            print("RESULT " + json.dumps(result), flush=True)


def _in_process(rows: Sequence[Row]) -> list[dict[str, Any]]:
    command = [
        sys.executable,
        "-m",
        "benchmarks.library_losses",
        "--work",
        json.dumps([row.id for row in rows]),
    ]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    results = [json.loads(line[7:]) for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    seen = {(result["id"], result["run"]) for result in results}
    last = (done.stderr.strip().splitlines() or [""])[-1]
    results += [
        {"id": row.id, "run": run, "verdict": "crashed", "why": last, "cpu": 0.0}
        for row in rows
        for run in RUNS
        if (row.id, run) not in seen
    ]
    return results


def _batches(rows: Sequence[Row], most: int = 16) -> Iterator[list[Row]]:
    """Losses of one library together, so that it is imported once."""
    for library in dict.fromkeys(row.library for row in rows):
        of = [row for row in rows if row.library == library]
        for start in range(0, len(of), most):
            yield of[start : start + most]


def figures(results: Sequence[dict[str, Any]], rows: Sequence[Row]) -> dict[str, Any]:
    """The figures of the last line, for these losses."""
    accepted = {row.id: row.accepted for row in rows}
    ours = [result for result in results if result["id"] in accepted]
    right = [result for result in ours if result["verdict"] in accepted[result["id"]]]

    def share(run: str) -> float:
        of = [result for result in ours if result["run"] == run]
        return round(sum(result["run"] == run for result in right) / len(of), 4) if of else 0.0

    false = [result for result in ours if result["verdict"] == "1" and "1" not in accepted[result["id"]]]
    return {
        "losses": len(accepted),
        "undeclared_right": share("undeclared"),
        "declared_right": share("declared"),
        "false_right": len({result["id"] for result in false}),
        "cannot_run": sum(
            result["verdict"] in ("cannot run", "crashed") for result in ours if result["run"] == "undeclared"
        ),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark; 0 where every goal is reached."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default="", metavar="TEXT", help="losses whose id contains it")
    parser.add_argument(
        "--part", choices=("tuned", "held-out"), help="those that may be tuned on, or the others"
    )
    parser.add_argument("--jobs", type=int, default=2, metavar="N")
    parser.add_argument("--verbose", action="store_true", help="what was said of every loss")
    parser.add_argument("--work", metavar="IDS", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.work:
        _work(json.loads(options.work))
        return 0
    rows = [row for row in TABLE if options.only in row.id]
    if options.part:
        rows = [row for row in rows if held_out(row) == (options.part == "held-out")]
    skipped = sorted({row.library for row in rows if importlib.util.find_spec(row.library) is None})
    rows = [row for row in rows if row.library not in skipped]
    with ThreadPoolExecutor(options.jobs) as pool:
        results = [result for batch in pool.map(_in_process, _batches(rows)) for result in batch]
    accepted = {row.id: row.accepted for row in rows}
    for result in results:
        good = result["verdict"] in accepted[result["id"]]
        if options.verbose or not good:
            truth = " or ".join(accepted[result["id"]])
            said = f"{result['run']} {result['id']}: {result['verdict']}, it is {truth}"
            print(f"{'' if good else 'NOT '}{said}: {result['why'][:400]}")
    if skipped:
        print(f"not installed, and skipped: {', '.join(skipped)}")
    found = figures(results, rows)
    cpu = [result["cpu"] for result in results]
    line = found | {
        "held_out": figures(results, [row for row in rows if held_out(row)]),
        "skipped": skipped,
        "cpu": {"median": round(median(cpu), 2), "most": round(max(cpu), 2)} if cpu else {},
    }
    print(json.dumps(line))
    reached = all(
        found[name] <= goal if name == "false_right" else found[name] >= goal for name, goal in GOALS.items()
    )
    return 0 if reached and not skipped else 1


if __name__ == "__main__":
    raise SystemExit(main())
