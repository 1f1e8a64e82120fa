import os
from datetime import UTC, date, datetime, timedelta

import duckdb
import numpy as np
import pytest
from conftest import MODEL, events

from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.duck import statements
from aiops_wb.log.errors import StoreError
from aiops_wb.log.snapshot import snapshots
from aiops_wb.stats.points import Grid

NOW = datetime(2026, 3, 20, tzinfo=UTC)


def test_readers_do_not_hold_up_the_writer_and_see_their_own_state(bench):
    frame = events(days=1)
    bench.log(frame)
    bench.ingest()
    bench.publish()
    reader = open_snapshot(bench.data)
    bench.log(events(days=1, seed=1, start=date(2026, 3, 2)))
    bench.ingest()
    with bench.store() as store:
        store.publish()
        store.publish()
    assert reader.days(MODEL) == [date(2026, 3, 1)]
    with open_snapshot(bench.data) as fresh:
        assert fresh.days(MODEL) == [date(2026, 3, 1), date(2026, 3, 2)]
        with pytest.raises(duckdb.Error):
            fresh.con.execute("DELETE FROM audit")
    reader.close()


def test_snapshots_are_limited_and_the_pointer_leads_to_the_newest(bench):
    with bench.store() as store:
        made = [store.publish(keep=2) for _ in range(4)]
    assert (bench.data / "aiops.duckdb").resolve() == made[-1].resolve()
    assert sorted(p.name for p in (bench.data / "snapshots").iterdir()) == sorted(
        m.name for m in made[-2:]
    )


def test_snapshots_are_dropped_by_batch_whatever_the_clock_says(bench):
    "Copied, or made while the clock was ahead: their times say nothing."
    with bench.store() as store:
        made = [store.publish(keep=3) for _ in range(2)]
    for old in made:
        os.utime(old, (4e9, 4e9))
    bench.log(events(days=1, per_day=5))
    bench.ingest()
    with bench.store() as store:
        made += [store.publish(keep=2), store.publish(keep=1)]
        assert [p.exists() for p in made] == [False, False, False, True]
        ahead = bench.data / "snapshots" / "aiops-00000009-0123abcd.duckdb"  # as releases before
        ahead.write_bytes(b"of a log that was put back")
        last = store.publish(keep=1)
    assert (bench.data / "aiops.duckdb").resolve() == last.resolve() and last.exists()
    assert [one.path for one in snapshots(bench.data)] == [last]


def test_a_feature_that_is_a_text_is_shown_as_it_was_spelt_wherever_it_was_a_number(bench):
    frame = events(days=1, per_day=2)
    for version, x in (("v1", [12.0, 7.0]), ("v2", ["12", "A3"])):
        told = frame.assign(id=[f"{version}-{i}" for i in range(2)], x=x)
        bench.log(told, version=version)
        bench.ingest()
    bench.publish()
    with open_snapshot(bench.data) as reader:
        shown = reader._rows("SELECT features.x FROM predictions ORDER BY prediction_id")
    assert shown == [("12",), ("7",), ("12",), ("A3",)]


def test_no_snapshot_yet_is_said(bench):
    with pytest.raises(StoreError, match="aiops-wb ingest"):
        open_snapshot(bench.data)


def test_the_fraud_log_view_runs_the_sql_of_such_a_log(bench):
    frame = events(days=2)
    with bench.store() as store, store.transaction():
        store.con.execute(
            """INSERT INTO calibrations VALUES (
                'c1', 'late', 'v1', '2026-03-01', NULL, 100, 0.3, 0.4, NULL, '{}')"""
        )
    bench.log(frame, calibration_id="c1", risk_level="HIGH", route="alert", automated=False)
    bench.label(frame.iloc[:50])
    bench.ingest()
    bench.publish()
    with open_snapshot(bench.data) as log:
        rows = log.frame("""
            SELECT fraud_probability, prediction_lower_bound, prediction_upper_bound,
                   confidence_interval_width, calibration_score, risk_level,
                   actual_fraud_detected, predicted_at, prediction_id
            FROM noc_fraud_prediction_log
            ORDER BY prediction_id""")
        by_width = log.frame("""
            SELECT round(confidence_interval_width, 1) AS width, count(*) AS n,
                   avg(actual_fraud_detected::INT) AS share
            FROM noc_fraud_prediction_log
            WHERE predicted_at >= TIMESTAMPTZ '2026-03-01 00:00:00+00'
            GROUP BY 1
            ORDER BY 1""")
    p = Grid().inverse(Grid().quantise(frame.score))
    assert np.allclose(rows.fraud_probability, frame.score) and by_width.n.sum() == 80
    assert np.allclose(rows.prediction_lower_bound, np.maximum(0, p - 0.3)) and np.allclose(
        rows.prediction_upper_bound, np.minimum(1, p + 0.3)
    )
    assert (
        np.allclose(
            rows.confidence_interval_width,
            rows.prediction_upper_bound - rows.prediction_lower_bound,
        )
        and (rows.calibration_score == 0.7).all()
    )
    assert rows.actual_fraud_detected.notna().sum() == 50
    assert (rows.actual_fraud_detected[:50].astype(int).to_numpy() == frame.label[:50]).all()


def test_an_interval_is_unknown_without_a_calibration_and_all_of_it_with_an_infinite_one(bench):
    frame = events(days=1).head(4)
    with bench.store() as store:
        store.con.execute(
            """INSERT INTO calibrations VALUES (
                'small', 'late', 'v1', '2026-03-01', NULL, 5, NULL, NULL, NULL, '{}')"""
        )
    bench.log(frame.head(2))
    bench.log(frame.tail(2), calibration_id="small")
    bench.ingest()
    bench.publish()
    with open_snapshot(bench.data) as log:
        rows = log.frame(
            """
            SELECT prediction_lower_bound AS lo, prediction_upper_bound AS up,
                   confidence_interval_width AS w, calibration_score AS s
            FROM noc_fraud_prediction_log
            ORDER BY prediction_id"""
        )
    assert rows.head(2).isna().all(axis=None) and rows.tail(2).values.tolist() == [[0, 1, 1, 0]] * 2


def test_the_operators_questions_are_answered_by_name(bench):
    frame = events(days=2)
    routes = np.where(frame.score > 0.6, "alert", "monitor")
    bench.log(frame, route=routes, automated=(frame.score <= 0.6).to_numpy())
    bench.label(frame.head(60))
    bench.ingest()
    bench.publish()
    with open_snapshot(bench.data) as log:
        answers = log.operator_answers(MODEL, frame["at"].max().to_pydatetime())
        before = log.operator_answers(MODEL, frame["at"].max().to_pydatetime(), NOW - timedelta(1))
    assert list(answers) == list(statements("operator.sql"))
    recent = frame["at"] > frame["at"].max() - timedelta(hours=24)
    asked = (routes == "alert")[recent].sum()
    assert answers["automation_rate"].predictions[0] == recent.sum()
    assert answers["automation_rate"].to_a_person[0] == asked
    assert answers["width_distribution"].predictions.sum() == len(frame)
    wrong = ((routes == "alert") & (frame.label == 0))[:60].sum()
    assert answers["false_positives_by_width"].false_positives.sum() == wrong
    assert before["automation_rate"].predictions[0] == 0  # nothing was known then
