"""Things that happen in a workbench of a test, and what should be told of them, counted apart."""

from datetime import UTC, date, datetime, timedelta

import pandas as pd
from conftest import MODEL

from aiops_wb.config import Settings
from aiops_wb.daily import hand_on
from aiops_wb.log.spool import PredictionLogger

DAY = date(2026, 3, 1)
NOW = datetime(2026, 3, 3, 2, tzinfo=UTC)
GRAVITY = ("MINIMAL", "LOW", "MEDIUM", "HIGH", "CRITICAL")
SEVERITIES = ("low", "medium", "high", "critical")


def morning(bench, n=0, *to, **options):
    "Cases are opened and handed on, and others told; what was said."
    said = []
    settings = settings_of(bench, *to, **options)
    hand_on(bench.data, NOW + timedelta(n), settings, "test", said.append)
    return said


def settings_of(bench, *to, **options):
    where = {"data": bench.data, "reports": bench.root / "reports", "config": "no file"}
    return Settings(events_to=to, **where, **options)


def predict(bench, n=0, entity="guard", level="HIGH", hours=3, kind="ticket"):
    "Somebody is decided upon, some hours before a morning."
    at = NOW + timedelta(n) - timedelta(hours=hours)
    with PredictionLogger(
        bench.data / "spool", MODEL, "v1", threshold=0, flush_seconds=None
    ) as out:
        out.log(
            0.95,
            at.isoformat(),
            entity_id=entity,
            risk_level=level,
            route=kind,
            automated=kind == "ticket",
        )


def alarm(bench, n=0, severity="low", state="ongoing", event_id="D-1", day=None):
    "An alarm says something of a morning."
    of = {
        "event_id": event_id,
        "model": MODEL,
        "version": "v1",
        "stream": "x",
        "state": state,
        "kind": "covariate",
        "severity": severity,
        "log10_evidence": 1.0,
        "effect": float("nan"),
        "lower": 0.1,
        "unit": "points",
        "since": DAY,
        "opened_on": DAY,
        "event_date": DAY + timedelta(n if day is None else day),
        "muted": False,
        "title": f"{severity} drift",
        "text": "x has moved",
        "as_of": NOW + timedelta(n),
        "recorded_at": NOW + timedelta(n),
    }
    with bench.store() as store:
        store.add_drift_events(pd.DataFrame([of]))
        store.publish()


def change(bench, n=0, what="watch", new="on", why="asked for", subject=MODEL, evidence=None):
    "Something is changed."
    with bench.store() as store:
        store.record(NOW + timedelta(n), "ana", what, subject, new, why, evidence)
        store.publish()


def ids_by_hand(log, trail=0):
    "The ids of all that happened, by a walk through the tables row by row."
    ids = {f"trail-{seq}-{hash[:16]}" for seq, hash in log._rows("SELECT seq, hash FROM audit")}
    ids = {one for one in ids if int(one.split("-")[1]) > trail}
    worst = {}
    for case, state, level in log._rows(
        "SELECT case_id, state, upper(risk_level) FROM cases "
        "ORDER BY opened_at, state <> 'opened', predicted_at"
    ):
        if state == "opened":
            ids.add(f"{case}-opened")
        elif case not in worst or GRAVITY.index(level) <= worst[case]:
            continue
        else:
            ids.add(f"{case}-updated-{level.lower()}")
        worst[case] = GRAVITY.index(level)
    alarms = {}
    for one, state, severity in log._rows(
        "SELECT event_id, state, severity FROM drift_events ORDER BY recorded_at, rowid"
    ):
        was, so_far, times = alarms.get(one, (None, -1, {}))
        now, grave = "closed" if state == "closed" else "opened", SEVERITIES.index(severity)
        if now != was:
            times = times | {now: times.get(now, 0) + 1}
            ids.add(f"{one}-{now}" + (f"-{times[now]}" if times[now] > 1 else ""))
        elif now == "opened" and grave > so_far:
            ids.add(f"{one}-graver-{severity}")
        alarms[one] = now, max(grave, so_far), times
    return ids
