"""Sixty days of performance and drift figures from stored counts, against the same from raw rows;
and as the history doubles.
"""

from datetime import date, timedelta

from bench.common import arguments, figure, folder, interleaved
from bench.counts import make


def main():
    from aiops_wb.log.duck import parquet
    from aiops_wb.log.store import open_store
    from aiops_wb.stats.counts import ScoreCounts, total
    from aiops_wb.stats.drift import ks
    from aiops_wb.stats.performance import summary

    rows = 1_000_000 if arguments(__doc__).quick else 10_000_000
    root = make(folder(), 2 * rows, 120)
    start = date(2026, 1, 1)
    # a label for each row, in place of the join that raw rows would need
    label = "CAST(hash(prediction_id) % 1000 < 1000 / (1 + exp(-points / 1000.0)) AS TINYINT)"

    def stored(days):
        "The stored counts of so many days of history, in the catalog's table."
        store.con.execute("DELETE FROM score_counts")
        for path, day, *_ in store.files("predictions"):
            if day < start + timedelta(days):
                store.con.execute(f"""INSERT INTO score_counts
                    SELECT event_date, 't', 'm', 'v', '', 'logit', points,
                        count(*), count(*), sum({label}), 1
                    FROM {parquet([root / path])} GROUP BY event_date, points""")
        store.con.execute("CHECKPOINT")

    def figures(counts):
        "Each day's figures, the drift of the last week against the month before, and the whole."
        for table in counts.values():
            summary(table, 0)
        order = sorted(counts)
        ks(total(counts[d] for d in order[-7:]), total(counts[d] for d in order[:30]))
        return summary(total(counts.values()), 0)

    def ours(last):
        return figures(
            store.score_counts("m", start + timedelta(last - 59), start + timedelta(last))
        )

    def raw():
        paths = [
            root / f[0] for f in store.files("predictions", event_date__le=start + timedelta(59))
        ]
        found = store.con.execute(
            f"SELECT event_date, points, count(*) AS n, sum({label}) AS y FROM {parquet(paths)} "
            "GROUP BY event_date, points ORDER BY event_date"
        ).df()
        return figures(
            {d: ScoreCounts.of(r.points, r.n, r.n, r.y) for d, r in found.groupby("event_date")}
        )

    with open_store(root, "bench") as store:
        store.con.execute(
            "INSERT INTO batches VALUES (1, 'predictions', '2026-01-01', 'bench', 0, 0, 0, 0)"
        )
        stored(60)
        assert ours(59)["roc_auc"] == raw()["roc_auc"]
        a, b = interleaved(lambda: ours(59), raw)
        figure(
            "rollup_vs_raw",
            a,
            b,
            "CPU s",
            rows,
            "DuckDB: GROUP BY over the rows of the same 60 days, then the same figures",
        )
        (once,) = interleaved(lambda: ours(59))
        stored(120)
        (twice,) = interleaved(lambda: ours(119))
        figure(
            "rollup_growth",
            twice,
            once,
            "CPU s",
            2 * rows,
            "the last 60 days of a history of 120, against one of 60",
        )


if __name__ == "__main__":
    main()
