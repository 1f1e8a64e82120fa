"""What a scoring service pays for a logged event: a call of `log` with ten features, beside the
same event as a line of JSON, and the import.
"""

import json
import statistics
import subprocess
import sys

from bench.common import arguments, cpu, figure, folder

AT = "2026-11-02T07:00:00+01:00"
FEATURES = {f"feature_{i}": 0.123 * i for i in range(7)} | {"carrier": "UA", "n": 3, "new": True}
IMPORT = """
import time
before = time.process_time()
import aiops_wb.log.spool
print(time.process_time() - before)
"""


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


if __name__ == "__main__":
    main()
