"""What the front page says of a model, against what the log says row by row."""

from datetime import UTC, date, datetime, timedelta
from statistics import median
from types import SimpleNamespace

import pytest
from conftest import MODEL, Bench, events
from test_handled import alarm, log

from aiops_wb.config import Settings
from aiops_wb.daily import compute
from aiops_wb.log.ingest import ingest
from aiops_wb.watch.cases import open_cases
from aiops_wb.watch.silence import SILENCE
from aiops_wb.watch.triage import changes, feed, triage
from aiops_wb.watch.view import View

LAST = date(2026, 4, 9)
NOW = datetime(2026, 4, 10, 2, tzinfo=UTC)
SETTINGS = Settings(case_max_age_hours=10_000)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    "Forty days, each a weekday's number of events, labelled after a day; figures of some mornings."
    house = Bench(tmp_path_factory.mktemp("triage"))
    every = events(days=40, per_day=70)
    shown = every[every.groupby("day").cumcount() < every.day.map(lambda day: 30 + day.day)]
    house.log(shown, threshold=16_000)  # nobody is called
    house.label(shown[shown.day < LAST], at="2026-04-09T12:00:00Z")
    log(house.data, "one", NOW - timedelta(hours=12))
    log(house.data, "two", NOW - timedelta(hours=11), "other")
    with house.store() as store:
        ingest(store, NOW, "test")
        for back in (21, 14, 7, 1, 0):
            compute(store, LAST - timedelta(back), MODEL, NOW, SETTINGS)
        open_cases(store, NOW, SETTINGS)
        store.publish()
    return house


@pytest.fixture
def store(made, tmp_path):
    with made.copy_to(tmp_path).store() as store:
        yield store


def seen(store, at=NOW + timedelta(hours=1)):
    return triage(View(store, MODEL, LAST, at, SETTINGS))


def test_the_course_is_what_was_stored_of_each_day(store):
    told, stored = seen(store), store.metrics(MODEL)
    for name, values in told["course"].items():
        of = stored[stored.metric == name].set_index("event_date").value
        assert len(values) == 60
        for place, value in enumerate(values):
            day = LAST - timedelta(59 - place)
            there = [v for at, v in of.items() if at.date() == day and v == v]
            assert value == (pytest.approx(there[0], rel=1e-3) if there else None)
    known = [n for n in told["course"]["predictions"][:-1] if n]
    weekdays = [told["course"]["predictions"][-1 - 7 * back] for back in (1, 2, 3)]
    assert len(known) == 4 and told["usual"] == median(weekdays)
    assert told["labels_until"] == "2026-04-09" and told["promise"] == "none"


def test_too_few_weekdays_make_nothing_usual(store):
    earlier = View(store, MODEL, LAST - timedelta(7), NOW + timedelta(hours=1), SETTINGS)
    assert triage(earlier)["usual"] is None


def test_cases_wait_until_somebody_takes_them_up(store):
    assert seen(store)["waiting"] == {"ticket": 2}
    every, later = store.handled_cases(), NOW + timedelta(minutes=10)
    store.acknowledge(later, "ana", [every.case_id[0]], "mine")
    assert seen(store)["waiting"] == {"ticket": 1}
    assert seen(store, NOW + timedelta(minutes=5))["waiting"] == {"ticket": 2}
    store.close_cases(later, "ana", list(every.case_id), "done")
    assert seen(store)["waiting"] == {}


def test_alarms_of_the_day_stand_gravest_first_and_say_who_is_on_it(store):
    rows = [
        alarm("low", key="D-1"),
        alarm("high", key="D-2", stream="y"),
        alarm("high", key="D-3", stream="z").assign(muted=True),
        alarm("critical", key="D-4", stream="u", state="closed"),
        alarm("critical", key="D-5", stream="w"),  # no later morning has followed it
        alarm("medium", key="D-6", stream="v"),
        alarm("high", key="D-7", stream="t"),
        alarm("low", key="D-8", stream=SILENCE),  # until rows come again, day after day
        alarm("critical", key="D-9", stream="s").assign(opened_on=LAST + timedelta(1)),
    ]
    for row in rows:
        old = row.event_id[0] in ("D-5", "D-8")
        at = LAST - timedelta(3 * old)
        store.add_drift_events(row.assign(event_date=at, recorded_at=NOW))
    store.acknowledge(NOW, "ana", ["D-2"], "I look")
    store.mute(NOW, "ana", ["D-6"], LAST + timedelta(9), LAST, "known")
    store.mute(NOW, "ana", ["D-7"], LAST, LAST, "known")  # the last day that it is quiet on
    found = seen(store)["alarms"]
    mine = [a for a in found if a["says"] == "moved"]
    assert [(a["id"], a["severity"], a["acknowledged"]) for a in mine] == [
        ("D-2", "high", True),
        ("D-1", "low", False),
        ("D-8", "low", False),
    ]
    assert all(a["opened_on"] == "2026-03-01" for a in mine)


@pytest.mark.parametrize(
    ("promise", "broken_on", "threshold", "stale", "days"),
    [
        ("kept", None, 500, "", 3),
        ("unknown", None, 500, "", 0),  # nobody has looked yet
        ("none", None, None, "", 3),
        ("none", None, 500, "the calibration is 9 days old", 3),
        ("broken", LAST, None, "", 3),  # that is why nothing is automated
    ],
)
def test_a_promise_is_kept_only_where_somebody_looked(
    store, monkeypatch, promise, broken_on, threshold, stale, days
):
    stands = SimpleNamespace(
        watch=SimpleNamespace(broken_on=broken_on, days=days),
        rule=SimpleNamespace(threshold=threshold),
        calibration=SimpleNamespace(stale=lambda _: stale),
    )
    view = View(store, MODEL, LAST, NOW + timedelta(hours=1), SETTINGS)
    monkeypatch.setattr(view, "tickets", SimpleNamespace(stands=("late/v1/1", stands)))
    assert triage(view)["promise"] == promise


def test_the_feed_says_when_rows_came_last_and_what_lies_aside(store):
    at = NOW + timedelta(hours=1)
    told = feed(store, at)
    assert told == {
        "predictions": NOW.isoformat(),
        "labels": NOW.isoformat(),
        "quarantined": 0,
        "unmatched": 0,
    }
    assert feed(store, NOW - timedelta(1))["predictions"] is None


def test_changes_are_those_of_a_span_without_what_mornings_do_by_themselves(store):
    first, second = NOW + timedelta(hours=1), NOW + timedelta(hours=2)
    store.record(first, "ana", "threshold", "late/v1", "500", "fewer")
    store.record(second, "daily", "calibration", "late/v1", "late/v1/2", "daily, 28 days")
    store.record(second, "ana", "calibration", "late/v1", "late/v1/3", "by hand")
    store.record(second, "ana", "case", "A-1", "closed", "done")
    told = changes(store, NOW, second)
    assert [(one["what"], one["new"], one["why"]) for one in told] == [
        ("calibration", "late/v1/3", "by hand"),
        ("threshold", "500", "fewer"),
    ]
    assert [one["new"] for one in changes(store, NOW, first)] == ["500"]
    assert changes(store, first, first) == []
