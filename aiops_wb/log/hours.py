"""At which hours events come: what each batch adds to these counts."""

import logging
from collections.abc import Sequence

import duckdb
import pandas as pd

from .base import Writing
from .duck import parquet

__all__ = ["HOURS", "HourCounting"]

logger = logging.getLogger(__name__)

TOGETHER = 500
"Files of an older log that are counted in one query."

_NAMES = ("tenant", "model", "version")

_INTO = "INSERT INTO hour_counts "
# no zone is off by less than a quarter of an hour: few moments are brought to the zone, not all
HOURS = """
    SELECT clock::DATE AS event_date, tenant, model, version,
           extract(hour FROM clock)::TINYINT AS hour, sum(n) AS n, batch
    FROM (SELECT {names}, {batch} AS batch, n,
                 to_timestamp(quarter * 900) AT TIME ZONE $zone AS clock
          FROM (SELECT {keys} epoch_us(predicted_at) // 900000000 AS quarter, count(*) AS n
                FROM {rows} GROUP BY ALL))
    GROUP BY ALL"""
"Predictions by day and hour of `$zone`, in SQL: `rows` by some `keys`, named as in `names`."


class HourCounting(Writing):
    "Keeps the counts of hours up to date: only new predictions change them."

    def count_hours(self, batch: int, files: pd.DataFrame) -> None:
        "What the new files of a batch add."
        rows = parquet(self.root / path for path in files.path)
        known = files[list(_NAMES)].drop_duplicates()
        names, keys, told = ", ".join(_NAMES), ", ".join(_NAMES) + ",", {}
        if len(known) == 1:  # as of most batches: texts in a grouping cost more than the counting
            names, keys = ", ".join(f"${name} AS {name}" for name in _NAMES), ""
            told = known.iloc[0].to_dict()
        sql = _INTO + HOURS.format(names=names, batch="$batch", keys=keys, rows=rows)
        self._write(sql, told | {"batch": batch, "zone": self.timezone})

    def count_hours_by_batch(self, paths: Sequence[str]) -> None:
        "What files add whose rows are not all of one batch, or that were never counted."
        rows, names = parquet(self.root / path for path in paths), ", ".join(_NAMES)
        sql = _INTO + HOURS.format(
            names=names, batch="batch_id", keys=f"{names}, batch_id,", rows=rows
        )
        self._write(sql, {"zone": self.timezone})

    def adopt_hours(self) -> None:
        "Count, once, the hours of a log made before they were counted."
        if self._value("SELECT count(*) FROM workbench WHERE key = 'hours'"):
            return
        paths = self._column(
            "SELECT path FROM data_files WHERE kind = 'predictions' GROUP BY path ORDER BY path"
        )
        try:
            with self.transaction():
                for at in range(0, len(paths), TOGETHER):
                    self.count_hours_by_batch(paths[at : at + TOGETHER])
        except duckdb.Error as error:  # a file that is gone keeps no log from being opened
            logger.warning("hours of days that were logged before are not known: %s", error)
        with self.transaction():
            self._write("INSERT INTO workbench VALUES ('hours', 'adopted')")
