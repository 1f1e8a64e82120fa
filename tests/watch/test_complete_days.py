"""What waits until labels are shown to be in, and what is said until then."""

import shutil
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from conftest import MODEL, Bench, events
from test_alarms import registered

from aiops_wb.config import Settings
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.errors import StoreError
from aiops_wb.watch.calibrate import calibrate_now
from aiops_wb.watch.headlines import (
    certainty_headline,
    performance_headline,
    thresholds_headline,
    watch_note,
)
from aiops_wb.watch.recalibrate import judged, recalibrate
from aiops_wb.watch.view import View

START = date(2026, 2, 23)
LONG, SHORT = 100, 30
TICKETS = 0.7  # events of at least this score were tickets

pytestmark = pytest.mark.evidence


def night(day):
    return datetime.combine(day, datetime.max.time(), UTC)


def lived(bench, days, delay, unlabelled=0):
    """A log whose labels come `delay` days after their events; of each day's tickets the first
    `unlabelled` have none."""
    frame = events(days=days, per_day=40, seed=3, start=START)
    frame["route"] = np.where(frame.score >= TICKETS, "ticket", "monitor")
    bench.log(frame, route=frame.route.tolist(), automated=(frame.route == "ticket").tolist())
    last = START + timedelta(days - 1)
    for day, of_day in frame.groupby("day"):
        if day + timedelta(delay) <= last:
            tickets = of_day[of_day.route == "ticket"]
            told = of_day.drop(tickets.index[:unlabelled])
            bench.label(told, at=f"{day + timedelta(delay)}T12:00:00Z")
    bench.ingest(night(last))
    bench.publish()
    return last


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    bench = Bench(tmp_path_factory.mktemp("long"))
    registered(bench)
    lived(bench, LONG, 5)
    return bench


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    bench = Bench(tmp_path_factory.mktemp("short"))
    registered(bench)
    lived(bench, SHORT, 5)
    return bench


def copied(bench, tmp_path):
    shutil.copytree(bench.root, tmp_path, dirs_exist_ok=True)
    return Bench(tmp_path)


def test_a_young_log_automates_nothing_and_says_until_when(short, tmp_path):
    bench, last = copied(short, tmp_path), START + timedelta(SHORT - 1)
    settings = Settings(data=bench.data)
    at_its_word = settings.model_copy(update={"complete_share": 1.0, "label_delay_days": 5})
    with bench.store() as store:
        trusting = View(store, MODEL, last, night(last), at_its_word)
        recalibrate(store, trusting, night(last), "ana")
        stands = store.calibration(MODEL, "v1")[1]
        assert {stands.set_of(p) for p in (-16_000, 16_000)} == {"{0}", "{1}"}
        view = View(store, MODEL, last, night(last), settings)
        assert view.complete_days.newest is None
        recalibrate(store, view, night(last), "ana")
        stands = store.calibration(MODEL, "v1")[1]
        assert stands.rule.threshold is None and "too early to tell" in stands.rule.reason
        assert "more days of log are needed" in stands.rule.reason
        assert {stands.set_of(p) for p in (-16_000, 0, 16_000)} == {"{0, 1}"}
        rows = len(store.audit())
        assert recalibrate(store, view, night(last), "ana") is None and len(store.audit()) == rows
        assert view.tickets.coverage is None and view.tickets.kept.empty


def test_a_calibration_by_hand_waits_too(short, tmp_path):
    bench = copied(short, tmp_path)
    at = night(START + timedelta(SHORT - 1))
    with bench.store() as store:
        with pytest.raises(StoreError, match="not known to be complete: too early to tell"):
            calibrate_now(store, at, "ana", MODEL, "v1", "prediction_log", Settings())


def test_a_calibration_by_hand_rests_on_the_last_30_complete_days(long, tmp_path):
    bench = copied(long, tmp_path)
    with bench.store() as store:
        at = night(START + timedelta(LONG - 1))
        made = calibrate_now(store, at, "ana", MODEL, "v1", "prediction_log", Settings())
    assert made.summary["n"] == 30 * 40


def test_sentences_do_not_speak_of_early_labels(short):
    with open_snapshot(short.data) as log:
        view = View(log, MODEL, START + timedelta(SHORT - 1), settings=Settings())
        said = performance_headline(view)
        assert said.state == "unknown" and "no fair sample" in said.advice
        assert "too early to tell" in said.advice
        assert "What labels would tell is not watched" in watch_note(view).says


def test_a_long_log_speaks_of_its_newest_complete_days(long):
    last = START + timedelta(LONG - 1)
    with open_snapshot(long.data) as log:
        view = View(log, MODEL, last, settings=Settings())
        assert view.complete_days.newest == last - timedelta(5)
        first, end = view.labels.complete_window
        assert (first, end) == (last - timedelta(11), last - timedelta(5))
        said = performance_headline(view).says
        assert (
            f"the newest complete days, {first:%-d %B} to {end:%-d %B}, 100% are labelled" in said
        )
        assert "What labels would tell" not in watch_note(view).says


def test_thresholds_are_replayed_on_complete_days(long, short):
    last = START + timedelta(LONG - 1)
    with open_snapshot(long.data) as log:
        view = View(log, MODEL, last, settings=Settings())
        assert view.other_thresholds.complete and view.other_thresholds.through == last - timedelta(
            5
        )
        assert view.other_thresholds.days_replayed == 30
        assert thresholds_headline(view).state != "unknown"
        assert f"to {last - timedelta(5):%-d %B}" in thresholds_headline(view).says
    with open_snapshot(short.data) as log:
        view = View(log, MODEL, START + timedelta(SHORT - 1), settings=Settings())
        assert not view.other_thresholds.complete and view.other_thresholds.through == view.day
        said = thresholds_headline(view)
        assert said.state == "unknown" and "too early to tell" in said.advice


def test_a_log_without_routes_says_that_they_are_missing(tmp_path):
    bench = Bench(tmp_path)
    registered(bench)
    with bench.store() as store:
        store.turn_dial(night(START), "ana", MODEL, False, "the service decides")
    bench.log(events(days=LONG, per_day=40, seed=3, start=START))
    bench.label(events(days=LONG, per_day=40, seed=3, start=START), at="2026-06-10T00:00:00Z")
    last = START + timedelta(LONG - 1)
    bench.ingest(night(last))
    with bench.store() as store:
        trusting = Settings(complete_share=1)
        recalibrate(
            store, View(store, MODEL, last - timedelta(1), None, trusting), night(last), "a"
        )
        store.publish()
    with open_snapshot(bench.data) as log:
        view = View(log, MODEL, last, settings=Settings(complete_share=1))
        said = certainty_headline(view)
        assert view.tickets.stands
        assert said.state == "unknown" and "40 predictions carry no route" in said.says


def test_tickets_whose_label_may_still_come_are_false_until_it_does(tmp_path, monkeypatch):
    bench = Bench(tmp_path)
    registered(bench)
    last = lived(bench, LONG, 5, unlabelled=2)
    with bench.store() as store:
        view = View(store, MODEL, last, night(last), Settings(data=bench.data))
        day = view.complete_days.newest
        tickets, labelled, false = view.tickets.outcomes(day)
        assert tickets - labelled == 2
        # of a log that never labelled them, none is owed
        assert judged(view, day) == (labelled, false)
        monkeypatch.setattr(view.complete_days, "owed", lambda _: 0.3)
        assert judged(view, day) == pytest.approx((labelled + 0.6, false + 0.6))
