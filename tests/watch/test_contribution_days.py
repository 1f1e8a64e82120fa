"""How features pushed scores, morning by morning: kept once, in order, said where it is known."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import MODEL, Bench

from aiops_wb.cli import main
from aiops_wb.config import Settings
from aiops_wb.daily import compute
from aiops_wb.log.errors import StoreError
from aiops_wb.log.spool import PredictionLogger
from aiops_wb.models import kept_contributions
from aiops_wb.models.kept_contributions import ROWS, keep_contributions
from aiops_wb.models.registry import load, register
from aiops_wb.models.training import train
from aiops_wb.models.version import feature_columns
from aiops_wb.render.tables import attribution_table
from aiops_wb.watch.attribution import BACK, course_of
from aiops_wb.watch.headlines import attribution_note
from aiops_wb.watch.registered import ENOUGH_DAYS
from aiops_wb.watch.view import View

FIRST, LEARNED, HELD = date(2026, 1, 5), 20, 20
LIVE = FIRST + timedelta(LEARNED + HELD)
DAYS = 26
LAST = LIVE + timedelta(DAYS - 1)
MOVED = LIVE + timedelta(12)
PER_DAY = 50
ACTIVE = datetime(2026, 2, 13, tzinfo=UTC)


def made(first, days, per_day=PER_DAY, features=("x", "y"), seed=0):
    "Events by day: features, a label that x makes likelier, an id."
    rng, n = np.random.default_rng([seed, first.toordinal()]), days * per_day
    frame = pd.DataFrame({name: rng.normal(size=n) for name in features})
    day = np.repeat([first + timedelta(i) for i in range(days)], per_day)
    label = (rng.random(n) < 1 / (1 + np.exp(-2 * frame.x - frame.iloc[:, -1]))).astype(float)
    ids = [f"{seed}-{d}-{i:05d}" for i, d in enumerate(day)]
    return frame.assign(day=day, label=label, id=ids)


def trained(store, version, features=("x", "y")):
    rows = made(FIRST, LEARNED + HELD, features=features)
    learned = rows[list(features)].add_prefix("feature:")
    learned = learned.assign(label=rows.label, event_date=pd.to_datetime(rows.day))
    made_version, held = train(learned, MODEL, version, rounds=8, holdout=0.5)
    register(store, made_version, held, ACTIVE, "ana")
    return made_version


def logged(bench, frame, version, features=("x", "y")):
    at = pd.to_datetime(frame.day).dt.tz_localize("UTC") + pd.Timedelta(hours=9)
    with PredictionLogger(bench.data / "spool", MODEL, version, threshold=0) as log:
        score = 1 / (1 + np.exp(-frame.x))
        log.log(score, at, prediction_id=frame.id, features=frame[list(features)])
    bench.ingest(datetime(2026, 4, 1, tzinfo=UTC))


def after(day):
    "The time of the morning behind a day."
    return datetime(2026, 4, 2, 2, tzinfo=UTC) + (day - LIVE)


def explain(store, day):
    "What a morning does about contributions."
    view = seen(store, day)
    return keep_contributions(store, MODEL, view.version, course_of(view).days, after(day))


def morning(store, day, then=("drift",), **more):
    "A whole one."
    now = after(day)
    done = compute(store, day, MODEL, now, Settings(data=store.root), then=then, **more)
    assert done.state == "ok", done.error


def seen(store, day, as_of=None):
    return View(store, MODEL, day, as_of, Settings(data=store.root))


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    """A log whose held-out days another version scored, and whose x is 2 higher from a day on; the
    mornings of three days made reports."""
    bench = Bench(tmp_path_factory.mktemp("contributions"))
    with bench.store() as store:
        trained(store, "v1")
        store.activate(ACTIVE, "ana", MODEL, "v1", "first")
    logged(bench, made(FIRST, LEARNED + HELD), "v0")
    live = made(LIVE, DAYS)
    logged(bench, live.assign(x=live.x + 2 * (live.day >= MOVED)), "v1")
    with bench.store() as store:
        for day in (LIVE + timedelta(8), LIVE + timedelta(11)):
            explain(store, day)
        morning(store, LAST)
    return bench


@pytest.fixture
def log(lived, tmp_path):
    "The same, to write to."
    return lived.copy_to(tmp_path)


def kept(store, version="v1"):
    return store.contribution_days(MODEL, version)


def test_sums_are_those_of_the_contributions_of_the_rows(lived):
    with lived.store() as store:
        sums, version = kept(store), load(store, MODEL, "v1")
        for day in (LIVE - timedelta(1), LIVE + timedelta(20)):
            rows = store.rows(MODEL, day, day, labels=False)
            pushes = version.contributions(feature_columns(rows)).drop(columns="(bias)")
            of = sums[sums.event_date.dt.date == day].set_index("feature")
            assert (of.n == PER_DAY).all() and set(of.index) == {"x", "y"}
            assert np.allclose(of.total.loc[pushes.columns], pushes.sum(), rtol=1e-9)
            assert np.allclose(of.squares.loc[pushes.columns], (pushes**2).sum(), rtol=1e-9)


def test_a_feature_that_moved_is_named_with_its_day_and_size(lived, capsys):
    with lived.store() as store:
        early = datetime(2020, 1, 1, tzinfo=UTC)
        store.name_feature(early, "ana", MODEL, "x", "the gate", "m", "people call it so")
        view = seen(store, LAST)
        told = view.attribution
        assert (told.reference, told.watched, told.features) == (HELD, DAYS, ("x", "y"))
        moved = told.moved[0]
        assert moved.feature == "x" and moved.higher and abs((moved.since - MOVED).days) <= 2
        assert moved.lower > 0 and moved.before < moved.now
        assert "the gate" in attribution_table(view).frame.feature.tolist()
        assert attribution_note(view).state == "look"
        assert "the gate higher since about" in attribution_note(view).says
        assert store.drift_events(MODEL).stream.isin(["x", "score", "calibration"]).all()
        store.publish()
    assert main(["drift", "attribution", "--data", str(lived.data), "--json"]) == 0
    (answer,) = json.loads(capsys.readouterr().out)
    assert answer["moved"][0]["feature"] == "x" and answer["unknown"] is None
    assert main(["drift", "attribution", "--data", str(lived.data)]) == 0
    assert f"{MODEL} v1, {LAST}: The contributions of " in capsys.readouterr().out


def test_before_it_moved_nothing_was_named(lived):
    with lived.store() as store:
        early = LIVE + timedelta(11)
        told = seen(store, early).attribution
        assert not told.unknown and not told.moved and told.watched == 12
        assert attribution_note(seen(store, early)).state == "ok"


def test_the_same_morning_again_keeps_nothing_new(log):
    with log.store() as store:
        before = store.frame("SELECT count(*) AS n FROM contribution_days").n[0]
        morning(store, LAST)
        assert store.frame("SELECT count(*) AS n FROM contribution_days").n[0] == before


def test_a_day_that_more_predictions_came_of_is_explained_again_and_no_other(log):
    late = LIVE + timedelta(3)
    logged(log, made(late, 1, per_day=5, seed=7), "v1")
    with log.store() as store:
        before = kept(store)
        assert explain(store, LAST) == [late]
        now = kept(store)
        assert len(now) == len(before)
        changed = now.event_date.dt.date == late
        assert (now.n[changed] == PER_DAY + 5).all()
        assert now[~changed].equals(before[~changed])


def test_what_was_not_known_yet_is_not_spoken_of(lived):
    "As of the first morning with reports the later ones are not there; before it, nothing is."
    first = after(LIVE + timedelta(8))
    with lived.store() as store:
        then = seen(store, LIVE + timedelta(8), first).attribution
        assert (then.reference, then.watched, then.unknown) == (HELD, 9, "")
        before = seen(store, LIVE + timedelta(8), first - timedelta(1)).attribution
        assert f"{HELD} of {HELD} reference days are not explained yet" in before.unknown


def test_looking_back_writes_nothing(log):
    logged(log, made(LAST + timedelta(1), 1), "v1")
    with log.store() as store:
        before = len(kept(store))
        morning(store, LAST + timedelta(1), as_of=datetime(2026, 4, 1, 3, tzinfo=UTC))
        assert len(kept(store)) == before


def test_one_morning_explains_so_many_days_the_reference_first(log):
    with log.store() as store:
        store._write("DELETE FROM contribution_days")
        days = course_of(seen(store, LAST)).days
        assert days[:HELD] == [LIVE - timedelta(HELD - i) for i in range(HELD)]
        at = datetime(2026, 5, 1, tzinfo=UTC)
        assert keep_contributions(store, MODEL, "v1", days, at, most=15) == days[:15]
        told = seen(store, LAST).attribution
        assert "5 of 20 reference days are not explained yet" in told.unknown
        assert attribution_note(seen(store, LAST)).state == "unknown"
        assert "not known" in str(attribution_table(seen(store, LAST)).frame)
        assert keep_contributions(store, MODEL, "v1", days, at, most=15) == days[15:30]
        assert seen(store, LAST).attribution.watched == 10
        gap = [*days[:31], *days[33:]]  # what is behind a day that is lacking waits for it
        keep_contributions(store, MODEL, "v1", gap, at)
        assert seen(store, LAST).attribution.watched == 11


def test_the_watch_begins_so_many_days_back_and_never_earlier_again(log, monkeypatch):
    monkeypatch.setattr("aiops_wb.watch.attribution.BACK", 5)
    with log.store() as store:
        assert course_of(seen(store, LAST)).watched[0] == LIVE  # kept days stay in
        store._write("DELETE FROM contribution_days")
        assert course_of(seen(store, LAST)).watched == [LAST - timedelta(4 - i) for i in range(5)]
    assert BACK == 28


def test_muted_days_are_left_out(log):
    with log.store() as store:
        store.annotate(ACTIVE, "ana", MOVED, LAST, "stocktaking", "counted", MODEL, mutes=True)
        told = seen(store, LAST).attribution
        assert told.watched == 12 and not told.moved


def test_holidays_are_left_out_unless_four_are_among_the_days_of_the_reference(log):
    feasts = [LIVE - timedelta(i) for i in (1, 3, 5, 7)]
    with log.store() as store:
        whole = course_of(seen(store, LAST)).days
        for nth, day in enumerate([LIVE, *feasts], 1):
            store.annotate(ACTIVE, "ana", day, day, f"feast {nth}", "it was one", holiday=True)
            course = course_of(seen(store, LAST))
            enough = nth == 5
            assert course.holidays == (frozenset([LIVE, *feasts]) if enough else frozenset())
            out = set() if enough else {LIVE, *feasts[: nth - 1]}
            assert course.days == [day for day in whole if day not in out]


def test_a_day_of_few_predictions_says_too_little(log):
    few = LAST + timedelta(1)
    logged(log, made(few, 1, per_day=PER_DAY // 2 - 1), "v1")
    with log.store() as store:
        explain(store, few)
        assert few in set(kept(store).event_date.dt.date)
        assert seen(store, few).attribution.watched == DAYS


def test_a_reference_day_of_few_predictions_says_too_little_as_well(log):
    with log.store() as store:
        whole = seen(store, LAST).attribution.reference
        first = course_of(seen(store, LAST)).reference[0]
        store._write("UPDATE contribution_days SET n = 1 WHERE event_date = $day", {"day": first})
        assert seen(store, LAST).attribution.reference == whole - 1


def test_a_reference_of_too_few_days_is_none(log, monkeypatch):
    with log.store() as store:
        course = course_of(seen(store, LAST))
        assert not course.own
        for least, own in ((len(course.reference), False), (len(course.reference) + 1, True)):
            monkeypatch.setattr("aiops_wb.watch.attribution.MIN_DAYS", least)
            assert course_of(seen(store, LAST)).own is own


def test_a_version_whose_file_is_lost_goes_on_with_what_is_kept(log):
    for file in (log.data / "models" / MODEL / "v1").iterdir():
        file.unlink()
    day = LAST + timedelta(1)
    logged(log, made(day, 1), "v1")
    with log.store() as store:
        with pytest.raises(StoreError):
            explain(store, day)
        assert seen(store, day).attribution.watched == DAYS


def test_a_version_that_was_never_here_has_no_parts(bench):
    logged(bench, made(LIVE, 2), "theirs")
    with bench.store() as store:
        told = seen(store, LIVE + timedelta(1)).attribution
        assert "the file of the version is not here" in told.unknown and not len(kept(store))


def test_a_new_version_with_one_more_feature_has_days_of_its_own(log):
    "Its held-out days were scored by others, whose events do not know the feature."
    features, day = ("x", "y", "z"), LAST + timedelta(1)
    with log.store() as store:
        trained(store, "v2", features)
        store.activate(datetime(2026, 4, 3, tzinfo=UTC), "ana", MODEL, "v2", "wider")
    logged(log, made(day, 1, features=features), "v2", features)
    with log.store() as store:
        explain(store, day)
        assert set(kept(store, "v2").feature) == set(features)
        assert set(kept(store).feature) == {"x", "y"}
        told = seen(store, day).attribution
        assert told.features == features and "1 days are too few" in told.unknown


def test_without_its_held_out_days_a_version_is_its_own_reference(bench, monkeypatch):
    "One feature, whose held-out days the log has nothing of: its first 28 days, 14 of them here."
    assert ENOUGH_DAYS == 28
    monkeypatch.setattr("aiops_wb.watch.attribution.ENOUGH_DAYS", 14)
    with bench.store() as store:
        trained(store, "v1", ("x",))
        store.activate(ACTIVE, "ana", MODEL, "v1", "first")
    logged(bench, made(LIVE, 17, per_day=8, features=("x",)), "v1", ("x",))
    with bench.store() as store:
        last = LIVE + timedelta(16)
        course = course_of(seen(store, last))
        assert course.own and course.reference == [LIVE + timedelta(i) for i in range(14)]
        assert course.watched == [LIVE + timedelta(14 + i) for i in range(3)]
        explain(store, last)
        told = seen(store, last).attribution
        assert (told.reference, told.features) == (14, ("x",)) and "too few" in told.unknown


def test_long_days_are_explained_in_part_and_by_the_same_rows(log, monkeypatch):
    page = Path(__file__).parents[2] / "nbs/reports/drift.ipynb"
    assert f"over up to {ROWS} predictions of a day" in page.read_text(encoding="utf-8")
    monkeypatch.setattr(kept_contributions, "ROWS", 20)
    with log.store() as store:
        store._write("DELETE FROM contribution_days")
        at = datetime(2026, 5, 1, tzinfo=UTC)
        keep_contributions(store, MODEL, "v1", [LIVE, MOVED], at)
        first = kept(store)
        assert (first.n == 20).all()
        store._write("DELETE FROM contribution_days")
        keep_contributions(store, MODEL, "v1", [MOVED], at)
        again = kept(store)
        assert again.equals(first[first.event_date.dt.date == MOVED].reset_index(drop=True))


def test_what_fails_costs_the_morning_nothing(log, monkeypatch, caplog):
    def broken(*_, **__):
        raise StoreError("no trees today")

    monkeypatch.setattr(kept_contributions, "keep_contributions", broken)
    with log.store() as store:
        morning(store, LAST)
    assert "contributions are not kept: no trees today" in caplog.text


def test_a_day_that_is_gone_stops_no_other_and_one_recorded_as_lost_is_not_waited_for(log):
    gone = LIVE - timedelta(1)
    (file,) = (log.data / "log" / "predictions" / f"event_date={gone}").glob("*.parquet")
    file.unlink()
    with log.store() as store:
        store.con.execute("DELETE FROM contribution_days WHERE event_date IN (?, ?)", [gone, LAST])
        assert explain(store, LAST) == [LAST]
        told = seen(store, LAST).attribution.unknown
        assert f"1 of {HELD} reference days are not explained yet" in told
    lost = ["repair", "--lost", str(file.relative_to(log.data)), "--why", "a broken disk"]
    assert main([*lost, "--data", str(log.data)]) == 0
    with log.store() as store:
        told = seen(store, LAST).attribution
        assert not told.unknown and told.moved[0].feature == "x"
        assert (told.reference, told.watched) == (HELD - 1, DAYS)
