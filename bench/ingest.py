"""Ingest of Parquet segments and of a CSV file, checked and deduplicated, against DuckDB's own
partitioned COPY of the same files.
"""

import shutil
from datetime import UTC, datetime

import duckdb
import numpy as np
import pandas as pd

from bench.common import arguments, figure, folder, interleaved, peak_mb


def deliver(spool, rows, segment=20_000, days=30):
    "Segments of the logger: ten features, ids that grow with time."
    from aiops_wb.log.spool import PredictionLogger

    rng = np.random.default_rng(0)
    with PredictionLogger(
        spool, "m", "v", threshold=0, flush_rows=segment, flush_seconds=None
    ) as log:
        for start in range(0, rows, segment):
            at = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(
                np.sort(rng.integers(0, days * 86_400, segment)), unit="s"
            )
            ids = [f"{start + i:012d}" for i in range(segment)]
            log.log(
                rng.random(segment),
                pd.Series(at),
                prediction_id=ids,
                entity_id=rng.integers(0, 5_000, segment).astype(str),
                site_id=rng.integers(0, 100, segment).astype(str),
                features=pd.DataFrame(rng.normal(size=(segment, 10)), columns=list("abcdefghij")),
                latency_ms=2.0,
            )


def main():
    from aiops_wb.log.ingest import ingest, ingest_file
    from aiops_wb.log.store import open_store

    rows = 200_000 if arguments(__doc__).quick else 2_000_000
    root = folder()
    deliver(root / "delivered", rows)

    def fresh(again=False):
        shutil.rmtree(root / "data", ignore_errors=True)
        shutil.copytree(root / "delivered", root / "data" / "spool")

    def ours():
        fresh()
        with open_store(root / "data", "bench") as store:
            taken = ingest(store, datetime(2026, 2, 1, tzinfo=UTC), "bench")
            assert taken.loaded == rows, taken

    def theirs():
        fresh()
        shutil.rmtree(root / "copied", ignore_errors=True)
        with duckdb.connect() as con:
            con.execute("SET TimeZone = 'UTC'")
            con.execute(f"""COPY (
                SELECT *, CAST(predicted_at AT TIME ZONE 'UTC' AS DATE) AS event_date
                FROM read_parquet('{root}/data/spool/**/*.parquet'))
                TO '{root}/copied' (FORMAT parquet, PARTITION_BY (event_date))""")

    def nothing():
        fresh()

    a, b, c = interleaved(ours, theirs, nothing, runs=5)
    figure(
        "ingest_vs_copy",
        a - c,
        b - c,
        "CPU s",
        rows,
        "DuckDB: COPY ... (PARTITION_BY event_date)",
        peak_mb(ours),
    )

    n, text = 200_000, root / "delivered.csv"
    write_csv(root / "delivered", text, n)

    def ours_csv():
        shutil.rmtree(root / "data", ignore_errors=True)
        with open_store(root / "data", "bench") as store:
            now = datetime(2026, 2, 1, tzinfo=UTC)
            taken = ingest_file(store, now, "bench", text, "predictions")
            assert taken.loaded == n, taken

    def theirs_csv():
        shutil.rmtree(root / "copied", ignore_errors=True)
        with duckdb.connect() as con:
            con.execute("SET TimeZone = 'UTC'")
            con.execute(f"""COPY (
                SELECT *, CAST(predicted_at::TIMESTAMPTZ AT TIME ZONE 'UTC' AS DATE) AS event_date
                FROM read_csv('{text}'))
                TO '{root}/copied' (FORMAT parquet, PARTITION_BY (event_date))""")

    a, b = interleaved(ours_csv, theirs_csv, runs=5)
    against = "DuckDB: read_csv, COPY ... (PARTITION_BY event_date)"
    figure("ingest_csv_vs_copy", a, b, "CPU s", n, against, peak_mb(ours_csv))


def write_csv(delivered, path, rows):
    "The same events as a CSV file, as somebody else would write it."
    columns = "prediction_id, model, version, entity_id, site_id, score, latency_ms"
    when = "strftime(predicted_at AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S+00:00') AS predicted_at"
    with duckdb.connect() as con:
        con.execute(f"""COPY (
            SELECT {columns}, {when}, unnest(features)
            FROM read_parquet('{delivered}/**/*.parquet') ORDER BY prediction_id LIMIT {rows})
            TO '{path}' (FORMAT csv)""")


if __name__ == "__main__":
    main()
