"""Which days a morning has to do, to the hour, and what a run is refused with."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from conftest import MODEL, Bench, events

from aiops_wb.config import NO_FILE, Settings
from aiops_wb.daily import DayResult, Morning, Ran, due, run
from aiops_wb.log.errors import StoreError
from aiops_wb.render.engine import ReportResult

START = date(2026, 3, 1)
NOW = datetime(2026, 3, 5, 2, tzinfo=UTC)
SETTINGS = Settings(config=NO_FILE)


def on(day):
    return START + timedelta(day)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    "Days 0 to 3 of one model and day 1 of another, in the zone of Berlin."
    bench = Bench(tmp_path_factory.mktemp("due"))
    with bench.store("Europe/Berlin"):
        pass
    rows = events(4, 5, start=START)
    bench.log(rows.assign(at=rows["at"].dt.floor("D") + pd.Timedelta(hours=12)))
    bench.log(
        events(1, 5, start=on(1), version="o").assign(at=pd.Timestamp(2026, 3, 2, 12, tz="UTC")),
        model="other",
    )
    bench.ingest(NOW)
    return bench


@pytest.fixture
def house(made, tmp_path):
    return made.copy_to(tmp_path)


def figured(store, day, state="ok", batch=None, model=MODEL, step="figures", hours=0):
    row = {"event_date": on(day), "model": model, "step": step, "state": state, "detail": None}
    row |= {"run_id": "r", "as_of": NOW, "seconds": 1.0, "started_at": NOW + timedelta(hours=hours)}
    batch = store.known_batch() if batch is None else batch
    store.add_runs(pd.DataFrame([row | {"batch_id": batch}]))


def days_due(store, now=NOW, models=(MODEL,)):
    return [(day - START).days for day, _ in due(store, now, models)]


def test_a_day_is_due_when_it_is_over_where_the_log_is_counted(house):
    "Midnight of Berlin is 23:00 UTC in winter."
    before = datetime(2026, 3, 4, 22, 59, tzinfo=UTC)
    with house.store() as store:
        assert days_due(store, before) == [0, 1, 2]
        assert days_due(store, before + timedelta(minutes=1)) == [0, 1, 2, 3]


def test_a_day_is_done_when_its_last_figures_are_well_and_no_older_than_its_predictions(house):
    with house.store() as store:
        n = store.known_batch()
        figured(store, 0)
        assert days_due(store) == [1, 2, 3]
        figured(store, 1, "failed")
        figured(store, 2, batch=n - 1)
        figured(store, 3, step="performance")
        assert days_due(store) == [1, 2, 3]
        figured(store, 0, "failed", hours=1)  # the last of them counts
        assert days_due(store) == [0, 1, 2, 3]
        figured(store, 0, hours=2)
        figured(store, 1, hours=2)
        figured(store, 2, model="other")
        assert days_due(store) == [2, 3]


def test_days_of_all_models_are_due_oldest_first_and_an_unknown_one_is_refused(house):
    with house.store() as store:
        pairs = [(on(0), MODEL), (on(1), MODEL), (on(1), "other"), (on(2), MODEL), (on(3), MODEL)]
        assert due(store, NOW) == pairs and due(store, NOW, ["other"]) == [(on(1), "other")]
        with pytest.raises(StoreError, match="nobody"):
            due(store, NOW, ["nobody"])


def test_days_before_a_version_was_switched_off_are_left_alone(house):
    "Switched off on 3 March, an hour after midnight of Berlin."
    with house.store() as store:
        at = datetime(2026, 3, 3, 0, 30, tzinfo=UTC)
        store.watch(at, "ana", MODEL, "v1", False, "retired")
        assert days_due(store) == [2, 3]
        store.watch(at + timedelta(hours=23), "ana", MODEL, "v1", True, "back")
        store.watch(at + timedelta(hours=23), "ana", MODEL, "v1", False, "and off")
        assert days_due(store) == [3]


def result(state, stored=True):
    return DayResult(START, MODEL, state, stored=stored)


@pytest.mark.parametrize(
    ("figures", "reports", "handed_on", "code"),
    [
        ([], [], "ok", 0),
        ([result("ok")], ["ok"], "ok", 0),
        ([result("ok")], ["failed"], "ok", 3),
        ([result("ok")], [], "failed", 3),
        ([], [], "failed", 4),
        ([result("failed", stored=False)], [], "ok", 4),
        ([result("failed", stored=False)], ["failed"], "failed", 4),
        ([result("failed", stored=True)], [], "ok", 3),  # all but the alarms
        ([result("failed", stored=False), result("ok")], [], "ok", 3),
    ],
)
def test_the_exit_code_says_whether_some_or_all_failed(figures, reports, handed_on, code):
    told = [ReportResult("r", state, None) for state in reports]
    assert Ran(figures=figures, reports=told, handed_on=handed_on).exit_code == code


def test_a_morning_speaks_of_what_is_known_and_of_cases_that_are_young_enough():
    morning = Morning(Path("d"), Path("r"), NOW, Settings(config=NO_FILE, case_max_age_hours=30))
    assert morning.at == morning.known_at == NOW and morning.oldest_case == NOW - timedelta(
        hours=30
    )
    ahead, past = NOW + timedelta(hours=1), NOW - timedelta(9)
    late = Morning(Path("d"), Path("r"), NOW, SETTINGS, committed=ahead)
    assert late.at == late.known_at == ahead
    back = Morning(Path("d"), Path("r"), NOW, SETTINGS, past, committed=ahead)
    assert back.known_at == past and back.at == ahead


REFUSED = {
    "reports": ({"show": "some"}, "reports 'some' is not one of all, last, none."),
    "a model": ({"models": ["nobody"]}, "nobody"),
    "a day": (
        {"days": [on(9)], "models": [MODEL]},
        "no predictions on 2026-03-10 for late: late has 2026-03-01 to 2026-03-04.",
    ),
    "days": (
        {"days": [on(2), on(3)], "models": ["other"]},
        "no predictions on 2026-03-03 to 2026-03-04 for other: other has 2026-03-02 to 2026-03-02.",
    ),
    "days as of": (
        {"days": [on(1)], "as_of": NOW - timedelta(1), "models": ["other"]},
        "no predictions on 2026-03-02 for other: other has 2026-03-02 to 2026-03-02.",
    ),
}


@pytest.mark.parametrize("asked", REFUSED)
def test_a_run_that_is_refused_says_why_and_figures_nothing(house, asked):
    rules, says = REFUSED[asked]
    with pytest.raises(StoreError) as refused:
        run(house.data, house.root / "reports", NOW, SETTINGS, **({"show": "none"} | rules))
    assert says in str(refused.value)
    with house.store() as store:
        assert store.runs().empty and store.metrics(MODEL).empty and store.audit().empty


def test_a_log_without_predictions_is_said_to_be_empty(bench):
    with pytest.raises(StoreError, match="the log is empty: log some predictions, or take in a"):
        run(bench.data, bench.root / "reports", NOW, SETTINGS, show="none")
