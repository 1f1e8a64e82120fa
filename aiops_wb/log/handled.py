"""What people did with cases and alarms: acknowledged, closed, muted until a day; whose cases
are, and what was said of them.

Each is a row of the audit trail. What was said of a case or an alarm holds while it is as grave as
it was then: one that became graver is open again. An alarm is closed by the days that no longer
differ, and by nobody; a mute keeps messages back and changes no figure.
"""

import json
from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

import pandas as pd

from ..stats.decisions import LEVELS
from ..stats.drift import ALARM_SEVERITIES
from .act_shapes import OUTCOMES
from .audit import AuditReads, AuditWrites
from .base import conditions
from .errors import StoreError
from .mentions import Mentions
from .pseudonyms import keyed, made_key

__all__ = ["STATES", "HandledReads", "HandledWrites"]

OPEN, ACKNOWLEDGED, CLOSED = STATES = ("open", "acknowledged", "closed")
"What a case or an alarm can be."

_CASE, _ALARM, _MUTE = "case", "alarm", " mute"
_ASSIGNEE, _COMMENT = " assignee", " comment"
_UNTIL, _SAID_ONCE = "until ", "said"

_SAID = """
said AS (
    SELECT * FROM audit{known} {and_} what = $what
    QUALIFY row_number() OVER (PARTITION BY subject ORDER BY seq DESC) = 1),
quiet AS (
    SELECT subject, try_cast(substr(new, 7) AS DATE) AS muted_until, who AS muted_by,
           why AS muted_why
    FROM audit{known} {and_} what = $mute
    QUALIFY row_number() OVER (PARTITION BY subject ORDER BY seq DESC) = 1)"""

_STATE = """
    CASE WHEN said.subject IS NULL
           OR gravity > coalesce(list_position($levels, said.evidence::JSON->>'level'), 0)
         THEN 'open' ELSE said.new END"""

_WHO = "said.who AS by, said.changed_at AS at, said.why AS why, muted_until, muted_by, muted_why"

_TOLD = ("by", "why", "muted_until", "muted_by", "muted_why", "assignee", "assigned_by", "comment")
_TOLD += ("comment_by", "outcome", "reasons", "first_reason")

_OF_CASES = """,
given AS (
    SELECT * FROM audit{known} {and_} what = $assignee
    QUALIFY row_number() OVER (PARTITION BY subject ORDER BY seq DESC) = 1),
noted AS (
    SELECT * FROM audit{known} {and_} what = $comment
    QUALIFY row_number() OVER (PARTITION BY subject ORDER BY seq DESC) = 1)"""

_CASES = """
WITH told AS (
    SELECT *, coalesce(list_position($levels, upper(risk_level)), 0) AS of_event
    FROM cases{where}),
grave AS (
    SELECT case_id, max(of_event) AS gravity, count(*) AS events,
           $levels[max(of_event)] AS level
    FROM told GROUP BY case_id),{said}
SELECT told.case_id, kind, model, version, tenant, site_id, entity_id, opened_at, predicted_at,
       event_date, prediction_id, probability, lower, upper, title, text, told.reason, reasons,
       first_reason, coalesce(given.new, told.assignee) AS assignee, given.who AS assigned_by,
       level, events, told.state = 'late' AS late, {state} AS state, {who},
       CASE WHEN {state} = 'closed' THEN said.evidence::JSON->>'outcome' END AS outcome,
       noted.why AS comment, noted.who AS comment_by, noted.changed_at AS comment_at
FROM told JOIN grave USING (case_id)
LEFT JOIN case_names USING (case_id)
LEFT JOIN said ON said.subject = coalesce(name, told.case_id)
LEFT JOIN quiet ON quiet.subject = coalesce(name, told.case_id)
LEFT JOIN given ON given.subject = coalesce(name, told.case_id)
LEFT JOIN noted ON noted.subject = coalesce(name, told.case_id)
WHERE told.state <> 'joined'
ORDER BY predicted_at, told.case_id"""

_ALARMS = """
WITH latest AS (
    SELECT *, coalesce(list_position($levels, severity), 0) AS gravity
    FROM drift_events{where}
    QUALIFY row_number() OVER (
        PARTITION BY event_id ORDER BY event_date DESC, recorded_at DESC, rowid DESC) = 1),{said}
SELECT event_id, model, version, stream, kind, severity, title, text, opened_on, event_date, muted,
       CASE WHEN latest.state = 'closed' THEN 'closed' ELSE {state} END AS state, {who}
FROM latest
LEFT JOIN said ON said.subject = event_id LEFT JOIN quiet ON quiet.subject = event_id
ORDER BY opened_on, event_id"""


class _Kind(NamedTuple):
    "Cases or alarms: how the trail calls them, how their rows are asked for, how grave they are."

    what: str
    sql: str
    known_at: str
    levels: tuple[str, ...]
    key: str
    said: str
    more: tuple[str, ...] = ()  # what else the trail says of them


_MORE = (_ASSIGNEE, _COMMENT)
_CASES_OF = _Kind(_CASE, _CASES, "opened_at", LEVELS, "case_id", _SAID + _OF_CASES, _MORE)
_ALARMS_OF = _Kind(_ALARM, _ALARMS, "recorded_at", ALARM_SEVERITIES, "event_id", _SAID)

_THESE = {
    "ids": "SELECT unnest($ids)",
    # by the event that opened it: one that joined may be of another day
    "since": "SELECT case_id FROM cases WHERE event_date >= $since AND state <> 'joined'",
}


class HandledReads(AuditReads):
    "The state of cases and alarms at a time."

    def handled_cases(
        self,
        model: str | None = None,
        as_of: datetime | None = None,
        *,
        since: date | None = None,
        ids: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """Every case (of events since a day, or of some ids) with its gravest level, how many
        events it has, whether it was too old to be sent (late), whose it is, what was said of it
        last, and its state: open, acknowledged or closed, by whom, when and why; an open one with a
        name became graver since. Oldest first."""
        return self._handled(_CASES_OF, model, as_of, ids, since)

    def handled_alarms(
        self, model: str | None = None, as_of: datetime | None = None
    ) -> pd.DataFrame:
        """Every alarm as it was said last, with its state: open, acknowledged or (by itself)
        closed, by whom, when and why; `muted`: by the calendar, `muted_until`: by a person."""
        return self._handled(_ALARMS_OF, model, as_of)

    def waiting_cases(self, model: str, as_of: datetime | None = None) -> dict[str, int]:
        """Kind of case (ticket, alert) -> how many of a model are open: nobody has acknowledged or
        closed them. Those that came too late to be sent wait for nobody."""
        sql, values = self._asked(_CASES_OF, model, as_of)
        open_ones = f"""
            SELECT kind, count(*) FROM ({sql}) WHERE state = $open AND NOT late GROUP BY kind"""
        return dict(self._rows(open_ones, values | {"open": OPEN}))

    def waiting_by_model(self, as_of: datetime | None = None) -> dict[str, int]:
        "Model -> how many of its cases wait (`waiting_cases`), of those with any."
        sql, values = self._asked(_CASES_OF, None, as_of)
        open_ones = f"""
            SELECT model, count(*) FROM ({sql}) WHERE state = $open AND NOT late GROUP BY model"""
        return dict(self._rows(open_ones, values | {"open": OPEN}))

    def _handled(self, of, model, as_of, ids=None, since=None):
        sql, values = self._asked(of, model, as_of, ids, since)
        frame = self.frame(sql, values)
        texts = [column for column in _TOLD if column in frame]
        told = {c: frame[c].astype(object).where(frame[c].notna(), None) for c in texts}
        return frame.assign(**told | {"muted_until": told["muted_until"].map(_as_day)})

    def _asked(self, of, model, as_of, ids=None, since=None):
        "The query for cases or alarms, and its values."
        asked = {of.known_at + "__le": as_of}
        where, values = conditions(model=model, **asked)
        for name, given in (("ids", ids), ("since", since)):
            if given is not None:
                where += f"{' AND' if where else ' WHERE'} {of.key} IN ({_THESE[name]})"
                values[name] = list(given) if name == "ids" else given
        known, at = conditions(changed_at__le=as_of)
        said = of.said.format(known=known, and_="AND" if known else "WHERE")
        sql = of.sql.format(where=where, said=said, state=_STATE, who=_WHO)
        named = {"what": of.what, "mute": of.what + _MUTE, "levels": list(of.levels)}
        named |= {what.strip(): of.what + what for what in of.more}
        return sql, values | at | named

    def quiet_cases(self, today: date) -> set[str]:
        "Cases of which no message is sent on a day: closed, or muted."
        return self._muted(_CASE, today) | set(self.closed_cases())

    def quiet_alarms(self, today: date) -> set[str]:
        "Alarms of which no message is sent on a day, since a person muted them."
        return self._muted(_ALARM, today)

    def closed_cases(self) -> list[str]:
        "Cases that a person closed: no further event joins them."
        return [one for one, new in self._latest(_CASE).items() if new == CLOSED]

    def assigned_cases(self) -> dict[str, str]:
        "Case -> whose it is, of those that a person gave to somebody."
        return self._latest(_CASE + _ASSIGNEE)

    def case_history(self, case: str, as_of: datetime | None = None) -> pd.DataFrame:
        "What people did with a case: at, who, what, old, new, why and outcome, oldest first."
        known, values = conditions(changed_at__le=as_of)
        return self.frame(
            f"""
            SELECT changed_at AS at, who, what, old, new, why, evidence::JSON->>'outcome' AS outcome
            FROM audit{known} {"AND" if known else "WHERE"} starts_with(what, $what)
              AND subject IN (SELECT $id UNION ALL SELECT name FROM case_names WHERE case_id = $id)
            ORDER BY seq""",
            values | {"what": _CASE, "id": case},
        )

    def _muted(self, what, today):
        until = self._latest(what + _MUTE).items()
        return {one for one, new in until if new > f"{_UNTIL}{today}"}

    def _latest(self, what):
        "Subject -> what the trail says of it last."
        sql = """
            SELECT coalesce(case_id, subject), new
            FROM audit LEFT JOIN case_names ON name = subject
            WHERE what = $what ORDER BY seq"""
        look = lambda: dict(self._rows(sql, {"what": what}))
        return self._until_written("audit", ("latest", what), look)


def _as_day(value):
    return value.date() if isinstance(value, datetime) else value


class HandledWrites(HandledReads, AuditWrites):
    "What people do with cases and alarms, all of some ids or none; returns their models."

    def acknowledge(self, now: datetime, who: str, ids: Sequence[str], why: str) -> set[str]:
        """Say that somebody looks after cases and alarms. A closed case is taken up again by it;
        StoreError for an alarm that is closed, or an id that is not known."""
        return self._handle(now, who, ids, why, ACKNOWLEDGED)

    def close_cases(
        self, now: datetime, who: str, ids: Sequence[str], why: str, outcome: str | None = None
    ) -> set[str]:
        """Say that cases are done with, and how they ended (one of `OUTCOMES`) where that is told:
        StoreError for an alarm, or an id that is not known."""
        if outcome is not None and outcome not in OUTCOMES:
            raise StoreError(f"a case ends as one of {', '.join(OUTCOMES)}, not as {outcome!r}.")
        return self._handle(now, who, ids, why, CLOSED, outcome=outcome)

    def assign_cases(
        self, now: datetime, who: str, ids: Sequence[str], to: str, why: str
    ) -> set[str]:
        "Give cases to somebody: StoreError for an alarm, or an id that is not known."
        if not to.strip():
            raise StoreError("a case is given to somebody: name them.")
        return self._handle(now, who, ids, why, to.strip(), _ASSIGNEE)

    def comment_on_cases(self, now: datetime, who: str, ids: Sequence[str], text: str) -> set[str]:
        "Say something of cases, which stay as they are: StoreError as for `close_cases`."
        return self._handle(now, who, ids, text, _SAID_ONCE, _COMMENT)

    def mute(
        self, now: datetime, who: str, ids: Sequence[str], until: date, today: date, why: str
    ) -> set[str]:
        "Send no message of cases and alarms before a day; the day of today ends a mute."
        if until < today:
            raise StoreError(
                f"{until} is over: mute until a day to come, or end a mute with today's."
            )
        return self._handle(now, who, ids, why, f"{_UNTIL}{until}", _MUTE)

    def _handle(self, now, who, ids, why, new, of="", outcome=None):
        rows = self._rows_of(ids)
        for one, (kind, row) in rows.items():
            if kind is _ALARMS_OF and of in _MORE:
                raise StoreError(f"{one} is an alarm: acknowledge it, or mute it.")
            if kind is _ALARMS_OF and new == CLOSED:
                raise StoreError(
                    f"{one} is an alarm, which closes when recent days no longer differ: "
                    "acknowledge it, or mute it."
                )
            if kind is _ALARMS_OF and row.state == CLOSED:
                raise StoreError(f"the alarm {one} is closed since {row.event_date:%Y-%m-%d}.")
        with self.transaction():
            for one, (kind, row) in rows.items():
                level = row.severity if kind is _ALARMS_OF else row.level
                told = {"level": level, "model": row.model}
                told |= {"outcome": outcome} if outcome else {}
                latest = {"new": new, "evidence": json.dumps(told, sort_keys=True)}
                of_case = kind is _CASES_OF
                called = self._in_trail(one) if of_case else one
                reason = self._without_names(why, one, row) if of_case else why
                if not self._is_latest(kind.what + of, called, who, reason, **latest):
                    self.record(now, who, kind.what + of, called, new, reason, told)
        return {row.model for _, row in rows.values()}

    def _in_trail(self, case):
        """What the trail calls a case: a keyed hash, which says nothing once its row here is gone;
        a case that it names already, as earlier versions did, keeps its id."""
        known = self._value("SELECT name FROM case_names WHERE case_id = $id", {"id": case})
        named = "SELECT 1 FROM audit WHERE subject = $id AND starts_with(what, 'case') LIMIT 1"
        if known or self._rows(named, {"id": case}):
            return known or case
        name = f"c-{keyed(made_key(self.root), 'case', case)[:24]}"
        self._write("INSERT INTO case_names VALUES ($id, $name)", {"id": case, "name": name})
        return name

    def _without_names(self, why, case, row):
        "A reason as the trail keeps it: whom the case is about by a keyed hash."
        names = {"case": case, "entity": row.entity_id}
        for kind, name in names.items():
            if isinstance(name, str) and Mentions([name]).in_text(why):
                told = f"{kind} {keyed(made_key(self.root), kind, name)[:24]}"
                why = Mentions([name]).without(why, f"({told})")
        return why

    def _rows_of(self, ids):
        "Id -> whether it is a case or an alarm, and its row."
        known = {}
        for kind in (_CASES_OF, _ALARMS_OF):
            frame = self._handled(kind, None, None, ids)
            known |= {getattr(row, kind.key): (kind, row) for row in frame.itertuples()}
        for one in ids:
            if one not in known:
                raise StoreError(
                    f"there is no case or alarm {one!r}: 'aiops-wb cases list' and 'aiops-wb drift "
                    "list' show their ids."
                )
        return {one: known[one] for one in ids}
