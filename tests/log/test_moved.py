"""A data folder that was copied or moved reads its own rows, whoever opens it."""

import os
import shutil
from datetime import UTC, datetime

import duckdb
import pytest
from conftest import MODEL, Bench, events

from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.ingest import ingest
from aiops_wb.log.spool import PredictionLogger
from aiops_wb.log.store import open_store

NOW = datetime(2026, 3, 20, tzinfo=UTC)
ODD = "a [1] * 'b' 100% \"ü\" \u65e5"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    "A folder with a snapshot of one day of 5 rows and their labels."
    made, frame = Bench(tmp_path_factory.mktemp("made")), events(days=1, per_day=5)
    made.log(frame)
    made.label(frame)
    with made.store() as store:
        ingest(store, NOW, "test")
        store.publish()
    return made


@pytest.fixture
def original(made, tmp_path):
    return made.copy_to(tmp_path)


def overwritten(folder):
    "Every prediction of a folder becomes one of another model, in files of the same names."
    con = duckdb.connect()
    for path in (folder / "log" / "predictions").rglob("*.parquet"):
        con.execute("CREATE OR REPLACE TABLE t AS FROM read_parquet($1)", [str(path)])
        con.execute("UPDATE t SET model = 'other'")
        con.execute(f"COPY t TO '{path}' (FORMAT parquet)")


def models(con):
    return con.execute("SELECT model, count(*)::INT FROM predictions GROUP BY 1").fetchall()


def plain(path, **options):
    "What DuckDB alone reads of a snapshot."
    with duckdb.connect(str(path), read_only=True, **options) as con:
        return models(con)


@pytest.mark.parametrize("links", [True, False], ids=["as it is", "its links followed"])
def test_a_copy_reads_its_own_rows(original, tmp_path, links):
    copy = tmp_path / ODD / "data"
    shutil.copytree(original.data, copy, symlinks=links)
    overwritten(original.data)
    with open_snapshot(copy) as reader:
        assert models(reader.con) == models(reader.cursor()) == [(MODEL, 5)]
        assert reader.frame("SELECT count(*) AS n FROM labels").n[0] == 5
    assert plain(copy / "aiops.duckdb") == [(MODEL, 5)]
    assert plain(original.data / "aiops.duckdb") == [("other", 5)]
    shutil.rmtree(original.data)
    assert plain(copy / "aiops.duckdb") == [(MODEL, 5)]
    with open_snapshot(copy) as reader:
        assert models(reader.con) == [(MODEL, 5)]


def test_a_moved_folder_reads_its_rows_also_through_a_link(original, tmp_path, monkeypatch):
    moved = tmp_path / "moved"
    original.data.rename(moved)
    (tmp_path / "link").symlink_to(moved)
    monkeypatch.chdir(moved)
    for path in (moved, tmp_path / "link", "."):
        with open_snapshot(path) as reader:
            assert models(reader.con) == [(MODEL, 5)]
        assert plain(os.path.join(path, "aiops.duckdb")) == [(MODEL, 5)]


def test_a_snapshot_beside_another_database_names_its_folder_or_is_refused(original, tmp_path):
    "Never are rows of one copy shown as those of another."
    copy = tmp_path / "copy"
    shutil.copytree(original.data, copy, symlinks=True)
    overwritten(original.data)
    con = duckdb.connect()
    con.execute(f"ATTACH '{copy}/aiops.duckdb' AS c (READ_ONLY)")
    with pytest.raises(duckdb.Error, match=r"SET VARIABLE aiops_data = '/the/data/folder' says"):
        con.execute("FROM c.predictions")
    con.execute(f"SET VARIABLE aiops_data = '{copy}'")
    con.execute("USE c")
    assert models(con) == [(MODEL, 5)]
    con.close()
    con = duckdb.connect(str(original.data / "aiops.duckdb"), read_only=True)
    con.execute(f"ATTACH '{copy}/aiops.duckdb' AS c (READ_ONLY)")
    for asked in (
        "FROM c.predictions",
        "SELECT count(*) FROM predictions",
        "SELECT max(score) FROM c.predictions WHERE model = 'late' AND tenant LIKE 'd%'",
        "SELECT 1 FROM c.predictions WHERE features.x > 0",
        "SELECT count(*) FROM c.labels WHERE label = 1",
        "SELECT * FROM c.noc_fraud_prediction_log",
    ):
        with pytest.raises(duckdb.Error, match="two copies of this snapshot are open"):
            con.execute(asked).fetchall()
    con.execute(f"SET VARIABLE aiops_data = '{copy}'")
    assert con.execute("SELECT DISTINCT model FROM c.predictions").fetchall() == [(MODEL,)]
    con.close()


def test_what_guards_against_copies_is_not_in_a_plan_of_this_package(original):
    with open_snapshot(original.data) as reader:
        plan = reader.con.execute("EXPLAIN FROM predictions WHERE features.x > 0").fetchall()[0][1]
    assert "READ_PARQUET" in plan and "DATABASES" not in plan and "error" not in plan


def test_work_in_a_copy_changes_nothing_of_the_original(original, tmp_path):
    copy = Bench(tmp_path / "elsewhere")
    shutil.copytree(original.root / "data", copy.data, symlinks=True)
    before = {p: p.lstat().st_mtime_ns for p in original.data.rglob("*")}
    copy.log(events(days=1, per_day=3, seed=1, version="v2"), version="v2")
    copy.ingest()
    copy.publish()
    with open_snapshot(copy.data) as reader:
        assert models(reader.con) == [(MODEL, 8)]
    assert {p: p.lstat().st_mtime_ns for p in original.data.rglob("*")} == before


def test_a_folder_copied_amid_an_ingestion_looks_into_its_own_spool(original, tmp_path):
    "What was being taken in waits in the copy, too: there it is taken in once, from there."
    original.log(events(days=1, per_day=3, seed=1, version="v2"), version="v2")
    with original.store() as store:
        segment = next((original.data / "spool" / "predictions").glob("*.parquet"))
        store.begin_files(store.known_batch() + 1, [segment])
        day = next((original.data / "log" / "predictions").iterdir())
        shutil.copy(segment, day / f"b{store.known_batch() + 1:08d}-0000.parquet")
        copy = tmp_path / "copy"
        shutil.copytree(original.data, copy, symlinks=True)
    shutil.rmtree(original.data)
    with open_store(copy, "test") as store:
        assert not (copy / "rejected").exists()
        assert ingest(store, NOW, "test").loaded == 3


def test_a_spool_elsewhere_is_told_as_it_stands(original, tmp_path):
    with PredictionLogger(tmp_path / "far" / "spool", MODEL, "v1", threshold=0) as log:
        log.log([0.5], ["2026-03-02T00:00:00Z"], prediction_id=["one"])
    far = next((tmp_path / "far").rglob("*.parquet"))
    with original.store() as store:
        store.begin_files(store.known_batch() + 1, [far])
        assert store._interrupted() == (store.known_batch() + 1, True)
        far.unlink()
        assert store._interrupted() == (store.known_batch() + 1, False)
