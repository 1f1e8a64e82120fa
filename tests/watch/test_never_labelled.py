"""A declaration of what never gets a label: which days are complete by it, what is owed, what pages
say."""

import shutil
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from conftest import MODEL, Bench, events
from test_alarms import registered

from aiops_wb.config import Settings
from aiops_wb.daily import compute
from aiops_wb.models.complete import CompleteDays, complete_days, training_rows
from aiops_wb.render import tables
from aiops_wb.watch.headlines import performance_headline
from aiops_wb.watch.recalibrate import judged, recalibrate
from aiops_wb.watch.view import View

START, DAYS, DELAY = date(2026, 2, 23), 105, 25
LAST = START + timedelta(DAYS - 1)
NIGHT = datetime.combine(LAST, datetime.max.time(), UTC)
HOUR = timedelta(hours=1)

pytestmark = pytest.mark.evidence


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A log in which 32 of the 40 events of a day get a label, after 25 days: too young to see that
    no more will come."""
    bench = Bench(tmp_path_factory.mktemp("young"))
    registered(bench)
    frame = events(days=DAYS, per_day=40, seed=3, start=START)
    frame["route"] = np.where(frame.score >= 0.7, "ticket", "monitor")
    bench.log(frame, route=frame.route.tolist(), automated=(frame.route == "ticket").tolist())
    old = frame[frame.day + timedelta(DELAY) <= LAST].groupby("day").head(32)
    bench.label(old, at=pd.to_datetime(old.day + timedelta(DELAY)).dt.tz_localize("UTC"))
    bench.ingest(NIGHT)
    return bench


@pytest.fixture
def young(made, tmp_path):
    return Bench(shutil.copytree(made.root, tmp_path, dirs_exist_ok=True))


def viewed(store, as_of=None):
    return View(store, MODEL, LAST, as_of, Settings(data=store.root))


def said(view):
    return tables.arrival_table(view).frame.set_index("")["what is known"]


def test_days_are_complete_by_a_declaration_and_what_is_owed_follows_from_it(young):
    with young.store() as store:
        before = viewed(store)
        assert before.complete_days.newest is None and before.complete_days.declared == ""
        assert "declared never to get one" not in said(before)
        store.declare_never(NIGHT, "ana", MODEL, 0.195, "cancelled")
        view = viewed(store)
        assert view.complete_days.newest == LAST - timedelta(DELAY)
        assert view.complete_days.waits == DELAY and view.complete_days.established
        # of 1,000 events 805 get a label and 800 have one: 5 of the other 200 do
        owed = view.complete_days.owed(view.complete_days.newest)
        assert owed == pytest.approx(5 / 200)
        assert view.complete_days.owed(LAST) == pytest.approx(0.805)  # none of the last day's is in
        tickets, labelled, false = view.tickets.outcomes(view.complete_days.newest)
        missing = tickets - labelled
        assert missing and judged(view, view.complete_days.newest) == pytest.approx(
            (labelled + owed * missing, false + owed * missing)
        )
        words = said(view)
        assert "as declared, 19.5% of events never get one" in words["labels"]
        assert words["events that never get a label"] == "not known"
        by = "19.5% by ana on 2026-06-07 (cancelled); days are complete by it"
        assert words["declared never to get one"] == by


def test_the_page_says_of_what_the_promise_speaks(young):
    with young.store() as store:
        store.declare_never(NIGHT, "ana", MODEL, 0.2, "cancelled")
        view = viewed(store)
        recalibrate(store, view, NIGHT, "ana")
        stands = store.calibration(MODEL, "v1")[1]
        assert stands.rule.n and "not known to be complete" not in stands.rule.reason
        store.publish()
        page = tables.promise_table(viewed(store)).frame.set_index("about tickets")[""]
        assert stands.rule.guarantee and page["Speaks of"].startswith("events whose label ever")
        assert (
            "declared never to get one: 20% by ana on 2026-06-07 (cancelled)" in page["Speaks of"]
        )
        assert page["Speaks of"].endswith("cannot be seen in a log")


def test_a_page_of_a_past_day_knows_what_was_declared_then(young):
    with young.store() as store:
        settings = Settings(data=young.data)
        assert compute(store, LAST, MODEL, NIGHT, settings).stored
        store.declare_never(NIGHT + HOUR, "ana", MODEL, 0.2, "cancelled")
        again = viewed(store, NIGHT + 2 * HOUR)
        assert again.stood_at == NIGHT and again.complete_days.newest is None
        tomorrow = NIGHT + timedelta(1)
        assert complete_days(store, MODEL, tomorrow).newest == LAST - timedelta(DELAY)
        assert complete_days(store, MODEL, NIGHT).newest is None
        assert complete_days(store, MODEL, tomorrow, as_of=NIGHT).newest is None
        store.roll_back(tomorrow, "ana", "never", MODEL, "a mistake")
        assert complete_days(store, MODEL, tomorrow + HOUR).newest is None


def test_a_training_takes_the_days_that_a_declaration_completes(young):
    with young.store() as store:
        known = training_rows(store, MODEL, START, LAST, NIGHT + HOUR)
        assert known.unsure
        store.declare_never(NIGHT, "ana", MODEL, 0.2, "cancelled")
        known = training_rows(store, MODEL, START, LAST, NIGHT + HOUR)
        assert not known.unsure and not known.incomplete and max(known.events) <= LAST


def test_a_refuted_declaration_does_not_count_and_every_page_says_so(young):
    with young.store() as store:
        store.declare_never(NIGHT, "ana", MODEL, 0.5, "a guess")
        view = viewed(store)
        assert view.complete_days.newest is None
        told = "50% of events were declared never to get a label, but 80.0% have one"
        assert told in view.complete_days.why_none and told in said(view)["labels"]
        assert told in performance_headline(view).advice
        words = said(view)["declared never to get one"]
        assert words.endswith("it does not count: more events than it leaves have a label")
        assert view.complete_days.speaks_of.startswith("nothing yet: labels are not known")


def test_where_the_log_shows_a_plateau_it_is_believed(young):
    with young.store() as store:
        loose = {"share": 0.2, "stood_at": NIGHT}
        store.declare_never(NIGHT, "ana", MODEL, 0.1, "cancelled")
        found = CompleteDays(store, MODEL, LAST, **loose)
        assert found.completeness.plateau and found.newest == LAST - timedelta(DELAY)
        assert found.owed(found.newest) == 0  # by what came later, not by the declaration
        assert "20.0% (20.0% to 20.0%) never get one, as the log shows" in found.speaks_of
        assert "declared: 10% by ana" in found.speaks_of
        assert found.declared.endswith("the log shows it by itself, and that it is more")
        store.declare_never(NIGHT, "ana", MODEL, 0.2, "better known")
        found = CompleteDays(store, MODEL, LAST, **loose)
        assert found.declared.endswith("the log shows it by itself")


def test_labels_at_their_word_need_no_declaration(young):
    with young.store() as store:
        store.declare_never(NIGHT, "ana", MODEL, 0.2, "cancelled")
        found = CompleteDays(store, MODEL, LAST, share=1.0, floor=3)
        assert found.owed(LAST) == 0 and "counts for nothing" in found.declared
        assert found.speaks_of.endswith("labels are taken at their word")
        few = CompleteDays(store, MODEL, LAST, share=0.01)
        assert few.newest is None and few.declared.endswith("no day is complete by it yet")
