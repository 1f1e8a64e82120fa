"""What the front page says of a model in one row: what is open, what waits, how the weeks went."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from math import isfinite
from typing import Any, TypedDict

import pandas as pd

from ..log.catalog import Reader
from ..log.handled import ACKNOWLEDGED, CLOSED
from ..stats.drift import ALARM_SEVERITIES
from ..stats.holidays import YEAR, expected
from .marked import known_holidays
from .silence import SILENCE
from .view import View

__all__ = ["Change", "OpenAlarm", "Triage", "changes", "feed", "triage"]

DAYS = 60
"Days of a course."
COURSE = ("predictions", "alerts", "pr_auc_complete")
"Figures whose course is drawn."
MOST_CHANGES = 60
_BY_ITSELF = ("case", "case mute", "case assignee", "case comment")
_BY_ITSELF += ("feature", "registered", "null words")
"What the trail says of single cases, and of what is read from data: no news for a front page."
_EACH_MORNING = ("daily", "calibration")


class OpenAlarm(TypedDict):
    "An alarm that is open on a day, and whether somebody has acknowledged it."

    id: str
    stream: str
    severity: str
    says: str
    opened_on: str
    acknowledged: bool


class Triage(TypedDict):
    "A model on a morning, as a manifest keeps it."

    alarms: list[OpenAlarm]  # the gravest first; muted ones are not among them
    waiting: dict[str, int]  # cases that nobody has acknowledged or closed: ticket, alert
    promise: str  # about tickets: kept, broken, none (nothing is automated), or unknown
    labels_until: str | None  # the newest day whose labels are in
    usual: float | None  # predictions of such a weekday, or of a holiday on it
    not_usual: str  # why it is not known; empty where it is
    course: dict[str, list[float | None]]  # by day, the last is the day itself


class Change(TypedDict):
    "A change of what decides, as the trail has it."

    seq: int
    at: str
    who: str
    what: str
    subject: str
    old: str | None
    new: str | None
    why: str


def triage(view: View) -> Triage:
    "What the front page says of a model on the day of a view, as known then."
    course = _course(view)
    usual = _usual(view, course["predictions"])
    until = view.labels.complete_day
    return {
        "alarms": _alarms(view),
        "waiting": view.reader.waiting_cases(view.model, view.as_of),
        "promise": _promise(view),
        "labels_until": None if until is None else str(until),
        "usual": usual.rows,
        "not_usual": usual.why,
        "course": course,
    }


def _alarms(view):
    "Alarms that are open on the day, those of its calendar and of people apart."
    told = view.reader.handled_alarms(view.model, view.as_of)
    quiet = told.muted_until.map(lambda until: until is not None and until >= view.day)
    said = told[(told.state != CLOSED) & ~told.muted.astype(bool) & ~quiet.astype(bool)]
    # an alarm of a day that is over, which no later morning has followed, is none of this day
    here = (said.event_date.dt.date == view.day) | (said.stream == SILENCE)
    said = said[here & (said.opened_on.dt.date <= view.day)]
    said = said.assign(grave=said.severity.map(ALARM_SEVERITIES.index))
    said = said.sort_values(["grave", "opened_on"], ascending=[False, False], kind="stable")
    return [
        {
            "id": row.event_id,
            "stream": row.stream,
            "severity": row.severity,
            "says": row.text,
            "opened_on": str(row.opened_on.date()),
            "acknowledged": row.state == ACKNOWLEDGED,
        }
        for row in said.itertuples()
    ]


def _promise(view):
    "What stands about the promise of the tickets."
    if not view.tickets.stands:
        return "none"
    stands = view.tickets.stands[1]
    if stands.watch.broken_on:
        return "broken"
    if stands.rule.threshold is None or stands.calibration.stale(view.spoken_at):
        return "none"
    return "kept" if stands.watch.days else "unknown"


def _course(view):
    "Figures of each of the last days; None where there is none."
    first = view.day - timedelta(DAYS - 1)
    stored = view.reader.course(view.model, first, view.day, COURSE, view.as_of)
    days = [first + timedelta(i) for i in range(DAYS)]
    return {name: [_plain(stored.get((day, name))) for day in days] for name in COURSE}


def _plain(value):
    "A figure as it is kept: three digits are enough of a drawing; None where there is none."
    return None if value is None or not isfinite(value) else float(f"{value:.4g}")


def _usual(view, course):
    "The usual number of predictions, by those of the days before, as stored; `course` ends today."
    holidays = known_holidays(view.reader, view.model, view.as_of)
    rows = {view.day - timedelta(i): n for i, n in enumerate(reversed(course)) if n is not None}
    if view.day in holidays:  # it is compared with those of the year before
        first = view.day - timedelta(YEAR + DAYS)
        stored = view.reader.course(view.model, first, view.day, COURSE[:1], view.as_of)
        rows = {day: n for (day, _), n in stored.items()}
    return expected(rows, view.day, holidays)


def feed(reader: Reader, as_of: datetime) -> dict[str, Any]:
    "Whether rows come in as they should: when the last came, and how many lie aside."
    unmatched, _ = reader.unmatched_labels(0)
    return {
        "predictions": _moment(reader.last_loaded("predictions", as_of)),
        "labels": _moment(reader.last_loaded("outcomes", as_of)),
        "quarantined": reader.quarantine_size(),
        "unmatched": unmatched,
    }


def _moment(at):
    return None if at is None else at.isoformat()


def changes(reader: Reader, since: datetime, until: datetime) -> list[Change]:
    "What was changed after a time and until another, the newest first."
    rows = reader.audit_between(since, until)
    who, what = _EACH_MORNING
    rows = rows[~rows.what.isin(_BY_ITSELF) & ~((rows.who == who) & (rows.what == what))]
    rows = rows.sort_values("seq", ascending=False)
    return [_change(row) for row in rows.head(MOST_CHANGES).to_dict("records")]


def _change(row: Mapping[str, Any]) -> Change:
    old, new = (None if pd.isna(row[name]) else str(row[name]) for name in ("old", "new"))
    return {
        "seq": int(row["seq"]),
        "at": row["changed_at"].isoformat(),
        "who": row["who"],
        "what": row["what"],
        "subject": row["subject"],
        "old": old,
        "new": new,
        "why": row["why"],
    }
