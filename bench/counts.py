"""Counting predictions from the log's files, against a bare scan that sums the same columns."""

from datetime import date, timedelta

import duckdb

from bench.common import arguments, figure, folder, interleaved, peak_mb

MADE = """SELECT 'p' || lpad((i + {day} * {n})::VARCHAR, 12, '0') AS prediction_id,
    't' AS tenant, 'm' AS model, 'v' AS version, 'logit' AS "grid",
    'e' AS entity_id, 'S' || lpad((hash(i) % 100)::VARCHAR, 3, '0') AS site_id,
    cast(least(16000, greatest(-16000, round(
        -3000 + 1500 * sqrt(-2 * ln(random() + 1e-12)) * cos(6.2831853 * random())
    ))) AS SMALLINT) AS points,
    DATE '2026-01-01' + {day} AS event_date, 1::BIGINT AS batch_id FROM range({n}) t(i)"""


def make(root, rows, days):
    "A log of one model in day files, named in a catalog."
    from aiops_wb.log.store import open_store

    with open_store(root, "bench") as store:
        n = rows // days
        for day in range(days):
            path = (
                root
                / "log"
                / "predictions"
                / f"event_date={date(2026, 1, 1) + timedelta(day)}"
                / "b1.parquet"
            )
            path.parent.mkdir(parents=True)
            store.con.execute(f"COPY ({MADE.format(day=day, n=n)}) TO '{path}' (FORMAT parquet)")
            store.con.execute(
                "INSERT INTO data_files VALUES ('predictions', ?, ?, 't', 'm', 'v', 'logit', ?, "
                "0, true, ?, ?, 1, NULL)",
                [
                    str(path.relative_to(root)),
                    date(2026, 1, 1) + timedelta(day),
                    n,
                    f"p{day * n:012d}",
                    f"p{day * n + n - 1:012d}",
                ],
            )
    return root


def count(store, segments):
    """Count every day of the model with the package's reduction, the whole population, or that and
    each site; like the scan, it hands on one row.
    """
    store.con.execute("UPDATE data_files SET sites = $sites", {"sites": segments})
    keys = [f[1:5] for f in store.files("predictions")]
    with store.one_thread():
        for sql in store.count_sql(keys).values():
            store.con.execute(f"SELECT count(*), sum(n) FROM ({sql})").fetchall()


def main():
    quick = arguments(__doc__).quick
    rows, days = (2_000_000, 60) if quick else (10_000_000, 60)
    root = make(folder(), rows, days)
    from aiops_wb.log.store import open_store

    with open_store(root, "bench") as store:
        scan = duckdb.connect(config={"threads": 1})
        paths = [str(root / f[0]) for f in store.files("predictions")]
        plain = lambda: scan.execute(f"SELECT sum(points) FROM read_parquet({paths})").fetchall()
        with_site = lambda: scan.execute(
            f"SELECT sum(points), max(site_id) FROM read_parquet({paths})"
        ).fetchall()
        ours, bare, segments, bare_site = interleaved(
            lambda: count(store, False), plain, lambda: count(store, True), with_site
        )
    figure(
        "counts_vs_scan",
        ours,
        bare,
        "CPU s",
        rows,
        "DuckDB: SELECT sum(points)",
        peak_mb(lambda: fresh(root, False)),
    )
    figure(
        "segment_counts_vs_scan",
        segments,
        bare_site,
        "CPU s",
        rows,
        "DuckDB: SELECT sum(points), max(site_id)",
        peak_mb(lambda: fresh(root, True)),
    )


def fresh(root, grouped):
    "Count in a process of its own, for its memory."
    from aiops_wb.log.store import open_store

    with open_store(root, "bench") as store:
        count(store, grouped)


if __name__ == "__main__":
    main()
