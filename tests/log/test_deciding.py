"""Predictions that come without a route are decided by what was in force at their time."""

from datetime import UTC, date, datetime, timedelta

import duckdb
import numpy as np
import pandas as pd
import pytest
from conftest import MODEL, events

from aiops_wb.log.deciding import DECIDED
from aiops_wb.log.dial import Dial, threshold_of
from aiops_wb.log.ingest import ingest_file
from aiops_wb.log.spool import PredictionLogger
from aiops_wb.log.store import open_store
from aiops_wb.stats.automation import NOTHING_STANDS, certainty
from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.decisions import RISK_CUTS, Ladder, route
from aiops_wb.stats.points import Grid

NOW, START = datetime(2026, 3, 20, tzinfo=UTC), date(2026, 3, 1)
RISKY = (0.1, 0.3, 0.5, 0.7)


def at(day, hour=0):
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def rows_of(bench, model=MODEL, **asked):
    with bench.store() as store:
        return store.rows(model, START, START + timedelta(30), labels=False, **asked)


def calibrated(store, when, version="v1", threshold=None, high=405, **more):
    "A calibration with tickets from some points on."
    rng = np.random.default_rng(3)
    points = np.r_[rng.integers(-4000, 900, 400), np.full(300, 1200)]
    counts = ScoreCounts.from_events(points, np.r_[rng.random(400) < 0.5, np.ones(300)])
    days = {START - timedelta(i): counts for i in range(1, 40)}
    named = {"model": MODEL, "version": version, "created_at": when, "high": high}
    stands = certainty(days, START - timedelta(1), **named, **more)
    return store.add_calibration(when, "ana", MODEL, version, stands, "known"), stands


def expected(row, ladder, stands):
    "What a scorer would have decided."
    if stands is None:
        return route(ladder.level(row.points), False, NOTHING_STANDS)
    return stands.at(row.predicted_at).decide(row.points, ladder)


def held_to(rows, decisions):
    "Compare decided rows with (ladder, key, certainty) of each."
    for row, (ladder, key, stands) in zip(rows.itertuples(), decisions, strict=True):
        wanted = expected(row, ladder, stands)
        told = row.risk_level, row.route, bool(row.automated), row.ladder, row.decided_by
        assert told == (*plain(wanted), ladder.name, "workbench"), row
        assert row.calibration_id == key if key else pd.isna(row.calibration_id)


def plain(decision):
    return decision.risk_level, decision.route, decision.automated


def test_a_decision_equals_that_of_a_scorer_through_all_changes(bench):
    "Thresholds, calibrations (one of which grows too old), and the dial change from day to day."
    frame = events(days=12, per_day=60)
    bench.log(events(days=1, per_day=1, start=START - timedelta(1)))
    bench.ingest(at(1))
    with bench.store() as store:
        keys = [
            (at(3, 5), calibrated(store, at(3, 5), time_to_live=timedelta(days=2))),
            (at(7, 5), calibrated(store, at(7, 5), method="venn-abers", target=0.3)),
        ]
        changes = [(at(2, 4), 0.5), (at(8, 4), 0.75)]
        for when, score in changes:
            points = int(Grid().quantise(score))
            store.set_threshold(when, "ana", MODEL, "v1", points, f"at {score}")
        store.turn_dial(at(10, 0), "ana", MODEL, False, "a trial")
        store.turn_dial(at(11, 0), "ana", MODEL, True, "it is over")
    assert {k[1][1].rule.threshold is None for k in keys} == {False}
    bench.log(frame)
    bench.ingest(NOW)
    rows = rows_of(bench)
    off = (rows.predicted_at >= at(10)) & (rows.predicted_at < at(11))
    undecided = rows[off]
    assert len(undecided) == 60 and undecided[["route", "decided_by", "ladder"]].isna().all(
        axis=None
    )
    decisions = []
    for row in rows[~off].itertuples():
        score = [s for when, s in changes if when <= row.predicted_at]
        known = [k for when, k in keys if when <= row.predicted_at]
        high = int(Grid().quantise(score[-1])) if score else row.threshold  # as it was logged
        key, stands = known[-1] if known else (None, None)
        decisions.append((Ladder.of().at(high), key, stands))
    held_to(rows[~off], decisions)
    assert set(rows[~off].route) == {"ticket", "alert", "monitor"}


def test_a_site_and_a_tenant_have_thresholds_of_their_own(bench):
    frame = events(days=6, per_day=40)
    with bench.store() as store:
        for when, scope, score in (
            (at(2), ("default", None), 0.8),
            (at(3), ("default", "north"), 0.3),
            (at(5), ("default", "north"), None),
            (at(4), ("other", None), 0.1),
        ):
            points = None if score is None else int(Grid().quantise(score))
            store.set_own_threshold(when, "ana", MODEL, "v1", scope, points, f"{scope} {score}")
    bench.log(frame)
    bench.ingest(NOW)
    rows, decisions = rows_of(bench), []
    for row in rows.itertuples():
        with_tenant = 0.8 if row.predicted_at >= at(2) else 0.5  # as it was logged
        north = row.site_id == "north" and at(3) <= row.predicted_at < at(5)
        ladder = Ladder.of().at(int(Grid().quantise(0.3 if north else with_tenant)))
        decisions.append((ladder, None, None))
    held_to(rows, decisions)
    own = {("a", None): 1, ("a", "x"): 2}
    found = [
        threshold_of(own, *scope) for scope in (("a", "x"), ("a", "y"), ("a", None), ("b", "x"))
    ]
    assert found == [2, 1, 1, None]
    with bench.store() as store:
        store.roll_back(NOW, "ana", "threshold", f'{MODEL}/v1 of ["default", null]', "back")
        assert store.own_thresholds(MODEL, "v1") == {("other", None): int(Grid().quantise(0.1))}


CSV = "prediction_id,model,version,predicted_at,score,entity_id\n" + "\n".join(
    f"p{i},{MODEL},v1,2026-03-0{1 + i % 5}T08:00:00Z,{score},g{i}"
    for i, score in enumerate((0.05, 0.3, 0.59, 0.6, 0.95))
)


@pytest.mark.parametrize(
    ("cuts", "routes"),
    [
        (RISK_CUTS, ["monitor"] * 3 + ["alert"] * 2),
        ((0.1, 0.2, 0.3, 0.9), ["monitor"] + ["alert"] * 4),
    ],
)
def test_a_score_is_enough(bench, cuts, routes):
    "Without a threshold of any kind a version begins where its ladder says that HIGH does."
    from aiops_wb.log.reading import ReadOptions

    (bench.root / "f.csv").write_text(CSV)
    file = (bench.root / "f.csv", "predictions")
    with bench.store() as store:
        options = ReadOptions(risk_cuts=cuts)
        assert ingest_file(store, NOW, "ana", *file, options=options).loaded == 5
        # again it is a duplicate, though what is stored says more than what was delivered
        assert ingest_file(store, NOW, "ana", *file, options=options).duplicates == 5
    rows = rows_of(bench).sort_values("score")
    assert rows.route.tolist() == routes and set(rows.ladder) == {Ladder.of(cuts).name}
    with bench.store() as store:
        counted = store.decisions(MODEL)
        assert counted.n.sum() == 5 and set(counted.route) == {"monitor", "alert"}


def test_what_a_service_decided_stays_and_a_change_of_mind_is_a_conflict(bench):
    frame = events(days=1, per_day=4)
    bench.log(frame, route=["ticket", "alert", "monitor", "alert"])
    bench.ingest()
    rows = rows_of(bench).set_index("prediction_id").loc[frame.id]
    assert rows.route.tolist() == ["ticket", "alert", "monitor", "alert"]
    assert set(rows.decided_by) == {"service"} and rows[["risk_level", "ladder"]].isna().all(
        axis=None
    )
    bench.log(frame)
    found = bench.ingest()
    assert (found.duplicates, found.conflicts) == (0, 4)


def test_a_level_that_a_service_named_without_a_route_is_what_the_route_follows_from(bench):
    frame = events(days=1, per_day=4).assign(score=[0.9, 0.9, 0.1, 0.1])
    bench.log(frame, threshold=405, risk_level=["CRITICAL", "LOW", "HIGH", "LOW"])
    bench.ingest()
    rows = rows_of(bench).set_index("prediction_id").loc[frame.id]
    assert rows.route.tolist() == ["alert", "monitor", "alert", "monitor"]
    assert rows.automated.tolist() == [False, True, False, True]
    assert rows.risk_level.tolist() == ["CRITICAL", "LOW", "HIGH", "LOW"]
    assert set(rows.decided_by) == {"workbench"} and rows.ladder.isna().all()


def test_nobody_is_called_by_surprise_in_a_log_that_was_made_before(bench):
    bench.log(events(days=1, per_day=10))
    bench.ingest()
    with bench.store() as store:  # as a version without dials left it
        store.con.execute("INSERT INTO fixed_cuts VALUES ($model)", {"model": MODEL})
    with bench.store() as store:
        assert not store.dial(MODEL).on and store.dial("another").on
    bench.log(events(days=1, per_day=10, start=date(2026, 3, 5), seed=4))
    bench.ingest()
    late = rows_of(bench, where="event_date = DATE '2026-03-05'")
    assert late[list(DECIDED)].isna().all(axis=None) and len(late) == 10
    with bench.store() as store:
        store.turn_dial(NOW, "ana", MODEL, True, "from now on")
        assert store.dial(MODEL) == Dial(True)
        rows = store.audit_head()
        store.turn_dial(NOW, "ben", MODEL, True, "again")
        assert store.audit_head() == rows
        assert store.roll_back(NOW, "ana", "dial", MODEL, "too many") == "off"


def test_the_migration_fixes_the_cuts_of_models_that_are_known(bench):
    bench.log(events(days=1, per_day=5))
    bench.ingest()
    with bench.store() as store:
        promises = ("promises", "promise_units", "promise_looks", "acts", "contribution_days", "file_shapes")
        for later in ("fixed_cuts", "shadow_days", "shadow_counts", *promises):
            store.con.execute(f"DROP TABLE {later}")
        store.con.execute("DELETE FROM migrations WHERE version >= 11")
    with bench.store() as store:
        assert not store.dial(MODEL).on


def linear(bench, day):
    with PredictionLogger(
        bench.data / "spool", "z", "v1", threshold=2_500, grid=Grid("linear"), flush_seconds=None
    ) as log:
        times = [datetime(2026, 3, day, hour, tzinfo=UTC) for hour in range(5)]
        log.log([0.5, 1.5, 2.4, 2.5, 9.0], times)
    bench.ingest()


def test_scores_that_are_no_probabilities_have_the_cuts_that_are_named(bench):
    linear(bench, 1)
    assert rows_of(bench, "z").route.isna().all()  # nobody says from where on it matters
    with bench.store() as store:
        store.turn_dial(at(1, 12), "ana", "z", True, "our cuts", (1.0, 2.0, 3.0, 4.0))
        assert str(store.dial("z")) == "on at 1, 2, 3, 4"
    linear(bench, 2)
    rows = rows_of(bench, "z", where="event_date = DATE '2026-03-02'").sort_values("score")
    assert rows.risk_level.tolist() == ["LOW", "MEDIUM", "MEDIUM", "HIGH", "CRITICAL"]
    assert set(rows.ladder) == {"500/1500/2500/3500"}


def test_days_that_an_older_version_wrote_are_asked_like_others(bench):
    bench.log(events(days=2, per_day=5))
    bench.ingest()
    first, *_ = sorted((bench.data / "log" / "predictions").rglob("*.parquet"))
    told = duckdb.sql(f"SELECT * EXCLUDE (decided_by, ladder) FROM read_parquet('{first}')").df()
    assert len(told) == 5
    duckdb.sql(f"COPY told TO '{first}' (FORMAT parquet)")
    with bench.store() as store:
        size = first.stat().st_size, str(first.relative_to(bench.data))
        store.con.execute("UPDATE data_files SET bytes = ? WHERE path = ?", size)
        for day, n in ((START, 0), (START + timedelta(1), 5)):
            found = store.rows(MODEL, day, day, where="decided_by = 'workbench'", columns="ladder")
            assert len(found) == n
        assert store.rows(MODEL, START, START).ladder.isna().all()


def test_a_file_of_a_log_says_nothing_of_who_decided_in_another(bench):
    bench.log(events(days=1, per_day=5))
    bench.ingest()
    (file,) = (bench.data / "log" / "predictions").rglob("*.parquet")
    with open_store(bench.root / "other", "test") as store:
        taken = ingest_file(store, NOW, "ana", file, "predictions")
        rows = store.rows(MODEL, START, START)
    assert taken.loaded == 5 and "the log says itself who decided" in " ".join(taken.notes)
    assert set(rows.decided_by) == {"service"} and "feature:decided_by" not in rows
