"""A history in the log: rows that are known since the nights on which they would have been taken
in, a batch for each night, written and counted together.

An import is committed when it is made, under the next numbers; each of its batches says since when
it is known. Counts are changes, so that those of a day add up to what was known at any time as long
as the batches that changed the day follow each other in the order in which they are known. That is
kept for each day of a model: what an import adds to a day becomes known no earlier than what the
log knew of this day last. What was told of the day before stays as it was told.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime

import pandas as pd

from ..stats.points import LIMIT, Grid
from .batches import BatchWrites
from .duck import literal, parquet, statements
from .known import KNOWN_SINCE

__all__ = ["NightWrites"]

TOGETHER = 30
"Days of a history that are counted in one query."

_NIGHT = "least($now::TIMESTAMPTZ, (({at})::DATE + 1)::TIMESTAMP AT TIME ZONE $zone)"
_LATEST = f"""
    SELECT event_date, max({KNOWN_SINCE}) AS latest
    FROM (SELECT DISTINCT event_date, batch_id FROM score_counts WHERE model = $model)
    JOIN batches USING (batch_id)
    GROUP BY event_date"""
_CELLS = """
    SELECT event_date, tenant, model, version,
           CASE WHEN points IS NULL THEN 'site=' || site_id ELSE '' END AS segment,
           CASE WHEN points IS NULL THEN coarse ELSE fine END AS grid,
           coalesce(points, cell) AS points, n, n_labelled, n_positive, batch_id
    FROM (SELECT event_date, tenant, model, version, "grid" AS logged, site_id, points, cell,
                 batch_id, sum(n) AS n, sum(n_labelled) AS n_labelled, sum(n_positive) AS n_positive
          FROM (SELECT *, 20 * CAST(FLOOR(points / 20.0) AS SMALLINT) AS cell FROM ({events}))
          GROUP BY GROUPING SETS (
              (event_date, tenant, model, version, "grid", batch_id, points),
              (event_date, tenant, model, version, "grid", batch_id, site_id, cell)))
    JOIN (VALUES {grids}) AS grids(logged, fine, coarse) USING (logged)
    WHERE (points IS NOT NULL OR site_id IS NOT NULL)
      AND (n <> 0 OR n_labelled <> 0 OR n_positive <> 0)"""
_LOGGED = """
    SELECT event_date, tenant, model, version, "grid", site_id, points, batch_id,
           1 AS n, 0 AS n_labelled, 0 AS n_positive
    FROM {rows}"""
_LABELLED = f"""
    SELECT p.event_date, p.tenant, p.model, p.version, p."grid", p.site_id, p.points,
           CASE WHEN told.since >= logged.since THEN l.batch_id ELSE p.batch_id END AS batch_id,
           0 AS n, (l.before IS NULL)::INTEGER AS n_labelled,
           l.label - coalesce(l.before, 0) AS n_positive
    FROM {{rows}} AS p
    JOIN (SELECT *, lag(label) OVER (PARTITION BY prediction_id ORDER BY batch_id) AS before
          FROM (SELECT prediction_id, label, batch_id FROM {{outcomes}}
                QUALIFY row_number() OVER (
                    PARTITION BY prediction_id, batch_id
                    ORDER BY observed_at DESC, label DESC) = 1)) AS l USING (prediction_id)
    JOIN (SELECT batch_id, {KNOWN_SINCE} AS since FROM batches) AS logged
        ON logged.batch_id = p.batch_id
    JOIN (SELECT batch_id, {KNOWN_SINCE} AS since FROM batches) AS told
        ON told.batch_id = l.batch_id
    WHERE {{new}} AND l.label IS DISTINCT FROM l.before"""
_GRIDS = ", ".join(
    f"({', '.join(map(literal, (kind, Grid.parse(kind).name, Grid.parse(kind).coarsen(20).name)))})"
    for kind in LIMIT
)


class NightWrites(BatchWrites):
    "Rows of one model that are known since their nights."

    def place_predictions(self, source: str, now: datetime, model: str) -> pd.DataFrame:
        """Fill `nights` (event_date, known_at, batch_id) for a chunk of predictions; returns its
        batches: batch_id, known_at, loaded."""
        day = "(predicted_at AT TIME ZONE $zone)::DATE"
        self._place(
            "nights",
            f"""
            SELECT event_date, loaded,
                   greatest({_NIGHT.format(at="event_date")}, latest) AS known_at
            FROM (SELECT {day} AS event_date, count(*) AS loaded
                  FROM {source} ANTI JOIN rejects USING (filename, file_row_number)
                  GROUP BY 1)
            LEFT JOIN ({_LATEST}) USING (event_date)""",
            {"now": now, "zone": self.timezone, "model": model},
        )
        return self._batches_of("nights", "sum(loaded)")

    def place_outcomes(self, now: datetime, model: str) -> pd.DataFrame:
        """Fill `known_rows`, the rows of `resolved` that are not rejected with known_at and
        batch_id; returns their batches: batch_id, known_at, loaded."""
        observed = _NIGHT.format(at="observed_at AT TIME ZONE $zone")
        self._place(
            "known_rows",
            f"""
            SELECT r.*, greatest({observed}, latest) AS known_at
            FROM resolved r ANTI JOIN rejects USING (filename, file_row_number)
            LEFT JOIN ({_LATEST}) USING (event_date)""",
            {"now": now, "zone": self.timezone, "model": model},
        )
        return self._batches_of("known_rows", "count(*)")

    def _place(self, table, rows, values):
        "A table of rows with a number of their batch, in the order in which they are known."
        self.con.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE {table} AS
            SELECT *, dense_rank() OVER (ORDER BY known_at) + {self.known_batch()} AS batch_id
            FROM ({rows})""",
            values,
        )

    def _batches_of(self, table, rows):
        return self.frame(
            f"""
            SELECT batch_id, known_at, {rows}::BIGINT AS loaded FROM {table}
            GROUP BY ALL ORDER BY batch_id"""
        )

    def first_batches(self, kind: str) -> dict[date | None, int]:
        "Day -> the first batch with rows of it, of those that were placed."
        table = "nights" if kind == "predictions" else "known_rows"
        return dict(self._rows(f"SELECT event_date, min(batch_id) FROM {table} GROUP BY 1"))

    def commit_nights(
        self,
        kind: str,
        now: datetime,
        owner: str,
        model: str,
        batches: pd.DataFrame,
        *,
        duplicates: int,
        conflicts: int,
        quarantine: pd.DataFrame,
        segments: Sequence[tuple],
        files: pd.DataFrame,
        touched: Iterable[tuple] = (),
        outcome_columns: Iterable[tuple] = (),
        also: Callable[[int], None] = lambda batch: None,
        shown: Callable[[Sequence], Iterable] = iter,
    ) -> None:
        """Record the batches (batch_id, known_at, loaded) of a history of one model and count what
        they change, in one transaction; as `commit_batch`, with files that name their batch.

        Batches are those of `place_predictions` or `place_outcomes`, or a single one without rows.
        """
        first, last = int(batches.batch_id.iloc[0]), int(batches.batch_id.iloc[-1])
        with self.transaction():
            numbers = (duplicates, conflicts, len(quarantine))
            self._add_nights(kind, now, owner, model, batches, numbers)
            self._add_segments(first, segments)
            if len(quarantine):
                self._insert("quarantine", quarantine.assign(batch_id=first))
            if len(files):
                self._insert("data_files", files)
            new = files[files.kind == "predictions"] if kind == "predictions" else files[:0]
            if kind == "predictions":
                touched = zip(new.event_date, new.tenant, new.model, new.version)
            keys = {key for key in touched if key[2] == model}
            days = sorted({key[0] for key in keys})
            parts = [days[at : at + TOGETHER] for at in range(0, len(days), TOGETHER)]
            for part in shown(parts):
                self._count_part(kind, first, model, part)
            if len(new):
                self._count_once(new)
            self._count_late(last, keys)
            self.add_outcome_columns(first, now, owner, outcome_columns)
            also(first)

    def _add_nights(self, kind, now, owner, model, batches, numbers):
        "What was rejected stands in the first of them."
        told = dict(zip(("duplicates", "conflicts", "quarantined"), numbers))
        at = max(t for t in (now, self.last_committed()) if t is not None)
        rows = batches.assign(
            kind=kind, committed_at=at, owner=owner, only_model=model, **dict.fromkeys(told, 0)
        )
        rows.loc[rows.index[0], list(told)] = list(told.values())
        self._insert("batches", rows)

    def _count_part(self, kind, first, model, days):
        "Count what batches from `first` on change on some days: scores, labels, their arrival."
        logged, labels = self._paths_of(model, days, first if kind == "predictions" else 0)
        new = "p" if kind == "predictions" else "l"
        events = [_LOGGED.format(rows=parquet(logged))] if kind == "predictions" else []
        if labels:
            events.append(
                _LABELLED.format(
                    rows=parquet(logged), outcomes=parquet(labels), new=f"{new}.batch_id >= {first}"
                )
            )
        cells = _CELLS.format(events=" UNION ALL ".join(events), grids=_GRIDS)
        self.con.execute(f"CREATE OR REPLACE TEMP TABLE changes AS {cells}")
        self._write("INSERT INTO score_counts SELECT * FROM changes")
        self.add_arrivals("changes")

    def _paths_of(self, model, days, since):
        "Files of a model's predictions on some days from a batch on, and of outcomes for them."
        rows = self._rows(
            """
            SELECT kind, path, min(min_id), max(max_id) FROM data_files
            WHERE (event_date IN (SELECT unnest($days::DATE[])) OR event_date IS NULL)
              AND (kind = 'outcomes' OR (model = $model AND batch_id >= $since))
            GROUP BY kind, path ORDER BY min(batch_id), path""",
            {"model": model, "days": days, "since": since},
        )
        logged = [row[1:] for row in rows if row[0] == "predictions"]
        low, high = min(low for _, low, _ in logged), max(high for *_, high in logged)
        told = [p for kind, p, a, b in rows if kind == "outcomes" and a <= high and b >= low]
        return [self.root / path for path, *_ in logged], [self.root / path for path in told]

    def _count_once(self, files):
        "Counts that only new predictions change: latencies, decisions, hours, features."
        paths = list(files.path)
        rows = parquet(self.root / path for path in paths)
        for table in ("latency_counts", "decision_counts"):
            self._write(
                f"""
                INSERT INTO {table} BY NAME WITH predictions AS (SELECT * FROM {rows})
                {statements("reductions.sql")[table]}"""
            )
        self.count_hours_by_batch(paths)
        self._count_features(files)
