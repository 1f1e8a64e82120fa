"""Events by hour and series: of each site, each entity, or all, read from the rows of some days."""

from datetime import date, datetime
from typing import Literal

import pandas as pd

from .batches import BatchReads

__all__ = ["LEVELS", "Level", "SeriesHourReads"]

Level = Literal["site", "entity", "all"]
LEVELS = {"site": "site_id", "entity": "entity_id", "all": "''"}
"What a series is, and the column that names it."


class SeriesHourReads(BatchReads):
    "When the events of a series came."

    def series_hours(
        self,
        model: str,
        start: date,
        end: date,
        level: Level = "site",
        as_of: datetime | None = None,
    ) -> pd.DataFrame:
        """Events by hour of the log's zone: event_date, version, tenant, series, hour, n; events
        without a series are in none. Reads the rows of the days: sums over days add up, and so do
        those of sites to regions."""
        period = {"event_date__ge": start, "event_date__le": end}
        known = self.known(as_of)
        files = self.files("predictions", model=model, batch_id__in=known, **period)
        if not files:
            columns = ["event_date", "version", "tenant", "series", "hour", "n"]
            return pd.DataFrame(columns=columns)
        # as for all hours: few moments are brought to the zone, not all
        return self.frame(
            f"""
            SELECT event_date, version, tenant, series,
                   extract(hour FROM to_timestamp(quarter * 900) AT TIME ZONE $zone)::TINYINT
                       AS hour,
                   sum(n)::BIGINT AS n
            FROM (SELECT event_date, version, tenant, {LEVELS[level]} AS series,
                         epoch_us(predicted_at) // 900000000 AS quarter, count(*) AS n
                  FROM {self.known_rows((file[0] for file in files), known)}
                  GROUP BY ALL)
            WHERE series IS NOT NULL
            GROUP BY ALL
            ORDER BY ALL""",
            {"zone": self.timezone},
        )
