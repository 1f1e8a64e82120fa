"""The same rows counted by Spark and by DuckDB, each by the package's own SQL: every cell that one
counts is held against what nights counted, as of two batches.

Spark is a server of Sail, a process that this program starts, Spark's own local cluster of two
executors (`--cluster`), or any other by its address (`--url sc://host:15002`). The rows are made:
labels that come late, corrections, sites, features of two types. Times are those of the wall: the
server is another process.
"""

import argparse
import time
from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta
from statistics import median

import pandas as pd

from bench.common import figure, folder, now, print_error
from bench.servers import cluster, sail

FIRST = date(2026, 1, 1)
MORNING = datetime(2026, 1, 2, tzinfo=UTC)
TABLES = {
    "score_counts": ("n", "n_labelled", "n_positive"),
    "arrival_counts": ("n", "n_negative", "n_positive"),
    "decision_counts": ("n",),
    "hour_counts": ("n",),
    "latency_counts": ("n",),
    "feature_counts": ("n",),
}
BINS = {"bins": {"x": {"cuts": [-1.0, -0.3, 0.1, 0.8]}, "kind": {"categories": ["k0", "k1"]}}}

PREDICTIONS = """
SELECT 'p{day}-' || lpad(i::VARCHAR, 9, '0') AS prediction_id, 'default' AS tenant, 'm' AS model,
       'v1' AS version, 'logit' AS "grid",
       CASE WHEN hash(i) % 10 > 0 THEN 's' || (hash(i, 1) % 50) END AS site_id,
       TIMESTAMP '{date}' AT TIME ZONE '{zone}' + to_milliseconds((hash(i, 2) % 86400000)::BIGINT)
           AS predicted_at,
       0.5 AS score,
       ((hash(i, 3, {day}) % 4001)::INTEGER - 2000 + (hash(i, 4) % 2001)::INTEGER - 1000)::SMALLINT
           AS points,
       CASE WHEN hash(i, 5) % 9 = 0 THEN 'alert' ELSE 'monitor' END AS route,
       hash(i, 6) % 2 = 0 AS automated, (hash(i, 7) % 64) / 8 AS latency_ms,
       {{'x': {x}, 'kind': 'k' || (hash(i, 9) % 3)}} AS features,
       DATE '{date}' AS event_date, {batch}::BIGINT AS batch_id
FROM range({n}) AS t(i)"""
OUTCOMES = """
SELECT prediction_id, ((hash(prediction_id, {salt}) % 10) < {positive})::TINYINT AS label,
       TIMESTAMPTZ '{observed} 12:00:00+00' AS observed_at, 'made' AS source,
       NULL::VARCHAR AS event_key, event_date, {batch}::BIGINT AS batch_id
FROM read_parquet('{path}', hive_partitioning = false)
WHERE hash(prediction_id) % 10 BETWEEN {of}"""
_FILE = ["kind", "path", "event_date", "tenant", "model", "version", "grid", "rows", "bytes"]
_FILE += ["sites", "min_id", "max_id", "min_key", "max_key", "sha256"]


def make(store, rows: int, days: int) -> list[int]:
    """A log of days whose labels come in three batches: most of them, corrections of a third of
    these, late ones; returns the batches."""
    from aiops_wb.stats.points import Grid

    store.add_version(MORNING, "bench", "m", "v1", Grid(), "nowhere", BINS, 0)
    n, at, keys = rows // days, MORNING, []
    batch, files = store.known_batch() + 1, []
    for day in range(days):
        on = FIRST + timedelta(day)
        x = "hash(i, 8) % 3" if day % 5 == 0 else "(hash(i, 8) % 4001) / 1000 - 2"
        x = f"({x})::{'BIGINT' if day % 5 == 0 else 'DOUBLE'}"
        sql = PREDICTIONS.format(day=day, date=on, zone=store.timezone, n=n, batch=batch, x=x)
        files.append(_written(store, "predictions", on, sql, f"b{batch:08d}-{day:04d}"))
        keys.append((on, "default", "m", "v1"))
    at += timedelta(days)
    store.commit_batch("predictions", at, "bench", loaded=rows, files=_frame(files))
    known, paths = [batch], {file[2]: file[1] for file in files}
    for of, salt, positive in (("0 AND 6", 1, 3), ("2 AND 4", 2, 6), ("7 AND 8", 1, 3)):
        batch, files, at = store.known_batch() + 1, [], at + timedelta(7)
        for day, (on, path) in enumerate(paths.items()):
            told = {"observed": at.date() - timedelta(1), "batch": batch, "path": store.root / path}
            sql = OUTCOMES.format(salt=salt, positive=positive, of=of, **told)
            files.append(_written(store, "outcomes", on, sql, f"b{batch:08d}-{day:04d}"))
        store.commit_batch("outcomes", at, "bench", files=_frame(files), touched=keys)
        known.append(batch)
    return known


def _written(store, kind, day, sql, name):
    "A day file, and what the catalog says of it."
    path = store.root / "log" / kind / f"event_date={day}" / f"{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    store.con.execute(f"COPY ({sql}) TO '{path}' (FORMAT parquet)")
    ids = f"SELECT count(*), min(prediction_id), max(prediction_id) FROM read_parquet('{path}')"
    n, low, high = store.con.execute(ids).fetchall()[0]
    of = ("default", "m", "v1", "logit") if kind == "predictions" else (None,) * 4
    told = (kind, str(path.relative_to(store.root)), day, *of, n, path.stat().st_size, True)
    return (*told, low, high, None, None, None)


def _frame(files):
    return pd.DataFrame(files, columns=_FILE).astype(object)


def whole(store, engine):
    "Count all days by an engine; the cells that are not what nights counted."
    from aiops_wb.log.from_rows import recount

    found = recount(store, engine, FIRST, FIRST + timedelta(400))
    assert found.rows and not found.left, found
    return sum(found.changed.values())


def held(store, batch: int) -> dict[str, pd.DataFrame]:
    "What each table says as of a batch, cell by cell."
    told = {}
    for table, measures in TABLES.items():
        names = [
            c for c in store.frame(f"FROM {table} LIMIT 0") if c not in (*measures, "batch_id")
        ]
        cells = ", ".join(c for c in names if c != "total_ms")
        sums = ", ".join(f"sum({m})::BIGINT AS {m}" for m in measures)
        some = " OR ".join(f"sum({m}) <> 0" for m in measures)
        told[table] = store.frame(
            f"SELECT {cells}, {sums} FROM {table} WHERE batch_id <= {batch} "
            f"GROUP BY {cells} HAVING {some} ORDER BY {cells}"
        )
    return told


def equal_cells(store, engine, batches) -> tuple[int, int]:
    """Cells of every table as of some batches, when the days were counted by an engine alone, that
    are the same as nights counted them; and how many there are."""
    before = {batch: held(store, batch) for batch in batches}
    for table in TABLES:
        store.con.execute(f"DELETE FROM {table}")
    whole(store, engine)
    same = there = 0
    for batch, tables in before.items():
        after = held(store, batch)
        for table, one in tables.items():
            both = one.merge(after[table], how="outer", indicator="where")
            same += int((both["where"] == "both").sum())
            there += len(both)
    return same, there


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="200,000 rows")
    parser.add_argument("--rows", type=int, help="so many (default: 20,000,000)")
    parser.add_argument("--url", help="a server of Spark Connect (default: one of Sail)")
    parser.add_argument("--cluster", action="store_true", help="Spark's own local cluster")
    return parser.parse_args()


def walls(sides, runs):
    "Median wall seconds of each side, run in turn after one warm-up."
    taken = [[] for _ in sides]
    for run in range(runs + 1):
        for side, times in zip(sides, taken, strict=True):
            before = time.perf_counter()
            side()
            if run:
                times.append(time.perf_counter() - before)
    return [median(times) for times in taken]


def main():
    from aiops_wb.log.engines import open_engine
    from aiops_wb.log.store import open_store

    asked = arguments()
    rows = asked.rows or (200_000 if asked.quick else 20_000_000)
    days = max(4, min(60, rows // 50_000))
    root, started = folder(), now()
    name = "server" if asked.url else "cluster" if asked.cluster else "sail"
    opened = {"server": lambda: nullcontext(asked.url), "cluster": lambda: cluster(folder())}
    server = opened.get(name, sail)()
    with open_store(root, "bench", "Europe/Berlin") as store, server as url:
        batches = make(store, rows, days)
        print_error(f"{rows:,} rows of {days} days made in {now() - started:.0f} s")
        place = store.root, store.timezone
        with open_engine("duckdb", *place) as duck, open_engine("spark", *place, url) as spark:
            runs = 1 if asked.quick else 3
            # first of all: from then on the catalog holds what an engine counted
            same, there = equal_cells(store, spark, batches[1:3])
            ours, theirs = walls([lambda: whole(store, spark), lambda: whole(store, duck)], runs)
    rows = rows // days * days
    figure("spark_equal_rows", same, there, "cells", rows, f"what nights counted; {name}")
    figure(f"{name}_vs_duckdb", ours, theirs, "wall s", rows, "the same SQL on DuckDB")


if __name__ == "__main__":
    main()
