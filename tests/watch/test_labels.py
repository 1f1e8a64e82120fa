"""When labels are in, by what a log has seen, and what is told before."""

import shutil
from datetime import UTC, date, datetime, time, timedelta

import pandas as pd
import pytest
from conftest import MODEL, Bench, events, few
from test_alarms import registered

from aiops_wb.config import Settings
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.render import plots, tables
from aiops_wb.stats.counts import total
from aiops_wb.stats.performance import summary
from aiops_wb.watch.view import View

DAYS, START = 100, date(2026, 2, 23)
LAST = START + timedelta(DAYS - 1)

pytestmark = pytest.mark.evidence


def labelled_after(bench, days_old):
    "A log whose labels come so many days after their events, as known on its last night."
    frame = events(days=DAYS, per_day=40, seed=3, start=START)
    bench.log(frame)
    for day, of_day in frame.groupby("day"):
        if day + timedelta(days_old) <= LAST:
            bench.label(of_day, at=f"{day + timedelta(days_old)}T12:00:00Z")
    bench.ingest(datetime.combine(LAST, datetime.max.time(), UTC))
    bench.publish()


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    bench = Bench(tmp_path_factory.mktemp("slow"))
    registered(bench)
    labelled_after(bench, 12)
    return bench


def view_of(log, delay):
    return View(log, MODEL, LAST, settings=Settings(label_delay_days=delay))


@pytest.mark.parametrize(
    "floor, waits",
    few([("auto", 12), (2, 12), (12, 12), (20, 20)], ("auto", 12), (20, 20)),
)
def test_what_is_set_is_a_floor_under_what_the_log_says(slow, floor, waits):
    with open_snapshot(slow.data) as log:
        view = view_of(log, floor)
        assert view.labels.completeness.age == 12
        assert view.labels.complete_day == LAST - timedelta(waits) == log_days_complete(view)
        said = tables.arrival_table(view).frame.set_index("")["what is known"]
        words = said["days that count as complete"]
        assert f"up to {view.labels.complete_day:%d %b}" in words
        assert ("waits longer" in words) == (waits > 12)


def log_days_complete(view):
    "The newest day of the view whose events all have a label, of those that the floor lets in."
    full = [d for d, c in view.counts_by_day.items() if c.total[0] == c.total[1]]
    floor = view.day - timedelta(view.settings.label_floor)
    return max(d for d in full if d <= floor)


def test_labels_that_come_the_night_after_are_a_day_older(slow, tmp_path):
    "A morning speaks of the day before: its complete days are a day older than is set."
    shutil.copytree(slow.root, tmp_path, dirs_exist_ok=True)
    bench, night = Bench(tmp_path), LAST + timedelta(1)
    frame = events(days=DAYS, per_day=40, seed=3, start=START)
    bench.label(frame[frame.day == night - timedelta(12)], at=f"{night}T01:00:00Z")
    bench.ingest(datetime.combine(night, time(3), UTC))
    bench.publish()
    with open_snapshot(bench.data) as log:
        view = view_of(log, "auto")
        assert view.labels.completeness.age == 12
        assert view.labels.complete_day == LAST - timedelta(11) == log_days_complete(view)


def test_the_page_says_how_labels_arrive(slow):
    with open_snapshot(slow.data) as log:
        view = view_of(log, 2)
        said = tables.arrival_table(view).frame.set_index("")["what is known"]
        assert said["labels"].startswith("labels are complete after 12 days")
        assert view.labels.not_adjusted == "no label is known yet"  # of any of the last days
        assert "-" in set(tables.label_table(view).frame["adjusted for late labels"])
        assert "unreliable" not in " ".join(said)
        lines = plots.label_pace(view.labels.pace).axes[0].lines
        assert len(lines) == 6 and all(line.get_ydata()[-1] == 1 for line in lines)


def test_sixty_days_whose_labels_are_in_say_how_much_days_differ(slow, monkeypatch):
    asked, counts = set(), View.counts
    monkeypatch.setattr(View, "counts", lambda view, *days: asked.add(days) or counts(view, *days))
    with open_snapshot(slow.data) as log:
        labels = view_of(log, 2).labels
        assert labels.adjusted and labels.complete_day == LAST - timedelta(12)
    assert (LAST - timedelta(12 + 59), LAST - timedelta(12)) in asked


def test_what_cannot_be_told_is_said(tmp_path):
    bench = Bench(tmp_path)
    registered(bench)
    bench.log(events(days=3, seed=3, start=START))
    bench.ingest(datetime(2026, 2, 26, tzinfo=UTC))
    bench.publish()
    with open_snapshot(bench.data) as log:
        view = View(log, MODEL, START + timedelta(2), settings=Settings(label_delay_days=1))
        assert view.labels.completeness.age is None
        assert view.labels.complete_day is None and view.tickets.kept.empty
        assert "no label is known yet" in view.complete_days.why_none
        assert not any(q.about == "labels" for q in view.drift.questions)
        told = set(tables.label_table(view).frame["complete days"])
        assert told == {"-"}
        said = tables.arrival_table(view).frame.set_index("")["what is known"]
        assert said["labels"] == "no label is known yet"
        assert said["days that count as complete"].startswith("none")
        assert said["events that never get a label"] == "not known"


def test_past_figures_are_scored_at_the_threshold_of_their_morning(slow, tmp_path):
    "Else a change of the threshold would call good intervals unreliable."
    shutil.copytree(slow.root, tmp_path, dirs_exist_ok=True)
    bench, mornings = Bench(tmp_path), [LAST - timedelta(12 + back) for back in range(75)]
    at = {
        day: datetime(day.year, day.month, day.day, 3, tzinfo=UTC) + timedelta(1)
        for day in mornings
    }
    with bench.store() as store:
        store.set_threshold(at[mornings[-1]] - timedelta(1), "ana", MODEL, "v1", 900, "few")
        store.set_threshold(
            at[LAST - timedelta(12)] + timedelta(1), "ana", MODEL, "v1", -900, "more"
        )
        rows = []
        for day in mornings:
            week = store.score_counts(MODEL, day - timedelta(6), day, version="v1")
            for name, add in (("precision", 0.0), ("recall", 0.5)):
                value = summary(total(week.values()), 900)[name].value + add
                rows.append(
                    (day, at[day], f"expected_{name}_week", value, value - 0.001, value + 0.001)
                )
        columns = ["event_date", "as_of", "metric", "value", "lower", "upper"]
        frame = pd.DataFrame(rows, columns=columns).assign(
            run_id="r", model=MODEL, version="v1", tenant="", segment="", n=280
        )
        store.add_metrics(frame)
        store.publish()
    with open_snapshot(bench.data) as log:
        view = view_of(log, 12)
        held = view.backtests.held
        assert view.threshold == -900 and held["expected_precision_week"].share.value == 1
        assert held["expected_precision_week"].share.n == 75
        assert held["expected_recall_week"].state == "unreliable"
        said = tables.label_table(view).frame.set_index("")["expected without labels"]
        assert said["Recall"].endswith("(unreliable)") and "unreliable" not in said["Precision"]
        assert "unreliable" in tables.arrival_table(view).frame["what is known"].iloc[-1]
