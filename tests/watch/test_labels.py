"""When labels are in, by what a log has seen, and what is told before."""

from datetime import UTC, date, datetime, timedelta

import pytest
from conftest import MODEL, Bench, events
from test_alarms import registered

from aiops_wb.config import Settings
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.render import plots, tables
from aiops_wb.watch.view import View

DAYS, START = 100, date(2026, 2, 23)
LAST = START + timedelta(DAYS - 1)


def labelled_after(bench, days_old):
    "A log whose labels come so many days after their events, as known on its last night."
    frame = events(days=DAYS, per_day=40, seed=3, start=START)
    bench.log(frame)
    for day, of_day in frame.groupby("day"):
        if day + timedelta(days_old) <= LAST:
            bench.label(of_day, at=f"{day + timedelta(days_old)}T12:00:00Z")
    bench.ingest(datetime.combine(LAST, datetime.max.time(), UTC))
    with bench.store() as store:
        store.publish()


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    bench = Bench(tmp_path_factory.mktemp("slow"))
    registered(bench)
    labelled_after(bench, 12)
    return bench


def view_of(log, delay):
    return View(log, MODEL, LAST, settings=Settings(label_delay_days=delay))


@pytest.mark.parametrize(
    "delay, told",
    [(2, "too few: labels come for 12 days, so set at least 12"), (12, "which the log confirms")],
)
def test_what_is_set_is_held_against_what_the_log_says(slow, delay, told):
    with open_snapshot(slow.data) as log:
        view = view_of(log, delay)
        assert view.labels.completeness.age == 12
        said = tables.arrival_table(view).frame.set_index("")["what is known"]
        assert said["days that count as complete"].endswith(told)


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


def test_what_cannot_be_told_is_said(tmp_path):
    bench = Bench(tmp_path)
    registered(bench)
    bench.log(events(days=3, seed=3, start=START))
    bench.ingest(datetime(2026, 2, 26, tzinfo=UTC))
    with bench.store() as store:
        store.publish()
    with open_snapshot(bench.data) as log:
        view = View(log, MODEL, START + timedelta(2), settings=Settings(label_delay_days=5))
        assert view.labels.completeness.age is None
        assert view.labels.complete_day == START + timedelta(2 - 5)
        said = tables.arrival_table(view).frame.set_index("")["what is known"]
        assert said["labels"] == "no label is known yet"
        assert "cannot confirm yet" in said["days that count as complete"]
        assert said["events that never get a label"] == "not known"
