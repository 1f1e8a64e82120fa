"""What happened in a workbench, each thing once and under an id that stays: cases, alarms, the
audit trail; and what of it a receiver has not taken."""

import json
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

import pandas as pd

from ..stats.decisions import LEVELS
from ..stats.drift import ALARM_SEVERITIES
from .base import Connected, Writing

__all__ = ["EXPIRED", "INTRODUCED", "Happened", "HappenedReads", "HappenedWrites", "SoFar"]

INTRODUCED, EXPIRED = "introduced", "expired"
"States of a delivery: from then on a receiver is owed what happens; a thing is not sent any more."


_NAME = "name of events"


class SoFar(NamedTuple):
    "How much had happened: the last row of the trail, the last batch with cases, rows of alarms."

    trail: int = 0
    cases: int = 0
    alarms: int = 0

    def __str__(self) -> str:
        return json.dumps(self._asdict())

    @classmethod
    def read(cls, text: str) -> "SoFar":
        "What `str` wrote."
        return cls(**json.loads(text))


class Happened(NamedTuple):
    "Something that happened: of a case or an alarm its row, of the trail the row of `audit`."

    id: str
    sort: Literal["case", "alarm", "trail"]
    happened: str  # opened, updated, graver or closed; what was changed
    at: datetime
    row: dict[str, Any]
    tried_since: datetime | None  # when the receiver refused it first


# A case is opened by its first event, and updated by each that is graver than all before.
_CASES = """
WITH told AS (
    SELECT *, coalesce(list_position($levels, upper(risk_level)), 0) AS gravity
    FROM cases
    WHERE state IN ('opened', 'joined')
    QUALIFY bool_or(state = 'opened') OVER (PARTITION BY case_id)),
placed AS (
    SELECT *, max(gravity) OVER before AS so_far, first_value(opened_at) OVER line AS since
    FROM told
    WINDOW line AS (PARTITION BY case_id
                    ORDER BY opened_at, state = 'opened' DESC, predicted_at, prediction_id),
           before AS (PARTITION BY case_id
                      ORDER BY opened_at, state = 'opened' DESC, predicted_at, prediction_id
                      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)),
happened AS (
    SELECT case_id || CASE WHEN state = 'opened' THEN '-opened'
                           ELSE '-updated-' || lower(risk_level) END AS id,
           CASE WHEN state = 'opened' THEN 'opened' ELSE 'updated' END AS happened,
           opened_at AS happened_at, since AS opened_at,
           * EXCLUDE (opened_at, gravity, so_far, since)
    FROM placed
    WHERE batch_id > $cases AND (state = 'opened' OR gravity > so_far))"""

# What is said again of a day before the newest one moves no alarm.
_ALARMS = """
WITH line AS (
    SELECT *, coalesce(list_position($severities, severity), 0) AS gravity,
           row_number() OVER (ORDER BY recorded_at, rowid) AS place
    FROM drift_events),
newest AS (
    SELECT *, max(event_date) OVER (
        PARTITION BY event_id ORDER BY place
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS last_day
    FROM line
    QUALIFY last_day IS NULL OR event_date >= last_day),
moved AS (
    SELECT *, lag(state = 'closed') OVER (PARTITION BY event_id ORDER BY place) AS was_closed,
           max(gravity) OVER (
               PARTITION BY event_id ORDER BY place
               ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS so_far
    FROM newest),
told AS (
    SELECT *, CASE WHEN state = 'closed' AND was_closed IS NOT TRUE THEN 'closed'
                   WHEN state = 'closed' THEN NULL
                   WHEN was_closed IS NOT FALSE THEN 'opened'
                   WHEN gravity > so_far THEN 'graver' END AS happened
    FROM moved),
counted AS (
    SELECT *, row_number() OVER (PARTITION BY event_id, happened ORDER BY place) AS times
    FROM told WHERE happened IS NOT NULL),
happened AS (
    SELECT event_id || '-' || happened
               || CASE WHEN happened = 'graver' THEN '-' || severity
                       WHEN times > 1 THEN '-' || times ELSE '' END AS id,
           happened, recorded_at AS happened_at,
           * EXCLUDE (happened, gravity, last_day, was_closed, so_far, times)
    FROM counted
    WHERE place > $alarms)"""

_TRAIL = """
WITH happened AS (
    SELECT 'trail-' || seq || '-' || left(hash, 16) AS id, what AS happened,
           changed_at AS happened_at, audit.*, case_id
    FROM audit LEFT JOIN case_names ON name = subject AND starts_with(what, 'case')
    WHERE seq > $trail)"""

_NOT_TAKEN = """
SELECT happened.*, tried_since
FROM happened
LEFT JOIN (
    SELECT key, bool_or(state IN ('delivered', 'expired')) AS is_done,
           min(attempted_at) AS tried_since
    FROM deliveries WHERE sink = $sink GROUP BY key) sent ON sent.key = happened.id
WHERE is_done IS NOT TRUE
ORDER BY happened_at, {place}"""

_SORTS: dict[Any, tuple[str, str, dict[str, Any]]] = {
    "case": (_CASES, "predicted_at, case_id, id", {"levels": list(LEVELS)}),
    "alarm": (_ALARMS, "place", {"severities": list(ALARM_SEVERITIES)}),
    "trail": (_TRAIL, "seq", {}),
}

_LATEST = """
SELECT case_id, sink, state, detail, attempted_at, key, level FROM deliveries
WHERE sink IN (SELECT unnest($sinks::VARCHAR[])) AND state IN ('delivered', 'failed')
QUALIFY attempted_at >= coalesce(
    max(attempted_at) FILTER (state = 'delivered') OVER (PARTITION BY sink), attempted_at)
ORDER BY attempted_at"""


class HappenedReads(Connected):
    "What happened, in the order in which it did."

    def so_far(self) -> SoFar:
        "How much has happened by now."
        return SoFar(
            self._value("SELECT coalesce(max(seq), 0) FROM audit"),
            self._value("SELECT coalesce(max(batch_id), 0) FROM case_batches"),
            self._value("SELECT count(*) FROM drift_events"),
        )

    def known_as(self) -> str | None:
        "How the log is called to others, a name that moves with it; None before it was given one."
        return self._value("SELECT value FROM workbench WHERE key = $key", {"key": _NAME})

    def happened(self, since: SoFar, sink: str = "") -> list[Happened]:
        "What happened since, but what a sink has taken: in order of time, the trail in its own."
        found = []
        for sort, (rows, place, values) in _SORTS.items():
            since_then = {name: at for name, at in since._asdict().items() if f"${name}" in rows}
            sql = f"{rows}{_NOT_TAKEN.format(place=place)}"
            con = self.con.execute(sql, values | since_then | {"sink": sink})
            columns = [name for name, *_ in con.description]
            found += [_happened(sort, dict(zip(columns, row))) for row in con.fetchall()]
        return sorted(found, key=lambda one: one.at)  # which keeps the order within a time

    def introduced(self, sinks: Sequence[str]) -> dict[str, SoFar]:
        "Sink -> how much had happened when it became known, of those that are."
        rows = self._rows(
            """
            SELECT sink, arg_min(detail, attempted_at) FROM deliveries
            WHERE state = $introduced AND sink IN (SELECT unnest($sinks::VARCHAR[]))
            GROUP BY sink""",
            {"introduced": INTRODUCED, "sinks": list(sinks)},
        )
        return {sink: SoFar.read(detail) for sink, detail in rows}

    def latest_attempts(self, sinks: Sequence[str]) -> pd.DataFrame:
        "Attempts at some sinks since each took something last, with that; oldest first."
        return self.frame(_LATEST, {"sinks": list(sinks)})


def _happened(sort, row):
    tried = row.pop("tried_since")
    told = row.pop("id"), sort, row.pop("happened"), row.pop("happened_at").astimezone(UTC)
    return Happened(*told, row, tried and tried.astimezone(UTC))


class HappenedWrites(HappenedReads, Writing):
    "How the log is called."

    def give_name(self) -> None:
        "Give the log a name that no other one has, unless it has one."
        if self.known_as() is None:
            name = uuid.uuid4().hex
            self._write("INSERT INTO workbench VALUES ($key, $name)", {"key": _NAME, "name": name})
