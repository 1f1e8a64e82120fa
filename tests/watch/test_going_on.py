"""A morning goes on from the evidence that is kept, and says to the last bit what following all
days from the first would say."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from conftest import MODEL as REAL
from conftest import Bench, events

from aiops_wb import daily
from aiops_wb.config import Settings
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.known import Known
from aiops_wb.log.store import open_store
from aiops_wb.watch import alarms as watch
from aiops_wb.watch import past_alarms
from aiops_wb.watch.alarm_rows import keep_evidence, record_alarms
from aiops_wb.watch.view import View
from bench.growth import MODEL, VERSION, alarms, made, morning_of, settings
from bench.years import Year

LAG, DAYS = 2, 84
RULES = settings(LAG)
YEAR = Year(
    5, days=DAYS, reference=28, features=1, rows=300, labels=90, wobble=0.02, change=60, shift=0.4
)
SAID = "evidence", "bar", "open", "since"


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    "A log with every seventh morning of its last weeks looked at, and what was said."
    root = tmp_path_factory.mktemp("going on")
    made(root, YEAR, LAG)
    with open_store(root, "test") as store:
        told = {i: alarms(store, YEAR.days[i], RULES) for i in range(41, 83, 7)}
    return root, told


@pytest.fixture(scope="module")
def opened(lived, tmp_path_factory):
    copy = Bench(lived[0]).copy_to(tmp_path_factory.mktemp("opened") / "log")
    with open_store(copy.root, "test") as store:
        yield store


class Undone(Exception):
    "What a test wrote is taken back."


@pytest.fixture
def store(opened):
    with suppress(Undone), opened.transaction():
        yield opened
        raise Undone


@pytest.fixture
def log(lived, tmp_path):
    return Bench(lived[0]).copy_to(tmp_path / "log").root


def on(store, place, as_of=None, rules=RULES):
    day = YEAR.days[place]
    return View(store, MODEL, day, as_of or morning_of(day), rules).drift


def anew(store, place, as_of=None, rules=RULES):
    "The same, with nothing kept."
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watch, "newest_past", lambda *_: None)
        return on(store, place, as_of, rules)


def assert_same(seen, whole):
    assert whole.begin == 0 and seen.days == whole.days
    for name in SAID:
        assert np.array_equal(getattr(seen.followed, name), getattr(whole.followed, name)), name
    for name in ("alarms", "moved_with", "severity", "unwatched", "independence", "caveats"):
        assert getattr(seen, name) == getattr(whole, name), name
    assert repr((seen.offset, seen.mix_offset)) == repr((whole.offset, whole.mix_offset))
    (days, questions), (_, asked) = seen.last(20), whole.last(20)
    assert len(days) >= 20
    for ours, theirs in zip(questions, asked, strict=True):
        for name in ("effect", "lower"):
            last = (getattr(q.stream, name)[-1] for q in (ours, theirs))
            assert np.array_equal(*last, equal_nan=True)
        series = (q.series[-20:] for q in (ours, theirs))
        assert ours.stream.name == theirs.stream.name and np.array_equal(*series, equal_nan=True)


def late(store, place):
    "Labels of a day that came in the last night: all that one score lacked, positive."
    counts = YEAR.scores[len(YEAR.reference) + place]
    cell = int(np.argmax(counts.n - counts.n_labelled))
    labels = counts.n[cell] - counts.n_labelled[cell]
    row = {
        "event_date": [YEAR.days[place]],
        "tenant": "",
        "model": MODEL,
        "version": VERSION,
        "segment": "",
        "grid": counts.grid.name,
        "points": counts.points[cell],
        "n": 0,
        "n_labelled": labels,
        "n_positive": labels,
        "batch_id": DAYS,
    }
    store._insert("score_counts", pd.DataFrame(row))


def test_mornings_that_go_on_say_what_following_anew_says(lived, store):
    told = lived[1]
    for place in (48, 76):
        assert_same(told[place], anew(store, place))
    assert [said.begin > 0 for said in told.values()] == [False, *[True] * 5]
    assert told[76].alarms and not told[41].alarms
    assert_same(on(store, 30), anew(store, 30))  # before anything was kept


def test_a_morning_reads_few_days_however_long_the_log(store, monkeypatch):
    read = []
    seen = watch.observe
    monkeypatch.setattr(watch, "observe", lambda *a: read.append(seen(*a)) or read[-1])
    drift = on(store, 83)
    assert len(read) == 1 and len(drift.days) == DAYS
    most = past_alarms.EVERY + 3 * LAG + 3 * LAG + RULES.recent_days
    assert len(read[0].counts) <= most < DAYS / 3 and len(read[0].feature_days) <= most
    drift.last(40)
    assert len(read) == 2 and 40 < len(read[1].counts) < 60


def test_a_label_that_comes_late_is_followed_from_its_day_on(store):
    before = on(store, 83)
    late(store, 83 - 40)
    seen = on(store, 83)
    assert 0 < seen.begin < 43 < before.begin
    assert not np.array_equal(seen.followed.evidence, before.followed.evidence)
    assert_same(seen, anew(store, 83))
    as_known_before = on(store, 82)
    assert as_known_before.begin > 43  # a morning that did not know of it goes on as it did
    assert_same(as_known_before, anew(store, 82))
    alarms(store, YEAR.days[83], RULES)
    store._kept.clear()
    assert on(store, 83).begin >= before.begin  # what was redone is kept in its turn


def test_other_settings_references_and_methods_are_followed_anew(store, monkeypatch):
    for change in ({"drift_level": 0.01}, {"label_delay_days": 3}):
        rules = RULES.model_copy(update=change)
        seen = on(store, 83, rules=rules)
        assert seen.begin == 0, change
        assert_same(seen, anew(store, 83, rules=rules))
    with monkeypatch.context() as patch:
        patch.setattr(past_alarms, "_method", lambda: "another")
        assert on(store, 83).begin == 0
    assert on(store, 83).begin > 0
    days = YEAR.days[5], YEAR.days[32]
    store.set_reference(morning_of(YEAR.days[82]), "ana", MODEL, VERSION, *days, "a new season")
    seen = alarms(store, YEAR.days[82], RULES)
    assert seen.begin == 0 and seen.days[0] == days[0]
    assert_same(seen, anew(store, 82))
    going_on = on(store, 83)
    assert going_on.begin > 0 and going_on.days[0] == days[0]
    assert_same(going_on, anew(store, 83))


@pytest.mark.parametrize(("first", "goes_on"), [(80, True), (20, False)])
def test_days_that_are_muted_afterwards(store, first, goes_on):
    before, ends = on(store, 83), (YEAR.days[first], YEAR.days[first + 1])
    now = morning_of(YEAR.days[82])
    store.annotate(now, "ana", *ends, "a strike", "it was in the papers", MODEL, mutes=True)
    seen = on(store, 83)
    assert (seen.begin > 0) == goes_on and seen.muted.sum() == 2
    assert not np.array_equal(seen.followed.evidence, before.followed.evidence)
    assert_same(seen, anew(store, 83))


@pytest.mark.parametrize(("places", "goes_on"), [((80,), True), ((20, 81), False), ((-10,), False)])
def test_days_that_are_called_holidays_afterwards(store, places, goes_on):
    "Lately, among the days that were followed, and among those of the training."
    before, now = on(store, 83), morning_of(YEAR.days[82])
    for place in places:
        day = YEAR.days[0] + timedelta(place)
        store.annotate(now, "ana", day, day, "a feast", "it was one", holiday=True)
    as_known_before = on(store, 81)
    assert as_known_before.begin > 0 and as_known_before.calendar.empty
    seen = on(store, 83)
    assert (seen.begin > 0) == goes_on and len(seen.calendar) == len(places)
    assert not np.array_equal(seen.followed.evidence, before.followed.evidence)
    whole = anew(store, 83)
    assert_same(seen, whole)
    with store.transaction():
        store.keep_alarm_states(MODEL, VERSION, anew(store, 76, now).to_keep())
    going_on = on(store, 83)
    assert going_on.begin > 0  # from what was kept with these holidays
    assert_same(going_on, whole)


@pytest.mark.parametrize("table", ["score_counts", "feature_counts", "latency_counts"])
def test_counts_of_any_kind_that_come_late_are_seen_from_their_day_on(store, table):
    "Whatever an alarm rests on: a day is as it was only where no later batch says more of it."
    now, day = store.known(), YEAR.days[30]
    assert store.first_change(MODEL, VERSION, now, now) is None
    batch = now.up_to + 1
    store.con.execute(
        "INSERT INTO batches BY NAME SELECT * REPLACE ($batch AS batch_id) FROM batches LIMIT 1",
        {"batch": batch},
    )
    found = f"FROM {table} WHERE event_date = $day AND model = $model LIMIT 1"
    told = {"batch": batch, "day": day, "model": MODEL}
    rows = f"SELECT * REPLACE ($batch AS batch_id) {found}"
    store._write(f"INSERT INTO {table} BY NAME {rows}", told)
    assert store._value(f"SELECT count(*) FROM {table} WHERE batch_id = {batch}") == 1
    later = Known(((1, batch),))
    assert store.first_change(MODEL, VERSION, now, later) == day
    assert store.first_change(MODEL, VERSION, later, now) == day, "as of a time before"


@pytest.mark.slow
def test_a_version_has_evidence_of_its_own(store):
    before = on(store, 83)
    store._write("INSERT INTO score_counts SELECT * REPLACE ('v2' AS version) FROM score_counts")
    kept = View(store, MODEL, YEAR.days[83], morning_of(YEAR.days[83]), RULES)
    kept.version = "v2"  # as when it was promoted: it was trained elsewhere
    assert kept.drift.begin == 0 and not kept.card
    with store.transaction():
        keep_evidence(store, kept)
    new = View(store, MODEL, YEAR.days[83], morning_of(YEAR.days[83]), RULES)
    new.version = "v2"
    assert new.drift.begin > 0
    assert_same(new.drift, kept.drift)
    assert_same(on(store, 83), anew(store, 83))
    assert on(store, 83).begin == before.begin


def test_as_of_the_past_what_was_said_then_is_said_again(lived, store):
    late(store, 50)
    for place in (55, 76):
        seen, later = on(store, place), on(store, place, morning_of(YEAR.days[83]))
        assert seen.alarms == lived[1][place].alarms
        assert_same(seen, anew(store, place))
        assert_same(later, anew(store, place, morning_of(YEAR.days[83])))


def test_a_run_that_is_stopped_keeps_neither_alarms_nor_what_they_stand_on(log):
    count = lambda store: [
        store._value(f"SELECT count(*) FROM {t}") for t in ("drift_events", "alarm_states")
    ]
    at = morning_of(YEAR.days[83])
    with open_store(log, "test") as store:
        late(store, 60)
        before, view = count(store), View(store, MODEL, YEAR.days[83], at, RULES)
        late_alarms = replace(view.drift, days=view.drift.days)
        with pytest.raises(KeyboardInterrupt), store.transaction():
            record_alarms(store, view, at, at)
            keep_evidence(store, view)
            raise KeyboardInterrupt
        assert count(store) == before
        assert_same(on(store, 83), anew(store, 83))
        assert on(store, 83).alarms == late_alarms.alarms


def test_the_day_is_not_done_where_what_it_stands_on_cannot_be_kept(bench, monkeypatch):
    bench.log(events(days=1, per_day=20))
    bench.ingest()
    at, day = datetime(2026, 3, 20, tzinfo=UTC), events(days=1).day[0]

    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(daily, "keep_evidence", full)
    with bench.store() as store:
        told = daily.compute(store, day, REAL, at, Settings(data=bench.data))
        assert told.state == "failed" and "no space left" in told.error
        assert store.metrics(REAL).empty and store.drift_events(REAL).empty


@pytest.mark.slow
def test_readers_of_a_snapshot_go_on_from_it_too(log):
    with open_store(log, "test") as store:
        whole = anew(store, 83)
        store.publish()
    with open_snapshot(log) as reader:
        seen = on(reader, 83)
        assert seen.begin > 0
        assert_same(seen, whole)


def test_a_day_that_came_before_all_others_begins_them_anew(store):
    early = YEAR.days[0] - timedelta(3)
    store._write(
        "INSERT INTO score_counts SELECT * REPLACE ($day AS event_date, $batch AS batch_id) "
        "FROM score_counts WHERE event_date = $last",
        {"day": early, "batch": DAYS, "last": YEAR.days[0]},
    )
    seen = on(store, 83)
    assert seen.days[0] == early and seen.begin == 0
    assert_same(seen, anew(store, 83))
