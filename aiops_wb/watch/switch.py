"""The watch over a version, switched on or off with what that means for its alarms."""

from datetime import datetime
from math import nan

import pandas as pd

from ..log.store import Store
from .silence import SILENCE

__all__ = ["closed_row", "switch_watch"]


def switch_watch(
    store: Store, now: datetime, who: str, model: str, version: str, on: bool, why: str
) -> None:
    """Switch the watch over a version on or off, as `Store.watch`; off closes its alarms at once:
    a version that scores no more has no later day to close them."""
    with store.transaction():
        store.watch(now, who, model, version, on, why)
        if off := store.not_watched(model, version):
            _close_all(store, model, version, f"the version is not watched {off}", now)


def _close_all(store, model, version, why, now):
    "Close the open alarms of a version, on the last day that says something of them."
    events = store.drift_events(model, version=version)
    last = events[events.stream != SILENCE].groupby("event_id").tail(1)
    standing = last[last.state != "closed"].itertuples()
    rows = [closed_row(row, why) | {"event_date": row.event_date.date()} for row in standing]
    if rows:
        told = pd.DataFrame(rows).assign(model=model, as_of=now, recorded_at=now)
        store.add_drift_events(told)


def closed_row(row: tuple, why: str) -> dict:
    "The row that closes an alarm of which the last row is known."
    return {
        "version": row.version,
        "event_id": row.event_id,
        "stream": row.stream,
        "state": "closed",
        "kind": row.kind,
        "severity": row.severity,
        "log10_evidence": nan,
        "effect": nan,
        "lower": nan,
        "unit": row.unit,
        "since": row.since.date(),
        "opened_on": row.opened_on.date(),
        "muted": row.muted,
        "title": row.title,
        "text": f"Closed: {why}.",
    }
