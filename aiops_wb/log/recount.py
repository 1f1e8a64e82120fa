"""What a batch changes in the counts: days are counted anew from the log's files, and the change
is stored."""

import json
from collections.abc import Iterable, Sequence

import pandas as pd

from ..stats.points import Grid
from .base import Writing
from .duck import parquet, statements
from .features import feature_counts
from .gone import GoneReads
from .outcome_columns import OutcomeColumnReads
from .schema import EMPTY

__all__ = ["ASKED", "RecountReads", "Recounting", "cells", "columns_of", "grids_of"]

_KEY = ("event_date", "tenant", "model", "version")
_DAY = ("day", "tenant", "model", "version")
TOGETHER = 20_000
"Days of at most so many predictions are counted in one query: planning one costs more."


class RecountReads(GoneReads):
    "What the files of days say, to be held against what was counted."

    def _files_of_days(self, days, of_batch=None):
        """Files of predictions (of one batch) by (event_date, tenant, model, version) and of
        outcomes by event_date, as (path, whether a site is named, first id, last id); without
        those of outcomes that are gone."""
        predictions, outcomes = {}, {}
        found = self._files_where(
            """
            WHERE (event_date IN (SELECT unnest($days::DATE[])) OR event_date IS NULL)
              AND (kind = 'outcomes' OR $batch::BIGINT IS NULL OR batch_id = $batch)""",
            {"days": sorted(days), "batch": of_batch},
        )
        gone = self.gone(file for file, _ in found if file.kind == "outcomes")
        for file, sites in found:
            told = (self.root / file.path, sites, file.min_id, file.max_id)
            if file.kind == "predictions":
                predictions.setdefault(file[1:5], []).append(told)
            elif file not in gone:
                outcomes.setdefault(file.day, []).append(told)
        return predictions, outcomes

    def _grid(self, model, version):
        "The grid that a version is logged on."
        return Grid.parse(
            self._value(
                """
                SELECT any_value(grid) FROM data_files
                WHERE kind = 'predictions' AND model = $model AND version = $version""",
                {"model": model, "version": version},
            )
        )

    def score_differences(self, keys: Sequence[tuple], grid: Grid) -> pd.DataFrame:
        """What the rows of some (event_date, tenant, model, version) of one grid say beyond what
        their score counts say: segment, grid, points, n, n_labelled, n_positive; no row where they
        agree."""
        predictions, outcomes = self._files_of_days({key[0] for key in keys})
        counted = cells(
            [file for key in keys for file in predictions[key]],
            [file for files in outcomes.values() for file in files],
        )
        return self.frame(_beyond_the_counts(counted), grids_of(grid) | columns_of(keys))


class Recounting(RecountReads, OutcomeColumnReads, Writing):
    "Brings the counts of days up to date."

    def count_sql(self, keys: Iterable[tuple]) -> dict[tuple, str]:
        """For each (event_date, tenant, model, version), the reduction that counts it from the
        log's files."""
        keys = list(keys)
        predictions, outcomes = self._files_of_days({key[0] for key in keys})
        pending = outcomes.get(None, [])
        return {
            key: _reduction(predictions[key], outcomes.get(key[0], []) + pending) for key in keys
        }

    def _recount_days(self, batch, keys):
        "Bring the score counts of days up to date, small ones together."
        small = self._small_days(batch, keys)
        for (grid, is_new), group in small.items():
            for at in range(0, len(group), 50):
                self._recount_together(batch, Grid.parse(grid), group[at : at + 50], is_new)
        large = set(keys).difference(*small.values())
        for key, sql in self.count_sql(sorted(large)).items():
            self._recount(batch, key, sql)

    def _small_days(self, batch, keys):
        """(Grid, whether nothing of them came before this batch) -> those of the (event_date,
        tenant, model, version) with few predictions."""
        rows = self._rows(
            """
            SELECT grid, min(batch_id) = $batch, event_date, tenant, model, version FROM data_files
            WHERE kind = 'predictions' AND event_date IN (SELECT unnest($days::DATE[]))
            GROUP BY grid, event_date, tenant, model, version
            HAVING sum(rows) <= $most ORDER BY ALL""",
            {"days": sorted({key[0] for key in keys}), "most": TOGETHER, "batch": batch},
        )
        small, wanted = {}, set(keys)
        for grid, is_new, *key in rows:
            if tuple(key) in wanted:
                small.setdefault((grid, is_new), []).append(tuple(key))
        return small

    def _count_alone(self, batch, keys):
        "What the new files of a batch add to days that cannot be counted anew: a file is gone."
        for key in sorted(keys):
            if key in self._files_of_days({key[0]}, batch)[0]:
                self._recount_together(batch, self._grid(*key[2:]), [key], True, batch)

    def _recount_together(self, batch, grid, keys, is_new, of_batch=None):
        "`_recount` of several days of one grid; of new ones nothing was counted before."
        predictions, outcomes = self._files_of_days({key[0] for key in keys}, of_batch)
        counted = cells(
            [file for key in keys for file in predictions[key]],
            [file for files in outcomes.values() for file in files],
        )
        grids = grids_of(grid)
        if is_new:
            new = f"INSERT INTO score_counts SELECT *, $batch FROM ({counted})"
            self._write(new, grids | {"batch": batch})
            return
        changed = f"INSERT INTO score_counts SELECT *, $batch FROM ({_beyond_the_counts(counted)})"
        self._write(changed, columns_of(keys) | grids | {"batch": batch})

    def _recount(self, batch, key, sql):
        """Bring one day's score counts up to date: what the rows say now, minus what the table
        says, is the change."""
        grid = self._grid(*key[2:])
        self._write(
            f"""
            INSERT INTO score_counts
            SELECT $day, $tenant, $model, $version, segment, grid, points,
                   sum(n), sum(n_labelled), sum(n_positive), $batch
            FROM (SELECT CASE WHEN points IS NULL THEN 'site=' || site_id ELSE '' END AS segment,
                         CASE WHEN points IS NULL THEN $coarse ELSE $fine END AS grid,
                         coalesce(points, cell) AS points, n, n_labelled, n_positive
                  FROM ({sql})
                  WHERE points IS NOT NULL OR site_id IS NOT NULL
                  UNION ALL
                  SELECT segment, grid, points, n, n_labelled, n_positive
                  FROM forgotten_counts
                  WHERE event_date = $day AND tenant = $tenant
                    AND model = $model AND version = $version
                  UNION ALL
                  SELECT segment, grid, points, -n, -n_labelled, -n_positive
                  FROM score_counts
                  WHERE event_date = $day AND tenant = $tenant
                    AND model = $model AND version = $version)
            GROUP BY segment, grid, points
            HAVING sum(n) <> 0 OR sum(n_labelled) <> 0 OR sum(n_positive) <> 0""",
            dict(zip(_DAY, key)) | {"batch": batch} | grids_of(grid),
        )

    def _count_new(self, batch, files):
        """Counts that only new predictions change, from their files: latencies, decisions,
        features."""
        source, sql = parquet(self.root / path for path in files.path), statements("reductions.sql")
        for table in ("latency_counts", "decision_counts"):
            self._write(
                f"""
                INSERT INTO {table} BY NAME WITH predictions AS (SELECT * FROM {source})
                {sql[table]}"""
            )
        self._count_features(files.assign(batch_id=batch))

    def _count_features(self, files):
        "Features in the bins of registered versions, from new files and their batches."
        counted = {}
        for key, of_day in files.groupby(list(_KEY)):
            bins = self._bins(*key[2:])
            if bins:
                rows = parquet(self.root / path for path in of_day.path)
                named = dict(zip(_KEY, key)) | {"batch_id": of_day.batch_id.iloc[0]}
                counted[key] = feature_counts(self.con, rows, bins).assign(**named)
        if counted:
            self._insert("feature_counts", pd.concat(counted.values()))

    def _bins(self, model, version):
        "Feature -> the rule of its bins, as registered with a version; empty for one that is not."
        state = self._value(
            "SELECT state FROM models WHERE model = $model AND version = $version LIMIT 1",
            {"model": model, "version": version},
        )
        bins = json.loads(state).get("bins", {}) if state else {}
        return {name: bins[name] for name in self.features_of(model, bins)}


def grids_of(grid: Grid) -> dict[str, str]:
    "The grids of everyone and of sites, as parameters."
    return {"fine": grid.name, "coarse": grid.coarsen(20).name}


def columns_of(keys: Sequence[tuple]) -> dict[str, list]:
    "Some (event_date, tenant, model, version) as parameters."
    return dict(zip(("days", "tenants", "models", "versions"), map(list, zip(*keys))))


ASKED = """
    SELECT unnest($days::DATE[]) AS event_date, unnest($tenants::VARCHAR[]) AS tenant,
           unnest($models::VARCHAR[]) AS model, unnest($versions::VARCHAR[]) AS version"""
"The days of `columns_of` as rows, in SQL."


def cells(predictions: Sequence[tuple], outcomes: Sequence[tuple]) -> str:
    "The score counts that files of several days say, in SQL."
    return f"""
        SELECT event_date, tenant, model, version,
               CASE WHEN points IS NULL THEN 'site=' || site_id ELSE '' END AS segment,
               CASE WHEN points IS NULL THEN $coarse ELSE $fine END AS grid,
               coalesce(points, cell) AS points, n, n_labelled, n_positive
        FROM ({_reduction_by_day(predictions, outcomes)})
        WHERE points IS NOT NULL OR site_id IS NOT NULL"""


def _beyond_the_counts(counted):
    "What was counted, and what stays of forgotten rows, less what the table says, in SQL."
    return f"""
        SELECT event_date, tenant, model, version, segment, grid, points,
               sum(n) AS n, sum(n_labelled) AS n_labelled, sum(n_positive) AS n_positive
        FROM ({counted}
              UNION ALL
              SELECT event_date, tenant, model, version,
                     segment, grid, points, n, n_labelled, n_positive
              FROM forgotten_counts SEMI JOIN ({ASKED}) USING (event_date, tenant, model, version)
              UNION ALL
              SELECT event_date, tenant, model, version,
                     segment, grid, points, -n, -n_labelled, -n_positive
              FROM score_counts SEMI JOIN ({ASKED}) USING (event_date, tenant, model, version))
        GROUP BY event_date, tenant, model, version, segment, grid, points
        HAVING sum(n) <> 0 OR sum(n_labelled) <> 0 OR sum(n_positive) <> 0"""


def _reduction(predictions, outcomes):
    "One day's counts as SQL; files are (path, whether a site is named, first id, last id)."
    sql = statements("reductions.sql")
    low, high = min(file[2] for file in predictions), max(file[3] for file in predictions)
    outcomes = [path for path, _, first, last in outcomes if first <= high and last >= low]
    rows = parquet(file[0] for file in predictions)
    counts = "counts_with_sites" if any(file[1] for file in predictions) else "counts"
    if not outcomes:
        return (
            f"WITH predictions AS (SELECT site_id, points FROM {rows}), "
            f"events AS ({sql['unlabelled_events']}) {sql['unlabelled_' + counts]}"
        )
    labels = f"SELECT prediction_id, label, observed_at, batch_id FROM {parquet(outcomes)}"
    return (
        f"WITH predictions AS (SELECT prediction_id, site_id, points FROM {rows}), "
        f"outcomes AS ({labels}), "
        f"labels AS ({sql['labels']}), events AS ({sql['events']}) {sql[counts]}"
    )


def _reduction_by_day(predictions, outcomes):
    "Counts of several days as SQL, with the columns that name a day."
    sql = statements("reductions.sql")
    low, high = min(file[2] for file in predictions), max(file[3] for file in predictions)
    paths = [path for path, _, first, last in outcomes if first <= high and last >= low]
    labels = f"(SELECT prediction_id, label, observed_at, batch_id FROM {parquet(paths)})"
    return (
        "WITH predictions AS (SELECT event_date, tenant, model, version, prediction_id, site_id, "
        f"points FROM {parquet(file[0] for file in predictions)}), "
        f"outcomes AS ({labels if paths else EMPTY['outcomes']}), labels AS ({sql['labels']}), "
        f"events AS ({sql['events_by_day']}) {sql['counts_by_day']}"
    )
