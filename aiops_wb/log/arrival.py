"""At which age labels became known: what each batch changes in these counts."""

import logging
from collections.abc import Iterable

import duckdb

from ..stats.arrival import BAND_POINTS
from .base import Writing
from .duck import parquet, statements
from .known import KNOWN_SINCE

__all__ = ["AGE", "BAND", "ArrivalCounting"]

logger = logging.getLogger(__name__)

LIVE_DAYS = 1
"Days after which a prediction that comes in counts as loaded later: its labels came before it did."

_LOW, _HIGH = BAND_POINTS
BAND = f"""CASE WHEN "grid" LIKE 'linear%' OR points < {_LOW} THEN 0
                 WHEN points < {_HIGH} THEN 1 ELSE 2 END"""
AGE = "greatest(0, ({moment} AT TIME ZONE $zone)::DATE - event_date)"


class ArrivalCounting(Writing):
    """Keeps the counts of arrivals up to date.

    The age of a label is that of its batch: what stands in a file that nobody has delivered is not
    known. Of days that were loaded later, history say, it is the age at which it was observed.
    """

    def count_arrivals(self, batch: int, keys: Iterable[tuple]) -> None:
        "What a batch changed on some (event_date, tenant, model, version)."
        self.add_arrivals(f"(SELECT * FROM score_counts WHERE batch_id = {batch:d})")
        self._count_late(batch, keys)

    def add_arrivals(self, changes: str) -> None:
        "What some changes of score counts (SQL) say of ages."
        self._write(
            f"""
            INSERT INTO arrival_counts
            SELECT event_date, tenant, model, version, {BAND} AS band,
                   {AGE.format(moment=KNOWN_SINCE)} AS age,
                   sum(n), sum(n_labelled - n_positive), sum(n_positive), batch_id
            FROM {changes} JOIN batches USING (batch_id)
            WHERE segment = ''
            GROUP BY ALL""",
            {"zone": self.timezone},
        )

    def adopt_arrivals(self) -> None:
        "Count, once, the arrivals of days that were loaded later, in a log made before that was."
        if self._value("SELECT count(*) FROM workbench WHERE key = 'arrivals'"):
            return
        days = self._rows(
            """
            SELECT DISTINCT event_date, tenant, model, version FROM data_files
            WHERE kind = 'predictions'"""
        )
        try:
            with self.transaction():
                self._count_late(self._value("SELECT max(batch_id) FROM batches"), days)
        except duckdb.Error as error:  # a file that is gone keeps no log from being opened
            logger.warning(
                "labels of days that were loaded later are as old as their batch: %s", error
            )
        with self.transaction():
            self._write("INSERT INTO workbench VALUES ('arrivals', 'adopted')")

    def _count_late(self, batch, keys):
        "Count those of the days that were loaded later by when their labels were observed."
        late = self._loaded_later(keys) if keys else []
        for at in range(0, len(late), 200):
            self._count_observed(batch, late[at : at + 200])

    def _loaded_later(self, keys):
        "Those of the days whose first predictions came in when the day was over for a while."
        keys = set(keys)
        rows = self._rows(
            f"""
            SELECT event_date, tenant, model, version
            FROM data_files JOIN batches USING (batch_id)
            WHERE data_files.kind = 'predictions' AND event_date IN (SELECT unnest($days::DATE[]))
            GROUP BY ALL
            HAVING min(({KNOWN_SINCE} AT TIME ZONE $zone)::DATE) - event_date > {LIVE_DAYS}
            ORDER BY ALL""",
            {"days": sorted({key[0] for key in keys}), "zone": self.timezone},
        )
        return [row for row in rows if row in keys]

    def _count_observed(self, batch, keys):
        "Bring the labels of days to the ages at which they were observed, from the log's files."
        columns = dict(zip(("days", "tenants", "models", "versions"), map(list, zip(*keys))))
        predictions, outcomes = self._paths(columns["days"], set(keys))
        if not outcomes:
            return
        rows = f"SELECT prediction_id, label, observed_at, batch_id FROM {parquet(outcomes)}"
        labels = statements("reductions.sql")["observed_labels"]
        moment = AGE.format(moment="least(l.observed_at, known_since)")
        self._write(
            f"""
            INSERT INTO arrival_counts
            WITH outcomes AS ({rows}), labels AS ({labels}),
                 asked AS (SELECT unnest($days::DATE[]) AS event_date,
                                  unnest($tenants::VARCHAR[]) AS tenant,
                                  unnest($models::VARCHAR[]) AS model,
                                  unnest($versions::VARCHAR[]) AS version),
                 now AS (SELECT {KNOWN_SINCE} AS known_since FROM batches WHERE batch_id = $batch)
            SELECT event_date, tenant, model, version, band, age,
                   0, sum(negative), sum(positive), $batch
            FROM (SELECT event_date, tenant, model, version, {BAND} AS band, {moment} AS age,
                         1 - l.label AS negative, l.label AS positive
                  FROM {parquet(predictions)} JOIN labels l USING (prediction_id) CROSS JOIN now
                  UNION ALL
                  SELECT event_date, tenant, model, version, band, age, n_negative, n_positive
                  FROM forgotten_arrivals SEMI JOIN asked USING (event_date, tenant, model, version)
                  UNION ALL
                  SELECT event_date, tenant, model, version, band, age, -n_negative, -n_positive
                  FROM arrival_counts SEMI JOIN asked USING (event_date, tenant, model, version))
            GROUP BY ALL
            HAVING sum(negative) <> 0 OR sum(positive) <> 0""",
            columns | {"batch": batch, "zone": self.timezone},
        )

    def _paths(self, days, keys):
        "Files of predictions of some days and of the outcomes that may be theirs."
        rows = self._rows(
            """
            SELECT kind, path, event_date, tenant, model, version FROM data_files
            WHERE event_date IN (SELECT unnest($days::DATE[])) OR event_date IS NULL
            GROUP BY ALL ORDER BY min(batch_id), path""",
            {"days": sorted(set(days))},
        )
        predictions = [self.root / r[1] for r in rows if r[0] == "predictions" and r[2:] in keys]
        return predictions, [self.root / r[1] for r in rows if r[0] == "outcomes"]
