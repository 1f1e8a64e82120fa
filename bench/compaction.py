"""A log of many small day files before and after they are made few: files, rows of the catalog,
what readers cost, and what the merging costs.

Every hour of every day comes as a delivery of its own: 24 files of predictions and two of labels a
day. Deliveries bring the same hour of all days together, which makes the same files in less time.
"""

import shutil
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit

from bench.common import arguments, cpu, figure, folder, interleaved

MODEL, FEATURES = "risk", [f"x{i:02d}" for i in range(10)]
FIRST = date(2026, 1, 5)
PER_HOUR, HOURS = 100, 24


def filled(data, days) -> datetime:
    "A published log of so many days; when it was made."
    from aiops_wb.log.ingest import ingest
    from aiops_wb.log.spool import OutcomeLogger, PredictionLogger
    from aiops_wb.log.store import open_store

    rng, spool = np.random.default_rng(1), data / "spool"
    start = pd.Timestamp(FIRST, tz="UTC")
    at = start + timedelta(days + 2)
    with open_store(data, "bench") as store:
        for hour in range(HOURS):
            n = days * PER_HOUR
            day = np.repeat(np.arange(days), PER_HOUR)
            seconds = np.sort(rng.integers(0, 3600, (days, PER_HOUR)), axis=1).ravel()
            times = start + pd.to_timedelta(86_400 * day + 3_600 * hour + seconds, unit="s")
            ids = [f"{d:04d}-{hour:02d}-{i:04d}" for i, d in zip(np.arange(n) % PER_HOUR, day)]
            x = rng.standard_normal((n, len(FEATURES)))
            with PredictionLogger(spool, MODEL, "v1", threshold=405, flush_seconds=None) as log:
                features = pd.DataFrame(x, columns=FEATURES)
                told = {"prediction_id": ids, "entity_id": ids, "features": features}
                log.log(expit(x[:, 0] - 2), pd.Series(times), **told, latency_ms=2.0)
            if hour % 12 == 11:
                with OutcomeLogger(spool, "bench", flush_seconds=None) as log:
                    label = (rng.random(n) < expit(x[:, 0] - 2)).astype(int)
                    log.log(ids, label, pd.Series(times) + timedelta(1), predicted_at=times)
            ingest(store, at.to_pydatetime() + timedelta(hours=hour), "bench")
        store.publish()
    return at.to_pydatetime() + timedelta(1)


def asked_of_rows(data, days):
    "What a page of a day asks of rows, of some days apart."
    from aiops_wb.log.catalog import open_snapshot

    with open_snapshot(data) as reader:
        found = 0
        for n in np.linspace(0, days - 1, 5, dtype=int):
            day = FIRST + timedelta(int(n))
            found += len(reader.rows(MODEL, day, day, where="points > 0"))
        return found


def asked_in_sql(data, days):
    "What an analyst asks of a month through the published view."
    from aiops_wb.log.catalog import open_snapshot

    until = FIRST + timedelta(days)
    with open_snapshot(data) as reader:
        return reader.con.execute(
            "SELECT event_date, count(*), max(features.x00) FROM predictions "
            f"WHERE event_date >= DATE '{until - timedelta(30)}' GROUP BY 1 ORDER BY 1"
        ).fetchall()


def named(data):
    "Files on the disk, rows that the catalog has of them, their bytes, and those of a snapshot."
    from aiops_wb.log.catalog import open_snapshot

    with open_snapshot(data) as reader:
        files = reader.day_files()
        rows = reader._value("SELECT count(*) FROM data_files")
    size = (Path(data) / "aiops.duckdb").resolve().stat().st_size
    return len(files), rows, sum(file.bytes for file in files), size


def main() -> None:
    from aiops_wb.log.compaction import compact, plan
    from aiops_wb.log.store import open_store

    days = 30 if arguments(__doc__).quick else 365
    place = folder()
    before, after = place / "before", place / "after"
    at = filled(before, days)
    shutil.copytree(before, after, symlinks=True)
    with open_store(after, "bench") as store:
        what = plan(store, FIRST + timedelta(days))
        began = cpu()
        done = compact(store, at, "bench", what)
        took = cpu() - began
    rows, (old, new) = days * HOURS * PER_HOUR, (named(before), named(after))
    assert done.files == old[0] and asked_of_rows(before, days) == asked_of_rows(after, days)
    assert asked_in_sql(before, days) == asked_in_sql(after, days)
    for name, nth, unit in (
        ("files", 0, "files"),
        ("catalog_rows", 1, "rows of data_files"),
        ("bytes", 2, "bytes of day files"),
        ("snapshot_bytes", 3, "bytes of a snapshot"),
    ):
        figure(f"compact_{name}", new[nth], old[nth], unit, rows, "the log before")
    for name, asked in (("rows", asked_of_rows), ("view", asked_in_sql)):
        taken = interleaved(partial(asked, after, days), partial(asked, before, days))
        against = "the same question before"
        figure(f"compact_{name}_query", *taken, "CPU s with the opening", rows, against)
    copied = interleaved(lambda: copy_all(before, before.parent / "copied"), runs=5)[0]
    mb = done.bytes / 1e6
    against = "cp of the same files"
    figure("compact_cpu_ms_per_mb", 1000 * took / mb, 1000 * copied / mb, "ms", rows, against)


def copy_all(data, into):
    "The day files, copied."
    shutil.rmtree(into, ignore_errors=True)
    shutil.copytree(Path(data) / "log", into)


if __name__ == "__main__":
    main()
