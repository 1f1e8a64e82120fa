"""Alarms as the log keeps them: a row a morning from the day one opens to the day it is closed."""

import hashlib
from collections.abc import Mapping
from datetime import date, datetime

import pandas as pd

from ..log.store import Store
from ..stats.drift import ALARM_SEVERITIES
from .alarms import Alarm, Drift
from .silence import SILENCE
from .switch import closed_row
from .view import View

__all__ = [
    "MOVED",
    "alarms_of_day",
    "any_to_tell",
    "event_id",
    "event_rows",
    "keep_evidence",
    "record_alarms",
]

MOVED = " What moved the scores: "
"""What stands in the words of an alarm before what moved the scores, on the morning it opened or
became graver."""


def alarms_of_day(view: View) -> list:
    """Alarms that are open on a day, muted ones as well, each with stream, kind, severity and
    effect: those that were recorded with the day's figures, as is the severity of the front page;
    followed now where none were."""
    if not (view.history(1).metric == "drift_gravity").any():
        return view.drift.alarms
    asked = view.model, view.day, view.day
    told = view.reader.drift_events(*asked, version=view.version, as_of=view.as_of)
    return [row for row in told.itertuples() if row.state != "closed"]


def event_id(model: str, version: str, stream: str, opened_on: date) -> str:
    "The id of an alarm."
    named = f"{model} {version} {stream} {opened_on}"
    return "D-" + hashlib.sha256(named.encode()).hexdigest()[:12]


def event_rows(
    drift: Drift,
    model: str,
    version: str,
    day: date,
    before: pd.DataFrame,
    as_of: datetime,
    now: datetime,
    moved: str = "",
) -> pd.DataFrame:
    """The rows of a day: alarms that opened, go on, or were closed since `before`.

    `before` holds the model's events, oldest first. Alarms of another version are closed. `moved`:
    what moved the scores, which an alarm says that opens or becomes graver, and goes on saying.
    """
    standing = _standing(before, day)
    rows = []
    for alarm in drift.alarms:
        known = standing.pop((version, alarm.stream), None)
        rows.append(_open_row(alarm, known, model, version, day, moved))
    rows += [closed_row(row, _why_closed(row, drift, version)) for row in standing.values()]
    if not rows:
        return pd.DataFrame()
    return pd.DataFrame(rows).assign(model=model, event_date=day, as_of=as_of, recorded_at=now)


def _standing(before, day) -> Mapping:
    "(version, stream) -> the last row of each alarm that was open before a day."
    if before.empty:
        return {}
    latest = before[before.event_date.dt.date < day].groupby("event_id").tail(1)
    return {(r.version, r.stream): r for r in latest[latest.state != "closed"].itertuples()}


def _open_row(alarm: Alarm, known, model, version, day, moved):
    "An alarm that opened today, or goes on when it is `known`."
    if known and not (moved and _to_tell(alarm, known)):
        moved = known.text.partition(MOVED)[2]
    opened = known.opened_on.date() if known else day
    says = alarm.says()
    since = f"most likely since {alarm.since}"
    return {
        "version": version,
        "event_id": known.event_id if known else event_id(model, version, alarm.stream, opened),
        "stream": alarm.stream,
        "state": "ongoing" if known else "opened",
        "kind": alarm.kind,
        "severity": alarm.severity,
        "log10_evidence": alarm.log10_evidence,
        "effect": alarm.effect,
        "lower": alarm.lower,
        "unit": alarm.unit,
        "since": known.since.date() if known else alarm.since,
        "opened_on": opened,
        "muted": alarm.muted,
        "title": f"{model}: {alarm.severity} drift ({alarm.kind}): {alarm.stream}",
        "text": f"{says[0].upper()}{says[1:]}, {since}. {alarm.advice()}"
        + (f"{MOVED}{moved}" if moved else ""),
    }


def _why_closed(row, drift, version):
    if row.version != version:
        return f"version {version} scores now"
    if drift.off:
        return f"the version is not watched {drift.off}"
    if len(drift.muted) and drift.muted[-1]:
        return "the calendar mutes its days"
    return f"the recent days of {row.stream} no longer differ for certain by more than is tolerated"


def any_to_tell(store: Store, view: View) -> bool:
    "Whether an alarm opens on the day of a view, or becomes graver: somebody will be told."
    standing = _standing(_of_drift(store, view.model), view.day)
    named = ((alarm, standing.get((view.version, alarm.stream))) for alarm in view.drift.alarms)
    return any(_to_tell(*one) for one in named)


def _to_tell(alarm, known):
    "Whether an alarm is new, or graver than it was."
    rank = list(ALARM_SEVERITIES).index
    return known is None or rank(alarm.severity) > rank(known.severity)


def _of_drift(store, model):
    "All that alarms of a model said, but those about silence."
    told = store.drift_events(model)
    return told[told.stream != SILENCE]


def record_alarms(
    store: Store, view: View, as_of: datetime, now: datetime, moved: str = ""
) -> None:
    """Append what alarms say of the day of a view, unless it is known already, or the version was
    switched off since: that closed its alarms. `moved`: what moved the scores, for those that
    open or become graver."""
    if not view.drift.off and store.not_watched(view.model, view.version):
        return
    before = _of_drift(store, view.model)
    said = before[before.event_date.dt.date == view.day] if len(before) else before
    rows = event_rows(view.drift, view.model, view.version, view.day, before, as_of, now, moved)
    if _told(rows) == _told(said):
        return
    withdrawn = _withdrawn(rows, said, as_of, now)
    new = [frame for frame in (rows, withdrawn) if len(frame)]
    store.add_drift_events(pd.concat(new, ignore_index=True) if new else rows)


def keep_evidence(store: Store, view: View) -> None:
    "Keep what alarms of a version stand on, so that later mornings go on from there."
    store.keep_alarm_states(view.model, view.version, view.drift.to_keep())


def _told(frame):
    "What a reader would notice of a day's rows."
    if frame.empty:
        return []
    return sorted(zip(frame.event_id, frame.state, frame.severity, frame.kind))


def _withdrawn(rows, said, as_of, now):
    "Closing rows for alarms that were said to be open and are not by what is known now."
    if said.empty:
        return said
    kept = list(rows.event_id) if len(rows) else []
    gone = said[~said.event_id.isin(kept) & (said.state != "closed")]
    days = {c: gone[c].dt.date for c in ("since", "opened_on", "event_date")}
    return gone.assign(
        state="closed",
        text="Withdrawn: with all that is known of this day by now there is no alarm.",
        as_of=as_of,
        recorded_at=now,
        **days,
    )
