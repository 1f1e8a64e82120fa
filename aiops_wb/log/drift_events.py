"""What alarms said, morning by morning."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import pandas as pd

from ..stats.drift import ALARM_SEVERITIES
from .base import Connected, Writing, as_rows, conditions, moment

__all__ = ["DriftEventReads", "DriftEventWrites", "alarm_rows"]

_ALARM_COLUMNS = ("event_id", "event_date", "model", "state", "title", "text", "muted")
"What is listed of an alarm."

_WAITING = """
WITH latest AS (
    SELECT * FROM drift_events
    QUALIFY row_number() OVER (
        PARTITION BY event_id ORDER BY event_date DESC, recorded_at DESC, rowid DESC) = 1),
taken AS (  -- deliveries of older versions do not say how grave the alarm was: look it up
    SELECT case_id AS event_id, attempted_at,
           coalesce(lower(level), arg_max(severity, recorded_at)) AS severity
    FROM deliveries
    LEFT JOIN drift_events ON event_id = case_id AND recorded_at <= attempted_at
    WHERE sink = $sink AND deliveries.state = 'delivered'
    GROUP BY case_id, attempted_at, level),
sent AS (
    SELECT event_id, max(list_position($severities, severity)) AS so_far
    FROM taken GROUP BY event_id)
SELECT latest.*, so_far IS NOT NULL AS is_update
FROM latest LEFT JOIN sent USING (event_id)
WHERE state <> 'closed' AND NOT muted
  AND (so_far IS NULL OR list_position($severities, severity) > so_far)
ORDER BY opened_on, event_id"""


class DriftEventReads(Connected):
    "What was said, and what is still to be handed on."

    def drift_events(
        self,
        model: str,
        start: date | None = None,
        end: date | None = None,
        *,
        version: str | None = None,
        as_of: datetime | None = None,
    ) -> pd.DataFrame:
        """What alarms said each morning, oldest first: event_id, stream, state, kind, severity and
        the rest; of a day's rows the latest."""
        where, values = conditions(
            model=model,
            version=version,
            event_date__ge=start,
            event_date__le=end,
            recorded_at__le=as_of,
        )
        latest = f"""
            SELECT * FROM drift_events{where}
            QUALIFY row_number() OVER (
                PARTITION BY event_id, event_date ORDER BY recorded_at DESC, rowid DESC) = 1
            ORDER BY event_date, opened_on, stream"""
        asked = model, version, start, end, *moment(as_of)
        look = lambda: self.frame(latest, values)
        return self._until_written("drift_events", asked, look).copy(deep=False)

    def has_drift_events(self, model: str, stream: str) -> bool:
        "Whether a stream of a model ever had an alarm."
        where, values = conditions(model=model, stream=stream)
        found = f"SELECT 1 FROM drift_events{where} LIMIT 1"
        asked = "any", model, stream
        return bool(self._until_written("drift_events", asked, lambda: self._rows(found, values)))

    def undelivered_drift(self, sinks: Sequence[str]) -> dict[str, pd.DataFrame]:
        """For each sink, the alarms that are still open, not muted, and that it has not taken yet
        as grave as they are now, oldest first; an alarm waits as long as it is open."""
        asked = {"severities": list(ALARM_SEVERITIES)}
        return {sink: self.frame(_WAITING, asked | {"sink": sink}) for sink in sinks}


class DriftEventWrites(DriftEventReads, Writing):
    "What alarms say today."

    def add_drift_events(self, frame: pd.DataFrame) -> None:
        "Append what alarms said of a day."
        if not len(frame):
            return
        newest = self._value("SELECT max(recorded_at) FROM drift_events")
        # the latest row counts, whatever the clock says
        recorded_at = [max(at, newest) if newest else at for at in frame.recorded_at]
        rows = frame.drop(columns="is_update", errors="ignore")  # of what waits for a sink
        self._insert("drift_events", rows.assign(recorded_at=recorded_at))


def alarm_rows(parts: Iterable[pd.DataFrame], days: int) -> list[dict[str, Any]]:
    """Alarms about drift of the last days: opened, graver than before, closed; what goes on as
    before is not told again. `parts`: what `drift_events` says of each model."""
    told = [row for part in parts for row in as_rows(_told(part), _ALARM_COLUMNS)]
    newest = max((row["event_date"] for row in told), default=None)
    recent = [row for row in told if row["event_date"] > newest - timedelta(days)]
    return sorted(recent, key=lambda row: (row["event_date"], row["event_id"]))


def _told(events):
    order = {severity: place for place, severity in enumerate(ALARM_SEVERITIES)}
    rank = events.severity.map(order).fillna(0)
    before = rank.groupby(events.event_id).cummax().groupby(events.event_id).shift()
    graver = (events.state == "ongoing") & (rank > before)
    events = events.assign(state=events.state.mask(graver, "graver"))
    return events[events.state != "ongoing"]
