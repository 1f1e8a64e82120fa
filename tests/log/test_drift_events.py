"""What alarms wait to be handed on, and when they are told again."""

from datetime import UTC, date, datetime, timedelta

import pandas as pd
from conftest import MODEL

from aiops_wb.config import Settings
from aiops_wb.watch.sinks import deliver, drift_messages

DAY = date(2026, 3, 1)
AT = datetime(2026, 3, 2, 2, tzinfo=UTC)


def said(morning, severity, state="ongoing"):
    "What an alarm says of a morning."
    return pd.DataFrame(
        [
            {
                "event_id": "D-1",
                "model": MODEL,
                "version": "v1",
                "stream": "x",
                "state": state,
                "kind": "covariate",
                "severity": severity,
                "log10_evidence": 1.0,
                "effect": 0.2,
                "lower": 0.1,
                "unit": "points",
                "since": DAY,
                "opened_on": DAY,
                "event_date": DAY + timedelta(morning),
                "muted": False,
                "title": f"{severity} drift",
                "text": "x has moved",
                "as_of": AT + timedelta(morning),
                "recorded_at": AT + timedelta(morning),
            }
        ]
    )


class Taker:
    name = "file"

    def __init__(self):
        self.taken = []

    def send(self, case):
        self.taken.append(case)


def hand_on(store, sink, morning):
    waiting = store.undelivered_drift(["file"])["file"]
    told = {"file": drift_messages(waiting, Settings())}
    store.add_deliveries(deliver(told, [sink], AT + timedelta(morning)))


def test_an_alarm_is_told_once_and_again_when_it_is_graver(bench):
    sink = Taker()
    course = ("low", "low", "medium", "low", "medium", "critical", "critical")
    with bench.store() as store:
        for morning, severity in enumerate(course):
            store.add_drift_events(said(morning, severity, "ongoing" if morning else "opened"))
            hand_on(store, sink, morning)
        store.add_drift_events(said(7, "critical", "closed"))
        hand_on(store, sink, 7)
    assert [case["risk_level"] for case in sink.taken] == ["LOW", "MEDIUM", "CRITICAL"]
    assert [case["update"] for case in sink.taken] == [False, True, True]
    assert {case["case_id"] for case in sink.taken} == {"D-1"}
    assert len({case["idempotency_key"] for case in sink.taken}) == 3


def test_an_alarm_that_an_older_version_told_is_told_again_when_it_is_graver(bench):
    "Its delivery does not say how grave the alarm was then; what it said that morning does."
    with bench.store() as store:
        store.add_drift_events(said(0, "medium", "opened"))
        store.con.execute(
            "INSERT INTO deliveries (case_id, sink, state, attempted_at) "
            "VALUES ('D-1', 'file', 'delivered', ?)",
            [AT],
        )
        assert store.undelivered_drift(["file"])["file"].empty
        store.add_drift_events(said(1, "medium"))
        assert store.undelivered_drift(["file"])["file"].empty
        store.add_drift_events(said(2, "high"))
        waiting = store.undelivered_drift(["file"])["file"]
    assert list(waiting.severity) == ["high"] and waiting.is_update.all()
