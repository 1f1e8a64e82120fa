"""What alarms said, morning by morning."""

from collections.abc import Sequence
from datetime import date, datetime

import pandas as pd

from .base import Connected, Writing, conditions

__all__ = ["DriftEventReads", "DriftEventWrites"]


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
        return self.frame(
            f"""
            SELECT * FROM drift_events{where}
            QUALIFY row_number() OVER (
                PARTITION BY event_id, event_date ORDER BY recorded_at DESC, rowid DESC) = 1
            ORDER BY event_date, opened_on, stream""",
            values,
        )

    def undelivered_drift(self, sinks: Sequence[str]) -> dict[str, pd.DataFrame]:
        """For each sink, the alarms that are still open, not muted, and that it has not taken yet,
        oldest first; an alarm waits as long as it is open."""
        waiting = """
            SELECT *
            FROM (SELECT * FROM drift_events
                  QUALIFY row_number() OVER (
                      PARTITION BY event_id
                      ORDER BY event_date DESC, recorded_at DESC, rowid DESC) = 1)
            WHERE state <> 'closed' AND NOT muted
              AND event_id NOT IN (
                  SELECT case_id FROM deliveries WHERE sink = $sink AND state = 'delivered')
            ORDER BY opened_on, event_id"""
        return {sink: self.frame(waiting, {"sink": sink}) for sink in sinks}


class DriftEventWrites(DriftEventReads, Writing):
    "What alarms say today."

    def add_drift_events(self, frame: pd.DataFrame) -> None:
        "Append what alarms said of a day."
        if not len(frame):
            return
        newest = self._value("SELECT max(recorded_at) FROM drift_events")
        # the latest row counts, whatever the clock says
        recorded_at = [max(at, newest) if newest else at for at in frame.recorded_at]
        self._insert("drift_events", frame.assign(recorded_at=recorded_at))
