"""The ledger of promises: what is issued, what comes due, how it ended, and as of when."""

import json
import shutil
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from conftest import MODEL, Bench, events

from aiops_wb.cli import main
from aiops_wb.config import Settings
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.dial import subject_of
from aiops_wb.log.errors import StoreError
from aiops_wb.log.promises import Promise
from aiops_wb.models.complete import CompleteDays
from aiops_wb.render.promises import promises_page
from aiops_wb.stats.automation import certainty
from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.points import Grid
from aiops_wb.watch.promises import keep_ledger, ledger

MONDAY = date(2026, 3, 2)
SUBJECT = dict(model=MODEL, version="v1", says="a bound", starts=MONDAY)
FPR = Promise(kind="fpr", target=0.2, confidence=0.9, unit="week", threshold=500, **SUBJECT)
ALERTS = Promise(kind="alerts", target=12.0, confidence=0.9, unit="day", threshold=500, **SUBJECT)
TICKETS = Promise(kind="tickets", target=0.3, confidence=None, unit="day", **SUBJECT)


def at(day, hour=2):
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def settings(bench):
    return Settings(data=bench.data)


def kept(bench, day):
    "Keep the ledger on a morning; how many units were written."
    with bench.store() as store:
        n = keep_ledger(store, MODEL, at(day), settings(bench))
        store.publish()
    return n


def stands(bench, day, threshold):
    "A calibration with a rule for tickets from a threshold on is put in force."
    counts = {day: ScoreCounts.from_events(np.repeat([-900, 900], 50), np.repeat([0, 1], 50))}
    made = certainty(counts, day, method="off", created_at=at(day, 0))
    rule = made.rule.__class__("days", threshold, 0.3, 0.9, "days", "at most 30 %", "days", 100)
    with bench.store() as store:
        known = made.__class__(made.calibration, made.set_bounds, made.bounds, rule)
        return store.add_calibration(at(day, 0), "test", MODEL, "v1", known, "a test", day)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    "Sixteen days from a Monday on, tickets from 700 points on by a calibration, all labelled."
    bench, frame = Bench(tmp_path_factory.mktemp("made")), events(days=16, start=MONDAY)
    key = stands(bench, MONDAY - timedelta(1), 700)
    points = Grid().quantise(frame.score.to_numpy())
    route = np.where(points >= 700, "ticket", "monitor")
    route[frame.day == MONDAY + timedelta(2)] = "monitor"  # a day without a ticket
    bench.log(frame, route=route, automated=True, calibration_id=key)
    bench.label(frame, at="2026-03-18T00:00:00Z")
    bench.ingest(at(date(2026, 3, 18), 1))
    return bench, frame.assign(points=points, route=route), key


@pytest.fixture
def logged(made, bench):
    "The same, to go on from."
    shutil.copytree(made[0].root, bench.root, dirs_exist_ok=True)
    return bench, *made[1:]


def units(bench, kind, as_of=None):
    with open_snapshot(bench.data) as reader:
        return reader.promise_units(MODEL, kind, as_of)


def test_a_day_of_tickets_is_kept_or_broken_as_its_labels_say(logged):
    bench, frame, key = logged
    assert kept(bench, date(2026, 3, 18)) == 16
    rows = units(bench, "tickets").set_index("first")
    assert set(rows.evidence) == {key} and len(rows) == 16
    for day, of_day in frame.groupby("day"):
        row, tickets = rows.loc[pd.Timestamp(day)], of_day[of_day.route == "ticket"]
        false = int((tickets.label == 0).sum())
        assert (row.n, row.bad) == (len(tickets), false)
        if tickets.empty:
            assert row.state == "not judged" and np.isnan(row.lost)
            assert row.reason == "no ticket was opened"
        else:
            assert row.lost == pytest.approx(false / len(tickets)) and row.allowed == 0.3
            assert row.state == ("broken" if false / len(tickets) > 0.3 else "kept")
    assert kept(bench, date(2026, 3, 18)) == 0  # nothing is written twice
    assert kept(bench, date(2026, 3, 19)) == 0


def test_thresholds_are_judged_by_day_and_by_whole_week_from_counts(logged):
    bench, frame, _ = logged
    with bench.store() as store:
        for promise in (FPR, ALERTS, FPR._replace(kind="fdr", unit="day", confidence=None)):
            store.issue_promise(at(MONDAY), promise)
    assert kept(bench, date(2026, 3, 18)) == 16 + 2 + 16 + 16
    high = frame[frame.points >= 500]
    for row in units(bench, "alerts").itertuples():
        assert row.bad == (high.day == row.first.date()).sum()
        assert row.state == ("broken" if row.bad > 12 else "kept")
    weeks = units(bench, "fpr")
    assert weeks["first"].dt.date.tolist() == [MONDAY, MONDAY + timedelta(7)]
    for row in weeks.itertuples():
        week = frame[(frame.day >= row.first.date()) & (frame.day <= row.last.date())]
        negative = week[week.label == 0]
        assert (row.n, row.bad) == (len(negative), (negative.points >= 500).sum())
        assert row.lost == float(row.bad / row.n > 0.2) and row.allowed == pytest.approx(0.1)
    for row in units(bench, "fdr").itertuples():
        alerts = high[high.day == row.first.date()]
        assert row.lost == pytest.approx((alerts.label == 0).mean()) and row.allowed == 0.2


def test_a_label_that_comes_later_is_a_row_more_and_the_past_stays(logged):
    bench, frame, _ = logged
    kept(bench, date(2026, 3, 18))
    before = units(bench, "tickets")
    day = frame[(frame.day == MONDAY) & (frame.route == "ticket")]
    bench.label(day.head(1), at="2026-03-19T00:00:00Z", label=1 - day.label.iloc[0])
    bench.ingest(at(date(2026, 3, 19), 1))
    assert kept(bench, date(2026, 3, 19)) == 1
    after = units(bench, "tickets")
    changed = after.bad != before.bad
    assert changed.tolist() == [True] + [False] * 15
    assert units(bench, "tickets", at(date(2026, 3, 18))).equals(before)
    assert units(bench, "tickets", at(date(2026, 3, 18), 1)).empty
    with bench.store() as store:
        assert store._value("SELECT count(*) FROM promise_units") == 17


def test_a_threshold_that_is_not_in_force_all_the_time_is_not_judged(logged):
    bench, *_ = logged
    with bench.store() as store:
        store.set_threshold(at(MONDAY, 0), "test", MODEL, "v1", 500, "a bound")
        store.issue_promise(at(MONDAY), ALERTS)
        store.set_threshold(at(MONDAY + timedelta(3), 9), "test", MODEL, "v1", 900, "fewer")
    kept(bench, date(2026, 3, 18))
    assert units(bench, "alerts")["first"].dt.day.tolist() == [2, 3, 4]


def test_days_on_which_some_events_had_a_threshold_of_their_own_are_not_judged(logged):
    "A promise of all events says nothing where a site calls from elsewhere on."
    bench, *_ = logged
    with bench.store() as store:
        store.set_threshold(at(MONDAY, 0), "test", MODEL, "v1", 500, "a bound")
        store.issue_promise(at(MONDAY), ALERTS)
        own = "test", MODEL, "v1", ("default", "S1")
        store.set_own_threshold(at(MONDAY + timedelta(3), 9), *own, -900, "more there")
        store.roll_back(
            at(MONDAY + timedelta(5), 9), "test", "threshold", subject_of(*own[1:]), "as before"
        )
    kept(bench, date(2026, 3, 12))
    assert units(bench, "alerts")["first"].dt.day.tolist() == [2, 3, 4, 8, 9, 10, 11]


def test_a_later_promise_takes_over_and_one_that_is_withdrawn_ends(logged):
    bench, *_ = logged
    later = ALERTS._replace(target=30.0, starts=MONDAY + timedelta(5))
    with bench.store() as store:
        first = store.issue_promise(at(MONDAY), ALERTS)
        assert store.issue_promise(at(MONDAY, 5), ALERTS._replace(starts=later.starts)) == first
        second = store.issue_promise(at(MONDAY, 6), later)
        store.withdraw_promise(at(MONDAY, 7), later._replace(starts=MONDAY + timedelta(8)), "no")
        store.withdraw_promise(at(MONDAY, 8), later._replace(starts=MONDAY + timedelta(9)), "no")
        assert len(store.promises(MODEL, "alerts")) == 3
    kept(bench, date(2026, 3, 18))
    rows = units(bench, "alerts")
    assert rows.promise_id.tolist() == [first] * 5 + [second] * 3


def test_what_was_brought_in_as_a_history_was_never_promised(bench):
    rows = events(days=8, start=MONDAY)
    rows["at"], rows["seen"] = rows["at"].astype(str), "2026-03-11T00:00:00Z"
    rows[["id", "at", "score", "label", "seen"]].to_csv(bench.root / "past.csv", index=False)
    stands(bench, MONDAY - timedelta(1), 700)
    with bench.store() as store:
        store.issue_promise(at(MONDAY), ALERTS)
    told = "prediction_id=id,predicted_at=at,label=label,observed_at=seen"
    path = str(bench.root / "past.csv")
    words = ["--predictions", path, "--outcomes", path, "--map", told, "--set", "version=v1"]
    folders = ["--data", str(bench.data), "-q"]
    assert main(["history", "import", *words, "--model", MODEL, *folders]) == 0
    kept(bench, date(2026, 3, 18))
    assert units(bench, None).empty


@pytest.mark.evidence
def test_nothing_is_judged_while_labels_are_not_known_to_be_in(logged, monkeypatch):
    bench, *_ = logged
    with bench.store() as store:
        store.issue_promise(at(MONDAY), FPR)
        store.issue_promise(at(MONDAY), ALERTS)
    assert kept(bench, date(2026, 3, 18)) == 16  # alerts need no label
    assert set(units(bench, None).kind) == {"alerts"}
    with open_snapshot(bench.data) as reader:
        said = ledger(reader, MODEL).says("fpr")
    assert said.startswith("no promise has come due yet: the first was made on 2026-03-02")
    # labels are in, and one in two of the others may still come: they count against
    monkeypatch.setattr(CompleteDays, "newest", date(2026, 3, 17))
    monkeypatch.setattr(CompleteDays, "owed", lambda self, day: 0.5)
    missing = events(days=1, per_day=10, start=MONDAY, version="late")
    bench.log(missing, route="ticket", automated=True)
    bench.ingest(at(date(2026, 3, 18), 3))
    kept(bench, date(2026, 3, 18))
    week = units(bench, "fpr").iloc[0]
    above = int((Grid().quantise(missing.score.to_numpy()) >= 500).sum())
    assert above and (week.bad * 2) % 1 == 0 and week.n % 1 == (above / 2) % 1


def test_years_are_counted_and_what_nobody_knows_is_not_judged(logged):
    bench, *_ = logged
    kept(bench, date(2026, 3, 18))
    kept(bench, date(2026, 6, 1))
    assert units(bench, "alarms").empty
    assert kept(bench, date(2027, 3, 18)) == 1
    year = units(bench, "alarms").iloc[0]
    assert (year.state, year.lost, year.allowed) == ("kept", 0.0, pytest.approx(0.05))
    alarm = {"event_id": "D-1", "model": MODEL, "version": "v1", "stream": "score"}
    alarm |= {"state": "opened", "kind": "covariate", "severity": "low", "unit": "share"}
    alarm |= dict.fromkeys(("since", "opened_on", "event_date"), date(2027, 5, 1))
    alarm |= {"muted": False, "title": "", "text": "", "as_of": at(date(2027, 5, 1))}
    with bench.store() as store:
        store.add_drift_events(pd.DataFrame([alarm | {"recorded_at": at(date(2027, 5, 1))}]))
    kept(bench, date(2028, 3, 20))
    year = units(bench, "alarms").iloc[1]
    assert year.state == "not judged" and "which of them were false is not known" in year.reason


def test_the_command_and_the_page_say_the_same(logged, capsys):
    bench, frame, _ = logged
    folders = ["--data", str(bench.data), "-q"]
    bench.publish()
    assert main(["promises", *folders]) == 0
    assert (
        "no promise has come due yet: the first was made on 2026-03-01" in capsys.readouterr().out
    )
    with bench.store() as store:
        store.issue_promise(at(MONDAY), ALERTS)
    kept(bench, date(2026, 3, 18))
    with open_snapshot(bench.data) as reader:
        of = ledger(reader, MODEL)
        page = promises_page([of], reader.last_committed(), reader.timezone)
        view = reader.frame("SELECT * FROM promise_ledger ORDER BY kind, first")
    assert len(view) == 32 and view.observed.notna().sum() == 31
    assert main(["promises", MODEL, "--json", *folders]) == 0
    told = json.loads(capsys.readouterr().out)
    rows = {row["kind"]: row for row in told["kept"]}
    high = frame[frame.points >= 500].groupby("day").size()
    assert rows["alerts"]["due"] == 16 and rows["alerts"]["kept"] == (high <= 12).sum()
    assert rows["alerts"]["promised"] == pytest.approx(14.4)
    assert len(told["broken"]) == len(of.failures) == len(of.units[of.units.state == "broken"])
    assert main(["promises", MODEL, *folders]) == 0
    said = capsys.readouterr().out
    means = sum(row["confidence"] is None for row in told["broken"])
    assert 0 < means < len(told["broken"]) and said.count("was promised in the mean") == means
    assert f"{len(told['broken']) - means} units broken" in said and "breaks nothing" in said
    for row in rows.values():
        assert f"{row['says'][1:]}." in page
    assert page.count("<svg") == 2 and "Alerts a day" in page
    assert (
        main(["promises", MODEL, "--kind", "alerts", "--as-of", "2026-03-18T01:00:00Z"] + folders)
        == 0
    )
    assert "no promise has come due yet" in capsys.readouterr().out


def test_a_page_without_promises_says_what_is_not_known(bench):
    page = promises_page([], at(MONDAY), "UTC")
    assert "Nothing was promised yet" in page and "<svg" not in page


@pytest.mark.parametrize(
    "change, says",
    [
        (dict(kind="recall"), "choose one of tickets, fpr"),
        (dict(unit="row"), "has no unit 'row'"),
        (dict(unit="year"), "has no unit 'year'"),
        (dict(threshold=None), "needs the threshold"),
        (dict(confidence=1.0), "a confidence lies between 0 and 1"),
        (dict(confidence=None), "alerts need one"),
    ],
)
def test_what_is_no_promise_is_refused(bench, change, says):
    with bench.store() as store, pytest.raises(StoreError, match=says):
        store.issue_promise(at(MONDAY), ALERTS._replace(**change))
