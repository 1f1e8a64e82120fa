"""What every benchmark shares: interleaved measuring, one JSON line a figure, data made in a folder
of its own.
"""

import argparse
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")
# a command compiles nothing on a second run, as its peer does not: the first, unmeasured one did
os.environ["PYTHONDONTWRITEBYTECODE"] = ""


def cpu() -> float:
    "CPU seconds of this process and its ended children."
    mine = resource.getrusage(resource.RUSAGE_SELF)
    theirs = resource.getrusage(resource.RUSAGE_CHILDREN)
    return mine.ru_utime + mine.ru_stime + theirs.ru_utime + theirs.ru_stime


def interleaved(*sides: Callable[[], object], runs: int = 5) -> list[float]:
    "Median CPU seconds of each side, run in turn after one warm-up."
    taken = [[] for _ in sides]
    for run in range(runs + 1):
        for side, times in zip(sides, taken, strict=True):
            before = cpu()
            side()
            if run:
                times.append(cpu() - before)
    return [statistics.median(t) for t in taken]


def peak_mb(side: Callable[[], object]) -> float:
    "Peak resident memory (MB) that a side adds to a fresh process, forked for it."
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            before = resident()
            side()
            os.write(
                write,
                str((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024).encode(),
            )
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(pid, 0)
    with os.fdopen(read) as answer:
        return float(answer.read() or "nan")


def resident() -> float:
    "Resident memory now, kB."
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return float(line.split()[1])
    return 0.0


def figure(name, ours, reference, unit, rows, against, peak=float("nan")) -> None:
    "Print one figure; the ratio is ours / reference, so lower is better."
    peak = None if peak != peak else round(peak, 1)
    print(
        json.dumps(
            {
                "name": name,
                "ours": float(f"{ours:.4g}"),
                "reference": float(f"{reference:.4g}"),
                "ratio": float(f"{ours / reference:.3g}") if reference else None,
                "unit": unit,
                "rows": rows,
                "peak_mb": peak,
                "against": against,
            }
        ),
        flush=True,
    )


def arguments(doc: str) -> argparse.Namespace:
    "--quick: a smaller size, within a minute."
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument(
        "--quick", action="store_true", help="smaller size, finishes within 60 seconds"
    )
    return parser.parse_args()


def folder() -> Path:
    "A temporary folder, removed at the end."
    made = tempfile.TemporaryDirectory(prefix="aiops-bench-")
    _kept.append(made)
    return Path(made.name)


_kept: list = []
print_error = lambda text: print(text, file=sys.stderr)
now = time.time
