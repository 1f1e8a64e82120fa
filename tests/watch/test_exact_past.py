"""What was heard on past mornings, and which mornings are scored: by hand-made logs."""

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pandas as pd
import pytest

from aiops_wb.watch import heard as hearing
from aiops_wb.watch.backtests import MORNINGS_BACK, Backtests
from aiops_wb.watch.heard import Heard

DAY = date(2026, 3, 10)
AT = datetime(2026, 3, 11, 2, tzinfo=UTC)


def event(stream, kind="concept", state="opened", muted=False, since=5, version="v1", day=DAY):
    told = {"stream": stream, "kind": kind, "state": state, "muted": muted, "version": version}
    at = {"since": pd.Timestamp(2026, 3, since), "event_date": pd.Timestamp(day)}
    return told | at


class Told:
    "A log of alarm events."

    def __init__(self, *rows):
        self.events, self.asked = pd.DataFrame(list(rows), columns=list(event("x"))), []

    def drift_events(self, model, first=None, last=None, version=None, as_of=None):
        self.asked.append((model, first, last, version, as_of))
        if first is None:
            return self.events
        days = self.events.event_date.dt.date
        return self.events[(days >= first) & (days <= last) & (self.events.version == version)]


def morning(day=DAY, version="v1"):
    return SimpleNamespace(day=day, version=version, at=AT)


RECORDED, LEVEL = SimpleNamespace(drift_level=None), 0.01


def test_what_was_recorded_is_heard_of_open_concept_alarms_that_are_not_muted():
    rows = [
        event("a", since=3),
        event("b", since=7),
        event("c", since=9, state="closed"),
        event("d", since=9, muted=True),
        event("e", since=9, kind="covariate"),
        event("f", since=9, version="v2"),
        event("g", since=9, day=DAY + timedelta(1)),
        event("h", since=9, muted=True, day=DAY + timedelta(2)),
    ]
    log = Told(*rows)
    heard = Heard(log, "m", None)
    assert heard(RECORDED, morning()) == date(2026, 3, 7)
    assert log.asked[-1] == ("m", DAY, DAY, "v1", AT)
    assert heard(RECORDED, morning(DAY - timedelta(1))) is None and len(log.asked) == 2
    assert heard(RECORDED, morning(DAY + timedelta(2))) is None
    assert heard.open_alarms(RECORDED, morning()) == ("a (concept)", "b (concept)", "e (covariate)")
    assert heard.open_alarms(RECORDED, morning(version="v2")) == ("f (concept)",)
    assert Heard(Told(), "m", None)(RECORDED, morning()) is None


def test_alarms_are_followed_at_the_level_of_a_policy_each_morning_once(monkeypatch):
    made = []

    def view(*asked):
        made.append(asked)
        rows = [
            event("a", since=3),
            event("b", since=7, muted=True),
            event("c", "covariate", since=9),
        ]
        found = [SimpleNamespace(**row | {"since": row["since"].date()}) for row in rows]
        return SimpleNamespace(drift=SimpleNamespace(found=found))

    monkeypatch.setattr(hearing, "View", view)
    policy = SimpleNamespace(drift_level=LEVEL, settings=lambda usual: (usual, "at its level"))
    log, at = Told(), morning()
    at = type("Morning", (tuple,), {"day": DAY, "version": "v1", "at": AT})((DAY, AT))
    heard = Heard(log, "m", "usual")
    assert heard(policy, at) == date(2026, 3, 3)
    assert heard.open_alarms(policy, at) == ("a (concept)", "c (covariate)")
    ((reader, model, day, as_of, settings, _),) = made
    assert (reader, model, day, as_of) == (log, "m", DAY, AT)
    assert settings == ("usual", "at its level")


@pytest.mark.parametrize(
    ("newest", "age", "last"),
    [(DAY - timedelta(2), 5, DAY - timedelta(7)), (DAY + timedelta(9), 5, DAY), (DAY, 0, DAY)],
)
def test_mornings_are_scored_whose_weeks_have_their_labels(newest, age, last):
    labels = SimpleNamespace(pace=SimpleNamespace(age=age), newest=newest)
    found = Backtests(SimpleNamespace(day=DAY), labels)._mornings
    assert len(found) == MORNINGS_BACK and found[-1] == last
    assert found[0] == last - timedelta(MORNINGS_BACK - 1) and sorted(found) == found
    for unknown in ({"pace": None, "newest": newest}, {"pace": 1, "newest": None}):
        assert Backtests(None, SimpleNamespace(**unknown))._mornings == []
