import threading
import uuid

import duckdb
import numpy as np
import pandas as pd
import pytest
from conftest import MODEL, until

from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.columns import PREDICTION
from aiops_wb.log.durable import time_ordered_id
from aiops_wb.log.spool import OutcomeLogger, PredictionLogger, instants
from aiops_wb.stats.points import Grid

AT = "2026-03-01T12:00:00+01:00"


def rows(folder):
    return duckdb.sql(
        f"""SELECT * FROM read_parquet('{folder}/**/*.parquet', union_by_name=true)
        ORDER BY prediction_id"""
    ).df()


def test_what_is_logged_is_what_is_read(tmp_path):
    with PredictionLogger(tmp_path, "m", "1", threshold=500, tenant="t") as log:
        ids = log.log(
            [0.25, 0.75],
            [AT, "2026-03-01T11:00:00Z"],
            features={"x": [1.0, None], "k": ["a", "b"]},
            site_id=["n", None],
            latency_ms=3,
        )
    found = rows(tmp_path)
    assert list(found.columns) == [*PREDICTION, "features"]
    found = found.set_index("prediction_id").loc[ids]
    assert len(found) == 2 and set(found.tenant) == {"t"} and set(found.threshold) == {500}
    assert found.points.tolist() == Grid().quantise([0.25, 0.75]).tolist()
    assert (found.predicted_at == pd.Timestamp("2026-03-01T11:00:00Z")).all()
    assert found.features.iloc[0] == {"x": 1.0, "k": "a"}


def test_series_go_by_position_not_by_index(tmp_path):
    frame = pd.DataFrame(
        {"id": ["a", "b", "c"], "site": ["x", "y", "z"], "score": [0.1, 0.2, 0.3]}, index=[7, 7, 0]
    )
    with PredictionLogger(tmp_path, "m", "1", threshold=0) as log:
        log.log(
            frame.score,
            [AT] * 3,
            prediction_id=frame.id,
            site_id=frame.site,
            features=frame[["score"]],
        )
    with OutcomeLogger(tmp_path / "o", "s") as log:
        log.log(
            frame.id, pd.Series([1, 0, 1], index=[3, 1, 2]), pd.Series([AT] * 3, index=[9, 8, 7])
        )
    found = rows(tmp_path / "predictions")
    assert found.site_id.tolist() == ["x", "y", "z"] and [f["score"] for f in found.features] == [
        0.1,
        0.2,
        0.3,
    ]
    assert rows(tmp_path / "o").label.tolist() == [1, 0, 1]


def test_one_prediction_without_features(tmp_path):
    with PredictionLogger(tmp_path, "m", "1", threshold=0) as log:
        log.log(0.5, AT)
        assert log.flush().exists() and log.flush() is None
    assert "features" not in rows(tmp_path)


def test_a_batch_is_written_when_it_is_full_or_old(tmp_path):
    log = PredictionLogger(tmp_path, "m", "1", threshold=0, flush_rows=3, flush_seconds=None)
    log.log([0.1, 0.2], [AT, AT])
    assert not list(tmp_path.rglob("*.parquet"))
    log.log(0.3, AT)
    assert len(rows(tmp_path)) == 3
    old = PredictionLogger(
        tmp_path / "timed", "m", "1", threshold=0, flush_seconds=0.01, segment_seconds=0
    )
    old.log(0.5, AT)
    assert until(lambda: list((tmp_path / "timed").rglob("*.parquet")))
    assert until(lambda: old.buffered == 0) and len(rows(tmp_path / "timed")) == 1


def test_threads_lose_nothing(tmp_path):
    log = PredictionLogger(tmp_path, "m", "1", threshold=0, flush_rows=7, flush_seconds=None)
    threads = [
        threading.Thread(
            target=lambda k=k: [log.log(0.5, AT, prediction_id=f"{k}-{i}") for i in range(20)]
        )
        for k in range(4)
    ]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    log.close()
    assert rows(tmp_path).prediction_id.nunique() == 80


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ({"score": np.nan, "predicted_at": AT}, "score nan"),
        ({"score": 1.5, "predicted_at": AT}, r"\[0, 1\]"),
        ({"score": 0.5, "predicted_at": "2026-03-01 12:00"}, "without an offset"),
        ({"score": 0.5, "predicted_at": None}, "missing|offset"),
        ({"score": [0.5, 0.6], "predicted_at": [AT]}, "different lengths"),
        ({"score": 0.5, "predicted_at": AT, "amount": 3}, "unknown column 'amount'"),
        ({"score": 0.5, "predicted_at": AT, "features": {"x": [1, 2]}}, "different lengths"),
        ({"score": 0.5, "predicted_at": AT, "latency_ms": "slow"}, "latency_ms"),
        ({"score": 0.5, "predicted_at": AT, "latency_ms": -1}, "latency_ms"),
        ({"score": 0.5, "predicted_at": AT, "automated": "maybe"}, "automated"),
        ({"score": 0.5, "predicted_at": AT, "features": {"A": 1, "a": 2}}, "differ"),
        ({"score": 0.5, "predicted_at": AT, "features": {"": 1}}, "empty"),
    ],
)
def test_bad_predictions_are_refused_and_nothing_else_is_lost(tmp_path, call, says):
    with PredictionLogger(tmp_path, "m", "1", threshold=0) as log:
        log.log(0.4, AT)
        with pytest.raises(ValueError, match=says):
            log.log(**call)
        log.log(0.6, AT)
    assert len(rows(tmp_path)) == 2


@pytest.mark.parametrize("label", [2, -1, 0.5, np.nan, "yes", None])
def test_labels_other_than_0_1_are_refused(tmp_path, label):
    with OutcomeLogger(tmp_path, "s") as log, pytest.raises(ValueError, match="0 or 1"):
        log.log("a", label, AT)


def test_names_are_needed(tmp_path):
    with pytest.raises(ValueError, match="model"):
        PredictionLogger(tmp_path, "", "1", threshold=0)
    with pytest.raises(ValueError, match="80 bytes"):
        PredictionLogger(tmp_path, "m" * 81, "1", threshold=0)
    for threshold in (0.6, 7.5, 99_999):
        with pytest.raises(ValueError, match="points"):
            PredictionLogger(tmp_path, "m", "1", threshold=threshold)
    with pytest.raises(ValueError, match="fine grid"):
        PredictionLogger(tmp_path, "m", "1", threshold=0, grid=Grid("logit", 20))


@pytest.mark.parametrize(
    "values",
    [
        ["2026-03-29T02:30:00+02:00", "2026-03-29T00:30:00Z"],
        pd.date_range("2026-03-01", periods=2, tz="Europe/Berlin"),
        [pd.Timestamp("2026-01-01", tz="UTC"), pd.Timestamp("2026-01-01", tz="Asia/Tokyo")],
    ],
)
def test_mixed_offsets_become_instants(values):
    assert instants(values, "t").tolist() == [pd.Timestamp(v).tz_convert("UTC") for v in values]


@pytest.mark.parametrize(
    "values",
    [
        ["2026-03-01"],
        [pd.Timestamp("2026-03-01")],
        ["2026-03-01T00:00:00Z", "2026-03-01T00:00:00"],
        ["soon"],
        [pd.NaT],
    ],
)
def test_naive_and_missing_times_are_refused(values):
    with pytest.raises(ValueError):
        instants(values, "t")


def test_ids_grow_with_time():
    ids = [time_ordered_id() for _ in range(50)]
    assert len(set(ids)) == 50 and uuid.UUID(ids[0]).version == 7
    assert [i[:13] for i in ids] == sorted(i[:13] for i in ids)


def test_a_threshold_that_nobody_knows_is_none(bench):
    at = "2026-03-02T10:00:00Z"
    with PredictionLogger(bench.data / "spool", MODEL, "v1", threshold=None) as log:
        log.log(0.5, at, prediction_id="one")
        log.log([0.25, 0.75], [at, at], prediction_id=["two", "three"])
        assert log.beside("v1", None) is log
    bench.ingest()
    with bench.store() as store:
        store.publish()
    with open_snapshot(bench.data) as reader:
        rows = reader.frame("SELECT prediction_id, threshold FROM predictions ORDER BY ALL")
    assert rows.prediction_id.tolist() == ["one", "three", "two"]
    assert rows.threshold.isna().all()
