"""Cases: decisions of high risk, what they opened or joined, and their deliveries outside."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import pandas as pd

from ..stats.decisions import LEVELS
from .base import Writing, conditions
from .handled import HandledReads

__all__ = ["CaseReads", "CaseWrites", "recent_days"]

_WAITING = """
WITH told AS (
    SELECT *, coalesce(list_position($levels, upper(risk_level)), 0) AS gravity
    FROM cases
    WHERE state IN ('opened', 'joined')),
opener AS (
    SELECT case_id, opened_at AS since, predicted_at AS began, gravity AS first_gravity
    FROM told WHERE state = 'opened'),
sent AS (  -- deliveries of older versions do not say how grave the event was: as it was opened
    SELECT case_id, max(coalesce(list_position($levels, upper(level)), first_gravity)) AS so_far
    FROM deliveries JOIN opener USING (case_id)
    WHERE sink = $sink AND state = 'delivered'
    GROUP BY case_id)
SELECT told.* EXCLUDE (gravity, opened_at), since AS opened_at, so_far IS NOT NULL AS is_update
FROM told JOIN opener USING (case_id) LEFT JOIN sent USING (case_id)
WHERE CASE WHEN so_far IS NULL THEN began >= $since
           ELSE predicted_at >= $since AND gravity > so_far END
QUALIFY row_number() OVER (
    PARTITION BY case_id ORDER BY gravity DESC, state = 'opened' DESC, predicted_at, prediction_id
    ) = 1
ORDER BY predicted_at, case_id"""


def recent_days(cases: pd.DataFrame, days: int) -> pd.DataFrame:
    "The cases of the last days, counted back from the newest of them."
    if cases.empty:
        return cases
    return cases[cases.event_date > cases.event_date.max() - timedelta(days)]


class CaseReads(HandledReads):
    "What was opened, and what waits."

    def cases(
        self,
        start: date | None = None,
        end: date | None = None,
        *,
        model: str | None = None,
        kind: str | None = None,
        state: str | None = None,
    ) -> pd.DataFrame:
        "Decisions of high risk and the cases they opened or joined, oldest first."
        where, values = conditions(
            event_date__ge=start, event_date__le=end, model=model, kind=kind, state=state
        )
        return self.frame(
            f"SELECT * FROM cases{where} ORDER BY predicted_at, prediction_id", values
        )

    def case_columns(self) -> list[str]:
        "The columns of a case, in order."
        return [name for name, *_ in self._rows("DESCRIBE cases")]

    def cases_from(self) -> int:
        "The first batch whose predictions have not been turned into cases."
        return self._value("SELECT coalesce(max(batch_id), 0) + 1 FROM case_batches")

    def open_since(
        self, since: datetime, state: str
    ) -> dict[tuple[str, str, str, str], list[tuple[str, datetime]]]:
        """(tenant, model, kind, entity) -> the predictions that opened its cases since a time, with
        their times; state: opened or late. A case that somebody closed is none of them."""
        openers = {}
        for *entity, opener, at in self._rows(
            """
            SELECT tenant, model, kind, entity_id, prediction_id, predicted_at
            FROM cases
            WHERE state = $state AND entity_id IS NOT NULL AND predicted_at >= $since
              AND case_id NOT IN (SELECT unnest($closed::VARCHAR[]))
              AND reason NOT LIKE 'explored:%'  -- whose label is to come by chance alone""",
            {"since": since, "state": state, "closed": self.closed_cases()},
        ):
            openers.setdefault(tuple(entity), []).append((opener, at))
        return openers

    def undelivered(self, sinks: Sequence[str], newest_before: datetime) -> dict[str, pd.DataFrame]:
        """For each sink, what it has not taken yet of opened cases about predictions after a time,
        oldest first: the gravest event of a case, and once more when a graver one joined (then
        `is_update`). A case is whose a person gave it to."""
        asked, given = {"since": newest_before, "levels": list(LEVELS)}, self.assigned_cases()
        waiting = {sink: self.frame(_WAITING, asked | {"sink": sink}) for sink in sinks}
        for cases in waiting.values():
            told = [given.get(*one) for one in zip(cases.case_id, cases.assignee)]
            cases["assignee"] = pd.Series(told, index=cases.index, dtype=object)
        return waiting

    def attempts_at(self, sinks: Sequence[str]) -> pd.DataFrame:
        "All attempts to hand something to some sinks, oldest first: as the outbox has them."
        return self.frame(
            """
            SELECT case_id, sink, state, detail, attempted_at, key, level FROM deliveries
            WHERE sink IN (SELECT unnest($sinks::VARCHAR[])) ORDER BY attempted_at""",
            {"sinks": list(sinks)},
        )


class CaseWrites(CaseReads, Writing):
    "New cases and attempts at delivery."

    def add_cases(self, now: datetime, cases: pd.DataFrame, through: int) -> None:
        """Append decisions of high risk with their cases, found in all batches up to `through`, in
        one transaction."""
        with self.transaction():
            if len(cases):
                self._insert("cases", cases)
            states = cases.state.value_counts() if len(cases) else {}
            numbers = {state: int(states.get(state, 0)) for state in ("opened", "joined", "late")}
            self._write(
                "INSERT INTO case_batches VALUES ($through, $opened, $joined, $late, $now)",
                {"through": through, "now": now} | numbers,
            )

    def add_deliveries(self, frame: pd.DataFrame) -> None:
        "Append attempts at delivery that are not there already."
        if not len(frame):
            return
        self.con.register("attempts", frame)
        self._write(
            """
            INSERT INTO deliveries BY NAME
            SELECT * REPLACE (attempted_at::TIMESTAMPTZ AS attempted_at) FROM attempts
            ANTI JOIN deliveries known
                ON known.key = attempts.key AND known.sink = attempts.sink
                AND known.state = attempts.state
                AND known.attempted_at = attempts.attempted_at::TIMESTAMPTZ"""
        )
        self.con.unregister("attempts")

    def expire(self, sinks: Sequence[str], before: datetime, now: datetime) -> int:
        "Mark the cases that a sink refused until they were too old; returns how many."
        expired = [(case, sink) for sink in sinks for case in self._too_old(sink, before)]
        with self.transaction():
            for case, sink in expired:
                self._write(
                    """
                    INSERT INTO deliveries (case_id, sink, state, detail, attempted_at)
                    VALUES (?, ?, 'expired', 'refused until it was too old to be sent', ?)""",
                    [case, sink, now],
                )
        return len(expired)

    def _too_old(self, sink, before):
        "Cases about predictions before a time that a sink was offered and has not taken."
        return self._column(
            """
            SELECT case_id FROM cases
            WHERE state = 'opened' AND predicted_at < $before
              AND case_id IN (SELECT case_id FROM deliveries WHERE sink = $sink)
              AND case_id NOT IN (
                  SELECT case_id FROM deliveries
                  WHERE sink = $sink AND state IN ('delivered', 'expired'))""",
            {"before": before, "sink": sink},
        )
