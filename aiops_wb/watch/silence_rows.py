"""Alarms about silence as the log keeps them, brought up to a day whether it has events or not."""

from datetime import date, datetime
from math import log10, nan

import pandas as pd

from ..log.store import Store
from .alarm_rows import event_id
from .silence import ADVICE, SILENCE, SilenceAlarm, silences

__all__ = ["record_silence"]


def record_silence(
    store: Store, model: str, until: date, as_of: datetime, now: datetime
) -> SilenceAlarm | None:
    """Bring what the log says of a model's silences up to a day; the alarm open on it, if any.

    A row for the day that opened an alarm, for the last day that it is open, and for the day that
    closed it; what is known already is not said again.
    """
    found = silences(store, model, until, as_of)
    alarms = {alarm.opened_on: alarm for alarm in found.alarms} if found else {}
    if not alarms and not store.has_drift_events(model, SILENCE):
        return None
    known = _last_rows(store.drift_events(model))
    rows = []
    for opened_on, alarm in alarms.items():
        rows += _rows_of(alarm, known.pop(opened_on, None), model, found.version, until)
    for last in known.values():
        if last.event_date.date() <= until and last.state != "closed":
            rows.append(_withdrawn(last, found is None))
    if rows:
        told = pd.DataFrame(rows).assign(model=model, as_of=as_of, recorded_at=now)
        store.add_drift_events(told)
    return found.open if found else None


def _last_rows(events):
    "opened_on -> the last row of each alarm about silence."
    of_silence = events[events.stream == SILENCE]
    last = of_silence.groupby("event_id").tail(1)
    return {row.opened_on.date(): row for row in last.itertuples()}


def _rows_of(alarm, known, model, version, until):
    "What is to be added to the rows of an alarm of which the last is `known`."
    if known and known.event_date.date() > until:  # more is known already
        return []
    key = (known.event_id, known.version) if known else None
    key = key or (event_id(model, version, SILENCE, alarm.opened_on), version)
    row = lambda day, state, at: _row(alarm, key, model, day, state, alarm.told[at])
    rows = [] if known else [row(alarm.opened_on, "opened", 0)]
    told_on = known.event_date.date() if known else alarm.opened_on
    if alarm.closed_on is None:
        again = known is not None and known.state == "closed"
        if told_on < until or again:
            rows.append(row(until, "opened" if again else "ongoing", -1))
    elif known is None or known.state != "closed":
        rows.append(row(max(alarm.closed_on, told_on), "closed", -1))
    return rows


def _row(alarm, key, model, day, state, told):
    _, severity, text, chance = told
    what = "no predictions" if severity == "critical" else "hours without predictions"
    closed = f"Closed: predictions came again as usual on {alarm.closed_on}."
    return {
        "event_id": key[0],
        "version": key[1],
        "stream": SILENCE,
        "state": state,
        "kind": "operation",
        "severity": severity,
        "log10_evidence": nan if state == "closed" else -log10(max(chance, 1e-300)),
        "effect": nan,
        "lower": nan,
        "unit": "chance of none",
        "since": alarm.since,
        "opened_on": alarm.opened_on,
        "event_date": day,
        "muted": False,
        "title": f"{model}: {what} since {alarm.since}",
        "text": closed if state == "closed" else f"{text} {ADVICE}",
    }


def _withdrawn(last, unwatched):
    "The row that closes an alarm which by what is known now is none."
    why = (
        "no version of the model is watched any more"
        if unwatched
        else "with all that is known by now, events or holidays, there was no silence"
    )
    days = {c: getattr(last, c).date() for c in ("since", "opened_on", "event_date")}
    kept = ("event_id", "version", "stream", "kind", "severity", "unit", "muted", "title")
    return (
        {name: getattr(last, name) for name in kept}
        | days
        | {
            "state": "closed",
            "log10_evidence": nan,
            "effect": nan,
            "lower": nan,
            "text": f"Withdrawn: {why}.",
        }
    )
