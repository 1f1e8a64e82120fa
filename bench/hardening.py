"""What it costs to know that nothing changed: bytes of a year compared with what was committed,
beside `sha256sum` over the same files, and of the check before a change is appended to the trail.
"""

import hashlib
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.duck import connect
from aiops_wb.log.ingest import ingest_file
from aiops_wb.log.store import open_store
from aiops_wb.log.verify import Asked, compare_bytes

from .common import arguments, figure, folder, interleaved
from .hardening_trail import trail_figures

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FEATURES = 10
_MADE = """
    SELECT 'p' || lpad((day * {n} + i)::VARCHAR, 12, '0') AS prediction_id,
           TIMESTAMPTZ '2025-01-01 00:00:00Z' + INTERVAL (day) DAY
               + INTERVAL (i * 86400 // {n}) SECOND AS predicted_at,
           random() AS score, 's' || (i % 20) AS site_id, 1.5 AS latency_ms, {features}
    FROM range({first}, {last}) AS days(day), range({n}) AS events(i)"""


def logged(root: Path, days: int, n: int) -> Path:
    "A log of so many days of so many events, published."
    features = ", ".join(f"random() * {k} AS x{k}" for k in range(FEATURES))
    options = {"model": "m", "version": "v1", "threshold": "0.6"}
    with open_store(root / "data", "bench") as store, connect(":memory:", threads=1) as con:
        for first in range(0, days, 30):
            path, last = root / "month.parquet", min(first + 30, days)
            rows = _MADE.format(n=n, first=first, last=last, features=features)
            con.execute(f"COPY ({rows}) TO '{path}' (FORMAT parquet)")
            ingest_file(store, NOW + timedelta(first), "bench", path, "predictions", {}, options)
        store.publish()
    return root / "data"


def verify_mb_s(root: Path, days: int, n: int) -> None:
    "CPU of comparing the bytes of a log, and of `sha256sum` over the same files."
    data = logged(root, days, n)
    with open_snapshot(data) as reader:
        files = [str(data / file.path) for file in reader.day_files()]
        size = sum(Path(path).stat().st_size for path in files) / 1e6
        whole = lambda: compare_bytes(reader, Asked())
        assert whole().verified == len(files)
        tool = lambda: subprocess.run(["sha256sum", *files], check=True, stdout=subprocess.DEVNULL)
        plain = lambda: [hashlib.sha256(Path(path).read_bytes()).digest() for path in files]
        ours, theirs, bare = interleaved(whole, tool, plain)
    figure(
        "verify_mb_s",
        1000 * ours / size,
        1000 * theirs / size,
        "CPU seconds a GB",
        days * n,
        f"sha256sum on the same {len(files)} files, {size:,.0f} MB, from memory: "
        f"{size / ours:,.0f} MB a second of CPU beside {size / theirs:,.0f}; Python's hashlib "
        f"alone, which uses the processor's own instructions, {size / bare:,.0f}",
    )


def main():
    quick = arguments(__doc__).quick
    days, n = (60, 1_000) if quick else (365, 2_000)
    verify_mb_s(folder(), days, n)
    trail_figures()


if __name__ == "__main__":
    main()
