"""What a version in the champion's shadow would have said: sums of a day, and counts of scores."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import NamedTuple

import pandas as pd

from ..stats.counts import ScoreCounts
from ..stats.points import Grid
from .base import Writing, conditions
from .batches import BatchReads

__all__ = ["Pair", "ShadowReads", "ShadowWrites"]


class Pair(NamedTuple):
    "Two versions that see the same events: the one that decides, and the one in its shadow."

    model: str
    champion: str
    challenger: str


_LATEST = "QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY known_at DESC) = 1"
_COUNTED = ["points", "n", "n_labelled", "n_positive"]


class ShadowReads(BatchReads):
    "Days of shadow, as they were known at a time."

    def shadow_days(
        self,
        pair: Pair,
        first: date | None = None,
        last: date | None = None,
        *,
        segment: str | None = "",
        as_of: datetime | None = None,
    ) -> pd.DataFrame:
        """The latest sums of each day of a pair, by day (`segment` None: of every segment): events,
        calls of each and of both, labels, false calls, missed positives, summed log losses."""
        where, values = conditions(
            **pair._asdict(),
            event_date__ge=first,
            event_date__le=last,
            segment=segment,
            known_at__le=as_of,
        )
        latest = _LATEST.format(key="event_date, segment")
        return self.frame(
            f"SELECT * FROM shadow_days{where} {latest} ORDER BY event_date, segment", values
        )

    def days_to_shadow(self, pair: Pair, first: date, last: date, as_of: datetime) -> list[date]:
        """Days with predictions of which something had become known at a time since they were last
        kept until then."""
        return self._column(
            f"""
            SELECT event_date
            FROM score_counts c JOIN batches USING (batch_id)
            WHERE c.model = $model AND segment = '' AND event_date BETWEEN $first AND $last
              AND {self.known(as_of).sql("batch_id")}
            GROUP BY event_date
            HAVING max(committed_at) > coalesce(
                (SELECT max(known_at) FROM shadow_days s
                 WHERE s.model = $model AND s.champion = $champion
                   AND s.challenger = $challenger AND s.event_date = c.event_date
                   AND s.known_at <= $as_of),
                '-infinity'::TIMESTAMPTZ)
            ORDER BY event_date""",
            {"first": first, "last": last, "as_of": as_of, **pair._asdict()},
        )

    def shadow_counts(
        self, pair: Pair, first: date, last: date, as_of: datetime | None = None
    ) -> dict[str, ScoreCounts]:
        "What each of a pair scored on the events of both, over all of these days."
        where, values = conditions(
            **pair._asdict(), event_date__ge=first, event_date__le=last, known_at__le=as_of
        )
        rows = self.frame(
            f"""
            WITH latest AS (
                SELECT event_date, max(known_at) AS known_at FROM shadow_days{where} GROUP BY ALL)
            SELECT version, grid, points, sum(n)::BIGINT AS n,
                   sum(n_labelled)::BIGINT AS n_labelled, sum(n_positive)::BIGINT AS n_positive
            FROM shadow_counts SEMI JOIN latest USING (event_date, known_at){where}
            GROUP BY ALL""",
            values,
        )
        found = {
            version: ScoreCounts.of(*(of_one[c].to_numpy() for c in _COUNTED), Grid.parse(grid))
            for (version, grid), of_one in rows.groupby(["version", "grid"])
        }
        return {version: found.get(version, ScoreCounts.empty()) for version in pair[1:]}


class ShadowWrites(ShadowReads, Writing):
    "A day of shadow, all of it or nothing."

    def add_shadow(
        self,
        pair: Pair,
        day: date,
        known_at: datetime,
        sums: pd.DataFrame,
        counts: Mapping[str, ScoreCounts],
    ) -> None:
        """Append what is known of a day at a time: `sums` as in `shadow_days`, one row a segment,
        and the scores of each version."""
        told = {"event_date": day, **pair._asdict(), "known_at": known_at}
        with self.transaction():
            self._insert("shadow_days", sums.assign(**told))
            for version, of_version in counts.items():
                self._insert("shadow_counts", _as_rows(of_version).assign(version=version, **told))


def _as_rows(counts):
    "A table of counts as rows."
    columns = {"points": counts.points, "n": counts.n}
    known = {"n_labelled": counts.n_labelled, "n_positive": counts.n_positive}
    return pd.DataFrame({"grid": counts.grid.name, **columns, **known})
