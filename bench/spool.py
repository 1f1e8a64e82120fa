"""What a scoring service pays for a logged event: a call of `log` with ten features, beside the
same event as a line of JSON, and the import; frames and lists of events beside the first logger,
which made a table of everything at once.
"""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from bench.common import arguments, cpu, figure, folder, print_error

AT = "2026-11-02T07:00:00+01:00"
FEATURES = {f"feature_{i}": 0.123 * i for i in range(7)} | {"carrier": "UA", "n": 3, "new": True}
IMPORT = """
import time
before = time.process_time()
import aiops_wb.log.spool
print(time.process_time() - before)
"""
FIRST_LOGGER = "e19c3ab944e71d2a0f4da26acabdaa3eb4145a4b"
"The last commit with the logger that kept frames."
SEVERAL = """
import sys, tempfile
import numpy as np, pandas as pd
from bench.common import cpu
from aiops_wb.log.spool import PredictionLogger

form, size, calls = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
rng = np.random.default_rng(0)
score, seconds = rng.random(size), pd.to_timedelta(np.arange(size), unit="s")
features = pd.DataFrame(rng.normal(size=(size, 8)), columns=list("abcdefgh"))
features["carrier"], features["n"] = rng.choice(["UA", "AA"], size), rng.integers(0, 9, size)
sites = rng.integers(0, 100, size).astype(str)
at = pd.Series(pd.Timestamp("2026-01-01", tz="UTC") + seconds)
if form == "lists":
    score, at, sites = score.tolist(), [t.isoformat() for t in at], sites.tolist()
    features = {name: column.tolist() for name, column in features.items()}
taken = []
for _ in range(4):
    with tempfile.TemporaryDirectory() as root:
        before = cpu()
        with PredictionLogger(root, "m", "1", threshold=0, flush_seconds=None) as log:
            for _ in range(calls):
                log.log(score, at, features=features, site_id=sites, latency_ms=2.0)
        taken.append(cpu() - before)
assert sys.modules["aiops_wb"].__file__.startswith(sys.argv[4])
print(sorted(taken[1:])[1])
"""


def first_logger(root):
    "The package as it was with the first logger; None where the history is not there."
    repository = Path(__file__).resolve().parent.parent
    archive = ["git", "-C", repository, "archive", FIRST_LOGGER, "aiops_wb"]
    packed = subprocess.run(archive, capture_output=True, check=False)
    if packed.returncode:
        return None
    (root / "first").mkdir()
    subprocess.run(["tar", "x", "-C", root / "first"], input=packed.stdout, check=True)
    return root / "first"


def several_calls(package, form, size, calls):
    "CPU seconds of calls with many events each, their segments included, in a fresh process."
    here = Path(__file__).resolve().parent.parent
    path = os.pathsep.join(map(str, (package, here)))
    command = [sys.executable, "-P", "-c", SEVERAL, form, str(size), str(calls), str(package)]
    environment = os.environ | {"PYTHONPATH": path}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


def log_calls(root, rows):
    "CPU seconds of one call of `log` with ten features; what was logged is dropped, unwritten."
    from aiops_wb.log.spool import PredictionLogger

    log = PredictionLogger(
        root, "m", "1", threshold=0, flush_seconds=None, flush_rows=rows + 1, buffer_rows=rows + 1
    )
    before = cpu()
    for i in range(rows):
        log.log(i / rows, AT, features=FEATURES, entity_id="e17", site_id="north", latency_ms=2.5)
    taken = (cpu() - before) / rows
    log._rows.reborn()  # as a forked child begins: without these rows
    return taken


def json_lines(root, rows):
    "CPU seconds of the same event as a line of JSON, written to a file of the process."
    with open(root / "events.jsonl", "w", encoding="utf-8") as file:
        before = cpu()
        for i in range(rows):
            event = {
                "prediction_id": f"{i:032x}",
                "predicted_at": AT,
                "score": i / rows,
                "features": FEATURES,
                "entity_id": "e17",
                "site_id": "north",
                "latency_ms": 2.5,
            }
            file.write(json.dumps(event) + "\n")
        return (cpu() - before) / rows


def import_seconds():
    "CPU seconds of the import in a fresh process."
    command = [sys.executable, "-c", IMPORT]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main():
    quick = arguments(__doc__).quick
    root, rows = folder(), 10_000 if quick else 50_000
    runs = [(log_calls(root, rows), json_lines(root, rows)) for _ in range(8)][1:]
    ours, line = (1e6 * statistics.median(side) for side in zip(*runs, strict=True))
    figure(
        "log_call_us",
        ours,
        0,
        "microseconds",
        rows,
        "absolute: one call of log, one event with ten features (target 15)",
    )
    figure("log_vs_json", ours, line, "microseconds", rows, "json.dumps and write of the event")
    started = [import_seconds() for _ in range(8)][1:]
    figure(
        "spool_import_ms",
        1e3 * statistics.median(started),
        0,
        "milliseconds",
        1,
        "absolute: import of aiops_wb.log.spool in a fresh process (target 80)",
    )
    several(root, quick)


def several(root, quick):
    "Frames and lists through the logger, against the first one."
    first, here = first_logger(root), Path(__file__).resolve().parent.parent
    if first is None:
        print_error(
            "without the history of the repository there is no first logger to compare with"
        )
        return
    share = 4 if quick else 1
    for name, form, size, calls in (
        ("log_frame_vs_first", "frame", 20_000, 8),
        ("log_frames_vs_first", "frame", 1_000, 80),
        ("log_lists_vs_first", "lists", 100, 400),
    ):
        sides = [
            [several_calls(package, form, size, calls // share) for package in (here, first)]
            for _ in range(5)
        ]
        ours, theirs = (statistics.median(side) for side in zip(*sides, strict=True))
        told = (
            f"the first logger: {calls // share} calls with a {form.rstrip('s')} of {size:,} each"
        )
        figure(name, ours, theirs, "seconds", size * calls // share, told)


if __name__ == "__main__":
    main()
