"""Many files: a day's question opens the files of that day, however many there are."""

import resource
import subprocess
import sys
from datetime import date, timedelta

import pandas as pd
import pytest
from conftest import MODEL, Bench, events

from aiops_wb.log import alike
from aiops_wb.log import events as log_events
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.spool import PredictionLogger
from aiops_wb.watch import cases
from aiops_wb.watch.cases import _TOGETHER, _spans

FIRST = date(2026, 3, 1)
LAST = FIRST + timedelta(5)
DAY = f"SELECT count(*), sum(points) FROM predictions WHERE event_date = DATE '{FIRST}'"


@pytest.fixture
def many(tmp_path, monkeypatch):
    "Six days, whose files are alike, and one more whose features are of other types."
    monkeypatch.setattr(alike, "ALIKE", 3)
    return filled(Bench(tmp_path))


def filled(bench):
    frame = events(days=6, per_day=20)
    bench.log(frame)
    bench.label(frame)
    last = frame[frame.day == LAST]
    with PredictionLogger(bench.data / "spool", MODEL, "v1", threshold=0) as log:
        features = pd.DataFrame({"x": ["1.5", "n/a"] * 10, "y": [True, None] * 10})
        ids = [f"other-{i}" for i in range(20)]
        log.log(last.score, last["at"], prediction_id=ids, features=features)
    bench.ingest()
    bench.publish()
    return bench


def spoil(bench, *keep):
    """What looks like a day file from outside stands in place of those of other days. (A file that
    is like no other is always opened, for what columns it has.)"""
    for path in (bench.data / "log" / "predictions").rglob("*.parquet"):
        if date.fromisoformat(path.parent.name.removeprefix("event_date=")) not in keep:
            path.write_bytes(bytes(path.stat().st_size - 4) + b"PAR1")


def test_a_question_about_a_day_opens_no_file_of_another_day(many):
    with open_snapshot(many.data) as reader:
        before = reader.con.execute(DAY).fetchall()
        assert before[0][0] == 20
    spoil(many, FIRST, LAST)
    with open_snapshot(many.data) as reader:
        assert reader.con.execute(DAY).fetchall() == before
        assert len(reader.rows(MODEL, FIRST, FIRST)) == 20


def test_what_is_known_of_a_file_is_not_read_again_when_a_snapshot_is_made(many):
    with many.store() as store:
        assert store._value("SELECT count(*) FROM file_shapes") == len(store.day_files())
    spoil(many, FIRST, LAST)
    more = events(days=1, per_day=20, start=FIRST + timedelta(6), version="v1")
    many.log(more)
    many.ingest()
    many.publish()
    assert not (many.data / "damaged.json").exists()  # which is written once a file was read
    with open_snapshot(many.data) as reader:
        asked = DAY.replace(str(FIRST), str(FIRST + timedelta(6)))
        assert reader.con.execute(asked).fetchall()[0][0] == 20


@pytest.mark.parametrize("above", ["data", "event_date=2020-01-01", "model=none/version=1"])
def test_the_view_is_that_of_all_files_merged_by_name(tmp_path, monkeypatch, above):
    "Whatever the folders above the log are called."
    monkeypatch.setattr(alike, "ALIKE", 3)
    apart = filled(Bench(tmp_path / above))
    everything = "FROM predictions ORDER BY prediction_id"
    with open_snapshot(apart.data) as reader:
        told = reader.frame(f"SELECT * {everything}")
        types = reader.con.execute("DESCRIBE predictions").fetchall()
        assert set(told.model) == {MODEL} and len(told) == 140
    monkeypatch.setattr(alike, "ALIKE", 1_000)
    apart.publish()
    with open_snapshot(apart.data) as reader:
        pd.testing.assert_frame_equal(told, reader.frame(f"SELECT * {everything}"))
        assert reader.con.execute("DESCRIBE predictions").fetchall() == types


def test_features_as_columns_are_those_of_dicts(many, monkeypatch):
    with open_snapshot(many.data) as reader:
        asked = [(FIRST, LAST), (FIRST, FIRST), (LAST, LAST)]
        columns = [reader.rows(MODEL, *days) for days in asked]
        none = reader.rows(MODEL, FIRST, LAST, where="false")
        with monkeypatch.context() as patch:
            patch.setattr(pd.DataFrame, "pop", lambda *_: pytest.fail("dicts were read"))
            reader.rows(MODEL, FIRST, FIRST)
        monkeypatch.setattr(log_events, "_side_by_side", lambda *_: None)
        for days, rows in zip(asked, columns):
            pd.testing.assert_frame_equal(rows, reader.rows(MODEL, *days))
        assert list(none) == list(reader.rows(MODEL, FIRST, LAST, where="false"))


def test_days_that_are_few_together_are_looked_through_together():
    few = {FIRST + timedelta(i): 100 for i in range(400)}
    assert list(_spans(few)) == [(min(few), max(few))]
    large = {FIRST + timedelta(i): _TOGETHER // 2 for i in range(5)}
    spans = list(_spans(large))
    assert [(b - a).days for a, b in spans] == [1, 1, 0]
    assert [a for a, _ in spans] == [FIRST, FIRST + timedelta(2), FIRST + timedelta(4)]
    assert list(_spans({})) == []


def test_new_rows_are_asked_for_by_days_that_are_few_together(bench, monkeypatch):
    monkeypatch.setattr(cases, "_TOGETHER", 90)
    for seed in range(2):  # two files a day
        frame = events(days=4, per_day=20, seed=seed, start=FIRST, version=f"v{seed}")
        bench.log(frame)
        bench.ingest()
    asked = []
    with bench.store() as store:
        rows = store.rows

        def noted(model, first, last, **other):
            asked.append((first, last))
            return rows(model, first, last, **other)

        monkeypatch.setattr(store, "rows", noted)
        list(cases._new_rows(store, 0))
    assert asked == [(FIRST + timedelta(i), FIRST + timedelta(i + 1)) for i in (0, 2)]


INGEST = """
import resource, sys
from datetime import UTC, datetime
from pathlib import Path
import numpy as np, pandas as pd
from aiops_wb.log.ingest import ingest
from aiops_wb.log.spool import PredictionLogger
from aiops_wb.log.store import open_store
root, rng, each = Path(sys.argv[1]), np.random.default_rng(0), 20_000
with PredictionLogger(root / "spool", "m", "v", threshold=0, flush_rows=each) as log:
    for start in range(0, 600_000, each):
        ids = [f"{start + i:09d}" for i in range(each)]
        features = pd.DataFrame(rng.normal(size=(each, 20))).add_prefix("x")
        log.log(rng.random(each), pd.Timestamp("2026-03-01T08:00Z"), prediction_id=ids,
                features=features)
with open_store(root, "child") as store:
    assert ingest(store, datetime(2026, 3, 2, tzinfo=UTC), "child").loaded == 600_000
"""


@pytest.mark.slow
def test_what_an_ingest_takes_of_memory_does_not_grow_with_its_rows(tmp_path):
    "600,000 rows of 20 features took 1.1 GB in one batch."
    subprocess.run([sys.executable, "-c", INGEST, str(tmp_path)], check=True)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 850 * 1024
